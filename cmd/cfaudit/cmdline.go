package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// noArgs refuses arguments. It does not repeat one that may be a token.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	unexpected := fmt.Errorf("unexpected argument %q", redact(args[0]))
	if args[0] != "true" && args[0] != "false" {
		return unexpected
	}
	var given string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "bool" {
			given = f.Name
		}
	})
	if given == "" {
		return unexpected
	}
	return fmt.Errorf("%w: a switch takes its value after =, such as --%s=%s", unexpected, given, args[0])
}

// noSubcommand refuses an unknown subcommand of cmd and suggests known ones.
func noSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand(cmd, args[0])
}

func unknownCommand(parent *cobra.Command, name string) error {
	if looksSecret(name) {
		return errors.New("there is no such command")
	}
	fault := fmt.Sprintf("there is no command %q", name)
	parent.SuggestionsMinimumDistance = 2
	if meant := parent.SuggestionsFor(name); len(meant) > 0 {
		slices.Sort(meant)
		fault += "; did you mean " + strings.Join(meant, " or ") + "?"
	}
	return errors.New(fault)
}

// unknownFlag words err, of a flag that cmd does not have: a mistyped command before
// it is the cause, and otherwise a flag of nearly the same name was meant.
func unknownFlag(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	if args := cmd.Flags().Args(); len(args) > 0 && cmd.HasAvailableSubCommands() {
		return unknownCommand(cmd, args[0])
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	near := text.Nearest(unknown.GetSpecifiedName(), known)
	if near == "" || unknown.GetSpecifiedShortnames() != "" {
		return err
	}
	return fmt.Errorf("%w; did you mean --%s?", err, near)
}

// looksSecret reports whether an argument may be a token.
func looksSecret(s string) bool { return redact(s) != s }

// places are the flags that name a location. For other flags the last value
// wins, as is usual, but a second location would go unnoticed: with another
// folder for the cursor, everything is read again.
var places = []string{"account-id", "config", "cursor", "database", "dead-letter", "dead-letters", "from", "key-file", "out", "rules", "secrets", "state", "token-file", "try"}

// onlyOnce makes the flags in places, of a command and its subcommands, refuse
// a second value.
func onlyOnce(cmd *cobra.Command) {
	for _, name := range places {
		f := cmd.Flags().Lookup(name)
		if f == nil {
			continue
		}
		// Each file of a list may have its own flag.
		if _, isList := f.Value.(pflag.SliceValue); !isList {
			f.Value = &onceValue{Value: f.Value}
		}
	}
	for _, child := range cmd.Commands() {
		onlyOnce(child)
	}
}

// errTwice means that a flag was given twice.
var errTwice = errors.New("is given twice")

// onceValue is the value of a flag that can be set once.
type onceValue struct {
	pflag.Value
	set bool
}

// Set implements [pflag.Value].
func (v *onceValue) Set(given string) error {
	if v.set {
		return errTwice
	}
	v.set = true
	return v.Value.Set(given)
}

// trusted are the flags for files and folders in which other users must not put
// theirs: what they hold decides what is read, with which token, and where it goes.
var trusted = struct{ files, folders []string }{
	[]string{"config", "dead-letter", "http-headers", "key-file", "notify-url-file", "out", "rules", "token-file"},
	[]string{"dead-letters", "secrets"},
}

// warnReplaceable warns about such files and folders. Those of --state have a warning
// of their own.
func warnReplaceable(to io.Writer, flags *pflag.FlagSet) {
	warn := func(names []string, inside string) {
		for _, name := range names {
			f := flags.Lookup(name)
			if f == nil || !f.Changed || f.Value.String() == "-" || f.Value.String() == "" {
				continue
			}
			if err := files.CheckReplaceable(filepath.Join(f.Value.String(), inside)); err != nil {
				fmt.Fprintf(to, "cfaudit: warning: --%s: %s\n", name, err)
			}
		}
	}
	warn(trusted.files, "")
	warn(trusted.folders, "any")
}
