package sink

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

func TestWrite_DoesNotKeepTheBufferOfAVeryLargeBatch(t *testing.T) {
	t.Parallel()
	small := []ingest.Event{{ExternalID: "1", RawEvent: `{}`}}
	large := []ingest.Event{{ExternalID: "2", RawEvent: ingest.RawJSON(`"` + strings.Repeat("x", maxKept) + `"`)}}
	f, err := OpenFile(filepath.Join(t.TempDir(), "events.ndjson"))
	require.NoError(t, err)
	defer f.Close()
	w := NewWriter(io.Discard)

	require.NoError(t, w.Write(t.Context(), small))
	require.NoError(t, f.Write(t.Context(), small))
	assert.NotZero(t, cap(w.buf))
	assert.NotZero(t, cap(f.buf))

	require.NoError(t, w.Write(t.Context(), large))
	require.NoError(t, f.Write(t.Context(), large))
	assert.LessOrEqual(t, cap(w.buf), maxKept)
	assert.LessOrEqual(t, cap(f.buf), maxKept)
}

func TestFile_TakesBackAFailedWriteLaterWhenItCannotAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.ndjson")
	f, err := OpenFile(path)
	require.NoError(t, err)
	defer f.Close()
	one, two := ingest.Event{ExternalID: "1"}, ingest.Event{ExternalID: "2"}
	require.NoError(t, f.Write(t.Context(), []ingest.Event{one}))
	good, err := os.ReadFile(path)
	require.NoError(t, err)

	// This is how File stands after a write that tore a line and could not be
	// undone, while the disk still refuses everything.
	broken, err := os.Open(path)
	require.NoError(t, err)
	writable := f.file
	f.file, f.rollback = broken, int64(len(good))
	_, err = writable.WriteString(`{"source":"torn`)
	require.NoError(t, err)
	assert.ErrorContains(t, f.Write(t.Context(), []ingest.Event{two}), "cannot take back")
	require.NoError(t, broken.Close())

	f.file = writable
	require.NoError(t, f.Write(t.Context(), []ingest.Event{two}))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(good)+string(two.AppendJSON(nil))+"\n", string(got))

	// What has been taken back is not taken back again.
	require.NoError(t, f.Write(t.Context(), []ingest.Event{one}))
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(got)+string(good), string(again))
}
