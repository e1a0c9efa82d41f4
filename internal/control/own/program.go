package own

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/eksafe/eksafe/internal/estate"
)

// The bounds of expressions: who may propose a change to a file of controls
// must not be able to stop the audit with it.
const (
	maxExpression = 8 << 10
	maxDepth      = 100
	maxNesting    = 4 // of loops in loops
	maxCost       = 2_000_000
)

// refused are functions whose result grows faster than their cost.
var refused = map[string]bool{"format": true, "replace": true}

// An environment is what expressions of a control may name.
type environment struct {
	env   *cel.Env
	types *declarations
}

// base is what all expressions share. It is made with the first of them: it costs
// a few milliseconds that no other command should pay.
var base = sync.OnceValues(func() (*environment, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	d := &declarations{Provider: registry, names: map[string]*structType{}, types: map[reflect.Type]*structType{}}
	env, err := cel.NewEnv(
		cel.OptionalTypes(),
		cel.EagerlyValidateDeclarations(true),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxDepth),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateDurationLiterals(), cel.ValidateComprehensionNestingLimit(maxNesting)),
		ext.Strings(), ext.Sets(), ext.Bindings(), ext.Network(),
		// Behind the libraries, which know no provider but cel's own.
		cel.CustomTypeAdapter(registry),
		cel.CustomTypeProvider(d),
		cel.Variable("now", cel.TimestampType),
	)
	return &environment{env, d}, err
})

// newEnvironment returns what the expressions of a control on kind may name.
func newEnvironment(kind estate.KindInfo, also []estate.KindInfo) (*environment, error) {
	b, err := base()
	if err != nil {
		return nil, err
	}
	variables := []cel.EnvOption{cel.Variable("self", b.types.of(kind.Type()))}
	for _, k := range also {
		variables = append(variables, cel.Variable(string(k.Kind), types.NewListType(b.types.of(k.Type()))))
	}
	env, err := b.env.Extend(variables...)
	return &environment{env, b.types}, err
}

// A fault is what is wrong with an expression, and where in its text: lines
// from 1, columns from 0, in characters.
type fault struct {
	line, column int
	what         string
}

// compile returns the program of an expression that gives a value of the type,
// or all that is wrong with it.
func (e *environment) compile(text string, want *types.Type) (*program, []fault) {
	checked, issues := e.env.Compile(text)
	var faults []fault
	for _, x := range issues.Errors() {
		what, _, _ := strings.Cut(x.Message, "\n")
		if name, ok := strings.CutPrefix(what, "undefined field '"); ok {
			what += because(strings.TrimSuffix(name, "'"))
		}
		if strings.HasPrefix(what, "undeclared reference to") && len(x.Message) < 200 {
			what = strings.ReplaceAll(what, " (in container '')", "")
			if name := strings.Trim(strings.TrimPrefix(what, "undeclared reference to "), "'"); isKind(name) {
				what += "; declare it: also: [" + name + "]"
			}
		}
		faults = append(faults, fault{x.Location.Line(), x.Location.Column(), what})
	}
	if len(faults) > 0 {
		return nil, faults
	}
	native := checked.NativeRep()
	ast.PostOrderVisit(native.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if x.Kind() == ast.CallKind && refused[x.AsCall().FunctionName()] {
			at := native.SourceInfo().GetStartLocation(x.ID())
			faults = append(faults, fault{at.Line(), at.Column(), "the function " + x.AsCall().FunctionName() + " is not offered: its result has no bound"})
		}
	}))
	if len(faults) > 0 {
		return nil, faults
	}
	if out := checked.OutputType(); !out.IsEquivalentType(want) {
		return nil, []fault{{1, 0, fmt.Sprintf("it gives %s, and must give %s", typeName(out), typeName(want))}}
	}
	p, err := e.env.Program(checked, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(0))
	if err != nil {
		return nil, []fault{{1, 0, err.Error()}}
	}
	return &program{p, e.types}, nil
}

func typeName(t *types.Type) string {
	switch t.Kind() {
	case types.DynKind:
		return "a value whose type is not known"
	case types.BoolKind:
		return "true or false"
	case types.StringKind:
		return "text"
	}
	return "a " + cel.FormatCELType(t)
}

func isKind(name string) bool {
	_, err := estate.KindOf(estate.Kind(name))
	return err == nil
}

// A program is an expression that can be asked.
type program struct {
	cel   cel.Program
	types *declarations
}

// run returns what the expression says of item. An error means that it cannot
// be said: an attribute is not known, or something is not there.
func (p *program) run(item estate.Item, also map[estate.Kind][]estate.Item, now time.Time) (ref.Val, error) {
	ev := &evaluation{types: p.types}
	vars := map[string]any{
		"self": ev.value(reflect.ValueOf(item.Object), "self"),
		"now":  types.Timestamp{Time: now},
	}
	for kind, items := range also {
		list := make([]ref.Val, len(items))
		for i, it := range items {
			list[i] = ev.value(reflect.ValueOf(it.Object), it.Ref.ID)
		}
		vars[string(kind)] = types.NewRefValList(types.DefaultTypeAdapter, list)
	}
	out, _, err := p.cel.Eval(vars)
	switch {
	case ev.blind != nil:
		return nil, ev.blind
	case err != nil:
		return nil, plainly(err)
	}
	return out, nil
}

// plainly returns an error in our words: the evaluator wraps it.
func plainly(err error) error {
	var u *unknown
	var n *unset
	switch {
	case errors.As(err, &u):
		return fmt.Errorf("%w; read it live (--aws, --kube)", u)
	case errors.As(err, &n):
		return n
	case strings.Contains(err.Error(), "cost limit"):
		return errors.New("the expression does too much for one subject; make it simpler")
	}
	what, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(what)
}
