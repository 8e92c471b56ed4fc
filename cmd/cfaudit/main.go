// Command cfaudit reads the audit log of a Cloudflare account and writes it as
// graded security events, one JSON object a line. It is the connector of
// package cloudflareaudit with a host of its own: a folder for the cursor, and a
// file, standard output or AiSOC's ingestion service for the events.
//
// Results go to standard output and everything else to standard error. The exit
// code is 0 on success, also when a reader such as head closes the pipe of a
// list early, 1 on failure, 2 for an invalid command line or configuration, and
// 130 when an interrupt ended the command early.
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
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	// exitStopped is the shell's exit code for an interrupted command.
	exitStopped = 130
)

// The environment variables that are read. There are no others.
const (
	envToken     = "CLOUDFLARE_API_TOKEN"
	envAccountID = "CLOUDFLARE_ACCOUNT_ID"
	// envAiSOCToken is read only with --aisoc.
	envAiSOCToken = "AISOC_TOKEN"
	// These are read only by the commands of fleet.
	envDatabase = "CFAUDIT_DATABASE_URL"
	envFleetKey = "CFAUDIT_FLEET_KEY"
)

// world is the environment of the command.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

func main() {
	// A write to a closed pipe then fails instead of killing the process, so
	// that a sink learns of it.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(execute(context.Background(), os.Args[1:], world{os.Stdin, os.Stdout, os.Stderr, os.Getenv}))
}

// execute runs the command line args and returns the exit code.
func execute(ctx context.Context, args []string, w world) int {
	root := newRoot(w)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		completeFlags(root)
	}
	root.SetArgs(args)
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	// A failure before a command has started is one of the command line.
	started := false
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		started = true
		warnReplaceable(w.stderr, cmd.Flags())
	}

	cmd, err := root.ExecuteContextC(ctx)
	var wrong faults
	var unwritten *outputError
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
	case errors.Is(err, errAnswered):
		return exitFailed
	case errors.Is(err, errStopped):
		if err != errStopped { // wrapped, it says how to resume
			fmt.Fprintf(w.stderr, "cfaudit: %s\n", explain(err))
		}
		return exitStopped
	case errors.Is(err, syscall.EPIPE) && !errors.Is(err, errReaderGone) && !errors.As(err, &unwritten):
		// The reader of a table or a list closed the pipe, and no cursor
		// depends on it.
		return exitOK
	}
	fmt.Fprintf(w.stderr, "cfaudit: %s\n", explain(err))
	return exitFailed
}

// tokenLike matches texts that may be tokens.
var tokenLike = regexp.MustCompile(`cf[aku]t?_[0-9A-Za-z_-]+|[0-9A-Za-z_-]{37,}`)

// startsLikeAToken tells a token from an id, which can be as long.
var startsLikeAToken = regexp.MustCompile(`^cf[aku]t?_`)

// redact removes possible tokens from a text that repeats the command line.
func redact(s string) string { return tokenLike.ReplaceAllString(s, "[redacted]") }

func newRoot(w world) *cobra.Command {
	root := &cobra.Command{
		Use:   "cfaudit",
		Short: "Read Cloudflare audit logs as graded security events",
		Long: `cfaudit reads the audit log of a Cloudflare account and writes each entry as a
graded security event, one JSON object a line.

  cfaudit demo        shows what it does, without an account
  cfaudit check       tests the token and the account id
  cfaudit poll        writes the new entries, then exits
  cfaudit run         keeps polling until you stop it
  cfaudit batch       reads one batch for a program that embeds the connector
  cfaudit backfill    delivers what is older than a feed, beside it
  cfaudit export      writes the events of a span of time, as CSV or a table
  cfaudit report      writes a readable report on a span of time
  cfaudit fleet       polls thousands of accounts, from several machines

Results go to standard output, everything else to standard error. The exit code
is 0 on success, 1 on failure, 2 for an invalid command line or configuration, and
130 when an interrupt ended a command early.

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
		Args:          noSubcommand,
		// Without it, an unknown command would print the help and no error.
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("cfaudit {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if twice, ok := errors.AsType[*pflag.InvalidValueError](err); ok && errors.Is(err, errTwice) {
			return fmt.Errorf("--%s: %w", twice.GetFlag().Name, errTwice)
		}
		if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok &&
			strings.Contains(unknown.GetSpecifiedName(), "token") {
			return fmt.Errorf("%w: give the token in %s or --token-file, where other users of this machine cannot see it", err, envToken)
		}
		return unknownFlag(cmd, err)
	})
	root.SetHelpCommand(newHelp(root))
	root.AddCommand(newDemo(w), newCheck(w), newPoll(w), newRun(w), newBatch(w), newBackfill(w), newExport(w), newReport(w), newNormalize(w),
		newFleet(w), newRules(w), newConfig(w), newSchema(w), newMan(w), newVersion(w))
	addCompletion(root, w)
	onlyOnce(root)
	return root
}

// newHelp is the help command of cobra, except that an unknown command is an
// error and is not repeated.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		Args: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err == nil && len(rest) > 0 {
				return unknownCommand(cmd, rest[0])
			}
			if err != nil {
				return unknownCommand(root, args[0])
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

// released is the version of a release. The linker sets it, because Go knows none
// where the source has no repository beside it.
var released string

// version is the version of the module that this binary was built from.
func version() string {
	if released != "" {
		return released
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
