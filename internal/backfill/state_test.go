package backfill

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/selection"
)

// at is a time in a made-up month.
func at(hour int) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(hour) * time.Hour)
}

func span(since, until int) selection.Span { return selection.Span{Since: at(since), Until: at(until)} }

// Whatever has been read, the gaps are what has not, newest first, and each hour is
// in one of them once.
func TestNewestGap_TheGapsAreWhatHasNotBeenRead(t *testing.T) {
	t.Parallel()
	const hours = 40
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var read [hours]bool
		var done []selection.Span
		for range rng.IntN(6) {
			since := rng.IntN(hours - 1)
			until := since + 1 + rng.IntN(hours-since-1)
			done = with(done, span(since, until))
			for h := since; h < until; h++ {
				read[h] = true
			}
		}
		require.NoError(t, (&state{Logs: map[string]*spans{"v1": {Done: done}}}).check())
		since := rng.IntN(hours - 1)
		asked := span(since, since+1+rng.IntN(hours-since-1))
		want := 0
		for h := range hours {
			if !read[h] && asked.Contains(at(h)) {
				want++
			}
		}
		assert.Equal(t, time.Duration(want)*time.Hour, (&spans{Done: done}).left(asked))
		last := asked.Until
		for {
			gap, found := newestGap(asked, done)
			if !found {
				break
			}
			require.False(t, gap.Until.After(last), "newest first")
			for h := range hours {
				if gap.Contains(at(h)) {
					require.False(t, read[h], "hour %d comes twice", h)
					require.True(t, asked.Contains(at(h)))
					read[h] = true
					want--
				}
			}
			done, last = with(done, gap), gap.Since
		}
		require.Zero(t, want)
	}
}

func TestSpans_TheRestOfTheOpenSpanIsLeftToo(t *testing.T) {
	t.Parallel()
	s := &spans{Done: []selection.Span{span(0, 2)}, Open: &opened{Span: span(5, 20), Reached: at(12)}}
	assert.Equal(t, 7*time.Hour+3*time.Hour+4*time.Hour, s.left(span(0, 24)))
	s.finish()
	assert.Equal(t, []selection.Span{span(0, 2), span(5, 20)}, s.Done)
	assert.Nil(t, s.Open)
}

func TestDecode_RefusesWhatItDidNotWrite(t *testing.T) {
	t.Parallel()
	st, err := decode(nil, "a")
	require.NoError(t, err)
	st.of("v1").Done = []selection.Span{span(0, 2)}
	st.of("v2").Open = &opened{Span: span(0, 2), Reached: at(1), Cursor: []byte(`{"x":1}`)}
	good, err := st.encode()
	require.NoError(t, err)
	again, err := decode(good, "a")
	require.NoError(t, err)
	assert.Equal(t, st.Logs["v1"], again.Logs["v1"])
	assert.JSONEq(t, `{"x":1}`, string(again.Logs["v2"].Open.Cursor))

	_, err = decode(good, "b")
	assert.ErrorIs(t, err, ingest.ErrCursor)
	assert.ErrorContains(t, err, "another account")
	for _, bad := range []string{
		"", "{", "[]", `{"version":2,"account_id":"a"}`, `{"version":1,"account_id":"a","more":1}`,
		`{"version":1,"account_id":"a","logs":{"v1":null}}`,
		`{"version":1,"account_id":"a","logs":{"v1":{"done":[{"since":"2026-01-02T00:00:00Z","until":"2026-01-01T00:00:00Z"}]}}}`,
		`{"version":1,"account_id":"a","logs":{"v1":{"done":[{"since":"2026-01-01T00:00:00Z","until":"2026-01-03T00:00:00Z"},{"since":"2026-01-02T00:00:00Z","until":"2026-01-04T00:00:00Z"}]}}}`,
		`{"version":1,"account_id":"a","logs":{"v1":{"open":{"since":"2026-01-01T00:00:00Z","until":"2026-01-03T00:00:00Z","reached":"2026-01-02T00:00:00Z"}}}}`,
		`{"version":1,"account_id":"a","logs":{"v1":{"open":{"since":"2026-01-01T00:00:00Z","until":"2026-01-03T00:00:00Z","reached":"2026-01-04T00:00:00Z","cursor":{}}}}}`,
	} {
		_, err := decode(ingest.Cursor(bad), "a")
		assert.ErrorIs(t, err, ingest.ErrCursor, bad)
	}
}
