package bundle

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	opa "github.com/open-policy-agent/opa/v1/bundle"
)

const signatures = ".signatures.json"

// Trust is what a signature has to be.
type Trust struct {
	// Keys are those of which one has to have signed.
	Keys []Key
	// Scope is what a signature has to claim to be for. Without one, it has to claim none.
	Scope string
}

// token is what stands in a signature, before it is known who wrote it.
type token struct {
	Algorithm string `json:"alg"`
	Key       string `json:"kid"`
	payload   opa.DecodedSignature
}

// verify holds every file of a bundle to its signature, and says by which key that is.
func (t Trust) verify(files map[string][]byte) (Key, error) {
	if len(t.Keys) == 0 {
		return Key{}, refuse(Unsigned, "the bundle is not used: no key is trusted. Name the public key of who signs it.")
	}
	config, claims, err := readSignature(files)
	if err != nil {
		return Key{}, err
	}
	key, signed, err := t.signedBy(config, claims)
	if err != nil {
		return Key{}, err
	}
	if claims.payload.Scope != t.Scope {
		return Key{}, refuse(Unsigned, "the bundle is not used: it is signed for scope %q, and scope %q is asked for. Sign it for that scope, or ask for the other.", claims.payload.Scope, t.Scope)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name == signatures {
			continue
		}
		if err := held(name, files[name], signed); err != nil {
			return Key{}, err
		}
	}
	if len(signed) > 0 {
		return Key{}, refuse(Unsigned, "the bundle is not used: %s was signed and is not in it. Build it again from what was signed.", slices.Min(slices.Collect(maps.Keys(signed))))
	}
	return key, nil
}

// readSignature is the one signature of a bundle, believed by nobody yet.
func readSignature(files map[string][]byte) (opa.SignaturesConfig, token, error) {
	var config opa.SignaturesConfig
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Base(name) == signatures && name != signatures {
			return config, token{}, refuse(Unsigned, "the bundle is not used: %s is not where its signature belongs. Put it at the root.", name)
		}
	}
	raw, ok := files[signatures]
	if !ok {
		return config, token{}, refuse(Unsigned, "the bundle is not used: it is not signed, there is no %s in it. Sign it with waywarden rules bundle --signing-key, or with opa sign.", signatures)
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return config, token{}, refuse(Unsigned, "the bundle is not used: its %s cannot be read (%v). Sign it again.", signatures, err)
	}
	if config.Plugin != "" && config.Plugin != "_default" { // which opa build writes
		return config, token{}, refuse(Unsigned, "the bundle is not used: only the plugin %q knows its signature. Sign it with a key for ECDSA or RSA.", config.Plugin)
	}
	if n := len(config.Signatures); n != 1 {
		return config, token{}, refuse(Unsigned, "the bundle is not used: it has %d signatures, and one is expected. Sign it again.", n)
	}
	claims, err := readToken(config.Signatures[0])
	if err != nil {
		return config, token{}, refuse(Unsigned, "the bundle is not used: its signature is no JWT (%v). Sign it again.", err)
	}
	return config, claims, nil
}

func readToken(text string) (token, error) {
	var out token
	header, rest, _ := strings.Cut(text, ".")
	payload, _, _ := strings.Cut(rest, ".")
	if err := decodePart(header, &out); err != nil {
		return out, err
	}
	if err := decodePart(payload, &out.payload); err != nil {
		return out, err
	}
	if out.Key == "" {
		out.Key = out.payload.KeyID // where OPA wrote it before
	}
	return out, nil
}

func decodePart(text string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// signedBy is the trusted key by which a signature is, and what it says of each file.
func (t Trust) signedBy(config opa.SignaturesConfig, claims token) (Key, map[string]opa.FileInfo, error) {
	var named, able []Key
	for _, k := range t.Keys {
		if k.ID != "" && claims.Key != "" && k.ID != claims.Key {
			continue
		}
		named = append(named, k)
		if k.takes(claims.Algorithm) {
			able = append(able, k)
		}
	}
	if len(named) == 0 {
		return Key{}, nil, refuse(Unsigned, "the bundle is not used: it is signed by key %q, which is not trusted. Trust that key, or have it signed by %s.", claims.Key, names(t.Keys))
	}
	if len(able) == 0 {
		return Key{}, nil, refuse(Unsigned, "the bundle is not used: it says that it is signed with %q, as %s cannot. Trust the key that signed it, or sign it again.", claims.Algorithm, names(named))
	}
	for _, k := range able {
		// The scope is compared by who asks for it, so that it can be told apart from a wrong signature.
		trusted := map[string]*opa.KeyConfig{"this": {Key: k.pem, Algorithm: claims.Algorithm, Scope: claims.payload.Scope}}
		signed, err := opa.VerifyBundleSignature(config, opa.NewVerificationConfig(trusted, "this", claims.payload.Scope, nil))
		if err == nil {
			return k, signed, nil
		}
	}
	return Key{}, nil, refuse(Unsigned, "the bundle is not used: its signature is not by %s. Trust the key that signed it, or sign it again.", names(able))
}

func names(keys []Key) string {
	var out []string
	for _, k := range keys {
		out = append(out, k.Name())
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " or ")
}

// structured is how large a file may be that is hashed by what it says, and not byte by byte.
const structured = 64 << 10

// held holds a file to what was signed of it, and takes it off the list.
func held(name string, data []byte, signed map[string]opa.FileInfo) error {
	info, ok := signed[name]
	if !ok {
		return refuse(Unsigned, "the bundle is not used: %s is in it and was not signed. Sign all of it, or take the file out.", name)
	}
	switch opa.HashingAlgorithm(info.Algorithm) {
	case opa.SHA256, opa.SHA384, opa.SHA512, opa.SHA512256:
	default:
		return refuse(Unsigned, "the bundle is not used: %s was signed by its digest of %q, which proves little. Sign it with SHA-256.", name, info.Algorithm)
	}
	if opa.IsStructuredDoc(name) && (len(data) > structured || !json.Valid(data)) {
		return refuse(Malformed, "the bundle is not used: %s is no JSON of at most %d bytes. Build it again.", name, structured)
	}
	if err := opa.VerifyBundleFile(name, *bytes.NewBuffer(data), signed); err != nil {
		return refuse(Unsigned, "the bundle is not used: %s was changed after it was signed. Sign it again, if the change is meant.", name)
	}
	return nil
}
