package rest

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var storageclassEncrypted = &control.Control{
	ID:        "storageclass-encrypted",
	Title:     "Every StorageClass encrypts its volumes",
	Severity:  control.Medium,
	Refs:      []control.Ref{control.AWS("eks-encryption"), control.FSBP("EC2.3")},
	Serves:    []string{"S12"},
	Since:     "0.1.0",
	Admission: storageclassEncryptedAdmission,
	// Default classes are storageclass-default-encrypted's.
	Check: control.Each(estate.StorageClasses, func(s *control.Subject, c *storageClass) {
		if defaultBy(c) != "" {
			s.NotApplicable()
			return
		}
		judgeClass(s, c)
	}).Helped(estate.EBSDefaults.Kind),
}
