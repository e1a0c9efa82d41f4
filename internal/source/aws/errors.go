package aws

import (
	"context"
	"errors"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/eksafe/eksafe/internal/estate"
)

// An Error is why nothing could be read, and what to do.
type Error struct {
	What   string
	Remedy string
	Err    error // the cause; its text, full of request IDs, is not shown
}

func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.What
	}
	return e.What + "; " + e.Remedy
}

func (e *Error) Unwrap() error { return e.Err }

var errEndless = errors.New("the list does not end")

// errNotReady is that AWS did not finish what it was asked to prepare.
var errNotReady = errors.New("it is not ready")

// A fault is what a failed call means to us.
type fault int

const (
	other        fault = iota
	denied             // the credentials may not
	throttled          // too many calls, after all retries
	notFound           // gone, or never there
	notSupported       // the region, account or service does not have it
	unreachable        // no network, no name
	slow               // no answer in time
	undecodable        // an answer that is not AWS's: a proxy's page
	expired            // the session ended
	rejected           // the credentials are not known: deleted, mistyped, or a region that is not enabled
)

var faultCodes = map[fault][]string{
	denied: {
		"AccessDenied", "AccessDeniedException", "AccessDeniedFault", "UnauthorizedOperation", "UnauthorizedException",
		"AuthorizationError", "AuthorizationErrorException", "NotAuthorized", "UnauthorizedAccessException",
	},
	expired: {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"},
	rejected: {
		"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch",
		"InvalidSignatureException", "AuthFailure", "IncompleteSignature", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "InvalidToken",
	},
	notSupported: {
		"OptInRequired", "SubscriptionRequiredException", "UnsupportedOperation", "UnsupportedOperationException",
		"InvalidAction", "UnknownOperationException", "NotImplemented", "FeatureNotAvailableException",
		"WAFInvalidOperationException", "WAFUnsupportedAggregateKeyTypeException",
	},
}

// classify says what a failed call means.
func classify(err error) fault {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorCode() != "UnknownError" {
		code := strings.TrimPrefix(api.ErrorCode(), "Client.")
		for _, f := range []fault{denied, expired, rejected, notSupported} {
			if slices.Contains(faultCodes[f], code) {
				return f
			}
		}
		if _, found := retry.DefaultThrottleErrorCodes[code]; found {
			return throttled
		}
		if strings.Contains(code, "NotFound") || strings.HasPrefix(code, "NoSuch") || strings.HasSuffix(code, "NonexistentItemException") {
			return notFound
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return slow
	}
	var (
		network  *net.OpError
		dns      *net.DNSError
		send     *smithyhttp.RequestSendError
		response *smithyhttp.ResponseError
		decode   *smithy.DeserializationError
	)
	if errors.As(err, &send) || errors.As(err, &network) || errors.As(err, &dns) {
		return unreachable
	}
	known := api != nil && api.ErrorCode() != "" && api.ErrorCode() != "UnknownError"
	if errors.As(err, &response) {
		switch status := response.HTTPStatusCode(); {
		case status == 401 || status == 403:
			return denied
		case status == 429:
			return throttled
		case !known:
			return undecodable
		}
	}
	if errors.As(err, &decode) {
		return undecodable
	}
	return other
}

// isCode reports whether AWS answered with one of codes.
func isCode(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

const notAllowed = "not allowed to call "

// explain turns the failure of a call into coverage: one short sentence
// without identifiers, which differ from run to run and name things that the
// report's readers may not know.
func explain(err error) (estate.State, string) {
	call := action(err)
	if errors.Is(err, errNotReady) {
		return estate.Unavailable, call + " has nothing ready after " + pollLimit.String()
	}
	switch classify(err) {
	case denied:
		return estate.Denied, notAllowed + call
	case expired:
		return estate.Denied, "the session expired before " + call
	case rejected:
		return estate.Unavailable, "the region is not enabled for the account, or rejects the credentials (" + call + ")"
	case throttled:
		return estate.Unavailable, "AWS throttles " + call
	case notFound:
		return estate.Unavailable, call + " found nothing"
	case notSupported:
		return estate.Unavailable, call + " is not available in this region or account"
	case unreachable:
		return estate.Unavailable, "no connection for " + call
	case slow:
		return estate.Unavailable, call + " gave no answer within " + callTimeout.String()
	case undecodable:
		return estate.Unavailable, call + " gave an answer that is not AWS's"
	}
	if errors.Is(err, errEndless) {
		return estate.Unavailable, "a list that does not end"
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return estate.Unavailable, call + " answered " + code(api)
	}
	return estate.Unavailable, call + " failed"
}

var notCode = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// code returns the error code, which a server may have made long or strange.
func code(api smithy.APIError) string {
	c := notCode.ReplaceAllString(api.ErrorCode(), "")
	if len(c) > 60 {
		c = c[:60]
	}
	if c == "" {
		return "an error without a code"
	}
	return c
}

// action returns the IAM action of the call that failed.
func action(err error) string {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return "the service"
	}
	for _, c := range Calls() {
		if c.Service == op.ServiceID && c.Operation == op.OperationName {
			return c.Action
		}
	}
	return op.OperationName
}

// login is what brings new credentials.
func login(profile string) string {
	if profile != "" {
		return "run aws sso login --profile " + shellWord(profile) + ", or renew the profile's keys"
	}
	return "run aws sso login, or renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.@/:=+-]+$`)

func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func quoted(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strconv.Quote(s)
}

// noCredentials explains why the credentials chain gave none.
func noCredentials(ctx context.Context, err error, profile string) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	var (
		token *ssocreds.InvalidTokenError
		mfa   config.AssumeRoleTokenProviderNotSetError
		api   smithy.APIError
	)
	switch {
	case errors.As(err, &token):
		return &Error{What: "the AWS SSO session has expired", Remedy: login(profile), Err: err}
	case errors.As(err, &mfa):
		return &Error{What: "the AWS profile asks for an MFA code", Remedy: "get a session with aws sts get-session-token and export it", Err: err}
	case errors.As(err, &api):
		// The chain has credentials, but their exchange was refused.
		return hard(ctx, err, profile, "")
	case classify(err) == unreachable && profile != "":
		return &Error{What: "the AWS credentials of profile " + quoted(profile) + " could not be fetched: no connection", Remedy: "check the network and proxy", Err: err}
	}
	if profile != "" {
		return &Error{What: "no AWS credentials in profile " + quoted(profile), Remedy: login(profile), Err: err}
	}
	return &Error{What: "no AWS credentials found", Remedy: "run aws configure or aws sso login, set AWS_PROFILE, or give --profile", Err: err}
}

// hard explains an error after which nothing can be read.
func hard(ctx context.Context, err error, profile, region string) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	var unknown config.SharedConfigProfileNotExistError
	if errors.As(err, &unknown) {
		return &Error{What: "no AWS profile is called " + quoted(unknown.Profile), Remedy: "aws configure list-profiles lists them", Err: err}
	}
	in := ""
	if region != "" {
		in = " in " + region
	}
	switch classify(err) {
	case expired:
		return &Error{What: "the AWS session has expired", Remedy: login(profile), Err: err}
	case rejected:
		return &Error{What: "AWS rejects the credentials" + in, Remedy: login(profile) + "; or the region is not enabled for the account", Err: err}
	case denied:
		return &Error{What: "AWS refuses the credentials (" + action(err) + ")", Remedy: login(profile), Err: err}
	case unreachable, slow:
		return &Error{What: "AWS cannot be reached" + in, Remedy: "check the network, HTTPS_PROXY, AWS_ENDPOINT_URL and the region's name", Err: err}
	case undecodable, notFound, notSupported:
		return &Error{What: "what answers" + in + " is not AWS", Remedy: "check HTTPS_PROXY and AWS_ENDPOINT_URL", Err: err}
	case throttled:
		return &Error{What: "AWS throttles the account" + in, Remedy: "try again later", Err: err}
	}
	if region == "" {
		return &Error{What: "the AWS configuration cannot be read", Remedy: "check ~/.aws/config, ~/.aws/credentials and the AWS_ variables", Err: err}
	}
	_, why := explain(err)
	return &Error{What: "AWS gave no identity" + in + ": " + why, Remedy: login(profile), Err: err}
}
