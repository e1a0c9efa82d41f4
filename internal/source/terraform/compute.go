package terraform

import (
	"cmp"

	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/source/awsfact"
)

func readCluster(res *resource) {
	vpc := res.in("vpc_config")
	everybody := []string{"0.0.0.0/0"}
	if res.in("kubernetes_network_config").plain("ip_family") == "ipv6" {
		everybody = append(everybody, "::/0")
	}
	cidrs := vpc.texts("public_access_cidrs", everybody)
	if list, known := cidrs.Get(); known && len(list) == 0 {
		cidrs = estate.Known(everybody)
	}
	c := &estate.Cluster{
		AWS:     res.aws(),
		Name:    res.name("name"),
		Version: res.text("version"),
		ResourcesVpcConfig: estate.ResourcesVpcConfig{
			EndpointPublicAccess:  vpc.boolOr("endpoint_public_access", true),
			EndpointPrivateAccess: vpc.boolOr("endpoint_private_access", false),
			PublicAccessCidrs:     cidrs,
			SubnetIds:             vpc.refs("subnet_ids"),
			SecurityGroupIds:      vpc.refs("security_group_ids"),
		},
		Logging:            estate.Logging{ClusterLogging: estate.ClusterLogging{EnabledTypes: res.texts("enabled_cluster_log_types", []string{})}},
		UpgradePolicy:      estate.UpgradePolicy{SupportType: res.in("upgrade_policy").textOr("support_type", "EXTENDED")},
		ComputeConfig:      estate.ComputeConfig{Enabled: res.in("compute_config").boolOr("enabled", false)},
		DeletionProtection: res.boolOr("deletion_protection", false),
		AccessConfig: estate.AccessConfig{
			AuthenticationMode:                      res.in("access_config").text("authentication_mode"),
			BootstrapClusterCreatorAdminPermissions: res.in("access_config").boolOr("bootstrap_cluster_creator_admin_permissions", true),
		},
		RoleArn:                res.ref("role_arn"),
		OpenIdConnectIssuerUrl: res.in("identity").in("oidc").text("issuer"),
		Endpoint:               res.attr("endpoint"),
		ClusterSecurityGroupId: cmp.Or(vpc.plain("cluster_security_group_id"), res.reference("vpc_config")),
	}
	if items, known := res.each("encryption_config"); known {
		configs := []estate.EncryptionConfig{}
		for _, item := range items {
			configs = append(configs, estate.EncryptionConfig{
				Provider:  estate.EncryptionProvider{KeyArn: item.in("provider").ref("key_arn")},
				Resources: item.words("resources"),
			})
		}
		c.EncryptionConfig = estate.Known(configs)
	}
	put(res, estate.Clusters, c)
}

func readNodegroup(res *resource) {
	launch := estate.Known(estate.LaunchTemplateReference{})
	if res.has("launch_template") {
		t := res.in("launch_template")
		launch = estate.Optional[estate.LaunchTemplateReference]{}
		if id, name := t.ref("id"), t.ref("name"); id != "${?}" && name != "${?}" {
			launch = estate.Known(estate.LaunchTemplateReference{Id: id, Name: name, Version: t.plain("version")})
		}
	}
	put(res, estate.Nodegroups, &estate.Nodegroup{
		AWS:            res.aws(),
		ClusterName:    res.ref("cluster_name"),
		NodegroupName:  res.name("node_group_name"),
		LaunchTemplate: launch,
		AmiType:        res.plain("ami_type"),
		NodeRole:       res.ref("node_role_arn"),
		Subnets:        res.refs("subnet_ids"),
	})
}

func readLaunchTemplate(res *resource) {
	var devices estate.Optional[[]estate.BlockDeviceMapping]
	if items, known := res.each("block_device_mappings"); known {
		list := []estate.BlockDeviceMapping{}
		for _, item := range items {
			if !item.has("ebs") {
				continue // an instance store, or no device
			}
			ebs := item.in("ebs")
			list = append(list, estate.BlockDeviceMapping{
				DeviceName: item.plain("device_name"),
				Ebs: estate.EbsBlockDevice{
					Encrypted:  ebs.boolOr("encrypted", false),
					KmsKeyId:   ebs.refOrNone("kms_key_id"),
					VolumeType: ebs.plain("volume_type"),
				},
			})
		}
		devices = estate.Known(list)
	}
	groups := res.refs("vpc_security_group_ids")
	interfaces, _ := res.each("network_interfaces")
	for _, i := range interfaces {
		groups = append(groups, i.refs("security_groups")...)
	}
	put(res, estate.LaunchTemplates, &estate.LaunchTemplate{
		AWS:                res.aws(),
		LaunchTemplateId:   res.attr("id"),
		LaunchTemplateName: res.name("name"),
		VersionNumber:      res.plain("latest_version"),
		DefaultVersion:     true,
		LatestVersion:      true,
		LaunchTemplateData: estate.LaunchTemplateData{
			BlockDeviceMappings: devices,
			MetadataOptions:     metadataOptions(res.in("metadata_options")),
			ImageId:             res.plain("image_id"),
			SecurityGroupIds:    groups,
		},
	})
}

func metadataOptions(b *block) estate.MetadataOptions {
	return estate.MetadataOptions{
		HttpEndpoint:            b.textOr("http_endpoint", ""),
		HttpTokens:              b.textOr("http_tokens", ""),
		HttpPutResponseHopLimit: b.intOr("http_put_response_hop_limit", 0),
	}
}

func readInstance(res *resource) {
	options := estate.MetadataOptions{}
	// A launch template may say what the instance does not.
	if res.has("metadata_options") || !res.has("launch_template") {
		options = metadataOptions(res.in("metadata_options"))
	}
	put(res, estate.Instances, &estate.Instance{
		AWS:              res.aws(),
		InstanceId:       res.attr("id"),
		MetadataOptions:  options,
		PrivateIpAddress: res.plain("private_ip"),
		SubnetId:         res.ref("subnet_id"),
		SecurityGroupIds: res.refs("vpc_security_group_ids"),
	})
}

func readAccessEntry(res *resource) {
	put(res, estate.AccessEntries, &estate.AccessEntry{
		AWS:              res.aws(),
		ClusterName:      res.ref("cluster_name"),
		PrincipalArn:     res.ref("principal_arn"),
		Username:         res.plain("user_name"),
		KubernetesGroups: res.refs("kubernetes_groups"),
		Type:             res.textOr("type", "STANDARD").Or(""),
		AccessPolicies:   estate.Known([]estate.AccessPolicy{}),
	})
}

func foldAccessPolicy(res *resource) {
	cluster, principal := res.ref("cluster_name"), res.ref("principal_arn")
	scope := res.in("access_scope")
	p := estate.AccessPolicy{
		PolicyArn:   res.ref("policy_arn"),
		AccessScope: estate.AccessScope{Type: scope.plain("type"), Namespaces: scope.refs("namespaces")},
	}
	res.fold(func() {
		for _, e := range estate.AccessEntries.In(res.reader.estate) {
			if e.ClusterName == cluster && e.PrincipalArn == principal {
				e.AccessPolicies = estate.Known(append(e.AccessPolicies.Or(nil), p))
			}
		}
	})
}

func readAddon(res *resource) {
	a := &estate.Addon{
		AWS:                   res.aws(),
		ClusterName:           res.ref("cluster_name"),
		AddonName:             res.plain("addon_name"),
		AddonVersion:          res.text("addon_version"),
		ServiceAccountRoleArn: res.ref("service_account_role_arn"),
	}
	if values, known := res.textOr("configuration_values", "").Get(); known {
		facts, _ := awsfact.ReadAddon(values)
		facts.Apply(a)
	}
	put(res, estate.Addons, a)
}

func readPodIdentityAssociation(res *resource) {
	put(res, estate.PodIdentityAssociations, &estate.PodIdentityAssociation{
		AWS:            estate.AWS{Origin: res.aws().Origin, Arn: cmp.Or(res.plain("association_arn"), res.id()), Tags: res.aws().Tags},
		ClusterName:    res.ref("cluster_name"),
		Namespace:      res.ref("namespace"),
		ServiceAccount: res.ref("service_account"),
		RoleArn:        res.ref("role_arn"),
	})
}
