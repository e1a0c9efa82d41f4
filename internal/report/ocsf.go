package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/finding"
)

// OCSFVersion is the version of the Open Cybersecurity Schema Framework that
// WriteOCSF keeps to.
const OCSFVersion = "1.6.0"

// The numbers of a Compliance Finding.
const (
	ocsfFindings   = 2 // the category
	ocsfCompliance = 2003

	ocsfCreate = 1
	ocsfUpdate = 2
	ocsfClose  = 3
)

// A caption is a number of OCSF and the word that stands for it in the sibling
// attribute.
type caption struct {
	id   int
	word string
}

var (
	ocsfActivities = map[int]string{ocsfCreate: "Create", ocsfUpdate: "Update", ocsfClose: "Close"}
	ocsfSeverities = map[finding.Severity]caption{
		finding.Low: {2, "Low"}, finding.Medium: {3, "Medium"}, finding.High: {4, "High"}, finding.Critical: {5, "Critical"},
	}
	ocsfInformational = caption{1, "Informational"}

	ocsfNew        = caption{1, "New"}
	ocsfSuppressed = caption{3, "Suppressed"}
	ocsfResolved   = caption{4, "Resolved"}

	ocsfPass    = caption{1, "Pass"}
	ocsfWarning = caption{2, "Warning"}
	ocsfFail    = caption{3, "Fail"}
)

type ocsfEvent struct {
	ActivityID   int              `json:"activity_id"`
	ActivityName string           `json:"activity_name"`
	CategoryUID  int              `json:"category_uid"`
	CategoryName string           `json:"category_name"`
	ClassUID     int              `json:"class_uid"`
	ClassName    string           `json:"class_name"`
	TypeUID      int              `json:"type_uid"`
	TypeName     string           `json:"type_name"`
	Time         int64            `json:"time"` // milliseconds since 1970
	SeverityID   int              `json:"severity_id"`
	Severity     string           `json:"severity"`
	StatusID     int              `json:"status_id"`
	Status       string           `json:"status"`
	StatusDetail string           `json:"status_detail,omitempty"`
	Message      string           `json:"message"`
	Metadata     ocsfMetadata     `json:"metadata"`
	FindingInfo  ocsfFindingInfo  `json:"finding_info"`
	Compliance   ocsfComplianceOf `json:"compliance"`
	Resources    []ocsfResource   `json:"resources,omitempty"`
	Remediation  *ocsfRemediation `json:"remediation,omitempty"`
	Cloud        *ocsfCloud       `json:"cloud,omitempty"`
}

type ocsfMetadata struct {
	Version   string      `json:"version"`
	Product   ocsfProduct `json:"product"`
	Profiles  []string    `json:"profiles,omitempty"`
	EventCode string      `json:"event_code"`
}

type ocsfProduct struct {
	UID     string `json:"uid"`
	Name    string `json:"name"`
	Vendor  string `json:"vendor_name"`
	Version string `json:"version,omitempty"`
}

type ocsfFindingInfo struct {
	UID          string   `json:"uid"`
	Title        string   `json:"title"`
	Desc         string   `json:"desc"`
	Types        []string `json:"types,omitempty"`
	LastSeenTime int64    `json:"last_seen_time,omitempty"`
	SrcURL       string   `json:"src_url,omitempty"`
}

type ocsfComplianceOf struct {
	Control      string   `json:"control"`
	Desc         string   `json:"desc"`
	Standards    []string `json:"standards"`
	Requirements []string `json:"requirements,omitempty"`
	StatusID     int      `json:"status_id"`
	Status       string   `json:"status"`
	StatusDetail string   `json:"status_detail,omitempty"`
}

type ocsfResource struct {
	UID            string            `json:"uid"`
	Name           string            `json:"name"`
	Namespace      string            `json:"namespace,omitempty"`
	Type           string            `json:"type,omitempty"`
	CloudPartition string            `json:"cloud_partition,omitempty"`
	Region         string            `json:"region,omitempty"`
	Owner          *ocsfOwner        `json:"owner,omitempty"`
	Data           *ocsfResourceData `json:"data,omitempty"`
}

type ocsfOwner struct {
	Name string `json:"name"`
}

// ocsfResourceData is ours: OCSF leaves it to who reports.
type ocsfResourceData struct {
	Field string `json:"field,omitempty"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
}

type ocsfRemediation struct {
	Desc       string   `json:"desc"`
	References []string `json:"references,omitempty"`
}

type ocsfCloud struct {
	Provider string       `json:"provider"`
	Account  *ocsfAccount `json:"account,omitempty"`
	Region   string       `json:"region,omitempty"`
}

type ocsfAccount struct {
	UID string `json:"uid"`
}

// WriteOCSF writes the findings as Compliance Finding events of OCSFVersion, one
// JSON object a line, as pipelines into a data lake read them. A finding that a
// baseline knows is an update, one that is gone since the baseline closes. A
// control that nobody could judge is an event of the status "Warning", OCSF's
// word for it: a consumer must not take its silence for a pass.
func (r *Report) WriteOCSF(w io.Writer) error {
	buf := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	home := r.Home()
	controls := map[string]*control.Control{}
	for i := range r.Results {
		res := &r.Results[i]
		controls[res.Control.ID] = res.Control
		for j := range res.Findings {
			if err := enc.Encode(r.ocsfFinding(res.Control, &res.Findings[j], home)); err != nil {
				return err
			}
		}
		if res.Verdict == finding.Unknown {
			ev := r.ocsfOf(res.Control, ocsfCreate, home, "unknown/"+res.Control.ID, "could not be judged: "+res.Why)
			ev.SeverityID, ev.Severity = ocsfInformational.id, ocsfInformational.word
			ev.status(ocsfNew, ocsfWarning)
			if err := enc.Encode(ev); err != nil {
				return err
			}
		}
	}
	if r.Baseline != nil {
		for _, gone := range r.Baseline.Gone {
			c := controls[gone.Control]
			if c == nil {
				continue // the control is no more, and nothing says what it was
			}
			ev := r.ocsfOf(c, ocsfClose, home, gone.Fingerprint, "gone since the baseline was written")
			ev.SeverityID, ev.Severity = ocsfSeverities[c.Severity].id, ocsfSeverities[c.Severity].word
			ev.status(ocsfResolved, ocsfPass)
			ev.Resources = []ocsfResource{resourceOf(estate.Ref{ID: gone.Subject, Name: estate.ShortName(gone.Subject)})}
			if err := enc.Encode(ev); err != nil {
				return err
			}
		}
	}
	return buf.Flush()
}

func (ev *ocsfEvent) status(of, compliance caption) {
	ev.StatusID, ev.Status = of.id, of.word
	ev.Compliance.StatusID, ev.Compliance.Status = compliance.id, compliance.word
}

// ocsfOf returns what all events of a control have.
func (r *Report) ocsfOf(c *control.Control, activity int, home Cloud, uid, message string) *ocsfEvent {
	message = clean(plain(message))
	standards, requirements := sections(c)
	if len(standards) == 0 {
		standards = []string{Tool} // a requirement of our own
	}
	d := r.describe(c.ID)
	ev := &ocsfEvent{
		ActivityID: activity, ActivityName: ocsfActivities[activity],
		CategoryUID: ocsfFindings, CategoryName: "Findings",
		ClassUID: ocsfCompliance, ClassName: "Compliance Finding",
		TypeUID: ocsfCompliance*100 + activity, TypeName: "Compliance Finding: " + ocsfActivities[activity],
		Time:     r.GeneratedAt.UnixMilli(),
		Message:  message,
		Metadata: ocsfMetadata{Version: OCSFVersion, Product: ocsfProduct{Tool, Tool, Tool, r.ToolVersion}, EventCode: c.ID},
		FindingInfo: ocsfFindingInfo{
			UID: uid, Title: clean(c.Title), Desc: message, LastSeenTime: r.GeneratedAt.UnixMilli(), SrcURL: webAddress(d.URL),
		},
		Compliance:  ocsfComplianceOf{Control: c.ID, Desc: clean(c.Title), Standards: standards, Requirements: requirements, StatusDetail: message},
		Remediation: &ocsfRemediation{Desc: fit(r.fix(c), maxRemediation)},
	}
	if u := webAddress(r.pageURL(c)); u != "" {
		ev.Remediation.References = []string{u}
	}
	if d.Family != "" {
		ev.FindingInfo.Types = []string{d.Family}
	}
	if home.Account != "" {
		ev.Metadata.Profiles = []string{"cloud"}
		ev.Cloud = &ocsfCloud{Provider: "AWS", Account: &ocsfAccount{home.Account}, Region: home.Region}
	}
	return ev
}

// maxRemediation bounds what an event says of mending: the page of a control
// may hold whole templates.
const maxRemediation = 4000

func (r *Report) ocsfFinding(c *control.Control, f *finding.Finding, home Cloud) *ocsfEvent {
	activity := ocsfCreate
	if f.Baseline == finding.Known {
		activity = ocsfUpdate
	}
	words := f.Message
	if len(f.Context) > 0 {
		words += " (" + strings.Join(f.Context, "; ") + ")"
	}
	// What is in an account of its own is about that account.
	if at := cloudOf(f.Subject.ID); at.Account != "" {
		home = Cloud{at.Partition, at.Account, cmp.Or(at.Region, home.Region)}
	}
	ev := r.ocsfOf(c, activity, home, f.Fingerprint, words)
	ev.SeverityID, ev.Severity = ocsfSeverities[f.Severity].id, ocsfSeverities[f.Severity].word
	ev.status(ocsfNew, ocsfFail)
	if f.Exception != nil {
		ev.status(ocsfSuppressed, ocsfFail)
		ev.StatusDetail = clean(accepted(f.Exception))
	}
	res := resourceOf(f.Subject)
	if f.Owner != "" {
		res.Owner = &ocsfOwner{clean(f.Owner)}
	}
	if f.Field != "" || f.Location != nil {
		res.Data = &ocsfResourceData{Field: clean(f.Field)}
		if f.Location != nil {
			res.Data.File, res.Data.Line = clean(f.Location.File), f.Location.Line
		}
	}
	ev.Resources = []ocsfResource{res}
	return ev
}

func resourceOf(ref estate.Ref) ocsfResource {
	at := cloudOf(ref.ID)
	return ocsfResource{
		UID: clean(ref.ID), Name: clean(cmp.Or(ref.Name, ref.ID)), Namespace: clean(ref.Namespace), Type: string(ref.Kind),
		CloudPartition: at.Partition, Region: at.Region,
	}
}
