package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventformat"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

// This file implements docs/exec-protocol.md. A breaking change needs a new
// protocolVersion.
const protocolVersion = 1

const (
	// maxRequest bounds a request. The largest cursor is a few megabytes.
	maxRequest = 32 << 20
	// defaultBatchBytes is well within the request size that ingestion services
	// accept.
	defaultBatchBytes = 8 << 20
	maxBatchBytes     = 64 << 20
	// defaultDeadline, in seconds, is shorter than the usual poll interval.
	defaultDeadline = 240
	maxDeadline     = 3600
)

// request is the input of batch and check.
type request struct {
	Protocol int             `json:"protocol"`
	Config   map[string]any  `json:"config"`
	Cursor   json.RawMessage `json:"cursor"`
	// MaxEvents and MaxBytes bound the batch.
	MaxEvents int `json:"max_events"`
	MaxBytes  int `json:"max_bytes"`
	// Fit names a host whose limits each event is made to fit.
	Fit string `json:"fit"`
	// TimeoutSeconds is the time after which the batch ends with the events it
	// has.
	TimeoutSeconds int `json:"timeout_seconds"`
}

// inputError says why a request is invalid, in terms of its members.
type inputError struct{ text string }

func (e *inputError) Error() string { return e.text }

func badInput(format string, args ...any) error {
	return &inputError{redact(fmt.Sprintf(format, args...))}
}

func newBatch(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "batch",
		Short: "Read one batch for a host that keeps the cursor",
		Long: `Batch is for programs that embed the connector. It reads one JSON object from
standard input, polls until it has at most 1000 events and about 8 MiB, and writes
JSON lines: the events, then {"batch": …} with the new cursor. The program
delivers the events, stores the cursor, and passes it in the next request. If it
crashes in between, the same events are returned again with the same external_id,
and none is lost.

  {"config": {"account_id": "…", "api_token": "…"}, "cursor": null}

On failure it writes no events but one line {"error": …} with kind, message,
remedy and retry_after, and the exit code is 1. Nothing is written to disk, and
the environment is not read. docs/exec-protocol.md describes the protocol;
'cfaudit check --stdin' tests the connection with the same input.`,
		Example: `  echo '{"config":{"account_id":"…","api_token":"…"},"cursor":null}' | cfaudit batch`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			return respond(w, func(out *bufio.Writer) error { return writeBatch(ctx, w, out) })
		},
	}
}

// errAnswered says that the failure has already been reported on standard
// output, as the protocol requires.
var errAnswered = errors.New("the failure has been written to standard output")

// respond flushes the output of do, or reports its error as a line instead.
func respond(w world, do func(*bufio.Writer) error) error {
	out := bufio.NewWriterSize(w.stdout, 64<<10)
	err := do(out)
	var failed *outputError
	switch {
	case errors.As(err, &failed), errors.Is(err, errAnswered):
		return err
	case err != nil:
		line, _ := json.Marshal(map[string]failure{"error": failureOf(err)})
		if _, err := w.stdout.Write(append(line, '\n')); err != nil {
			return &outputError{err}
		}
		return errAnswered
	}
	if err := out.Flush(); err != nil {
		return &outputError{err}
	}
	return nil
}

// outputError is a failure to write the answer.
type outputError struct{ cause error }

func (e *outputError) Error() string { return "cannot write the batch: " + e.cause.Error() }

func (e *outputError) Unwrap() error { return e.cause }

// writeBatch writes the batch that standard input requests.
func writeBatch(ctx context.Context, w world, out *bufio.Writer) error {
	req, cfg, err := readRequest(ctx, w)
	if err != nil {
		return err
	}
	cursor, err := req.cursor()
	if err != nil {
		return err
	}
	ctx, cancel := req.deadline(ctx, defaultDeadline)
	defer cancel()
	b, err := req.fill(ctx, cfg, cursor)
	if err != nil {
		return err
	}
	last, err := b.lastLine()
	if err != nil {
		return err
	}
	for _, line := range append(b.lines, last) {
		// bufio keeps the first error.
		_, _ = out.Write(line)
		if err := out.WriteByte('\n'); err != nil {
			return &outputError{err}
		}
	}
	return nil
}

// readRequest reads a request, and the configuration in it.
func readRequest(ctx context.Context, w world) (*request, cloudflareaudit.Config, error) {
	var cfg cloudflareaudit.Config
	b, err := io.ReadAll(io.LimitReader(&interruptible{ctx: ctx, from: w.stdin}, maxRequest+1))
	switch {
	case ctx.Err() != nil:
		return nil, cfg, fmt.Errorf("stopped before the request was complete: %w", ctx.Err())
	case err != nil:
		return nil, cfg, badInput("cannot read standard input: %v", err)
	case len(b) > maxRequest:
		return nil, cfg, badInput("standard input holds more than %d MiB", maxRequest>>20)
	case len(bytes.TrimSpace(b)) == 0:
		return nil, cfg, badInput("standard input is empty: it must hold one JSON object with config and cursor")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	req := &request{}
	err = dec.Decode(req)
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, cfg, badInput("%s", wrongType(mistyped))
	} else if err != nil {
		return nil, cfg, badInput("standard input is not a request: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, cfg, badInput("standard input must hold one JSON object, and nothing behind it")
	}
	if err := req.check(); err != nil {
		return nil, cfg, err
	}
	if cfg, err = cloudflareaudit.ParseConfig(req.Config); err != nil {
		return nil, cfg, err
	}
	cfg.Logger = newLogger(w)
	return req, cfg, nil
}

// wrongType says which member of a request is of another type than it must be.
func wrongType(e *json.UnmarshalTypeError) string {
	switch e.Field {
	case "":
		return "standard input must hold one JSON object, and not this: " + e.Value
	case "config":
		return "config: must be an object, and not this: " + e.Value
	case "fit":
		return fmt.Sprintf("fit: must be %q, and not this: %s", fitAiSOC, e.Value)
	}
	return e.Field + ": must be a whole number, and not this: " + e.Value
}

// check fills in the defaults of a request and reports every fault.
func (r *request) check() error {
	var wrong []string
	within := func(name string, v *int, initial, low, high int) {
		if *v = cmp.Or(*v, initial); *v < low || *v > high {
			wrong = append(wrong, fmt.Sprintf("%s: %d: must be between %d and %d", name, *v, low, high))
		}
	}
	if r.Protocol = cmp.Or(r.Protocol, protocolVersion); r.Protocol != protocolVersion {
		wrong = append(wrong, fmt.Sprintf("protocol: %d: this release speaks version %d", r.Protocol, protocolVersion))
	}
	within("max_events", &r.MaxEvents, ingest.MaxEvents, 1, ingest.MaxEvents)
	within("max_bytes", &r.MaxBytes, defaultBatchBytes, 1, maxBatchBytes)
	if r.TimeoutSeconds != 0 {
		within("timeout_seconds", &r.TimeoutSeconds, 0, 1, maxDeadline)
	}
	if r.Fit != "" && r.Fit != fitAiSOC {
		wrong = append(wrong, fmt.Sprintf("fit: %q: must be %q, or left out", r.Fit, fitAiSOC))
	}
	if r.Config == nil {
		wrong = append(wrong, "config: is required: the object with account_id and api_token")
	}
	if len(wrong) > 0 {
		return badInput("%s", strings.Join(wrong, "; "))
	}
	return nil
}

// fitAiSOC is the fit for AiSOC's ingestion service.
const fitAiSOC = "aisoc"

// cursor is the cursor of the request: null for the first batch, or the text
// that came with the batch before.
func (r *request) cursor() (ingest.Cursor, error) {
	if r.Cursor == nil || string(r.Cursor) == "null" {
		return nil, nil
	}
	var text string
	if err := json.Unmarshal(r.Cursor, &text); err != nil {
		return nil, badInput("cursor: must be null, or the text that came with the batch before")
	}
	return ingest.Cursor(text), nil
}

// deadline bounds ctx by the request's timeout, or by initial seconds.
func (r *request) deadline(ctx context.Context, initial int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(cmp.Or(r.TimeoutSeconds, initial))*time.Second)
}

// filling is a batch under construction, with its events as lines.
type filling struct {
	*request
	cursor   ingest.Cursor
	more     bool
	lines    [][]byte
	bytes    int
	coverage ingest.Coverage
}

// maxBatchRequests is the number of requests after which a batch is not filled
// further.
const maxBatchRequests = 100

// fill polls from the cursor until the batch is full or nothing is left,
// because a host requests one batch per poll interval. Events beyond the bounds
// cannot be discarded, because the cursor is already past them: the poll is
// repeated from the same cursor with fewer events. An event larger than
// max_bytes gets its own batch.
//
// After a failure the batch holds the events of the polls before it. If there are
// none, fill returns the error; a lasting failure also fails the next request.
func (r *request) fill(ctx context.Context, cfg cloudflareaudit.Config, cursor ingest.Cursor) (*filling, error) {
	f := &filling{request: r, cursor: cursor}
	most := min(r.MaxEvents, cmp.Or(cfg.MaxEvents, ingest.MaxEvents))
	for room := most; ; {
		cfg.MaxEvents = room
		source, err := cloudflareaudit.New(cfg)
		if err != nil {
			return nil, err
		}
		batch, err := source.Poll(ctx, f.cursor)
		if err != nil {
			f.failed(batch.Coverage)
			return f, f.unless(err, cursor)
		}
		lines, size, fitting := f.encode(batch.Events)
		if fitting < len(lines) && len(f.lines)+len(lines) > 1 {
			f.coverage.AddRequests(batch.Coverage)
			if fitting == 0 && len(f.lines) > 0 {
				return f, nil
			}
			room = max(1, min(fitting, len(lines)-1))
			continue
		}
		f.add(batch, lines, size)
		room = most - len(f.lines)
		if !f.more || room == 0 || f.bytes >= r.MaxBytes || f.coverage.Requests >= maxBatchRequests {
			return f, nil
		}
	}
}

// unless returns err, unless entries were read before it. The error of a first
// batch comes with the cursor that fixes where the feed begins.
func (f *filling) unless(err error, given ingest.Cursor) error {
	switch {
	case f.coverage.Read > 0:
		return nil
	case given == nil && f.cursor != nil:
		return &firstError{err, f.cursor}
	}
	return err
}

// firstError is the failure of a first batch, with the cursor for the next one.
type firstError struct {
	error
	cursor ingest.Cursor
}

func (e *firstError) Unwrap() error { return e.error }

// encode makes lines of events, and counts how many of the first ones still fit.
func (f *filling) encode(events []ingest.Event) (lines [][]byte, size, fitting int) {
	for i := range events {
		var line []byte
		if f.Fit == fitAiSOC {
			line, _ = aisoc.Fit(&events[i])
		} else {
			line = eventformat.JSONL.Append(nil, &events[i])
		}
		lines = append(lines, line)
		if size += len(line) + 1; f.bytes+size <= f.MaxBytes {
			fitting = i + 1
		}
	}
	return lines, size, fitting
}

// add appends the events of a poll and moves the cursor past them.
func (f *filling) add(batch ingest.Batch, lines [][]byte, size int) {
	f.cursor, f.more = batch.Cursor, batch.More
	f.lines, f.bytes = append(f.lines, lines...), f.bytes+size
	batch.Coverage.Logs = f.mergedLogs(batch.Coverage)
	f.coverage.Add(batch.Coverage)
	f.coverage.Windows = append(f.coverage.Windows, batch.Coverage.Windows...)
}

// failed accounts for a poll that failed. Of each log the answer says what was
// seen last.
func (f *filling) failed(c ingest.Coverage) {
	f.coverage.AddRequests(c)
	if len(c.Logs) > 0 {
		f.coverage.Logs = f.mergedLogs(c)
	}
}

// mergedLogs are the states of the logs after a poll. Since when one has been
// failing is left to the host, which knows the batches before.
func (f *filling) mergedLogs(c ingest.Coverage) []ingest.LogState {
	return ingest.MergeLogs(f.coverage.Logs, c.Logs, time.Time{})
}

// batchSummary is the last line of a batch.
type batchSummary struct {
	Protocol int    `json:"protocol"`
	Cursor   string `json:"cursor"`
	More     bool   `json:"more"`
	// Events and Bytes are the number of the preceding lines and their size.
	Events   int             `json:"events"`
	Bytes    int             `json:"bytes"`
	Coverage ingest.Coverage `json:"coverage"`
	Notices  []string        `json:"notices"`
}

// lastLine is the line that ends the batch.
func (f *filling) lastLine() ([]byte, error) {
	s := batchSummary{
		Protocol: protocolVersion, Cursor: string(f.cursor), More: f.more,
		Events: len(f.lines), Bytes: f.bytes, Coverage: f.coverage, Notices: f.coverage.Notices,
	}
	s.Coverage.Notices = nil // the summary has its own field for them
	if s.Notices == nil {
		s.Notices = []string{}
	}
	return json.Marshal(map[string]batchSummary{"batch": s})
}

// failure is an error in terms of the protocol.
type failure struct {
	// Kind is one of the list in docs/exec-protocol.md.
	Kind    string `json:"kind"`
	Message string `json:"message"`
	// Remedy is how a person can fix it, or null.
	Remedy *string `json:"remedy"`
	// RetryAfter is how many seconds to wait before the next batch, or null.
	RetryAfter *float64 `json:"retry_after"`
	// Temporary says that a retry may succeed without intervention.
	Temporary bool `json:"temporary"`
	// Cursor fixes where the feed begins, when the first batch fails, or is null.
	Cursor *string `json:"cursor"`
	// Fields are the faults of a configuration.
	Fields []fieldFault `json:"fields,omitempty"`
}

// fieldFault is a fault of one field of the configuration.
type fieldFault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// The kinds of failures in addition to those of [cloudflareaudit.Kind].
const (
	kindInput     = "input"
	kindConfig    = "config"
	kindCursor    = "cursor"
	kindNetwork   = "network"
	kindCancelled = "cancelled"
	kindInternal  = "internal"
)

// failureOf expresses err in terms of the protocol.
func failureOf(err error) failure {
	f := failure{Kind: kindInternal, Message: inProtocol(err)}
	if wait, ok := errors.AsType[ingest.RetryAfterer](err); ok && wait.RetryAfter() > 0 {
		seconds := math.Ceil(wait.RetryAfter().Seconds())
		f.RetryAfter = &seconds
	}
	if first, ok := errors.AsType[*firstError](err); ok {
		text := string(first.cursor)
		f.Cursor = &text
	}
	var (
		input  *inputError
		field  *cloudflareaudit.FieldError
		api    *cloudflareaudit.APIError
		budget *cloudflareaudit.WaitError
		url    *url.Error
		netErr net.Error
	)
	switch {
	case errors.As(err, &input):
		f.Kind = kindInput
	case errors.Is(err, cloudflareaudit.ErrCursor):
		f.Kind = kindCursor
		f.remedy("restore the cursor of the last batch that was committed, or pass null to start over at initial_lookback")
	case errors.As(err, &api):
		f.Kind, f.Temporary = string(api.Kind), api.Temporary()
		advice := api.Remedy
		if advice != "" && api.Field != "" {
			advice = api.Field + ": " + advice
		}
		f.remedy(advice)
	case errors.As(err, &budget):
		f.Kind, f.Temporary = string(cloudflareaudit.KindRateLimited), true
	case errors.Is(err, context.Canceled):
		f.Kind, f.Temporary = kindCancelled, true
	case errors.As(err, &url), errors.As(err, &netErr), errors.Is(err, context.DeadlineExceeded):
		f.Kind, f.Temporary = kindNetwork, true
		f.remedy("check the network, base_url and any proxy on the way")
	case errors.As(err, &field):
		f.Kind = kindConfig
		for _, fault := range leaves(err) {
			e, ok := errors.AsType[*cloudflareaudit.FieldError](fault)
			if !ok {
				e = &cloudflareaudit.FieldError{Allowed: fault.Error()}
			}
			f.Fields = append(f.Fields, fieldFault{e.Field, redact(fault.Error())})
		}
	}
	return f
}

func (f *failure) remedy(text string) {
	if text != "" {
		f.Remedy = &text
	}
}

// inProtocol is the text of err without the layers that wrap it. The remedy of
// a Cloudflare reply has its own field.
func inProtocol(err error) string {
	if first, ok := errors.AsType[*firstError](err); ok {
		err = first.error
	}
	return redact(tell(err, nil))
}
