package rest

import (
	"fmt"
	"slices"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var nodeVolumeEncrypted = &control.Control{
	ID:       "node-volume-encrypted",
	Title:    "The volumes of every node are encrypted",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("EC2.181"), control.FSBP("EC2.3")},
	Serves:   []string{"S12", "S41"},
	Since:    "0.1.0",
	Check: control.Each(estate.Nodegroups, judgeNodeVolumes).
		Helped(estate.LaunchTemplates.Kind, estate.EBSDefaults.Kind, estate.Instances.Kind, estate.Volumes.Kind, estate.PersistentVolumes.Kind),
}

func judgeNodeVolumes(s *control.Subject, g *estate.Nodegroup) {
	ref, known := g.LaunchTemplate.Get()
	if !known {
		s.Unknownf("the launch template of node group %s is not known", g.NodegroupName)
		return
	}
	at := trace.Place{Subject: s.Ref(), Origin: &g.Origin, Field: "launchTemplate"}
	if ref == (estate.LaunchTemplateReference{}) {
		judgeUnasked(s, at, "node group "+g.NodegroupName+" has no launch template that asks for encryption")
	} else if lt, ok := control.LaunchTemplate(s, ref); !ok {
		s.Unknownf("launch template %s%s of node group %s was not found; allow ec2:DescribeLaunchTemplateVersions", ref.Id, ref.Name, g.NodegroupName)
	} else {
		judgeTemplateVolumes(s, lt)
	}
	judgeNodesInFact(s, g)
}

func judgeTemplateVolumes(s *control.Subject, lt *estate.LaunchTemplate) {
	at := trace.Place{Subject: estate.LaunchTemplates.Ref(lt), Origin: &lt.Origin, Field: "launchTemplateData.blockDeviceMappings"}
	mappings, known := lt.LaunchTemplateData.BlockDeviceMappings.Get()
	if !known {
		s.Unknownf("the volumes of launch template %s are not known", lt.LaunchTemplateName)
		return
	}
	if len(mappings) == 0 {
		judgeUnasked(s, at, "the launch template asks for no encryption")
	}
	for i, m := range mappings {
		encrypted, known := m.Ebs.Encrypted.Get()
		switch {
		case !known:
			s.Unknownf("encrypted of %s in launch template %s is not known", m.DeviceName, lt.LaunchTemplateName)
		case !encrypted:
			at.Field = fmt.Sprintf("launchTemplateData.blockDeviceMappings[%d].ebs", i)
			judgeUnasked(s, at, "the launch template asks for no encryption of "+m.DeviceName)
		}
	}
}

// judgeUnasked reports volumes that nothing asks to encrypt, unless the account
// encrypts every one.
func judgeUnasked(s *control.Subject, at trace.Place, what string) {
	switch on, why := ebsDefault(s); on {
	case trace.Yes:
	case trace.No:
		s.FailAt(at, "%s, and the account does not encrypt by default", what)
	default:
		s.FailAt(at, "%s, and %s", what, why)
	}
}

// judgeNodesInFact looks at the nodes that run: a template may have been
// changed after they were launched.
func judgeNodesInFact(s *control.Subject, g *estate.Nodegroup) {
	for _, i := range control.All(s, estate.Instances) {
		if i.Tags["eks:nodegroup-name"] != g.NodegroupName || i.Tags["eks:cluster-name"] != g.ClusterName {
			continue
		}
		for _, id := range slices.Sorted(slices.Values(i.VolumeIds)) {
			v, ok := control.Find(s, estate.Volumes, id)
			if ok && !v.Encrypted.Or(true) && !ofApplication(s.Graph().Estate, v) {
				s.FailAt(trace.Place{Subject: estate.Instances.Ref(i), Origin: &i.Origin, Field: "volumeIds"},
					"its volume %s is not encrypted; launch the node again from a template that asks for it", id)
			}
		}
	}
}
