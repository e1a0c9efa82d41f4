// Package reach computes who can reach what over the network: pods, databases,
// caches, load balancers, the addresses of the estate and the internet, at every
// port of every protocol, each answer with the rules that made it.
//
// It is set algebra, not simulation. Every end of a connection is a point:
// pods of one workload that no rule tells apart are one, and so are addresses
// between which no block of the estate has a border. A policy is a set of
// points, and what a pod may send or receive is a row of ports over all points.
// The layers of a connection (policies of both ends, security groups and network
// ACLs of AWS, the mesh) are asked one after the other, and all must allow.
//
// Where a rule leaves open what it means (a block against the addresses of pods,
// two policies of one priority) the answer is the unsafe one and says so. Where
// the estate does not show what decides, the answer is unknown: isolation is
// only claimed when every reading isolates.
package reach
