package packs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
)

// Files are those of a pack, by path.
type Files map[string]string

// stored is how many bytes they have in an object that holds them, which is stored as JSON.
func (f Files) stored() int {
	raw, err := json.Marshal(f)
	if err != nil {
		panic(err) // there is nothing in them but strings
	}
	return len(raw)
}

// revision is the digest of the files.
func (f Files) revision() (string, error) {
	fsys, err := bundle.Folder(f)
	if err != nil {
		return "", err
	}
	return rules.Digest(fsys)
}

// load compiles the files. The error is rules.Refusals. Trusted are files that were judged before. Whoever writes rules must not
// be able to stop Waywarden by them, so a panic of a compiler is a refusal.
func (f Files) load(trusted bool) (pack *rules.Pack, err error) {
	defer func() {
		if p := recover(); p != nil {
			pack, err = nil, mistake(p).Refusals
		}
	}()
	fsys, err := bundle.Folder(f)
	if err != nil {
		return nil, rules.Refusals{{File: wholePack, Message: fmt.Sprintf("the rules are not loaded: %v. Name each file by its path, as in acme/no_latest.rego.", err)}}
	}
	return rules.Load(fsys, rules.Options{Trusted: trusted})
}

// mistake refuses rules over which this program stumbles.
func mistake(panicked any) *Refused {
	return refused(v1alpha1.ReasonCompileError, wholePack, "the rules are not loaded: this is a mistake in waywarden: %v. Report it, with the rules.", panicked)
}

// ofConfigMap are the files of a ConfigMap: its keys are paths with dots for slashes, because a key has no slashes.
func ofConfigMap(c *corev1.ConfigMap) (Files, error) {
	out := Files{}
	for key, text := range c.Data {
		i := strings.LastIndexByte(key, '.')
		if i < 0 {
			return nil, fmt.Errorf("its key %q is no file of a pack: call it as in acme.no_latest.rego", key)
		}
		out[strings.ReplaceAll(key[:i], ".", "/")+key[i:]] = text
	}
	if len(out) == 0 {
		return nil, errors.New("it holds no data")
	}
	return out, nil
}
