package aws

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/awsfact"
)

// readAccess reads who is let into the chosen clusters.
func (r *reader) readAccess(ctx context.Context) {
	var mu sync.Mutex // guards out
	var out []*estate.AccessEntry
	each(ctx, r.clusters, func(ctx context.Context, c *estate.Cluster) {
		if mode, _ := c.AccessConfig.AuthenticationMode.Get(); mode == string(ekstypes.AuthenticationModeConfigMap) {
			return // it has no entries, and EKS refuses the question
		}
		var principals []string
		err := pages(ctx, eks.NewListAccessEntriesPaginator(r.sdk.eks, &eks.ListAccessEntriesInput{ClusterName: &c.Name}), func(p *eks.ListAccessEntriesOutput) {
			principals = append(principals, p.AccessEntries...)
		})
		if err != nil && classify(err) != notFound {
			r.fail(err, estate.AccessEntries.Kind)
		}
		each(ctx, principals, func(ctx context.Context, principal string) {
			got, err := r.sdk.eks.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: &c.Name, PrincipalArn: &principal})
			switch {
			case err != nil && classify(err) == notFound:
			case err != nil:
				r.fail(err, estate.AccessEntries.Kind)
			case got.AccessEntry != nil:
				e := accessEntry(got.AccessEntry)
				e.AccessPolicies = r.accessPolicies(ctx, e)
				mu.Lock()
				defer mu.Unlock()
				out = append(out, e)
			}
		})
	})
	put(r, estate.AccessEntries, out)
}

func accessEntry(e *ekstypes.AccessEntry) *estate.AccessEntry {
	return &estate.AccessEntry{
		AWS:              estate.AWS{Arn: text(e.AccessEntryArn), Tags: e.Tags},
		ClusterName:      text(e.ClusterName),
		PrincipalArn:     text(e.PrincipalArn),
		Username:         text(e.Username),
		KubernetesGroups: list(e.KubernetesGroups),
		Type:             text(e.Type),
	}
}

func (r *reader) accessPolicies(ctx context.Context, e *estate.AccessEntry) estate.Optional[[]estate.AccessPolicy] {
	out := []estate.AccessPolicy{}
	input := &eks.ListAssociatedAccessPoliciesInput{ClusterName: &e.ClusterName, PrincipalArn: &e.PrincipalArn}
	err := pages(ctx, eks.NewListAssociatedAccessPoliciesPaginator(r.sdk.eks, input), func(p *eks.ListAssociatedAccessPoliciesOutput) {
		for _, a := range p.AssociatedAccessPolicies {
			policy := estate.AccessPolicy{PolicyArn: text(a.PolicyArn)}
			if s := a.AccessScope; s != nil {
				policy.AccessScope = estate.AccessScope{Type: string(s.Type), Namespaces: list(s.Namespaces)}
			}
			out = append(out, policy)
		}
	})
	if err != nil {
		if classify(err) != notFound {
			r.blind(err, "access policies of access entries")
		}
		return estate.Optional[[]estate.AccessPolicy]{}
	}
	return estate.Known(out)
}

// readAddons reads the add-ons of the chosen clusters.
func (r *reader) readAddons(ctx context.Context) {
	var mu sync.Mutex // guards out
	var out []*estate.Addon
	each(ctx, r.clusters, func(ctx context.Context, c *estate.Cluster) {
		var names []string
		err := pages(ctx, eks.NewListAddonsPaginator(r.sdk.eks, &eks.ListAddonsInput{ClusterName: &c.Name}), func(p *eks.ListAddonsOutput) {
			names = append(names, p.Addons...)
		})
		if err != nil && classify(err) != notFound {
			r.fail(err, estate.Addons.Kind)
		}
		each(ctx, names, func(ctx context.Context, name string) {
			got, err := r.sdk.eks.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &c.Name, AddonName: &name})
			switch {
			case err != nil && classify(err) == notFound:
			case err != nil:
				r.fail(err, estate.Addons.Kind)
			case got.Addon != nil:
				a := r.addon(got.Addon)
				mu.Lock()
				defer mu.Unlock()
				out = append(out, a)
			}
		})
	})
	put(r, estate.Addons, out)
}

func (r *reader) addon(a *ekstypes.Addon) *estate.Addon {
	out := &estate.Addon{
		AWS:                   estate.AWS{Arn: text(a.AddonArn), Tags: a.Tags},
		ClusterName:           text(a.ClusterName),
		AddonName:             text(a.AddonName),
		AddonVersion:          opt(a.AddonVersion),
		ServiceAccountRoleArn: text(a.ServiceAccountRoleArn),
		Status:                enum(a.Status),
	}
	if out.AddonName != "vpc-cni" {
		return out
	}
	facts, ok := awsfact.ReadAddon(text(a.ConfigurationValues))
	if !ok {
		r.problem("reading the configuration of the add-on vpc-cni: it is not as its schema says", "")
	}
	facts.Apply(out)
	return out
}

// readPodIdentities reads which service accounts of the chosen clusters have
// which role.
func (r *reader) readPodIdentities(ctx context.Context) {
	var mu sync.Mutex // guards out
	var out []*estate.PodIdentityAssociation
	each(ctx, r.clusters, func(ctx context.Context, c *estate.Cluster) {
		var ids []string
		err := pages(ctx, eks.NewListPodIdentityAssociationsPaginator(r.sdk.eks, &eks.ListPodIdentityAssociationsInput{ClusterName: &c.Name}), func(p *eks.ListPodIdentityAssociationsOutput) {
			for _, a := range p.Associations {
				ids = append(ids, text(a.AssociationId))
			}
		})
		if err != nil && classify(err) != notFound {
			r.fail(err, estate.PodIdentityAssociations.Kind)
		}
		each(ctx, ids, func(ctx context.Context, id string) {
			got, err := r.sdk.eks.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: &c.Name, AssociationId: &id})
			switch {
			case err != nil && classify(err) == notFound:
			case err != nil:
				r.fail(err, estate.PodIdentityAssociations.Kind)
			case got.Association != nil:
				mu.Lock()
				defer mu.Unlock()
				out = append(out, podIdentity(got.Association))
			}
		})
	})
	put(r, estate.PodIdentityAssociations, out)
}

func podIdentity(a *ekstypes.PodIdentityAssociation) *estate.PodIdentityAssociation {
	return &estate.PodIdentityAssociation{
		AWS:            estate.AWS{Arn: text(a.AssociationArn), Tags: a.Tags},
		ClusterName:    text(a.ClusterName),
		Namespace:      text(a.Namespace),
		ServiceAccount: text(a.ServiceAccount),
		RoleArn:        text(a.RoleArn),
	}
}
