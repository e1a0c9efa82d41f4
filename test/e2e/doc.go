// Package e2e audits whole estates: the shops of examples/ from their files
// and from the servers that they were brought to, a real kube-apiserver and the
// AWS double. It holds tests only.
package e2e
