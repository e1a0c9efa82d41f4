package aws

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

// fakeIAM is an account of two users, a group, two roles and two policies, in
// two pages.
type fakeIAM struct {
	iamAPI
	deny    string // the operation that is refused
	pending int    // how often a report or job is not ready yet; -1 for ever

	asked   atomic.Int32 // for reports
	ordered atomic.Int32 // jobs
}

const allow = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::a+b/*"}]}`

func (f *fakeIAM) refuse(operation string) error {
	if f.deny == operation || f.deny == "*" {
		return refused("IAM", operation, "AccessDenied")
	}
	return nil
}

func (f *fakeIAM) GetAccountAuthorizationDetails(_ context.Context, in *iam.GetAccountAuthorizationDetailsInput, _ ...func(*iam.Options)) (*iam.GetAccountAuthorizationDetailsOutput, error) {
	if err := f.refuse("GetAccountAuthorizationDetails"); err != nil {
		return nil, err
	}
	document := awssdk.String(strings.ReplaceAll(url.QueryEscape(allow), "+", "%20"))
	day := awssdk.Time(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if in.Marker == nil {
		return &iam.GetAccountAuthorizationDetailsOutput{
			IsTruncated: true, Marker: awssdk.String("2"),
			UserDetailList: []iamtypes.UserDetail{
				{Arn: awssdk.String(iamARN + "user/eve"), UserName: awssdk.String("eve"), Path: awssdk.String("/"), CreateDate: day, GroupList: []string{"ops", "dev"}},
				{Arn: awssdk.String(iamARN + "user/new"), UserName: awssdk.String("new"), Path: awssdk.String("/"), UserPolicyList: []iamtypes.PolicyDetail{{PolicyName: awssdk.String("odd"), PolicyDocument: awssdk.String("%7Bcanary")}}},
			},
			Policies: []iamtypes.ManagedPolicyDetail{
				{Arn: awssdk.String("arn:aws:iam::aws:policy/Unused"), AttachmentCount: awssdk.Int32(0)},
				{Arn: awssdk.String("arn:aws:iam::aws:policy/ReadOnlyAccess"), PolicyName: awssdk.String("ReadOnlyAccess"), AttachmentCount: awssdk.Int32(1), PolicyVersionList: []iamtypes.PolicyVersion{
					{Document: awssdk.String("%7B%22old%22%3A1%7D")}, {Document: document, IsDefaultVersion: true},
				}},
			},
		}, nil
	}
	return &iam.GetAccountAuthorizationDetailsOutput{
		GroupDetailList: []iamtypes.GroupDetail{{Arn: awssdk.String(iamARN + "group/ops"), GroupName: awssdk.String("ops"), AttachedManagedPolicies: []iamtypes.AttachedPolicy{{PolicyArn: awssdk.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}}}},
		RoleDetailList: []iamtypes.RoleDetail{
			{Arn: awssdk.String(iamARN + "role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"), RoleName: awssdk.String("AWSServiceRoleForAmazonEKS"), Path: awssdk.String("/aws-service-role/eks.amazonaws.com/")},
			{
				Arn: awssdk.String(iamARN + "role/orders"), RoleName: awssdk.String("orders"), Path: awssdk.String("/"), CreateDate: day, AssumeRolePolicyDocument: document,
				RolePolicyList:      []iamtypes.PolicyDetail{{PolicyName: awssdk.String("read"), PolicyDocument: document}},
				PermissionsBoundary: &iamtypes.AttachedPermissionsBoundary{PermissionsBoundaryArn: awssdk.String("arn:aws:iam::aws:policy/ReadOnlyAccess")},
			},
		},
	}, nil
}

const iamARN = "arn:aws:iam::111122223333:"

func (f *fakeIAM) GenerateCredentialReport(context.Context, *iam.GenerateCredentialReportInput, ...func(*iam.Options)) (*iam.GenerateCredentialReportOutput, error) {
	if err := f.refuse("GenerateCredentialReport"); err != nil {
		return nil, err
	}
	if n := f.asked.Add(1); f.pending < 0 || int(n) <= f.pending {
		return &iam.GenerateCredentialReportOutput{State: iamtypes.ReportStateTypeInprogress}, nil
	}
	return &iam.GenerateCredentialReportOutput{State: iamtypes.ReportStateTypeComplete}, nil
}

const report = `user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,column_of_tomorrow
<root_account>,arn:aws:iam::111122223333:root,2020-01-01T00:00:00+00:00,not_supported,2026-05-01T00:00:00+00:00,not_supported,not_supported,true,true,2020-01-02T00:00:00+00:00,2026-06-01T00:00:00+00:00,false,N/A,N/A,x
eve,arn:aws:iam::111122223333:user/eve,2026-01-02T03:04:05+00:00,true,no_information,2026-01-02T03:04:05+00:00,N/A,false,true,2026-01-03T00:00:00+00:00,2026-02-01T00:00:00+00:00,false,2026-01-04T00:00:00+00:00,N/A,x
`

func (f *fakeIAM) GetCredentialReport(context.Context, *iam.GetCredentialReportInput, ...func(*iam.Options)) (*iam.GetCredentialReportOutput, error) {
	return &iam.GetCredentialReportOutput{Content: []byte(report)}, f.refuse("GetCredentialReport")
}

func (f *fakeIAM) ListMFADevices(_ context.Context, in *iam.ListMFADevicesInput, _ ...func(*iam.Options)) (*iam.ListMFADevicesOutput, error) {
	return &iam.ListMFADevicesOutput{MFADevices: []iamtypes.MFADevice{{SerialNumber: awssdk.String("mfa/" + *in.UserName)}}}, f.refuse("ListMFADevices")
}

func (f *fakeIAM) ListAccessKeys(_ context.Context, in *iam.ListAccessKeysInput, _ ...func(*iam.Options)) (*iam.ListAccessKeysOutput, error) {
	if err := f.refuse("ListAccessKeys"); err != nil || *in.UserName != "eve" {
		return &iam.ListAccessKeysOutput{}, err
	}
	return &iam.ListAccessKeysOutput{AccessKeyMetadata: []iamtypes.AccessKeyMetadata{
		{AccessKeyId: awssdk.String("AKIACANARYCANARY0001"), Status: iamtypes.StatusTypeActive, CreateDate: awssdk.Time(time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC))},
		{AccessKeyId: awssdk.String("AKIACANARYCANARY0002"), Status: iamtypes.StatusTypeInactive, CreateDate: awssdk.Time(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))},
	}}, nil
}

func (f *fakeIAM) GetAccountSummary(context.Context, *iam.GetAccountSummaryInput, ...func(*iam.Options)) (*iam.GetAccountSummaryOutput, error) {
	return &iam.GetAccountSummaryOutput{SummaryMap: map[string]int32{"AccountMFAEnabled": 0, "AccountAccessKeysPresent": 0}}, f.refuse("GetAccountSummary")
}

func (f *fakeIAM) GetAccountPasswordPolicy(context.Context, *iam.GetAccountPasswordPolicyInput, ...func(*iam.Options)) (*iam.GetAccountPasswordPolicyOutput, error) {
	if err := f.refuse("GetAccountPasswordPolicy"); err != nil {
		return nil, err
	}
	return nil, refused("IAM", "GetAccountPasswordPolicy", "NoSuchEntity")
}

func (f *fakeIAM) ListSAMLProviders(context.Context, *iam.ListSAMLProvidersInput, ...func(*iam.Options)) (*iam.ListSAMLProvidersOutput, error) {
	return &iam.ListSAMLProvidersOutput{SAMLProviderList: []iamtypes.SAMLProviderListEntry{{Arn: awssdk.String(iamARN + "saml-provider/okta")}}}, f.refuse("ListSAMLProviders")
}

func (f *fakeIAM) GenerateServiceLastAccessedDetails(_ context.Context, in *iam.GenerateServiceLastAccessedDetailsInput, _ ...func(*iam.Options)) (*iam.GenerateServiceLastAccessedDetailsOutput, error) {
	f.ordered.Add(1)
	return &iam.GenerateServiceLastAccessedDetailsOutput{JobId: in.Arn}, f.refuse("GenerateServiceLastAccessedDetails")
}

func (f *fakeIAM) GetServiceLastAccessedDetails(_ context.Context, in *iam.GetServiceLastAccessedDetailsInput, _ ...func(*iam.Options)) (*iam.GetServiceLastAccessedDetailsOutput, error) {
	if err := f.refuse("GetServiceLastAccessedDetails"); err != nil {
		return nil, err
	}
	out := &iam.GetServiceLastAccessedDetailsOutput{JobStatus: iamtypes.JobStatusTypeCompleted, JobCreationDate: awssdk.Time(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))}
	switch {
	case strings.HasSuffix(*in.JobId, "/new"):
		return &iam.GetServiceLastAccessedDetailsOutput{JobStatus: iamtypes.JobStatusTypeFailed, Error: &iamtypes.ErrorDetails{Code: awssdk.String("SERVICE_ERROR"), Message: awssdk.String("canary")}}, nil
	case f.pending != 0 && int(f.asked.Add(1)) <= f.pending:
		return &iam.GetServiceLastAccessedDetailsOutput{JobStatus: iamtypes.JobStatusTypeInProgress}, nil
	case in.Marker == nil:
		out.IsTruncated, out.Marker = true, awssdk.String("2")
		out.ServicesLastAccessed = []iamtypes.ServiceLastAccessed{{ServiceNamespace: awssdk.String("s3"), LastAuthenticated: awssdk.Time(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))}}
	default:
		out.ServicesLastAccessed = []iamtypes.ServiceLastAccessed{{ServiceNamespace: awssdk.String("ec2")}}
	}
	return out, nil
}

func globalReader(c *clients, skip ...Group) *reader {
	r := readerOf(c)
	r.session.options.Skip = skip
	return r.session.reader("global", "", globalKinds())
}

// encoded is one kind of an estate as JSON.
func encoded(t *testing.T, e *estate.Estate, kind estate.Kind) string {
	t.Helper()
	info, err := estate.KindOf(kind)
	if err != nil {
		t.Fatal(err)
	}
	data, err := info.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestIdentities(t *testing.T) {
	api := &fakeIAM{}
	r := globalReader(&clients{iam: api})
	r.readIdentities(t.Context())
	r.readAccount(t.Context())
	e := r.result()
	if n := api.asked.Load(); n != 1 {
		t.Errorf("the report was asked for %d times", n)
	}

	users := estate.Users.In(e)
	if len(users) != 2 || users[0].UserName != "eve" || !slices.Equal(users[0].Groups, []string{"dev", "ops"}) {
		t.Fatalf("users are %s", encoded(t, e, estate.Users.Kind))
	}
	eve, newcomer := users[0], users[1]
	if on, known := eve.ConsoleAccess.Get(); !on || !known {
		t.Error("eve's password is lost")
	}
	if used, known := eve.PasswordLastUsed.Get(); !known || !used.IsZero() {
		t.Errorf("a password that nobody used was last used %s, known %v", used, known)
	}
	if devices, known := eve.MFADevices.Get(); !known || len(devices) != 0 {
		t.Errorf("eve's devices are %q, known %v", devices, known)
	}
	day := func(month time.Month, day int) estate.Optional[time.Time] {
		return estate.Known(time.Date(2026, month, day, 0, 0, 0, 0, time.UTC))
	}
	keys := []estate.AccessKey{
		{Id: "0001", Status: "Active", CreateDate: day(1, 3), LastUsed: day(2, 1)},
		// The report says of it when it was switched off: no match.
		{Id: "0002", Status: "Inactive", CreateDate: day(1, 1)},
	}
	if got, _ := eve.AccessKeys.Get(); !slices.Equal(got, keys) {
		t.Errorf("eve's keys are %+v", got)
	}
	// Who is newer than the report is asked for.
	if devices, _ := newcomer.MFADevices.Get(); !slices.Equal(devices, []string{"mfa/new"}) || newcomer.ConsoleAccess != (estate.Optional[bool]{}) {
		t.Errorf("the newcomer is %+v", newcomer)
	}
	if _, known := newcomer.Policies.Get(); known {
		t.Error("policies of which one cannot be read are known")
	}

	role := estate.IAMRoles.In(e)[1]
	if role.AssumeRolePolicyDocument.Or("") != allow || role.Policies.Or(nil)[0].PolicyDocument != allow {
		t.Errorf("documents are %+v", role)
	}
	if used, known := role.LastUsed.Get(); !known || !used.IsZero() {
		t.Error("a role that nobody used is not known to be so")
	}
	policies := estate.ManagedPolicies.In(e)
	if len(policies) != 1 || policies[0].PolicyDocument.Or("") != allow {
		t.Errorf("policies are %s", encoded(t, e, estate.ManagedPolicies.Kind))
	}

	account := estate.Accounts.In(e)[0]
	if mfa, known := account.RootMFA.Get(); mfa || !known {
		t.Error("the summary, which is newer, does not win over the report")
	}
	if !account.RootAccessKeys.Or(false) {
		t.Error("the root user's key is lost")
	}
	if used, _ := account.RootLastUsed.Get(); used.Month() != time.June {
		t.Errorf("the root user was last seen %s", used)
	}
	if policy, known := account.PasswordPolicy.Get(); !known || policy != (estate.PasswordPolicy{}) {
		t.Error("no password policy is not known to be none")
	}
	for _, kind := range globalOnly {
		if text := encoded(t, e, kind); strings.Contains(text, "canary") || strings.Contains(text, "CANARY") {
			t.Errorf("%s holds a secret: %s", kind, text)
		}
	}
	want := []estate.Problem{{What: "reading policies: a document is no JSON"}}
	if diff := cmp.Diff(want, e.Sources[0].Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestIdentitiesDenied(t *testing.T) {
	for operation, want := range map[string]string{
		"GetAccountAuthorizationDetails": "User denied, Group denied, IAMRole denied, ManagedPolicy denied, ServiceLastAccessed denied",
		"GetAccountSummary":              "Account denied",
		"GenerateCredentialReport":       "reading the credential report: not allowed to call iam:GenerateCredentialReport",
		"GetCredentialReport":            "reading the credential report: not allowed to call iam:GetCredentialReport",
		"ListAccessKeys":                 "reading IDs of access keys: not allowed to call iam:ListAccessKeys (2 times)",
		"GetAccountPasswordPolicy":       "reading the password policy: not allowed to call iam:GetAccountPasswordPolicy",
		"*":                              "Account denied, User denied, Group denied, IAMRole denied, ManagedPolicy denied, ServiceLastAccessed denied, reading SAML providers",
	} {
		t.Run(operation, func(t *testing.T) {
			r := globalReader(&clients{iam: &fakeIAM{deny: operation}})
			r.readIdentities(t.Context())
			r.readAccount(t.Context())
			e := r.result()
			var got []string
			for _, c := range e.Sources[0].Coverage {
				if c.State != estate.Read {
					got = append(got, string(c.Kind)+" "+string(c.State))
				}
			}
			for _, p := range e.Sources[0].Problems {
				got = append(got, p.What)
			}
			for part := range strings.SplitSeq(want, ", ") {
				if !strings.Contains(strings.Join(got, ", "), part) {
					t.Errorf("got %q, want %q", got, part)
				}
			}
			if operation == "*" && len(estate.Accounts.In(e)) > 0 {
				t.Error("an account of which nothing is known is shown")
			}
			if strings.Contains(operation, "CredentialReport") {
				eve := estate.Users.In(e)[0]
				if devices, known := eve.MFADevices.Get(); !known || !slices.Equal(devices, []string{"mfa/eve"}) {
					t.Errorf("without the report eve's devices are %q", devices)
				}
				if keys, known := eve.AccessKeys.Get(); !known || len(keys) != 2 || !keys[0].LastUsed.IsZero() {
					t.Errorf("without the report eve's keys are %+v", keys)
				}
			}
		})
	}
}

func TestReportIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeIAM{pending: 3}
		start := time.Now()
		users, err := fetchReport(t.Context(), api)
		if err != nil || len(users) != 2 {
			t.Fatalf("got %d rows, %v", len(users), err)
		}
		if waited := time.Since(start); waited != 3500*time.Millisecond {
			t.Errorf("it waited %s, want 0.5 s, 1 s and 2 s", waited)
		}

		_, err = fetchReport(t.Context(), &fakeIAM{pending: -1})
		if state, why := explain(err); state != estate.Unavailable || why != "iam:GenerateCredentialReport has nothing ready after 2m0s" {
			t.Errorf("got %s, %q", state, why)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err = fetchReport(ctx, &fakeIAM{pending: -1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled, it says %v", err)
		}
	})
}

func TestLastAccessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := globalReader(&clients{iam: &fakeIAM{pending: 2}})
		r.readLastAccessed(t.Context())
		e := r.result()
		got := map[string]string{}
		for _, x := range estate.LastAccessed.In(e) {
			since := "?"
			if at, known := x.Since.Get(); known {
				since = at.Format(time.DateOnly)
			}
			for _, s := range x.Services {
				since += " " + s.Namespace + "=" + s.LastAuthenticated.Or(time.Time{}).Format(time.DateOnly)
			}
			got[x.PrincipalArn] = since
		}
		// The service-linked role is AWS's to use; the newcomer's job fails.
		want := map[string]string{
			iamARN + "user/eve":    "2026-01-02 ec2=0001-01-01 s3=2026-11-01",
			iamARN + "role/orders": "2026-01-02 ec2=0001-01-01 s3=2026-11-01",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("services (-want +got):\n%s", diff)
		}
		c := e.Coverage(estate.LastAccessed.Kind)
		if c.State != estate.Unavailable || c.Why != "iam:GetServiceLastAccessedDetails answered SERVICE_ERROR" {
			t.Errorf("coverage is %+v", c)
		}
	})
}

func TestLastAccessedStopsWhenRefused(t *testing.T) {
	api := &fakeIAM{deny: "GenerateServiceLastAccessedDetails"}
	r := globalReader(&clients{iam: api})
	r.readLastAccessed(t.Context())
	if n := api.ordered.Load(); n != 1 {
		t.Errorf("it asked %d times", n)
	}
	if c := r.result().Coverage(estate.LastAccessed.Kind); c.State != estate.Denied {
		t.Errorf("coverage is %+v", c)
	}
}

func TestSkip(t *testing.T) {
	r := globalReader(&clients{}, SkipLastAccessed, SkipFindings)
	for _, p := range append(r.identityParts(), r.registryParts("")...) {
		if p.what == "services last used" || p.what == "image scans" {
			t.Errorf("%s is read", p.what)
		}
	}
	e := r.result()
	if c := e.Coverage(estate.LastAccessed.Kind); c.State != estate.NotAsked || c.Why != "left out by --skip last-accessed" {
		t.Errorf("coverage is %+v", c)
	}
	if c := e.Coverage(estate.Users.Kind); c.State != estate.Read {
		t.Errorf("users are left out too: %+v", c)
	}
	for _, g := range Groups() {
		if len(groupKinds[g]) == 0 {
			t.Errorf("group %s leaves nothing out", g)
		}
	}
}

// pagedAccess is a cluster with two pages of access entries.
type pagedAccess struct {
	eksAPI
	deny bool
}

func (pagedAccess) ListAccessEntries(_ context.Context, in *eks.ListAccessEntriesInput, _ ...func(*eks.Options)) (*eks.ListAccessEntriesOutput, error) {
	if *in.ClusterName != "shop" {
		return nil, refused("EKS", "ListAccessEntries", "InvalidRequestException")
	}
	n, _ := strconv.Atoi(awssdk.ToString(in.NextToken))
	out := &eks.ListAccessEntriesOutput{AccessEntries: []string{iamARN + "role/r" + strconv.Itoa(n)}}
	if n == 0 {
		out.NextToken = awssdk.String("1")
	}
	return out, nil
}

func (pagedAccess) DescribeAccessEntry(_ context.Context, in *eks.DescribeAccessEntryInput, _ ...func(*eks.Options)) (*eks.DescribeAccessEntryOutput, error) {
	return &eks.DescribeAccessEntryOutput{AccessEntry: &ekstypes.AccessEntry{
		AccessEntryArn: awssdk.String("arn:entry/" + *in.PrincipalArn), ClusterName: in.ClusterName, PrincipalArn: in.PrincipalArn, KubernetesGroups: []string{"b", "a"}, Type: awssdk.String("STANDARD"),
	}}, nil
}

func (f pagedAccess) ListAssociatedAccessPolicies(context.Context, *eks.ListAssociatedAccessPoliciesInput, ...func(*eks.Options)) (*eks.ListAssociatedAccessPoliciesOutput, error) {
	if f.deny {
		return nil, refused("EKS", "ListAssociatedAccessPolicies", "AccessDeniedException")
	}
	return &eks.ListAssociatedAccessPoliciesOutput{AssociatedAccessPolicies: []ekstypes.AssociatedAccessPolicy{
		{PolicyArn: awssdk.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"), AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeNamespace, Namespaces: []string{"shop"}}},
	}}, nil
}

func TestAccessEntries(t *testing.T) {
	for _, deny := range []bool{false, true} {
		r := readerOf(&clients{eks: pagedAccess{deny: deny}})
		old := &estate.Cluster{Name: "old", AccessConfig: estate.AccessConfig{AuthenticationMode: estate.Known("CONFIG_MAP")}}
		r.clusters = []*estate.Cluster{{Name: "shop"}, old}
		r.readAccess(t.Context())
		e := r.result()
		entries := estate.AccessEntries.In(e)
		if c := e.Coverage(estate.AccessEntries.Kind); c.State != estate.Read || len(entries) != 2 {
			t.Fatalf("coverage is %+v", c)
		}
		policies, known := entries[1].AccessPolicies.Get()
		if known == deny || !deny && (len(policies) != 1 || policies[0].AccessScope.Type != "namespace") {
			t.Errorf("policies are %+v, known %v", policies, known)
		}
		if entries[1].PrincipalArn != iamARN+"role/r1" || !slices.Equal(entries[1].KubernetesGroups, []string{"a", "b"}) {
			t.Errorf("got %+v", entries[1])
		}
		if n := len(e.Sources[0].Problems); deny != (n == 1) {
			t.Errorf("%d problems", n)
		}
	}
}

func TestAddonConfiguration(t *testing.T) {
	r := readerOf(nil)
	a := r.addon(&ekstypes.Addon{AddonName: awssdk.String("vpc-cni"), ConfigurationValues: awssdk.String("enableNetworkPolicy: 'true'\nenv: {X: canary}")})
	if a.EnableNetworkPolicy != estate.Known(true) || a.PodSecurityGroupEnforcingMode != estate.Known("") {
		t.Errorf("got %+v", a)
	}
	a = r.addon(&ekstypes.Addon{AddonName: awssdk.String("vpc-cni"), ConfigurationValues: awssdk.String("env: [canary]")})
	if !a.EnableNetworkPolicy.IsZero() || !a.PodSecurityGroupEnforcingMode.IsZero() {
		t.Errorf("got %+v", a)
	}
	want := []estate.Problem{{What: "reading the configuration of the add-on vpc-cni: it is not as its schema says"}}
	if got := r.result().Sources[0].Problems; !slices.Equal(got, want) {
		t.Errorf("problems are %v", got)
	}
}

func FuzzCredentialReport(f *testing.F) {
	f.Add([]byte(report))
	f.Add([]byte("user,arn\n\"<root_account>"))
	f.Fuzz(func(t *testing.T, in []byte) {
		users, err := parseReport(in)
		if err != nil && users != nil {
			t.Error("a table that cannot be read has rows")
		}
	})
}
