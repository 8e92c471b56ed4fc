package feed

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

const (
	// cursorVersion is the highest version of a cursor that can be read. One with
	// a higher version comes from a newer release and is refused.
	cursorVersion = 2
	// plainVersion is written into cursors without a memory, which releases from
	// before there was one can read.
	plainVersion = 1
	// maxSeen bounds the ids of a cursor: 8 bytes each, 1.4 MB as JSON. At the
	// bound, newer entries wait until they are settled.
	maxSeen = 1 << 17
	// maxCursor bounds a cursor, in bytes: 8 MiB. Two logs with as many ids as can
	// be take 6 MB.
	maxCursor = 8 << 20
	// edge is how far a request reaches beyond both ends of a window, because
	// servers differ in whether since and before are inclusive. Entries beyond
	// the ends belong to the neighbouring windows.
	edge = 2 * time.Second
	// disorder is how far the order of entries on the pages of the API may
	// deviate from the order of their times.
	disorder = time.Minute
)

// position is the content of a cursor. It is JSON that an operator can read:
//
//	{
//	 "version": 1,
//	 "account_id": "…",
//	 "audit_logs": {
//	  "start": "2026-03-01T00:00:00Z",
//	  "complete": "2026-03-02T10:00:00Z",
//	  "through": "2026-03-02T10:00:00Z",
//	  "settled": "2026-03-02T09:50:00Z",
//	  "read_at": "2026-03-02T10:00:00Z",
//	  "all_read_at": "2026-03-02T10:00:00Z",
//	  "newest": {"since": …, "before": …, "offset": 1000, …},
//	  "backlog": [{"since": …, "before": …, "offset": 2000, …}],
//	  "seen": {"2026-03-02T09:58:00Z": "q83vEjRWeJA="}
//	 },
//	 "audit_logs_v2": {
//	  …,
//	  "backlog": [{…, "trail": {"since": …, "before": …, "next": "…"}}]
//	 },
//	 "memory": {…}
//	}
//
// Each log that is or was read has its own feed, which is kept while the log is
// not read.
type position struct {
	Version   int    `json:"version"`
	AccountID string `json:"account_id"`
	// AuditLogs and AuditLogsV2 are nil until the log is read.
	AuditLogs   *feed `json:"audit_logs,omitempty"`
	AuditLogsV2 *feed `json:"audit_logs_v2,omitempty"`
	// Memory is what the handler remembers, which only it can read.
	Memory json.RawMessage `json:"memory,omitempty"`
}

// feed is the position in one log. All times are the server's.
//
// An entry may appear in the log up to an overlap after its own time.
// Everything older than that, measured from the first request, is settled: no
// entry can appear there any more, and positions in it never change. Newer
// entries are read too, so that they are delivered promptly, and their ids are
// remembered until they have been re-read as settled entries.
type feed struct {
	// Start is where the feed begins: the time of the first poll minus the
	// initial lookback.
	Start time.Time `json:"start"`
	// Complete is the time up to which every entry shown so far is handled.
	Complete time.Time `json:"complete,omitzero"`
	// Through is the end of the last unsettled window that was exhausted.
	Through time.Time `json:"through,omitzero"`
	// Settled is the time before which every entry has been handled or is in
	// the unread part of Backlog. It is zero before the first reply.
	Settled time.Time `json:"settled,omitzero"`
	// ReadAt is when newer entries were last requested, and AllReadAt when the
	// entire unsettled span was.
	ReadAt    time.Time `json:"read_at,omitzero"`
	AllReadAt time.Time `json:"all_read_at,omitzero"`
	// Crowded says that the ids of too many entries are remembered, so that
	// newer ones may wait until they are settled.
	Crowded bool `json:"crowded,omitempty"`
	// Newest is the window of unsettled entries, while it is partly read.
	Newest *window `json:"newest,omitempty"`
	// Backlog are settled windows, newest first. They do not overlap.
	Backlog []window `json:"backlog,omitempty"`
	// Seen are the entries already handled that another read will show again.
	Seen seen `json:"seen,omitempty"`
}

// window is a span of time, from Since to before Before, that is read newest
// first. Both ends are fixed until it is exhausted, so its entries can only move
// to later pages.
type window struct {
	Since  time.Time `json:"since"`
	Before time.Time `json:"before"`
	// Offset counts the entries read, newest first. Where pages have no numbers
	// it counts repeated ones as well.
	Offset int `json:"offset"`
	// Anchor is the time down to which it has been read.
	Anchor time.Time `json:"anchor,omitzero"`
	// Last is the last entry read, at the time LastAt.
	Last   fingerprint `json:"last,string,omitempty"`
	LastAt time.Time   `json:"last_at,omitzero"`
	// Behind is the entry, at the time BehindAt, up to which everything has
	// been read although Offset does not count it.
	Behind   fingerprint `json:"behind,string,omitempty"`
	BehindAt time.Time   `json:"behind_at,omitzero"`
	// HideUserLogs is whether the entries of users are left out, which decides
	// what Offset counts.
	HideUserLogs bool `json:"hide_user_logs,omitempty"`
	// Settled is, in the newest window, the time before which no entry could
	// appear any more when the window was first requested. It is zero when the
	// window covers only the recent part of the unsettled span.
	Settled time.Time `json:"settled,omitzero"`
	// ReadAt is, in the newest window, when it was first requested. Before may
	// be a little later, if a clock is ahead.
	ReadAt time.Time `json:"read_at,omitzero"`
	// Waits says that the backlog goes first.
	Waits bool `json:"waits,omitempty"`
	// Trail is where to continue if pages have no numbers.
	Trail trail `json:"trail,omitzero"`

	// closed says that the window is in the backlog: it is settled, so no entry
	// can appear in it any more.
	closed bool
}

// precedes reports whether nothing of the window has been read and it can be
// merged with next.
func (w *window) precedes(next *window) bool {
	return w.Offset == 0 && w.Behind == 0 && w.HideUserLogs == next.HideUserLogs && w.Before.Equal(next.Since)
}

// reached is the time down to which the window has been read.
func (w *window) reached() time.Time {
	if w.Anchor.IsZero() {
		return w.Before
	}
	return w.Anchor
}

// rest is where the unread part of the window ends, in whole seconds.
func (w *window) rest() time.Time {
	return earlier(w.Before, w.reached().Truncate(time.Second).Add(edge))
}

// prune drops the ids that no later request can return.
func (f *feed) prune() {
	f.Seen.forget(func(first, last time.Time) bool { return !f.open(first, last) })
}

// open reports whether a later request can return entries from first to last.
func (f *feed) open(first, last time.Time) bool {
	return last.After(f.Settled.Add(-disorder)) ||
		slices.ContainsFunc(f.Backlog, func(w window) bool {
			return last.After(w.Since.Add(-disorder)) && first.Before(w.reached().Add(disorder))
		})
}

// windowState is how much of a window is left to read.
type windowState int

const (
	unfinished  windowState = iota
	settledLeft             // the settled part of the newest window
	finished
)

// finishNewest ends the newest window, which is exhausted or, in the state
// settledLeft, has only its settled part left.
func (f *feed) finishNewest(state windowState) {
	w := f.Newest
	if state == settledLeft {
		f.split()
	} else {
		f.Settled = later(f.Settled, w.Settled)
	}
	// Without room in the backlog, the settled part is still to be read.
	if !f.Settled.Before(w.Settled) {
		f.Through = later(f.Through, earlier(w.Before, w.ReadAt))
	}
	f.Newest = nil
}

// settle leaves the settled part of the newest window to the backlog, and ends
// the window if nothing else is left in it.
func (f *feed) settle() {
	if w := f.Newest; w != nil && w.reached().Before(w.Settled) {
		f.finishNewest(settledLeft)
		return
	}
	f.split()
}

// split makes the settled part of the newest window a window of the backlog,
// unless the backlog is full. The ids of its entries that have been read are
// remembered.
func (f *feed) split() {
	w := f.Newest
	if w == nil || !w.Settled.After(f.Settled) {
		return
	}
	settled := window{Since: f.Settled, Before: w.Settled, HideUserLogs: w.HideUserLogs, closed: true}
	if len(f.Backlog) > 0 && f.Backlog[0].precedes(&settled) {
		settled.Since, f.Backlog = f.Backlog[0].Since, f.Backlog[1:]
	}
	if len(f.Backlog) >= MaxBacklog {
		return
	}
	f.Backlog = slices.Insert(f.Backlog, 0, settled)
	f.Settled, w.Since = w.Settled, w.Settled
}

// advance moves Complete up to the first window of the backlog, or else to the
// end of what has been read.
func (f *feed) advance() {
	done := later(f.Settled, f.Through)
	for _, w := range f.Backlog {
		done = earlier(done, w.Since)
	}
	f.Complete = later(f.Complete, done)
}

// first orders feeds for reading: those that continue with their newest entries
// come first, then the one read least recently. A feed whose newest entries
// wait for its backlog may wait indefinitely and must not starve the other.
func (f *feed) first(other *feed) int {
	if f.hurries() != other.hurries() {
		if f.hurries() {
			return -1
		}
		return 1
	}
	return f.ReadAt.Compare(other.ReadAt)
}

// hurries reports whether the newest entries are read next.
func (f *feed) hurries() bool { return f.Newest != nil && !f.Newest.Waits }

// unread counts the windows that are not exhausted.
func (f *feed) unread() int {
	n := len(f.Backlog)
	if f.Newest != nil {
		n++
	}
	return n
}

// fingerprint identifies an entry in the set of handled entries: 64 bits of a
// hash of its id. Among 100,000 remembered ids the probability of mistaking a
// new one for an old one is 100,000/2^64, or 5·10^-15.
type fingerprint uint64

func fingerprintOf(key string) fingerprint {
	// Ids fit into the buffer, so that hashing one allocates nothing.
	var buf [128]byte
	sum := sha256.Sum256(append(buf[:0], key...))
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

// forget removes the entries of every minute, from first to last, for which
// unneeded returns true.
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
	type pair struct {
		m minute
		f fingerprint
	}
	pairs := make([]pair, 0, len(s))
	for f, m := range s {
		pairs = append(pairs, pair{m, f})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Or(cmp.Compare(a.m, b.m), cmp.Compare(a.f, b.f)) })
	var ids []byte
	out := []byte{'{'}
	for i, p := range pairs {
		ids = binary.BigEndian.AppendUint64(ids, uint64(p.f))
		if i+1 < len(pairs) && pairs[i+1].m == p.m {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = p.m.time().AppendFormat(append(out, '"'), time.RFC3339)
		out = base64.StdEncoding.AppendEncode(append(out, `":"`...), ids)
		out, ids = append(out, '"'), ids[:0]
	}
	return append(out, '}'), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *seen) UnmarshalJSON(b []byte) error {
	*s = make(seen, len(b)/base64.StdEncoding.EncodedLen(8))
	var doc jsondoc.Doc
	if err := doc.Parse(string(b)); err != nil || doc.Root().Kind() != jsondoc.Object {
		return errors.New("seen: must be an object")
	}
	var ids []byte
	for m := range doc.Root().All() {
		written := m.Name()
		t, err := time.Parse(time.RFC3339, written)
		if err != nil || !t.Equal(minuteOf(t).time()) {
			return fmt.Errorf("seen: %q is not a minute in UTC", written)
		}
		ids, err = base64.StdEncoding.AppendDecode(ids[:0], []byte(m.Text()))
		switch {
		case err != nil:
			return fmt.Errorf("seen: the ids of %s are damaged: %w", written, err)
		case m.Kind() != jsondoc.String || len(ids)%8 != 0:
			return fmt.Errorf("seen: the ids of %s are damaged", written)
		}
		for raw := ids; len(raw) > 0; raw = raw[8:] {
			s.add(fingerprint(binary.BigEndian.Uint64(raw)), t)
		}
	}
	return nil
}

// Begins is where the feed of a cursor begins in each log, by the name of the log:
// an entry from then on is of the feed, and an earlier one never is. A log whose
// beginning may still move, because no reply has come yet, is not in it.
func Begins(cursor ingest.Cursor, accountID string) (map[string]time.Time, error) {
	pos, err := decodePosition(cursor, accountID)
	if err != nil {
		return nil, err
	}
	begins := make(map[string]time.Time)
	for _, log := range []*cloudflare.Log{cloudflare.V1, cloudflare.V2} {
		if f := *pos.place(log); f != nil && !f.Settled.IsZero() {
			begins[log.Name] = f.Start
		}
	}
	return begins, nil
}

// encode makes a cursor of p.
func (p *position) encode() (ingest.Cursor, error) {
	p.Version = plainVersion
	if len(p.Memory) > 0 {
		p.Version = cursorVersion
	}
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return nil, fmt.Errorf("cloudflareaudit: encode the cursor: %w", err)
	}
	return b, nil
}

// decodePosition reads a cursor of the account. The nil cursor is a new
// position; anything else that is not a sound cursor of this account is an
// error, because starting over would silently lose or repeat events.
func decodePosition(cursor ingest.Cursor, accountID string) (*position, error) {
	if cursor == nil {
		return &position{Version: cursorVersion, AccountID: accountID}, nil
	}
	unusable := func(format string, args ...any) error {
		return prefixed.Errorf("cloudflareaudit", "%w: %w; restore the last good cursor, "+
			"or remove it to start over with the initial lookback", ingest.ErrCursor, fmt.Errorf(format, args...))
	}
	if len(cursor) > maxCursor {
		return nil, unusable("it has %d bytes, but at most %d are allowed", len(cursor), maxCursor)
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
		return nil, unusable("it belongs to account %q, not to %q", text.Clean(head.AccountID, 40), accountID)
	}
	p := &position{}
	dec := json.NewDecoder(bytes.NewReader(cursor))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, unusable("it is damaged: %w", err)
	}
	if p.AuditLogs == nil && p.AuditLogsV2 == nil {
		return nil, unusable("it is damaged: it has no position")
	}
	for name, f := range map[string]*feed{"audit_logs": p.AuditLogs, "audit_logs_v2": p.AuditLogsV2} {
		if f == nil {
			continue
		}
		if err := f.check(); err != nil {
			return nil, unusable("it is damaged: %s.%w", name, err)
		}
		if f.Seen == nil {
			f.Seen = seen{}
		}
		for i := range f.Backlog {
			f.Backlog[i].closed = true
		}
	}
	return p, nil
}

// check reports the first value in f that no poll can have written.
func (f *feed) check() error {
	if f.Start.IsZero() {
		return fmt.Errorf("start is missing")
	}
	if f.Settled.IsZero() && (f.unread() > 0 || len(f.Seen) > 0 || !f.ReadAt.IsZero() || !f.Through.IsZero() || !f.Complete.IsZero()) {
		return fmt.Errorf("settled is missing")
	}
	if len(f.Backlog) > MaxBacklog {
		return fmt.Errorf("backlog has %d windows, but at most %d are allowed", len(f.Backlog), MaxBacklog)
	}
	if n := len(f.Seen); n > 2*maxSeen {
		return fmt.Errorf("seen has %d ids, but at most %d are allowed", n, 2*maxSeen)
	}
	if f.Newest != nil {
		if err := f.Newest.check(); err != nil {
			return fmt.Errorf("newest: %w", err)
		}
	}
	for i := range f.Backlog {
		if err := f.Backlog[i].check(); err != nil {
			return fmt.Errorf("backlog[%d]: %w", i, err)
		}
	}
	return nil
}

func (w *window) check() error {
	switch {
	case w.Since.IsZero() || w.Before.Before(w.Since):
		return fmt.Errorf("it is from %s to %s", w.Since.Format(time.RFC3339), w.Before.Format(time.RFC3339))
	case w.Offset < 0 || w.Offset > maxOffset:
		return fmt.Errorf("offset is %d", w.Offset)
	}
	return nil
}
