package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/eksafe/eksafe/internal/estate"
)

// failed wraps a cause as the SDK does.
func failed(cause error) error {
	return &smithy.OperationError{ServiceID: "RDS", OperationName: "DescribeDBInstances", Err: cause}
}

func status(code int, cause error) error {
	return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code}}, Err: cause}
}

func apiCode(c string) error {
	return &smithy.GenericAPIError{Code: c, Message: "arn:aws:iam::111122223333:user/eve RequestID 4711"}
}

func TestExplain(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		state estate.State
		why   string
	}{
		"denied":             {status(403, apiCode("AccessDenied")), estate.Denied, "not allowed to call rds:DescribeDBInstances"},
		"denied, JSON":       {status(400, apiCode("AccessDeniedException")), estate.Denied, "not allowed to call rds:DescribeDBInstances"},
		"denied, EC2":        {status(403, apiCode("Client.UnauthorizedOperation")), estate.Denied, "not allowed to call rds:DescribeDBInstances"},
		"denied by a page":   {status(403, &smithy.DeserializationError{Err: errors.New("invalid character '<'")}), estate.Denied, "not allowed to call rds:DescribeDBInstances"},
		"expired":            {status(400, apiCode("ExpiredTokenException")), estate.Denied, "the session expired before rds:DescribeDBInstances"},
		"region not enabled": {status(403, apiCode("InvalidClientTokenId")), estate.Unavailable, "the region is not enabled for the account, or rejects the credentials (rds:DescribeDBInstances)"},
		"throttled":          {status(400, apiCode("ThrottlingException")), estate.Unavailable, "AWS throttles rds:DescribeDBInstances"},
		"throttled, EC2":     {status(503, apiCode("RequestLimitExceeded")), estate.Unavailable, "AWS throttles rds:DescribeDBInstances"},
		"too many requests":  {status(429, apiCode("UnknownError")), estate.Unavailable, "AWS throttles rds:DescribeDBInstances"},
		"not subscribed":     {status(403, apiCode("OptInRequired")), estate.Unavailable, "rds:DescribeDBInstances is not available in this region or account"},
		"not found":          {status(404, apiCode("DBInstanceNotFoundFault")), estate.Unavailable, "rds:DescribeDBInstances found nothing"},
		"HTML, 404":          {status(404, &smithy.DeserializationError{Err: errors.New("invalid character '<' looking for beginning of value")}), estate.Unavailable, "rds:DescribeDBInstances gave an answer that is not AWS's"},
		"HTML, 500":          {status(500, apiCode("UnknownError")), estate.Unavailable, "rds:DescribeDBInstances gave an answer that is not AWS's"},
		"HTML, 200":          {&smithy.DeserializationError{Err: errors.New("invalid character '<'")}, estate.Unavailable, "rds:DescribeDBInstances gave an answer that is not AWS's"},
		"no name":            {&smithyhttp.RequestSendError{Err: &net.DNSError{Err: "no such host", Name: "rds.xx-none-1.amazonaws.com"}}, estate.Unavailable, "no connection for rds:DescribeDBInstances"},
		"slow":               {&smithyhttp.RequestSendError{Err: context.DeadlineExceeded}, estate.Unavailable, "rds:DescribeDBInstances gave no answer within 30s"},
		"other":              {status(400, apiCode("InvalidParameterCombination")), estate.Unavailable, "rds:DescribeDBInstances answered InvalidParameterCombination"},
		"hostile code":       {status(400, apiCode("\x1b[31m<b>Bad "+strings.Repeat("x", 500))), estate.Unavailable, "rds:DescribeDBInstances answered 31mbBad" + strings.Repeat("x", 53)},
	} {
		t.Run(name, func(t *testing.T) {
			state, why := explain(fmt.Errorf("reading: %w", failed(c.err)))
			if state != c.state || why != c.why {
				t.Errorf("got %s, %q\nwant %s, %q", state, why, c.state, c.why)
			}
		})
	}
}

func TestExplainWithoutOperation(t *testing.T) {
	if _, why := explain(errEndless); why != "a list that does not end" {
		t.Errorf("got %q", why)
	}
	if _, why := explain(errors.New("secret=hunter2")); strings.Contains(why, "hunter2") {
		t.Errorf("the text of an unknown error is shown: %q", why)
	}
}

func TestHardErrors(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no such profile":       {hard(ctx, config.SharedConfigProfileNotExistError{Profile: "prod"}, "prod", ""), `no AWS profile is called "prod"; aws configure list-profiles lists them`},
		"expired session":       {hard(ctx, failed(apiCode("ExpiredToken")), "prod", "eu-west-1"), "the AWS session has expired; run aws sso login --profile prod, or renew the profile's keys"},
		"expired, environment":  {hard(ctx, failed(apiCode("ExpiredToken")), "", "eu-west-1"), "the AWS session has expired; run aws sso login, or renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"},
		"odd profile is quoted": {hard(ctx, failed(apiCode("ExpiredToken")), "a b'c", "eu-west-1"), `the AWS session has expired; run aws sso login --profile 'a b'\''c', or renew the profile's keys`},
		"unknown key":           {hard(ctx, failed(apiCode("InvalidClientTokenId")), "prod", "eu-west-1"), "AWS rejects the credentials in eu-west-1; run aws sso login --profile prod, or renew the profile's keys; or the region is not enabled for the account"},
		"no network":            {hard(ctx, failed(&smithyhttp.RequestSendError{Err: errors.New("dial tcp")}), "", "eu-west-1"), "AWS cannot be reached in eu-west-1; check the network, HTTPS_PROXY, AWS_ENDPOINT_URL and the region's name"},
		"proxy's page":          {hard(ctx, failed(status(500, apiCode("UnknownError"))), "", "eu-west-1"), "what answers in eu-west-1 is not AWS; check HTTPS_PROXY and AWS_ENDPOINT_URL"},
		"broken configuration":  {hard(ctx, errors.New("invalid key 'aws_secret_access_key = hunter2'"), "", ""), "the AWS configuration cannot be read; check ~/.aws/config, ~/.aws/credentials and the AWS_ variables"},
		"SSO session":           {noCredentials(ctx, fmt.Errorf("retrieving: %w", &ssocreds.InvalidTokenError{}), "prod"), "the AWS SSO session has expired; run aws sso login --profile prod, or renew the profile's keys"},
		"MFA":                   {noCredentials(ctx, config.AssumeRoleTokenProviderNotSetError{}, "prod"), "the AWS profile asks for an MFA code; get a session with aws sts get-session-token and export it"},
		"nothing":               {noCredentials(ctx, errors.New("no EC2 IMDS role found"), ""), "no AWS credentials found; run aws configure or aws sso login, set AWS_PROFILE, or give --profile"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.err.Error() != c.want {
				t.Errorf("got  %q\nwant %q", c.err, c.want)
			}
		})
	}
}

func TestCancelledIsNotAnAWSError(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := hard(ctx, failed(context.Canceled), "", "eu-west-1"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := noCredentials(ctx, context.Canceled, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
