package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// examples indents examples and calls the program what the user calls it.
func examples(e *env, text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		l = strings.ReplaceAll(l, "| waywarden ", "| "+e.program+" ")
		if rest, ok := strings.CutPrefix(l, "waywarden "); ok {
			l = e.program + " " + rest
		}
		if l != "" {
			l = "  " + l
		}
		lines[i] = l
	}
	return strings.Join(lines, "\n")
}

// clusterFlag marks the flags that choose a cluster, which help lists apart from a command's own.
const clusterFlag = "waywarden-cluster"

func clusterFlags(cmd *cobra.Command) string { return flagUsages(cmd, true) }
func ownFlags(cmd *cobra.Command) string     { return flagUsages(cmd, false) }

func flagUsages(cmd *cobra.Command, cluster bool) string {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, is := f.Annotations[clusterFlag]; is == cluster {
			set.AddFlag(f)
		}
	})
	return strings.TrimRight(set.FlagUsagesWrapped(110), "\n")
}

// usageTemplate has the order of kubectl's help: examples first, because that is what people look for.
const usageTemplate = `{{if .HasExample}}Examples:
{{.Example}}

{{end}}{{if .HasAvailableSubCommands}}Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}

{{end}}{{with ownFlags .}}Flags:
{{.}}

{{end}}{{with clusterFlags .}}Cluster:
{{.}}

{{end}}Usage:
  {{if .Runnable}}{{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}
{{if .HasAvailableSubCommands}}
Use "{{.CommandPath}} COMMAND --help" for more about a command.
{{end}}`
