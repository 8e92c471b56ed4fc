//go:build !race

package cloudflareaudit

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/cfapi"
)

// With the race detector pools forget at random, and all counts are higher.

// An entry that becomes an event takes few allocations, the poll's own and those
// of the line included.
func TestCost_AllocationsOfAnEvent(t *testing.T) {
	// Not in parallel, because it measures the process.
	page, keep := usualPage(), false
	c := connect(t, Config{
		AccountID: cfapi.DefaultAccountID, APIToken: NewSecret("cfat_allocations-test-token"), DropRoutine: &keep,
		HTTPClient: &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: 200, Header: http.Header{"Date": {benchNow.Format(http.TimeFormat)}}, Request: r,
				Body: io.NopCloser(bytes.NewReader(page)),
			}, nil
		})},
		Clock: func() time.Time { return benchNow }, Overlap: 2 * time.Hour, PageSize: benchEntries,
	})
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
