package otelcol

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap/exp/zapslog"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/store"
)

// stopGrace is how long the batch in hand may take once the receiver is to stop.
// The collector itself sets no limit.
const stopGrace = 10 * time.Second

// logsReceiver reads accounts, each in a goroutine of its own.
type logsReceiver struct {
	set      receiver.Settings
	cfg      *Config
	accounts []cloudflareaudit.Config
	next     consumer.Logs
	report   *receiverhelper.ObsReport
	log      *slog.Logger

	client  storage.Client
	metrics metric.Registration
	state   *status
	// stop asks the feeds to finish, and abort cuts short what they do.
	stop, abort context.CancelFunc
	done        chan struct{}
}

func newReceiver(set receiver.Settings, cfg *Config, next consumer.Logs) (*logsReceiver, error) {
	accounts, err := cfg.connectors()
	if err != nil {
		return nil, err
	}
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "http", LongLivedCtx: true, ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	return &logsReceiver{
		set: set, cfg: cfg, accounts: accounts, next: next, report: report,
		log: slog.New(zapslog.NewHandler(set.Logger.Core())),
	}, nil
}

// Start implements [component.Component].
func (r *logsReceiver) Start(ctx context.Context, host component.Host) error {
	var saved ingest.CursorStore = &store.Memory{}
	if r.cfg.Storage != nil {
		client, err := openStorage(ctx, host, *r.cfg.Storage, r.set.ID)
		if err != nil {
			return err
		}
		r.client, saved = client, cursors{client}
	} else {
		r.log.Warn("without a storage extension, each restart repeats or skips entries")
	}
	// The context of Start may end with it.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	working, abort := context.WithCancel(context.WithoutCancel(ctx))
	r.stop, r.abort, r.done = stop, abort, make(chan struct{})
	r.state = newStatus(host)
	feeds := make([]*feed, len(r.accounts))
	for i, cfg := range r.accounts {
		cfg.Logger = r.log
		f, err := newFeed(r, cfg, saved, working)
		if err != nil {
			return errors.Join(err, r.close(ctx))
		}
		feeds[i] = f
	}
	var err error
	if r.metrics, err = register(r.set.MeterProvider, feeds); err != nil {
		return errors.Join(err, r.close(ctx))
	}
	var group sync.WaitGroup
	for _, f := range feeds {
		group.Go(func() { f.run(running) })
	}
	go func() {
		group.Wait()
		close(r.done)
	}()
	return nil
}

// Shutdown implements [component.Component]. A batch in hand is delivered and its
// cursor stored, or the cursor stays where it was; until ctx ends, and for no
// longer than stopGrace.
func (r *logsReceiver) Shutdown(ctx context.Context) error {
	if r.done == nil {
		return r.close(ctx)
	}
	r.state.close()
	r.stop()
	select {
	case <-r.done:
		return r.close(ctx)
	case <-ctx.Done():
	}
	r.abort()
	select {
	case <-r.done:
		return r.close(context.WithoutCancel(ctx))
	case <-time.After(time.Second):
		// A component that does not heed its context has the batch: the cursor
		// has not moved, so the next start reads it again. Its use of the
		// storage would meet one that is closed, so that stays open.
		return fmt.Errorf("a component of the pipeline does not return; the records will be handed over again: %w", context.Cause(ctx))
	}
}

// close frees what Start has opened.
func (r *logsReceiver) close(ctx context.Context) error {
	var faults []error
	if r.stop != nil {
		r.stop()
		r.abort()
	}
	if r.metrics != nil {
		faults = append(faults, r.metrics.Unregister())
		r.metrics = nil
	}
	if r.client != nil {
		faults = append(faults, r.client.Close(ctx))
		r.client = nil
	}
	return errors.Join(faults...)
}

// feed reads one account. It is the source, the sink and the store of its runner
// and passes on what the three do, so that it knows what fails.
type feed struct {
	*cloudflareaudit.Connector
	account string
	to      *logsReceiver
	saved   ingest.CursorStore
	state   *status
	runner  ingest.Runner
	// working ends when what the feed does is to be cut short.
	working context.Context

	// rejections counts the deliveries that failed permanently.
	rejections atomic.Int64
	halted     atomic.Bool
}

func newFeed(r *logsReceiver, cfg cloudflareaudit.Config, saved ingest.CursorStore, working context.Context) (*feed, error) {
	connector, err := cloudflareaudit.New(cfg)
	if err != nil {
		return nil, err
	}
	f := &feed{Connector: connector, account: cfg.AccountID, to: r, saved: saved, state: r.state, working: working}
	f.runner = ingest.Runner{
		Source: f, Sink: f, Store: f, Key: cloudflareaudit.ConnectorID + "-" + cfg.AccountID,
		Interval: cfg.PollInterval, StopGrace: stopGrace, Logger: r.log, OnBatch: f.settled,
	}
	return f, nil
}

// run reads until ctx ends, or the cursor cannot be used.
func (f *feed) run(ctx context.Context) {
	err := f.runner.Run(ctx)
	if err == nil {
		return
	}
	f.halted.Store(true)
	f.to.log.Error("the account is no longer read: a person has to act", "account_id", f.account, "error", err)
	f.state.halt(f.account, err)
}

// Poll implements [ingest.Source].
func (f *feed) Poll(ctx context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	batch, err := f.Connector.Poll(ctx, cursor)
	f.note(ctx, err)
	return batch, err
}

// Write implements [ingest.Sink] with the pipeline. It is durable as far as the
// pipeline is.
func (f *feed) Write(ctx context.Context, events []ingest.Event) error {
	ctx, cancel := f.until(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return err
	}
	operation := f.to.report.StartLogsOp(ctx)
	// The pipeline owns what it is given, so each attempt makes records anew.
	err := f.to.next.ConsumeLogs(operation, records(f.account, f.to.set.BuildInfo.Version, events, time.Now()))
	f.to.report.EndLogsOp(operation, provider, len(events), err)
	if consumererror.IsPermanent(err) {
		f.rejections.Add(1)
		err = &rejection{err}
	}
	f.note(ctx, err)
	return err
}

// Load implements [ingest.CursorStore].
func (f *feed) Load(ctx context.Context, key string) (ingest.Cursor, error) {
	cursor, err := f.saved.Load(ctx, key)
	f.note(ctx, err)
	return cursor, err
}

// Save implements [ingest.CursorStore].
func (f *feed) Save(ctx context.Context, key string, cursor ingest.Cursor) error {
	ctx, cancel := f.until(ctx)
	defer cancel()
	err := f.saved.Save(ctx, key, cursor)
	f.note(ctx, err)
	return err
}

// until returns a context that also ends when the feed is to be cut short.
func (f *feed) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if f.working.Err() != nil {
		cancel() // at once, where AfterFunc takes its time
	}
	unhook := context.AfterFunc(f.working, cancel)
	return ctx, func() {
		unhook()
		cancel()
	}
}

// note tells the status of a failure. That ctx ends is none.
func (f *feed) note(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, ingest.ErrCursor) {
		f.state.retrying(f.account, err)
	}
}

// settled tells the status of a success, or of logs that cannot be read.
func (f *feed) settled(batch ingest.Batch) {
	var failed []error
	for _, l := range batch.Coverage.Logs {
		switch {
		case !l.Failed():
		case l.Err != nil:
			failed = append(failed, l.Err)
		default:
			failed = append(failed, errors.New(l.Error))
		}
	}
	f.state.retrying(f.account, errors.Join(failed...))
}

// rejection is an error that the pipeline calls permanent: it will not take the
// same records until a person has changed something.
type rejection struct{ error }

// NeedsAction implements [ingest.ActionNeeder].
func (*rejection) NeedsAction() bool { return true }

// Unwrap returns the error of the pipeline.
func (r *rejection) Unwrap() error { return r.error }
