package kubeobject

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	istionetworking "istio.io/client-go/pkg/apis/networking/v1"
	istiosecurity "istio.io/client-go/pkg/apis/security/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// istio decodes a kind of Istio. Istio's own decoder passes over unknown
// fields in silence, so they are looked for by the message's descriptor.
func istio[T any](c estate.Collection[*estate.Resource[T]], meta func(*T) *metav1.ObjectMeta, reduce func(*T)) func(*input) (*Object, error) {
	decode := resourceDecoder(c, meta, reduce, whole)
	return func(in *input) (*Object, error) {
		obj, err := decode(in)
		if err != nil || !in.strict {
			return obj, err
		}
		var top struct {
			Spec json.RawMessage `json:"spec"`
		}
		if json.Unmarshal(in.data, &top) == nil && len(top.Spec) > 0 {
			var v T
			if spec := specOf(&v); spec != nil {
				d := json.NewDecoder(bytes.NewReader(top.Spec))
				d.UseNumber()
				var value any
				if d.Decode(&value) == nil {
					in.unknownInMessage(spec.ProtoReflect().Descriptor(), value, "spec", 0)
				}
			}
		}
		return obj, nil
	}
}

// unknownInMessage records the keys of value that are no fields of the
// message.
func (in *input) unknownInMessage(md protoreflect.MessageDescriptor, value any, path string, depth int) {
	fields, ok := value.(map[string]any)
	if !ok || depth > 50 || strings.HasPrefix(string(md.FullName()), "google.protobuf.") {
		return
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fd := md.Fields().ByJSONName(name)
		if fd == nil {
			fd = md.Fields().ByName(protoreflect.Name(name))
		}
		at := path + "." + name
		if fd == nil {
			in.flaw(at, "unknown field")
			continue
		}
		v := fields[name]
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() == nil {
				continue
			}
			entries, _ := v.(map[string]any)
			keys := make([]string, 0, len(entries))
			for key := range entries {
				keys = append(keys, key)
			}
			slices.Sort(keys)
			for _, key := range keys {
				in.unknownInMessage(fd.MapValue().Message(), entries[key], at+"["+key+"]", depth+1)
			}
		case fd.Message() == nil:
		case fd.IsList():
			items, _ := v.([]any)
			for i, item := range items {
				in.unknownInMessage(fd.Message(), item, at+"["+strconv.Itoa(i)+"]", depth+1)
			}
		default:
			in.unknownInMessage(fd.Message(), v, at, depth+1)
		}
	}
}

// specOf returns the specification message of a pointer to an Istio object.
func specOf(object any) proto.Message {
	switch o := object.(type) {
	case *istiosecurity.PeerAuthentication:
		return &o.Spec
	case *istiosecurity.AuthorizationPolicy:
		return &o.Spec
	case *istiosecurity.RequestAuthentication:
		return &o.Spec
	case *istionetworking.DestinationRule:
		return &o.Spec
	case *istionetworking.ServiceEntry:
		return &o.Spec
	case *istionetworking.VirtualService:
		return &o.Spec
	case *istionetworking.Gateway:
		return &o.Spec
	case *istionetworking.Sidecar:
		return &o.Spec
	default:
		return nil
	}
}
