package cloudflareaudit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// bothLogs is fixture for both logs.
func bothLogs(opts fakecloudflare.Options) (*fakecloudflare.Server, Config) {
	server, cfg := fixture(opts)
	cfg.AuditLogAPI = AuditLogBoth
	return server, cfg
}

// Where a host takes in less than one log brings, that log is behind for ever,
// and the other one must not be.
func TestPoll_ALogThatIsBehindDoesNotHideTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := bothLogs(fakecloudflare.Options{})
		cfg.MaxEvents = 10
		began := time.Now()
		for i := range 3600 {
			at := began.Add(time.Duration(i) * 2 * time.Second)
			server.Add(at, fakecloudflare.Entry(fmt.Sprintf("one-%d", i), at, 0))
		}
		shown := began.Add(time.Hour)
		server.AddV2(shown, fakecloudflare.EntryV2("two", shown, 0))
		c := connect(t, cfg)
		var cursor ingest.Cursor
		for time.Since(began) < 2*time.Hour {
			b := poll1(t, c, cursor)
			for _, e := range b.Events {
				if e.ExternalID == "two" {
					require.Less(t, time.Since(shown), 3*cfg.withDefaults().PollInterval)
					return
				}
			}
			cursor = b.Cursor
			time.Sleep(30 * time.Second)
		}
		t.Fatal("the other log is not read")
	})
}

// What is delivered of one log does not hide that the other stands still.
func TestPoll_ALogThatStandsStillIsNoticedWhateverTheOtherBrings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := bothLogs(fakecloudflare.Options{})
		c := connect(t, cfg)
		_, cursor, _ := drain(t, c, nil)
		server.Fault(func(n int, r *http.Request) *fakecloudflare.Fault {
			if !strings.HasSuffix(r.URL.Path, "logs/audit") {
				return nil
			}
			return fakecloudflare.Reply(200, nil, fmt.Sprintf(`{"success":true,"result":[],"result_info":{"cursor":"page-%d"}}`, n))
		})
		for i := range 4 {
			time.Sleep(5 * time.Minute)
			server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("one-%d", i), time.Now().Add(-time.Second), 0))
			b := poll1(t, c, cursor)
			require.Equal(t, []string{fmt.Sprintf("one-%d", i)}, ids(b))
			require.Len(t, b.Coverage.Notices, 1)
			require.Contains(t, b.Coverage.Notices[0], "one empty page leads to another")
			require.False(t, b.More)
			cursor = b.Cursor
		}
	})
}

// Each log has a state of its own, from the first poll on.
func TestPoll_SaysOfEachLogWhetherItCanBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := bothLogs(fakecloudflare.Options{})
		c := connect(t, cfg)
		server.Deny("logs/audit")
		first := poll1(t, c, nil)
		second := poll1(t, c, first.Cursor)
		for _, b := range []ingest.Batch{first, second} {
			logs := b.Coverage.Logs
			require.Len(t, logs, 2)
			require.Equal(t, ingest.LogState{Name: "the audit log", Complete: b.Coverage.Logs[0].Complete}, logs[0])
			require.NotZero(t, logs[0].Complete)
			require.Equal(t, "Audit Logs v2", logs[1].Name)
			require.Contains(t, logs[1].Error, "the API token lacks")
			require.True(t, logs[1].NeedsAction)
			require.Zero(t, logs[1].Complete)
			require.ErrorContains(t, logs[1].Err, logs[1].Error)
			require.NoError(t, b.Coverage.Unread(), "the other one is read")
		}
		server.Deny("logs/audit", "audit_logs")
		b, err := c.Poll(t.Context(), second.Cursor)
		require.Error(t, err)
		require.ErrorContains(t, b.Coverage.Unread(), "the API token lacks")
		server.Deny()
		for _, s := range poll1(t, c, second.Cursor).Coverage.Logs {
			require.False(t, s.Failed(), s)
			require.NotZero(t, s.Complete)
		}
	})
}

// The first cursor is returned whatever happens, and must not look like success.
func TestPoll_AFirstPollThatReadsNothingSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		server.Deny("audit_logs")
		b := poll1(t, connect(t, cfg), nil)
		require.NotEmpty(t, b.Cursor)
		require.ErrorContains(t, b.Coverage.Unread(), "the API token lacks")
		require.True(t, ingest.NeedsAction(b.Coverage.Unread()))
	})
}

// The next page is asked for as it was given, or not at all: what cannot be one
// is not the end of the log.
func TestPoll_V2WhatCannotLeadToAPageIsAnError(t *testing.T) {
	t.Parallel()
	for info, want := range map[string]string{
		`{"cursor":{"after":"x"}}`: "not a string",
		`{"cursor":true}`:          "not a string",
		`{"cursor":["x"]}`:         "not a string",
		`[]`:                       "not an object",
		`"next"`:                   "not an object",
		`{"cursor":"` + strings.Repeat("x", 1<<20) + `"}`: "too long",
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixtureV2(fakecloudflare.Options{})
			c := connect(t, cfg)
			_, cursor, _ := drain(t, c, nil)
			entry := fakecloudflare.EntryV2("id-0", time.Now(), 0)
			server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
				return fakecloudflare.Reply(200, nil, fmt.Sprintf(`{"success":true,"result":[%s],"result_info":%s}`, entry, info))
			})
			_, err := c.Poll(t.Context(), cursor)
			require.ErrorContains(t, err, want)
			require.Less(t, len(err.Error()), 1000)
		})
	}
	for _, info := range []string{`null`, `{}`, `{"cursor":null}`, `{"cursor":""}`, `{"count":1}`} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixtureV2(fakecloudflare.Options{})
			entry := fakecloudflare.EntryV2("id-0", time.Now(), 0)
			server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
				return fakecloudflare.Reply(200, nil, fmt.Sprintf(`{"success":true,"result":[%s],"result_info":%s}`, entry, info))
			})
			got, _, _ := drain(t, connect(t, cfg), nil)
			require.Equal(t, []string{"id-0"}, got)
		})
	}
}

// In whatever words the API refuses a page that it has forgotten.
func TestPoll_V2ReadsOnByTimeHoweverAPageIsRefused(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]*fakecloudflare.Fault{
		"400":         fakecloudflare.Status(400, 1004, "invalid cursor", nil),
		"404":         fakecloudflare.Status(404, 0, "cursor not found", nil),
		"410":         fakecloudflare.Status(410, 0, "gone", nil),
		"422":         fakecloudflare.Status(422, 0, "cursor has expired", nil),
		"500":         fakecloudflare.Status(500, 0, "internal error", nil),
		"no success":  fakecloudflare.Status(200, 1004, "invalid cursor", nil),
		"null result": fakecloudflare.NullResult(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixtureV2(fakecloudflare.Options{})
				cfg.MaxEvents = 100
				fillV2(server, 300, 10*time.Millisecond)
				time.Sleep(time.Hour)
				c := connect(t, cfg)
				first := poll1(t, c, nil)
				refused := ""
				server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
					next := r.URL.Query().Get("cursor")
					if next == "" || refused != "" && refused != next {
						return nil
					}
					refused = next
					return refusal
				})
				rest, _, _ := drain(t, c, first.Cursor)
				require.Equal(t, numbered(300), append(ids(first), rest...))
				require.NotEmpty(t, refused)
			})
		})
	}
}

// A page that is no longer remembered may be taken for none, so that the first
// one of the window is shown. What stands there may have been forgotten here.
func TestPoll_V2TheFirstPageInPlaceOfARememberedOneBringsNothingTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixtureV2(fakecloudflare.Options{})
		cfg.MaxEvents = 100
		fillV2(server, 400, 5*time.Second)
		time.Sleep(time.Hour)
		c := connect(t, cfg)
		var firstPage []byte
		ignored := 0
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Custom(func(r *http.Request, answer func() *http.Response) (*http.Response, error) {
				resp := answer()
				body, err := io.ReadAll(resp.Body)
				switch {
				case firstPage == nil:
					firstPage = body
				case r.URL.Query().Has("cursor") && ignored < 2:
					ignored++
					body = firstPage
				}
				resp.ContentLength, resp.Body = int64(len(body)), io.NopCloser(bytes.NewReader(body))
				return resp, err
			})
		})
		got, _, _ := drain(t, c, nil)
		require.NotZero(t, ignored)
		require.Equal(t, numbered(400), got)
	})
}

// A host that stops is no fault of a log.
func TestPoll_TheEndOfTheHostIsNoNotice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := bothLogs(fakecloudflare.Options{})
		var log bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c := connect(t, cfg)
		_, cursor, _ := drain(t, c, nil)
		fill(server, 1, time.Second)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
			if strings.HasSuffix(r.URL.Path, "logs/audit") {
				cancel()
				return fakecloudflare.Hang()
			}
			return nil
		})
		b, err := c.Poll(ctx, cursor)
		require.NoError(t, err)
		require.Equal(t, numbered(1), ids(b))
		require.Empty(t, b.Coverage.Notices)
		require.Empty(t, log.String())
	})
}

// The ray id is the id of the request in both logs, and the same in both.
func TestBothLogs_TheRequestJoinsThemExactly(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{AuditLogAPI: AuditLogBoth})
	const ray = "8f0c2b1d4e5a6789"
	v2, _ := n.Normalize([]byte(strings.Replace(requested("PUT", "/zones/z1/rulesets/r1", body(`{"rules":[]}`)), `"cf_ray_id":"`, `"cf_ray_id":"`+ray+`-FRA","x":"`, 1)))
	require.Equal(t, ray, v2.Audit.RequestID)
	for _, member := range []string{
		`"cf-ray":"` + ray + `"`, `"cf_ray":"` + ray + `-SJC"`, `"CF-Ray":"` + ray + `-FRA"`, `"ray_id":"` + ray + `"`, `"rayId":"` + ray + `"`,
		`"cf-ray-id":"` + ray + `"`, `"cf_ray_id":"` + ray + `"`, `"RayID":"` + ray + `"`, `"cf-ray":"` + ray + `","ray_id":""`,
	} {
		v1, _ := n.Normalize([]byte(logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_request_firewall_custom",`+member+`}`)))
		assert.Equal(t, ray, v1.Audit.RequestID, member)
		assert.Equal(t, "v1", v1.Audit.API)
	}
	for _, member := range []string{`"cf-ray":null`, `"cf-ray":{}`, `"array_id":"` + ray + `"`, `"x-ray":"` + ray + `"`, `"ray":"` + ray + `"`} {
		v1, _ := n.Normalize([]byte(logged("ruleset", "rulesets_update", `"metadata":{`+member+`}`)))
		assert.Empty(t, v1.Audit.RequestID, member)
	}
}
