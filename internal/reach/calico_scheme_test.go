package reach

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/estate"
)

// calicoObject is what the lists of pods beside the Calico schemes hold: pods as
// the API server or calicoctl prints them, namespaces, sets.
type calicoObject struct {
	Kind              string         `json:"kind"`
	Items             []calicoObject `json:"items"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Containers []struct {
			Ports any `json:"ports"` // the lists write {} for none
		} `json:"containers"`
		Ports      []namedEndpointPort `json:"ports"`
		IPNetworks []string            `json:"ipNetworks"`
		Nets       []string            `json:"nets"`
		Account    string              `json:"serviceAccountName"`
	} `json:"spec"`
}

type namedEndpointPort struct {
	Name          string          `json:"name"`
	Protocol      corev1.Protocol `json:"protocol"`
	Port          int32           `json:"port"`
	ContainerPort int32           `json:"containerPort"`
}

// decodeEndpoints reads a list of namespaces or pods.
func decodeEndpoints(path string, e *estate.Estate) (bool, error) {
	if filepath.Ext(path) != ".json" {
		return false, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return true, err
	}
	// Some of the lists have commas and tabs that JSON forbids.
	var list []calicoObject
	text := []byte(strings.ReplaceAll(string(data), "\t", " "))
	if err := yaml.Unmarshal(text, &list); err != nil {
		var one calicoObject
		if err := yaml.Unmarshal(text, &one); err != nil {
			return true, err
		}
		list = []calicoObject{one}
	}
	for i := range list {
		addEndpoints(e, &list[i], list[i].Kind)
	}
	return true, nil
}

func addEndpoints(e *estate.Estate, o *calicoObject, kind string) {
	for i := range o.Items {
		item := o.Items[i].Kind
		if item == "" {
			item = strings.TrimSuffix(kind, "List")
		}
		addEndpoints(e, &o.Items[i], item)
	}
	switch kind {
	case "", "Namespace":
		if len(o.Items) == 0 {
			r := &estate.Resource[corev1.Namespace]{}
			r.Object.Name, r.Object.Labels = o.Name, o.Labels
			estate.Namespaces.Add(e, r)
		}
	case "Pod", "WorkloadEndpoint":
		estate.Workloads.Add(e, o.workload())
	case "NetworkSet", "GlobalNetworkSet":
		r := &estate.Resource[estate.CalicoNetworkSet]{}
		r.Object.ObjectMeta, r.Object.Spec.Nets = o.ObjectMeta, o.Spec.Nets
		if kind == "NetworkSet" {
			estate.CalicoNetworkSets.Add(e, r)
		} else {
			estate.CalicoGlobalNetworkSets.Add(e, r)
		}
	}
}

func (o *calicoObject) workload() *estate.Workload {
	w := &estate.Workload{Controller: "Pod", ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name}}
	w.Template.Labels = o.Labels
	w.Template.Spec.ServiceAccountName = o.Labels["projectcalico.org/serviceaccount"]
	if o.Spec.Account != "" {
		w.Template.Spec.ServiceAccountName = o.Spec.Account
	}
	ports := o.Spec.Ports
	for _, c := range o.Spec.Containers {
		var more []namedEndpointPort
		if list, ok := c.Ports.([]any); ok {
			text, _ := yaml.Marshal(list)
			if yaml.Unmarshal(text, &more) == nil {
				ports = append(ports, more...)
			}
		}
	}
	container := corev1.Container{Name: "serve"}
	for _, p := range ports {
		container.Ports = append(container.Ports, corev1.ContainerPort{Name: p.Name, Protocol: p.Protocol, ContainerPort: max(p.Port, p.ContainerPort)})
	}
	w.Template.Spec.Containers = []corev1.Container{container}
	for _, network := range o.Spec.IPNetworks {
		if p, err := netip.ParsePrefix(network); err == nil {
			w.Pods = append(w.Pods, estate.Pod{Name: o.Name, PodIP: p.Addr().String()})
		}
	}
	return w
}

// calicoRun runs the schemes about Calico.
func calicoRun(t *testing.T) *schemeRun {
	r := newSchemeRun(t, "calico")
	r.decode = decodeEndpoints
	// Most lists have pods without addresses; here every pod stands somewhere.
	r.prepare = func(e *estate.Estate) {
		address := netip.MustParseAddr("100.64.7.0")
		for _, w := range estate.Workloads.In(e) {
			if len(w.Pods) == 0 {
				address = address.Next()
				w.Pods = []estate.Pod{{Name: w.Name, PodIP: address.String()}}
			}
		}
	}
	// The analyzer has no port 0, and some policies list ports from 1.
	base, explicit := r.between, r.explicit
	zero := Ports{TCP: {{}}, UDP: {{}}, SCTP: {{}}}
	r.explicit = func(n *Network, from, to uint32) Ports {
		ports := explicit(n, from, to)
		return ports.Minus(&zero)
	}
	r.between = func(n *Network, from, to uint32) Ports {
		ports := base(n, from, to)
		return ports.Minus(&zero)
	}
	return r
}

// calicoDifferences are the queries of the corpus whose number is another one
// here, and what decides.
var calicoDifferences = func() map[string]string {
	out := map[string]string{}
	add := func(why, scheme string, queries ...string) {
		for _, q := range queries {
			out[scheme+": "+q] = why
		}
	}
	const order = "policies without an order, or of the same, are asked by name (reference of GlobalNetworkPolicy, order); the analyzer asks them as they stand in the file"
	add(order, "testcase15-scheme", "non_vacous_policies")
	add(order, "testcase15-with-ingress-scheme", "non_vacous_policies")
	// In the order of the file it is 2: an ingress rule that a needless policy
	// repeats counts here, and why it does not there is not settled.
	add(order, "testcase17-scheme", "sanity_np_conflict1")
	add("a client chooses the port from which it sends, so that a rule about source ports is no limit to who reaches what",
		"testcase15-scheme", "equiv_new_TCP-101-104-ver2", "equiv_new_TCP-all-ports")
	add("an Ingress is no policy: the analyzer takes what it does not name as denied to the pods of its controller",
		"testcase15-with-ingress-scheme", "redundancy_with_ingress")
	const nets = "nets match addresses, whoever has them (reference of GlobalNetworkPolicy, EntityRule): those of pods as well; the analyzer takes nets as what is outside of the cluster"
	add(nets, "testcase16-scheme", "contained_all_ranges_not_specifiying", "no_contained_all_range_no_field") //nolint:misspell // the corpus writes it so
	add(nets, "testcase22-scheme", "cnc-evaluation-service-no-mistake-no-ns-cnc-kt-cnc-nlp-no-outside")
	add("hosts are no ends of connections here: policies that select hosts alone select no pod, and what they leave to pods in the network of their node is unknown (TestHostEndpoints)",
		"testcase20-scheme", "sanity_Eran_gnps", "sanity_np_2_all_outbound_hep", "sanity_np_3_outbound_hep_to_wep", "sanity_np_4_outbound_all_namespaceSelector",
		"part_outbound_hep_subset_all_outbound", "selector_namespaceSelector_outbound_hep_subset_all_outbound")
	return out
}()

func TestCalicoSchemes(t *testing.T) {
	calicoRun(t).runAll(t, calicoDifferences)
}
