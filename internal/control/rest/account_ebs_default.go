package rest

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var accountEBSDefault = &control.Control{
	ID:       "account-ebs-default",
	Title:    "The account encrypts every new EBS volume",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("EC2.7")},
	Serves:   []string{"S12"},
	Since:    "0.1.0",
	Check: control.Each(estate.EBSDefaults, func(s *control.Subject, d *estate.EBSDefault) {
		switch on, known := d.EbsEncryptionByDefault.Get(); {
		case !known:
			s.Unknownf("the default of %s is not known; allow ec2:GetEbsEncryptionByDefault", s.Ref().Name)
		case !on:
			s.Failf("ebsEncryptionByDefault", "new volumes in %s are not encrypted unless each one asks for it", s.Ref().Name)
		}
	}),
}
