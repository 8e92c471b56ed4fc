package deliver

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/internal/eventformat"
	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

// bury appends events to the dead-letter file.
func (e *Engine) bury(refused []refusal) error {
	now := time.Now().UTC()
	var lines []byte
	for _, r := range refused {
		lines = append(lines, `{"time":"`...)
		lines = now.AppendFormat(lines, time.RFC3339)
		lines = append(lines, `","reason":`...)
		lines, _ = jsontext.AppendQuote(lines, r.reason) // which replaces invalid UTF-8
		lines = append(lines, `,"event":`...)
		lines = eventformat.JSONL.Append(lines, r.Event)
		lines = append(lines, "}\n"...)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := appendDurably(e.service.DeadLetter, lines); err != nil {
		return prefixed.Errorf(e.service.Name, "cannot write the dead-letter file: %w", err)
	}
	for _, r := range refused {
		e.stats.DeadLettered++
		if r.rejected {
			e.stats.Rejected++
		}
		e.log.Warn("an event that the service refuses is in the dead-letter file",
			"external_id", r.Event.ExternalID, "file", e.service.DeadLetter, "reason", r.reason)
	}
	return nil
}

// appendDurably appends whole lines to the file name, which is made for this
// user only if it is not there.
func appendDurably(name string, lines []byte) (err error) {
	_, missing := os.Stat(name)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if errors.Is(missing, os.ErrNotExist) {
		if err := files.SyncDir(filepath.Dir(name)); err != nil {
			return err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if size := info.Size(); size > 0 && len(lines) > 0 {
		// What a crash has torn must not swallow the next line.
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			lines = append([]byte("\n"), lines...)
		}
	}
	if _, err := f.Write(lines); err != nil {
		return err
	}
	return f.Sync()
}
