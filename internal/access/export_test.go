package access

// Account2000 is the large account for the tests beside the package.
var Account2000 = account2000

// Edges returns how many edges the graph has.
func (g *Graph) Edges() int { return len(g.edges) }
