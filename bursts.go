package cloudflareaudit

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/burst"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// burstAction precedes the id of the rule in the action of an event about a
// burst.
const burstAction = "burst."

// IsBurst reports whether an event is about a burst, and not about an entry of
// its own: one actor has done more within a span of time than a rule allows. See
// [Burst].
func IsBurst(e *ingest.Event) bool { return strings.HasPrefix(e.Action, burstAction) }

// counted reports whether an entry counts towards bursts. What is graded info,
// or dropped, is routine: an exception in the rules for one's own tools holds for
// bursts too.
func counted(v Verdict) bool { return v.Severity != ingest.Info }

// count counts the entry, whose event is built, for the rules that count.
func (w *work) count(n *Normalizer, v Verdict, event *ingest.Event, t *burst.Tracker) {
	if !counted(v) {
		return
	}
	w.bursts = n.classifier.Bursts(&w.facts.Facts, w.bursts[:0])
	if len(w.bursts) == 0 {
		return
	}
	a := &event.Audit
	e := burst.Entry{
		ID: event.ExternalID, When: w.entry.When, Log: a.API, Account: a.AccountID,
		Actor: burst.Actor{ID: a.ActorID, Type: a.ActorType, Email: a.ActorEmail, Shown: event.Actor},
	}
	for _, rule := range w.bursts {
		t.Count(rule, &e)
	}
}

// burstEvent is the event of an alarm, and its verdict.
func burstEvent(a burst.Alarm) (ingest.Event, Verdict) {
	r := a.Rule
	v := Verdict{Rule: r.ID, Title: r.Title(a.Actor.Shown), Why: r.Why, Severity: r.Severity, Techniques: r.Techniques, Burst: true}
	return ingest.Event{
		Source: eventSource, Category: eventCategory, ExternalID: a.IDText(),
		Title: v.Title, Severity: v.Severity, Action: burstAction + r.ID,
		Actor: a.Actor.Shown, CreatedAt: a.At, MITRETechniques: v.Techniques,
		RawEvent: burstSummary(&a),
		Audit: ingest.Audit{
			ActorID: a.Actor.ID, ActorType: a.Actor.Type, ActorEmail: a.Actor.Email, AccountID: a.Account,
			Rule: r.ID, Why: r.Why, CorrelationID: ingest.CorrelationID(a.ID),
		},
	}, v
}

// raiseSaved raises the alarm that a saved event is about, if the rules in force
// still raise it.
func (s *Series) raiseSaved(event jsondoc.Value) {
	told, about := savedBurst(event), event.Get("audit")
	rule := s.normalizer.classifier.BurstRule(told.Get("rule").Text())
	count, _ := strconv.Atoi(told.Get("count").Text())
	if rule == nil || count < rule.Count || told.Get("within").Text() != rules.SpanText(rule.Within) {
		return
	}
	who := burst.Actor{
		ID: oneLine(about.Get("actor_id").Text()), Type: oneLine(about.Get("actor_type").Text()),
		Email: oneLine(about.Get("actor_email").Text()), Shown: oneLine(event.Get("actor").Text()),
	}
	account := cmp.Or(s.normalizer.accountID, oneLine(about.Get("account_id").Text()))
	s.bursts.Raise(rule, account, who, audit.TimeOf(event.Get("created_at")))
}

// savedBurst is what a saved event says of its burst, or the missing value. A
// store may hold raw_event as text.
func savedBurst(event jsondoc.Value) jsondoc.Value {
	if !event.Exists() || !strings.HasPrefix(event.Get("action").Text(), burstAction) {
		return jsondoc.Value{}
	}
	raw := event.Get("raw_event")
	if raw.Kind() == jsondoc.String {
		raw = raw.Inner()
	}
	return raw.Get("burst")
}

// burstSummary says what to look for to find the entries of a burst.
func burstSummary(a *burst.Alarm) ingest.RawJSON {
	quote := jsondoc.Quote
	return ingest.RawJSON(`{"burst":{"rule":` + quote(a.Rule.ID) + `,"count":` + strconv.Itoa(a.Rule.Count) +
		`,"within":` + quote(rules.SpanText(a.Rule.Within)) + `,"actor":` + quote(a.Actor.Shown) +
		`,"since":` + quote(a.Since.Format(time.RFC3339)) + `,"before":` + quote(a.Before.Format(time.RFC3339)) + `}}`)
}

// Begin implements [feed.Handler]: it delivers the bursts that did not fit into
// the last batch. Without what was counted before, a burst that is under way may
// be missed or reported again, but no entry is.
func (in *intake) Begin(memory json.RawMessage) feed.Kept {
	t, err := burst.Load(memory, in.normalizer.classifier)
	if err != nil {
		notice := "bursts are counted anew, because their counters in the cursor cannot be used: " + err.Error()
		in.notices = append(in.notices, notice)
		in.logger.Warn(notice)
		t = burst.NewTracker()
	}
	in.bursts = t
	return feed.Kept{Events: in.addBursts()}
}

// End implements [feed.Handler].
func (in *intake) End(open func(log string, first, last time.Time) bool) json.RawMessage {
	if n := in.bursts.Forgotten(); n > 0 {
		notice := "too much is done at once to count all of it: some bursts may go unnoticed"
		in.notices = append(in.notices, notice)
		in.logger.Warn(notice, "entries", n)
	}
	in.bursts.Prune(open)
	return in.bursts.Save()
}

// addBursts adds the events of bursts to the batch, as far as there is room,
// and returns how many.
func (in *intake) addBursts() (n int) {
	for in.bursts.Due() && len(in.events) < in.most {
		event, _ := burstEvent(in.bursts.Take())
		in.events = append(in.events, event)
		n++
	}
	in.raised += n
	return n
}
