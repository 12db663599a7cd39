package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// outside are the built-ins of OPA that a rule may not call, and why: an answer must follow from the input and the mesh alone,
// so that a pull request, admission and an audit say the same.
var outside = map[string]string{
	"http.send":                                 "it calls the network",
	"net.lookup_ip_addr":                        "it asks a name server",
	"opa.runtime":                               "it reads the machine",
	"rand.intn":                                 "it is random",
	"uuid.rfc4122":                              "it is random",
	"time.now_ns":                               "it reads the clock; use input.now",
	"io.jwt.encode_sign":                        "it signs",
	"io.jwt.encode_sign_raw":                    "it signs",
	"io.jwt.decode_verify":                      "it reads the clock",
	"json.match_schema":                         "it can fetch what a schema refers to",
	"json.verify_schema":                        "it can fetch what a schema refers to",
	"providers.aws.sign_req":                    "it signs",
	"rego.parse_module":                         "it reads Rego when it should run it",
	"crypto.parse_private_keys":                 "it reads private keys",
	"crypto.x509.parse_keypair":                 "it reads private keys",
	"crypto.x509.parse_rsa_private_key":         "it reads private keys",
	"crypto.x509.parse_and_verify_certificates": "it reads the clock; compare NotAfter of crypto.x509.parse_certificates with input.now",
	"crypto.x509.parse_and_verify_certificates_with_options": "it reads the clock; compare NotAfter of crypto.x509.parse_certificates with input.now",
}

// Capabilities are what rules may use: OPA's language, its pure built-ins, and the questions to the mesh. Written as JSON,
// they are what editors with OPA or Regal need to know our built-ins.
func Capabilities() *ast.Capabilities {
	caps := ast.CapabilitiesForThisVersion()
	caps.AllowNet = []string{}
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		_, no := outside[b.Name]
		return no || b.Nondeterministic
	})
	for _, name := range slices.Sorted(maps.Keys(questions)) {
		caps.Builtins = append(caps.Builtins, questions[name].Decl)
	}
	slices.SortFunc(caps.Builtins, func(a, b *ast.Builtin) int { return strings.Compare(a.Name, b.Name) })
	return caps
}
