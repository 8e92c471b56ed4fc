package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/selection"
)

// Monday, 11 May 2026, and the report of its week.
var (
	monday  = time.Date(2026, 5, 11, 0, 0, 0, 0, time.UTC)
	weekly  = Options{Span: selection.Span{Since: monday, Until: monday.AddDate(0, 0, 7)}, Generated: monday.AddDate(0, 0, 8)}
	minutes int // moves on with each event, so the tests of this file do not run in parallel
)

// did is an event of a person, each a minute after the one before it.
func did(action string, change func(*ingest.Event)) *ingest.Event {
	minutes++
	e := &ingest.Event{
		ExternalID: action + string(rune(minutes)), Title: action, Severity: ingest.Medium, Action: action, Actor: "alice@example.com",
		SrcIP: "192.0.2.10", CreatedAt: monday.Add(9*time.Hour + time.Duration(minutes)*time.Minute),
		Audit: ingest.Audit{ActorEmail: "alice@example.com", Interface: "UI", AccountID: "a", ZoneName: "example.com", API: "v1", Outcome: "success"},
	}
	if change != nil {
		change(e)
	}
	return e
}

func reported(t *testing.T, events ...*ingest.Event) *Report {
	t.Helper()
	b := NewBuilder(weekly)
	for _, e := range events {
		b.Add(e)
	}
	return b.Report()
}

func setting(name, old, now, direction string) *ingest.Event {
	return did("zone.settings.update", func(e *ingest.Event) {
		e.Audit.ResourceID, e.Audit.Target, e.Audit.Direction = "zone-id", name, direction
		e.Audit.Changes = []ingest.FieldChange{{Field: name, Old: old, New: now}}
	})
}

func named(action, target, direction string) *ingest.Event {
	return did(action, func(e *ingest.Event) { e.Audit.Target, e.Audit.Direction = target, direction })
}

func failed(e *ingest.Event) *ingest.Event {
	e.Audit.Outcome = "failure"
	return e
}

func inZone(zone string, e *ingest.Event) *ingest.Event {
	e.Audit.ZoneName = zone
	return e
}

func fields(target, direction string, changes ...ingest.FieldChange) *ingest.Event {
	return did("zone.firewall.rule.update", func(e *ingest.Event) {
		e.Audit.ResourceID, e.Audit.Target, e.Audit.Direction, e.Audit.Changes = target, target, direction, changes
	})
}

func rule(id, enabled, direction string) *ingest.Event { return rules(enabled, direction, id) }

func rules(enabled, direction string, ids ...string) *ingest.Event {
	return did("firewall_rule.disable", func(e *ingest.Event) {
		if direction == safer {
			e.Action = "firewall_rule.enable"
		}
		e.Audit.ResourceID, e.Audit.Direction = "ruleset", direction
		for _, id := range ids {
			e.Audit.Changes = append(e.Audit.Changes, ingest.FieldChange{Field: "rules." + id + ".enabled", New: enabled})
		}
	})
}

func TestWeakened_IsWhatNoLaterChangeUndoes(t *testing.T) {
	for _, test := range []struct {
		name   string
		events []*ingest.Event
		open   int
	}{
		{"a setting that stays", []*ingest.Event{setting("ssl", "strict", "flexible", weaker)}, 1},
		{"a setting put back", []*ingest.Event{setting("ssl", "strict", "flexible", weaker), setting("ssl", "flexible", "strict", safer)}, 0},
		{"put back before it was weakened", []*ingest.Event{setting("ssl", "flexible", "strict", safer), setting("ssl", "strict", "flexible", weaker)}, 1},
		{"another setting made safer", []*ingest.Event{setting("ssl", "strict", "flexible", weaker), setting("waf", "off", "on", safer)}, 1},
		{"the setting of another zone", []*ingest.Event{
			setting("ssl", "strict", "flexible", weaker), inZone("example.net", setting("ssl", "flexible", "strict", safer)),
		}, 1},
		{"an attempt in vain", []*ingest.Event{failed(setting("ssl", "strict", "flexible", weaker))}, 0},
		{"undone in vain", []*ingest.Event{setting("ssl", "strict", "flexible", weaker), failed(setting("ssl", "flexible", "strict", safer))}, 1},
		{"weakened twice", []*ingest.Event{setting("ssl", "strict", "full", weaker), setting("ssl", "full", "flexible", weaker)}, 1},
		{"weakened, undone and weakened", []*ingest.Event{
			setting("ssl", "strict", "off", weaker), setting("ssl", "off", "strict", safer), setting("ssl", "strict", "off", weaker),
		}, 1},
		{"a member who was removed", []*ingest.Event{named("member.add", "m@example.org", ""), named("member.remove", "m@example.org", "")}, 0},
		{"another member who was removed", []*ingest.Event{named("member.add", "m@example.org", ""), named("member.remove", "b@example.org", "")}, 1},
		{"a token that was revoked", []*ingest.Event{named("api_token.create", "ci", ""), named("api_token.revoke", "ci", "")}, 0},
		{"a rule that was deleted and made again", []*ingest.Event{
			named("zone.firewall.rule.delete", "block", weaker), named("zone.firewall.rule.create", "block", safer),
		}, 0},
		{"a rule of a rule set", []*ingest.Event{rule("r1", "false", weaker), rule("r1", "true", safer)}, 0},
		{"another rule of the rule set", []*ingest.Event{rule("r1", "false", weaker), rule("r2", "true", safer)}, 1},
		{"one of two rules of a rule set", []*ingest.Event{rules("false", weaker, "r1", "r2"), rules("true", safer, "r1")}, 1},
		{"two rules of a rule set, one after the other", []*ingest.Event{
			rules("false", weaker, "r1", "r2"), rules("true", safer, "r1"), rules("true", safer, "r2"),
		}, 0},
		{"two rules of a rule set in two steps", []*ingest.Event{rules("false", weaker, "r1"), rules("false", weaker, "r2"), rules("true", safer, "r2")}, 1},
		{"another field put back", []*ingest.Event{
			fields("a", weaker, ingest.FieldChange{Field: "threshold", Old: "50", New: "100"}, ingest.FieldChange{Field: "description", Old: "x", New: "y"}),
			fields("a", "", ingest.FieldChange{Field: "description", Old: "y", New: "x"}),
		}, 1},
		{"all fields put back", []*ingest.Event{
			fields("a", weaker, ingest.FieldChange{Field: "threshold", Old: "50", New: "100"}),
			fields("a", "", ingest.FieldChange{Field: "threshold", Old: "100", New: "50"}),
		}, 0},
		{"the same name at another level", []*ingest.Event{named("api_token.create", "ci", ""), inZone("", named("api_token.revoke", "ci", ""))}, 1},
		{"a policy that lets everyone in no more", []*ingest.Event{
			named("access_policy.update", "Staff", weaker), named("access_policy.update", "Staff", safer),
		}, 0},
		{"what is only of low severity", []*ingest.Event{did("api_token.create", func(e *ingest.Event) { e.Severity = ingest.Low })}, 0},
	} {
		r := reported(t, test.events...)
		assert.Len(t, r.Open, test.open, test.name)
		for _, w := range r.Undone {
			assert.True(t, w.By.At.After(w.At), test.name)
		}
	}
}

func TestWeakened_TellsWhatIsSoNowFromWhatWasSoBefore(t *testing.T) {
	r := reported(t, setting("ssl", "strict", "full", weaker), setting("ssl", "full", "off", weaker))
	require.Len(t, r.Open, 1)
	assert.Equal(t, "ssl: strict", valueBefore(r.Open[0].Change))
	assert.Equal(t, "ssl: off", valueNow(r.Open[0].Latest))

	r = reported(t, setting("ssl", "strict", "off", weaker), setting("ssl", "off", "flexible", safer))
	require.Len(t, r.Undone, 1)
	assert.Equal(t, "ssl: flexible", r.Undone[0].Instead, "safer, and not what it was")
	r = reported(t, setting("ssl", "strict", "off", weaker), setting("ssl", "off", "strict", safer))
	assert.Empty(t, r.Undone[0].Instead)
}

func TestReport_TheTwoLogsOfAChangeAreOneChange(t *testing.T) {
	one := did("dns.record.delete", func(e *ingest.Event) {
		e.Audit.CorrelationID = ingest.CorrelationID{1}
		e.Audit.Changes = []ingest.FieldChange{{Field: "name", Old: "www"}}
	})
	two := did("dns.record.delete", func(e *ingest.Event) {
		e.Audit.CorrelationID, e.Audit.API, e.Severity = ingest.CorrelationID{1}, "v2", ingest.High
		e.Audit.TokenName = "ci"
	})
	again := did("dns.record.delete", func(e *ingest.Event) { e.Audit.CorrelationID = ingest.CorrelationID{1} })
	r := reported(t, one, two, again, did("other", nil))
	require.Len(t, r.Changes, 3)
	assert.Equal(t, 4, r.Events)
	c := r.Changes[0]
	assert.Equal(t, []string{"v1", "v2"}, c.Logs)
	assert.Equal(t, ingest.High, c.Severity, "the worse counts")
	assert.Equal(t, "www", c.Fields[0].Old)
	assert.Equal(t, "ci", c.Token)
}

func TestReport_TellsNewActorsAddressesAndOddHours(t *testing.T) {
	b := NewBuilder(weekly)
	b.Earlier(did("x", func(e *ingest.Event) { e.CreatedAt = monday.Add(-time.Hour) }))
	b.Earlier(did("x", func(e *ingest.Event) { e.CreatedAt, e.SrcIP = monday.Add(-time.Hour), "2001:db8::1" }))
	night := func(e *ingest.Event) { e.CreatedAt = monday.Add(2 * time.Hour) }
	sunday := func(e *ingest.Event) { e.CreatedAt = monday.AddDate(0, 0, 6).Add(12 * time.Hour) }
	b.Add(did("known", nil))
	b.Add(did("same-network", func(e *ingest.Event) { e.SrcIP = "2001:db8::abcd:2" }))
	b.Add(did("elsewhere", func(e *ingest.Event) { e.SrcIP = "203.0.113.66" }))
	b.Add(did("night", night))
	b.Add(did("sunday", sunday))
	b.Add(did("pipeline", func(e *ingest.Event) { night(e); e.Audit.Interface = "API" }))
	b.Add(did("stranger", func(e *ingest.Event) { e.Actor, e.Audit.ActorEmail = "mallory@example.org", "mallory@example.org" }))
	b.Add(did("machine", func(e *ingest.Event) {
		night(e)
		e.Actor, e.Audit.ActorEmail, e.Audit.ActorType = "Cloudflare system", "", "system"
	}))
	b.Add(did("staff", func(e *ingest.Event) {
		e.Actor, e.Audit.ActorEmail, e.Audit.ActorType = "Cloudflare staff", "", "admin"
	}))
	r := b.Report()
	got := map[string][3]bool{}
	for _, c := range r.Changes {
		got[c.Action] = [3]bool{c.NewActor, c.NewAddress, c.OffHours}
	}
	assert.Equal(t, map[string][3]bool{
		"known": {}, "same-network": {}, "elsewhere": {false, true, false}, "night": {false, false, true}, "sunday": {false, false, true},
		"pipeline": {}, "stranger": {true, false, false}, "machine": {}, "staff": {},
	}, got)
	assert.Equal(t, []int{1, 1, 2}, []int{r.NewActors, r.NewAddresses, r.OffHours})
	assert.Len(t, r.People, 2)
	assert.Len(t, r.Staff, 1)
	assert.Len(t, r.Machinery, 1)

	none := reported(t, did("x", nil))
	assert.Zero(t, none.NewActors, "without a baseline no actor is new")
	assert.False(t, none.Baseline)
}

func TestReport_TheRiskiestComeFirst(t *testing.T) {
	graded := func(s ingest.Severity, direction string) *ingest.Event {
		return did(string(s)+direction, func(e *ingest.Event) { e.Severity, e.Audit.Direction = s, direction })
	}
	r := reported(t, graded(ingest.Info, ""), graded(ingest.High, ""), graded(ingest.Medium, weaker), graded(ingest.High, weaker), graded(ingest.Critical, ""))
	var order []string
	for _, risk := range r.Risky {
		order = append(order, risk.Action)
	}
	assert.Equal(t, []string{"critical", "highweaker", "high"}, order)
	assert.Equal(t, []string{"1 critical and 2 high-severity changes by 1 actor need attention.", "2 weakenings are still in place at the end."}, r.Headline)

	calm := reported(t, graded(ingest.Medium, ""), graded(ingest.Low, ""))
	require.Len(t, calm.Risky, 1)
	assert.Equal(t, "Nothing critical or high. 1 change of medium severity deserves a look.", calm.Headline[0])
}

func TestTimeline_HasABarForEveryDayOfTheZoneAndAddsUp(t *testing.T) {
	o := weekly
	o.Location = time.FixedZone("UTC+9", 9*3600)
	b := NewBuilder(o)
	for day := range 7 {
		for n := range day + 1 {
			b.Add(did("x", func(e *ingest.Event) {
				e.CreatedAt = monday.AddDate(0, 0, day).Add(16*time.Hour + time.Duration(n)*time.Minute)
			}))
		}
	}
	r := b.Report()
	assert.Equal(t, "day", r.Timeline.Unit)
	total := 0
	for _, bucket := range r.Timeline.Buckets {
		total += bucket.N
		for _, part := range bucket.Parts {
			assert.GreaterOrEqual(t, part.Y, float64(upperTop))
			assert.LessOrEqual(t, part.X+part.Width, float64(chartWidth))
		}
	}
	assert.Equal(t, len(r.Changes), total)
	narrow := r.Timeline.Narrow
	require.Len(t, narrow.Buckets, len(r.Timeline.Buckets))
	for i, bucket := range narrow.Buckets {
		assert.Equal(t, r.Timeline.Buckets[i].Counts, bucket.Counts)
		assert.LessOrEqual(t, bucket.X+bucket.Width, float64(narrowWidth))
	}
	for _, label := range narrow.Labels {
		assert.LessOrEqual(t, label.X+20, narrowWidth, "the label is cut")
	}
	assert.Equal(t, "Tue 12 May 2026", r.Timeline.Buckets[1].Label)
	assert.Equal(t, 1, r.Timeline.Buckets[1].N, "16:00 UTC on Monday is Tuesday there")

	for span, unit := range map[time.Duration]string{24 * time.Hour: "hour", 90 * 24 * time.Hour: "day", 400 * 24 * time.Hour: "week"} {
		long := NewBuilder(Options{Span: selection.Span{Since: monday.Add(-span), Until: monday}}).Report()
		assert.Equal(t, unit, long.Timeline.Unit)
		assert.LessOrEqual(t, len(long.Timeline.Buckets), 100)
	}
}

func TestCoverage_NamesSilencesAndWhatIsMissing(t *testing.T) {
	r := reported(t, did("x", nil), did("x", func(e *ingest.Event) { e.CreatedAt = time.Time{} }))
	facts := map[string]string{}
	for _, f := range r.facts() {
		facts[f.Name] = f.Lines[0]
	}
	assert.Contains(t, facts["Longest silences"], "6 days, from Mon 11 May 2026, ")
	assert.Contains(t, facts["Without a time"], "1 event whose time cannot be read")
	assert.Contains(t, facts["Read up to"], "The newest saved event of this period is from Mon 11 May 2026")

	b := NewBuilder(weekly)
	b.Covered(ingest.Coverage{Requests: 3, Undecodable: 1, Notices: []string{"Audit Logs v2 cannot be read"}, Dropped: map[string]int{"routine": 7}})
	b.LeftOut(monday.Add(time.Hour))
	b.LeftOut(time.Time{})
	b.Problem("one line of a.jsonl is no event")
	facts = map[string]string{}
	for _, f := range b.Report().facts() {
		facts[f.Name] = f.Lines[0]
	}
	assert.Equal(t, "The audit log was read without a gap, back from Mon 18 May 2026, 00:00, in 3 requests.", facts["Read up to"])
	assert.Equal(t, "Audit Logs v2 cannot be read", facts["Notices"])
	assert.Equal(t, "one line of a.jsonl is no event", facts["Problems"])
	assert.Contains(t, facts["Left out by rules"], "2 entries", "those of the span alone")
	assert.Contains(t, facts["Not understood"], "1 entry")
}

func TestSilences_AreWithoutEntriesThatRulesLeftOut(t *testing.T) {
	meaning := func(r *Report) string {
		for _, f := range r.facts() {
			if f.Name == "Longest silences" {
				return f.Lines[len(f.Lines)-1]
			}
		}
		return ""
	}
	read := NewBuilder(weekly)
	read.Covered(ingest.Coverage{})
	for hour := range 7 * 24 / 6 {
		if hour != 4 && hour != 5 && hour != 6 {
			read.LeftOut(monday.Add(time.Duration(hour) * 6 * time.Hour))
		}
	}
	read.LeftOut(time.Time{})
	r := read.Report()
	assert.Equal(t, []Silence{{monday.Add(18 * time.Hour), monday.Add(42 * time.Hour)}}, r.Silences)
	assert.Equal(t, "In these times the audit log has no entry at all, not even one that a rule left out.", meaning(r))

	files := reported(t, did("x", nil))
	require.NotEmpty(t, files.Silences)
	assert.Contains(t, meaning(files), "Saved events do not have the entries that rules left out.")
	assert.Contains(t, meaning(files), "or a gap in what was saved")
}

func TestHeadline_IsNoAllClearWhereNothingIsKnown(t *testing.T) {
	b := NewBuilder(weekly)
	b.Nothing("there is no event in a.jsonl")
	r := b.Report()
	assert.Equal(t, "Nothing could be read: there is no event in a.jsonl.", r.Headline[0])

	b = NewBuilder(weekly)
	b.Earlier(did("x", func(e *ingest.Event) { e.CreatedAt = monday.AddDate(0, 0, -3) }))
	b.Earlier(did("x", func(e *ingest.Event) { e.CreatedAt = monday.AddDate(0, 0, -4) }))
	assert.Equal(t, []string{"No change was recorded in this period.", "The newest saved event is from Fri 8 May 2026, 00:00."}, b.Report().Headline)

	b = NewBuilder(weekly)
	b.Add(did("x", nil))
	b.Problem("1 line could not be read")
	assert.Contains(t, b.Report().Headline, "Not everything could be read: see Coverage.")
}

func TestParseHours(t *testing.T) {
	for in, want := range map[string]string{
		"8-18": "mon-fri 8-18", "mon-fri 9-17": "mon-fri 9-17", "Mon,Wed 0-24": "mon,wed 0-24", "fri-mon 8-12": "mon,fri,sat,sun 8-12",
	} {
		h, err := ParseHours(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, h.String())
	}
	for _, in := range []string{"", "8", "18-8", "8-25", "mon 8-18 x", "funday 8-18", "mon- 8-18", "a-b"} {
		_, err := ParseHours(in)
		assert.ErrorContains(t, err, "must be days and hours", in)
	}
	h, _ := ParseHours("mon-fri 8-18")
	assert.True(t, h.Contain(monday.Add(8*time.Hour)))
	assert.False(t, h.Contain(monday.Add(18*time.Hour)))
	assert.False(t, h.Contain(monday.Add(-12*time.Hour)))
}

func TestProduct_EveryActionHasOne(t *testing.T) {
	assert.Equal(t, "Firewall and WAF", product("zone.firewall.rule.update"))
	assert.Equal(t, "Zones", product("zone.delete"))
	assert.Equal(t, "magic network", product("magic_network.route.create"))
	assert.Equal(t, "unknown", product(""))
}

func TestPeriod_IsWhatAPersonCallsIt(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     string
	}{
		{"2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "1 – 31 March 2026"},
		{"2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z", "5 March 2026"},
		{"2026-03-28T09:00:00Z", "2026-04-04T09:00:00Z", "28 March – 4 April 2026"},
		{"2025-12-28T09:00:00Z", "2026-01-04T09:00:00Z", "28 December 2025 – 4 January 2026"},
	} {
		from, err := time.Parse(time.RFC3339, test.from)
		require.NoError(t, err)
		to, err := time.Parse(time.RFC3339, test.to)
		require.NoError(t, err)
		r := NewBuilder(Options{Span: selection.Span{Since: from, Until: to}}).Report()
		assert.Equal(t, test.want, r.period())
	}
}
