package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// BenchmarkNormalize is the whole process that turns saved entries into events,
// and beside it one in Python that makes simpler events without grading, see
// testdata/yardstick.py. The CPU time is what the operating system charges the
// process, its start included.
func BenchmarkNormalize(b *testing.B) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	from := now.Add(-24 * time.Hour)
	command := filepath.Join(b.TempDir(), "cfaudit")
	build := exec.Command("go", "build", "-o", command, ".")
	build.Stderr = os.Stderr
	require.NoError(b, build.Run())
	for _, corpus := range []struct {
		name    string
		entries func() []json.RawMessage
	}{
		{"usual", func() []json.RawMessage { return fakecloudflare.Generate(7, 40_000, from, now) }},
		{"v2", func() []json.RawMessage { return fakecloudflare.GenerateV2(7, 20_000, from, now) }},
		{"large", func() []json.RawMessage { return fakecloudflare.GenerateLarge(7, 1_000, from, now) }},
	} {
		var lines []byte
		n := 0
		run := func(name string, args ...string) {
			b.Run("entries="+corpus.name+"/work="+name, func(b *testing.B) {
				if lines == nil {
					for _, e := range corpus.entries() {
						lines = append(append(lines, e...), '\n')
						n++
					}
				}
				path, err := exec.LookPath(args[0])
				if err != nil {
					b.Skip("there is no " + args[0])
				}
				var cpu time.Duration
				for b.Loop() {
					cmd := exec.Command(path, args[1:]...)
					cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
					cmd.Stdin, cmd.Stdout = bytes.NewReader(lines), io.Discard
					require.NoError(b, cmd.Run())
					cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				}
				b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N*n), "cpu-ns/entry")
				b.ReportMetric(0, "ns/op")
			})
		}
		run("cfaudit", command, "normalize", "--drop-routine=false")
		run("python", "python3", filepath.Join("..", "..", "testdata", "yardstick.py"))
	}
}
