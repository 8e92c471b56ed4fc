// Command cfaudit reads the audit log of a Cloudflare account and writes it as
// graded security events, one JSON object a line. It is the connector of
// package cloudflareaudit with a host of its own: a folder for the cursor, and a
// file, standard output or AiSOC's ingestion service for the events.
//
// Results go to standard output and everything else to standard error. The exit
// code is 0 when all went well, 1 when something failed, and 2 when the command
// or its configuration has to be changed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// The environment variables that are read. There are no others.
const (
	envToken     = "CLOUDFLARE_API_TOKEN"
	envAccountID = "CLOUDFLARE_ACCOUNT_ID"
	// envAiSOCToken is read with --aisoc alone.
	envAiSOCToken = "AISOC_TOKEN"
	// These are read by the commands of fleet alone.
	envDatabase = "CFAUDIT_DATABASE_URL"
	envFleetKey = "CFAUDIT_FLEET_KEY"
)

// world is what the command has around it.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], world{os.Stdin, os.Stdout, os.Stderr, os.Getenv}))
}

// execute runs the command line args and returns the exit code.
func execute(ctx context.Context, args []string, w world) int {
	root := newRoot(w)
	root.SetArgs(args)
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	// What fails before a command has started is the command line.
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }

	cmd, err := root.ExecuteContextC(ctx)
	var wrong faults
	switch {
	case err == nil:
		return exitOK
	case !started:
		fmt.Fprintf(w.stderr, "cfaudit: %s\nSee '%s --help'.\n", strings.TrimSpace(redact(err.Error())), cmd.CommandPath())
		return exitUsage
	case errors.As(err, &wrong):
		for _, fault := range wrong {
			fmt.Fprintf(w.stderr, "cfaudit: %s\n", fault)
		}
		return exitUsage
	case errors.Is(err, errNobodyReads), errors.Is(err, errAnswered):
		return exitFailed
	}
	fmt.Fprintf(w.stderr, "cfaudit: %s\n", explain(err))
	return exitFailed
}

// tokenLike finds what may be a token.
var tokenLike = regexp.MustCompile(`cf[aku]t?_[0-9A-Za-z_-]+|[0-9A-Za-z_-]{37,}`)

// startsLikeAToken tells a token from an id, which can be as long.
var startsLikeAToken = regexp.MustCompile(`^cf[aku]t?_`)

// redact takes what may be a token out of a text that repeats the command line.
func redact(s string) string { return tokenLike.ReplaceAllString(s, "[redacted]") }

// errNobodyReads says that the reader of standard output has gone, which is its
// right: nothing is said about it.
var errNobodyReads = errors.New("nobody reads the output")

// explain is err for a person at this command: without the layers it came
// through, and with the remedy in terms of flags.
func explain(err error) string {
	text := err.Error()
	if strings.Contains(text, "cloudflareaudit: ") {
		var causes []string
		// Two audit logs may fail for two reasons.
		for _, line := range strings.Split(text, "\n") {
			if _, cause, ok := strings.Cut(line, "cloudflareaudit: "); ok {
				line = cause
			}
			if strings.HasPrefix(line, "read ") {
				line = "cannot " + line
			}
			causes = append(causes, line)
		}
		text = strings.Join(causes, "; ")
		if _, ok := errors.AsType[*cloudflareaudit.APIError](err); ok {
			text = inFlags.Replace(text)
		}
	} else if _, cause, ok := strings.Cut(text, "aisoc: "); ok {
		text = "cannot deliver to AiSOC: " + strings.ReplaceAll(cause, "aisoc: ", "")
	}
	text = strings.TrimPrefix(text, "fleet: ")
	if errors.Is(err, cloudflareaudit.ErrCursor) {
		text = inFlags.Replace(text) + "; it is the file named after the account in the folder of --state"
	}
	return text
}

// inFlags puts flags in place of the configuration fields that remedies name.
var inFlags = strings.NewReplacer(
	"enter it as api_token", "give it in "+envToken+" or --token-file",
	"api_token", "the token in "+envToken+" or --token-file",
	"account_id", "--account-id",
	"base_url", "--base-url",
	"rate_limit", "--rate-limit",
	"initial_lookback", "--initial-lookback",
	"audit_log_api", "--audit-log-api",
)

func newRoot(w world) *cobra.Command {
	root := &cobra.Command{
		Use:   "cfaudit",
		Short: "Read Cloudflare audit logs as graded security events",
		Long: `cfaudit reads the audit log of a Cloudflare account and writes each entry as a
graded security event, one JSON object a line.

  cfaudit demo        shows what it does, without an account
  cfaudit check       tests the token and the account id
  cfaudit poll        writes what is new, and ends
  cfaudit run         does so for ever
  cfaudit batch       reads one batch for a program that embeds the connector
  cfaudit export      writes the events of a span of time, as CSV or a table
  cfaudit report      makes a page about a span of time for people
  cfaudit fleet       does so for thousands of accounts, from several machines

Results go to standard output, everything else to standard error. The exit code
is 0 when all went well, 1 when something failed, 2 when the command line or the
configuration has to be changed.

Environment:
  CLOUDFLARE_API_TOKEN    an API token with Account > Account Settings > Read
  CLOUDFLARE_ACCOUNT_ID   the account to read, unless --account-id is given
  AISOC_TOKEN             with --aisoc, a bearer token for a gateway in front of
                          the ingestion service; optional
  CFAUDIT_DATABASE_URL    for fleet, see 'cfaudit fleet --help'
  CFAUDIT_FLEET_KEY       the same
  NO_COLOR, TERM=dumb     no colours, and no status line on a dumb terminal`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("cfaudit {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok &&
			strings.Contains(unknown.GetSpecifiedName(), "token") {
			return fmt.Errorf("%w: give the token in %s or --token-file, where other users of this machine cannot see it", err, envToken)
		}
		return err
	})
	root.SetHelpCommand(newHelp(root))
	root.AddCommand(newDemo(w), newCheck(w), newPoll(w), newRun(w), newBatch(w), newExport(w), newReport(w), newNormalize(w),
		newFleet(w), newRules(w), newConfig(w), newSchema(w), newMan(w), newVersion(w))
	return root
}

// newHelp is the help command of cobra, except that a mistyped command line is
// an error and not repeated.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		Args: func(_ *cobra.Command, args []string) error {
			if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
				return errors.New("there is no such command")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, _, err := root.Find(args)
			if err != nil {
				return err
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

func newVersion(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(w.stdout, "cfaudit %s\n", version())
			return err
		},
	}
}

// version is the version of the module this was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// noArgs refuses arguments. It does not repeat them, for one may be a token.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errors.New("there are arguments, but only flags are expected")
	}
	return nil
}

// untilStopped returns a context that ends at the first interrupt or request to
// terminate. The second one kills the process, as if none were handled.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
