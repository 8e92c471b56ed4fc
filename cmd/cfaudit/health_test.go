package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/health"
	"github.com/aisoc/cloudflareaudit/sink"
	"github.com/aisoc/cloudflareaudit/store"
)

// watched is a runner with a monitor. Its requests are served in memory, so that
// it can run in a bubble.
type watched struct {
	*monitor
	api     *fakecloudflare.Server
	token   string
	cursors *store.Memory
	// broken is the error of the sink, if it has one.
	broken atomic.Pointer[error]
}

// Write implements [ingest.Sink].
func (w *watched) Write(ctx context.Context, events []ingest.Event) error {
	if err := w.broken.Load(); err != nil {
		return *err
	}
	return sink.NewWriter(io.Discard).Write(ctx, events)
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	token := fmt.Sprintf("cfat_watched%033d", accounts.Add(1))
	w := &watched{api: fakecloudflare.NewServer(fakecloudflare.Options{Token: token}), token: token, cursors: new(store.Memory)}
	source, err := cloudflareaudit.New(cloudflareaudit.Config{
		AccountID:  fakecloudflare.DefaultAccountID,
		APIToken:   cloudflareaudit.NewSecret(token),
		HTTPClient: &http.Client{Transport: w.api.Transport()},
	})
	require.NoError(t, err)
	w.monitor = watch(&ingest.Runner{
		Source: source, Sink: w, Store: w.cursors, Key: "k", OnBatch: func(ingest.Batch) {},
	}, fakecloudflare.DefaultAccountID, nil)
	return w
}

// readsBoth makes the connector one of both logs, with the other settings of cfg.
func (w *watched) readsBoth(t *testing.T, cfg cloudflareaudit.Config) {
	t.Helper()
	cfg.AccountID, cfg.APIToken = fakecloudflare.DefaultAccountID, cloudflareaudit.NewSecret(w.token)
	cfg.AuditLogAPI, cfg.HTTPClient = cloudflareaudit.AuditLogBoth, &http.Client{Transport: w.api.Transport()}
	source, err := cloudflareaudit.New(cfg)
	require.NoError(t, err)
	w.runner.Source = source
}

// start runs the runner until stop is called.
func (w *watched) start(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.runner.Run(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}

// get asks the handler.
func (w *watched) get(t *testing.T, path string) (status int, h feedHealth) {
	t.Helper()
	rec := httptest.NewRecorder()
	w.handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &h))
	return rec.Code, h
}

func TestHealth_GoesFromStartingToOK(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.api.Add(time.Time{}, fakecloudflare.Entry("a", time.Now().Add(-time.Minute), 0))
		for path, want := range map[string]int{"/healthz": 200, "/readyz": 503} {
			code, h := w.get(t, path)
			assert.Equal(t, want, code, path)
			assert.Equal(t, feedHealth{Status: "starting", AccountID: fakecloudflare.DefaultAccountID}, h)
		}
		defer w.start(t)()
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, path := range []string{"/healthz", "/readyz"} {
			code, h := w.get(t, path)
			assert.Equal(t, 200, code, path)
			assert.Equal(t, health.OK, h.Status)
			assert.True(t, h.Ready)
			assert.Equal(t, time.Now().Add(-time.Minute).UTC(), h.LastSuccess)
			assert.True(t, h.NextAttempt.After(time.Now()))
			require.NotNil(t, h.LagSeconds)
			assert.InDelta(t, 60, *h.LagSeconds, 2)
			assert.Empty(t, h.Reason)
		}
	})
}

func TestHealth_AStandingErrorFailsAtOnceAndRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		defer w.start(t)()
		time.Sleep(time.Second)
		w.api.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Status(403, 10000, "Authentication error", nil)
		})
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		code, h := w.get(t, "/healthz")
		assert.Equal(t, 503, code)
		assert.Equal(t, health.Failing, h.Status)
		assert.Contains(t, h.Reason, "a person has to act: the audit log cannot be read since")
		assert.Contains(t, h.Reason, ": cloudflare answered HTTP 403, code 10000")
		assert.Contains(t, h.LastError, "--token-file", "in terms of flags")
		assert.Positive(t, h.Failures)
		code, h = w.get(t, "/readyz")
		assert.Equal(t, 200, code, "it has been read")
		assert.True(t, h.Ready)

		w.api.Fault(nil)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		code, h = w.get(t, "/healthz")
		assert.Equal(t, 200, code)
		assert.Equal(t, health.OK, h.Status)
		assert.Zero(t, h.Failures)
		assert.NotEmpty(t, h.LastError, "kept, with its time")
	})
}

func TestHealth_AWrongTokenFromTheStartIsNeverReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.api.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Status(401, 1000, "Invalid API Token", nil)
		})
		defer w.start(t)()
		time.Sleep(time.Second)
		synctest.Wait()
		code, h := w.get(t, "/readyz")
		assert.Equal(t, 503, code)
		assert.Equal(t, health.Failing, h.Status)
		assert.Nil(t, h.LagSeconds)
	})
}

func TestHealth_AFailureThatMayPassFailsOnlyAfterAWhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*watched)
		// until is how long it is borne.
		until time.Duration
		why   string
	}{
		"of the API": {func(w *watched) {
			w.api.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.HTML(502) })
		}, 15 * time.Minute, `the audit log cannot be read since \S+: cloudflare answered HTTP 502`},
		"of the sink": {func(w *watched) { err := errors.New("no space left"); w.broken.Store(&err) },
			2 * time.Minute, `^the events cannot be delivered since \S+: no space left$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t)
				w.runner.Interval = time.Minute
				defer w.start(t)()
				time.Sleep(time.Second)
				c.spoil(w)
				w.api.Add(time.Time{}, fakecloudflare.Entry("a", time.Now(), 0))
				time.Sleep(80 * time.Second) // it shows with the next poll
				synctest.Wait()
				_, h := w.get(t, "/healthz")
				require.Equal(t, health.Retrying, h.Status)
				began := h.FailingSince
				from := began
				if c.until >= 15*time.Minute {
					from = h.LastSuccess // what is silent for so long is failing, too
				}
				time.Sleep(time.Until(from.Add(c.until - time.Second)))
				synctest.Wait()
				code, h := w.get(t, "/healthz")
				assert.Equal(t, 200, code)
				assert.Equal(t, health.Retrying, h.Status)
				assert.Regexp(t, c.why, h.Reason)

				time.Sleep(time.Second)
				synctest.Wait()
				code, h = w.get(t, "/healthz")
				assert.Equal(t, 503, code)
				assert.Equal(t, health.Failing, h.Status)
				assert.Regexp(t, c.why, h.Reason)
				assert.Equal(t, began, h.FailingSince)
			})
		})
	}
}

// Of two logs one is refused while the other delivers: somebody has to know.
func TestHealth_OneLogOfTwoThatIsRefusedFailsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.readsBoth(t, cloudflareaudit.Config{})
		w.api.Deny("logs/audit")
		defer w.start(t)()
		began := time.Now().UTC()
		time.Sleep(18 * time.Minute)
		synctest.Wait()
		code, h := w.get(t, "/healthz")
		assert.Equal(t, 503, code)
		assert.Equal(t, health.Failing, h.Status)
		assert.Regexp(t, `^a person has to act: Audit Logs v2 cannot be read since `+began.Format(time.RFC3339)+`: cloudflare answered HTTP 403`, h.Reason)
		assert.Contains(t, h.Reason, "--token-file", "in terms of flags")
		require.Len(t, h.Logs, 2)
		assert.False(t, h.Logs[0].Failed())
		assert.True(t, h.Logs[1].NeedsAction)
		assert.Equal(t, began, h.Logs[1].Since)
		assert.Zero(t, h.Failures, "the other one is read")
		assert.False(t, h.LastSuccess.IsZero())
		assert.Empty(t, h.Notices, "it is said once")
		metrics := gather(t, w.monitor)
		assert.EqualValues(t, 0, metrics["cfaudit_healthy"])
		assert.EqualValues(t, 1, metrics[`cfaudit_log_readable{log="the audit log"}`])
		assert.EqualValues(t, 0, metrics[`cfaudit_log_readable{log="Audit Logs v2"}`])

		w.api.Deny()
		time.Sleep(time.Minute)
		synctest.Wait()
		code, h = w.get(t, "/healthz")
		assert.Equal(t, 200, code, "read within a minute after it was mended")
		assert.Equal(t, health.OK, h.Status)
		assert.NotNil(t, h.LagSeconds)
	})
}

// A feed that never succeeded has no last success, wherever it is asked for.
func TestHealth_NeverIsNotNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.api.Deny("audit_logs")
		defer w.start(t)()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		_, h := w.get(t, "/healthz")
		assert.Equal(t, health.Failing, h.Status)
		assert.True(t, h.LastSuccess.IsZero(), h.LastSuccess)
		assert.NotContains(t, gather(t, w.monitor), "cfaudit_last_success_timestamp_seconds")
		rec := httptest.NewRecorder()
		w.handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		assert.NotContains(t, rec.Body.String(), "last_success")

		w.api.Deny()
		time.Sleep(time.Minute)
		synctest.Wait()
		_, h = w.get(t, "/healthz")
		assert.Equal(t, health.OK, h.Status, "within a minute after it was mended")
		assert.Contains(t, gather(t, w.monitor), "cfaudit_last_success_timestamp_seconds")
	})
}

func TestHealth_NeverShowsTheToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		var token string
		w.api.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
			token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			return fakecloudflare.Status(403, 10000, "bad "+token, nil)
		})
		defer w.start(t)()
		time.Sleep(time.Second)
		synctest.Wait()
		require.NotEmpty(t, token)
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			rec := httptest.NewRecorder()
			w.handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
			assert.NotContains(t, rec.Body.String(), token, path)
			if path != "/metrics" {
				assert.Contains(t, rec.Body.String(), "bad [redacted]", path)
			}
		}
	})
}

func TestHealth_ASilentStopIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		stop := w.start(t)
		time.Sleep(time.Second)
		stop()
		time.Sleep(15 * time.Minute)
		code, h := w.get(t, "/healthz")
		assert.Equal(t, 503, code)
		assert.Regexp(t, `^no batch has been delivered since \S+: 15m0s are usual at most$`, h.Reason)
	})
}

func TestHealth_AnUnusableCursorFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		require.NoError(t, w.cursors.Save(t.Context(), "k", ingest.Cursor("{")))
		assert.ErrorIs(t, w.runner.Run(t.Context()), ingest.ErrCursor)
		code, h := w.get(t, "/healthz")
		assert.Equal(t, 503, code)
		assert.Contains(t, h.Reason, "a person has to act: the feed cannot be read since")
		assert.Contains(t, h.Reason, "unusable cursor")
	})
}

func TestHealth_ShowsWhatAnOptionalFeatureLacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		source, err := cloudflareaudit.New(cloudflareaudit.Config{
			AccountID: fakecloudflare.DefaultAccountID, APIToken: cloudflareaudit.NewSecret(w.token), ResolveMembers: true,
			HTTPClient: &http.Client{Transport: w.api.Transport()},
		})
		require.NoError(t, err)
		w.runner.Source = source
		w.api.Deny("members")
		w.api.Add(time.Time{}, json.RawMessage(`{"id":"a","when":"`+time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)+
			`","actor":{"id":"ca201000000000000000000000000001","type":"user"},"action":{"type":"purge","result":true},"resource":{"type":"zone"}}`))
		defer w.start(t)()
		time.Sleep(time.Minute)
		synctest.Wait()
		code, h := w.get(t, "/healthz")
		assert.Equal(t, 200, code, "it costs no event")
		assert.Equal(t, health.OK, h.Status)
		require.Len(t, h.Notices, 1)
		assert.Contains(t, h.Notices[0], "resolve_members: the list of members cannot be read")
		assert.Nil(t, h.AiSOC)
		for name := range gather(t, w.monitor) {
			assert.NotContains(t, name, "aisoc")
		}
	})
}

func TestMetrics_AccountForWhatWasDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		entries := fakecloudflare.Generate(1, 500, time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
		w.api.Add(time.Time{}, entries...)
		faults := []*fakecloudflare.Fault{nil, fakecloudflare.HTML(502), fakecloudflare.Reset()}
		w.api.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault { return faults[n%3] })
		defer w.start(t)()
		time.Sleep(time.Hour)
		synctest.Wait()

		s := w.runner.Status()
		metrics := gather(t, w.monitor)
		assert.EqualValues(t, 500, s.Totals.Delivered+s.Totals.DroppedTotal())
		assert.EqualValues(t, s.Totals.Delivered+s.Totals.Raised, sum(metrics, "cfaudit_events_total"))
		assert.EqualValues(t, s.Totals.DroppedTotal(), sum(metrics, "cfaudit_entries_dropped_total"))
		assert.EqualValues(t, s.Totals.Read, metrics["cfaudit_entries_read_total"])
		assert.EqualValues(t, s.Totals.Read-500, metrics["cfaudit_entries_repeated_total"])
		assert.EqualValues(t, len(w.api.Requests()), sum(metrics, "cfaudit_requests_total"))
		for _, label := range []string{"200", "502", "none"} {
			assert.Positive(t, metrics[`cfaudit_requests_total{status="`+label+`"}`], label)
		}
		assert.EqualValues(t, s.Polls, metrics["cfaudit_polls_total"])
		assert.Positive(t, metrics["cfaudit_polls_total"])
		assert.EqualValues(t, s.Lag.Seconds(), metrics["cfaudit_lag_seconds"])
		assert.EqualValues(t, s.LastSuccess.Unix(), int64(metrics["cfaudit_last_success_timestamp_seconds"]))
		assert.EqualValues(t, 1, metrics["cfaudit_healthy"])

		w.api.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Status(403, 10000, "no", nil) })
		time.Sleep(time.Hour)
		synctest.Wait()
		metrics = gather(t, w.monitor)
		assert.EqualValues(t, 0, metrics["cfaudit_healthy"])
		assert.Positive(t, metrics["cfaudit_failures_in_a_row"])
		assert.Positive(t, metrics[`cfaudit_failures_total{step="poll"}`])
		assert.Positive(t, metrics[`cfaudit_requests_total{status="403"}`], "failed polls count")
	})
}

// gather are the values of all metrics, by name and label.
func gather(t *testing.T, m *monitor) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(m))
	families, err := registry.Gather()
	require.NoError(t, err)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
	values := make(map[string]float64)
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			name := f.GetName()
			for _, l := range metric.GetLabel() {
				name += fmt.Sprintf("{%s=%q}", l.GetName(), l.GetValue())
			}
			values[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return values
}

func sum(metrics map[string]float64, name string) (total float64) {
	for n, v := range metrics {
		if n == name || strings.HasPrefix(n, name+"{") {
			total += v
		}
	}
	return total
}

func TestMetrics_AreListedInTheDocs(t *testing.T) {
	t.Parallel()
	_, text, found := strings.Cut(read(t, "../../docs/health.md"), "\n## Metrics\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n#")
	var listed, are []string
	for _, m := range regexp.MustCompile("`(cfaudit_[a-z_]+)").FindAllStringSubmatch(text, -1) {
		listed = append(listed, m[1])
	}
	for _, d := range feedLookups.descs {
		are = append(are, regexp.MustCompile(`cfaudit_[a-z_]+`).FindString(d.String()))
	}
	assert.Equal(t, are, listed)
}

// lines is a standard error that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestRun_ServesHealthUntilItStops(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(300)...)
	c := a.call("run", "--state", t.TempDir(), "--out", filepath.Join(t.TempDir(), "events.jsonl"), "--listen", "127.0.0.1:0")
	url, stop := c.background(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	get := func(path string) (int, string, http.Header) {
		resp, err := client.Get(url + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b), resp.Header
	}
	require.Eventually(t, func() bool { status, _, _ := get("/readyz"); return status == 200 }, 5*time.Second, time.Millisecond)
	status, body, header := get("/healthz")
	assert.Equal(t, 200, status)
	assert.Contains(t, body, `"status": "ok"`)
	assert.Equal(t, "application/json", header.Get("Content-Type"))
	assert.Equal(t, "no-store", header.Get("Cache-Control"))
	status, body, _ = get("/metrics")
	assert.Equal(t, 200, status)
	assert.Contains(t, body, "\ncfaudit_healthy 1\n")
	assert.NotContains(t, body, "go_goroutines", "a registry of its own")
	status, _, _ = get("/debug/pprof/")
	assert.Equal(t, 404, status)

	code, log := stop()
	assert.Equal(t, exitOK, code)
	_, err := client.Get(url + "/healthz")
	assert.Error(t, err, "it is closed")
	assert.Equal(t, "cfaudit: listening on "+url+"\n", log)
}

// background runs a command line that listens, until stop is called, which
// returns its exit code and what it wrote to standard error.
func (c call) background(t *testing.T) (url string, stop func() (code int, log string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var errs lines
	code := make(chan int, 1)
	go func() {
		code <- execute(ctx, c.args, world{
			stdin: strings.NewReader(""), stdout: io.Discard, stderr: &errs,
			getenv: func(name string) string { return c.env[name] },
		})
	}()
	end := sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	t.Cleanup(func() { end() })
	require.Eventually(t, func() bool {
		url = regexp.MustCompile(`http://127\.0\.0\.1:[1-9]\d*\n`).FindString(errs.String())
		return url != ""
	}, 5*time.Second, time.Millisecond)
	return strings.TrimSpace(url), func() (int, string) { return end(), errs.String() }
}

func TestRun_AnAddressThatIsTakenIsAFailureAtTheStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	a := newAccount(t, recent(3)...)
	got := a.call("run", "--state", t.TempDir(), "--listen", taken.Addr().String()).run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.True(t, strings.HasPrefix(got.err, "cfaudit: cannot listen for --listen: "), got.err)
	assert.Contains(t, got.err, taken.Addr().String())
	assert.Empty(t, a.Requests(), "nothing is read")
}

func TestListenAddress_IsThisMachineUnlessAHostIsNamed(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{
		":9090":          "127.0.0.1:9090",
		"127.0.0.1:0":    "127.0.0.1:0",
		"0.0.0.0:9090":   "0.0.0.0:9090",
		"[::1]:9090":     "[::1]:9090",
		"localhost:9090": "localhost:9090",
	} {
		got, err := listenAddress(flag)
		assert.NoError(t, err, flag)
		assert.Equal(t, want, got)
	}
	for _, flag := range []string{"9090", "127.0.0.1", "127.0.0.1:", ":http", ":70000", ":-1", "::1:9090", "http://127.0.0.1:9090"} {
		_, err := listenAddress(flag)
		assert.Error(t, err, flag)
		got := newAccount(t).call("run", "--state", "unused", "--listen", flag).run(t.Context())
		assert.Equal(t, exitUsage, got.code, flag)
		assert.Contains(t, got.err, fmt.Sprintf("cfaudit: --listen: %q: must be an address and a port", flag))
		_, err = os.Stat("unused")
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
}

func TestMonitor_ServesWithTimeouts(t *testing.T) {
	t.Parallel()
	m := watch(&ingest.Runner{OnBatch: func(ingest.Batch) {}}, "", nil)
	var announced strings.Builder
	stop, err := answerAt("127.0.0.1:0", m.handler(), slog.New(slog.DiscardHandler), &announced)
	require.NoError(t, err)
	at := strings.TrimSpace(strings.TrimPrefix(announced.String(), "cfaudit: listening on http://"))
	// A peer that says nothing does not hold up the stop.
	conn, err := net.Dial("tcp", at)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET /healthz HTTP/1.1\r\n"))
	require.NoError(t, err)
	began := time.Now()
	stop()
	assert.Less(t, time.Since(began), 5*time.Second)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = io.ReadAll(conn)
	var timeout net.Error
	assert.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection is still open")
}

// What the server asks for, and why, stays in the reason while no request is sent.
func TestHealth_AWaitThatWasAskedForDoesNotHideItsCause(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault *fakecloudflare.Fault
		state health.State
		why   string
	}{
		"an outage": {fakecloudflare.Status(503, 0, "down", http.Header{"Retry-After": {"3600"}}), health.Retrying,
			`^the audit log cannot be read since \S+: cloudflare answered HTTP 503: down; try again in 1h0m0s; Audit Logs v2 cannot be read since \S+: Cloudflare has asked to wait`},
		"a refusal": {fakecloudflare.Status(403, 10000, "no", http.Header{"Retry-After": {"3600"}}), health.Failing,
			`^a person has to act: the audit log cannot be read since \S+: cloudflare answered HTTP 403, code 10000: no; .*; Audit Logs v2 cannot be read since \S+: Cloudflare has asked to wait`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t)
				w.readsBoth(t, cloudflareaudit.Config{})
				w.api.Fault(func(int, *http.Request) *fakecloudflare.Fault { return c.fault })
				defer w.start(t)()
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				_, h := w.get(t, "/healthz")
				assert.Equal(t, c.state, h.Status)
				assert.Regexp(t, c.why, h.Reason)
			})
		})
	}
}

// A log whose first page comes each time, and never the rest, is not one that
// recovers each time.
func TestHealth_ALogOfWhichOnlyTheFirstPageComesIsFailing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.readsBoth(t, cloudflareaudit.Config{PageSize: 2, PollInterval: 30 * time.Second})
		w.runner.Interval = 30 * time.Second
		w.api.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
			if page := r.URL.Query().Get("page"); page == "1" || page == "" {
				return nil
			}
			return fakecloudflare.Status(500, 0, "second page", nil)
		})
		w.api.Add(time.Time{}, recent(5)...)
		defer w.start(t)()
		var began time.Time
		for began.IsZero() || time.Since(began) < 16*time.Minute {
			w.api.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprint(time.Now()), time.Now(), 0))
			time.Sleep(15 * time.Second)
			synctest.Wait()
			if _, h := w.get(t, "/healthz"); began.IsZero() && len(h.Logs) > 0 {
				began = h.Logs[0].Since
			}
			require.Less(t, time.Since(w.started), time.Hour)
		}
		synctest.Wait()
		code, h := w.get(t, "/healthz")
		assert.Equal(t, 503, code)
		assert.Contains(t, h.Reason, "the audit log cannot be read since "+began.Format(time.RFC3339)+": cloudflare answered HTTP 500: second page")
		assert.EqualValues(t, 0, gather(t, w.monitor)[`cfaudit_log_readable{log="the audit log"}`])
		w.api.Fault(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		_, h = w.get(t, "/healthz")
		assert.Equal(t, health.OK, h.Status)
		assert.Zero(t, h.Logs[0].Since)
	})
}
