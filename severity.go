package cloudflareaudit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
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
}

// classifier grades entries. It is safe for concurrent use.
type classifier struct {
	zones, zoneIDs []glob
	workers        []glob
	dropRoutine    bool
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
	c := &classifier{dropRoutine: cfg.DropRoutine}
	var faults []error
	for _, zone := range cfg.ProductionZones {
		switch fault := checkZone(zone); {
		case fault != "":
			faults = append(faults, &FieldError{"production_zones", zone, fault})
		case isHexID(zone):
			c.zoneIDs = append(c.zoneIDs, newGlob(zone))
		default:
			c.zones = append(c.zones, newGlob(asciiZone(zoneName(zone))))
		}
	}
	for _, worker := range cfg.VerifiedWorkers {
		if fault := checkGlob(worker); fault != "" {
			faults = append(faults, &FieldError{"verified_workers", worker, fault})
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

// of are the rules that may be about an action.
func (t *ruleTable) of(action string) []*compiledRule {
	if rules, ok := t.byAction[action]; ok {
		return rules
	}
	return t.others
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
}

// classify grades an entry.
func (c *classifier) classify(e *entry, f *facts) Verdict {
	g := graded{c: c, e: e, f: f}
	for _, r := range c.rules.of(f.name) {
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
	v.Title = r.title.render(e, f, v.Severity, failed)
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
	if c.kind == onSourceIP {
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
	case onActor:
		return e.actorEmail, e.actorID
	case onActorType:
		return f.actorKind(e), e.actorType
	case onSourceIP:
		return addressText(e.actorIP), ""
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

// template is a title with its placeholders.
type template []templatePart

// templatePart is literal text or a placeholder. Parts of the same bracket have
// the same number; the others have 0.
type templatePart struct {
	text        string
	placeholder string
	bracket     int
}

var placeholders = []string{
	"action", "actor", "decision", "new", "old", "record_type", "role", "scope", "setting", "target", "worker", "zone",
}

// parseTemplate reads a title. Its second result says what is wrong with it.
func parseTemplate(title string) (t template, fault string) {
	bracket, brackets := 0, 0
	for title != "" {
		i := strings.IndexAny(title, "[]{}")
		if i < 0 {
			t = append(t, templatePart{text: title, bracket: bracket})
			break
		}
		if i > 0 {
			t = append(t, templatePart{text: title[:i], bracket: bracket})
		}
		switch c := title[i]; {
		case c == '[' && bracket == 0:
			brackets++
			bracket = brackets
		case c == ']' && bracket > 0:
			bracket = 0
		case c == '{':
			name, rest, closed := strings.Cut(title[i+1:], "}")
			switch {
			case !closed:
				return t, "has a { without a }"
			case !slices.Contains(placeholders, name):
				return t, "there is no placeholder {" + name + "}" + suggest(name, placeholders)
			}
			t = append(t, templatePart{placeholder: name, bracket: bracket})
			title = rest
			continue
		default:
			return t, "has a " + string(c) + " that nothing belongs to"
		}
		title = title[i+1:]
	}
	if bracket > 0 {
		return t, "has a [ without a ]"
	}
	return t, ""
}

// maxTitle bounds a title, and maxTitlePart what a placeholder stands for, in
// bytes.
const (
	maxTitle     = 200
	maxTitlePart = 100
)

func (t template) render(e *entry, f *facts, severity ingest.Severity, failed bool) string {
	detail := severity != ingest.Low && severity != ingest.Info
	if len(t) == 1 && !failed && t[0].placeholder == "" {
		return t[0].text
	}
	var buf [2 * maxTitle]byte
	b := buf[:0]
	skip := 0
	start, at := 0, 0 // where the bracket at hand began
	for _, p := range t {
		if p.bracket != at {
			at, start = p.bracket, len(b)
		}
		switch {
		case p.bracket > 0 && (!detail || p.bracket == skip):
		case p.placeholder == "":
			b = append(b, p.text...)
		default:
			text := oneLine(f.placeholder(p.placeholder, e), maxTitlePart)
			if text == "" && p.bracket > 0 {
				b, skip = b[:start], p.bracket
				continue
			}
			b = append(b, or(text, "unknown")...)
		}
	}
	title := oneLine(string(b), maxTitle)
	if failed {
		title += " (failed)"
	}
	return title
}

func (f *facts) placeholder(name string, e *entry) string {
	switch name {
	case "action":
		return f.name
	case "actor":
		return actorOf(e, f)
	case "decision":
		return f.decision
	case "new":
		if len(f.changes) > 0 {
			return f.changes[0].New
		}
	case "old":
		if len(f.changes) > 0 {
			return f.changes[0].Old
		}
	case "record_type":
		return f.recordType
	case "role":
		return f.roleName
	case "scope":
		return f.scope
	case "setting":
		return f.setting
	case "target":
		return f.target
	case "worker":
		return f.script
	case "zone":
		return f.zoneName
	}
	return ""
}

// ParseRules reads a JSON list of rules, as in the configuration field "rules".
// Where [Match] has a list, a single text will do. The error joins all the
// faults, each a [FieldError] that begins with the position and the id of its
// rule.
func ParseRules(b []byte) ([]Rule, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		at := ""
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = fmt.Sprintf("line %d: ", 1+bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte("\n")))
		}
		return nil, fmt.Errorf("must be a JSON list of rules: %s%w", at, err)
	}
	var p ruleParser
	rules := make([]Rule, len(list))
	for i, raw := range list {
		v := value(raw)
		p.begin(i, v.get("id").text())
		if v.kind() != '{' {
			p.fault("", literal(v), "must be an object")
			continue
		}
		rules[i] = p.rule(v)
	}
	p.check(rules)
	if len(p.faults) > 0 {
		return nil, errors.Join(p.errors()...)
	}
	return rules, nil
}

// ruleParser collects the faults of rules.
type ruleParser struct {
	// at and place are the rule at hand: its position, and its name in errors.
	at     int
	place  string
	faults []ruleFault
}

// ruleFault is what is wrong with the rule at a position.
type ruleFault struct {
	at  int
	err error
}

func (p *ruleParser) begin(at int, id string) {
	p.at, p.place = at, "rules["+strconv.Itoa(at)+"]"
	if id != "" {
		p.place += " " + strconv.Quote(shorten(id, 80))
	}
}

func (p *ruleParser) fault(field, value, allowed string) {
	if field != "" {
		field = ": " + field
	}
	p.faults = append(p.faults, ruleFault{p.at, &FieldError{p.place + field, value, allowed}})
}

// errors are the faults in the order of the rules.
func (p *ruleParser) errors() []error {
	slices.SortStableFunc(p.faults, func(a, b ruleFault) int { return a.at - b.at })
	errs := make([]error, len(p.faults))
	for i, f := range p.faults {
		errs[i] = f.err
	}
	return errs
}

// literal is a value as a person wrote it.
func literal(v value) string {
	if v.kind() == '"' {
		return v.text()
	}
	return string(v)
}

// members calls fn for the members of an object, of which each may be there
// once.
func (p *ruleParser) members(prefix string, v value, fn func(key string, val value)) {
	seen := make(map[string]bool)
	v.each(func(key string, val value) bool {
		if seen[key] {
			p.fault(prefix+key, "", "is there twice")
		}
		seen[key] = true
		fn(key, val)
		return true
	})
}

func (p *ruleParser) rule(v value) Rule {
	var r Rule
	p.members("", v, func(key string, val value) {
		switch key {
		case "id":
			r.ID = p.text(key, val)
		case "title":
			r.Title = p.text(key, val)
		case "why":
			r.Why = p.text(key, val)
		case "severity":
			r.Severity = ingest.Severity(p.text(key, val))
		case "drop":
			r.Drop = p.flag(key, val)
		case "disabled":
			r.Disabled = p.flag(key, val)
		case "techniques":
			r.Techniques = p.list(key, val)
		case "match":
			if val.kind() != '{' {
				p.fault(key, literal(val), "must be an object")
				break
			}
			r.Match = p.match(val)
		default:
			p.fault(key, "", "there is no such field"+suggest(key, ruleKeys))
		}
	})
	return r
}

func (p *ruleParser) match(v value) Match {
	var m Match
	p.members("match.", v, func(key string, val value) {
		field := "match." + key
		for _, c := range conditions {
			if c.name != key {
				continue
			}
			list := p.list(field, val)
			if len(list) == 0 && val.kind() == '[' {
				p.fault(field, "[]", "is empty: leave it out, or name something to match")
			}
			*c.list(&m) = list
			return
		}
		for _, f := range flags {
			if f.name == key {
				*f.flag(&m) = new(p.flag(field, val))
				return
			}
		}
		if key == "changed" {
			m.Changed = p.changes(field, val)
			return
		}
		p.fault(field, "", "there is no such condition"+suggest(key, matchKeys))
	})
	return m
}

func (p *ruleParser) text(field string, v value) string {
	if v.kind() != '"' {
		p.fault(field, literal(v), "must be text")
		return ""
	}
	return v.text()
}

// scalar reads a text, or a number or boolean as one: it is what a field may be
// changed to.
func (p *ruleParser) scalar(field string, v value) string {
	switch v.kind() {
	case '0', 't', 'f':
		return v.text()
	}
	return p.text(field, v)
}

func (p *ruleParser) flag(field string, v value) bool {
	if k := v.kind(); k != 't' && k != 'f' {
		p.fault(field, literal(v), "must be true or false")
	}
	return v.kind() == 't'
}

func (p *ruleParser) list(field string, v value) []string {
	list := []string{}
	switch v.kind() {
	case '"':
		list = append(list, v.text())
	case '[':
		v.each(func(_ string, item value) bool {
			list = append(list, p.text(field, item))
			return true
		})
	default:
		p.fault(field, literal(v), "must be text or a list of texts")
	}
	return list
}

func (p *ruleParser) changes(field string, v value) []Change {
	var list []Change
	read := func(_ string, item value) bool {
		if item.kind() != '{' {
			p.fault(field, literal(item), `must be a list of objects such as {"field": "proxied", "new": "false"}`)
			return true
		}
		var c Change
		p.members(field+".", item, func(key string, val value) {
			switch key {
			case "field":
				c.Field = p.text(field+".field", val)
			case "old":
				c.Old = p.scalar(field+".old", val)
			case "new":
				c.New = p.scalar(field+".new", val)
			default:
				p.fault(field+"."+key, "", "there is no such field"+suggest(key, changeKeys))
			}
		})
		list = append(list, c)
		return true
	}
	if v.kind() == '{' {
		read("", v)
	} else {
		v.each(read)
	}
	if len(list) == 0 {
		p.fault(field, "", `must be a list of objects such as {"field": "proxied", "new": "false"}`)
	}
	return list
}

// checkRules finds the faults of a user's rules.
func checkRules(rules []Rule) []error {
	var p ruleParser
	p.check(rules)
	return p.errors()
}

// check finds the faults of rules, except of those that had one already for
// which they could not be read.
func (p *ruleParser) check(rules []Rule) {
	first := make(map[string]int)
	for i := range rules {
		r := &rules[i]
		if slices.ContainsFunc(p.faults, func(f ruleFault) bool { return f.at == i }) && r.isZero() {
			continue
		}
		p.begin(i, r.ID)
		p.checkRule(r)
		if at, taken := first[r.ID]; taken && r.ID != "" {
			p.fault("id", r.ID, fmt.Sprintf("is taken by rules[%d] already", at))
		} else {
			first[r.ID] = i
		}
	}
	p.checkReach(rules)
}

func (r *Rule) isZero() bool {
	return r.ID == "" && r.Match.isZero() && r.Severity == "" && !r.Drop && !r.Disabled
}

func (p *ruleParser) checkRule(r *Rule) {
	isDefault := slices.ContainsFunc(defaultRules, func(d Rule) bool { return d.ID == r.ID })
	hasMatch := !r.Match.isZero()
	switch {
	case r.ID == "":
		p.fault("id", "", "is required")
	case strings.Trim(r.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(r.ID) > 64:
		p.fault("id", r.ID, "must be at most 64 lower-case letters, digits and hyphens")
	case isDefault && hasMatch:
		p.fault("match", "", "the id is that of a default rule: leave out match to change that rule, or choose another id")
	case !isDefault && !hasMatch:
		p.fault("match", "", "is required, because no default rule has this id"+suggest(r.ID, ruleIDs()))
	}
	switch {
	case r.Severity != "" && r.Drop:
		p.fault("drop", "", "cannot go together with a severity: leave out one of them")
	case r.Severity != "" && !r.Severity.Valid():
		p.fault("severity", string(r.Severity), "must be critical, high, medium, low or info")
	case r.Severity == "" && !r.Drop && !r.Disabled && !isDefault:
		p.fault("severity", "", "is required, unless the rule drops: critical, high, medium, low or info")
	}
	if r.ID == defaultRules[len(defaultRules)-1].ID && (r.Drop || r.Disabled) {
		p.fault("", "", "the last rule takes all that no other one matches: it may be graded, but not dropped or switched off")
	}
	if _, fault := parseTemplate(r.Title); fault != "" {
		p.fault("title", r.Title, fault)
	} else if r.Title != oneLine(r.Title, maxTitle) {
		p.fault("title", r.Title, "must be one line of at most "+strconv.Itoa(maxTitle)+" bytes")
	}
	for _, t := range r.Techniques {
		if !isTechnique(t) {
			p.fault("techniques", t, "must be an ATT&CK id such as T1098 or T1098.003")
		}
	}
	p.checkMatch(&r.Match)
	if r.Drop && hasMatch && !r.Match.isNarrow() {
		p.fault("drop", "", "the rule would drop too much: name an action, a resource type, an actor, an address or a zone")
	}
}

func (p *ruleParser) checkMatch(m *Match) {
	for _, c := range conditions {
		for _, s := range *c.list(m) {
			fault := ""
			switch values := strings.Fields(c.values); {
			case c.kind == onSourceIP:
				if !parsePrefix(s).IsValid() {
					fault = "must be an address such as 192.0.2.1 or a CIDR prefix such as 192.0.2.0/24"
				}
			case c.kind == onZone:
				fault = checkZone(s)
			case len(values) > 0 && !slices.Contains(values, s):
				fault = "must be one of " + strings.Join(values, ", ")
			default:
				fault = checkGlob(s)
			}
			if fault != "" {
				p.fault("match."+c.name, s, fault)
			}
		}
	}
	for _, c := range m.Changed {
		for _, pattern := range []struct{ name, text string }{{"field", c.Field}, {"old", c.Old}, {"new", c.New}} {
			if pattern.text == "" && pattern.name != "field" {
				continue
			}
			if fault := checkGlob(pattern.text); fault != "" {
				p.fault("match.changed."+pattern.name, pattern.text, fault)
			}
		}
	}
}

// isZero reports whether m has no condition at all.
func (m *Match) isZero() bool {
	for _, c := range conditions {
		if len(*c.list(m)) > 0 {
			return false
		}
	}
	for _, f := range flags {
		if *f.flag(m) != nil {
			return false
		}
	}
	return len(m.Changed) == 0
}

// isNarrow reports whether m leaves out enough for what it matches to be
// dropped.
func (m *Match) isNarrow() bool {
	for _, c := range conditions {
		list := *c.list(m)
		wide := func(s string) bool { return strings.Trim(s, "*.") == "" || s == "0.0.0.0/0" || s == "::/0" }
		if c.narrows && len(list) > 0 && !slices.ContainsFunc(list, wide) {
			return true
		}
	}
	return false
}

func ruleIDs() []string {
	ids := make([]string, len(defaultRules))
	for i, r := range defaultRules {
		ids[i] = r.ID
	}
	return ids
}

// checkGlob says what is wrong with a pattern, or "".
func checkGlob(s string) string {
	switch {
	case s == "":
		return "is empty"
	case strings.TrimSpace(s) != s || s != oneLine(s, 253):
		return "must be one line of at most 253 bytes without spaces around it"
	case strings.ContainsAny(s, "?[]{}\\^$|"):
		return "is not a pattern: * stands for any text, and there is nothing else"
	}
	return ""
}

// checkZone says what is wrong with the name, the id or the pattern of a zone,
// or "".
func checkZone(s string) string {
	const form = "must be the name or the id of a zone, in which * stands for any text"
	if checkGlob(s) != "" || strings.ContainsAny(s, "/:@ \t,;") {
		return form
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		switch {
		case label == "":
			return form
		case strings.Contains(label, "*") && asciiZone(label) != label:
			return "a part with other letters than a to z must not have a * in it"
		}
	}
	return ""
}

// isTechnique reports whether s has the form T#### or T####.###.
func isTechnique(s string) bool {
	const form = "T0000.000"
	if len(s) != 5 && len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if form[i] == '0' && (s[i] < '0' || s[i] > '9') || form[i] != '0' && s[i] != form[i] {
			return false
		}
	}
	return true
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
		// The addresses of entries have been unwrapped.
		return netip.PrefixFrom(addr.Unmap(), p.Bits()-96).Masked()
	}
	return p.Masked()
}

// asciiZone is the name of a zone, in lower case, with the letters outside
// ASCII in the spelling of the DNS: "bücher.example" is
// "xn--bcher-kva.example".
func asciiZone(name string) string {
	if isASCII(name) {
		return name
	}
	labels := strings.Split(name, ".")
	for i, label := range labels {
		if !isASCII(label) {
			labels[i] = "xn--" + punycode([]rune(label))
		}
	}
	return strings.Join(labels, ".")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// punycode encodes a label as RFC 3492 says.
func punycode(label []rune) string {
	const base, tMin, tMax, skew, damp = 36, 1, 26, 38, 700
	var out []byte
	for _, r := range label {
		if r < 0x80 {
			out = append(out, byte(r))
		}
	}
	basic := len(out)
	if basic > 0 {
		out = append(out, '-')
	}
	n, delta, bias := rune(0x80), 0, 72
	for handled := basic; handled < len(label); n++ {
		// The smallest character that has not been encoded yet.
		next := rune(0x7fffffff)
		for _, r := range label {
			if r >= n {
				next = min(next, r)
			}
		}
		delta += int(next-n) * (handled + 1)
		n = next
		for _, r := range label {
			if r < n {
				delta++
			}
			if r != n {
				continue
			}
			q := delta
			for k := base; ; k += base {
				t := min(max(k-bias, tMin), tMax)
				if q < t {
					break
				}
				out = append(out, "abcdefghijklmnopqrstuvwxyz0123456789"[t+(q-t)%(base-t)])
				q = (q - t) / (base - t)
			}
			out = append(out, "abcdefghijklmnopqrstuvwxyz0123456789"[q])
			// Adapt the bias.
			if handled == basic {
				delta /= damp
			} else {
				delta /= 2
			}
			handled++
			delta += delta / handled
			k := 0
			for ; delta > (base-tMin)*tMax/2; k += base {
				delta /= base - tMin
			}
			bias = k + (base-tMin+1)*delta/(delta+skew)
			delta = 0
		}
		delta++
	}
	return string(out)
}
