package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
)

func newCheck(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Test the token and the account id",
		Long: `Check asks for the newest entry of each audit log that is to be read, which
decides whether the configuration works. It also looks at the token (whose it is,
when it expires, whether it may do too much), at the clock, and at how old the
newest entry is. For what is wrong it says what to do. It takes the flags of poll
and run that make up the configuration, and stores nothing.

The exit code is 0 when every one of them can be read, also with warnings, and
else 1.`,
		Example: `  CLOUDFLARE_API_TOKEN=… cfaudit check --account-id 023e105f4ecef8ad9ca31a8372d0c353
  cfaudit check --json | jq -r .token.expires`,
		Args: noArgs,
	}
	s := addSettings(w, cmd.Flags())
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		source, err := cloudflareaudit.New(cfg)
		if err != nil {
			return err
		}
		ctx, stop := untilStopped(cmd.Context())
		defer stop()
		report, failed := source.Check(ctx)
		if failed != nil && ctx.Err() != nil {
			return errors.New("stopped before there was an answer")
		}
		for i := range report.Findings {
			f := &report.Findings[i]
			if r := inFlags.Replace(f.Remedy); r != "" {
				f.Remedy = strings.ToUpper(r[:1]) + r[1:]
			}
		}
		write := writeReport
		if *asJSON {
			write = func(out io.Writer, r cloudflareaudit.Report) error { return writeJSON(out, r) }
		}
		if err := write(w.stdout, report); err != nil {
			return err
		}
		if failed != nil {
			return fmt.Errorf("account %s cannot be read as it is configured", cfg.AccountID)
		}
		return nil
	}
	return cmd
}

// reportWidth is the widest that a finding may be.
const reportWidth = 70

// writeReport writes what a check found, for a person.
func writeReport(w io.Writer, r cloudflareaudit.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Account %s\n", r.AccountID)
	for _, f := range r.Findings {
		label := string(f.Level)
		for _, line := range wrap(f.Text, reportWidth) {
			fmt.Fprintf(&b, "%-8s %s\n", label, line)
			label = ""
		}
		if f.Remedy == "" {
			continue
		}
		mark := "->"
		for _, line := range wrap(f.Remedy, reportWidth-3) {
			fmt.Fprintf(&b, "%-8s %-2s %s\n", "", mark, line)
			mark = ""
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
