package cloudflareaudit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// BenchmarkHTTP is [BenchmarkPage] from the socket on: the usual page comes by
// HTTP, compressed, from another process, so that the CPU time is that of the
// client alone.
//
//	work=fetch     only reads the page and uncompresses it
//	work=connector is a poll: requests, decodes, grades; then encodes the events
//	work=struct    encoding/json with types for an entry and an event
//	work=sdk       the types of Cloudflare's SDK, and encoding/json for events
func BenchmarkHTTP(b *testing.B) {
	base := startPageServer(b, usualPage())
	transport := http.DefaultTransport.(*http.Transport).Clone()
	b.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}

	var body bytes.Buffer
	fetch := func(b *testing.B) {
		resp, err := client.Get(base)
		require.NoError(b, err)
		defer resp.Body.Close()
		body.Reset()
		_, err = body.ReadFrom(resp.Body)
		require.NoError(b, err)
	}
	b.Run("work=fetch", func(b *testing.B) {
		perEntry(b, benchEntries, func() { fetch(b) })
	})
	b.Run("work=connector", func(b *testing.B) {
		keep := false
		c := connectTuned(b, Config{
			AccountID: fakecloudflare.DefaultAccountID, APIToken: NewSecret(fakecloudflare.DefaultToken), BaseURL: base,
			HTTPClient: client, Clock: func() time.Time { return benchNow },
			// All of the page is within the overlap, so that one request gets it.
			Overlap: 2 * time.Hour, PageSize: benchEntries, DropRoutine: &keep,
		}, unlimited)
		var line []byte
		perEntry(b, benchEntries, func() {
			batch, err := c.Poll(b.Context(), nil)
			if err != nil || len(batch.Events) != benchEntries || batch.Coverage.Requests != 1 {
				b.Fatal(len(batch.Events), batch.Coverage.Requests, err)
			}
			for i := range batch.Events {
				line = batch.Events[i].AppendJSON(line[:0])
			}
		})
	})
	for _, y := range yardsticks {
		b.Run("work="+y.name, func(b *testing.B) {
			perEntry(b, benchEntries, func() {
				fetch(b)
				if n, err := y.lines(body.Bytes()); err != nil || n != benchEntries {
					b.Fatal(n, err)
				}
			})
		})
	}
}

// pageServerRole makes a process of the test binary a server of one page.
const pageServerRole = "CLOUDFLAREAUDIT_TEST_PAGE_SERVER"

// startPageServer starts a server of body in a process of its own and returns
// its address.
func startPageServer(b *testing.B, body []byte) (base string) {
	b.Helper()
	exe, err := os.Executable()
	require.NoError(b, err)
	cmd := exec.Command(exe, "-test.run=^TestPageServer$")
	cmd.Env = append(os.Environ(), pageServerRole+"=1")
	cmd.Stdin = bytes.NewReader(body)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line)
}

// TestPageServer is not a test but the process that startPageServer starts. It
// answers each request with what it read from standard input.
func TestPageServer(t *testing.T) {
	if os.Getenv(pageServerRole) == "" {
		t.Skip("this is the server of a benchmark")
	}
	body, err := io.ReadAll(os.Stdin)
	require.NoError(t, err)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write(body)
	require.NoError(t, w.Close())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	fmt.Printf("http://%s\n", l.Addr())
	t.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := body
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			reply = zipped.Bytes()
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Date", benchNow.Format(http.TimeFormat))
		_, _ = w.Write(reply)
	})))
}
