// Package report makes a readable report from the events of a span of time: the
// changes, their actors, the risks, and the protections still weakened at its
// end.
//
// A [Builder] gets the events, those from before the span first or last, and makes
// a [Report], which is written as one self-contained page of HTML or as text.
package report

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/selection"
	"github.com/aisoc/cloudflareaudit/internal/table"
)

// DefaultListed is how many changes a report shows one by one by default.
const DefaultListed = 1500

// Options are the settings of a report.
type Options struct {
	// Span is what the report is about.
	Span selection.Span
	// Location is the time zone of days, working hours and all times shown. Nil
	// means UTC.
	Location *time.Location
	// Hours are the working hours. The zero value means Monday to Friday, 8 to
	// 18.
	Hours Hours
	// Source says where the events come from, such as "the Cloudflare API".
	Source string
	// Generated is when the report is made.
	Generated time.Time
	// Coverage accounts for the reading, or is nil for saved events.
	Coverage *ingest.Coverage
	// Problems are the gaps in completeness that a reader should know about.
	Problems []string
	// Listed bounds how many changes are shown one by one, the riskiest first.
	// Zero means DefaultListed.
	Listed int
}

// Change is one change, or one attempt, as the report shows it. The two entries
// that both audit logs have of a change become one Change.
type Change struct {
	// Anchor is the id of the change on the page, or "" when it is not listed.
	Anchor   string
	At       time.Time
	Severity ingest.Severity
	Action   string
	// Title is the title of the event with the name of what was acted upon.
	Title  string
	Why    string
	Rule   string
	Actor  string
	Kind   Kind
	SrcIP  string
	Zone   string
	Target string
	// Product is the part of Cloudflare that it was about.
	Product    string
	Interface  string
	Token      string
	Failed     bool
	Direction  string
	Fields     []ingest.FieldChange
	Omitted    int
	Techniques []string
	// Logs are the audit logs it stands in, and IDs the ids of its events.
	Logs, IDs []string
	// NewActor, NewAddress and NewToken say that the actor, the actor at this
	// address, or the API token was not seen before the span; OffHours that a
	// person did it outside the working hours.
	NewActor, NewAddress, NewToken, OffHours bool

	account, resource, zoneID string
	correlation               ingest.CorrelationID
}

// Builder collects events. Make one with [NewBuilder].
type Builder struct {
	options  Options
	changes  []*Change
	earlier  int
	actors   map[string]bool
	address  map[[2]string]bool
	tokens   map[string]bool
	accounts map[string]bool
	first    time.Time
	last     time.Time
	untimed  int
	// leftOut are the times of the entries that a rule left out, zero where the time is
	// not known.
	leftOut []time.Time
	nothing string
}

// NewBuilder returns a Builder without events.
func NewBuilder(o Options) *Builder {
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Hours == (Hours{}) {
		o.Hours = Hours{From: 8, To: 18, Days: workdays}
	}
	if o.Listed == 0 {
		o.Listed = DefaultListed
	}
	return &Builder{
		options: o, actors: make(map[string]bool), address: make(map[[2]string]bool),
		tokens: make(map[string]bool), accounts: make(map[string]bool),
	}
}

// Earlier records an event from before the span.
func (b *Builder) Earlier(e *ingest.Event) {
	b.earlier++
	b.actors[actorKey(e)] = true
	b.tokens[tokenOf(e)] = true
	if net := netOf(e.SrcIP); net != "" {
		b.address[[2]string{actorKey(e), net}] = true
	}
	if b.first.IsZero() || e.CreatedAt.Before(b.first) {
		b.first = e.CreatedAt
	}
	if e.CreatedAt.After(b.last) {
		b.last = e.CreatedAt
	}
}

// Add adds an event of the span.
func (b *Builder) Add(e *ingest.Event) {
	at := e.CreatedAt
	if at.Year() <= 1 {
		b.untimed++
		at = b.options.Span.Since
	}
	a := &e.Audit
	c := &Change{
		At: at.In(b.options.Location), Severity: e.Severity, Action: table.Clean(e.Action), Title: table.Subject(e), Why: table.Clean(a.Why),
		Rule: table.Clean(a.Rule), Actor: table.Clean(cmp.Or(e.Actor, "unknown")), Kind: kindOf(e), SrcIP: table.Clean(e.SrcIP),
		Zone: table.Clean(cmp.Or(a.ZoneName, a.ZoneID)), Target: table.Clean(a.Target), Product: product(table.Clean(e.Action)),
		Interface: table.Clean(a.Interface), Token: tokenOf(e), Failed: a.Outcome == "failure",
		Direction: a.Direction, Omitted: a.ChangesOmitted,
		Logs: []string{table.Clean(a.API)}, IDs: []string{table.Clean(e.ExternalID)},
		account: a.AccountID, resource: a.ResourceID, zoneID: a.ZoneID, correlation: a.CorrelationID,
	}
	for _, technique := range e.MITRETechniques {
		c.Techniques = append(c.Techniques, table.Clean(technique))
	}
	if !c.Severity.Valid() {
		c.Severity = ingest.Info
	}
	for _, f := range a.Changes {
		c.Fields = append(c.Fields, ingest.FieldChange{Field: table.Clean(f.Field), Old: table.Clean(f.Old), New: table.Clean(f.New)})
	}
	c.OffHours = c.Kind == Person && c.Interface != "API" && e.CreatedAt.Year() > 1 && !b.options.Hours.Contain(c.At)
	if a.AccountID != "" {
		b.accounts[table.Clean(a.AccountID)] = true
	}
	b.changes = append(b.changes, c)
}

// Covered accounts for the reading of the events from the API.
func (b *Builder) Covered(c ingest.Coverage) { b.options.Coverage = &c }

// LeftOut records an entry of the span that a rule left out, so that it is no change
// of the report. It shows all the same that the log was not silent.
func (b *Builder) LeftOut(at time.Time) { b.leftOut = append(b.leftOut, at.In(b.options.Location)) }

// Nothing says that nothing could be read, and why. The report then says so instead
// of that nothing happened.
func (b *Builder) Nothing(why string) { b.nothing = table.Clean(why) }

// Problem adds a gap in completeness that a reader should know about.
func (b *Builder) Problem(text string) {
	b.options.Problems = append(b.options.Problems, table.Clean(text))
}

// known reports whether there are earlier events, by which to tell what is new.
func (b *Builder) known() bool { return b.earlier > 0 }

// Report makes the report of what has been added. The Builder is not used after
// it.
func (b *Builder) Report() *Report {
	changes := fold(b.changes)
	r := &Report{
		Options: b.options, Earlier: b.earlier, Baseline: b.known(), FirstEarlier: b.first.In(b.options.Location),
		LastEarlier: b.last.In(b.options.Location), Changes: changes, Untimed: b.untimed, Events: len(b.changes),
		LeftOut: b.leftOut, Nothing: b.nothing,
	}
	for id := range b.accounts {
		r.Accounts = append(r.Accounts, id)
	}
	slices.Sort(r.Accounts)
	if b.known() {
		b.markNew(changes)
	}
	r.list()
	r.count()
	r.Risky = r.risky()
	r.Open, r.Undone = weakened(changes)
	r.follow()
	r.People, r.Tokens, r.Staff, r.Machinery = r.who()
	r.Zones = r.groups(func(c *Change) string { return c.Zone })
	r.Products = r.groups(func(c *Change) string { return c.Product })
	r.Rules = r.groups(func(c *Change) string { return c.Rule })
	r.Timeline = newTimeline(r)
	r.Days = r.days()
	r.Silences = r.silences()
	r.Headline = r.headline()
	return r
}

// markNew marks the changes by an actor, or from an address, not seen before
// the span.
func (b *Builder) markNew(changes []*Change) {
	for _, c := range changes {
		if c.Kind == Machinery || c.Kind == Staff {
			continue
		}
		key := strings.ToLower(c.Actor)
		c.NewActor = !b.actors[key]
		c.NewToken = c.Token != "" && !b.tokens[c.Token]
		net := netOf(c.SrcIP)
		c.NewAddress = !c.NewActor && net != "" && !b.address[[2]string{key, net}]
	}
}

// tokenOf is the name of the API token that was used, else its id, or "".
func tokenOf(e *ingest.Event) string { return table.Clean(cmp.Or(e.Audit.TokenName, e.Audit.TokenID)) }

func actorKey(e *ingest.Event) string {
	return strings.ToLower(table.Clean(cmp.Or(e.Actor, "unknown")))
}

// netOf is the key of an address: the address itself, or the first 64 bits of
// IPv6, because the rest varies.
func netOf(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}

// fold sorts changes by time and merges the two entries that the audit logs
// have of the same change.
func fold(changes []*Change) []*Change {
	slices.SortStableFunc(changes, func(a, b *Change) int { return a.At.Compare(b.At) })
	waiting := make(map[ingest.CorrelationID][]*Change)
	var folded []*Change
	for _, c := range changes {
		if c.correlation == (ingest.CorrelationID{}) {
			folded = append(folded, c)
			continue
		}
		others := waiting[c.correlation]
		i := slices.IndexFunc(others, func(o *Change) bool { return !slices.Contains(o.Logs, c.Logs[0]) && len(o.Logs) == 1 })
		if i >= 0 {
			others[i].merge(c)
			continue
		}
		waiting[c.correlation] = append(others, c)
		folded = append(folded, c)
	}
	return folded
}

// merge adds the details of the other audit log to the change: those that are
// more severe or missing.
func (c *Change) merge(o *Change) {
	if severityRank(o.Severity) < severityRank(c.Severity) {
		c.Severity, c.Title, c.Why, c.Rule, c.Action = o.Severity, o.Title, o.Why, o.Rule, o.Action
	}
	if len(before(o.Fields)) > len(before(c.Fields)) || len(c.Fields) == 0 {
		c.Fields, c.Omitted = o.Fields, o.Omitted
	}
	c.Direction, c.Token, c.Zone = cmp.Or(c.Direction, o.Direction), cmp.Or(c.Token, o.Token), cmp.Or(c.Zone, o.Zone)
	c.Target, c.resource = cmp.Or(c.Target, o.Target), cmp.Or(c.resource, o.resource)
	c.OffHours = c.OffHours || o.OffHours
	c.Logs, c.IDs = append(c.Logs, o.Logs...), append(c.IDs, o.IDs...)
}

// before is those of the fields whose old value is known.
func before(fields []ingest.FieldChange) (list []ingest.FieldChange) {
	for _, f := range fields {
		if f.Old != "" {
			list = append(list, f)
		}
	}
	return list
}

func severityRank(s ingest.Severity) int { return slices.Index(ingest.Severities(), s) }

// byRisk puts the riskiest first: by severity, then what weakened a protection,
// then what a new actor or one outside working hours did, then the newest.
func byRisk(a, b *Change) int {
	return cmp.Or(
		severityRank(a.Severity)-severityRank(b.Severity),
		weight(b)-weight(a),
		b.At.Compare(a.At),
	)
}

func weight(c *Change) (w int) {
	if c.Direction == weaker && !c.Failed {
		w += 4
	}
	if c.NewActor {
		w += 2
	}
	if c.NewAddress || c.OffHours {
		w++
	}
	return w
}

// Report is a finished report. Its slices are in the order they are shown in.
type Report struct {
	Options  Options
	Accounts []string
	Headline []string
	Changes  []*Change // in the order of time
	Events   int       // more than changes where two audit logs have the same
	Untimed  int
	Unlisted int
	Counts   []Count // by severity, the worst first

	Risky  []*Risk
	Open   []*Weakening
	Undone []*Weakening

	People, Tokens, Staff, Machinery []*Actor
	// NewActors and NewAddresses count actors and pairs of actor and address;
	// OffHours counts changes.
	NewActors, NewAddresses, OffHours int

	Zones, Products, Rules []*Group
	Timeline               *Timeline
	Days                   []*Day
	Silences               []Silence

	// LeftOut are the times of the entries of the span that rules left out.
	LeftOut []time.Time
	// Nothing is why nothing could be read, or "".
	Nothing string

	Earlier                   int
	Baseline                  bool
	FirstEarlier, LastEarlier time.Time
}

// Count is how many changes have a severity.
type Count struct {
	Severity ingest.Severity
	N        int
}

// list gives the changes that are listed their anchors: all of them, or the
// riskiest.
func (r *Report) list() {
	chosen := r.Changes
	if len(chosen) > r.Options.Listed {
		chosen = slices.Clone(chosen)
		slices.SortStableFunc(chosen, byRisk)
		r.Unlisted = len(chosen) - r.Options.Listed
		chosen = chosen[:r.Options.Listed]
		slices.SortStableFunc(chosen, func(a, b *Change) int { return a.At.Compare(b.At) })
	}
	for i, c := range chosen {
		c.Anchor = fmt.Sprintf("e%d", i+1)
	}
}

func (r *Report) count() {
	counts := make(map[ingest.Severity]int)
	for _, c := range r.Changes {
		counts[c.Severity]++
		if c.OffHours {
			r.OffHours++
		}
	}
	for _, s := range ingest.Severities() {
		r.Counts = append(r.Counts, Count{s, counts[s]})
	}
}

// of is how many changes have the severity.
func (r *Report) of(s ingest.Severity) int { return r.Counts[severityRank(s)].N }

// Risk is one or more changes of the same kind by the same actor to the same
// thing.
type Risk struct {
	*Change           // the newest
	All     []*Change // in the order of time
	// Still says that it is in place at the end of the span, and Undone is what
	// undid it, or nil.
	Still  bool
	Undone *Weakening
}

// maxRisks bounds how many risks are shown in full.
const maxRisks = 15

// risky are the worst changes: all that are critical or high, or if there are
// none, the medium ones.
func (r *Report) risky() (list []*Risk) {
	least := ingest.High
	if r.of(ingest.Critical)+r.of(ingest.High) == 0 {
		least = ingest.Medium
	}
	found := make(map[string]*Risk)
	for _, c := range r.Changes {
		if severityRank(c.Severity) > severityRank(least) {
			continue
		}
		key := c.Rule + "\x00" + c.Title + "\x00" + c.Actor
		if risk := found[key]; risk != nil {
			risk.Change, risk.All = c, append(risk.All, c)
			continue
		}
		risk := &Risk{Change: c, All: []*Change{c}}
		found[key] = risk
		list = append(list, risk)
	}
	slices.SortStableFunc(list, func(a, b *Risk) int {
		if d := severityRank(a.Severity) - severityRank(b.Severity); d != 0 {
			return d
		}
		return cmp.Or(weight(b.Change)-weight(a.Change), a.At.Compare(b.At))
	})
	return list
}

// follow adds to each risk what became of it.
func (r *Report) follow() {
	for _, risk := range r.Risky {
		for _, c := range risk.All {
			for _, w := range r.Open {
				risk.Still = risk.Still || slices.Contains(w.all, c)
			}
			for _, w := range r.Undone {
				if slices.Contains(w.all, c) {
					risk.Undone = w
				}
			}
		}
	}
}

// Shown is the risks that are shown in full, and Rest those that are not.
func (r *Report) Shown() []*Risk { return r.Risky[:min(len(r.Risky), maxRisks)] }

// Rest is what Shown leaves out.
func (r *Report) Rest() []*Risk { return r.Risky[min(len(r.Risky), maxRisks):] }

// Group is the changes that have something in common.
type Group struct {
	Name   string
	Worst  ingest.Severity
	Why    string
	Counts []Count
	All    []*Change
}

// groups are the changes by key, the riskiest group first. An empty key is left
// out.
func (r *Report) groups(key func(*Change) string) (list []*Group) {
	found := make(map[string]*Group)
	for _, c := range r.Changes {
		name := key(c)
		if name == "" {
			continue
		}
		g := found[name]
		if g == nil {
			g = &Group{Name: name, Worst: ingest.Info, Why: c.Why}
			found[name] = g
			list = append(list, g)
		}
		g.All = append(g.All, c)
		if severityRank(c.Severity) < severityRank(g.Worst) {
			g.Worst = c.Severity
		}
	}
	for _, g := range list {
		g.Counts = countBySeverity(g.All)
	}
	slices.SortStableFunc(list, func(a, b *Group) int {
		return cmp.Or(severityRank(a.Worst)-severityRank(b.Worst), len(b.All)-len(a.All), cmp.Compare(a.Name, b.Name))
	})
	return list
}

func countBySeverity(changes []*Change) (counts []Count) {
	for _, s := range ingest.Severities() {
		n := 0
		for _, c := range changes {
			if c.Severity == s {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, Count{s, n})
		}
	}
	return counts
}

// Day is the listed changes of a day.
type Day struct {
	Anchor string
	At     time.Time
	All    []*Change
}

func (r *Report) days() (list []*Day) {
	for _, c := range r.Changes {
		if c.Anchor == "" {
			continue
		}
		anchor := dayAnchor(c.At)
		if n := len(list); n == 0 || list[n-1].Anchor != anchor {
			list = append(list, &Day{Anchor: anchor, At: c.At})
		}
		d := list[len(list)-1]
		d.All = append(d.All, c)
	}
	return list
}

func dayAnchor(t time.Time) string { return t.Format("d20060102") }

// Silence is a time without a change, and without an entry that a rule left out.
type Silence struct{ From, To time.Time }

// Length is how long it was silent.
func (s Silence) Length() time.Duration { return s.To.Sub(s.From) }

// silences are the longest times in which nothing is known to have happened, of 12
// hours at least.
func (r *Report) silences() (list []Silence) {
	last := r.Options.Span.Since.In(r.Options.Location)
	until := r.Options.Span.Until.In(r.Options.Location)
	active := slices.DeleteFunc(slices.Clone(r.LeftOut), func(at time.Time) bool { return at.Year() <= 1 })
	for _, c := range r.Changes {
		active = append(active, c.At)
	}
	slices.SortFunc(active, time.Time.Compare)
	for _, at := range active {
		list = append(list, Silence{last, at})
		last = at
	}
	list = append(list, Silence{last, until})
	list = slices.DeleteFunc(list, func(s Silence) bool { return s.Length() < 12*time.Hour })
	slices.SortStableFunc(list, func(a, b Silence) int { return cmp.Compare(b.Length(), a.Length()) })
	return list[:min(len(list), 3)]
}

// headline is the summary in a few sentences.
func (r *Report) headline() (lines []string) {
	switch {
	case r.Nothing != "":
		return []string{"Nothing could be read: " + r.Nothing + ".", "This report does not tell whether anything happened in this period."}
	case len(r.Changes) == 0 && r.Options.Coverage == nil && r.Earlier > 0:
		lines = []string{"No change was recorded in this period.", fmt.Sprintf("The newest saved event is from %s.", stamp(r.LastEarlier))}
	case len(r.Changes) == 0:
		lines = []string{"No change was recorded in this period."}
	default:
		lines = r.summary()
	}
	if len(r.Options.Problems) > 0 {
		lines = append(lines, "Not everything could be read: see Coverage.")
	}
	return lines
}

// summary is what the changes come to, in a few sentences.
func (r *Report) summary() (lines []string) {
	critical, high, medium := r.of(ingest.Critical), r.of(ingest.High), r.of(ingest.Medium)
	actors := map[string]bool{}
	for _, c := range r.Changes {
		if severityRank(c.Severity) <= severityRank(ingest.High) {
			actors[c.Actor] = true
		}
	}
	switch {
	case critical+high > 0:
		lines = append(lines, fmt.Sprintf("%s by %s %s attention.", joined(critical, high), plural(len(actors), "actor", "actors"),
			verb(critical+high, "needs", "need")))
	case medium > 0:
		lines = append(lines, fmt.Sprintf("Nothing critical or high. %s %s a look.",
			plural(medium, "change of medium severity", "changes of medium severity"), verb(medium, "deserves", "deserve")))
	default:
		lines = append(lines, "Nothing of medium severity or above.")
	}
	if n := len(r.Open); n > 0 {
		lines = append(lines, fmt.Sprintf("%s still in place at the end.", plural(n, "weakening is", "weakenings are")))
	} else {
		lines = append(lines, "No weakening is known to be left in place.")
	}
	if r.NewActors > 0 {
		lines = append(lines, fmt.Sprintf("%s first seen in this period.", plural(r.NewActors, "actor was", "actors were")))
	}
	return lines
}

// joined is how many changes are critical and high.
func joined(critical, high int) string {
	switch {
	case high == 0:
		return plural(critical, "critical change", "critical changes")
	case critical == 0:
		return plural(high, "high-severity change", "high-severity changes")
	}
	return fmt.Sprintf("%d critical and %s", critical, plural(high, "high-severity change", "high-severity changes"))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
