package product

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

var update = flag.Bool("update", false, "write what is made from the code in docs")

// docsPage is the page that is made from the rules.
const docsPage = "../../docs/severity.md"

// docsIntro is the part of docs/severity.md that is not made from the rules.
const docsIntro = `# Severity

<!-- Made from the code. Do not edit: go test ./internal/product -run TestDocs -update -->

Each entry first gets a canonical action. Of the rules below, in their order,
the first one that matches it decides. ` + "`cfaudit rules --explain FILE`" + ` tells for
entries in a file which one that is and why; the examples here can be fed to it.

## Tuning

Rules of one's own stand in front of these: the configuration field ` + "`rules`" + `, or a
file in JSON or YAML for ` + "`--rules`" + `. All conditions of ` + "`match`" + ` must hold; of a
list one element is enough, ` + "`*`" + ` stands for any text, and case does not matter.
[rules.md](rules.md) tells how to check rules, to try them out on saved entries, and
to reload them.

` + "```yaml" + `
# A default rule, graded otherwise.
- id: dns-record-created
  severity: medium

# A default rule, switched off: the next one that matches decides.
- id: worker-scheduled
  disabled: true

# An exception, in front of all default rules.
- id: terraform-dns
  match:
    action: dns.record.*
    actor: terraform@example.com
    source_ip: 192.0.2.0/24
  severity: info

# A change of one field to one value.
- id: old-tls
  title: "Old TLS allowed[ for {zone}]"
  match:
    action: zone.settings.update
    changed: {field: min_tls_version, new: 1.0}
  severity: high
  techniques: [T1562.007]

# Routine that makes no event; failed attempts do all the same.
- id: office-logins
  match: {action: account.login, source_ip: 192.0.2.0/24}
  drop: true

# Other thresholds for a default rule that counts.
- id: mass-deletion
  burst: {count: 50, within: 5m}

# A burst of one's own: it counts, and grades nothing.
- id: workers-wrecked
  title: "At least {count} Workers deleted[ by {actor}] within {within}"
  match: {action: worker.*.delete, interface: api}
  severity: critical
  burst: {count: 10, within: 1h}
` + "```" + `

| Condition | What it is compared with |
|---|---|
`

// docsBursts is the section about rules that count.
const docsBursts = `
## Bursts

Two hundred deletions by one person in a minute are two hundred events, each of
them everyday work. So a rule with ` + "`burst`" + ` grades no entry: it counts those it
matches, and when one actor has ` + "`count`" + ` of them ` + "`within`" + ` a span of time, one more event
says so. ` + "`count`" + ` is from 2 to 1000; ` + "`within`" + ` is whole minutes, up to 24 hours. Every
such rule counts by itself, so their order does not matter. An entry that is graded
info, or dropped, counts for none of them: an exception for your own tools covers
bursts too.

* **The event** has the action ` + "`burst.`" + ` and the id of the rule, the severity and the
  techniques of the rule, and a title of its own, in which ` + "`{count}`, `{within}` and\n  `{actor}`" + ` are filled in. ` + "`raw_event.burst`" + ` says between which times the entries
  lie. These have events of their own, as ever.
* **The same entries make the same bursts**, byte for byte, however they are split
  into pages and polls, in whatever order they come and however often: the title
  says the threshold and not a number that is still growing. The id is made of the
  rule, the account, the actor and the span. Times count by tenths of ` + "`within`" + `, and the
  last entry of a burst decides which span it belongs to, counted from 1970.
* **An actor who goes on** makes one event in each span of ` + "`within`" + `, with the same
  title. So does a burst that a boundary between two spans divides, if there are
  enough entries on its first side already.
* **Two logs of one account** tell of each change twice. Each is counted by itself, and
  what both have enough of makes one event.
* **What has been counted** is in the cursor, as ` + "`memory`" + `, for as long as entries from
  nearby may still come, up to 32768 entries. Beyond that, what is farthest away is
  given up; if it is near, a notice says so. A cursor with a memory has version 2,
  which older releases refuse; one without, as in a quiet hour, they can read.
  ` + "`normalize`" + ` counts in all its files together.
* **Entries without a time**, and those that cannot be read, are not counted. Nor does a
  look-up of members change who did it: if the log has no address, the id is shown.
`

// docsConditions says what each condition is compared with.
var docsConditions = map[string]string{
	"action":        "The canonical action.",
	"resource_type": "Cloudflare's own name of the resource.",
	"action_type":   "Cloudflare's own name of the action.",
	"verb":          "What the action comes down to.",
	"outcome":       "How it went.",
	"method":        "The HTTP method. Only entries of Audit Logs v2 have one.",
	"actor":         "The e-mail address or the id of who did it.",
	"actor_type":    "`user`, `system`, `staff` (of Cloudflare) or `unknown`, or Cloudflare's own name.",
	"source_ip":     "Addresses or CIDR prefixes.",
	"interface":     "How it was done: `UI` or `API`.",
	"zone":          "The name or the id of the zone.",
	"target":        "The thing acted upon: a record, a member, a script.",
	"record_type":   "The type of a DNS record, or `unknown`.",
	"setting":       "The name of a zone setting, or `group/name`.",
	"direction":     "Which way a protection was moved.",
	"role":          "The role given to a member.",
	"scope":         "How much an API token may do.",
	"worker":        "The script of a route or deployment, by `verified_workers`.",
	"decision":      "What an Access policy decides.",
	"production":    "Whether the zone is in production, by `production_zones`. What cannot be told is.",
	"account_wide":  "Whether a ruleset belongs to the account, and with it to every zone.",
	"own_token":     "Whether it is about the token of the connector itself, by `own_token_id`.",
	"changed":       "Fields that changed: `field`, and as far as it matters `old` and `new`.",
}

// docsTuning names, by condition, the configuration field that a rule depends on.
var docsTuning = map[string]string{
	"production": "`production_zones`", "worker": "`verified_workers`", "own_token": "`own_token_id`",
}

// conditions are the names of all conditions, in the order in which they are
// explained.
func conditions(t *testing.T) (names []string) {
	facts, _ := grading(t, rules.Config{}).Explain(&rules.Facts{})
	for _, f := range facts {
		names = append(names, f.Name)
	}
	return names
}

// allowed are the texts that a condition allows, or none where it allows any
// pattern.
func allowed(t *testing.T, condition string) []string {
	_, err := Rules().Parse([]byte(`[{"id":"mine","severity":"low","match":{` + jsondoc.Quote(condition) + `:"no such text"}}]`))
	var fault *ingest.FieldError
	if !errors.As(err, &fault) {
		return nil
	}
	list, found := strings.CutPrefix(fault.Allowed, "must be one of ")
	if !found {
		return nil
	}
	values := strings.Split(list, ", ")
	require.Greater(t, len(values), 1, condition)
	return values
}

// flags are the conditions that are true or false, by name.
func flags(m *rules.Match) map[string]*bool {
	found := make(map[string]*bool)
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		if flag, ok := v.Field(i).Interface().(*bool); ok {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			found[name] = flag
		}
	}
	return found
}

func docs(t *testing.T) string {
	var b strings.Builder
	b.WriteString(docsIntro)
	for _, name := range conditions(t) {
		text := docsConditions[name]
		require.NotEmpty(t, text, "the condition %s is not described", name)
		if values := allowed(t, name); values != nil {
			text += " One of `" + strings.Join(values, "`, `") + "`."
		}
		if _, isFlag := flags(new(rules.Match))[name]; isFlag {
			text += " `true` or `false`."
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, text)
	}
	b.WriteString(docsBursts)
	b.WriteString("\n## Names\n\nThese pairs are known, without regard to case and separators; `*`\n" +
		"is any resource. Others get their name by the words in them, or by putting the\n" +
		"two together, and nothing that is not known is dropped.\n\n| Resource | Action | Canonical action |\n|---|---|---|\n")
	for _, f := range families {
		for _, p := range f.pairs {
			fmt.Fprintf(&b, "| `%s` | `%s` | `%s` |\n", p.resource, p.action, p.name)
		}
	}
	b.WriteString("\nEntries of Audit Logs v2 are named by their method and path first. Of these rows\n" +
		"the first one that fits counts; " + "`{…}` is any one part of a path, and `{scope}` is below an\naccount, a zone or `/user`. " +
		"`*` is a collection and its members: POST creates, PUT and\nPATCH update, DELETE deletes and GET views, which is the verb at the end of the name.\n" +
		"A path that is in no row goes by the description of the operation, and then by\nproduct, type and verb as above.\n\n" +
		"| Method | Path | Canonical action |\n|---|---|---|\n")
	for _, f := range families {
		for _, r := range f.routes {
			name := r.name
			if r.method == "*" {
				name += ".…"
			}
			fmt.Fprintf(&b, "| `%s` | `%s` | `%s` |\n", strings.ReplaceAll(r.method, " ", "`, `"), r.path, name)
		}
	}
	b.WriteString("\n## Rules\n")
	c := grading(t, rules.Config{ProductionZones: oneOf{"example.com"}, VerifiedWorkers: oneOf{"checkout*"}})
	examples := RuleSamples()
	for _, r := range Rules().Defaults() {
		severity := string(r.Severity)
		if r.Drop {
			severity = "drop"
		}
		fmt.Fprintf(&b, "\n### %s\n\n**%s** — %s\n\n", r.ID, severity, r.Why)
		fmt.Fprintf(&b, "* Matches: %s\n", docsMatch(t, r.Match))
		if r.Burst != nil {
			fmt.Fprintf(&b, "* Counts: %d by one actor within %s\n", r.Burst.Count, rules.SpanText(r.Burst.Within))
		}
		var techniques []string
		for _, id := range r.Techniques {
			techniques = append(techniques, fmt.Sprintf("[%s](https://attack.mitre.org/techniques/%s/)", id, strings.ReplaceAll(id, ".", "/")))
		}
		if len(techniques) > 0 {
			fmt.Fprintf(&b, "* ATT&CK: %s\n", strings.Join(techniques, ", "))
		}
		fmt.Fprintf(&b, "* Tune: %s\n", docsTune(t, r))
		v, _ := grade(t, c, examples[r.ID])
		if r.Burst != nil {
			v.Title = c.BurstRule(r.ID).Title("alice@example.com") + "”, of entries such as “" + v.Title
		}
		fmt.Fprintf(&b, "* Example: “%s”\n\n```json\n%s\n```\n", v.Title, examples[r.ID])
	}
	return b.String()
}

// docsMatch is a match as text.
func docsMatch(t *testing.T, m rules.Match) string {
	b, err := json.Marshal(m)
	require.NoError(t, err)
	var parts []string
	for v := range parsed(t, string(b)).All() {
		name := v.Name()
		part := "`" + name + "`"
		switch {
		case name == "changed":
			var fields []string
			for change := range v.All() {
				field := "`" + change.Get("field").Text() + "`"
				if now := change.Get("new").Text(); now != "" {
					field += " to `" + now + "`"
				}
				fields = append(fields, field)
			}
			part += " " + strings.Join(fields, ", ")
		case v.Kind() == jsondoc.Array:
			var list []string
			for item := range v.All() {
				list = append(list, "`"+item.Text()+"`")
			}
			part += " " + strings.Join(list, ", ")
		default:
			part += " `" + v.Source() + "`"
		}
		parts = append(parts, part)
	}
	return cmp.Or(strings.Join(parts, "; "), "everything else")
}

// docsTune says what changes the outcome of a rule.
func docsTune(t *testing.T, r rules.Rule) string {
	var parts []string
	for _, name := range conditions(t) {
		setting := docsTuning[name]
		if value, isFlag := flags(&r.Match)[name]; isFlag && value == nil {
			setting = ""
		}
		if setting != "" && (name != "worker" || len(r.Match.Worker) > 0 || strings.HasPrefix(r.ID, "worker-route-unverified") || r.ID == "worker-exposed") {
			parts = append(parts, setting)
		}
	}
	switch {
	case r.Burst != nil:
		parts = append(parts, "`{id: "+r.ID+", severity: "+string(lowered(r.Severity))+"}` lowers it",
			"`{id: "+r.ID+", burst: {count: "+strconv.Itoa(2*r.Burst.Count)+"}}` takes more to raise it",
			"a rule in front that grades your own tools info excepts them")
	case r.Drop:
		parts = append(parts, "`drop_routine: false` delivers it with severity info", "`{id: "+r.ID+", severity: low}` grades it")
	case r.Severity == low || r.Severity == info:
		parts = append(parts, "`{id: "+r.ID+", severity: medium}` raises it")
	default:
		parts = append(parts, "`{id: "+r.ID+", severity: "+string(lowered(r.Severity))+"}` lowers it", "a rule in front with `actor` or `source_ip` excepts your own tools")
	}
	return strings.Join(parts, "; ")
}

func TestDocs_SeverityIsCurrent(t *testing.T) {
	t.Parallel()
	want := docs(t)
	if *update {
		require.NoError(t, os.WriteFile(docsPage, []byte(want), 0o644))
	}
	got, err := os.ReadFile(docsPage)
	require.NoError(t, err)
	if string(got) != want {
		was, is := strings.Split(string(got), "\n"), strings.Split(want, "\n")
		i := 0
		for i < min(len(was), len(is)) && was[i] == is[i] {
			i++
		}
		t.Fatalf("%s is out of date from line %d on: run go test ./internal/product -run TestDocs -update", docsPage, i+1)
	}
}

// Each default rule can be tuned as the page says, and then grades its example
// otherwise.
func TestDocs_TuningWorksAsDescribed(t *testing.T) {
	t.Parallel()
	examples := RuleSamples()
	for _, r := range Rules().Defaults() {
		_, fields, found := strings.Cut(docsTune(t, r), "{id: ")
		require.True(t, found, r.ID)
		fields, _, _ = strings.Cut(fields, "}")
		id, severity, _ := strings.Cut(fields, ", severity: ")
		user, err := Rules().Parse([]byte(`[{"id":"` + id + `","severity":"` + severity + `"}]`))
		require.NoError(t, err)
		c := grading(t, rules.Config{Rules: user, ProductionZones: oneOf{"example.com"}, VerifiedWorkers: oneOf{"checkout*"}, DropRoutine: true})
		if r.Burst != nil {
			assert.Equal(t, lowered(r.Severity), c.BurstRule(r.ID).Severity)
			continue
		}
		v, _ := grade(t, c, examples[r.ID])
		assert.Equal(t, r.ID, v.Rule)
		assert.False(t, v.Drop)
		assert.NotEqual(t, r.Severity, v.Severity, r.ID)
	}
	for name := range docsTuning {
		assert.Contains(t, conditions(t), name)
	}
}
