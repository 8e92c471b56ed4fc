package cloudflareaudit

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
)

// tune changes what a Config does not say: bounds that a test cannot reach.
type tune func(*cloudflare.Options, *feed.Options)

func tuned(cfg Config, change tune) (*Connector, error) {
	cfg = cfg.withDefaults()
	classifier, err := cfg.check()
	if err != nil {
		return nil, err
	}
	requests, reading := cfg.requests(), cfg.reading()
	change(&requests, &reading)
	return newConnector(cfg, classifier, requests, reading), nil
}

// connectTuned is connect with other bounds.
func connectTuned(t testing.TB, cfg Config, change tune) *Connector {
	t.Helper()
	c, err := tuned(cfg, change)
	require.NoError(t, err)
	return c
}

// unlimited is for measurements, in which the work counts and not the budget.
func unlimited(o *cloudflare.Options, _ *feed.Options) {
	o.Limiter = cloudflare.NewLimiter(rate.Inf, 1)
}

// cursorFeed is the position in one log, as the JSON of a cursor has it.
type cursorFeed struct {
	Start    time.Time         `json:"start"`
	Complete time.Time         `json:"complete"`
	Through  time.Time         `json:"through"`
	Settled  time.Time         `json:"settled"`
	ReadAt   time.Time         `json:"read_at"`
	Newest   *cursorWindow     `json:"newest"`
	Backlog  []cursorWindow    `json:"backlog"`
	Seen     map[string]string `json:"seen"`
}

type cursorWindow struct {
	Since  time.Time `json:"since"`
	Before time.Time `json:"before"`
	Offset int       `json:"offset"`
	Anchor time.Time `json:"anchor"`
}

// reached is the time down to which the window has been read.
func (w cursorWindow) reached() time.Time {
	if w.Anchor.IsZero() {
		return w.Before
	}
	return w.Anchor
}

// open counts the windows with something left to read.
func (f *cursorFeed) open() int {
	if f.Newest != nil {
		return len(f.Backlog) + 1
	}
	return len(f.Backlog)
}

// remembered counts the ids in the cursor.
func (f *cursorFeed) remembered(t *testing.T) (n int) {
	t.Helper()
	for _, ids := range f.Seen {
		b, err := base64.StdEncoding.DecodeString(ids)
		require.NoError(t, err)
		require.Zero(t, len(b)%8)
		n += len(b) / 8
	}
	return n
}

// feeds are the positions in the logs that a cursor has one for.
func feeds(cursor ingest.Cursor) (map[*cloudflare.Log]*cursorFeed, error) {
	var c struct {
		V1 *cursorFeed `json:"audit_logs"`
		V2 *cursorFeed `json:"audit_logs_v2"`
	}
	if cursor == nil {
		return nil, nil
	}
	if err := json.Unmarshal(cursor, &c); err != nil {
		return nil, err
	}
	all := map[*cloudflare.Log]*cursorFeed{}
	for log, f := range map[*cloudflare.Log]*cursorFeed{cloudflare.V1: c.V1, cloudflare.V2: c.V2} {
		if f != nil {
			all[log] = f
		}
	}
	return all, nil
}

// feedOf is the position in the audit log.
func feedOf(t *testing.T, cursor ingest.Cursor) *cursorFeed {
	t.Helper()
	all, err := feeds(cursor)
	require.NoError(t, err)
	require.NotNil(t, all[cloudflare.V1])
	return all[cloudflare.V1]
}
