package kubeobject

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

// everything returns the whole estate as JSON.
func everything(t testing.TB, e *estate.Estate) string {
	t.Helper()
	var b strings.Builder
	for _, k := range estate.Kinds() {
		data, err := k.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	sources, err := json.Marshal(e.Sources)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(sources)
	return b.String()
}

func decodeOne(t testing.TB, apiVersion, kind, object string) (*estate.Estate, []Flaw) {
	t.Helper()
	var d Decoder
	e := &estate.Estate{}
	flaws, err := d.Add(e, apiVersion, kind, []byte(object), estate.Origin{File: "a.yaml", Line: 1}, true)
	if err != nil {
		t.Fatalf("decoding %s: %v", kind, err)
	}
	d.Finish(e)
	return e, flaws
}

// Every kind of the table can be decoded from metadata alone, and lands in the
// collection that the table names.
func TestEveryKindDecodes(t *testing.T) {
	covered := map[estate.Kind]bool{}
	for _, r := range Resources() {
		covered[r.Kind] = true
		for _, v := range r.APIVersions {
			e, flaws := decodeOne(t, v, r.Object, `{"apiVersion":"`+v+`","kind":"`+r.Object+`","metadata":{"name":"a","namespace":"n"}}`)
			if len(flaws) > 0 {
				t.Errorf("%s %s: flaws %v in bare metadata", v, r.Object, flaws)
			}
			info, err := estate.KindOf(r.Kind)
			if err != nil {
				t.Fatal(err)
			}
			if info.Len(e) != 1 {
				t.Errorf("%s %s: %d of %s, want 1", v, r.Object, info.Len(e), r.Kind)
			}
			data, err := info.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(data), `"namespace":"n"`); got != r.Namespaced {
				t.Errorf("%s %s: namespace kept is %v, want %v", v, r.Object, got, r.Namespaced)
			}
		}
	}
	for _, k := range estate.Kinds() {
		if k.Provider == estate.KubernetesProvider && !covered[k.Kind] {
			t.Errorf("no Kubernetes kind fills %s", k.Kind)
		}
	}
}

const canary = "CANARY-7f3a-do-not-leak"

// A secret must not reach the estate, whatever field it stands in. Each object
// has canaries wherever its kind can hold a value that nobody judges.
func TestCanaries(t *testing.T) {
	meta := `"metadata":{"name":"a","namespace":"n","annotations":{` +
		`"kubectl.kubernetes.io/last-applied-configuration":"{\"CANARY\":1}","note":"CANARY",` +
		`"alb.ingress.kubernetes.io/scheme":"CANARY","alb.ingress.kubernetes.io/listen-ports":"[{\"CANARY\":1}]",` +
		`"alb.ingress.kubernetes.io/auth-idp-oidc":"{\"secretName\":\"CANARY\"}","alb.ingress.kubernetes.io/tags":"a=CANARY",` +
		`"alb.ingress.kubernetes.io/actions.x":"{\"type\":\"fixed-response\",\"fixedResponseConfig\":{\"messageBody\":\"CANARY\"},\"CANARY\":1}",` +
		`"alb.ingress.kubernetes.io/conditions.x":"[{\"field\":\"http-header\",\"httpHeaderConfig\":{\"httpHeaderName\":\"x\",\"values\":[\"CANARY\"]}}]",` +
		`"alb.ingress.kubernetes.io/load-balancer-attributes":"CANARY=1,routing.http.x.header_value=CANARY",` +
		`"alb.ingress.kubernetes.io/certificate-arn":"CANARY","alb.ingress.kubernetes.io/inbound-cidrs":"CANARY",` +
		`"alb.ingress.kubernetes.io/mutual-authentication":"[{\"port\":443,\"mode\":\"verify\",\"trustStore\":\"CANARY\"}]",` +
		`"service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags":"a=CANARY","sidecar.istio.io/status":"{\"CANARY\":1}",` +
		`"eks.amazonaws.com/role-arn":"CANARY","storageclass.kubernetes.io/is-default-class":"CANARY","proxy.istio.io/config":"CANARY","eksafe.dev/except":"CANARY\n-----BEGIN CANARY"` +
		`},"managedFields":[{"manager":"m","operation":"Apply","fieldsV1":{"f:CANARY":{}}}]}`
	probe := `{"exec":{"command":["CANARY"]},"httpGet":{"port":1,"path":"/x?t=CANARY","httpHeaders":[{"name":"A","value":"CANARY"}]}}`
	container := `{"name":"c","image":"i","command":["CANARY","sh -c CANARY"],"args":["--x=CANARY","--password","CANARY","CANARY"],` +
		`"env":[{"name":"A","value":"CANARY"},{"name":"DATABASE_URL","value":"postgres://CANARY:CANARY@db.example.com/CANARY?password=CANARY&sslmode=CANARY"},` +
		`{"name":"DB_PASSWORD","value":"CANARY.example.com"},{"name":"CANARY_IS=CANARY","value":"x"},{"name":"DSN","value":"host=db password='CANARY' sslmode=require"}],` +
		`"livenessProbe":` + probe + `,"readinessProbe":` + probe + `,"startupProbe":` + probe + `,` +
		`"lifecycle":{"postStart":{"exec":{"command":["CANARY"]}},"preStop":{"httpGet":{"port":1,"httpHeaders":[{"name":"A","value":"CANARY"}]}}},` +
		`"securityContext":{"windowsOptions":{"gmsaCredentialSpec":"CANARY"}}}`
	pod := `{"containers":[` + container + `],"initContainers":[` + container + `],"ephemeralContainers":[` + container + `],` +
		`"securityContext":{"windowsOptions":{"gmsaCredentialSpec":"CANARY"}},` +
		`"volumes":[{"name":"v","csi":{"driver":"d","volumeAttributes":{"password":"CANARY"}}},{"name":"w","flexVolume":{"driver":"d","options":{"p":"CANARY"}}},` +
		`{"name":"x","gitRepo":{"repository":"https://u:CANARY@git.example.com/x?t=CANARY"}},` +
		`{"name":"y","ephemeral":{"volumeClaimTemplate":{"metadata":{"annotations":{"a":"CANARY"}},"spec":{"accessModes":["ReadWriteOnce"],"resources":{}}}}}]}`
	template := `{` + strings.ReplaceAll(meta, `"name":"a",`, "") + `,"spec":` + pod + `}`
	secretHeaders := `[{"name":"x","value":"CANARY"}]`
	for _, test := range []struct{ apiVersion, kind, body string }{
		{"apps/v1", "Deployment", `"spec":{"selector":{},"template":` + template + `}`},
		{"apps/v1", "StatefulSet", `"spec":{"selector":{},"template":` + template + `,"volumeClaimTemplates":[{` + meta + `}]}`},
		{"apps/v1", "DaemonSet", `"spec":{"selector":{},"template":` + template + `}`},
		{"apps/v1", "ReplicaSet", `"spec":{"selector":{},"template":` + template + `}`},
		{"v1", "ReplicationController", `"spec":{"template":` + template + `}`},
		{"batch/v1", "Job", `"spec":{"template":` + template + `}`},
		{"batch/v1", "CronJob", `"spec":{"schedule":"* * * * *","jobTemplate":{` + meta + `,"spec":{"template":` + template + `}}}`},
		{"v1", "Pod", `"spec":` + pod + `,"status":{"message":"CANARY","podIP":"10.0.0.1"}`},
		{"v1", "PodTemplate", `"template":` + template},
		{"v1", "Secret", `"data":{"a":"Q0FOQVJZ","CANARY":"x"},"stringData":{"a":"CANARY"},"type":"Opaque"`},
		{"v1", "ConfigMap", `"data":{"a":"CANARY","b":"password=CANARY\nurl=mysql://CANARY:CANARY@db.example.com/CANARY\n","nginx.conf":"server { listen 80; auth_basic CANARY; proxy_set_header X CANARY; }","c":"{\"k\":\"CANARY\"}"},"binaryData":{"x":"Q0FOQVJZ"}`},
		{"v1", "PersistentVolume", `"spec":{"mountOptions":["password=CANARY","tls"],"csi":{"driver":"d","volumeHandle":"h","volumeAttributes":{"p":"CANARY"}}},"status":{"message":"CANARY"}`},
		{"storage.k8s.io/v1", "StorageClass", `"provisioner":"p","parameters":{"adminSecret":"CANARY","encrypted":"true"},"mountOptions":["pass=CANARY"]`},
		{"v1", "Node", `"status":{"images":[{"names":["CANARY"]}],"conditions":[{"type":"t","status":"True","message":"CANARY"}]}`},
		{"networking.k8s.io/v1", "Ingress", `"spec":{}`},
		{"admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", `"webhooks":[{"name":"a","clientConfig":{"url":"https://w.example.com/CANARY","caBundle":"Q0FOQVJZ"},"matchConditions":[{"name":"c","expression":"request.name == 'CANARY'"}]}]`},
		{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", `"webhooks":[{"name":"a","clientConfig":{"service":{"namespace":"n","name":"s","path":"/CANARY"}},"matchConditions":[{"name":"c","expression":"request.name == 'CANARY'"}]}]`},
		{"v1", "Service", `"spec":{},"status":{"conditions":[{"type":"a","status":"True","lastTransitionTime":null,"reason":"r","message":"CANARY"}]}`},
		{"gateway.networking.k8s.io/v1", "HTTPRoute", `"spec":{"rules":[{"matches":[{"headers":` + secretHeaders + `,"queryParams":` + secretHeaders + `}],"filters":[{"type":"RequestHeaderModifier","requestHeaderModifier":{"set":` + secretHeaders + `,"add":` + secretHeaders + `}}],"backendRefs":[{"name":"b","filters":[{"type":"ResponseHeaderModifier","responseHeaderModifier":{"set":` + secretHeaders + `}}]}]}]}`},
		{"gateway.networking.k8s.io/v1", "GRPCRoute", `"spec":{"rules":[{"matches":[{"headers":` + secretHeaders + `}],"filters":[{"type":"RequestHeaderModifier","requestHeaderModifier":{"set":` + secretHeaders + `}}]}]}`},
		{"gateway.networking.k8s.io/v1", "Gateway", `"spec":{"gatewayClassName":"c","listeners":[],"infrastructure":{"annotations":{"a":"CANARY"}}},"status":{"conditions":[{"type":"a","status":"True","lastTransitionTime":null,"reason":"r","message":"CANARY"}]}`},
		{"networking.istio.io/v1", "VirtualService", `"spec":{"hosts":["a"],"http":[{"match":[{"headers":{"x":{"exact":"CANARY"}},"queryParams":{"x":{"exact":"CANARY"}},"withoutHeaders":{"x":{"exact":"CANARY"}}}],"headers":{"request":{"set":{"a":"CANARY"},"add":{"a":"CANARY"}}},"route":[{"destination":{"host":"a"},"headers":{"response":{"set":{"a":"CANARY"}}}}],"directResponse":{"status":200,"body":{"string":"CANARY"}}}]}`},
		{"security.istio.io/v1", "AuthorizationPolicy", `"spec":{"rules":[{"when":[{"key":"request.headers[x]","values":["CANARY"],"notValues":["CANARY"]}]}]}`},
		{"security.istio.io/v1", "RequestAuthentication", `"spec":{"jwtRules":[{"issuer":"https://u:CANARY@i.example.com","jwks":"CANARY","jwksUri":"https://u:CANARY@i.example.com/x?CANARY"}]}`},
		{"crd.projectcalico.org/v1", "NetworkPolicy", `"spec":{"ingress":[{"action":"Allow","metadata":{"annotations":{"a":"CANARY"}},"http":{"headers":[{"header":"x","values":["CANARY"]}]}}]}`},
		{"gateway.k8s.aws/v1beta1", "ListenerRuleConfiguration", `"spec":{"actions":[{"type":"redirect","redirectConfig":{"query":"CANARY"}}]}`},
	} {
		t.Run(test.kind, func(t *testing.T) {
			object := strings.ReplaceAll(`{"apiVersion":"`+test.apiVersion+`","kind":"`+test.kind+`",`+meta+`,`+test.body+`}`, "CANARY", canary)
			e, _ := decodeOne(t, test.apiVersion, test.kind, object)
			got := everything(t, e)
			for _, word := range []string{canary, strings.ToLower(canary), "Q0FOQVJZ"} {
				if i := strings.Index(got, word); i >= 0 {
					t.Errorf("%q is in the estate: …%s…", word, got[max(0, i-100):min(len(got), i+60)])
				}
			}
		})
	}
}

// An error does not quote the value that it is about.
func TestErrorsQuoteNothing(t *testing.T) {
	for _, object := range []string{
		`{"metadata":{"name":"a"},"spec":{"replicas":"CANARY"}}`,
		`{"metadata":{"name":"a"},"spec":{"template":{"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"CANARY"}}}]}}}}`,
		`{"metadata":{"name":"a","creationTimestamp":"CANARY"}}`,
		`{"metadata":{"name":"a"},"spec":{"replicas":12345678901234567890}}`,
		`{"metadata":{"name":"a"},"spec":"CANARY`,
		`{"metadata":{"labels":{"CANARY":"x"}}}`,
	} {
		var d Decoder
		_, err := d.Add(&estate.Estate{}, "apps/v1", "Deployment", []byte(strings.ReplaceAll(object, "CANARY", canary)), estate.Origin{}, true)
		if err == nil {
			t.Errorf("%s: no error", object)
			continue
		}
		if text := err.Error(); strings.Contains(text, canary) || strings.Contains(text, "1234567") || strings.Contains(text, "\n") {
			t.Errorf("%s: error %q", object, text)
		}
	}
}

func TestUnknownFields(t *testing.T) {
	for _, test := range []struct{ apiVersion, kind, body, want string }{
		{"apps/v1", "Deployment", `"spec":{"template":{"spec":{"hostNetwrok":true,"containers":[{"name":"a","Image":"b"}]}}}`, "spec.template.spec.hostNetwrok spec.template.spec.containers[0].Image"},
		{"apps/v1", "Deployment", `"spec":{"replicas":1,"replicas":2}`, "spec.replicas"},
		{"security.istio.io/v1", "PeerAuthentication", `"spec":{"mtls":{"mod":"STRICT"},"selectr":{}}`, "spec.mtls.mod spec.selectr"},
		{"security.istio.io/v1", "PeerAuthentication", `"spec":{"mtls":{"mode":"STRICT"},"portLevelMtls":{"8080":{"mod":"DISABLE"}}}`, "spec.portLevelMtls[8080].mod"},
		{"elbv2.k8s.aws/v1beta1", "IngressClassParams", `"spec":{"Scheme":"internal","somethingNew":1}`, "spec.Scheme"},
	} {
		_, flaws := decodeOne(t, test.apiVersion, test.kind, `{"metadata":{"name":"a"},`+test.body+`}`)
		var fields []string
		for _, f := range flaws {
			fields = append(fields, f.Field)
		}
		if got := strings.Join(fields, " "); got != test.want {
			t.Errorf("%s %s: flaws in %q, want %q", test.kind, test.body, got, test.want)
		}
	}
}

func TestAnnotations(t *testing.T) {
	for _, test := range []struct{ key, value, want string }{
		{alb + "scheme", "internet-facing", "internet-facing"},
		{alb + "scheme", "everywhere", invalid},
		{alb + "listen-ports", `[{"HTTP": 80}, {"HTTPS":443}]`, `[{"HTTP":80},{"HTTPS":443}]`},
		{alb + "listen-ports", `[{"HTTP": "80"}]`, invalid},
		{alb + "certificate-arn", "arn:aws:acm:eu-west-1:123456789012:certificate/a, arn:aws:acm:eu-west-1:123456789012:certificate/b", "arn:aws:acm:eu-west-1:123456789012:certificate/a,arn:aws:acm:eu-west-1:123456789012:certificate/b"},
		{alb + "inbound-cidrs", "10.0.0.0/8, ::/0", "10.0.0.0/8,::/0"},
		{alb + "load-balancer-attributes", "routing.http.drop_invalid_header_fields.enabled=true,own=x", "routing.http.drop_invalid_header_fields.enabled=true"},
		{alb + "actions.ssl-redirect", `{"Type": "redirect", "RedirectConfig": { "Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}`, `{"type":"redirect","redirectConfig":{"protocol":"HTTPS","port":"443","statusCode":"HTTP_301"}}`},
		{alb + "actions.f", `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"a","servicePort":80,"weight":1}]}}`, `{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"a","servicePort":80,"weight":1}]}}`},
		{alb + "conditions.f", `[{"field":"host-header","hostHeaderConfig":{"values":["a.example.com"]}}]`, `[{"field":"host-header","hostHeaderConfig":{"values":["a.example.com"]}}]`},
		{alb + "wafv2-acl-arn", "none", "none"},
		{nlb + "ssl-ports", "443, https", "443,https"},
		{nlb + "backend-protocol", "ssl", "ssl"},
		{"sidecar.istio.io/inject", "false", "false"},
		{"traffic.sidecar.istio.io/excludeInboundPorts", "80,443", "80,443"},
		{"eks.amazonaws.com/role-arn", "arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/a"},
		{"container.apparmor.security.beta.kubernetes.io/main", "unconfined", "unconfined"},
		{"example.com/own", "x", ""},
	} {
		if got := reduceAnnotations(map[string]string{test.key: test.value})[test.key]; got != test.want {
			t.Errorf("%s: %q gives %q, want %q", test.key, test.value, got, test.want)
		}
	}
}

// Pods and what controllers make fold into the controller that was read;
// nothing is lost when it was not, and nobody hides behind a name.
func TestFinish(t *testing.T) {
	object := func(kind, name, uid, ownerKind, ownerName, ownerUID, rest string) [3]string {
		owner := ""
		if ownerKind != "" {
			owner = `,"ownerReferences":[{"apiVersion":"x","kind":"` + ownerKind + `","name":"` + ownerName + `","uid":"` + ownerUID + `","controller":true}]`
		}
		version := "apps/v1"
		switch kind {
		case "Pod":
			version = "v1"
		case "Job", "CronJob":
			version = "batch/v1"
		}
		return [3]string{version, kind, `{"metadata":{"name":"` + name + `","namespace":"n","uid":"` + uid + `"` + owner + `}` + rest + `}`}
	}
	runs := `,"spec":{"nodeName":"node","containers":[{"name":"main"}],"initContainers":[{"name":"proxy","restartPolicy":"Always"},{"name":"init"}]},"status":{"podIP":"10.0.0.1","phase":"Running","containerStatuses":[{"name":"main","imageID":"docker.io/library/web@sha256:` + strings.Repeat("a", 64) + `"}],"initContainerStatuses":[{"name":"proxy","imageID":"sha256:` + strings.Repeat("b", 64) + `"}]}`
	ended := `,"spec":{"nodeName":"node","containers":[{"name":"main"}]},"status":{"podIP":"10.0.0.2","phase":"Succeeded"}`
	var d Decoder
	e := &estate.Estate{}
	for _, o := range [][3]string{
		object("Pod", "web-1-b", "p2", "ReplicaSet", "web-1", "r1", runs),
		object("Pod", "web-1-a", "p1", "ReplicaSet", "web-1", "r1", runs),
		object("ReplicaSet", "web-1", "r1", "Deployment", "web", "d1", ""),
		object("Deployment", "web", "d1", "", "", "", ""),
		object("Pod", "orphan", "p3", "ReplicaSet", "gone", "r9", runs),
		object("ReplicaSet", "rollout-1", "r2", "Rollout", "rollout", "x1", ""),
		object("Pod", "rollout-1-a", "p4", "ReplicaSet", "rollout-1", "r2", runs),
		object("Pod", "liar", "p5", "Deployment", "web", "d1", runs),
		object("Pod", "liar-without-uid", "", "ReplicaSet", "web-1", "", runs),
		object("CronJob", "night", "c1", "", "", "", ""),
		object("Job", "night-1", "j1", "CronJob", "night", "c1", ""),
		object("Pod", "night-1-a", "p6", "Job", "night-1", "j1", ended),
	} {
		if _, err := d.Add(e, o[0], o[1], []byte(o[2]), estate.Origin{}, true); err != nil {
			t.Fatal(err)
		}
	}
	d.Finish(e)
	var got []string
	for _, w := range estate.Workloads.In(e) {
		line := estate.Workloads.Ref(w).ID
		for _, p := range w.Pods {
			line += " " + p.Name + "(" + strings.Join(p.Containers, ",") + ")"
			// An ID without a repository is the runtime's own, no digest.
			if want := map[string]string{"main": "sha256:" + strings.Repeat("a", 64)}; !maps.Equal(p.Digests, want) {
				t.Errorf("%s runs %v, want %v", p.Name, p.Digests, want)
			}
		}
		got = append(got, line)
	}
	want := []string{
		"deployment/n/web web-1-a(proxy,main) web-1-b(proxy,main)",
		"pod/n/orphan orphan(proxy,main)",
		"replicaset/n/rollout-1 rollout-1-a(proxy,main)",
		"pod/n/liar liar(proxy,main)",
		"pod/n/liar-without-uid liar-without-uid(proxy,main)",
		"cronjob/n/night",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
}

func FuzzAdd(f *testing.F) {
	for _, r := range Resources() {
		f.Add(r.APIVersions[0], r.Object, []byte(`{"metadata":{"name":"a"},"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"B","value":"c"}]}]}}}}`))
	}
	f.Add("v1", "ConfigMap", []byte(`{"metadata":{"name":"a"},"data":{"a":"b: c\nd=e"}}`))
	f.Add("v1", "ConfigMap", []byte(`{"metadata":{"name":"aws-auth","namespace":"kube-system"},"data":{"mapRoles":"- rolearn: arn:aws:iam::111122223333:role/a\n  groups: [system:masters]"}}`))
	f.Fuzz(func(t *testing.T, apiVersion, kind string, data []byte) {
		var d Decoder
		e := &estate.Estate{}
		_, err := d.Add(e, apiVersion, kind, data, estate.Origin{}, true)
		d.Finish(e)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Fatalf("error of several lines: %q", err)
		}
		everything(t, e)
	})
}
