package reporttest

import (
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/report"
)

// Account is the audit of the shop in its cluster and account, where the
// database is a real one.
func Account() *report.Report {
	r := Shop()
	InAccount(r)
	for i := range r.Results {
		if r.Results[i].Control.ID == "database-storage-encrypted" {
			r.Results[i].Findings[0].Subject = estate.Ref{Kind: "Database", Name: "orders", ID: "arn:aws:rds:eu-west-1:111122223333:db:orders"}
		}
	}
	return r
}

// InAccount gives an audit the cluster and account that it is made in.
func InAccount(r *report.Report) {
	estate.Clusters.Add(r.Graph.Estate, &estate.Cluster{
		AWS:  estate.AWS{Arn: "arn:aws:eks:eu-west-1:111122223333:cluster/shop"},
		Name: "shop",
	})
}
