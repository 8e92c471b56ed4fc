package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakehttp"
	"github.com/aisoc/cloudflareaudit/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secret is an address that is shown.
type secret string

func (s secret) Reveal() string { return string(s) }

// log is a log that can be read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// host is what is around a notifier: the sink and the store of a runner.
type host struct {
	*Notifier
	service *fakehttp.Server
	log     *log
	folder  string
	// main is what the main sink has, and refuse its error.
	main    []string
	refuse  error
	cursors store.Memory
	sink    ingest.Sink
	store   ingest.CursorStore
}

// Write implements [ingest.Sink].
func (h *host) Write(_ context.Context, events []ingest.Event) error {
	if h.refuse != nil {
		return h.refuse
	}
	for i := range events {
		h.main = append(h.main, events[i].ExternalID)
	}
	return nil
}

func newHost(t *testing.T) *host {
	return &host{service: &fakehttp.Server{Kind: fakehttp.Webhook, Latency: 10 * time.Millisecond}, log: new(log), folder: t.TempDir()}
}

func (h *host) config() Config {
	return Config{
		URL: secret("http://127.0.0.1:9000" + h.service.Kind.Path()), Form: Form(h.service.Kind), AccountID: account,
		File: h.file(), DeadLetter: filepath.Join(h.folder, "dead.jsonl"),
		HTTPClient: &http.Client{Transport: h.service}, Logger: slog.New(slog.NewTextHandler(h.log, nil)),
	}
}

func (h *host) file() string { return filepath.Join(h.folder, "queue.json") }

// open starts a process.
func (h *host) open(t *testing.T) *host {
	t.Helper()
	n, err := Open(h.config())
	require.NoError(t, err)
	h.Notifier = n
	h.sink, h.store = n.Beside(h), n.Before(&h.cursors)
	return h
}

// kill ends the process without saving anything: what was sent is sent, the rest
// is as the file has it.
func (h *host) kill(t *testing.T) {
	t.Helper()
	saved, err := os.ReadFile(h.file())
	missing := errors.Is(err, os.ErrNotExist)
	h.close(t, 0)
	if missing {
		require.NoError(t, os.RemoveAll(h.file()))
		return
	}
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(h.file(), saved, 0o600))
}

func (h *host) close(t *testing.T, patience time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, h.Close(ctx))
}

// deliver is what a runner does with a batch.
func (h *host) deliver(t *testing.T, events ...ingest.Event) {
	t.Helper()
	require.NoError(t, h.sink.Write(t.Context(), events))
	require.NoError(t, h.store.Save(t.Context(), "k", ingest.Cursor("c")))
}

func high(ids ...string) (all []ingest.Event) {
	for _, id := range ids {
		all = append(all, event(id, ingest.High))
	}
	return all
}

// numbered are n events.
func numbered(n int, severity ingest.Severity) (all []ingest.Event) {
	for i := range n {
		all = append(all, event(fmt.Sprint(i), severity))
	}
	return all
}

func (h *host) told() map[string]int { return h.service.Accepted() }

func TestNotifier_TellsWhatIsSevereAndNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t).open(t)
		var all []ingest.Event
		for _, s := range ingest.Severities() {
			all = append(all, event(string(s), s))
		}
		h.deliver(t, append(all, ingest.Event{ExternalID: "odd"})...)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, map[string]int{"critical": 1, "high": 1}, h.told())
		assert.Len(t, h.service.Requests(), 1, "they are in one message")
		assert.Equal(t, Status{Posts: 1, Sent: 2}, h.Status())
		h.close(t, time.Second)
		assert.Len(t, h.main, 6)
		assert.Empty(t, h.log.String())
		assert.NotContains(t, string(h.service.Requests()[0].Body), "secret", "the entry is not told")
	})
}

func TestNotifier_TheLowestSeverityIsASetting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		cfg := h.config()
		cfg.MinSeverity = ingest.Info
		n, err := Open(cfg)
		require.NoError(t, err)
		h.Notifier, h.sink, h.store = n, n.Beside(h), n.Before(&h.cursors)
		h.deliver(t, event("i", ingest.Info), event("c", ingest.Critical))
		h.close(t, time.Second)
		assert.Equal(t, map[string]int{"i": 1, "c": 1}, h.told())
	})
}

func TestNotifier_OnlyWhatTheSinkHasAndTheFileHasIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t).open(t)
		h.refuse = errors.New("disk full")
		assert.Equal(t, h.refuse, h.sink.Write(t.Context(), high("a")))
		require.NoError(t, h.store.Save(t.Context(), "k", ingest.Cursor("c")))
		assert.NoFileExists(t, h.file(), "nothing has changed")
		h.refuse = nil
		require.NoError(t, h.sink.Write(t.Context(), high("b")))
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Empty(t, h.told(), "it is not in the file")
		assert.Equal(t, 1, h.Status().Waiting)
		require.NoError(t, h.store.Save(t.Context(), "k", ingest.Cursor("d")))
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, map[string]int{"b": 1}, h.told())
		h.close(t, 0)
	})
}

// An attempt does not take along what has come since and is not in the file.
func TestNotifier_ARetryTakesWhatTheFileHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.service.SetFault(func(int) fakehttp.Fault { return fakehttp.Fault{Status: 403} })
		h.open(t)
		h.deliver(t, high("a")...)
		time.Sleep(time.Second)
		require.NoError(t, h.sink.Write(t.Context(), high("b")))
		h.service.SetFault(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, r := range h.service.Requests() {
			assert.NotEqual(t, []string{"a", "b"}, r.IDs)
		}
		assert.Equal(t, map[string]int{"a": 1, "b": 1}, h.told(), "the note of the one has put the other into the file")
		h.close(t, 0)
	})
}

func TestNotifier_ACursorIsNotSavedBeforeTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t).open(t)
		// A folder is in the way of the file.
		require.NoError(t, os.MkdirAll(filepath.Join(h.file()+partial, "x"), 0o700))
		require.NoError(t, h.sink.Write(t.Context(), high("a")))
		for range 2 {
			err := h.store.Save(t.Context(), "k", ingest.Cursor("c"))
			require.ErrorContains(t, err, "notify: cannot write the queue of notifications: ")
			cursor, err := h.cursors.Load(t.Context(), "k")
			require.NoError(t, err)
			assert.Nil(t, cursor)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Empty(t, h.service.Requests())
		require.NoError(t, os.RemoveAll(h.file()+partial))
		require.NoError(t, h.store.Save(t.Context(), "k", ingest.Cursor("c")))
		cursor, err := h.store.Load(t.Context(), "k")
		require.NoError(t, err)
		assert.Equal(t, "c", string(cursor))
		h.close(t, time.Second)
		assert.Equal(t, map[string]int{"a": 1}, h.told())
	})
}

// Whatever the moment of a kill, the batch is told, and it is told twice only if
// the process dies between a reply and the note of it.
func TestNotifier_KilledAtAnyMomentTellsEverything(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// until does what the first process does of write, save the queue, save
		// the cursor, send.
		until func(t *testing.T, h *host, events []ingest.Event)
		// saved says that the cursor has been saved, and most is how often an
		// event may be told.
		saved bool
		most  int
	}{
		"before the queue is saved": {until: func(t *testing.T, h *host, events []ingest.Event) {
			require.NoError(t, h.sink.Write(t.Context(), events))
		}, most: 1},
		"before the cursor is saved": {until: func(t *testing.T, h *host, events []ingest.Event) {
			require.NoError(t, h.sink.Write(t.Context(), events))
			require.NoError(t, h.Notifier.save())
		}, most: 1},
		"before it is sent": {until: func(t *testing.T, h *host, events []ingest.Event) {
			h.deliver(t, events...)
		}, saved: true, most: 1},
		"before a reply": {until: func(t *testing.T, h *host, events []ingest.Event) {
			h.service.SetFault(func(int) fakehttp.Fault { return fakehttp.Fault{LoseReply: true} })
			h.deliver(t, events...)
			time.Sleep(time.Second / 4)
		}, saved: true, most: 2},
		"after it is sent, before the cursor is saved": {until: func(t *testing.T, h *host, events []ingest.Event) {
			require.NoError(t, h.sink.Write(t.Context(), events))
			require.NoError(t, h.Notifier.save())
			time.Sleep(time.Second)
		}, most: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t).open(t)
				events := numbered(7, ingest.High)
				c.until(t, h, events)
				h.kill(t)
				h.service.SetFault(nil)
				h.open(t)
				if !c.saved {
					h.deliver(t, events...) // the runner reads them again
				}
				h.close(t, time.Minute)
				assert.Len(t, h.told(), 7)
				for id, n := range h.told() {
					assert.LessOrEqual(t, n, c.most, id)
				}
				assert.Zero(t, h.Status().Waiting)
			})
		})
	}
}

func TestNotifier_ServicesThatAreSlowHoldUpNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.service.Latency = 24 * time.Hour
		h.open(t)
		began := time.Now()
		for i := range 50 {
			h.deliver(t, high(fmt.Sprint(i))...)
		}
		assert.Zero(t, time.Since(began))
		assert.Len(t, h.main, 50)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		assert.Empty(t, h.told())
		s := h.Status()
		assert.Equal(t, 50, s.Waiting)
		assert.Positive(t, s.Failures)
		assert.Contains(t, s.LastError, "no reply from the service: none within 30s")
		began = time.Now()
		h.close(t, 10*time.Second)
		assert.LessOrEqual(t, time.Since(began), 10*time.Second)

		h.service.Latency = 0
		h.open(t)
		h.close(t, time.Minute)
		assert.Len(t, h.told(), 50)
	})
}

func TestNotifier_WhatIsDownIsTriedAgainAndTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.service.SetFault(func(int) fakehttp.Fault { return fakehttp.Fault{Status: 503} })
		h.open(t)
		h.deliver(t, numbered(25, ingest.Critical)...)
		began := time.Now().UTC()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		s := h.Status()
		assert.WithinDuration(t, began, s.FailingSince, 10*time.Second)
		assert.Equal(t, 1, strings.Count(h.log.String(), `msg="notifications cannot be sent; they wait"`), h.log)
		assert.Greater(t, strings.Count(h.log.String(), `msg="notifications still cannot be sent"`), 5)
		assert.Less(t, s.Posts, 100, "with pauses")

		h.close(t, 10*time.Second)
		assert.Equal(t, 25, h.Status().Waiting, "left for the next process")
		h.open(t)
		time.Sleep(time.Minute)
		h.service.SetFault(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		assert.Len(t, h.told(), 25)
		s = h.Status()
		assert.Equal(t, 25, s.Sent)
		assert.Zero(t, s.Failures)
		assert.Empty(t, s.LastError)
		assert.NoError(t, s.Err)
		assert.Contains(t, h.log.String(), `msg="notifications are sent again"`)
		for _, r := range h.service.Requests() {
			assert.LessOrEqual(t, len(r.IDs), maxTogether)
			assert.Empty(t, r.Header.Get("Content-Encoding"))
		}
		h.close(t, 0)
	})
}

func TestNotifier_WaitsAsLongAsTheServiceAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.service.SetFault(func(n int) fakehttp.Fault {
			if n == 1 {
				return fakehttp.Fault{Status: 429, Header: http.Header{"Retry-After": {"300"}}}
			}
			return fakehttp.Fault{}
		})
		h.open(t)
		h.deliver(t, high("a")...)
		time.Sleep(299 * time.Second)
		synctest.Wait()
		assert.Len(t, h.service.Requests(), 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, map[string]int{"a": 1}, h.told())
		h.close(t, 0)

		// Closing does not overrule it.
		h.service.SetFault(func(int) fakehttp.Fault {
			return fakehttp.Fault{Status: 429, Header: http.Header{"Retry-After": {"300"}}}
		})
		h.open(t)
		h.deliver(t, high("b")...)
		time.Sleep(time.Second)
		synctest.Wait()
		requests := len(h.service.Requests())
		h.close(t, 10*time.Second)
		assert.Len(t, h.service.Requests(), requests)
		assert.Equal(t, 1, h.Status().Waiting)
	})
}

func TestNotifier_InSlackThereIsASecondBetweenMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.service.Kind = fakehttp.Slack
		h.open(t)
		h.deliver(t, numbered(35, ingest.High)...)
		h.close(t, 10*time.Second)
		requests := h.service.Requests()
		require.GreaterOrEqual(t, len(requests), 4)
		for i, r := range requests[1:] {
			assert.GreaterOrEqual(t, r.At.Sub(requests[i].At), time.Second)
		}
		all := ""
		for _, r := range requests {
			assert.Equal(t, http.StatusOK, r.Status)
			all += string(r.Body)
		}
		for i := range 35 {
			assert.Equal(t, 1, strings.Count(all, fmt.Sprintf("DNS record deleted: %d`", i)))
		}
		assert.Equal(t, 35, h.Status().Sent)
	})
}

func TestNotifier_OneEventThatIsRefusedIsKeptAndTheOthersAreSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.service.Reject = func(e map[string]any) string {
			if e["external_id"] == "4" {
				return "cannot take it"
			}
			return ""
		}
		h.open(t)
		h.deliver(t, numbered(9, ingest.High)...)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Len(t, h.told(), 8)
		s := h.Status()
		assert.Equal(t, []int{0, 8, 1}, []int{s.Waiting, s.Sent, s.DeadLettered})
		buried, err := os.ReadFile(h.config().DeadLetter)
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(string(buried), "\n"))
		assert.Contains(t, string(buried), `"external_id":"4"`)
		assert.Contains(t, string(buried), "cannot take it")
		h.close(t, 0)
	})
}

func TestNotifier_WhatIsDroppedIsLoggedCountedAndTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		h.service.SetFault(func(int) fakehttp.Fault { return fakehttp.Fault{Status: 404} })
		h.open(t)
		h.deliver(t, numbered(maxWaiting, ingest.High)...)
		h.deliver(t, event("worst", ingest.Critical), event("another", ingest.High))
		assert.Equal(t, 2, h.Status().Dropped)
		assert.Contains(t, h.log.String(), `level=WARN msg="the queue of notifications is full; the oldest of the lowest severity are dropped" dropped=2 waiting=1000`)
		h.close(t, 0)
		h.service.SetFault(nil)
		h.open(t)
		assert.Zero(t, h.Status().Dropped, "by this process")
		h.close(t, time.Minute)
		var said struct{ Dropped int }
		requests := h.service.Requests()
		sum := 0
		for _, r := range requests {
			if r.Status == http.StatusAccepted {
				require.NoError(t, json.Unmarshal(r.Body, &said))
				sum += said.Dropped
			}
		}
		assert.Equal(t, 2, sum, "it is told once")
		assert.Len(t, h.told(), maxWaiting)
		assert.Contains(t, h.told(), "worst")
	})
}

func TestOpen_AFileThatIsNoQueueIsSetAsideAndLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		const damaged = `{"version":1,"events":[{"extern`
		for i, content := range []string{damaged, strings.Repeat(" ", maxFile+1)} {
			require.NoError(t, os.WriteFile(h.file(), []byte(content), 0o600))
			h.open(t)
			assert.Contains(t, h.log.String(), `level=ERROR msg="the queue of notifications cannot be used and is set aside; what waited in it is not sent"`)
			h.deliver(t, high(fmt.Sprint(i))...)
			h.close(t, time.Second)
			assert.Equal(t, 1, h.told()[fmt.Sprint(i)])
			time.Sleep(time.Second)
		}
		aside, err := filepath.Glob(h.file() + ".unusable-*")
		require.NoError(t, err)
		require.Len(t, aside, 2)
		kept, err := os.ReadFile(aside[0])
		require.NoError(t, err)
		assert.Equal(t, damaged, string(kept))
	})
}

func TestOpen_TheRemainsOfACrashAreRemoved(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	require.NoError(t, os.WriteFile(h.file()+partial, []byte("{"), 0o600))
	h.open(t).close(t, 0)
	assert.NoFileExists(t, h.file()+partial)
}

func TestOpen_FilesThatCannotBeUsedAreErrors(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	require.NoError(t, os.Mkdir(h.file(), 0o700))
	_, err := Open(h.config())
	require.ErrorContains(t, err, "notify: cannot read the queue of notifications: ")
	cfg := h.config()
	cfg.File, cfg.DeadLetter = filepath.Join(h.folder, "other.json"), h.folder
	_, err = Open(cfg)
	require.ErrorContains(t, err, "notify: cannot write the dead-letter file: ")
	if runtime.GOOS != "windows" {
		h.open2(t)
	}
}

// open2 checks that the file is for its owner alone.
func (h *host) open2(t *testing.T) {
	require.NoError(t, os.Remove(h.file()))
	h.open(t)
	h.service.SetFault(func(int) fakehttp.Fault { return fakehttp.Fault{Status: 404} })
	h.deliver(t, high("a")...)
	h.close(t, 0)
	info, err := os.Stat(h.file())
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestNotifier_TheAddressIsShownNowhere(t *testing.T) {
	t.Parallel()
	const address = "https://hooks.example.com/services/T0SECRET/B0SECRET/hunter2hunter2%2Fhunter2?key=sesame-open&x=1"
	for name, fault := range map[string]fakehttp.Fault{
		"echo":     {Status: 404, Body: "no hook at " + address + " or /services/T0SECRET/B0SECRET/hunter2hunter2%2Fhunter2 with sesame-open"},
		"parts":    {Status: 403, Body: `{"error":"hunter2hunter2/hunter2 of T0SECRET is gone; B0SECRET"}`},
		"page":     {Status: 200, Body: "<html>" + address},
		"redirect": {Status: 302, Header: http.Header{"Location": {"https://elsewhere.example.com/?from=" + address}}},
		"reset":    {Reset: true},
		"refused":  {Status: 400, Body: "hunter2hunter2%2Fhunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t)
				h.service.SetFault(func(int) fakehttp.Fault { return fault })
				cfg := h.config()
				cfg.URL = hidden{address}
				n, err := Open(cfg)
				require.NoError(t, err)
				h.Notifier, h.sink, h.store = n, n.Beside(h), n.Before(&h.cursors)
				h.deliver(t, high("a", "b")...)
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				s := h.Status()
				require.Positive(t, s.Failures)
				h.close(t, 0)
				for _, r := range h.service.Requests() {
					assert.Equal(t, address, r.URL, "no redirect is followed")
				}
				shown := h.log.String() + s.LastError + fmt.Sprintf("%v %+v %#v %+v %+v", s, s, cfg, n, h.sink)
				for _, part := range []string{"T0SECRET", "B0SECRET", "hunter2", "sesame"} {
					assert.NotContains(t, shown, part)
				}
			})
		})
	}
}

// hidden is an address that no format shows.
type hidden struct{ address string }

func (h hidden) Reveal() string             { return h.address }
func (h hidden) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

func TestConfig_NamesEveryFaultAndShowsNoSecret(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"":                                      "URL: is required",
		"hunter2":                               "URL: must be an https URL",
		"hooks.example.com/hunter2":             "URL: must be an https URL",
		"ftp://hooks.example.com/hunter2":       "URL: must be an https URL",
		"https:hunter2":                         "URL: must be an https URL",
		"https://hooks.example.com/\nhunter2":   "URL: must be an https URL",
		"https://u:hunter2@hooks.example.com/x": `URL: "https://hooks.example.com/…": must not hold credentials`,
		"https://hooks.example.com/x#hunter2":   `URL: "https://hooks.example.com/…": must not have a fragment`,
		"http://hooks.example.com/hunter2":      `URL: "http://hooks.example.com/…": would send the messages and the address unencrypted; plain http is for loopback addresses`,
		"http://127.0.0.1.example.com/hunter2":  "would send the messages and the address unencrypted",
		"https://hooks.example.com/hunter2":     "",
		"http://127.0.0.1:8080/hunter2":         "",
		"http://[::1]/hunter2":                  "",
		"http://localhost/hunter2":              "",
	} {
		cfg := Config{URL: secret(address)}
		err := cfg.Validate()
		if want == "" {
			assert.NoError(t, err, address)
			continue
		}
		require.ErrorContains(t, err, want, address)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	cfg := Config{Form: "teams", MinSeverity: "urgent"}
	err := cfg.Validate()
	for _, want := range []string{`URL: is required`, `Form: "teams": must be slack or webhook`, `MinSeverity: "urgent": must be critical, high, medium, low or info`} {
		assert.ErrorContains(t, err, want)
	}
	_, err = Open(cfg)
	assert.ErrorContains(t, err, "URL: is required")
}

func TestConfig_TheFormFollowsFromTheHost(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]Form{
		"https://hooks.slack.com/services/T/B/x":     Slack,
		"https://hooks.slack-gov.com/services/T/B/x": Slack,
		"https://hooks.slack.com.example.com/x":      Webhook,
		"https://hooks.example.com/slack":            Webhook,
	} {
		cfg := Config{URL: secret(address)}
		assert.Equal(t, shapes[want].pace, cfg.shape().pace, address)
		cfg.Form = Slack
		assert.Equal(t, time.Second, cfg.shape().pace, "a form that is given counts")
	}
}
