//go:build !race

package cloudflareaudit

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// With the race detector pools forget at random, and all counts are higher.

// An entry that becomes an event takes few allocations, the poll's own and those
// of the line included.
func TestCost_AllocationsOfAnEvent(t *testing.T) {
	// Not in parallel, because it measures the process.
	now := benchNow
	c := connectToPage(t, &now)
	var line []byte
	allocations := testing.AllocsPerRun(5, func() {
		b, err := c.Poll(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, b.Events, benchEntries)
		for i := range b.Events {
			line = b.Events[i].AppendJSON(line[:0])
		}
	}) / benchEntries
	t.Logf("%.2f allocations for each event", allocations)
	require.LessOrEqual(t, allocations, 5.0)
}

// An entry that is read again, in the overlap, takes next to none: its id alone is
// looked at. The cursor with all the ids is read and written once.
func TestCost_AllocationsOfAnEntryReadAgain(t *testing.T) {
	now := benchNow
	c := connectToPage(t, &now)
	var b ingest.Batch
	var err error
	for b.More = true; b.More; {
		b, err = c.Poll(t.Context(), b.Cursor)
		require.NoError(t, err)
	}
	now = now.Add(5 * time.Minute) // all of the overlap is due
	cursor := b.Cursor
	allocations := testing.AllocsPerRun(5, func() {
		b, err = c.Poll(t.Context(), cursor)
		require.NoError(t, err)
		require.GreaterOrEqual(t, b.Coverage.Repeated, benchEntries)
		require.Equal(t, b.Coverage.Read, b.Coverage.Repeated)
	}) / float64(b.Coverage.Repeated)
	t.Logf("%.2f allocations for each entry read again", allocations)
	require.LessOrEqual(t, allocations, 0.6)
}

// connectToPage connects to an account whose log is one page of 1000 entries, by a
// clock that shows now.
func connectToPage(t *testing.T, now *time.Time) *Connector {
	t.Helper()
	entries := fakecloudflare.Generate(1, benchEntries, benchNow.Add(-time.Hour), benchNow)
	page, keep := pageOf(entries), false
	return connectTuned(t, Config{
		AccountID: fakecloudflare.DefaultAccountID, APIToken: NewSecret("cfat_allocations-test-token"), DropRoutine: &keep,
		HTTPClient: &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
			body := page
			size, err := strconv.Atoi(r.URL.Query().Get("per_page"))
			require.NoError(t, err)
			if size < benchEntries {
				body = pageOf(entries[benchEntries-size:])
			}
			if number := r.URL.Query().Get("page"); number != "" && number != "1" {
				body = pageOf(nil)
			}
			return &http.Response{
				StatusCode: 200, Header: http.Header{"Date": {now.Format(http.TimeFormat)}}, Request: r,
				Body: io.NopCloser(bytes.NewReader(body)),
			}, nil
		})},
		Clock: func() time.Time { return *now }, Overlap: 2 * time.Hour, PageSize: benchEntries,
	}, unlimited)
}
