package backfill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/internal/selection"
	"github.com/aisoc/cloudflareaudit/store"
)

var tokens atomic.Int64

// account serves an account, and is read with the configuration. Each has a token of
// its own, because the budget of a token is shared in the process.
func account(o fakecloudflare.Options) (*fakecloudflare.Server, cloudflareaudit.Config) {
	o.Token = fmt.Sprintf("cfat_backfill%032d", tokens.Add(1))
	s := fakecloudflare.NewServer(o)
	return s, cloudflareaudit.Config{
		AccountID:   fakecloudflare.DefaultAccountID,
		APIToken:    cloudflareaudit.NewSecret(o.Token),
		BaseURL:     "http://127.0.0.1" + fakecloudflare.Prefix,
		HTTPClient:  &http.Client{Transport: s.Transport()},
		DropRoutine: new(bool),
		RateLimit:   1200,
	}
}

// collector is a sink that keeps the ids of entries.
type collector struct {
	mu  sync.Mutex
	ids []string
	// fail, when set, says whether a write fails.
	fail func() error
}

func (c *collector) Write(_ context.Context, events []ingest.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		if err := c.fail(); err != nil {
			return err
		}
	}
	for i := range events {
		if !cloudflareaudit.IsBurst(&events[i]) {
			c.ids = append(c.ids, events[i].ExternalID)
		}
	}
	return nil
}

func (c *collector) sorted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(slices.Values(c.ids))
}

// every makes one entry of each log for every step of time.
func every(s *fakecloudflare.Server, n int, from time.Time, step time.Duration) (v1, v2 []string) {
	for i := range n {
		one, two := fmt.Sprintf("v1-%05d", i), fmt.Sprintf("v2-%05d", i)
		when := from.Add(time.Duration(i) * step)
		s.Add(time.Time{}, fakecloudflare.Entry(one, when, 6))
		s.AddV2(time.Time{}, fakecloudflare.EntryV2(two, when, 6))
		v1, v2 = append(v1, one), append(v2, two)
	}
	return v1, v2
}

// parts are the parts of the logs of a feed from since to where it begins.
func parts(t *testing.T, cursor ingest.Cursor, since time.Time) (list []Part) {
	t.Helper()
	begins, err := feed.Begins(cursor, fakecloudflare.DefaultAccountID)
	require.NoError(t, err)
	for _, log := range []string{cloudflareaudit.AuditLogV1, cloudflareaudit.AuditLogV2} {
		if at, found := begins[log]; found {
			list = append(list, Part{Log: log, Span: selection.Span{Since: since, Until: at}, Begins: at})
		}
	}
	return list
}

// drain polls source to its end.
func drain(ctx context.Context, source ingest.Source, sink ingest.Sink, positions ingest.CursorStore) (ingest.Coverage, error) {
	return (&ingest.Runner{Source: source, Sink: sink, Store: positions, Key: "key"}).Drain(ctx)
}

// A feed that began two hours ago and goes on, and a backfill beside it, have every
// entry once between them: of both logs, which begin at different times.
func TestSource_BesideAFeedHasEveryEntryOnce(t *testing.T) {
	t.Parallel()
	const n, step = 3000, 10 * time.Second
	for name, o := range map[string]fakecloudflare.Options{
		"usual": {}, "bounds excluded": {BeforeExclusive: true, SinceExclusive: true}, "small pages": {MostPerPage: 100, MostLimit: 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { besideAFeed(t, o, n, step) })
		})
	}
}

// besideAFeed reads n entries of each log, one for each step of time.
func besideAFeed(t *testing.T, o fakecloudflare.Options, n int, step time.Duration) {
	s, cfg := account(o)
	from := time.Now().Add(-time.Duration(n) * step).UTC().Truncate(time.Second)
	v1, v2 := every(s, n, from, step)
	var live, older collector
	var cursors, positions store.Memory

	// v1 begins first, v2 an hour later.
	cfg.InitialLookback, cfg.AuditLogAPI = 3*time.Hour, cloudflareaudit.AuditLogV1
	source, err := cloudflareaudit.New(cfg)
	require.NoError(t, err)
	_, err = drain(t.Context(), source, &live, &cursors)
	require.NoError(t, err)
	cfg.InitialLookback, cfg.AuditLogAPI = 2*time.Hour, cloudflareaudit.AuditLogBoth
	source, err = cloudflareaudit.New(cfg)
	require.NoError(t, err)
	_, err = drain(t.Context(), source, &live, &cursors)
	require.NoError(t, err)

	cursor, err := cursors.Load(t.Context(), "key")
	require.NoError(t, err)
	asked := parts(t, cursor, from)
	require.Len(t, asked, 2)
	require.Greater(t, asked[1].Span.Until.Sub(asked[0].Span.Until), 50*time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	var feeding sync.WaitGroup
	feeding.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			id := fmt.Sprintf("new-%05d", i)
			s.Add(time.Time{}, fakecloudflare.Entry(id, time.Now().Add(-5*time.Second), 6))
			if _, err := drain(context.Background(), source, &live, &cursors); err != nil {
				t.Error(err)
			}
			v1 = append(v1, id)
			time.Sleep(time.Second)
		}
	})
	b := New(cfg, asked)
	total, err := drain(t.Context(), b, &older, &positions)
	stop()
	feeding.Wait()
	require.NoError(t, err)

	assert.NotEmpty(t, live.ids)
	assert.Equal(t, slices.Sorted(slices.Values(slices.Concat(v1, v2))), slices.Sorted(slices.Values(slices.Concat(live.ids, older.ids))))
	assert.Equal(t, total.Read, total.Delivered+total.DroppedTotal()+total.Repeated)
	finished := b.Progress().Finished
	require.Len(t, finished, 2)
	assert.Equal(t, asked[0].Span, finished[0].Span)
	assert.Equal(t, len(older.ids), finished[0].Read+finished[1].Read)
	assert.InDelta(t, 1, b.Progress().Share, 0)

	// Once done, it is done.
	before := len(s.Requests())
	again := New(cfg, asked)
	total, err = drain(t.Context(), again, &older, &positions)
	require.NoError(t, err)
	assert.Zero(t, total.Requests)
	assert.Len(t, s.Requests(), before)
	assert.Empty(t, again.Progress().Finished)
}

// Whenever it is stopped, and whatever fails, each batch is delivered; one whose
// position was not saved comes again.
func TestSource_ResumesAfterEveryFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, resumesAfterEveryFailure)
}

func resumesAfterEveryFailure(t *testing.T) {
	const n, batch = 2000, 100
	s, cfg := account(fakecloudflare.Options{})
	cfg.MaxEvents = batch
	until := time.Now().Add(-5 * time.Hour).UTC().Truncate(time.Second)
	since := until.Add(-n * time.Minute)
	v1, v2 := every(s, n, since, time.Minute)
	asked := []Part{
		{cloudflareaudit.AuditLogV1, selection.Span{Since: since, Until: until}, until},
		{cloudflareaudit.AuditLogV2, selection.Span{Since: since, Until: until}, until},
	}
	positions := &failing{}
	var got collector
	calls, failures, unsaved := 0, 0, 0
	var stop context.CancelFunc
	got.fail = func() error {
		calls++
		switch {
		case calls%7 == 3:
			return errors.New("the sink is full")
		case calls%7 == 5:
			stop()
		}
		return nil
	}
	positions.fail = func() bool {
		if calls%7 == 6 {
			unsaved++
			return true
		}
		return false
	}
	s.Fault(func(i int, _ *http.Request) *fakecloudflare.Fault {
		if i%11 == 7 {
			return fakecloudflare.Status(http.StatusForbidden, 10000, "no", nil)
		}
		return nil
	})
	var finished []Finished
	for {
		var ctx context.Context
		ctx, stop = context.WithCancel(t.Context())
		b := New(cfg, asked)
		_, err := drain(ctx, b, &got, positions)
		stop()
		if err == nil {
			finished = append(finished, b.Progress().Finished...)
			break
		}
		finished = append(finished, b.Progress().Finished...)
		failures++
		require.Less(t, failures, 200, "it does not get on: %v", err)
	}
	assert.Greater(t, failures, 10)
	assert.Positive(t, unsaved)
	want := slices.Sorted(slices.Values(slices.Concat(v1, v2)))
	assert.Equal(t, want, slices.Compact(got.sorted()))
	assert.LessOrEqual(t, len(got.ids)-len(want), unsaved*batch, "a batch that was saved came again")
	last := finished[len(finished)-1]
	assert.True(t, last.Resumed)
	assert.Equal(t, n, last.Read, "the counts are those of all sittings")
}

// failing is a store that fails to save.
type failing struct {
	store.Memory
	fail func() bool
}

func (f *failing) Save(ctx context.Context, key string, cursor ingest.Cursor) error {
	if f.fail() {
		return errors.New("the disk is full")
	}
	return f.Memory.Save(ctx, key, cursor)
}

// What is asked for later is read as far as it has not been read.
func TestSource_ExtendsWhatHasBeenRead(t *testing.T) {
	t.Parallel()
	s, cfg := account(fakecloudflare.Options{})
	from := time.Now().Add(-100 * time.Hour).UTC().Truncate(time.Second)
	v1, _ := every(s, 3000, from, time.Minute)
	hour := func(h int) time.Time { return from.Add(time.Duration(h) * time.Hour) }
	var got collector
	var positions store.Memory
	read := func(since, until int) []Finished {
		t.Helper()
		b := New(cfg, []Part{{cloudflareaudit.AuditLogV1, selection.Span{Since: hour(since), Until: hour(until)}, hour(50)}})
		_, err := drain(t.Context(), b, &got, &positions)
		require.NoError(t, err)
		return b.Progress().Finished
	}
	assert.Len(t, read(20, 30), 1)
	assert.Len(t, read(25, 28), 0, "within")
	assert.Len(t, read(10, 30), 1, "earlier")
	assert.Len(t, read(15, 40), 1, "later")
	assert.Len(t, read(5, 7), 1, "apart")
	assert.Len(t, read(0, 50), 3, "all the gaps")
	assert.Equal(t, v1, got.sorted())
	cursor, err := positions.Load(t.Context(), "key")
	require.NoError(t, err)
	st, err := decode(cursor, cfg.AccountID)
	require.NoError(t, err)
	assert.Equal(t, map[string]*spans{"v1": {Done: []selection.Span{{Since: hour(0), Until: hour(50)}}}}, st.Logs)
	assert.NotContains(t, string(cursor), "cfat_")
}

// A span that was begun is read to its end, also if less is asked for by then: an
// age of days means less the next day.
func TestSource_FinishesWhatItHasBegun(t *testing.T) {
	t.Parallel()
	s, cfg := account(fakecloudflare.Options{})
	cfg.MaxEvents = 200
	from := time.Now().Add(-100 * time.Hour).UTC().Truncate(time.Second)
	v1, _ := every(s, 1000, from, time.Minute)
	until := from.Add(1000 * time.Minute)
	part := func(later time.Duration) []Part {
		return []Part{{cloudflareaudit.AuditLogV1, selection.Span{Since: from.Add(later), Until: until}, until}}
	}
	var got collector
	var positions store.Memory
	ctx, cancel := context.WithCancel(t.Context())
	got.fail = func() error { cancel(); return nil }
	_, err := drain(ctx, New(cfg, part(0)), &got, &positions)
	require.ErrorIs(t, err, context.Canceled)
	got.fail = nil
	require.Less(t, len(got.ids), 500)
	_, err = drain(t.Context(), New(cfg, part(10*time.Hour)), &got, &positions)
	require.NoError(t, err)
	assert.Equal(t, v1, got.sorted())
}

// A feed that began anew, earlier, has what the backfill was about to read.
func TestSource_RefusesASpanThatTheFeedHasByNow(t *testing.T) {
	t.Parallel()
	s, cfg := account(fakecloudflare.Options{})
	cfg.MaxEvents = 100
	until := time.Now().Add(-10 * time.Hour).UTC().Truncate(time.Second)
	every(s, 1000, until.Add(-1000*time.Minute), time.Minute)
	asked := Part{cloudflareaudit.AuditLogV1, selection.Span{Since: until.Add(-1000 * time.Minute), Until: until}, until}
	b := New(cfg, []Part{asked})
	batch, err := b.Poll(t.Context(), nil)
	require.NoError(t, err)
	require.True(t, batch.More)
	asked.Span.Until, asked.Begins = until.Add(-time.Hour), until.Add(-time.Hour)
	_, err = New(cfg, []Part{asked}).Poll(t.Context(), batch.Cursor)
	assert.ErrorIs(t, err, ingest.ErrCursor)
	assert.ErrorContains(t, err, "would come twice")
}

// The cursor of a batch is all there is to know: polling from it again, by the same
// source or by another, returns the same.
func TestSource_PollsFromAnyCursorOfItsOwn(t *testing.T) {
	t.Parallel()
	s, cfg := account(fakecloudflare.Options{})
	cfg.MaxEvents = 100
	until := time.Now().Add(-10 * time.Hour).UTC().Truncate(time.Second)
	every(s, 1000, until.Add(-1000*time.Minute), time.Minute)
	asked := []Part{{cloudflareaudit.AuditLogV1, selection.Span{Since: until.Add(-1000 * time.Minute), Until: until}, until}}
	b := New(cfg, asked)
	var cursor ingest.Cursor
	for range 4 {
		first, err := b.Poll(t.Context(), cursor)
		require.NoError(t, err)
		for _, source := range []*Source{b, New(cfg, asked)} {
			again, err := source.Poll(t.Context(), cursor)
			require.NoError(t, err)
			assert.Equal(t, first.Events, again.Events)
			assert.JSONEq(t, withoutTimes(t, first.Cursor), withoutTimes(t, again.Cursor))
		}
		cursor = first.Cursor
	}
}

// withoutTimes is a cursor without when it was written.
func withoutTimes(t *testing.T, cursor ingest.Cursor) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(string(cursor)) {
		if !strings.Contains(line, "read_at") {
			lines = append(lines, line)
		}
	}
	require.True(t, json.Valid(cursor))
	return strings.Join(lines, "")
}
