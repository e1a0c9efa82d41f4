package reach

import (
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
)

type (
	networkingPolicy = networkingv1.NetworkPolicy
	networkingPeer   = networkingv1.NetworkPolicyPeer
	networkingPort   = networkingv1.NetworkPolicyPort
)

func itoa[T ~int | ~int32 | ~uint32 | ~uint16](n T) string { return strconv.Itoa(int(n)) }
