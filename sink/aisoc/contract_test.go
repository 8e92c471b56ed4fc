package aisoc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakeaisoc"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

// What the service is known to ask for and to do, fact by fact.

func TestContract_PostsBatchesInTheFormOfTheService(t *testing.T) {
	t.Parallel()
	server := new(fakeaisoc.Server)
	sink, _ := open(t, server)
	sent := events(3)
	require.NoError(t, sink.Write(t.Context(), sent))
	requests := server.Requests()
	require.Len(t, requests, 1)
	r := requests[0]
	assert.Equal(t, http.MethodPost, r.Method)
	assert.Equal(t, "http://127.0.0.1:8081/v1/ingest/batch", r.URL)
	assert.Equal(t, tenant, r.Header.Get("X-Tenant-ID"))
	assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
	assert.Empty(t, r.Header.Get("Authorization"))
	want := `{"connector_id":"cf-main","connector_type":"cloudflare","source_format":"raw_json","events":[`
	for i := range sent {
		if i > 0 {
			want += ","
		}
		want += string(sent[i].AppendJSON(nil))
	}
	assert.Equal(t, want+"]}", string(r.Body))
	once(t, server, sent)
}

func TestContract_ABatchHasAtMost1000Events(t *testing.T) {
	t.Parallel()
	server := new(fakeaisoc.Server)
	sink, _ := open(t, server)
	sent := events(2100)
	require.NoError(t, sink.Write(t.Context(), sent))
	assert.Equal(t, []int{1000, 1000, 100}, sizes(server))
	once(t, server, sent)
	require.NoError(t, sink.Write(t.Context(), nil))
	assert.Len(t, server.Requests(), 3, "nothing is sent of nothing")
}

func TestContract_EveryReplyIsReadForWhatItMeans(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault    fakeaisoc.Fault // of the first request
		requests int
		err      string
	}{
		"200":          {fakeaisoc.Fault{}, 1, ""},
		"400":          {fakeaisoc.Fault{Status: 400, Body: `{"error":"missing tenant ID header"}`}, 1, "HTTP 400: missing tenant ID header; it refuses the batch as a whole: check the tenant, the connector id"},
		"401":          {fakeaisoc.Fault{Status: 401}, 1, "HTTP 401: Unauthorized; check the token"},
		"404":          {fakeaisoc.Fault{Status: 404, Body: "404 page not found"}, 1, "HTTP 404: 404 page not found; check the address"},
		"413":          {fakeaisoc.Fault{Status: 413}, 3, ""},
		"500":          {fakeaisoc.Fault{Status: 500, Body: `{"error":"failed to publish events"}`}, 2, ""},
		"429":          {fakeaisoc.Fault{Status: 429}, 2, ""},
		"502":          {fakeaisoc.Fault{Status: 502}, 2, ""},
		"503":          {fakeaisoc.Fault{Status: 503}, 2, ""},
		"a lost reply": {fakeaisoc.Fault{LoseReply: true}, 2, ""},
		"a reset":      {fakeaisoc.Fault{Reset: true}, 2, ""},
		"a redirect":   {fakeaisoc.Fault{Status: 307, Header: http.Header{"Location": {"https://elsewhere.example/"}}}, 1, "redirects are not followed"},
		"no JSON":      {fakeaisoc.Fault{Status: 200, Body: "<html>sign in</html>"}, 2, ""},
		"other JSON":   {fakeaisoc.Fault{Status: 200, Body: `{"status":"ok"}`}, 2, ""},
		"torn":         {fakeaisoc.Fault{Status: 200, Body: `{"accepted":4,"rejec`}, 2, ""},
		"no account":   {fakeaisoc.Fault{Status: 200, Body: `{"accepted":3,"rejected":0}`}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &fakeaisoc.Server{Fault: func(n int) fakeaisoc.Fault {
					if n == 1 {
						return tt.fault
					}
					return fakeaisoc.Fault{}
				}}
				sink, _ := open(t, server)
				sent := events(4)
				err := sink.Write(t.Context(), sent)
				assert.Len(t, server.Requests(), tt.requests)
				if tt.err != "" {
					require.ErrorContains(t, err, tt.err)
					assert.Empty(t, server.Accepted())
					return
				}
				require.NoError(t, err)
				if !tt.fault.LoseReply {
					once(t, server, sent)
				}
			})
		})
	}
}

func TestContract_APostTakesASecondSoABatchIsOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeaisoc.Server{Latency: time.Second}
		sink, _ := open(t, server)
		began := time.Now()
		require.NoError(t, sink.Write(t.Context(), events(1000)))
		assert.Equal(t, time.Second, time.Since(began))
		assert.Equal(t, aisoc.Stats{Posts: 1, Accepted: 1000}, sink.Stats())
	})
}

func TestContract_AnEventAboveTheLimitOfTheQueueIsCutVisibly(t *testing.T) {
	t.Parallel()
	member := func(name, value string) string { return `"` + name + `":` + value }
	for name, raw := range map[string]string{
		"a long text":          `{"id":"x",` + member("a", `"`+big(1_500_000)+`"`) + `,"b":{"c":1}}`,
		"quotes":               `{"id":"x",` + member("a", `"`+strings.Repeat(`\"`, 500_000)+`"`) + `,"b":{"c":1}}`,
		"markup":               `{"id":"x",` + member("a", `"`+strings.Repeat(`<&>`, 100_000)+`"`) + `,"b":{"c":1}}`,
		"line separators":      `{"id":"x",` + member("a", `"`+strings.Repeat("\u2028", 200_000)+`"`) + `,"b":{"c":1}}`,
		"other letters":        `{"id":"x",` + member("a", `"`+strings.Repeat("語", 500_000)+`"`) + `,"b":{"c":1}}`,
		"escapes":              `{"id":"x",` + member("a", `"`+strings.Repeat(`\u00e9`, 300_000)+`"`) + `,"b":{"c":1}}`,
		"two long texts":       `{"id":"x",` + member("a", `"`+big(700_000)+`"`) + `,"b":{"c":1},` + member("d", `"`+big(700_000)+`"`) + `}`,
		"a text inside":        `{"id":"x","n":{"m":{"o":` + `"` + big(2_000_000) + `"` + `}},"b":{"c":1}}`,
		"a list of objects":    `{"id":"x","rules":[` + strings.Repeat(`{"action":"block","id":"r"},`, 60_000) + `{}],"b":{"c":1}}`,
		"many members":         `{"id":"x","b":{"c":1},` + strings.Repeat(`"k":"vvvvvvvvvv",`, 100_000) + `"z":0}`,
		"one huge name":        `{"id":"x","b":{"c":1},` + member(big(1_100_000), `1`) + `}`,
		"a huge number":        `{"id":"x","b":{"c":1},` + member("n", "0."+strings.Repeat("1", 1_500_000)) + `}`,
		"deep":                 `{"id":"x","b":{"c":1},"d":` + strings.Repeat(`["y",`, 8000) + `"` + big(1_000_000) + `"` + strings.Repeat("]", 8000) + `}`,
		"a list in a list":     `{"id":"x","b":{"c":1},"d":[[["` + big(1_200_000) + `","e"],"f"],"g"]}`,
		"no object":            `"` + big(1_200_000) + `"`,
		"a list":               `[` + strings.Repeat(`"abcdefgh",`, 150_000) + `1]`,
		"a document in a text": `{"id":"x","b":{"c":1},` + member("newValue", `"`+strings.Repeat(`{\"a\":\"b<c\"},`, 60_000)+`"`) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.True(t, json.Valid([]byte(raw)))
			server := new(fakeaisoc.Server)
			sink, _ := open(t, server)
			e := event("x")
			e.RawEvent = ingest.RawJSON(raw)
			e.Audit.Notes = append(make([]string, 0, 4), "an earlier note")
			require.NoError(t, sink.Write(t.Context(), []ingest.Event{e}))
			assert.Equal(t, aisoc.Stats{Posts: 1, Accepted: 1, Truncated: 1}, sink.Stats(), "it is taken at once")

			cut, got := rawOf(t, server)
			assert.True(t, got.RawTruncated)
			notes := got.Audit.Notes
			if name == "deep" {
				assert.Contains(t, notes[1], "stands there as text")
				notes = slices.Delete(notes, 1, 2)
			}
			require.Len(t, notes, 2)
			assert.Equal(t, fmt.Sprintf("raw_event is cut down from %d to %d bytes, because the host takes no more than about 1 MiB", len(raw), len(cut)), notes[1])
			assert.Contains(t, string(cut), "truncated]")
			if raw[0] == '{' {
				var object struct {
					ID string
					B  struct{ C int }
				}
				require.NoError(t, json.Unmarshal(cut, &object))
				assert.Equal(t, "x", object.ID, "what is small stays")
				assert.Equal(t, 1, object.B.C)
			} else {
				assert.Equal(t, raw[0], cut[0])
			}
			switch name {
			case "one huge name", "deep", "no object", "a huge number":
			default:
				assert.Greater(t, len(cut), 140_000, "as much is kept as fits")
			}
			// The event of the caller is as it was.
			assert.Equal(t, raw, string(e.RawEvent))
			assert.Equal(t, []string{"an earlier note"}, e.Audit.Notes)
			assert.Empty(t, e.Audit.Notes[:2][1])
			assert.Empty(t, server.Violations())
		})
	}
}

func TestContract_AnEventBelowTheLimitStaysByteForByte(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`{"a":"` + big(990_000) + `"}`,
		`{"a" : "` + strings.Repeat(`\"`, 245_000) + `", "n":18446744073709551615,"e":1E5 }`,
		`{"a":"` + strings.Repeat(`<`, 140_000) + `"}`,
	} {
		server := new(fakeaisoc.Server)
		sink, _ := open(t, server)
		e := event("x")
		e.RawEvent = ingest.RawJSON(raw)
		require.NoError(t, sink.Write(t.Context(), []ingest.Event{e}))
		got, _ := rawOf(t, server)
		assert.Equal(t, raw, string(got))
		assert.Zero(t, sink.Stats().Truncated)
	}
	// White space is no part of it.
	server := new(fakeaisoc.Server)
	sink, _ := open(t, server)
	e := event("x")
	e.RawEvent = ingest.RawJSON(`{"id": "x",` + strings.Repeat(" ", 1_100_000) + `"b":[1, 2]}`)
	require.NoError(t, sink.Write(t.Context(), []ingest.Event{e}))
	got, sent := rawOf(t, server)
	assert.Equal(t, `{"id":"x","b":[1,2]}`, string(got))
	assert.False(t, sent.RawTruncated)
	assert.Zero(t, sink.Stats().Truncated)
}

func TestContract_NumbersTheServiceCannotReadStandInQuotes(t *testing.T) {
	t.Parallel()
	server := new(fakeaisoc.Server)
	sink, _ := open(t, server)
	sent := events(3)
	sent[1].RawEvent = `{"id":"e1","a":1e999,"b":[-1E+400 ,1e308,12345678901234567890],"c":"1e999","1e999":1e-999}`
	require.NoError(t, sink.Write(t.Context(), sent))
	once(t, server, sent)
	var got ingest.Event
	require.NoError(t, json.Unmarshal(server.Events()[1], &got))
	assert.Equal(t, `{"id":"e1","a":"1e999","b":["-1E+400" ,1e308,12345678901234567890],"c":"1e999","1e999":1e-999}`, string(got.RawEvent))
	assert.Equal(t, []string{"2 numbers in raw_event are too large to be read as numbers and stand in quotes"}, got.Audit.Notes)
	assert.False(t, got.RawTruncated)
}

func TestContract_OneEventThatIsNeverPublishedDoesNotBlockTheFeed(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 3, 50, 1000} {
		for _, at := range []int{0, n / 2, n - 1} {
			t.Run(fmt.Sprint(at, " of ", n), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					id := fmt.Sprintf("e%d", at)
					server := &fakeaisoc.Server{Latency: time.Second, Poison: is(id)}
					sink, dead := open(t, server)
					sent := events(n)
					sent[at].RawEvent = `{"id":1e999}`
					// A Write that had it try the culprit last fails, and is repeated.
					for writes := 1; sink.Write(t.Context(), sent) != nil; writes++ {
						require.Less(t, writes, 20)
					}
					for i := range sent {
						if i != at {
							assert.Positive(t, server.Accepted()[sent[i].ExternalID])
						}
					}
					assert.Zero(t, server.Accepted()[id])
					letters := deadLetters(t, dead)
					require.Len(t, letters, 1)
					assert.Equal(t, sent[at].AppendJSON(nil), letters[0].Event.AppendJSON(nil), "as it was before it was made to fit")
					assert.Contains(t, letters[0].Reason, "HTTP 500: failed to publish events")
					assert.Equal(t, 1, sink.Stats().DeadLettered)
					assert.Zero(t, sink.Stats().Rejected)

					// And it goes on.
					next := []ingest.Event{event("next")}
					require.NoError(t, sink.Write(t.Context(), next))
					assert.Equal(t, 1, server.Accepted()["next"])
				})
			})
		}
	}
}

func TestContract_ALostReplyIsFollowedByTheSameEventsUnderTheSameIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeaisoc.Server{Latency: time.Second, Fault: func(n int) fakeaisoc.Fault {
			return fakeaisoc.Fault{LoseReply: n < 3}
		}}
		sink, _ := open(t, server)
		sent := events(5)
		require.NoError(t, sink.Write(t.Context(), sent))
		requests := server.Requests()
		require.Len(t, requests, 3)
		for _, r := range requests {
			assert.Equal(t, requests[0].Body, r.Body)
			assert.Equal(t, []string{"e0", "e1", "e2", "e3", "e4"}, r.IDs)
		}
		assert.Equal(t, aisoc.Stats{Posts: 3, Retries: 2, Accepted: 5}, sink.Stats())
	})
}

func TestContract_NothingCountsAsDeliveredBeforeItIsAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeaisoc.Server{Fault: func(n int) fakeaisoc.Fault { return fakeaisoc.Fault{Status: 503} }}
		sink, dead := open(t, server)
		err := sink.Write(t.Context(), events(5))
		require.ErrorContains(t, err, "HTTP 503")
		assert.Equal(t, aisoc.Stats{Posts: 4, Retries: 3}, sink.Stats())
		assert.Empty(t, deadLetters(t, dead))
		server.Fault = nil
		require.NoError(t, sink.Write(t.Context(), events(5)))
		once(t, server, events(5))
	})
}
