package awsrig

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// memory is what the proxy keeps because the emulator does not.
type memory struct {
	clusters       map[string]map[string]any    // region and name → what CreateCluster asked for
	endpoints      map[string]string            // region and name → endpoint of the cluster
	associations   map[string]string            // load balancer → web ACL
	ebsKeys        map[string]string            // region → default key
	engineDefaults map[string]map[string]string // family → parameter → value
	families       map[string]string            // region and parameter group → family
	accessBlocks   map[string]string            // bucket → "set" or "deleted"
	optionGroups   map[string][]OptionGroup     // region → groups
	keyAlgorithms  map[string]string            // certificate → what was asked for
	distributions  []string                     // as they stand in a list
	kafka          map[string]map[string]any    // ARN → what CreateClusterV2 asked for
	review         map[string]Review            // region → what services that review found
	names          map[string]string            // ID that the emulator gave → ID that clients see
	parts          map[string][]part            // region and path → resources of clusters
	image          string                       // digest of the image that Inspector finds fault with
}

// An OptionGroup is a group of database options.
type OptionGroup struct {
	Name, Engine, Option string
	Settings             map[string]string
}

func newMemory() memory {
	return memory{
		clusters:       map[string]map[string]any{},
		endpoints:      map[string]string{},
		associations:   map[string]string{},
		ebsKeys:        map[string]string{},
		engineDefaults: map[string]map[string]string{},
		families:       map[string]string{},
		accessBlocks:   map[string]string{},
		optionGroups:   map[string][]OptionGroup{},
		keyAlgorithms:  map[string]string{},
		kafka:          map[string]map[string]any{},
		review:         map[string]Review{},
		names:          map[string]string{},
		parts:          map[string][]part{},
	}
}

// ownAnswers are the calls that the emulator lacks, or of which it drops what
// tests look at.
var ownAnswers = map[string]func(*Double, *Call) *Answer{
	"eks:CreateCluster":                      (*Double).createCluster,
	"eks:DescribeCluster":                    (*Double).describeCluster,
	"eks:CreateAccessEntry":                  (*Double).createAccessEntry,
	"eks:ListAccessEntries":                  names("accessEntries"),
	"eks:DescribeAccessEntry":                described("accessEntry"),
	"eks:AssociateAccessPolicy":              (*Double).associateAccessPolicy,
	"eks:ListAssociatedAccessPolicies":       bodies("associatedAccessPolicies"),
	"eks:CreateAddon":                        (*Double).createAddon,
	"eks:ListAddons":                         names("addons"),
	"eks:DescribeAddon":                      described("addon"),
	"eks:CreatePodIdentityAssociation":       (*Double).createPodIdentity,
	"eks:ListPodIdentityAssociations":        bodies("associations"),
	"eks:DescribePodIdentityAssociation":     described("association"),
	"iam:GetCredentialReport":                (*Double).getCredentialReport,
	"iam:GenerateServiceLastAccessedDetails": (*Double).generateLastAccessed,
	"iam:GetServiceLastAccessedDetails":      (*Double).getLastAccessed,
	"inspector2:BatchGetAccountStatus":       (*Double).inspectorStatus,
	"inspector2:ListFindings":                (*Double).listInspectorFindings,
	"acm:RequestCertificate":                 (*Double).requestCertificate,
	"acm:DescribeCertificate":                (*Double).describeCertificate,
	"cloudfront:CreateDistribution":          (*Double).createDistribution,
	"cloudfront:ListDistributions":           (*Double).listDistributions,
	"ec2:ModifyEbsDefaultKmsKeyId":           (*Double).modifyEBSKey,
	"ec2:GetEbsDefaultKmsKeyId":              (*Double).getEBSKey,
	"wafv2:DescribeManagedRuleGroup":         (*Double).describeManagedRuleGroup,
	"wafv2:AssociateWebACL":                  (*Double).associateWebACL,
	"wafv2:ListResourcesForWebACL":           (*Double).listResourcesForWebACL,
	"wafv2:ListLoggingConfigurations":        (*Double).listLoggingConfigurations,
	"rds:CreateDBParameterGroup":             (*Double).createParameterGroup,
	"rds:CreateDBClusterParameterGroup":      (*Double).createParameterGroup,
	"rds:DescribeDBParameters":               (*Double).describeParameters,
	"rds:DescribeDBClusterParameters":        (*Double).describeParameters,
	"rds:DescribeDBInstances":                (*Double).describeDBInstances,
	"rds:DescribeOptionGroups":               (*Double).describeOptionGroups,
	"rds:DescribeDBSnapshots":                (*Double).describeSnapshots,
	"rds:DescribeDBClusterSnapshots":         (*Double).describeSnapshots,
	"s3:GetBucketEncryption":                 (*Double).getBucketEncryption,
	"s3:PutPublicAccessBlock":                (*Double).putAccessBlock,
	"s3:DeletePublicAccessBlock":             (*Double).deleteAccessBlock,
	"s3:GetPublicAccessBlock":                (*Double).getAccessBlock,
	"kafka:CreateClusterV2":                  (*Double).createKafka,
	"kafka:ListClustersV2":                   (*Double).listKafka,
	"kafka:GetBootstrapBrokers":              (*Double).getBootstrapBrokers,
	"elasticache:DescribeServerlessCaches":   (*Double).describeServerlessCaches,

	"cloudwatch:DescribeAlarms":                    (*Double).describeAlarms,
	"shield:DescribeSubscription":                  (*Double).describeShield,
	"guardduty:ListFindings":                       (*Double).listGuardDutyFindings,
	"guardduty:GetFindings":                        (*Double).getGuardDutyFindings,
	"securityhub:DescribeSecurityHubV2":            (*Double).describeSecurityHubV2,
	"securityhub:GetEnabledStandards":              (*Double).getEnabledStandards,
	"support:DescribeTrustedAdvisorCheckSummaries": (*Double).describeCheckSummaries,
	"access-analyzer:ListAnalyzers":                (*Double).listAnalyzers,
	"access-analyzer:ListFindingsV2":               (*Double).listAnalyzerFindings,
}

// shown puts the IDs that clients see in place of the emulator's.
func (m memory) shown(s string) string {
	for given, seen := range m.names {
		s = strings.ReplaceAll(s, given, seen)
	}
	return s
}

// hidden undoes shown.
func (m memory) hidden(s string) string {
	for given, seen := range m.names {
		s = strings.ReplaceAll(s, seen, given)
	}
	return s
}

// rename makes a resource be known by another ID, of an ARN that files name,
// and returns its ARN.
func (d *Double) rename(arn, id string) string {
	given := arn[strings.LastIndexByte(arn, '/')+1:]
	d.mu.Lock()
	defer d.mu.Unlock()
	d.memory.names[given] = id
	return d.memory.shown(arn)
}

func jsonAnswer(v any) *Answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic("awsrig: " + err.Error())
	}
	return &Answer{200, http.Header{"Content-Type": {"application/json"}}, body}
}

func xmlAnswer(format string, args ...any) *Answer {
	return &Answer{200, http.Header{"Content-Type": {"text/xml"}}, fmt.Appendf(nil, format, args...)}
}

// createCluster remembers what the emulator drops.
func (d *Double) createCluster(c *Call) *Answer {
	answer := d.pass(c)
	var asked map[string]any
	if answer.Status == http.StatusOK && json.Unmarshal(c.Body, &asked) == nil {
		name, _ := asked["name"].(string)
		d.mu.Lock()
		d.memory.clusters[c.Region+"/"+name] = asked
		d.mu.Unlock()
	}
	return answer
}

// SetClusterEndpoint gives a cluster the address of a real API server.
func (d *Double) SetClusterEndpoint(region, name, endpoint string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.memory.endpoints[region+"/"+name] = endpoint
}

// describeCluster adds what AWS would say: the properties that the emulator
// drops, as asked or by AWS's default, and an endpoint of the cluster's own.
func (d *Double) describeCluster(c *Call) *Answer {
	answer := d.pass(c)
	var body map[string]map[string]any
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &body) != nil || body["cluster"] == nil {
		return answer
	}
	cluster := body["cluster"]
	name, _ := cluster["name"].(string)
	d.mu.Lock()
	asked := d.memory.clusters[c.Region+"/"+name]
	endpoint := d.memory.endpoints[c.Region+"/"+name]
	d.mu.Unlock()

	cluster["deletionProtection"] = false
	cluster["accessConfig"] = map[string]any{"authenticationMode": "CONFIG_MAP"}
	cluster["upgradePolicy"] = map[string]any{"supportType": "EXTENDED"}
	for _, property := range []string{"accessConfig", "computeConfig", "deletionProtection", "encryptionConfig", "logging", "upgradePolicy"} {
		if v, found := asked[property]; found {
			cluster[property] = v
		}
	}
	network := map[string]any{"endpointPublicAccess": true, "endpointPrivateAccess": false}
	for _, source := range []any{cluster["resourcesVpcConfig"], asked["resourcesVpcConfig"]} {
		if m, ok := source.(map[string]any); ok {
			maps.Copy(network, m)
		}
	}
	if cidrs, _ := network["publicAccessCidrs"].([]any); len(cidrs) == 0 {
		network["publicAccessCidrs"] = []string{}
		if network["endpointPublicAccess"] == true {
			network["publicAccessCidrs"] = []string{"0.0.0.0/0"}
		}
	}
	cluster["resourcesVpcConfig"] = network
	if endpoint == "" {
		id := fmt.Sprintf("%X", sha256.Sum256([]byte(c.Region+"/"+name)))[:32]
		endpoint = "https://" + id + ".gr7." + c.Region + ".eks.amazonaws.com"
	}
	cluster["endpoint"] = endpoint
	return jsonAnswer(body)
}

func (d *Double) requestCertificate(c *Call) *Answer {
	answer := d.pass(c)
	var asked struct{ KeyAlgorithm string }
	var given struct{ CertificateArn string }
	if json.Unmarshal(c.Body, &asked) == nil && json.Unmarshal(answer.Body, &given) == nil {
		d.mu.Lock()
		d.memory.keyAlgorithms[given.CertificateArn] = asked.KeyAlgorithm
		d.mu.Unlock()
	}
	return answer
}

// describeCertificate puts right the key, which the emulator always makes RSA,
// and the users, which AWS names by load balancer and the emulator by listener.
func (d *Double) describeCertificate(c *Call) *Answer {
	answer := d.pass(c)
	var body map[string]map[string]any
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &body) != nil || body["Certificate"] == nil {
		return answer
	}
	certificate := body["Certificate"]
	arn, _ := certificate["CertificateArn"].(string)
	d.mu.Lock()
	if algorithm := d.memory.keyAlgorithms[d.memory.hidden(arn)]; algorithm != "" {
		certificate["KeyAlgorithm"] = algorithm
	}
	d.mu.Unlock()
	users, _ := certificate["InUseBy"].([]any)
	for i, user := range users {
		if name, ok := user.(string); ok && strings.Contains(name, ":listener/") {
			name = strings.Replace(name, ":listener/", ":loadbalancer/", 1)
			users[i] = name[:strings.LastIndexByte(name, '/')]
		}
	}
	answer = jsonAnswer(body)
	answer.Header.Set("Content-Type", "application/x-amz-json-1.1")
	return answer
}

var (
	configTag        = regexp.MustCompile(`(?s)^.*?<DistributionConfig[^>]*>(.*)</DistributionConfig>.*$`)
	distributionId   = regexp.MustCompile(`<Id>([A-Z0-9]+)</Id>`)
	distributionHost = regexp.MustCompile(`<DomainName>([a-z0-9]+\.cloudfront\.net)</DomainName>`)
)

// createDistribution remembers the configuration, which the emulator's list
// leaves out.
func (d *Double) createDistribution(c *Call) *Answer {
	answer := d.pass(c)
	config, id, host := configTag.FindSubmatch(c.Body), distributionId.FindSubmatch(answer.Body), distributionHost.FindSubmatch(answer.Body)
	if answer.Status < 300 && config != nil && id != nil && host != nil {
		d.mu.Lock()
		d.memory.distributions = append(d.memory.distributions, fmt.Sprintf("<DistributionSummary><Id>%s</Id><ARN>arn:aws:cloudfront::%s:distribution/%[1]s</ARN><DomainName>%[3]s</DomainName>%[4]s</DistributionSummary>",
			id[1], Account, host[1], config[1]))
		d.mu.Unlock()
	}
	return answer
}

func (d *Double) listDistributions(*Call) *Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return xmlAnswer(`<DistributionList xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Marker></Marker><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated><Quantity>%d</Quantity><Items>%s</Items></DistributionList>`,
		len(d.memory.distributions), strings.Join(d.memory.distributions, ""))
}

func (d *Double) modifyEBSKey(c *Call) *Answer {
	d.mu.Lock()
	d.memory.ebsKeys[c.Region] = c.Form.Get("KmsKeyId")
	d.mu.Unlock()
	return ebsKey("ModifyEbsDefaultKmsKeyId", c.Form.Get("KmsKeyId"))
}

func (d *Double) getEBSKey(c *Call) *Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := d.memory.ebsKeys[c.Region]
	if key == "" {
		key = "alias/aws/ebs"
	}
	return ebsKey("GetEbsDefaultKmsKeyId", key)
}

func ebsKey(action, key string) *Answer {
	return xmlAnswer(`<%[1]sResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>0</requestId><kmsKeyId>%[2]s</kmsKeyId></%[1]sResponse>`, action, key)
}

func (d *Double) associateWebACL(c *Call) *Answer {
	answer := d.pass(c)
	var asked struct{ WebACLArn, ResourceArn string }
	if answer.Status == http.StatusOK && json.Unmarshal(c.Body, &asked) == nil {
		d.mu.Lock()
		d.memory.associations[asked.ResourceArn] = asked.WebACLArn
		d.mu.Unlock()
	}
	return answer
}

// listLoggingConfigurations finds those of CloudFront among all of its region:
// the emulator looks for a scope in their ARNs that these do not have.
func (d *Double) listLoggingConfigurations(c *Call) *Answer {
	all := *c
	all.Body = bytes.Replace(c.Body, []byte(`"CLOUDFRONT"`), []byte(`"REGIONAL"`), 1)
	return d.pass(&all)
}

func (d *Double) listResourcesForWebACL(c *Call) *Answer {
	var asked struct{ WebACLArn, ResourceType string }
	if err := json.Unmarshal(c.Body, &asked); err != nil || asked.WebACLArn == "" {
		return refusal(c, "WAFInvalidParameterException")
	}
	arns := []string{}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, resource := range slices.Sorted(maps.Keys(d.memory.associations)) {
		balancer := strings.Contains(resource, ":loadbalancer/app/")
		if d.memory.associations[resource] == asked.WebACLArn && balancer == (asked.ResourceType == "" || asked.ResourceType == "APPLICATION_LOAD_BALANCER") {
			arns = append(arns, resource)
		}
	}
	return jsonAnswer(map[string]any{"ResourceArns": arns})
}

// SetEngineDefault makes parameter groups of a family list a parameter that
// nobody set, as AWS lists all of them.
func (d *Double) SetEngineDefault(family, parameter, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.memory.engineDefaults[family] == nil {
		d.memory.engineDefaults[family] = map[string]string{}
	}
	d.memory.engineDefaults[family][parameter] = value
}

func (d *Double) createParameterGroup(c *Call) *Answer {
	d.mu.Lock()
	d.memory.families[c.Region+"/"+parameterGroup(c)] = c.Form.Get("DBParameterGroupFamily")
	d.mu.Unlock()
	return d.pass(c)
}

func parameterGroup(c *Call) string {
	return c.Form.Get("DBParameterGroupName") + c.Form.Get("DBClusterParameterGroupName")
}

// describeParameters says who set the parameters, and adds the engine's.
func (d *Double) describeParameters(c *Call) *Answer {
	answer := d.pass(c)
	if answer.Status != http.StatusOK {
		return answer
	}
	if !bytes.Contains(answer.Body, []byte("<Source>")) {
		answer.Body = bytes.ReplaceAll(answer.Body, []byte("</Parameter>"), []byte("<Source>user</Source></Parameter>"))
	}
	if source := c.Form.Get("Source"); source != "" && source != "engine-default" {
		return answer
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	defaults := d.memory.engineDefaults[d.memory.families[c.Region+"/"+parameterGroup(c)]]
	var more []byte
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if !bytes.Contains(answer.Body, []byte("<ParameterName>"+name+"</ParameterName>")) {
			more = fmt.Appendf(more, "<Parameter><ParameterName>%s</ParameterName><ParameterValue>%s</ParameterValue><Source>engine-default</Source></Parameter>", name, defaults[name])
		}
	}
	answer.Body = bytes.ReplaceAll(answer.Body, []byte("<Parameters/>"), []byte("<Parameters></Parameters>"))
	answer.Body = bytes.Replace(answer.Body, []byte("</Parameters>"), append(more, "</Parameters>"...), 1)
	return answer
}

// describeSnapshots leaves out automated ones: the emulator takes one of every
// new database at once, AWS in the backup window and if at all.
func (d *Double) describeSnapshots(c *Call) *Answer {
	if c.Form.Get("SnapshotType") == "" {
		c.Form.Set("SnapshotType", "manual")
		c.Body = []byte(c.Form.Encode())
	}
	return d.pass(c)
}

var caIdentifier = regexp.MustCompile(`<CACertificateIdentifier>([a-z0-9-]+)</CACertificateIdentifier>`)

// describeDBInstances gives databases a server certificate, and the addresses
// that the manifests of examples/shop name.
func (d *Double) describeDBInstances(c *Call) *Answer {
	answer := d.pass(c)
	answer.Body = bytes.ReplaceAll(answer.Body, []byte(".aaaaaaaaaa."), []byte(".c9akciq32abc."))
	if !bytes.Contains(answer.Body, []byte("<ValidTill>")) {
		details := "<CertificateDetails><CAIdentifier>$1</CAIdentifier><ValidTill>" + time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339) + "</ValidTill></CertificateDetails>"
		answer.Body = caIdentifier.ReplaceAll(answer.Body, []byte("$0"+details))
	}
	return answer
}

// AddOptionGroup makes an option group. The emulator can make them but not list
// them.
func (d *Double) AddOptionGroup(region string, g OptionGroup) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.memory.optionGroups[region] = append(d.memory.optionGroups[region], g)
}

func (d *Double) describeOptionGroups(c *Call) *Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	var groups []byte
	for _, g := range d.memory.optionGroups[c.Region] {
		var settings []byte
		for _, name := range slices.Sorted(maps.Keys(g.Settings)) {
			settings = fmt.Appendf(settings, "<OptionSetting><Name>%s</Name><Value>%s</Value></OptionSetting>", name, g.Settings[name])
		}
		groups = fmt.Appendf(groups, "<OptionGroup><OptionGroupName>%s</OptionGroupName><EngineName>%s</EngineName><OptionGroupArn>arn:aws:rds:%s:%s:og:%s</OptionGroupArn>"+
			"<Options><Option><OptionName>%s</OptionName><Port>2484</Port><OptionSettings>%s</OptionSettings></Option></Options></OptionGroup>",
			g.Name, g.Engine, c.Region, Account, g.Name, g.Option, settings)
	}
	return xmlAnswer(`<DescribeOptionGroupsResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><DescribeOptionGroupsResult><OptionGroupsList>%s</OptionGroupsList></DescribeOptionGroupsResult><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></DescribeOptionGroupsResponse>`, groups)
}

// getBucketEncryption gives a bucket AWS's default.
func (d *Double) getBucketEncryption(c *Call) *Answer {
	answer := d.pass(c)
	if answer.Status == http.StatusNotFound && bytes.Contains(answer.Body, []byte("ServerSideEncryptionConfigurationNotFoundError")) {
		return xmlAnswer(`<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`)
	}
	return answer
}

func (d *Double) putAccessBlock(c *Call) *Answer    { return d.rememberAccessBlock(c, "set") }
func (d *Double) deleteAccessBlock(c *Call) *Answer { return d.rememberAccessBlock(c, "deleted") }

func (d *Double) rememberAccessBlock(c *Call, what string) *Answer {
	answer := d.pass(c)
	if answer.Status < 300 {
		d.mu.Lock()
		d.memory.accessBlocks[strings.Trim(c.Path, "/")] = what
		d.mu.Unlock()
	}
	return answer
}

// getAccessBlock gives a bucket that nobody changed AWS's default: all on.
func (d *Double) getAccessBlock(c *Call) *Answer {
	answer := d.pass(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	if answer.Status == http.StatusNotFound && d.memory.accessBlocks[strings.Trim(c.Path, "/")] == "" && bytes.Contains(answer.Body, []byte("NoSuchPublicAccessBlockConfiguration")) {
		return xmlAnswer(`<PublicAccessBlockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`)
	}
	return answer
}

// createKafka remembers the encryption, which the emulator drops.
func (d *Double) createKafka(c *Call) *Answer {
	answer := d.pass(c)
	var asked map[string]any
	var given struct{ ClusterArn string }
	if json.Unmarshal(c.Body, &asked) == nil && json.Unmarshal(answer.Body, &given) == nil {
		d.mu.Lock()
		d.memory.kafka[given.ClusterArn] = asked
		d.mu.Unlock()
	}
	return answer
}

func (d *Double) listKafka(c *Call) *Answer {
	answer := d.pass(c)
	var body struct {
		ClusterInfoList []map[string]any `json:"clusterInfoList"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &body) != nil {
		return answer
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, cluster := range body.ClusterInfoList {
		if arn, _ := cluster["clusterArn"].(string); d.memory.kafka[arn] != nil {
			cluster["provisioned"] = d.memory.kafka[arn]["provisioned"]
		}
	}
	return jsonAnswer(body)
}

func (d *Double) getBootstrapBrokers(c *Call) *Answer {
	arn, err := url.PathUnescape(strings.TrimSuffix(strings.TrimPrefix(c.Path, "/v1/clusters/"), "/bootstrap-brokers"))
	d.mu.Lock()
	defer d.mu.Unlock()
	name, _ := d.memory.kafka[arn]["clusterName"].(string)
	if err != nil || name == "" {
		return refusal(c, "NotFoundException")
	}
	return jsonAnswer(map[string]any{"bootstrapBrokerStringTls": "b-1." + name + ".kafka." + c.Region + ".amazonaws.com:9094"})
}

func (d *Double) describeServerlessCaches(*Call) *Answer {
	return xmlAnswer(`<DescribeServerlessCachesResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"><DescribeServerlessCachesResult><ServerlessCaches/></DescribeServerlessCachesResult><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></DescribeServerlessCachesResponse>`)
}
