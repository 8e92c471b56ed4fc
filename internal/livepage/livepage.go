// Package livepage serves a page that is made of files which change, to the
// browsers of this machine.
package livepage

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/eventfile"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
)

const (
	// again is how often a page is built anew because files were moved away while
	// they were read.
	again = 3
	// patience is how long a browser may take to read the page.
	patience = 5 * time.Minute
)

// Page is a page made of files. It is an [http.Handler] that is safe for
// concurrent use; its fields must not be changed after the first request.
type Page struct {
	// Patterns are those of the files, as in [eventfile.Match]. They are expanded
	// for each request, so that files may come and go.
	Patterns []string
	// Build makes the page of the files, which may be none. It is called once at a
	// time. When its error wraps [fs.ErrNotExist], a file has gone since it was
	// found, and Build is called again with what is there then.
	Build func(names []string) ([]byte, error)
	// MaxAge is how long a page is shown while no file changes.
	MaxAge time.Duration
	// Refresh is after how long a browser asks again.
	Refresh time.Duration
	// Policy is the content security policy of the page.
	Policy string

	mu    sync.Mutex
	text  []byte
	files []file
	built time.Time
}

// file is a file as it was when it was looked at.
type file struct {
	name string
	info os.FileInfo
}

// same reports whether a file is the one it was.
func (f file) same(g file) bool { return f.name == g.name && os.SameFile(f.info, g.info) }

// unchanged reports whether a file is as it was.
func (f file) unchanged(g file) bool {
	return f.same(g) && f.info.Size() == g.info.Size() && f.info.ModTime().Equal(g.info.ModTime())
}

// CheckPatterns reports the first pattern that is malformed.
func CheckPatterns(patterns []string) error {
	for _, pattern := range patterns {
		if _, err := eventfile.Match(pattern); err != nil {
			return err
		}
	}
	return nil
}

// look is the files that the patterns match now, each once.
func look(patterns []string) ([]file, error) {
	var found []file
	for _, pattern := range patterns {
		names, err := eventfile.Match(pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // it has just gone
			}
			if err != nil {
				return nil, err
			}
			known := slices.ContainsFunc(found, func(f file) bool { return os.SameFile(f.info, info) })
			if !info.IsDir() && !known {
				found = append(found, file{name, info})
			}
		}
	}
	return found, nil
}

// Text is the page of the files as they are now. It is built anew only when a file
// has changed, come or gone, or when the page is too old.
func (p *Page) Text() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := look(p.Patterns)
	if err != nil {
		return nil, err
	}
	if p.text != nil && slices.EqualFunc(found, p.files, file.unchanged) && time.Since(p.built) < p.MaxAge {
		return p.text, nil
	}
	for attempt := 1; ; attempt++ {
		begun := time.Now()
		text, err := p.Build(namesOf(found))
		if err != nil && !errors.Is(err, fs.ErrNotExist) || err != nil && attempt > again {
			return nil, err
		}
		now, wrong := look(p.Patterns)
		if wrong != nil {
			return nil, wrong
		}
		if err == nil && (attempt > again || !moved(found, now)) {
			// What has been appended meanwhile shows at the next request.
			p.text, p.files, p.built = text, found, begun
			return text, nil
		}
		found = now
	}
}

// moved reports whether one of the files has another name now, or none. Then its
// entries may have been missed under the old name and under the new one.
func moved(before, now []file) bool {
	return slices.ContainsFunc(before, func(f file) bool { return !slices.ContainsFunc(now, f.same) })
}

func namesOf(files []file) []string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.name
	}
	return names
}

// ServeHTTP implements [http.Handler]. A request must name this machine and the
// port it came to, or else a page of another site whose name leads here, as in DNS
// rebinding, could read what it says.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !isLocal(r):
		http.Error(w, "this page is for this machine alone: ask for it by its address", http.StatusMisdirectedRequest)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "there is nothing here but a page to read", http.StatusMethodNotAllowed)
		return
	case r.URL.Path != "/":
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", p.Policy+"; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Refresh", strconv.Itoa(int(p.Refresh.Seconds())))
	text, err := p.Text()
	// A page of many events takes a while to be built, which is no fault of the
	// browser.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience))
	if err != nil {
		http.Error(w, "the page cannot be made: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}

// isLocal reports whether the host of a request is this machine, with the port that
// the request came to.
func isLocal(r *http.Request) bool {
	at, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	name, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		name, port = strings.Trim(r.Host, "[]"), "80" // which browsers leave out
	}
	return at != nil && port == strconv.Itoa(at.Port) && httpx.IsLoopback(name)
}
