package notify

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/backoff"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
	"github.com/aisoc/cloudflareaudit/internal/jitter"
)

const (
	// maxTogether bounds the events of a message.
	maxTogether = 10
	// postTimeout bounds one POST.
	postTimeout = 30 * time.Second
)

// service is how to talk to the service.
func (n *Notifier) service(cfg *Config) deliver.Service {
	return deliver.Service{
		Name: "notify", URL: cfg.address(), Secrets: secretParts(cfg.address()),
		Header:    http.Header{"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"cfaudit"}},
		MaxEvents: maxTogether, MaxBytes: n.shape.maxBytes, Timeout: postTimeout,
		Client: cfg.HTTPClient, DeadLetter: cfg.DeadLetter, Log: n.log,
		Encoding: deliver.Encoding{Append: n.line, Size: func(line []byte) int { return len(line) }},
		Body:     n.body, Read: deliver.ReadStatus, Blames: deliver.BlamesEvents, Hint: hint,
	}
}

// line appends what a message says of an event.
func (n *Notifier) line(b []byte, e *ingest.Event) []byte { return n.shape.line(b, e, n.page) }

// body is a message about events.
func (n *Notifier) body(items []deliver.Item) []byte { return n.shape.body(items, n.page, n.told) }

// hint says what to do about a status.
func hint(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return "check the address and the form of the messages"
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return "check the address, and whether its webhook and channel still exist"
	}
	return ""
}

// work sends what waits until the notifier is closed and nothing waits, an attempt
// fails while it is closed, or ctx ends.
func (n *Notifier) work(ctx context.Context) {
	defer close(n.done)
	for {
		batch, events := n.next()
		if len(batch) == 0 {
			if n.isClosing() || !n.awaken(ctx) {
				return
			}
			continue
		}
		buried := n.engine.Stats().DeadLettered
		err := n.engine.Write(ctx, events)
		if ctx.Err() != nil && err != nil {
			n.putBack(batch)
			return
		}
		last := n.isClosing()
		if err == nil {
			n.succeeded(batch, n.engine.Stats().DeadLettered-buried)
			err := n.save()
			if err != nil {
				n.log.Warn("notifications may be sent again", "error", err)
			}
			if !n.pause(ctx, n.shape.pace) {
				return
			}
			continue
		}
		if wait := n.failed(batch, err); last || !n.rest(ctx, wait, err) {
			return
		}
	}
}

// next is what the next message is about.
func (n *Notifier) next() ([]*notification, []ingest.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	batch := n.queue.take(maxTogether)
	events := make([]ingest.Event, len(batch))
	for i, one := range batch {
		events[i], _ = decoded(one.line) // which has been read or written by this process
	}
	n.told = n.queue.dropped
	return batch, events
}

func (n *Notifier) putBack(batch []*notification) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range batch {
		one.sending = false
	}
}

// succeeded notes that a batch has been sent, except for events in the
// dead-letter file.
func (n *Notifier) succeeded(batch []*notification, buried int) {
	n.mu.Lock()
	n.queue.sent(batch)
	n.queue.dropped -= n.told
	n.status.Sent += len(batch) - buried
	s := &n.status
	failures, since := s.Failures, s.FailingSince
	s.Failures, s.FailingSince, s.LastError, s.Err = 0, time.Time{}, "", nil
	n.mu.Unlock()
	if failures > 0 {
		n.log.Info("notifications are sent again", "failures", failures, "after", time.Since(since))
	}
}

// failed notes and logs that a batch could not be sent, and is how long to wait.
func (n *Notifier) failed(batch []*notification, err error) (wait time.Duration) {
	n.putBack(batch)
	n.mu.Lock()
	s := &n.status
	repeated := s.LastError == err.Error()
	if s.Failures == 0 {
		s.FailingSince = time.Now().UTC()
	}
	s.Failures++
	s.LastError, s.Err = err.Error(), err
	failures, since, waiting := s.Failures, s.FailingSince, len(n.queue.waiting)
	n.mu.Unlock()
	wait = backoff.Pause(failures, 0, asked(err), ingest.NeedsAction(err))
	wait += jitter.Below(n.file, wait/10+1)
	if repeated {
		n.log.Warn("notifications still cannot be sent", "since", since, "failures", failures, "waiting", waiting, "retry_in", wait)
	} else {
		n.log.Warn("notifications cannot be sent; they wait", "error", err, "failures", failures, "waiting", waiting, "retry_in", wait)
	}
	return wait
}

// asked is how long the service asks to wait, or zero.
func asked(err error) time.Duration {
	if e, ok := errors.AsType[ingest.RetryAfterer](err); ok {
		return e.RetryAfter()
	}
	return 0
}

func (n *Notifier) isClosing() bool {
	select {
	case <-n.closing:
		return true
	default:
		return false
	}
}

// awaken waits until there may be something to send, and is false once ctx has
// ended.
func (n *Notifier) awaken(ctx context.Context) bool {
	select {
	case <-n.wake:
	case <-n.closing:
	case <-ctx.Done():
		return false
	}
	return true
}

// rest waits after a failure. Closing ends the wait, for one more attempt unless
// the service has asked to wait.
func (n *Notifier) rest(ctx context.Context, d time.Duration, err error) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-n.closing:
		return asked(err) == 0
	case <-ctx.Done():
		return false
	}
}

// pause waits between two messages, and is false once ctx has ended.
func (n *Notifier) pause(ctx context.Context, d time.Duration) bool {
	n.mu.Lock()
	idle := len(n.queue.waiting) == 0
	n.mu.Unlock()
	if idle && n.isClosing() {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
