package history

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/selection"
)

var tokens atomic.Int64

// account serves entries, and is read with the configuration. Each has a token
// of its own, because the budget of a token is shared in the process.
func account(o fakecloudflare.Options) (*fakecloudflare.Server, cloudflareaudit.Config) {
	o.Token = fmt.Sprintf("cfat_history%032d", tokens.Add(1))
	s := fakecloudflare.NewServer(o)
	return s, cloudflareaudit.Config{
		AccountID:   fakecloudflare.DefaultAccountID,
		APIToken:    cloudflareaudit.NewSecret(o.Token),
		BaseURL:     "http://127.0.0.1" + fakecloudflare.Prefix,
		HTTPClient:  &http.Client{Transport: s.Transport()},
		DropRoutine: new(bool),
	}
}

// entries makes one entry a minute from the time on.
func entries(n int, from time.Time) []json.RawMessage {
	list := make([]json.RawMessage, n)
	for i := range list {
		list[i] = fakecloudflare.Entry(fmt.Sprintf("id-%05d", i), from.Add(time.Duration(i)*time.Minute), 6)
	}
	return list
}

// ids reads to the end.
func ids(t *testing.T, r *Reader) []string {
	t.Helper()
	var all []string
	for !r.Done() {
		events, err := r.Next(t.Context())
		require.NoError(t, err)
		for _, e := range events {
			all = append(all, e.ExternalID)
		}
	}
	return all
}

func wanted(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf("id-%05d", i))
	}
	return all
}

func TestReader_ReadsTheSpanAndNothingElse(t *testing.T) {
	t.Parallel()
	// Windows are a little wider than the span, against rounding.
	const margin = 5 * time.Second
	start := time.Now().Add(-200 * time.Hour).UTC().Truncate(time.Second)
	for _, o := range []fakecloudflare.Options{{}, {BeforeExclusive: true}, {MostPerPage: 100}, {NoDate: true}} {
		s, cfg := account(o)
		s.Add(time.Time{}, entries(3000, start)...)
		span := selection.Span{Since: start.Add(1000 * time.Minute), Until: start.Add(1900 * time.Minute)}
		r, err := New(cfg, span, nil)
		require.NoError(t, err)
		got := ids(t, r)
		slices.Sort(got)
		assert.Equal(t, wanted(1000, 1900), got)
		for _, request := range s.Requests() {
			before, err := time.Parse(time.RFC3339, request.Query.Get("before"))
			require.NoError(t, err)
			require.False(t, before.After(span.Until.Add(margin)), "nothing newer is asked for")
			since, err := time.Parse(time.RFC3339, request.Query.Get("since"))
			require.NoError(t, err)
			require.False(t, since.Before(span.Since.Add(-margin)), "nothing older is asked for")
		}
		at, share := r.Reached()
		assert.Equal(t, span.Since, at)
		assert.InDelta(t, 1, share, 0)
	}
}

// The entries of the last minutes share the first batch with the first page of the
// older ones, which is therefore smaller than the others.
func TestReader_ReadsNoEntryTwice(t *testing.T) {
	t.Parallel()
	for _, fresh := range []int{0, 1, 70, 400} {
		s, cfg := account(fakecloudflare.Options{})
		until := time.Now().UTC().Truncate(time.Second)
		span := selection.Span{Since: until.Add(-4000 * time.Minute), Until: until}
		s.Add(time.Time{}, entries(2200, until.Add(-3000*time.Minute))...)
		s.Add(time.Time{}, fakecloudflare.Generate(1, fresh, until.Add(-8*time.Minute), until)...)
		r, err := New(cfg, span, nil)
		require.NoError(t, err)
		for !r.Done() {
			_, err := r.Next(t.Context())
			require.NoError(t, err)
		}
		c := r.Coverage()
		assert.Equal(t, 2200+fresh, c.Delivered, fresh)
		assert.Equal(t, 2200+fresh, c.Read, fresh)
		assert.Zero(t, c.Repeated, fresh)
		assert.LessOrEqual(t, c.Requests, 7, fresh)
	}
}

func TestReader_ReadsBothLogs(t *testing.T) {
	t.Parallel()
	s, cfg := account(fakecloudflare.Options{})
	cfg.AuditLogAPI = cloudflareaudit.AuditLogBoth
	start := time.Now().Add(-100 * time.Hour).UTC().Truncate(time.Second)
	var v2 []json.RawMessage
	for i := range 3000 {
		v2 = append(v2, fakecloudflare.EntryV2(fmt.Sprintf("v2-%05d", i), start.Add(time.Duration(i)*time.Minute), 6))
	}
	s.Add(time.Time{}, entries(3000, start)...)
	s.AddV2(time.Time{}, v2...)
	r, err := New(cfg, selection.Span{Since: start, Until: start.Add(2500 * time.Minute)}, nil)
	require.NoError(t, err)
	got := ids(t, r)
	assert.Len(t, got, 5000)
	slices.Sort(got)
	assert.Len(t, slices.Compact(got), 5000)
}

func TestReader_GoesOnFromACursorWithoutLossOrRepeat(t *testing.T) {
	t.Parallel()
	s, cfg := account(fakecloudflare.Options{})
	start := time.Now().Add(-100 * time.Hour).UTC().Truncate(time.Second)
	s.Add(time.Time{}, entries(5000, start)...)
	span := selection.Span{Since: start, Until: start.Add(4800 * time.Minute)}
	var cursor ingest.Cursor
	var got []string
	for {
		r, err := New(cfg, span, cursor)
		require.NoError(t, err)
		events, err := r.Next(t.Context())
		require.NoError(t, err)
		for _, e := range events {
			got = append(got, e.ExternalID)
		}
		if cursor = r.Cursor(); r.Done() {
			break
		}
	}
	slices.Sort(got)
	assert.Equal(t, wanted(0, 4800), got)
}

func TestReader_ASpanOfSecondsHoldsItsSecondsAlone(t *testing.T) {
	t.Parallel()
	s, cfg := account(fakecloudflare.Options{})
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	for i, second := range []int{-1, 0, 1, 2} {
		s.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprint(i), at.Add(time.Duration(second)*time.Second), 0))
	}
	r, err := New(cfg, selection.Span{Since: at, Until: at.Add(2 * time.Second)}, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"2", "1"}, ids(t, r))
}

func TestReader_KeepsWhatHasNoTime(t *testing.T) {
	t.Parallel()
	s, cfg := account(fakecloudflare.Options{})
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	s.Add(at.Add(time.Second), json.RawMessage(`{"id":"odd","when":"some day","action":{"type":"add"}}`))
	r, err := New(cfg, selection.Span{Since: at, Until: at.Add(time.Minute)}, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"odd"}, ids(t, r))
}

func TestCheckSpan_RefusesASpanOlderThanTheLog(t *testing.T) {
	t.Parallel()
	now := time.Now()
	assert.NoError(t, CheckSpan(selection.Span{Since: now.Add(-Kept), Until: now}))
	err := CheckSpan(selection.Span{Since: now.Add(-550 * 24 * time.Hour), Until: now})
	assert.ErrorContains(t, err, "must be within the last 548 days")
}

// A span of 18 months that was begun yesterday reaches further back than the log.
func TestReader_ResumesASpanThatHasGrownTooOldToBegin(t *testing.T) {
	t.Parallel()
	s, cfg := account(fakecloudflare.Options{})
	until := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)
	s.Add(time.Time{}, entries(2500, until.Add(-3000*time.Minute))...)
	span := selection.Span{Since: until.Add(-Kept), Until: until}
	r, err := New(cfg, span, nil)
	require.NoError(t, err)
	events, err := r.Next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, len(events), r.Last().Delivered)
	assert.Equal(t, r.Coverage().Requests, r.Last().Requests)
	before := r.Coverage()
	resumed, err := New(cfg, span, r.Cursor())
	require.NoError(t, err)
	assert.Len(t, append(ids(t, resumed), make([]string, len(events))...), 2500)
	assert.Equal(t, 2500, before.Delivered+resumed.Coverage().Delivered)
}

func TestReader_WaitsForTheBudgetAndSaysSo(t *testing.T) {
	t.Parallel()
	s, cfg := account(fakecloudflare.Options{})
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	s.Add(time.Time{}, fakecloudflare.Entry("a", at, 0))
	s.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
		if n == 1 {
			return fakecloudflare.Status(http.StatusTooManyRequests, 10429, "slow down", http.Header{"Retry-After": {"6"}})
		}
		return nil
	})
	r, err := New(cfg, selection.Span{Since: at, Until: at.Add(time.Minute)}, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var waited time.Duration
	r.OnWait = func(d time.Duration) {
		waited = d
		cancel() // the wait itself is not for a test
	}
	_, err = r.Next(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Greater(t, waited, 5*time.Second)
}

func TestMeasure_CountsAShortSpanAndEstimatesALongOne(t *testing.T) {
	t.Parallel()
	start := time.Now().Add(-200 * time.Hour).UTC().Truncate(time.Second)
	s, cfg := account(fakecloudflare.Options{})
	s.Add(time.Time{}, entries(8000, start)...)
	short, err := Measure(t.Context(), cfg, selection.Span{Since: start, Until: start.Add(50 * time.Minute)})
	require.NoError(t, err)
	assert.True(t, short.Exact)
	assert.Equal(t, 50, short.Entries)
	assert.Equal(t, 1, short.Asked)
	assert.LessOrEqual(t, short.Requests, 2)

	span := selection.Span{Since: start, Until: start.Add(8000 * time.Minute)}
	long, err := Measure(t.Context(), cfg, span)
	require.NoError(t, err)
	assert.False(t, long.Exact)
	assert.InEpsilon(t, 8000, long.Entries, 0.05)
	assert.LessOrEqual(t, long.Asked, 2*(samples+1), "a sample takes two requests: one at its end, one for what is settled")
	before := len(s.Requests())
	r, err := New(cfg, span, nil)
	require.NoError(t, err)
	assert.Len(t, ids(t, r), 8000)
	assert.InDelta(t, len(s.Requests())-before, long.Requests, 4)
}
