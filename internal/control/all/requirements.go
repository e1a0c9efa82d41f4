package all

// A Requirement is one thing that a secure application on EKS needs.
type Requirement struct {
	No   string // "S4"
	Text string
}

// Requirements lists all, in the order in which an application is made secure.
var Requirements = []Requirement{
	{"S1", "know how secure an application in the public cloud is"},
	{"S2", "reach a high level without much time, cost and effort"},
	{"S3", "all data traffic encrypted the whole way"},
	{"S4", "web client to load balancer encrypted"},
	{"S5", "an application load balancer by the ALB ingress controller (today: AWS Load Balancer Controller), for routing and security on the application layer; not a classic one"},
	{"S6", "its certificates from AWS Certificate Manager"},
	{"S7", "load balancer to pod encrypted, because whoever is in the private network can listen: by the application itself"},
	{"S8", "… or by a sidecar, for example nginx"},
	{"S9", "… or by a service mesh, for example Istio"},
	{"S10", "pod to RDS encrypted: the server offers it, the application is adjusted to use it"},
	{"S11", "RDS storage encrypted at creation"},
	{"S12", "persistent volumes encrypted: a new default StorageClass with encryption"},
	{"S13", "the old default StorageClass removed"},
	{"S14", "network policies restrict ingress and egress of pods; Calico (or what enforces them) installed"},
	{"S15", "only the application's port in (8080 in the example)"},
	{"S16", "out only to DNS and the database ports of the own private network"},
	{"S17", "no pod reaches a database that belongs to another pod of the cluster"},
	{"S18", "access of pods to RDS instances restricted like security groups do: database subnets of /28 in at least two zones, or security groups for pods"},
	{"S19", "pod security settings against taking over the node's resources"},
	{"S20", "WAF, on an ALB"},
	{"S21", "with a predefined rule set from the marketplace (F5's, for example) in an ACL"},
	{"S22", "where clients' addresses are known, access only for them"},
	{"S23", "otherwise rules that block and blacklist addresses that try exploits"},
	{"S24", "WAF logs analysed to detect and prevent"},
	{"S25", "Shield Standard used fully: CloudFront and Route 53"},
	{"S26", "Shield Advanced, recommended"},
	{"S27", "two-factor authentication on all AWS user logins"},
	{"S28", "few administrators; each user only what is needed"},
	{"S29", "namespaces separate teams, projects and stages (TEST, INT, E2E, PROD)"},
	{"S30", "permissions per namespace: one team cannot see another's secrets; a hacked dev user does not endanger prod"},
	{"S31", "images scanned regularly for vulnerabilities: by the registry"},
	{"S32", "… or by an open-source scanner"},
	{"S33", "the own security concept reviewed, with AWS's checklists (Trusted Advisor)"},
	{"S34", "Security Hub for the whole view"},
	{"S35", "4XX/5XX of a searching hacker detected by CloudWatch metrics of the ALB: alarm, or Lambda that acts"},
	{"S36", "the same for CloudWatch metrics of the WAF ACLs"},
	{"S37", "IPs or application users blocked"},
	{"S38", "application log files to S3, a Lambda function that checks them and acts"},
	{"S39", "machine learning that finds exploits (GuardDuty): e.g. a TOR client at night, a bitcoin miner on an instance"},
	{"S40", "an alert when something was found"},
	{"S41", "a secure EKS cluster created"},
}
