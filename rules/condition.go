package rules

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

// condition is everything about one condition of a [Match]. To add one, add a
// field to Match and a row to [conditions].
type condition struct {
	// name is that of the field in the JSON form of Match.
	name string
	// list is the field for a list of texts, and flag that for a boolean.
	list func(*Match) *[]string
	flag func(*Match) **bool
	// said returns what an entry says about it, for a list, in one or two
	// forms, each "" where the entry says nothing. is does so for a boolean.
	said func(*Facts, *Classifier) (first, second string)
	is   func(*Facts, *Classifier) bool
	// values are the texts that are allowed. Without any, all patterns are.
	values []string
	// narrows says that the condition alone makes a rule narrow enough to drop.
	narrows bool
	// about are the prefixes of the canonical actions whose entries can state
	// it. Without any, all entries can.
	about []string
	// check returns the fault of a pattern, or "". The default is checkGlob.
	check func(string) string
	// spell normalises the spelling of a pattern before comparison.
	spell func(string) string
	// prefixes says that the texts are addresses and prefixes, not patterns.
	prefixes bool
	// slashed says that patterns with a slash, and only these, are compared
	// with the second form.
	slashed bool
}

// The actions that some conditions are about.
var (
	aboutAccount  = []string{"account.", "member.", "user_group.", "user."}
	aboutTokens   = []string{"api_token.", "api_key."}
	aboutFirewall = []string{"zone.firewall.", "firewall_rule.", "waf_rule."}
	aboutSettings = []string{"account.", "member.", "user_group.", "user.",
		"zone.firewall.", "firewall_rule.", "waf_rule.", "zone.", "registrar."}
)

// conditions are the conditions of a [Match] in the order in which they are
// checked and explained. The changed fields are not among them and come last.
var conditions = []*condition{
	onAction,
	{name: "resource_type", narrows: true,
		list: func(m *Match) *[]string { return &m.ResourceType },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.ResourceType, "" }},
	{name: "action_type", narrows: true,
		list: func(m *Match) *[]string { return &m.ActionType },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.ActionType, "" }},
	onVerb,
	{name: "outcome",
		list:   func(m *Match) *[]string { return &m.Outcome },
		said:   func(f *Facts, _ *Classifier) (_, _ string) { return f.outcome(), "" },
		values: []string{"success", "failure", "unknown"}},
	{name: "method",
		list: func(m *Match) *[]string { return &m.Method },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.Method, "" }},
	{name: "actor", narrows: true,
		list: func(m *Match) *[]string { return &m.Actor },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.ActorEmail, f.ActorID }},
	{name: "actor_type",
		list: func(m *Match) *[]string { return &m.ActorType },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.ActorKind, f.ActorType }},
	{name: "source_ip", narrows: true, prefixes: true, check: checkPrefix,
		list: func(m *Match) *[]string { return &m.SourceIP },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.SourceIP, "" }},
	{name: "interface",
		list: func(m *Match) *[]string { return &m.Interface },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.Interface, "" }},
	{name: "zone", narrows: true, check: checkZone, spell: text.DNSZone,
		list: func(m *Match) *[]string { return &m.Zone },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return text.ASCIIZone(f.ZoneName), f.ZoneID }},
	{name: "target", narrows: true,
		list: func(m *Match) *[]string { return &m.Target },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.Target, "" }},
	{name: "record_type", narrows: true, about: []string{"dns."},
		list: func(m *Match) *[]string { return &m.RecordType },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.recordType(), "" }},
	{name: "setting", narrows: true, slashed: true, about: aboutSettings,
		list: func(m *Match) *[]string { return &m.Setting },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.Setting, f.SettingPath }},
	{name: "direction",
		list:   func(m *Match) *[]string { return &m.Direction },
		said:   func(f *Facts, _ *Classifier) (_, _ string) { return cmp.Or(f.Direction, "none"), "" },
		values: []string{Weaker, Safer, "none"}},
	{name: "role", about: aboutAccount,
		list:   func(m *Match) *[]string { return &m.Role },
		said:   func(f *Facts, _ *Classifier) (_, _ string) { return f.Role, "" },
		values: []string{RoleSuper, RoleOther, RoleUnknown, RoleUnchanged}},
	{name: "scope", about: aboutTokens,
		list:   func(m *Match) *[]string { return &m.Scope },
		said:   func(f *Facts, _ *Classifier) (_, _ string) { return f.Scope, "" },
		values: []string{ScopeBroad, ScopeNarrow, ScopeUnknown}},
	{name: "worker", about: []string{"worker."},
		list:   func(m *Match) *[]string { return &m.Worker },
		said:   func(f *Facts, c *Classifier) (_, _ string) { return c.worker(f), "" },
		values: []string{"verified", "unverified", "none"}},
	{name: "decision", narrows: true, about: []string{"access_", "identity_provider."},
		list: func(m *Match) *[]string { return &m.Decision },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.Decision, "" }},

	{name: "production",
		flag: func(m *Match) **bool { return &m.Production },
		is:   func(f *Facts, c *Classifier) bool { return f.AccountWide || c.isProduction(f.ZoneName, f.ZoneID) }},
	{name: "account_wide", about: aboutFirewall,
		flag: func(m *Match) **bool { return &m.AccountWide },
		is:   func(f *Facts, _ *Classifier) bool { return f.AccountWide }},
	{name: "own_token", about: aboutTokens,
		flag: func(m *Match) **bool { return &m.OwnToken },
		is:   func(f *Facts, _ *Classifier) bool { return f.OwnToken }},
}

// The conditions with special treatment: rules are looked up by action, and the
// verb follows from the action.
var (
	onAction = &condition{name: "action", narrows: true, check: checkAction,
		list: func(m *Match) *[]string { return &m.Action },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.Action, "" }}
	onVerb = &condition{name: "verb",
		list: func(m *Match) *[]string { return &m.Verb },
		said: func(f *Facts, _ *Classifier) (_, _ string) { return f.Verb, "" },
		values: []string{"create", "update", "delete", "enable", "disable", "reset", "roll",
			"view", "login", "logout", "accept", "deploy"}}
)

// changedName is the name of the condition on changed fields.
const changedName = "changed"

// conditionNames are the names of all conditions in their order.
var conditionNames = func() []string {
	var names []string
	for _, of := range conditions {
		names = append(names, of.name)
	}
	return append(names, changedName)
}()

// conditionNamed is the row of a condition, or nil.
func conditionNamed(name string) *condition {
	for _, of := range conditions {
		if of.name == name {
			return of
		}
	}
	return nil
}

// outcome is the outcome in the words of a condition.
func (f *Facts) outcome() string {
	switch {
	case f.Failed:
		return "failure"
	case f.Succeeded:
		return "success"
	}
	return "unknown"
}

// recordType is the type of the DNS record that an entry is about, or "".
func (f *Facts) recordType() string {
	if !f.IsRecord {
		return ""
	}
	return cmp.Or(f.RecordType, "unknown")
}

// isWide reports whether a pattern or a prefix matches everything.
func isWide(s string) bool {
	return strings.Trim(s, "*.") == "" || s == "0.0.0.0/0" || s == "::/0"
}

// parsePrefix reads an address or a CIDR prefix. The result is not valid when s
// is neither.
func parsePrefix(s string) netip.Prefix {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}
	}
	if addr := p.Addr(); addr.Is4In6() {
		// The addresses of entries are already unmapped.
		return netip.PrefixFrom(addr.Unmap(), p.Bits()-96).Masked()
	}
	return p.Masked()
}
