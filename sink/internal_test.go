package sink

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
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

// brittle is a file whose disk fails as it is told.
type brittle struct {
	*os.File
	tear                 int // bytes of the next writes that reach the disk, or -1
	syncErr, truncateErr error
}

func (b *brittle) Write(p []byte) (int, error) {
	if b.tear < 0 {
		return b.File.Write(p)
	}
	n, err := b.File.Write(p[:min(b.tear, len(p))])
	return n, cmp.Or(err, errDisk)
}

func (b *brittle) Sync() error { return cmp.Or(b.syncErr, b.File.Sync()) }

func (b *brittle) Truncate(size int64) error {
	if b.truncateErr != nil {
		return b.truncateErr
	}
	return b.File.Truncate(size)
}

var errDisk = errors.New("disk error")

func TestFile_ARetryAfterADiskErrorLeavesEachLineOnce(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there File does not truncate by its handle")
	}
	for name, bad := range map[string]brittle{
		"write":             {tear: 20},
		"sync":              {tear: -1, syncErr: errDisk},
		"write and undoing": {tear: 20, truncateErr: errDisk},
		"sync and undoing":  {tear: -1, syncErr: errDisk, truncateErr: errDisk},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "events.ndjson")
			f, err := OpenFile(path)
			require.NoError(t, err)
			defer f.Close()
			want := ""
			for _, id := range []string{"1", "2", "3"} {
				e := []ingest.Event{{ExternalID: id}}
				good := f.file
				f.file = &brittle{good.(*os.File), bad.tear, bad.syncErr, bad.truncateErr}
				for range 2 {
					require.ErrorIs(t, f.Write(t.Context(), e), errDisk)
				}
				got, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, bad.truncateErr == nil, string(got) == want)
				f.file = good
				require.NoError(t, f.Write(t.Context(), e))
				want += string(e[0].AppendJSON(nil)) + "\n"
				got, err = os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, want, string(got))
			}
		})
	}
}
