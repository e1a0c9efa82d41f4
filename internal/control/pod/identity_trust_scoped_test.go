package pod

import (
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/access"
)

// Whatever a trust says, a statement without a condition lets in more than it
// names, and one that is closed names each account in full.
func FuzzTrust(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A1"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"oidc.eks.eu-west-1.amazonaws.com/id/A1:sub":["system:serviceaccount:*:a",true]}}}]}`)
	f.Add(`{"Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A1"},"Action":"sts:*","Condition":{"ForAllValues:StringEqualsIfExists":{"oidc.eks.eu-west-1.amazonaws.com/id/A1:sub":["${a:sub}"]}}}}`)
	f.Add(`{"Statement":{"Effect":"Deny","Principal":"*","Action":["*"],"Condition":{"ForAllValues:StringEqualsIfExists":{"a:sub":[]}}}}`)
	f.Add(`{"Statement":[null]}`)
	f.Fuzz(func(t *testing.T, document string) {
		trust, err := access.ParseTrust(document)
		if err != nil {
			return
		}
		for i := range trust.Statements {
			st := &trust.Statements[i]
			if !st.Names(access.AssumeRoleWithWebIdentity) || len(issuers(st)) == 0 {
				continue
			}
			problem, unclear := opening(st)
			switch {
			case problem != "" && unclear != "":
				t.Errorf("it is both open and unclear: %s", document)
			case len(st.Conditions) == 0 && problem == "":
				t.Errorf("a statement without a condition lets in only whom it names: %s", document)
			case unclear != "" && !strings.Contains(unclear, "${"):
				t.Errorf("%q is no variable: %s", unclear, document)
			}
		}
	})
}
