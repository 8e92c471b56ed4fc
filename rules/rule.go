package rules

import (
	"slices"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Rule grades the entries it matches, or counts them if it has a [Burst].
// Default rules and those of a user have the same form. Of the rules of a list
// that grade, the first one that matches an entry decides.
//
// A user's rule with the id of a default rule changes the default rule: it
// states only the differences, such as the severity, and either no match or
// exactly that of the default rule. With Disabled it switches the default rule
// off.
type Rule struct {
	// ID names the rule: lower-case letters, digits and hyphens, 64 at most.
	ID string `json:"id"`
	// Title is the title of the events, one line of at most 200 bytes. See
	// [Template] for the placeholders and the square brackets it may have. The
	// default is "{words}[: {target}]".
	Title string `json:"title,omitempty"`
	// Why is a sentence on why it matters.
	Why string `json:"why,omitempty"`
	// Match selects the entries that the rule grades.
	Match Match `json:"match,omitzero"`
	// Severity is the grade. A failed attempt is graded one level lower,
	// unless the rule names an outcome.
	Severity ingest.Severity `json:"severity,omitempty"`
	// Drop, given instead of a severity, drops the entries: they are counted
	// and make no event. A rule drops failed attempts only when it names that
	// outcome. When the configuration keeps routine entries, a rule that drops
	// grades them info instead.
	Drop bool `json:"drop,omitempty"`
	// Disabled switches the rule off.
	Disabled bool `json:"disabled,omitempty"`
	// Techniques are ATT&CK technique ids, T#### or T####.###. In a rule that
	// changes a default rule, nil keeps the techniques of that rule and an empty
	// list removes them.
	Techniques []string `json:"techniques,omitzero"`
	// Burst, if not nil, makes the rule count the entries it matches instead of
	// grading them. In a rule that changes a default rule, a zero field keeps
	// that of the default rule.
	Burst *Burst `json:"burst,omitempty"`
}

// Match is the conditions of a [Rule]. All conditions stated must hold; of a
// list one match is enough. In patterns * matches any text, and case is
// ignored. No pattern, not even *, matches a value that the entry does not
// state.
type Match struct {
	// Action is the canonical action, such as "dns.record.delete" or "dns.*".
	Action []string `json:"action,omitempty"`
	// ResourceType and ActionType are Cloudflare's own names, as patterns.
	ResourceType []string `json:"resource_type,omitempty"`
	ActionType   []string `json:"action_type,omitempty"`
	// Verb is the kind of the action: create, update, delete, enable, disable,
	// reset, roll, view, login, logout, accept or deploy.
	Verb []string `json:"verb,omitempty"`
	// Outcome is success, failure or unknown.
	Outcome []string `json:"outcome,omitempty"`
	// Method is the HTTP method of the request, such as "DELETE", as a pattern.
	// Only entries of Audit Logs v2 have one.
	Method []string `json:"method,omitempty"`

	// Actor is an e-mail address or an id, as a pattern.
	Actor []string `json:"actor,omitempty"`
	// ActorType is user, system, staff (of Cloudflare) or unknown, or
	// Cloudflare's own name for the type, as a pattern.
	ActorType []string `json:"actor_type,omitempty"`
	// SourceIP are addresses or CIDR prefixes.
	SourceIP []string `json:"source_ip,omitempty"`
	// Interface is how the action was performed, such as "api" or "ui".
	Interface []string `json:"interface,omitempty"`

	// Zone is the name or the id of a zone, as a pattern.
	Zone []string `json:"zone,omitempty"`
	// Production is whether the zone is in production. An entry without a zone
	// counts as production.
	Production *bool `json:"production,omitempty"`
	// AccountWide is whether a ruleset belongs to the account as a whole.
	AccountWide *bool `json:"account_wide,omitempty"`
	// OwnToken is whether the entry is about the connector's own API token, if
	// the configuration names it.
	OwnToken *bool `json:"own_token,omitempty"`
	// Target is the name that events give the resource acted upon, as a
	// pattern.
	Target []string `json:"target,omitempty"`

	// RecordType is the type of a DNS record, or unknown.
	RecordType []string `json:"record_type,omitempty"`
	// Setting is the name of a zone setting, or group/name with the group that
	// Cloudflare puts it in, as a pattern: "ssl", "firewall/*".
	Setting []string `json:"setting,omitempty"`
	// Direction is weaker or safer for a change that moved a protection, and
	// none for one that did not or whose direction is unknown.
	Direction []string `json:"direction,omitempty"`
	// Role is the role given to a member: super_administrator, other, unknown,
	// or unchanged.
	Role []string `json:"role,omitempty"`
	// Scope is how much an API token may do: broad, narrow or unknown.
	Scope []string `json:"scope,omitempty"`
	// Worker is whether the script of a route or of a deployment is verified
	// or unverified, or none for a route that has none.
	Worker []string `json:"worker,omitempty"`
	// Decision is what an Access policy decides, such as "bypass".
	Decision []string `json:"decision,omitempty"`
	// Changed are fields that changed. One of them is enough.
	Changed []Change `json:"changed,omitempty"`
}

// Change is a field that changed, as patterns. An empty Old or New fits any
// value.
type Change struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

// Verdict is the grade of an entry.
type Verdict struct {
	// Rule is the id of the rule that decided.
	Rule string
	// Title and Why are those of the rule, with the placeholders of the title
	// filled in. Both are empty when the entry is dropped.
	Title, Why string
	// Severity is the grade. It is [ingest.Info] when the entry is dropped.
	Severity ingest.Severity
	// Drop says that the entry makes no event.
	Drop bool
	// Burst says that the event is about a burst, and not about an entry of its
	// own; see [Burst].
	Burst bool
	// Techniques are ATT&CK technique ids. They are shared: do not change them.
	Techniques []string
}

// clone is a deep copy of r.
func (r *Rule) clone() Rule {
	c := *r
	c.Techniques = slices.Clone(c.Techniques)
	c.Match.Changed = slices.Clone(c.Match.Changed)
	if c.Burst != nil {
		c.Burst = new(*c.Burst)
	}
	for _, of := range conditions {
		if of.list != nil {
			list := of.list(&c.Match)
			*list = slices.Clone(*list)
		} else if flag := of.flag(&c.Match); *flag != nil {
			*flag = new(**flag)
		}
	}
	return c
}

// cloneAll clones each of a list of rules.
func cloneAll(list []Rule) []Rule {
	clones := make([]Rule, len(list))
	for i := range list {
		clones[i] = list[i].clone()
	}
	return clones
}

// isZero reports whether m has no condition at all.
func (m *Match) isZero() bool { return m.equal(new(Match)) }

// equal reports whether m and other are written alike.
func (m *Match) equal(other *Match) bool {
	for _, of := range conditions {
		if of.list != nil {
			if !slices.Equal(*of.list(m), *of.list(other)) {
				return false
			}
			continue
		}
		a, b := *of.flag(m), *of.flag(other)
		if (a == nil) != (b == nil) || a != nil && *a != *b {
			return false
		}
	}
	return slices.Equal(m.Changed, other.Changed)
}

// isNarrow reports whether m is specific enough for a rule that drops.
func (m *Match) isNarrow() bool {
	for _, of := range conditions {
		if !of.narrows {
			continue
		}
		list := *of.list(m)
		if len(list) > 0 && !slices.ContainsFunc(list, isWide) {
			return true
		}
	}
	return false
}
