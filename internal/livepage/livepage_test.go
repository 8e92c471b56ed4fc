package livepage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// made is a page that shows the content of its files, and counts how often it was
// built.
type made struct {
	*Page
	builds int
	// before is called at the beginning of each build.
	before func()
}

func newMade(patterns ...string) *made {
	m := &made{before: func() {}}
	m.Page = &Page{Patterns: patterns, MaxAge: time.Hour, Refresh: time.Minute, Policy: "default-src 'none'"}
	m.Build = func(names []string) ([]byte, error) {
		m.builds++
		m.before()
		text := []byte{}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("cannot read: %w", err)
			}
			text = append(text, b...)
		}
		return text, nil
	}
	return m
}

func (m *made) shown(t *testing.T) string {
	t.Helper()
	text, err := m.Text()
	require.NoError(t, err)
	return string(text)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

func TestPage_IsBuiltAnewOnlyWhenAFileHasChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "b.jsonl")
	m := newMade(filepath.Join(dir, "*.jsonl"), one)
	assert.Empty(t, m.shown(t))
	assert.Empty(t, m.shown(t))
	assert.Equal(t, 1, m.builds, "no files are a page too")

	write(t, one, "1")
	assert.Equal(t, "1", m.shown(t), "each file once, though two patterns match it")
	assert.Equal(t, "1", m.shown(t))
	assert.Equal(t, 2, m.builds)

	write(t, one, "12")
	assert.Equal(t, "12", m.shown(t), "its size has changed")
	at := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(one, at, at))
	assert.Equal(t, "12", m.shown(t))
	assert.Equal(t, 4, m.builds, "its time has changed")

	write(t, two, "3")
	assert.Equal(t, "123", m.shown(t), "a file has come")
	require.NoError(t, os.Remove(one))
	assert.Equal(t, "3", m.shown(t), "a file has gone")
	assert.Equal(t, 6, m.builds)

	m.MaxAge = 0
	assert.Equal(t, "3", m.shown(t))
	assert.Equal(t, 7, m.builds, "it is too old")
}

func TestPage_AFileThatIsRotatedWhileItIsReadIsReadUnderItsNewName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	live := filepath.Join(dir, "events.jsonl")
	write(t, live, "old ")
	m := newMade(live + "*")
	for name, next := range map[string]func(){
		"a new one is there": func() { write(t, live, "new ") },
		"no new one yet":     func() {},
	} {
		rotate := func() {
			require.NoError(t, os.Rename(live, live+".1"))
			next()
			m.before = func() {}
		}
		m.before = rotate
		assert.Contains(t, m.shown(t), "old ", name)
		require.NoError(t, os.Rename(live+".1", live))
		m.text = nil
	}
}

func TestPage_FilesThatNeverStayAreAnError(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "events.jsonl")
	m := newMade(name)
	write(t, name, "1")
	m.Build = func([]string) ([]byte, error) {
		m.builds++
		return nil, fmt.Errorf("gone: %w", fs.ErrNotExist)
	}
	_, err := m.Text()
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, 1+again, m.builds)
}

func TestPage_AFaultDoesNotStay(t *testing.T) {
	t.Parallel()
	m := newMade(filepath.Join(t.TempDir(), "events.jsonl"))
	build := m.Build
	m.Build = func([]string) ([]byte, error) { return nil, errors.New("disk on fire") }
	server := httptest.NewServer(m)
	defer server.Close()
	code, text, header := get(t, http.MethodGet, server.URL, "")
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Contains(t, text, "disk on fire")
	assert.Equal(t, "60", header.Get("Refresh"), "the browser asks again")
	m.Build = build
	code, _, _ = get(t, http.MethodGet, server.URL, "")
	assert.Equal(t, http.StatusOK, code)
}

func get(t *testing.T, method, url, host string) (code int, text string, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b), resp.Header
}

func TestPage_AnswersItsOwnAddressAlone(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "events.jsonl")
	write(t, name, "<p>secret")
	m := newMade(name)
	server := httptest.NewServer(m)
	defer server.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	for host, want := range map[string]int{
		"127.0.0.1:" + port:              http.StatusOK,
		"localhost:" + port:              http.StatusOK,
		"[::1]:" + port:                  http.StatusOK,
		"127.0.0.1":                      http.StatusMisdirectedRequest,
		"127.0.0.1:1":                    http.StatusMisdirectedRequest,
		"localhost":                      http.StatusMisdirectedRequest,
		"evil.example.com:" + port:       http.StatusMisdirectedRequest,
		"127.0.0.1.example.com:" + port:  http.StatusMisdirectedRequest,
		"localhost.example.com:" + port:  http.StatusMisdirectedRequest,
		"evil.example.com@127.0.0.1":     http.StatusMisdirectedRequest,
		"192.0.2.1:" + port:              http.StatusMisdirectedRequest,
		"0.0.0.0:" + port:                http.StatusMisdirectedRequest,
		"[2001:db8::1]:" + port:          http.StatusMisdirectedRequest,
		"127.0.0.1:" + port + ".example": http.StatusMisdirectedRequest,
	} {
		code, text, _ := get(t, http.MethodGet, server.URL, host)
		if code == http.StatusBadRequest {
			code = http.StatusMisdirectedRequest // net/http has refused it already
		}
		assert.Equal(t, want, code, host)
		assert.Equal(t, want == http.StatusOK, strings.Contains(text, "secret"), host)
	}
}

func TestPage_IsReadOnly(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "events.jsonl")
	write(t, name, "<p>hello")
	m := newMade(name)
	server := httptest.NewServer(m)
	defer server.Close()
	code, text, header := get(t, http.MethodGet, server.URL, "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "<p>hello", text)
	for field, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		"Refresh": "60", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer",
	} {
		assert.Equal(t, want, header.Get(field), field)
	}
	code, text, header = get(t, http.MethodHead, server.URL, "")
	assert.Equal(t, http.StatusOK, code)
	assert.Empty(t, text)
	assert.Equal(t, "8", header.Get("Content-Length"))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		code, text, header = get(t, method, server.URL, "")
		assert.Equal(t, http.StatusMethodNotAllowed, code, method)
		assert.Equal(t, "GET, HEAD", header.Get("Allow"))
		assert.NotContains(t, text, "hello")
	}
	code, _, _ = get(t, http.MethodGet, server.URL+"/favicon.ico", "")
	assert.Equal(t, http.StatusNotFound, code)
}

// A server gives each reply some seconds; building a page may take longer.
func TestPage_TakesLongerToBuildThanAReplyMayTake(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "events.jsonl")
	write(t, name, strings.Repeat("x", 1<<20))
	m := newMade(name)
	m.before = func() { time.Sleep(300 * time.Millisecond) }
	server := httptest.NewUnstartedServer(m)
	server.Config.WriteTimeout = 100 * time.Millisecond
	server.Start()
	defer server.Close()
	code, text, _ := get(t, http.MethodGet, server.URL, "")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, text, 1<<20)
}

func TestCheckPatterns(t *testing.T) {
	t.Parallel()
	assert.NoError(t, CheckPatterns([]string{"events.jsonl*", "a/[0-9]?.gz", ""}))
	assert.ErrorContains(t, CheckPatterns([]string{"a", "[a"}), `"[a": must be`)
}
