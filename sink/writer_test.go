package sink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/sink"
)

var (
	_ ingest.Sink = (*sink.Writer)(nil)
	_ ingest.Sink = (*sink.File)(nil)
)

// flaky is an io.Writer that counts its calls. It takes all bytes of a call
// that has no entry in takes, and fails with err after so many if it has one.
type flaky struct {
	bytes.Buffer
	calls int
	takes map[int]int
	err   error
}

func (f *flaky) Write(p []byte) (int, error) {
	f.calls++
	if n, ok := f.takes[f.calls]; ok && n < len(p) {
		f.Buffer.Write(p[:n])
		return n, f.err
	}
	return f.Buffer.Write(p)
}

func TestWriter_WritesABatchAsWholeLinesInOneCall(t *testing.T) {
	t.Parallel()
	var out flaky
	w := sink.NewWriter(&out)
	require.NoError(t, w.Write(t.Context(), events("1", "2", "3")))
	require.NoError(t, w.Write(t.Context(), events("4")))
	assert.Equal(t, line("1")+line("2")+line("3")+line("4"), out.String())
	assert.Equal(t, 2, out.calls)
}

func TestWriter_WritesNothingForNoEvents(t *testing.T) {
	t.Parallel()
	var out flaky
	require.NoError(t, sink.NewWriter(&out).Write(t.Context(), nil))
	assert.Zero(t, out.calls)
}

func TestWriter_WritesNothingOnceTheContextHasEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out flaky
	assert.ErrorIs(t, sink.NewWriter(&out).Write(ctx, events("1")), context.Canceled)
	assert.Zero(t, out.calls)
}

func TestWriter_CopiesRawEntriesByteForByte(t *testing.T) {
	t.Parallel()
	raw := ingest.RawJSON("{ \"b\" : 1.0e+2,\t\"a\":12345678901234567890, \"h\":\"<&\\u003c\\/\", \"x\":\"\xff\" }")
	var out bytes.Buffer
	e := event("1")
	e.RawEvent = raw
	require.NoError(t, sink.NewWriter(&out).Write(t.Context(), []ingest.Event{e}))
	assert.Contains(t, out.String(), `"raw_event":`+string(raw)+`,`)
}

func TestWriter_KeepsARawEntryWithLineBreaksOnOneLine(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"indented":   "{\n  \"a\": 1,\r\n  \"b\": [\n1,\n2\r]\n}\n",
		"only break": "\n\n\n",
		"in a text":  "{\"a\":\"x\ny\"}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			e := event("1")
			e.RawEvent = ingest.RawJSON(raw)
			require.NoError(t, sink.NewWriter(&out).Write(t.Context(), []ingest.Event{e, event("2")}))
			lines := strings.SplitAfter(out.String(), "\n")
			require.Len(t, lines, 3, out.String())
			assert.NotContains(t, out.String(), "\r")
			assert.Contains(t, lines[0], strings.NewReplacer("\n", " ", "\r", " ").Replace(raw))
			assert.Equal(t, line("2"), lines[1])
			if json.Valid([]byte(raw)) {
				var got struct {
					Raw json.RawMessage `json:"raw_event"`
				}
				require.NoError(t, json.Unmarshal([]byte(lines[0]), &got))
				assert.JSONEq(t, raw, string(got.Raw))
			}
		})
	}
}

func TestWriter_DoesNotChangeTheEvents(t *testing.T) {
	t.Parallel()
	e := event("1")
	e.RawEvent = "{\n}"
	require.NoError(t, sink.NewWriter(io.Discard).Write(t.Context(), []ingest.Event{e}))
	assert.Equal(t, ingest.RawJSON("{\n}"), e.RawEvent)
}

func TestWriter_ARetryAfterAFailureAnywhereLeavesWholeLines(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	total := len(line("1") + line("2"))
	for first := 0; first < total; first += 3 {
		// The next attempts fail as well: before anything is written, and at
		// some other byte.
		third := (first * 7) % total
		out := &flaky{takes: map[int]int{1: first, 2: 0, 3: third}, err: failed}
		w := sink.NewWriter(out)
		for range 3 {
			require.ErrorIs(t, w.Write(t.Context(), events("1", "2")), failed)
		}
		require.NoError(t, w.Write(t.Context(), events("1", "2")))
		require.NoError(t, w.Write(t.Context(), events("3")))
		got := ids(t, out.Bytes())
		require.Equal(t, []string{"1", "2", "3"}, got[len(got)-3:])
		require.LessOrEqual(t, len(got), 7)
	}
}

func TestWriter_AFailureBeforeTheFirstByteIsRetriedWithoutRepeats(t *testing.T) {
	t.Parallel()
	out := &flaky{takes: map[int]int{1: 0}, err: errors.New("failed")}
	w := sink.NewWriter(out)
	require.Error(t, w.Write(t.Context(), events("1", "2")))
	require.NoError(t, w.Write(t.Context(), events("1", "2")))
	assert.Equal(t, []string{"1", "2"}, ids(t, out.Bytes()))
}

func TestWriter_AFailureBetweenLinesRepeatsOnlyTheBatch(t *testing.T) {
	t.Parallel()
	out := &flaky{takes: map[int]int{1: len(line("1"))}, err: errors.New("failed")}
	w := sink.NewWriter(out)
	require.Error(t, w.Write(t.Context(), events("1", "2")))
	require.NoError(t, w.Write(t.Context(), events("1", "2")))
	assert.Equal(t, []string{"1", "1", "2"}, ids(t, out.Bytes()))
}

func TestWriter_AShortWriteIsAnError(t *testing.T) {
	t.Parallel()
	out := &flaky{takes: map[int]int{1: 5}}
	assert.ErrorIs(t, sink.NewWriter(out).Write(t.Context(), events("1")), io.ErrShortWrite)
}

func TestWriter_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var out flaky
	w := sink.NewWriter(&out)
	var want []string
	var wg sync.WaitGroup
	for _, id := range []string{"a", "b", "c", "d"} {
		want = append(want, id, id)
		wg.Go(func() { assert.NoError(t, w.Write(t.Context(), events(id, id))) })
	}
	wg.Wait()
	got := ids(t, out.Bytes())
	slices.Sort(got)
	assert.Equal(t, want, got)
}

func TestWriter_ReportsAFullDevice(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("%s has no /dev/full", runtime.GOOS)
	}
	defer full.Close()
	assert.ErrorIs(t, sink.NewWriter(full).Write(t.Context(), events("1")), syscall.ENOSPC)
}
