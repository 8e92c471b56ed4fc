package product

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// suite is what the tests know about the families in one file of this package.
type suite struct {
	// pairs are entries of the audit log, and calls are entries of Audit Logs v2,
	// each with the action and the grade it must get.
	pairs []pairCase
	calls callList
	// examples has an entry for every default rule of the families, by the id of
	// the rule.
	examples map[string]ruleExample
	// facts are entries with everything that Understand must find in them.
	facts map[string]factCase
	// moves are entries that raise or lower a protection.
	moves map[string]moveCase
}

// suites are all there are, by the file whose families they are about.
var suites = map[string]*suite{
	"access.go":         &accessSuite,
	"account.go":        &accountSuite,
	"addressing.go":     &addressingSuite,
	"ai.go":             &modelsSuite,
	"all.go":            &otherSuite,
	"apishield.go":      &apiShieldSuite,
	"bursts.go":         &burstsSuite,
	"casb.go":           &casbSuite,
	"certificates.go":   &certificatesSuite,
	"builds.go":         &buildsSuite,
	"custompages.go":    &customPagesSuite,
	"devices.go":        &devicesSuite,
	"dlp.go":            &dlpSuite,
	"dns.go":            &dnsSuite,
	"email_security.go": &emailSecuritySuite,
	"firewall.go":       &firewallSuite,
	"gateway.go":        &gatewaySuite,
	"intel.go":          &intelSuite,
	"lists.go":          &listsSuite,
	"logs.go":           &logsSuite,
	"magic.go":          &magicSuite,
	"mail.go":           &mailSuite,
	"media.go":          &mediaSuite,
	"members.go":        &membersSuite,
	"network.go":        &networkSuite,
	"pagerules.go":      &pageRulesSuite,
	"pipelines.go":      &pipelinesSuite,
	"protections.go":    &protectionsSuite,
	"registrar.go":      &registrarSuite,
	"settings.go":       &settingsSuite,
	"spectrum.go":       &spectrumSuite,
	"storage.go":        &storageSuite,
	"tokens.go":         &tokensSuite,
	"traffic.go":        &trafficSuite,
	"waitingroom.go":    &waitingRoomsSuite,
	"workers.go":        &workersSuite,
	"zone.go":           &zoneSuite,
}

// pairCase is a resource type and an action type, with what an entry of this pair
// says besides and the action and grade it must get.
type pairCase struct {
	resource, action string
	// derived says that the pair has never been published. It follows from the
	// names of similar pairs, or from the paths of the API.
	derived bool
	// want is the action, or "" where only the grade matters.
	want string
	// severity is the grade in a production zone, elsewhere the grade in another
	// zone, and swapped the grade of the opposite change. A same stands for "the
	// same grade" and for "has no opposite".
	severity, elsewhere, swapped ingest.Severity
	more                         []string
}

const (
	same ingest.Severity = ""
	// drop stands for an entry that makes no event.
	drop ingest.Severity = "drop"
)

// rows makes cases of a list such as "DNS_record/rec_add; ?dns_records/create", in
// which a question mark precedes a derived pair.
func rows(list, want string, severity, elsewhere, swapped ingest.Severity, more ...string) []pairCase {
	var cases []pairCase
	for name := range strings.SplitSeq(list, "; ") {
		name, derived := strings.CutPrefix(name, "?")
		resource, action, _ := strings.Cut(name, "/")
		cases = append(cases, pairCase{resource, action, derived, want, severity, elsewhere, swapped, more})
	}
	return cases
}

// callCase is a request, with the action and the grade that its entry must get in
// a production zone.
type callCase struct {
	method, path string
	want         string
	severity     ingest.Severity
	more         []string
}

type callList []callCase

// add appends the requests of a list such as "POST {a}/members; PUT {z}/hold/1",
// in which {a} and {z} stand for the account and the zone, and 1 for an id.
func (l *callList) add(list, want string, severity ingest.Severity, more ...string) {
	placeholders := strings.NewReplacer("{a}", "/accounts/"+exampleAccount, "{z}", "/zones/"+exampleZone, "/1", "/372e67954025e0ba6aaa6d586b9e0b59")
	for request := range strings.SplitSeq(list, "; ") {
		method, path, _ := strings.Cut(request, " ")
		*l = append(*l, callCase{method, placeholders.Replace(path), want, severity, more})
	}
}

// called is the entry of a request as in [callList.add].
func called(request string, more ...string) string {
	var list callList
	list.add(request, "", "")
	return requested(list[0].method, list[0].path, more...)
}

// collect appends the requests that create, change and delete a member of a
// collection, with the severity of each, or "" for a request that there is not.
func (l *callList) collect(path, name string, create, update, remove ingest.Severity) {
	for _, c := range []struct {
		request, verb string
		severity      ingest.Severity
	}{
		{"POST " + path, VerbCreate, create},
		{"PUT " + path + "/1; PATCH " + path + "/1", VerbUpdate, update},
		{"DELETE " + path + "/1", VerbDelete, remove},
	} {
		if c.severity != "" {
			l.add(c.request, name+"."+c.verb, c.severity)
		}
	}
}

// ruleExample is an entry that a rule decides, and the most similar one that it
// must leave to another rule.
type ruleExample struct{ yes, no string }

// factCase is an entry and what it says, besides what every entry states about
// itself. An empty action is not compared.
type factCase struct {
	raw, action string
	want        rules.Facts
	actorName   string
	tokenID     string
	system      bool
	staff       bool
	ruleset     bool
}

// moveCase is an entry with the action and the direction it must get, and with
// the target unless that is "".
type moveCase struct{ raw, action, direction, target string }

// check runs all cases of a suite.
func (s *suite) check(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*testing.T){
		"audit log":     s.checkPairs,
		"audit logs v2": s.checkCalls,
		"default rules": s.checkExamples,
		"facts":         s.checkFacts,
		"directions":    s.checkMoves,
	} {
		t.Run(name, run)
	}
}

// checkPairs checks the name and the grade of each pair: in any case, outside
// production, as a failed attempt, and of the opposite change.
func (s *suite) checkPairs(t *testing.T) {
	t.Parallel()
	c := gradingProduction(t, "checkout")
	check := func(raw, name string, want ingest.Severity) {
		t.Helper()
		v, f := grade(t, c, raw)
		if name != "" {
			assert.Equal(t, name, f.Action, "%s", raw)
		}
		assert.Equal(t, want, severityOf(v), "%s by rule %s", raw, v.Rule)
		assert.NotContains(t, []string{"unreadable", "none"}, v.Rule)
	}
	swapValues := strings.NewReplacer(`"oldValueJson":`, `"newValueJson":`, `"newValueJson":`, `"oldValueJson":`)
	swapSetting := strings.NewReplacer(`"old_value":`, `"value":`, `"value":`, `"old_value":`)
	for _, p := range s.pairs {
		for _, spell := range []func(string) string{strings.Clone, strings.ToUpper, strings.ToLower} {
			check(logged(spell(p.resource), spell(p.action), p.more...), p.want, p.severity)
		}
		raw := logged(p.resource, p.action, p.more...)
		check(strings.ReplaceAll(raw, "example.com", "staging.example.net"), p.want, cmp.Or(p.elsewhere, p.severity))
		if failed := strings.Replace(raw, `"result":true`, `"result":false`, 1); failed != raw && p.want != "account.login" {
			check(failed, p.want, lowered(p.severity))
		}
		if p.swapped != same {
			assert.Contains(t, []ingest.Severity{low, info}, p.swapped)
			swapped := swapValues.Replace(raw)
			if swapped == raw {
				swapped = swapSetting.Replace(raw)
			}
			assert.NotEqual(t, raw, swapped)
			check(swapped, "", p.swapped)
		}
	}
}

// checkCalls checks the name and the grade of each request: with and without the
// prefix of the API, and as a failed attempt.
func (s *suite) checkCalls(t *testing.T) {
	t.Parallel()
	c := gradingProduction(t, "checkout")
	check := func(raw, want string, severity ingest.Severity) *Facts {
		t.Helper()
		v, f := grade(t, c, raw)
		assert.Equal(t, want, f.Action, raw)
		assert.Equal(t, severity, severityOf(v), "%s by rule %s", raw, v.Rule)
		return f
	}
	for _, call := range s.calls {
		raw := requested(call.method, call.path, call.more...)
		f := check(raw, call.want, call.severity)
		assert.False(t, f.Failed, raw)
		if strings.Contains(call.path, "/zones/") {
			assert.Equal(t, exampleZone, f.ZoneID)
		}
		check(requested(strings.ToLower(call.method), "/client/v4"+strings.TrimPrefix(call.path, "/client/v4"), call.more...), call.want, call.severity)
		f = check(strings.Replace(raw, `"success"`, `"failure"`, 1), call.want, lowered(call.severity))
		assert.True(t, f.Failed, raw)
	}
}

// checkExamples checks that each default rule decides its example and leaves the
// similar entry to another rule.
func (s *suite) checkExamples(t *testing.T) {
	t.Parallel()
	c := gradingProduction(t, "checkout*")
	drops := make(map[string]bool)
	for _, r := range Rules().Defaults() {
		drops[r.ID] = r.Drop
	}
	for id, example := range s.examples {
		if c.BurstRule(id) != nil {
			continue // it decides nothing
		}
		v, f := grade(t, c, example.yes)
		if assert.Equal(t, id, v.Rule, "%s %s", f.Action, example.yes) {
			assert.Equal(t, drops[id], v.Drop, id)
		}
		v, f = grade(t, c, example.no)
		assert.NotEqual(t, id, v.Rule, "%s %s", f.Action, example.no)
	}
}

func (s *suite) checkFacts(t *testing.T) {
	t.Parallel()
	for name, tt := range s.facts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := understood(t, tt.raw)
			if tt.action != "" {
				assert.Equal(t, tt.action, got.Action)
			}
			want := &Facts{
				Facts: tt.want, naming: got.naming, ActorName: tt.actorName, TokenID: tt.tokenID,
				system: tt.system, staff: tt.staff, ruleset: tt.ruleset,
			}
			forgetStated(got)
			assert.Equal(t, want, got)
		})
	}
}

// forgetStated empties what every entry states about itself, and the changes.
func forgetStated(f *Facts) {
	for _, stated := range []*string{&f.Action, &f.Verb, &f.ResourceType, &f.ActionType, &f.Method,
		&f.ActorEmail, &f.ActorID, &f.Actor, &f.ActorKind, &f.ActorType, &f.SourceIP, &f.Interface} {
		*stated = ""
	}
	f.Failed, f.Succeeded = false, false
	f.Facts.Addr = rules.Facts{}.Addr
	f.Changes, f.ChangesOmitted = nil, 0
	clear(f.changes[:])
}

func (s *suite) checkMoves(t *testing.T) {
	t.Parallel()
	for name, tt := range s.moves {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := understood(t, tt.raw)
			assert.Equal(t, tt.action, got.Action)
			assert.Equal(t, tt.direction, got.Direction)
			if tt.target != "" {
				assert.Equal(t, tt.target, got.Target)
			}
		})
	}
}

// entries are all entries of a suite as JSON.
func (s *suite) entries() []string {
	var list []string
	for _, p := range s.pairs {
		list = append(list, logged(p.resource, p.action, p.more...))
	}
	for _, c := range s.calls {
		list = append(list, requested(c.method, c.path, c.more...))
	}
	for _, example := range s.examples {
		list = append(list, example.yes, example.no)
	}
	for _, tt := range s.facts {
		list = append(list, tt.raw)
	}
	for _, tt := range s.moves {
		list = append(list, tt.raw)
	}
	return list
}

// eachSuite runs f for every suite, in the order of the files.
func eachSuite(f func(file string, s *suite)) {
	for _, file := range slices.Sorted(maps.Keys(suites)) {
		f(file, suites[file])
	}
}

// decode reads one entry, of the log that its members tell.
func decode(t testing.TB, raw string) *audit.Entry {
	t.Helper()
	doc := new(jsondoc.Doc)
	require.NoError(t, doc.Parse(raw), "%s", raw)
	e := new(audit.Entry)
	e.Decode(doc, "")
	return e
}

// understood is what an entry did.
func understood(t testing.TB, raw string) *Facts {
	t.Helper()
	f := new(Facts)
	Understand(decode(t, raw), f)
	return f
}

// gradingProduction grades with the default rules. The zone example.com is in
// production, and the Worker is verified.
func gradingProduction(t testing.TB, worker string) *rules.Classifier {
	t.Helper()
	return grading(t, rules.Config{ProductionZones: oneOf{"example.com"}, VerifiedWorkers: oneOf{worker}, DropRoutine: true})
}

// grading grades with the default rules and those of a configuration.
func grading(t testing.TB, cfg rules.Config) *rules.Classifier {
	t.Helper()
	c, err := Rules().NewClassifier(cfg)
	require.NoError(t, err)
	return c
}

// ownToken is the id of the connector's own token.
const ownToken = "ed17574386854bf78a67040be0a770b0"

// grade grades one entry.
func grade(t testing.TB, c *rules.Classifier, raw string) (rules.Verdict, *Facts) {
	t.Helper()
	f := understood(t, raw)
	f.OwnToken = strings.EqualFold(f.TokenID, ownToken)
	return c.Grade(&f.Facts), f
}

// severityOf is the grade, or drop.
func severityOf(v rules.Verdict) ingest.Severity {
	if v.Drop {
		return drop
	}
	return v.Severity
}

// lowered is the grade of a failed attempt, which is never dropped.
func lowered(s ingest.Severity) ingest.Severity {
	return map[ingest.Severity]ingest.Severity{critical: high, high: medium, medium: low, low: info, info: info, drop: info}[s]
}

// parsed is a JSON text as a value.
func parsed(t testing.TB, src string) jsondoc.Value {
	t.Helper()
	doc := new(jsondoc.Doc)
	require.NoError(t, doc.Parse(src), "%s", src)
	return doc.Root()
}
