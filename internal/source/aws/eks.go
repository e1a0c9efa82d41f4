package aws

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksafe/eksafe/internal/estate"
)

func (r *reader) readClusters(ctx context.Context) {
	// Without the clusters we do not know whose nodes and access to read.
	kinds := kindsOf(estate.Clusters.Kind, estate.Nodegroups.Kind, estate.Instances.Kind, estate.LaunchTemplates.Kind,
		estate.AccessEntries.Kind, estate.Addons.Kind, estate.PodIdentityAssociations.Kind)
	var names []string
	err := pages(ctx, eks.NewListClustersPaginator(r.sdk.eks, &eks.ListClustersInput{}), func(p *eks.ListClustersOutput) {
		names = append(names, p.Clusters...)
	})
	if err != nil {
		r.fail(err, kinds...)
		// Who may not list may still describe a cluster whose name is known.
		names = r.session.options.ClusterNames
	}
	var mu sync.Mutex // guards r.clusters
	each(ctx, names, func(ctx context.Context, name string) {
		out, err := r.sdk.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
		switch {
		case err != nil && classify(err) == notFound:
		case err != nil:
			r.fail(err, kinds...)
		case out.Cluster != nil:
			mu.Lock()
			defer mu.Unlock()
			r.clusters = append(r.clusters, cluster(out.Cluster))
		}
	})
	slices.SortFunc(r.clusters, func(a, b *estate.Cluster) int { return cmp.Compare(a.Arn, b.Arn) })
}

func cluster(c *ekstypes.Cluster) *estate.Cluster {
	out := &estate.Cluster{
		AWS:                estate.AWS{Arn: text(c.Arn), Tags: c.Tags},
		Name:               text(c.Name),
		Version:            opt(c.Version),
		DeletionProtection: opt(c.DeletionProtection),
		Endpoint:           text(c.Endpoint),
		RoleArn:            text(c.RoleArn),
	}
	if a := c.AccessConfig; a != nil {
		out.AccessConfig = estate.AccessConfig{
			AuthenticationMode:                      enum(a.AuthenticationMode),
			BootstrapClusterCreatorAdminPermissions: opt(a.BootstrapClusterCreatorAdminPermissions),
		}
	}
	if c.Identity != nil && c.Identity.Oidc != nil {
		out.OpenIdConnectIssuerUrl = opt(c.Identity.Oidc.Issuer)
	}
	if v := c.ResourcesVpcConfig; v != nil {
		out.ResourcesVpcConfig = estate.ResourcesVpcConfig{
			EndpointPublicAccess:  estate.Known(v.EndpointPublicAccess),
			EndpointPrivateAccess: estate.Known(v.EndpointPrivateAccess),
			PublicAccessCidrs:     estate.Known(list(v.PublicAccessCidrs)),
			SubnetIds:             list(v.SubnetIds),
			SecurityGroupIds:      list(v.SecurityGroupIds),
		}
		out.ClusterSecurityGroupId = text(v.ClusterSecurityGroupId)
	}
	encryption := []estate.EncryptionConfig{} // the answer omits what is not configured
	for _, e := range c.EncryptionConfig {
		key := ""
		if e.Provider != nil {
			key = text(e.Provider.KeyArn)
		}
		encryption = append(encryption, estate.EncryptionConfig{Provider: estate.EncryptionProvider{KeyArn: key}})
	}
	out.EncryptionConfig = estate.Known(encryption)
	if c.Logging != nil {
		enabled := []string{}
		for _, setup := range c.Logging.ClusterLogging {
			if awssdk.ToBool(setup.Enabled) {
				for _, t := range setup.Types {
					enabled = append(enabled, string(t))
				}
			}
		}
		out.Logging.ClusterLogging.EnabledTypes = estate.Known(list(enabled))
	}
	if c.UpgradePolicy != nil {
		out.UpgradePolicy.SupportType = enum(c.UpgradePolicy.SupportType)
	}
	if c.ComputeConfig != nil {
		out.ComputeConfig.Enabled = opt(c.ComputeConfig.Enabled)
	}
	return out
}

// templateVersion names one version of a launch template; the version may be
// an alias such as $Default.
type templateVersion struct{ id, name, version string }

// readNodes reads the node groups and instances of the chosen clusters, and
// the launch templates that either were made from.
func (r *reader) readNodes(ctx context.Context) {
	var mu sync.Mutex // guards groups and templates
	var groups []*estate.Nodegroup
	templates := map[templateVersion]bool{}

	each(ctx, r.clusters, func(ctx context.Context, c *estate.Cluster) {
		var names []string
		err := pages(ctx, eks.NewListNodegroupsPaginator(r.sdk.eks, &eks.ListNodegroupsInput{ClusterName: &c.Name}), func(p *eks.ListNodegroupsOutput) {
			names = append(names, p.Nodegroups...)
		})
		if err != nil && classify(err) != notFound {
			r.fail(err, estate.Nodegroups.Kind, estate.LaunchTemplates.Kind)
		}
		for _, name := range names {
			out, err := r.sdk.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &c.Name, NodegroupName: &name})
			if err != nil {
				if classify(err) != notFound {
					r.fail(err, estate.Nodegroups.Kind, estate.LaunchTemplates.Kind)
				}
				continue
			}
			if out.Nodegroup == nil {
				continue
			}
			g := nodegroup(out.Nodegroup)
			mu.Lock()
			groups = append(groups, g)
			if t, _ := g.LaunchTemplate.Get(); t.Id != "" || t.Name != "" {
				templates[templateVersion{t.Id, t.Name, cmp.Or(t.Version, "$Default")}] = true
			}
			mu.Unlock()
		}
	})
	put(r, estate.Nodegroups, groups)

	instances := r.readInstances(ctx)
	for _, i := range instances {
		// EKS and Karpenter start nodes from templates of their own making,
		// which no node group names.
		if id := i.Tags["aws:ec2launchtemplate:id"]; id != "" {
			templates[templateVersion{id: id, version: cmp.Or(i.Tags["aws:ec2launchtemplate:version"], "$Default")}] = true
		}
	}
	put(r, estate.Instances, instances)
	r.readLaunchTemplates(ctx, templates)
}

func nodegroup(g *ekstypes.Nodegroup) *estate.Nodegroup {
	out := &estate.Nodegroup{
		AWS:            estate.AWS{Arn: text(g.NodegroupArn), Tags: g.Tags},
		ClusterName:    text(g.ClusterName),
		NodegroupName:  text(g.NodegroupName),
		LaunchTemplate: estate.Known(estate.LaunchTemplateReference{}),
		AmiType:        string(g.AmiType),
		NodeRole:       text(g.NodeRole),
		Subnets:        list(g.Subnets),
	}
	if t := g.LaunchTemplate; t != nil {
		out.LaunchTemplate = estate.Known(estate.LaunchTemplateReference{Id: text(t.Id), Name: text(t.Name), Version: text(t.Version)})
	}
	return out
}

// clusterTags are the tags whose value names the cluster of an instance.
var clusterTags = []string{"aws:eks:cluster-name", "eks:cluster-name", "eks:eks-cluster-name", "alpha.eksctl.io/cluster-name"}

func (r *reader) readInstances(ctx context.Context) []*estate.Instance {
	if len(r.clusters) == 0 {
		return nil
	}
	names := map[string]bool{}
	tags := slices.Clone(clusterTags)
	for _, c := range r.clusters {
		names[c.Name] = true
		tags = append(tags, "kubernetes.io/cluster/"+c.Name)
	}
	input := &ec2.DescribeInstancesInput{MaxResults: &ec2Page, Filters: []ec2types.Filter{
		{Name: awssdk.String("tag-key"), Values: tags},
		{Name: awssdk.String("instance-state-name"), Values: []string{"pending", "running", "stopping", "stopped"}},
	}}
	var out []*estate.Instance
	err := pages(ctx, ec2.NewDescribeInstancesPaginator(r.sdk.ec2, input), func(p *ec2.DescribeInstancesOutput) {
		for _, reservation := range p.Reservations {
			for i := range reservation.Instances {
				if in := r.instance(&reservation.Instances[i]); ofCluster(in.Tags, names) {
					out = append(out, in)
				}
			}
		}
	})
	if err != nil {
		r.fail(err, estate.Instances.Kind, estate.LaunchTemplates.Kind)
	}
	return out
}

func ofCluster(tags map[string]string, names map[string]bool) bool {
	for key, value := range tags {
		if name, found := strings.CutPrefix(key, "kubernetes.io/cluster/"); found && names[name] {
			return true
		}
		if slices.Contains(clusterTags, key) && names[value] {
			return true
		}
	}
	return false
}

func (r *reader) instance(i *ec2types.Instance) *estate.Instance {
	out := &estate.Instance{
		AWS:              estate.AWS{Arn: r.arn("ec2", "instance/"+text(i.InstanceId)), Tags: ec2Tags(i.Tags)},
		InstanceId:       text(i.InstanceId),
		PrivateIpAddress: text(i.PrivateIpAddress),
		SubnetId:         text(i.SubnetId),
	}
	if m := i.MetadataOptions; m != nil {
		out.MetadataOptions = estate.MetadataOptions{
			HttpEndpoint:            enum(m.HttpEndpoint),
			HttpTokens:              enum(m.HttpTokens),
			HttpPutResponseHopLimit: optInt(m.HttpPutResponseHopLimit),
		}
	}
	for _, g := range i.SecurityGroups {
		out.SecurityGroupIds = append(out.SecurityGroupIds, text(g.GroupId))
	}
	for _, d := range i.BlockDeviceMappings {
		if d.Ebs != nil && d.Ebs.VolumeId != nil {
			out.VolumeIds = append(out.VolumeIds, *d.Ebs.VolumeId)
		}
	}
	slices.Sort(out.SecurityGroupIds)
	slices.Sort(out.VolumeIds)
	return out
}

func (r *reader) readLaunchTemplates(ctx context.Context, wanted map[templateVersion]bool) {
	// One call a template: the versions in use and the default one.
	versions := map[templateVersion][]string{}
	for t := range wanted {
		template := templateVersion{id: t.id}
		if t.id == "" {
			template.name = t.name
		}
		versions[template] = append(versions[template], t.version)
	}
	var mu sync.Mutex // guards found
	found := map[string]*estate.LaunchTemplate{}
	each(ctx, slices.Collect(maps.Keys(versions)), func(ctx context.Context, t templateVersion) {
		input := &ec2.DescribeLaunchTemplateVersionsInput{Versions: slices.Compact(list(append(versions[t], "$Default")))}
		if t.id != "" {
			input.LaunchTemplateId = &t.id
		} else {
			input.LaunchTemplateName = &t.name
		}
		err := pages(ctx, ec2.NewDescribeLaunchTemplateVersionsPaginator(r.sdk.ec2, input), func(p *ec2.DescribeLaunchTemplateVersionsOutput) {
			mu.Lock()
			defer mu.Unlock()
			for i := range p.LaunchTemplateVersions {
				lt := r.launchTemplate(&p.LaunchTemplateVersions[i])
				found[lt.Arn] = lt
			}
		})
		if err != nil && classify(err) != notFound {
			r.fail(err, estate.LaunchTemplates.Kind)
		}
	})
	put(r, estate.LaunchTemplates, slices.Collect(maps.Values(found)))
}

// launchTemplate leaves out user data, which often holds secrets.
func (r *reader) launchTemplate(v *ec2types.LaunchTemplateVersion) *estate.LaunchTemplate {
	version := strconv.FormatInt(awssdk.ToInt64(v.VersionNumber), 10)
	out := &estate.LaunchTemplate{
		// AWS has one ARN for all versions; ours are resources of their own.
		AWS:                estate.AWS{Arn: r.arn("ec2", "launch-template/"+text(v.LaunchTemplateId)+":"+version)},
		LaunchTemplateId:   text(v.LaunchTemplateId),
		LaunchTemplateName: text(v.LaunchTemplateName),
		VersionNumber:      version,
		DefaultVersion:     awssdk.ToBool(v.DefaultVersion),
	}
	mappings := []estate.BlockDeviceMapping{}
	// What a template does not set it leaves to others: that is known.
	metadata := estate.MetadataOptions{
		HttpEndpoint: estate.Known(""), HttpTokens: estate.Known(""), HttpPutResponseHopLimit: estate.Known(0),
	}
	if d := v.LaunchTemplateData; d != nil {
		out.LaunchTemplateData.ImageId = text(d.ImageId)
		groups := list(d.SecurityGroupIds)
		for _, n := range d.NetworkInterfaces {
			groups = append(groups, n.Groups...)
		}
		slices.Sort(groups)
		out.LaunchTemplateData.SecurityGroupIds = slices.Compact(groups)
		if m := d.MetadataOptions; m != nil {
			metadata.HttpEndpoint = estate.Known(string(m.HttpEndpoint))
			metadata.HttpTokens = estate.Known(string(m.HttpTokens))
			metadata.HttpPutResponseHopLimit = estate.Known(number(m.HttpPutResponseHopLimit))
		}
		for _, m := range d.BlockDeviceMappings {
			if m.Ebs == nil {
				continue // an instance store, or a device that is taken away
			}
			mappings = append(mappings, estate.BlockDeviceMapping{
				DeviceName: text(m.DeviceName),
				Ebs: estate.EbsBlockDevice{
					Encrypted:  estate.Known(awssdk.ToBool(m.Ebs.Encrypted)),
					KmsKeyId:   estate.Known(text(m.Ebs.KmsKeyId)),
					VolumeType: string(m.Ebs.VolumeType),
				},
			})
		}
	}
	out.LaunchTemplateData.MetadataOptions = metadata
	out.LaunchTemplateData.BlockDeviceMappings = estate.Known(mappings)
	return out
}

func ec2Tags(tags []ec2types.Tag) map[string]string {
	return tagMap(tags, func(t ec2types.Tag) (*string, *string) { return t.Key, t.Value })
}
