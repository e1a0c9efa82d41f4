package identity

import (
	"testing"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/controltest"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
	"github.com/eksafe/eksafe/internal/trace"
)

// A password alone is worse in the hands of an administrator.
func TestUserMFAOfAdministrators(t *testing.T) {
	e, err := controltest.Secure()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range estate.Users.In(e) {
		u.MFADevices = estate.Known([]string{})
	}
	got := map[string]finding.Severity{}
	for _, f := range control.Run(trace.New(e), []*control.Control{userMfa}, controltest.Now, nil)[0].Findings {
		got[f.Subject.Name] = f.Severity
		if raised := len(f.Context) > 0; raised != (f.Severity == control.Critical) {
			t.Errorf("%s: %v for %q", f.Subject.Name, f.Severity, f.Context)
		}
	}
	if got["alice"] != control.High || got["bob"] != control.Critical {
		t.Errorf("severities are %v", got)
	}
}

// The same group name in another account is another group.
func TestGroupsOfAnotherAccount(t *testing.T) {
	e, err := controltest.Secure()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range estate.Groups.In(e) {
		if g.GroupName == "admins" {
			g.Origin.Account = "444455556666"
		}
	}
	r := control.Run(trace.New(e), []*control.Control{adminsFew}, controltest.Now, nil)[0]
	certain := 0
	if r.Verdict != finding.Pass {
		t.Errorf("one administrator and one that may be are few: %v (%s)", r.Verdict, r.Why)
	}
	check := control.Each(estate.Accounts, func(s *control.Subject, a *estate.Account) {
		admins, unclear, _ := administrators(s, a.Origin.Account)
		certain = len(admins)
		if len(unclear) != 1 || unclear[0].why != "group admins was not read" {
			t.Errorf("unclear are %+v", unclear)
		}
	}, estate.Users.Kind, estate.Groups.Kind, estate.IAMRoles.Kind, estate.ManagedPolicies.Kind)
	control.Run(trace.New(e), []*control.Control{{ID: "test", Severity: control.Low, Check: check}}, controltest.Now, nil)
	if certain != 1 {
		t.Errorf("%d administrators are certain, want the role", certain)
	}
}
