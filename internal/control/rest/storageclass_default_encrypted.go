package rest

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var storageclassDefaultEncrypted = &control.Control{
	ID:        "storageclass-default-encrypted",
	Title:     "The default StorageClass encrypts its volumes",
	Severity:  control.High,
	Refs:      []control.Ref{control.AWS("eks-encryption"), control.FSBP("EC2.3")},
	Serves:    []string{"S12"},
	Since:     "0.1.0",
	Admission: storageclassDefaultEncryptedAdmission,
	Check: control.Each(estate.StorageClasses, func(s *control.Subject, c *storageClass) {
		if defaultBy(c) == "" {
			s.NotApplicable()
			return
		}
		judgeClass(s, c)
	}).Helped(estate.EBSDefaults.Kind),
}
