package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit/fleet"
)

func newFleetList(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the accounts and their configuration",
		Long: `List shows the accounts and where the token of each is stored: encrypted in the
database, or in the named file of the secrets folder.`,
		Args: noArgs,
	}
	s := addStation(w, cmd.Flags(), false)
	asJSON := cmd.Flags().Bool("json", false, "print JSON, with the configuration and without the tokens")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd.Context(), func(ctx context.Context, f *fleet.Fleet) error {
			list, err := f.List(ctx)
			if err != nil {
				return err
			}
			if *asJSON {
				return writeJSON(w.stdout, nonNil(list))
			}
			rows := [][]string{{"ID", "TENANT", "FEED", "INTERVAL", "TOKEN", "STATE", "CHANGED"}}
			for _, in := range list {
				state := "active"
				if in.Paused {
					state = "paused"
				}
				token := "encrypted"
				if name := in.SecretRefs["api_token"]; name != "" {
					token = "file " + name
				}
				rows = append(rows, []string{in.ID, in.Tenant, in.Feed, short(in.Interval), token, state,
					in.ChangedAt.UTC().Format(time.RFC3339)})
			}
			return writeTable(w.stdout, rows)
		})
	}
	return cmd
}

func newFleetStatus(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of each account",
		Long: `Status shows for each account when it was last read, its lag, its backlog, its
last error, and when it is polled next. The last line is a summary. STATE is ok,
starting (not read yet), retrying (failing, but not for long), failing (needs
attention), halted (needs an operator; see 'fleet resume') or paused. BACKLOG
counts the partly read windows.`,
		Args: noArgs,
	}
	s := addStation(w, cmd.Flags(), false)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	troubled := cmd.Flags().Bool("failing", false, "show only accounts that fail, have halted or are overdue")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd.Context(), func(ctx context.Context, f *fleet.Fleet) error {
			list, err := f.Status(ctx)
			if err != nil {
				return err
			}
			now := time.Now()
			if *troubled {
				list = slices.DeleteFunc(list, func(s fleet.Status) bool {
					return s.Paused || s.Reason == "" && !overdue(s, now)
				})
			}
			if *asJSON {
				return writeJSON(w.stdout, nonNil(list))
			}
			rows := [][]string{{"ID", "TENANT", "STATE", "LAST SUCCESS", "LAG", "BACKLOG", "NEXT POLL", "REASON OR LAST ERROR"}}
			for _, s := range list {
				rows = append(rows, []string{s.ID, s.Tenant, s.State, ago(s.LastSuccess, now), lagOf(s), fmt.Sprint(s.Backlog), nextPoll(s, now), lastError(s, now)})
			}
			if err := writeTable(w.stdout, rows); err != nil {
				return err
			}
			sum, err := f.Summary(ctx)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(w.stdout, "\n%s\n", sentence(sum))
			return err
		})
	}
	return cmd
}

func overdue(s fleet.Status, now time.Time) bool {
	return !s.NextPoll.IsZero() && now.Sub(s.NextPoll) > time.Minute
}

// sentence is a summary in words.
func sentence(s fleet.Summary) string {
	parts := map[string]int{"paused": s.Paused, "halted": s.Halted, "failing": s.Failing, "retrying": s.Retrying, "starting": s.Starting, "overdue": s.Overdue, "with a backlog": s.Behind}
	text := count(s.Instances, "account", "accounts")
	for _, what := range slices.Sorted(maps.Keys(parts)) {
		if parts[what] > 0 {
			text += fmt.Sprintf(", %d %s", parts[what], what)
		}
	}
	if s.Lag > 0 {
		text += ", longest lag " + short(s.Lag)
	}
	return text
}

func lagOf(s fleet.Status) string {
	if s.Complete.IsZero() {
		return "-"
	}
	return short(s.Lag)
}

func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return short(now.Sub(t)) + " ago"
}

func nextPoll(s fleet.Status, now time.Time) string {
	switch {
	case s.Paused:
		return "paused"
	case s.Halted:
		return "halted"
	case s.NextPoll.IsZero():
		return "-"
	case overdue(s, now):
		return "overdue " + short(now.Sub(s.NextPoll))
	case s.NextPoll.Before(now):
		return "now"
	}
	return "in " + short(s.NextPoll.Sub(now))
}

// lastError is why an account is not healthy, or else its last error.
func lastError(s fleet.Status, now time.Time) string {
	text := s.Reason
	switch {
	case text != "" && s.Failures > 0:
		text = fmt.Sprintf("%d in a row, %s", s.Failures, text)
	case text != "":
	case s.LastError == "":
		return "-"
	default:
		text = fmt.Sprintf("over; %s, %s", ago(s.LastErrorAt, now), s.LastError)
	}
	const most = 200
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}

// short is a duration in its two largest units, such as 2h5m.
func short(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units[:3] {
		if d < u.size {
			continue
		}
		text := fmt.Sprint(int(d/u.size)) + u.name
		if rest := d % u.size / units[i+1].size; rest > 0 {
			text += fmt.Sprint(int(rest)) + units[i+1].name
		}
		return text
	}
	return d.String()
}

// nonNil makes JSON show a nil list as [].
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// writeTable writes rows in columns. Control characters in a cell become spaces.
func writeTable(w io.Writer, rows [][]string) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, cells := range rows {
		for i, cell := range cells {
			cells[i] = strings.Map(func(r rune) rune {
				if r < ' ' {
					return ' '
				}
				return r
			}, cell)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}
