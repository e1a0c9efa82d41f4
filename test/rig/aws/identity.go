package awsrig

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/inspector2"
	inspectortypes "github.com/aws/aws-sdk-go-v2/service/inspector2/types"
)

// part is a resource within a cluster, which the emulator does not know.
type part struct {
	id   string
	body map[string]any
}

// collection is where a call's resources are: its region and path, without the
// name of one of them.
func collection(c *Call) string {
	path, err := url.PathUnescape(c.Path)
	if err != nil {
		path = c.Path
	}
	return c.Region + path
}

// keep adds what was asked for to the call's collection.
func (d *Double) keep(c *Call, id string, body map[string]any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.memory.parts[collection(c)] = append(d.memory.parts[collection(c)], part{id, body})
}

// all returns the call's collection.
func (d *Double) all(c *Call) []part {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.memory.parts[collection(c)]
}

// oneOf returns the resource that the call names.
func (d *Double) oneOf(c *Call) map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	for in, parts := range d.memory.parts {
		for _, p := range parts {
			if in+"/"+p.id == collection(c) {
				return p.body
			}
		}
	}
	return nil
}

func asked(c *Call) map[string]any {
	var body map[string]any
	if json.Unmarshal(c.Body, &body) != nil || body == nil {
		return map[string]any{}
	}
	body["clusterName"] = strings.Split(c.Path, "/")[2]
	return body
}

func (c *Call) arn(resource string) string {
	return "arn:aws:eks:" + c.Region + ":" + Account + ":" + resource
}

func (d *Double) createAccessEntry(c *Call) *Answer {
	entry := asked(c)
	principal, _ := entry["principalArn"].(string)
	entry["accessEntryArn"] = c.arn(fmt.Sprintf("access-entry/%s/%s", entry["clusterName"], principal[strings.LastIndexByte(principal, ':')+1:]))
	if entry["type"] == nil {
		entry["type"] = "STANDARD"
	}
	d.keep(c, principal, entry)
	return jsonAnswer(map[string]any{"accessEntry": entry})
}

func (d *Double) associateAccessPolicy(c *Call) *Answer {
	policy := asked(c)
	arn, _ := policy["policyArn"].(string)
	d.keep(c, arn, policy)
	return jsonAnswer(map[string]any{"associatedAccessPolicy": policy})
}

func (d *Double) createAddon(c *Call) *Answer {
	addon := asked(c)
	name, _ := addon["addonName"].(string)
	addon["addonArn"] = c.arn(fmt.Sprintf("addon/%s/%s", addon["clusterName"], name))
	addon["status"] = "ACTIVE"
	d.keep(c, name, addon)
	return jsonAnswer(map[string]any{"addon": addon})
}

func (d *Double) createPodIdentity(c *Call) *Answer {
	association := asked(c)
	id := fmt.Sprintf("a-%d", len(d.all(c))+1)
	association["associationId"] = id
	association["associationArn"] = c.arn(fmt.Sprintf("podidentityassociation/%s/%s", association["clusterName"], id))
	d.keep(c, id, association)
	return jsonAnswer(map[string]any{"association": association})
}

// names answers a list by names.
func names(field string) func(*Double, *Call) *Answer {
	return func(d *Double, c *Call) *Answer {
		ids := []string{}
		for _, p := range d.all(c) {
			ids = append(ids, p.id)
		}
		return jsonAnswer(map[string]any{field: ids})
	}
}

// bodies answers a list with all that is known.
func bodies(field string) func(*Double, *Call) *Answer {
	return func(d *Double, c *Call) *Answer {
		out := []map[string]any{}
		for _, p := range d.all(c) {
			out = append(out, p.body)
		}
		return jsonAnswer(map[string]any{field: out})
	}
}

// described answers with one resource.
func described(field string) func(*Double, *Call) *Answer {
	return func(d *Double, c *Call) *Answer {
		body := d.oneOf(c)
		if body == nil {
			return refusal(c, "ResourceNotFoundException")
		}
		return jsonAnswer(map[string]any{field: body})
	}
}

// getCredentialReport adds the root user, whom the emulator leaves out.
func (d *Double) getCredentialReport(c *Call) *Answer {
	answer := d.pass(c)
	var given struct {
		Content string `xml:"GetCredentialReportResult>Content"`
	}
	if answer.Status != http.StatusOK || xml.Unmarshal(answer.Body, &given) != nil {
		return answer
	}
	table, err := base64.StdEncoding.DecodeString(given.Content)
	if err != nil {
		d.fail(c, "the emulator's report is no base64")
		return answer
	}
	header, users, _ := strings.Cut(string(table), "\n")
	const never = "N/A"
	root := map[string]string{
		"user": "<root_account>", "arn": "arn:aws:iam::" + Account + ":root", "user_creation_time": "2020-01-02T03:04:05+00:00",
		"password_enabled": "not_supported", "password_last_used": "2026-03-04T05:06:07+00:00", "password_last_changed": "not_supported", "password_next_rotation": "not_supported",
		"mfa_active": "true", "access_key_1_active": "false", "access_key_2_active": "false",
	}
	var row []string
	for column := range strings.SplitSeq(header, ",") {
		value, found := root[column]
		if !found {
			value = never
		}
		row = append(row, value)
	}
	report := header + "\n" + strings.Join(row, ",") + "\n" + users
	answer.Body = []byte(strings.Replace(string(answer.Body), given.Content, base64.StdEncoding.EncodeToString([]byte(report)), 1))
	return answer
}

func (d *Double) generateLastAccessed(c *Call) *Answer {
	return xmlAnswer(`<GenerateServiceLastAccessedDetailsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GenerateServiceLastAccessedDetailsResult>`+
		`<JobId>%s</JobId></GenerateServiceLastAccessedDetailsResult></GenerateServiceLastAccessedDetailsResponse>`, base64.URLEncoding.EncodeToString([]byte(c.Form.Get("Arn"))))
}

// getLastAccessed says of everybody that S3 was used and EC2 was not.
func (d *Double) getLastAccessed(c *Call) *Answer {
	return xmlAnswer(`<GetServiceLastAccessedDetailsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetServiceLastAccessedDetailsResult>` +
		`<JobStatus>COMPLETED</JobStatus><JobType>SERVICE_LEVEL</JobType><JobCreationDate>2026-11-25T00:00:00Z</JobCreationDate><JobCompletionDate>2026-11-25T00:00:01Z</JobCompletionDate><ServicesLastAccessed>` +
		`<member><ServiceName>Amazon S3</ServiceName><ServiceNamespace>s3</ServiceNamespace><LastAuthenticated>2026-11-01T00:00:00Z</LastAuthenticated></member>` +
		`<member><ServiceName>Amazon EC2</ServiceName><ServiceNamespace>ec2</ServiceNamespace></member>` +
		`</ServicesLastAccessed><IsTruncated>false</IsTruncated></GetServiceLastAccessedDetailsResult></GetServiceLastAccessedDetailsResponse>`)
}

// inspectorStatus says of an account where Inspector was never on that it is
// off; the emulator knows no such account.
func (d *Double) inspectorStatus(c *Call) *Answer {
	answer := d.pass(c)
	var body struct{ Accounts []any }
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &body) != nil || len(body.Accounts) > 0 {
		return answer
	}
	off := map[string]any{"status": "DISABLED"}
	return jsonAnswer(map[string]any{"failedAccounts": []any{}, "accounts": []any{map[string]any{
		"accountId": Account, "state": off, "resourceState": map[string]any{"ec2": off, "ecr": off, "lambda": off},
	}}})
}

// listInspectorFindings answers with a flaw of the image that SeedIdentity
// pushed, where Inspector is on.
func (d *Double) listInspectorFindings(c *Call) *Answer {
	d.mu.Lock()
	digest := d.memory.image
	d.mu.Unlock()
	if digest == "" {
		return jsonAnswer(map[string]any{"findings": []any{}})
	}
	return jsonAnswer(map[string]any{"findings": []any{map[string]any{
		"findingArn": "arn:aws:inspector2:" + c.Region + ":" + Account + ":finding/1", "awsAccountId": Account, "title": "CVE-2026-0001 - openssl", "severity": "CRITICAL", "status": "ACTIVE", "type": "PACKAGE_VULNERABILITY",
		"description": "canary-description", "firstObservedAt": 1793577600, "lastObservedAt": 1795564800,
		"resources": []any{map[string]any{
			"id": "arn:aws:ecr:" + c.Region + ":" + Account + ":repository/shop/web/" + digest, "type": "AWS_ECR_CONTAINER_IMAGE",
			"details": map[string]any{"awsEcrContainerImage": map[string]any{"registry": Account, "repositoryName": "shop/web", "imageHash": digest}},
		}},
		"packageVulnerabilityDetails": map[string]any{"vulnerabilityId": "CVE-2026-0001", "source": "NVD", "vulnerablePackages": []any{
			map[string]any{"name": "openssl", "version": "3.5.0", "fixedInVersion": "3.5.1"},
		}},
	}}})
}

// An Identity names what SeedIdentity made.
type Identity struct {
	Digest   string // of the image
	LastFour string // of eve's access key
}

// SeedIdentity puts people, roles and their policies into the account, lets them
// into the shop's cluster, and pushes an image that scanners find fault with.
func (d *Double) SeedIdentity(t testing.TB, cluster string) *Identity {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), seedTimeout)
	defer cancel()
	b := &builder{TB: t, d: d, ctx: ctx, cfg: d.Config(ctx)}
	out := &Identity{LastFour: b.people()}
	b.access(cluster)
	out.Digest = b.image()
	d.mu.Lock()
	d.memory.image = out.Digest
	d.mu.Unlock()
	return out
}

const readDocument = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::shop+logs/*"}]}`

func (b *builder) people() string {
	client := iam.NewFromConfig(b.cfg)
	policy, err := client.CreatePolicy(b.ctx, &iam.CreatePolicyInput{PolicyName: aws.String("read-logs"), PolicyDocument: aws.String(readDocument)})
	b.must(err, "creating the policy")
	_, err = client.CreateGroup(b.ctx, &iam.CreateGroupInput{GroupName: aws.String("ops")})
	b.must(err, "creating the group")
	_, err = client.AttachGroupPolicy(b.ctx, &iam.AttachGroupPolicyInput{GroupName: aws.String("ops"), PolicyArn: policy.Policy.Arn})
	b.must(err, "attaching the policy")
	_, err = client.CreateUser(b.ctx, &iam.CreateUserInput{UserName: aws.String("eve")})
	b.must(err, "creating the user")
	_, err = client.AddUserToGroup(b.ctx, &iam.AddUserToGroupInput{UserName: aws.String("eve"), GroupName: aws.String("ops")})
	b.must(err, "adding the user to the group")
	_, err = client.CreateLoginProfile(b.ctx, &iam.CreateLoginProfileInput{UserName: aws.String("eve"), Password: aws.String("canary-password-1A!")})
	b.must(err, "giving the user a password")
	key, err := client.CreateAccessKey(b.ctx, &iam.CreateAccessKeyInput{UserName: aws.String("eve")})
	b.must(err, "creating the access key")
	_, err = client.CreateRole(b.ctx, &iam.CreateRoleInput{RoleName: aws.String("orders"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`)})
	b.must(err, "creating the role")
	_, err = client.PutRolePolicy(b.ctx, &iam.PutRolePolicyInput{RoleName: aws.String("orders"), PolicyName: aws.String("read"), PolicyDocument: aws.String(readDocument)})
	b.must(err, "giving the role a policy")
	_, err = client.CreateOpenIDConnectProvider(b.ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://oidc.example.com/shop"), ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: []string{strings.Repeat("0", 40)}})
	b.must(err, "creating the OIDC provider")
	_, err = client.UpdateAccountPasswordPolicy(b.ctx, &iam.UpdateAccountPasswordPolicyInput{
		MinimumPasswordLength: aws.Int32(14), RequireLowercaseCharacters: true, RequireUppercaseCharacters: true, RequireNumbers: true, RequireSymbols: true, PasswordReusePrevention: aws.Int32(24),
	})
	b.must(err, "setting the password policy")
	id := *key.AccessKey.AccessKeyId
	return id[len(id)-4:]
}

func (b *builder) access(cluster string) {
	client := eks.NewFromConfig(b.cfg)
	role := aws.String("arn:aws:iam::" + Account + ":role/orders")
	_, err := client.CreateAccessEntry(b.ctx, &eks.CreateAccessEntryInput{ClusterName: &cluster, PrincipalArn: role, KubernetesGroups: []string{"readers"}})
	b.must(err, "creating the access entry")
	_, err = client.AssociateAccessPolicy(b.ctx, &eks.AssociateAccessPolicyInput{
		ClusterName: &cluster, PrincipalArn: role, PolicyArn: aws.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"),
		AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeNamespace, Namespaces: []string{"shop"}},
	})
	b.must(err, "associating the access policy")
	_, err = client.CreateAddon(b.ctx, &eks.CreateAddonInput{
		ClusterName: &cluster, AddonName: aws.String("vpc-cni"), AddonVersion: aws.String("v1.20.4-eksbuild.1"),
		ConfigurationValues: aws.String(`{"enableNetworkPolicy":"true","env":{"POD_SECURITY_GROUP_ENFORCING_MODE":"strict","OTHER":"canary-value"}}`),
	})
	b.must(err, "creating the add-on")
	_, err = client.CreatePodIdentityAssociation(b.ctx, &eks.CreatePodIdentityAssociationInput{ClusterName: &cluster, Namespace: aws.String("shop"), ServiceAccount: aws.String("orders"), RoleArn: role})
	b.must(err, "creating the pod identity association")
}

// image pushes an image and has it scanned, and returns its digest.
func (b *builder) image() string {
	client := ecr.NewFromConfig(b.cfg)
	_, err := client.PutRegistryScanningConfiguration(b.ctx, &ecr.PutRegistryScanningConfigurationInput{
		ScanType: ecrtypes.ScanTypeEnhanced, Rules: []ecrtypes.RegistryScanningRule{{
			ScanFrequency: ecrtypes.ScanFrequencyContinuousScan, RepositoryFilters: []ecrtypes.ScanningRepositoryFilter{{Filter: aws.String("*"), FilterType: ecrtypes.ScanningRepositoryFilterTypeWildcard}},
		}},
	})
	b.must(err, "configuring scanning")
	_, err = client.CreateRepository(b.ctx, &ecr.CreateRepositoryInput{
		RepositoryName: aws.String("shop/web"), ImageTagMutability: ecrtypes.ImageTagMutabilityImmutable, ImageScanningConfiguration: &ecrtypes.ImageScanningConfiguration{ScanOnPush: true},
	})
	b.must(err, "creating the repository")
	digest := ""
	for _, tag := range []string{"v1", "v2"} {
		pushed, err := client.PutImage(b.ctx, &ecr.PutImageInput{RepositoryName: aws.String("shop/web"), ImageTag: &tag, ImageManifest: aws.String(
			`{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":7023,"digest":"sha256:` + strings.Repeat(tag[1:], 64) +
				`"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":1,"digest":"sha256:` + strings.Repeat(tag[1:], 64) + `"}]}`)})
		b.must(err, "pushing the image")
		digest = *pushed.Image.ImageId.ImageDigest
	}
	_, err = client.StartImageScan(b.ctx, &ecr.StartImageScanInput{RepositoryName: aws.String("shop/web"), ImageId: &ecrtypes.ImageIdentifier{ImageDigest: &digest}})
	b.must(err, "scanning the image")
	_, err = inspector2.NewFromConfig(b.cfg).Enable(b.ctx, &inspector2.EnableInput{
		AccountIds: []string{Account}, ResourceTypes: []inspectortypes.ResourceScanType{inspectortypes.ResourceScanTypeEc2, inspectortypes.ResourceScanTypeEcr},
	})
	b.must(err, "enabling Inspector")
	return digest
}
