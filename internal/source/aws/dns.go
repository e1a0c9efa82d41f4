package aws

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/eksafe/eksafe/internal/estate"
)

// maxRecords bounds the record sets that we ask for: a zone can have hundreds
// of thousands, and Route 53 answers an account five times a second.
const maxRecords = 50_000

func (r *reader) readHostedZones(ctx context.Context) {
	var zones []*estate.HostedZone
	err := pages(ctx, route53.NewListHostedZonesPaginator(r.sdk.route53, &route53.ListHostedZonesInput{}), func(p *route53.ListHostedZonesOutput) {
		for _, z := range p.HostedZones {
			id := strings.TrimPrefix(text(z.Id), "/hostedzone/")
			zone := &estate.HostedZone{
				AWS:  estate.AWS{Arn: "arn:" + r.session.partition + ":route53:::hostedzone/" + id},
				Id:   id,
				Name: domain(text(z.Name)),
			}
			if z.Config != nil {
				zone.Private = estate.Known(z.Config.PrivateZone)
			}
			zones = append(zones, zone)
		}
	})
	if err != nil {
		r.fail(err, estate.HostedZones.Kind)
	}
	// One after the other: which zones the bound leaves out must not depend on
	// who came first.
	slices.SortFunc(zones, func(a, b *estate.HostedZone) int { return cmp.Compare(a.Arn, b.Arn) })
	left, cut := maxRecords, 0
	for _, z := range zones {
		if z.Private.Or(false) {
			continue // nobody outside can ask it
		}
		records, asked, err := r.readRecords(ctx, z, left)
		left -= asked
		switch {
		case left <= 0:
			cut++
		case err == nil:
			z.Records = estate.Known(records)
		case classify(err) != notFound:
			r.blind(err, "records of hosted zones")
		}
	}
	if cut > 0 {
		r.problem(fmt.Sprintf("the records of %d hosted zones were not read: there are more than %d", cut, maxRecords), "")
	}
	put(r, estate.HostedZones, zones)
}

// readRecords returns the records of a zone that lead somewhere, and how many
// it saw; it stops once these are more than limit.
func (r *reader) readRecords(ctx context.Context, z *estate.HostedZone, limit int) (records []estate.RecordSet, seen int, err error) {
	records = []estate.RecordSet{}
	p := route53.NewListResourceRecordSetsPaginator(r.sdk.route53, &route53.ListResourceRecordSetsInput{HostedZoneId: &z.Id})
	for p.HasMorePages() && seen < limit {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, seen, err
		}
		seen += max(len(page.ResourceRecordSets), 1)
		for _, set := range page.ResourceRecordSets {
			switch set.Type {
			case route53types.RRTypeA, route53types.RRTypeAaaa, route53types.RRTypeCname:
				records = append(records, recordSet(&set))
			}
		}
	}
	slices.SortStableFunc(records, func(a, b estate.RecordSet) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), cmp.Compare(a.AliasTarget, b.AliasTarget), slices.Compare(a.ResourceRecords, b.ResourceRecords))
	})
	return records, seen, nil
}

func recordSet(set *route53types.ResourceRecordSet) estate.RecordSet {
	out := estate.RecordSet{Name: domain(text(set.Name)), Type: string(set.Type)}
	if set.AliasTarget != nil {
		out.AliasTarget = domain(text(set.AliasTarget.DNSName))
	}
	for _, record := range set.ResourceRecords {
		out.ResourceRecords = append(out.ResourceRecords, text(record.Value))
	}
	slices.Sort(out.ResourceRecords)
	return out
}

// domain undoes the octal escapes of Route 53: "\052.example.com." is a
// wildcard.
func domain(name string) string {
	if !strings.Contains(name, `\`) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' && i+3 < len(name) {
			if c, err := strconv.ParseUint(name[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}
