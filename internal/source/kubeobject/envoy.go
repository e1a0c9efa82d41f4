package kubeobject

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksafe/eksafe/internal/estate"
)

func itoa(n int32) string { return strconv.Itoa(int(n)) }

// envoyServers reads the static listeners and clusters of an Envoy bootstrap,
// in YAML or JSON. Aliases are not followed: an attacker could let them grow.
func envoyServers(text string) (out []estate.Server) {
	defer func() {
		// The parser may panic on text that nobody wrote by hand.
		if recover() != nil {
			out = nil
		}
	}()
	var root yaml.Node
	if yaml.Unmarshal([]byte(text), &root) != nil || len(root.Content) != 1 {
		return nil
	}
	resources := at(root.Content[0], "static_resources")
	if resources == nil {
		resources = root.Content[0] // a file of listeners or of a filter alone
	}
	clusters := envoyClusters(at(resources, "clusters"))
	for _, l := range items(at(resources, "listeners")) {
		address := at(l, "address", "socket_address")
		port := portOf(scalarAt(address, "port_value"))
		if port == 0 || len(out) >= maxServers {
			continue
		}
		s := estate.Server{Software: "envoy", Port: port, Loopback: loopback(scalarAt(address, "address"))}
		for _, chain := range items(at(l, "filter_chains")) {
			tls := envoyTLS(at(chain, "transport_socket"), "DownstreamTlsContext")
			if tls != nil {
				s.TLS = true
				common := at(tls, "common_tls_context")
				for _, c := range items(at(common, "tls_certificates")) {
					if file, ok := pathOf(scalarAt(at(c, "certificate_chain"), "filename")); ok && s.Certificate == "" {
						s.Certificate = file
					}
				}
				s.Protocols = envoyProtocols(at(common, "tls_params"))
			}
			envoyRoutes(chain, clusters, &s, 0)
		}
		out = append(out, s)
	}
	return out
}

// envoyCluster is where a cluster's endpoints are.
type envoyCluster struct {
	tls       bool
	addresses []string
}

func envoyClusters(n *yaml.Node) map[string]envoyCluster {
	out := map[string]envoyCluster{}
	for _, c := range items(n) {
		cluster := envoyCluster{tls: envoyTLS(at(c, "transport_socket"), "UpstreamTlsContext") != nil}
		for _, group := range items(at(c, "load_assignment", "endpoints")) {
			for _, e := range items(at(group, "lb_endpoints")) {
				address := at(e, "endpoint", "address", "socket_address")
				host, port := scalarAt(address, "address"), scalarAt(address, "port_value")
				if host != "" && len(cluster.addresses) < maxUpstreams {
					cluster.addresses = append(cluster.addresses, host+":"+port)
				}
			}
		}
		out[scalarAt(c, "name")] = cluster
	}
	return out
}

// envoyTLS returns the context of a transport socket if it is of the type.
func envoyTLS(socket *yaml.Node, context string) *yaml.Node {
	config := at(socket, "typed_config")
	if strings.HasSuffix(scalarAt(config, "@type"), "."+context) {
		return config
	}
	return nil
}

// envoyProtocols names the versions between the limits, when a limit is set.
func envoyProtocols(params *yaml.Node) []string {
	versions := []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
	index := func(v string, otherwise int) int {
		switch v {
		case "TLSv1_0":
			return 0
		case "TLSv1_1":
			return 1
		case "TLSv1_2":
			return 2
		case "TLSv1_3":
			return 3
		}
		return otherwise
	}
	low, high := scalarAt(params, "tls_minimum_protocol_version"), scalarAt(params, "tls_maximum_protocol_version")
	if low == "" && high == "" {
		return nil
	}
	from, to := index(low, 2), index(high, 3)
	if from > to {
		return nil
	}
	return versions[from : to+1]
}

// envoyRoutes collects the clusters to which a filter chain forwards, and
// whether it adds HSTS, wherever in the chain they stand.
func envoyRoutes(n *yaml.Node, clusters map[string]envoyCluster, s *estate.Server, depth int) {
	if n == nil || depth > 40 {
		return
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, n.Content[i+1]
			switch key {
			case "cluster":
				c := clusters[value.Value]
				scheme := "http"
				if c.tls {
					scheme = "https"
				}
				for _, a := range c.addresses {
					addUpstream(&s.Upstreams, scheme, a)
				}
			case "key":
				s.HSTS = s.HSTS || strings.EqualFold(value.Value, "strict-transport-security")
			}
			envoyRoutes(value, clusters, s, depth+1)
		}
		return
	}
	for _, item := range items(n) {
		envoyRoutes(item, clusters, s, depth+1)
	}
}

// at returns the node under the keys, nil if there is none.
func at(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var next *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				next = n.Content[i+1]
			}
		}
		n = next
	}
	return n
}

func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// scalarAt returns the scalar under a key, "" if there is none.
func scalarAt(n *yaml.Node, key string) string {
	v := at(n, key)
	if v == nil || v.Kind != yaml.ScalarNode {
		return ""
	}
	return v.Value
}
