package detection

import (
	"strings"
	"testing"

	"github.com/eksafe/eksafe/internal/trace"
)

func highFinding() map[string]any {
	return map[string]any{
		"source": "aws.guardduty", "detail-type": "GuardDuty Finding",
		"resources": []any{"arn:a", "arn:b"},
		"detail":    map[string]any{"severity": 8.0},
	}
}

func TestTakes(t *testing.T) {
	for pattern, want := range map[string]trace.Ternary{
		``:                                trace.No,
		`{}`:                              trace.No,
		`[]`:                              trace.No,
		`{"source": "aws.guardduty"}`:     trace.No, // alternatives must be a list
		`{"source": ["aws.guardduty"]}`:   trace.Yes,
		`{"source": ["aws.securityhub"]}`: trace.No,
		`{"source": ["aws.s3", "aws.guardduty"], "detail-type": ["GuardDuty Finding"]}`:                         trace.Yes,
		`{"source": ["aws.guardduty"], "detail-type": ["GuardDuty Malware Protection Resource Status Active"]}`: trace.No,
		`{"source": [{"prefix": "aws."}]}`:                                                           trace.Yes,
		`{"source": [{"suffix": "duty"}]}`:                                                           trace.Yes,
		`{"source": [{"suffix": "hub"}]}`:                                                            trace.No,
		`{"source": [{"equals-ignore-case": "AWS.GuardDuty"}]}`:                                      trace.Yes,
		`{"source": [{"wildcard": "aws.*duty"}]}`:                                                    trace.Yes,
		`{"source": [{"wildcard": "aws.*hub"}]}`:                                                     trace.No,
		`{"source": [{"wildcard": "a*guard*y"}]}`:                                                    trace.Yes,
		`{"source": [{"anything-but": ["aws.guardduty"]}]}`:                                          trace.No,
		`{"source": [{"anything-but": "aws.s3"}]}`:                                                   trace.Yes,
		`{"source": [{"anything-but": {"prefix": "aws."}}]}`:                                         trace.Unclear,
		`{"source": [{"exists": true}]}`:                                                             trace.Yes,
		`{"source": [{"exists": false}]}`:                                                            trace.No,
		`{"source": [{"cidr": "10.0.0.0/8"}]}`:                                                       trace.Unclear,
		`{"detail": {"severity": [{"numeric": [">=", 7]}]}}`:                                         trace.Yes,
		`{"detail": {"severity": [{"numeric": [">", 8]}]}}`:                                          trace.No,
		`{"detail": {"severity": [{"numeric": [">=", 7, "<", 9]}]}}`:                                 trace.Yes,
		`{"detail": {"severity": [{"numeric": ["=", 8]}]}}`:                                          trace.Yes,
		`{"detail": {"severity": [{"numeric": ["<=", 7.9]}]}}`:                                       trace.No,
		`{"detail": {"severity": [{"numeric": [">="]}]}}`:                                            trace.Unclear,
		`{"detail": {"severity": [{"numeric": ["~", 7]}]}}`:                                          trace.Unclear,
		`{"detail": {"severity": [{"numeric": [">", "7"]}]}}`:                                        trace.Unclear,
		`{"detail": {"severity": [{"numeric": 7}]}}`:                                                 trace.No,
		`{"detail": {"severity": [7, 7.5, 8]}}`:                                                      trace.Yes,
		`{"detail": {"severity": [4, 5]}}`:                                                           trace.No,
		`{"detail": {"type": [{"prefix": "Kubernetes"}]}}`:                                           trace.Unclear,
		`{"detail": {"severity": {"label": ["HIGH"]}}}`:                                              trace.No,
		`{"detail": ["HIGH"]}`:                                                                       trace.No,
		`{"resources": ["arn:b"]}`:                                                                   trace.Yes,
		`{"resources": ["arn:c"]}`:                                                                   trace.No,
		`{"source": ["aws.s3"], "detail": {"type": ["x"]}}`:                                          trace.No,
		`{"$or": [{"source": ["aws.s3"]}, {"source": ["aws.guardduty"]}]}`:                           trace.Yes,
		`{"$or": [{"source": ["aws.s3"]}, {"detail": {"type": ["x"]}}]}`:                             trace.Unclear,
		`{"$or": ["aws.guardduty"]}`:                                                                 trace.Unclear,
		strings.Repeat(`{"$or": [`, 40) + `{"source": ["aws.guardduty"]}` + strings.Repeat(`]}`, 40): trace.Unclear,
	} {
		if got := takes(pattern, highFinding()); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
}

func FuzzTakes(f *testing.F) {
	f.Add(`{"source": ["aws.guardduty"], "detail": {"severity": [{"numeric": [">=", 7]}]}}`)
	f.Add(`{"$or": [{"source": [{"wildcard": "a*b*"}]}, {"detail": {"x": [{"anything-but": [1]}]}}]}`)
	f.Add(`{"source": [{"prefix": {"equals-ignore-case": "x"}}], "resources": [{"exists": false}]}`)
	f.Fuzz(func(t *testing.T, pattern string) {
		first := takes(pattern, highFinding())
		for range 3 {
			if again := takes(pattern, highFinding()); again != first {
				t.Errorf("%q: %s, then %s", pattern, first, again)
			}
		}
	})
}
