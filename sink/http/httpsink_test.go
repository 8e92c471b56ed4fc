package httpsink_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventschema"
	"github.com/aisoc/cloudflareaudit/internal/fakehttp"
	httpsink "github.com/aisoc/cloudflareaudit/sink/http"
)

func TestMain(m *testing.M) {
	// The tests wait for retries more than they work.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// secret is the value of a header.
type secret string

func (s secret) Reveal() string { return string(s) }

var kinds = []fakehttp.Kind{fakehttp.Lines, fakehttp.Array, fakehttp.Elastic, fakehttp.Splunk, fakehttp.Loki}

func config(server *fakehttp.Server) httpsink.Config {
	return httpsink.Config{
		URL: "http://127.0.0.1:9000" + server.Kind.Path(), Body: httpsink.Body(server.Kind), Format: "jsonl",
		HTTPClient: &http.Client{Transport: server},
	}
}

// open makes a sink with a dead-letter file.
func open(t *testing.T, server *fakehttp.Server, change ...func(*httpsink.Config)) (sink *httpsink.Sink, deadLetter string) {
	t.Helper()
	cfg := config(server)
	cfg.DeadLetter = filepath.Join(t.TempDir(), "dead.jsonl")
	for _, f := range change {
		f(&cfg)
	}
	sink, err := httpsink.New(cfg)
	require.NoError(t, err)
	return sink, cfg.DeadLetter
}

func event(id string) ingest.Event {
	return ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: id, Title: "DNS record deleted: " + id, Severity: ingest.Medium,
		Action: "dns.record.delete", Actor: "alice@example.com", SrcIP: "192.0.2.10",
		CreatedAt: time.Date(2026, 5, 12, 9, 0, 0, 123_000_000, time.UTC),
		// Line breaks between tokens would tear a line.
		RawEvent: ingest.RawJSON("{\"id\":\n\r\"" + id + "\"}"),
		Audit:    ingest.Audit{Rule: "dns-record-deleted", API: "v1", CorrelationID: ingest.CorrelationID{1}},
	}
}

// events returns n events with the ids e0, e1 and so on.
func events(n int) []ingest.Event {
	list := make([]ingest.Event, n)
	for i := range list {
		list[i] = event(fmt.Sprintf("e%d", i))
	}
	return list
}

// rejecting says why the events with the ids are rejected.
func rejecting(ids ...string) func(map[string]any) string {
	return func(e map[string]any) string {
		if id, _ := e["external_id"].(string); slices.Contains(ids, id) {
			return "cannot take " + id
		}
		return ""
	}
}

type deadLetter struct {
	Time   time.Time
	Reason string
	Event  ingest.Event
}

func deadLetters(t *testing.T, name string) (all []deadLetter) {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		var d deadLetter
		require.NoError(t, json.Unmarshal([]byte(line), &d))
		require.NotZero(t, d.Time)
		all = append(all, d)
	}
	return all
}

// all asserts that the server has each of the events, except for those with the
// ids, and each at most as often as most says.
func all(t *testing.T, server *fakehttp.Server, sent []ingest.Event, most int, except ...string) {
	t.Helper()
	accepted := server.Accepted()
	for _, e := range sent {
		n := accepted[e.ExternalID]
		if slices.Contains(except, e.ExternalID) {
			assert.Zero(t, n, e.ExternalID)
			continue
		}
		assert.Positive(t, n, "%s is lost", e.ExternalID)
		assert.LessOrEqual(t, n, most, e.ExternalID)
	}
}

func TestWrite_EachFormIsWhatTheServiceAsksFor(t *testing.T) {
	t.Parallel()
	line := func(e ingest.Event) string {
		return strings.NewReplacer("\n", " ", "\r", " ").Replace(string(e.AppendJSON(nil)))
	}
	one, two := line(event("e0")), line(event("e1"))
	quoted := func(s string) string {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		require.NoError(t, enc.Encode(s))
		return strings.TrimSpace(b.String())
	}
	const splunk = `{"time":1778576400.123,"host":"cloudflare","source":"cfaudit","sourcetype":"cloudflare:audit","event":`
	want := map[fakehttp.Kind][2]string{
		fakehttp.Lines:   {"application/x-ndjson", one + "\n" + two + "\n"},
		fakehttp.Array:   {"application/json", "[" + one + "," + two + "]"},
		fakehttp.Elastic: {"application/x-ndjson", `{"create":{"_id":"e0"}}` + "\n" + one + "\n" + `{"create":{"_id":"e1"}}` + "\n" + two + "\n"},
		fakehttp.Splunk:  {"application/json", splunk + one + "}\n" + splunk + two + "}\n"},
		fakehttp.Loki: {"application/json", `{"streams":[{"stream":{"service_name":"cfaudit","source":"cloudflare","severity":"medium"},"values":[["1778576400123000000",` +
			quoted(one) + `],["1778576400123000000",` + quoted(two) + `]]}]}`},
	}
	for _, kind := range kinds {
		for _, plain := range []bool{false, true} {
			server := &fakehttp.Server{Kind: kind, Header: "Authorization", HeaderValue: "Splunk 0123-4567"}
			sink, _ := open(t, server, func(c *httpsink.Config) {
				c.Headers = []httpsink.Header{{Name: "authorization", Value: secret("Splunk 0123-4567")}}
				c.NoGzip = plain
			})
			require.NoError(t, sink.Write(t.Context(), events(2)), kind)
			requests := server.Requests()
			require.Len(t, requests, 1)
			assert.Equal(t, want[kind][1], string(requests[0].Body), kind)
			assert.Equal(t, want[kind][0], requests[0].Header.Get("Content-Type"))
			assert.Equal(t, map[bool]string{false: "gzip"}[plain], requests[0].Header.Get("Content-Encoding"))
			assert.Equal(t, plain, requests[0].Size == len(requests[0].Body))
			assert.Equal(t, httpsink.Stats{Posts: 1, Accepted: 2}, sink.Stats())
			for _, e := range server.Events() {
				assert.NoError(t, eventschema.Check(e))
			}
		}
	}
}

func TestWrite_LokiHasAStreamForEachSeverity(t *testing.T) {
	t.Parallel()
	server := &fakehttp.Server{Kind: fakehttp.Loki}
	sink, _ := open(t, server)
	sent := events(4)
	sent[1].Severity, sent[3].Severity = ingest.High, ingest.High
	require.NoError(t, sink.Write(t.Context(), sent))
	assert.Equal(t, []string{"e1", "e3", "e0", "e2"}, server.Requests()[0].IDs)
	assert.Equal(t, 2, strings.Count(string(server.Requests()[0].Body), `{"stream":`))
}

// The newest of a backlog are read first, and Loki refuses what is an hour older than
// the newest of its stream.
func TestWrite_LokiGetsTheOldestOfAStreamFirst(t *testing.T) {
	t.Parallel()
	server := &fakehttp.Server{Kind: fakehttp.Loki}
	sink, _ := open(t, server)
	sent := events(4)
	for i := range sent {
		sent[i].CreatedAt = sent[i].CreatedAt.Add(-time.Duration(i) * time.Hour)
	}
	sent[1].CreatedAt = sent[2].CreatedAt
	require.NoError(t, sink.Write(t.Context(), sent))
	assert.Equal(t, []string{"e3", "e1", "e2", "e0"}, server.Requests()[0].IDs)
	for i, want := range []string{"e0", "e1", "e2", "e3"} {
		assert.Equal(t, want, sent[i].ExternalID, "what the caller has passed is sorted")
	}
}

func TestWrite_AnEventWithoutATimeHasNoneInSplunk(t *testing.T) {
	t.Parallel()
	server := &fakehttp.Server{Kind: fakehttp.Splunk}
	sink, _ := open(t, server)
	sent := events(1)
	sent[0].CreatedAt = time.Time{}
	require.NoError(t, sink.Write(t.Context(), sent))
	assert.True(t, strings.HasPrefix(string(server.Requests()[0].Body), `{"host":`))
}

func TestWrite_EveryFailureOfTheServiceIsReadForWhatItMeans(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for name, tt := range map[string]struct {
			fault    fakehttp.Fault // of the first request
			requests int
			err      string
			action   bool
		}{
			"400":          {fakehttp.Fault{Status: 400}, 5, "", false}, // the other events prove that it works
			"401":          {fakehttp.Fault{Status: 401}, 1, "HTTP 401: Unauthorized; check the headers and what they allow", true},
			"403":          {fakehttp.Fault{Status: 403, Body: `{"message":"no"}`}, 1, "HTTP 403: no; check the headers", true},
			"404":          {fakehttp.Fault{Status: 404}, 1, "HTTP 404: Not Found; check the address", true},
			"405":          {fakehttp.Fault{Status: 405}, 1, "check the address", true},
			"406":          {fakehttp.Fault{Status: 406}, 1, "check the address, the form of the body", true},
			"408":          {fakehttp.Fault{Status: 408}, 2, "", false},
			"413":          {fakehttp.Fault{Status: 413}, 3, "", false},
			"429":          {fakehttp.Fault{Status: 429}, 2, "", false},
			"500":          {fakehttp.Fault{Status: 500}, 2, "", false},
			"502":          {fakehttp.Fault{Status: 502, Body: "<html>bad gateway"}, 2, "", false},
			"503":          {fakehttp.Fault{Status: 503, Body: `{"text":"Server is busy","code":9}`}, 2, "", false},
			"a redirect":   {fakehttp.Fault{Status: 302, Header: http.Header{"Location": {"https://elsewhere.example/"}}}, 1, "redirects are not followed", true},
			"a reset":      {fakehttp.Fault{Reset: true}, 2, "", false},
			"a lost reply": {fakehttp.Fault{LoseReply: true}, 2, "", false},
			"a page":       {fakehttp.Fault{Status: 200, Body: "\n<!DOCTYPE html><title>Sign in</title>"}, 2, "", false},
			"no reply":     {fakehttp.Fault{Delay: time.Hour}, 2, "", false},
		} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					server := &fakehttp.Server{Kind: kind, Fault: func(n int) fakehttp.Fault {
						if n == 1 {
							return tt.fault
						}
						return fakehttp.Fault{}
					}}
					sink, dead := open(t, server)
					err := sink.Write(t.Context(), events(4))
					assert.Empty(t, deadLetters(t, dead))
					if name == "400" {
						// A probe, which is accepted, and the rest at once.
						tt.requests = 3
					}
					assert.Len(t, server.Requests(), tt.requests)
					if tt.err != "" {
						require.ErrorContains(t, err, tt.err)
						assert.Equal(t, tt.action, ingest.NeedsAction(err))
						assert.Empty(t, server.Accepted())
						return
					}
					require.NoError(t, err)
					most := 1
					if tt.fault.LoseReply && kind != fakehttp.Elastic {
						most = 2
					}
					all(t, server, events(4), most)
				})
			})
		}
	}
}

func TestWrite_AnOutageDeadLettersNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, status := range []int{400, 422, 500, 503} {
			for _, n := range []int{1, 3, 50} {
				for _, warm := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) {
						server := &fakehttp.Server{Kind: kind}
						sink, dead := open(t, server)
						if warm {
							require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("earlier")}))
						}
						server.SetFault(func(int) fakehttp.Fault { return fakehttp.Fault{Status: status} })
						for range 3 {
							require.ErrorContains(t, sink.Write(t.Context(), events(n)), fmt.Sprint("HTTP ", status))
						}
						assert.LessOrEqual(t, sink.Stats().Posts, 3*11+1)
						assert.Empty(t, deadLetters(t, dead))
						server.SetFault(nil)
						require.NoError(t, sink.Write(t.Context(), events(n)))
						all(t, server, events(n), 1)
					})
				}
			}
		}
	}
}

func TestWrite_AnEventThatIsNeverTakenDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, n := range []int{1, 2, 3, 40, 1000} {
			for _, at := range []int{0, n / 2, n - 1} {
				t.Run(fmt.Sprint(kind, " ", at, " of ", n), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						id := fmt.Sprintf("e%d", at)
						server := &fakehttp.Server{Kind: kind, Reject: rejecting(id)}
						sink, dead := open(t, server)
						require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("earlier")}))
						for writes := 1; sink.Write(t.Context(), events(n)) != nil; writes++ {
							require.Less(t, writes, 20)
						}
						letters := deadLetters(t, dead)
						require.Len(t, letters, 1)
						assert.Equal(t, id, letters[0].Event.ExternalID)
						assert.Contains(t, letters[0].Reason, "cannot take "+id)
						assert.Equal(t, 1, sink.Stats().DeadLettered)
						for _, e := range events(n) {
							if e.ExternalID != id {
								assert.Positive(t, server.Accepted()[e.ExternalID], "%s is lost", e.ExternalID)
							}
						}
						require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("next")}))
					})
				})
			}
		}
	}
}

// Elasticsearch says of each document what became of it, so that nothing has to
// be sought, and what is there already is not indexed again.
func TestElastic_TheReplyNamesTheEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakehttp.Server{Kind: fakehttp.Elastic, Reject: rejecting("e3", "e500", "e501"),
			Busy: func(n int, e map[string]any) bool {
				id, _ := e["external_id"].(string)
				return n == 1 && strings.HasSuffix(id, "7") || n == 2 && id == "e17"
			}}
		sink, dead := open(t, server)
		began := time.Now()
		require.NoError(t, sink.Write(t.Context(), events(1000)))
		requests := server.Requests()
		require.Len(t, requests, 3)
		assert.Len(t, requests[1].IDs, 100, "only the busy ones are sent again")
		assert.Equal(t, []string{"e17"}, requests[2].IDs)
		assert.GreaterOrEqual(t, time.Since(began), time.Second, "not at once")
		all(t, server, events(1000), 1, "e3", "e500", "e501")
		letters := deadLetters(t, dead)
		require.Len(t, letters, 3)
		assert.Equal(t, "rejected: document_parsing_exception: cannot take e3", letters[0].Reason)
		assert.Equal(t, httpsink.Stats{Posts: 3, Accepted: 997, Rejected: 3, DeadLettered: 3}, sink.Stats())

		// The host that was killed before it could save its cursor.
		require.NoError(t, sink.Write(t.Context(), events(1000)[4:500]))
		all(t, server, events(500), 1, "e3")
	})
}

func TestElastic_ABusyClusterIsWaitedForAndThenTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakehttp.Server{Kind: fakehttp.Elastic, Busy: func(int, map[string]any) bool { return true }}
		sink, dead := open(t, server)
		err := sink.Write(t.Context(), events(10))
		require.ErrorContains(t, err, "HTTP 503: it takes no event at the moment: es_rejected_execution_exception: rejected")
		assert.False(t, ingest.NeedsAction(err))
		assert.Len(t, server.Requests(), 4)
		assert.Empty(t, deadLetters(t, dead))
	})
}

func TestElastic_WhatIsWrongWithTheIndexIsNoFaultOfEvents(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403, 404} {
		server := &fakehttp.Server{Kind: fakehttp.Elastic, Fault: func(int) fakehttp.Fault {
			return fakehttp.Fault{Status: 200, Body: fmt.Sprintf(`{"errors":true,"items":[{"create":{"_id":"e0","status":201}},`+
				`{"create":{"_id":"e1","status":%d,"error":{"type":"index_error","reason":"no such index"}}}]}`, status)}
		}}
		sink, dead := open(t, server)
		err := sink.Write(t.Context(), events(2))
		require.ErrorContains(t, err, fmt.Sprintf("HTTP %d: index_error: no such index; check the", status))
		assert.True(t, ingest.NeedsAction(err))
		assert.Empty(t, deadLetters(t, dead))
	}
}

func TestElastic_AMappingThatRefusesEverythingIsNotBelieved(t *testing.T) {
	t.Parallel()
	server := &fakehttp.Server{Kind: fakehttp.Elastic}
	sink, dead := open(t, server)
	require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("earlier")}))
	server.Reject = func(map[string]any) string { return "mapping set to strict" }
	require.ErrorContains(t, sink.Write(t.Context(), events(20)), "rejects what it has accepted before: document_parsing_exception: mapping set to strict")
	assert.Empty(t, deadLetters(t, dead))
}

func TestElastic_AReplyMustBeAboutEachEvent(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"errors":false}`:                     "the reply is not one to _bulk",
		`{"items":[]}`:                         "the reply is not one to _bulk",
		`{"items":[{"create":{}}]}`:            "no status of event 0",
		`{"items":[{"index":{"status":201}}]}`: "no status of event 0",
		`{"items":[{"create":{"stat`:           "the reply is not one to _bulk",
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &fakehttp.Server{Kind: fakehttp.Elastic, Fault: func(int) fakehttp.Fault { return fakehttp.Fault{Status: 200, Body: body} }}
			sink, _ := open(t, server)
			require.ErrorContains(t, sink.Write(t.Context(), events(1)), want, body)
		})
	}
}

func TestElastic_ADataStreamGetsItsTimestampByDefault(t *testing.T) {
	t.Parallel()
	server := &fakehttp.Server{Kind: fakehttp.Elastic, DataStream: true}
	sink, dead := open(t, server, func(c *httpsink.Config) { c.Format = "" })
	require.NoError(t, sink.Write(t.Context(), events(3)))
	assert.Empty(t, deadLetters(t, dead))
	all(t, server, events(3), 1)
	assert.Contains(t, string(server.Events()[0]), `{"@timestamp":"2026-05-12T09:00:00.123000Z"`)
}

func TestWrite_LargeEventsAreCutInEveryFormat(t *testing.T) {
	t.Parallel()
	for _, format := range []httpsink.Format{"jsonl", "ecs", "ocsf"} {
		server := &fakehttp.Server{Kind: fakehttp.Lines}
		sink, _ := open(t, server, func(c *httpsink.Config) { c.Format = format })
		sent := events(1)
		sent[0].RawEvent = ingest.RawJSON(`{"script":"` + strings.Repeat(`\"`, 700_000) + `"}`)
		require.NoError(t, sink.Write(t.Context(), sent))
		assert.LessOrEqual(t, len(server.Events()[0]), 1_000_000, format)
		assert.Equal(t, 1, sink.Stats().Truncated)
	}
}

func TestElastic_ALongIDIsADigest(t *testing.T) {
	t.Parallel()
	server := &fakehttp.Server{Kind: fakehttp.Elastic}
	sink, _ := open(t, server)
	long := []ingest.Event{event(strings.Repeat("a", 600)), event(strings.Repeat("a", 599) + "b")}
	require.NoError(t, sink.Write(t.Context(), long))
	all(t, server, long, 1)
}

func TestSplunk_TheReplyNamesTheEventAndTheOthersAreSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakehttp.Server{Kind: fakehttp.Splunk, Reject: rejecting("e30", "e60")}
		sink, dead := open(t, server)
		require.NoError(t, sink.Write(t.Context(), events(100)))
		assert.Len(t, server.Requests(), 3)
		all(t, server, events(100), 3, "e30", "e60")
		require.Len(t, deadLetters(t, dead), 2)
		assert.Equal(t, "rejected: cannot take e30", deadLetters(t, dead)[0].Reason)
	})
}

func TestSplunk_ThatAlmostNothingIsTakenIsNoFaultOfTheEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakehttp.Server{Kind: fakehttp.Splunk}
		sink, dead := open(t, server)
		require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("earlier")}))
		server.Reject = func(map[string]any) string { return "Invalid data format" }
		require.ErrorContains(t, sink.Write(t.Context(), events(100)), "so many events that they are not the cause: Invalid data format")
		assert.LessOrEqual(t, len(server.Requests()), 12)
		assert.Empty(t, deadLetters(t, dead))
	})
}

func TestSplunk_CodesAreTold(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"text":"Incorrect index","code":7,"invalid-event-number":0}`:      "HTTP 400: Incorrect index; check the address",
		`{"text":"Data channel is missing","code":10}`:                      "HTTP 400: Data channel is missing",
		`{"text":"Invalid data format","code":6,"invalid-event-number":77}`: "HTTP 400: Invalid data format",
	} {
		server := &fakehttp.Server{Kind: fakehttp.Splunk, Fault: func(int) fakehttp.Fault { return fakehttp.Fault{Status: 400, Body: body} }}
		sink, dead := open(t, server)
		err := sink.Write(t.Context(), events(10))
		require.ErrorContains(t, err, want)
		assert.True(t, ingest.NeedsAction(err))
		assert.Empty(t, deadLetters(t, dead))
	}
}

func TestWrite_WithoutADeadLetterFileNothingIsDropped(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		server := &fakehttp.Server{Kind: kind, Reject: rejecting("e3")}
		cfg := config(server)
		sink, err := httpsink.New(cfg)
		require.NoError(t, err)
		for range 2 {
			require.ErrorContains(t, sink.Write(t.Context(), events(10)), "name a dead-letter file to go on without", kind)
		}
	}
}

func TestWrite_LargeEventsAreCutAndLargeBatchesSplit(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		server := &fakehttp.Server{Kind: kind, MaxBytes: 2_200_000}
		sink, dead := open(t, server)
		sent := events(6)
		sent[2].RawEvent = ingest.RawJSON(`{"id":"e2","script":"` + strings.Repeat(`\"x`, 700_000) + `"}`)
		for i := 3; i < 6; i++ {
			sent[i].RawEvent = ingest.RawJSON(`{"script":"` + strings.Repeat("y", 400_000) + `"}`)
		}
		require.NoError(t, sink.Write(t.Context(), sent))
		all(t, server, sent, 1)
		assert.Empty(t, deadLetters(t, dead))
		assert.Equal(t, 1, sink.Stats().Truncated, kind)
		assert.GreaterOrEqual(t, len(server.Requests()), 3)
		for _, b := range server.Events() {
			var e ingest.Event
			require.NoError(t, json.Unmarshal(b, &e))
			assert.LessOrEqual(t, len(b), 1_000_000)
			assert.Equal(t, e.ExternalID == "e2", e.RawTruncated)
		}
	}
}

func TestWrite_WaitsAsLongAsTheServiceAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakehttp.Server{Kind: fakehttp.Lines, Fault: func(n int) fakehttp.Fault {
			if n == 1 {
				return fakehttp.Fault{Status: 429, Header: http.Header{"Retry-After": {"7"}}}
			}
			return fakehttp.Fault{}
		}}
		sink, _ := open(t, server)
		began := time.Now()
		require.NoError(t, sink.Write(t.Context(), events(1)))
		assert.GreaterOrEqual(t, time.Since(began), 7*time.Second)

		server.SetFault(func(int) fakehttp.Fault {
			return fakehttp.Fault{Status: 503, Header: http.Header{"Retry-After": {"120"}}}
		})
		err := sink.Write(t.Context(), events(1))
		var asks ingest.RetryAfterer
		require.ErrorAs(t, err, &asks)
		assert.Equal(t, 2*time.Minute, asks.RetryAfter())
	})
}

func TestWrite_EndsPromptlyWithItsContext(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]*fakehttp.Server{
		"waiting for a reply": {Kind: fakehttp.Lines, Latency: time.Hour},
		"between attempts":    {Kind: fakehttp.Lines, Fault: func(int) fakehttp.Fault { return fakehttp.Fault{Status: 503} }},
		"busy": {Kind: fakehttp.Elastic, Busy: func(_ int, e map[string]any) bool {
			return e["external_id"] != "e0"
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			sink, dead := open(t, server)
			began := time.Now()
			require.Error(t, sink.Write(ctx, events(100)), name)
			assert.Equal(t, 300*time.Millisecond, time.Since(began), name)
			assert.Empty(t, deadLetters(t, dead))
		})
	}
}

func TestWrite_TheHeadersGoToTheServiceAndNowhereElse(t *testing.T) {
	t.Parallel()
	const token = `0123456789ab"cdef`
	for _, status := range []int{200, 400, 401, 503} {
		synctest.Test(t, func(t *testing.T) {
			echo, err := json.Marshal(map[string]string{"error": "bad token " + token + strings.Repeat(" x", 72) + " ApiKey " + token})
			require.NoError(t, err)
			body := string(echo)
			if status == 200 {
				body = "<html>" + body
			}
			server := &fakehttp.Server{Kind: fakehttp.Lines, Fault: func(int) fakehttp.Fault { return fakehttp.Fault{Status: status, Body: body} }}
			var log strings.Builder
			headers := []httpsink.Header{{Name: "Authorization", Value: secret("ApiKey " + token)}, {Name: "X-Extra", Value: secret("one")}, {Name: "X-Extra", Value: secret("two")}}
			sink, _ := open(t, server, func(c *httpsink.Config) {
				c.Headers, c.Logger = headers, slog.New(slog.NewTextHandler(&log, nil))
			})
			err = sink.Write(t.Context(), events(2))
			require.Error(t, err)
			assert.NotContains(t, err.Error()+log.String(), "0123456789")
			sent := server.Requests()[0].Header
			assert.Equal(t, "ApiKey "+token, sent.Get("Authorization"))
			assert.Equal(t, []string{"one", "two"}, sent.Values("X-Extra"))
		})
	}
}

// Proxies and services show pages that repeat the request, encoded in any way.
func TestWrite_NoEchoOfASecretIsRepeated(t *testing.T) {
	t.Parallel()
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	const token, user, password, key = "sink-0pen5esame-0pen5esame", "collector", "0pen5esame/pass%word", "0pen5esame-key"
	for name, said := range map[string]string{
		"a header in base64":       encoded("POST /events HTTP/1.1\r\nAuthorization: Bearer " + token + "\r\n"),
		"a header, escaped":        "Bearer " + strings.ReplaceAll(token, "0", "%30"),
		"the token in base64":      encoded(token),
		"the user and password":    user + ":" + password,
		"the password":             "wrong password " + password,
		"the password, in a query": url.QueryEscape(password),
		"the key of the address":   "/events?key=" + key,
		"the address in base64":    encoded("/events?key=" + key),
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &fakehttp.Server{Kind: fakehttp.Lines, Fault: func(int) fakehttp.Fault { return fakehttp.Fault{Status: 401, Body: said} }}
			var log strings.Builder
			sink, _ := open(t, server, func(c *httpsink.Config) {
				c.URL += "?key=" + key
				c.Headers = []httpsink.Header{{Name: "Authorization", Value: secret("Bearer " + token)}, {Name: "X-Basic", Value: secret("Basic " + encoded(user+":"+password))}}
				c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			})
			err := sink.Write(t.Context(), events(2))
			require.ErrorContains(t, err, "[redacted]", name)
			for word := range strings.FieldsFuncSeq(err.Error()+" "+log.String(), func(r rune) bool { return unicode.IsSpace(r) || r == '[' || r == ']' }) {
				assert.NotContains(t, word, "pen5", name)
				for cut := range min(4, len(word)) {
					plain, _ := base64.StdEncoding.DecodeString(word[cut : cut+(len(word)-cut)/4*4])
					assert.NotContains(t, string(plain), "pen5", name)
				}
			}
		})
	}
}

func TestWrite_AHeaderReplacesWhatTheSinkWouldSend(t *testing.T) {
	t.Parallel()
	server := &fakehttp.Server{Kind: fakehttp.Lines}
	sink, _ := open(t, server, func(c *httpsink.Config) {
		c.Headers = []httpsink.Header{{Name: "content-type", Value: secret("text/plain")}}
	})
	require.NoError(t, sink.Write(t.Context(), events(1)))
	assert.Equal(t, []string{"text/plain"}, server.Requests()[0].Header.Values("Content-Type"))
}

func TestWrite_FollowsNoRedirectOverASocket(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		service := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		sink, err := httpsink.New(httpsink.Config{URL: service.URL, HTTPClient: service.Client()})
		require.NoError(t, err)
		assert.ErrorContains(t, sink.Write(t.Context(), events(1)), "redirects are not followed", status)
		service.Close()
	}
}

func TestNew_NamesEveryFault(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                       "URL: is required",
		"https://siem.example.com/in?key=value":  "",
		"http://127.0.0.1:9000/":                 "",
		"http://[::1]:9000":                      "",
		"http://localhost:9000":                  "",
		"http://siem.example.com/?key=hunter2":   `URL: "http://siem.example.com/": would send the events unencrypted`,
		"https://user:hunter2@siem.example.com":  "must not hold credentials",
		"https://siem.example.com/#x":            "must not have a fragment",
		"https://siem.example.com/#":             "must not have a fragment",
		"ftp://siem.example.com":                 "must be an https URL",
		"siem.example.com":                       "must be an https URL",
		"https:siem":                             "must be an https URL",
		"https://siem.example.com/%zz?k=hunter2": "must be an https URL",
	} {
		_, err := httpsink.New(httpsink.Config{URL: url})
		if want == "" {
			assert.NoError(t, err, url)
			continue
		}
		require.ErrorContains(t, err, want, url)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	for want, change := range map[string]func(*httpsink.Config){
		`Body: "xml": must be lines, array, elastic, splunk or loki`: func(c *httpsink.Config) { c.Body = "xml" },
		`Format: "xml": must be jsonl, ecs or ocsf`:                  func(c *httpsink.Config) { c.Format = "xml" },
		"Timeout: \"-1ns\": must not be negative":                    func(c *httpsink.Config) { c.Timeout = -1 },
		"Headers[0]: must have a name": func(c *httpsink.Config) {
			c.Headers = []httpsink.Header{{Name: "hunter2 x", Value: secret("hunter2")}}
		},
		"Headers[0]: must have a value":          func(c *httpsink.Config) { c.Headers = []httpsink.Header{{Name: "A"}} },
		"Headers[0]: must be another header":     func(c *httpsink.Config) { c.Headers = []httpsink.Header{{Name: "content-length", Value: secret("1")}} },
		"Headers[0]: must not have control char": func(c *httpsink.Config) { c.Headers = []httpsink.Header{{Name: "A", Value: secret("hunter2\r\nB: c")}} },
		"would send the headers unencrypted": func(c *httpsink.Config) {
			c.URL, c.PlainHTTP, c.Headers = "http://siem.example.com", true, []httpsink.Header{{Name: "A", Value: secret("hunter2")}}
		},
	} {
		cfg := httpsink.Config{URL: "https://siem.example.com"}
		change(&cfg)
		_, err := httpsink.New(cfg)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	_, err := httpsink.New(httpsink.Config{URL: "http://siem.example.com", PlainHTTP: true})
	require.NoError(t, err)
	_, err = httpsink.New(httpsink.Config{URL: "https://siem.example.com", DeadLetter: filepath.Join(t.TempDir(), "missing", "dead.jsonl")})
	assert.ErrorContains(t, err, "httpsink: cannot write the dead-letter file")
}
