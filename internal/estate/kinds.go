package estate

import (
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A Provider says which side of an estate a kind belongs to.
type Provider string

const (
	KubernetesProvider Provider = "kubernetes"
	AWSProvider        Provider = "aws"
	FileProvider       Provider = "file" // results of other tools
)

// A KindInfo is what generic code needs of one kind: snapshots, joins, and
// the table of kinds in the reference.
type KindInfo struct {
	Kind     Kind
	Provider Provider

	join   func(to, from *Estate)
	length func(*Estate) int
	encode func(*Estate) (json.RawMessage, error)
	decode func(*Estate, func(any) error) error
	items  func(*Estate) []Item
	typ    reflect.Type
	// annotated calls yield for every resource with the annotation, until it
	// returns false.
	annotated func(e *Estate, name string, yield func(Ref, string) bool) bool
	refs      func(e *Estate, yield func(Ref, *Origin) bool)
}

// Len returns how many resources of the kind e holds.
func (k KindInfo) Len(e *Estate) int { return k.length(e) }

// Refs returns the identities of the resources of the kind and where each was
// read, in the order they were added.
func (k KindInfo) Refs(e *Estate) iter.Seq2[Ref, *Origin] {
	return func(yield func(Ref, *Origin) bool) { k.refs(e, yield) }
}

// Encode returns the resources of the kind as a JSON array.
func (k KindInfo) Encode(e *Estate) (json.RawMessage, error) { return k.encode(e) }

// Decode adds the resources that decode fills into its argument, a pointer to
// a slice. decode may be strict or not.
func (k KindInfo) Decode(e *Estate, decode func(into any) error) error { return k.decode(e, decode) }

// An Item is one resource of a kind that is known by name alone.
type Item struct {
	Ref    Ref
	Origin *Origin
	// Object is a pointer to the resource: the object itself for a kind that
	// keeps its official Kubernetes type.
	Object any
}

// Items returns the resources of the kind in the order they were added.
func (k KindInfo) Items(e *Estate) []Item { return k.items(e) }

// Type returns the type to which an Item's Object points.
func (k KindInfo) Type() reflect.Type { return k.typ }

// Kinds lists every kind of an estate, in the order of the reference.
func Kinds() []KindInfo { return kinds }

// KindOf returns the information on a kind.
func KindOf(kind Kind) (KindInfo, error) {
	for _, k := range kinds {
		if k.Kind == kind {
			return k, nil
		}
	}
	return KindInfo{}, fmt.Errorf("estate: no kind %q", kind)
}

var kinds = []KindInfo{
	info(Namespaces, KubernetesProvider),
	info(Workloads, KubernetesProvider),
	info(Services, KubernetesProvider),
	info(EndpointSlices, KubernetesProvider),
	info(Nodes, KubernetesProvider),
	info(ConfigMaps, KubernetesProvider),
	info(Secrets, KubernetesProvider),
	info(ServiceAccounts, KubernetesProvider),
	info(ResourceQuotas, KubernetesProvider),
	info(LimitRanges, KubernetesProvider),
	info(PersistentVolumes, KubernetesProvider),
	info(PersistentVolumeClaims, KubernetesProvider),
	info(StorageClasses, KubernetesProvider),
	info(Ingresses, KubernetesProvider),
	info(IngressClasses, KubernetesProvider),
	info(IngressClassParameters, KubernetesProvider),
	info(TargetGroupBindings, KubernetesProvider),
	info(GatewayClasses, KubernetesProvider),
	info(Gateways, KubernetesProvider),
	info(HTTPRoutes, KubernetesProvider),
	info(GRPCRoutes, KubernetesProvider),
	info(TLSRoutes, KubernetesProvider),
	info(TCPRoutes, KubernetesProvider),
	info(ReferenceGrants, KubernetesProvider),
	info(LoadBalancerConfigurations, KubernetesProvider),
	info(TargetGroupConfigurations, KubernetesProvider),
	info(ListenerRuleConfigurations, KubernetesProvider),
	info(NetworkPolicies, KubernetesProvider),
	info(SecurityGroupPolicies, KubernetesProvider),
	info(CalicoNetworkPolicies, KubernetesProvider),
	info(CalicoGlobalNetworkPolicies, KubernetesProvider),
	info(CalicoNetworkSets, KubernetesProvider),
	info(CalicoGlobalNetworkSets, KubernetesProvider),
	info(CalicoTiers, KubernetesProvider),
	info(CalicoStagedNetworkPolicies, KubernetesProvider),
	info(CalicoStagedGlobalNetworkPolicies, KubernetesProvider),
	info(CalicoStagedKubernetesNetworkPolicies, KubernetesProvider),
	info(CalicoHostEndpoints, KubernetesProvider),
	info(CalicoProfiles, KubernetesProvider),
	info(CiliumNetworkPolicies, KubernetesProvider),
	info(CiliumClusterwideNetworkPolicies, KubernetesProvider),
	info(AdminNetworkPolicies, KubernetesProvider),
	info(BaselineAdminNetworkPolicies, KubernetesProvider),
	info(ClusterNetworkPolicies, KubernetesProvider),
	info(AWSClusterNetworkPolicies, KubernetesProvider),
	info(ApplicationNetworkPolicies, KubernetesProvider),
	info(PeerAuthentications, KubernetesProvider),
	info(AuthorizationPolicies, KubernetesProvider),
	info(RequestAuthentications, KubernetesProvider),
	info(DestinationRules, KubernetesProvider),
	info(ServiceEntries, KubernetesProvider),
	info(VirtualServices, KubernetesProvider),
	info(IstioGateways, KubernetesProvider),
	info(Sidecars, KubernetesProvider),
	info(Roles, KubernetesProvider),
	info(ClusterRoles, KubernetesProvider),
	info(RoleBindings, KubernetesProvider),
	info(ClusterRoleBindings, KubernetesProvider),
	info(MutatingWebhookConfigurations, KubernetesProvider),
	info(ValidatingWebhookConfigurations, KubernetesProvider),

	info(Clusters, AWSProvider),
	info(Nodegroups, AWSProvider),
	info(LaunchTemplates, AWSProvider),
	info(Instances, AWSProvider),
	info(AccessEntries, AWSProvider),
	info(Addons, AWSProvider),
	info(PodIdentityAssociations, AWSProvider),
	info(LoadBalancers, AWSProvider),
	info(ClassicLoadBalancers, AWSProvider),
	info(Listeners, AWSProvider),
	info(ListenerRules, AWSProvider),
	info(TargetGroups, AWSProvider),
	info(SSLPolicies, AWSProvider),
	info(Certificates, AWSProvider),
	info(WebACLs, AWSProvider),
	info(IPSets, AWSProvider),
	info(RuleGroups, AWSProvider),
	info(WebACLAssociations, AWSProvider),
	info(WebACLLoggings, AWSProvider),
	info(Distributions, AWSProvider),
	info(HostedZones, AWSProvider),
	info(ShieldSubscriptions, AWSProvider),
	info(ShieldProtections, AWSProvider),
	info(VPCs, AWSProvider),
	info(Subnets, AWSProvider),
	info(RouteTables, AWSProvider),
	info(SecurityGroups, AWSProvider),
	info(NetworkAcls, AWSProvider),
	info(PrefixLists, AWSProvider),
	info(VPCEndpoints, AWSProvider),
	info(VPCPeeringConnections, AWSProvider),
	info(NetworkInterfaces, AWSProvider),
	info(FlowLogs, AWSProvider),
	info(DBInstances, AWSProvider),
	info(DBClusters, AWSProvider),
	info(DBProxies, AWSProvider),
	info(DBParameterGroups, AWSProvider),
	info(DBClusterParameterGroups, AWSProvider),
	info(OptionGroups, AWSProvider),
	info(DBSubnetGroups, AWSProvider),
	info(DBSnapshots, AWSProvider),
	info(Volumes, AWSProvider),
	info(EBSDefaults, AWSProvider),
	info(Keys, AWSProvider),
	info(Buckets, AWSProvider),
	info(FileSystems, AWSProvider),
	info(Caches, AWSProvider),
	info(CacheSubnetGroups, AWSProvider),
	info(KafkaClusters, AWSProvider),
	info(OpenSearchDomains, AWSProvider),
	info(Accounts, AWSProvider),
	info(Users, AWSProvider),
	info(Groups, AWSProvider),
	info(IAMRoles, AWSProvider),
	info(ManagedPolicies, AWSProvider),
	info(OIDCProviders, AWSProvider),
	info(LastAccessed, AWSProvider),
	info(Repositories, AWSProvider),
	info(RegistryScannings, AWSProvider),
	info(ImageScans, AWSProvider),
	info(InspectorStatuses, AWSProvider),
	info(GuardDutyDetectors, AWSProvider),
	info(SecurityHubs, AWSProvider),
	info(TrustedAdvisors, AWSProvider),
	info(Analyzers, AWSProvider),
	info(ConfigRecorders, AWSProvider),
	info(Alarms, AWSProvider),
	info(CompositeAlarms, AWSProvider),
	info(Topics, AWSProvider),
	info(EventRules, AWSProvider),
	info(LogGroups, AWSProvider),
	info(Trails, AWSProvider),
	info(SecurityHubFindings, AWSProvider),
	info(GuardDutyFindings, AWSProvider),
	info(InspectorFindings, AWSProvider),
	info(AccessAnalyzerFindings, AWSProvider),

	info(ImportedFindings, FileProvider),
}

func info[T any](c Collection[T], p Provider) KindInfo {
	return KindInfo{
		Kind:     c.Kind,
		Provider: p,
		join:     func(to, from *Estate) { c.join(to, from) },
		length:   func(e *Estate) int { return len(c.In(e)) },
		items:    c.items,
		typ:      objectType[T](),
		encode: func(e *Estate) (json.RawMessage, error) {
			items := c.In(e)
			if items == nil {
				items = []T{}
			}
			return json.Marshal(items)
		},
		decode: func(e *Estate, decode func(any) error) error {
			var items []T
			if err := decode(&items); err != nil {
				return err
			}
			c.Add(e, items...)
			return nil
		},
		refs: func(e *Estate, yield func(Ref, *Origin) bool) {
			for _, item := range c.In(e) {
				if !yield(c.ref(item), c.origin(item)) {
					return
				}
			}
		},
		annotated: func(e *Estate, name string, yield func(Ref, string) bool) bool {
			for _, item := range c.In(e) {
				var m metav1.Object
				switch r := any(item).(type) {
				case metav1.Object:
					m = r
				case interface{ metadata() metav1.Object }:
					m = r.metadata()
				default:
					return true
				}
				if value, ok := m.GetAnnotations()[name]; ok && !yield(c.ref(item), value) {
					return false
				}
			}
			return true
		},
	}
}

func (c Collection[T]) items(e *Estate) []Item {
	set := c.In(e)
	out := make([]Item, len(set))
	for i, item := range set {
		out[i] = Item{Ref: c.ref(item), Origin: c.origin(item), Object: item}
		if r, ok := any(item).(interface{ object() any }); ok {
			out[i].Object = r.object()
		}
	}
	return out
}

func objectType[T any]() reflect.Type {
	var none T
	if r, ok := any(none).(interface{ objectType() reflect.Type }); ok {
		return r.objectType()
	}
	return reflect.TypeFor[T]().Elem()
}

// Annotated returns the resources of a cluster that have the annotation, and
// its value, in the order of Kinds.
func (e *Estate) Annotated(name string) iter.Seq2[Ref, string] {
	return func(yield func(Ref, string) bool) {
		for _, k := range kinds {
			if k.Provider == KubernetesProvider && !k.annotated(e, name, yield) {
				return
			}
		}
	}
}

// join adds the resources of from to to. A resource that a live source and a
// file both show stands once: the live one, at the file's position.
func (c Collection[T]) join(to, from *Estate) {
	old, added := c.In(to), c.In(from)
	if len(old) == 0 || len(added) == 0 {
		c.Add(to, added...)
		return
	}
	index := make(map[Ref]int, len(old))
	for i, item := range old {
		index[c.ref(item)] = i
	}
	for _, item := range added {
		i, found := index[c.ref(item)]
		if !found || live(c.origin(old[i])) == live(c.origin(item)) {
			c.Add(to, item)
			continue
		}
		kept, file := item, c.origin(old[i])
		if live(c.origin(old[i])) {
			kept, file = old[i], c.origin(item)
		}
		o := c.origin(kept)
		o.File, o.Line, o.Positions = file.File, file.Line, file.Positions
		c.In(to)[i] = kept
	}
}

func live(o *Origin) bool { return o.Cluster != "" || o.Account != "" }
