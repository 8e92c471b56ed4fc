package cloudflareaudit

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// The figures of docs/performance.md that are no benchmarks, with their limits,
// come from these tests. Without the flag they are content with less:
//
//	go test -v -run '^TestCost_' . -figures
var figures = flag.Bool("figures", false, "measure the figures of docs/performance.md in full")

// An account in which nothing happens costs a request for each poll.
func TestCost_AQuietAccountIsOneRequestAPoll(t *testing.T) {
	t.Parallel()
	// 90 could be the most that the server shows at once, so the poll asks for more.
	for entries, requests := range map[int]int{0: 1, 5: 1, 91: 1, 90: 2} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(fakecloudflare.Options{})
			fill(server, entries, time.Second)
			c := connect(t, cfg)
			var cursor ingest.Cursor
			for range 25 {
				b := poll1(t, c, cursor)
				require.LessOrEqual(t, b.Coverage.Requests, requests)
				require.False(t, b.More)
				cursor = b.Cursor
				time.Sleep(5 * time.Minute)
			}
		})
	}
}

// A backlog is read in pages of 1000, once.
func TestCost_RequestsOfABacklog(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ entries, requests int }{{10_000, 20}, {100_000, 110}} {
		t.Run(fmt.Sprint(test.entries), func(t *testing.T) {
			t.Parallel()
			if test.entries > 10_000 && !*figures {
				t.Skip("only with -figures")
			}
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixture(fakecloudflare.Options{})
				fill(server, test.entries, 800*time.Millisecond)
				c := connect(t, cfg)
				var total ingest.Coverage
				var cursor ingest.Cursor
				began := time.Now()
				for left := true; left; {
					b, err := c.Poll(t.Context(), cursor)
					require.NoError(t, err)
					total.Add(b.Coverage)
					cursor, left = b.Cursor, b.Coverage.Backlog > 0
				}
				require.Equal(t, test.entries, total.Delivered+total.DroppedTotal())
				require.LessOrEqual(t, total.Requests, test.requests)
				require.LessOrEqual(t, total.Read, test.entries+test.entries/10+1000)
				t.Logf("%d entries: %d requests, %.3f entries read for each delivered, %v at the rate of the budget",
					test.entries, total.Requests, float64(total.Read)/float64(test.entries), time.Since(began).Round(time.Second))
			})
		})
	}
}

// history is what a host sees of an account for a while.
type history struct {
	polls    int
	coverage ingest.Coverage
	delays   []time.Duration // from when an entry is shown until it is delivered, sorted
	drained  time.Duration   // until the backlog was delivered
}

func (h *history) quantile(q float64) time.Duration {
	return h.delays[min(len(h.delays)-1, int(q*float64(len(h.delays))))]
}

// run runs a connector in which entries happen at random, perMinute of them on
// average, and are shown up to 30 s later. A request takes 300 ms and a delivery
// 1 s. What counts is the span that begins when the overlap is full, or at once
// when there is a backlog of entries of the 24 hours before.
func run(t *testing.T, perMinute, backlog int, interval, span time.Duration) *history {
	t.Helper()
	const warmUp = 15 * time.Minute
	server, cfg := fixture(fakecloudflare.Options{})
	cfg.PollInterval = interval
	server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Delay(300 * time.Millisecond) })
	chance := rand.New(rand.NewPCG(1, uint64(perMinute)))
	start := time.Now()
	shown := map[string]time.Time{}
	add := func(id string, when, visible time.Time) {
		server.Add(visible, fakecloudflare.Entry(id, when, 6))
	}
	for i := range backlog {
		when := start.Add(-time.Minute - time.Duration(i+1)*(23*time.Hour)/time.Duration(backlog))
		add(fmt.Sprint("old-", i), when, when)
	}
	for i := range perMinute * int((warmUp+span)/time.Minute) {
		when := start.Add(time.Duration(chance.Int64N(int64(warmUp + span))))
		visible := when.Add(time.Duration(chance.Int64N(int64(30 * time.Second))))
		id := fmt.Sprint("new-", i)
		shown[id] = visible
		add(id, when, visible)
	}

	h := &history{}
	old := 0
	begin := start.Add(warmUp)
	if backlog > 0 {
		begin = start
	}
	runner := ingest.Runner{
		Source: connect(t, cfg), Store: &heldCursor{}, Key: "a", Interval: interval,
		Sink: sinkFunc(func(_ context.Context, events []ingest.Event) error {
			time.Sleep(time.Second)
			for i := range events {
				visible, isNew := shown[events[i].ExternalID]
				switch {
				case !isNew:
					if old++; old == backlog {
						h.drained = time.Since(start)
					}
				case visible.After(begin):
					h.delays = append(h.delays, time.Since(visible))
				}
			}
			return nil
		}),
		OnBatch: func(b ingest.Batch) {
			if time.Since(begin) >= 0 {
				h.polls++
				h.coverage.Add(b.Coverage)
			}
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), warmUp+span)
	defer cancel()
	require.NoError(t, runner.Run(ctx))
	require.Equal(t, backlog, old)
	slices.Sort(h.delays)
	return h
}

// What a poll costs in a steady state depends on how much happens within the
// overlap, and how often it is read again.
func TestCost_EntriesReadForEachDelivered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		perMinute      int
		interval, span time.Duration
		most           float64 // entries read for each delivered
	}{
		{1, 30 * time.Second, time.Hour, 7},
		{100, 30 * time.Second, 30 * time.Minute, 7},
		{1000, 30 * time.Second, 10 * time.Minute, 7},
		{1, 300 * time.Second, time.Hour, 4},
		{100, 300 * time.Second, time.Hour, 4},
		{1000, 300 * time.Second, 30 * time.Minute, 5},
	} {
		t.Run(fmt.Sprintf("%d a minute, every %v", test.perMinute, test.interval), func(t *testing.T) {
			t.Parallel()
			if test.perMinute > 100 && !*figures {
				t.Skip("only with -figures")
			}
			synctest.Test(t, func(t *testing.T) {
				h := run(t, test.perMinute, 0, test.interval, test.span)
				got := h.coverage.Delivered + h.coverage.DroppedTotal()
				perDelivered := float64(h.coverage.Read) / float64(got)
				t.Logf("%d entries a minute, every %v: %.2f entries read for each delivered, %.2f requests a poll, %.1f in five minutes",
					test.perMinute, test.interval, perDelivered,
					float64(h.coverage.Requests)/float64(h.polls), float64(h.coverage.Requests)*5/test.span.Minutes())
				require.LessOrEqual(t, perDelivered, test.most)
			})
		})
	}
}

// An entry is delivered with the first poll after it has been shown. While there
// is a backlog, polls for newer entries are an interval apart; the one after its
// end may be later by up to another.
func TestCost_DelayFromShownToDelivered(t *testing.T) {
	t.Parallel()
	large := 5000
	if *figures {
		large = 100_000
	}
	for _, interval := range []time.Duration{30 * time.Second, 300 * time.Second} {
		for _, backlog := range []int{0, large} {
			t.Run(fmt.Sprintf("every %v, backlog of %d", interval, backlog), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := run(t, 20, backlog, interval, time.Hour)
					round := func(d time.Duration) time.Duration { return d.Round(time.Second / 10) }
					t.Logf("every %v, backlog of %d: half within %v, 95 %% within %v, 99 %% within %v, all within %v; the backlog took %v",
						interval, backlog, round(h.quantile(.5)),
						round(h.quantile(.95)), round(h.quantile(.99)), round(h.quantile(1)), h.drained.Round(time.Second))
					// The runner adds up to a tenth to an interval.
					most := interval + interval/10
					if backlog > 0 {
						most += interval
					}
					require.LessOrEqual(t, h.quantile(1), most+5*time.Second)
				})
			})
		}
	}
}

// A connector that waits holds its configuration and the state of its budget,
// and no page: those are left to whichever connector polls next.
func TestCost_MemoryOfConnectorsThatWait(t *testing.T) {
	// Not in parallel, because it measures the memory of the process.
	const perPage = 20
	n := 500
	if *figures {
		n = 10_000
	}
	page := pageOf(fakecloudflare.Generate(1, perPage, benchNow.Add(-time.Hour), benchNow))
	client := &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Date": {benchNow.Format(http.TimeFormat)}}, Request: r,
			Body: io.NopCloser(bytes.NewReader(page)),
		}, nil
	})}
	connector := func(i int) *Connector {
		return connect(t, Config{
			AccountID: fmt.Sprintf("%032x", i), APIToken: NewSecret(fmt.Sprintf("cfat_memory-test-token-%d", i)),
			HTTPClient: client, Clock: func() time.Time { return benchNow },
			Overlap: 2 * time.Hour,
		})
	}
	// The tables of products and rules, which all connectors of a process share, are
	// made with the first entry.
	_, err := connector(n).Poll(t.Context(), nil)
	require.NoError(t, err)
	connectors := make([]*Connector, n)
	runtime.GC() // what earlier tests left in pools goes with the second one
	before := liveHeap()
	for i := range connectors {
		connectors[i] = connector(i)
	}
	unused := (int(liveHeap()) - int(before)) / n
	entries := 0
	for _, c := range connectors {
		b, err := c.Poll(t.Context(), nil)
		require.NoError(t, err)
		entries += b.Coverage.Read
	}
	require.Equal(t, n*perPage, entries)
	runtime.GC() // what is left in pools for the next poll is not a connector's
	used := (int(liveHeap()) - int(before)) / n
	runtime.KeepAlive(connectors)
	t.Logf("%d connectors: %d bytes each before the first poll, %d after one that read %d kB", n, unused, used, len(page)>>10)
	require.LessOrEqual(t, unused, 4<<10)
	require.LessOrEqual(t, used, unused+256)
}

// Accounts do not make each other dearer: each has a connector, a runner and a
// goroutine, and what a poll of a quiet account takes.
func TestCost_OfManyAccounts(t *testing.T) {
	// Not in parallel, because it measures the process.
	var rows []growth
	for _, n := range []int{1, 10, 100, 1000, 10_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if n > 100 && !*figures {
				t.Skip("only with -figures")
			}
			synctest.Test(t, func(t *testing.T) { rows = append(rows, manyAccounts(t, n)) })
		})
	}
	if *figures && *update {
		rows[0].memory = 0
		writeGrowth(t, rows)
	}
}

func manyAccounts(t *testing.T, n int) growth {
	const interval, span = 5 * time.Minute, 30 * time.Minute
	client := &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"result":[],"success":true,"errors":[],"messages":[]}`)),
		}, nil
	})}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heap, stacks := inUse()
	runners := make([]*ingest.Runner, n)
	for i := range runners {
		runners[i] = &ingest.Runner{
			Source: connect(t, Config{
				AccountID: fmt.Sprintf("%032x", i), APIToken: NewSecret(fmt.Sprintf("cfat_growth-test-token-%d-%d", n, i)),
				HTTPClient: client,
			}),
			Sink:  sinkFunc(func(context.Context, []ingest.Event) error { return nil }),
			Store: &heldCursor{}, Key: "a", Interval: interval,
		}
		go func() { require.NoError(t, runners[i].Run(ctx)) }()
	}
	synctest.Wait() // all of them have polled once, and wait
	heapAfter, stacksAfter := inUse()
	memory, stack := (heapAfter-heap)/n, (stacksAfter-stacks)/n
	begin := cpuTime()
	time.Sleep(span)
	cpu := cpuTime() - begin
	polls := 0
	for _, r := range runners {
		s := r.Status()
		require.Zero(t, s.Failures)
		require.Equal(t, s.Polls, s.Totals.Requests)
		polls += s.Polls - 1
	}
	require.GreaterOrEqual(t, polls, n*int(span/interval)*9/10-n)
	perPoll := cpu / time.Duration(polls)
	t.Logf("%5d accounts: %d bytes and %d of stack each, %v of CPU a poll: %.4f %% of a core, %.2f requests/s", n, memory, stack,
		perPoll.Round(100*time.Nanosecond), 100*cpu.Seconds()/span.Seconds(), float64(polls)/span.Seconds())
	if n >= 100 { // of fewer, the measurement itself is a part
		require.LessOrEqual(t, memory, 12<<10)
		// Goroutines begin with the stack that others needed before them, on average, and
		// it doubles when it is not enough.
		require.LessOrEqual(t, stack, 32<<10)
	}
	cancel()
	synctest.Wait()
	return growth{n, float64((memory+stack)*n) / (1 << 20), 100 * cpu.Seconds() / span.Seconds(), float64(polls) / span.Seconds()}
}

// inUse is the memory of live objects, and that of stacks.
func inUse() (heap, stacks int) {
	runtime.GC() // what is left in pools, of which each processor has its own, goes with the second
	heap = int(liveHeap())
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return heap, int(m.StackInuse)
}

type sinkFunc func(context.Context, []ingest.Event) error

func (f sinkFunc) Write(ctx context.Context, events []ingest.Event) error { return f(ctx, events) }

// heldCursor is a store of one cursor.
type heldCursor struct{ cursor ingest.Cursor }

func (h *heldCursor) Load(context.Context, string) (ingest.Cursor, error) { return h.cursor, nil }

func (h *heldCursor) Save(_ context.Context, _ string, c ingest.Cursor) error {
	h.cursor = c
	return nil
}
