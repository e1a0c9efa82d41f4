package reach

import (
	"encoding/binary"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// A labelSelector is a compiled selector of Kubernetes. Equal ones of a network
// have the same address.
type labelSelector struct {
	labels.Selector
	readable bool              // the API server would take it; otherwise it selects nothing
	required map[string]string // labels that whatever is selected has
}

// labelSelectors compiles each selector once: policies repeat the same few.
type labelSelectors struct {
	compiled map[string]*labelSelector
	// identity and names are of the one that was asked last: their memory is used
	// again.
	identity []byte
	names    []string
}

// of compiles a selector; a nil one selects everything, as an empty one does.
func (t *labelSelectors) of(s *metav1.LabelSelector) *labelSelector {
	if s == nil {
		s = &metav1.LabelSelector{}
	}
	t.identify(s)
	if known := t.compiled[string(t.identity)]; known != nil {
		return known
	}
	out := &labelSelector{Selector: labels.Nothing()}
	if compiled, err := metav1.LabelSelectorAsSelector(s); err == nil {
		out = &labelSelector{Selector: compiled, readable: true, required: s.MatchLabels}
	}
	if t.compiled == nil {
		t.compiled = map[string]*labelSelector{}
	}
	t.compiled[string(t.identity)] = out
	return out
}

// identify writes what identifies a selector. Every text stands behind its
// length, so that no text reads as several.
func (t *labelSelectors) identify(s *metav1.LabelSelector) {
	key := t.identity[:0]
	text := func(s string) { key = append(binary.AppendUvarint(key, uint64(len(s))), s...) }
	t.names = slices.AppendSeq(t.names[:0], maps.Keys(s.MatchLabels))
	slices.Sort(t.names)
	key = binary.AppendUvarint(key, uint64(len(t.names)))
	for _, name := range t.names {
		text(name)
		text(s.MatchLabels[name])
	}
	for _, e := range s.MatchExpressions {
		text(e.Key)
		text(string(e.Operator))
		key = binary.AppendUvarint(key, uint64(len(e.Values)))
		for _, v := range e.Values {
			text(v)
		}
	}
	t.identity = key
}

// A labelIndex is the points of pods by the value of one label, in order.
type labelIndex struct {
	passed  int // pods that were looked through for the label
	byValue map[string][]uint32
}

// podsBy returns the points of pods by the value of a label, for one who would
// otherwise look through some of them. It is nil until looking has cost as much as
// an index of all pods: most labels of pods are asked for by no policy, and most
// selectors are about few pods.
func (n *Network) podsBy(label string, instead int) map[string][]uint32 {
	x := n.labelled[label]
	if x == nil {
		x = &labelIndex{}
		n.labelled[label] = x
	}
	if x.passed += instead; x.byValue == nil && x.passed >= int(n.pods) {
		x.byValue = map[string][]uint32{}
		for i, p := range n.points[:n.pods] {
			if v, ok := p.labels[label]; ok {
				x.byValue[v] = append(x.byValue[v], uint32(i))
			}
		}
	}
	return x.byValue
}
