package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/fleet"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakeaisoc"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakehttp"
	"github.com/aisoc/cloudflareaudit/internal/health"
	"github.com/aisoc/cloudflareaudit/internal/pgtest"
	"github.com/aisoc/cloudflareaudit/sink"
)

// ward is a fleet without faults: a database, a key and an API.
type ward struct {
	t   *testing.T
	api *fakecloudflare.Accounts
	url string
	env map[string]string
}

func newWard(t *testing.T) *ward {
	t.Helper()
	f := &ward{t: t, api: &fakecloudflare.Accounts{}}
	listener := httptest.NewServer(f.api)
	t.Cleanup(listener.Close)
	f.url = listener.URL + fakecloudflare.Prefix
	f.env = map[string]string{envDatabase: pgtest.Database(t)}
	f.env[envFleetKey] = strings.TrimSpace(f.ok("key").out)
	f.ok("migrate")
	return f
}

func (f *ward) call(args ...string) call {
	if args[0] == "add" {
		args = append(args, "--allow-loopback") // the API of the tests is there
	}
	return call{args: append([]string{"fleet"}, args...), env: f.env}
}

func (f *ward) ok(args ...string) result {
	f.t.Helper()
	got := f.call(args...).run(f.t.Context())
	require.Equal(f.t, exitOK, got.code, got.err)
	return got
}

// account adds an account with n entries to the API.
func (f *ward) account(number, n int) (id, token string) {
	id, token = fmt.Sprintf("%032x", 0xacc0000+number), fmt.Sprintf("cfat_ward%036d", accounts.Add(1))
	s := fakecloudflare.NewServer(fakecloudflare.Options{AccountID: id, Token: token})
	now := time.Now()
	s.Add(time.Time{}, fakecloudflare.Generate(uint64(number), n, now.Add(-time.Hour), now.Add(-time.Minute))...)
	f.api.Add(s)
	return id, token
}

// dueNow makes all polls due, in place of one after the other.
func (f *ward) dueNow() {
	f.t.Helper()
	conn, err := pgx.Connect(f.t.Context(), f.env[envDatabase])
	require.NoError(f.t, err)
	_, err = conn.Exec(f.t.Context(), `UPDATE river_job SET scheduled_at = now()`)
	require.NoError(f.t, err)
	require.NoError(f.t, conn.Close(f.t.Context()))
}

const (
	tenantA = "0f9a7a52-6d0e-4c39-9d59-6f1f4e6f0001"
	tenantB = "0f9a7a52-6d0e-4c39-9d59-6f1f4e6f0002"
)

func TestFleet_FromNothingToEvents(t *testing.T) {
	t.Parallel()
	f := newWard(t)
	a, tokenA := f.account(1, 50)
	b, tokenB := f.account(2, 70)
	list := filepath.Join(t.TempDir(), "accounts.csv")
	require.NoError(t, os.WriteFile(list, []byte("\xef\xbb\xbfaccount_id, tenant,api_token\n"+
		a+","+tenantA+","+tokenA+"\n"+b+","+tenantB+","+tokenB+"\n"), 0o600))
	add := []string{"add", "--from", list, "--base-url", f.url, "--drop-routine=false", "--interval", "30s"}
	assert.Equal(t, "2 accounts: 2 added, 0 changed, 0 unchanged\n", f.ok(add...).err)
	assert.Equal(t, "2 accounts: 0 added, 0 changed, 2 unchanged\n", f.ok(add...).err)

	got := f.ok("list")
	assert.Regexp(t, `^ID +TENANT +FEED +INTERVAL +TOKEN +STATE +CHANGED\ncloudflare-`+a+` +`+tenantA+` +cloudflare +30s +encrypted +active +20`, got.out)
	got = f.ok("list", "--json")
	var instances []fleet.Instance
	require.NoError(t, json.Unmarshal([]byte(got.out), &instances))
	require.Len(t, instances, 2)
	assert.Equal(t, f.url, instances[0].Config["base_url"])
	assert.NotContains(t, got.out, tokenA)
	got = f.ok("status")
	assert.Regexp(t, `(?m)^cloudflare-`+a+` +`+tenantA+` +starting +never +- +0 +(in \d+s|now) +-$`, got.out)
	assert.Regexp(t, `\n\n2 accounts, 2 starting\n$`, got.out)

	f.dueNow()
	out := filepath.Join(t.TempDir(), "events.jsonl")
	url, stop := f.call("work", "--out", out, "--listen", "127.0.0.1:0", "--concurrency", "4").background(t)
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(out)
		return err == nil && bytes.Count(text, []byte("\n")) == 120
	}, time.Minute, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		var s []fleet.Status
		require.NoError(t, json.Unmarshal([]byte(f.ok("status", "--json").out), &s))
		return s[0].Events == 50 && s[1].Events == 70 && s[0].Backlog == 0
	}, 20*time.Second, 50*time.Millisecond)
	assert.Len(t, set(ids(t, read(t, out))), 120)
	got = f.ok("status")
	assert.Regexp(t, `(?m)^cloudflare-`+a+` +`+tenantA+` +ok +\d+s ago +(0s|[1-9]\S*) +0 +in \d+s +-$`, got.out)
	assert.Regexp(t, `^ID +TENANT[^\n]*\n\n2 accounts`, f.ok("status", "--failing").out)

	status, body := fetch(t, url+"/healthz")
	assert.Equal(t, 200, status)
	assert.Contains(t, body, `"status": "ok"`)
	assert.Contains(t, body, `"instances": 2`)
	status, _ = fetch(t, url+"/readyz")
	assert.Equal(t, 200, status)
	_, body = fetch(t, url+"/metrics")
	assert.Contains(t, body, "\ncfaudit_fleet_healthy 1\n")
	assert.Contains(t, body, "\ncfaudit_fleet_accounts{state=\"failing\"} 0\n")
	assert.Contains(t, body, "\ncfaudit_fleet_entries_read_total 120\n")
	assert.NotContains(t, body, tokenA)
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	require.NoError(t, err)
	assert.Empty(t, problems)

	assert.Equal(t, "paused cloudflare-"+a+"\n", f.ok("pause", "cloudflare-"+a).err)
	assert.Regexp(t, `(?m)^cloudflare-`+a+` .* paused +-$`, f.ok("status").out)
	cursor := f.ok("cursor", "cloudflare-"+a).out
	file := filepath.Join(t.TempDir(), "cursor")
	require.NoError(t, os.WriteFile(file, []byte(cursor), 0o600))
	other := newWard(t)
	other.env[envToken] = tokenA
	other.ok("add", "--account-id", a, "--tenant", tenantA, "--base-url", f.url, "--cursor", file)
	assert.Equal(t, cursor, other.ok("cursor", "cloudflare-"+a).out, "another fleet can go on")
	f.ok("resume", "cloudflare-"+a)
	assert.Equal(t, "encrypted the tokens of 2 accounts\n", f.ok("reseal").err)
	f.ok("remove", "cloudflare-"+a, "cloudflare-"+b)
	assert.Contains(t, f.ok("status").out, "\n0 accounts\n")

	code, log := stop()
	assert.Equal(t, exitOK, code)
	assert.Equal(t, "cfaudit: listening on "+url+"\n", log, "normal running logs nothing")
}

func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

func TestFleet_AccountsOfATenantSharePostsToAiSOC(t *testing.T) {
	t.Parallel()
	f := newWard(t)
	service := &fakeaisoc.Server{Latency: time.Second}
	var rows []map[string]string
	want := make(map[string]int)
	for n := range 12 {
		tenant := []string{tenantA, tenantB}[n%2]
		id, token := f.account(n, 5)
		want[tenant] += 5
		rows = append(rows, map[string]string{"account_id": id, "api_token": token, "tenant": tenant})
	}
	text, err := json.Marshal(rows)
	require.NoError(t, err)
	add := f.call("add", "--from", "-", "--base-url", f.url, "--drop-routine=false")
	add.stdin = string(text)
	got := add.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	f.dueNow()
	f.env[envAiSOCToken] = "a-gateway-token"
	letters := t.TempDir()
	_, stop := f.call("work", "--aisoc", listen(t, service), "--dead-letters", letters, "--listen", "127.0.0.1:0").background(t)
	delivered := func() map[string]int {
		n := make(map[string]int)
		for _, r := range service.Requests() {
			n[r.Header.Get("X-Tenant-ID")] += len(r.IDs)
		}
		return n
	}
	require.Eventually(t, func() bool { n := delivered(); return n[tenantA] >= 30 && n[tenantB] >= 30 }, time.Minute, 50*time.Millisecond)
	code, log := stop()
	assert.Equal(t, exitOK, code, log)
	assert.Equal(t, want, delivered())
	assert.Less(t, len(service.Requests()), 12, "a POST for each account would be 12")
	assert.Empty(t, service.Violations())
	assert.Equal(t, []string{tenantA + ".cloudflare.dead-letter.jsonl", tenantB + ".cloudflare.dead-letter.jsonl"}, names(t, letters))
}

func TestFleet_AllAccountsShareTheServiceOfHTTP(t *testing.T) {
	t.Parallel()
	f := newWard(t)
	service := &fakehttp.Server{Kind: fakehttp.Elastic}
	for n := range 4 {
		id, token := f.account(n, 5)
		f.env[envToken] = token
		f.ok("add", "--tenant", tenantA, "--account-id", id, "--base-url", f.url, "--drop-routine=false")
	}
	delete(f.env, envToken)
	f.dueNow()
	letters := t.TempDir()
	address, stop := f.call(append([]string{"work", "--dead-letters", letters, "--listen", "127.0.0.1:0"}, serveHTTP(t, service)...)...).background(t)
	require.Eventually(t, func() bool { return len(service.Accepted()) >= 20 }, time.Minute, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		return strings.Contains(textAt(t, address+"/metrics"), "\ncfaudit_fleet_http_accepted_total 20\n")
	}, 10*time.Second, 50*time.Millisecond)
	code, log := stop()
	assert.Equal(t, exitOK, code, log)
	assert.Equal(t, []string{"http.dead-letter.jsonl"}, names(t, letters))
}

func TestFleetAdd_ReportsEveryFaultWithItsPlaceAndNoToken(t *testing.T) {
	t.Parallel()
	f := newWard(t)
	a, token := f.account(1, 1)
	list := filepath.Join(t.TempDir(), "accounts.csv")
	for content, want := range map[string]string{
		"account_id,tenant,api_token\n" + a + ",," + token:                                "line 2: tenant: is required",
		"account_id,tenant,api_token\n" + a[1:] + ",t," + token:                           `line 2: account_id: "` + a[1:] + `": must be the Account ID`,
		"account_id,tenant,api_token\n" + a + ",t,\"" + token + " x\"":                    "line 2: api_token: has a space in it",
		"account_id,tenant,api_token\n\n" + a + ",t," + token + "\n" + a + ",t," + token:  "line 4: the same account as in " + list + ": line 3",
		"account_id,tenant,api_token,api_tokn\n" + a + ",t," + token + ",x":               "line 2: api_tokn: there is no such field; did you mean \"api_token\"?",
		"account_id,tenant,api_token,page_size\n" + a + ",t," + token + ",0":              `line 2: page_size: "0": must be at least 1`,
		"account_id,tenant,api_token_ref\n" + a + ",t,../x":                               "line 2: api_token_ref: must be the name of a file in the folder of secrets",
		"account_id,tenant,api_token_ref\n" + a + ",t,x":                                  "line 2: api_token_ref: refers to a file, but no folder of secrets is given",
		"account_id,tenant,api_token\n" + a + "," + token + "," + token:                   "line 2: tenant: looks like an API token",
		"account_id,tenant,api_token_ref\n" + a + ",t," + token:                           "line 2: api_token_ref: looks like an API token",
		"account_id,account_id\n":                                                         `--from: ` + list + `: duplicate column "account_id"`,
		"account_id,tenant,api_token\n" + a + ",t," + token + ",surplus":                  "--from: " + list + ": record on line 2: wrong number of fields",
		"account_id,tenant,api_token\n":                                                   "--from: " + list + ": has no accounts in it",
		"":                                                                                "--from: " + list + ": has no header line",
		"account_id,tenant,api_token,id\n" + a + ",t," + token + ",\"a\tb\"":              `line 2: id: "a\tb": must not have control characters`,
		"account_id,tenant,api_token,poll_interval_seconds\n" + a + ",t," + token + ",29": `line 2: poll_interval_seconds: "29": must be between 30 and 86400`,
	} {
		require.NoError(t, os.WriteFile(list, []byte(content), 0o600))
		got := f.call("add", "--from", list, "--base-url", f.url).run(t.Context())
		assert.Equal(t, exitUsage, got.code, content)
		assert.Contains(t, got.err, want, content)
		assert.NotContains(t, got.err, token)
	}
	for _, text := range []string{"{}", "[3]", `[{"account_id":`, "[]"} {
		c := f.call("add", "--from", "-")
		c.stdin = text
		got := c.run(t.Context())
		assert.Equal(t, exitUsage, got.code, text)
		assert.Contains(t, got.err, "--from: -: ", text)
	}
	got := f.call("add", "--base-url", f.url).run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	for _, want := range []string{"tenant: is required", "--account-id or CLOUDFLARE_ACCOUNT_ID: is required", "CLOUDFLARE_API_TOKEN or --token-file: is required"} {
		assert.Equal(t, 1, strings.Count(got.err, want), "%s: %s", want, got.err)
	}
	assert.Contains(t, f.ok("status").out, "0 accounts", "nothing is stored")
}

func TestFleetAdd_ByFlagsWithATokenInAFile(t *testing.T) {
	t.Parallel()
	f := newWard(t)
	a, token := f.account(1, 1)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "acme"), []byte(token+"\n"), 0o600))
	delete(f.env, envFleetKey)
	args := []string{"add", "--tenant", tenantA, "--account-id", a, "--base-url", f.url, "--id", "acme", "--feed", "cloudflare-main"}
	f.ok(append(args, "--token-ref", "acme", "--secrets", folder)...)
	assert.Regexp(t, `(?m)^acme +`+tenantA+` +cloudflare-main +5m +file acme +active`, f.ok("list").out)

	f.env[envToken] = token
	got := f.call(args...).run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "there is no key to encrypt the secrets with")
}

func TestFleet_ADatabaseThatCannotBeUsedIsExplained(t *testing.T) {
	t.Parallel()
	status := func(env map[string]string, args ...string) result {
		return call{args: append([]string{"fleet", "status"}, args...), env: env}.run(t.Context())
	}
	const secret = "hunter2hunter2"
	for _, c := range []struct {
		env  string
		args []string
		code int
		want string
	}{
		{"", nil, exitUsage, "CFAUDIT_DATABASE_URL or --database: is required"},
		{"host=db.example.com password=" + secret, nil, exitUsage, "CFAUDIT_DATABASE_URL: must be a URL such as postgres://"},
		{"postgres://u:" + secret + "@[/", nil, exitUsage, "CFAUDIT_DATABASE_URL: cannot be read as the URL of a database"},
		{"", []string{"--database", "postgres://u:" + secret + "@127.0.0.1/x"}, exitUsage, "--database: has a password in it"},
		{"postgres://u:" + secret + "@127.0.0.1:1/x", nil, exitFailed, "cannot connect to the database"},
	} {
		got := status(map[string]string{envDatabase: c.env}, c.args...)
		assert.Equal(t, c.code, got.code, got.err)
		assert.Contains(t, got.err, c.want)
		assert.NotContains(t, got.err, secret)
	}
	got := status(map[string]string{envDatabase: pgtest.Database(t)})
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "run 'cfaudit fleet migrate'")
	f := newWard(t)
	f.env[envFleetKey] = "AGE-SECRET-KEY-1" + secret
	got = f.call("add").run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "CFAUDIT_FLEET_KEY: the key is no age identity")
	assert.NotContains(t, got.err, secret)
}

// counter is a sink that counts.
type counter struct{ events atomic.Int64 }

func (c *counter) Write(_ context.Context, events []ingest.Event) error {
	c.events.Add(int64(len(events)))
	return nil
}

func TestFleetWork_UserEventsOnceIsAChoice(t *testing.T) {
	t.Parallel()
	for once, want := range map[bool]int64{false: 3, true: 2} {
		var got counter
		d := &delivery{once: once, all: sink.NewGroup(&got), distinct: make(map[string]*sink.Distinct)}
		for _, in := range []fleet.Instance{{ID: "a", Tenant: "one"}, {ID: "b", Tenant: "one"}, {ID: "c", Tenant: "two"}} {
			s, err := d.sink(in)
			require.NoError(t, err)
			require.NoError(t, s.Write(t.Context(), []ingest.Event{{Source: "cloudflare", ExternalID: "x", Audit: ingest.Audit{Scope: "user"}}}))
		}
		assert.Equal(t, want, got.events.Load(), "once: %v", once)
		assert.EqualValues(t, 3-want, d.omitted())
	}
}

func TestFleetWork_WrongFlagsAreReportedTogether(t *testing.T) {
	t.Parallel()
	got := command(t, "fleet", "work", "--concurrency", "0", "--poll-timeout", "1s", "--token-budget", "1201", "--listen", "x", "--dead-letters", "d")
	assert.Equal(t, exitUsage, got.code)
	for _, want := range []string{"--concurrency: 0: must be from 1 to 1000", "--poll-timeout: 1s: must be from 2s to 30m",
		"--token-budget: 1201: must be from 10 to 1200", `--listen: "x": must be an address`, `--dead-letters: "d": requires --aisoc or --http`} {
		assert.Contains(t, got.err, want)
	}
	got = command(t, "fleet", "work", "--aisoc", "http://ingest.example.com", "--out", "x")
	assert.Equal(t, exitUsage, got.code)
	for _, want := range []string{"--out: \"x\": cannot be given with --aisoc", "--dead-letters: is required with --aisoc",
		`--aisoc: "http://ingest.example.com": would send the events unencrypted`} {
		assert.Contains(t, got.err, want)
	}
	assert.NotContains(t, got.err, "tenant")
}

func TestFleet_HelpNamesTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"--help", "fleet --help"} {
		got := command(t, strings.Fields(line)...)
		assert.Contains(t, got.out, envDatabase)
		assert.Contains(t, got.out, envFleetKey)
	}
	for _, line := range []string{"migrate", "key", "add", "list", "pause", "resume", "remove", "cursor", "reseal", "work", "status"} {
		got := command(t, "fleet", line, "--help")
		assert.Equal(t, exitOK, got.code)
		assert.Contains(t, got.out, "Usage:")
		for text := range strings.Lines(got.out) {
			assert.LessOrEqual(t, len([]rune(text)), 140, "%s: %s", line, text)
		}
	}
}

func TestFleet_ReadsNoOtherEnvironment(t *testing.T) {
	t.Parallel()
	f := newWard(t)
	for _, args := range [][]string{{"migrate"}, {"key"}, {"list"}, {"status"}, {"reseal"}} {
		var out, errs bytes.Buffer
		code := execute(t.Context(), append([]string{"fleet"}, args...), world{strings.NewReader(""), &out, &errs, func(name string) string {
			assert.Contains(t, []string{envDatabase, envFleetKey}, name, args)
			return f.env[name]
		}})
		assert.Equal(t, exitOK, code, "%s: %s", args, &errs)
	}
}

func TestFleetMonitor_JudgesTheWorker(t *testing.T) {
	t.Parallel()
	now := time.Now()
	stamp := func(ago time.Duration) string { return now.Add(-ago).UTC().Format(time.RFC3339) }
	// undelivered lets deliveries fail at times, the latest first.
	undelivered := func(m *fleetMonitor, ago ...time.Duration) {
		for _, d := range slices.Backward(ago) {
			m.note(fleet.Poll{Step: fleet.StepDeliver, Err: errors.New("no space left")}, now.Add(-d))
		}
	}
	fresh := func() *fleetMonitor {
		m := newFleetMonitor(nil, new(delivery), nil)
		m.started = now.Add(-time.Hour)
		m.seen, m.settled = now, now
		return m
	}
	for name, c := range map[string]struct {
		change func(*fleetMonitor)
		status health.State
		reason string
	}{
		"all is well":           {func(*fleetMonitor) {}, health.OK, ""},
		"before the first look": {func(m *fleetMonitor) { m.seen, m.started = time.Time{}, now }, health.Starting, ""},
		"a short outage of the database": {func(m *fleetMonitor) { m.lost, m.err = now.Add(-time.Minute), io.ErrUnexpectedEOF },
			health.Retrying, "the database is out of reach since " + stamp(time.Minute) + ": unexpected EOF"},
		"a long outage": {func(m *fleetMonitor) { m.lost, m.err = now.Add(-10*time.Minute), io.ErrUnexpectedEOF },
			health.Failing, "the database is out of reach since " + stamp(10*time.Minute) + ": unexpected EOF"},
		"too few workers": {func(m *fleetMonitor) { m.summary.Overdue, m.behind = 3, now.Add(-time.Hour) },
			health.Retrying, "3 accounts are overdue by more than a minute, and this worker has made no poll since " + stamp(0) + ": if workers make polls and it stays so, add some"},
		"a worker that does nothing": {func(m *fleetMonitor) {
			m.summary.Overdue, m.behind, m.settled = 1, now.Add(-time.Hour), now.Add(-6*time.Minute)
		}, health.Failing, "1 account is overdue by more than a minute, and this worker has made no poll since " + stamp(6*time.Minute) + ": if workers make polls and it stays so, add some"},
		"an account that has become overdue just now": {func(m *fleetMonitor) {
			m.summary.Overdue, m.behind, m.settled = 1, now.Add(-time.Minute), now.Add(-time.Hour)
		}, health.Retrying, "1 account is overdue by more than a minute, and this worker has made no poll since " + stamp(time.Minute) + ": if workers make polls and it stays so, add some"},
		"nothing to do": {func(m *fleetMonitor) { m.settled = time.Time{} }, health.OK, ""},
		"an output that fails": {func(m *fleetMonitor) { undelivered(m, 0, time.Minute) },
			health.Retrying, "no event can be delivered since " + stamp(time.Minute) + ": no space left"},
		"an output that fails twice for long": {func(m *fleetMonitor) { undelivered(m, 0, time.Hour) },
			health.Retrying, "no event can be delivered since " + stamp(time.Hour) + ": no space left"},
		"an output that fails for two minutes": {func(m *fleetMonitor) { undelivered(m, 0, time.Minute, 2*time.Minute) },
			health.Failing, "no event can be delivered since " + stamp(2*time.Minute) + ": no space left"},
		"an output that works for others": {func(m *fleetMonitor) {
			undelivered(m, time.Minute, 2*time.Minute, 3*time.Minute)
			m.note(fleet.Poll{Batch: ingest.Batch{Events: make([]ingest.Event, 1)}}, now)
		}, health.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := fresh()
			c.change(m)
			h := m.health(now)
			assert.Equal(t, c.status, h.Status)
			assert.Equal(t, c.reason, h.Reason)
		})
	}
}

func TestFleetMetrics_AreListedInTheDocs(t *testing.T) {
	t.Parallel()
	_, text, found := strings.Cut(read(t, "../../docs/fleet.md"), "\n### Metrics\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n#")
	name := regexp.MustCompile(`cfaudit_fleet_[a-z_]+`)
	listed := set(name.FindAllString(text, -1))
	are := make(map[string]bool)
	m := newFleetMonitor(nil, &delivery{aisoc: "https://ingest.example.com"}, new(ownRules))
	m.seen = time.Now()
	m.observe(fleet.Poll{})
	m.metrics.failures.WithLabelValues("poll")
	m.metrics.requests.WithLabelValues("200")
	m.metrics.events.WithLabelValues("low")
	m.metrics.dropped.WithLabelValues("rule")
	families, err := m.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		are[f.GetName()] = true
	}
	assert.Equal(t, are, listed)
}

func TestShort_ShowsTwoUnits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", -time.Second: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m30s", 5 * time.Minute: "5m",
		10 * time.Minute: "10m", 3*time.Hour + 59*time.Second: "3h", 50 * time.Hour: "2d2h", 48 * time.Hour: "2d",
	} {
		assert.Equal(t, want, short(d))
	}
}

func TestFleet_ATokenInPlaceOfAnIDIsNotRepeated(t *testing.T) {
	t.Parallel()
	const token = "cfat_0123456789012345678901234567890123456789"
	f := newWard(t)
	for _, name := range []string{"cursor", "pause", "resume", "remove"} {
		got := f.call(name, token).run(t.Context())
		assert.Equal(t, exitUsage, got.code, name)
		assert.NotContains(t, got.err, "0123", name)
	}
}

func TestFleet_ACommandThatThereIsNotIsAnError(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"statu": `there is no command "statu"; did you mean status?`,
		"cfat_0123456789012345678901234567890123456789": "there is no such command",
	} {
		got := call{args: []string{"fleet", name}}.run(t.Context())
		assert.Equal(t, exitUsage, got.code, name)
		assert.Empty(t, got.out, name)
		assert.Equal(t, "cfaudit: "+want+"\nSee 'cfaudit fleet --help'.\n", got.err)
	}
	got := call{args: []string{"fleet"}}.run(t.Context())
	assert.Equal(t, exitOK, got.code)
	assert.Contains(t, got.out, "Available Commands:")
}

// AiSOC wants a UUID, a file does not.
func TestFleet_ATenantThatIsNoUUID(t *testing.T) {
	t.Parallel()
	f := newWard(t)
	a, token := f.account(1, 5)
	f.env[envToken] = token
	got := f.ok("add", "--account-id", a, "--tenant", "acme", "--base-url", f.url, "--drop-routine=false")
	assert.Equal(t, "1 account: 1 added, 0 changed, 0 unchanged\n"+
		"note: the tenant of 1 account is not a UUID, such as \"acme\"; 'fleet work --aisoc' cannot deliver what is in these\n", got.err)
	service := &fakeaisoc.Server{}
	f.dueNow()
	_, stop := f.call("work", "--aisoc", listen(t, service), "--dead-letters", t.TempDir(), "--listen", "127.0.0.1:0").background(t)
	require.Eventually(t, func() bool {
		return strings.Contains(f.ok("status", "--json").out, `"last_error": "tenant: \"acme\": must be a UUID such as 00000000-0000-4000-8000-000000000001"`)
	}, 30*time.Second, 50*time.Millisecond)
	stop()
	assert.Empty(t, service.Requests())
	assert.NotContains(t, f.ok("add", "--account-id", a, "--tenant", tenantA, "--base-url", f.url, "--drop-routine=false").err, "note")
}

// A server that has become a standby, or is kept from writing for a while, lets
// connections in that are of no use, and these would stay after it.
func TestFleetWork_GoesOnAfterADatabaseThatWasReadOnly(t *testing.T) {
	t.Parallel()
	for _, fromTheStart := range []bool{true, false} {
		t.Run(fmt.Sprintf("from the start %v", fromTheStart), func(t *testing.T) {
			t.Parallel()
			f, ctx := newWard(t), t.Context()
			id, token := f.account(1, 5)
			f.env[envToken] = token
			f.ok("add", "--account-id", id, "--tenant", tenantA, "--base-url", f.url, "--drop-routine=false")
			conn, err := pgx.Connect(ctx, f.env[envDatabase])
			require.NoError(t, err)
			defer conn.Close(context.Background())
			do := func(statement string) {
				_, err := conn.Exec(ctx, statement)
				assert.NoError(t, err)
			}
			// For the sessions that begin from then on.
			readOnly := "ALTER DATABASE " + conn.Config().Database + " SET default_transaction_read_only = "
			out := filepath.Join(t.TempDir(), "events.jsonl")
			var wg sync.WaitGroup
			if fromTheStart {
				do(readOnly + "on")
				wg.Go(func() { time.Sleep(500 * time.Millisecond); do(readOnly + "off") })
			}
			url, stop := f.call("work", "--out", out, "--listen", "127.0.0.1:0").background(t)
			wg.Wait()
			require.Eventually(t, func() bool { status, _ := fetch(t, url+"/readyz"); return status == 200 }, 20*time.Second, 50*time.Millisecond)
			if !fromTheStart {
				do(readOnly + "on")
				do(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
				time.Sleep(2 * time.Second)
				do(readOnly + "off")
			}
			do(`UPDATE river_job SET scheduled_at = now(), state = 'available' WHERE state = 'scheduled'`)
			require.Eventually(t, func() bool {
				text, err := os.ReadFile(out)
				return err == nil && bytes.Count(text, []byte("\n")) == 5
			}, 30*time.Second, 50*time.Millisecond)
			code, _ := stop()
			assert.Equal(t, exitOK, code)
		})
	}
}

// A worker whose connections break while it starts is not to be started again.
func TestFleetWork_StartsWhileConnectionsBreak(t *testing.T) {
	t.Parallel()
	f, ctx := newWard(t), t.Context()
	id, token := f.account(1, 5)
	f.env[envToken] = token
	f.ok("add", "--account-id", id, "--tenant", tenantA, "--base-url", f.url, "--drop-routine=false")
	f.dueNow()
	conn, err := pgx.Connect(ctx, f.env[envDatabase])
	require.NoError(t, err)
	defer conn.Close(context.Background())
	out := filepath.Join(t.TempDir(), "events.jsonl")
	_, stop := f.call("work", "--out", out, "--listen", "127.0.0.1:0").background(t)
	for range 100 {
		_, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(t, err)
		time.Sleep(10 * time.Millisecond)
	}
	// What a worker has taken whose connection broke then comes back later.
	_, err = conn.Exec(ctx, `UPDATE river_job SET scheduled_at = now(), state = 'available' WHERE kind = 'fleet_poll' AND state <> 'completed'`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(out)
		return err == nil && bytes.Count(text, []byte("\n")) >= 5
	}, 30*time.Second, 50*time.Millisecond)
	code, _ := stop()
	assert.Equal(t, exitOK, code)
}

// The server forgets a transaction of a machine that is gone.
func TestFleet_ATransactionIsNotHeldOpenForEver(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	given, err := url.Parse(database)
	require.NoError(t, err)
	q := given.Query()
	q.Set("idle_in_transaction_session_timeout", "7s")
	given.RawQuery = q.Encode()
	for text, want := range map[string]string{database: "30s", given.String(): "7s"} {
		w := world{stderr: io.Discard, getenv: func(string) string { return text }}
		pool, err := addStation(w, pflag.NewFlagSet("", pflag.ContinueOnError), false).pool(t.Context(), newFleetLogger(w))
		require.NoError(t, err)
		var got string
		require.NoError(t, pool.QueryRow(t.Context(), `SHOW idle_in_transaction_session_timeout`).Scan(&got))
		assert.Equal(t, want, got)
		pool.Close()
	}
}

// Only what 'migrate' mends is answered with it.
func TestFleet_WhatMigrateCannotMendIsNotAnsweredWithIt(t *testing.T) {
	t.Parallel()
	const advice = "run 'cfaudit fleet migrate'"
	got := call{args: []string{"fleet", "status"}, env: map[string]string{envDatabase: pgtest.Database(t)}}.run(t.Context())
	assert.Contains(t, got.err, advice)
	f := newWard(t)
	conn, err := pgx.Connect(t.Context(), f.env[envDatabase])
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), `INSERT INTO cfaudit_migration (line, version) VALUES ('fleet', 99)`)
	require.NoError(t, err)
	got = f.call("status").run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "a newer release has migrated them")
	assert.NotContains(t, got.err, advice)
	_, err = conn.Exec(t.Context(), `DELETE FROM cfaudit_migration WHERE version = 99; DELETE FROM river_migration WHERE version > 5`)
	require.NoError(t, err)
	assert.Contains(t, f.call("status").run(t.Context()).err, advice, "the tables of River")
	role := "without_rights_" + conn.Config().Database
	_, err = conn.Exec(t.Context(), `CREATE ROLE `+role+` LOGIN`)
	require.NoError(t, err)
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), f.env[envDatabase])
		require.NoError(t, err)
		_, err = conn.Exec(context.Background(), `DROP ROLE `+role)
		require.NoError(t, err)
		require.NoError(t, conn.Close(context.Background()))
	})
	env := map[string]string{envDatabase: strings.Replace(f.env[envDatabase], "postgres@", role+"@", 1)}
	got = call{args: []string{"fleet", "status"}, env: env}.run(t.Context())
	assert.Contains(t, got.err, "permission denied for table cfaudit_migration")
	assert.NotContains(t, got.err, advice)
	got = call{args: []string{"fleet", "migrate"}, env: env}.run(t.Context())
	assert.Contains(t, got.err, "permission denied")
}

// mistyped are rules of which one is valid, and yet never matches.
const mistyped = `[{"id":"typo","severity":"low","match":{"action":"dns.recrod.*"}}]`

// Rules of the worker are for the accounts that have none.
func TestFleet_WorkGradesByTheSharedRules(t *testing.T) {
	t.Parallel()
	f := newWard(t)
	a, tokenA := f.account(1, 5)
	b, tokenB := f.account(2, 5)
	own, shared := write(t, gradeAll("medium")), write(t, gradeAll("critical"))
	f.env[envToken] = tokenA
	f.ok("add", "--account-id", a, "--tenant", tenantA, "--base-url", f.url, "--rules", own)
	f.env[envToken] = tokenB
	f.ok("add", "--account-id", b, "--tenant", tenantB, "--base-url", f.url)
	warned := f.ok("add", "--account-id", b, "--tenant", tenantB, "--base-url", f.url, "--rules", write(t, mistyped)).err
	assert.Contains(t, warned, `cfaudit: warning: rules[0] "typo": match.action: "dns.recrod.*": matches no known action`)
	f.ok("add", "--account-id", b, "--tenant", tenantB, "--base-url", f.url)
	f.dueNow()
	out := filepath.Join(t.TempDir(), "events.jsonl")
	url, stop := f.call("work", "--out", out, "--listen", "127.0.0.1:0", "--rules", shared).background(t)
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(out)
		return err == nil && bytes.Count(text, []byte("\n")) == 10
	}, time.Minute, 50*time.Millisecond)
	graded := make(map[string]ingest.Severity)
	for line := range strings.Lines(read(t, out)) {
		var event ingest.Event
		require.NoError(t, json.Unmarshal([]byte(line), &event))
		graded[event.Audit.AccountID+string(event.Severity)] = event.Severity
	}
	assert.Equal(t, map[string]ingest.Severity{a + "medium": "medium", b + "critical": "critical"}, graded)
	_, body := fetch(t, url+"/healthz")
	assert.Contains(t, body, `"own": 1`)
	_, body = fetch(t, url+"/metrics")
	assert.Contains(t, body, "\ncfaudit_fleet_rules 1\n")
	code, log := stop()
	assert.Equal(t, exitOK, code, log)

	got := f.call("work", "--rules", write(t, "[")).run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--rules: ")
}
