package rest

import (
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var storageclassCSI = &control.Control{
	ID:        "storageclass-csi",
	Title:     "Volumes are made by a CSI driver",
	Severity:  control.Low,
	Refs:      []control.Ref{control.Project("kubernetes-storage-classes")},
	Serves:    []string{"S13"},
	Since:     "0.1.0",
	Admission: storageclassCSIAdmission,
	Check: control.Each(estate.StorageClasses, func(s *control.Subject, c *storageClass) {
		name := c.Object.Provisioner
		switch {
		case name == "kubernetes.io/no-provisioner":
			s.NotApplicable()
		case strings.HasPrefix(name, "kubernetes.io/"):
			s.Failf("provisioner", "%s was part of Kubernetes and is no longer", name)
		}
	}),
}
