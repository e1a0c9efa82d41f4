package aws

import (
	"context"
	"os"
	"slices"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

// A session is who reads, and where.
type session struct {
	options   Options
	config    awssdk.Config
	account   string
	partition string
	regions   []string // sorted, at least one

	newClients func(awssdk.Config) *clients

	total int // parts; set before they run

	mu   sync.Mutex // guards done, and calls of options.Progress
	done int
}

// open finds the credentials and asks whose they are.
func open(ctx context.Context, o Options) (*session, error) {
	return openWith(ctx, o, newClients)
}

func openWith(ctx context.Context, o Options, newClients func(awssdk.Config) *clients) (*session, error) {
	for _, region := range o.Regions {
		// A region becomes part of host names.
		if !regionName.MatchString(region) {
			return nil, &Error{What: "no AWS region is called " + quoted(region), Remedy: "name one such as eu-west-1"}
		}
	}
	regions := slices.Compact(list(o.Regions))

	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient()), // AWS_CA_BUNDLE needs this kind
		config.WithAPIOptions([]func(*middleware.Stack) error{addTimeout, newLimits().add}),
	}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	if len(regions) > 0 {
		load = append(load, config.WithRegion(regions[0]))
	}
	if os.Getenv("AWS_RETRY_MODE") == "" {
		load = append(load, config.WithRetryMode(awssdk.RetryModeAdaptive))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, hard(ctx, err, o.Profile, "")
	}
	cfg.HTTPClient = wholeSender{cfg.HTTPClient}
	if o.Config != nil {
		o.Config(&cfg)
	}
	if len(regions) == 0 {
		if cfg.Region == "" {
			return nil, &Error{What: "no AWS region is set", Remedy: "give --region, or set AWS_REGION or the profile's region"}
		}
		if !regionName.MatchString(cfg.Region) {
			return nil, &Error{What: "no AWS region is called " + quoted(cfg.Region), Remedy: "correct AWS_REGION or the profile's region"}
		}
		regions = []string{cfg.Region}
	}
	cfg.Region = regions[0]

	s := &session{options: o, config: cfg, regions: regions, newClients: newClients}
	if err := s.identify(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// identify learns the account. It is the one call whose failure ends it all:
// it needs no permission.
func (s *session) identify(ctx context.Context) error {
	if s.config.Credentials != nil {
		bounded, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		if _, err := s.config.Credentials.Retrieve(bounded); err != nil {
			return noCredentials(ctx, err, s.options.Profile)
		}
	}
	who, err := s.clients(s.regions[0]).sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return hard(ctx, err, s.options.Profile, s.regions[0])
	}
	s.account, s.partition = text(who.Account), "aws"
	if a, err := arn.Parse(text(who.Arn)); err == nil && a.Partition != "" {
		s.partition = a.Partition
	}
	return nil
}

func (s *session) clients(region string) *clients {
	cfg := s.config.Copy()
	cfg.Region = region
	return s.newClients(cfg)
}

// addTimeout bounds a call with all of its attempts.
func addTimeout(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("eksafeTimeout",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			ctx, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
}
