package aws

import (
	"bytes"
	"io"
	"net/http"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
)

// A wholeSender sends a request in one piece. The SDK wraps bodies so that
// net/http sends the head first and the body as it reads it. That is two
// packets, and where a fast answer overtakes the reading, the SDK has closed the
// body and net/http gives up the connection, with the rest of the answer.
type wholeSender struct{ client awssdk.HTTPClient }

// Do sends a request, whose body is small: we upload nothing.
func (s wholeSender) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return s.client.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := r.Body.Close(); err != nil {
		return nil, err
	}
	// A request that came in is not ours to change.
	r = r.WithContext(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return s.client.Do(r)
}
