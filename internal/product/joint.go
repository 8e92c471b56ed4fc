package product

import (
	"cmp"
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// CorrelationSpan is the span of time in which events of the same kind about
// the same thing count as one change. The entries that the two logs have of a
// change are seconds apart, so occasionally a boundary lies between them:
// longer spans split fewer pairs but merge more distinct changes.
// docs/two-logs.md has the figures.
const CorrelationSpan = 5 * time.Minute

// FailedSuffix ends the action of an attempt that failed. Detections of hosts
// compare only the action, and must not match attempts that changed nothing.
const FailedSuffix = ".failed"

// joint says which details of a kind of change both logs have. A detail that
// only one has must not be part of a correlation id. Titles are made of all that an
// entry says, so those of the two entries may differ.
type joint struct {
	// actions are the canonical actions, as patterns. A change for which the
	// two logs may have different actions has one row for all of them.
	actions []string
	// about restricts the changes that the row is for. Nil means all.
	about func(*Facts) bool
	// class replaces the action in a correlation id. The default is the action.
	class string
	// by is the part that identifies the resource acted upon.
	by subjectPart
}

// subjectPart is a part of an entry that identifies the resource acted upon.
type subjectPart int

const (
	byTarget   subjectPart = iota // the name that people call it by
	byResource                    // its id
	byToken                       // the id of an API token
	byZone                        // only the zone
	byActor                       // only the actor
)

// For changes without a row, both logs have the name of a created resource and
// the id of a changed or deleted one.
var (
	jointByName = joint{}
	jointByID   = joint{by: byResource}
)

// jointOf is the row for a change.
func jointOf(f *Facts) *joint {
	list := known.joints[f.name]
	if list == nil && known.namings[f.name] == nil {
		list = jointsOf(f.name)
	}
	for _, j := range list {
		if j.about == nil || j.about(f) {
			return j
		}
	}
	if f.verb == VerbDelete || f.verb == VerbUpdate {
		return &jointByID
	}
	return &jointByName
}

// jointPattern is a pattern of the actions that a row is for.
type jointPattern struct {
	glob text.Glob
	of   *joint
}

// jointPatterns are the patterns of all rows, in the order of the families.
func jointPatterns(list []*family) []jointPattern {
	var all []jointPattern
	for _, f := range list {
		for i := range f.joints {
			for _, pattern := range f.joints[i].actions {
				all = append(all, jointPattern{text.NewGlob(pattern), &f.joints[i]})
			}
		}
	}
	return all
}

// jointsOf are the rows that may be about an action. The first one that fits
// counts.
func jointsOf(action string) []*joint {
	var list []*joint
	for i := range known.patterns {
		p := &known.patterns[i]
		if p.glob.Match(action) && (len(list) == 0 || list[len(list)-1] != p.of) {
			list = append(list, p.of)
		}
	}
	return list
}

// addJoints adds the rows of the actions in a sorted list, as jointsOf finds them.
func (x *index) addJoints(names []string) {
	for i := range x.patterns {
		p := &x.patterns[i]
		for _, name := range p.glob.Among(names) {
			list := x.joints[name]
			if p.glob.Match(name) && (len(list) == 0 || list[len(list)-1] != p.of) {
				x.joints[name] = append(list, p.of)
			}
		}
	}
}

// subject is the identifier that both logs have for the resource acted upon, or
// "" if they have none in common.
func (j *joint) subject(e *audit.Entry, f *Facts) string {
	switch {
	case j.by == byActor || j.by == byZone:
		return ""
	case j.by == byToken && f.TokenID != "":
		return f.TokenID
	case j.by == byResource && f.resourceID(e) != "":
		return f.resourceID(e)
	}
	return cmp.Or(f.shared, f.Target)
}

// resourceID is the id of the resource acted upon. The account and the user do
// not count as one.
func (f *Facts) resourceID(e *audit.Entry) string {
	switch {
	case f.recordID != "":
		return f.recordID
	case e.ResourceID == e.OwnerID, e.ResourceID == e.ActorID:
		return ""
	}
	return e.ResourceID
}

// Correlate returns the same id for the entries that both logs have of a change
// at the time when, unless a boundary of the spans of time lies between them.
// accountID is the account whose log is read.
func (f *Facts) Correlate(e *audit.Entry, accountID string, when time.Time, span time.Duration) ingest.CorrelationID {
	j := jointOf(f)
	var buf [512]byte
	b := append(buf[:0], accountID...)
	b = append(b, 0)
	b = append(b, f.actorKey(e)...)
	b = append(b, 0)
	b = append(b, cmp.Or(j.class, f.name)...)
	if f.Failed {
		b = append(b, FailedSuffix...)
	}
	b = append(b, 0)
	if j.by != byActor {
		b = append(b, cmp.Or(f.ZoneName, f.ZoneID)...)
	}
	b = append(b, 0)
	b = append(b, j.subject(e, f)...)
	b = append(b, 0)
	b = strconv.AppendInt(b, when.Unix()/int64(span/time.Second), 10)
	sum := sha256.Sum256(b)
	return ingest.CorrelationID(sum[:16])
}

// actorKey is the identifier that both logs have for the actor.
func (f *Facts) actorKey(e *audit.Entry) string {
	if f.system || f.staff {
		return f.ActorKind
	}
	if e.ActorID != "" {
		return e.ActorID
	}
	return strings.ToLower(e.ActorEmail)
}

// EntryScope is what an entry belongs to: the user, a zone or the account.
// Entries of a user are in the log of every account of that user. accountID is
// the account whose log is read, or "".
func (f *Facts) EntryScope(e *audit.Entry, accountID string) string {
	switch {
	case e.Call != nil:
		return e.Call.Scope
	case e.OwnerID == "":
		return ""
	case e.OwnerID == e.ActorID, accountID != "" && e.OwnerID != accountID:
		return "user"
	case f.ZoneName != "" || f.ZoneID != "":
		return "zone"
	}
	return "account"
}
