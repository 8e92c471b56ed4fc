package fleet

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/pgtest"
)

func TestMain(m *testing.M) {
	// The tests wait for River's intervals more than they work.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(pgtest.Main{M: m, Essential: true})
}

// vendor is a service with a log for each account, whose cursor is the number of
// entries read.
type vendor struct {
	mu       sync.Mutex
	accounts map[string]*account
	polls    []string // the accounts polled, in order
}

type account struct {
	entries int
	// batch is the most entries of one poll; 10 by default.
	batch int
	// answer, when set, may fail a poll or make it wait.
	answer func(ctx context.Context, config map[string]any) error
	// logs are the states of the logs of an account that reads several.
	logs []ingest.LogState

	busy, overlapped int
	polls            []time.Time
	cursors          []int // that the polls started from
}

// account returns the account id with entries in its log.
func (v *vendor) account(id string, entries int) *account {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.accounts == nil {
		v.accounts = make(map[string]*account)
	}
	a := &account{entries: entries, batch: 10}
	v.accounts[id] = a
	return a
}

// set changes an account.
func (v *vendor) set(do func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	do()
}

// catalog offers the vendor as the connector "example".
func (v *vendor) catalog() *ingest.Catalog {
	var c ingest.Catalog
	d := ingest.Descriptor{ConnectorID: "example", ConnectorName: "Example", Fields: []ingest.Field{
		{Name: "account", Type: ingest.FieldString, Required: true},
		{Name: "api_token", Type: ingest.FieldSecret, Required: true},
	}}
	err := c.Register(d, func(config map[string]any) (ingest.Source, error) {
		if token, _ := config["api_token"].(string); len(token) < 4 {
			return nil, fmt.Errorf("api_token: is required")
		}
		return &source{v, d, config}, nil
	})
	if err != nil {
		panic(err)
	}
	return &c
}

// errHeld is in the tree of the error of a poll that has sent no request.
var errHeld = errors.New("held back")

type source struct {
	vendor *vendor
	d      ingest.Descriptor
	config map[string]any
}

func (s *source) Descriptor() ingest.Descriptor            { return s.d }
func (s *source) TestConnection(ctx context.Context) error { return nil }

func (s *source) Poll(ctx context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	id, _ := s.config["account"].(string)
	v := s.vendor
	v.mu.Lock()
	a := v.accounts[id]
	v.polls = append(v.polls, id)
	a.polls = append(a.polls, time.Now())
	a.busy++
	if a.busy > 1 {
		a.overlapped++
	}
	answer := a.answer
	v.mu.Unlock()
	defer v.set(func() { a.busy-- })
	if answer != nil {
		if err := answer(ctx, s.config); err != nil {
			b := ingest.Batch{}
			if !errors.Is(err, errHeld) {
				b.Coverage.Requests = 1
			}
			return b, err
		}
	}
	from := 0
	if cursor != nil {
		var err error
		if from, err = strconv.Atoi(string(cursor)); err != nil {
			return ingest.Batch{}, fmt.Errorf("%w: %q", ingest.ErrCursor, cursor)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	a.cursors = append(a.cursors, from)
	to := min(a.entries, from+a.batch)
	b := ingest.Batch{Cursor: ingest.Cursor(strconv.Itoa(to)), More: to < a.entries}
	for n := from; n < to; n++ {
		b.Events = append(b.Events, ingest.Event{ExternalID: fmt.Sprintf("%s/%d", id, n)})
	}
	b.Coverage.Read, b.Coverage.Delivered, b.Coverage.Requests = to-from, to-from, 1
	b.Coverage.Logs = slices.Clone(a.logs)
	if b.More {
		b.Coverage.Backlog = 1
	} else {
		b.Coverage.Complete = time.Now()
	}
	return b, nil
}

// collector is a sink that counts the events by id.
type collector struct {
	mu   sync.Mutex
	seen map[string]int
	fail error
}

func (c *collector) Write(ctx context.Context, events []ingest.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	if c.seen == nil {
		c.seen = make(map[string]int)
	}
	for _, e := range events {
		c.seen[e.ExternalID]++
	}
	return nil
}

func (c *collector) set(fail error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = fail
}

// count is the number of different events, and of repeats.
func (c *collector) count() (events, repeats int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.seen {
		repeats += n - 1
	}
	return len(c.seen), repeats
}

// world is a fleet with a vendor and a sink.
type world struct {
	*Fleet
	vendor vendor
	sink   collector
	key    string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	pool := pgtest.Pool(t)
	_, err := Migrate(t.Context(), pool)
	require.NoError(t, err)
	return newWorldIn(t, pool)
}

func newWorldIn(t *testing.T, pool *pgxpool.Pool) *world {
	t.Helper()
	w := &world{}
	var err error
	w.key, err = NewKey()
	require.NoError(t, err)
	vault, err := NewVault(w.key, "")
	require.NoError(t, err)
	w.Fleet, err = New(pool, w.vendor.catalog(), vault)
	require.NoError(t, err)
	return w
}

// spec is an instance that reads an account, every second.
func spec(account string) Spec {
	return Spec{Connector: "example", Tenant: "tenant-a", Account: account, Interval: time.Second,
		Config: Object{"account": account, "api_token": "secret-of-" + account}}
}

func (w *world) put(t *testing.T, specs ...Spec) {
	t.Helper()
	_, err := w.Put(t.Context(), specs...)
	require.NoError(t, err)
}

// work starts a worker, and returns how to stop it.
func (w *world) work(t *testing.T, change ...func(*WorkOptions)) (stop func()) {
	t.Helper()
	opts := WorkOptions{
		Sink:   func(Instance) (ingest.Sink, error) { return &w.sink, nil },
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, c := range change {
		c(&opts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Work(ctx, opts) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

// eventually waits for a condition that the workers bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 30*time.Second, 20*time.Millisecond, what)
}

// answerWith makes an answer of what looks at the configuration alone.
func answerWith(do func(config map[string]any) error) func(context.Context, map[string]any) error {
	return func(_ context.Context, config map[string]any) error { return do(config) }
}

// hold makes each poll of the account say that it is under way, and wait until on
// is closed.
func (a *account) hold() (under, on chan bool) {
	under, on = make(chan bool, 100), make(chan bool)
	a.answer = answerWith(func(map[string]any) error { under <- true; <-on; return nil })
	return under, on
}
