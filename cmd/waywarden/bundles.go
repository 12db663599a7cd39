package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
)

// signers are the flags that say whose signature of a bundle is believed.
type signers struct {
	keys  []string
	scope string
}

func (s *signers) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.keys, "verification-key", nil, "believe bundles that are signed by a public key in this file, ECDSA or RSA in PEM; can be repeated")
	cmd.Flags().StringVar(&s.scope, "verification-scope", "", "the scope that signatures have to be for (default: none)")
}

// trust is what the flags say, and for each key, by its name, the file that it comes from.
func (s *signers) trust() (bundle.Trust, map[string]string, error) {
	out := bundle.Trust{Scope: s.scope}
	files := map[string]string{}
	for _, file := range s.keys {
		text, err := os.ReadFile(file)
		if err != nil {
			return out, nil, fmt.Errorf("--verification-key: %w", err)
		}
		keys, err := bundle.ParseKeys("", text)
		if err != nil {
			return out, nil, fmt.Errorf("--verification-key %s: %w", file, err)
		}
		for _, k := range keys {
			files[k.Name()] = file
		}
		out.Keys = append(out.Keys, keys...)
	}
	if len(out.Keys) == 0 {
		return out, nil, errors.New("no bundle is believed that nobody vouches for. Name the public key of who signs it with --verification-key")
	}
	return out, files, nil
}

// open opens a bundle: a file, or one in a registry. by is the file of the key that signed it. The error is an [exit], or one
// of usage.
func (s *signers) open(ctx context.Context, source string) (opened *bundle.Bundle, by string, err error) {
	trust, files, err := s.trust()
	if err != nil {
		return nil, "", err
	}
	if ref, is := inRegistry(source); is {
		var access bundle.Access
		if access, err = registryAccess(); err == nil {
			opened, err = bundle.Pull(ctx, ref, trust, access)
		}
	} else {
		var archive []byte
		if archive, err = os.ReadFile(source); err == nil {
			if opened, err = bundle.Open(archive, trust); err != nil {
				err = fmt.Errorf("%s: %w", source, err)
			}
		}
	}
	if err != nil {
		return nil, "", bundleError(err)
	}
	return opened, files[opened.SignedBy.Name()], nil
}

// registryPrefix marks what is in a registry where a file could be meant.
const registryPrefix = "oci://"

// inRegistry is the reference of what is in a registry, and whether it is: by the prefix, or since it names a digest.
func inRegistry(source string) (string, bool) {
	ref, is := strings.CutPrefix(source, registryPrefix)
	return ref, is || strings.Contains(source, "@sha256:")
}

// registryAccess is how registries are reached from the command line: as docker login left it, and on this machine without TLS.
func registryAccess() (bundle.Access, error) {
	credentials, err := bundle.DockerCredentials()
	return bundle.Access{Credentials: credentials, Plain: true}, err
}

// bundleError ends a command: with status 3 where a registry could not deliver, with 1 where a bundle is refused.
func bundleError(err error) error {
	switch bundle.ReasonOf(err) {
	case bundle.Unavailable:
		return failed(err)
	case bundle.Unsigned, bundle.Malformed:
		return &exit{report.StatusFindings, err}
	}
	return err
}

// load loads the rules of a bundle. The error is an [exit], or one of usage.
func (s *signers) load(ctx context.Context, source string) (*rules.Pack, string, error) {
	opened, by, err := s.open(ctx, source)
	if err != nil {
		return nil, "", err
	}
	pack, err := rules.Load(opened.FS(), rules.Options{})
	if err != nil {
		return nil, "", &exit{report.StatusFindings, fmt.Errorf("the rules of %s are refused:\n%w", source, err)}
	}
	return pack, by, nil
}
