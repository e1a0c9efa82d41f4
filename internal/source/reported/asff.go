package reported

import (
	"cmp"
	"encoding/json"
	"errors"
	"strings"

	"github.com/eksafe/eksafe/internal/estate"
)

// asffFinding is the part of the AWS Security Finding Format that is read.
type asffFinding struct {
	SchemaVersion   string
	ID              string `json:"Id"`
	ProductArn      string
	ProductName     string
	GeneratorID     string `json:"GeneratorId"`
	Title           string
	SourceURL       string `json:"SourceUrl"`
	RecordState     string
	FirstObservedAt string
	LastObservedAt  string
	Severity        struct{ Label string }
	Provider        struct {
		Severity struct{ Label string }
	} `json:"FindingProviderFields"`
	Workflow   struct{ Status string }
	Compliance struct {
		Status            string
		SecurityControlID string `json:"SecurityControlId"`
	}
	Resources bounded[struct {
		ID string `json:"Id"`
	}]
	Remediation struct {
		Recommendation struct {
			URL string `json:"Url"`
		}
	}
	Vulnerabilities bounded[struct {
		ID       string `json:"Id"`
		Packages bounded[struct {
			Name  string
			Fixed string `json:"FixedInVersion"`
		}] `json:"VulnerablePackages"`
	}]
}

func (r *reader) asff(raw []byte) error {
	var in asffFinding
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	switch {
	case in.SchemaVersion != "2018-10-08":
		return errors.New("SchemaVersion is not 2018-10-08; export it again")
	case in.ID == "" || in.ProductArn == "":
		return errors.New("no Id or no ProductArn; export it again")
	case in.RecordState == "ARCHIVED",
		in.Workflow.Status == "RESOLVED" || in.Workflow.Status == "SUPPRESSED",
		in.Compliance.Status == "PASSED" || in.Compliance.Status == "NOT_AVAILABLE":
		return nil
	}
	out := estate.ReportedFinding{
		Id: in.ID, Product: clip(cmp.Or(in.ProductName, productOf(in.ProductArn))),
		Rule:      clip(cmp.Or(in.Compliance.SecurityControlID, in.GeneratorID)),
		Title:     clip(cmp.Or(in.Title, in.GeneratorID, in.ID)),
		Severity:  asffSeverity(cmp.Or(in.Severity.Label, in.Provider.Severity.Label)),
		FirstSeen: parsed(in.FirstObservedAt), LastSeen: parsed(in.LastObservedAt),
		URL: cmp.Or(web(in.Remediation.Recommendation.URL), web(in.SourceURL)),
	}
	for _, res := range in.Resources {
		out.Resources = append(out.Resources, res.ID)
	}
	if len(in.Vulnerabilities) == 0 {
		return r.add(&out)
	}
	for _, v := range in.Vulnerabilities {
		one := out
		one.Resources = append([]string(nil), out.Resources...)
		one.Rule = clip(cmp.Or(v.ID, out.Rule))
		if len(v.Packages) > 0 {
			one.Package, one.Fixed = clip(v.Packages[0].Name), clip(v.Packages[0].Fixed)
		}
		if err := r.add(&one); err != nil {
			return err
		}
	}
	return nil
}

// productOf names a product by its ARN: "aws/inspector" is "inspector".
func productOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func asffSeverity(label string) string {
	switch label {
	case "LOW", "MEDIUM", "HIGH", "CRITICAL":
		return strings.ToLower(label)
	}
	return ""
}
