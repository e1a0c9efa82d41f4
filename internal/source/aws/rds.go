package aws

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/eksafe/eksafe/internal/estate"
)

// readDatabases reads instances, clusters and the groups they use.
func (r *reader) readDatabases(ctx context.Context) {
	var instances []*estate.DBInstance
	err := pages(ctx, rds.NewDescribeDBInstancesPaginator(r.sdk.rds, &rds.DescribeDBInstancesInput{}), func(p *rds.DescribeDBInstancesOutput) {
		for i := range p.DBInstances {
			instances = append(instances, dbInstance(&p.DBInstances[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.DBInstances.Kind)
	}
	put(r, estate.DBInstances, instances)

	var clusters []*estate.DBCluster
	err = pages(ctx, rds.NewDescribeDBClustersPaginator(r.sdk.rds, &rds.DescribeDBClustersInput{}), func(p *rds.DescribeDBClustersOutput) {
		for i := range p.DBClusters {
			clusters = append(clusters, dbCluster(&p.DBClusters[i]))
		}
	})
	if err != nil {
		r.fail(err, estate.DBClusters.Kind)
	}
	put(r, estate.DBClusters, clusters)

	inUse := map[string]bool{}
	for _, i := range instances {
		inUse[i.DBParameterGroupName.Or("")] = true
	}
	r.readParameterGroups(ctx, inUse)
	inUse = map[string]bool{}
	for _, c := range clusters {
		inUse[c.DBClusterParameterGroupName.Or("")] = true
	}
	r.readClusterParameterGroups(ctx, inUse)
	r.readOptionGroups(ctx)

	var subnetGroups []*estate.DBSubnetGroup
	err = pages(ctx, rds.NewDescribeDBSubnetGroupsPaginator(r.sdk.rds, &rds.DescribeDBSubnetGroupsInput{}), func(p *rds.DescribeDBSubnetGroupsOutput) {
		for _, g := range p.DBSubnetGroups {
			group := &estate.DBSubnetGroup{
				AWS:               estate.AWS{Arn: cmp.Or(text(g.DBSubnetGroupArn), r.arn("rds", "subgrp:"+text(g.DBSubnetGroupName)))},
				DBSubnetGroupName: text(g.DBSubnetGroupName),
			}
			for _, s := range g.Subnets {
				group.SubnetIds = append(group.SubnetIds, text(s.SubnetIdentifier))
			}
			slices.Sort(group.SubnetIds)
			subnetGroups = append(subnetGroups, group)
		}
	})
	if err != nil {
		r.fail(err, estate.DBSubnetGroups.Kind)
	}
	put(r, estate.DBSubnetGroups, subnetGroups)
}

func dbInstance(i *rdstypes.DBInstance) *estate.DBInstance {
	out := &estate.DBInstance{
		AWS:                     estate.AWS{Arn: text(i.DBInstanceArn), Tags: rdsTags(i.TagList)},
		DBInstanceIdentifier:    text(i.DBInstanceIdentifier),
		DBClusterIdentifier:     text(i.DBClusterIdentifier),
		Engine:                  opt(i.Engine),
		EngineVersion:           opt(i.EngineVersion),
		StorageEncrypted:        opt(i.StorageEncrypted),
		KmsKeyId:                opt(i.KmsKeyId),
		PubliclyAccessible:      opt(i.PubliclyAccessible),
		CACertificateIdentifier: opt(i.CACertificateIdentifier),
		DeletionProtection:      opt(i.DeletionProtection),
	}
	if len(i.DBParameterGroups) > 0 {
		out.DBParameterGroupName = opt(i.DBParameterGroups[0].DBParameterGroupName)
		out.ParameterApplyStatus = opt(i.DBParameterGroups[0].ParameterApplyStatus)
	}
	if len(i.OptionGroupMemberships) > 0 {
		out.OptionGroupName = opt(i.OptionGroupMemberships[0].OptionGroupName)
	}
	if c := i.CertificateDetails; c != nil {
		out.CertificateDetails = estate.CertificateDetails{CAIdentifier: text(c.CAIdentifier), ValidTill: opt(c.ValidTill)}
	}
	if i.DBSubnetGroup != nil {
		out.DBSubnetGroupName = text(i.DBSubnetGroup.DBSubnetGroupName)
	}
	for _, g := range i.VpcSecurityGroups {
		out.VPCSecurityGroups = append(out.VPCSecurityGroups, text(g.VpcSecurityGroupId))
	}
	slices.Sort(out.VPCSecurityGroups)
	if i.Endpoint != nil {
		out.Endpoint = estate.Endpoint{Address: text(i.Endpoint.Address), Port: number(i.Endpoint.Port)}
	}
	return out
}

func dbCluster(c *rdstypes.DBCluster) *estate.DBCluster {
	out := &estate.DBCluster{
		AWS:                         estate.AWS{Arn: text(c.DBClusterArn), Tags: rdsTags(c.TagList)},
		DBClusterIdentifier:         text(c.DBClusterIdentifier),
		Engine:                      opt(c.Engine),
		EngineVersion:               opt(c.EngineVersion),
		StorageEncrypted:            opt(c.StorageEncrypted),
		KmsKeyId:                    opt(c.KmsKeyId),
		PubliclyAccessible:          opt(c.PubliclyAccessible),
		DBClusterParameterGroupName: opt(c.DBClusterParameterGroup),
		DBSubnetGroupName:           text(c.DBSubnetGroup),
		DeletionProtection:          opt(c.DeletionProtection),
	}
	for _, g := range c.VpcSecurityGroups {
		out.VpcSecurityGroupIds = append(out.VpcSecurityGroupIds, text(g.VpcSecurityGroupId))
	}
	slices.Sort(out.VpcSecurityGroupIds)
	if c.Endpoint != nil {
		out.Endpoint = estate.Endpoint{Address: *c.Endpoint, Port: number(c.Port)}
	}
	if c.ReaderEndpoint != nil {
		out.ReadEndpoint = estate.Endpoint{Address: *c.ReaderEndpoint, Port: number(c.Port)}
	}
	var status []string
	for _, m := range c.DBClusterMembers {
		status = append(status, text(m.DBClusterParameterGroupStatus))
	}
	if s := worstStatus(status); s != "" {
		out.ParameterApplyStatus = estate.Known(s)
	}
	return out
}

// worstStatus returns the status under which parameters are least in force.
func worstStatus(status []string) string {
	rank := func(s string) int { return slices.Index([]string{"", "in-sync"}, s) }
	worst := ""
	for _, s := range status {
		a, b := rank(s), rank(worst)
		switch {
		case s == "" || worst == "pending-reboot":
		case worst == "" || s == "pending-reboot", a < 0 && b > 0, a < 0 && b < 0 && s < worst:
			worst = s
		}
	}
	return worst
}

// requireTLS are the parameters that make a database refuse plaintext. Their
// engine's default decides where nobody set them.
var requireTLS = []string{"rds.force_ssl", "require_secure_transport"}

func (r *reader) readParameterGroups(ctx context.Context, inUse map[string]bool) {
	var groups []*estate.DBParameterGroup
	err := pages(ctx, rds.NewDescribeDBParameterGroupsPaginator(r.sdk.rds, &rds.DescribeDBParameterGroupsInput{}), func(p *rds.DescribeDBParameterGroupsOutput) {
		for _, g := range p.DBParameterGroups {
			groups = append(groups, &estate.DBParameterGroup{
				AWS:                  estate.AWS{Arn: cmp.Or(text(g.DBParameterGroupArn), r.arn("rds", "pg:"+text(g.DBParameterGroupName)))},
				DBParameterGroupName: text(g.DBParameterGroupName),
				Family:               opt(g.DBParameterGroupFamily),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.DBParameterGroups.Kind)
	}
	each(ctx, groups, func(ctx context.Context, g *estate.DBParameterGroup) {
		source, ask := parameterSource(g.DBParameterGroupName, inUse)
		parameters := map[string]string{}
		if ask {
			err := pages(ctx, rds.NewDescribeDBParametersPaginator(r.sdk.rds, &rds.DescribeDBParametersInput{DBParameterGroupName: &g.DBParameterGroupName, Source: source}), func(p *rds.DescribeDBParametersOutput) {
				keepParameters(parameters, p.Parameters)
			})
			if err != nil {
				if classify(err) != notFound {
					r.blind(err, "parameters of database parameter groups")
				}
				return
			}
		}
		g.Parameters = estate.Known(parameters)
	})
	put(r, estate.DBParameterGroups, groups)
}

func (r *reader) readClusterParameterGroups(ctx context.Context, inUse map[string]bool) {
	var groups []*estate.DBClusterParameterGroup
	err := pages(ctx, rds.NewDescribeDBClusterParameterGroupsPaginator(r.sdk.rds, &rds.DescribeDBClusterParameterGroupsInput{}), func(p *rds.DescribeDBClusterParameterGroupsOutput) {
		for _, g := range p.DBClusterParameterGroups {
			groups = append(groups, &estate.DBClusterParameterGroup{
				AWS:                         estate.AWS{Arn: cmp.Or(text(g.DBClusterParameterGroupArn), r.arn("rds", "cluster-pg:"+text(g.DBClusterParameterGroupName)))},
				DBClusterParameterGroupName: text(g.DBClusterParameterGroupName),
				Family:                      opt(g.DBParameterGroupFamily),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.DBClusterParameterGroups.Kind)
	}
	each(ctx, groups, func(ctx context.Context, g *estate.DBClusterParameterGroup) {
		source, ask := parameterSource(g.DBClusterParameterGroupName, inUse)
		parameters := map[string]string{}
		if ask {
			err := pages(ctx, rds.NewDescribeDBClusterParametersPaginator(r.sdk.rds, &rds.DescribeDBClusterParametersInput{DBClusterParameterGroupName: &g.DBClusterParameterGroupName, Source: source}), func(p *rds.DescribeDBClusterParametersOutput) {
				keepParameters(parameters, p.Parameters)
			})
			if err != nil {
				if classify(err) != notFound {
					r.blind(err, "parameters of database cluster parameter groups")
				}
				return
			}
		}
		g.Parameters = estate.Known(parameters)
	})
	put(r, estate.DBClusterParameterGroups, groups)
}

var userSource = "user"

// parameterSource says which parameters to ask for: all of a group in use,
// some hundreds; what users set of another; none of a default group that
// nobody uses, for these cannot be changed.
func parameterSource(group string, inUse map[string]bool) (source *string, ask bool) {
	switch {
	case inUse[group]:
		return nil, true
	case strings.HasPrefix(group, "default."):
		return nil, false
	}
	return &userSource, true
}

var secretParameter = regexp.MustCompile(`(?i)passw|secret|credential|token|init_connect|private_key`)

func keepParameters(into map[string]string, parameters []rdstypes.Parameter) {
	for _, p := range parameters {
		name := text(p.ParameterName)
		if p.ParameterValue == nil || secretParameter.MatchString(name) {
			continue
		}
		if text(p.Source) == userSource || slices.Contains(requireTLS, name) {
			into[name] = *p.ParameterValue
		}
	}
}

// judgedOptions are those whose settings are kept; settings of others may be
// passwords.
var judgedOptions = []string{"SSL", "NATIVE_NETWORK_ENCRYPTION"}

func (r *reader) readOptionGroups(ctx context.Context) {
	var groups []*estate.OptionGroup
	err := pages(ctx, rds.NewDescribeOptionGroupsPaginator(r.sdk.rds, &rds.DescribeOptionGroupsInput{}), func(p *rds.DescribeOptionGroupsOutput) {
		for _, g := range p.OptionGroupsList {
			group := &estate.OptionGroup{
				AWS:             estate.AWS{Arn: cmp.Or(text(g.OptionGroupArn), r.arn("rds", "og:"+text(g.OptionGroupName)))},
				OptionGroupName: text(g.OptionGroupName),
				EngineName:      text(g.EngineName),
			}
			options := []estate.OptionConfiguration{}
			for _, o := range g.Options {
				option := estate.OptionConfiguration{OptionName: text(o.OptionName), Port: number(o.Port)}
				if slices.Contains(judgedOptions, option.OptionName) {
					for _, s := range o.OptionSettings {
						option.OptionSettings = append(option.OptionSettings, estate.OptionSetting{Name: text(s.Name), Value: text(s.Value)})
					}
					slices.SortFunc(option.OptionSettings, func(a, b estate.OptionSetting) int { return cmp.Compare(a.Name, b.Name) })
				}
				options = append(options, option)
			}
			slices.SortFunc(options, func(a, b estate.OptionConfiguration) int { return cmp.Compare(a.OptionName, b.OptionName) })
			group.OptionConfigurations = estate.Known(options)
			groups = append(groups, group)
		}
	})
	if err != nil {
		r.fail(err, estate.OptionGroups.Kind)
	}
	put(r, estate.OptionGroups, groups)
}

func (r *reader) readProxies(ctx context.Context) {
	var proxies []*estate.DBProxy
	err := pages(ctx, rds.NewDescribeDBProxiesPaginator(r.sdk.rds, &rds.DescribeDBProxiesInput{}), func(p *rds.DescribeDBProxiesOutput) {
		for _, x := range p.DBProxies {
			proxies = append(proxies, &estate.DBProxy{
				AWS:                 estate.AWS{Arn: text(x.DBProxyArn)},
				DBProxyName:         text(x.DBProxyName),
				EngineFamily:        text(x.EngineFamily),
				RequireTLS:          opt(x.RequireTLS),
				Endpoint:            text(x.Endpoint),
				VpcSecurityGroupIds: list(x.VpcSecurityGroupIds),
				VpcSubnetIds:        list(x.VpcSubnetIds),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.DBProxies.Kind)
	}
	each(ctx, proxies, func(ctx context.Context, x *estate.DBProxy) {
		err := pages(ctx, rds.NewDescribeDBProxyTargetsPaginator(r.sdk.rds, &rds.DescribeDBProxyTargetsInput{DBProxyName: &x.DBProxyName}), func(p *rds.DescribeDBProxyTargetsOutput) {
			for _, t := range p.Targets {
				switch t.Type {
				case rdstypes.TargetTypeTrackedCluster:
					x.DBClusterIdentifiers = append(x.DBClusterIdentifiers, text(t.RdsResourceId))
				case rdstypes.TargetTypeRdsInstance:
					x.DBInstanceIdentifiers = append(x.DBInstanceIdentifiers, text(t.RdsResourceId))
				}
			}
		})
		if err != nil && classify(err) != notFound {
			r.fail(err, estate.DBProxies.Kind)
		}
		slices.Sort(x.DBInstanceIdentifiers)
		slices.Sort(x.DBClusterIdentifiers)
	})
	put(r, estate.DBProxies, proxies)
}

func (r *reader) readSnapshots(ctx context.Context) {
	var snapshots, ofClusters []*estate.DBSnapshot
	err := pages(ctx, rds.NewDescribeDBSnapshotsPaginator(r.sdk.rds, &rds.DescribeDBSnapshotsInput{}), func(p *rds.DescribeDBSnapshotsOutput) {
		for _, s := range p.DBSnapshots {
			snapshots = append(snapshots, &estate.DBSnapshot{
				AWS:                  estate.AWS{Arn: text(s.DBSnapshotArn), Tags: rdsTags(s.TagList)},
				DBSnapshotIdentifier: text(s.DBSnapshotIdentifier),
				SourceIdentifier:     text(s.DBInstanceIdentifier),
				SnapshotType:         text(s.SnapshotType),
				Encrypted:            opt(s.Encrypted),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.DBSnapshots.Kind)
	}
	err = pages(ctx, rds.NewDescribeDBClusterSnapshotsPaginator(r.sdk.rds, &rds.DescribeDBClusterSnapshotsInput{}), func(p *rds.DescribeDBClusterSnapshotsOutput) {
		for _, s := range p.DBClusterSnapshots {
			ofClusters = append(ofClusters, &estate.DBSnapshot{
				AWS:                  estate.AWS{Arn: text(s.DBClusterSnapshotArn), Tags: rdsTags(s.TagList)},
				DBSnapshotIdentifier: text(s.DBClusterSnapshotIdentifier),
				SourceIdentifier:     text(s.DBClusterIdentifier),
				SnapshotType:         text(s.SnapshotType),
				Encrypted:            opt(s.StorageEncrypted),
			})
		}
	})
	if err != nil {
		r.fail(err, estate.DBSnapshots.Kind)
	}

	each(ctx, snapshots, func(ctx context.Context, s *estate.DBSnapshot) {
		r.readRestore(s, func() ([]string, error) {
			out, err := r.sdk.rds.DescribeDBSnapshotAttributes(ctx, &rds.DescribeDBSnapshotAttributesInput{DBSnapshotIdentifier: &s.DBSnapshotIdentifier})
			if err != nil || out.DBSnapshotAttributesResult == nil {
				return nil, err
			}
			var accounts []string
			for _, a := range out.DBSnapshotAttributesResult.DBSnapshotAttributes {
				if text(a.AttributeName) == "restore" {
					accounts = append(accounts, a.AttributeValues...)
				}
			}
			return accounts, nil
		})
	})
	each(ctx, ofClusters, func(ctx context.Context, s *estate.DBSnapshot) {
		r.readRestore(s, func() ([]string, error) {
			out, err := r.sdk.rds.DescribeDBClusterSnapshotAttributes(ctx, &rds.DescribeDBClusterSnapshotAttributesInput{DBClusterSnapshotIdentifier: &s.DBSnapshotIdentifier})
			if err != nil || out.DBClusterSnapshotAttributesResult == nil {
				return nil, err
			}
			var accounts []string
			for _, a := range out.DBClusterSnapshotAttributesResult.DBClusterSnapshotAttributes {
				if text(a.AttributeName) == "restore" {
					accounts = append(accounts, a.AttributeValues...)
				}
			}
			return accounts, nil
		})
	})
	put(r, estate.DBSnapshots, append(snapshots, ofClusters...))
}

// readRestore reads who may restore a snapshot. Only manual ones can be shared.
func (r *reader) readRestore(s *estate.DBSnapshot, read func() ([]string, error)) {
	if s.SnapshotType == "automated" {
		s.RestoreAccounts = estate.Known([]string{})
		return
	}
	accounts, err := read()
	switch {
	case err == nil:
		s.RestoreAccounts = estate.Known(list(accounts))
	case classify(err) != notFound:
		r.blind(err, "who may restore database snapshots")
	}
}

func rdsTags(tags []rdstypes.Tag) map[string]string {
	return tagMap(tags, func(t rdstypes.Tag) (*string, *string) { return t.Key, t.Value })
}
