package kubeobject

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// The three dialects differ in what limits a rule. A field of one must not be
// taken for that of another.
func TestPoliciesOfAdministrators(t *testing.T) {
	e, flaws := decodeOne(t, "policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", `{"metadata":{"name":"a"},"spec":{"priority":5,
		"subject":{"pods":{"namespaceSelector":{"matchLabels":{"t":"a"}},"podSelector":{}}},
		"ingress":[{"name":"in","action":"Allow","from":[{"namespaces":{"matchLabels":{"x":"y"}}}],"ports":[{"namedPort":"web"}]}],
		"egress":[{"action":"Pass","to":[{"nodes":{}},{"networks":["10.0.0.0/8","fd00::/8"]},{"domainNames":["*.example.com"]}],
			"ports":[{"portNumber":{"protocol":"UDP","port":53}},{"portRange":{"start":1,"end":9}}]}]},
		"status":{"conditions":[{"type":"Ready","unheardOf":1}]}}`)
	if len(flaws) > 0 {
		t.Errorf("flaws %v", flaws)
	}
	named := "web"
	want := estate.AdminNetworkPolicySpec{
		Priority: 5,
		Subject:  estate.ClusterPolicySubject{Pods: &estate.NamespacedPods{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"t": "a"}}}},
		Ingress: []estate.AdminPolicyRule{{
			Name: "in", Action: "Allow", Ports: []estate.AdminPolicyPort{{NamedPort: &named}},
			From: []estate.ClusterPolicyPeer{{Namespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"x": "y"}}}},
		}},
		Egress: []estate.AdminPolicyRule{{
			Action: "Pass",
			To:     []estate.ClusterPolicyPeer{{Nodes: &metav1.LabelSelector{}}, {Networks: []string{"10.0.0.0/8", "fd00::/8"}}, {DomainNames: []string{"*.example.com"}}},
			Ports: []estate.AdminPolicyPort{
				{PortNumber: &estate.AdminPort{Protocol: "UDP", Port: 53}}, {PortRange: &estate.AdminPortRange{Start: 1, End: 9}},
			},
		}},
	}
	if diff := cmp.Diff(want, estate.AdminNetworkPolicies.In(e)[0].Object.Spec); diff != "" {
		t.Errorf("AdminNetworkPolicy (-want +got):\n%s", diff)
	}

	e, _ = decodeOne(t, "policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", `{"metadata":{"name":"a"},"spec":{"tier":"Admin","priority":1,"subject":{"namespaces":{}},
		"egress":[{"name":"out","action":"Accept","to":[{"namespaces":{}}],"protocols":[{"tcp":{"destinationPort":{"number":80}}},
			{"udp":{"destinationPort":{"range":{"start":1,"end":9}}}},{"sctp":{}},{"destinationNamedPort":"web"}]}]}}`)
	protocols := []estate.ClusterPolicyProtocol{
		{TCP: &estate.ClusterPolicyTransport{DestinationPort: &estate.ClusterPolicyPort{Number: 80}}},
		{UDP: &estate.ClusterPolicyTransport{DestinationPort: &estate.ClusterPolicyPort{Range: &estate.ClusterPortRange{Start: 1, End: 9}}}},
		{SCTP: &estate.ClusterPolicyTransport{}},
		{DestinationNamedPort: "web"},
	}
	if diff := cmp.Diff(protocols, estate.ClusterNetworkPolicies.In(e)[0].Object.Spec.Egress[0].Protocols); diff != "" {
		t.Errorf("protocols (-want +got):\n%s", diff)
	}

	for _, test := range []struct{ apiVersion, kind, body, want string }{
		{"policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", `"spec":{"egress":[{"action":"Accept","ports":[{"portNumber":{"port":80}}]}]}`, "spec.egress[0].ports"},
		{"networking.k8s.aws/v1alpha1", "ClusterNetworkPolicy", `"spec":{"egress":[{"action":"Accept","protocols":[{"tcp":{}}]}]}`, "spec.egress[0].protocols"},
		{"policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy", `"spec":{"ingress":[{"action":"Deny","to":[],"port":1}],"tier":"Admin"},"stat":{}`, "spec.ingress[0].port spec.tier stat"},
		{"networking.k8s.aws/v1alpha1", "ApplicationNetworkPolicy", `"spec":{"podSelector":{},"egress":[{"to":[{"domainName":["a"]}]}]}`, "spec.egress[0].to[0].domainName"},
	} {
		_, flaws := decodeOne(t, test.apiVersion, test.kind, `{"metadata":{"name":"a"},`+test.body+`}`)
		var fields []string
		for _, f := range flaws {
			fields = append(fields, f.Field)
		}
		if got := strings.Join(fields, " "); got != test.want {
			t.Errorf("%s %s: flaws in %q, want %q", test.apiVersion, test.kind, got, test.want)
		}
	}
}

// The two ClusterNetworkPolicies of a cluster may have one name.
func TestDialectsAreKeptApart(t *testing.T) {
	upstream, _ := decodeOne(t, "policy.networking.k8s.io/v1beta1", "ClusterNetworkPolicy", `{"metadata":{"name":"a"}}`)
	aws, _ := decodeOne(t, "networking.k8s.aws/v1alpha1", "ClusterNetworkPolicy", `{"metadata":{"name":"a"},"spec":{"egress":[{"action":"Accept","to":[{"domainNames":["a.example"]}],"ports":[{"portNumber":{"port":80}}]}]}}`)
	a := estate.ClusterNetworkPolicies.Ref(estate.ClusterNetworkPolicies.In(upstream)[0])
	b := estate.AWSClusterNetworkPolicies.Ref(estate.AWSClusterNetworkPolicies.In(aws)[0])
	if a == b || len(estate.ClusterNetworkPolicies.In(aws)) > 0 {
		t.Errorf("%v and %v", a, b)
	}
	rule := estate.AWSClusterNetworkPolicies.In(aws)[0].Object.Spec.Egress[0]
	if rule.To[0].DomainNames[0] != "a.example" || rule.Ports[0].PortNumber.Port != 80 {
		t.Errorf("rule %+v", rule)
	}
}

func TestApplicationNetworkPolicy(t *testing.T) {
	e, flaws := decodeOne(t, "networking.k8s.aws/v1alpha1", "ApplicationNetworkPolicy", `{"metadata":{"name":"a","namespace":"n"},"spec":{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Egress"],
		"egress":[{"to":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}},{"domainNames":["example.com"]},{"podSelector":{},"namespaceSelector":{}}],"ports":[{"protocol":"TCP","port":"web"}]}]}}`)
	if len(flaws) > 0 {
		t.Errorf("flaws %v", flaws)
	}
	to := estate.ApplicationNetworkPolicies.In(e)[0].Object.Spec.Egress[0].To
	want := []estate.ApplicationPolicyPeer{
		{NetworkPolicyPeer: networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.1.0.0/16"}}}},
		{DomainNames: []string{"example.com"}},
		{NetworkPolicyPeer: networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}, NamespaceSelector: &metav1.LabelSelector{}}},
	}
	if diff := cmp.Diff(want, to); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

// Calico's own store writes names and metadata in its own way. What is read
// from it is what its owner wrote.
func TestCalicoStore(t *testing.T) {
	for _, test := range []struct{ apiVersion, kind, object, name, labels string }{
		{calicoStore, "NetworkPolicy", `{"metadata":{"name":"default.web","namespace":"n"}}`, "web", ""},
		{calicoStore, "StagedGlobalNetworkPolicy", `{"metadata":{"name":"default.web"},"spec":{"tier":"default"}}`, "web", ""},
		{calicoStore, "GlobalNetworkPolicy", `{"metadata":{"name":"security.web"},"spec":{"tier":"security"}}`, "security.web", ""},
		{calicoStore, "GlobalNetworkPolicy", `{"metadata":{"name":"default.web"},"spec":{"tier":"security"}}`, "default.web", ""},
		{calicoStore, "NetworkPolicy", `{"metadata":{"name":"default.","namespace":"n"}}`, "default.", ""},
		{"projectcalico.org/v3", "NetworkPolicy", `{"metadata":{"name":"default.web","namespace":"n"}}`, "default.web", ""},
		{calicoStore, "GlobalNetworkSet", `{"metadata":{"name":"a","annotations":{"projectcalico.org/metadata":"{\"labels\":{\"side\":\"outside\"}}"}}}`, "a", "side=outside"},
		{calicoStore, "HostEndpoint", `{"metadata":{"name":"a","labels":{"own":"1","side":"x"},"annotations":{"projectcalico.org/metadata":"{\"name\":\"b\",\"labels\":{\"side\":\"outside\"}}"}}}`, "a", "own=1 side=outside"},
		{calicoStore, "NetworkPolicy", `{"metadata":{"name":"default.default.web","namespace":"n","annotations":{"projectcalico.org/metadata":"{\"name\":\"default.web\"}"}},"spec":{"tier":"default"}}`, "web", ""},
		{calicoStore, "Profile", `{"metadata":{"name":"a","annotations":{"projectcalico.org/metadata":"{\"labels\":[1]}"}}}`, "a", ""},
		// The annotation is no field of the API that users write to.
		{"projectcalico.org/v3", "GlobalNetworkSet", `{"metadata":{"name":"a","annotations":{"projectcalico.org/metadata":"{\"labels\":{\"side\":\"outside\"}}"}}}`, "a", ""},
	} {
		e, _ := decodeOne(t, test.apiVersion, test.kind, test.object)
		var labels, got string
		for _, k := range estate.Kinds() {
			for _, item := range k.Items(e) {
				m := item.Object.(metav1.Object)
				got, labels = m.GetName(), metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: m.GetLabels()})
			}
		}
		labels = strings.ReplaceAll(strings.TrimPrefix(labels, "<none>"), ",", " ")
		if got != test.name || labels != test.labels {
			t.Errorf("%s: %q with %q, want %q with %q", test.object, got, labels, test.name, test.labels)
		}
	}
}

func TestCalicoKinds(t *testing.T) {
	const v3 = "projectcalico.org/v3"
	e, _ := decodeOne(t, v3, "StagedNetworkPolicy", `{"metadata":{"name":"a","namespace":"n"},"spec":{"stagedAction":"Delete","tier":"t","selector":"all()","egress":[{"action":"Deny","http":{"methods":["GET"]},"destination":{"notSelector":"a","notPorts":[1,"2:3"],"serviceAccounts":{"names":["x"]}}}]}}`)
	staged := estate.CalicoStagedNetworkPolicies.In(e)[0].Object.Spec
	if staged.StagedAction != "Delete" || staged.Tier != "t" || staged.Egress[0].Destination.NotSelector != "a" || len(staged.Egress[0].Destination.NotPorts) != 2 {
		t.Errorf("staged %+v", staged)
	}
	if _, ok := staged.Egress[0].HTTP["methods"]; ok || len(staged.Egress[0].HTTP) == 0 {
		t.Errorf("a rule of some requests says %v", staged.Egress[0].HTTP)
	}
	e, _ = decodeOne(t, v3, "StagedKubernetesNetworkPolicy", `{"metadata":{"name":"a","namespace":"n"},"spec":{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Egress"]}}`)
	if s := estate.CalicoStagedKubernetesNetworkPolicies.In(e)[0].Object.Spec; s.PodSelector.MatchLabels["a"] != "b" || len(s.PolicyTypes) != 1 {
		t.Errorf("staged %+v", s)
	}
	e, _ = decodeOne(t, v3, "HostEndpoint", `{"metadata":{"name":"a","labels":{"l":"v"}},"spec":{"node":"n1","interfaceName":"*","expectedIPs":["10.0.0.1"],"profiles":["p"],"ports":[{"name":"ssh","protocol":"TCP","port":22},{"name":"x","protocol":{"a":1},"port":1}]}}`)
	host := estate.CalicoHostEndpoints.In(e)[0].Object
	want := estate.CalicoHostEndpointSpec{
		Node: "n1", InterfaceName: "*", ExpectedIPs: []string{"10.0.0.1"}, Profiles: []string{"p"},
		Ports: []estate.CalicoEndpointPort{{Name: "ssh", Protocol: "TCP", Port: 22}, {Name: "x", Port: 1}},
	}
	if diff := cmp.Diff(want, host.Spec); diff != "" || host.Labels["l"] != "v" {
		t.Errorf("host (-want +got):\n%s", diff)
	}
}

// Istio's policies are read with every field that decides who may speak.
func TestIstioPoliciesAreWhole(t *testing.T) {
	e, flaws := decodeOne(t, "security.istio.io/v1", "AuthorizationPolicy", `{"metadata":{"name":"a","namespace":"n"},"spec":{"action":"DENY","selector":{"matchLabels":{"app":"web"}},
		"rules":[{"from":[{"source":{"principals":["cluster.local/ns/a/sa/b"],"notNamespaces":["x"],"ipBlocks":["10.0.0.0/8"],"remoteIpBlocks":["192.0.2.0/24"]}}],
			"to":[{"operation":{"ports":["8080"],"methods":["GET"],"paths":["/a*"],"hosts":["h"]}}],
			"when":[{"key":"source.ip","notValues":["10.1.0.0/16"]},{"key":"connection.sni","values":["a.example.com"]}]}]}}`)
	if len(flaws) > 0 {
		t.Errorf("flaws %v", flaws)
	}
	spec := &estate.AuthorizationPolicies.In(e)[0].Object.Spec
	rule := spec.Rules[0]
	source, operation := rule.From[0].Source, rule.To[0].Operation
	if spec.Action.String() != "DENY" || spec.Selector.MatchLabels["app"] != "web" || source.Principals[0] != "cluster.local/ns/a/sa/b" || source.NotNamespaces[0] != "x" ||
		source.IpBlocks[0] != "10.0.0.0/8" || source.RemoteIpBlocks[0] != "192.0.2.0/24" || operation.Ports[0] != "8080" || operation.Paths[0] != "/a*" ||
		rule.When[0].NotValues[0] != "10.1.0.0/16" || rule.When[1].Values[0] != "a.example.com" {
		t.Errorf("AuthorizationPolicy %v", spec)
	}
	e, _ = decodeOne(t, "security.istio.io/v1", "AuthorizationPolicy", `{"metadata":{"name":"a"},"spec":{"targetRefs":[{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"w"}],"rules":[{}]}}`)
	if s := &estate.AuthorizationPolicies.In(e)[0].Object.Spec; s.TargetRefs[0].Name != "w" || len(s.Rules) != 1 {
		t.Errorf("AuthorizationPolicy %v", s)
	}
	e, _ = decodeOne(t, "security.istio.io/v1", "PeerAuthentication", `{"metadata":{"name":"a"},"spec":{"selector":{"matchLabels":{"a":"b"}},"mtls":{"mode":"STRICT"},"portLevelMtls":{"8080":{"mode":"DISABLE"}}}}`)
	if s := &estate.PeerAuthentications.In(e)[0].Object.Spec; s.PortLevelMtls[8080].Mode.String() != "DISABLE" || s.Mtls.Mode.String() != "STRICT" {
		t.Errorf("PeerAuthentication %v", s)
	}
	e, _ = decodeOne(t, "networking.istio.io/v1", "Sidecar", `{"metadata":{"name":"a"},"spec":{"egress":[{"hosts":["./*","istio-system/*"],"port":{"number":443}}],"ingress":[{"port":{"number":8080,"protocol":"HTTP"},"defaultEndpoint":"127.0.0.1:80"}],"outboundTrafficPolicy":{"mode":"REGISTRY_ONLY"}}}`)
	if s := &estate.Sidecars.In(e)[0].Object.Spec; len(s.Egress[0].Hosts) != 2 || s.Ingress[0].Port.Number != 8080 || s.OutboundTrafficPolicy.Mode.String() != "REGISTRY_ONLY" {
		t.Errorf("Sidecar %v", s)
	}
	e, _ = decodeOne(t, "networking.istio.io/v1", "DestinationRule", `{"metadata":{"name":"a"},"spec":{"host":"h","trafficPolicy":{"tls":{"mode":"ISTIO_MUTUAL"},"portLevelSettings":[{"port":{"number":80},"tls":{"mode":"DISABLE"}}]},"subsets":[{"name":"v1","labels":{"v":"1"}}]}}`)
	if s := &estate.DestinationRules.In(e)[0].Object.Spec; s.TrafficPolicy.PortLevelSettings[0].Tls.Mode.String() != "DISABLE" || s.Subsets[0].Labels["v"] != "1" {
		t.Errorf("DestinationRule %v", s)
	}
	e, _ = decodeOne(t, "networking.istio.io/v1", "ServiceEntry", `{"metadata":{"name":"a"},"spec":{"hosts":["db.example.com"],"addresses":["192.0.2.0/24"],"location":"MESH_EXTERNAL","resolution":"STATIC","ports":[{"number":5432,"name":"tcp","protocol":"TCP"}],"endpoints":[{"address":"192.0.2.1"}],"exportTo":["."]}}`)
	if s := &estate.ServiceEntries.In(e)[0].Object.Spec; s.Endpoints[0].Address != "192.0.2.1" || s.Ports[0].Number != 5432 || s.ExportTo[0] != "." {
		t.Errorf("ServiceEntry %v", s)
	}
}

// A label changed by hand takes a pod out of its policy; the addresses of
// both families are its.
func TestPodsKeepWhatIsTheirOwn(t *testing.T) {
	const replicaSet = `{"metadata":{"name":"web","namespace":"n","uid":"r"},"spec":{"selector":{},"template":{"metadata":{"labels":{"app":"web","v":"1","pod-template-hash":"a"}},"spec":{}}}}`
	pod := func(name, labels, status string) string {
		return `{"metadata":{"name":"` + name + `","namespace":"n","labels":` + labels + `,"ownerReferences":[{"apiVersion":"x","kind":"ReplicaSet","name":"web","uid":"r","controller":true}]},"spec":{"nodeName":"node"},"status":` + status + `}`
	}
	var d Decoder
	e := &estate.Estate{}
	for _, o := range [][2]string{
		{"ReplicaSet", replicaSet},
		{"Pod", pod("a-same", `{"app":"web","v":"1","pod-template-hash":"a"}`, `{"podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}],"hostIP":"10.0.9.9","phase":"Running"}`)},
		{"Pod", pod("b-changed", `{"app":"hidden","v":"1","pod-template-hash":"a"}`, `{"podIP":"10.0.0.2","podIPs":[{"ip":"10.0.0.2"},{"ip":"fd00::2"}]}`)},
		{"Pod", pod("c-more", `{"app":"web","v":"1","pod-template-hash":"a","debug":"true"}`, `{}`)},
		{"Pod", pod("d-less", `{"app":"web"}`, `{}`)},
		{"Pod", pod("e-none", `{}`, `{}`)},
		{"Pod", pod("f-ended", `{"app":"web"}`, `{"podIP":"10.0.0.3","phase":"Failed"}`)},
		{"Pod", `{"metadata":{"name":"alone","namespace":"n","labels":{"app":"web"}},"spec":{"nodeName":"node"},"status":{"podIPs":[{"ip":"fd00::3"}],"podIP":"fd00::3"}}`},
		{"Pod", `{"metadata":{"name":"gone","namespace":"n"},"spec":{"nodeName":"node"},"status":{"podIP":"10.0.0.4","phase":"Succeeded"}}`},
	} {
		version := map[string]string{"ReplicaSet": "apps/v1", "Pod": "v1"}[o[0]]
		if _, err := d.Add(e, version, o[0], []byte(o[1]), estate.Origin{}, true); err != nil {
			t.Fatal(err)
		}
	}
	d.Finish(e)
	got := map[string]string{}
	var names []string
	for _, w := range estate.Workloads.In(e) {
		if w.Finished != (w.Name == "gone") {
			t.Errorf("%s has finished: %v", w.Name, w.Finished)
		}
		for i := range w.Pods {
			p := &w.Pods[i]
			names = append(names, p.Name)
			own := ""
			if p.Labels != nil {
				own = " of its own"
			}
			labels := maps.Clone(w.LabelsOf(p))
			delete(labels, "pod-template-hash")
			got[p.Name] = strings.Join(p.Addresses(), " ") + " " + metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: labels}) + own
		}
	}
	want := map[string]string{
		"a-same":    "10.0.0.1 app=web,v=1",
		"b-changed": "10.0.0.2 fd00::2 app=hidden,v=1 of its own",
		"c-more":    " app=web,debug=true,v=1 of its own",
		"d-less":    " app=web of its own",
		"e-none":    " <none> of its own",
		"alone":     "fd00::3 app=web",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%v: pods (-want +got):\n%s", names, diff)
	}
}

func TestNodesKeepTheirAddresses(t *testing.T) {
	e, _ := decodeOne(t, "v1", "Node", `{"metadata":{"name":"n"},"spec":{"podCIDR":"10.1.0.0/24","podCIDRs":["10.1.0.0/24","fd00::/64"],"providerID":"aws:///a/i-1"},"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"}]}}`)
	n := estate.Nodes.In(e)[0].Object
	if len(n.Spec.PodCIDRs) != 2 || n.Status.Addresses[0] != (corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}) {
		t.Errorf("node %+v", n)
	}
}
