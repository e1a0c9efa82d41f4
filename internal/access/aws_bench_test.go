package access

import (
	"fmt"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

// account2000 is an account as large ones are: 500 users in 40 groups, 1,500
// roles for functions, instances, pods and people, with policies of twenty
// statements, and a few of each kind with rights that lead on.
func account2000() *estate.Estate {
	e := &awsEstate{}
	e.cluster("API")
	var managed []string
	for i := range 200 {
		document := `{"Statement": [`
		for j := range 20 {
			document += fmt.Sprintf(`{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "dynamodb:Query", "sqs:*", "logs:PutLogEvents"], "Resource": "arn:aws:s3:::app-%d-%d/*"},`, i, j)
		}
		document += `{"Effect": "Deny", "Action": "iam:*", "Resource": "arn:aws:iam::*:role/protected/*"}]}`
		arn := fmt.Sprint(account, ":policy/p", i)
		estate.ManagedPolicies.Add(&e.Estate, &estate.ManagedPolicy{AWS: estate.AWS{Arn: arn}, ManagedPolicyName: fmt.Sprint("p", i), PolicyDocument: estate.Known(document)})
		managed = append(managed, arn)
	}
	for i := range 40 {
		estate.Groups.Add(&e.Estate, &estate.Group{
			AWS: estate.AWS{Arn: fmt.Sprint(account, ":group/g", i)}, GroupName: fmt.Sprint("g", i),
			Policies: estate.Known(inline(allow("sts:AssumeRole", fmt.Sprint(account, ":role/people-", i, "-*")))), ManagedPolicyArns: estate.Known(managed[i : i+5]),
		})
	}
	for i := range 500 {
		u := e.user(fmt.Sprint("u", i), allow("iam:ChangePassword iam:CreateAccessKey iam:DeleteAccessKey", "arn:aws:iam::*:user/${aws:username}"))
		u.Groups = []string{fmt.Sprint("g", i%40)}
		if i%100 == 0 {
			u.Policies = estate.Known(inline(allow("iam:CreateAccessKey iam:UpdateAssumeRolePolicy iam:PassRole lambda:*", "*")))
		}
	}
	trust := []string{served("lambda"), served("ec2"), served("pods.eks"), trusts(account + ":root")}
	for i := range 1500 {
		name := fmt.Sprint(account, ":role/r", i)
		if i%4 == 3 {
			name = fmt.Sprint(account, ":role/people-", i%40, "-", i)
		}
		r := e.role(name, trust[i%4], allow("s3:* kms:Decrypt secretsmanager:GetSecretValue", "*"), allow("iam:PassRole", fmt.Sprint(account, ":role/r", i/100)))
		r.ManagedPolicyArns = estate.Known([]string{managed[i%200], managed[(i+7)%200]})
		if i%500 == 0 {
			r.Policies = estate.Known(inline(allowAll))
		}
	}
	return &e.Estate
}

func BenchmarkAWS(b *testing.B) {
	e := account2000()
	for b.Loop() {
		a := NewAWS(e)
		if len(Reaching(a.Steps(), administrator("111122223333"), nil).Who(true)) < 8 {
			b.Fatal("nobody becomes an administrator")
		}
	}
}

func BenchmarkWhoCanInAWS(b *testing.B) {
	a := NewAWS(account2000())
	for b.Loop() {
		if len(a.WhoCan("secretsmanager:GetSecretValue", "")) < 1000 {
			b.Fatal("too few read secrets")
		}
	}
}
