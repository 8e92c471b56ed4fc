package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
)

func newCheck(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Test the token and the account id",
		Long: `Check requests the newest entry of each configured audit log, which decides
whether the configuration works. It also checks the token (its owner, its expiry,
excess permissions), the clock, and the age of the newest entry. For each problem
it suggests a fix. It takes the configuration flags of poll and run, and stores
nothing.

With --stdin the configuration comes from standard input, in the form of a request
to batch, and the answer is JSON in the form of that protocol. Flags and the
environment are then ignored. --json without any configuration does the same.

The exit code is 0 if every log can be read, even with warnings, and 1 otherwise.`,
		Example: `  CLOUDFLARE_API_TOKEN=… cfaudit check --account-id 023e105f4ecef8ad9ca31a8372d0c353
  cfaudit check --json | jq -r .token.expires`,
		Args: noArgs,
	}
	s := addSettings(w, cmd.Flags())
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	fromStdin := cmd.Flags().Bool("stdin", false, "read a request of batch from standard input, and answer it in JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !*fromStdin && *asJSON && s.nothing() {
			w.stdin, *fromStdin = waiting(w.stdin)
		}
		if *fromStdin {
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			return respond(w, func(out *bufio.Writer) error { return checkRequest(ctx, w, out) })
		}
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
		if failed == nil {
			report.Findings = append(report.Findings, checkZones(ctx, &cfg)...)
		}
		if failed != nil && !endsInAPIPath(cfg.BaseURL) {
			doubtBaseURL(report.Findings)
		}
		for i := range report.Findings {
			report.Findings[i].Field = inFlags(report.Findings[i].Field)
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

// doubtBaseURL adds to the findings that blame the account that the path of the API
// may be wrong: without /client/v4 every account is unknown.
func doubtBaseURL(findings []ingest.Finding) {
	for i := range findings {
		if f := &findings[i]; f.Field == "account_id" && f.Remedy != "" {
			f.Remedy = strings.TrimSuffix(f.Remedy, ".") + ", or --base-url lacks " + apiPath + " at its end"
		}
	}
}

// waiting reports whether r has input, and returns a reader of all of it. It
// does not wait for input from a terminal.
func waiting(r io.Reader) (io.Reader, bool) {
	if file, ok := r.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return r, false
	}
	buffered := bufio.NewReader(r)
	_, err := buffered.Peek(1)
	return buffered, err == nil
}

// checkTimeout bounds a check for a host, in seconds, unless the request sets a
// timeout. AiSOC waits for 15.
const checkTimeout = 12

// checkRequest tests the connection for a host. An unreadable log is an answer,
// not a failure; [errAnswered] makes the exit code 1.
func checkRequest(ctx context.Context, w world, out *bufio.Writer) error {
	req, cfg, err := readRequest(ctx, w)
	if err != nil {
		return err
	}
	source, err := cloudflareaudit.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := req.deadline(ctx, checkTimeout)
	defer cancel()
	report, err := source.Check(ctx)
	if err != nil && len(report.Findings) == 0 {
		return err
	}
	if err == nil {
		report.Findings = append(report.Findings, checkZones(ctx, &cfg)...)
	}
	line, encodeErr := json.Marshal(report)
	if encodeErr != nil {
		return encodeErr
	}
	_, _ = out.Write(append(line, '\n'))
	if writeErr := out.Flush(); writeErr != nil {
		return &outputError{writeErr}
	}
	if err != nil {
		return errAnswered
	}
	return nil
}

// reportWidth is the maximum width of a finding.
const reportWidth = 70

// writeReport writes the findings of a check for a person.
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
		remedy := f.Remedy
		if f.Field != "" {
			remedy = f.Field + ": " + remedy
		}
		for _, line := range wrap(remedy, reportWidth-3) {
			fmt.Fprintf(&b, "%-8s %-2s %s\n", "", mark, line)
			mark = ""
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
