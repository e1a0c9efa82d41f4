package all

// A Requirement is one thing that a secure application on EKS needs.
type Requirement struct {
	No       string // "S4"
	Text     string
	Commands []Command // that serve it beside the controls
}

// A Command is a command that serves a requirement, or will.
type Command struct {
	Name   string
	Does   string // what it does for the requirement
	Exists bool   // in this release
}

// The commands that serve requirements.
var (
	paths    = Command{"audit", "draws the path of every application", true}
	changed  = Command{"audit --history", "says what got better or worse since the last audit", true}
	exported = Command{"audit --publish securityhub", "brings the findings into Security Hub, and shows those of others on the path", true}
	create   = Command{"create", "builds it from eksafe.yaml", false}
	fix      = Command{"fix", "mends what a control found", false}
	guard    = Command{"guard", "reads logs and blocks who attacks", false}
	probe    = Command{"probe", "proves it from inside of the cluster", false}
	scan     = Command{"scan", "looks for vulnerabilities of images without a registry", false}
	reaches  = Command{"reach", "computes who reaches whom, and which rule decides", true}
	closes   = Command{"reach suggest", "writes the policies that what is needed leaves", true}
	whoCan   = Command{"who-can", "says who can do what, from the AWS principal down and with escalation", true}
	suggest  = Command{"who-can suggest", "writes the policy of what is used", true}
)

// Requirements lists all, in the order in which an application is made secure.
var Requirements = []Requirement{
	{"S1", "know how secure an application in the public cloud is", []Command{paths}},
	{"S2", "reach a high level without much time, cost and effort", []Command{create, fix}},
	{"S3", "all data traffic encrypted the whole way", []Command{probe}},
	{"S4", "web client to load balancer encrypted", []Command{create, fix, probe}},
	{"S5", "an application load balancer by the ALB ingress controller (today: AWS Load Balancer Controller), for routing and security on the application layer; not a classic one", []Command{create, fix}},
	{"S6", "its certificates from AWS Certificate Manager", []Command{create, fix}},
	{"S7", "load balancer to pod encrypted, because whoever is in the private network can listen: by the application itself", []Command{create, probe}},
	{"S8", "… or by a sidecar, for example nginx", []Command{create, fix, probe}},
	{"S9", "… or by a service mesh, for example Istio", []Command{create, probe}},
	{"S10", "pod to RDS encrypted: the server offers it, the application is adjusted to use it", []Command{create, fix, probe}},
	{"S11", "RDS storage encrypted at creation", []Command{create}},
	{"S12", "persistent volumes encrypted: a new default StorageClass with encryption", []Command{create, fix}},
	{"S13", "the old default StorageClass removed", []Command{create, fix}},
	{"S14", "network policies restrict ingress and egress of pods; Calico (or what enforces them) installed", []Command{create, fix, reaches, closes, probe}},
	{"S15", "only the application's port in (8080 in the example)", []Command{create, fix, closes, probe}},
	{"S16", "out only to DNS and the database ports of the own private network", []Command{create, fix, closes, probe}},
	{"S17", "no pod reaches a database that belongs to another pod of the cluster", []Command{create, reaches, probe}},
	{"S18", "access of pods to RDS instances restricted like security groups do: database subnets of /28 in at least two zones, or security groups for pods", []Command{create, reaches, closes}},
	{"S19", "pod security settings against taking over the node's resources", []Command{create, fix, probe}},
	{"S20", "WAF, on an ALB", []Command{create, fix, probe}},
	{"S21", "with a predefined rule set from the marketplace (F5's, for example) in an ACL", []Command{create}},
	{"S22", "where clients' addresses are known, access only for them", []Command{create, fix, probe}},
	{"S23", "otherwise rules that block and blacklist addresses that try exploits", []Command{create, guard}},
	{"S24", "WAF logs analysed to detect and prevent", []Command{create, guard}},
	{"S25", "Shield Standard used fully: CloudFront and Route 53", []Command{create}},
	{"S26", "Shield Advanced, recommended", []Command{create}},
	{"S27", "two-factor authentication on all AWS user logins", []Command{create}},
	{"S28", "few administrators; each user only what is needed", []Command{create, whoCan, suggest}},
	{"S29", "namespaces separate teams, projects and stages (TEST, INT, E2E, PROD)", []Command{create, whoCan}},
	{"S30", "permissions per namespace: one team cannot see another's secrets; a hacked dev user does not endanger prod", []Command{create, whoCan, probe}},
	{"S31", "images scanned regularly for vulnerabilities: by the registry", []Command{create}},
	{"S32", "… or by an open-source scanner", []Command{scan}},
	{"S33", "the own security concept reviewed, with AWS's checklists (Trusted Advisor)", []Command{changed}},
	{"S34", "Security Hub for the whole view", []Command{create, exported}},
	{"S35", "4XX/5XX of a searching hacker detected by CloudWatch metrics of the ALB: alarm, or Lambda that acts", []Command{create, guard}},
	{"S36", "the same for CloudWatch metrics of the WAF ACLs", []Command{create, guard}},
	{"S37", "IPs or application users blocked", []Command{guard}},
	{"S38", "application log files to S3, a Lambda function that checks them and acts", []Command{create, guard}},
	{"S39", "machine learning that finds exploits (GuardDuty): e.g. a TOR client at night, a bitcoin miner on an instance", []Command{create, guard}},
	{"S40", "an alert when something was found", []Command{create, guard}},
	{"S41", "a secure EKS cluster created", []Command{create}},
}
