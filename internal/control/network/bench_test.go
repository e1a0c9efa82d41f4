package network

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/controltest"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

// large is 10,000 workloads in some namespaces, each with a policy, a Service
// and a database of its own, and security groups that admit every node: the
// case in which policies alone decide.
func large(namespaces int) *estate.Estate {
	e := &estate.Estate{Sources: []estate.Source{{}}}
	for _, k := range estate.Kinds() {
		e.Sources[0].Coverage = append(e.Sources[0].Coverage, estate.Coverage{Kind: k.Kind, State: estate.Read})
	}
	live := estate.Origin{Cluster: "large"}
	policy := func(namespace, name string, spec networkingv1.NetworkPolicySpec) {
		p := &estate.Resource[networkingv1.NetworkPolicy]{Origin: live}
		p.Object.Namespace, p.Object.Name, p.Object.Spec = namespace, name, spec
		estate.NetworkPolicies.Add(e, p)
	}
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	apps := 10_000 / namespaces
	for n := range namespaces {
		namespace := fmt.Sprint("team-", n)
		policy(namespace, "default-deny", networkingv1.NetworkPolicySpec{PolicyTypes: both})
		for i := range apps {
			name := fmt.Sprint("app-", i)
			labels := map[string]string{"app": name}
			w := &estate.Workload{Origin: live, Controller: "Deployment"}
			w.Namespace, w.Name, w.Template.Labels = namespace, name, labels
			w.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: "app:1", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8443}}}}
			serial := n*apps + i
			host := fmt.Sprintf("db-%d.c0ffee.eu-west-1.rds.amazonaws.com", serial%500)
			w.Facts = []estate.Fact{{Container: "app", Name: "DB_HOST", Host: host, Port: 3306}}
			estate.Workloads.Add(e, w)
			s := &estate.Resource[corev1.Service]{Origin: live}
			s.Object.Namespace, s.Object.Name, s.Object.Spec.Selector = namespace, name, labels
			s.Object.Spec.Ports = []corev1.ServicePort{{Port: 443, TargetPort: intstr.FromString("web")}}
			estate.Services.Add(e, s)
			port, mysql := intstr.FromInt32(8443), intstr.FromInt32(3306)
			policy(namespace, name, networkingv1.NetworkPolicySpec{
				PodSelector: metav1.LabelSelector{MatchLabels: labels}, PolicyTypes: both,
				Ingress: []networkingv1.NetworkPolicyIngressRule{{
					From:  []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "app-0"}}}},
					Ports: []networkingv1.NetworkPolicyPort{{Port: &port}},
				}},
				Egress: []networkingv1.NetworkPolicyEgressRule{{
					To:    []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: subnet4(serial % 500)}}},
					Ports: []networkingv1.NetworkPolicyPort{{Port: &mysql}},
				}},
			})
		}
	}
	agent := &estate.Workload{Origin: live, Controller: "DaemonSet", Facts: []estate.Fact{{Container: "aws-eks-nodeagent", NetworkPolicy: "true"}}}
	agent.Namespace, agent.Name = "kube-system", "aws-node"
	agent.Template.Spec.HostNetwork = true
	agent.Template.Spec.Containers = []corev1.Container{{Name: "aws-eks-nodeagent", Image: "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon/aws-network-policy-agent:v1"}}
	estate.Workloads.Add(e, agent)
	estate.Instances.Add(e, &estate.Instance{InstanceId: "i-1", SubnetId: "subnet-nodes", SecurityGroupIds: []string{"sg-nodes"}})
	estate.Subnets.Add(e, &estate.Subnet{SubnetId: "subnet-nodes", CidrBlock: "10.128.0.0/16"})
	estate.SecurityGroups.Add(e, &estate.SecurityGroup{GroupId: "sg-nodes", SecurityGroupIngress: estate.Known([]estate.SecurityGroupRule{})}, &estate.SecurityGroup{
		GroupId: "sg-db", SecurityGroupIngress: estate.Known([]estate.SecurityGroupRule{{IpProtocol: "tcp", FromPort: 3306, ToPort: 3306, SourceSecurityGroupId: "sg-nodes"}}),
	})
	for i := range 500 {
		id := fmt.Sprint("db-", i)
		estate.Subnets.Add(e, &estate.Subnet{SubnetId: "subnet-" + id, CidrBlock: subnet4(i)})
		estate.DBSubnetGroups.Add(e, &estate.DBSubnetGroup{DBSubnetGroupName: id, SubnetIds: []string{"subnet-" + id}})
		db := &estate.DBInstance{DBInstanceIdentifier: id, DBSubnetGroupName: id, VPCSecurityGroups: []string{"sg-db"}}
		db.Arn = "arn:aws:rds:eu-west-1:111122223333:db:" + id
		db.Endpoint = estate.Endpoint{Address: id + ".c0ffee.eu-west-1.rds.amazonaws.com", Port: 3306}
		estate.DBInstances.Add(e, db)
	}
	return e
}

// subnet4 returns the i-th /28 of databases.
func subnet4(i int) string { return fmt.Sprintf("10.%d.%d.%d/28", i/4096, i/16%256, i%16*16) }

// The whole family, on an estate of many namespaces and of one: the second
// shows what is quadratic in a namespace.
func BenchmarkFamily(b *testing.B) {
	for _, namespaces := range []int{500, 1} {
		b.Run(fmt.Sprint(namespaces, "-namespaces"), func(b *testing.B) {
			e := large(namespaces)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				g := trace.New(e) // what the family derives is remembered with it
				b.StartTimer()
				control.Run(g, Controls, controltest.Now, nil)
			}
		})
	}
}
