package cloudformation

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eksafe/eksafe/internal/estate"
)

// read reads one template, or several of a txtar-like map.
func read(t *testing.T, o Options, files ...File) *estate.Estate {
	t.Helper()
	e, err := Read("test", files, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func problems(e *estate.Estate) []string {
	var out []string
	for _, s := range e.Sources {
		for _, p := range s.Problems {
			out = append(out, p.String())
		}
	}
	return out
}

// A volume's KmsKeyId takes any expression and shows what became of it.
func kmsKeyID(t *testing.T, preamble, expression string, o Options) string {
	t.Helper()
	template := preamble + `
Resources:
  Key:
    Type: AWS::KMS::Key
  Gone:
    Type: AWS::KMS::Key
    Condition: Never
  V:
    Type: AWS::EC2::Volume
    Properties:
      KmsKeyId: ` + expression + "\n"
	e := read(t, o, File{"t.yaml", []byte(template)})
	volumes := estate.Volumes.In(e)
	if len(volumes) != 1 {
		t.Fatalf("%d volumes: %v", len(volumes), problems(e))
	}
	return volumes[0].KmsKeyId.Or("unknown")
}

const preamble = `
Parameters:
  Stage: {Type: String, Default: prod}
  Open: {Type: String}
  Secret: {Type: String, NoEcho: true, Default: hunter2}
  List: {Type: CommaDelimitedList, Default: "a, b,c"}
  Stored: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /path}
Mappings:
  Map:
    prod: {Key: from-map, List: [x, y]}
Conditions:
  Never: !Equals [a, b]
  Always: !Equals [!Ref Stage, prod]
  Unknown: !Equals [!Ref Open, x]
  Negated: !Not [!Condition Always]
  Both: !And [!Condition Always, !Condition Unknown]
  NotBoth: !And [!Condition Never, !Condition Unknown]
  Either: !Or [!Condition Always, !Condition Unknown]
  Neither: !Or [!Condition Never, !Condition Negated]
  Long: {Fn::Not: [{Condition: Never}]}
`

func TestFunctions(t *testing.T) {
	for _, tt := range []struct{ name, expression, want string }{
		{"literal", "k", "k"},
		{"ref of a parameter", "!Ref Stage", "prod"},
		{"long ref", "{Ref: Stage}", "prod"},
		{"parameter without default", "!Ref Open", "unknown"},
		{"NoEcho parameter", "!Ref Secret", "unknown"},
		{"parameter in SSM", "!Ref Stored", "unknown"},
		{"ref of a resource", "!Ref Key", "cfn:t.yaml#Key"},
		{"ref of a resource that does not exist", "!Ref Gone", "unknown"},
		{"ref of nothing", "!Ref Nobody", "unknown"},
		{"pseudo parameter", "!Ref AWS::Region", "unknown"},
		{"no value", "!Ref AWS::NoValue", ""},
		{"attribute that identifies", "!GetAtt Key.Arn", "cfn:t.yaml#Key"},
		{"long attribute", "{'Fn::GetAtt': [Key, KeyId]}", "cfn:t.yaml#Key"},
		{"another attribute", "!GetAtt Key.Color", "cfn:t.yaml#Key.Color"},
		{"attribute of nothing", "!GetAtt Nobody.Arn", "unknown"},
		{"sub", "!Sub 'alias/${Stage}-${!Literal}'", "alias/prod-${Literal}"},
		{"sub of a resource", "!Sub '${Key}'", "cfn:t.yaml#Key"},
		{"sub of an attribute", "!Sub '${Key.Arn}'", "cfn:t.yaml#Key"},
		{"sub with variables", "!Sub ['${A}/${Stage}', {A: !Ref Key}]", "cfn:t.yaml#Key/prod"},
		{"sub with an unknown", "!Sub 'x${Open}'", "unknown"},
		{"sub that is not closed", "!Sub 'x${Open'", "unknown"},
		{"join", "!Join ['-', [a, !Ref Stage]]", "a-prod"},
		{"join with an unknown", "!Join ['-', [a, !Ref Open]]", "unknown"},
		{"join drops no value", "!Join ['-', [a, !Ref AWS::NoValue, b]]", "a-b"},
		{"select", "!Select [1, [a, b]]", "b"},
		{"select of a list parameter", "!Select ['1', !Ref List]", "b"},
		{"select beyond the end", "!Select [7, [a, b]]", "unknown"},
		{"split", "!Select [1, !Split ['/', a/b/c]]", "b"},
		{"split of a join keeps what is known", "!Select [1, !Split [',', !Join [',', [!Ref Open, !Ref Key]]]]", "cfn:t.yaml#Key"},
		{"find in map", "!FindInMap [Map, !Ref Stage, Key]", "from-map"},
		{"find a list in map", "!Select [1, !FindInMap [Map, prod, List]]", "y"},
		{"find nothing in map", "!FindInMap [Map, dev, Key]", "unknown"},
		{"find the default", "!FindInMap [Map, dev, Key, {DefaultValue: d}]", "d"},
		{"find by an unknown", "!FindInMap [Map, !Ref Open, Key]", "unknown"},
		{"if yes", "!If [Always, a, b]", "a"},
		{"if no", "!If [Never, a, b]", "b"},
		{"if unknown", "!If [Unknown, a, b]", "unknown"},
		{"if unknown but the same", "!If [Unknown, a, a]", "a"},
		{"if no value", "!If [Always, !Ref AWS::NoValue, b]", ""},
		{"if of no condition", "!If [Nothing, a, b]", "unknown"},
		{"not", "!If [Negated, a, b]", "b"},
		{"and with an unknown", "!If [Both, a, b]", "unknown"},
		{"and decided by no", "!If [NotBoth, a, b]", "b"},
		{"or decided by yes", "!If [Either, a, b]", "a"},
		{"or of noes", "!If [Neither, a, b]", "b"},
		{"long conditions", "!If [Long, a, b]", "a"},
		{"cidr", "!Select [1, !Cidr [10.0.0.0/16, 2, 4]]", "10.0.0.16/28"},
		{"cidr of IPv6", "!Select [1, !Cidr ['2001:db8::/56', 2, 64]]", "2001:db8:0:1::/64"},
		{"cidr that does not fit", "!Select [1, !Cidr [10.0.0.0/28, 3, 4]]", "unknown"},
		{"cidr of nonsense", "!Select [0, !Cidr [x, 3, 4]]", "unknown"},
		{"length", "{'Fn::Length': !Ref List}", "3"},
		{"zones", "!Select [0, !GetAZs '']", "unknown"},
		{"base64", "!Base64 x", "unknown"},
		{"transform", "!Transform {Name: X}", "unknown"},
		{"import of nothing", "!ImportValue nothing", "unknown"},
		{"dynamic reference", "'{{resolve:ssm:x}}'", "unknown"},
		{"dynamic reference in sub", "!Sub '{{resolve:ssm:${Stage}}}'", "unknown"},
		{"function of tomorrow", "!Tomorrow x", "unknown"},
		{"null", "~", "unknown"},
		{"float that changes", "1.30", "unknown"},
		{"float that does not", "1.3", "1.3"},
		{"quoted number", "'1.30'", "1.30"},
		{"integer that changes", "010", "unknown"},
		{"integer that does not", "10", "10"},
		{"boolean", "True", "true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := kmsKeyID(t, preamble, tt.expression, Options{}); got != tt.want {
				t.Errorf("%s = %q, want %q", tt.expression, got, tt.want)
			}
		})
	}
}

func TestOptionsAreValues(t *testing.T) {
	o := Options{Region: "eu-west-1", Account: "111122223333", Parameters: map[string]string{"Open": "given"}}
	for expression, want := range map[string]string{
		"!Ref Open": "given",
		"!Sub 'arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:x'": "arn:aws:kms:eu-west-1:111122223333:x",
		"!Ref AWS::StackName":      "unknown",
		"!If [Unknown, a, b]":      "b",
		"!Sub '${AWS::URLSuffix}'": "unknown",
	} {
		if got := kmsKeyID(t, preamble, expression, o); got != want {
			t.Errorf("%s = %q, want %q", expression, got, want)
		}
	}
	o.Parameters["Stgae"] = "x"
	if _, err := Read("test", []File{{"t.yaml", []byte(preamble + "Resources: {}\n")}}, o); err == nil || !strings.Contains(err.Error(), `"Stgae"`) {
		t.Errorf("a misspelt parameter was taken: %v", err)
	}
}

func TestCirclesEnd(t *testing.T) {
	e := read(t, Options{}, File{"t.yaml", []byte(`
Conditions:
  A: !Not [!Condition B]
  B: !Not [!Condition A]
Resources:
  V:
    Type: AWS::EC2::Volume
    Condition: A
    Properties:
      Encrypted: !GetAtt W.Encrypted
  W:
    Type: AWS::EC2::Volume
    Properties:
      Encrypted: !GetAtt V.Encrypted
`)})
	if len(estate.Volumes.In(e)) != 2 {
		t.Fatal("a volume is missing")
	}
	for _, v := range estate.Volumes.In(e) {
		if _, known := v.Encrypted.Get(); known {
			t.Error("a circle has a value")
		}
	}
	want := []string{
		"t.yaml:3: condition A depends on itself; break the circle",
		"t.yaml:6: whether V exists depends on a condition that cannot be decided, it is judged as if it did; give the parameters of the condition",
	}
	if diff := cmp.Diff(want, problems(e)); diff != "" {
		t.Error(diff)
	}
}

func TestExplosionsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("Parameters:\n  P: {Type: String, Default: " + strings.Repeat("x", 50_000) + "}\nResources:\n")
	for i := range 5_000 {
		fmt.Fprintf(&b, "  V%d:\n    Type: AWS::EC2::Volume\n    Properties: {KmsKeyId: !Join [a, [!Ref P, b]]}\n", i)
	}
	e := read(t, Options{}, File{"t.yaml", []byte(b.String())})
	if got := problems(e); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "produce too much") }) {
		t.Errorf("nobody complained: %v", got)
	}
	for _, levels := range []int{400, 20_000} { // the parser gives up on the second itself
		deep := strings.Repeat("{a: ", levels) + "b" + strings.Repeat("}", levels)
		e = read(t, Options{}, File{"t.yaml", []byte("Resources: " + deep)})
		if got := problems(e); len(got) != 1 || !strings.Contains(got[0], "the template is nested more than 200 deep") || strings.Contains(got[0], "broken") {
			t.Errorf("%d deep: %v", levels, got)
		}
	}
}

func TestImports(t *testing.T) {
	network := File{"network.yaml", []byte(`
Parameters:
  Stage: {Type: String, Default: prod}
Resources:
  A: {Type: AWS::EC2::Subnet}
  B: {Type: AWS::EC2::Subnet}
Outputs:
  Both:
    Value: !Join [",", [!Ref A, !Ref B]]
    Export: {Name: !Sub 'net-${Stage}'}
  Absent:
    Condition: Never
    Value: x
    Export: {Name: absent}
Conditions:
  Never: !Equals [a, b]
`)}
	data := File{"data.yaml", []byte(`
Resources:
  Group:
    Type: AWS::RDS::DBSubnetGroup
    Properties:
      SubnetIds: !Split [",", !ImportValue net-prod]
  Other:
    Type: AWS::RDS::DBSubnetGroup
    Properties:
      SubnetIds: !Split [",", !ImportValue elsewhere]
`)}
	for _, files := range [][]File{{network, data}, {data, network}} {
		e := read(t, Options{}, files...)
		groups := estate.DBSubnetGroups.In(e)
		if diff := cmp.Diff([]string{"cfn:network.yaml#A", "cfn:network.yaml#B"}, groups[0].SubnetIds); diff != "" {
			t.Error(diff)
		}
		if len(groups[1].SubnetIds) != 1 || !strings.HasPrefix(groups[1].SubnetIds[0], "${") {
			t.Errorf("an import of nothing gave %q", groups[1].SubnetIds)
		}
	}
	// Two templates that export the same name are no answer.
	twice := File{"twice.yaml", network.Data}
	groups := estate.DBSubnetGroups.In(read(t, Options{}, network, twice, data))
	if !strings.HasPrefix(groups[0].SubnetIds[0], "${") {
		t.Errorf("an ambiguous export gave %q", groups[0].SubnetIds)
	}
}

func TestNestedStacks(t *testing.T) {
	root := File{"stacks/root.yaml", []byte(`
Resources:
  Net:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: ./net.yaml
      Parameters: {Encrypt: "true"}
  Again:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: net.yaml
      Parameters: {Encrypt: "false", Key: !GetAtt Net.Outputs.Key}
  Far:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: 'https://s3.amazonaws.com/b/t.yaml'}
  Self:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: root.yaml}
`)}
	net := File{"stacks/net.yaml", []byte(`
Parameters:
  Encrypt: {Type: String}
  Key: {Type: String, Default: none}
Resources:
  K: {Type: AWS::KMS::Key}
  V:
    Type: AWS::EC2::Volume
    Properties: {Encrypted: !Ref Encrypt, KmsKeyId: !Ref Key}
Outputs:
  Key: {Value: !Ref K}
`)}
	e := read(t, Options{}, net, root)
	type volume struct{ id, encrypted, key string }
	var got []volume
	for _, v := range estate.Volumes.In(e) {
		got = append(got, volume{v.Arn, fmt.Sprint(v.Encrypted.Get()), v.KmsKeyId.Or("unknown")})
	}
	want := []volume{
		{"cfn:stacks/net.yaml#V", "true true", "none"},
		{"cfn:stacks/net.yaml#stacks/root.yaml#Again/V", "false true", "cfn:stacks/net.yaml#K"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(volume{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"stacks/root.yaml:13: nested stack Far is left out: its TemplateURL is no file that was given; give its template, and its path relative to this file",
		"stacks/root.yaml:16: nested stack Self contains itself; break the circle",
	}, problems(e)); diff != "" {
		t.Error(diff)
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct{ name, template, want string }{
		{"empty", "", "t.yaml:1: the file is empty"},
		{"broken", "Resources:\n  A: [\n", "t.yaml:2: the YAML is broken"},
		{"broken JSON is read as YAML", `{"Resources": {`, "t.yaml:1: the YAML is broken"},
		{"no template", "a: b\n", "t.yaml:1: no Resources"},
		{"a list", "- a\n", "t.yaml:1: the template is no mapping"},
		{"two documents", "Resources: {}\n---\nResources: {}\n", "t.yaml:1: more than one YAML document"},
		{"key twice", "Resources:\n  A: {}\n  A: {}\n", "t.yaml:3: the same key stands twice"},
		{"no type", "Resources:\n  A: {}\n", "t.yaml:2: resource A has no Type"},
		{"macro", "Transform: Mine\nResources: {}\n", "t.yaml:1: macros of the template are not expanded"},
		{"loop", "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::A: [x, [a], {}]\n", "t.yaml:3: Fn::ForEach::A is not expanded"},
		{"misspelt", "Resources:\n  A:\n    Type: AWS::RDS::DBInstance\n    Properties:\n      StorageEncrypte: true\n",
			"t.yaml:5: AWS::RDS::DBInstance has no property StorageEncrypte; did you mean StorageEncrypted?"},
		{"misspelt deep", "Resources:\n  A:\n    Type: AWS::EKS::Cluster\n    Properties:\n      ResourcesVpcConfig:\n        endpointPublicAccess: false\n",
			"t.yaml:6: AWS::EKS::Cluster has no property endpointPublicAccess; did you mean EndpointPublicAccess?"},
		{"no boolean", "Resources:\n  A:\n    Type: AWS::EC2::Volume\n    Properties:\n      Encrypted: hunter2\n",
			"t.yaml:5: Encrypted of A is neither true nor false"},
		{"no number", "Resources:\n  A:\n    Type: AWS::ElasticLoadBalancingV2::Listener\n    Properties:\n      Port: hunter2\n",
			"t.yaml:5: Port of A is no number"},
		{"ref of nothing", "Resources:\n  A:\n    Type: AWS::EC2::Volume\n    Properties:\n      KmsKeyId: !Ref B\n",
			"t.yaml:5: B is neither a parameter nor a resource of the template"},
		{"large", "Resources: {}\n#" + strings.Repeat("x", maxFile), "t.yaml: the template is larger"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := problems(read(t, Options{}, File{"t.yaml", []byte(tt.template)}))
			if len(got) != 1 || !strings.HasPrefix(got[0], tt.want) || strings.Contains(got[0], "hunter2") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestJSONHasPositionsToo(t *testing.T) {
	e := read(t, Options{}, File{"t.json", []byte("{\n\t\"Resources\": {\n\t\t\"V\": {\n\t\t\t\"Type\": \"AWS::EC2::Volume\",\n\t\t\t\"Properties\": {\n\t\t\t\t\"Encrypted\": \"false\",\n\t\t\t\t\"KmsKeyId\": {\"Fn::GetAtt\": [\"V\", \"Arn\"]}\n\t\t\t}\n\t\t}\n\t}\n}\n")})
	v := estate.Volumes.In(e)[0]
	if got := v.Encrypted.Or(true); got {
		t.Error("Encrypted was not read")
	}
	if _, line := v.Origin.Locate("encrypted"); line != 6 {
		t.Errorf("encrypted at line %d", line)
	}
	if _, line := v.Origin.Locate("kmsKeyId"); line != 7 {
		t.Errorf("kmsKeyId at line %d", line)
	}
}

func TestParseParameters(t *testing.T) {
	for _, data := range []string{
		`[{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "UsePreviousValue": true}]`,
		`{"Parameters": {"A": "1"}, "Tags": {"x": "y"}}`,
		`{"A": "1"}`,
	} {
		got, err := ParseParameters([]byte(data))
		if err != nil || len(got) != 1 || got["A"] != "1" {
			t.Errorf("%s: %v %v", data, got, err)
		}
	}
	for _, data := range []string{"", "[1]", `{"A": 1}`, `[{"A": "b"}]`, "null", "A=b"} {
		if got, err := ParseParameters([]byte(data)); err == nil {
			t.Errorf("%q gave %v", data, got)
		}
	}
}

// shop reads the templates of an example.
func shop(t testing.TB, name string) *estate.Estate {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", "examples", "shop", name, "cloudformation", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no templates of %s: %v", name, err)
	}
	var files []File
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{filepath.ToSlash(p), data})
	}
	e, err := Read(name, files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// where returns the text of the line that a field leads to.
func where(t *testing.T, o *estate.Origin, field string) string {
	t.Helper()
	file, line := o.Locate(field)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.Split(string(data), "\n")[line-1])
}

func TestInsecureShop(t *testing.T) {
	e := shop(t, "insecure")
	if got := problems(e); got != nil {
		t.Errorf("problems: %v", got)
	}
	db := estate.DBInstances.In(e)[0]
	if db.DBInstanceIdentifier != "orders-db" || db.StorageEncrypted.Or(true) || !db.PubliclyAccessible.Or(false) {
		t.Errorf("database %+v", db)
	}
	// What is not stated leads to the resource.
	for field, want := range map[string]string{
		"publiclyAccessible":   "PubliclyAccessible: true",
		"engineVersion":        "EngineVersion: 8.0.43",
		"dbParameterGroupName": "DBParameterGroupName: !Ref DatabaseParameters",
		"storageEncrypted":     "Database:",
	} {
		if got := where(t, &db.Origin, field); got != want {
			t.Errorf("%s leads to %q", field, got)
		}
	}
	cluster := estate.Clusters.In(e)[0]
	if diff := cmp.Diff([]string{"0.0.0.0/0"}, cluster.ResourcesVpcConfig.PublicAccessCidrs.Or(nil)); diff != "" {
		t.Error(diff)
	}
	if got := where(t, &cluster.Origin, "resourcesVpcConfig.publicAccessCidrs"); got != "ResourcesVpcConfig:" {
		t.Errorf("publicAccessCidrs leads to %q", got)
	}
	lt := estate.LaunchTemplates.In(e)[0]
	if got := where(t, &lt.Origin, "launchTemplateData.metadataOptions.httpTokens"); got != "HttpTokens: optional" {
		t.Errorf("httpTokens leads to %q", got)
	}
	if got := where(t, &lt.Origin, "launchTemplateData.blockDeviceMappings[0].ebs.encrypted"); got != "Ebs:" {
		t.Errorf("encrypted leads to %q", got)
	}
	if got := where(t, &estate.Buckets.In(e)[0].Origin, "policy"); got != "LogBucketPolicy:" {
		t.Errorf("policy leads to %q", got)
	}
	table := estate.RouteTables.In(e)[0]
	if len(table.Routes) != 1 || !table.Routes[0].Internet || len(table.SubnetIds) != 2 {
		t.Errorf("routes %+v", table)
	}
	if got := where(t, &table.Origin, "routes[0]"); got != "InternetRoute:" {
		t.Errorf("routes[0] leads to %q", got)
	}
}

func TestSecureShop(t *testing.T) {
	e := shop(t, "secure")
	if got := problems(e); got != nil {
		t.Errorf("problems: %v", got)
	}
	db := estate.DBInstances.In(e)[0]
	groups := estate.DBParameterGroups.In(e)
	if db.DBParameterGroupName.Or("") != groups[0].Arn || groups[0].Parameters.Or(nil)["require_secure_transport"] != "1" {
		t.Errorf("parameter group %+v of %+v", groups[0], db)
	}
	if key, ok := db.KmsKeyId.Get(); !ok || !slices.ContainsFunc(estate.Keys.In(e), func(k *estate.Key) bool { return k.Arn == key }) {
		t.Errorf("KmsKeyId %q leads to no key", key)
	}
	subnets := map[string]*estate.Subnet{}
	for _, s := range estate.Subnets.In(e) {
		subnets[s.Arn] = s
	}
	zones := map[string]bool{}
	for _, id := range estate.DBSubnetGroups.In(e)[0].SubnetIds {
		s := subnets[id]
		if s == nil || !strings.HasSuffix(s.CidrBlock, "/28") {
			t.Fatalf("subnet %q of the database: %+v", id, s)
		}
		zones[s.AvailabilityZone] = true
	}
	if len(zones) != 2 {
		t.Errorf("zones %v", zones)
	}
	in := estate.SecurityGroups.In(e)[0].SecurityGroupIngress.Or(nil)
	if len(in) != 2 || in[0].CidrIp != "192.168.64.0/19" || in[0].Unresolved {
		t.Errorf("ingress %+v", in)
	}
	policy, known := estate.Buckets.In(e)[0].Policy.Get()
	if !known || !strings.Contains(policy, `"aws:SecureTransport":"false"`) || !strings.Contains(policy, `"`+estate.Buckets.In(e)[0].Arn+`/*"`) {
		t.Errorf("policy %q", policy)
	}
	cluster := estate.Clusters.In(e)[0]
	if diff := cmp.Diff([]string{"198.51.100.0/24", "203.0.113.16/28"}, cluster.ResourcesVpcConfig.PublicAccessCidrs.Or(nil)); diff != "" {
		t.Error(diff)
	}
	if node := estate.Nodegroups.In(e)[0]; node.LaunchTemplate.Or(estate.LaunchTemplateReference{}).Id != estate.LaunchTemplates.In(e)[0].LaunchTemplateId || node.ClusterName != cluster.Arn {
		t.Errorf("node group %+v", node)
	}
	if diff := cmp.Diff([]estate.Ignored{{Kind: "AWS::EC2::EIP", Count: 1}, {Kind: "AWS::EC2::NatGateway", Count: 1}, {Kind: "AWS::SNS::TopicPolicy", Count: 1}, {Kind: "AWS::SQS::Queue", Count: 3}, {Kind: "AWS::SQS::QueuePolicy", Count: 2}, {Kind: "AWS::SecretsManager::Secret", Count: 1}}, e.Sources[0].Ignored); diff != "" {
		t.Error(diff)
	}
	if c := e.Coverage("DBInstance"); c.State != estate.Read || c.Count != 1 {
		t.Errorf("coverage %+v", c)
	}
	if c := e.Coverage("EBSDefault"); c.State != estate.NotAsked {
		t.Errorf("coverage %+v", c)
	}
}

func TestReadingIsDeterministic(t *testing.T) {
	a, b := shop(t, "insecure"), shop(t, "insecure")
	for _, k := range estate.Kinds() {
		x, err := k.Encode(a)
		if err != nil {
			t.Fatal(err)
		}
		y, err := k.Encode(b)
		if err != nil || string(x) != string(y) {
			t.Errorf("%s differs", k.Kind)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(preamble + "Resources:\n  V:\n    Type: AWS::EC2::Volume\n    Properties: {Encrypted: !If [Unknown, true, false]}\n"))
	f.Add([]byte(`{"Resources": {"B": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "B"}, "PolicyDocument": {"Statement": [{"Fn::If": []}]}}}}}`))
	f.Add([]byte(preamble + "Resources:\n  E:\n    Type: AWS::EC2::VPCEndpoint\n    Properties: {VpcId: v, PolicyDocument: {Statement: [!If [Unknown, {}, {}]]}, SubnetIds: !Ref Open}\n  L:\n    Type: AWS::EC2::PrefixList\n    Properties: {Entries: [{Cidr: !Ref Open}, 1]}\n"))
	paths, _ := filepath.Glob(filepath.Join("..", "..", "..", "examples", "shop", "*", "cloudformation", "*.yaml"))
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Read("fuzz", []File{{"t.yaml", data}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range estate.Kinds() {
			if _, err := k.Encode(e); err != nil {
				t.Fatalf("%s cannot be encoded: %v", k.Kind, err)
			}
		}
		for _, p := range problems(e) {
			if strings.ContainsAny(p, "\n\x00\x1b") {
				t.Fatalf("a problem of more than one line: %q", p)
			}
		}
	})
}
