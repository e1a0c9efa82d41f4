package reported

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/eksafe/eksafe/internal/estate"
)

// ocsfFinding is the part of OCSF's findings that is read: classes 2001 to
// 2999, of all versions since 1.0.
type ocsfFinding struct {
	ClassUID   int `json:"class_uid"`
	ActivityID int `json:"activity_id"`
	StatusID   int `json:"status_id"`
	SeverityID int `json:"severity_id"`
	Metadata   struct {
		Product struct {
			Name string `json:"name"`
			UID  string `json:"uid"`
		} `json:"product"`
		EventCode string `json:"event_code"`
	} `json:"metadata"`
	Info       *ocsfInfo `json:"finding_info"`
	Old        *ocsfInfo `json:"finding"` // before 1.1
	Compliance struct {
		Control  string `json:"control"`
		StatusID int    `json:"status_id"`
	} `json:"compliance"`
	Resource        *ocsfResource         `json:"resource"` // before 1.3
	Resources       bounded[ocsfResource] `json:"resources"`
	Vulnerabilities bounded[struct {
		CVE struct {
			UID string `json:"uid"`
		} `json:"cve"`
		Packages bounded[struct {
			Name  string `json:"name"`
			Fixed string `json:"fixed_in_version"`
		}] `json:"affected_packages"`
	}] `json:"vulnerabilities"`
}

type ocsfInfo struct {
	UID       string   `json:"uid"`
	Title     string   `json:"title"`
	SrcURL    string   `json:"src_url"`
	Types     []string `json:"types"`
	FirstSeen int64    `json:"first_seen_time"`
	LastSeen  int64    `json:"last_seen_time"`
	Analytic  struct {
		UID string `json:"uid"`
	} `json:"analytic"`
}

type ocsfResource struct {
	UID       string `json:"uid"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Type      string `json:"type"`
}

var ocsfSeverities = map[int]string{2: "low", 3: "medium", 4: "high", 5: "critical", 6: "critical"}

const (
	ocsfClose      = 3
	ocsfSuppressed = 3 // and above it: resolved, archived, deleted
	ocsfOther      = 99
)

func (r *reader) ocsf(raw []byte) error {
	var in ocsfFinding
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	if in.ClassUID < 2001 || in.ClassUID > 2999 {
		return fmt.Errorf("class_uid %d is no finding; export findings alone", in.ClassUID)
	}
	info := in.Info
	if info == nil {
		info = in.Old
	}
	product := cmp.Or(in.Metadata.Product.Name, in.Metadata.Product.UID)
	switch {
	case info == nil || info.UID == "":
		return errors.New("no finding_info.uid; export it again")
	case product == "":
		return errors.New("no metadata.product.name; export it again")
	case in.ActivityID == ocsfClose, in.StatusID >= ocsfSuppressed && in.StatusID < ocsfOther:
		return nil // it is no more, or somebody accepted it
	case in.Compliance.StatusID == 1 || in.Compliance.StatusID == 2:
		return nil // it passed, or nobody could tell
	}
	var types string
	if len(info.Types) > 0 {
		types = info.Types[0]
	}
	out := estate.ReportedFinding{
		Id: info.UID, Product: clip(product),
		Rule:     clip(cmp.Or(in.Compliance.Control, info.Analytic.UID, in.Metadata.EventCode, types)),
		Title:    clip(cmp.Or(info.Title, info.UID)),
		Severity: ocsfSeverities[in.SeverityID],
		URL:      web(info.SrcURL), FirstSeen: millis(info.FirstSeen), LastSeen: millis(info.LastSeen),
	}
	if in.Resource != nil {
		in.Resources = append(in.Resources, *in.Resource)
	}
	for _, res := range in.Resources {
		out.Resources = append(out.Resources, cmp.Or(res.UID, res.Name))
		if res.Namespace != "" && res.Type != "" && res.Name != "" {
			out.Resources = append(out.Resources, res.Type+"/"+res.Namespace+"/"+res.Name)
		}
	}
	if len(in.Vulnerabilities) == 0 {
		return r.add(&out)
	}
	for _, v := range in.Vulnerabilities {
		one := out
		one.Resources = append([]string(nil), out.Resources...)
		one.Rule = clip(cmp.Or(v.CVE.UID, out.Rule))
		if len(v.Packages) > 0 {
			one.Package, one.Fixed = clip(v.Packages[0].Name), clip(v.Packages[0].Fixed)
		}
		if err := r.add(&one); err != nil {
			return err
		}
	}
	return nil
}

// millis reads a time of OCSF, 0 for none.
func millis(ms int64) estate.Optional[time.Time] {
	if ms <= 0 {
		return estate.Optional[time.Time]{}
	}
	return moment(time.UnixMilli(ms))
}
