package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/eventschema"
	"github.com/aisoc/cloudflareaudit/internal/fakeaisoc"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/health"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
	"github.com/aisoc/cloudflareaudit/testdata"
)

const (
	testTenant    = "0f9a7a52-6d0e-4c39-9d59-6f1f4e6f0001"
	testConnector = "9d0c2f5e-4f7a-4a52-8c34-0f6f1f4e6f01"
)

// to makes c deliver to a service.
func (c call) to(url string, args ...string) call {
	c.args = slices.Concat(c.args, []string{"--aisoc", url, "--tenant", testTenant, "--connector-id", testConnector}, args)
	return c
}

// listen serves an ingestion service.
func listen(t *testing.T, s *fakeaisoc.Server) (url string) {
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	return listener.URL
}

// arrived are the external ids of what a service has accepted, each of which
// must be as the service and the published schema want it.
func arrived(t *testing.T, s *fakeaisoc.Server) (all []string) {
	t.Helper()
	require.Empty(t, s.Violations())
	for _, event := range s.Events() {
		require.NoError(t, eventschema.Check(event))
	}
	for id := range s.Accepted() {
		all = append(all, id)
	}
	all, _ = sortOut(all)
	return all
}

// deadLetters are the external ids of the events in a dead-letter file.
func deadLetters(t *testing.T, name string) (all []string) {
	t.Helper()
	for line := range strings.Lines(read(t, name)) {
		var letter struct {
			Time   time.Time
			Reason string
			Event  json.RawMessage
		}
		require.NoError(t, json.Unmarshal([]byte(line), &letter))
		require.WithinDuration(t, time.Now(), letter.Time, time.Hour)
		require.NotEmpty(t, letter.Reason)
		all = append(all, ids(t, string(letter.Event)+"\n")...)
	}
	return all
}

func cursorFile(state string) string {
	return filepath.Join(state, "cloudflare-"+fakecloudflare.DefaultAccountID+".cursor")
}

func deadLetterFile(state string) string {
	return filepath.Join(state, "cloudflare-"+fakecloudflare.DefaultAccountID+".dead-letter.jsonl")
}

// everything are entries of every kind of the last days: ordinary and odd ones,
// those that set off detections, and some that are too large for the service.
func everything(t *testing.T) []json.RawMessage {
	t.Helper()
	now := time.Now()
	entries, err := fakecloudflare.Load(testdata.Entries())
	require.NoError(t, err)
	odd, err := os.ReadFile("../../testdata/entries/odd.json")
	require.NoError(t, err)
	var list []json.RawMessage
	require.NoError(t, json.Unmarshal(odd, &list))
	entries = fakecloudflare.Shift(now.Add(-time.Minute), append(entries, list...))
	entries = append(entries, recent(400)...)
	add := func(id, resource, action, rest string) {
		entries = append(entries, fmt.Appendf(nil, `{"id":%q,"when":%q,"actor":{"email":"mallory@example.com","ip":"203.0.113.66","type":"user"},`+
			`"action":{"type":%q,"result":true},"resource":{"type":%q,"id":"r-%[1]s"},"owner":{"id":%[5]q}%s}`,
			id, now.Add(-2*time.Minute).UTC().Format(time.RFC3339), action, resource, fakecloudflare.DefaultAccountID, rest))
	}
	add("transferred", "zone", "transfer_out", `,"metadata":{"zone_name":"example.com"}`)
	add("disabled", "waf.rule", "disable", `,"metadata":{"zone_name":"example.com"}`)
	add("bypass", "access.policy", "create", `,"newValueJson":{"decision":"bypass","name":"everyone"}`)
	for i, long := range []string{strings.Repeat("x", 1_050_000), strings.Repeat(`<\"`, 150_000), strings.Repeat("語", 350_000)} {
		add(fmt.Sprintf("large-%d", i), "workers.script", "update", `,"newValueJson":{"script":"`+long+`","name":"shop"}`)
	}
	return entries
}

func TestAiSOC_EveryEntryArrivesOnceWhateverTheServiceDoes(t *testing.T) {
	t.Parallel()
	a := newAccount(t, everything(t)...)
	args := []string{"poll", "--drop-routine=false", "--initial-lookback", "548d", "--page-size", "1000", "--max-events", "250"}
	file := a.call(append(args, "--state", t.TempDir())...).run(t.Context())
	require.Equal(t, exitOK, file.code, file.err)
	want := ids(t, file.out)
	require.Greater(t, len(want), 450)

	poison, rejected := want[len(want)-50], []string{want[260], want[300]}
	repeat := make(map[string]bool)
	server := &fakeaisoc.Server{
		Poison: func(e map[string]any) bool { return e["external_id"] == poison },
		Reject: func(e map[string]any) string {
			if slices.Contains(rejected, e["external_id"].(string)) {
				return "no profile"
			}
			return ""
		},
		Fault: func(n int) fakeaisoc.Fault {
			switch n {
			case 1:
				return fakeaisoc.Fault{Status: 429, Header: http.Header{"Retry-After": {"1"}}}
			case 2, 6:
				return fakeaisoc.Fault{Status: 500}
			case 3:
				return fakeaisoc.Fault{Status: 503, Body: "<html>gateway</html>"}
			case 4, 9:
				return fakeaisoc.Fault{LoseReply: true}
			case 7:
				return fakeaisoc.Fault{Reset: true}
			}
			return fakeaisoc.Fault{}
		},
	}
	state := t.TempDir()
	poll := a.call(append(args, "--state", state)...).to(listen(t, server))
	got := poll.run(t.Context())
	for range 10 {
		// The search for the culprit can be unlucky once, and is repeated.
		if got.code == exitOK {
			break
		}
		t.Log(got.err)
		got = poll.run(t.Context())
	}
	require.Equal(t, exitOK, got.code, got.err)
	assert.Empty(t, got.out)
	refused := append(rejected, poison)
	assert.ElementsMatch(t, without(want, refused...), arrived(t, server))
	assert.ElementsMatch(t, refused, deadLetters(t, deadLetterFile(state)))
	assert.Regexp(t, `; AiSOC: \d+ accepted, 3 truncated, 2 rejected, 3 dead-lettered in `+state, got.err)
	assert.Equal(t, 3, strings.Count(got.err, "an event that the service refuses is in the dead-letter file"), got.err)

	// What was accepted more than once is what tells whether the service works,
	// or what it said nothing about, or did not say which of it it rejects.
	for _, r := range server.Requests() {
		if r.Lost || r.Status == 200 && (len(r.IDs) == 1 || len(without(r.IDs, rejected...)) < len(r.IDs)) {
			for _, id := range r.IDs {
				repeat[id] = true
			}
		}
	}
	for id, n := range server.Accepted() {
		assert.True(t, n == 1 || repeat[id], "%s: %d times", id, n)
	}

	var fired []string
	cut := 0
	for _, b := range server.Events() {
		var event map[string]any
		require.NoError(t, json.Unmarshal(b, &event))
		id := event["external_id"].(string)
		if strings.HasPrefix(id, "large-") {
			assert.Equal(t, true, event["raw_truncated"])
			assert.Equal(t, id, event["raw_event"].(map[string]any)["id"], "what is small stays")
			cut++
		}
		for _, detection := range fakeaisoc.Detections(event) {
			if slices.Contains([]string{"transferred", "disabled", "bypass"}, id) {
				fired = append(fired, detection+" "+id+" "+event["severity"].(string))
			}
		}
	}
	assert.GreaterOrEqual(t, cut, 3)
	slices.Sort(fired)
	assert.Equal(t, []string{"det-cloud-181 transferred high", "det-cloud-182 disabled high", "det-cloud-183 bypass critical"}, slices.Compact(fired))

	// And nothing of it comes again.
	requests := len(server.Requests())
	again := poll.run(t.Context())
	require.Equal(t, exitOK, again.code, again.err)
	assert.Contains(t, again.err, ": 0 events,")
	assert.NotContains(t, again.err, "dead-letter")
	assert.Len(t, server.Requests(), requests)
}

// without is list without some of its elements.
func without(list []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(some, s) })
}

func TestAiSOC_TheCursorMovesOnlyOnceABatchIsAccepted(t *testing.T) {
	t.Parallel()
	entries := recent(500)
	a := newAccount(t, entries...)
	server := &fakeaisoc.Server{Fault: func(int) fakeaisoc.Fault {
		return fakeaisoc.Fault{Status: 400, Body: `{"error":"missing tenant ID header"}`}
	}}
	state := t.TempDir()
	poll := a.call("poll", "--state", state, "--drop-routine=false", "--overlap", "2h", "--page-size", "1000", "--max-events", "100").to(listen(t, server))
	for range 2 {
		got := poll.run(t.Context())
		assert.Equal(t, exitFailed, got.code)
		assert.Equal(t, "cfaudit: cannot deliver to AiSOC: the service answered HTTP 400: missing tenant ID header; "+
			"it refuses the batch as a whole: check the tenant, the connector id and the address\n", got.err)
		assert.NoFileExists(t, cursorFile(state))
		assert.Empty(t, read(t, deadLetterFile(state)))
	}
	// Two batches get through, and the next one does not.
	first := len(server.Requests())
	var cursors []string
	server.SetFault(func(n int) fakeaisoc.Fault {
		b, _ := os.ReadFile(cursorFile(state))
		cursors = append(cursors, string(b))
		if n > first+2 {
			return fakeaisoc.Fault{Status: 404}
		}
		return fakeaisoc.Fault{}
	})
	got := poll.run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "read ")
	assert.Contains(t, got.err, "; AiSOC: 200 accepted\n")
	require.Len(t, cursors, 3)
	assert.Empty(t, cursors[0])
	assert.NotEqual(t, cursors[0], cursors[1])
	assert.NotEqual(t, cursors[1], cursors[2])
	assert.Equal(t, cursors[2], read(t, cursorFile(state)), "moved without acceptance")

	server.SetFault(nil)
	got = poll.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	want := make(map[string]int)
	for _, id := range idsOf(t, entries) {
		want[id] = 1
	}
	arrived(t, server)
	accepted := server.Accepted()
	maps.DeleteFunc(accepted, func(id string, n int) bool { return isBurst(id) && n == 1 })
	assert.Equal(t, want, accepted, "each once and no more")
}

func TestAiSOC_KilledAtAnyMomentLosesNothing(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	const kills, batch = 10, 100
	entries := recent(1500)
	a := newAccount(t, entries...)
	poison := idsOf(t, entries)[700]
	server := &fakeaisoc.Server{
		Latency: 20 * time.Millisecond, // between acceptance and the reply
		Reject: func(e map[string]any) string {
			if e["external_id"] == poison {
				return "no profile"
			}
			return ""
		},
	}
	state := t.TempDir()
	poll := a.call("poll", "--state", state, "--drop-routine=false", "--rate-limit", "1200",
		"--page-size", "100", "--max-events", fmt.Sprint(batch)).to(listen(t, server))
	for range kills {
		requests := len(a.Requests())
		cmd := poll.start(t, nil)
		require.Eventually(t, func() bool { return len(a.Requests()) > requests }, 10*time.Second, time.Millisecond)
		time.Sleep(time.Duration(rand.Int64N(int64(250 * time.Millisecond))))
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed, or had ended
	}
	accepted := len(server.Accepted())
	got := poll.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.ElementsMatch(t, without(idsOf(t, entries), poison), arrived(t, server))
	letters := deadLetters(t, deadLetterFile(state))
	assert.NotEmpty(t, letters)
	assert.Equal(t, []string{poison}, slices.Compact(letters), "a kill may repeat it, as it may an event")
	// The batch of the rejected event is halved, and its halves are sent again.
	halved := make(map[string]bool)
	for _, r := range server.Requests() {
		for _, id := range r.IDs {
			halved[id] = halved[id] || slices.Contains(r.IDs, poison)
		}
	}
	repeated := 0
	for id, n := range server.Accepted() {
		if !halved[id] {
			repeated += n - 1
		}
	}
	t.Logf("%d of %d events were accepted before the last poll, %d were repeated", accepted, len(entries)-1, repeated)
	assert.LessOrEqual(t, repeated, kills*batch, "at most one batch is repeated for each kill")
}

func TestAiSOC_RunGoesOnBehindAnEventThatIsNeverTaken(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(30)...)
	server := &fakeaisoc.Server{Poison: func(e map[string]any) bool { return strings.HasPrefix(e["external_id"].(string), "poison") }}
	dead := filepath.Join(t.TempDir(), "dead.jsonl")
	c := a.call("run", "--state", t.TempDir(), "--drop-routine=false", "--listen", "127.0.0.1:0").to(listen(t, server), "--dead-letter", dead)
	a.Add(time.Time{}, fakecloudflare.Entry("poison", time.Now().Add(-time.Minute), 0))
	address, stop := c.background(t)
	get := func(path string) string {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
		resp, err := client.Get(address + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(b)
	}
	require.Eventually(t, func() bool { return strings.Contains(get("/readyz"), `"ready": true`) }, 30*time.Second, 20*time.Millisecond)
	assert.Len(t, arrived(t, server), 30)
	assert.Equal(t, []string{"poison"}, deadLetters(t, dead))
	metrics := get("/metrics")
	for _, line := range []string{"accepted_total 30", "dead_lettered_total 1", "rejected_total 0", "truncated_total 0"} {
		assert.Contains(t, metrics, "\ncfaudit_aisoc_"+line+"\n")
	}
	assert.Regexp(t, `\ncfaudit_aisoc_posts_total [1-9]`, metrics)
	assert.Regexp(t, `\ncfaudit_aisoc_bisections_total [1-9]`, metrics)
	var h feedHealth
	require.NoError(t, json.Unmarshal([]byte(get("/healthz")), &h))
	require.NotNil(t, h.AiSOC)
	assert.Equal(t, 1, h.AiSOC.DeadLettered)
	assert.Equal(t, health.OK, h.Status)
	code, log := stop()
	assert.Equal(t, exitOK, code)
	assert.Contains(t, log, "external_id=poison")
}

// Nothing else is known to be good then, and run offers a batch until it is
// delivered.
func TestAiSOC_RunIsNotStoppedByAnEventThatIsAllThereIs(t *testing.T) {
	t.Parallel()
	a := newAccount(t, fakecloudflare.Entry("poison", time.Now().Add(-time.Minute), 0))
	server := &fakeaisoc.Server{Poison: func(e map[string]any) bool {
		raw, _ := e["raw_event"].(map[string]any)
		return raw["id"] == "poison"
	}}
	state := t.TempDir()
	_, stop := a.call("run", "--state", state, "--drop-routine=false", "--listen", "127.0.0.1:0").to(listen(t, server)).background(t)
	require.Eventually(t, func() bool {
		_, err := os.Stat(cursorFile(state))
		return err == nil
	}, 30*time.Second, 20*time.Millisecond)
	code, _ := stop()
	assert.Equal(t, exitOK, code)
	assert.Equal(t, []string{"poison"}, deadLetters(t, deadLetterFile(state)))
	assert.Equal(t, []string{"poison"}, arrived(t, server), "without its raw entry")
}

func TestAiSOC_HealthTellsWhatThePersonHasToMend(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]health.State{
		400: "failing", 401: "failing", 404: "failing", 307: "failing", 429: "retrying", 500: "retrying", 503: "retrying",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatched(t)
			server := &fakeaisoc.Server{Fault: func(int) fakeaisoc.Fault { return fakeaisoc.Fault{Status: status} }}
			events, err := aisoc.New(aisoc.Config{
				URL: "http://127.0.0.1:8081", TenantID: testTenant, ConnectorID: "c", ConnectorType: "cloudflare",
				DeadLetter: filepath.Join(t.TempDir(), "dead.jsonl"), HTTPClient: &http.Client{Transport: server},
			})
			require.NoError(t, err)
			w.runner.Sink = events
			w.api.Add(time.Time{}, fakecloudflare.Entry("a", time.Now().Add(-time.Minute), 0))
			defer w.start(t)()
			time.Sleep(time.Minute)
			synctest.Wait()
			_, h := w.get(t, "/healthz")
			assert.Equal(t, want, h.Status, status)
			assert.Contains(t, h.Reason, "the events cannot be delivered since ")
			assert.Contains(t, h.Reason, fmt.Sprint("the service answered HTTP ", status))
			assert.Equal(t, want == health.Failing, strings.HasPrefix(h.Reason, "a person has to act: "), h.Reason)

			server.SetFault(nil)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			_, h = w.get(t, "/healthz")
			assert.Equal(t, health.OK, h.Status)
			assert.Equal(t, 1, h.AiSOC.Accepted)
			assert.Equal(t, map[string]int{"a": 1}, server.Accepted())
			assert.EqualValues(t, 1, gather(t, w.monitor)["cfaudit_aisoc_accepted_total"])
		})
	}
}

func TestAiSOC_ATokenIsForTheServiceAlone(t *testing.T) {
	t.Parallel()
	const token = "gateway-0123456789abcdef"
	a := newAccount(t, recent(3)...)
	server := &fakeaisoc.Server{Token: token}
	poll := a.call("poll", "-v", "--state", t.TempDir(), "--drop-routine=false").to(listen(t, server))
	got := poll.run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "cannot deliver to AiSOC: the service answered HTTP 401: unauthorized; check the token")

	poll.env[envAiSOCToken] = token
	got = poll.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Len(t, arrived(t, server), 3)
	for _, r := range a.Requests() {
		assert.Equal(t, "Bearer "+a.token, r.Header.Get("Authorization"))
	}
	for _, r := range server.Requests() {
		assert.NotContains(t, fmt.Sprint(r.Header)+string(r.Body), a.token)
	}
	for _, status := range []int{200, 400, 403} {
		server.SetFault(func(int) fakeaisoc.Fault {
			return fakeaisoc.Fault{Status: status, Body: `{"error":"what is ` + token + `?"}`}
		})
		a.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprint("new", status), time.Now().Add(-time.Second), 0))
		got = poll.run(t.Context())
		assert.Equal(t, exitFailed, got.code)
		assert.Contains(t, got.err, "what is [redacted]?")
		assert.NotContains(t, got.out+got.err, token)
	}
	b, err := json.Marshal(server.Events())
	require.NoError(t, err)
	assert.NotContains(t, string(b), token)
}

func TestAiSOC_WrongFlagsAreExitCode2(t *testing.T) {
	t.Parallel()
	const good = " --aisoc https://ingest.example.com --tenant " + testTenant + " --connector-id " + testConnector
	const secret = "0123456789abcdefghijklmnopqrstuvwxyz0123"
	for line, want := range map[string]string{
		"--tenant " + testTenant:                                     `--tenant: "` + testTenant + `": requires --aisoc`,
		"--connector-id cf-main":                                     `--connector-id: "cf-main": requires --aisoc`,
		"--any-connector-id":                                         `--any-connector-id: "true": requires --aisoc`,
		good + " --connector-id cf-main":                             `--connector-id: "cf-main": must be the UUID of the connector instance in AiSOC, because it links no alert to a connector by another id; --any-connector-id allows that`,
		good + " --connector-id " + secret:                           `--connector-id: "[redacted]": must be the UUID`,
		"--dead-letter dead.jsonl":                                   `--dead-letter: "dead.jsonl": requires --aisoc or --http`,
		"--aisoc-plain-http":                                         `--aisoc-plain-http: "true": requires --aisoc`,
		"--connector-id " + secret:                                   `--connector-id: "[redacted]": requires --aisoc`,
		"--aisoc=" + good[7:]:                                        "",
		good + " --out events.jsonl":                                 `--out: "events.jsonl": cannot be given with --aisoc: the events go to one place`,
		good + " --out -":                                            `--out: "-": cannot be given with --aisoc`,
		good + " --dead-letter=":                                     "--dead-letter: must be the name of a file",
		good + " --aisoc=":                                           "--aisoc: is required: the address of the ingestion service",
		good + " --aisoc ingest.example.com":                         `--aisoc: "ingest.example.com": must be an https URL such as`,
		good + " --aisoc http://ingest-worker:8080":                  `--aisoc: "http://ingest-worker:8080": would send the events unencrypted; plain http is for loopback addresses, unless --aisoc-plain-http allows it`,
		good + " --aisoc https://ingest.example.com/v1/ingest/batch": "--aisoc: \"https://ingest.example.com/v1/ingest/batch\": must end before /v1/ingest/batch",
		good + " --aisoc https://user:hunter2@ingest.example.com":    `--aisoc: "https://user:xxxxx@ingest.example.com": must not hold credentials`,
		good + " --tenant acme":                                      `--tenant: "acme": must be a UUID such as`,
		good + " --tenant=":                                          "--tenant: is required: the UUID of the tenant",
		good + " --tenant " + secret:                                 `--tenant: "[redacted]": must be a UUID`,
		good + " --connector-id=":                                    "--connector-id: is required: the id of the connector instance",
	} {
		for _, name := range []string{"poll", "run"} {
			args := append([]string{name, "--state", filepath.Join(t.TempDir(), "state")}, strings.Fields(line)...)
			got := newAccount(t).call(args...).run(t.Context())
			assert.Equal(t, exitUsage, got.code, line)
			assert.Equal(t, 1, strings.Count(got.err, "cfaudit: "), "%s: %s", line, got.err)
			assert.True(t, strings.HasPrefix(got.err, "cfaudit: "+want), "%s: %s", line, got.err)
			assert.NotContains(t, got.err, "hunter2")
			assert.NotContains(t, got.err, secret)
			assert.NoDirExists(t, args[2], "nothing is begun")
		}
	}
	// All faults are reported together, those of the account among them.
	got := command(t, "poll", "--aisoc", "ftp://x", "--page-size", "0")
	assert.Equal(t, exitUsage, got.code)
	for _, flag := range []string{"--state", "--aisoc", "--tenant", "--connector-id", "--page-size", "--account-id"} {
		assert.Contains(t, got.err, "cfaudit: "+flag)
	}
	// A token goes over https, or to this machine.
	c := newAccount(t).call("poll", "--state", t.TempDir()).to("http://ingest-worker:8080", "--aisoc-plain-http")
	c.env[envAiSOCToken] = "t"
	got = c.run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--aisoc: \"http://ingest-worker:8080\": would send the token unencrypted; use https, or no token")
	c.env[envAiSOCToken] = "a b\n"
	got = c.run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "cfaudit: AISOC_TOKEN: has a character in it that no token has")
}

// AiSOC links no alert to a connector by another id, but delivers.
func TestAiSOC_AnIdThatIsNoUUIDHasToBeAllowed(t *testing.T) {
	t.Parallel()
	server := new(fakeaisoc.Server)
	c := newAccount(t, recent(3)...).call("poll", "--state", t.TempDir()).to(listen(t, server), "--connector-id", "cf-main", "--any-connector-id")
	got := c.run(t.Context())
	assert.Equal(t, exitOK, got.code, got.err)
	require.Len(t, server.Requests(), 1)
	assert.Contains(t, string(server.Requests()[0].Body), `"connector_id":"cf-main"`)
}

func TestAiSOC_ADeadLetterFileThatCannotBeWrittenIsAFailureAtTheStart(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	server := new(fakeaisoc.Server)
	got := a.call("poll", "--state", t.TempDir()).to(listen(t, server), "--dead-letter", t.TempDir()).run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "cfaudit: cannot write the dead-letter file: ")
	assert.Empty(t, a.Requests())
	assert.Empty(t, server.Requests())
}

func TestAiSOC_TheTokenIsReadWithTheServiceOnly(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	server := new(fakeaisoc.Server)
	for _, c := range []call{a.call("poll", "--state", t.TempDir()), a.call("poll", "--state", t.TempDir()).to(listen(t, server))} {
		read := make(map[string]bool)
		var out, errs bytes.Buffer
		code := execute(t.Context(), c.args, world{strings.NewReader(""), &out, &errs, func(name string) string {
			read[name] = true
			return c.env[name]
		}})
		require.Equal(t, exitOK, code, &errs)
		assert.Equal(t, slices.Contains(c.args, "--aisoc"), read[envAiSOCToken])
		delete(read, envAiSOCToken)
		assert.Equal(t, map[string]bool{envToken: true, envAccountID: true}, read)
	}
	for _, line := range []string{"--help", "poll --help", "run --help"} {
		assert.Contains(t, command(t, strings.Fields(line)...).out, envAiSOCToken, line)
	}
}
