package aisoc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
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

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakeaisoc"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

func failing(status int) func(int) fakeaisoc.Fault {
	return func(int) fakeaisoc.Fault { return fakeaisoc.Fault{Status: status} }
}

func TestWrite_AnOutageDeadLettersNothing(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 4, 1000} {
		for _, warm := range []bool{false, true} {
			t.Run(fmt.Sprint(n, warm), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					server := &fakeaisoc.Server{Latency: time.Second}
					sink, dead := open(t, server)
					if warm {
						require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("earlier")}))
					}
					server.Fault = failing(500)
					began := time.Now()
					for range 3 {
						require.ErrorContains(t, sink.Write(t.Context(), events(n)), "HTTP 500")
					}
					assert.Less(t, time.Since(began), time.Minute, "an outage is soon noticed")
					assert.LessOrEqual(t, sink.Stats().Posts, 3*11+1)
					assert.Empty(t, deadLetters(t, dead))
					assert.Zero(t, sink.Stats().DeadLettered)

					server.Fault = nil
					require.NoError(t, sink.Write(t.Context(), events(n)))
					assert.Empty(t, deadLetters(t, dead))
					assert.Equal(t, 1, server.Accepted()["e0"])
				})
			})
		}
	}
}

func TestWrite_AnOutageThatBeginsWhileTheCulpritIsSoughtDeadLettersNothing(t *testing.T) {
	t.Parallel()
	for after := range 40 {
		synctest.Test(t, func(t *testing.T) {
			server := &fakeaisoc.Server{Poison: is("e3")}
			server.Fault = func(n int) fakeaisoc.Fault {
				if n > after {
					return fakeaisoc.Fault{Status: 500}
				}
				return fakeaisoc.Fault{}
			}
			sink, dead := open(t, server)
			err := sink.Write(t.Context(), events(100))
			for _, d := range deadLetters(t, dead) {
				assert.Equal(t, "e3", d.Event.ExternalID, "after %d requests", after)
				assert.NoError(t, err)
			}
		})
	}
}

func TestWrite_AnOutageThatEndsAtAnyMomentDeadLettersNothing(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 20} {
		for _, warm := range []bool{false, true} {
			for last := range 16 {
				synctest.Test(t, func(t *testing.T) {
					server := &fakeaisoc.Server{Latency: time.Second}
					sink, dead := open(t, server)
					began := 0
					if warm {
						require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("earlier")}))
						began = 1
					}
					server.Fault = func(n int) fakeaisoc.Fault {
						if n > began && n <= began+last {
							return fakeaisoc.Fault{Status: 500}
						}
						return fakeaisoc.Fault{}
					}
					for writes := 1; sink.Write(t.Context(), events(n)) != nil; writes++ {
						require.Less(t, writes, 20)
					}
					assert.Empty(t, deadLetters(t, dead), "%d events, the first %d requests fail", n, last)
					for _, e := range events(n) {
						assert.Positive(t, server.Accepted()[e.ExternalID])
					}
				})
			}
		}
	}
}

func TestWrite_APartOfTheQueueThatIsDownIsAnOutageToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// One partition of six takes nothing.
		server := &fakeaisoc.Server{Poison: func(e map[string]any) bool {
			id := e["external_id"].(string)
			return len(id) == 4 && id[3]%6 == 0
		}}
		sink, dead := open(t, server)
		require.ErrorContains(t, sink.Write(t.Context(), events(1000)), "so many events that they are not the cause")
		assert.Empty(t, deadLetters(t, dead))
		server.Poison = nil
		require.NoError(t, sink.Write(t.Context(), events(1000)))
		assert.Len(t, server.Accepted(), 1000)
	})
}

func TestWrite_SeveralCulpritsAreFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := []string{"e0", "e1", "e500", "e998", "e999"}
		server := &fakeaisoc.Server{Latency: time.Second, Poison: is(bad...)}
		sink, dead := open(t, server)
		for writes := 1; sink.Write(t.Context(), events(1000)) != nil; writes++ {
			require.Less(t, writes, 20)
		}
		var found []string
		for _, d := range deadLetters(t, dead) {
			found = append(found, d.Event.ExternalID)
		}
		assert.ElementsMatch(t, bad, found)
		assert.Len(t, server.Accepted(), 995)
		assert.Positive(t, sink.Stats().Bisections)
	})
}

func TestWrite_OneEventAloneIsBlamedOnlyIfTheServiceAcceptsAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeaisoc.Server{Poison: is("e0")}
		sink, dead := open(t, server)
		require.ErrorContains(t, sink.Write(t.Context(), events(1)), "accepted nothing yet, so it may be at fault")
		assert.Empty(t, deadLetters(t, dead))

		require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("other")}))
		require.NoError(t, sink.Write(t.Context(), events(1)))
		require.Len(t, deadLetters(t, dead), 1)
		assert.Equal(t, map[string]int{"other": 3}, server.Accepted(), "sent again under its id, to see, before and after")
	})
}

// A host that has just started may have nothing but the culprit in hand.
func TestWrite_ARefusedEventArrivesWithoutItsRawEventIfThatIsToBlame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			server := &fakeaisoc.Server{Poison: func(e map[string]any) bool {
				raw, _ := e["raw_event"].(map[string]any)
				return raw["script"] == "poison"
			}}
			sink, dead := open(t, server)
			sent := events(n)
			for i := range sent {
				sent[i].RawEvent = `{"script":"poison"}`
			}
			require.NoError(t, sink.Write(t.Context(), sent))
			letters := deadLetters(t, dead)
			require.Len(t, letters, n)
			for _, d := range letters {
				assert.JSONEq(t, `{"script":"poison"}`, string(d.Event.RawEvent), "whole")
				assert.False(t, d.Event.RawTruncated)
			}
			require.Len(t, server.Accepted(), n)
			assert.Empty(t, server.Violations())
			for _, b := range server.Events() {
				var got ingest.Event
				require.NoError(t, json.Unmarshal(b, &got))
				assert.True(t, got.RawTruncated)
				assert.JSONEq(t, `"… [19 bytes truncated]"`, string(got.RawEvent))
				assert.Equal(t, []string{"raw_event is left out, because the host refuses the event with it"}, got.Audit.Notes)
				assert.Equal(t, "DNS record deleted: "+got.ExternalID, got.Title)
			}
			assert.Equal(t, n, sink.Stats().Accepted)
			assert.Equal(t, n, sink.Stats().Truncated)
			assert.Equal(t, n, sink.Stats().DeadLettered)

			require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("next")}))
			assert.Positive(t, server.Accepted()["next"])
		})
	}
}

func TestWrite_FailuresOfAGatewayAreNotTheFaultOfEvents(t *testing.T) {
	t.Parallel()
	for _, status := range []int{501, 502, 503, 504, 599} {
		synctest.Test(t, func(t *testing.T) {
			server := &fakeaisoc.Server{Fault: failing(status)}
			sink, dead := open(t, server)
			require.ErrorContains(t, sink.Write(t.Context(), events(10)), fmt.Sprint("HTTP ", status))
			assert.Len(t, server.Requests(), 4)
			assert.Zero(t, sink.Stats().Bisections)
			assert.Empty(t, deadLetters(t, dead))
		})
	}
}

func TestWrite_RejectedEventsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := is("e7", "e8", "e90")
		server := &fakeaisoc.Server{Reject: func(e map[string]any) string {
			if bad(e) {
				return "no profile\nfor " + e["external_id"].(string)
			}
			return ""
		}}
		var log strings.Builder
		cfg := config(server)
		cfg.DeadLetter = filepath.Join(t.TempDir(), "dead.jsonl")
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		sink, err := aisoc.New(cfg)
		require.NoError(t, err)
		require.NoError(t, sink.Write(t.Context(), events(100)))
		assert.Len(t, server.Accepted(), 97)
		letters := deadLetters(t, cfg.DeadLetter)
		require.Len(t, letters, 3)
		for i, id := range []string{"e7", "e8", "e90"} {
			assert.Equal(t, id, letters[i].Event.ExternalID)
			assert.Equal(t, "rejected: no profile for "+id, letters[i].Reason)
			assert.Contains(t, log.String(), "external_id="+id)
		}
		assert.Equal(t, 3, sink.Stats().Rejected)
		assert.Equal(t, 3, sink.Stats().DeadLettered)
		assert.Equal(t, 97, sink.Stats().Accepted)
	})
}

func TestWrite_AServiceThatRejectsEverythingIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, warm := range []bool{false, true} {
		for _, n := range []int{1, 3, 1000} {
			server := new(fakeaisoc.Server)
			sink, dead := open(t, server)
			want := "accepted nothing yet"
			if warm {
				require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("earlier")}))
				want = "rejects what it has accepted before"
			}
			server.Reject = func(map[string]any) string { return "unknown connector" }
			err := sink.Write(t.Context(), events(n))
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "unknown connector")
			assert.Empty(t, deadLetters(t, dead))
			assert.LessOrEqual(t, len(server.Requests()), 3)
		}
	}
}

func TestWrite_ReasonsOfAnyKindAreRead(t *testing.T) {
	t.Parallel()
	for errs, want := range map[string]string{
		`["bad","worse"]`:       "rejected: bad",
		`[{"index":0,"e":"x"}]`: `rejected: {"index":0,"e":"x"}`,
		`"all of them"`:         `rejected: "all of them"`,
		`null`:                  "rejected: the service does not say why",
		`[]`:                    "rejected: the service does not say why",
	} {
		server := new(fakeaisoc.Server)
		sink, dead := open(t, server)
		require.NoError(t, sink.Write(t.Context(), []ingest.Event{event("earlier")}))
		server.Fault = func(n int) fakeaisoc.Fault {
			if n == 2 {
				return fakeaisoc.Fault{Status: 200, Body: `{"accepted":0,"rejected":1,"errors":` + errs + `}`}
			}
			return fakeaisoc.Fault{}
		}
		require.NoError(t, sink.Write(t.Context(), events(1)))
		letters := deadLetters(t, dead)
		require.Len(t, letters, 1)
		assert.Equal(t, want, letters[0].Reason)
	}
}

func TestWrite_WithoutADeadLetterFileNothingIsDropped(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]*fakeaisoc.Server{
		"500":      {Poison: is("e3")},
		"rejected": {Reject: func(e map[string]any) string { return map[bool]string{true: "no"}[e["external_id"] == "e3"] }},
		"413": {Fault: func(int) fakeaisoc.Fault {
			return fakeaisoc.Fault{Status: 413}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sink, err := aisoc.New(config(server))
				require.NoError(t, err)
				for range 2 {
					err = sink.Write(t.Context(), events(10))
					require.ErrorContains(t, err, "name a dead-letter file to go on without")
				}
				assert.Zero(t, sink.Stats().DeadLettered)
			})
		})
	}
}

func TestWrite_ABatchThatIsTooLargeIsHalved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeaisoc.Server{MaxEvents: 300}
		sink, dead := open(t, server)
		var most int
		require.NoError(t, sink.Write(t.Context(), events(1000)))
		for _, r := range server.Requests() {
			if r.Status == 200 {
				most = max(most, len(r.IDs))
			}
		}
		assert.Equal(t, 250, most)
		once(t, server, events(1000))
		assert.Equal(t, 3, sink.Stats().Bisections)
		assert.Zero(t, sink.Stats().Retries)
		assert.Empty(t, deadLetters(t, dead))
	})
}

func TestWrite_LargeEventsAreSpreadOverSeveralPosts(t *testing.T) {
	t.Parallel()
	server := new(fakeaisoc.Server)
	sink, _ := open(t, server)
	sent := events(20)
	for i := range sent {
		sent[i].RawEvent = ingest.RawJSON(`"` + big(900_000) + `"`)
	}
	require.NoError(t, sink.Write(t.Context(), sent))
	for _, r := range server.Requests() {
		assert.LessOrEqual(t, len(r.Body), 9<<20)
	}
	assert.Len(t, server.Requests(), 3)
	once(t, server, sent)
}

func TestWrite_WaitsAsLongAsTheServiceAsks(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"7":  7 * time.Second,
		"0":  0,
		"-5": 0,
		"x":  0,
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &fakeaisoc.Server{Fault: func(n int) fakeaisoc.Fault {
				if n == 1 {
					return fakeaisoc.Fault{Status: 429, Header: http.Header{"Retry-After": {header}}}
				}
				return fakeaisoc.Fault{}
			}}
			sink, _ := open(t, server)
			began := time.Now()
			require.NoError(t, sink.Write(t.Context(), events(1)))
			pause := time.Since(began)
			assert.GreaterOrEqual(t, pause, max(want, 500*time.Millisecond), header)
			assert.LessOrEqual(t, pause, max(want, 500*time.Millisecond)+400*time.Millisecond, header)
		})
	}
	for header, want := range map[string]time.Duration{
		"120":       2 * time.Minute,
		"999999999": time.Hour,
		"in 90 s":   90 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			if header == "in 90 s" {
				header = time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
			}
			server := &fakeaisoc.Server{Fault: func(int) fakeaisoc.Fault {
				return fakeaisoc.Fault{Status: 503, Header: http.Header{"Retry-After": {header}}}
			}}
			sink, _ := open(t, server)
			err := sink.Write(t.Context(), events(1))
			var asks ingest.RetryAfterer
			require.ErrorAs(t, err, &asks)
			assert.Equal(t, want, asks.RetryAfter())
			assert.Contains(t, err.Error(), "it asks to wait "+want.String())
			assert.Len(t, server.Requests(), 1, "the host waits, not the sink")
		})
	}
}

func TestWrite_BacksOffMoreAndMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeaisoc.Server{Fault: failing(503)}
		sink, _ := open(t, server)
		require.Error(t, sink.Write(t.Context(), events(1)))
		requests := server.Requests()
		require.Len(t, requests, 4)
		for i, least := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second} {
			pause := requests[i+1].At.Sub(requests[i].At)
			assert.GreaterOrEqual(t, pause, least)
			assert.Less(t, pause, least*3/2)
		}
	})
}

func TestWrite_EndsPromptlyWithItsContext(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]*fakeaisoc.Server{
		"waiting for a reply": {Latency: time.Hour},
		"between attempts":    {Fault: failing(503)},
		"seeking":             {Latency: time.Second, Poison: is("e7")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cause := errors.New("the grace is over")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(300*time.Millisecond, func() { cancel(cause) })
				sink, dead := open(t, server)
				began := time.Now()
				err := sink.Write(ctx, events(100))
				require.Error(t, err)
				assert.Equal(t, 300*time.Millisecond, time.Since(began))
				assert.Empty(t, deadLetters(t, dead))

				posts := sink.Stats().Posts
				require.ErrorIs(t, sink.Write(ctx, events(1)), cause)
				assert.Equal(t, posts, sink.Stats().Posts)
			})
		})
	}
}

func TestWrite_GivesUpOnAReplyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeaisoc.Server{Fault: func(n int) fakeaisoc.Fault {
			if n == 1 {
				return fakeaisoc.Fault{Delay: time.Hour}
			}
			return fakeaisoc.Fault{}
		}}
		sink, _ := open(t, server)
		began := time.Now()
		require.NoError(t, sink.Write(t.Context(), events(3)))
		assert.InDelta(t, 45.5, time.Since(began).Seconds(), 0.3)
		once(t, server, events(3))
	})
}

func TestWrite_ReadsNoMoreOfAReplyThanItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, status := range []int{200, 400} {
			server := &fakeaisoc.Server{Fault: func(int) fakeaisoc.Fault {
				return fakeaisoc.Fault{Status: status, Body: strings.Repeat(`{"a":`, 3<<20)}
			}}
			sink, _ := open(t, server)
			err := sink.Write(t.Context(), events(1))
			require.Error(t, err)
			assert.Less(t, len(err.Error()), 600)
		}
	})
}

func TestWrite_TheTokenGoesToTheServiceAndNowhereElse(t *testing.T) {
	t.Parallel()
	const token = "gateway-0123456789abcdef"
	for _, status := range []int{0, 200, 400, 401, 500, 503} {
		// Also where the text is cut off.
		echo := `{"error":"bad token ` + token + strings.Repeat(" x", 72) + token + `"}`
		synctest.Test(t, func(t *testing.T) {
			server := &fakeaisoc.Server{Token: token, Fault: func(int) fakeaisoc.Fault {
				return fakeaisoc.Fault{Status: status, Body: echo}
			}}
			var log strings.Builder
			cfg := config(server)
			cfg.Token, cfg.URL = secret(token), "https://aisoc.example.com/gateway/"
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			sink, err := aisoc.New(cfg)
			require.NoError(t, err)
			err = sink.Write(t.Context(), events(2))
			if status == 0 {
				require.NoError(t, err)
				once(t, server, events(2))
			} else {
				require.Error(t, err)
				assert.NotContains(t, err.Error()+log.String(), token[:12])
			}
			assert.Equal(t, "https://aisoc.example.com/gateway/v1/ingest/batch", server.Requests()[0].URL)
			assert.Equal(t, "Bearer "+token, server.Requests()[0].Header.Get("Authorization"))
		})
	}
}

func TestWrite_FollowsNoRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		service := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/v1/ingest/batch", status))
		cfg := config(nil)
		cfg.URL, cfg.Token, cfg.HTTPClient = service.URL, secret("t"), service.Client()
		sink, err := aisoc.New(cfg)
		require.NoError(t, err)
		assert.ErrorContains(t, sink.Write(t.Context(), events(1)), "redirects are not followed", status)
		service.Close()
	}
}

func TestWrite_OverASocket(t *testing.T) {
	t.Parallel()
	server := &fakeaisoc.Server{Fault: func(n int) fakeaisoc.Fault { return fakeaisoc.Fault{LoseReply: n == 1} }}
	service := httptest.NewServer(server)
	defer service.Close()
	cfg := config(nil)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	cfg.URL, cfg.HTTPClient = service.URL, &http.Client{Transport: transport}
	sink, err := aisoc.New(cfg)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			assert.NoError(t, sink.Write(t.Context(), []ingest.Event{event(fmt.Sprint(i))}))
		})
	}
	wg.Wait()
	assert.Len(t, server.Accepted(), 4)
	assert.Equal(t, aisoc.Stats{Posts: 5, Retries: 1, Accepted: 4}, sink.Stats())

	service.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err = sink.Write(ctx, events(1))
	require.ErrorContains(t, err, "no reply from the service: ")
	assert.NotContains(t, err.Error(), "Post \"")
}

func TestDeadLetter_SurvivesTornLinesAndFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeaisoc.Server{Poison: is("e0", "e5")}
		sink, dead := open(t, server)
		if runtime.GOOS != "windows" {
			info, err := os.Stat(dead)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode())
		}
		require.NoError(t, os.WriteFile(dead, []byte(`{"time":"2026-`), 0o600))
		for sink.Write(t.Context(), events(4)) != nil {
		}
		b, err := os.ReadFile(dead)
		require.NoError(t, err)
		lines := strings.Split(string(b), "\n")
		require.Len(t, lines, 3)
		assert.Equal(t, `{"time":"2026-`, lines[0])
		assert.Contains(t, lines[1], `"external_id":"e0"`)

		// What cannot be kept is not handled.
		require.NoError(t, os.Remove(dead))
		require.NoError(t, os.Mkdir(dead, 0o700))
		for range 5 {
			require.Error(t, sink.Write(t.Context(), events(10)[5:]))
		}
		assert.Equal(t, 1, sink.Stats().DeadLettered)
		require.NoError(t, os.Remove(dead))
		for sink.Write(t.Context(), events(10)[5:]) != nil {
		}
		assert.Len(t, deadLetters(t, dead), 1)
	})
}

func TestNew_NamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := aisoc.New(aisoc.Config{})
	for _, field := range []string{"URL", "TenantID", "ConnectorID", "ConnectorType"} {
		assert.ErrorContains(t, err, field+": is required")
	}
	for url, want := range map[string]string{
		"https://aisoc.example.com":                   "",
		"https://aisoc.example.com/gateway/":          "",
		"http://127.0.0.1:8081":                       "",
		"http://[::1]:8081":                           "",
		"http://localhost:8081/":                      "",
		"http://ingest-worker:8080":                   `URL: "http://ingest-worker:8080": would send the events unencrypted`,
		"http://10.0.0.1":                             "would send the events unencrypted",
		"https://user:hunter2@aisoc.example.com":      "must not hold credentials",
		"https://aisoc.example.com?x=1":               "must not have a query",
		"https://aisoc.example.com#":                  "must not have a query",
		"https://aisoc.example.com/v1/ingest/batch":   "must end before /v1/ingest/batch",
		"ftp://aisoc.example.com":                     "must be an https URL",
		"aisoc.example.com":                           "must be an https URL",
		"https:aisoc":                                 "must be an https URL",
		"https://a b":                                 "must be an https URL",
		"https://user:hunter2@aisoc.example.com/%zz/": "must be an https URL",
	} {
		cfg := config(nil)
		cfg.URL = url
		_, err := aisoc.New(cfg)
		if want == "" {
			assert.NoError(t, err, url)
			continue
		}
		require.ErrorContains(t, err, want, url)
		assert.NotContains(t, err.Error(), "hunter2")
		var fault *aisoc.FieldError
		require.ErrorAs(t, err, &fault)
		assert.Equal(t, "URL", fault.Field)
	}
	for field, change := range map[string]func(*aisoc.Config){
		"TenantID":      func(c *aisoc.Config) { c.TenantID = "acme" },
		"ConnectorID":   func(c *aisoc.Config) { c.ConnectorID = "a\nb" },
		"ConnectorType": func(c *aisoc.Config) { c.ConnectorType = " " },
		"Token":         func(c *aisoc.Config) { c.Token = secret("a b") },
		"Timeout":       func(c *aisoc.Config) { c.Timeout = -1 },
	} {
		cfg := config(nil)
		change(&cfg)
		_, err := aisoc.New(cfg)
		assert.ErrorContains(t, err, field+": ", field)
	}
	cfg := config(nil)
	cfg.DeadLetter = filepath.Join(t.TempDir(), "missing", "dead.jsonl")
	_, err = aisoc.New(cfg)
	assert.ErrorContains(t, err, cfg.DeadLetter)
}

func TestNew_PlainHTTPIsAllowedWithoutATokenOnly(t *testing.T) {
	t.Parallel()
	cfg := config(nil)
	cfg.URL, cfg.PlainHTTP = "http://ingest-worker:8080", true
	_, err := aisoc.New(cfg)
	require.NoError(t, err)
	cfg.Token = secret("t")
	_, err = aisoc.New(cfg)
	require.ErrorContains(t, err, "would send the token unencrypted")
	cfg.URL = "http://127.0.0.1:8081"
	_, err = aisoc.New(cfg)
	assert.NoError(t, err)
}
