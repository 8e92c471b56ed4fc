package cloudflareaudit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
)

// Of a page that cannot be read, what precedes the fault is used, so that one
// such entry costs a few requests: as many as it takes to ask for it alone and,
// in the audit log, to get back to pages of the usual size behind it.
func TestPoll_AnUnreadableEntryCostsFewRequests(t *testing.T) {
	t.Parallel()
	requests := func(t *testing.T, v2 bool, at int, takes time.Duration) (n int) {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(fakecloudflare.Options{})
			add, entry, bad := server.Add, fakecloudflare.Entry, `{"id":"id-%d","when":%q,"actor":{"email":nonsense}}`
			if v2 {
				server, cfg = fixtureV2(fakecloudflare.Options{})
				add, entry, bad = server.AddV2, fakecloudflare.EntryV2, `{"id":"id-%d","action":{"time":%q,"type":oops}}`
			}
			now := time.Now()
			for i := range 800 {
				when := now.Add(-time.Duration(i+1) * time.Second)
				raw := entry(fmt.Sprintf("id-%d", i), when, 0)
				if i == at {
					raw = json.RawMessage(fmt.Sprintf(bad, i, when.Format(time.RFC3339)))
				}
				add(time.Time{}, raw)
			}
			server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Delay(takes) })
			var log bytes.Buffer
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			got, _, _ := drain(t, connect(t, cfg), nil)
			require.Equal(t, numbered(800), got)
			require.NotContains(t, log.String(), "clock")
			n = len(server.Requests())
		})
		return n
	}
	for _, v2 := range []bool{false, true} {
		const usual = 2 * time.Second
		sound := requests(t, v2, -1, usual)
		for at, most := range map[int]int{0: 18, 57: 7, 99: 6, 700: 4} {
			if v2 {
				most = 5
			}
			assert.LessOrEqual(t, requests(t, v2, at, usual)-sound, most, "Audit Logs v2 %v, entry %d", v2, at)
		}
		// However long they take, the local clock is not to blame.
		requests(t, v2, 0, 10*time.Second)
	}
}

// The server's time is that of every reply, also of one that cannot be read: with a
// local clock that is ahead, a window would otherwise end in the future, and hide what
// appears until then.
func TestPoll_AnUnreadableEntryTellsTheServersTime(t *testing.T) {
	t.Parallel()
	for _, v2 := range []bool{false, true} {
		for _, off := range []time.Duration{25 * time.Hour, time.Hour, -time.Hour} {
			for _, unreadable := range []int{1, 2} {
				t.Run(fmt.Sprintf("v2 %v, %v off, %d unreadable", v2, off, unreadable), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						server, cfg := fixture(fakecloudflare.Options{})
						add, entry, bad := server.Add, fakecloudflare.Entry, `{"id":"id-%d","when":%q,"actor":{"email":nonsense}}`
						if v2 {
							server, cfg = fixtureV2(fakecloudflare.Options{})
							add, entry, bad = server.AddV2, fakecloudflare.EntryV2, `{"id":"id-%d","action":{"time":%q,"type":oops}}`
						}
						cfg.Clock = func() time.Time { return time.Now().Add(off).Round(0) }
						cfg.InitialLookback = 26 * time.Hour
						now := time.Now()
						for i := range 10 {
							when := now.Add(-time.Duration(i+1) * time.Second)
							raw := entry(fmt.Sprintf("id-%d", i), when, 0)
							if i < unreadable {
								raw = json.RawMessage(fmt.Sprintf(bad, i, when.Format(time.RFC3339)))
							}
							add(time.Time{}, raw)
						}
						got, cursor, _ := drain(t, connect(t, cfg), nil)
						time.Sleep(time.Hour)
						when := time.Now().Add(-time.Minute)
						add(time.Time{}, entry("id-10", when, 0))
						b := poll1(t, connect(t, cfg), cursor) // another process
						require.Equal(t, numbered(11), append(got, ids(b)...))
					})
				})
			}
		}
	}
}

// Where the server shows fewer entries at once than asked for, a later page with a
// fault does not stand where it was asked for.
func TestPoll_AnUnreadableEntryUnderALowerLimitHidesNothing(t *testing.T) {
	t.Parallel()
	for _, most := range []int{100, 250, 999} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(fakecloudflare.Options{MostPerPage: most})
			cfg.InitialLookback = 2 * time.Hour
			now := time.Now().Add(-time.Hour)
			for i := range 2500 {
				when := now.Add(-time.Duration(i+1) * time.Second)
				raw := fakecloudflare.Entry(fmt.Sprintf("id-%d", i), when, 0)
				if i%93 == 60 {
					raw = json.RawMessage(fmt.Sprintf(`{"id":"id-%d","when":%q,"actor":{"email":nonsense}}`, i, when.Format(time.RFC3339)))
				}
				server.Add(time.Time{}, raw)
			}
			c := connect(t, cfg)
			var cursor ingest.Cursor
			var got []string
			for range 60 {
				b := poll1(t, c, cursor)
				got, cursor = append(got, ids(b)...), b.Cursor
				time.Sleep(time.Minute)
			}
			require.Equal(t, numbered(2500), got)
		})
	}
}

// A server that shows fewer entries at once than a usual page has, however many are asked
// for, hides none of the others. A poll by a new process knows nothing of its limit.
func TestPoll_AServerWithSmallPagesHidesNothing(t *testing.T) {
	t.Parallel()
	for _, most := range []int{10, 20, 25, 50, 75, 100} {
		for _, n := range []int{most - 1, most, most + 1, 2 * most, 3*most + 4, 312, 1312} {
			for _, anew := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					server, cfg := fixture(fakecloudflare.Options{MostPerPage: most})
					cfg.InitialLookback = 2 * time.Hour
					for i := range n {
						id := fmt.Sprintf("id-%d", i)
						server.Add(time.Time{}, fakecloudflare.Entry(id, time.Now().Add(-30*time.Minute-time.Duration(i)*time.Second), 0))
					}
					c := connect(t, cfg)
					var cursor ingest.Cursor
					var got []string
					for range 20 {
						if anew {
							c = connect(t, cfg)
						}
						b := poll1(t, c, cursor)
						got, cursor = append(got, ids(b)...), b.Cursor
						time.Sleep(time.Minute)
					}
					require.Equal(t, numbered(n), got, "%d a page, %d entries, anew %t", most, n, anew)
				})
			}
		}
	}
}

// A server that does not page as asked repeats no entry and hides none: the poll
// says what is wrong.
func TestPoll_AServerThatIgnoresPagingRepeatsAndHidesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		ignored  string
		n, torn  int
		nameless bool
	}{
		{"page per_page", 100, -1, false},
		{"page per_page", 100, -1, true},
		{"page per_page", 150, -1, true},
		{"page per_page", 3, 0, false},
		{"page per_page", 3, 1, true},
		{"page", 150, -1, false},
		{"page", 150, -1, true},
		{"page", 3, 0, false},
		{"page", 3, 1, false},
		{"page", 3, 2, false},
		{"page", 10, 9, false},
		{"page", 100, 99, false},
		{"page", 100, 98, false},
		{"page", 100, 50, false},
		{"page", 150, 149, false},
		{"page", 150, 99, false},
		{"page per_page", 100, 99, false},
		{"page per_page", 3, 2, false},
		{"per_page", 100, 99, false},
		{"per_page", 150, 149, false},
		{"page", 3, 1, true},
		{"per_page", 3, 0, false},
		{"per_page", 3, 1, false},
		{"per_page", 3, 2, false},
	} {
		t.Run(fmt.Sprintf("%+v", test), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixture(fakecloudflare.Options{})
				for i := range test.n {
					name, action := "id", `"rec_add"`
					if test.nameless {
						name = "x"
					}
					if i == test.torn {
						action = "oops"
					}
					server.Add(time.Time{}, json.RawMessage(fmt.Sprintf(`{%q:"id-%d","when":%q,"action":{"type":%s,"result":true},"resource":{"type":"dns.record"}}`,
						name, i, time.Now().Add(-30*time.Minute-time.Duration(i)*time.Second).UTC().Format(time.RFC3339), action)))
				}
				server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
					return fakecloudflare.Custom(func(r *http.Request, answer func() *http.Response) (*http.Response, error) {
						q := r.URL.Query()
						for name := range strings.FieldsSeq(test.ignored) {
							q.Del(name)
						}
						r.URL.RawQuery = q.Encode()
						return answer(), nil
					})
				})
				c := connect(t, cfg)
				var cursor ingest.Cursor
				got, failed := map[string]int{}, 0
				for range 12 {
					b, err := c.Poll(t.Context(), cursor)
					for _, id := range ids(b) {
						got[id]++
						require.Equal(t, 1, got[id], id)
					}
					if err != nil {
						failed++
						require.Regexp(t, "same entries|more entries than|pages asked for|not the JSON", err.Error())
						require.LessOrEqual(t, b.Coverage.Requests, 30)
					} else {
						cursor = b.Cursor
					}
					time.Sleep(5 * time.Minute)
				}
				require.True(t, len(got) == test.n || failed > 5, "%d of %d entries, %d failures", len(got), test.n, failed)
			})
		})
	}
}

// Pages of Audit Logs v2 that lead back to where they have been do not stop the
// feed: it goes on by time.
func TestPoll_V2PagesThatLeadBackDoNotStopTheFeed(t *testing.T) {
	t.Parallel()
	for back, limit := range map[int]int{0: 100, 1: 100, 2: 100, 7: 100, 49: 20} {
		// Pages of seconds are within the span of which ids are remembered.
		for _, step := range []time.Duration{3 * time.Second, 50 * time.Millisecond} {
			t.Run(fmt.Sprintf("%d pages back, entries every %v", back, step), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					server, cfg := fixtureV2(fakecloudflare.Options{MostLimit: limit})
					fillV2(server, 1500, step)
					leadBack(server, back)
					c := connect(t, cfg)
					var cursor ingest.Cursor
					var got []string
					for range 150 {
						b := poll1(t, c, cursor)
						got, cursor = append(got, ids(b)...), b.Cursor
						require.LessOrEqual(t, len(server.Requests()), 275)
						if !b.More {
							break
						}
					}
					slices.Sort(got)
					want := numbered(1500)
					slices.Sort(want)
					require.Equal(t, want, got)
				})
			})
		}
	}
}

// leadBack makes every third page of a window lead back by so many pages, or to
// itself.
func leadBack(server *fakecloudflare.Server, back int) {
	var trail []string
	server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
		return fakecloudflare.Custom(func(r *http.Request, answer func() *http.Response) (*http.Response, error) {
			asked := r.URL.Query().Get("cursor")
			if asked == "" {
				trail = nil
			}
			if i := slices.Index(trail, asked); i >= 0 {
				trail = trail[:i]
			}
			trail = append(trail, asked)
			resp := answer()
			if at := len(trail) - 1 - back; len(trail)%3 == 0 && at >= 0 && trail[at] != "" {
				return changed(resp, func(reply map[string]json.RawMessage) { reply["result_info"] = cursorInfo(trail[at]) })
			}
			return resp, nil
		})
	})
}

// changed is a reply with other members.
func changed(resp *http.Response, change func(reply map[string]json.RawMessage)) (*http.Response, error) {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var reply map[string]json.RawMessage
	if err := json.Unmarshal(body, &reply); err != nil {
		return nil, err
	}
	change(reply)
	body, err = json.Marshal(reply)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, err
}

// cursorInfo is the result_info that leads to a page.
func cursorInfo(cursor string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"cursor":%q}`, cursor))
}

// Where the pages of Audit Logs v2 lead to when there is nothing more.
const (
	toItself  = "itself"
	toFirst   = "the first page"
	toEmpty   = "empty pages"
	wholeOnly = "the first page, from every page"
)

// endless is a server of v2 all pages of which lead on. Cursors of its own say which
// page they lead to; changing ones are used once.
func endless(to string, changing bool) *fakecloudflare.Fault {
	const own, none = "own-", "none"
	made := 0
	return fakecloudflare.Custom(func(r *http.Request, answer func() *http.Response) (*http.Response, error) {
		q := r.URL.Query()
		page := q.Get("cursor")
		if rest, ok := strings.CutPrefix(page, own); ok {
			_, page, _ = strings.Cut(rest, "-")
		}
		q.Del("cursor")
		if page != "" && page != none {
			q.Set("cursor", page)
		}
		r.URL.RawQuery = q.Encode()
		return changed(answer(), func(reply map[string]json.RawMessage) {
			var info struct{ Cursor string }
			_ = json.Unmarshal(reply["result_info"], &info)
			if page == none {
				reply["result"], info.Cursor = json.RawMessage(`[]`), ""
			}
			if info.Cursor != "" && to != wholeOnly {
				return
			}
			if changing {
				made++
			}
			next := map[string]string{toItself: page, toEmpty: none}[to]
			reply["result_info"] = cursorInfo(fmt.Sprintf("%s%d-%s", own, made, next))
		})
	})
}

// An end of Audit Logs v2 that leads on is an end all the same, from whichever poll
// on the server has none, and for every process that goes on from the cursor.
func TestPoll_V2PagesWithoutAnEndDoNotStopTheFeed(t *testing.T) {
	t.Parallel()
	for _, to := range []string{toItself, toFirst, toEmpty, wholeOnly} {
		for _, changing := range []bool{false, true} {
			for _, n := range []int{1, 30, 100, 950} {
				for from := range 3 {
					t.Run(fmt.Sprintf("to %s, changing %v, %d entries, from poll %d", to, changing, n, from), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							server, cfg := fixtureV2(fakecloudflare.Options{MostLimit: 100})
							cfg.MaxEvents = 350
							fillV2(server, n, 20*time.Second)
							fault, polls := endless(to, changing), 0
							server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
								if polls < from {
									return nil
								}
								return fault
							})
							var cursor ingest.Cursor
							var got, want []string
							for want = numbered(n); polls < 20; polls++ {
								before := len(server.Requests())
								b, err := connect(t, cfg).Poll(t.Context(), cursor) // another process
								if err != nil {
									// Where there is nothing, empty pages may have no end.
									require.True(t, changing)
									require.ErrorContains(t, err, "one empty page leads to another")
									b.Cursor = cursor
								}
								require.LessOrEqual(t, len(server.Requests())-before, 85)
								got, cursor = append(got, ids(b)...), b.Cursor
								if b.More || polls == 19 {
									continue
								}
								if err == nil {
									require.WithinDuration(t, time.Now(), b.Coverage.Complete, 30*time.Second)
								}
								time.Sleep(5 * time.Minute)
								want = append(want, fmt.Sprint("new-", polls))
								server.AddV2(time.Time{}, fakecloudflare.EntryV2(fmt.Sprint("new-", polls), time.Now().Add(-time.Second), 6))
							}
							require.ElementsMatch(t, want, got)
							require.Greater(t, len(want), n+10)
						})
					})
				}
			}
		}
	}
}

// Empty pages in front of the entries, from either end, are followed for a while.
func TestPoll_V2EmptyPagesInFrontOfEntriesAreFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixtureV2(fakecloudflare.Options{MostLimit: 100})
		fillV2(server, 150, 20*time.Second)
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Custom(func(r *http.Request, answer func() *http.Response) (*http.Response, error) {
				const own, most = "own-", 20
				q, n := r.URL.Query(), 0
				page, made := strings.CutPrefix(q.Get("cursor"), own)
				if _, err := fmt.Sscan(page, &n); q.Has("cursor") && !made || err == nil && n == most {
					if made {
						q.Del("cursor")
						r.URL.RawQuery = q.Encode()
					}
					return answer(), nil
				}
				q.Del("cursor")
				r.URL.RawQuery = q.Encode()
				return changed(answer(), func(reply map[string]json.RawMessage) {
					reply["result"], reply["result_info"] = json.RawMessage(`[]`), cursorInfo(fmt.Sprint(own, n+1))
				})
			})
		})
		got, _, _ := drain(t, connect(t, cfg), nil)
		require.Equal(t, numbered(150), got)
	})
}

// Entries without an id, and all alike, do not tell one page from another: then its
// cursor does.
func TestPoll_V2PagesOfTheSameBytesThatLeadToThemselvesAreLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixtureV2(fakecloudflare.Options{})
		fillV2(server, 50, time.Minute)
		alike := json.RawMessage(fmt.Sprintf(`{"action":{"type":"view","time":%q}}`, time.Now().Add(-time.Second).UTC().Format(time.RFC3339)))
		server.AddV2(time.Time{}, slices.Repeat([]json.RawMessage{alike}, 120)...)
		server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
			if r.URL.Query().Get("limit") != "100" {
				return nil
			}
			return endless(wholeOnly, false)
		})
		b := poll1(t, connect(t, cfg), nil)
		require.Len(t, b.Events, 51)
		require.LessOrEqual(t, len(server.Requests()), 10)
	})
}

// Where every cursor is refused, what is within reach is read by time, and a page
// without entries that leads on to such a one is an error.
func TestPoll_V2CursorsThatAreAllRefusedCostFewRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixtureV2(fakecloudflare.Options{})
		server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
			if r.URL.Query().Has("cursor") {
				return fakecloudflare.Status(400, 0, "no such cursor", nil)
			}
			return fakecloudflare.Reply(200, nil, `{"success":true,"result":[],"result_info":{"cursor":"a"}}`)
		})
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		_, err := c.Poll(t.Context(), b.Cursor)
		require.ErrorContains(t, err, "no such cursor")
		require.LessOrEqual(t, len(server.Requests()), 10)
	})
}

// More entries within a second than a page has cannot be read where pages lead back.
// The poll says so, and what is newer comes all the same.
func TestPoll_AWindowThatCannotBeReadHidesNothingNewer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixtureV2(fakecloudflare.Options{MostLimit: 15})
		fillV2(server, 100, 10*time.Millisecond)
		fault := endless(wholeOnly, true)
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fault })
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		require.Len(t, b.Events, 15)
		for i := range 20 {
			_, err := c.Poll(t.Context(), b.Cursor)
			require.ErrorContains(t, err, "the page leads to itself")
			time.Sleep(5 * time.Minute)
			id := fmt.Sprint("new-", i)
			server.AddV2(time.Time{}, fakecloudflare.EntryV2(id, time.Now().Add(-time.Second), 6))
			b = poll1(t, c, b.Cursor)
			require.Equal(t, []string{id}, ids(b))
			require.Less(t, time.Until(b.Coverage.Complete), -4*time.Minute, "what is missing is not passed over")
		}
	})
}

// A server that does not keep to the span or the order asked for repeats nothing, and
// hides nothing without an error.
func TestPoll_AServerThatIgnoresSpanOrOrderRepeatsAndHidesNothing(t *testing.T) {
	t.Parallel()
	for _, ignored := range []string{"since", "before", "since before", "direction"} {
		for _, v2 := range []bool{false, true} {
			if v2 && ignored != "direction" {
				continue // it requires them
			}
			for _, n := range []int{30, 260, 1700} {
				t.Run(fmt.Sprintf("%s, v2 %v, %d entries", ignored, v2, n), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						server, cfg := fixture(fakecloudflare.Options{})
						if v2 {
							server, cfg = fixtureV2(fakecloudflare.Options{})
						}
						for i := range n {
							when := time.Now().Add(-30*time.Minute - time.Duration(i)*10*time.Second)
							server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("id-%d", i), when, 0))
							server.AddV2(time.Time{}, fakecloudflare.EntryV2(fmt.Sprintf("id-%d", i), when, 0))
						}
						server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
							return fakecloudflare.Custom(func(r *http.Request, answer func() *http.Response) (*http.Response, error) {
								q := r.URL.Query()
								for name := range strings.FieldsSeq(ignored) {
									q.Del(name)
								}
								if ignored == "direction" {
									q.Set(ignored, "asc")
								}
								r.URL.RawQuery = q.Encode()
								return answer(), nil
							})
						})
						c := connect(t, cfg)
						var cursor ingest.Cursor
						got, failed := map[string]int{}, 0
						for range 16 {
							b, err := c.Poll(t.Context(), cursor)
							for _, id := range ids(b) {
								got[id]++
								require.Equal(t, 1, got[id], id)
							}
							if err == nil {
								cursor = b.Cursor
							} else {
								require.ErrorContains(t, err, "the server lists the oldest entries first")
								failed++
							}
							time.Sleep(5 * time.Minute)
						}
						require.True(t, len(got) == n || failed > 10, "%d of %d, %d failures", len(got), n, failed)
					})
				})
			}
		}
	}
}

// While more entries are within the overlap than can be remembered, a poll reads
// what is new and what is settled, and not all the others again.
func TestPoll_ACrowdWithinTheOverlapTakesFewRequests(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func() (*fakecloudflare.Server, Config){
		"audit log": func() (*fakecloudflare.Server, Config) {
			server, cfg := fixture(fakecloudflare.Options{})
			fill(server, 5000, 110*time.Millisecond)
			return server, cfg
		},
		"audit logs v2": func() (*fakecloudflare.Server, Config) {
			server, cfg := fixtureV2(fakecloudflare.Options{})
			cfg.OverlapV2 = 10 * time.Minute
			fillV2(server, 5000, 110*time.Millisecond)
			return server, cfg
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, cfg := make()
				cfg.PollInterval, cfg.RateLimit = 30*time.Second, 1200
				c := connectTuned(t, cfg, func(_ *cloudflare.Options, o *feed.Options) { o.MaxIDs = 3000 })
				var cursor ingest.Cursor
				var got []string
				began, news := time.Now(), 0
				add := func(n int) {
					for range n {
						server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprint("new-", news), time.Now(), 0))
						server.AddV2(time.Time{}, fakecloudflare.EntryV2(fmt.Sprint("new-", news), time.Now(), 0))
						news++
					}
				}
				many := false
				for news < 250 || len(got) < 5000+news {
					b := poll1(t, c, cursor)
					got, cursor = append(got, ids(b)...), b.Cursor
					if many {
						require.GreaterOrEqual(t, len(b.Events), 250, "there is room, and more than a page is new")
						many = false
					}
					require.Less(t, time.Since(began), 15*time.Minute)
					if b.More {
						continue
					}
					switch {
					case news < 5:
						add(1)
					case news < 100 && time.Since(began) > 7*time.Minute:
						add(250)
						many = true
					}
					time.Sleep(cfg.PollInterval)
				}
				require.Len(t, unique(got), len(got))
				require.Greater(t, news, 250)
				require.LessOrEqual(t, len(server.Requests()), 68)
			})
		})
	}
}

// Entries of Audit Logs v2 come in minutes after their time. Polls that follow
// each other closely do not read all of the overlap each time, and no entry
// waits much longer for it.
func TestCost_EntriesOfV2ReadForEachDelivered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		interval time.Duration
		most     float64
		half     time.Duration
		wait     time.Duration
	}{{30 * time.Second, 5, time.Minute, feed.AllEvery + 30*time.Second}, {time.Minute, 5, time.Minute, feed.AllEvery + time.Minute}, {5 * time.Minute, 4, 5 * time.Minute, 5 * time.Minute}} {
		t.Run(test.interval.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixtureV2(fakecloudflare.Options{})
				cfg.PollInterval = test.interval
				chance := rand.New(rand.NewPCG(1, 2))
				start := time.Now()
				const span = time.Hour
				shown := map[string]time.Time{}
				for i := range 2000 {
					when, id := start.Add(time.Duration(chance.Int64N(int64(span)))), fmt.Sprint("new-", i)
					shown[id] = when.Add(167*time.Second + time.Duration(chance.Int64N(int64(283*time.Second))))
					server.AddV2(shown[id], fakecloudflare.EntryV2(id, when, 6))
				}
				c := connect(t, cfg)
				var cursor ingest.Cursor
				var total ingest.Coverage
				var delays []time.Duration
				for time.Since(start) < span+20*time.Minute {
					b := poll1(t, c, cursor)
					cursor = b.Cursor
					total.Add(b.Coverage)
					for _, id := range ids(b) {
						delays = append(delays, time.Since(shown[id]))
					}
					time.Sleep(test.interval)
				}
				require.Len(t, delays, 2000)
				slices.Sort(delays)
				perDelivered := float64(total.Read) / 2000
				t.Logf("every %v: %.2f entries read for each delivered; shown for %v until delivered, half of them, and %v at most",
					test.interval, perDelivered, delays[1000].Round(time.Second), delays[1999].Round(time.Second))
				require.LessOrEqual(t, perDelivered, test.most)
				require.LessOrEqual(t, delays[1000], test.half)
				require.LessOrEqual(t, delays[1999], test.wait)
			})
		})
	}
}
