package access

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTrust(t *testing.T) {
	for _, test := range []struct {
		document string
		ok       bool
	}{
		{`{"Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`, true},
		{`{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:*"}}`, true},
		{`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"sts:*"}}`, true},
		{`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}`, false},
		{`{"Statement":{"Effect":"Allow","Principal":null,"Action":"sts:AssumeRole"}}`, false},
		{`{"Statement":{"Effect":"Allow","Principal":{},"Action":"sts:AssumeRole"}}`, false},
		{`{"Statement":{"Effect":"Allow","Principal":"arn:aws:iam::111122223333:root","Action":"sts:AssumeRole"}}`, false},
		{`{"Statement":[]}`, false},
		{`{"Statement":null}`, false},
		{`{"Statement":{"Effect":"Allow","Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}}`, false},
	} {
		if _, err := ParseTrust(test.document); (err == nil) != test.ok {
			t.Errorf("ParseTrust(%s) = %v, want success %v", test.document, err, test.ok)
		}
	}
}

// one returns the statement of a trust that lets two providers in under a
// condition.
func one(t *testing.T, condition string) *Statement {
	t.Helper()
	d, err := ParseTrust(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Condition":` + condition + `,` +
		`"Principal":{"Federated":["arn:aws:iam::111122223333:oidc-provider/a.example/id/1","arn:aws:iam::111122223333:oidc-provider/b.example"]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	return &d.Statements[0]
}

func TestLimits(t *testing.T) {
	type limit struct {
		Limit
		Wide, Variable string
	}
	for _, test := range []struct {
		condition string
		want      []limit
	}{
		{`{"StringEquals":{"a.example/id/1:SUB":["x","*"],"a.example/id/1:aud":"y"}}`, []limit{{Limit{false, false, []string{"x", "*"}}, "", ""}}},
		{`{"stringLikeIfExists":{"a.example/id/1:sub":["x-*","y?","z"]}}`, []limit{{Limit{true, true, []string{"x-*", "y?", "z"}}, "y?", ""}}},
		{`{"ForAllValues:StringEqualsIgnoreCase":{"a.example/id/1:sub":"x"}}`, []limit{{Limit{false, true, []string{"x"}}, "", ""}}},
		{`{"ForAnyValue:StringLike":{"a.example/id/1:sub":"x"}}`, []limit{{Limit{true, false, []string{"x"}}, "", ""}}},
		{`{"StringNotEquals":{"a.example/id/1:sub":"x"},"Null":{"a.example/id/1:sub":"false"},"ArnLike":{"a.example/id/1:sub":"x"}}`, nil},
		{`{"StringEquals":{"a.example/id/1:sub":"${a.example/id/1:sub}"}}`,
			[]limit{{Limit{false, false, []string{"${a.example/id/1:sub}"}}, "", "${a.example/id/1:sub}"}}},
		{`{"StringEquals":{"a.example/id/1:sub":"${AWS::Region}-${Stage}"}}`, []limit{{Limit{false, false, []string{"${AWS::Region}-${Stage}"}}, "", ""}}},
		{`{"StringEquals":{"a.example/id/1:sub":"${Stage}-${aws:username}"}}`,
			[]limit{{Limit{false, false, []string{"${Stage}-${aws:username}"}}, "", "${Stage}-${aws:username}"}}},
		{`{"StringLike":{"a.example/id/1:sub":"${Stage}"}}`, []limit{{Limit{true, false, []string{"${Stage}"}}, "", "${Stage}"}}},
	} {
		var got []limit
		for _, l := range one(t, test.condition).Limits("a.example/id/1:sub") {
			got = append(got, limit{l, l.Wide(), l.Variable()})
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.condition, diff)
		}
	}
}

func TestForeignToken(t *testing.T) {
	for condition, want := range map[string]bool{
		`{"StringEquals":{"a.example/id/1:sub":"x"}}`:                false,
		`{"StringEquals":{"b.example:sub":"x"}}`:                     false,
		`{"StringEquals":{"c.example:sub":"x"}}`:                     true,
		`{"StringLike":{"C.example:Sub":"*"}}`:                       true,
		`{"StringEqualsIfExists":{"c.example:sub":"x"}}`:             false,
		`{"ForAllValues:StringEquals":{"c.example:sub":"x"}}`:        false,
		`{"StringNotEquals":{"c.example:sub":"x"}}`:                  false,
		`{"StringEquals":{"c.example:aud":"x"}}`:                     false,
		`{"StringEquals":{"example:sub":"x"}}`:                       true, // the end of another's name
		`{"StringEquals":{"a.example/id/1:sub":"x","d/id/1:sub":1}}`: true,
	} {
		if got := one(t, condition).ForeignToken(); got != want {
			t.Errorf("%s asks for the token of another: %v, want %v", condition, got, want)
		}
	}
}
