package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit/internal/table"
)

func newConfig(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "config",
		DisableFlagsInUseLine: true,
		Short:                 "Check or show the configuration, without a connection",
		Long: `Config checks or shows the configuration that check, poll, run, backfill, export and
report would use: that of the --config file, the environment and the flags. Flags
take precedence over the environment, and the environment over the file.

A file is YAML or JSON, with the names of the fields that 'cfaudit schema --all'
lists, and those of the notifications of poll and run:

  account_id: 023e105f4ecef8ad9ca31a8372d0c353
  audit_log_api: both
  production_zones: [example.com, "*.example.org"]
  rules:
    - id: terraform-dns
      match: {action: "dns.record.*", actor: terraform@example.com}
      severity: info
  notify_url_file: /etc/cfaudit/slack-url
  notify_severity: high`,
		Args: noSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigCheck(w), newConfigShow(w))
	return cmd
}

func newConfigCheck(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "List every fault of the configuration",
		Example: "  cfaudit config check --config cfaudit.yaml",
		Args:    noArgs,
	}
	s, told := addSettings(w, cmd.Flags()), addNotify(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := s.config(told.faults(s)...)
		if err != nil {
			return err
		}
		s.warn(cfg.Rules)
		_, err = fmt.Fprintln(w.stdout, "the configuration is valid; cfaudit check tests whether it works")
		return err
	}
	return cmd
}

func newConfigShow(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the configuration and where each value comes from",
		Long: `Show prints every field with its value and the source of the value. Secrets are
not shown.`,
		Example: "  cfaudit config show --config cfaudit.yaml --interval 1m",
		Args:    noArgs,
	}
	s, told := addSettings(w, cmd.Flags()), addNotify(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		wrong := told.faults(s)
		g := s.given()
		if len(g.wrong) > 0 {
			return g.wrong
		}
		rows := [][]string{{"FIELD", "VALUE", "FROM"}}
		for _, f := range descriptor().Fields {
			value, from := f.Default, "default"
			if v, ok := g.object[f.Name]; ok {
				value, from = v, g.names[f.Name]
			}
			if value == nil {
				value = ""
			}
			rows = append(rows, []string{f.Name, table.Clean(redact(fmt.Sprint(shownValue(f, value)))), from})
		}
		for _, o := range notifyOptions {
			value, from := told.shown(o)
			rows = append(rows, []string{o.field, table.Clean(redact(value)), from})
		}
		if err := writeFitting(w.stdout, rows, stackedFields(rows), 2); err != nil {
			return err
		}
		// Report invalid values after showing them.
		_, err := s.config(wrong...)
		return err
	}
	return cmd
}

// stackedFields are the rows of fields in a form for narrow terminals: the name and a
// short value, and below them a long one, and the source unless that is the default.
func stackedFields(rows [][]string) [][]string {
	const short = 40
	stacked := [][]string{{"FIELD", "VALUE"}}
	for _, row := range rows[1:] {
		from := ""
		if row[2] != "default" {
			from = "from " + row[2]
		}
		value, long := row[1], ""
		if len(value) > short {
			value, long = "", value
		}
		stacked = append(stacked, []string{row[0], value, long, from})
	}
	return stacked
}
