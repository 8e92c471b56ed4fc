package feed

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
)

// Pages that were asked for before the window began later still show what is older.
// An entry without a time of its own is not left out there, because its place says
// little, and it must come only once although its place lies before the window.
func TestClaim_AnEntryWithoutATimeThatStandsBeforeItsWindow(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 5, 12, 9, 0, 0, 0, time.UTC)
	for _, before := range []time.Duration{0, 2 * time.Minute, time.Hour} {
		p := poll{
			reader: &Reader{opts: Options{MaxIDs: 10}}, log: cloudflare.V2, endpoint: &followedPages{},
			feed: &feed{Settled: since, Seen: make(seen)},
		}
		w := &window{Since: since, Before: since.Add(10 * time.Minute)}
		place := since.Add(-before)
		assert.Equal(t, fresh, p.claim(w, 0, 1, place, false), before)
		p.feed.prune() // as when the cursor is saved
		assert.Equal(t, another, p.claim(w, 1, 1, place, false), before)
		if before > 0 {
			assert.Equal(t, another, p.claim(w, 2, 2, place, true), "an entry with a time is one of the window before")
		}
	}
}
