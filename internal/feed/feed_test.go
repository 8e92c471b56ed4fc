package feed

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type secret string

func (s secret) Reveal() string { return string(s) }

// Every test has a token of its own, because the limiter of a token lives as
// long as the process.
var tokens atomic.Int64

// api is a fake API, whose requests are served in memory, and its token.
type api struct {
	*fakecloudflare.Server
	token string
}

// fixture is a fake API and the options of a reader of it.
func fixture(opts fakecloudflare.Options) (api, Options) {
	opts.Token = fmt.Sprintf("cfat_feed-test-%d", tokens.Add(1))
	return api{fakecloudflare.NewServer(opts), opts.Token}, Options{
		AccountID: fakecloudflare.DefaultAccountID, Logs: []*cloudflare.Log{cloudflare.V1}, PollInterval: 5 * time.Minute,
		PageSize: 100, MaxEvents: 1000, Overlap: 10 * time.Minute, OverlapV2: 15 * time.Minute, InitialLookback: 24 * time.Hour,
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
}

func reader(server api, o Options) *Reader {
	return New(cloudflare.New(cloudflare.Options{
		AccountID: o.AccountID, Token: secret(server.token),
		BaseURL: "https://api.example.com" + fakecloudflare.Prefix, UserAgent: "test",
		HTTPClient: &http.Client{Transport: server.Transport()}, RateLimit: 1200, RequestTimeout: 30 * time.Second,
		Clock: o.Clock, Logger: o.Logger,
	}), o)
}

// recorder is a handler that keeps the ids of entries, but for those it drops.
type recorder struct {
	drops   func(id string) bool
	ids     []string
	entries []Entry
	torn    []cloudflare.Torn
	// memory is what Begin was passed, and remember what End returns.
	memory   []string
	remember json.RawMessage
	open     func(log string, first, last time.Time) bool
}

// Begin implements [Handler].
func (r *recorder) Begin(memory json.RawMessage) Kept {
	r.memory = append(r.memory, string(memory))
	return Kept{}
}

// End implements [Handler].
func (r *recorder) End(open func(log string, first, last time.Time) bool) json.RawMessage {
	r.open = open
	return r.remember
}

func (r *recorder) Entry(e Entry) Kept {
	id := strings.Clone(e.Doc.Root().Get("id").Text())
	if r.drops != nil && r.drops(id) {
		return Kept{}
	}
	r.ids, r.entries = append(r.ids, id), append(r.entries, e)
	return Kept{1, len(e.Doc.Source())}
}

func (r *recorder) Unreadable(t cloudflare.Torn, _ error, _ time.Time) Kept {
	r.ids, r.torn = append(r.ids, t.ID), append(r.torn, t)
	return Kept{1, len(t.Text)}
}

func poll1(t *testing.T, r *Reader, cursor ingest.Cursor, h Handler) Result {
	t.Helper()
	out, err := r.Poll(t.Context(), cursor, h)
	require.NoError(t, err)
	return out
}

func fill(server api, n int, step time.Duration) {
	now := time.Now()
	for i := range n {
		server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("id-%d", i), now.Add(-time.Duration(i+1)*step).Truncate(time.Microsecond), 6))
	}
}

func TestPoll_HandsOutEachEntryOnceWithItsPlaceAndItsBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, o := fixture(fakecloudflare.Options{})
		fill(server, 250, 2*time.Second)
		now := time.Now()
		r := reader(server, o)
		var h recorder
		out := poll1(t, r, nil, &h)
		require.False(t, out.More)
		require.Len(t, h.ids, 250)
		for i, e := range h.entries {
			require.Equal(t, fmt.Sprintf("id-%d", i), h.ids[i])
			require.Equal(t, cloudflare.V1, e.Log)
			require.Equal(t, now.Add(-time.Duration(i+1)*2*time.Second).UTC(), e.Place)
			onPage := min(100, 250-i/100*100)
			require.Equal(t, onPage-i%100, e.Following, i)
		}
		require.Equal(t, 250, out.Coverage.Read)
		time.Sleep(o.PollInterval)
		again := poll1(t, r, out.Cursor, &h)
		require.Len(t, h.ids, 250)
		require.Equal(t, again.Coverage.Read, again.Coverage.Repeated)
	})
}

// What a handler drops fills no batch, is not counted as late, and is not shown
// to it again.
func TestPoll_CountsWhatTheHandlerKeeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, o := fixture(fakecloudflare.Options{})
		o.MaxEvents = 10
		fill(server, 90, time.Second)
		calls := 0
		h := recorder{drops: func(id string) bool { calls++; return id != "id-0" && id != "id-80" }}
		r := reader(server, o)
		out := poll1(t, r, nil, &h)
		require.Equal(t, []string{"id-0", "id-80"}, h.ids)
		require.Equal(t, 90, calls)
		require.False(t, out.More)

		late := time.Now().Add(-time.Minute)
		server.Add(time.Now().Add(time.Second), fakecloudflare.Entry("late-dropped", late, 0), fakecloudflare.Entry("id-80", late, 0))
		server.Add(time.Now().Add(time.Second), fakecloudflare.Entry("late", late, 0))
		h.drops = func(id string) bool { return id == "late-dropped" }
		time.Sleep(o.PollInterval)
		out = poll1(t, r, out.Cursor, &h)
		require.Equal(t, []string{"id-0", "id-80", "late"}, h.ids)
		require.Equal(t, 1, out.Coverage.Late)
	})
}

func TestPoll_EndsWhenTheHandlerHoldsAsMuchAsABatchMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, o := fixture(fakecloudflare.Options{})
		fill(server, 50, time.Second)
		h := heavy{each: MaxBatchBytes/10 + 1}
		out := poll1(t, reader(server, o), nil, &h)
		require.Equal(t, 10, h.calls)
		require.True(t, out.More)
	})
}

// heavy is a handler for which every entry is large.
type heavy struct{ each, calls int }

func (h *heavy) Begin(json.RawMessage) Kept { return Kept{} }

func (h *heavy) End(func(string, time.Time, time.Time) bool) json.RawMessage { return nil }

func (h *heavy) Entry(Entry) Kept {
	h.calls++
	return Kept{1, h.each}
}

func (h *heavy) Unreadable(cloudflare.Torn, error, time.Time) Kept { return Kept{1, h.each} }

func TestPoll_AnUnreadableEntryIsHandedOutWithItsIDAndABoundedText(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, o := fixture(fakecloudflare.Options{})
		o.PageSize = 1
		when := time.Now().Add(-time.Minute).UTC()
		stamp := when.Format(time.RFC3339)
		server.Add(time.Time{}, fakecloudflare.Entry("newer", when.Add(time.Second), 0))
		server.Add(when, []byte(fmt.Sprintf(`{"id":"torn","when":%q,"x":oops,"y":"%s"}`, stamp, strings.Repeat("y", 2*MaxKept))))
		server.Add(when, []byte(fmt.Sprintf(`{"when":%q,"x":oops}`, stamp)))
		server.Add(time.Time{}, fakecloudflare.Entry("older", when.Add(-time.Second), 0))
		var h recorder
		r := reader(server, o)
		out := poll1(t, r, nil, &h)
		for out.More {
			out = poll1(t, r, out.Cursor, &h)
		}
		require.Len(t, h.torn, 2)
		slices.SortFunc(h.torn, func(a, b cloudflare.Torn) int { return len(b.Text) - len(a.Text) })
		require.Equal(t, "torn", h.torn[0].ID)
		require.Equal(t, when, h.torn[0].When)
		require.Len(t, h.torn[0].Text, MaxKept)
		require.Contains(t, h.torn[1].ID, "sha256-", "an id is derived from the text")
		require.Subset(t, h.ids, []string{"newer", "torn", h.torn[1].ID, "older"})
		require.Len(t, h.ids, 4)
	})
}

func TestPoll_CompleteWaitsForWhatFoundNoRoomInTheBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, o := fixture(fakecloudflare.Options{})
		now := time.Now().UTC()
		settled := now.Add(-2 * time.Hour)
		pos := &position{Version: cursorVersion, AccountID: o.AccountID, AuditLogs: &feed{
			Start: now.Add(-24 * time.Hour), Settled: settled, ReadAt: now.Add(-time.Hour), Seen: seen{},
		}}
		for i := range MaxBacklog {
			before := settled.Add(-time.Duration(i) * time.Minute)
			pos.AuditLogs.Backlog = append(pos.AuditLogs.Backlog, window{Since: before.Add(-time.Minute), Before: before, Offset: 1, Anchor: before.Add(-time.Second)})
		}
		// More than a page in the hour before now, and what is settled of it unread.
		for i := range 110 {
			server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("id-%d", i), now.Add(-time.Duration(i)*time.Minute/2-time.Second), 0))
		}
		cursor, err := pos.encode()
		require.NoError(t, err)
		var h recorder
		out := poll1(t, reader(server, o), cursor, &h)
		require.Less(t, len(h.ids), 110)
		require.Equal(t, settled, out.Coverage.Complete, "what is settled has not been read: %s", out.Cursor)
	})
}

func TestPoll_ACursorAtTheLargestOffsetIsAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, o := fixture(fakecloudflare.Options{})
		server.Fault(func(n int, r *http.Request) *fakecloudflare.Fault {
			list := ""
			for i := range 1000 {
				if i > 0 {
					list += ","
				}
				list += string(fakecloudflare.Entry(fmt.Sprintf("id-%d-%d", n, i), time.Now().Add(-time.Hour), 0))
			}
			return fakecloudflare.Reply(200, nil, `{"success":true,"result":[`+list+`]}`)
		})
		now := time.Now().UTC()
		pos := &position{Version: cursorVersion, AccountID: o.AccountID, AuditLogs: &feed{
			Start: now.Add(-24 * time.Hour), Settled: now.Add(-10 * time.Minute), ReadAt: now, Seen: seen{},
			Backlog: []window{{Since: now.Add(-24 * time.Hour), Before: now.Add(-10 * time.Minute), Offset: maxOffset - cloudflare.MaxPageSize, Anchor: now.Add(-time.Hour)}},
		}}
		cursor, err := pos.encode()
		require.NoError(t, err)
		r := reader(server, o)
		for {
			out, err := r.Poll(t.Context(), cursor, &recorder{})
			if err != nil {
				require.ErrorContains(t, err, "do not come to an end")
				return
			}
			cursor = out.Cursor
		}
	})
}

func TestFeed_WithoutRoomInTheBacklogTheNewestWindowKeepsWhatIsSettled(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := feed{Settled: at, Newest: &window{Since: at, Before: at.Add(time.Hour), Settled: at.Add(time.Minute)}}
	for i := range MaxBacklog - 1 {
		end := at.Add(-time.Duration(i) * time.Hour)
		f.Backlog = append(f.Backlog, window{Since: end.Add(-time.Hour), Before: end, Offset: 1})
	}
	// There is room for one.
	f.split()
	require.Len(t, f.Backlog, MaxBacklog)
	require.Equal(t, window{Since: at, Before: at.Add(time.Minute), closed: true}, f.Backlog[0])
	require.Equal(t, at.Add(time.Minute), f.Settled)
	require.Equal(t, f.Settled, f.Newest.Since)

	f.Backlog[0].Offset = 1
	f.Newest.Settled = at.Add(2 * time.Minute)
	f.split()
	require.Len(t, f.Backlog, MaxBacklog)
	require.Equal(t, at.Add(time.Minute), f.Settled)
	require.Equal(t, f.Settled, f.Newest.Since)
	// Nor does it count as settled when the window ends there.
	f.finishNewest(settledLeft)
	require.Len(t, f.Backlog, MaxBacklog)
	require.Equal(t, at.Add(time.Minute), f.Settled)
}

// The form of a cursor is a promise: another release reads it. Windows of the
// backlog are settled in every process that reads one.
func TestCursor_HasTheFormThatItsDocumentationShows(t *testing.T) {
	t.Parallel()
	const text = `{
 "version": 1,
 "account_id": "023e105f4ecef8ad9ca31a8372d0c353",
 "audit_logs": {
  "start": "2026-03-01T00:00:00Z",
  "complete": "2026-03-02T09:00:00Z",
  "through": "2026-03-02T10:00:00Z",
  "settled": "2026-03-02T09:50:00Z",
  "read_at": "2026-03-02T10:00:00Z",
  "all_read_at": "2026-03-02T09:59:00Z",
  "newest": {
   "since": "2026-03-02T09:50:00Z",
   "before": "2026-03-02T10:00:00Z",
   "offset": 1000,
   "anchor": "2026-03-02T09:51:00Z",
   "last": "12345678901234567890",
   "last_at": "2026-03-02T09:51:00Z",
   "settled": "2026-03-02T09:50:00Z",
   "read_at": "2026-03-02T10:00:00Z",
   "waits": true
  },
  "backlog": [
   {
    "since": "2026-03-02T09:00:00Z",
    "before": "2026-03-02T09:50:00Z",
    "offset": 2000,
    "behind": "7",
    "behind_at": "2026-03-02T09:40:00Z",
    "hide_user_logs": true
   }
  ],
  "seen": {
   "2026-03-02T09:51:00Z": "AAAAAAAAAAGrVKmM6x8K0g==",
   "2026-03-02T09:52:00Z": "AAAAAAAAAAI="
  }
 },
 "audit_logs_v2": {
  "start": "2026-03-01T00:00:00Z",
  "settled": "2026-03-02T09:45:00Z",
  "backlog": [
   {
    "since": "2026-03-02T09:00:00Z",
    "before": "2026-03-02T09:45:00Z",
    "offset": 300,
    "trail": {
     "since": "2026-03-02T09:00:00Z",
     "before": "2026-03-02T09:45:00Z",
     "next": "abc"
    }
   }
  ]
 }
}`
	pos, err := decodePosition(ingest.Cursor(text), "023e105f4ecef8ad9ca31a8372d0c353")
	require.NoError(t, err)
	require.True(t, pos.AuditLogs.Backlog[0].closed)
	require.False(t, pos.AuditLogs.Newest.closed)
	require.True(t, pos.AuditLogsV2.Backlog[0].closed)
	again, err := pos.encode()
	require.NoError(t, err)
	require.Equal(t, text, string(again))
}

func TestSeen_RefusesWhatItDidNotWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[]`:                              "must be an object",
		`{`:                               "must be an object",
		`{"2026-03-02T09:51:01Z":""}`:     "is not a minute in UTC",
		`{"2026-03-02T09:51:00Z":7}`:      "are damaged",
		`{"2026-03-02T09:51:00Z":"AAAA"}`: "are damaged",
		`{"2026-03-02T09:51:00Z":"A"}`:    "illegal base64",
	} {
		var s seen
		assert.ErrorContains(t, s.UnmarshalJSON([]byte(text)), want, text)
	}
}

// What a handler remembers is as safe as the position: it is in the cursor, and
// comes back with it.
func TestPoll_TheCursorKeepsWhatTheHandlerRemembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, o := fixture(fakecloudflare.Options{})
		fill(server, 10, time.Minute)
		r := reader(server, o)
		h := recorder{remember: json.RawMessage(`{"a": [1]}`)}
		first := poll1(t, r, nil, &h)
		require.Equal(t, []string{""}, h.memory)
		require.Contains(t, string(first.Cursor), `"version": 2`)
		now := time.Now()
		require.True(t, h.open("v1", now.Add(-time.Minute), now))
		require.False(t, h.open("v1", now.Add(-3*time.Hour), now.Add(-2*time.Hour)), "it is settled")
		require.False(t, h.open("v2", now.Add(-time.Minute), now), "it is not read")
		require.True(t, h.open("", now.Add(-time.Minute), now))
		require.False(t, h.open("", now.Add(-3*time.Hour), now.Add(-2*time.Hour)))

		h.remember = nil
		second := poll1(t, r, first.Cursor, &h)
		require.JSONEq(t, `{"a":[1]}`, h.memory[1])
		// A release that knows no memory can read a cursor without one.
		require.Contains(t, string(second.Cursor), `"version": 1`)
		require.NotContains(t, string(second.Cursor), "memory")
	})
}

// While a backlog is unread, entries from it are still to come.
func TestFeed_WhatIsInTheBacklogIsOpen(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := feed{Settled: at, Backlog: []window{{Since: at.Add(-3 * time.Hour), Before: at.Add(-time.Hour), Anchor: at.Add(-2 * time.Hour)}}}
	for hours, want := range map[float64]bool{-3.5: false, -2.5: true, -1.5: false, -0.5: false, 0.5: true} {
		from := at.Add(time.Duration(hours * float64(time.Hour)))
		require.Equal(t, want, f.open(from, from.Add(time.Minute)), hours)
	}
}
