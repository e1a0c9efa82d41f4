// Package history is the results of earlier audits, a small file for each in a
// folder, and what got better or worse since. Files are only added: nothing is
// changed or deleted, so runs may share a folder.
package history

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/finding"
)

// Version names the shape of a file.
const Version = "eksafe.dev/history/v1"

// The bounds of what is read of a folder.
const (
	maxSize     = 64 << 20 // of one file
	maxLookBack = 200      // files, to find one of the same sources
	maxFindings = 2_000_000
)

// A Run is one audit, reduced to what can be compared.
type Run struct {
	Version  string             `json:"version"`
	At       time.Time          `json:"at"`
	Tool     string             `json:"tool"`
	Sources  []string           `json:"sources"` // what was audited: runs of the same are compared
	Controls map[string]Outcome `json:"controls"`
}

// An Outcome is what one control came to. The findings are fingerprints by
// severity, accepted ones too: an exception mends nothing.
type Outcome struct {
	Verdict  finding.Verdict               `json:"verdict"`
	Unjudged int                           `json:"unjudged,omitempty"` // subjects
	Unread   bool                          `json:"unread,omitempty"`   // a kind could not be read
	Findings map[finding.Severity][]string `json:"findings,omitempty"`
}

// Of returns the run of an audit.
func Of(results []control.Result, at time.Time, tool string, sources []string) *Run {
	r := &Run{Version: Version, At: at.UTC().Truncate(time.Second), Tool: tool, Sources: slices.Clone(sources), Controls: map[string]Outcome{}}
	if r.Sources == nil {
		r.Sources = []string{}
	}
	for i := range results {
		o := Outcome{Verdict: results[i].Verdict, Unjudged: len(results[i].Gaps), Unread: results[i].Unread != ""}
		for _, f := range results[i].Findings {
			if o.Findings == nil {
				o.Findings = map[finding.Severity][]string{}
			}
			o.Findings[f.Severity] = append(o.Findings[f.Severity], f.Fingerprint)
		}
		for _, prints := range o.Findings {
			slices.Sort(prints)
		}
		r.Controls[results[i].Control.ID] = o
	}
	return r
}

// nameRE is the form of our names: a time, and a number that tells runs of one
// second apart. Everything else in the folder is somebody else's.
var nameRE = regexp.MustCompile(`^\d{8}T\d{6}Z-\d{4}\.json$`)

const stamp = "20060102T150405Z"

// maxPerSecond is how many runs of one second a folder can tell apart.
const maxPerSecond = 10_000

// Save adds the run to the folder, which is made where it is missing. The file
// appears whole or not at all, and never replaces another.
func Save(dir string, r *Run) (name string, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(dir, ".run-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(data, '\n'))
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", err
	}
	for n := range maxPerSecond {
		name = fmt.Sprintf("%s-%04d.json", r.At.UTC().Format(stamp), n)
		switch err = place(tmp.Name(), filepath.Join(dir, name)); {
		case err == nil:
			return name, nil
		case !errors.Is(err, fs.ErrExist):
			return "", err
		}
	}
	return "", err
}

// place gives a file its name unless that is taken. A link fails where the name
// exists, which a rename does not; where a file system has no links, the name
// is taken first and then replaced.
func place(tmp, name string) error {
	err := os.Link(tmp, name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}

// Damaged is a file of the folder that could not be read.
type Damaged struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// Latest returns the newest run of the same sources in the folder, nil if there
// is none. Damaged files are told and passed over. A folder that does not exist
// yet has no run.
func Latest(dir string, sources []string) (*Run, []Damaged, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, e := range entries {
		if nameRE.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	var damaged []Damaged
	for _, name := range names[:min(len(names), maxLookBack)] {
		r, err := read(filepath.Join(dir, name))
		if err != nil {
			damaged = append(damaged, Damaged{name, err.Error()})
			continue
		}
		if slices.Equal(r.Sources, sources) {
			return r, damaged, nil
		}
	}
	return nil, damaged, nil
}

func read(file string) (*Run, error) {
	// A pipe of that name would be waited for.
	info, err := os.Stat(file)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer f.Close()
	return Read(f)
}

// Read decodes one run strictly.
func Read(in io.Reader) (*Run, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("it is larger than %d MiB", maxSize>>20)
	}
	if len(data) == 0 {
		return nil, errors.New("it is empty")
	}
	var version struct {
		Version string `json:"version"`
	}
	if json.Unmarshal(data, &version) == nil && version.Version != Version {
		return nil, fmt.Errorf("its version is %.40q, this release reads %s", version.Version, Version)
	}
	var r Run
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("it was cut or changed: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands after its end")
	}
	if r.At.IsZero() || r.Sources == nil || r.Controls == nil {
		return nil, errors.New("it lacks its time, its sources or its controls")
	}
	n := 0
	for id, o := range r.Controls {
		for _, prints := range o.Findings {
			if n += len(prints); n > maxFindings {
				return nil, errors.New("it has too many findings")
			}
			for _, p := range prints {
				if len(p) != 20 || strings.Trim(p, "0123456789abcdef") != "" {
					return nil, fmt.Errorf("%.40q of %.80q is no fingerprint", p, id)
				}
			}
		}
	}
	return &r, nil
}

// A Change is what got better or worse since an earlier run.
type Change struct {
	Dir     string     `json:"dir"`
	Since   *time.Time `json:"since"` // nil: the first run of these sources
	Worse   []Step     `json:"worse"`
	Better  []Step     `json:"better"`
	Damaged []Damaged  `json:"damaged,omitempty"`
}

// A Step is what changed of one control.
type Step struct {
	Control string           `json:"control"`
	Was     finding.Verdict  `json:"was"`
	Is      finding.Verdict  `json:"is"`
	New     int              `json:"new"`  // findings
	Gone    int              `json:"gone"` // findings
	Worst   finding.Severity `json:"severity,omitempty"`
}

// badness orders verdicts. Unknown is worse than a pass, for nobody knows, and
// better than nothing else: a fail that turned unknown is not mended.
var badness = map[finding.Verdict]int{
	finding.NotApplicable: 0, finding.Pass: 0, finding.Excepted: 1, finding.Unknown: 2, finding.Fail: 3,
}

// Since compares two runs; was may be nil. A control can get better and worse
// at once, where findings went and others came.
func Since(dir string, was, is *Run, damaged []Damaged) *Change {
	c := &Change{Dir: dir, Worse: []Step{}, Better: []Step{}, Damaged: damaged}
	if was == nil {
		return c
	}
	c.Since = &was.At
	for _, id := range slices.Sorted(maps.Keys(is.Controls)) {
		now := is.Controls[id]
		before, ok := was.Controls[id]
		if !ok {
			continue // a control that is new says nothing of the estate
		}
		fresh, worst := missing(now, before)
		gone, mended := missing(before, now)
		// What nobody could look at this time is not mended.
		unseen := now.Verdict == finding.Unknown || now.Unread || now.Unjudged > before.Unjudged
		step := Step{Control: id, Was: before.Verdict, Is: now.Verdict, New: fresh, Gone: gone}
		if fresh > 0 || badness[now.Verdict] > badness[before.Verdict] || now.Verdict == finding.Unknown && before.Verdict == finding.Fail {
			step.Worst = worst
			c.Worse = append(c.Worse, step)
		}
		if !unseen && (gone > 0 || badness[now.Verdict] < badness[before.Verdict]) {
			step.Worst = mended
			c.Better = append(c.Better, step)
		}
	}
	order := func(a, b Step) int {
		return cmp.Or(cmp.Compare(b.Worst, a.Worst), cmp.Compare(a.Control, b.Control))
	}
	slices.SortFunc(c.Worse, order)
	slices.SortFunc(c.Better, order)
	return c
}

// missing returns how many findings of a are not in b, and the worst of them.
func missing(a, b Outcome) (n int, worst finding.Severity) {
	in := map[string]bool{}
	for _, prints := range b.Findings {
		for _, p := range prints {
			in[p] = true
		}
	}
	for s, prints := range a.Findings {
		for _, p := range prints {
			if !in[p] {
				n++
				worst = max(worst, s)
			}
		}
	}
	return n, worst
}
