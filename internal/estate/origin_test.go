package estate_test

import (
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

// sample is the positions of
//
//	1 kind: Pod
//	2 metadata:
//	3   annotations:
//	4     a.example.com/x: "1"
//	5 spec:
//	6   containers:
//	7   - name: a
//	8     image: b
//	9   - {name: c,
//	10    image: d}
func sample() estate.Positions {
	var w estate.PositionWriter
	w.Mapping(3)
	w.Key("kind", 1)
	w.Scalar()
	w.Key("metadata", 2)
	w.Mapping(1)
	w.Key("annotations", 3)
	w.Mapping(1)
	w.Key("a.example.com/x", 4)
	w.Scalar()
	w.Key("spec", 5)
	w.Mapping(1)
	w.Key("containers", 6)
	w.Sequence(2)
	w.Element(7)
	w.Mapping(2)
	w.Key("name", 7)
	w.Scalar()
	w.Key("image", 8)
	w.Scalar()
	w.Element(9)
	w.Mapping(2)
	w.Key("name", 9)
	w.Scalar()
	w.Key("image", 10)
	w.Scalar()
	return w.Positions()
}

func TestLocate(t *testing.T) {
	o := estate.Origin{File: "pod.yaml", Line: 101, Positions: sample()}
	for field, want := range map[string]int{
		"":                                      101,
		"kind":                                  101,
		"metadata":                              102,
		"metadata.annotations[a.example.com/x]": 104,
		"metadata.annotations[absent]":          103, // the nearest that is written
		"spec.containers":                       106,
		"spec.containers[0].image":              108,
		"spec.containers[1]":                    109,
		"spec.containers[1].image":              110,
		"spec.containers[1].securityContext.privileged": 109,
		"spec.containers[2].image":                      106,
		"status.phase":                                  101,
		"kind.deeper":                                   101,
	} {
		if file, line := o.Locate(field); file != "pod.yaml" || line != want {
			t.Errorf("%q is at %s:%d, want pod.yaml:%d", field, file, line, want)
		}
	}
}

func TestLocateWithoutFile(t *testing.T) {
	for _, o := range []*estate.Origin{nil, {}, {Cluster: "prod", Positions: sample()}} {
		if file, line := o.Locate("kind"); file != "" || line != 0 {
			t.Errorf("located at %s:%d without a file", file, line)
		}
	}
}

// FuzzLocate feeds damaged positions, as a snapshot may hold them.
func FuzzLocate(f *testing.F) {
	f.Add([]byte(sample()), "spec.containers[1].image")
	f.Add([]byte("m\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "a[3].b")
	f.Add([]byte("s\x02\x02s\x01\x02"), "[1][0]")
	f.Fuzz(func(t *testing.T, data []byte, field string) {
		o := estate.Origin{File: "f", Line: 1, Positions: data}
		if file, _ := o.Locate(field); file != "f" {
			t.Errorf("lost the file")
		}
	})
}
