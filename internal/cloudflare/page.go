package cloudflare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

const (
	// leastBody is the size of the first buffer of a page.
	leastBody = 64 << 10
	// keptBody bounds the buffers that are kept for later pages.
	keptBody = 4 << 20
	// maxNext bounds the cursor of the next page, which becomes part of a URL
	// and of the state of a feed.
	maxNext = 8 << 10
	// maxMessages bounds the messages read from a reply, and the causes of each.
	maxMessages = 8
)

var (
	// errTooLarge: a reply was longer than the limit. The page holds its
	// beginning.
	errTooLarge = errors.New("the reply is too large")
	// errNotJSON: a reply that arrived in full is not the JSON of an API reply.
	errNotJSON = errors.New("the reply is not the JSON of an API reply")
	// errTooMany: a reply has more entries than any page.
	errTooMany = errors.New("the reply has more entries than a page can have")
)

// Unreadable reports whether err is about the content of a reply rather than
// its transfer. Then a smaller page may be readable, and [Page.Torn] says where
// reading stopped.
func Unreadable(err error) bool {
	return errors.Is(err, errTooLarge) || errors.Is(err, errNotJSON)
}

// TooLarge reports whether err is about the size of a reply.
func TooLarge(err error) bool { return errors.Is(err, errTooLarge) }

// Page is one reply of an audit log, parsed into a table of its values, with
// the locations of the entries. It knows the id and the time of an entry, which
// suffice to recognise it. A page can be reused from request to request; the
// zero Page is ready to use.
type Page struct {
	log     *Log
	body    []byte
	doc     jsondoc.Doc // of body, whose memory it shares
	entries []located
	next    string
	// torn is the entry at which the scan stopped, and scanned says that a scan
	// has run.
	torn    located
	scanned bool
}

// located is an entry in its page.
type located struct {
	entry, id jsondoc.Value
	when      time.Time // its own time, or zero when it has none
}

var pool = sync.Pool{New: func() any { return new(Page) }}

// NewPage returns an empty page. Release it after use.
func NewPage() *Page { return pool.Get().(*Page) }

// Release lets the memory of p be reused, unless a large reply has grown it.
// Neither p nor values taken from it may be used afterwards.
func (p *Page) Release() {
	if cap(p.body) <= keptBody {
		pool.Put(p)
	}
}

// Load reads a body that is not the reply to a request for the log, and finds
// the entries in it.
func (p *Page) Load(log *Log, body []byte) error {
	p.log = log
	if err := p.read(bytes.NewReader(body), maxBody); err != nil {
		return err
	}
	_, err := p.scan()
	return err
}

// Len is the number of entries.
func (p *Page) Len() int { return len(p.entries) }

// Entry puts the i-th entry into doc, with a copy of its bytes. It shares the
// table of the page, so it is valid until the page is used for another request.
func (p *Page) Entry(i int, doc *jsondoc.Doc) { p.entries[i].entry.Detach(doc) }

// When is the time that the i-th entry states, or zero when it has none that
// can be read.
func (p *Page) When(i int) time.Time { return p.entries[i].when }

// ID is the id of the i-th entry, still escaped, or "" when the entry has none.
// It shares the memory of the page.
func (p *Page) ID(i int) string {
	if id := p.entries[i].id; id.Kind() == jsondoc.String && id.Len() > 2 {
		return id.Source()[1 : id.Len()-1]
	}
	return ""
}

// RawID is the JSON of the id of the i-th entry, or empty.
func (p *Page) RawID(i int) string { return p.entries[i].id.Source() }

// Key identifies the i-th entry: its id, or all of its bytes when it has none.
// It shares the memory of the page.
func (p *Page) Key(i int) string {
	if id := p.ID(i); id != "" {
		return id
	}
	return p.entries[i].entry.Source()
}

// Next is the cursor of the following page where pages have no numbers. It is
// empty at the last one.
func (p *Page) Next() string { return p.next }

// Torn is the entry at which a page could not be read any further.
type Torn struct {
	// Log is the log it is from.
	Log *Log
	// Text is the beginning of the entry and whatever follows it, up to the end
	// of the entries. It shares the memory of the page.
	Text string
	// ID is the id of the entry, or empty. RawID is its JSON, which also
	// distinguishes ids that are not strings.
	ID, RawID string
	// When is the time that the entry states, or zero.
	When time.Time
}

// Torn returns the entry at which an unreadable page stops. When the reply is
// damaged elsewhere it has no id, and the text is that of the whole reply.
func (p *Page) Torn() Torn {
	// When the reply was too large, the part that was read ends within an entry.
	p.Intact()
	from := 0
	if p.torn.entry.Exists() {
		// It extends to the end of the readable part.
		from = p.doc.Root().Len() - p.torn.entry.Len() + bytes.IndexByte(p.body, '{')
	}
	rest := p.body[from:]
	if info := bytes.LastIndex(rest, []byte(`"result_info"`)); info > 0 {
		// The cursor of the next page differs in every reply.
		rest = rest[:info]
	}
	return Torn{
		Log: p.log, Text: shared(rest), When: p.torn.when,
		ID: strings.Clone(p.torn.id.Text()), RawID: strings.Clone(p.torn.id.Source()),
	}
}

// Intact is, for an unreadable page, how many entries precede the fault, and
// whether the fault has a place among the entries at all.
func (p *Page) Intact() (before int, placed bool) {
	if !p.scanned {
		_, _ = p.scan()
	}
	return len(p.entries), len(p.entries) > 0 || p.torn.entry.Exists()
}

// FindNext looks for the cursor of the next page in a page that cannot be read
// as a whole.
func (p *Page) FindNext() (next string, ok bool) {
	const name = `"result_info"`
	i := bytes.LastIndex(p.body, []byte(name))
	if i < 0 {
		return "", false
	}
	var info jsondoc.Doc
	if _, err := info.ParsePrefix(string(bytes.TrimLeft(p.body[i+len(name):], " \t\r\n:"))); err != nil {
		return "", false
	}
	next, err := nextIn(info.Root())
	return next, err == nil && next != ""
}

// nextIn is the cursor of the next page in a result_info, or "" at the last
// page. A cursor that cannot be sent back is an error, because the log does not
// end there.
func nextIn(info jsondoc.Value) (string, error) {
	switch info.Kind() {
	case jsondoc.Missing, jsondoc.Null:
		return "", nil
	case jsondoc.Object:
	default:
		return "", apierror.Malformed(http.StatusOK, "the result_info of the reply is not an object")
	}
	switch cursor := info.Get("cursor"); cursor.Kind() {
	case jsondoc.Missing, jsondoc.Null:
		return "", nil
	case jsondoc.String, jsondoc.Number:
		if cursor.Len() > maxNext {
			return "", apierror.Malformed(http.StatusOK, "the cursor of the next page is too long")
		}
		// It outlives the page.
		return strings.Clone(cursor.Text()), nil
	}
	return "", apierror.Malformed(http.StatusOK, "the cursor of the next page is not a string")
}

// shared is a string that shares the memory of b, which must not change while
// the string is in use. Copying a page of megabytes just for its table would
// double the memory of a poll.
func shared(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// forget empties the page before its memory is overwritten.
func (p *Page) forget() {
	clear(p.entries)
	p.entries, p.torn, p.next, p.scanned = p.entries[:0], located{}, "", false
	p.doc.Reset()
}

// read fills the page with a body of at most limit bytes.
func (p *Page) read(body io.Reader, limit int64) error {
	p.forget()
	p.body = p.body[:0]
	for {
		if int64(len(p.body)) > limit {
			p.body = p.body[:limit]
			return fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
		}
		if len(p.body) == cap(p.body) {
			p.grow(int(limit) + 1)
		}
		n, err := body.Read(p.body[len(p.body):min(cap(p.body), int(limit)+1)])
		p.body = p.body[:len(p.body)+n]
		switch {
		case err == io.EOF && int64(len(p.body)) <= limit:
			return nil
		case err != nil && err != io.EOF:
			return err
		}
	}
}

// grow makes room in the body, for at most most bytes. A large one grows in large
// steps, because what it leaves to the collector counts as in use.
func (p *Page) grow(most int) {
	size := 2 * cap(p.body)
	if size > 1<<20 {
		size *= 2
	}
	p.body = append(make([]byte, 0, min(max(size, leastBody), most)), p.body...)
}

// envelope is what surrounds the entries of a reply.
type envelope struct {
	success bool
	hasList bool // the result is a list
	errors  []apierror.Message
	info    jsondoc.Value // result_info
}

// scan reads the body and finds the entries in it.
func (p *Page) scan() (envelope, error) {
	p.forget()
	p.scanned = true
	if p.log == nil {
		p.log = V1
	}
	err := p.doc.Parse(shared(p.body))
	env, tooMany := p.find()
	switch {
	case tooMany:
		return env, fmt.Errorf("%w: %w", errNotJSON, errTooMany)
	case err != nil:
		p.findTorn()
		return env, fmt.Errorf("%w: %w", errNotJSON, err)
	case p.doc.Root().Kind() != jsondoc.Object:
		return env, errNotJSON
	}
	return env, nil
}

// find finds the envelope and the entries in the table.
func (p *Page) find() (env envelope, tooMany bool) {
	for m := range p.doc.Root().All() {
		switch m.Name() {
		case "success":
			env.success = m.Kind() == jsondoc.True
		case "errors":
			env.errors = readMessages(m)
		case "result_info":
			env.info = m
		case "result":
			if m.Kind() != jsondoc.Array {
				continue
			}
			env.hasList = true
			for entry := range m.All() {
				if len(p.entries) > MaxPageSize {
					return env, true
				}
				p.entries = append(p.entries, p.locate(entry))
			}
		}
	}
	return env, false
}

// findTorn makes the last entry of a table that ends before the reply does the
// torn one, unless that entry is complete.
func (p *Page) findTorn() {
	n := len(p.entries) - 1
	if n < 0 {
		return
	}
	last := p.entries[n]
	whole := p.doc.Root()
	if !endsWith(whole, last.entry) || new(jsondoc.Doc).Parse(last.entry.Source()) == nil {
		return
	}
	p.torn, p.entries = last, p.entries[:n]
}

// endsWith reports whether part is a suffix of whole in the same memory.
func endsWith(whole, part jsondoc.Value) bool {
	a, b := whole.Source(), part.Source()
	return unsafe.StringData(a[len(a)-len(b):]) == unsafe.StringData(b)
}

// locate finds the id and the time of an entry.
func (p *Page) locate(entry jsondoc.Value) located {
	l := located{entry: entry}
	if entry.Kind() != jsondoc.Object {
		return l
	}
	var stated jsondoc.Value
	for m := range entry.All() {
		switch name := m.Name(); {
		case name == "id":
			l.id = m
		case p.log.section == "" && name == p.log.when:
			stated = m
		case p.log.section != "" && name == p.log.section:
			for inner := range m.All() {
				if inner.Name() == p.log.when {
					stated = inner
				}
			}
		}
	}
	l.when = audit.TimeOf(stated)
	return l
}

// readMessages reads the errors or the messages of a reply, which may be null.
func readMessages(list jsondoc.Value) []apierror.Message {
	var all []apierror.Message
	if list.Kind() != jsondoc.Array {
		return nil
	}
	for v := range list.All() {
		if len(all) == maxMessages {
			break
		}
		m := apierror.Message{Code: integer(v.Get("code")), Message: strings.Clone(v.Get("message").Text())}
		for cause := range v.Get("error_chain").All() {
			if len(m.Chain) == maxMessages {
				break
			}
			m.Chain = append(m.Chain, integer(cause.Get("code")))
		}
		all = append(all, m)
	}
	return all
}

// integer is a value as an integer, also one in quotes, or 0.
func integer(v jsondoc.Value) int {
	n, err := strconv.Atoi(v.Text())
	if err != nil {
		return 0
	}
	return n
}
