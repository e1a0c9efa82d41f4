package edge

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

// However the internet is cut, the pieces are the internet, and with one piece
// less they are not.
func TestEveryAddress(t *testing.T) {
	for _, whole := range []string{"0.0.0.0/0", "::/0"} {
		for seed := range uint64(50) {
			r := rand.New(rand.NewPCG(seed, 1))
			pieces := []netip.Prefix{netip.MustParsePrefix(whole)}
			bits := pieces[0].Addr().BitLen()
			for range 1 + r.IntN(40) {
				i := r.IntN(len(pieces))
				if p := pieces[i]; p.Bits() < bits {
					low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
					high := netip.PrefixFrom(lastAddress(p), p.Bits()+1).Masked()
					pieces = append(slices.Delete(pieces, i, i+1), low, high)
				}
			}
			r.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
			if !everyAddress(pieces, bits) {
				t.Fatalf("seed %d: %v is not %s", seed, pieces, whole)
			}
			if everyAddress(pieces[1:], bits) {
				t.Fatalf("seed %d: %v without %v is %s", seed, pieces, pieces[0], whole)
			}
			if everyAddress(pieces, 160-bits) {
				t.Fatalf("seed %d: %v is every address of the other version", seed, pieces)
			}
		}
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"shop", "shop", true},
		{"shop", "shops", false},
		{"*", "", true},
		{"shop-*/api", "shop-prod/api", true},
		{"shop-*/api", "shop-prod/apis", false},
		{"a*a", "a", false},
		{"*a*b*", "xaxbx", true},
		{"*a*b*", "xbxax", false},
	} {
		if got := fits(c.pattern, c.name); got != c.want {
			t.Errorf("fits(%q, %q) is %v", c.pattern, c.name, got)
		}
	}
}

// A request is a set of marks; a statement that recognises marks 0 and 1 is
// evaluated for every request, and must agree with what inside and outside say.
func TestInsideAndOutsideByOracle(t *testing.T) {
	part := func(st estate.Statement) bool {
		return st.GeoMatchStatement != nil && (st.GeoMatchStatement.CountryCodes[0] == "0" || st.GeoMatchStatement.CountryCodes[0] == "1")
	}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		st := randomStatement(r, 3)
		in, out := inside(st, part), outside(st, part)
		for marks := range 16 {
			matched, recognised := evaluate(st, marks), marks&3 != 0
			if in && matched && !recognised {
				t.Fatalf("seed %d: inside, but it matches %04b", seed, marks)
			}
			if out && !matched && !recognised {
				t.Fatalf("seed %d: outside, but it lets %04b pass", seed, marks)
			}
		}
	}
}

func randomStatement(r *rand.Rand, depth int) estate.Statement {
	if depth == 0 || r.IntN(3) == 0 {
		return estate.Statement{GeoMatchStatement: &estate.GeoMatchStatement{CountryCodes: []string{string(rune('0' + r.IntN(4)))}}}
	}
	two := func() *estate.Statements {
		return &estate.Statements{Statements: []estate.Statement{randomStatement(r, depth-1), randomStatement(r, depth-1)}}
	}
	switch r.IntN(3) {
	case 0:
		return estate.Statement{AndStatement: two()}
	case 1:
		return estate.Statement{OrStatement: two()}
	}
	return estate.Statement{NotStatement: &estate.NotStatement{Statement: randomStatement(r, depth-1)}}
}

func evaluate(st estate.Statement, marks int) bool {
	holds := func(x estate.Statement) bool { return evaluate(x, marks) }
	switch {
	case st.AndStatement != nil:
		return !slices.ContainsFunc(st.AndStatement.Statements, func(x estate.Statement) bool { return !holds(x) })
	case st.OrStatement != nil:
		return slices.ContainsFunc(st.OrStatement.Statements, holds)
	case st.NotStatement != nil:
		return !holds(st.NotStatement.Statement)
	}
	return marks&(1<<(st.GeoMatchStatement.CountryCodes[0][0]-'0')) != 0
}
