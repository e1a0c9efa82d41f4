package rest

import "github.com/eksafe/eksafe/internal/control"

// The twins of the family for the API server.

var storageclassCSIAdmission = control.ForKind("storage.k8s.io", "v1", "", []string{"storageclasses"},
	control.AdmissionValidation{
		Expression: "!object.provisioner.startsWith('kubernetes.io/') || object.provisioner == 'kubernetes.io/no-provisioner'",
		Message:    "volumes must be made by a CSI driver",
	})

var storageclassEncryptedAdmission = classAdmission("false")

var storageclassDefaultEncryptedAdmission = classAdmission("true")

// classAdmission is the twin for classes that are the default, or are not.
func classAdmission(isDefault string) *control.Admission {
	const annotated = "object.metadata.?annotations[?'storageclass.kubernetes.io/is-default-class'].orValue('') == 'true' || " +
		"object.metadata.?annotations[?'storageclass.beta.kubernetes.io/is-default-class'].orValue('') == 'true'"
	a := control.ForKind("storage.k8s.io", "v1",
		"a class that does not ask for encryption is refused although the account encrypts by default, and classes of drivers that eksafe does not know are admitted",
		[]string{"storageclasses"},
		control.AdmissionValidation{
			Expression: "variables.isDefault != " + isDefault + " || !(object.provisioner in ['kubernetes.io/aws-ebs', 'ebs.csi.aws.com', 'ebs.csi.eks.amazonaws.com']) || " +
				"object.?parameters.orValue({}).exists(k, k.lowerAscii() == 'encrypted' && (object.parameters[k] == 'true' || " +
				"object.provisioner == 'kubernetes.io/aws-ebs' && object.parameters[k] in ['1', 't', 'T', 'TRUE', 'True']))",
			Message: "the class must ask for encryption: parameters.encrypted: \"true\"",
		})
	a.Variables = []control.AdmissionExpression{{Name: "isDefault", Expression: annotated}}
	return a
}
