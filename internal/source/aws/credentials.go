package aws

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksafe/eksafe/internal/estate"
)

// rootUser is what the credential report calls the root user.
const rootUser = "<root_account>"

// A credentialReport is what IAM knows of passwords, MFA devices and access
// keys: in one table for all users, but up to four hours old.
type credentialReport struct {
	users map[string]credentials // by ARN, but the root user by rootUser
}

// credentials are one row of the report. A time that is known and zero is
// never.
type credentials struct {
	password        estate.Optional[bool]
	passwordUsed    estate.Optional[time.Time]
	passwordChanged estate.Optional[time.Time]
	mfa             estate.Optional[bool]
	keys            estate.Optional[[]estate.AccessKey]
}

// readReport makes IAM write the report, waits for it, and reads it.
func (r *reader) readReport(ctx context.Context) *credentialReport {
	return r.report.get(func() *credentialReport {
		users, err := fetchReport(ctx, r.sdk.iam)
		if err != nil {
			r.blind(err, "the credential report")
		}
		return &credentialReport{users}
	})
}

func fetchReport(ctx context.Context, api iamAPI) (map[string]credentials, error) {
	err := poll(ctx, iam.ServiceID, "GenerateCredentialReport", func() (bool, error) {
		out, err := api.GenerateCredentialReport(ctx, &iam.GenerateCredentialReportInput{})
		return err == nil && out.State == iamtypes.ReportStateTypeComplete, err
	})
	if err != nil {
		return nil, err
	}
	out, err := api.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})
	if err != nil {
		return nil, err
	}
	users, err := parseReport(out.Content)
	if err != nil {
		return nil, failedCall(iam.ServiceID, "GetCredentialReport", codeError("NoCredentialReport"))
	}
	return users, nil
}

// parseReport reads the table. Columns are found by name: AWS adds new ones.
func parseReport(content []byte) (map[string]credentials, error) {
	rows := csv.NewReader(bytes.NewReader(content))
	rows.FieldsPerRecord = -1
	header, err := rows.Read()
	if err != nil {
		return nil, err
	}
	column := map[string]int{}
	for i, name := range header {
		column[name] = i
	}
	if _, found := column["arn"]; !found {
		return nil, errors.New("the table has no column arn")
	}
	out := map[string]credentials{}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		cell := func(name string) string {
			if i, found := column[name]; found && i < len(row) {
				return row[i]
			}
			return ""
		}
		name := cell("arn")
		if cell("user") == rootUser {
			name = rootUser
		}
		out[name] = credentials{
			password:        reportBool(cell("password_enabled")),
			passwordUsed:    reportTime(cell("password_last_used")),
			passwordChanged: reportTime(cell("password_last_changed")),
			mfa:             reportBool(cell("mfa_active")),
			keys:            reportKeys(cell),
		}
	}
}

func reportKeys(cell func(string) string) estate.Optional[[]estate.AccessKey] {
	keys := []estate.AccessKey{}
	for _, column := range []string{"access_key_1_", "access_key_2_"} {
		active, known := reportBool(cell(column + "active")).Get()
		if !known {
			return estate.Optional[[]estate.AccessKey]{}
		}
		created := reportTime(cell(column + "last_rotated"))
		if !active && created.Or(time.Time{}).IsZero() {
			continue // there is none
		}
		key := estate.AccessKey{Status: "Inactive", LastUsed: reportTime(cell(column + "last_used_date"))}
		if active {
			key.Status = "Active"
		}
		if !created.Or(time.Time{}).IsZero() {
			key.CreateDate = created
		}
		keys = append(keys, key)
	}
	return estate.Known(keys)
}

func reportBool(cell string) estate.Optional[bool] {
	switch strings.ToUpper(cell) {
	case "TRUE":
		return estate.Known(true)
	case "FALSE":
		return estate.Known(false)
	}
	return estate.Optional[bool]{}
}

func reportTime(cell string) estate.Optional[time.Time] {
	switch cell {
	case "N/A", "no_information":
		return estate.Known(time.Time{})
	}
	t, err := time.Parse(time.RFC3339, cell)
	if err != nil {
		return estate.Optional[time.Time]{}
	}
	return estate.Known(t.UTC())
}

func anyActive(keys []estate.AccessKey) bool {
	for _, k := range keys {
		if k.Status == "Active" {
			return true
		}
	}
	return false
}

// lastUsed is when password or keys were last used, unknown if one is.
func (c credentials) lastUsed(keys []estate.AccessKey) estate.Optional[time.Time] {
	last, known := c.passwordUsed.Get()
	if !known {
		return estate.Optional[time.Time]{}
	}
	for _, k := range keys {
		used, known := k.LastUsed.Get()
		if !known {
			return estate.Optional[time.Time]{}
		}
		if used.After(last) {
			last = used
		}
	}
	return estate.Known(last)
}

// addCredentials says how users can sign in. Who is not in the report, because
// it is denied or because the user is newer, is asked for.
func (r *reader) addCredentials(ctx context.Context, users []*estate.User) {
	report := r.readReport(ctx)
	each(ctx, users, func(ctx context.Context, u *estate.User) {
		row, found := report.users[u.Arn]
		u.ConsoleAccess, u.PasswordLastUsed, u.PasswordLastChanged = row.password, row.passwordUsed, row.passwordChanged
		if mfa, known := row.mfa.Get(); known {
			devices := []string{}
			if mfa {
				devices = append(devices, estate.UnnamedMFADevice)
			}
			u.MFADevices = estate.Known(devices)
		} else {
			r.readMFADevices(ctx, u)
		}
		if reported, known := row.keys.Get(); found && known && len(reported) == 0 {
			u.AccessKeys = row.keys
			return
		}
		r.readAccessKeys(ctx, u, row.keys)
	})
}

func (r *reader) readMFADevices(ctx context.Context, u *estate.User) {
	devices := []string{}
	err := pages(ctx, iam.NewListMFADevicesPaginator(r.sdk.iam, &iam.ListMFADevicesInput{UserName: &u.UserName}), func(p *iam.ListMFADevicesOutput) {
		for _, d := range p.MFADevices {
			devices = append(devices, text(d.SerialNumber))
		}
	})
	switch {
	case err == nil:
		u.MFADevices = estate.Known(list(devices))
	case classify(err) != notFound:
		r.blind(err, "MFA devices of users")
	}
}

// readAccessKeys reads the keys of a user, of which the report has no ID and
// only the report knows the last use.
func (r *reader) readAccessKeys(ctx context.Context, u *estate.User, reported estate.Optional[[]estate.AccessKey]) {
	var keys []estate.AccessKey
	err := pages(ctx, iam.NewListAccessKeysPaginator(r.sdk.iam, &iam.ListAccessKeysInput{UserName: &u.UserName}), func(p *iam.ListAccessKeysOutput) {
		for _, k := range p.AccessKeyMetadata {
			keys = append(keys, estate.AccessKey{Id: lastFour(text(k.AccessKeyId)), Status: string(k.Status), CreateDate: opt(k.CreateDate)})
		}
	})
	if err != nil {
		u.AccessKeys = reported
		if classify(err) != notFound {
			r.blind(err, "IDs of access keys")
		}
		return
	}
	u.AccessKeys = estate.Known(withUse(keys, reported.Or(nil)))
}

// withUse adds to keys when they were last used, of the reported key that was
// made at the same time. The report's time is that of the last change, so a key
// that was changed has no match, unless there is but one.
func withUse(keys, reported []estate.AccessKey) []estate.AccessKey {
	if len(keys) == 1 && len(reported) == 1 {
		keys[0].LastUsed = reported[0].LastUsed
		return keys
	}
	out := append([]estate.AccessKey{}, keys...)
	for i, k := range out {
		created, known := k.CreateDate.Get()
		for _, x := range reported {
			if at, found := x.CreateDate.Get(); known && found && at.Truncate(time.Second).Equal(created.Truncate(time.Second)) {
				out[i].LastUsed = x.LastUsed
			}
		}
	}
	return out
}

func lastFour(id string) string {
	if len(id) < 8 {
		return "" // it would be most of it
	}
	return id[len(id)-4:]
}
