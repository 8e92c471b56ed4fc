package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakehttp"
)

const httpToken = "Bearer 0123456789abcdef0123456789abcdef01234567"

// serveHTTP serves an imitation that asks for a token, and returns the flags that
// lead to it.
func serveHTTP(t *testing.T, s *fakehttp.Server) (args []string) {
	s.Header, s.HeaderValue = "Authorization", httpToken
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	headers := write(t, "# for the SIEM\n\nAuthorization: "+httpToken+"\n")
	return []string{"--http", listener.URL + s.Kind.Path(), "--http-body", string(s.Kind), "--http-headers", headers}
}

func TestHTTP_EveryEntryArrivesWhateverTheServiceDoes(t *testing.T) {
	t.Parallel()
	for _, kind := range []fakehttp.Kind{fakehttp.Lines, fakehttp.Array, fakehttp.Elastic, fakehttp.Splunk, fakehttp.Loki} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			entries := recent(600)
			a := newAccount(t, entries...)
			poison := idsOf(t, entries)[130]
			server := &fakehttp.Server{
				Kind:    kind,
				Latency: 5 * time.Millisecond,
				Reject: func(e map[string]any) string {
					if e["external_id"] == poison {
						return "cannot take it"
					}
					return ""
				},
				Fault: func(n int) fakehttp.Fault {
					switch n {
					case 1:
						return fakehttp.Fault{Status: 429, Header: http.Header{"Retry-After": {"1"}}}
					case 2:
						return fakehttp.Fault{Status: 503, Body: "<html>gateway</html>"}
					case 3:
						return fakehttp.Fault{LoseReply: true}
					case 5:
						return fakehttp.Fault{Reset: true}
					}
					return fakehttp.Fault{}
				},
			}
			state := t.TempDir()
			args := append([]string{"poll", "--state", state, "--drop-routine=false", "--page-size", "1000", "--max-events", "100", "--rate-limit", "1200"}, serveHTTP(t, server)...)
			if kind == fakehttp.Elastic {
				args = append(args, "--format", "jsonl")
			}
			poll := a.call(args...)
			got := poll.run(t.Context())
			for range 10 {
				// The search for the culprit can be unlucky once, and is repeated.
				if got.code == exitOK {
					break
				}
				got = poll.run(t.Context())
			}
			require.Equal(t, exitOK, got.code, got.err)
			assert.Empty(t, got.out)
			var took []string
			for id := range server.Accepted() {
				if !isBurst(id) {
					took = append(took, id)
				}
			}
			// One that is refused may arrive without its raw entry, never whole.
			assert.ElementsMatch(t, without(idsOf(t, entries), poison), without(took, poison))
			assert.Equal(t, []string{poison}, deadLetters(t, deadLetterFile(state)))
			assert.Regexp(t, `; HTTP: \d+ accepted.*, 1 dead-lettered in `+state, got.err)
			assert.NotContains(t, got.err, httpToken[8:])
			if kind == fakehttp.Elastic {
				for id, n := range server.Accepted() {
					assert.Equal(t, 1, n, "%s is there twice", id)
				}
			}
			requests := len(server.Requests())
			again := poll.run(t.Context())
			require.Equal(t, exitOK, again.code, again.err)
			assert.Len(t, server.Requests(), requests, "nothing comes again")
		})
	}
}

func TestHTTP_AServiceThatIsDownMovesNoCursor(t *testing.T) {
	t.Parallel()
	entries := recent(50)
	a := newAccount(t, entries...)
	server := &fakehttp.Server{Kind: fakehttp.Lines, Fault: func(int) fakehttp.Fault { return fakehttp.Fault{Status: 401} }}
	state := t.TempDir()
	poll := a.call(append([]string{"poll", "--state", state, "--drop-routine=false"}, serveHTTP(t, server)...)...)
	got := poll.run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Equal(t, "cfaudit: cannot deliver to --http: the service answered HTTP 401: Unauthorized; check the headers and what they allow\n", got.err)
	assert.NoFileExists(t, cursorFile(state))
	server.SetFault(nil)
	got = poll.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Len(t, server.Accepted(), 50)
}

func TestHTTP_KilledAtAnyMomentLosesNothing(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	const kills, batch = 8, 100
	entries := recent(1500)
	a := newAccount(t, entries...)
	server := &fakehttp.Server{Kind: fakehttp.Lines, Latency: 15 * time.Millisecond}
	poll := a.call(append([]string{"poll", "--state", t.TempDir(), "--drop-routine=false", "--rate-limit", "1200",
		"--page-size", "100", "--max-events", fmt.Sprint(batch)}, serveHTTP(t, server)...)...)
	for range kills {
		requests := len(a.Requests())
		cmd := poll.start(t, nil)
		require.Eventually(t, func() bool { return len(a.Requests()) > requests }, 10*time.Second, time.Millisecond)
		time.Sleep(time.Duration(rand.Int64N(int64(200 * time.Millisecond))))
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed, or had ended
	}
	got := poll.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	repeated := 0
	var took []string
	for id, n := range server.Accepted() {
		repeated += n - 1
		if !isBurst(id) {
			took = append(took, id)
		}
	}
	assert.ElementsMatch(t, idsOf(t, entries), took)
	assert.LessOrEqual(t, repeated, kills*batch, "at most one batch is repeated for each kill")
}

func TestHTTP_RunTellsOfItsDeliveries(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(30)...)
	server := &fakehttp.Server{Kind: fakehttp.Array}
	address, stop := a.call(append([]string{"run", "--state", t.TempDir(), "--drop-routine=false", "--http-gzip=false", "--listen", "127.0.0.1:0"},
		serveHTTP(t, server)...)...).background(t)
	require.Eventually(t, func() bool { return len(server.Accepted()) == 30 }, 30*time.Second, 20*time.Millisecond)
	var metrics string
	require.Eventually(t, func() bool {
		metrics = textAt(t, address+"/metrics")
		return strings.Contains(metrics, "\ncfaudit_http_accepted_total 30\n")
	}, 10*time.Second, 20*time.Millisecond, metrics)
	assert.NotContains(t, metrics, "cfaudit_aisoc_")
	assert.Contains(t, textAt(t, address+"/healthz"), `"http": {`)
	assert.Empty(t, server.Requests()[0].Header.Get("Content-Encoding"))
	code, _ := stop()
	assert.Equal(t, exitOK, code)
}

func textAt(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(b)
}

func TestHTTP_WrongFlagsAreExitCode2(t *testing.T) {
	t.Parallel()
	const good = " --http https://siem.example.com/in"
	headers := func(text string) string { return good + " --http-headers " + write(t, text) }
	exposed := write(t, "Authorization: hunter2hunter2\n")
	require.NoError(t, os.Chmod(exposed, 0o644))
	for line, want := range map[string]string{
		"--http-body array":                      `--http-body: "array": requires --http`,
		"--http-headers x":                       `--http-headers: "x": requires --http`,
		"--http-gzip=false":                      `--http-gzip: "false": requires --http`,
		"--http-plain":                           `--http-plain: "true": requires --http`,
		good + " --out x":                        `--out: "x": cannot be given with --http`,
		good + " --aisoc https://a.example.com":  `--aisoc: "https://a.example.com": cannot be given with --http`,
		good + " --http-body xml":                `--http-body: "xml": must be lines, array, elastic, splunk or loki`,
		good + " --dead-letter=":                 "--dead-letter: must be the name of a file",
		good + " --format table":                 `--format: "table": is for standard output alone`,
		"--http=":                                "--http: is required",
		"--http http://siem.example.com":         "would send the events unencrypted; plain http is for loopback addresses, unless --http-plain allows it",
		headers("") + " ":                        "--http-headers: the file holds no header",
		headers("# none\n"):                      "--http-headers: the file holds no header",
		headers("A: b\nhunter2hunter2\n"):        "--http-headers: line 2: must be a name, a colon and a value",
		headers("hunter2 hunter2: x\n"):          "--http-headers: line 1: must have a name of letters",
		headers("Authorization:\n"):              "--http-headers: line 1: must have a value",
		headers("Host: hunter2\n"):               "--http-headers: line 1: must be another header than Host",
		good + " --http-headers /does/not/exist": "--http-headers: cannot read the file: no such file",
		good + " --http-headers " + exposed:      "other users of this machine can read or change the file, whose mode is 0644",
		" --http http://x.example.com --http-plain --http-headers " + write(t, "A: b\n"): "would send --http-headers unencrypted; use https, or no --http-headers",
	} {
		if runtime.GOOS == "windows" && strings.Contains(want, "0644") {
			continue
		}
		got := command(t, slices.Concat([]string{"poll", "--state", filepath.Join(t.TempDir(), "s"), "--account-id", fakecloudflare.DefaultAccountID}, strings.Fields(line))...)
		assert.Equal(t, exitUsage, got.code, line)
		assert.Contains(t, got.err, want, line)
		assert.NotContains(t, got.err, "hunter2", line)
	}
}
