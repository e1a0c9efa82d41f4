package kubeobject

import "github.com/eksafe/eksafe/internal/estate"

func proxyServers(key, text string) []estate.Server { return nil }
