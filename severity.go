package cloudflareaudit

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Rule grades the entries it matches. The rules of [DefaultRules] are such
// rules, and so are those a user puts in front of them; of a list of rules the
// first one that matches an entry decides.
//
// A user's rule with the id of a default rule changes that one: it states what
// is to be different, such as the severity, and no match. With Disabled it
// switches the default rule off.
type Rule struct {
	// ID names the rule: lower-case letters, digits and hyphens.
	ID string `json:"id"`
	// Title is the title of the events. A placeholder such as {target} stands
	// for what the entry says; see the list below. A part in square brackets
	// is the detail that tells one incident from another. It is left out where
	// one of its placeholders has no value, and from events graded low or info,
	// so that routine work does not make an alert of every single change.
	//
	// The placeholders are action, actor, decision, new, old, record_type,
	// role, scope, setting, target, worker and zone. {old} and {new} are the
	// values of the first field that changed.
	Title string `json:"title,omitempty"`
	// Why says in a sentence why it matters.
	Why string `json:"why,omitempty"`
	// Match says which entries the rule is for.
	Match Match `json:"match,omitzero"`
	// Severity is the grade. A failed attempt is graded one level lower,
	// unless the rule names an outcome.
	Severity ingest.Severity `json:"severity,omitempty"`
	// Drop drops the entries instead: they are counted and make no event. It
	// stands in place of a severity. A rule drops failed attempts only when it
	// names that outcome, and none at all while the configuration says not to
	// drop what is routine: then their severity is info.
	Drop bool `json:"drop,omitempty"`
	// Disabled switches the rule off.
	Disabled bool `json:"disabled,omitempty"`
	// Techniques are ATT&CK technique ids, T#### or T####.###.
	Techniques []string `json:"techniques,omitempty"`
}

// Match is the conditions of a [Rule]. All that are stated must hold; of a list
// one element is enough. Where patterns are allowed * stands for any text, and
// case does not matter. What an entry does not say fits no pattern.
type Match struct {
	// Action is the canonical action, such as "dns.record.delete" or "dns.*".
	Action []string `json:"action,omitempty"`
	// ResourceType and ActionType are Cloudflare's own names, as patterns.
	ResourceType []string `json:"resource_type,omitempty"`
	ActionType   []string `json:"action_type,omitempty"`
	// Verb is what the action comes down to: create, update, delete, enable,
	// disable, reset, roll, view, login, logout, accept or deploy.
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
	// Interface is how it was done, such as "api" or "ui".
	Interface []string `json:"interface,omitempty"`

	// Zone is the name or the id of a zone, as a pattern.
	Zone []string `json:"zone,omitempty"`
	// Production is whether the zone is in production. An entry of which that
	// cannot be told counts as one of production.
	Production *bool `json:"production,omitempty"`
	// AccountWide is whether a ruleset belongs to the account as a whole.
	AccountWide *bool `json:"account_wide,omitempty"`
	// OwnToken is whether the entry is about the API token that the connector
	// itself reads with, as far as the configuration names it.
	OwnToken *bool `json:"own_token,omitempty"`
	// Target is the thing acted upon as events name it, as a pattern.
	Target []string `json:"target,omitempty"`

	// RecordType is the type of a DNS record, or unknown.
	RecordType []string `json:"record_type,omitempty"`
	// Setting is the name of a zone setting, or group/name with the group that
	// Cloudflare files it under, as a pattern: "ssl", "firewall/*".
	Setting []string `json:"setting,omitempty"`
	// Direction is weaker or safer for a change that moved a protection, and
	// none for one that did not or of which it cannot be told.
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

// Change is a field that changed, as patterns. An empty pattern fits anything.
type Change struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

// Verdict is what the rules say about an entry.
type Verdict struct {
	// Rule is the id of the rule that decided.
	Rule string
	// Title and Why are those of the rule, filled in. Both are empty when the
	// entry is dropped.
	Title, Why string
	// Severity is the grade.
	Severity ingest.Severity
	// Drop says that the entry makes no event.
	Drop bool
	// Techniques are ATT&CK technique ids. They are shared: do not change them.
	Techniques []string
}

// condition is a list of patterns of a rule, ready for use.
type condition struct {
	kind  conditionKind
	globs []glob
}

type conditionKind int

const (
	onAction conditionKind = iota
	onResourceType
	onActionType
	onVerb
	onOutcome
	onMethod
	onActor
	onActorType
	onSourceIP
	onInterface
	onZone
	onTarget
	onRecordType
	onSetting
	onDirection
	onRole
	onScope
	onWorker
	onDecision

	onProduction
	onAccountWide
	onOwnToken
)

// conditions are the lists of a [Match]: their names, where they are and what
// they may hold. An empty values means patterns.
var conditions = []struct {
	kind   conditionKind
	name   string
	list   func(*Match) *[]string
	values string
	// narrows says that the condition alone is enough for a rule that drops.
	narrows bool
}{
	{onAction, "action", func(m *Match) *[]string { return &m.Action }, "", true},
	{onResourceType, "resource_type", func(m *Match) *[]string { return &m.ResourceType }, "", true},
	{onActionType, "action_type", func(m *Match) *[]string { return &m.ActionType }, "", true},
	{onVerb, "verb", func(m *Match) *[]string { return &m.Verb }, "create update delete enable disable reset roll view login logout accept deploy", false},
	{onOutcome, "outcome", func(m *Match) *[]string { return &m.Outcome }, "success failure unknown", false},
	{onMethod, "method", func(m *Match) *[]string { return &m.Method }, "", false},
	{onActor, "actor", func(m *Match) *[]string { return &m.Actor }, "", true},
	{onActorType, "actor_type", func(m *Match) *[]string { return &m.ActorType }, "", false},
	{onSourceIP, "source_ip", func(m *Match) *[]string { return &m.SourceIP }, "", true},
	{onInterface, "interface", func(m *Match) *[]string { return &m.Interface }, "", false},
	{onZone, "zone", func(m *Match) *[]string { return &m.Zone }, "", true},
	{onTarget, "target", func(m *Match) *[]string { return &m.Target }, "", true},
	{onRecordType, "record_type", func(m *Match) *[]string { return &m.RecordType }, "", true},
	{onSetting, "setting", func(m *Match) *[]string { return &m.Setting }, "", true},
	{onDirection, "direction", func(m *Match) *[]string { return &m.Direction }, "weaker safer none", false},
	{onRole, "role", func(m *Match) *[]string { return &m.Role }, "super_administrator other unknown unchanged", false},
	{onScope, "scope", func(m *Match) *[]string { return &m.Scope }, "broad narrow unknown", false},
	{onWorker, "worker", func(m *Match) *[]string { return &m.Worker }, "verified unverified none", false},
	{onDecision, "decision", func(m *Match) *[]string { return &m.Decision }, "", true},
}

// flags are the conditions of a [Match] that are true or false.
var flags = []struct {
	kind conditionKind
	name string
	flag func(*Match) **bool
}{
	{onProduction, "production", func(m *Match) **bool { return &m.Production }},
	{onAccountWide, "account_wide", func(m *Match) **bool { return &m.AccountWide }},
	{onOwnToken, "own_token", func(m *Match) **bool { return &m.OwnToken }},
}

// The names of the members of a rule and of its match.
var (
	ruleKeys   = []string{"id", "title", "why", "match", "severity", "drop", "disabled", "techniques"}
	matchKeys  = append(conditionNames(), "changed")
	changeKeys = []string{"field", "old", "new"}
)

func conditionNames() []string {
	var names []string
	for _, c := range conditions {
		names = append(names, c.name)
	}
	for _, f := range flags {
		names = append(names, f.name)
	}
	return names
}

// glob is a pattern in lower case in which * stands for any text.
type glob struct {
	text string
	wild bool
}

func newGlob(pattern string) glob {
	return glob{strings.ToLower(pattern), strings.Contains(pattern, "*")}
}

// match reports whether s fits, in whatever case it is written.
func (g glob) match(s string) bool {
	if !g.wild {
		return strings.EqualFold(g.text, s)
	}
	if !isASCII(s) {
		s = strings.ToLower(s)
	}
	// star is behind the last *, and back is where it stopped to swallow.
	p, i, star, back := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(g.text) && g.text[p] == '*':
			p++
			star, back = p, i
		case p < len(g.text) && g.text[p] == lower(s[i]):
			p++
			i++
		case star >= 0:
			back++
			p, i = star, back
		default:
			return false
		}
	}
	return strings.Trim(g.text[p:], "*") == ""
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func matchAny(globs []glob, s string) bool {
	for _, g := range globs {
		if g.match(s) {
			return true
		}
	}
	return false
}

// compiledRule is a rule ready for use.
type compiledRule struct {
	Rule
	conditions []condition
	flags      []flagCondition
	prefixes   []netip.Prefix
	changed    []changeGlobs
	title      template
	// own says that the title is not that of the default rules.
	own bool
}

// flagCondition is a condition that is true or false, ready for use.
type flagCondition struct {
	kind conditionKind
	name string
	want bool
}

// changeGlobs is a [Change] ready for use.
type changeGlobs struct{ field, old, new glob }

// classifierConfig is what the severity of an entry depends on.
type classifierConfig struct {
	ProductionZones []string
	VerifiedWorkers []string
	DropRoutine     bool
	Rules           []Rule
	// Paired says that entries come from both logs, so that titles and techniques
	// must not depend on what only one of them knows.
	Paired bool
}

// classifier grades entries. It is safe for concurrent use.
type classifier struct {
	zones, zoneIDs []glob
	workers        []glob
	dropRoutine    bool
	paired         bool
	rules          *ruleTable
}

// ruleTable holds compiled rules in their order. Trying all hundred of them on
// every entry would cost more than decoding it, so for each action that is known
// or that a rule names there is a list of those that are about it.
type ruleTable struct {
	all      []*compiledRule
	byAction map[string][]*compiledRule
	// others are the rules for all other actions: those with a pattern, or
	// without a condition on the action.
	others []*compiledRule
}

// defaultTable is shared by all connectors without rules of their own.
var defaultTable = sync.OnceValue(func() *ruleTable { return newRuleTable(defaultRules) })

// newClassifier compiles the rules of cfg in front of the default ones. Its
// error has a [FieldError] for every fault of cfg.
func newClassifier(cfg classifierConfig) (*classifier, error) {
	c := &classifier{dropRoutine: cfg.DropRoutine, paired: cfg.Paired}
	var faults []error
	for _, zone := range cfg.ProductionZones {
		switch fault := checkZone(zone); {
		case fault != "":
			faults = append(faults, &FieldError{Field: "production_zones", Value: zone, Allowed: fault})
		case isHexID(zone):
			c.zoneIDs = append(c.zoneIDs, newGlob(zone))
		default:
			c.zones = append(c.zones, newGlob(asciiZone(zoneName(zone))))
		}
	}
	for _, worker := range cfg.VerifiedWorkers {
		if fault := checkGlob(worker); fault != "" {
			faults = append(faults, &FieldError{Field: "verified_workers", Value: worker, Allowed: fault})
		}
		c.workers = append(c.workers, newGlob(worker))
	}
	if len(cfg.Rules) == 0 {
		c.rules = defaultTable()
	} else {
		rules, ruleFaults := combine(cfg.Rules)
		faults = append(faults, ruleFaults...)
		c.rules = newRuleTable(rules)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return c, nil
}

// combine puts the user's rules in front of the default ones and makes the
// changes to those that they ask for.
func combine(user []Rule) (rules []Rule, faults []error) {
	faults = checkRules(user)
	if len(faults) > 0 {
		return nil, faults
	}
	defaults := DefaultRules()
	for _, r := range user {
		i := slices.IndexFunc(defaults, func(d Rule) bool { return d.ID == r.ID })
		if i < 0 {
			rules = append(rules, r)
			continue
		}
		d := &defaults[i]
		if r.Title != "" {
			d.Title = r.Title
		}
		if r.Why != "" {
			d.Why = r.Why
		}
		if r.Severity != "" || r.Drop {
			d.Severity, d.Drop = r.Severity, r.Drop
		}
		if r.Techniques != nil {
			d.Techniques = r.Techniques
		}
		d.Disabled = r.Disabled
	}
	return slices.DeleteFunc(append(rules, defaults...), func(r Rule) bool { return r.Disabled }), nil
}

func compile(r Rule) *compiledRule {
	c := &compiledRule{Rule: r}
	if r.Drop && len(r.Match.Outcome) == 0 {
		// A failed attempt is never routine.
		c.Match.Outcome = []string{"success", "unknown"}
	}
	for _, of := range conditions {
		list := *of.list(&c.Match)
		if len(list) == 0 {
			continue
		}
		if of.kind == onSourceIP {
			for _, s := range list {
				c.prefixes = append(c.prefixes, parsePrefix(s))
			}
		}
		cond := condition{kind: of.kind}
		for _, s := range list {
			if of.kind == onZone {
				s = asciiZone(zoneName(s))
			}
			cond.globs = append(cond.globs, newGlob(s))
		}
		c.conditions = append(c.conditions, cond)
	}
	for _, of := range flags {
		if want := *of.flag(&c.Match); want != nil {
			c.flags = append(c.flags, flagCondition{of.kind, of.name, *want})
		}
	}
	for _, change := range r.Match.Changed {
		c.changed = append(c.changed, changeGlobs{newGlob(change.Field), newGlob(change.Old), newGlob(change.New)})
	}
	title := r.Title
	c.own = title != defaultTitles()[r.ID]
	if title == "" {
		title = "Cloudflare {action}[: {target}]"
	}
	c.title, _ = parseTemplate(title)
	return c
}

// newRuleTable compiles rules and sorts them by the actions they are about.
func newRuleTable(rules []Rule) *ruleTable {
	t := &ruleTable{byAction: make(map[string][]*compiledRule)}
	for name := range namings {
		t.byAction[name] = nil
	}
	for _, r := range rules {
		compiled := compile(r)
		t.all = append(t.all, compiled)
		wide := len(r.Match.Action) == 0
		for _, action := range compiled.globs(onAction) {
			wide = wide || action.wild
			if !action.wild {
				t.byAction[action.text] = nil
			}
		}
		if wide {
			t.others = append(t.others, compiled)
		}
	}
	for name := range t.byAction {
		for _, r := range t.all {
			if len(r.Match.Action) == 0 || matchAny(r.globs(onAction), name) {
				t.byAction[name] = append(t.byAction[name], r)
			}
		}
	}
	return t
}

// of are the rules that may be about an action. All are where it is known.
func (t *ruleTable) of(action string) (rules []*compiledRule, known bool) {
	if rules, known = t.byAction[action]; known {
		return rules, true
	}
	return t.others, false
}

// globs are the patterns of one condition.
func (r *compiledRule) globs(kind conditionKind) []glob {
	for i := range r.conditions {
		if r.conditions[i].kind == kind {
			return r.conditions[i].globs
		}
	}
	return nil
}

// graded is an entry in the course of being graded.
type graded struct {
	c *classifier
	e *entry
	f *facts
	// production is worked out once, when a rule first asks: 1 yes, -1 no.
	production int
	// byAction says that only rules about the action are tried.
	byAction bool
}

// classify grades an entry.
func (c *classifier) classify(e *entry, f *facts) Verdict {
	g := graded{c: c, e: e, f: f}
	var rules []*compiledRule
	rules, g.byAction = c.rules.of(f.name)
	for _, r := range rules {
		if g.failing(r) == "" {
			return c.verdict(r, e, f)
		}
	}
	// The last of the default rules matches everything and cannot be switched
	// off, so this is out of reach.
	return Verdict{Rule: "none", Title: "Cloudflare audit entry", Severity: ingest.Low}
}

func (c *classifier) verdict(r *compiledRule, e *entry, f *facts) Verdict {
	if r.Drop && c.dropRoutine {
		return Verdict{Rule: r.ID, Severity: ingest.Info, Drop: true}
	}
	v := Verdict{Rule: r.ID, Why: r.Why, Severity: r.Severity, Techniques: r.Techniques}
	if r.Drop {
		v.Severity = ingest.Info
	}
	// A rule that names the outcome has a grade and a title for it.
	failed := e.outcome == outcomeFailure && len(r.Match.Outcome) == 0
	if failed {
		v.Severity = lowered(v.Severity)
	}
	if c.paired {
		c.alike(&v, r, e, f, failed)
	} else {
		v.Title = r.title.render(e, f, v.Severity, failed)
	}
	return v
}

// lowered is the severity one level below s.
func lowered(s ingest.Severity) ingest.Severity {
	switch s {
	case ingest.Critical:
		return ingest.High
	case ingest.High:
		return ingest.Medium
	case ingest.Medium:
		return ingest.Low
	}
	return ingest.Info
}

// failing is the name of the first condition of r that does not hold, or "" when
// r matches.
func (g *graded) failing(r *compiledRule) string {
	for i := range r.conditions {
		if c := &r.conditions[i]; !g.holds(r, c) {
			return conditions[c.kind].name
		}
	}
	for i := range r.flags {
		if f := &r.flags[i]; g.is(f.kind) != f.want {
			return f.name
		}
	}
	if len(r.changed) > 0 && !g.changed(r.changed) {
		return "changed"
	}
	return ""
}

func (g *graded) holds(r *compiledRule, c *condition) bool {
	switch {
	case c.kind == onAction && g.byAction:
		return true
	case c.kind == onSourceIP:
		return slices.ContainsFunc(r.prefixes, func(p netip.Prefix) bool { return p.Contains(g.e.actorIP) })
	}
	text, other := g.said(c.kind)
	for _, glob := range c.globs {
		if text != "" && glob.match(text) {
			return true
		}
		// Only a pattern with a slash is about the group of a setting.
		if other != "" && (c.kind != onSetting || strings.Contains(glob.text, "/")) && glob.match(other) {
			return true
		}
	}
	return false
}

// is answers a condition that is true or false.
func (g *graded) is(kind conditionKind) bool {
	switch kind {
	case onProduction:
		return g.inProduction()
	case onAccountWide:
		return g.f.accountWide
	}
	return g.f.ownToken
}

// said is what the entry says about a condition, in one or two forms. It is
// empty where the entry says nothing.
func (g *graded) said(kind conditionKind) (text, other string) {
	e, f := g.e, g.f
	switch kind {
	case onAction:
		return f.name, ""
	case onResourceType:
		return e.resourceType, ""
	case onActionType:
		return e.actionType, ""
	case onVerb:
		return f.verb, ""
	case onOutcome:
		return or(e.outcome, "unknown"), ""
	case onMethod:
		if e.call != nil {
			return e.call.Method, ""
		}
	case onActor:
		return e.actorEmail, e.actorID
	case onActorType:
		return f.actorKind(e), e.actorType
	case onSourceIP:
		return e.srcIP, ""
	case onInterface:
		return e.iface, ""
	case onZone:
		return asciiZone(f.zoneName), f.zoneID
	case onTarget:
		return f.target, ""
	case onRecordType:
		if f.family == familyDNS {
			return or(f.recordType, "unknown"), ""
		}
	case onSetting:
		return f.setting, f.settingPath
	case onDirection:
		return or(f.direction, "none"), ""
	case onRole:
		return f.role, ""
	case onScope:
		return f.scope, ""
	case onWorker:
		return g.c.worker(f), ""
	case onDecision:
		return f.decision, ""
	}
	return "", ""
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// actorKind tells people from machinery.
func (f *facts) actorKind(e *entry) string {
	switch {
	case f.systemActor:
		return "system"
	case f.staffActor:
		return "staff"
	case e.actorType == "" && e.actorEmail == "":
		return "unknown"
	}
	return "user"
}

func (g *graded) changed(patterns []changeGlobs) bool {
	for i := range g.f.changes {
		c := &g.f.changes[i]
		for _, p := range patterns {
			if p.field.match(c.Field) && (p.old.text == "" || p.old.match(c.Old)) && (p.new.text == "" || p.new.match(c.New)) {
				return true
			}
		}
	}
	return false
}

func (g *graded) inProduction() bool {
	if g.production == 0 {
		g.production = -1
		if g.f.accountWide || g.c.isProduction(g.f.zoneName, g.f.zoneID) {
			g.production = 1
		}
	}
	return g.production > 0
}

// isProduction reports whether a zone is in production. Without a list every
// zone is. So is one that cannot be told: a rule of the account has no zone, and
// some entries give the id of theirs while the list has names.
func (c *classifier) isProduction(name, id string) bool {
	switch {
	case len(c.zones) == 0 && len(c.zoneIDs) == 0:
		return true
	case name != "" && matchAny(c.zones, asciiZone(name)), id != "" && matchAny(c.zoneIDs, id):
		return true
	}
	return name == "" && len(c.zones) > 0 || id == "" && len(c.zoneIDs) > 0
}

// worker is the state of the script a Workers entry is about, or "" when it is
// about something else.
func (c *classifier) worker(f *facts) string {
	switch {
	case f.family != familyWorkers:
		return ""
	case f.noScript:
		return "none"
	case f.script != "" && matchAny(c.workers, f.script):
		return "verified"
	}
	return "unverified"
}
