package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/fleet"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/sink"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
	httpsink "github.com/aisoc/cloudflareaudit/sink/http"
)

func newFleetWork(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "work",
		Short: "Run a worker",
		Long: `Work polls the accounts that are due and delivers their events until you stop it.
Any number of workers share the work; when one dies, the others take over its
polls within about three minutes. Failures are logged to standard error when they
begin and when they end.

With --aisoc the events go to AiSOC's ingestion service, each to the tenant of
its account. Accounts of one tenant and feed share requests. An event that the
service permanently rejects goes to a file of its tenant and feed in the folder of
--dead-letters. For a gateway in front of the service, the value of the
environment variable ` + envAiSOCToken + ` is sent as a bearer token.

With --http the events of all accounts go to one service that takes POST requests;
see 'cfaudit run --help'. Its dead-letter file is http.dead-letter.jsonl in the
folder of --dead-letters.

An interrupt (SIGINT) or SIGTERM stops it once the current polls are done, for
which they have 15 seconds; a second one kills it. Even then nothing is lost: at
most one batch of each account it was polling is delivered again, with the same
external_id.

Accounts whose configuration has no rules are graded with those of --rules. SIGHUP
reads these again, for the next polls, and reopens the file of --out. If the new
rules have a fault, the previous ones stay in force, and the log and /healthz say
so.

--listen serves health and metrics of the worker and the fleet over HTTP:
/healthz, /readyz, and /metrics for Prometheus.`,
		Example: `  cfaudit fleet work --key-file fleet.key --out events.jsonl
  cfaudit fleet work --secrets /run/secrets/cloudflare --aisoc https://ingest.example.com \
    --dead-letters /var/lib/cfaudit --listen :9090`,
		Args: noArgs,
	}
	flags := cmd.Flags()
	d := &delivery{world: w, flags: flags, http: addHTTP(flags)}
	s := addStation(w, flags, true)
	flags.StringVar(&d.out, "out", "-", "`FILE` to append the events to, - for standard output; each worker needs its own")
	flags.StringVar(&d.http.format, "format", "", "`FORM` of the events: jsonl, ecs or ocsf (default jsonl, with --http-body elastic ecs)")
	flags.StringVar(&d.aisoc, "aisoc", "", "deliver to AiSOC's ingestion service at `URL` instead of --out")
	flags.StringVar(&d.deadLetters, "dead-letters", "", "`FOLDER` for events that the service permanently rejects; required for a service, each worker needs its own")
	flags.BoolVar(&d.plainHTTP, "aisoc-plain-http", false, "allow http to other machines, as inside a cluster; not with "+envAiSOCToken)
	flags.BoolVar(&d.once, "user-events-once", false, "deliver user events that appear in several accounts of a tenant only once")
	concurrency := flags.Int("concurrency", 64, "poll `N` accounts at once, 1 to 1000")
	timeout := flags.Duration("poll-timeout", 2*time.Minute, "`TIME` limit of a poll with its delivery, 2s to 30m, the same for all workers")
	flags.IntVar(&s.budget, "token-budget", 900, "send at most `N` requests per token in 5 minutes, over all workers, 10 to 1200")
	rules := &settings{world: w, flags: flags, only: "rules"}
	flags.String("rules", "", "`FILE` with a list of rules, in JSON or YAML, for the accounts that have none of their own")
	listen := flags.String("listen", "", "`ADDRESS` for /healthz, /readyz and /metrics, such as 127.0.0.1:9090; port 0 chooses one")
	verbose := flags.BoolP("verbose", "v", false, "log a line for every poll")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := untilStopped(cmd.Context())
		defer stop()
		wrong := append(d.faults(), d.http.faults()...)
		within := func(flag string, ok bool, value any, allowed string) {
			if !ok {
				wrong = append(wrong, fmt.Sprintf("--%s: %v: must be from %s", flag, value, allowed))
			}
		}
		within("concurrency", *concurrency >= 1 && *concurrency <= 1000, *concurrency, "1 to 1000")
		within("poll-timeout", *timeout >= 2*time.Second && *timeout <= 30*time.Minute, *timeout, "2s to 30m")
		within("token-budget", s.budget >= 10 && s.budget <= 1200, s.budget, "10 to 1200")
		address := ""
		if *listen != "" {
			var err error
			if address, err = listenAddress(*listen); err != nil {
				wrong = append(wrong, "--listen: "+err.Error())
			}
		}
		if !s.flags.Changed("key-file") && s.getenv(envFleetKey) == "" && s.secrets == "" {
			wrong = append(wrong, envFleetKey+" or --key-file: is required: the key of the tokens, unless all of them are in files of --secrets")
		}
		loaded, err := rules.config(wrong...)
		if err != nil {
			return err
		}
		// A poll needs a connection only at its start and its end.
		s.maxConns = int32(min(8+*concurrency/8, 32))
		s.patient = true
		log := newFleetLogger(w)
		d.timeout = *timeout
		ctx, end := context.WithCancelCause(ctx)
		defer end(nil)
		if err := d.open(log, end); err != nil {
			return err
		}
		defer d.close()
		var shared atomic.Pointer[[]cloudflareaudit.Rule]
		shared.Store(&loaded.Rules)
		s.rules = func() []cloudflareaudit.Rule { return *shared.Load() }
		logDoubts(log, rules.doubts(loaded.Rules))
		own := newOwnRules(rules, loaded.Rules, log, func(list []cloudflareaudit.Rule) error {
			shared.Store(&list)
			return nil
		})
		defer onHangup(w, d.file, own, log)()
		err = s.with(ctx, func(ctx context.Context, f *fleet.Fleet) error {
			m := newFleetMonitor(f, d, own)
			if address != "" {
				stop, err := answerAt(address, m.handler(), log, w.stderr)
				if err != nil {
					return err
				}
				defer stop()
				watching, stopWatching := context.WithCancel(ctx)
				defer stopWatching()
				go m.watch(watching)
			}
			return f.Work(ctx, fleet.WorkOptions{
				Sink: d.sink, Concurrency: *concurrency, PollTimeout: *timeout, Logger: log,
				OnPoll: func(p fleet.Poll) {
					m.observe(p)
					if c := p.Batch.Coverage; *verbose && p.Err == nil {
						log.Info("polled", "instance", p.Instance.ID, "read", c.Read, "events", c.Delivered+c.Raised,
							"dropped", c.DroppedTotal(), "requests", c.Requests, "backlog", c.Backlog, "complete", c.Complete)
					}
				},
			})
		})
		if cause := context.Cause(ctx); errors.Is(cause, errReaderGone) {
			return cause
		}
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	return cmd
}

// delivery is the destination of a worker.
type delivery struct {
	world
	flags                   *pflag.FlagSet
	http                    *httpOutput
	out, aisoc, deadLetters string
	plainHTTP, once         bool
	timeout                 time.Duration

	log  *slog.Logger
	file *sink.File
	all  *sink.Group    // without --aisoc
	sent *httpsink.Sink // with --http

	mu       sync.Mutex
	feeds    map[tenantFeed]*sink.Group
	sinks    []*aisoc.Sink
	distinct map[string]*sink.Distinct // by tenant
}

// remembered is how many user events are remembered for each tenant.
const remembered = 10_000

// feed is a connector instance of a tenant.
type tenantFeed struct{ tenant, id string }

// faults are the faults of the flags.
func (d *delivery) faults() (wrong faults) {
	switch format := d.http.format; {
	case format != "" && format != formatJSONL && lineFormat(format) == sink.JSONL && !d.http.used():
		wrong = append(wrong, fmt.Sprintf("--format: %q: must be jsonl, ecs or ocsf", format))
	case d.flags.Changed("aisoc") && lineFormat(format) != sink.JSONL:
		wrong = append(wrong, fmt.Sprintf("--format: %q: AiSOC takes jsonl alone", format))
	}
	if !d.flags.Changed("aisoc") {
		wrong = append(wrong, refuseFlags(d.flags, "requires --aisoc", "aisoc-plain-http")...)
		switch {
		case d.http.used() && d.deadLetters == "":
			wrong = append(wrong, "--dead-letters: is required with --http: a folder for events that the service refuses for good")
		case !d.http.used() && d.flags.Changed("dead-letters"):
			wrong = append(wrong, redact(fmt.Sprintf("--dead-letters: %q: requires --aisoc or --http", d.deadLetters)))
		}
		if d.out == "" {
			wrong = append(wrong, "--out: must be a file, or - for standard output")
		}
		return wrong
	}
	wrong = append(wrong, refuseFlags(d.flags, "cannot be given with --aisoc: the events go to one place", "out")...)
	if d.deadLetters == "" {
		wrong = append(wrong, "--dead-letters: is required with --aisoc: a folder for events that the service refuses for good")
	}
	// The tenant and the feed are those of each account.
	return append(wrong, serviceFaults(d.config(tenantFeed{"00000000-0000-4000-8000-000000000001", "feed"}))...)
}

func (d *delivery) config(to tenantFeed) aisoc.Config {
	return aisoc.Config{
		URL:           d.aisoc,
		TenantID:      to.tenant,
		ConnectorID:   to.id,
		ConnectorType: cloudflareaudit.ConnectorID,
		Token:         cloudflareaudit.NewSecret(d.getenv(envAiSOCToken)),
		PlainHTTP:     d.plainHTTP,
		DeadLetter:    filepath.Join(d.deadLetters, url.PathEscape(to.tenant)+"."+url.PathEscape(to.id)+".dead-letter.jsonl"),
		Logger:        d.log,
	}
}

// open opens the output that all accounts share. When standard output loses its
// reader it calls end.
func (d *delivery) open(log *slog.Logger, end context.CancelCauseFunc) (err error) {
	d.log, d.feeds, d.distinct = log, make(map[tenantFeed]*sink.Group), make(map[string]*sink.Distinct)
	if d.deadLetters != "" {
		if err := os.MkdirAll(d.deadLetters, 0o700); err != nil {
			return fmt.Errorf("cannot make the folder of --dead-letters: %w", err)
		}
	}
	switch {
	case d.aisoc != "":
		return nil
	case d.http.used():
		d.sent, err = httpsink.New(d.http.config(filepath.Join(d.deadLetters, "http.dead-letter.jsonl"), log))
		d.all = d.group(d.sent)
		return err
	case d.out == "-":
		d.all = d.group(&piped{sink.NewWriterAs(d.stdout, lineFormat(d.http.format)), end})
		return nil
	}
	if d.file, err = openOutput(d.out, lineFormat(d.http.format), log); err != nil {
		return err
	}
	d.all = d.group(d.file)
	return nil
}

// group lets accounts share the calls of a sink, within the time limit of their
// polls.
func (d *delivery) group(next ingest.Sink) *sink.Group {
	g := sink.NewGroup(next)
	g.Timeout = d.timeout
	return g
}

func (d *delivery) close() {
	if d.file != nil {
		if err := d.file.Close(); err != nil {
			d.log.Error("cannot close the output", "error", err)
		}
	}
}

// sink is the sink for the events of an account. With --user-events-once, user
// events that appear in several accounts of a tenant are delivered once.
func (d *delivery) sink(in fleet.Instance) (ingest.Sink, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	group, err := d.groupOf(tenantFeed{in.Tenant, in.Feed})
	if err != nil {
		return nil, err
	}
	if !d.once {
		return group, nil
	}
	distinct := d.distinct[in.Tenant]
	if distinct == nil {
		distinct = sink.NewDistinct(remembered)
		d.distinct[in.Tenant] = distinct
	}
	return distinct.Before(group), nil
}

// groupOf is the sink that the accounts of a feed share.
func (d *delivery) groupOf(to tenantFeed) (*sink.Group, error) {
	if d.all != nil {
		return d.all, nil
	}
	if g := d.feeds[to]; g != nil {
		return g, nil
	}
	events, err := aisoc.New(d.config(to))
	if err != nil {
		return nil, inFields(err)
	}
	g := d.group(events)
	d.feeds[to], d.sinks = g, append(d.sinks, events)
	return g, nil
}

// inFields rewords, in terms of account fields, what the sink says of its own
// fields.
func inFields(err error) error {
	causes := leaves(err)
	for i, fault := range causes {
		if e, ok := errors.AsType[*aisoc.FieldError](fault); ok {
			name := map[string]string{"TenantID": "tenant", "ConnectorID": "feed"}[e.Field]
			causes[i] = &aisoc.FieldError{Field: cmp.Or(name, e.Field), Value: redact(e.Value), Allowed: e.Allowed}
		}
	}
	return errors.Join(causes...)
}

// omitted counts the events skipped because another account of the tenant had
// delivered them.
func (d *delivery) omitted() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, distinct := range d.distinct {
		n += distinct.Omitted()
	}
	return n
}

// stats adds up the deliveries to AiSOC; ok is false without --aisoc.
func (d *delivery) stats() (total aisoc.Stats, ok bool) {
	if d.aisoc == "" {
		return total, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sinks {
		one := s.Stats()
		total.Posts += one.Posts
		total.Retries += one.Retries
		total.Accepted += one.Accepted
		total.Truncated += one.Truncated
		total.Rejected += one.Rejected
		total.DeadLettered += one.DeadLettered
		total.Bisections += one.Bisections
	}
	return total, true
}
