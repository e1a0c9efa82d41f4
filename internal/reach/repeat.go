package reach

import (
	"strings"
)

// maxSame bounds how many policies of the same pods are compared. Nobody writes
// so many; who generates them must not make an audit slow.
const maxSame = 200

// repeated returns the policies that another one makes needless: one for the same
// pods that restricts the same directions and has all of its rules. Of two that are
// equal the first stands.
func (n *Network) repeated() map[*policy]*policy {
	bySelected := map[string][]*policy{}
	for _, p := range n.policies {
		if api := p.api(); api != kubernetesAPI && api != applicationAPI || len(p.selected.may) == 0 {
			continue
		}
		// The default of a namespace is said once, whatever repeats it.
		if p.whole && len(p.rules[Ingress])+len(p.rules[Egress]) == 0 {
			continue
		}
		key := p.selected.may.key()
		bySelected[key] = append(bySelected[key], p)
	}
	out := map[*policy]*policy{}
	for _, same := range bySelected {
		if len(same) < 2 || len(same) > maxSame {
			continue
		}
		rules := make([]map[string]bool, len(same))
		for i, p := range same {
			rules[i] = p.ruleKeys()
		}
		for i, p := range same {
			for j, q := range same {
				if i == j || !hasAllOf(q, p, rules[j], rules[i]) || j > i && hasAllOf(p, q, rules[i], rules[j]) {
					continue
				}
				out[p] = q
				break
			}
		}
	}
	return out
}

// ruleKeys identifies what each rule allows: to or from the same points at the
// same ports. What is about nothing yet is identified by where it stands.
func (p *policy) ruleKeys() map[string]bool {
	out := map[string]bool{}
	for d := range p.rules {
		for i := range p.rules[d] {
			r := &p.rules[d][i]
			var key strings.Builder
			key.WriteString(Direction(d).String() + itoa(uint32(r.ports)))
			for _, name := range r.named {
				key.WriteString("\x00" + name.protocol.String() + name.name)
			}
			key.WriteString("\x00" + r.peers.may.key())
			if len(r.peers.may) == 0 {
				key.WriteString(p.name + r.field)
			}
			out[key.String()] = true
		}
	}
	return out
}

func hasAllOf(q, p *policy, wide, narrow map[string]bool) bool {
	if p.applies[Ingress] && !q.applies[Ingress] || p.applies[Egress] && !q.applies[Egress] {
		return false
	}
	for r := range narrow {
		if !wide[r] {
			return false
		}
	}
	return true
}
