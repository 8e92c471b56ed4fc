package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventformat"
	"github.com/aisoc/cloudflareaudit/internal/notify"
	"github.com/aisoc/cloudflareaudit/internal/text"
	httpsink "github.com/aisoc/cloudflareaudit/sink/http"
)

// choices are the values that a flag can have, by its name.
var choices = map[string][]string{
	"min-severity":    texts(ingest.Severities()),
	"notify-severity": texts(ingest.Severities()),
	"notify-form":     texts(notify.Forms()),
	"http-body":       texts(httpsink.Bodies()),
	"audit-log-api":   {cloudflareaudit.AuditLogV1, cloudflareaudit.AuditLogV2, cloudflareaudit.AuditLogBoth},
	"format":          {formatTable, formatJSONL, formatCSV, formatECS, formatOCSF},
}

// formats are the values of --format of commands that have others.
var formats = map[string][]string{
	"cfaudit rules":      {formatTable, formatJSON, formatCSV},
	"cfaudit report":     {"html", "text"},
	"cfaudit fleet work": texts(eventformat.Formats()),
}

func texts[T ~string](list []T) []string {
	all := make([]string, len(list))
	for i, one := range list {
		all[i] = string(one)
	}
	return all
}

// fileFlags name files or folders. The values of the other flags are no names of
// files.
var fileFlags = []string{"config", "cursor", "dead-letter", "dead-letters", "dir", "from", "http-headers", "key-file", "notify-url-file", "out", "rules", "secrets", "state", "token-file", "try"}

// completeFlags sets what a shell suggests as values of the flags of cmd and its
// subcommands, and as arguments of those that take none. It is for a shell that asks:
// to go through all flags at each start would take a part of a millisecond.
func completeFlags(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		values, found := choices[f.Name]
		if own, differs := formats[cmd.CommandPath()]; f.Name == "format" && differs {
			values = own
		}
		switch {
		case found:
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		case !slices.Contains(fileFlags, f.Name):
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions)
		}
	})
	if !slices.Contains([]string{"cfaudit export", "cfaudit normalize", "cfaudit report", "cfaudit rules"}, cmd.CommandPath()) && !cmd.HasSubCommands() && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, child := range cmd.Commands() {
		completeFlags(child)
	}
}

// addCompletion adds the completion command of cobra, except that a shell that it
// does not know is an error and not a reason to print the help.
func addCompletion(root *cobra.Command, w world) {
	root.SetOut(w.stdout) // which cobra takes note of right now
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		var shells []string
		for _, shell := range cmd.Commands() {
			shells = append(shells, shell.Name())
		}
		cmd.Args = func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return fmt.Errorf("%q: must be %s", redact(args[0]), text.Alternatives(shells))
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
}
