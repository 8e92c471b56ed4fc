package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventschema"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

// object is a JSON object.
type object = map[string]any

// request is a request that reads the account, with what more says.
func (a account) request(more object) string {
	req := object{
		"config": object{"account_id": fakecloudflare.DefaultAccountID, "api_token": a.token, "base_url": a.url},
		"cursor": nil,
	}
	for name, v := range more {
		if config, ok := v.(object); ok && name == "config" {
			for field, value := range config {
				req["config"].(object)[field] = value
			}
			continue
		}
		req[name] = v
	}
	b, err := json.Marshal(req)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// answer is what batch has written.
type batchAnswer struct {
	ids    []string
	lines  []string
	Batch  *batchSummary
	Error  *failure
	result result
}

// batch runs the command with a request as its input, and without an environment.
func batch(t *testing.T, input string) batchAnswer {
	t.Helper()
	return answerOf(t, call{args: []string{"batch"}, stdin: input}.run(t.Context()))
}

func answerOf(t *testing.T, got result) batchAnswer {
	t.Helper()
	a := batchAnswer{result: got}
	lines := strings.SplitAfter(got.out, "\n")
	require.Empty(t, lines[len(lines)-1], "the last line is complete")
	last := len(lines) - 2
	require.GreaterOrEqual(t, last, 0, "there is an answer: %s", got.err)
	require.NoError(t, json.Unmarshal([]byte(lines[last]), &a), lines[last])
	require.NotEqual(t, a.Batch == nil, a.Error == nil)
	for _, line := range lines[:last] {
		require.NoError(t, eventschema.Check([]byte(line)))
		var event struct {
			ID string `json:"external_id"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &event))
		a.ids, a.lines = append(a.ids, event.ID), append(a.lines, line)
	}
	if a.Error != nil {
		require.Empty(t, a.lines, "a failure comes without events")
		require.Equal(t, exitFailed, got.code)
		return a
	}
	require.Equal(t, exitOK, got.code, got.err)
	require.Equal(t, len(a.lines), a.Batch.Events)
	require.Equal(t, len(strings.Join(a.lines, "")), a.Batch.Bytes)
	return a
}

// ordered are n entries that all become events, a second apart.
func ordered(n int) (entries []json.RawMessage) {
	end := time.Now().Add(-time.Minute)
	for i := range n {
		entries = append(entries, fakecloudflare.Entry(fmt.Sprintf("e-%05d", i), end.Add(-time.Duration(i)*time.Second), 6))
	}
	return entries
}

func TestBatch_DrainsABacklogWithTheCursorOfTheCaller(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ordered(2500)...)
	var cursor any
	seen := make(map[string]int)
	var sizes []int
	for more := true; more; {
		got := batch(t, a.request(object{"cursor": cursor}))
		require.Nil(t, got.Error)
		for _, id := range got.ids {
			seen[id]++
		}
		sizes = append(sizes, len(got.ids))
		require.Less(t, len(sizes), 10, "it comes to an end")
		assert.Empty(t, got.result.err)
		assert.Equal(t, protocolVersion, got.Batch.Protocol)
		assert.NotNil(t, got.Batch.Notices)
		assert.Equal(t, len(got.ids), got.Batch.Coverage.Delivered)
		// Uncommitted events come again.
		again := batch(t, a.request(object{"cursor": cursor}))
		assert.Subset(t, again.ids, got.ids)
		cursor, more = got.Batch.Cursor, got.Batch.More
	}
	assert.Equal(t, []int{1000, 1000, 500}, sizes)
	assert.Len(t, seen, 2500)
	for id, n := range seen {
		assert.Equal(t, 1, n, id)
	}
	got := batch(t, a.request(object{"cursor": cursor}))
	assert.Empty(t, got.ids)
	assert.False(t, got.Batch.More)
}

// The cursor is past what is in a batch, so what is too much must be polled again
// and not be cut off.
func TestBatch_KeepsTheBoundsAndLosesNothing(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ordered(120)...)
	one := len(batch(t, a.request(object{"max_events": 1})).lines[0])
	for _, bound := range []object{{"max_bytes": 25*one + 300}, {"max_events": 25}, {"config": object{"max_events": 25}}, {"max_bytes": 1}} {
		before := len(a.Requests())
		var cursor any
		var all []string
		calls, requests := 0, 0
		for more := true; more; calls++ {
			bound["cursor"] = cursor
			got := batch(t, a.request(bound))
			require.Nil(t, got.Error)
			if most, ok := bound["max_bytes"].(int); ok && most > 1 {
				assert.LessOrEqual(t, got.Batch.Bytes, most)
				assert.Greater(t, len(got.ids), 15, "a batch is filled")
			}
			all = append(all, got.ids...)
			requests += got.Batch.Coverage.Requests
			cursor, more = got.Batch.Cursor, got.Batch.More
			if bound["max_bytes"] == 1 {
				assert.Len(t, got.ids, 1, "an event that is larger than a batch is one")
				more = more && calls < 10
			}
		}
		assert.Equal(t, len(all), len(set(all)), "none is repeated")
		if bound["max_bytes"] != 1 {
			assert.Len(t, all, 120)
		}
		assert.Equal(t, len(a.Requests())-before, requests, "requests of polls that did not fit are counted")
	}
}

// A host learns from each batch whether both logs can be read, however the batch
// came to its end.
func TestBatch_SaysOfEachLogHowItIs(t *testing.T) {
	t.Parallel()
	both := object{"audit_log_api": "both"}
	states := func(t *testing.T, got batchAnswer) (failed []bool) {
		t.Helper()
		require.Nil(t, got.Error)
		require.NotEmpty(t, got.ids)
		for _, s := range got.Batch.Coverage.Logs {
			failed = append(failed, s.Failed())
			assert.Zero(t, s.Since, "the host knows since when")
		}
		return failed
	}
	t.Run("after a poll without room for one", func(t *testing.T) {
		t.Parallel()
		f := &filling{request: &request{}}
		f.add(ingest.Batch{Coverage: ingest.Coverage{Logs: []ingest.LogState{{Name: "a", Error: "refused"}, {Name: "b"}}}}, nil, 0)
		f.add(ingest.Batch{Coverage: ingest.Coverage{Logs: []ingest.LogState{{Name: "a", Skipped: true}, {Name: "b", Error: "gone"}}}}, nil, 0)
		assert.Equal(t, []ingest.LogState{{Name: "a", Error: "refused"}, {Name: "b", Error: "gone"}}, f.coverage.Logs)
	})
	t.Run("after a poll that did not fit", func(t *testing.T) {
		t.Parallel()
		a := newAccount(t, ordered(120)...)
		got := batch(t, a.request(object{"config": both, "max_bytes": 30_000}))
		require.True(t, got.Batch.More)
		assert.Equal(t, []bool{false, false}, states(t, got))
		assert.Equal(t, len(a.Requests()), got.Batch.Coverage.Requests)
	})
	t.Run("after a poll that failed", func(t *testing.T) {
		t.Parallel()
		a := newAccount(t, ordered(900)...)
		a.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
			if n >= 6 {
				return fakecloudflare.Status(http.StatusForbidden, 10000, "Authentication error", nil)
			}
			return nil
		})
		got := batch(t, a.request(object{"config": both}))
		assert.Contains(t, states(t, got), true)
		c := got.Batch.Coverage
		assert.Equal(t, len(a.Requests()), c.Requests, "the requests of the poll that failed are counted")
		assert.NotZero(t, c.Statuses[http.StatusForbidden])
	})
}

func TestBatch_AnEventTooLargeForTheHostIsCutVisibly(t *testing.T) {
	t.Parallel()
	big := fakecloudflare.Entry("big", time.Now().Add(-time.Minute), 6)
	big = bytes.Replace(big, []byte(`"metadata":{`), []byte(`"metadata":{"large":"`+strings.Repeat("x", 3<<20)+`",`), 1)
	require.Greater(t, len(big), 3<<20)
	a := newAccount(t, append(ordered(3), big)...)

	whole := batch(t, a.request(nil))
	require.Len(t, whole.ids, 4)
	require.Greater(t, whole.Batch.Bytes, 3<<20, "without fit it is as it came")

	fit := batch(t, a.request(object{"fit": "aisoc"}))
	require.ElementsMatch(t, whole.ids, fit.ids)
	assert.Less(t, fit.Batch.Bytes, 1<<20)
	line := fit.lines[slices.Index(fit.ids, "big")]
	assert.Contains(t, line, `"raw_truncated":true`)
	assert.Contains(t, line, "raw_event is cut down from")
}

func TestBatch_FailuresSayWhatToDo(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ordered(3)...)
	good := batch(t, a.request(nil)).Batch.Cursor
	throttled, budget := newAccount(t), newAccount(t)
	for _, a := range []account{throttled, budget} {
		a.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Status(429, 10429, "slow down", http.Header{"Retry-After": {"77"}})
		})
	}
	down := newAccount(t)
	down.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Status(503, 0, "", nil) })
	hung := newAccount(t)
	hung.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Hang() })
	other := strings.Repeat("9", 32)

	for name, c := range map[string]struct {
		input, kind, message, remedy string
		wait                         float64
		temporary                    bool
	}{
		"a wrong token":        {a.request(object{"config": object{"api_token": "cfat_wrong"}}), "credentials", "HTTP 403", "create an account-owned token", 0, false},
		"a wrong account":      {a.request(object{"config": object{"account_id": other}}), "account", "code 7003", "account_id: there is no such account", 0, false},
		"a damaged cursor":     {a.request(object{"cursor": good[:len(good)/2]}), "cursor", "it is damaged", "pass null to start over", 0, false},
		"an empty cursor":      {a.request(object{"cursor": ""}), "cursor", "it is damaged", "restore the cursor", 0, false},
		"a cursor of another":  {a.request(object{"cursor": strings.ReplaceAll(good, fakecloudflare.DefaultAccountID, other)}), "cursor", "belongs to account", "", 0, false},
		"too many requests":    {throttled.request(object{"cursor": good}), "rate_limited", "HTTP 429", "a token of its own", 77, true},
		"a used up budget":     {budget.request(nil), "rate_limited", "budget of the API token is used up", "", 77, true},
		"an outage":            {down.request(object{"timeout_seconds": 3}), "", "", "", 0, true},
		"no reply":             {hung.request(object{"timeout_seconds": 1}), "network", "", "check the network", 0, true},
		"no server":            {a.request(object{"config": object{"base_url": "http://127.0.0.1:1"}, "timeout_seconds": 20}), "network", "refused", "check the network", 0, true},
		"no input":             {"", "input", "standard input is empty", "", 0, false},
		"no JSON":              {"{", "input", "is not a request", "", 0, false},
		"a list":               {"[]", "input", "must hold one JSON object, and not this: array", "", 0, false},
		"a number as text":     {a.request(object{"max_events": "3"}), "input", "max_events: must be a whole number, and not this: string", "", 0, false},
		"a fraction":           {a.request(object{"timeout_seconds": 1.5}), "input", "timeout_seconds: must be a whole number, and not this: number 1.5", "", 0, false},
		"a fit that is none":   {a.request(object{"fit": 1}), "input", `fit: must be "aisoc", and not this: number`, "", 0, false},
		"a text in its place":  {`{"config":"cfat_` + strings.Repeat("0", 40) + `"}`, "input", "config: must be an object, and not this: string", "", 0, false},
		"two objects":          {`{"config":{}}{}`, "input", "one JSON object", "", 0, false},
		"an unknown member":    {`{"config":{},"curser":null}`, "input", `unknown field "curser"`, "", 0, false},
		"no configuration":     {`{"cursor":null}`, "input", "config: is required", "", 0, false},
		"another protocol":     {a.request(object{"protocol": 2}), "input", "protocol: 2: this release speaks version 1", "", 0, false},
		"too many events":      {a.request(object{"max_events": 1001}), "input", "max_events: 1001: must be between 1 and 1000", "", 0, false},
		"bytes below zero":     {a.request(object{"max_bytes": -1}), "input", "max_bytes: -1: must be between", "", 0, false},
		"an unknown fit":       {a.request(object{"fit": "splunk"}), "input", `fit: "splunk": must be "aisoc"`, "", 0, false},
		"a cursor of no text":  {a.request(object{"cursor": 7}), "input", "cursor: must be null, or the text", "", 0, false},
		"an unknown field":     {a.request(object{"config": object{"page_sise": 3}}), "config", `page_sise: there is no such field; did you mean "page_size"?`, "", 0, false},
		"a value out of range": {a.request(object{"config": object{"overlap": "1s"}}), "config", `overlap: "1s": must be between 10s and 24h`, "", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := batch(t, c.input)
			require.NotNil(t, got.Error)
			if c.kind != "" {
				assert.Equal(t, c.kind, got.Error.Kind, got.Error.Message)
			}
			assert.Contains(t, got.Error.Message, c.message)
			assert.Equal(t, c.temporary, got.Error.Temporary)
			if c.remedy != "" && assert.NotNil(t, got.Error.Remedy) {
				assert.Contains(t, *got.Error.Remedy, c.remedy)
				assert.NotContains(t, got.Error.Message, *got.Error.Remedy, "it is not said twice")
			}
			if c.wait > 0 && assert.NotNil(t, got.Error.RetryAfter) {
				assert.Equal(t, c.wait, *got.Error.RetryAfter)
			}
			assert.NotContains(t, got.result.out+got.result.err, a.token)
			assert.NotContains(t, got.result.out+got.result.err, "cfat_wrong")
			assert.Equal(t, 1, strings.Count(got.result.out, "\n"))
			assert.Contains(t, got.result.out, `"remedy":`)
			assert.Contains(t, got.result.out, `"retry_after":`)
		})
	}
	t.Run("every fault of a configuration", func(t *testing.T) {
		got := batch(t, `{"config":{"account_id":"zone","page_size":1001}}`)
		require.Equal(t, "config", got.Error.Kind)
		var fields []string
		for _, f := range got.Error.Fields {
			fields = append(fields, f.Field)
		}
		assert.ElementsMatch(t, []string{"account_id", "api_token", "page_size"}, fields)
	})
}

// The keys of the host and cleared values come as they are in the host's object.
func TestBatch_TakesTheObjectOfAHost(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ordered(2)...)
	got := batch(t, a.request(object{"config": object{
		"poll_interval_seconds": 0, "max_events": 0, "production_zones": "", "initial_lookback": "",
		"checkpoint": object{"v": 1}, "filter_rules": []any{}, "expected_cadence_seconds": 60, "allowed_capabilities": nil,
	}}))
	assert.Len(t, got.ids, 2)
}

func TestBatch_ReadsNoEnvironmentAndWritesNoFile(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ordered(2)...)
	for _, args := range [][]string{{"batch"}, {"check", "--stdin"}} {
		var out, errs bytes.Buffer
		code := execute(t.Context(), args, world{strings.NewReader(a.request(nil)), &out, &errs, func(name string) string {
			t.Errorf("%s reads %s", args, name)
			return "x"
		}})
		assert.Equal(t, exitOK, code, &errs)
	}
	folder := t.TempDir()
	cmd := call{args: []string{"batch"}}.start(t, func(cmd *exec.Cmd) {
		cmd.Dir, cmd.Stdin, cmd.Stdout = folder, strings.NewReader(a.request(nil)), io.Discard
	})
	require.NoError(t, cmd.Wait())
	assert.Empty(t, names(t, folder))
}

func TestBatch_OutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ordered(200)...)
	var errs bytes.Buffer
	code := execute(t.Context(), []string{"batch"}, world{strings.NewReader(a.request(nil)), brokenWriter{}, &errs, nil})
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs.String(), "cfaudit: cannot write the batch: broken")
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

// Entries read before the deadline are a batch, and nothing is lost.
func TestBatch_EndsInTimeWithWhatItHas(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ordered(900)...)
	a.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
		if n == 4 {
			return fakecloudflare.Hang()
		}
		return nil
	})
	first := batch(t, a.request(object{"timeout_seconds": 2}))
	require.Nil(t, first.Error)
	assert.True(t, first.Batch.More)
	assert.NotEmpty(t, first.ids)
	assert.Less(t, len(first.ids), 900)
	a.Fault(nil)
	rest := batch(t, a.request(object{"cursor": first.Batch.Cursor}))
	all := slices.Concat(first.ids, rest.ids)
	assert.Len(t, all, 900)
	assert.Len(t, set(all), 900)
}

// A host that stops the command gets an error or a batch, and no part of one.
func TestBatch_StopsWhenAsked(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	asked := make(chan struct{}, 100)
	a.Fault(func(int, *http.Request) *fakecloudflare.Fault {
		asked <- struct{}{}
		return fakecloudflare.Hang()
	})
	var out bytes.Buffer
	cmd := call{args: []string{"batch"}}.start(t, func(cmd *exec.Cmd) {
		cmd.Stdin, cmd.Stdout = strings.NewReader(a.request(nil)), &out
	})
	<-asked
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Skip("this system has no such signal")
	}
	_ = cmd.Wait()
	got := answerOf(t, result{code: cmd.ProcessState.ExitCode(), out: out.String()})
	require.NotNil(t, got.Error)
	assert.Equal(t, kindCancelled, got.Error.Kind)
}

// The first cursor fixes where the feed begins. A host that can keep it with a
// failure does not miss what happens from then on, however long that lasts.
func TestBatch_TheFirstFailureSaysWhereTheFeedBegins(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ordered(3)...)
	failed := batch(t, a.request(object{"config": object{"api_token": "cfat_wrong"}})).Error
	require.NotNil(t, failed)
	require.NotNil(t, failed.Cursor)
	again := batch(t, a.request(object{"config": object{"api_token": "cfat_wrong"}, "cursor": *failed.Cursor})).Error
	assert.Nil(t, again.Cursor, "the host has it")
	assert.Equal(t, "credentials", again.Kind)
	// Without a lookback only the cursor leads back to the entries.
	got := batch(t, a.request(object{"cursor": *failed.Cursor, "config": object{"initial_lookback": "1m"}}))
	assert.Len(t, got.ids, 3)
}

func TestFailureOf_KnowsTheErrorsOfTheConnector(t *testing.T) {
	t.Parallel()
	for kind, err := range map[string]error{
		"rate_limited": prefixed.Errorf("cloudflareaudit", "read the audit log: %w", &cloudflareaudit.WaitError{Wait: 90 * time.Second}),
		"cancelled":    context.Canceled,
		"network":      context.DeadlineExceeded,
		"cursor":       fmt.Errorf("x: %w", ingest.ErrCursor),
		"internal":     errors.New("something else"),
	} {
		f := failureOf(err)
		assert.Equal(t, kind, f.Kind)
		assert.Equal(t, kind == "rate_limited", f.RetryAfter != nil)
		assert.NotContains(t, f.Message, "cloudflareaudit: ")
	}
}

func TestCheck_AnswersAHost(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ordered(1)...)
	check := func(input string, args ...string) (result, cloudflareaudit.Report, *failure) {
		got := call{args: append([]string{"check"}, args...), stdin: input}.run(t.Context())
		var answer struct {
			cloudflareaudit.Report
			Error *failure
		}
		require.NoError(t, json.Unmarshal([]byte(got.out), &answer), got.out)
		assert.Equal(t, 1, strings.Count(got.out, "\n"), "one line")
		assert.NotContains(t, got.out+got.err, a.token)
		return got, answer.Report, answer.Error
	}
	for _, args := range [][]string{{"--stdin"}, {"--json"}, {"--json", "--stdin"}} {
		got, report, failed := check(a.request(nil), args...)
		assert.Equal(t, exitOK, got.code)
		assert.Nil(t, failed)
		assert.True(t, report.Readable)
		assert.NotEmpty(t, report.Findings)

		got, report, failed = check(a.request(object{"config": object{"api_token": "cfat_wrong"}}), args...)
		assert.Equal(t, exitFailed, got.code)
		assert.Nil(t, failed)
		assert.False(t, report.Readable)
		assert.Equal(t, cloudflareaudit.KindCredentials, report.Failure)
		assert.Contains(t, got.out, `"field":"api_token"`, "in terms of the configuration")

		got, _, failed = check(a.request(object{"config": object{"page_size": -1}}), args...)
		assert.Equal(t, exitFailed, got.code)
		require.NotNil(t, failed)
		assert.Equal(t, kindConfig, failed.Kind)
	}
	a.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Hang() })
	_, _, failed := check(a.request(object{"timeout_seconds": 1}), "--stdin")
	require.NotNil(t, failed)
	assert.Equal(t, kindNetwork, failed.Kind)
}

// Without input, check --json says what a person has to give it.
func TestCheck_JSONWithoutAnyConfigurationIsAWrongCommandLine(t *testing.T) {
	t.Parallel()
	got := command(t, "check", "--json")
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--account-id or CLOUDFLARE_ACCOUNT_ID: is required")
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	var errs bytes.Buffer
	assert.Equal(t, exitUsage, execute(t.Context(), []string{"check", "--json"}, world{null, io.Discard, &errs, func(string) string { return "" }}))
}

// docs/exec-protocol.md is what hosts are written by.
func TestProtocol_TheDocumentSaysWhatTheCommandDoes(t *testing.T) {
	t.Parallel()
	doc := read(t, "../../docs/exec-protocol.md")
	rows := func(head string) (cells [][]string) {
		_, after, found := strings.Cut(doc, head)
		require.True(t, found, head)
		for line := range strings.Lines(after) {
			if strings.HasPrefix(line, "|") {
				cells = append(cells, strings.Split(strings.Trim(line, "| \n"), " | "))
			} else if len(cells) > 0 {
				break
			}
		}
		return cells[1:]
	}
	members := func(v any) (names []string) {
		for f := range reflect.TypeOf(v).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
		return names
	}
	documented := func(rows [][]string) (names []string) {
		for _, row := range rows {
			for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[0], -1) {
				names = append(names, m[1])
			}
		}
		return names
	}
	requested := rows("| Member | Default | Allowed | Meaning |")
	assert.ElementsMatch(t, members(request{}), documented(requested))
	assert.ElementsMatch(t, members(batchSummary{}), documented(rows("| Member of `batch` | Meaning |")))
	assert.ElementsMatch(t, members(failure{}), documented(rows("| Member of `error` | Meaning |")))
	kinds := []string{kindInput, kindConfig, kindCursor, kindNetwork, kindCancelled, kindInternal}
	for _, k := range []cloudflareaudit.Kind{
		cloudflareaudit.KindCredentials, cloudflareaudit.KindAccount, cloudflareaudit.KindRateLimited,
		cloudflareaudit.KindServer, cloudflareaudit.KindMalformed, cloudflareaudit.KindRequest,
	} {
		kinds = append(kinds, string(k))
	}
	assert.ElementsMatch(t, kinds, documented(rows("| `kind` | Cause | What the host does |")))

	// The defaults and the bounds are those of the command.
	span := regexp.MustCompile("^`(\\d+)` to `(\\d+)`$")
	for _, row := range requested {
		name := strings.Trim(row[0], "`")
		bounds := span.FindStringSubmatch(row[2])
		if bounds == nil {
			continue
		}
		for text, ok := range map[string]bool{bounds[1]: true, bounds[2]: true, "-1": false, bounds[2] + "0": false} {
			req := request{}
			require.NoError(t, json.Unmarshal(fmt.Appendf(nil, `{"config":{},%q:%s}`, name, text), &req))
			assert.Equal(t, ok, req.check() == nil, "%s: %s", name, text)
		}
	}
	req := request{Config: object{}}
	require.NoError(t, req.check())
	for name, value := range map[string]int{"max_events": req.MaxEvents, "max_bytes": req.MaxBytes, "timeout_seconds": defaultDeadline, "protocol": req.Protocol} {
		row := requested[slices.IndexFunc(requested, func(row []string) bool { return row[0] == "`"+name+"`" })]
		assert.Equal(t, fmt.Sprintf("`%d`", value), row[1], name)
	}
}
