package cloudflareaudit

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// A cursor grows with the entries inside the overlap, by some bytes for each,
// and is small again when they have left it.
func TestBounds_Cursor(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 1000, 100_000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			if n > 10_000 && testing.Short() {
				t.Skip("it takes a second or more")
			}
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixture(fakecloudflare.Options{})
				cfg.PageSize, cfg.Overlap, cfg.RateLimit = 1000, time.Hour, 1200
				// What a rule drops fills no batch, and is remembered all the same.
				cfg.Rules = []Rule{{ID: "all", Match: Match{Action: []string{"dns.*"}}, Drop: true}}
				now := time.Now()
				for i := range n {
					when := now.Add(-time.Duration(i+1) * 30 * time.Millisecond).UTC().Format(time.RFC3339Nano)
					server.Add(time.Time{}, json.RawMessage(fmt.Sprintf(`{"id":"id-%d","when":%q,"action":{"type":"rec_add","result":true},"resource":{"type":"dns.record"}}`, i, when)))
				}
				c := connect(t, cfg)
				var cursor ingest.Cursor
				got, polls, largest := 0, 0, 0
				for more := true; more; polls++ {
					b := poll1(t, c, cursor)
					require.Less(t, polls, 10, "the backlog does not end")
					got, cursor, more = got+b.Coverage.DroppedTotal(), b.Cursor, b.More
					largest = max(largest, len(cursor))
				}
				require.Equal(t, n, got)
				full := len(cursor)
				require.LessOrEqual(t, largest, 16*n+4096)

				for range 3 {
					time.Sleep(2 * time.Hour)
					cursor = poll1(t, c, cursor).Cursor
				}
				require.LessOrEqual(t, len(cursor), 1024)
				t.Logf("%d entries inside the overlap: %d bytes, %.1f for each, %d at most in %d polls; %d once they have left it",
					n, full, float64(full)/float64(n), largest, polls, len(cursor))
			})
		})
	}
}

// A poll holds a page and a batch at a time, however much there is to read.
func TestBounds_MemoryOfAPoll(t *testing.T) {
	// Not in parallel, because it measures the memory of the process.
	const entries = 1000
	for _, test := range []struct{ entry, page int }{{1 << 10, 100}, {20 << 10, 100}, {1 << 10, 1000}, {20 << 10, 1000}} {
		now := time.Now()
		_, cfg := fixture(fakecloudflare.Options{})
		cfg.PageSize, cfg.MaxEvents, cfg.RateLimit = test.page, entries, 1200
		// The members are looked up when the batch is complete and the page is
		// still there.
		cfg.ResolveMembers = true
		lookedUp := false
		// The connector waits while a sample is taken: collection at work counts
		// as in use what is let go meanwhile.
		var peak uint64
		sample := func() { peak = max(peak, liveHeap()) }
		// The pages are made as they are read, so that they are in the memory
		// of the connector alone.
		cfg.HTTPClient = &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
			sample()
			if strings.HasSuffix(r.URL.Path, "/members") {
				lookedUp = true
				return &http.Response{StatusCode: 403, Body: http.NoBody, Request: r}, nil
			}
			number, err := strconv.Atoi("0" + r.URL.Query().Get("page"))
			require.NoError(t, err)
			size, err := strconv.Atoi(r.URL.Query().Get("per_page"))
			require.NoError(t, err)
			first := max(number-1, 0) * size
			return &http.Response{
				StatusCode: 200, Header: http.Header{"Date": {now.UTC().Format(http.TimeFormat)}}, Request: r,
				Body: io.NopCloser(&listReader{from: first, to: 5 * entries, most: size, size: test.entry, now: now, end: sample}),
			}, nil
		})}
		c := connect(t, cfg)
		new(cloudflare.Page).Release() // of an earlier test there may be a larger one
		before := liveHeap()
		peak = before
		b := poll1(t, c, nil)
		require.Len(t, b.Events, entries)
		require.True(t, lookedUp)
		raw := 0
		for i := range b.Events {
			raw += len(b.Events[i].RawEvent)
		}
		require.GreaterOrEqual(t, raw, b.Coverage.Delivered*test.entry)
		used := peak - before
		pageBytes := test.page * test.entry
		t.Logf("%d entries of %d kB in pages of %d: %.1f MB at most, with a page of %.1f MB and a batch of %.1f MB",
			entries, test.entry>>10, test.page, mb(used), mb(uint64(pageBytes)), mb(uint64(raw)))
		// The buffer of a page grows by doubling. What an event has besides the
		// entry is small.
		require.LessOrEqual(t, used, uint64(2*pageBytes+raw+raw/4+(4<<20)))
	}
}

func mb(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// liveHeap is what the process has in use, without what awaits collection.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// listReader is a reply with at most most of the entries numbered from from up
// to to, each of the size, a tenth of a second apart. End is called when it has been read.
type listReader struct {
	from, to, most, size int
	now                  time.Time
	end                  func()

	begun, done bool
	rest        string
}

func (l *listReader) Read(p []byte) (int, error) {
	for l.rest == "" {
		switch {
		case l.done:
			return 0, io.EOF
		case !l.begun:
			l.begun, l.rest = true, `{"success":true,"result":[`
			l.to = min(l.to, l.from+l.most)
		case l.from >= l.to:
			l.done, l.rest = true, `]}`
			l.end()
		default:
			l.rest = fmt.Sprintf(`{"id":"id-%d","when":%q,"action":{"type":"rec_add"},"actor":{"id":"ca201000000000000000000000000001","type":"user"},"resource":{"type":"dns.record"},"metadata":{"fill":"`,
				l.from, l.now.Add(-time.Duration(l.from+1)*100*time.Millisecond).UTC().Format(time.RFC3339Nano))
			l.rest += strings.Repeat("x", l.size-len(l.rest)) + `"}}`
			if l.from++; l.from < l.to {
				l.rest += ","
			}
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// A reply that unpacks to more than the limit takes a bounded amount of memory,
// whatever is in it, and however often it is met.
func TestBounds_MemoryOfAReplyThatUnpacksWithoutEnd(t *testing.T) {
	// Not in parallel, because it measures the memory of the process.
	for name, piece := range map[string]string{
		"blanks":  strings.Repeat(" ", 1<<16),
		"entries": strings.Repeat(`{"id":"a","when":"2026-01-01T00:00:00Z","action":{"type":"x","b":[1,2,3,4,5,6,7]}},`, 800),
		"values":  strings.Repeat(`[0,0,0,0,0,0,0,0,0],`, 3000),
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				_, err := io.WriteString(z, `{"success":true,"result":[`)
				for err == nil {
					_, err = io.WriteString(z, piece)
				}
			}))
			defer server.Close()
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			c := connect(t, Config{
				AccountID: fakecloudflare.DefaultAccountID, APIToken: NewSecret("cfat_unpacks-" + strings.ReplaceAll(name, " ", "-")), BaseURL: server.URL,
				HTTPClient: &http.Client{Transport: transport}, RateLimit: 1200,
			})
			liveHeap()
			var idle runtime.MemStats
			runtime.ReadMemStats(&idle)
			stop := make(chan struct{})
			peak := make(chan uint64)
			go func() {
				var most uint64
				for {
					select {
					case <-stop:
						peak <- most
						return
					case <-time.After(time.Millisecond):
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						most = max(most, m.HeapInuse)
					}
				}
			}()
			first, err := c.Poll(t.Context(), nil)
			require.NoError(t, err) // which fixes where the feed begins
			_, err = c.Poll(t.Context(), first.Cursor)
			require.Error(t, err)
			close(stop)
			used := <-peak - idle.HeapInuse
			t.Logf("%.1f MB at most: %v", mb(used), err)
			require.LessOrEqual(t, used, uint64(64<<20))
		})
	}
}
