package cloudflareaudit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
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

// auditV2Path is where the fake serves Audit Logs v2; histories are below it.
const auditV2Path = fakecloudflare.Prefix + "/accounts/" + fakecloudflare.DefaultAccountID + "/logs/audit"

// recalling is a fixture that looks up old values.
func recalling(opts fakecloudflare.Options) (*fakecloudflare.Server, Config) {
	server, cfg := fixtureV2(opts)
	cfg.ResolveHistory = true
	return server, cfg
}

// calledAt is an entry of Audit Logs v2 with an id and a time.
func calledAt(id string, when time.Time, method, uri string, more ...string) json.RawMessage {
	return json.RawMessage(strings.NewReplacer("0196c3a1-0000-7000-8000-000000000001", id,
		"2026-05-12T09:00:02Z", when.UTC().Format(time.RFC3339Nano)).Replace(requested(method, uri, more...)))
}

// levelAt is an entry that changes the security level of a zone.
func levelAt(id string, when time.Time, zone, level string) json.RawMessage {
	return calledAt(id, when, "PATCH", "/zones/"+zone+"/settings/security_level", body(`{"value":"`+level+`"}`))
}

// histories counts the requests for a history.
func histories(server *fakecloudflare.Server) int { return asked(server, auditV2Path+"/") }

// atHistories lets fault befall the requests for a history.
func atHistories(server *fakecloudflare.Server, fault func(n int) *fakecloudflare.Fault) {
	only(server, auditV2Path+"/", fault)
}

func TestHistory_AChangeIsGradedByItsDirection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := recalling(fakecloudflare.Options{})
		now := time.Now()
		server.AddV2(time.Time{}, levelAt("old-1", now.Add(-200*24*time.Hour), zone, "high"),
			levelAt("new-1", now.Add(-time.Minute).Add(123456*time.Microsecond), zone, "medium"))
		b := poll1(t, connect(t, cfg), nil)
		e := onlyEvent(t, b)
		assert.Equal(t, "setting-weakened-production", e.Audit.Rule)
		assert.Equal(t, "weaker", e.Audit.Direction)
		assert.Equal(t, "Zone protection weakened: security_level from high to medium for example.com", e.Title)
		assert.Equal(t, ingest.FieldChange{Field: "security_level", Old: "high", New: "medium"}, e.Audit.Changes[0])
		assert.Equal(t, []string{"the old values are from earlier entries, the newest of them old-1 of 1999-06-15T00:00:00Z"}, e.Audit.Notes)
		assert.NotContains(t, string(e.RawEvent), "high", "the entry stays as received")

		requests := server.Requests()
		require.Len(t, requests, 2)
		assert.Equal(t, 2, b.Coverage.Requests, "a look-up counts as a request")
		assert.Equal(t, auditV2Path+"/new-1/history", requests[1].Path)
		assert.Equal(t, "Bearer "+cfg.APIToken.Reveal(), requests[1].Header.Get("Authorization"))
		assert.Equal(t, map[string][]string{
			"action_time": {"1999-12-31T23:59:00.123456Z"}, "since": {"1998-07-02T00:00:00Z"}, "before": {"1999-12-31T23:59:01Z"},
			"direction": {"desc"}, "limit": {"20"},
		}, map[string][]string(requests[1].Query))

		// A replay of the entry gives what the entry alone says.
		alone, _ := normalizer(t, cfg).Normalize([]byte(e.RawEvent))
		assert.Equal(t, "setting-protective", alone.Audit.Rule)
		assert.Equal(t, e.ExternalID, alone.ExternalID)
		assert.Empty(t, alone.Audit.Direction)
	})
}

func TestHistory_WhatDoesNotDependOnItIsNotAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		entry func(id string, when time.Time) json.RawMessage
		asked int
	}{
		"medium": {func(id string, at time.Time) json.RawMessage { return levelAt(id, at, zone, "medium") }, 1},
		"medium if weaker": {func(id string, at time.Time) json.RawMessage {
			return calledAt(id, at, "PATCH", "/zones/"+zone+"/dns_records/r", body(`{"proxied":false}`))
		}, 1},
		"high": {func(id string, at time.Time) json.RawMessage {
			return calledAt(id, at, "PUT", "/zones/"+zone+"/logpush/jobs/7", body(`{"enabled":false}`))
		}, 1},
		"low, certainly safer": {func(id string, at time.Time) json.RawMessage { return levelAt(id, at, zone, "under_attack") }, 0},
		"low in any direction": {func(id string, at time.Time) json.RawMessage {
			return calledAt(id, at, "PUT", "/accounts/"+account+"/access/tags/t", body(`{"a":1}`))
		}, 0},
		"not in production": {func(id string, at time.Time) json.RawMessage {
			return calledAt(id, at, "PATCH", "/zones/"+someToken+"/settings/ssl", body(`{"value":"full"}`), `.zone:{"id":"`+someToken+`","name":"staging.example.net"}`)
		}, 0},
		"created": {func(id string, at time.Time) json.RawMessage {
			return calledAt(id, at, "POST", "/zones/"+zone+"/dns_records", body(`{"type":"MX","name":"a"}`))
		}, 0},
		"deleted": {func(id string, at time.Time) json.RawMessage {
			return calledAt(id, at, "DELETE", "/zones/"+zone+"/dns_records/r")
		}, 0},
		"failed": {func(id string, at time.Time) json.RawMessage {
			return json.RawMessage(failing(string(levelAt(id, at, zone, "medium"))))
		}, 0},
		"dropped": {func(id string, at time.Time) json.RawMessage {
			return calledAt(id, at, "GET", "/zones/"+zone+"/dns_records/r", body(`{"a":1}`))
		}, 0},
		"nothing is sent": {func(id string, at time.Time) json.RawMessage {
			return calledAt(id, at, "PATCH", "/zones/"+zone+"/settings/ssl")
		}, 0},
		"without an id":          {func(_ string, at time.Time) json.RawMessage { return levelAt("", at, zone, "medium") }, 0},
		"an id that is none":     {func(_ string, at time.Time) json.RawMessage { return levelAt("../../../user?x=1#", at, zone, "medium") }, 0},
		"an id with wide digits": {func(_ string, at time.Time) json.RawMessage { return levelAt("１２", at, zone, "medium") }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := recalling(fakecloudflare.Options{})
			cfg.ProductionZones = []string{"example.com"}
			server.AddV2(time.Time{}, c.entry("e", time.Now().Add(-time.Second)))
			b := poll1(t, connect(t, cfg), nil)
			assert.Equal(t, c.asked, histories(server), name)
			assert.Len(t, server.Requests(), 1+c.asked, name)
			assert.Empty(t, b.Coverage.Notices, name)
			for _, e := range b.Events {
				assert.NotContains(t, fmt.Sprint(e.Audit.Notes), "old values", name)
			}
		})
	}
}

func TestHistory_IsOffUnlessItIsSwitchedOnAndForTheAuditLog(t *testing.T) {
	t.Parallel()
	for _, api := range []string{AuditLogV1, AuditLogV2, AuditLogBoth} {
		for _, on := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixture(fakecloudflare.Options{})
				cfg.AuditLogAPI, cfg.ResolveHistory = api, on
				server.Add(time.Time{}, json.RawMessage(strings.Replace(setting("example.com", "security_level", "firewall", "high", "medium"),
					"2026-05-12T09:00:00Z", time.Now().Add(-time.Second).UTC().Format(time.RFC3339), 1)))
				server.AddV2(time.Time{}, levelAt("e", time.Now().Add(-time.Second), zone, "medium"))
				poll1(t, connect(t, cfg), nil)
				want := 0
				if on && api != AuditLogV1 {
					want = 1
				}
				assert.Equal(t, want, histories(server), "%s %v", api, on)
			})
		}
	}
}

// An entry from before the time that the log keeps has no history.
func TestHistory_GoesBackAsFarAsTheLogDoes(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]int{0: 1, 10 * time.Minute: 0} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := recalling(fakecloudflare.Options{})
			start := time.Now()
			cfg.InitialLookback = historySpan
			cfg.Clock = func() time.Time { return start.Add(ahead) }
			server.AddV2(time.Time{}, levelAt("e", start.Add(5*time.Minute-historySpan), zone, "medium"))
			onlyEvent(t, poll1(t, connect(t, cfg), nil))
			assert.Equal(t, want, histories(server), "%v ahead", ahead)
		})
	}
}

// What identifies the resource decides what an old value is worth.
func TestHistory_TheStatusIsHeeded(t *testing.T) {
	t.Parallel()
	reply := func(status string, entries ...json.RawMessage) *fakecloudflare.Fault {
		return fakecloudflare.Reply(http.StatusOK, nil, fmt.Sprintf(`{"success":true,"errors":[],"result":[%s],"result_info":{"count":%d%s}}`,
			bytes.Join(raws(entries), []byte(",")), len(entries), status))
	}
	for name, c := range map[string]struct{ status, old, note string }{
		"exact":       {`,"history_status":"exact"`, "high", ""},
		"approximate": {`,"history_status":"approximate"`, "high", "; the resource was found without its address"},
		"unavailable": {`,"history_status":"unavailable"`, "", ""},
		"none":        {``, "", ""},
		"another":     {`,"history_status":"guess"`, "", ""},
		"no text":     {`,"history_status":{"a":1}`, "", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := recalling(fakecloudflare.Options{})
			now := time.Now()
			server.AddV2(time.Time{}, levelAt("e", now.Add(-time.Second), zone, "medium"))
			atHistories(server, func(int) *fakecloudflare.Fault {
				return reply(c.status, levelAt("old", now.Add(-time.Hour), zone, "high"))
			})
			b := poll1(t, connect(t, cfg), nil)
			e := onlyEvent(t, b)
			assert.Equal(t, c.old, e.Audit.Changes[0].Old, name)
			assert.Empty(t, b.Coverage.Notices, name)
			if c.old == "" {
				assert.Equal(t, "setting-protective", e.Audit.Rule, name)
				assert.Empty(t, e.Audit.Notes, name)
			} else {
				assert.Equal(t, []string{"the old values are from earlier entries, the newest of them old of 1999-12-31T23:00:00Z" + c.note}, e.Audit.Notes, name)
			}
		})
	}
}

func raws(list []json.RawMessage) (out [][]byte) {
	for _, e := range list {
		out = append(out, e)
	}
	return out
}

// The same entry read again, as after a delivery that failed, costs no request.
func TestHistory_IsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := recalling(fakecloudflare.Options{})
		now := time.Now()
		server.AddV2(time.Time{}, levelAt("old", now.Add(-48*time.Hour), zone, "high"), levelAt("e", now.Add(-time.Second), zone, "medium"))
		c := connect(t, cfg)
		first := poll1(t, c, nil)
		second := poll1(t, c, nil)
		assert.Equal(t, onlyEvent(t, first), onlyEvent(t, second))
		assert.Equal(t, 1, histories(server))
		// Another process asks anew, and gets the same.
		third := poll1(t, connect(t, cfg), nil)
		assert.Equal(t, onlyEvent(t, first), onlyEvent(t, third))
		assert.Equal(t, 2, histories(server))
	})
}

func TestHistory_TheMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var c historyCache
	for i := range 3 * maxCached {
		c.put(fmt.Sprint(i), &pastEntries{size: 10})
	}
	assert.Len(t, c.byID, maxCached)
	assert.Nil(t, c.get("0"))
	assert.NotNil(t, c.get(fmt.Sprint(3*maxCached-1)))
	for i := range 40 {
		c.put(fmt.Sprint("large", i), &pastEntries{size: maxHistoryBytes})
	}
	assert.LessOrEqual(t, c.size, maxCachedBytes)
	assert.Len(t, c.byID, maxCachedBytes/maxHistoryBytes)
	assert.Len(t, c.order, len(c.byID))
}

// In a poll with many changes the gravest are looked up, and not too many.
func TestHistory_TheGravestFirstAndABoundedNumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := recalling(fakecloudflare.Options{})
		now := time.Now()
		for i := range 30 {
			at := now.Add(-time.Duration(i+1) * time.Second)
			uri := fmt.Sprintf("/zones/%s/dns_records/r%d", zone, i)
			server.AddV2(time.Time{}, calledAt(fmt.Sprintf("low-%d", i), at, "PATCH", uri, body(`{"proxied":false}`)))
			if i < 15 {
				server.AddV2(time.Time{}, levelAt(fmt.Sprintf("medium-%d", i), at, fmt.Sprintf("%032x", i), "medium"))
			}
		}
		began := time.Now()
		b := poll1(t, connect(t, cfg), nil)
		require.Equal(t, 45, b.Coverage.Delivered)
		assert.Equal(t, maxHistories, histories(server))
		grave := 0
		for _, r := range server.Requests()[1:] {
			if strings.Contains(r.Path, "/medium-") {
				grave++
			}
		}
		assert.Equal(t, 15, grave)
		assert.Less(t, time.Since(began), resolveTime)
	})
}

// The log needs the budget more than a look-up does.
func TestHistory_NothingIsAskedWhenTheBudgetIsNearlyUsedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := recalling(fakecloudflare.Options{})
		cfg.RateLimit = 2
		server.AddV2(time.Time{}, levelAt("e", time.Now().Add(-time.Second), zone, "medium"))
		began := time.Now()
		b := poll1(t, connect(t, cfg), nil)
		assert.Equal(t, "setting-protective", onlyEvent(t, b).Audit.Rule)
		assert.Len(t, server.Requests(), 1)
		assert.Zero(t, time.Since(began))
	})
}

func TestHistory_WithoutThePermissionItSwitchesItselfOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  *fakecloudflare.Fault // nil: the permission is missing
		asked  int
		notice string
	}{
		"403":                 {nil, 1, "resolve_history: the history of resources cannot be read, which is tried again every hour"},
		"200 without success": {fakecloudflare.NotSuccess(), 1, "resolve_history: the history of resources cannot be read"},
		"no such route": {fakecloudflare.Status(http.StatusNotFound, 7003, "Could not route to /x", nil), 1,
			"resolve_history: Cloudflare does not offer the history of resources, which is tried again every hour"},
		"no such route, 400": {fakecloudflare.Status(http.StatusBadRequest, 7000, "No route for that URI", nil), 1, "does not offer"},
		"not found":          {fakecloudflare.Status(http.StatusNotFound, 0, "", nil), 3, "does not offer"},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := recalling(fakecloudflare.Options{})
			if c.fault == nil {
				server.Deny("logs/audit/history")
			} else {
				atHistories(server, func(int) *fakecloudflare.Fault { return c.fault })
			}
			var logged bytes.Buffer
			cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil))
			start := time.Now()
			server.AddV2(time.Time{}, levelAt("old", start.Add(-48*time.Hour), zone, "high"))
			for i := range 16 {
				at := start.Add(time.Duration(i)*5*time.Minute - time.Second)
				server.AddV2(at, levelAt(fmt.Sprintf("e-%d", i), at, zone, "medium"))
			}
			conn := connect(t, cfg)
			var cursor ingest.Cursor
			var total ingest.Coverage
			step := func() ingest.Event {
				t.Helper()
				b := poll1(t, conn, cursor)
				cursor = b.Cursor
				total.Add(b.Coverage)
				time.Sleep(5 * time.Minute)
				return onlyEvent(t, b)
			}
			for range 12 {
				require.Equal(t, "setting-protective", step().Audit.Rule, name)
			}
			require.Equal(t, c.asked, histories(server), name)
			require.Len(t, total.Notices, 1, name)
			assert.Contains(t, total.Notices[0], c.notice, name)
			if strings.Contains(c.notice, "offer") {
				assert.NotContains(t, total.Notices[0], "account_id", name)
			}
			assert.Equal(t, 1, strings.Count(logged.String(), "level=WARN"), logged.String())
			// It is granted, and found out within the hour.
			server.Deny()
			server.Fault(nil)
			var last ingest.Event
			for range 4 {
				last = step()
			}
			assert.NotEmpty(t, last.Audit.Notes, name)
			assert.Empty(t, total.Notices, name)
		})
	}
}

// One entry that Cloudflare does not find says nothing about the others.
func TestHistory_AnEntryThatIsNotFoundDoesNotSwitchItOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := recalling(fakecloudflare.Options{})
		now := time.Now()
		for i := range 8 {
			at := now.Add(-time.Duration(i+1) * time.Minute)
			server.AddV2(time.Time{}, levelAt(fmt.Sprintf("e-%d", i), at, zone, "medium"))
		}
		atHistories(server, func(n int) *fakecloudflare.Fault {
			if n%2 == 1 {
				return fakecloudflare.Status(http.StatusNotFound, 0, "", nil)
			}
			return nil
		})
		b := poll1(t, connect(t, cfg), nil)
		assert.Len(t, b.Events, 8)
		assert.Equal(t, 8, histories(server))
		assert.Empty(t, b.Coverage.Notices)
		assert.Equal(t, map[int]int{200: 5, 404: 4}, b.Coverage.Statuses)
	})
}

func TestHistory_AFailureCostsOnlyTheOldValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault *fakecloudflare.Fault
		took  time.Duration
	}{
		"hangs":        {fakecloudflare.Hang(), resolveTime},
		"stalls":       {fakecloudflare.Stall(10), resolveTime},
		"rate limited": {fakecloudflare.Status(http.StatusTooManyRequests, 971, "slow down", http.Header{"Retry-After": {"3"}}), 0},
		"server":       {fakecloudflare.HTML(http.StatusBadGateway), 0},
		"garbage":      {fakecloudflare.Garbage(), 0},
		"reset":        {fakecloudflare.Reset(), 0},
		"null":         {fakecloudflare.NullResult(), 0},
		"an object":    {fakecloudflare.Reply(http.StatusOK, nil, `{"success":true,"result":{"a":[]},"result_info":{"history_status":"exact"}}`), 0},
		"torn":         {fakecloudflare.Truncate(40), 0},
		"endless":      {fakecloudflare.Endless(), 0},
		"redirect":     {fakecloudflare.Redirect("https://elsewhere.example.com/"), 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := recalling(fakecloudflare.Options{})
			now := time.Now()
			server.AddV2(time.Time{}, levelAt("old", now.Add(-48*time.Hour), zone, "high"),
				levelAt("a", now.Add(-time.Second), zone, "medium"), levelAt("b", now.Add(-2*time.Second), zone, "medium"))
			atHistories(server, func(int) *fakecloudflare.Fault { return c.fault })
			began := time.Now()
			conn := connect(t, cfg)
			b := poll1(t, conn, nil)
			assert.Equal(t, []string{"a", "b"}, ids(b), name)
			assert.Equal(t, "setting-protective", b.Events[0].Audit.Rule, name)
			assert.Equal(t, 1, histories(server), "%s: once, and nothing else meanwhile", name)
			assert.Equal(t, c.took, time.Since(began), name)
			assert.Empty(t, b.Coverage.Notices, "%s: a single failure is no condition", name)
			// After the pause it works again.
			server.Fault(nil)
			time.Sleep(time.Minute)
			at := time.Now().Add(-time.Second)
			server.AddV2(time.Time{}, levelAt("c", at, zone, "low"))
			b = poll1(t, conn, b.Cursor)
			assert.Equal(t, "setting-weakened-production", onlyEvent(t, b).Audit.Rule, name)
		})
	}
}

func TestHistory_TheEndOfThePollEndsTheLookUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := recalling(fakecloudflare.Options{})
		now := time.Now()
		server.AddV2(time.Time{}, levelAt("old", now.Add(-48*time.Hour), zone, "high"), levelAt("a", now.Add(-time.Second), zone, "medium"))
		atHistories(server, func(n int) *fakecloudflare.Fault {
			if n == 1 {
				return fakecloudflare.Hang()
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		c := connect(t, cfg)
		began := time.Now()
		b, err := c.Poll(ctx, nil)
		require.NoError(t, err, "what was read is delivered")
		require.Equal(t, []string{"a"}, ids(b))
		require.Equal(t, time.Second, time.Since(began))
		// That was no failure: it may be asked for at once.
		b = poll1(t, c, nil)
		require.Equal(t, "setting-weakened-production", onlyEvent(t, b).Audit.Rule)
	})
}

// Whatever a reply holds, the event is sound, and only values of the resource are
// taken.
func TestHistory_StrangeEntriesDoNoHarm(t *testing.T) {
	t.Parallel()
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	past := now.Add(-time.Hour)
	good := string(levelAt("old", past, zone, "high"))
	huge := strings.Replace(good, `{"value":"high"}`, `{"value":"high","x":"`+strings.Repeat("y", maxHistoryBytes)+`"}`, 1)
	for name, c := range map[string]struct{ list, old string }{
		"odd elements":            {`null,7,"x",[],{},` + good, "high"},
		"odd sections":            {`{"id":"x","action":[],"raw":7,"resource":null,"actor":""},{"id":7,"action":{"time":{}}},` + good, "high"},
		"the entry itself":        {strings.Replace(good, `"old"`, `"e"`, 1), ""},
		"many times the same":     {strings.Repeat(good+",", 100) + good, "high"},
		"another resource":        {strings.Replace(good, "security_level", "ssl", 1) + "," + string(levelAt("o", past, someToken, "low")), ""},
		"from the future":         {string(levelAt("old", now.Add(time.Hour), zone, "high")), ""},
		"too large":               {huge, ""},
		"too large, before a low": {huge + "," + string(levelAt("low", past.Add(-time.Hour), zone, "low")), ""},
		"deeply nested":           {strings.Replace(good, `{"value":"high"}`, `{"value":"high","x":`+strings.Repeat("[", 900)+strings.Repeat("]", 900)+`}`, 1), "high"},
		"a secret as id":          {strings.Replace(good, `"old"`, `"`+strings.Repeat("i", 5000)+`\n"`, 1), "high"},
		"not text":                {strings.Replace(good, `"high"`, `{"a":[1]}`, 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, cfg := recalling(fakecloudflare.Options{})
				require.Equal(t, now, time.Now().UTC())
				server.AddV2(time.Time{}, levelAt("e", now.Add(-time.Second), zone, "medium"))
				atHistories(server, func(int) *fakecloudflare.Fault {
					return fakecloudflare.Reply(http.StatusOK, nil, `{"success":true,"result":[`+c.list+`],"result_info":{"history_status":"exact","cursor":"more"}}`)
				})
				b := poll1(t, connect(t, cfg), nil)
				e := onlyEvent(t, b)
				if name != "not text" {
					assert.Equal(t, c.old, e.Audit.Changes[0].Old)
				}
				assert.Equal(t, "e", e.ExternalID)
				assert.Equal(t, 1, histories(server), "no other page is read")
				for _, note := range e.Audit.Notes {
					assert.Less(t, len(note), 500)
					assert.NotContains(t, note, "\n")
				}
			})
		})
	}
}

// A rule drops by what the entry alone says.
func TestHistory_TheEntryAloneDecidesWhetherThereIsAnEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := recalling(fakecloudflare.Options{})
		cfg.Rules = []Rule{{ID: "mine", Drop: true, Match: Match{Action: []string{"zone.settings.*"}, Direction: []string{"weaker"}}}}
		now := time.Now()
		server.AddV2(time.Time{}, levelAt("old", now.Add(-48*time.Hour), zone, "high"), levelAt("e", now.Add(-time.Second), zone, "medium"))
		e := onlyEvent(t, poll1(t, connect(t, cfg), nil))
		assert.Equal(t, "setting-protective", e.Audit.Rule)
		assert.Equal(t, "weaker", e.Audit.Direction)
	})
}

// The world of one run is read twice, with and without look-ups, whose requests
// meet every kind of fault.
func TestHistory_WhichEventsThereAreDoesNotDependOnIt(t *testing.T) {
	t.Parallel()
	recalled := 0
	for seed := range uint64(8) {
		var plain []ingest.Batch
		for _, on := range []bool{false, true} {
			var batches []ingest.Batch
			synctest.Test(t, func(t *testing.T) { batches = changingWorld(t, seed, on) })
			if !on {
				plain = batches
				continue
			}
			require.Len(t, batches, len(plain))
			for i, want := range plain {
				got := batches[i]
				require.Equal(t, ids(want), ids(got), "seed %d, poll %d", seed, i)
				require.Equal(t, string(want.Cursor), string(got.Cursor), "seed %d, poll %d", seed, i)
				require.Equal(t, want.More, got.More)
				require.Equal(t, want.Coverage.Dropped, got.Coverage.Dropped)
				for j, e := range got.Events {
					require.Equal(t, want.Events[j].RawEvent, e.RawEvent)
					if len(e.Audit.Notes) > len(want.Events[j].Audit.Notes) {
						recalled++
					} else {
						require.Equal(t, want.Events[j], e, "seed %d, poll %d", seed, i)
					}
				}
			}
		}
	}
	assert.Greater(t, recalled, 50) // otherwise there was nothing to compare
}

// changingWorld polls a random world of changes at fixed times.
func changingWorld(t *testing.T, seed uint64, on bool) (batches []ingest.Batch) {
	server, cfg := fixtureV2(fakecloudflare.Options{})
	cfg.ResolveHistory = on
	cfg.PollInterval, cfg.MaxEvents, cfg.PageSize = 30*time.Second, 40, 7
	cfg.Rules = []Rule{{ID: "mine", Drop: true, Match: Match{Action: []string{"zone.settings.*"}, Direction: []string{"safer"}}}}
	rng := rand.New(rand.NewPCG(seed, 1))
	start := time.Now()
	for i := range 150 {
		at := start.Add(time.Duration(rng.IntN(1200)-600) * time.Second).Add(time.Duration(i) * time.Microsecond)
		id := fmt.Sprintf("e%d", i)
		switch rng.IntN(4) {
		case 0:
			server.AddV2(at, levelAt(id, at, zone, pick(rng, []string{"low", "medium", "high", "under_attack"})))
		case 1:
			server.AddV2(at, calledAt(id, at, pick(rng, []string{"PUT", "PATCH", "DELETE"}), "/zones/"+zone+"/dns_records/"+pick(rng, []string{"r", "s"}),
				body(pick(rng, []string{`{"proxied":true}`, `{"proxied":false}`, `{"content":"192.0.2.7","ttl":1}`}))))
		default:
			server.AddV2(at, fakecloudflare.EntryV2(id, at, 6))
		}
	}
	faults := rand.New(rand.NewPCG(seed, 2))
	atHistories(server, func(int) *fakecloudflare.Fault {
		return pick(faults, []*fakecloudflare.Fault{nil, nil, nil, nil, nil, nil, nil, nil, nil,
			fakecloudflare.HTML(http.StatusBadGateway), fakecloudflare.Truncate(faults.IntN(300)), fakecloudflare.Reset(), fakecloudflare.Hang(),
			fakecloudflare.NullResult(), fakecloudflare.Status(http.StatusNotFound, 0, "", nil), fakecloudflare.Delay(9 * time.Second)})
	})
	c := connect(t, cfg)
	var cursor ingest.Cursor
	for i := range 30 {
		b := poll1(t, c, cursor)
		require.Equal(t, b.Coverage.Read, b.Coverage.Delivered+b.Coverage.DroppedTotal()+b.Coverage.Repeated)
		batches, cursor = append(batches, b), b.Cursor
		time.Sleep(time.Until(start.Add(time.Duration(i+1) * 30 * time.Second)))
	}
	return batches
}

// Members and histories are looked up for the same event.
func TestHistory_GoesTogetherWithOtherLookUps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := recalling(fakecloudflare.Options{})
		cfg.ResolveMembers = true
		server.SetMembers(carol())
		now := time.Now()
		server.AddV2(time.Time{}, levelAt("old", now.Add(-48*time.Hour), zone, "high"),
			json.RawMessage(strings.NewReplacer(`"email":"alice@example.com","id":"a1"`, `"id":"`+carolUser+`"`).Replace(string(levelAt("e", now.Add(-time.Second), zone, "medium")))))
		e := onlyEvent(t, poll1(t, connect(t, cfg), nil))
		assert.Equal(t, "carol@example.com", e.Actor)
		assert.Equal(t, "setting-weakened-production", e.Audit.Rule)
		assert.Len(t, e.Audit.Notes, 3)
	})
}
