package cloudflareaudit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
)

const (
	// cursorVersion is written into every cursor. A higher one was written by
	// a newer version of this package and is refused.
	cursorVersion = 1
	// maxWindows bounds the open windows of a cursor.
	maxWindows = 16
	// maxSeen bounds the ids of a cursor: 8 bytes each, 1.4 MB as JSON. From
	// half of it on, newer entries wait until the overlap is settled.
	maxSeen = 1 << 17
	// disorder is how far entries may stand from their place in time on the
	// pages of the API without being lost or repeated.
	disorder = time.Minute
)

// position is what a cursor says. It is JSON that an operator can read:
//
//	{
//	 "version": 1,
//	 "account_id": "…",
//	 "audit_logs": {
//	  "start": "2026-03-01T00:00:00Z",
//	  "through": "2026-03-02T10:00:00Z",
//	  "settled": "2026-03-02T09:50:00Z",
//	  "read_at": "2026-03-02T10:00:00Z",
//	  "windows": [{"since": …, "before": …, "offset": 1000, …}],
//	  "seen": {"2026-03-02T09:58:00Z": "q83vEjRWeJA…"}
//	 }
//	}
//
// Each endpoint that is read has a feed of its own.
type position struct {
	Version   int    `json:"version"`
	AccountID string `json:"account_id"`
	AuditLogs feed   `json:"audit_logs"`
}

// feed is the position in one endpoint's log. All times are the server's.
type feed struct {
	// Start is where the feed begins: the time of the first poll less the
	// initial lookback.
	Start time.Time `json:"start"`
	// Through is the end of the newest window, or zero before the first.
	Through time.Time `json:"through,omitzero"`
	// ReadAt is when the newest window was first asked for.
	ReadAt time.Time `json:"read_at,omitzero"`
	// Settled is ReadAt less the overlap: an entry older than this has been
	// handled or stands in the unread part of an open window. The next window
	// begins here.
	Settled time.Time `json:"settled,omitzero"`
	// Windows are the open windows, newest first. Their unread parts do not
	// overlap, and each is older than what the window before it begins with.
	Windows []window `json:"windows,omitempty"`
	// Seen are the entries already handled that another read may show again.
	Seen seen `json:"seen,omitempty"`
}

// window is a span of time that has been read in part. Since and Before stay
// as they are until it is exhausted, so its pages only ever move towards later
// ones.
type window struct {
	Since  time.Time `json:"since"`
	Before time.Time `json:"before"`
	// Offset counts the entries read, newest first.
	Offset int `json:"offset"`
	// Anchor is the time of the last entry read, or of a newer one beside it.
	// All newer ones in this window have been handled.
	Anchor time.Time `json:"anchor,omitzero"`
	// HideUserLogs is whether the entries of users are left out, which decides
	// what Offset counts.
	HideUserLogs bool `json:"hide_user_logs,omitempty"`
	// Absorbed counts the unfinished windows it took the place of, each in the
	// place of the one before.
	Absorbed int `json:"absorbed,omitempty"`
	// RereadFrom and RereadTo bound the part that an earlier window has read:
	// what is new in it is late.
	RereadFrom time.Time `json:"reread_from,omitzero"`
	RereadTo   time.Time `json:"reread_to,omitzero"`
}

// reached is the time down to which the window has been read.
func (w *window) reached() time.Time {
	if w.Anchor.IsZero() {
		return w.Before
	}
	return w.Anchor
}

// rest is where the unread part of the window ends, in whole seconds.
func (w *window) rest() time.Time { return w.Anchor.Truncate(time.Second).Add(disorder) }

// unreadFrom is the time from which on the window has entries that no window
// has read yet, late ones aside.
func (w *window) unreadFrom() time.Time {
	if !w.RereadTo.IsZero() && !w.RereadFrom.After(w.Since) {
		return w.RereadTo
	}
	return w.Since
}

// prune forgets the entries that no read to come can show again. When most or
// more are left, it also forgets those that are remembered only in case the
// server's order is not exact, and those that an open window has passed: where
// everything is settled its position alone tells them from the unread ones.
func (f *feed) prune(most int) {
	f.Seen.forget(func(first, last time.Time) bool {
		return !last.After(f.Settled.Add(-disorder)) &&
			!slices.ContainsFunc(f.Windows, func(w window) bool {
				return last.After(w.Since.Add(-disorder)) && !first.After(w.reached().Add(disorder))
			})
	})
	if len(f.Seen) < most {
		return
	}
	f.Seen.forget(func(first, last time.Time) bool {
		return !last.After(f.Settled) &&
			!slices.ContainsFunc(f.Windows, func(w window) bool {
				return last.After(w.Since) && last.Before(w.reached())
			})
	})
}

// complete is the time up to which everything shown has been handled, or zero
// before the first window.
func (f *feed) complete() time.Time {
	done := f.Through
	for _, w := range f.Windows {
		done = earlier(done, w.unreadFrom())
	}
	return done
}

// fingerprint stands for an entry in the set of those already handled: 64 bits
// of a hash of its id. Among 100,000 remembered ids a new one is mistaken for
// an old one with a probability of 100,000/2^64, which is 5·10^-15.
type fingerprint uint64

func fingerprintOf(key []byte) fingerprint {
	sum := sha256.Sum256(key)
	return fingerprint(binary.BigEndian.Uint64(sum[:8]))
}

// seen holds the fingerprints of handled entries, each with the minute of its
// time.
type seen map[fingerprint]minute

// minute counts the minutes since 1970 in UTC.
type minute int64

func minuteOf(t time.Time) minute { return minute(floorDiv(t.Unix(), 60)) }

func (m minute) time() time.Time { return time.Unix(int64(m)*60, 0).UTC() }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (s seen) has(f fingerprint) bool {
	_, ok := s[f]
	return ok
}

func (s seen) add(f fingerprint, t time.Time) { s[f] = minuteOf(t) }

// forget removes what stands in the minutes, from first to last, that are no
// longer needed.
func (s seen) forget(unneeded func(first, last time.Time) bool) {
	minutes := make(map[minute]bool)
	for f, m := range s {
		drop, known := minutes[m]
		if !known {
			drop = unneeded(m.time(), (m + 1).time())
			minutes[m] = drop
		}
		if drop {
			delete(s, f)
		}
	}
}

// MarshalJSON implements [json.Marshaler]: each minute with its fingerprints in
// ascending order, eight bytes each, in base64.
func (s seen) MarshalJSON() ([]byte, error) {
	minutes := make(map[minute][]fingerprint)
	for f, m := range s {
		minutes[m] = append(minutes[m], f)
	}
	out := make(map[string][]byte, len(minutes))
	for m, fingerprints := range minutes {
		slices.Sort(fingerprints)
		b := make([]byte, 0, 8*len(fingerprints))
		for _, f := range fingerprints {
			b = binary.BigEndian.AppendUint64(b, uint64(f))
		}
		out[m.time().Format(time.RFC3339)] = b
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *seen) UnmarshalJSON(b []byte) error {
	var in map[string][]byte
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*s = make(seen)
	for text, raw := range in {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil || !t.Equal(minuteOf(t).time()) {
			return fmt.Errorf("seen: %q is not a minute in UTC", text)
		}
		if len(raw)%8 != 0 {
			return fmt.Errorf("seen: the ids of %s are damaged", text)
		}
		for ; len(raw) > 0; raw = raw[8:] {
			(*s).add(fingerprint(binary.BigEndian.Uint64(raw)), t)
		}
	}
	return nil
}

// encode makes a cursor of p.
func (p *position) encode() (ingest.Cursor, error) {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return nil, fmt.Errorf("cloudflareaudit: encode the cursor: %w", err)
	}
	return b, nil
}

// decodePosition reads a cursor of the account. The nil cursor is a new
// position; anything else that is not a sound cursor of this account is an
// error, because starting again would lose or repeat events without a word.
func decodePosition(cursor ingest.Cursor, accountID string) (*position, error) {
	if cursor == nil {
		return &position{Version: cursorVersion, AccountID: accountID, AuditLogs: feed{Seen: seen{}}}, nil
	}
	unusable := func(format string, args ...any) error {
		return fmt.Errorf("cloudflareaudit: %w: %w; restore the last good cursor, "+
			"or remove it to begin again at initial_lookback", ErrCursor, fmt.Errorf(format, args...))
	}
	// The version decides what the rest may look like, so it is read first.
	var head struct {
		Version   int    `json:"version"`
		AccountID string `json:"account_id"`
	}
	if err := json.Unmarshal(cursor, &head); err != nil {
		return nil, unusable("it is damaged: %w", err)
	}
	switch {
	case head.Version > cursorVersion:
		return nil, unusable("it has version %d, written by a newer release; this one reads up to %d", head.Version, cursorVersion)
	case head.Version < 1:
		return nil, unusable("it has no version")
	case head.AccountID != accountID:
		return nil, unusable("it belongs to account %q, not to %q", shorten(clean(head.AccountID), 40), accountID)
	}
	p := &position{}
	dec := json.NewDecoder(bytes.NewReader(cursor))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, unusable("it is damaged: %w", err)
	}
	if err := p.AuditLogs.check(); err != nil {
		return nil, unusable("it is damaged: %w", err)
	}
	if p.AuditLogs.Seen == nil {
		p.AuditLogs.Seen = seen{}
	}
	return p, nil
}

// check reports what in f no poll can have written.
func (f *feed) check() error {
	if f.Start.IsZero() {
		return fmt.Errorf("audit_logs.start is missing")
	}
	if f.Through.IsZero() != f.Settled.IsZero() || f.Through.IsZero() != f.ReadAt.IsZero() {
		return fmt.Errorf("audit_logs.through, settled and read_at come together")
	}
	if f.Through.IsZero() && len(f.Windows) > 0 {
		return fmt.Errorf("audit_logs.windows without audit_logs.through")
	}
	if len(f.Windows) > maxWindows {
		return fmt.Errorf("%d windows are open, at most %d can be", len(f.Windows), maxWindows)
	}
	// A batch more than the bound may have been added by the last poll.
	if n := len(f.Seen); n > 2*maxSeen {
		return fmt.Errorf("%d ids are remembered, at most %d can be", n, 2*maxSeen)
	}
	for i, w := range f.Windows {
		switch {
		case w.Since.IsZero() || w.Before.IsZero() || w.Before.Before(w.Since):
			return fmt.Errorf("windows[%d] is from %s to %s", i, w.Since, w.Before)
		case w.Absorbed < 0:
			return fmt.Errorf("windows[%d].absorbed is %d", i, w.Absorbed)
		case w.Offset < 0 || w.Offset > maxOffset:
			return fmt.Errorf("windows[%d].offset is %d", i, w.Offset)
		}
	}
	return nil
}
