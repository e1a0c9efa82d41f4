package trace

import (
	"reflect"
	"sync"
)

// A memo holds what others derived from a graph.
type memo struct{ made sync.Map } // reflect.Type → func() any

// Derive returns what build makes of the graph. It is built once for each type
// T, whoever asks first; others wait for it. Several controls judge by one
// index of the estate this way.
func Derive[T any](g *Graph, build func(*Graph) T) T {
	if g.memo == nil {
		return build(g)
	}
	key := reflect.TypeFor[T]()
	once, ok := g.memo.made.Load(key)
	if !ok {
		once, _ = g.memo.made.LoadOrStore(key, sync.OnceValue(func() any { return build(g) }))
	}
	return once.(func() any)().(T)
}
