package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/history"
)

// silence is the time between progress lines of an export without a terminal.
const silence = 30 * time.Second

// shown shows the progress of an export: on the status line, or without one as
// a line from time to time.
type shown struct {
	mu  sync.Mutex
	end func()
}

func (s *shown) lock()   { s.mu.Lock() }
func (s *shown) unlock() { s.mu.Unlock() }
func (s *shown) stop()   { s.end() }

// showProgress shows the progress of the reader of p until it is stopped.
func (x *export) showProgress(r *history.Reader, p *progress) *shown {
	s := &shown{}
	started := time.Now()
	_, begun := r.Reached()
	var wait time.Time
	r.OnWait = func(d time.Duration) {
		s.lock()
		wait = time.Now().Add(d)
		s.unlock()
	}
	text := func() string {
		s.lock()
		defer s.unlock()
		return x.progressLine(*p, begun, time.Since(started), time.Until(wait).Round(time.Second))
	}
	if x.line != nil {
		s.end = x.every(text)
		return s
	}
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		tick := time.NewTicker(silence)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				fmt.Fprintln(x.stderr, text())
			}
		}
	})
	s.end = sync.OnceFunc(func() {
		close(done)
		ended.Wait()
	})
	return s
}

// progressLine is the progress of an export that began at a share of the span,
// and its wait for the request budget.
func (x *export) progressLine(p progress, begun float64, spent, wait time.Duration) string {
	line := fmt.Sprintf("Exporting: %s of %s entries, ", count(p.Exported, "event", "events"), grouped(p.Coverage.Read))
	share := 0.0
	if !p.Reached.IsZero() {
		share = 1 - float64(p.Reached.Sub(p.Span.Since))/float64(p.Span.Length())
		line += "reached " + p.Reached.In(x.location).Format("2006-01-02 15:04") + ", "
	}
	line += fmt.Sprintf("%.0f %%", 100*share)
	if wait > 0 {
		return line + fmt.Sprintf(", waiting %s for the request budget", wait)
	}
	return line + timeLeft((share-begun)/max(1-begun, 0.001), spent)
}
