// Command authorizer answers by Kubernetes' RBAC authorizer: each line of its
// standard input is roles, bindings and questions as JSON, each line of its output the answers.
// It is the oracle of tests, and no server runs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/kubernetes/pkg/registry/rbac/validation"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
)

type question struct {
	User   string   `json:"user"`
	Groups []string `json:"groups"`
	Query  struct {
		Verb, Group, Resource, Subresource, Name, Namespace, URL string
	} `json:"query"`
}

type round struct {
	Set struct {
		Roles               []*rbacv1.Role               `json:"roles"`
		ClusterRoles        []*rbacv1.ClusterRole        `json:"clusterRoles"`
		RoleBindings        []*rbacv1.RoleBinding        `json:"roleBindings"`
		ClusterRoleBindings []*rbacv1.ClusterRoleBinding `json:"clusterRoleBindings"`
	} `json:"set"`
	Questions []question `json:"questions"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "authorizer:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var r round
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		_, roles := validation.NewTestRuleResolver(r.Set.Roles, r.Set.RoleBindings, r.Set.ClusterRoles, r.Set.ClusterRoleBindings)
		oracle := rbac.New(roles, roles, roles, roles)
		answers := make([]bool, 0, len(r.Questions))
		for _, q := range r.Questions {
			decision, _, _ := oracle.Authorize(context.Background(), authorizer.AttributesRecord{ // roles that are not there are errors, and no answer
				User: &user.DefaultInfo{Name: q.User, Groups: q.Groups}, Verb: q.Query.Verb, APIGroup: q.Query.Group, Resource: q.Query.Resource,
				Subresource: q.Query.Subresource, Name: q.Query.Name, Namespace: q.Query.Namespace, Path: q.Query.URL, ResourceRequest: q.Query.URL == "",
			})
			answers = append(answers, decision == authorizer.DecisionAllow)
		}
		if err := enc.Encode(answers); err != nil {
			return err
		}
	}
}
