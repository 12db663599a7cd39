package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/packs"
)

func newRulesPack(e *env) *cobra.Command {
	var name, file string
	cmd := &cobra.Command{
		Use:   "pack DIR --name NAME",
		Short: "Print the RulePack that brings a folder of rules into a cluster",
		Long: `Print the RulePack that brings a folder of rules into a cluster, with all its files. The rules are judged as the cluster
would: whatever it would refuse is refused here.

Exit status: 0 done; 2 wrong usage, or the rules are refused.`,
		Example: examples(e, `
# what kubectl can apply
waywarden rules pack policies/ --name acme | kubectl apply -f -

# into a repository, for GitOps
waywarden rules pack policies/ --name acme --out deploy/acme.yaml`),
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if wrong := validation.IsDNS1123Subdomain(name); len(wrong) > 0 {
				return fmt.Errorf("--name: %q is no name of a RulePack: %s", name, wrong[0])
			}
			pack, err := packed(cmd.Context(), args[0], name)
			if err != nil {
				return err
			}
			if file == "" {
				_, err = e.stdout.Write(pack)
				return err
			}
			if err := os.WriteFile(file, pack, 0o644); err != nil {
				return failed(err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "what the RulePack is called (required)")
	cmd.Flags().StringVar(&file, "out", "", "write to this file in place of standard output")
	return cmd
}

// packed is the RulePack of a folder, as YAML.
func packed(ctx context.Context, dir, name string) ([]byte, error) {
	fsys, options, err := rulesIn(dir, false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	p := &v1alpha1.RulePack{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.RulePackKind}, ObjectMeta: metav1.ObjectMeta{Name: name}}
	// Packages begin with what is in the folder, or with its name.
	var first error
	for _, prefix := range []string{"", options.Root + "/"} {
		if p.Spec.Modules, err = modulesIn(fsys, prefix); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		if len(p.Spec.Modules) == 0 {
			return nil, fmt.Errorf("%s: there is no .rego file in it or below. Name the folder that holds the rules", dir)
		}
		if wrong := p.Validate(); len(wrong) > 0 {
			err = errors.New(wrong[0].Error())
		} else if _, err = packs.Judge(ctx, p); err == nil {
			return asYAML(p)
		}
		if first == nil {
			first = err
		}
	}
	return nil, fmt.Errorf("the rules of %s are refused:\n%w", dir, first)
}

func modulesIn(fsys fs.FS, prefix string) (map[string]string, error) {
	out := map[string]string{}
	err := rules.EachFile(fsys, func(name string) error {
		text, err := fs.ReadFile(fsys, name)
		out[prefix+filepath.ToSlash(name)] = string(text)
		return err
	})
	return out, err
}

// asYAML is a pack as a person writes it: each file as a block, whose lines stay lines.
func asYAML(p *v1alpha1.RulePack) ([]byte, error) {
	text := func(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }
	modules := &yaml.Node{Kind: yaml.MappingNode}
	for _, path := range slices.Sorted(maps.Keys(p.Spec.Modules)) {
		file := text(p.Spec.Modules[path])
		file.Style = yaml.LiteralStyle
		modules.Content = append(modules.Content, text(path), file)
	}
	mapping := func(key string, value *yaml.Node) *yaml.Node {
		return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text(key), value}}
	}
	all := mapping("apiVersion", text(p.APIVersion))
	all.Content = append(all.Content, text("kind"), text(p.Kind), text("metadata"), mapping("name", text(p.Name)), text("spec"), mapping("modules", modules))
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err := encoder.Encode(all)
	return out.Bytes(), err
}
