package aws

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	cachetypes "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/aws/aws-sdk-go-v2/service/kafka"
	kafkatypes "github.com/aws/aws-sdk-go-v2/service/kafka/types"
	"github.com/aws/aws-sdk-go-v2/service/memorydb"
	"github.com/aws/aws-sdk-go-v2/service/opensearch"

	"github.com/eksafe/eksafe/internal/estate"
)

func (r *reader) readCaches(ctx context.Context) {
	var caches []*estate.Cache
	byGroup := map[string]*estate.Cache{}
	err := pages(ctx, elasticache.NewDescribeReplicationGroupsPaginator(r.sdk.elasticache, &elasticache.DescribeReplicationGroupsInput{}), func(p *elasticache.DescribeReplicationGroupsOutput) {
		for _, g := range p.ReplicationGroups {
			c := &estate.Cache{
				AWS:                      estate.AWS{Arn: text(g.ARN)},
				Id:                       text(g.ReplicationGroupId),
				Type:                     "replicationgroup",
				Engine:                   opt(g.Engine),
				TransitEncryptionEnabled: opt(g.TransitEncryptionEnabled),
				TransitEncryptionMode:    enum(g.TransitEncryptionMode),
				AtRestEncryptionEnabled:  opt(g.AtRestEncryptionEnabled),
			}
			c.Endpoints = cacheEndpoints(c.Endpoints, g.ConfigurationEndpoint)
			for _, n := range g.NodeGroups {
				c.Endpoints = cacheEndpoints(c.Endpoints, n.PrimaryEndpoint, n.ReaderEndpoint)
			}
			byGroup[c.Id] = c
			caches = append(caches, c)
		}
	})
	if err != nil {
		r.fail(err, estate.Caches.Kind)
	}
	err = pages(ctx, elasticache.NewDescribeCacheClustersPaginator(r.sdk.elasticache, &elasticache.DescribeCacheClustersInput{ShowCacheNodeInfo: awssdk.Bool(true)}), func(p *elasticache.DescribeCacheClustersOutput) {
		for _, x := range p.CacheClusters {
			if id := text(x.ReplicationGroupId); id != "" {
				// Its group is read, which does not say where its members stand.
				if c := byGroup[id]; c != nil {
					placeCache(c, &x)
				}
				continue
			}
			c := &estate.Cache{
				AWS:                      estate.AWS{Arn: text(x.ARN)},
				Id:                       text(x.CacheClusterId),
				Type:                     "cachecluster",
				Engine:                   opt(x.Engine),
				TransitEncryptionEnabled: opt(x.TransitEncryptionEnabled),
				TransitEncryptionMode:    enum(x.TransitEncryptionMode),
				AtRestEncryptionEnabled:  opt(x.AtRestEncryptionEnabled),
			}
			placeCache(c, &x)
			c.Endpoints = cacheEndpoints(c.Endpoints, x.ConfigurationEndpoint)
			for _, n := range x.CacheNodes {
				c.Endpoints = cacheEndpoints(c.Endpoints, n.Endpoint)
			}
			caches = append(caches, c)
		}
	})
	if err != nil {
		r.fail(err, estate.Caches.Kind)
	}
	err = pages(ctx, elasticache.NewDescribeServerlessCachesPaginator(r.sdk.elasticache, &elasticache.DescribeServerlessCachesInput{}), func(p *elasticache.DescribeServerlessCachesOutput) {
		for _, x := range p.ServerlessCaches {
			caches = append(caches, &estate.Cache{
				AWS:    estate.AWS{Arn: text(x.ARN)},
				Id:     text(x.ServerlessCacheName),
				Type:   "serverless",
				Engine: opt(x.Engine),
				// No field says so: AWS documents that every serverless
				// cache encrypts in transit.
				TransitEncryptionEnabled: estate.Known(true),
				Endpoints:                cacheEndpoints(nil, x.Endpoint, x.ReaderEndpoint),
				SubnetIds:                list(x.SubnetIds),
				SecurityGroupIds:         list(x.SecurityGroupIds),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.Caches.Kind)
	}
	err = pages(ctx, memorydb.NewDescribeClustersPaginator(r.sdk.memorydb, &memorydb.DescribeClustersInput{}), func(p *memorydb.DescribeClustersOutput) {
		for _, x := range p.Clusters {
			c := &estate.Cache{
				AWS:                      estate.AWS{Arn: text(x.ARN)},
				Id:                       text(x.Name),
				Type:                     "memorydb",
				Engine:                   opt(x.Engine),
				TransitEncryptionEnabled: opt(x.TLSEnabled),
				AtRestEncryptionEnabled:  estate.Known(true), // MemoryDB has no unencrypted clusters
				SubnetGroupName:          text(x.SubnetGroupName),
			}
			for _, g := range x.SecurityGroups {
				c.SecurityGroupIds = append(c.SecurityGroupIds, text(g.SecurityGroupId))
			}
			slices.Sort(c.SecurityGroupIds)
			if e := x.ClusterEndpoint; e != nil && text(e.Address) != "" {
				c.Endpoints = []estate.Endpoint{{Address: text(e.Address), Port: int(e.Port)}}
			}
			caches = append(caches, c)
		}
	})
	if err != nil {
		r.fail(err, estate.Caches.Kind)
	}
	put(r, estate.Caches, caches)
}

// placeCache says where a cache stands by one of its members; all are alike.
func placeCache(c *estate.Cache, member *cachetypes.CacheCluster) {
	c.SubnetGroupName, c.SecurityGroupIds = text(member.CacheSubnetGroupName), nil
	for _, g := range member.SecurityGroups {
		c.SecurityGroupIds = append(c.SecurityGroupIds, text(g.SecurityGroupId))
	}
	slices.Sort(c.SecurityGroupIds)
}

func (r *reader) readCacheSubnetGroups(ctx context.Context) {
	var groups []*estate.CacheSubnetGroup
	add := func(arn, name *string, subnets []string) {
		slices.Sort(subnets)
		groups = append(groups, &estate.CacheSubnetGroup{AWS: estate.AWS{Arn: text(arn)}, CacheSubnetGroupName: text(name), SubnetIds: subnets})
	}
	err := pages(ctx, elasticache.NewDescribeCacheSubnetGroupsPaginator(r.sdk.elasticache, &elasticache.DescribeCacheSubnetGroupsInput{}), func(p *elasticache.DescribeCacheSubnetGroupsOutput) {
		for _, g := range p.CacheSubnetGroups {
			var subnets []string
			for _, s := range g.Subnets {
				subnets = append(subnets, text(s.SubnetIdentifier))
			}
			add(g.ARN, g.CacheSubnetGroupName, subnets)
		}
	})
	if err != nil {
		r.fail(err, estate.CacheSubnetGroups.Kind)
	}
	err = pages(ctx, memorydb.NewDescribeSubnetGroupsPaginator(r.sdk.memorydb, &memorydb.DescribeSubnetGroupsInput{}), func(p *memorydb.DescribeSubnetGroupsOutput) {
		for _, g := range p.SubnetGroups {
			var subnets []string
			for _, s := range g.Subnets {
				subnets = append(subnets, text(s.Identifier))
			}
			add(g.ARN, g.Name, subnets)
		}
	})
	if err != nil {
		r.fail(err, estate.CacheSubnetGroups.Kind)
	}
	put(r, estate.CacheSubnetGroups, groups)
}

func cacheEndpoints(out []estate.Endpoint, endpoints ...*cachetypes.Endpoint) []estate.Endpoint {
	for _, e := range endpoints {
		if e == nil || text(e.Address) == "" {
			continue
		}
		if at := (estate.Endpoint{Address: text(e.Address), Port: number(e.Port)}); !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

func (r *reader) readKafka(ctx context.Context) {
	var clusters []*estate.KafkaCluster
	err := pages(ctx, kafka.NewListClustersV2Paginator(r.sdk.kafka, &kafka.ListClustersV2Input{}), func(p *kafka.ListClustersV2Output) {
		for i := range p.ClusterInfoList {
			clusters = append(clusters, kafkaCluster(&p.ClusterInfoList[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.KafkaClusters.Kind)
	}
	each(ctx, clusters, func(ctx context.Context, c *estate.KafkaCluster) {
		out, err := r.sdk.kafka.GetBootstrapBrokers(ctx, &kafka.GetBootstrapBrokersInput{ClusterArn: &c.Arn})
		if err != nil {
			// A cluster that is being made has no brokers yet.
			if f := classify(err); f == other || f == notFound {
				return
			}
			r.fail(err, estate.KafkaClusters.Kind)
			return
		}
		for _, brokers := range []*string{
			out.BootstrapBrokerString, out.BootstrapBrokerStringTls, out.BootstrapBrokerStringSaslScram, out.BootstrapBrokerStringSaslIam,
			out.BootstrapBrokerStringPublicTls, out.BootstrapBrokerStringPublicSaslScram, out.BootstrapBrokerStringPublicSaslIam,
			out.BootstrapBrokerStringVpcConnectivityTls, out.BootstrapBrokerStringVpcConnectivitySaslScram, out.BootstrapBrokerStringVpcConnectivitySaslIam,
			out.BootstrapBrokerStringIpv6, out.BootstrapBrokerStringTlsIpv6, out.BootstrapBrokerStringSaslScramIpv6, out.BootstrapBrokerStringSaslIamIpv6,
		} {
			c.Endpoints = append(c.Endpoints, brokerEndpoints(text(brokers))...)
		}
	})
	put(r, estate.KafkaClusters, clusters)
}

func kafkaCluster(c *kafkatypes.Cluster) *estate.KafkaCluster {
	out := &estate.KafkaCluster{AWS: estate.AWS{Arn: text(c.ClusterArn), Tags: c.Tags}, ClusterName: text(c.ClusterName)}
	if c.Provisioned != nil && c.Provisioned.EncryptionInfo != nil {
		if t := c.Provisioned.EncryptionInfo.EncryptionInTransit; t != nil {
			out.ClientBroker, out.InCluster = enum(t.ClientBroker), opt(t.InCluster)
		}
	}
	switch {
	case c.Provisioned != nil && c.Provisioned.BrokerNodeGroupInfo != nil:
		out.ClientSubnets, out.SecurityGroups = list(c.Provisioned.BrokerNodeGroupInfo.ClientSubnets), list(c.Provisioned.BrokerNodeGroupInfo.SecurityGroups)
	case c.Serverless != nil && len(c.Serverless.VpcConfigs) > 0:
		out.ClientSubnets, out.SecurityGroups = list(c.Serverless.VpcConfigs[0].SubnetIds), list(c.Serverless.VpcConfigs[0].SecurityGroupIds)
	}
	return out
}

// brokerEndpoints parses "b-1.example:9094,b-2.example:9094".
func brokerEndpoints(brokers string) []estate.Endpoint {
	var out []estate.Endpoint
	for broker := range strings.SplitSeq(brokers, ",") {
		address, port, err := net.SplitHostPort(strings.TrimSpace(broker))
		if err != nil {
			continue
		}
		if n, err := strconv.Atoi(port); err == nil && address != "" {
			out = append(out, estate.Endpoint{Address: address, Port: n})
		}
	}
	return out
}

// domainsAtOnce is how many domains one DescribeDomains call takes.
const domainsAtOnce = 5

func (r *reader) readOpenSearch(ctx context.Context) {
	listed, err := r.sdk.opensearch.ListDomainNames(ctx, &opensearch.ListDomainNamesInput{})
	if err != nil {
		r.fail(err, estate.OpenSearchDomains.Kind)
		return
	}
	var names []string
	for _, d := range listed.DomainNames {
		names = append(names, text(d.DomainName))
	}
	var domains []*estate.OpenSearchDomain
	for chunk := range slices.Chunk(list(names), domainsAtOnce) {
		out, err := r.sdk.opensearch.DescribeDomains(ctx, &opensearch.DescribeDomainsInput{DomainNames: chunk})
		if err != nil {
			r.fail(err, estate.OpenSearchDomains.Kind)
			continue
		}
		for _, d := range out.DomainStatusList {
			domain := &estate.OpenSearchDomain{AWS: estate.AWS{Arn: text(d.ARN)}, DomainName: text(d.DomainName)}
			if o := d.DomainEndpointOptions; o != nil {
				domain.EnforceHTTPS = opt(o.EnforceHTTPS)
			}
			if o := d.NodeToNodeEncryptionOptions; o != nil {
				domain.NodeToNodeEncryption = opt(o.Enabled)
			}
			if o := d.EncryptionAtRestOptions; o != nil {
				domain.EncryptionAtRest = opt(o.Enabled)
			}
			if o := d.VPCOptions; o != nil {
				domain.SubnetIds, domain.SecurityGroupIds = list(o.SubnetIds), list(o.SecurityGroupIds)
			}
			address := text(d.Endpoint)
			if address == "" {
				address = d.Endpoints["vpc"]
			}
			if address != "" {
				domain.Endpoint = estate.Endpoint{Address: address, Port: 443}
			}
			domains = append(domains, domain)
		}
	}
	put(r, estate.OpenSearchDomains, domains)
}
