package plan

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestJoined: what is about other objects has another name, and every name is one.
func TestJoined(t *testing.T) {
	long := strings.Repeat("a", 240)
	known := map[string]string{}
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry} {
		for _, names := range [][]string{
			{"deny", "big-cart"}, {"deny-big", "cart"}, {"shop", "deny", "cart"}, {"shop.deny", "cart"}, {"deny", "cart"}, {"cart"},
			{"deny", "api.example.com"}, {"deny.api", "example.com"}, {"deny.api.example", "com"}, {"deny", "api", "example.com"},
			{long, "cart"}, {long, "cartoon"}, {long, "api.example.com"},
		} {
			of := fmt.Sprint(kind, names)
			name := joined("waywarden-twin-", kind, names...)
			if other, taken := known[name]; taken {
				t.Errorf("%s and %s are both named %s", of, other, name)
			}
			known[name] = of
			if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
				t.Errorf("%s: %s is no name: %v", of, name, problems)
			}
		}
	}
	if got := joined("waywarden-twin-", mesh.Service, "deny", "cart"); got != "waywarden-twin-deny.cart" {
		t.Errorf("a plain name is %s", got)
	}
}
