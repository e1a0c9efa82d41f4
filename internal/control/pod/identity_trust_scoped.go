package pod

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/eksafe/eksafe/internal/access"
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var identityTrustScoped = &control.Control{
	ID:       "identity-trust-scoped",
	Title:    "A role for pods names the service accounts that may take it",
	Severity: control.High,
	Refs:     []control.Ref{control.AWS("eks-irsa"), control.AWS("eks-pod-identity-role")},
	Serves:   []string{"S28", "S30"},
	Since:    "0.1.0",
	Check:    control.Each(estate.IAMRoles, judgeTrust),
}

const trustField = "assumeRolePolicyDocument"

// issuerRE matches the ARN of an identity provider that is an EKS cluster, and
// takes its issuer.
var issuerRE = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:oidc-provider/(oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/id/[A-Za-z0-9]+)$`)
})

func judgeTrust(s *control.Subject, r *estate.IAMRole) {
	document, known := r.AssumeRolePolicyDocument.Get()
	if !known {
		s.Unknownf("the trust policy of role %s is not known; read it live (--aws)", r.RoleName)
		return
	}
	trust, err := access.ParseTrust(document)
	if err != nil {
		s.Unknownf("the trust policy of role %s cannot be read", r.RoleName)
		return
	}
	for i, st := range trust.Statements {
		if st.NotActions != nil || st.NotPrincipals != nil {
			s.Unknownf("the trust policy of role %s is not understood: statement %d has NotAction or NotPrincipal; write out what is meant", r.RoleName, i+1)
			return
		}
	}
	denied := slices.ContainsFunc(trust.Statements, func(st access.Statement) bool {
		return st.Deny && st.Names(access.AssumeRoleWithWebIdentity)
	})
	concerned := false
	for i := range trust.Statements {
		st := &trust.Statements[i]
		if st.Deny {
			continue
		}
		if slices.Contains(st.Named("Service"), access.PodIdentityService) {
			// Which pods get it is for the associations of the cluster to say.
			concerned = true
		}
		if !st.Names(access.AssumeRoleWithWebIdentity) || len(issuers(st)) == 0 {
			continue
		}
		concerned = true
		problem, unclear := opening(st)
		switch {
		case unclear != "":
			s.Unknownf("whom role %s lets in is not known: what %s stands for is not in its trust policy", r.RoleName, unclear)
		case problem == "":
		case denied:
			s.Unknownf("the trust policy of role %s denies something too, and by how much that narrows it is not computed: %s", r.RoleName, problem)
		default:
			s.Failf(trustField, "%s", problem)
		}
	}
	if !concerned {
		s.NotApplicable()
	}
}

// issuers returns the clusters whose pods the statement lets in.
func issuers(st *access.Statement) []string {
	var out []string
	for _, f := range st.Named("Federated") {
		if m := issuerRE().FindStringSubmatch(f); m != nil {
			out = append(out, m[1])
		}
	}
	return out
}

// opening returns by what the statement lets in more than the service accounts
// it names, "" for nothing. Where that depends on a value that the policy does
// not tell, it returns the value.
func opening(st *access.Statement) (problem, unclear string) {
	if st.ForeignToken() {
		return "", ""
	}
	issuers := issuers(st)
	// A condition on the key of one issuer keeps the tokens of all others out,
	// as they lack it.
	issuer := issuers[0]
	for _, i := range issuers {
		if len(st.Limits(i+":sub")) > 0 {
			issuer = i
		}
	}
	// Every token of a cluster has a subject and an audience, so that it makes no
	// difference whether a condition allows for their absence: those of another
	// provider lack them.
	alone := len(st.Named("Federated")) == 1
	cluster := issuer[strings.LastIndexByte(issuer, '/')+1:]
	pattern, limited := "", false
	for _, l := range st.Limits(issuer + ":sub") {
		if l.Optional && !alone {
			continue
		}
		switch wide, variable := l.Wide(), l.Variable(); {
		case wide != "":
			pattern = wide
		case variable != "":
			unclear = variable
		default:
			limited = true
		}
	}
	switch {
	case limited:
	case unclear != "":
		return "", unclear
	case pattern != "":
		return "every service account that is like " + pattern + " may take it", ""
	default:
		return "every service account of cluster " + cluster + " may take it: no condition limits " + issuer + ":sub", ""
	}
	for _, l := range st.Limits(issuer + ":aud") {
		if (alone || !l.Optional) && !slices.ContainsFunc(l.Values, func(v string) bool { return v != access.TokenAudience }) {
			return "", ""
		}
	}
	return "tokens made for another service may take it: no condition limits " + issuer + ":aud to " + access.TokenAudience, ""
}
