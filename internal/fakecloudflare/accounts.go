package fakecloudflare

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// Accounts is an [http.Handler] for many accounts, each of which has a [Server]
// of its own.
type Accounts struct {
	// Latency is how long each request takes. It is set before the first one.
	Latency time.Duration

	mu      sync.Mutex
	servers map[string]*Server
}

// Add adds the account of a server.
func (a *Accounts) Add(s *Server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.servers == nil {
		a.servers = make(map[string]*Server)
	}
	a.servers[s.opts.AccountID] = s
}

// ServeHTTP implements [http.Handler].
func (a *Accounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, _ := strings.CutPrefix(r.URL.Path, Prefix+"/accounts/")
	id, _, _ := strings.Cut(rest, "/")
	a.mu.Lock()
	s := a.servers[id]
	a.mu.Unlock()
	if s == nil {
		http.NotFound(w, r)
		return
	}
	if a.Latency > 0 {
		timer := time.NewTimer(a.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	s.ServeHTTP(w, r)
}
