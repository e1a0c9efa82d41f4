package reach

import (
	"fmt"

	"github.com/eksafe/eksafe/internal/trace"
)

// carriedLayer explains a layer below the mesh, which sees of a connection
// between pods of an ambient mesh the port that ztunnel carries it to.
func (m *meshLayer) carriedLayer(from, to uint32, a *Answer, ask func(*Answer) (Layer, []string)) (Layer, []string) {
	layers, notes := m.carriedLayers(from, to, a, func(a *Answer) ([]Layer, []string) {
		l, notes := ask(a)
		return []Layer{l}, notes
	})
	return layers[0], notes
}

func (m *meshLayer) carriedLayers(from, to uint32, a *Answer, ask func(*Answer) ([]Layer, []string)) ([]Layer, []string) {
	tunnel := m.tunnels(from, to)
	if tunnel == trace.No || a.Protocol != TCP || a.Port == hbone {
		return ask(a)
	}
	carried := *a
	carried.Port = hbone
	layers, notes := ask(&carried)
	direct, more := ask(a)
	for i := range layers {
		if i < len(direct) {
			m.reconcile(&layers[i], &direct[i], tunnel, from, to, a.Port)
		}
	}
	return layers, append(append(notes, more...), tunnelNote)
}

// reconcile joins what a layer says of the tunnel with what it says of the port
// itself.
func (m *meshLayer) reconcile(l, direct *Layer, tunnel trace.Ternary, from, to uint32, port uint16) {
	switch {
	case l.Verdict == direct.Verdict:
	case tunnel == trace.Unclear:
		l.Why = fmt.Sprintf("%s at TCP %d and %s at TCP %d, and whether the client's sidecar sends to the tunnel at %d is not known",
			direct.Verdict, port, l.Verdict, hbone, hbone)
		l.Verdict = Unknown
	case l.Verdict == Allowed:
		l.Why += fmt.Sprintf(", which carries every TCP port: of TCP %d itself, which it does not let through, it sees nothing", port)
	case direct.Verdict != Denied:
		l.Why += fmt.Sprintf("; what lets through TCP %d is no help to the tunnel at TCP %d", port, hbone)
		if plain := m.plain(from, to); m.network.has(plain, TCP, port) {
			l.Verdict = Unknown
			l.Why += ", but the server takes plaintext, and a client that its node does not carry gets through"
		}
	}
}

// settle sees to it that a connection that is denied has a layer that denies
// it: the tunnel may be closed by one layer, and the way beside it by another.
func (m *meshLayer) settle(a *Answer) {
	if a.Verdict != Denied {
		return
	}
	last := -1
	for i, l := range a.Layers {
		if l.Verdict == Denied {
			return
		}
		if l.Verdict == Unknown {
			last = i
		}
	}
	if last >= 0 {
		a.Layers[last].Verdict = Denied
	}
}
