package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/sink"
	httpsink "github.com/aisoc/cloudflareaudit/sink/http"
	"github.com/aisoc/cloudflareaudit/store"
)

// host is the common part of poll and run: a connector, a store for its cursor
// and a sink for its events.
type host struct {
	*settings
	display
	state, out string
	service    *service
	http       *httpOutput
	notify     *notifications
	listen     string // or "" for nowhere
	verbose    bool

	// accountID is the account that is read, once it is known, and rules are
	// those of a file, or nil.
	accountID string
	rules     *ownRules
	// expected are the zones and Workers to be met.
	expected *expected
}

func newHost(w world, cmd *cobra.Command) *host {
	h := &host{}
	flags := cmd.Flags()
	flags.StringVar(&h.state, "state", "", "`FOLDER` that keeps the cursor, the same one each time; required")
	h.addOutput(flags)
	h.notify = addNotify(flags)
	h.settings = addSettings(w, flags)
	flags.BoolVarP(&h.verbose, "verbose", "v", false, "log a line for every poll")
	return h
}

// addOutput adds the flags that say where the events go.
func (h *host) addOutput(flags *pflag.FlagSet) {
	flags.StringVar(&h.out, "out", "-", "`FILE` to append the events to, - for standard output")
	h.addFormat(flags, "table on a terminal, else jsonl")
	h.service = addService(flags)
	h.http = addHTTP(flags)
}

func newPoll(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "poll",
		Short: "Write the new entries of the audit log, then exit",
		Long: `Poll reads the audit log from where the last poll stopped, writes each new entry
as an event, and exits when no backlog remains. On a terminal it prints a table,
elsewhere JSON lines; --format overrides that. A summary goes to standard error.

The cursor is saved after the events have been written, so none is lost. If the
command is killed in between, the next poll writes one batch again, with the same
external_id. A failure ends the command; events written before it remain, and the
next poll resumes from there. When one of two logs cannot be read, the other is
still read, and the exit code is 1.

` + serviceHelp + "\n\n" + httpHelp + "\n\n" + notifyHelp,
		Example: `  export CLOUDFLARE_API_TOKEN=… CLOUDFLARE_ACCOUNT_ID=…
  cfaudit poll --state state --out events.jsonl
  cfaudit poll --state state --initial-lookback 7d
  cfaudit poll --state state | jq -r .title
  cfaudit poll --state state --aisoc https://ingest.example.com \
    --tenant 0f9a7a52-6d0e-4c39-9d59-6f1f4e6f0001 --connector-id 9d0c2f5e-4f7a-4a52-8c34-0f6f1f4e6f01
  cfaudit poll --state state --http https://siem.example.com/ingest --http-headers headers.txt`,
		Args: noArgs,
	}
	h := newHost(w, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return h.with(func(r *ingest.Runner) error {
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			events := countEvents(r)
			observe(r, h.expected.seeAll)
			stopLine := h.watchRunner(r)
			total, err := r.Drain(ctx)
			stopLine()
			h.notify.end(ctx)
			if err == nil || total.Read > 0 {
				fmt.Fprintln(h.stderr, summary(total, events)+traffic(total)+h.delivered(r.Sink)+h.notify.summary())
				h.expected.report(h.stderr, manyEvents)
			}
			switch {
			case h.toPipe() && errors.Is(err, syscall.EPIPE):
				return errReaderGone
			case err != nil && ctx.Err() != nil:
				return errors.New("stopped with a backlog left; the next poll resumes from here")
			case err != nil:
				return err
			}
			return unreadLogs(total.Logs)
		})
	}
	return cmd
}

func newRun(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Write the new entries of the audit log until stopped",
		Long: `Run polls the audit log until you stop it and writes each new entry as an event:
on a terminal as a row of a table above a status line, elsewhere as JSON lines;
--format overrides that. It retries after failures of the API, the output and the
network. Each failure and each recovery is logged to standard error; normal
running logs nothing to a file or pipe. Run exits when the cursor is unusable,
because an operator has to decide where to resume, and when the reader of its
output has exited.

An interrupt (SIGINT) or SIGTERM stops it once the current batch has been written
and its cursor saved; a second one kills it. Even then nothing is lost: the next
run writes at most one batch again, with the same external_id. A run that writes
to a terminal ends when the terminal is closed.

SIGHUP reopens the file of --out, for log rotation, and reads the rules of --rules
or --config again, for the next poll. After a refusal of the token, its file is
read again before the next attempt. Nothing else of the configuration is read
again. If the new rules have a fault, the previous ones stay in force, and the log
and /healthz say so.

--listen serves health and metrics over HTTP: /healthz is 503 with the reason
when the feed or one of its logs keeps failing or needs an operator, /readyz is
200 once a log has been read, and /metrics is for Prometheus. An address without
a host, such as :9090, listens on the loopback interface only.

` + serviceHelp + "\n\n" + httpHelp + "\n\n" + notifyHelp,
		Example: `  export CLOUDFLARE_ACCOUNT_ID=…
  cfaudit run --token-file /run/secrets/cloudflare --state state --out events.jsonl
  cfaudit run --state state --interval 1m --production-zone example.com
  cfaudit run --state state --out events.jsonl --listen 127.0.0.1:9090`,
		Args: noArgs,
	}
	h := newHost(w, cmd)
	cmd.Flags().StringVar(&h.listen, "listen", "", "`ADDRESS` for /healthz, /readyz and /metrics, such as 127.0.0.1:9090; port 0 chooses one")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return h.with(func(r *ingest.Runner) error {
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			return h.run(ctx, r)
		})
	}
	return cmd
}

// run runs r until ctx ends or standard output loses its reader.
func (h *host) run(ctx context.Context, r *ingest.Runner) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if h.toPipe() {
		r.Sink = &piped{r.Sink, end}
	}
	file, _ := mainSink(r.Sink).(*sink.File)
	defer onHangup(h.world, file, h.rules, r.Logger)()
	if h.listen != "" {
		stop, err := h.serveHealth(r)
		if err != nil {
			return err
		}
		defer stop()
	}
	events := countEvents(r)
	started, stopLine := time.Now(), h.watchRunner(r)
	err := r.Run(ctx)
	stopLine()
	h.notify.end(ctx)
	h.atEnd(h.stderr, r.Status(), events, started)
	if cause := context.Cause(ctx); err == nil && errors.Is(cause, errReaderGone) {
		return cause
	}
	return err
}

// manyEvents is how many events a poll must have had to name what matched none of
// them: most polls find few, which say nothing about a zone.
const manyEvents = 100

// toPipe reports whether events go to standard output.
func (h *host) toPipe() bool { return !h.toService() && h.out == "-" }

// toService reports whether events go to a service.
func (h *host) toService() bool { return h.service.used() || h.http.used() }

// unreadLogs is the error of the logs that could not be read while another
// could, or nil.
func unreadLogs(logs []ingest.LogState) error {
	var all []error
	for _, s := range logs {
		if !s.Failed() {
			continue
		}
		reached := "; it has never been read"
		if !s.Complete.IsZero() {
			reached = "; it has been read up to " + s.Complete.UTC().Format(time.RFC3339)
		}
		all = append(all, &remarked{s.Err, reached})
	}
	return errors.Join(all...)
}

// serveHealth serves the health of r over HTTP until stop is called.
func (h *host) serveHealth(r *ingest.Runner) (stop func(), err error) {
	m := watch(r, h.accountID, h.rules)
	m.notify = h.notify
	return answerAt(h.listen, m.handler(), r.Logger, h.stderr)
}

// with calls do with a runner and closes its resources afterwards. Before that,
// a signal may kill the process, because nothing has started yet and opening a
// pipe, for the token or the events, can block forever.
func (h *host) with(do func(*ingest.Runner) error) (err error) {
	var missing []string
	if h.state == "" {
		missing = append(missing, "--state: is required: a folder for the cursor, the same one each time")
	}
	if h.listen != "" {
		address, err := listenAddress(h.listen)
		if err != nil {
			missing = append(missing, "--listen: "+err.Error())
		}
		h.listen = address
	}
	missing = append(missing, h.outputFaults()...)
	missing = append(missing, h.notify.faults(h.settings)...)
	cfg, err := h.config(missing...)
	if err != nil {
		return err
	}
	h.accountID, h.expected = cfg.AccountID, expectedOf(cfg)
	h.begin(&h.world)
	log := newLogger(h.world)
	cfg.Logger = log
	logDoubts(log, h.doubts(cfg.Rules))
	source, err := newSwappable(cfg)
	if err != nil {
		return err
	}
	source.token = h.tokenAgain()
	h.rules = newOwnRules(h.settings, cfg.Rules, log, source.use)
	// The lock on the folder comes first: it keeps a second process from
	// writing the same events.
	cursors, err := store.Open(h.state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cursors.Close()) }()
	warnOpen(log, h.state)
	key := "cloudflare-" + cfg.AccountID
	if err := h.noteLookback(cursors, key, cfg, log); err != nil {
		return err
	}
	events, closeSink, err := h.sink(key, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSink()) }()
	r := &ingest.Runner{
		Source:   source,
		Sink:     events,
		Store:    cursors,
		Key:      key,
		Interval: cfg.PollInterval,
		Logger:   log,
		OnBatch:  h.report(log),
	}
	if err := h.notify.attach(r, cfg.AccountID, h.state); err != nil {
		return err
	}
	hurried, hurry := context.WithCancel(context.Background())
	hurry()
	defer h.notify.end(hurried) // what has not ended it has failed
	return do(r)
}

// outputFaults are the faults of the flags that say where the events go.
func (h *host) outputFaults() (wrong faults) {
	if h.out == "" {
		wrong = append(wrong, "--out: must be a file, or - for standard output")
	}
	if fault := h.fault(); fault != "" {
		wrong = append(wrong, fault)
	} else if (h.format == formatTable || h.format == formatCSV) && (h.out != "-" || h.toService()) {
		wrong = append(wrong, fmt.Sprintf("--format: %q: is for standard output alone; cfaudit export writes such files", h.format))
	}
	wrong = append(wrong, h.service.faults(h.getenv)...)
	if h.service.used() && lineFormat(h.format) != sink.JSONL {
		wrong = append(wrong, fmt.Sprintf("--format: %q: AiSOC takes jsonl alone", h.format))
	}
	if h.format != formatTable && h.format != formatCSV {
		h.http.format = h.format
	}
	wrong = append(wrong, h.http.faults()...)
	return append(wrong, h.deadLetterFaults()...)
}

// noteLookback warns when --initial-lookback asks for entries from before the feed
// began: it is for the first poll alone.
func (h *host) noteLookback(cursors *store.Dir, key string, cfg cloudflareaudit.Config, log *slog.Logger) error {
	given := h.given()
	if _, found := given.object["initial_lookback"]; !found {
		return nil
	}
	cursor, err := cursors.Load(context.Background(), key)
	if cursor == nil || err != nil {
		return err
	}
	begins, err := feed.Begins(cursor, cfg.AccountID)
	if err != nil {
		return nil // the first poll says so, with a remedy
	}
	asked := time.Now().Add(-cfg.InitialLookback)
	for _, name := range logsOf(cfg) {
		if begin, found := begins[name]; found && asked.Add(time.Minute).Before(begin) {
			log.Warn("the initial lookback is for the first poll and has no effect any more; cfaudit backfill reads what is older",
				"feed_began", begin, "initial_lookback", cfg.InitialLookback)
			break
		}
	}
	return nil
}

// deadLetterFaults are the faults of --dead-letter.
func (h *host) deadLetterFaults() faults {
	switch {
	case !h.settings.flags.Changed("dead-letter"):
		return nil
	case !h.toService():
		return faults{redact(fmt.Sprintf("--dead-letter: %q: requires --aisoc or --http", h.service.deadLetter))}
	case h.service.deadLetter == "":
		return faults{"--dead-letter: must be the name of a file"}
	}
	return nil
}

// sink is the sink for the events.
func (h *host) sink(key string, log *slog.Logger) (events ingest.Sink, done func() error, err error) {
	done = func() error { return nil }
	if h.toService() && h.service.deadLetter == "" {
		// It is beside the cursor and has its name.
		h.service.deadLetter = filepath.Join(h.state, key+".dead-letter.jsonl")
	}
	switch {
	case h.service.used():
		events, err = h.service.open(h.getenv, log)
		return events, done, err
	case h.http.used():
		events, err = httpsink.New(h.http.config(h.service.deadLetter, log))
		return events, done, err
	case h.out == "-":
		return leave(h.display.sink(h.world)), done, nil
	}
	file, err := openOutput(h.out, lineFormat(h.format), log)
	if err != nil {
		return nil, nil, err
	}
	if info, err := os.Stat(h.out); err == nil && !info.Mode().IsRegular() {
		return leave(file), file.Close, nil
	}
	return file, file.Close, nil
}

// openOutput opens the file of --out, and warns about what is odd with it.
func openOutput(name string, format sink.Format, log *slog.Logger) (*sink.File, error) {
	file, err := sink.OpenFileAs(name, format)
	if err != nil {
		return nil, err
	}
	warnExposed(file, log)
	if n := file.Removed(); n > 0 {
		log.Warn("removed a torn last line; its entry is written again", "file", name, "bytes", n)
	}
	return file, nil
}

// report logs each batch, if --verbose is given.
func (h *host) report(log *slog.Logger) func(ingest.Batch) {
	return func(b ingest.Batch) {
		if !h.verbose {
			return
		}
		c := b.Coverage
		log.Info("polled", "read", c.Read, "events", c.Delivered+c.Raised, "dropped", c.DroppedTotal(),
			"reread", c.Repeated, "late", c.Late, "undecodable", c.Undecodable,
			"requests", c.Requests, "backlog", c.Backlog, "complete", c.Complete)
	}
}

// newLogger is a log on standard error.
func newLogger(w world) *slog.Logger { return loggerOf(w, explain) }

// loggerOf is a log on standard error whose errors are worded for this command.
func loggerOf(w world, word func(error) string) *slog.Logger {
	return slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if err, ok := a.Value.Any().(error); ok {
				a.Value = slog.StringValue(word(err))
			}
			return a
		},
	}))
}
