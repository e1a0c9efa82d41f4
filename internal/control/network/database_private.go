package network

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var databasePrivate = &control.Control{
	ID:       "database-private",
	Title:    "No database has a way to the internet",
	Severity: control.Critical,
	Refs:     []control.Ref{control.FSBP("RDS.2"), control.FSBP("RDS.46")},
	Serves:   []string{"S17", "S18"},
	Since:    "0.1.0",
	Check: control.Traced(databases, func(d database) trace.Place { return d.place }, judgeDatabase,
		estate.DBInstances.Kind, estate.DBClusters.Kind).
		Helped(estate.DBSubnetGroups.Kind, estate.Subnets.Kind, estate.RouteTables.Kind, estate.VPCs.Kind),
}

// A database is an instance or a cluster. Each instance, members of clusters
// included, says for itself whether it has a public address; the subnets are
// those of the cluster, so members leave them to it.
type database struct {
	place  trace.Place
	name   string
	public estate.Optional[bool]
	silent bool // a cluster may leave the address to its members
	subnet string
	member bool
}

func databases(g *trace.Graph) []database {
	var out []database
	clusters := map[string]bool{}
	for _, c := range estate.DBClusters.In(g.Estate) {
		clusters[c.DBClusterIdentifier], clusters[c.Arn] = true, true
		out = append(out, database{
			place: trace.Place{Subject: estate.DBClusters.Ref(c), Origin: &c.Origin},
			name:  c.DBClusterIdentifier, public: c.PubliclyAccessible, silent: true, subnet: c.DBSubnetGroupName,
		})
	}
	for _, i := range estate.DBInstances.In(g.Estate) {
		out = append(out, database{
			place: trace.Place{Subject: estate.DBInstances.Ref(i), Origin: &i.Origin},
			name:  i.DBInstanceIdentifier, public: i.PubliclyAccessible, subnet: i.DBSubnetGroupName,
			member: clusters[i.DBClusterIdentifier],
		})
	}
	return out
}

func judgeDatabase(s *control.Subject, d database) {
	s.Facing(d.place.Subject)
	public, known := d.public.Get()
	switch {
	case !known && !d.silent:
		s.Unknownf("publiclyAccessible of %s is not known; read the database live (--aws), or write it into the template", d.name)
	case known && public:
		s.Failf("publiclyAccessible", "it has a public address")
	}
	if !d.member {
		judgeSubnets(s, d)
	}
}

// judgeSubnets follows the routes of the database's subnets: in a subnet with a
// way to the internet one changed setting is enough to publish it.
func judgeSubnets(s *control.Subject, d database) {
	if d.subnet == "" {
		s.Unknownf("the subnets of %s are not known: it names no subnet group, so it stands in the default one", d.name)
		return
	}
	group, ok := control.Find(s, estate.DBSubnetGroups, d.subnet)
	if !ok {
		s.Unknownf("subnet group %s of %s was not read (rds:DescribeDBSubnetGroups)", d.subnet, d.name)
		return
	}
	var open, tables []string
	for _, id := range slices.Sorted(slices.Values(group.SubnetIds)) {
		table, known := routes(s, id)
		switch {
		case !known:
			s.Unknownf("the routes of subnet %s are not known (ec2:DescribeSubnets, ec2:DescribeRouteTables)", short(id))
		case table != nil && slices.ContainsFunc(table.Routes, func(r estate.Route) bool { return r.Internet }):
			open = append(open, short(id))
			if name := short(cmp.Or(table.RouteTableId, table.Arn)); !slices.Contains(tables, name) {
				tables = append(tables, name)
			}
		}
	}
	if len(open) > 0 {
		s.Failf("dbSubnetGroupName", "its subnets have a route to the internet: %s, by table %s", strings.Join(open, ", "), strings.Join(tables, ", "))
	}
}

// short returns the logical ID of what a template makes, and any other ID as it
// is.
func short(id string) string { return id[strings.LastIndexByte(id, '#')+1:] }

// routes returns the route table of a subnet: its own, else the main one of its
// VPC; nil for a main table that has no routes but its own network.
func routes(s *control.Subject, id string) (*estate.RouteTable, bool) {
	tables := control.All(s, estate.RouteTables)
	if i := slices.IndexFunc(tables, func(t *estate.RouteTable) bool { return slices.Contains(t.SubnetIds, id) }); i >= 0 {
		return tables[i], true
	}
	subnet, ok := subnet(s, id)
	if !ok {
		return nil, false
	}
	if i := slices.IndexFunc(tables, func(t *estate.RouteTable) bool { return t.Main && t.VpcId == subnet.VpcId }); i >= 0 {
		return tables[i], true
	}
	// The main table of a VPC that a template makes is not the template's to
	// change: it routes within the VPC and nowhere else.
	made := slices.ContainsFunc(control.All(s, estate.VPCs), func(v *estate.VPC) bool {
		return v.Origin.File != "" && (v.VpcId == subnet.VpcId || v.Arn == subnet.VpcId)
	})
	return nil, made
}

func subnet(s *control.Subject, id string) (*estate.Subnet, bool) {
	subnets := control.All(s, estate.Subnets)
	i := slices.IndexFunc(subnets, func(n *estate.Subnet) bool { return n.SubnetId == id || n.Arn == id })
	if i < 0 {
		return nil, false
	}
	return subnets[i], true
}
