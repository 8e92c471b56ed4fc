package fakecloudflare_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

const (
	logsV2 = "/accounts/" + fakecloudflare.DefaultAccountID + "/logs/audit"
	window = "since=2026-05-12T00:00:00Z&before=2026-05-13T00:00:00Z"
)

// pageV2 is a page of v2.
type pageV2 struct {
	ids    string
	cursor string
	status int
}

// askV2 fetches a page of v2.
func askV2(t *testing.T, s *fakecloudflare.Server, query string) (p pageV2) {
	t.Helper()
	resp, body := get(t, s, logsV2+"?"+query)
	p.status = resp.StatusCode
	env := decode(t, body)
	require.Equal(t, p.status == http.StatusOK, env.Success, body)
	if !env.Success {
		return p
	}
	var list []struct{ ID string }
	require.NoError(t, json.Unmarshal(env.Result, &list))
	var names []string
	for _, e := range list {
		names = append(names, e.ID)
	}
	var info map[string]any
	require.NoError(t, json.Unmarshal(env.ResultInfo, &info))
	assert.EqualValues(t, len(list), info["count"])
	if c, ok := info["cursor"]; ok {
		p.cursor = c.(string)
		require.NotEmpty(t, p.cursor)
	}
	p.ids = strings.Join(names, " ")
	return p
}

// walkV2 follows the cursors of v2 and returns its pages, divided by "|". It
// gives up after 100.
func walkV2(t *testing.T, s *fakecloudflare.Server, query string) string {
	t.Helper()
	var pages []string
	p := askV2(t, s, query)
	for len(pages) < 100 {
		require.Equal(t, http.StatusOK, p.status)
		pages = append(pages, p.ids)
		if p.cursor == "" {
			break
		}
		p = askV2(t, s, query+"&cursor="+url.QueryEscape(p.cursor))
	}
	return strings.Join(pages, "|")
}

// fiveV2 is five for v2.
func fiveV2(opts fakecloudflare.Options) *fakecloudflare.Server {
	s := fakecloudflare.NewServer(opts)
	s.AddV2(time.Time{}, fakecloudflare.EntryV2("d", noon.Add(5999*time.Millisecond), 6))
	s.AddV2(time.Time{}, fakecloudflare.EntryV2("b", noon.Add(5*time.Second), 6), fakecloudflare.EntryV2("e", noon.Add(6*time.Second), 6))
	s.AddV2(time.Time{}, fakecloudflare.EntryV2("a", noon.Add(4999999*time.Microsecond), 6), fakecloudflare.EntryV2("c", noon.Add(5*time.Second), 6))
	return s
}

func TestAuditV2_ParametersSelectEntries(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		opts  fakecloudflare.Options
		query string
		want  string
	}{
		{"newest first by default", fakecloudflare.Options{}, window, "e d c b a"},
		{"descending on demand", fakecloudflare.Options{}, window + "&direction=desc", "e d c b a"},
		{"ascending", fakecloudflare.Options{}, window + "&direction=asc", "a b c d e"},
		{"since includes its instant", fakecloudflare.Options{}, "since=2026-05-12T12:00:05Z&before=2026-05-13", "e d c b"},
		{"since may leave out its instant", fakecloudflare.Options{SinceExclusive: true}, "since=2026-05-12T12:00:05Z&before=2026-05-13", "e d"},
		{"before includes its second", fakecloudflare.Options{}, "since=2026-05-12&before=2026-05-12T12:00:05Z", "d c b a"},
		{"before may leave out its instant", fakecloudflare.Options{BeforeExclusive: true}, "since=2026-05-12&before=2026-05-12T12:00:05Z", "a"},
		{"a window upside down is empty", fakecloudflare.Options{}, "since=2026-05-13&before=2026-05-12", ""},
		{"cursors lead through the window", fakecloudflare.Options{}, window + "&limit=2", "e d|c b|a"},
		{"cursors lead upwards too", fakecloudflare.Options{}, window + "&limit=2&direction=asc", "a b|c d|e"},
		{"a full last page has no cursor", fakecloudflare.Options{}, window + "&limit=5", "e d c b a"},
		{"a limit is cut to what the server shows at most", fakecloudflare.Options{MostLimit: 3}, window + "&limit=5", "e d c|b a"},
		{"the usual limit is cut as well", fakecloudflare.Options{MostLimit: 4}, window, "e d c b|a"},
		{"a limit of the most is let pass", fakecloudflare.Options{MostLimit: 4, OverLimit400: true}, window + "&limit=4", "e d c b|a"},
		{"the usual limit is cut even where a greater one is refused", fakecloudflare.Options{MostLimit: 4, OverLimit400: true}, window, "e d c b|a"},
		{"a window may reach as far as a time can", fakecloudflare.Options{}, "since=0001-01-01T00:00:00Z&before=9999-12-31T23:59:59Z&limit=3", "e d c|b a"},
		{"an empty page may end a full one", fakecloudflare.Options{EmptyLastPage: true}, window + "&limit=5", "e d c b a|"},
		{"an empty page may end a short one", fakecloudflare.Options{EmptyLastPage: true}, window + "&limit=3", "e d c|b a|"},
		{"nothing is one page all the same", fakecloudflare.Options{EmptyLastPage: true}, "since=2026-05-13&before=2026-05-14", ""},
		{"pages and what belongs to v1 are ignored", fakecloudflare.Options{MostPerPage: 1, MostDepth: 1}, window + "&page=x&per_page=2&hide_user_logs=maybe", "e d c b a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, walkV2(t, fiveV2(tt.opts), tt.query))
		})
	}
}

func TestAuditV2_LimitIsAHundredUnlessAskedAndAThousandAtMost(t *testing.T) {
	t.Parallel()
	s := fakecloudflare.NewServer(fakecloudflare.Options{})
	for i := range 1001 {
		s.AddV2(time.Time{}, fakecloudflare.EntryV2(fmt.Sprint(i), noon, 0))
	}
	assert.Equal(t, 1001, s.LenV2())
	assert.Zero(t, s.Len())
	for query, want := range map[string]int{"": 100, "&limit=1000": 1000, "&limit=5000": 1000, "&limit=7": 7} {
		assert.Len(t, strings.Fields(askV2(t, s, window+query).ids), want, query)
	}
}

func TestAuditV2_BadParameterIs400WithoutACode(t *testing.T) {
	t.Parallel()
	s := fiveV2(fakecloudflare.Options{MostLimit: 100, OverLimit400: true})
	for _, query := range []string{
		"", "since=2026-05-12", "before=2026-05-12", "since=&before=2026-05-12", "since=2026-05-12&before=now",
		window + "&direction=up", window + "&limit=0", window + "&limit=", window + "&limit=x", window + "&limit=101",
		window + "&cursor=", window + "&cursor=x", window + "&cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	} {
		resp, body := get(t, s, logsV2+"?"+query)
		assert.Equal(t, http.StatusBadRequest, resp.StatusCode, query)
		var got struct {
			Success *bool
			Errors  []map[string]any
			Result  json.RawMessage
		}
		require.NoError(t, json.Unmarshal([]byte(body), &got), body)
		assert.False(t, *got.Success)
		require.Len(t, got.Errors, 1)
		assert.NotEmpty(t, got.Errors[0]["message"])
		assert.NotContains(t, got.Errors[0], "code")
		assert.Equal(t, "null", string(got.Result))
	}
}

func TestAuditV2_ReplyHasItsOwnShape(t *testing.T) {
	t.Parallel()
	odd := `{ "action":{"time":"2026-05-12T12:00:00Z"},` + "\n" + `"n":1.10e+2,"s":"\u003c<\ud83d"}`
	s := fakecloudflare.NewServer(fakecloudflare.Options{})
	s.AddV2(time.Time{}, json.RawMessage(odd))
	_, body := get(t, s, logsV2+"?"+window)
	assert.Equal(t, `{"success":true,"errors":[],"result":[`+odd+`],"result_info":{"count":1}}`, body)
	_, body = get(t, fakecloudflare.NewServer(fakecloudflare.Options{ErrorsNull: true}), logsV2+"?"+window)
	assert.Equal(t, `{"success":true,"errors":null,"result":[],"result_info":{"count":0}}`, body)
}

func TestAuditV2_CursorBelongsToItsWindow(t *testing.T) {
	t.Parallel()
	s := fiveV2(fakecloudflare.Options{})
	p := askV2(t, s, window+"&limit=2")
	with := func(query string) pageV2 { return askV2(t, s, query+"&cursor="+url.QueryEscape(p.cursor)) }
	assert.Equal(t, "c b", with(window+"&limit=2").ids)
	assert.Equal(t, "c", with(window+"&limit=1").ids, "the limit may be another one")
	assert.Equal(t, "c b a", with(window).ids, "or the usual one")
	assert.Equal(t, "c b a", with("since=2026-05-12T02:00:00%2B02:00&before=2026-05-13T00:00:00.000Z").ids, "the same window in other words")
	assert.Equal(t, "c b a", askV2(t, fiveV2(fakecloudflare.Options{}), window+"&cursor="+url.QueryEscape(p.cursor)).ids, "it outlives the server")
	for _, other := range []string{
		"since=2026-05-12T00:00:01Z&before=2026-05-13T00:00:00Z",
		"since=2026-05-12T00:00:00Z&before=2026-05-13T00:00:01Z",
		window + "&direction=asc",
	} {
		assert.Equal(t, http.StatusBadRequest, with(other).status, other)
	}
	forged := []byte(p.cursor)
	forged[len(forged)/2] ^= 1
	assert.Equal(t, http.StatusBadRequest, askV2(t, s, window+"&cursor="+url.QueryEscape(string(forged))).status)
}

func TestAuditV2_WhatComesInAboveTheCursorIsNotSeen(t *testing.T) {
	t.Parallel()
	for direction, want := range map[string]string{"desc": "c bb b a aa", "asc": "c cc d e ee"} {
		s := fiveV2(fakecloudflare.Options{})
		query := window + "&direction=" + direction
		p := askV2(t, s, query+"&limit=2")
		s.AddV2(time.Time{}, fakecloudflare.EntryV2("aa", noon, 0), fakecloudflare.EntryV2("ee", noon.Add(time.Minute), 0))
		if direction == "desc" {
			// Of the instant of d, which was the last one, and of that of b.
			s.AddV2(time.Time{}, fakecloudflare.EntryV2("dd", noon.Add(5999*time.Millisecond), 6), fakecloudflare.EntryV2("bb", noon.Add(5*time.Second-1e3), 6))
			want = "c b bb a aa"
		} else {
			s.AddV2(time.Time{}, fakecloudflare.EntryV2("cc", noon.Add(5*time.Second), 6))
		}
		assert.Equal(t, want, askV2(t, s, query+"&cursor="+url.QueryEscape(p.cursor)).ids, direction)
	}
}

func TestAuditV2_EachEntryIsShownOnceWhateverItsPlace(t *testing.T) {
	t.Parallel()
	const spread = 48 * time.Millisecond
	random := rand.New(rand.NewPCG(1, 2))
	for _, direction := range []string{"desc", "asc"} {
		s := fakecloudflare.NewServer(fakecloudflare.Options{Disorder: spread})
		times := make(map[string]time.Time)
		var inside []string
		for i := range 2000 {
			id, when := fmt.Sprint(i), noon.Add(time.Duration(random.IntN(10_000))*time.Millisecond)
			times[id] = when
			if sec := when.Second(); sec >= 3 && sec <= 6 {
				inside = append(inside, id)
			}
			s.AddV2(time.Time{}, fakecloudflare.EntryV2(id, when, 6))
		}
		got := strings.FieldsFunc(walkV2(t, s, "since=2026-05-12T12:00:03Z&before=2026-05-12T12:00:06Z&limit=37&direction="+direction),
			func(r rune) bool { return r == ' ' || r == '|' })
		inversions, worst := 0, time.Duration(0)
		for i := 1; i < len(got); i++ {
			by := times[got[i]].Sub(times[got[i-1]])
			if direction == "asc" {
				by = -by
			}
			if by > 0 {
				inversions++
			}
			worst = max(worst, by)
		}
		assert.Greater(t, inversions, 100)
		assert.LessOrEqual(t, worst, spread)
		assert.Greater(t, worst, spread/2)
		slices.Sort(got)
		slices.Sort(inside)
		assert.Equal(t, inside, got, "the bounds are those of the times")
	}
}

func TestAuditV2_CursorExpiresAfterFurtherRequests(t *testing.T) {
	t.Parallel()
	s := fiveV2(fakecloudflare.Options{CursorLife: 2})
	assert.Equal(t, "e|d|c|b|a", walkV2(t, s, window+"&limit=1"))
	p := askV2(t, s, window+"&limit=1")
	with := window + "&cursor=" + url.QueryEscape(p.cursor)
	assert.Equal(t, "d c b a", askV2(t, s, with).ids)
	assert.Equal(t, http.StatusOK, askV2(t, s, with).status)
	assert.Equal(t, http.StatusBadRequest, askV2(t, s, with).status)
	p = askV2(t, s, window+"&limit=1")
	ids(t, s, "")
	get(t, s, members)
	assert.Equal(t, http.StatusBadRequest, askV2(t, s, window+"&cursor="+url.QueryEscape(p.cursor)).status, "every endpoint counts")
}

func TestAuditV2_CursorMayBeStuck(t *testing.T) {
	t.Parallel()
	s := fiveV2(fakecloudflare.Options{CursorStuck: true})
	first := askV2(t, s, window+"&limit=3")
	for range 3 {
		next := askV2(t, s, window+"&limit=3&cursor="+url.QueryEscape(first.cursor))
		assert.Equal(t, pageV2{"b a", first.cursor, http.StatusOK}, next)
	}
	assert.Empty(t, askV2(t, s, window).cursor, "a window of one page is not")
}

func TestAuditV2_SharesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	lag := time.Duration(0)
	now := noon
	s := fakecloudflare.NewServer(fakecloudflare.Options{
		Clock: func() time.Time { return now },
		Lag:   func() time.Duration { return lag },
	})
	s.Add(time.Time{}, fakecloudflare.Entry("one", noon.Add(-time.Hour), 0))
	s.AddV2(time.Time{}, fakecloudflare.EntryV2("two", noon.Add(-time.Hour), 0), json.RawMessage(`{"id":"timeless"}`))
	s.AddV2(noon.Add(time.Minute), fakecloudflare.EntryV2("late", noon.Add(-2*time.Hour), 0))
	assert.Equal(t, "one", ids(t, s, ""), "each has its own entries")
	assert.Equal(t, "timeless two", askV2(t, s, window).ids)
	now = noon.Add(time.Minute)
	assert.Equal(t, "timeless two late", askV2(t, s, window).ids)
	lag = time.Second
	assert.Equal(t, "timeless two", askV2(t, s, window).ids)

	s.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
		if n == 5 {
			return fakecloudflare.Status(http.StatusTooManyRequests, 971, "slow down", nil)
		}
		return nil
	})
	assert.Equal(t, http.StatusTooManyRequests, askV2(t, s, window).status)
	s.Deny("logs/audit")
	assert.Equal(t, http.StatusForbidden, askV2(t, s, window).status)
	assert.Equal(t, "one", ids(t, s, ""), "a permission is for one endpoint")
	r := request(t.Context(), t, "https://api.example.com", logsV2+"?"+window)
	r.Header.Set("Authorization", "Bearer wrong")
	resp, _ := do(t, s, r)
	assert.Equal(t, http.StatusForbidden, resp.StatusCode)
	resp, _ = get(t, s, "/accounts/"+strings.Repeat("2", 32)+"/logs/audit?"+window)
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)

	seen := s.Requests()
	require.Len(t, seen, 9)
	assert.Equal(t, []int{200, 3}, []int{seen[2].Status, seen[2].Entries})
	assert.Equal(t, fakecloudflare.Prefix+logsV2, seen[2].Path)
}
