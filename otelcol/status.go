package otelcol

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// status tells the collector how the accounts fare, as one status for all.
//
// What is tried again is a recoverable error, also when a person has to act: the
// collector never takes back a permanent one, so that after the token got its
// permission, or the limit was raised, the status would be wrong until the next
// restart. Permanent is what is not tried again.
type status struct {
	host component.Host

	mu sync.Mutex
	// failing are the errors that are tried again, and halted those that are
	// not, by account.
	failing, halted map[string]error
	// told is the text of what was last reported, or empty for OK.
	told string
	// closed says that the collector stops the receiver, and takes no more.
	closed bool
}

func newStatus(host component.Host) *status {
	return &status{host: host, failing: make(map[string]error), halted: make(map[string]error)}
}

// retrying notes that an account fails and is tried again, or that it does not
// when err is nil.
func (s *status) retrying(account string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.failing, account)
	} else {
		s.failing[account] = err
	}
	s.tell()
}

// halt notes that an account is not read any more.
func (s *status) halt(account string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halted[account] = err
	s.tell()
}

// close ends the reports.
func (s *status) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// tell reports what has changed. After a permanent error the collector accepts
// only further ends.
func (s *status) tell() {
	kind, troubles := componentstatus.StatusRecoverableError, s.failing
	switch {
	case len(s.halted) > 0:
		kind, troubles = componentstatus.StatusPermanentError, s.halted
	case len(s.failing) == 0:
		kind = componentstatus.StatusOK
	}
	err := join(troubles)
	text := ""
	if err != nil {
		text = err.Error()
	}
	permanent := kind == componentstatus.StatusPermanentError
	if s.closed || text == s.told || permanent && len(s.halted) > 1 {
		return
	}
	s.told = text
	about := pcommon.NewMap()
	about.PutBool("needs_action", permanent || ingest.NeedsAction(err))
	componentstatus.ReportStatus(s.host, componentstatus.NewEvent(kind,
		componentstatus.WithError(err), componentstatus.WithAttributes(about)))
}

// join is the errors of accounts, in their order, or nil.
func join(troubles map[string]error) error {
	var all []error
	for _, account := range slices.Sorted(maps.Keys(troubles)) {
		all = append(all, fmt.Errorf("account %s: %w", account, troubles[account]))
	}
	return errors.Join(all...)
}
