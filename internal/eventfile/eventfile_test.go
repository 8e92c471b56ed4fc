package eventfile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

func event(id string) *ingest.Event {
	return &ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: id, Title: "Zone deleted: example.org", Severity: ingest.High,
		Action: "zone.delete", CreatedAt: time.Date(2026, 5, 12, 10, 0, 0, 120_000_000, time.UTC),
		Audit: ingest.Audit{
			Rule: "zone-deleted", CorrelationID: ingest.CorrelationID{1, 2}, Changes: []ingest.FieldChange{{Field: "a", Old: "1"}},
			Request: ingest.Request{Method: "DELETE", TokenName: "ci"},
		},
		RawEvent: `{"b": 1,  "a":2}`,
	}
}

func lines(ids ...string) string {
	var b []byte
	for _, id := range ids {
		b = append(event(id).AppendJSON(b), '\n')
	}
	return string(b)
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func read(t *testing.T, text string) (*Reader, []string) {
	t.Helper()
	var ids []string
	r := &Reader{Each: func(e *ingest.Event, _ []byte) error {
		ids = append(ids, e.ExternalID)
		return nil
	}}
	require.NoError(t, r.Read("file", strings.NewReader(text)))
	return r, ids
}

func TestReader_ReadsWhatAnEventWrites(t *testing.T) {
	t.Parallel()
	want := event("a")
	r := &Reader{Each: func(got *ingest.Event, line []byte) error {
		assert.Equal(t, string(want.AppendJSON(nil)), string(line))
		assert.Equal(t, string(want.AppendJSON(nil)), string(got.AppendJSON(nil)))
		return nil
	}}
	require.NoError(t, r.Read("file", strings.NewReader(lines("a"))))
	assert.Equal(t, 1, r.Events)
}

func TestReader_ReadsGzipAlsoOfSeveralMembers(t *testing.T) {
	t.Parallel()
	_, ids := read(t, packed(t, lines("a", "b"))+packed(t, lines("c")))
	assert.Equal(t, []string{"a", "b", "c"}, ids)

	cut := packed(t, lines("a", "b"))
	r := &Reader{Each: func(*ingest.Event, []byte) error { return nil }}
	assert.ErrorContains(t, r.Read("file", strings.NewReader(cut[:len(cut)-10])), "ends too early")
}

func TestReader_HandsOutARepeatedEventOnceAcrossFiles(t *testing.T) {
	t.Parallel()
	r, ids := read(t, lines("a", "b", "a"))
	assert.Equal(t, []string{"a", "b"}, ids)
	name := filepath.Join(t.TempDir(), "more")
	require.NoError(t, os.WriteFile(name, []byte(lines("b", "c")), 0o600))
	require.NoError(t, r.ReadFile(name))
	assert.Equal(t, 3, r.Events)
	assert.Equal(t, 2, r.Repeated)
	assert.ErrorIs(t, r.ReadFile(name+".missing"), os.ErrNotExist)
}

func TestReader_CountsWhatIsNoEventAndSaysWhereTheFirstIs(t *testing.T) {
	t.Parallel()
	r, ids := read(t, "\xef\xbb\xbf"+lines("a")+"\n  \nplain text\n{\"id\":1}\n"+strings.TrimSuffix(lines("b"), "\n"))
	assert.Equal(t, []string{"a", "b"}, ids)
	assert.Equal(t, 2, r.Unread)
	assert.Equal(t, "file, line 4: this is not an event", r.FirstUnread)
	assert.Empty(t, r.Torn)
}

func TestReader_TellsRawEntriesFromEvents(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`{"id":"x","when":"2026-05-12T10:00:00Z","action":{"type":"add"}}`,
		`{"id":"x","action":{"time":"2026-05-12T10:00:00Z","type":"create"}}`,
		`{"success":true,"result":[]}`,
	} {
		r, _ := read(t, line+"\n")
		assert.Contains(t, r.FirstUnread, "use cfaudit normalize first", line)
	}
}

func TestReader_ATornLastLineIsNotADamagedFile(t *testing.T) {
	t.Parallel()
	whole := lines("a", "b")
	r, ids := read(t, whole[:len(whole)-5])
	assert.Equal(t, []string{"a"}, ids)
	assert.Zero(t, r.Unread)
	assert.Equal(t, []string{"file"}, r.Torn)
}

func TestReader_ALineThatIsTooLongIsPassedOver(t *testing.T) {
	t.Parallel()
	r, ids := read(t, strings.Repeat("x", maxLine+1)+"\n"+lines("a"))
	assert.Equal(t, []string{"a"}, ids)
	assert.Equal(t, "file, line 1: the line has more than 16 MiB", r.FirstUnread)
}

func TestReader_StopsAtAnErrorOfItsUser(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	progress := int64(0)
	r := &Reader{
		Each:     func(*ingest.Event, []byte) error { return full },
		Progress: func(n int64) { progress = n },
	}
	assert.ErrorIs(t, r.Read("file", io.MultiReader(strings.NewReader(lines("a")))), full)
	assert.Equal(t, int64(len(lines("a"))), progress)
}
