package cli

import (
	"fmt"
	"strings"
)

// maxDiff bounds the table of a comparison; longer texts are shown whole.
const maxDiff = 4_000_000

// unified returns the difference between two texts as diff -u shows it, "" for
// none.
func unified(oldName, newName, before, after string) string {
	if before == after {
		return ""
	}
	ops := compareLines(splitLines(before), splitLines(after))
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", oldName, newName)
	const context = 3
	for i := 0; i < len(ops); {
		if ops[i].sign == ' ' {
			i++
			continue
		}
		// A hunk goes on while changes are no more than their context apart.
		start, end := max(0, i-context), i
		for j, same := i, 0; j < len(ops) && same <= 2*context; j++ {
			if same++; ops[j].sign != ' ' {
				same, end = 0, j+1
			}
		}
		end = min(len(ops), end+context)
		writeHunk(&b, ops, start, end)
		i = end
	}
	return b.String()
}

type lineOp struct {
	sign byte // ' ', '-' or '+'
	text string
}

func writeHunk(b *strings.Builder, ops []lineOp, start, end int) {
	count := func(ops []lineOp, sign byte) int {
		n := 0
		for _, o := range ops {
			if o.sign == ' ' || o.sign == sign {
				n++
			}
		}
		return n
	}
	span := func(sign byte) string {
		from, n := count(ops[:start], sign)+1, count(ops[start:end], sign)
		if n == 0 {
			from--
		}
		return fmt.Sprintf("%d,%d", from, n)
	}
	fmt.Fprintf(b, "@@ -%s +%s @@\n", span('-'), span('+'))
	for _, o := range ops[start:end] {
		b.WriteString(string(o.sign) + o.text + "\n")
	}
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// compareLines returns the lines of both texts in order, by their longest common
// subsequence.
func compareLines(a, b []string) []lineOp {
	var out []lineOp
	if len(a)*len(b) > maxDiff {
		for _, s := range a {
			out = append(out, lineOp{'-', s})
		}
		for _, s := range b {
			out = append(out, lineOp{'+', s})
		}
		return out
	}
	// common[i][j] is the length of the longest common subsequence of a[i:] and
	// b[j:].
	common := make([][]int32, len(a)+1)
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, lineOp{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, lineOp{'-', a[i]})
			i++
		default:
			out = append(out, lineOp{'+', b[j]})
			j++
		}
	}
	return out
}
