package aws

import (
	"cmp"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/shield"
	shieldtypes "github.com/aws/aws-sdk-go-v2/service/shield/types"

	"github.com/eksafe/eksafe/internal/estate"
)

// readShield reads the subscription to Shield Advanced and what it protects.
// Without a subscription Shield finds neither.
func (r *reader) readShield(ctx context.Context) {
	sdk := r.session.clients(globalRegion).shield
	subscription := &estate.ShieldSubscription{AWS: estate.AWS{Arn: "arn:" + r.session.partition + ":shield::" + r.session.account + ":subscription"}}
	out, err := sdk.DescribeSubscription(ctx, &shield.DescribeSubscriptionInput{})
	switch {
	case err == nil && out.Subscription != nil:
		s := out.Subscription
		subscription.Arn = cmp.Or(text(s.SubscriptionArn), subscription.Arn)
		subscription.Active = estate.Known(s.EndTime == nil || s.EndTime.After(time.Now()))
		if s.AutoRenew != "" {
			subscription.AutoRenew = estate.Known(s.AutoRenew == shieldtypes.AutoRenewEnabled)
		}
		put(r, estate.ShieldSubscriptions, []*estate.ShieldSubscription{subscription})
	case err != nil && classify(err) == notFound:
		subscription.Active = estate.Known(false)
		put(r, estate.ShieldSubscriptions, []*estate.ShieldSubscription{subscription})
	case err != nil:
		r.fail(err, estate.ShieldSubscriptions.Kind)
	}

	var protections []*estate.ShieldProtection
	err = pages(ctx, shield.NewListProtectionsPaginator(sdk, &shield.ListProtectionsInput{}), func(p *shield.ListProtectionsOutput) {
		for _, x := range p.Protections {
			protections = append(protections, &estate.ShieldProtection{
				AWS:         estate.AWS{Arn: cmp.Or(text(x.ProtectionArn), "arn:"+r.session.partition+":shield::"+r.session.account+":protection/"+text(x.Id))},
				Name:        text(x.Name),
				ResourceArn: text(x.ResourceArn),
			})
		}
	})
	if err != nil && classify(err) != notFound {
		r.fail(err, estate.ShieldProtections.Kind)
	}
	put(r, estate.ShieldProtections, protections)
}
