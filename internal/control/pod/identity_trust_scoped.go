package pod

import (
	"regexp"
	"slices"
	"strings"
	"sync"

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

const (
	webIdentity = "sts:AssumeRoleWithWebIdentity"
	podService  = "pods.eks.amazonaws.com"
	audience    = "sts.amazonaws.com"
	trustField  = "assumeRolePolicyDocument"
)

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
	statements, err := parseTrust(document)
	if err != nil {
		s.Unknownf("the trust policy of role %s is not understood: %v", r.RoleName, err)
		return
	}
	denied := slices.ContainsFunc(statements, func(st statement) bool { return !st.allow && st.does(webIdentity) })
	concerned := false
	for i := range statements {
		st := &statements[i]
		if !st.allow {
			continue
		}
		if slices.Contains(st.services, podService) {
			// Which pods get it is for the associations of the cluster to say.
			concerned = true
		}
		if !st.does(webIdentity) || len(st.issuers()) == 0 {
			continue
		}
		concerned = true
		problem := st.open()
		switch {
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
func (s *statement) issuers() []string {
	var out []string
	for _, f := range s.federated {
		if m := issuerRE().FindStringSubmatch(f); m != nil {
			out = append(out, m[1])
		}
	}
	return out
}

// open returns by what the statement lets in more than the service accounts it
// names, "" for nothing.
func (s *statement) open() string {
	issuers := s.issuers()
	if s.foreign() {
		return ""
	}
	// A condition on the key of one issuer keeps the tokens of all others out,
	// as they lack it.
	issuer := issuers[0]
	for _, i := range issuers {
		if len(s.demands(i+":sub")) > 0 {
			issuer = i
		}
	}
	// Every token of a cluster has a subject and an audience, so that it makes no
	// difference whether a condition allows for their absence: those of another
	// provider lack them.
	alone := len(s.federated) == 1
	cluster := issuer[strings.LastIndexByte(issuer, '/')+1:]
	pattern, limited := "", false
	for _, d := range s.demands(issuer + ":sub") {
		if d.optional && !alone {
			continue
		}
		wide := ""
		for _, v := range d.values {
			if d.wildcards && strings.ContainsAny(v, "*?") {
				wide = v
			}
		}
		if wide == "" {
			limited = true
		}
		pattern = wide
	}
	switch {
	case limited:
	case pattern != "":
		return "every service account that is like " + pattern + " may take it"
	default:
		return "every service account of cluster " + cluster + " may take it: no condition limits " + issuer + ":sub"
	}
	for _, d := range s.demands(issuer + ":aud") {
		if (alone || !d.optional) && !slices.ContainsFunc(d.values, func(v string) bool { return v != audience }) {
			return ""
		}
	}
	return "tokens made for another service may take it: no condition limits " + issuer + ":aud to " + audience
}

// foreign reports whether the statement asks for the key of a provider that it
// does not let in: no token has it, so nobody takes the role.
func (s *statement) foreign() bool {
	for _, keys := range s.conditions {
		for key := range keys {
			issuer, ok := strings.CutSuffix(key, ":sub")
			if !ok {
				continue
			}
			strict := slices.ContainsFunc(s.demands(key), func(d demand) bool { return !d.optional })
			in := slices.ContainsFunc(s.federated, func(f string) bool { return strings.HasSuffix(strings.ToLower(f), "/"+strings.ToLower(issuer)) })
			if strict && !in {
				return true
			}
		}
	}
	return false
}
