package aws

// identityCalls are the calls of sdk_identity.go.
var identityCalls = []Call{
	{"EKS", "ListAccessEntries", "eks:ListAccessEntries", kindsOf("AccessEntry")},
	{"EKS", "DescribeAccessEntry", "eks:DescribeAccessEntry", kindsOf("AccessEntry")},
	{"EKS", "ListAssociatedAccessPolicies", "eks:ListAssociatedAccessPolicies", kindsOf("AccessEntry")},
	{"EKS", "ListAddons", "eks:ListAddons", kindsOf("Addon")},
	{"EKS", "DescribeAddon", "eks:DescribeAddon", kindsOf("Addon")},
	{"EKS", "ListPodIdentityAssociations", "eks:ListPodIdentityAssociations", kindsOf("PodIdentityAssociation")},
	{"EKS", "DescribePodIdentityAssociation", "eks:DescribePodIdentityAssociation", kindsOf("PodIdentityAssociation")},

	{"IAM", "GetAccountAuthorizationDetails", "iam:GetAccountAuthorizationDetails", kindsOf("User", "Group", "IAMRole", "ManagedPolicy", "ServiceLastAccessed")},
	{"IAM", "GenerateCredentialReport", "iam:GenerateCredentialReport", kindsOf("Account", "User")},
	{"IAM", "GetCredentialReport", "iam:GetCredentialReport", kindsOf("Account", "User")},
	{"IAM", "ListMFADevices", "iam:ListMFADevices", kindsOf("User")},
	{"IAM", "ListAccessKeys", "iam:ListAccessKeys", kindsOf("User")},
	{"IAM", "GetAccountSummary", "iam:GetAccountSummary", kindsOf("Account")},
	{"IAM", "GetAccountPasswordPolicy", "iam:GetAccountPasswordPolicy", kindsOf("Account")},
	{"IAM", "ListSAMLProviders", "iam:ListSAMLProviders", kindsOf("Account")},
	{"IAM", "ListOpenIDConnectProviders", "iam:ListOpenIDConnectProviders", kindsOf("OIDCProvider")},
	{"IAM", "GetOpenIDConnectProvider", "iam:GetOpenIDConnectProvider", kindsOf("OIDCProvider")},
	{"IAM", "GenerateServiceLastAccessedDetails", "iam:GenerateServiceLastAccessedDetails", kindsOf("ServiceLastAccessed")},
	{"IAM", "GetServiceLastAccessedDetails", "iam:GetServiceLastAccessedDetails", kindsOf("ServiceLastAccessed")},

	{"ECR", "DescribeRepositories", "ecr:DescribeRepositories", kindsOf("Repository", "ImageScan")},
	{"ECR", "GetRegistryScanningConfiguration", "ecr:GetRegistryScanningConfiguration", kindsOf("RegistryScanning", "ImageScan")},
	{"ECR", "DescribeImages", "ecr:DescribeImages", kindsOf("ImageScan")},
	{"ECR", "DescribeImageScanFindings", "ecr:DescribeImageScanFindings", kindsOf("ImageScan")},

	{"Inspector2", "BatchGetAccountStatus", "inspector2:BatchGetAccountStatus", kindsOf("InspectorStatus", "InspectorFinding")},
	{"Inspector2", "ListFindings", "inspector2:ListFindings", kindsOf("InspectorFinding")},
}
