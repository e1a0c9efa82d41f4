package estate_test

import (
	"encoding/json"
	"testing"

	"github.com/eksafe/eksafe/internal/estate"
)

// A rule whose peers are not kept is not one without peers, before and after a
// snapshot.
func TestCiliumRuleRemembersOtherFields(t *testing.T) {
	for text, empty := range map[string]bool{
		`{}`:                          true,
		`{"fromEntities":["all"]}`:    false,
		`{"toPorts":[{"ports":[]}]}`:  false,
		`{"fromCIDR":["0.0.0.0/0"]}`:  false,
		`{"peersOfTheFuture":[true]}`: false,
	} {
		for range 2 {
			var r estate.CiliumRule
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Fatal(err)
			}
			if r.Empty() != empty {
				t.Errorf("%s is empty: %v", text, r.Empty())
			}
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		}
	}
}
