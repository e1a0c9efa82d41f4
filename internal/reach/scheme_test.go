package reach

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/manifest"
	"github.com/eksafe/eksafe/internal/trace"
)

// A scheme of network-setup-analyzer is configurations of policies over one
// set of pods, and questions about them with the number that answers each. The
// meaning of a question and of its number is that of the analyzer's queries.
type scheme struct {
	NamespaceList     files          `json:"namespaceList"`
	PodList           files          `json:"podList"`
	ResourceList      files          `json:"resourceList"`
	NetworkConfigList []schemeConfig `json:"networkConfigList"`
	Queries           []schemeQuery  `json:"queries"`
}

type schemeConfig struct {
	Name              string `json:"name"`
	NamespaceList     files  `json:"namespaceList"`
	PodList           files  `json:"podList"`
	ResourceList      files  `json:"resourceList"`
	NetworkPolicyList files  `json:"networkPolicyList"`
	ExpectedError     int    `json:"expectedError"`
}

// Files are one name or several.
type files []string

func (l *files) UnmarshalJSON(data []byte) error {
	var one string
	if err := yaml.Unmarshal(data, &one); err == nil {
		if *l = nil; one != "" {
			*l = files{one}
		}
		return nil
	}
	return yaml.Unmarshal(data, (*[]string)(l))
}

type schemeQuery struct {
	Name           string
	Kind           string // "equivalence"
	Configs        []string
	Expected       *int
	ExpectedOutput string
}

// questions are the kinds of queries, and how many configurations one number
// is about.
var questions = map[string]func(r *schemeRun, configs []*setup) (int, error){
	"equivalence":        overPairs(equivalence),
	"strongEquivalence":  overPairs(strongEquivalence),
	"semanticDiff":       overPairs(semanticDiff),
	"twoWayContainment":  overPairs(twoWayContainment),
	"containment":        againstFirst(containment),
	"permits":            againstFirst(permits),
	"forbids":            againstFirst(forbids),
	"interferes":         againstFirst(interferes),
	"pairwiseInterferes": overOrderedPairs(interferes),
	"vacuity":            overAll(vacuity),
	"emptiness":          overAll(emptiness),
	"redundancy":         overAll(redundancy),
	"disjointness":       overAll(disjointness),
	"sanity":             overAll(sanity),
	"connectivityMap":    nil, // its number says nothing; the text it prints is not part of the corpus
	"allCaptured":        nil,
}

func (q *schemeQuery) UnmarshalJSON(data []byte) error {
	var fields map[string]any
	if err := yaml.Unmarshal(data, &fields); err != nil {
		return err
	}
	for key, value := range fields {
		switch key {
		case "name":
			q.Name = fmt.Sprint(value)
		case "expectedOutput":
			q.ExpectedOutput = fmt.Sprint(value)
		case "expected":
			if n, ok := value.(float64); ok {
				i := int(n)
				q.Expected = &i
			}
		default:
			if _, ok := questions[key]; !ok {
				continue
			}
			q.Kind = key
			items, _ := value.([]any)
			for _, item := range items {
				q.Configs = append(q.Configs, strings.TrimSpace(fmt.Sprint(item)))
			}
		}
	}
	return nil
}

// A schemeRun runs schemes of one part of the corpus.
type schemeRun struct {
	root string // where the corpus was unpacked
	// decode reads a file or folder of objects that are no manifests into an
	// estate; of all others it returns false.
	decode func(path string, e *estate.Estate) (bool, error)
	// prepare makes of the pods what the analyzer takes them to be.
	prepare func(*estate.Estate)
	// between returns what gets through; explicit what a policy lets through,
	// not the absence of one.
	between  func(n *Network, from, to uint32) Ports
	explicit func(n *Network, from, to uint32) Ports
	// selects returns the pods that a policy selects, and empty counts its
	// rules that match nobody.
	selects func(n *Network, p *policyObject) set
	empty   func(n *Network, p *policyObject) int
	// layers tells the policies apart that the analyzer judges apart.
	layer func(p *policyObject) string
}

// A policyObject is a policy that a configuration may have or not.
type policyObject struct {
	kind            estate.Kind
	namespace, name string
	rules           [2]int // by direction
	// add puts it into an estate, without one rule of a direction if that is
	// not negative.
	add func(e *estate.Estate, d Direction, without int)
}

func (p *policyObject) full() string {
	if p.namespace == "" {
		return p.name
	}
	return p.namespace + "/" + p.name
}

func (p *policyObject) key() string { return string(p.kind) + " " + p.full() }

// A setup is pods and policies.
type setup struct {
	run      *schemeRun
	name     string
	topology *estate.Estate
	policies []*policyObject
	made     *Network
}

func (c *setup) with(policies []*policyObject) *setup {
	return &setup{run: c.run, name: c.name, topology: c.topology, policies: policies}
}

// network computes the network of a configuration.
func (c *setup) network() *Network {
	if c.made == nil {
		c.made = c.build(nil, 0, -1)
	}
	return c.made
}

// build computes the network without one rule of a policy.
func (c *setup) build(of *policyObject, d Direction, without int) *Network {
	e := &estate.Estate{}
	copyTopology(e, c.topology)
	for _, p := range c.policies {
		if p == of {
			p.add(e, d, without)
		} else {
			p.add(e, d, -1)
		}
	}
	return New(trace.New(e))
}

// copyTopology copies everything that is no policy.
func copyTopology(to, from *estate.Estate) {
	copyAll(to, from, estate.Namespaces)
	copyAll(to, from, estate.Workloads)
	copyAll(to, from, estate.Services)
	copyAll(to, from, estate.ServiceEntries)
	copyAll(to, from, estate.CalicoNetworkSets)
	copyAll(to, from, estate.CalicoGlobalNetworkSets)
	copyAll(to, from, estate.CalicoTiers)
}

func copyAll[T any](to, from *estate.Estate, c estate.Collection[T]) { c.Add(to, c.In(from)...) }

// policiesIn returns the policies of an estate.
func policiesIn(e *estate.Estate) []*policyObject {
	var out []*policyObject
	for _, r := range estate.NetworkPolicies.In(e) {
		out = append(out, &policyObject{
			kind: estate.NetworkPolicies.Kind, namespace: r.Object.Namespace, name: r.Object.Name,
			rules: [2]int{Ingress: len(r.Object.Spec.Ingress), Egress: len(r.Object.Spec.Egress)},
			add: func(e *estate.Estate, d Direction, without int) {
				estate.NetworkPolicies.Add(e, edited(r, without, func(o *networkingPolicy) {
					// The types stay what they are without the rule.
					if d == Ingress {
						o.Spec.Ingress = cut(o.Spec.Ingress, without)
					} else {
						o.Spec.Egress = cut(o.Spec.Egress, without)
					}
				}))
			},
		})
	}
	for _, kind := range []estate.Collection[*estate.Resource[estate.CalicoNetworkPolicy]]{estate.CalicoNetworkPolicies, estate.CalicoGlobalNetworkPolicies} {
		for _, r := range kind.In(e) {
			out = append(out, &policyObject{
				kind: kind.Kind, namespace: r.Object.Namespace, name: r.Object.Name,
				rules: [2]int{Ingress: len(r.Object.Spec.Ingress), Egress: len(r.Object.Spec.Egress)},
				add: func(e *estate.Estate, d Direction, without int) {
					kind.Add(e, edited(r, without, func(o *estate.CalicoNetworkPolicy) {
						if d == Ingress {
							o.Spec.Ingress = cut(o.Spec.Ingress, without)
						} else {
							o.Spec.Egress = cut(o.Spec.Egress, without)
						}
					}))
				},
			})
		}
	}
	return append(out, meshPoliciesIn(e)...)
}

// edited returns a resource, or a changed copy of it if a rule is to be cut.
func edited[T any](r *estate.Resource[T], without int, change func(*T)) *estate.Resource[T] {
	if without < 0 {
		return r
	}
	out := *r
	change(&out.Object)
	return &out
}

func cut[T any](rules []T, i int) []T { return slices.Delete(slices.Clone(rules), i, i+1) }

var errOutside = errors.New("the files are not part of the corpus")

// setup reads a configuration by name. "a/default/p" is policy default/p of a
// alone.
func (r *schemeRun) setup(dir string, s *scheme, name string) (*setup, error) {
	base, one, single := strings.Cut(name, "/")
	i := slices.IndexFunc(s.NetworkConfigList, func(c schemeConfig) bool { return c.Name == base })
	if i < 0 {
		return nil, fmt.Errorf("the scheme has no configuration %s", base)
	}
	sc := &s.NetworkConfigList[i]
	own := slices.Concat(sc.ResourceList, sc.PodList, sc.NamespaceList)
	topology, err := r.read(dir, own)
	if err != nil {
		return nil, err
	}
	if len(estate.Workloads.In(topology)) == 0 {
		if topology, err = r.read(dir, slices.Concat(s.ResourceList, s.PodList, s.NamespaceList, sc.ResourceList)); err != nil {
			return nil, err
		}
	}
	given, err := r.read(dir, slices.Concat(sc.ResourceList, sc.NetworkPolicyList))
	if err != nil {
		return nil, err
	}
	for _, copyMissing := range []func(){
		func() { copyAll(topology, given, estate.CalicoTiers) },
		func() { copyAll(topology, given, estate.CalicoNetworkSets) },
		func() { copyAll(topology, given, estate.CalicoGlobalNetworkSets) },
	} {
		copyMissing()
	}
	if r.prepare != nil {
		r.prepare(topology)
	}
	out := &setup{run: r, name: name, topology: topology, policies: policiesIn(given)}
	if single {
		out.policies = slices.DeleteFunc(out.policies, func(p *policyObject) bool { return p.full() != one })
		if len(out.policies) != 1 {
			return nil, fmt.Errorf("%d policies of %s are named %s", len(out.policies), base, one)
		}
	}
	return out, nil
}

// read reads files and folders of the corpus.
func (r *schemeRun) read(dir string, from files) (*estate.Estate, error) {
	var paths []string
	for _, f := range from {
		f = strings.TrimSuffix(strings.ReplaceAll(f, `\`, "/"), "/**")
		if strings.Contains(f, "://") {
			return nil, errOutside // a repository
		}
		p := filepath.Join(r.root, filepath.FromSlash(path.Join(dir, f)))
		if _, err := os.Stat(p); err != nil {
			return nil, errOutside
		}
		if !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	out := &estate.Estate{}
	if r.decode != nil {
		var err error
		paths = slices.DeleteFunc(paths, func(p string) bool {
			done, e := r.decode(p, out)
			err = errors.Join(err, e)
			return done
		})
		if err != nil {
			return nil, err
		}
	}
	if len(paths) == 0 {
		return out, nil
	}
	read, err := manifest.Read(context.Background(), paths, nil)
	if err != nil {
		return nil, err
	}
	copyTopology(read.Estate, out)
	return read.Estate, nil
}

// A unit is one end of connections in all the networks that are compared.
type unit struct {
	name    string // of a workload
	address netip.Addr
}

// unitsOf returns the pods by name and address, and addresses between which no
// network of them has a border.
func unitsOf(networks ...*Network) []unit {
	seen := map[unit]bool{}
	var out []unit
	add := func(u unit) {
		if !seen[u] {
			seen[u] = true
			out = append(out, u)
		}
	}
	for _, n := range networks {
		for _, p := range n.points[:n.pods] {
			add(unit{p.endpoint.Ref.ID, netip.Addr{}})
			for _, a := range p.addresses {
				add(unit{p.endpoint.Ref.ID, a})
			}
		}
		for _, a := range n.addresses.starts {
			add(unit{address: a})
		}
	}
	slices.SortFunc(out, func(a, b unit) int { return cmp.Or(cmp.Compare(a.name, b.name), a.address.Compare(b.address)) })
	return slices.DeleteFunc(out, func(u unit) bool {
		return u.name != "" && !u.address.IsValid() && slices.ContainsFunc(out, func(o unit) bool { return o.name == u.name && o.address.IsValid() })
	})
}

// pointOf returns the point of a unit, if the network has it.
func pointOfUnit(n *Network, u unit) (uint32, bool) {
	if u.name == "" {
		return n.atoms + n.addresses.atom(u.address), true
	}
	for i, p := range n.points[:n.pods] {
		if p.endpoint.Ref.ID == u.name && (!u.address.IsValid() || slices.Contains(p.addresses, u.address)) {
			return uint32(i), true
		}
	}
	return 0, false
}

// A reader returns what gets through a network from a point to another.
type reader = func(n *Network, from, to uint32) Ports

// compare asks two networks about every pair of units, until visit returns
// false. What a network does not have gets nothing.
func compare(a *Network, ofA reader, b *Network, ofB reader, visit func(from, to unit, a, b *Ports) bool) {
	units := unitsOf(a, b)
	type place struct {
		point uint32
		has   bool
	}
	places := make([][2]place, len(units))
	for i, u := range units {
		places[i][0].point, places[i][0].has = pointOfUnit(a, u)
		places[i][1].point, places[i][1].has = pointOfUnit(b, u)
	}
	for i, from := range units {
		for j, to := range units {
			if i == j || from.name == "" && to.name == "" {
				continue
			}
			var pa, pb Ports
			if places[i][0].has && places[j][0].has {
				pa = ofA(a, places[i][0].point, places[j][0].point)
			}
			if places[i][1].has && places[j][1].has {
				pb = ofB(b, places[i][1].point, places[j][1].point)
			}
			if !visit(from, to, &pa, &pb) {
				return
			}
		}
	}
}

// contained reports whether all that a lets through b lets through.
func contained(a *Network, ofA reader, b *Network, ofB reader) bool {
	ok := true
	compare(a, ofA, b, ofB, func(_, _ unit, pa, pb *Ports) bool {
		rest := pa.Minus(pb)
		ok = rest.Empty()
		return ok
	})
	return ok
}

func (r *schemeRun) same(a, b *Network) bool {
	return contained(a, r.between, b, r.between) && contained(b, r.between, a, r.between)
}

// compiled finds the policy that New made of an object.
func compiled(n *Network, o *policyObject) *policy {
	for _, p := range n.policies {
		if p.place.Subject.Kind == o.kind && p.place.Subject.Namespace == o.namespace && p.place.Subject.Name == o.name {
			return p
		}
	}
	return nil
}

// newSchemeRun unpacks a part of the corpus into a folder of the test.
func newSchemeRun(t *testing.T, part string) *schemeRun {
	root := t.TempDir()
	archive(t, "reach/network-setup-analyzer.tar.gz", func(name string, data []byte) {
		name, ok := strings.CutPrefix(name, "network-setup-analyzer/"+part+"/")
		if !ok || !filepath.IsLocal(name) || !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)) {
			return
		}
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	r := &schemeRun{root: root}
	r.between = func(n *Network, from, to uint32) Ports {
		sure, _ := n.between(from, to)
		return n.ports.of(sure)
	}
	r.explicit = func(n *Network, from, to uint32) Ports {
		if from < n.pods && n.filters[Egress][from] != nil || to < n.pods && n.filters[Ingress][to] != nil {
			return r.between(n, from, to)
		}
		return Ports{}
	}
	r.selects = func(n *Network, o *policyObject) set {
		if p := compiled(n, o); p != nil {
			return p.selected.may
		}
		return nil
	}
	r.empty = func(n *Network, o *policyObject) (count int) {
		p := compiled(n, o)
		if p == nil {
			return 0
		}
		for d := range p.rules {
			for i := range p.rules[d] {
				count += number(len(p.rules[d][i].peers.may) == 0)
			}
		}
		return count
	}
	r.layer = func(*policyObject) string { return "policies" }
	return r
}

// schemes returns the schemes of the part, by path.
func (r *schemeRun) schemes(t *testing.T) []string {
	var out []string
	err := filepath.WalkDir(r.root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), "scheme") && path.Ext(p) == ".yaml" {
			rel, err := filepath.Rel(r.root, p)
			if err != nil {
				return err
			}
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// run runs every query of every scheme. Known are the queries whose number is
// another one here, by "scheme: query", with the specification that decides;
// of a query that is not decided here the reason is counted.
func (r *schemeRun) runAll(t *testing.T, known map[string]string) {
	compared, undecided, seen, asked := 0, map[string]int{}, map[string]bool{}, map[string]int{}
	for _, file := range r.schemes(t) {
		data, err := os.ReadFile(filepath.Join(r.root, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		var s scheme
		if err := yaml.Unmarshal(data, &s); err != nil {
			t.Fatal(file, err)
		}
		configs := map[string]*setup{}
		for _, q := range s.Queries {
			title := strings.TrimSuffix(path.Base(file), ".yaml") + ": " + q.Name
			if asked[title]++; asked[title] > 1 {
				title += " (" + itoa(asked[title]) + ")" // some names stand twice
			}
			ask := questions[q.Kind]
			if ask == nil || q.Expected == nil {
				undecided[cmp.Or(q.Kind, "unknown kind")+" (a text, no number)"]++
				continue
			}
			var cs []*setup
			var missing error
			for _, name := range q.Configs {
				if configs[name] == nil {
					c, err := r.setup(path.Dir(file), &s, name)
					if err != nil {
						missing = err
						break
					}
					configs[name] = c
				}
				cs = append(cs, configs[name])
			}
			if errors.Is(missing, errOutside) {
				undecided[q.Kind+" ("+missing.Error()+")"]++
				continue
			}
			if missing != nil {
				t.Errorf("%s: %v", title, missing)
				continue
			}
			got, err := ask(r, cs)
			if err != nil {
				t.Errorf("%s: %v", title, err)
				continue
			}
			compared++
			switch why, differs := known[title]; {
			case got == *q.Expected && differs:
				t.Errorf("%s: %s is %d as the corpus has it, yet it is listed as a difference: %s", title, q.Kind, got, why)
			case got != *q.Expected && !differs:
				t.Errorf("%s: %s %s is %d, want %d", title, q.Kind, strings.Join(q.Configs, ", "), got, *q.Expected)
			}
			seen[title] = true
		}
	}
	for title := range known {
		if !seen[title] {
			t.Errorf("the corpus has no query %s", title)
		}
	}
	t.Logf("%d queries compared, %d of them with a difference that is explained", compared, len(known))
	var reasons []string
	for reason, n := range undecided {
		reasons = append(reasons, fmt.Sprintf("%d of %s", n, reason))
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		t.Logf("not compared: %s", reason)
	}
}
