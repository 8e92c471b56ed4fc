package aisoc

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

// bury appends events to the dead-letter file.
func (s *Sink) bury(refused []refusal) error {
	now := time.Now().UTC()
	var lines []byte
	for _, r := range refused {
		lines = append(lines, `{"time":"`...)
		lines = now.AppendFormat(lines, time.RFC3339)
		lines = append(lines, `","reason":`...)
		lines, _ = jsontext.AppendQuote(lines, r.reason) // which replaces invalid UTF-8
		lines = append(lines, `,"event":`...)
		lines = r.event.AppendJSON(lines)
		lines = append(lines, "}\n"...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := appendDurably(s.cfg.DeadLetter, lines); err != nil {
		return prefixed.Errorf("aisoc", "cannot write the dead-letter file: %w", err)
	}
	for _, r := range refused {
		s.stats.DeadLettered++
		if r.rejected {
			s.stats.Rejected++
		}
		s.log.Warn("an event that the service refuses is in the dead-letter file",
			"external_id", r.event.ExternalID, "file", s.cfg.DeadLetter, "reason", r.reason)
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
