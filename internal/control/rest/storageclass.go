package rest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	storagev1 "k8s.io/api/storage/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

type storageClass = estate.Resource[storagev1.StorageClass]

const inTreeEBS = "kubernetes.io/aws-ebs"

// ebs reports whether the class makes EBS volumes.
func ebs(c *storageClass) bool {
	return slices.Contains([]string{inTreeEBS, "ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com"}, c.Object.Provisioner)
}

// elsewhere reports whether the encryption of the class's volumes is decided by
// a file system that stands by itself, or is not optional at all.
func elsewhere(c *storageClass) bool {
	return slices.Contains([]string{
		"efs.csi.aws.com",                            // filesystem-encrypted judges the file system
		"fsx.csi.aws.com", "fsx.openzfs.csi.aws.com", // FSx encrypts every file system
		"s3.csi.aws.com",               // S3 encrypts every object
		"kubernetes.io/no-provisioner", // makes no volumes
	}, c.Object.Provisioner)
}

// The annotation that makes a class the default; Kubernetes still honours its
// beta name.
var defaultAnnotations = []string{
	"storageclass.kubernetes.io/is-default-class",
	"storageclass.beta.kubernetes.io/is-default-class",
}

// defaultBy returns the annotation that makes the class the default, "" if none
// does.
func defaultBy(c *storageClass) string {
	for _, a := range defaultAnnotations {
		if c.Object.Annotations[a] == "true" {
			return a
		}
	}
	return ""
}

// encryptedParameter returns the parameter that asks for encryption, under the
// name in which it is written, and whether the provisioner takes it for true.
func encryptedParameter(c *storageClass) (name, value string, asked bool) {
	for _, k := range slices.Sorted(keys(c.Object.Parameters)) {
		if !strings.EqualFold(k, "encrypted") {
			continue
		}
		name, value = k, c.Object.Parameters[k]
		if c.Object.Provisioner == inTreeEBS {
			asked, _ = strconv.ParseBool(value)
			return name, value, asked
		}
		// The CSI driver compares with "true" and takes all else for false.
		return name, value, value == "true"
	}
	return "", "", false
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// judgeClass judges whether the volumes of a class are encrypted.
func judgeClass(s *control.Subject, c *storageClass) {
	switch {
	case elsewhere(c):
		s.NotApplicable()
		return
	case !ebs(c):
		s.Unknownf("whether the provisioner %s encrypts is not known; see its documentation, and except the class if it does", c.Object.Provisioner)
		return
	}
	name, value, asked := encryptedParameter(c)
	if asked {
		return
	}
	if name != "" {
		message := "the class turns encryption off"
		if strings.EqualFold(value, "true") || value == "1" || value == "t" {
			message = `the driver takes "true" for yes and everything else for no`
		}
		s.Failf("parameters."+name, "%s", message)
		return
	}
	switch on, why := ebsDefault(s); on {
	case trace.Yes:
	case trace.No:
		s.Failf("parameters", "the class does not ask for encryption, and the account does not encrypt by default")
	default:
		s.Failf("parameters", "the class does not ask for encryption, and %s", why)
	}
}

// ebsDefault says whether the account encrypts every new EBS volume. A control
// that asks must be helped by the kind EBSDefault.
func ebsDefault(s *control.Subject) (on trace.Ternary, why string) {
	all := control.All(s, estate.EBSDefaults)
	if !s.Read(estate.EBSDefaults.Kind) || len(all) == 0 {
		return trace.Unclear, "the account's default was not read"
	}
	on = trace.Yes
	for _, d := range all {
		switch encrypts, known := d.EbsEncryptionByDefault.Get(); {
		case !known:
			return trace.Unclear, "the account's default is not known"
		case !encrypts && len(all) > 1:
			// Which region the cluster stands in cannot be told from a class.
			return trace.Unclear, fmt.Sprintf("the account's default is off in %s", d.Origin.Region)
		case !encrypts:
			on = trace.No
		}
	}
	return on, ""
}
