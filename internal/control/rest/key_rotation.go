package rest

import (
	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var keyRotation = &control.Control{
	ID:       "key-rotation",
	Title:    "Customer keys rotate",
	Severity: control.Low,
	Refs:     []control.Ref{control.AWS("kms-rotation")},
	Serves:   []string{"S11", "S12"},
	Since:    "0.1.0",
	Check:    control.Each(estate.Keys, judgeKey),
}

func judgeKey(s *control.Subject, k *estate.Key) {
	// A template's key is the customer's, with material of KMS unless it says
	// otherwise; a live one always tells.
	if k.KeyManager.Or("CUSTOMER") != "CUSTOMER" || k.KeyOrigin.Or("AWS_KMS") != "AWS_KMS" ||
		k.KeySpec.Or("SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT" || !k.Enabled.Or(true) {
		s.NotApplicable()
		return
	}
	name := k.KeyId
	if len(k.Aliases) > 0 {
		name = k.Aliases[0]
	}
	rotates, known := k.EnableKeyRotation.Get()
	switch {
	case !known:
		s.Unknownf("whether key %s rotates is not known; allow kms:GetKeyRotationStatus", name)
	case !rotates:
		s.Failf("enableKeyRotation", "key %s does not rotate", name)
	}
}
