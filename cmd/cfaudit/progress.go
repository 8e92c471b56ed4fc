package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// silence is the time between progress lines without a terminal.
const silence = 30 * time.Second

// shown shows the progress of a reader: on the status line, or without one as
// a line from time to time.
type shown struct {
	mu  sync.Mutex
	end func()
}

func (s *shown) lock()   { s.mu.Lock() }
func (s *shown) unlock() { s.mu.Unlock() }
func (s *shown) stop()   { s.end() }

// showProgress shows the progress of a reader until it is stopped, on the status
// line or to another place. line is the progress after the time spent, with the wait
// for the request budget that is left. onWait is what the reader calls.
func (d *display) showProgress(to io.Writer, onWait *func(time.Duration), line func(spent, wait time.Duration) string) *shown {
	s := &shown{}
	started := time.Now()
	var wait time.Time
	*onWait = func(d time.Duration) {
		s.lock()
		wait = time.Now().Add(d)
		s.unlock()
	}
	text := func() string {
		s.lock()
		defer s.unlock()
		return line(time.Since(started), time.Until(wait).Round(time.Second))
	}
	if d.line != nil {
		s.end = d.every(text)
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
				fmt.Fprintln(to, text())
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
	return line + shareText(share) + restText((share-begun)/max(1-begun, 0.001), spent, wait)
}

// shareText is a share for display.
func shareText(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// restText is what a progress line ends with: the wait for the request budget, or
// else the time that is left.
func restText(share float64, spent, wait time.Duration) string {
	if wait > 0 {
		return fmt.Sprintf(", waiting %s for the request budget", wait)
	}
	return timeLeft(share, spent)
}
