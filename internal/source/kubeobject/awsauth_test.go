package kubeobject

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

func TestAWSAuth(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/node"
	entry := estate.AWSAuthEntry{Arn: role, Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:bootstrappers", "system:nodes"}}
	for _, c := range []struct {
		name string
		data map[string]string
		want estate.AWSAuth
	}{
		{"nothing", nil, estate.AWSAuth{}},
		{"empty lists", map[string]string{"mapRoles": "", "mapUsers": "[]\n", "mapAccounts": "null"}, estate.AWSAuth{}},
		{"a role", map[string]string{"mapRoles": "- rolearn: " + role + "\n  username: system:node:{{EC2PrivateDNSName}}\n  groups:\n  - system:bootstrappers\n  - system:nodes\n"}, estate.AWSAuth{Roles: []estate.AWSAuthEntry{entry}}},
		{"keys in another case", map[string]string{"mapRoles": "- roleARN: " + role}, estate.AWSAuth{Roles: []estate.AWSAuthEntry{{Arn: role}}}},
		{"as JSON", map[string]string{"mapUsers": `[{"userarn": "arn:aws:iam::111122223333:user/a", "groups": ["system:masters"]}]`},
			estate.AWSAuth{Users: []estate.AWSAuthEntry{{Arn: "arn:aws:iam::111122223333:user/a", Groups: []string{"system:masters"}}}}},
		{"an account", map[string]string{"mapAccounts": "- \"111122223333\"\n"}, estate.AWSAuth{Accounts: []string{"111122223333"}}},
		{"one that cannot be read beside one that can", map[string]string{"mapRoles": "- rolearn: password\n- rolearn: " + role}, estate.AWSAuth{Roles: []estate.AWSAuthEntry{{Arn: role}}, Unreadable: true}},
		{"no YAML", map[string]string{"mapRoles": "- [a"}, estate.AWSAuth{Unreadable: true}},
		{"no list", map[string]string{"mapRoles": "rolearn: " + role}, estate.AWSAuth{Unreadable: true}},
		{"an unknown key", map[string]string{"mapRoles": "- rolearn: " + role + "\n  group: [system:masters]"}, estate.AWSAuth{Unreadable: true}},
		{"a key twice", map[string]string{"mapRoles": "- rolearn: " + role + "\n  roleARN: " + role}, estate.AWSAuth{Unreadable: true}},
		{"groups that are a word", map[string]string{"mapRoles": "- rolearn: " + role + "\n  groups: system:masters"}, estate.AWSAuth{Unreadable: true}},
		{"an alias", map[string]string{"mapRoles": "- &a {rolearn: " + role + "}\n- *a"}, estate.AWSAuth{Roles: []estate.AWSAuthEntry{{Arn: role}}, Unreadable: true}},
		{"a word as account", map[string]string{"mapAccounts": "- secret"}, estate.AWSAuth{Unreadable: true}},
		{"too many", map[string]string{"mapRoles": strings.Repeat("- rolearn: "+role+"\n", maxAWSAuth+1)}, estate.AWSAuth{Unreadable: true}},
		{"too long", map[string]string{"mapRoles": "- rolearn: " + role + " # " + strings.Repeat("x", maxText)}, estate.AWSAuth{Unreadable: true}},
	} {
		if diff := cmp.Diff(&c.want, awsAuth(c.data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// Only the ConfigMap that the authenticator reads is read for it.
func TestOnlyAWSAuth(t *testing.T) {
	for name, want := range map[string]bool{
		`"name":"aws-auth","namespace":"kube-system"`: true,
		`"name":"aws-auth","namespace":"shop"`:        false,
		`"name":"auth","namespace":"kube-system"`:     false,
	} {
		e, _ := decodeOne(t, "v1", "ConfigMap", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{`+name+`},"data":{"mapRoles":"[]"}}`)
		if got := estate.ConfigMaps.In(e)[0].AWSAuth != nil; got != want {
			t.Errorf("%s: read %v, want %v", name, got, want)
		}
	}
}

func FuzzAWSAuth(f *testing.F) {
	for _, seed := range []string{"", "- rolearn: arn:aws:iam::111122223333:role/a\n  groups: [system:masters]", "[{}]", "- &a [*a]", "{", "- 111122223333"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a := awsAuth(map[string]string{"mapRoles": text, "mapUsers": text, "mapAccounts": text})
		for _, e := range append(a.Roles, a.Users...) {
			if !principalRE.MatchString(e.Arn) || e.Username != "" && !nameRE.MatchString(e.Username) {
				t.Fatalf("%q gave %+v", text, e)
			}
		}
	})
}
