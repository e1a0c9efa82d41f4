package aws

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// A countingConn tells how a connection is written to.
type countingConn struct {
	net.Conn
	wrote *[]string
}

func (c countingConn) Write(p []byte) (int, error) {
	*c.wrote = append(*c.wrote, string(p))
	return c.Conn.Write(p)
}

// TestWholeRequests holds that head and body of a call of the SDK leave
// together, and that calls share a connection.
func TestWholeRequests(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = string(body)
		_, _ = io.WriteString(w, `<DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>`)
	}))
	defer server.Close()
	var wrote []string
	dialled := 0
	client := awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled++
			conn, err := dial(ctx, network, address)
			return countingConn{conn, &wrote}, err
		}
	})
	api := ec2.NewFromConfig(awssdk.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL, HTTPClient: wholeSender{client},
		Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
			return awssdk.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
	const n = 3
	for range n {
		if _, err := api.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(got, "Action=DescribeVpcs&") {
			t.Errorf("the server read %q", got)
		}
	}
	if len(wrote) != n || dialled != 1 {
		t.Errorf("%d calls are written %d times to %d connections: %q", n, len(wrote), dialled, wrote)
	}
}
