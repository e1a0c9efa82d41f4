package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
)

// An ASFF is one finding in the AWS Security Finding Format, as far as we fill
// it. The names are those of BatchImportFindings.
type ASFF struct {
	SchemaVersion         string
	ID                    string `json:"Id"`
	ProductArn            string
	ProductName           string
	CompanyName           string
	Region                string
	GeneratorID           string `json:"GeneratorId"`
	AwsAccountID          string `json:"AwsAccountId"`
	Types                 []string
	CreatedAt             string
	UpdatedAt             string
	Severity              ASFFSeverity
	Title                 string
	Description           string
	Remediation           ASFFRemediation
	ProductFields         map[string]string
	Resources             []ASFFResource
	Compliance            ASFFCompliance
	Workflow              ASFFWorkflow
	RecordState           string
	FindingProviderFields ASFFProviderFields
}

// The parts of an [ASFF].
type (
	ASFFSeverity    struct{ Label string }
	ASFFWorkflow    struct{ Status string }
	ASFFRemediation struct{ Recommendation ASFFRecommendation }
	// ASFFRecommendation is how to mend.
	ASFFRecommendation struct {
		Text string
		URL  string `json:"Url,omitempty"`
	}
	ASFFResource struct {
		Type      string
		ID        string `json:"Id"`
		Partition string `json:",omitempty"`
		Region    string `json:",omitempty"`
	}
	ASFFCompliance struct {
		Status              string
		RelatedRequirements []string `json:",omitempty"`
	}
	// ASFFProviderFields are what a provider may change of a finding that
	// people already work on.
	ASFFProviderFields struct {
		Severity ASFFSeverity
		Types    []string
	}
)

// The bounds of AwsSecurityFinding, in characters.
const (
	maxASFFID          = 512
	maxASFFTitle       = 256
	maxASFFDescription = 1024
	maxASFFFix         = 512
	maxASFFField       = 1024
	maxASFFRequirement = 64
	maxASFFSections    = 32
)

// ASFFGenerator is what the GeneratorId of every finding of ours begins with.
const ASFFGenerator = Tool + "/"

// Fields of ProductFields that say what a finding is about.
const (
	ASFFControl     = Tool + "/Control"
	ASFFFingerprint = Tool + "/Fingerprint"
	ASFFEstate      = Tool + "/Estate"
)

var asffLabels = map[finding.Severity]string{
	finding.Low: "LOW", finding.Medium: "MEDIUM", finding.High: "HIGH", finding.Critical: "CRITICAL",
}

// asffTypes are the resource types of ASFF for the kinds that it knows; all
// others are "Other".
var asffTypes = map[estate.Kind]string{
	"Cluster": "AwsEksCluster", "Instance": "AwsEc2Instance", "LaunchTemplate": "AwsEc2LaunchTemplate",
	"Certificate": "AwsCertificateManagerCertificate", "WebACL": "AwsWafv2WebAcl", "RuleGroup": "AwsWafv2RuleGroup",
	"Distribution": "AwsCloudFrontDistribution", "VPC": "AwsEc2Vpc", "Subnet": "AwsEc2Subnet", "RouteTable": "AwsEc2RouteTable",
	"SecurityGroup": "AwsEc2SecurityGroup", "NetworkAcl": "AwsEc2NetworkAcl", "Volume": "AwsEc2Volume", "Key": "AwsKmsKey",
	"Bucket": "AwsS3Bucket", "User": "AwsIamUser", "Group": "AwsIamGroup", "IAMRole": "AwsIamRole", "ManagedPolicy": "AwsIamPolicy",
	"Repository": "AwsEcrRepository", "GuardDutyDetector": "AwsGuardDutyDetector", "Alarm": "AwsCloudWatchAlarm", "Topic": "AwsSnsTopic",
	"Trail": "AwsCloudTrailTrail", "KafkaCluster": "AwsMskCluster", "OpenSearchDomain": "AwsOpenSearchServiceDomain", "HostedZone": "AwsRoute53HostedZone",
}

// asffARNs are the types of kinds that stand for several: the ARN tells.
var asffARNs = []struct{ service, resource, typ string }{
	{"elasticloadbalancing", "loadbalancer/app/", "AwsElbv2LoadBalancer"}, {"elasticloadbalancing", "loadbalancer/net/", "AwsElbv2LoadBalancer"},
	{"elasticloadbalancing", "loadbalancer/gwy/", "AwsElbv2LoadBalancer"}, {"elasticloadbalancing", "loadbalancer/", "AwsElbLoadBalancer"},
	{"rds", "db:", "AwsRdsDbInstance"}, {"rds", "cluster:", "AwsRdsDbCluster"}, {"rds", "snapshot:", "AwsRdsDbSnapshot"}, {"rds", "cluster-snapshot:", "AwsRdsDbClusterSnapshot"},
	{"iam", "user/", "AwsIamUser"}, {"iam", "role/", "AwsIamRole"}, {"iam", "group/", "AwsIamGroup"}, {"iam", "policy/", "AwsIamPolicy"},
}

// asffType returns the type of a resource in the words of ASFF.
func asffType(ref estate.Ref) string {
	part := strings.SplitN(ref.ID, ":", 6)
	if len(part) == 6 && part[0] == "arn" {
		for _, t := range asffARNs {
			if part[2] == t.service && strings.HasPrefix(part[5], t.resource) {
				return t.typ
			}
		}
		if t := asffTypes[ref.Kind]; t != "" {
			return t
		}
	}
	return "Other"
}

// errNoAccount is that ASFF cannot say what it must.
var errNoAccount = errors.New("no finding can be in ASFF: it names an AWS account, and nothing that was read is in one; add --aws, or use -o ocsf")

// ASFF returns the findings for Security Hub in an account and region. An Id is
// made of those, of the estate that the finding is about, and of its
// fingerprint: it is the same in every audit.
func (r *Report) ASFF(home Cloud) []ASFF {
	var out []ASFF
	for i := range r.Results {
		res := &r.Results[i]
		for j := range res.Findings {
			out = append(out, r.asff(res.Control, &res.Findings[j], home))
		}
	}
	return out
}

// WriteASFF writes the findings as what BatchImportFindings takes: an object
// with the list Findings.
func (r *Report) WriteASFF(w io.Writer) error {
	home := r.Home()
	findings := []ASFF{}
	if home.Account != "" {
		findings = append(findings, r.ASFF(home)...)
	} else if c := r.count(); c.findings+c.accepted > 0 {
		return errNoAccount
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(struct{ Findings []ASFF }{findings}); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// EstateOf says which estate a subject belongs to: the account for what is in
// one, else the cluster. Deployments of one name in two clusters have one
// fingerprint, and must not be one finding in Security Hub.
func (r *Report) EstateOf(subject estate.Ref) string {
	if cloudOf(subject.ID).Partition != "" {
		return "account"
	}
	if r.Graph != nil && r.Graph.Estate != nil {
		if clusters := estate.Clusters.In(r.Graph.Estate); len(clusters) == 1 {
			return cmp.Or(clusters[0].Name, "cluster")
		}
	}
	var names []string
	for _, s := range r.sources() {
		if s.Kind != estate.AWSSource && s.Kind != estate.FindingsSource {
			names = append(names, s.Name)
		}
	}
	return cmp.Or(strings.Join(names, " "), "cluster")
}

func (r *Report) asff(c *control.Control, f *finding.Finding, home Cloud) ASFF {
	day := r.GeneratedAt.UTC().Format(time.RFC3339)
	_, requirements := sections(c)
	for i := range requirements {
		requirements[i] = fit(requirements[i], maxASFFRequirement)
	}
	description := plain(f.Message)
	if len(f.Context) > 0 {
		description += " (" + strings.Join(f.Context, "; ") + ")"
	}
	if f.Field != "" {
		description += ", at " + fieldWords(f.Field)
	}
	if f.Location != nil {
		description += ", in " + f.Location.String()
	}
	kind := []string{"Software and Configuration Checks/" + cmp.Or(r.describe(c.ID).Family, "eksafe") + "/" + c.ID}
	out := ASFF{
		SchemaVersion: "2018-10-08",
		ID:            fit(strings.Join([]string{home.Region, home.Account, Tool, r.EstateOf(f.Subject), f.Fingerprint}, "/"), maxASFFID),
		ProductArn:    fmt.Sprintf("arn:%s:securityhub:%s:%s:product/%s/default", home.Partition, home.Region, home.Account, home.Account),
		ProductName:   Tool, CompanyName: Tool,
		Region: home.Region, AwsAccountID: home.Account,
		GeneratorID: ASFFGenerator + c.ID,
		Types:       kind,
		CreatedAt:   day, UpdatedAt: day,
		Severity:    ASFFSeverity{asffLabels[f.Severity]},
		Title:       fit(c.Title, maxASFFTitle),
		Description: cmp.Or(fit(description, maxASFFDescription), c.ID),
		Remediation: ASFFRemediation{ASFFRecommendation{Text: fit(r.fix(c), maxASFFFix), URL: webAddress(r.pageURL(c))}},
		ProductFields: map[string]string{
			ASFFControl: c.ID, ASFFFingerprint: f.Fingerprint, ASFFEstate: fit(r.EstateOf(f.Subject), maxASFFField),
		},
		Resources:             []ASFFResource{asffResource(f.Subject)},
		Compliance:            ASFFCompliance{"FAILED", requirements[:min(len(requirements), maxASFFSections)]},
		Workflow:              ASFFWorkflow{"NEW"},
		RecordState:           "ACTIVE",
		FindingProviderFields: ASFFProviderFields{ASFFSeverity{asffLabels[f.Severity]}, kind},
	}
	for name, value := range map[string]string{"Field": f.Field, "Owner": f.Owner} {
		if value = fit(value, maxASFFField); value != "" {
			out.ProductFields[Tool+"/"+name] = value
		}
	}
	if f.Location != nil {
		out.ProductFields[Tool+"/Location"] = fit(f.Location.String(), maxASFFField)
	}
	if f.Exception != nil {
		out.Workflow.Status = "SUPPRESSED"
		out.ProductFields[Tool+"/Exception"] = fit(accepted(f.Exception), maxASFFField)
	}
	return out
}

func asffResource(ref estate.Ref) ASFFResource {
	at := cloudOf(ref.ID)
	out := ASFFResource{Type: asffType(ref), ID: cmp.Or(fit(ref.ID, maxASFFID), "unknown"), Region: at.Region}
	switch at.Partition {
	case "aws", "aws-cn", "aws-us-gov": // ASFF knows no other
		out.Partition = at.Partition
	}
	return out
}

// Estates returns the estates that the audit looked at, as [Report.EstateOf]
// names them.
func (r *Report) Estates() []string {
	var out []string
	for _, s := range r.sources() {
		name := r.EstateOf(estate.Ref{})
		switch s.Kind {
		case estate.AWSSource:
			name = "account"
		case estate.FindingsSource:
			continue
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
