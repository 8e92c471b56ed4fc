package cloudflareaudit

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// correlationSpan is the span of time in which events of the same kind about the
// same thing count as one change. The entries that the two logs have of a change
// are seconds apart, so that now and then a boundary lies between them: longer
// spans part fewer pairs and join more changes that are two. docs/two-logs.md has
// the figures.
const correlationSpan = 5 * time.Minute

// joint says what both logs know of a kind of change. What only one of them
// knows must not be part of a correlation id, nor of a title when both logs are
// read.
type joint struct {
	// actions are the canonical actions, as patterns. A change for which the two
	// logs may have different actions has one row for them all.
	actions []string
	// about says more closely which changes the row is for.
	about jointScope
	// class stands for the action in a correlation id, by default the action.
	class string
	// by is the part that names the thing acted upon.
	by subjectPart
	// title is that of the events when both logs are read, if the titles of the
	// rules tell what only one log knows. All its brackets are filled in. The
	// same goes for techniques.
	title      string
	techniques []string
}

// subjectPart is a part of an entry that names the thing acted upon.
type subjectPart int

const (
	byTarget   subjectPart = iota // the name that people call it by
	byResource                    // its id
	byToken                       // the id of an API token
	byZone                        // the zone alone
	byActor                       // whoever did it alone
)

// jointScope narrows the changes that a row is for.
type jointScope int

const (
	anything     jointScope = iota
	ofRulesets              // rule sets and their rules
	ofProtection            // settings that protect something
)

func (s jointScope) has(f *facts) bool {
	switch s {
	case ofRulesets:
		return f.ruleset
	case ofProtection:
		return settingOrders[f.setting] != ""
	}
	return true
}

// joints are the kinds of changes of which the two logs do not know the same.
// The first row that fits counts. Of what no row is about both know the name of
// what is created, and the id of what is changed or deleted.
var joints = []joint{
	{actions: oneOf{"account.*", "user.*", "member.remove", "gateway.config.*"}, by: byActor},
	// v1 does not know the role, and v2 knows a removed member by another id.
	{actions: oneOf{"member.add"}, title: "Member added[: {target}]", techniques: oneOf{"T1098.003", "T1136.003"}},
	{actions: oneOf{"member.update"}, title: "Member changed[: {target}]", techniques: oneOf{"T1098.003"}},

	// v1 does not know the scopes, and v2 knows the name only where it is sent.
	{actions: oneOf{"api_token.create"}, title: "API token created[: {target}]", techniques: oneOf{"T1098.001"}},
	{actions: oneOf{"api_token.update", "api_token.enable"}, class: "api_token.update", title: "API token changed[: {target}]", techniques: oneOf{"T1098.001"}},
	{actions: oneOf{"api_token.roll"}, by: byToken, title: "API token rolled[: {target}]", techniques: oneOf{"T1098.001"}},
	{actions: oneOf{"api_token.*"}, by: byToken},

	// Of a deleted record v2 knows the id alone.
	{actions: oneOf{"dns.record.delete"}, by: byResource, title: "DNS record deleted[: {target}][ for {zone}]", techniques: oneOf{"T1485", "T1565.002"}},

	// v2 does not know what a setting was before, nor what changed in a rule set.
	{actions: oneOf{"zone.settings.update", "waf_rule.*"}, about: ofProtection, class: "zone.settings.update",
		title: "Zone protection changed: {setting}[ to {new}][ for {zone}]", techniques: oneOf{"T1562.007"}},
	{actions: oneOf{"zone.ruleset.*"}, class: "zone.ruleset", by: byZone, title: "Rule set changed[ for {zone}]"},
	{actions: oneOf{"zone.firewall.*", "firewall_rule.*", "waf_rule.*"}, about: ofRulesets, class: "zone.ruleset", by: byZone,
		title: "Rule set changed[ for {zone}]", techniques: oneOf{"T1562.007"}},
	{actions: oneOf{"zone.firewall.rule.create"}},
	{actions: oneOf{"zone.firewall.rule.delete"}, by: byResource},
	{actions: oneOf{"zone.firewall.*", "firewall_rule.*", "waf_rule.*"}, class: "zone.firewall.rule.update"},
	{actions: oneOf{"zone.settings.*"}},
	{actions: oneOf{"zone.create", "zone.delete", "zone.update", "zone.pause", "zone.unpause", "zone.cache.*", "zone.dnssec.*", "zone.hold.*"}, by: byZone},

	// v2 does not know whether a domain was locked before.
	{actions: oneOf{"registrar.domain.update", "registrar.domain.lock", "registrar.domain.unlock"}, class: "registrar.domain.update"},

	// A script that is uploaded may be new or not, for all that v2 knows.
	{actions: oneOf{"worker.script.create", "worker.script.update"}, class: "worker.script.update"},
	{actions: oneOf{"worker.script.*"}},
}

// alike gives an event the title and the techniques that both logs lead to, as
// far as what they know allows.
func (c *classifier) alike(v *Verdict, r *compiledRule, e *entry, f *facts, failed bool) {
	j := jointOf(f)
	shared := *f
	shared.target = j.subject(e, f)
	if shared.target == "" {
		shared.target = or(f.shared, f.target)
	}
	if t := jointTitles()[j.title]; t != nil && !r.own && !f.ownToken {
		v.Title = t.render(e, &shared, ingest.High, failed)
		if j.techniques != nil {
			v.Techniques = j.techniques
		}
		return
	}
	v.Title = r.title.render(e, &shared, v.Severity, failed)
}

// jointTitles are the titles of joints, ready for use.
var jointTitles = sync.OnceValue(func() map[string]template {
	titles := make(map[string]template)
	for _, j := range joints {
		if j.title != "" {
			titles[j.title], _ = parseTemplate(j.title)
		}
	}
	return titles
})

// defaultTitles are the titles of the default rules by their ids.
var defaultTitles = sync.OnceValue(func() map[string]string {
	titles := make(map[string]string)
	for _, r := range defaultRules {
		titles[r.ID] = r.Title
	}
	return titles
})

// jointByName and jointByID are for what no row is about.
var (
	jointByName = joint{}
	jointByID   = joint{by: byResource}
)

// jointOf is the row for a change.
func jointOf(f *facts) *joint {
	list, known := jointIndex[f.name]
	if !known {
		list = jointsOf(f.name)
	}
	for _, j := range list {
		if j.about.has(f) {
			return j
		}
	}
	if f.verb == verbDelete || f.verb == verbUpdate {
		return &jointByID
	}
	return &jointByName
}

// jointIndex is joints by the actions that are known. It is filled in once and
// then only read.
var jointIndex = make(map[string][]*joint)

func jointsOf(name string) []*joint {
	var list []*joint
	for i := range joints {
		for _, pattern := range joints[i].actions {
			if newGlob(pattern).match(name) {
				list = append(list, &joints[i])
				break
			}
		}
	}
	return list
}

// subject is what both logs call the thing acted upon, or "" where they have no
// name for it in common.
func (j *joint) subject(e *entry, f *facts) string {
	switch {
	case j.by == byActor || j.by == byZone:
		return ""
	case j.by == byToken && f.tokenID != "":
		return f.tokenID
	case j.by == byResource && f.resourceID(e) != "":
		return f.resourceID(e)
	}
	return or(f.shared, f.target)
}

// resourceID is the id of the thing acted upon, which the account and the user
// are not.
func (f *facts) resourceID(e *entry) string {
	switch {
	case f.recordID != "":
		return f.recordID
	case e.resourceID == e.ownerID, e.resourceID == e.actorID:
		return ""
	}
	return e.resourceID
}

// correlate is the same for the entries that both logs have of a change, as long
// as no boundary of the spans of time lies between them.
func (n *Normalizer) correlate(e *entry, f *facts, when time.Time, span time.Duration) ingest.CorrelationID {
	j := jointOf(f)
	var buf [512]byte
	b := append(buf[:0], or(n.accountID, e.account())...)
	b = append(b, 0)
	b = append(b, f.actorKey(e)...)
	b = append(b, 0)
	b = append(b, or(j.class, f.name)...)
	if e.outcome == outcomeFailure {
		b = append(b, failedSuffix...)
	}
	b = append(b, 0)
	if j.by != byActor {
		b = append(b, or(f.zoneName, f.zoneID)...)
	}
	b = append(b, 0)
	b = append(b, j.subject(e, f)...)
	b = append(b, 0)
	b = strconv.AppendInt(b, when.Unix()/int64(span/time.Second), 10)
	sum := sha256.Sum256(b)
	return ingest.CorrelationID(sum[:16])
}

// actorKey is what both logs know the actor by.
func (f *facts) actorKey(e *entry) string {
	if f.systemActor || f.staffActor {
		return f.actorKind(e)
	}
	if e.actorID != "" {
		return e.actorID
	}
	return strings.ToLower(e.actorEmail)
}

// account is the account in whose log an entry stands, as far as it says so.
func (e *entry) account() string {
	if e.call != nil {
		return e.call.accountID
	}
	return e.ownerID
}

// scope is what an entry belongs to: the user, a zone or the account. What
// belongs to the user stands in the log of every account of that user.
func (n *Normalizer) scope(e *entry, f *facts) string {
	switch {
	case e.call != nil:
		return e.call.scope
	case e.ownerID == "":
		return ""
	case e.ownerID == e.actorID, n.accountID != "" && e.ownerID != n.accountID:
		return "user"
	case f.zoneName != "" || f.zoneID != "":
		return "zone"
	}
	return "account"
}
