package report

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aisoc/cloudflareaudit/ingest"
)

var (
	//go:embed report.css
	css string
	//go:embed report.html.tmpl
	markup string
)

// policy allows the page nothing but its own style sheet, identified by its
// digest.
var policy = func() string {
	sum := sha256.Sum256([]byte(css))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}()

// Policy is the content security policy of the page, for the header of a server.
func Policy() string { return policy }

var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("report").Funcs(functions).Parse(markup))
})

// functions are those of the template.
var functions = template.FuncMap{
	"actors":  func(caption, label string, list []*Actor) any { return part[*Actor]{caption, label, list, false} },
	"clock":   func(t time.Time) string { return t.Format("15:04:05") },
	"counted": counted,
	"date":    func(t time.Time) string { return t.Format("Monday 2 January 2006") },
	"field":   fieldName,
	"first":   firstOf,
	"groups": func(caption, label string, list []*Group, whys bool) any {
		return part[*Group]{caption, label, list, whys}
	},
	"join":        func(list []string) string { return strings.Join(list, ", ") },
	"lower":       strings.ToLower,
	"more":        func(c *Change) int { return c.Omitted + max(0, len(c.Fields)-8) },
	"plural":      plural,
	"rank":        severityRank,
	"rest":        func(n int, list any) int { return max(0, reflect.ValueOf(list).Len()-n) },
	"riskiest":    func(list []*Change) []*Change { return slices.SortedStableFunc(slices.Values(list), byRisk) },
	"severities":  ingest.Severities,
	"shift":       shift,
	"soft":        soft,
	"stamp":       stamp,
	"sub":         func(a, b int) int { return a - b },
	"title":       titled,
	"unit":        func(f float64) string { return fmt.Sprintf("%.1f", f) },
	"valueBefore": valueBefore,
	"valueNow":    valueNow,
}

// part is a table of actors or groups.
type part[T any] struct {
	Caption, Label string
	List           []T
	Whys           bool
}

// firstOf is at most the first n elements of a list.
func firstOf(n int, list any) any {
	v := reflect.ValueOf(list)
	return v.Slice(0, min(n, v.Len())).Interface()
}

// soft is a text whose lines are broken, where they must be, between the parts of an
// address, a host or the name of a field, and not within them. Numbers stay whole.
func soft(text string) template.HTML {
	var b strings.Builder
	last := 0
	for i, c := range text {
		if i == 0 || !strings.ContainsRune("@._:/", c) {
			continue
		}
		at := i // before the sign
		if c == '_' || c == ':' || c == '/' {
			at = i + 1
		}
		if at >= len(text) || c == '.' && !isLetter(text[i+1:]) {
			continue
		}
		b.WriteString(template.HTMLEscapeString(text[last:at]) + "<wbr>")
		last = at
	}
	return template.HTML(b.String() + template.HTMLEscapeString(text[last:]))
}

// isLetter reports whether a text begins with a letter.
func isLetter(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return unicode.IsLetter(first)
}

// titled is s with a capital letter.
func titled(s any) string {
	text := fmt.Sprint(s)
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// stamp is a time for a person.
func stamp(t time.Time) string { return t.Format("Mon 2 Jan 2006, 15:04") }

// counted is counts in words.
func counted(counts []Count) string {
	var parts []string
	for _, c := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", c.N, c.Severity))
	}
	return strings.Join(parts, ", ")
}

// shift is the direction of a change that has one.
func shift(c *Change) string {
	if c.Direction == weaker || c.Direction == safer {
		return c.Direction
	}
	return ""
}

// longID is an id within the name of a field.
var longID = regexp.MustCompile(`[0-9a-f]{24,}`)

// fieldName is the name of a field, in which ids are shortened.
func fieldName(name string) string {
	return longID.ReplaceAllStringFunc(name, func(id string) string { return id[:8] + "…" })
}

// telling are the most informative fields of a change, best first.
var telling = []string{
	"decision", "public", "enabled", "proxied", "enforce_twofactor", "settings.enforce_twofactor", "roles", "paused", "status", "mode",
	"action", "threshold", "destination_conf", "value",
}

// tellingField is the field that says what a change is about: the one the change
// is named after, one that says much, or one whose both values are known.
func tellingField(c *Change) (field ingest.FieldChange, ok bool) {
	for _, name := range append([]string{c.Target}, telling...) {
		for _, f := range c.Fields {
			if name != "" && (f.Field == name || strings.HasPrefix(f.Field, "rules.") && lastWord(f.Field) == name) {
				f.Field = lastWord(f.Field)
				return f, true
			}
		}
	}
	if known := before(c.Fields); len(known) > 0 && known[0].New != "" {
		return known[0], true
	}
	return field, false
}

// valueBefore and valueNow are the value that a change is about, before it and
// after it, or "".
func valueBefore(c *Change) string {
	f, _ := tellingField(c)
	return c.value(f.Field, f.Old, "existed", "did not exist")
}

func valueNow(c *Change) string {
	f, _ := tellingField(c)
	return c.value(f.Field, f.New, "removed", "exists")
}

// value is the value of a field, or what there is to say of a thing that the
// change removed or created.
func (c *Change) value(field, value, ofRemoved, ofCreated string) string {
	switch word := lastWord(c.Action); {
	case word == "delete", word == "remove":
		return ofRemoved
	case value != "":
		return field + ": " + value
	case word == "create", word == "add":
		return ofCreated
	}
	return ""
}

// Fact is a line of the coverage.
type Fact struct {
	Name  string
	Lines []string
}

// view is what the template shows: the report and some words around it.
type view struct {
	*Report
	Policy     string
	CSS        template.CSS
	Period     string
	Span       string
	End        time.Time
	OnlyMedium bool
	Hours      Hours
	Listed     int
	Facts      []Fact
}

func (r *Report) view() view {
	in := r.Options.Location
	v := view{
		Report: r, Policy: policy, CSS: template.CSS(css), Period: r.period(), End: r.Options.Span.Until.In(in),
		Hours: r.Options.Hours, Listed: len(r.Changes) - r.Unlisted,
		OnlyMedium: r.of(ingest.Critical)+r.of(ingest.High) == 0,
		Facts:      r.facts(),
	}
	v.Options.Generated = r.Options.Generated.In(in)
	v.Span = stamp(r.Options.Span.Since.In(in)) + " to " + stamp(v.End) + " (" + zoneName(v.End) + ")"
	return v
}

func zoneName(t time.Time) string {
	name, offset := t.Zone()
	if name == "UTC" {
		return name
	}
	if name == "" || strings.HasPrefix(name, "+") || strings.HasPrefix(name, "-") {
		name = "UTC"
	} else {
		name += ", UTC"
	}
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	return fmt.Sprintf("%s%s%02d:%02d", name, sign, offset/3600, offset/60%60)
}

// period is the span in the words of a heading.
func (r *Report) period() string {
	from := r.Options.Span.Since.In(r.Options.Location)
	to := r.Options.Span.Until.In(r.Options.Location)
	// A period that ends at midnight ends with the day before.
	last := to.Add(-time.Second)
	switch {
	case from.Format(time.DateOnly) == last.Format(time.DateOnly):
		return last.Format("2 January 2006")
	case from.Year() == last.Year() && from.Month() == last.Month():
		return from.Format("2") + " – " + last.Format("2 January 2006")
	case from.Year() == last.Year():
		return from.Format("2 January") + " – " + last.Format("2 January 2006")
	}
	return from.Format("2 January 2006") + " – " + last.Format("2 January 2006")
}

// facts are the coverage of the report.
func (r *Report) facts() (list []Fact) {
	add := func(name string, lines ...string) { list = append(list, Fact{name, lines}) }
	in := r.Options.Location
	end := r.Options.Span.Until.In(in)
	add("Source", cmp.Or(r.Options.Source, "unknown"))
	if r.Nothing != "" {
		add("Nothing could be read", r.Nothing+".")
		return list
	}
	switch c := r.Options.Coverage; {
	case c != nil:
		lines := []string{fmt.Sprintf("The audit log was read without a gap, back from %s, in %s.", stamp(end), plural(c.Requests, "request", "requests"))}
		if r.Options.Generated.Sub(r.Options.Span.Until) < 15*time.Minute {
			lines = append(lines, "Entries can appear some minutes late: the last quarter of an hour may not be complete yet.")
		}
		add("Read up to", lines...)
		if n := len(r.LeftOut); n > 0 {
			add("Left out by rules", fmt.Sprintf("%s of routine in this period, such as what Cloudflare’s machinery does by itself.", plural(n, "entry", "entries")))
		}
		if c.Undecodable > 0 {
			add("Not understood", fmt.Sprintf("%s; the change holds what can be told.", plural(c.Undecodable, "entry", "entries")))
		}
		if len(c.Notices) > 0 {
			add("Notices", c.Notices...)
		}
	case len(r.Changes) > 0:
		last := r.Changes[len(r.Changes)-1].At
		lines := []string{fmt.Sprintf("The newest saved event of this period is from %s.", stamp(last))}
		if end.Sub(last) > 24*time.Hour {
			lines = append(lines, fmt.Sprintf("That is %s before the end of the period: either nothing happened since, or what saves the events has stopped.", hours(end.Sub(last))))
		}
		add("Read up to", lines...)
	}
	counts := fmt.Sprintf("%s from %s.", plural(len(r.Changes), "change", "changes"), plural(r.Events, "event", "events"))
	if r.Events > len(r.Changes) {
		counts += " What both audit logs say about one change is one change."
	}
	add("Events", counts)
	if r.Untimed > 0 {
		add("Without a time", fmt.Sprintf("%s whose time cannot be read; shown at the beginning of the period.", plural(r.Untimed, "event", "events")))
	}
	var silent []string
	for _, s := range r.Silences {
		silent = append(silent, fmt.Sprintf("%s, from %s to %s", hours(s.Length()), stamp(s.From), stamp(s.To)))
	}
	if len(silent) > 0 {
		meaning := "Saved events do not have the entries that rules left out. So a silence can be a quiet time, a time with such entries alone, or a gap in what was saved."
		if r.Options.Coverage != nil {
			meaning = "In these times the audit log has no entry at all, not even one that a rule left out."
		}
		add("Longest silences", append(silent, meaning)...)
	}
	if r.Baseline {
		add("Compared with", fmt.Sprintf("%s from before, back to %s", plural(r.Earlier, "event", "events"), stamp(r.FirstEarlier)))
	}
	if len(r.Options.Problems) > 0 {
		add("Problems", r.Options.Problems...)
	}
	return list
}

// hours is a long time in words.
func hours(d time.Duration) string {
	n := int(d.Hours())
	if n >= 72 {
		return plural(n/24, "day", "days")
	}
	return plural(n, "hour", "hours")
}

// HTML writes the report as one page.
func (r *Report) HTML(w io.Writer) error {
	b := bufio.NewWriter(w)
	if err := pageTemplate().ExecuteTemplate(b, "page", r.view()); err != nil {
		return err
	}
	return b.Flush()
}
