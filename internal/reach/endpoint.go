package reach

import (
	"net/netip"

	"github.com/eksafe/eksafe/internal/estate"
)

// An EndpointKind says what an endpoint is.
type EndpointKind string

// The kinds of endpoints.
const (
	WorkloadEndpoint     EndpointKind = "Workload"         // pods of one template
	DatabaseEndpoint     EndpointKind = "Database"         // an instance, cluster or proxy of RDS
	CacheEndpoint        EndpointKind = "Cache"            // that AWS runs
	KafkaEndpoint        EndpointKind = "KafkaCluster"     // of MSK
	SearchEndpoint       EndpointKind = "OpenSearchDomain" // of OpenSearch Service
	FileSystemEndpoint   EndpointKind = "FileSystem"       // of EFS
	LoadBalancerEndpoint EndpointKind = "LoadBalancer"     // that stands
	VPCEndpoint          EndpointKind = "VPCEndpoint"      // the door to an API of AWS
	MetadataEndpoint     EndpointKind = "InstanceMetadata" // the service of every node
	PodIdentityEndpoint  EndpointKind = "PodIdentityAgent" // on every node
	NodeDNSEndpoint      EndpointKind = "NodeLocalDNS"     // on every node
	NodesEndpoint        EndpointKind = "Nodes"            // the nodes themselves: their kubelets, the ports that lead on to pods
	DomainEndpoint       EndpointKind = "Domain"           // a name in the internet that a policy names
	NetworkEndpoint      EndpointKind = "Network"          // addresses that belong to nothing above
	InternetEndpoint     EndpointKind = "Internet"         // public addresses
)

// An Endpoint is what people ask about: a workload, a database, the internet.
type Endpoint struct {
	Kind      EndpointKind
	Ref       estate.Ref
	Origin    *estate.Origin // nil for addresses
	Name      string         // "shop/web", "orders", "internet", "10.0.0.0/16"
	Namespace string
	Workload  *estate.Workload // nil unless it is one
	// Serves are the ports that it is known to listen on.
	Serves Ports

	points   set
	target   *target        // nil unless AWS runs it
	networks []netip.Prefix // of addresses that were asked about as one
}

// OtherAddresses is the name of the endpoint of addresses that are neither
// private nor somebody's in the internet: loopback, multicast, reserved.
const OtherAddresses = "other addresses"

// initiates reports whether connections begin there. What AWS runs answers.
func (e *Endpoint) initiates() bool {
	switch e.Kind {
	case NetworkEndpoint:
		return e.Name != OtherAddresses
	case WorkloadEndpoint, LoadBalancerEndpoint, InternetEndpoint:
		return true
	}
	return false
}

func (e *Endpoint) String() string { return e.Name }

// Endpoints returns every endpoint: workloads by namespace and name, what AWS
// runs, then addresses.
func (n *Network) Endpoints() []*Endpoint { return n.endpoints }

// Endpoint returns the endpoint of a resource, nil if it has none.
func (n *Network) Endpoint(ref estate.Ref) *Endpoint { return n.byRef[ref] }
