package fakecloudflare_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// always makes every request to s meet f.
func always(s *fakecloudflare.Server, f *fakecloudflare.Fault) *fakecloudflare.Server {
	s.Fault(func(int, *http.Request) *fakecloudflare.Fault { return f })
	return s
}

// ways runs a test over a socket and in memory, which must look the same.
func ways(t *testing.T, s *fakecloudflare.Server, test func(t *testing.T, client *http.Client, base string)) {
	t.Helper()
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		test(t, &http.Client{Transport: s.Transport()}, "https://api.example.com")
	})
	t.Run("over a socket", func(t *testing.T) {
		t.Parallel()
		ts := httptest.NewServer(s)
		t.Cleanup(ts.Close)
		test(t, ts.Client(), ts.URL)
	})
}

func TestFault_ReplyIsWhatItSays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		fault       *fakecloudflare.Fault
		status      int
		contentType string
		body        string
	}{
		{"status", fakecloudflare.Status(429, 971, "slow down", http.Header{"Retry-After": {"7"}}), 429, "application/json",
			`{"success":false,"errors":[{"code":971,"message":"slow down"}],"messages":[],"result":null}`},
		{"not success", fakecloudflare.NotSuccess(), 200, "application/json",
			`{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}`},
		{"null result", fakecloudflare.NullResult(), 200, "application/json",
			`{"result":null,"success":true,"errors":[],"messages":[]}`},
		{"reply", fakecloudflare.Reply(418, nil, "x"), 418, "application/json", "x"},
		{"page for people", fakecloudflare.HTML(502), 502, "text/html; charset=UTF-8",
			"<!DOCTYPE html>\n<html><head><title>Bad Gateway</title></head>\n<body>cloudflare</body></html>\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := always(five(fakecloudflare.Options{Clock: at(noon)}), tt.fault)
			ways(t, s, func(t *testing.T, client *http.Client, base string) {
				resp, err := client.Do(request(t.Context(), t, base, logs))
				require.NoError(t, err)
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				assert.Equal(t, tt.status, resp.StatusCode)
				assert.Equal(t, tt.body, string(body))
				assert.Equal(t, int64(len(tt.body)), resp.ContentLength)
				assert.Equal(t, tt.contentType, resp.Header.Get("Content-Type"))
				assert.Equal(t, "Tue, 12 May 2026 12:00:00 GMT", resp.Header.Get("Date"))
				if tt.status == 429 {
					assert.Equal(t, "7", resp.Header.Get("Retry-After"))
				}
			})
		})
	}
}

func TestFault_GarbageIsNotJSON(t *testing.T) {
	t.Parallel()
	resp, body := get(t, always(five(fakecloudflare.Options{}), fakecloudflare.Garbage()), logs)
	assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	assert.NotEmpty(t, body)
	assert.False(t, strings.HasSuffix(body, "}"))
}

func TestFault_HeaderComesOnTopOfTheAnswer(t *testing.T) {
	t.Parallel()
	s := always(five(fakecloudflare.Options{}), fakecloudflare.Header(http.Header{"Ratelimit": {`"default";r=50;t=30`}}))
	resp, _ := get(t, s, logs)
	assert.Equal(t, `"default";r=50;t=30`, resp.Header.Get("Ratelimit"))
	assert.Equal(t, "e d c b a", ids(t, s, ""))
}

func TestFault_TruncatedBodyEndsUnexpectedly(t *testing.T) {
	t.Parallel()
	_, whole := get(t, five(fakecloudflare.Options{}), logs)
	for name, n := range map[string]int{"at once": 0, "half-way": 500, "one byte short": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ways(t, always(five(fakecloudflare.Options{}), fakecloudflare.Truncate(n)), func(t *testing.T, client *http.Client, base string) {
				resp, err := client.Do(request(t.Context(), t, base, logs))
				require.NoError(t, err)
				defer resp.Body.Close()
				got, err := io.ReadAll(resp.Body)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				assert.Equal(t, whole[:min(n, len(whole)-1)], string(got))
				assert.Equal(t, int64(len(whole)), resp.ContentLength)
			})
		})
	}
}

func TestFault_ResetGivesNoReply(t *testing.T) {
	t.Parallel()
	s := always(five(fakecloudflare.Options{}), fakecloudflare.Reset())
	ways(t, s, func(t *testing.T, client *http.Client, base string) {
		resp, err := client.Do(request(t.Context(), t, base, logs))
		if err == nil {
			resp.Body.Close()
		}
		require.Error(t, err)
	})
	resp, err := s.Transport().RoundTrip(request(t.Context(), t, "https://api.example.com", logs))
	if err == nil {
		resp.Body.Close()
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
	assert.Zero(t, s.Requests()[0].Status)
}

func TestFault_EndlessBodyNeverEnds(t *testing.T) {
	t.Parallel()
	ways(t, always(five(fakecloudflare.Options{}), fakecloudflare.Endless()), func(t *testing.T, client *http.Client, base string) {
		resp, err := client.Do(request(t.Context(), t, base, logs))
		require.NoError(t, err)
		assert.EqualValues(t, -1, resp.ContentLength)
		got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		require.NoError(t, err)
		assert.Len(t, got, 1<<20)
		assert.True(t, strings.HasPrefix(string(got), `{"result":[{"action"`))
		require.NoError(t, resp.Body.Close())
		_, err = resp.Body.Read(make([]byte, 1))
		require.Error(t, err)
	})
}

func TestFault_RedirectNamesItsTarget(t *testing.T) {
	t.Parallel()
	s := five(fakecloudflare.Options{})
	s.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
		if n == 1 {
			return fakecloudflare.Redirect("https://elsewhere.example.net/login")
		}
		return nil
	})
	client := &http.Client{Transport: s.Transport()}
	resp, err := client.Do(request(t.Context(), t, "https://api.example.com", logs))
	require.NoError(t, err)
	resp.Body.Close()
	seen := s.Requests()
	require.Len(t, seen, 2)
	assert.Equal(t, http.StatusFound, seen[0].Status)
	assert.Equal(t, "elsewhere.example.net", seen[1].Host)
	assert.Empty(t, seen[1].Header.Get("Authorization"))
}

func TestFault_MayBeOfOnesOwnMaking(t *testing.T) {
	t.Parallel()
	s := always(five(fakecloudflare.Options{}), fakecloudflare.Custom(func(_ *http.Request, answer func() *http.Response) (*http.Response, error) {
		resp := answer()
		resp.StatusCode = http.StatusAccepted
		return resp, nil
	}))
	resp, _ := get(t, s, logs)
	assert.Equal(t, http.StatusAccepted, resp.StatusCode)
	assert.Equal(t, 5, s.Requests()[0].Entries)
	s.Fault(nil)
	resp, _ = get(t, s, logs)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestFault_HangAndStallEndWithTheContextOverASocket(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*fakecloudflare.Fault{"hang": fakecloudflare.Hang(), "stall": fakecloudflare.Stall(100)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ts := httptest.NewServer(always(five(fakecloudflare.Options{}), fault))
			t.Cleanup(ts.Close)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			resp, err := ts.Client().Do(request(ctx, t, ts.URL, logs))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

func TestTransport_WorksInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := five(fakecloudflare.Options{})
		client := &http.Client{Transport: s.Transport(), Timeout: time.Minute}
		start := time.Now()
		var fault *fakecloudflare.Fault
		s.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fault })

		// fetch makes a request that is given up after ten seconds.
		fetch := func() (*http.Response, string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			resp, err := client.Do(request(ctx, t, "https://api.example.com", logs))
			if err != nil {
				return nil, "", err
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			return resp, string(b), err
		}

		resp, whole, err := fetch()
		require.NoError(t, err)
		assert.Equal(t, time.Duration(0), time.Since(start), "no fault, no wait")
		assert.Equal(t, start.UTC().Format(http.TimeFormat), resp.Header.Get("Date"))
		assert.Equal(t, "HTTP/1.1 200 OK", resp.Proto+" "+resp.Status)

		fault = fakecloudflare.Delay(3 * time.Second)
		_, body, err := fetch()
		require.NoError(t, err)
		assert.Equal(t, whole, body)
		assert.Equal(t, 3*time.Second, time.Since(start))

		start = time.Now()
		for _, fault = range []*fakecloudflare.Fault{fakecloudflare.Hang(), fakecloudflare.Delay(time.Hour), fakecloudflare.Stall(10)} {
			_, body, err = fetch()
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		assert.Equal(t, whole[:10], body, "what stands before the stall arrives")
		assert.Equal(t, 30*time.Second, time.Since(start))

		start = time.Now()
		r := request(t.Context(), t, "https://api.example.com", logs)
		resp, err = client.Do(r)
		require.NoError(t, err)
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		require.Error(t, err)
		assert.Equal(t, time.Minute, time.Since(start), "the client's own limit holds as well")
	})
}

func TestTransport_ClosingABodyEndsARead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := always(five(fakecloudflare.Options{}), fakecloudflare.Stall(0))
		resp, err := s.Transport().RoundTrip(request(t.Context(), t, "https://api.example.com", logs))
		require.NoError(t, err)
		read := make(chan error)
		go func() {
			_, err := resp.Body.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		require.NoError(t, resp.Body.Close())
		require.Error(t, <-read)
	})
}

func TestTransport_SendsNothingOnceTheContextHasEnded(t *testing.T) {
	t.Parallel()
	s := five(fakecloudflare.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	r := request(ctx, t, "https://api.example.com", logs)
	resp, err := s.Transport().RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Same(t, r, resp.Request)
	cancel()
	_, err = resp.Body.Read(make([]byte, 1))
	require.ErrorIs(t, err, context.Canceled, "a body is read no further")
	again, err := s.Transport().RoundTrip(request(ctx, t, "https://api.example.com", logs))
	if err == nil {
		again.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	assert.Len(t, s.Requests(), 1)
}

func TestSocket_DateMayBeLeftOut(t *testing.T) {
	t.Parallel()
	ts := httptest.NewServer(five(fakecloudflare.Options{NoDate: true}))
	t.Cleanup(ts.Close)
	resp, err := ts.Client().Do(request(t.Context(), t, ts.URL, logs))
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.NotContains(t, resp.Header, "Date")
	assert.False(t, resp.Uncompressed)
}
