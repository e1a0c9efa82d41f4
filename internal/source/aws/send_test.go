package aws

import (
	"context"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// TestCABundle holds that calls trust what AWS_CA_BUNDLE names, as every
// program with the SDK does, and nothing that it does not.
func TestCABundle(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account><Arn>arn:aws:iam::111122223333:user/a</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the handshake that fails
	server.StartTLS()
	defer server.Close()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "eu-west-1", "AWS_PROFILE": "", "AWS_SESSION_TOKEN": "", "AWS_MAX_ATTEMPTS": "1",
		"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_CA_BUNDLE", "")
	if _, err := open(t.Context(), Options{}); err == nil {
		t.Error("a server that nobody vouches for is believed")
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	s, err := open(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.account != "111122223333" {
		t.Errorf("the account is %q", s.account)
	}
}
