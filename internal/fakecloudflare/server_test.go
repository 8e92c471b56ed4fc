package fakecloudflare_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	logs    = "/accounts/" + fakecloudflare.DefaultAccountID + "/audit_logs"
	members = "/accounts/" + fakecloudflare.DefaultAccountID + "/members"
)

var noon = time.Date(2026, 5, 12, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// request makes a request for path, with its query, that carries the token.
func request(ctx context.Context, t *testing.T, base, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+fakecloudflare.Prefix+path, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+fakecloudflare.DefaultToken)
	return r
}

// envelope is what every reply has in common.
type envelope struct {
	Result     json.RawMessage
	ResultInfo json.RawMessage `json:"result_info"`
	Success    bool
	Errors     []struct {
		Code    int
		Message string
		Chain   []struct{ Code int } `json:"error_chain"`
	}
	Messages []struct{ Code int }
}

// get fetches path in memory and returns the reply with its body.
func get(t *testing.T, s *fakecloudflare.Server, path string) (*http.Response, string) {
	t.Helper()
	return do(t, s, request(t.Context(), t, "https://api.example.com", path))
}

func do(t *testing.T, s *fakecloudflare.Server, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := s.Transport().RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(b)
}

func decode(t *testing.T, body string) (env envelope) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(body), &env), body)
	return env
}

// ids fetches a page of the log and returns the ids in it, in one string.
func ids(t *testing.T, s *fakecloudflare.Server, query string) string {
	t.Helper()
	resp, body := get(t, s, logs+"?"+query)
	require.Equal(t, http.StatusOK, resp.StatusCode, body)
	var page struct{ Result []struct{ ID string } }
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	var list []string
	for _, e := range page.Result {
		list = append(list, e.ID)
	}
	return strings.Join(list, " ")
}

// five serves a to e, which stand around 12:00:05 and have been added in
// another order than they happened in.
func five(opts fakecloudflare.Options) *fakecloudflare.Server {
	s := fakecloudflare.NewServer(opts)
	s.Add(time.Time{}, fakecloudflare.Entry("d", noon.Add(5999*time.Millisecond), 6))
	s.Add(time.Time{}, fakecloudflare.Entry("b", noon.Add(5*time.Second), 6), fakecloudflare.Entry("e", noon.Add(6*time.Second), 6))
	s.Add(time.Time{}, fakecloudflare.Entry("a", noon.Add(4999999*time.Microsecond), 6), fakecloudflare.Entry("c", noon.Add(5*time.Second), 6))
	return s
}

func TestAuditLogs_ParametersSelectEntries(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		opts  fakecloudflare.Options
		query string
		want  string
	}{
		{"newest first by default", fakecloudflare.Options{}, "", "e d c b a"},
		{"descending on demand", fakecloudflare.Options{}, "direction=desc", "e d c b a"},
		{"ascending with insertion order within one instant", fakecloudflare.Options{}, "direction=asc", "a b c d e"},
		{"since includes its instant", fakecloudflare.Options{}, "since=2026-05-12T12:00:05Z", "e d c b"},
		{"since may leave out its instant", fakecloudflare.Options{SinceExclusive: true}, "since=2026-05-12T12:00:05Z", "e d"},
		{"since has fractions", fakecloudflare.Options{}, "since=2026-05-12T12:00:05.5Z", "e d"},
		{"since has a zone", fakecloudflare.Options{}, "since=2026-05-12T14:00:05%2B02:00", "e d c b"},
		{"before includes its second", fakecloudflare.Options{}, "before=2026-05-12T12:00:05Z", "d c b a"},
		{"before with a fraction includes its second", fakecloudflare.Options{}, "before=2026-05-12T12:00:05.2Z", "d c b a"},
		{"before may leave out its instant", fakecloudflare.Options{BeforeExclusive: true}, "before=2026-05-12T12:00:05Z", "a"},
		{"a window of one second", fakecloudflare.Options{}, "since=2026-05-12T12:00:05Z&before=2026-05-12T12:00:05Z", "d c b"},
		{"a window upside down is empty", fakecloudflare.Options{}, "since=2026-05-12T12:00:06Z&before=2026-05-12T12:00:04Z", ""},
		{"a date is midnight", fakecloudflare.Options{}, "since=2026-05-12&before=2026-05-13", "e d c b a"},
		{"nothing before the date", fakecloudflare.Options{}, "before=2026-05-12", ""},
		{"a first page", fakecloudflare.Options{}, "per_page=2", "e d"},
		{"a middle page", fakecloudflare.Options{}, "per_page=2&page=2", "c b"},
		{"a short page", fakecloudflare.Options{}, "per_page=2&page=3", "a"},
		{"an ascending page", fakecloudflare.Options{}, "per_page=2&page=2&direction=asc", "c d"},
		{"a page past the end is empty", fakecloudflare.Options{}, "per_page=5&page=2", ""},
		{"a page far past the end is empty", fakecloudflare.Options{}, "per_page=1000&page=9223372036854775807", ""},
		{"a page past the end that would be short is empty", fakecloudflare.Options{PastEnd400: true}, "per_page=3&page=3", ""},
		{"the first page of nothing is empty", fakecloudflare.Options{PastEnd400: true}, "before=2026-05-12", ""},
		{"a page may begin at the greatest depth", fakecloudflare.Options{MostDepth: 2}, "per_page=2&page=2", "c b"},
		{"a page is cut to what the server shows at most", fakecloudflare.Options{MostPerPage: 2}, "per_page=5&page=2", "c b"},
		{"pages are cut after filtering", fakecloudflare.Options{}, "id=a&per_page=1&page=1", "a"},
		{"unknown parameters are ignored", fakecloudflare.Options{}, "cursor=x", "e d c b a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, ids(t, five(tt.opts), tt.query))
		})
	}
}

func TestAuditLogs_BadParameterIs400(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"since=", "since=yesterday", "since=1778587200", "since=2026-05-12T12:00", "before=2026-13-01",
		"direction=up", "page=0", "page=-1", "page=x", "per_page=0", "per_page=1001", "per_page=ten", "hide_user_logs=maybe",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			resp, body := get(t, five(fakecloudflare.Options{}), logs+"?"+query)
			assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
			env := decode(t, body)
			assert.False(t, env.Success)
			assert.Equal(t, "null", string(env.Result))
			assert.Len(t, env.Errors, 1)
		})
	}
}

func TestAuditLogs_PageTooDeepIs400(t *testing.T) {
	t.Parallel()
	resp, _ := get(t, five(fakecloudflare.Options{MostDepth: 2}), logs+"?per_page=2&page=3")
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
}

func TestAuditLogs_AReplicaLags(t *testing.T) {
	t.Parallel()
	lag := time.Duration(0)
	s := fakecloudflare.NewServer(fakecloudflare.Options{
		Clock: func() time.Time { return noon.Add(time.Minute) },
		Lag:   func() time.Duration { return lag },
	})
	s.Add(noon, fakecloudflare.Entry("a", noon, 0))
	s.Add(noon.Add(time.Minute), fakecloudflare.Entry("b", noon, 0))
	assert.Equal(t, "b a", ids(t, s, ""))
	lag = time.Second
	assert.Equal(t, "a", ids(t, s, ""))
}

func TestAuditLogs_PageSizeIsAHundredUnlessAsked(t *testing.T) {
	t.Parallel()
	s := fakecloudflare.NewServer(fakecloudflare.Options{})
	for i := range 1001 {
		s.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprint(i), noon, 0))
	}
	for query, want := range map[string]int{"": 100, "per_page=1000": 1000, "per_page=1000&page=2": 1} {
		assert.Len(t, strings.Fields(ids(t, s, query)), want, query)
	}
	assert.Equal(t, 1001, s.Len())
}

func TestAuditLogs_PastEnd400OnlyWhenPagesAreFull(t *testing.T) {
	t.Parallel()
	s := five(fakecloudflare.Options{PastEnd400: true})
	for query, want := range map[string]int{
		"per_page=5&page=1": http.StatusOK,
		"per_page=5&page=2": http.StatusBadRequest,
		"per_page=2&page=3": http.StatusOK,
		"per_page=2&page=4": http.StatusOK,
	} {
		resp, _ := get(t, s, logs+"?"+query)
		assert.Equal(t, want, resp.StatusCode, query)
	}
}

func TestAuditLogs_FiltersByEquality(t *testing.T) {
	t.Parallel()
	s := fakecloudflare.NewServer(fakecloudflare.Options{})
	s.Add(noon,
		json.RawMessage(`{"id":"a","action":{"type":"rec_add"},"actor":{"id":"u1","email":"alice@example.com","ip":"192.0.2.1"},"owner":{"id":"u1"},"metadata":{"zone_name":"example.com"}}`),
		json.RawMessage(`{"id":"b","action":{"type":"rec_del"},"actor":{"id":"u2","email":"bob@example.com","ip":"192.0.2.2"},"owner":{"id":"acc"},"newValueJson":{"zone_name":"example.net"}}`),
		json.RawMessage(`{"id":"c","action":{"type":{"odd":1}},"actor":null,"oldValueJson":{"zone_name":"example.com"}}`),
		json.RawMessage(`"d"`), json.RawMessage(`null`), json.RawMessage(`[]`))
	for query, want := range map[string]string{
		"id=b":                                       "b",
		"action.type=rec_add":                        "a",
		"action.type=rec":                            "",
		"actor.ip=192.0.2.2":                         "b",
		"actor.email=alice@example.com":              "a",
		"zone.name=example.com&direction=asc":        "a c",
		"zone.name=example.net":                      "b",
		"zone.name=example.com&actor.ip=192.0.2.1":   "a",
		"hide_user_logs=true&actor.ip=192.0.2.1":     "",
		"hide_user_logs=false&actor.ip=192.0.2.1":    "a",
		"hide_user_logs=true&per_page=2&zone.name=x": "",
		"hide_user_logs=true&zone.name=example.net":  "b",
	} {
		assert.Equal(t, want, ids(t, s, query), query)
	}
}

func TestAuditLogs_EntryIsServedOnlyOnceVisible(t *testing.T) {
	t.Parallel()
	now := noon
	s := fakecloudflare.NewServer(fakecloudflare.Options{Clock: func() time.Time { return now }})
	s.Add(noon, fakecloudflare.Entry("early", noon.Add(-time.Minute), 0))
	s.Add(noon.Add(time.Hour), fakecloudflare.Entry("late", noon.Add(-2*time.Minute), 0))
	assert.Equal(t, "early", ids(t, s, ""))
	now = noon.Add(time.Hour - 1)
	assert.Equal(t, "early", ids(t, s, ""))
	now = noon.Add(time.Hour)
	assert.Equal(t, "early late", ids(t, s, ""))
	assert.Equal(t, "late", ids(t, s, "per_page=1&page=2"))
}

func TestAuditLogs_EntryWithoutTimeStandsByItsNeighbour(t *testing.T) {
	t.Parallel()
	s := fakecloudflare.NewServer(fakecloudflare.Options{Clock: at(noon.Add(time.Hour))})
	s.Add(noon.Add(time.Hour), json.RawMessage(`{"id":"first"}`), fakecloudflare.Entry("x", noon, 0), json.RawMessage(`{"id":"next","when":7}`))
	assert.Equal(t, "next x", ids(t, s, "before=2026-05-12T12:30:00Z"))
	assert.Equal(t, "first", ids(t, s, "since=2026-05-12T13:00:00Z"))
}

func TestAuditLogs_EntriesAreServedVerbatim(t *testing.T) {
	t.Parallel()
	odd := `{ "when":"2026-05-12T12:00:00Z",` + "\n\t" + `"n":1.10e+2,"big":9007199254740993,"s":"\u003c<&\u0000 ü \ud83d","k":1,"k":2}`
	s := fakecloudflare.NewServer(fakecloudflare.Options{})
	s.Add(time.Time{}, json.RawMessage(odd), json.RawMessage(`"text"`))
	_, body := get(t, s, logs+"?direction=asc")
	assert.Equal(t, `{"result":[`+odd+`,"text"],"success":true,"errors":[],"messages":[]}`, body)
}

func TestAuditLogs_ErrorsOfASuccessMayBeNull(t *testing.T) {
	t.Parallel()
	_, body := get(t, fakecloudflare.NewServer(fakecloudflare.Options{ErrorsNull: true}), logs)
	assert.Equal(t, `{"result":[],"success":true,"errors":null,"messages":[]}`, body)
}

func TestDate_IsTheServersClock(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("", 7200)
	resp, _ := get(t, fakecloudflare.NewServer(fakecloudflare.Options{Clock: at(noon.In(berlin))}), logs)
	assert.Equal(t, "Tue, 12 May 2026 12:00:00 GMT", resp.Header.Get("Date"))
	resp, _ = get(t, fakecloudflare.NewServer(fakecloudflare.Options{Clock: at(noon), NoDate: true}), logs)
	assert.NotContains(t, resp.Header, "Date")
}

func TestAuth_EveryRefusalHasItsStatusAndCode(t *testing.T) {
	t.Parallel()
	const (
		other   = "11111111111111111111111111111111"
		good    = "Bearer " + fakecloudflare.DefaultToken
		account = "/accounts/" + fakecloudflare.DefaultAccountID
	)
	tests := []struct {
		name, path, auth string
		kind             fakecloudflare.TokenKind
		status, code     int
	}{
		{"header missing", logs, "", 0, 400, 6003},
		{"header of another scheme", logs, "Basic abc", 0, 400, 6003},
		{"header without a token", logs, "Bearer ", 0, 400, 6003},
		{"token with a line break", logs, good + "\n", 0, 400, 6003},
		{"wrong token", logs, "Bearer wrong", 0, 403, 10000},
		{"wrong token for members", members, "Bearer wrong", 0, 403, 10000},
		{"wrong token to verify", account + "/tokens/verify", "Bearer wrong", 0, 401, 1000},
		{"account token on the user endpoint", "/user/tokens/verify", good, fakecloudflare.AccountToken, 401, 1000},
		{"user token on the account endpoint", account + "/tokens/verify", good, fakecloudflare.UserToken, 401, 1000},
		{"description of the token, which it may not read", account + "/tokens/ed17574386854bf78a67040be0a770b0", good, 0, 403, 10000},
		{"account not ours", "/accounts/" + other + "/audit_logs", good, 0, 403, 10000},
		{"account unknown", "/accounts/" + strings.Repeat("2", 32) + "/audit_logs", good, 0, 404, 7003},
		{"account malformed", "/accounts/example/audit_logs", good, 0, 400, 7003},
		{"path unknown", account + "/nothing", good, 0, 400, 7003},
		{"path outside", "/zones", good, 0, 400, 7003},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := fakecloudflare.NewServer(fakecloudflare.Options{OtherAccounts: []string{other}, TokenKind: tt.kind})
			r := request(t.Context(), t, "https://api.example.com", tt.path)
			r.Header.Set("Authorization", tt.auth)
			resp, body := do(t, s, r)
			assert.Equal(t, tt.status, resp.StatusCode)
			env := decode(t, body)
			assert.False(t, env.Success)
			require.NotEmpty(t, env.Errors)
			assert.Equal(t, tt.code, env.Errors[0].Code)
			if tt.code == 6003 {
				assert.Equal(t, 6111, env.Errors[0].Chain[0].Code)
			}
		})
	}
}

func TestAuth_OnlyGetIsAllowed(t *testing.T) {
	t.Parallel()
	r := request(t.Context(), t, "https://api.example.com", logs)
	r.Method = http.MethodPost
	resp, _ := do(t, five(fakecloudflare.Options{}), r)
	assert.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
}

func TestVerify_SuccessCarriesItsCodeAsAMessage(t *testing.T) {
	t.Parallel()
	for path, opts := range map[string]fakecloudflare.Options{
		"/accounts/" + fakecloudflare.DefaultAccountID + "/tokens/verify": {TokenStatus: "expired", TokenExpires: noon},
		"/user/tokens/verify": {TokenKind: fakecloudflare.UserToken},
	} {
		resp, body := get(t, fakecloudflare.NewServer(opts), path)
		assert.Equal(t, http.StatusOK, resp.StatusCode, body)
		env := decode(t, body)
		assert.True(t, env.Success)
		require.Len(t, env.Messages, 1)
		assert.Equal(t, 10000, env.Messages[0].Code)
		var result struct {
			ID, Status string
			Expires    *time.Time `json:"expires_on"`
			NotBefore  time.Time  `json:"not_before"`
		}
		require.NoError(t, json.Unmarshal(env.Result, &result))
		assert.Len(t, result.ID, 32)
		if opts.TokenExpires.IsZero() {
			assert.Equal(t, "active", result.Status)
			assert.Nil(t, result.Expires)
		} else {
			assert.Equal(t, "expired", result.Status)
			assert.Equal(t, noon, *result.Expires)
		}
	}
}

func TestMembers_ArePagedWithResultInfo(t *testing.T) {
	t.Parallel()
	s := fakecloudflare.NewServer(fakecloudflare.Options{})
	var list []json.RawMessage
	for i := range 45 {
		list = append(list, json.RawMessage(fmt.Sprintf(`{"id":"m%d"}`, i)))
	}
	s.SetMembers(list...)
	for query, want := range map[string]string{
		"":                   `{"page":1,"per_page":20,"count":20,"total_count":45,"total_pages":3}`,
		"?page=3":            `{"page":3,"per_page":20,"count":5,"total_count":45,"total_pages":3}`,
		"?page=4":            `{"page":4,"per_page":20,"count":0,"total_count":45,"total_pages":3}`,
		"?per_page=50":       `{"page":1,"per_page":50,"count":45,"total_count":45,"total_pages":1}`,
		"?per_page=2&page=2": `{"page":2,"per_page":2,"count":2,"total_count":45,"total_pages":23}`,
	} {
		_, body := get(t, s, members+query)
		env := decode(t, body)
		assert.Equal(t, want, string(env.ResultInfo), query)
	}
	_, body := get(t, s, members+"?per_page=2&page=2")
	assert.Equal(t, `[{"id":"m2"},{"id":"m3"}]`, string(decode(t, body).Result))
	resp, _ := get(t, s, members+"?per_page=51")
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
}

func TestTokens_AreFoundByTheirIDAndTheirOwner(t *testing.T) {
	t.Parallel()
	const ofAccount, ofUser = "/accounts/" + fakecloudflare.DefaultAccountID + "/tokens/", "/user/tokens/"
	for _, kind := range []fakecloudflare.TokenKind{fakecloudflare.AccountToken, fakecloudflare.UserToken} {
		s := fakecloudflare.NewServer(fakecloudflare.Options{TokenKind: kind})
		s.SetTokens(json.RawMessage(`{"id":"a","policies":[]}`), json.RawMessage(`{"id":"b"}`))
		s.SetUserTokens(json.RawMessage(`{"id":"u"}`))
		resp, body := get(t, s, ofAccount+"a")
		assert.Equal(t, http.StatusOK, resp.StatusCode)
		assert.Equal(t, `{"id":"a","policies":[]}`, string(decode(t, body).Result))
		for path, status := range map[string]int{
			ofAccount + "u": http.StatusNotFound,
			ofAccount:       http.StatusNotFound,
			ofUser + "u":    map[fakecloudflare.TokenKind]int{fakecloudflare.AccountToken: http.StatusForbidden, fakecloudflare.UserToken: http.StatusOK}[kind],
			ofUser + "a":    map[fakecloudflare.TokenKind]int{fakecloudflare.AccountToken: http.StatusForbidden, fakecloudflare.UserToken: http.StatusNotFound}[kind],
		} {
			resp, _ := get(t, s, path)
			assert.Equal(t, status, resp.StatusCode, path)
		}
	}
}

func TestDeny_TakesAPermissionAndGivesItBack(t *testing.T) {
	t.Parallel()
	const account = "/accounts/" + fakecloudflare.DefaultAccountID
	s := fakecloudflare.NewServer(fakecloudflare.Options{TokenKind: fakecloudflare.UserToken})
	s.SetTokens(json.RawMessage(`{"id":"a"}`))
	s.SetUserTokens(json.RawMessage(`{"id":"u"}`))
	paths := map[string]string{
		"audit_logs": account + "/audit_logs", "members": account + "/members",
		"tokens": account + "/tokens/a", "user/tokens": "/user/tokens/u",
	}
	for denied := range paths {
		s.Deny(denied)
		for endpoint, path := range paths {
			resp, body := get(t, s, path)
			if endpoint == denied {
				assert.Equal(t, http.StatusForbidden, resp.StatusCode, path)
				assert.Equal(t, 10000, decode(t, body).Errors[0].Code)
			} else {
				assert.Equal(t, http.StatusOK, resp.StatusCode, path)
			}
		}
	}
	s.Deny()
	for _, path := range paths {
		resp, _ := get(t, s, path)
		assert.Equal(t, http.StatusOK, resp.StatusCode, path)
	}
}

func TestRequests_RecordWhatWasAskedAndAnswered(t *testing.T) {
	t.Parallel()
	s := five(fakecloudflare.Options{Clock: at(noon)})
	s.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
		if n == 2 {
			return fakecloudflare.Status(http.StatusTooManyRequests, 971, "slow down", nil)
		}
		return nil
	})
	get(t, s, logs+"?per_page=2&page=3")
	get(t, s, logs)
	seen := s.Requests()
	require.Len(t, seen, 2)
	first := seen[0]
	assert.Equal(t, "api.example.com", first.Host)
	assert.Equal(t, fakecloudflare.Prefix+logs, first.Path)
	assert.Equal(t, url.Values{"per_page": {"2"}, "page": {"3"}}, first.Query)
	assert.Equal(t, "Bearer "+fakecloudflare.DefaultToken, first.Header.Get("Authorization"))
	assert.Equal(t, noon, first.At)
	assert.Equal(t, []int{200, 1, 429, 0}, []int{first.Status, first.Entries, seen[1].Status, seen[1].Entries})
	seen[0].Status = 0
	assert.Equal(t, 200, s.Requests()[0].Status, "the list is a copy")
}

func TestServer_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := five(fakecloudflare.Options{})
	calls := 0
	s.Fault(func(int, *http.Request) *fakecloudflare.Fault { calls++; return nil })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				s.Add(noon, fakecloudflare.Entry("n", noon.Add(-time.Duration(i)*time.Second), 0))
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, fakecloudflare.Prefix+logs, nil)
				r.Header.Set("Authorization", "Bearer "+fakecloudflare.DefaultToken)
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				assert.Equal(t, http.StatusOK, w.Code)
				s.Requests()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 80, calls)
	assert.Len(t, s.Requests(), 80)
	assert.Equal(t, 85, s.Len())
}

func TestStore_TakesManyEntriesOneByOne(t *testing.T) {
	t.Parallel()
	const n = 40_000
	s := fakecloudflare.NewServer(fakecloudflare.Options{})
	raw := json.RawMessage(`{"id":"x","when":"2026-05-12T12:00:00Z"}`)
	for range n {
		s.Add(time.Time{}, raw)
	}
	assert.Len(t, strings.Fields(ids(t, s, fmt.Sprintf("per_page=1000&page=%d", n/1000))), 1000)
	// A late one between two reads does not make the second sort everything.
	for range 100 {
		s.Add(time.Time{}, raw)
		assert.Equal(t, "x", ids(t, s, "per_page=1"))
	}
}

func TestServer_AccountsAndPoliciesOfTheToken(t *testing.T) {
	t.Parallel()
	const id, sees = "ed17574386854bf78a67040be0a770b0", "b1946ac92492d2347c6235b4d2611184"
	for kind, paths := range map[fakecloudflare.TokenKind][2]string{
		fakecloudflare.AccountToken: {"/accounts/" + fakecloudflare.DefaultAccountID + "/tokens/" + id, "/user/tokens/" + id},
		fakecloudflare.UserToken:    {"/user/tokens/" + id, "/accounts/" + fakecloudflare.DefaultAccountID + "/tokens/" + id},
	} {
		s := fakecloudflare.NewServer(fakecloudflare.Options{TokenKind: kind, TokenPolicies: `[{"effect":"allow"}]`, SeesAccounts: []string{sees}})
		get := func(path string) (int, string) {
			req := httptest.NewRequest(http.MethodGet, fakecloudflare.Prefix+path, nil)
			req.Header.Set("Authorization", "Bearer "+fakecloudflare.DefaultToken)
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, req)
			return rec.Code, rec.Body.String()
		}
		code, body := get(paths[0])
		assert.Equal(t, 200, code)
		assert.Contains(t, body, `"policies":[{"effect":"allow"}]`)
		code, _ = get(paths[1])
		assert.Equal(t, 403, code)
		code, body = get("/accounts")
		assert.Equal(t, 200, code)
		assert.Contains(t, body, fakecloudflare.DefaultAccountID)
		assert.Contains(t, body, sees)
	}
}
