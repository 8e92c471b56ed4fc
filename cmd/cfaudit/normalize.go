package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/sink"
)

func newNormalize(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "normalize [flags] [FILE…]",
		Short: "Turn audit-log entries into events, without a connection",
		Long: `Normalize reads audit-log entries from files, or from standard input, and writes
each one as an event, one JSON object a line. It takes JSON lines, lists of
entries and whole replies of the API ({"result":[…]}), laid out in any way.

What cannot be read becomes an event that holds it as text. Entries that the
rules drop are left out and counted. A summary goes to standard error.`,
		Example: `  cfaudit normalize saved.json > events.jsonl
  zcat archive/*.json.gz | cfaudit normalize --drop-routine=false`,
	}
	s := addSettings(w, cmd.Flags(), "account-id", "rules", "production-zone", "verified-worker", "own-token-id", "drop-routine")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		normalizer, err := cloudflareaudit.NewNormalizer(cfg)
		if err != nil {
			return err
		}
		n := normalization{Normalizer: normalizer, sink: sink.NewWriter(w.stdout), events: make(severities)}
		err = readFiles(w.stdin, args, func(raw []byte, cut bool) error { return n.write(cmd.Context(), raw, cut) })
		fmt.Fprintln(w.stderr, summary(n.total, n.events))
		return err
	}
	return cmd
}

// normalization is one run of normalize.
type normalization struct {
	*cloudflareaudit.Normalizer
	sink   *sink.Writer
	total  ingest.Coverage
	events severities
}

// errOutput is in the tree of the errors of the output.
var errOutput = errors.New("cannot write the events")

// actionUnknown is the action of an event whose entry could not be understood.
const actionUnknown = "unknown"

// write normalizes one entry and writes its event.
func (n *normalization) write(ctx context.Context, raw []byte, cut bool) error {
	event, verdict := n.Normalize(raw)
	n.total.Read++
	if verdict.Drop {
		if n.total.Dropped == nil {
			n.total.Dropped = make(map[string]int)
		}
		n.total.Dropped[verdict.Rule]++
		return nil
	}
	event.RawTruncated = event.RawTruncated || cut
	if event.Action == actionUnknown {
		n.total.Undecodable++
	}
	events := []ingest.Event{event}
	if err := n.sink.Write(ctx, events); err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	n.total.Delivered++
	n.events.add(events)
	return nil
}

// readFiles reads entries from the files, or from stdin when there are none, and
// hands out each one, and the beginning of each text that cannot be read, which
// may have been cut. It goes on behind a file that has something wrong with it.
func readFiles(stdin io.Reader, files []string, each func(raw []byte, cut bool) error) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	var all error
	for _, name := range files {
		err := readFile(stdin, name, each)
		if errors.Is(err, errOutput) {
			return err
		}
		all = errors.Join(all, err)
	}
	return all
}

func readFile(stdin io.Reader, name string, each func(raw []byte, cut bool) error) error {
	from := stdin
	if name == "-" {
		name = "standard input"
	} else {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		from = file
	}
	in := entries{each: func(raw []byte) error { return each(raw, false) }, broken: each}
	if err := in.read(from); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if in.empty > 0 {
		return fmt.Errorf("%s: %s without a list of entries: the request has failed", name, count(in.empty, "reply", "replies"))
	}
	if in.unfinished {
		return fmt.Errorf("%s: it ends in the middle of a list: something is missing", name)
	}
	return nil
}
