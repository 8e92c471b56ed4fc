package main

import (
	"context"
	"html"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// served is a report that is served.
type served struct {
	url  string
	said *lines
	stop func() (code int)
}

var pageAddress = regexp.MustCompile(`the report is at (http://\S+) until`)

// serveReport serves a report until stop is called.
func serveReport(t *testing.T, args ...string) served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := served{said: new(lines)}
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, append([]string{"report", "--serve", "--listen", "127.0.0.1:0"}, args...),
			world{strings.NewReader(""), io.Discard, s.said, func(string) string { return "" }})
	}()
	t.Cleanup(cancel)
	s.stop = func() int {
		cancel()
		select {
		case code := <-ended:
			return code
		case <-time.After(10 * time.Second):
			t.Fatal("the command has not ended")
			return -1
		}
	}
	require.Eventually(t, func() bool { return pageAddress.MatchString(s.said.String()) }, 10*time.Second, 5*time.Millisecond, s.said.String())
	s.url = pageAddress.FindStringSubmatch(s.said.String())[1]
	return s
}

// fetchPage is the page, or what is there instead, for a request that names host.
func (s served) fetchPage(t *testing.T, host string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	require.NoError(t, err)
	req.Host = host
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header, string(b)
}

// totals is what a page says of how many changes and events it has.
var totals = regexp.MustCompile(`\d[\d,]* changes? from \d[\d,]* events?`)

func TestReport_ServedFollowsTheLiveOutputThroughRotation(t *testing.T) {
	t.Parallel()
	a := busy(t, 300)
	live := filepath.Join(t.TempDir(), "events.jsonl")
	s := serveReport(t, "--since", "3d", "--from", live+"*")
	code, header, page := s.fetchPage(t, "")
	require.Equal(t, http.StatusOK, code, page)
	assert.True(t, strings.Contains(page, "Saved events in events.jsonl*") && strings.Contains(page, "no such file is there yet"))
	policy, found := strings.CutSuffix(header.Get("Content-Security-Policy"), "; frame-ancestors 'none'")
	assert.True(t, found)
	assert.Contains(t, policy, "default-src 'none'; style-src 'sha256-")
	assert.True(t, strings.Contains(html.UnescapeString(page), `content="`+policy+`"`), "the page has another policy")
	assert.Equal(t, "60", header.Get("Refresh"))

	all := a.call("export", "--since", "3d").run(t.Context()).out
	rows := strings.SplitAfter(strings.TrimSuffix(all, "\n"), "\n")
	write := func(rows []string) {
		require.NoError(t, os.WriteFile(live, []byte(strings.TrimSuffix(strings.Join(rows, ""), "\n")+"\n"), 0o600))
	}
	// shown is what the page says, which must be what a report on the files says.
	shown := func(files ...string) string {
		t.Helper()
		_, _, page := s.fetchPage(t, "")
		whole := command(t, append([]string{"report", "--since", "3d", "--from"}, files...)...)
		require.Equal(t, exitOK, whole.code, whole.err)
		assert.Equal(t, totals.FindString(whole.out), totals.FindString(page))
		return totals.FindString(page)
	}
	write(rows[:100])
	first := shown(live)
	require.NotEmpty(t, first)
	write(rows[:200])
	second := shown(live)
	assert.NotEqual(t, first, second)
	require.NoError(t, os.Rename(live, live+".1"))
	assert.Equal(t, second, shown(live+".1"))
	write(rows[200:])
	assert.NotEqual(t, second, shown(live, live+".1"))

	code, _, page = s.fetchPage(t, "evil.example.com")
	assert.Equal(t, http.StatusMisdirectedRequest, code)
	assert.Less(t, len(page), 200)
	assert.Equal(t, exitOK, s.stop())
	assert.NotContains(t, s.said.String(), "level=")
}

func TestReport_ServedSaysThatNothingCouldBeReadUntilSomethingCan(t *testing.T) {
	t.Parallel()
	live := filepath.Join(t.TempDir(), "events.jsonl")
	s := serveReport(t, "--since", "3d", "--from", live+"*")
	const nothing = "cfaudit: nothing could be read: no such file is there yet: events.jsonl*\n"
	require.Eventually(t, func() bool { return strings.Contains(s.said.String(), nothing) }, 10*time.Second, 5*time.Millisecond)
	for range 2 {
		_, _, page := s.fetchPage(t, "")
		assert.Contains(t, page, "<strong>Nothing could be read: no such file is there yet: events.jsonl*.</strong>")
		assert.NotContains(t, page, "No change was recorded")
	}
	assert.Equal(t, 1, strings.Count(s.said.String(), "could be read"), "once is enough")

	require.NoError(t, os.WriteFile(live, []byte("no event\nno event\n"), 0o600))
	_, _, page := s.fetchPage(t, "")
	assert.Contains(t, page, "Nothing could be read: 2 lines could not be read as an event")
	assert.Contains(t, s.said.String(), "nothing could be read: 2 lines could not be read as an event; the first is "+live)

	a := busy(t, 30)
	require.NoError(t, os.WriteFile(live, []byte(a.call("export", "--since", "3d").run(t.Context()).out), 0o600))
	_, _, page = s.fetchPage(t, "")
	assert.NotContains(t, page, "Nothing could be read")
	assert.True(t, strings.HasSuffix(s.said.String(), "cfaudit: all of it can be read now\n"), s.said.String())
	assert.Equal(t, exitOK, s.stop())
}

func TestReport_ServedSaysWhatIsWrongFromTheStart(t *testing.T) {
	t.Parallel()
	bad := write(t, "\x1f\x8b\x08\x00broken")
	got := command(t, "report", "--serve", "--listen", "127.0.0.1:0", "--from", bad)
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "the compressed file")
}

func TestReport_ServedRefusesWhatDoesNotGoWithIt(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--serve":                                     "--serve: requires --from",
		"--serve --from a --listen 0.0.0.0:8789":      `--listen: "0.0.0.0:8789": must be an address of this machine alone`,
		"--serve --from a --listen :8789":             `--listen: ":8789": must be an address of this machine alone`,
		"--serve --from a --listen example.com:1":     `--listen: "example.com:1": must be an address of this machine alone`,
		"--serve --from a --listen 127.0.0.1":         `--listen: "127.0.0.1": must be an address of this machine alone`,
		"--serve --from a --listen 127.0.0.1:99999":   `--listen: "127.0.0.1:99999": cannot be listened on`,
		"--serve --from a --out page.html":            `--out: "page.html": cannot be given with --serve`,
		"--serve --from a --force":                    `--force: "true": cannot be given with --serve`,
		"--serve --from a --format text":              `--format: "text": must be html with --serve`,
		"--serve --from -":                            `--from: "-": must be files with --serve`,
		"--serve --from a -":                          `--from: "-": must be files with --serve`,
		"--serve --from a [b":                         `--from: "[b": must be the name of a file, or a pattern`,
		"--from a --listen 127.0.0.1:8789":            `--listen: "127.0.0.1:8789": requires --serve`,
		"--serve --from a --rules b --account-id c d": "--rules: applies only to reading the API",
	} {
		got := command(t, append([]string{"report"}, strings.Fields(args)...)...)
		assert.Equal(t, exitUsage, got.code, args)
		assert.Contains(t, got.err, want, args)
	}
}
