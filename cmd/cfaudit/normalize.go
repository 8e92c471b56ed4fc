package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/entries"
	"github.com/aisoc/cloudflareaudit/internal/eventfile"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

func newNormalize(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "normalize [flags] [FILE…]",
		Short: "Turn audit-log entries into events, without a connection",
		Long: `Normalize reads audit-log entries from files, or from standard input, and writes
each one as an event, one JSON object a line. It accepts JSON lines, lists of
entries and whole API replies ({"result":[…]}), in any layout, plain or compressed
with gzip. Entries may also be records of the Logpush datasets audit_logs and
audit_logs_v2, be wrapped by other tools ({"event":{…}} by Splunk,
{"cloudflare":{…}} by Wazuh, {"_source":{…}} by Elastic, text in "message" or
"_raw", …), or be events of cfaudit itself, which are graded again.

Unreadable input becomes an event that holds it as text. If more than half of the
entries of an input cannot be read, normalize says what the input looks like and
ends with code 1. An entry without a time gets that of the entry before it, or of
the first one after it that has a time. Entries that the rules drop are left out
and counted. If one actor reaches the threshold of a burst rule, across all files
together, one more event says so. A summary goes to standard error.`,
		Example: `  cfaudit normalize saved.json > events.jsonl
  cfaudit normalize --drop-routine=false archive/*.json.gz`,
	}
	s := addSettings(w, cmd.Flags(), "account-id", "rules", "production-zone", "verified-worker", "own-token-id", "drop-routine")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// What lives on is a few megabytes of tables, so memory is no reason to look
		// through them often.
		defer debug.SetGCPercent(debug.SetGCPercent(400))
		cfg, err := s.config()
		if err != nil {
			return err
		}
		s.warn(cfg.Rules)
		normalizer, err := cloudflareaudit.NewNormalizer(cfg)
		if err != nil {
			return err
		}
		n := normalization{series: normalizer.NewSeries(), out: w.stdout, events: make(severities), expected: expectedOf(cfg)}
		err = eachFile(w.stdin, args, n.read)
		fmt.Fprintln(w.stderr, summary(n.total, n.events))
		n.expected.report(w.stderr, 1)
		if left := n.series.Uncounted(); left > 0 {
			fmt.Fprintf(w.stderr, "cfaudit: more was done at once than can be counted: %s left out, some bursts may go unnoticed\n", count(left, "entry", "entries"))
		}
		return err
	}
	return cmd
}

// normalization is one run of normalize.
type normalization struct {
	series *cloudflareaudit.Series
	out    io.Writer
	// lines are the events that have not been written yet.
	lines  []byte
	total  ingest.Coverage
	events severities
	// expected are the zones and Workers to be met.
	expected *expected
}

// errOutput is in the tree of the errors of the output.
var errOutput = errors.New("cannot write the events")

// actionUnknown is the action of an event whose entry could not be understood.
const actionUnknown = "unknown"

// read turns the entries of r into lines of output. It writes them before it
// reads more, so that no event waits for slow input.
func (n *normalization) read(r io.Reader) (cloudflareaudit.Stream, error) {
	before := n.total
	input := reading{sampled: sampled{Reader: r}}
	stream, err := n.series.Normalize(&hooked{&input, n.flush}, n.add)
	input.entries, input.unread = n.total.Read-before.Read, n.total.Undecodable-before.Undecodable
	switch {
	case errors.Is(err, errOutput):
	case err != nil:
		err = fmt.Errorf("%w, after %s", err, count(input.entries, "entry", "entries"))
	default:
		err = input.fault(stream)
	}
	return stream, errors.Join(err, n.flush())
}

// add appends one event.
func (n *normalization) add(event *ingest.Event, verdict cloudflareaudit.Verdict) error {
	if verdict.Burst {
		n.total.Raised++
		n.write(event)
		return nil
	}
	n.total.Read++
	n.expected.see(event)
	if verdict.Drop {
		if n.total.Dropped == nil {
			n.total.Dropped = make(map[string]int)
		}
		n.total.Dropped[verdict.Rule]++
		return nil
	}
	if event.Action == actionUnknown {
		n.total.Undecodable++
	}
	n.total.Delivered++
	n.write(event)
	return nil
}

// write appends the line of an event.
func (n *normalization) write(event *ingest.Event) {
	n.lines = append(event.AppendJSON(n.lines), '\n')
	n.events[event.Severity]++
}

// flush writes the lines there are.
func (n *normalization) flush() error {
	if len(n.lines) == 0 {
		return nil
	}
	lines := n.lines
	n.lines = n.lines[:0]
	if _, err := n.out.Write(lines); err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	return nil
}

// hooked is a reader that calls before ahead of each read.
type hooked struct {
	io.Reader
	before func() error
}

// Read implements [io.Reader].
func (h *hooked) Read(p []byte) (int, error) {
	if err := h.before(); err != nil {
		return 0, err
	}
	return h.Reader.Read(p)
}

// readFiles reads entries from the files, or from stdin when there are none. It
// passes on each entry, and the beginning of each unreadable text, and gets its action
// back. It fails when most of a file cannot be understood.
func readFiles(stdin io.Reader, files []string, each func(raw []byte) (action string, err error)) error {
	return eachFile(stdin, files, func(r io.Reader) (cloudflareaudit.Stream, error) {
		input := reading{sampled: sampled{Reader: r}}
		hand := func(raw []byte) error {
			action, err := each(raw)
			input.see(action)
			return err
		}
		in := entries.Reader{Broken: func(raw []byte, _ bool) error { return hand(raw) }}
		in.Each = func(entry *jsondoc.Doc) error {
			if cloudflareaudit.IsBurst(&ingest.Event{Action: in.Event.Get("action").Text()}) {
				return nil // it is about entries, and none itself
			}
			return hand([]byte(entry.Root().Source()))
		}
		err := in.Read(&input)
		stream := cloudflareaudit.Stream{EmptyReplies: in.Empty, Unfinished: in.Unfinished}
		return stream, cmp.Or(err, input.fault(stream))
	})
}

// eachFile calls read for each of the files, or for stdin when there are none.
// It continues after a file that fails.
func eachFile(stdin io.Reader, files []string, read func(io.Reader) (cloudflareaudit.Stream, error)) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	var all error
	for _, name := range files {
		err := readFile(stdin, name, read)
		if errors.Is(err, errOutput) {
			return err
		}
		all = errors.Join(all, err)
	}
	return all
}

func readFile(stdin io.Reader, name string, read func(io.Reader) (cloudflareaudit.Stream, error)) error {
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
	unpacked, err := eventfile.Unpacked(from)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	stream, err := read(unpacked)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case stream.EmptyReplies > 0:
		return fmt.Errorf("%s: %s without a list of entries: the request has failed", name, count(stream.EmptyReplies, "reply", "replies"))
	case stream.Unfinished:
		return fmt.Errorf("%s: ends in the middle of a list: entries are missing", name)
	}
	return nil
}
