package rules

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Every condition, with facts that meet it and facts that do not.
func TestRule_Conditions(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	other := &Facts{Action: "frob.thing", ActorKind: "unknown", ResourceType: "other", ActionType: "other"}
	from := func(address string) func(*Facts) {
		return func(f *Facts) { f.SourceIP, f.Addr = address, netip.MustParseAddr(address).Unmap() }
	}
	stated := make(map[string]bool)
	for match, f := range map[string]*Facts{
		`{"action":"dns.record.*"}`:                              did("dns.record.create"),
		`{"action":"frob.nicate"}`:                               did("frob.nicate"),
		`{"action":["x","*.nicate"]}`:                            did("frob.nicate"),
		`{"resource_type":["x","THI*"]}`:                         did("dns.record.create"),
		`{"action_type":"fro*"}`:                                 did("dns.record.create"),
		`{"verb":"delete"}`:                                      did("spectrum.app.delete"),
		`{"outcome":"failure"}`:                                  did("login", thatFailed),
		`{"outcome":"success"}`:                                  did("login"),
		`{"method":"p*t"}`:                                       did("login"),
		`{"actor":"*@example.com"}`:                              did("login"),
		`{"actor":"A1"}`:                                         did("login"),
		`{"actor_type":"user"}`:                                  did("login"),
		`{"actor_type":"staff"}`:                                 did("login", func(f *Facts) { f.ActorKind, f.ActorType = "staff", "Admin" }),
		`{"actor_type":"adm*"}`:                                  did("login", func(f *Facts) { f.ActorKind, f.ActorType = "staff", "Admin" }),
		`{"source_ip":["198.51.100.1","192.0.2.0/24"]}`:          did("login"),
		`{"source_ip":"2001:db8::/32"}`:                          did("login", from("2001:db8::1")),
		`{"source_ip":"::ffff:192.0.2.0/120"}`:                   did("login", from("::ffff:192.0.2.1")),
		`{"interface":"ui"}`:                                     did("login"),
		`{"zone":"*.example.com"}`:                               did("zone.cache.purge", zoneNamed("shop.example.com")),
		`{"zone":"A379a6f6eeafb9a55e378c118034e275"}`:            did("zone.cache.purge"),
		`{"zone":"BÜCHER.example."}`:                             did("zone.cache.purge", zoneNamed("xn--bcher-kva.example")),
		`{"zone":"xn--bcher-kva.example"}`:                       did("zone.cache.purge", zoneNamed("bücher.example")),
		`{"action":"*","production":true}`:                       did("dns.record.create"),
		`{"action":"*","production":false}`:                      did("dns.record.create", zoneNamed("example.net"), func(f *Facts) { f.ZoneID = "z" }),
		`{"action":"*","account_wide":true}`:                     did("zone.firewall.rule.delete", func(f *Facts) { f.AccountWide = true }),
		`{"own_token":true}`:                                     did("api_token.roll", func(f *Facts) { f.OwnToken = true }),
		`{"target":"_dmarc.*"}`:                                  did("dns.record.create", func(f *Facts) { f.Target = "_dmarc.example.com" }),
		`{"record_type":["TXT","unknown"]}`:                      did("dns.record.create", recordType("TXT")),
		`{"record_type":["MX","unknown"]}`:                       did("dns.record.create"),
		`{"setting":"ssl"}`:                                      did("zone.settings.update", func(f *Facts) { f.Setting, f.SettingPath = "ssl", "tls/ssl" }),
		`{"setting":"firewall/*"}`:                               did("zone.settings.update", func(f *Facts) { f.Setting, f.SettingPath = "waf", "firewall/waf" }),
		`{"direction":"weaker"}`:                                 did("zone.settings.update", func(f *Facts) { f.Direction = Weaker }),
		`{"role":"super_administrator"}`:                         did("member.add", func(f *Facts) { f.Role = RoleSuper }),
		`{"scope":"unknown"}`:                                    did("api_token.create", func(f *Facts) { f.Scope = ScopeUnknown }),
		`{"worker":"unverified"}`:                                did("worker.script.deploy"),
		`{"worker":"none"}`:                                      did("worker.route.create", func(f *Facts) { f.NoScript = true }),
		`{"worker":"verified"}`:                                  did("worker.script.deploy", func(f *Facts) { f.Script = "Checkout-2" }),
		`{"decision":"BYPASS"}`:                                  did("access_policy.create", func(f *Facts) { f.Decision = "bypass" }),
		`{"changed":{"field":"proxied","old":"true"}}`:           did("dns.record.update", changes(ingest.FieldChange{Field: "proxied", Old: "true", New: "false"})),
		`{"changed":[{"field":"a"},{"field":"t*","new":"6*"}]}`:  did("dns.record.update", changes(ingest.FieldChange{Field: "x"}, ingest.FieldChange{Field: "ttl", Old: "1", New: "60"})),
		`{"action":"dns.*","verb":"create","outcome":"success"}`: did("dns.record.create"),
	} {
		user, err := b.Parse([]byte(`[{"id":"mine","severity":"critical","match":` + match + `}]`))
		require.NoError(t, err, match)
		c, err := b.NewClassifier(Config{Rules: user, VerifiedWorkers: oneOf{"checkout*"},
			ProductionZones: oneOf{"example.com", "a379a6f6eeafb9a55e378c118034e275"}})
		require.NoError(t, err)
		assert.Equal(t, "mine", c.Grade(f).Rule, "%s on %+v", match, f)
		for _, name := range conditionNames {
			stated[name] = stated[name] || strings.Contains(match, `"`+name+`":`)
		}
		if !strings.Contains(match, `"*"`) {
			assert.NotEqual(t, "mine", c.Grade(other).Rule, match)
		}
	}
	for _, name := range conditionNames {
		assert.True(t, stated[name], "the condition %s is not tested", name)
	}
	// All conditions must hold.
	user, err := b.Parse([]byte(`[{"id":"mine","severity":"critical","match":{"action":"dns.*","actor":"bob@*"}}]`))
	require.NoError(t, err)
	c, err := b.NewClassifier(Config{Rules: user})
	require.NoError(t, err)
	assert.Equal(t, "dns-record-created", c.Grade(did("dns.record.create")).Rule)
}

// A pattern without a slash is about the name of a setting alone, and what an
// entry does not state matches nothing.
func TestRule_ConditionsThatDoNotHold(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for match, f := range map[string]*Facts{
		`{"setting":"firewall*"}`:          did("zone.settings.update", func(f *Facts) { f.Setting, f.SettingPath = "waf", "firewall/waf" }),
		`{"actor":"*"}`:                    did("login", func(f *Facts) { f.ActorEmail, f.ActorID = "", "" }),
		`{"source_ip":"0.0.0.0/0"}`:        did("login", func(f *Facts) { f.SourceIP, f.Addr = "not an address", netip.Addr{} }),
		`{"record_type":"*"}`:              did("zone.delete", recordType("MX")),
		`{"worker":"unverified"}`:          did("zone.delete"),
		`{"changed":{"field":"*"}}`:        did("dns.record.update"),
		`{"action":"*","own_token":false}`: did("api_token.roll", func(f *Facts) { f.OwnToken = true }),
	} {
		user, err := b.Parse([]byte(`[{"id":"mine","severity":"critical","match":` + match + `}]`))
		require.NoError(t, err, match)
		c, err := b.NewClassifier(Config{Rules: user})
		require.NoError(t, err)
		assert.NotEqual(t, "mine", c.Grade(f).Rule, "%s on %+v", match, f)
	}
}

func TestGrade_ByTheFirstRuleThatMatches(t *testing.T) {
	t.Parallel()
	c := newClassifier(t, Config{ProductionZones: oneOf{"example.com"}, DropRoutine: true})
	for _, tt := range []struct {
		facts *Facts
		want  Verdict
	}{
		{did("dns.record.delete", recordType("MX")), Verdict{Rule: "dns-record-deleted-production", Severity: medium,
			Title: "DNS record deleted: MX www.example.com in example.com", Why: "What it led to is no longer reached.", Techniques: oneOf{"T1485", "T1565.002"}}},
		{did("dns.record.delete"), Verdict{Rule: "dns-record-deleted-production", Severity: medium,
			Title: "DNS record deleted www.example.com in example.com", Why: "What it led to is no longer reached.", Techniques: oneOf{"T1485", "T1565.002"}}},
		{did("dns.record.delete", recordType("TXT")), Verdict{Rule: "dns-record-deleted", Severity: low, Title: "DNS record deleted outside production"}},
		{did("dns.record.delete", recordType("MX"), zoneNamed("example.net")), Verdict{Rule: "dns-record-deleted", Severity: low, Title: "DNS record deleted outside production"}},
		{did("dns.record.delete", bySystem), Verdict{Rule: "dns-changed-by-system", Severity: info,
			Title: "DNS record changed by Cloudflare", Why: "Cloudflare keeps records in step with tunnels."}},
		{did("zone.settings.read"), Verdict{Rule: "zone-settings-read", Severity: info, Drop: true}},
		{did("spectrum.app.view"), Verdict{Rule: "other-read", Severity: info, Title: "Cloudflare spectrum.app.view"}},
		{did("spectrum.app.view", func(f *Facts) { f.Method = "GET" }), Verdict{Rule: "routine-read", Severity: info, Drop: true}},
		{did("spectrum.app.frobnicate"), Verdict{Rule: "other", Severity: low, Title: "Cloudflare spectrum.app.frobnicate",
			Why: "These rules have nothing to say about this action."}},
		{&Facts{}, Verdict{Rule: "other", Severity: low, Title: "Cloudflare unknown", Why: "These rules have nothing to say about this action."}},
	} {
		assert.Equal(t, tt.want, c.Grade(tt.facts))
	}
}

func TestGrade_AFailedAttemptIsOneLevelLowerAndNeverDropped(t *testing.T) {
	t.Parallel()
	c := newClassifier(t, Config{DropRoutine: true})
	for _, action := range append([]string{"spectrum.app.view", "frob.nicate"}, standardActions...) {
		f := did(action, func(f *Facts) { f.Method, f.OwnToken = "GET", true })
		ok := c.Grade(f)
		thatFailed(f)
		v := c.Grade(f)
		assert.False(t, v.Drop, action)
		assert.NotEmpty(t, v.Title)
		if v.Rule == ok.Rule {
			assert.Equal(t, lowered(ok.Severity), v.Severity, action)
			assert.True(t, strings.HasSuffix(v.Title, " (failed)"), v.Title)
		} else {
			assert.True(t, ok.Drop || v.Rule == "login-failed", action)
		}
	}
	// A rule that names the outcome has the grade and the title for it.
	assert.Equal(t, Verdict{Rule: "login-failed", Severity: medium, Title: "Sign-in failed: www.example.com", Why: "Somebody may be guessing.",
		Techniques: oneOf{"T1110"}}, c.Grade(did("login", thatFailed)))
	assert.Equal(t, []ingest.Severity{high, medium, low, info, info},
		[]ingest.Severity{lowered(critical), lowered(high), lowered(medium), lowered(low), lowered(info)})
}

func TestGrade_ARuleThatDropsGradesInfoWhileRoutineIsKept(t *testing.T) {
	t.Parallel()
	c := newClassifier(t, Config{})
	assert.Equal(t, Verdict{Rule: "zone-settings-read", Severity: info, Title: "Zone settings read", Why: "A read changes nothing."},
		c.Grade(did("zone.settings.read")))
}

func TestGrade_ProductionZones(t *testing.T) {
	t.Parallel()
	const id, other = "a379a6f6eeafb9a55e378c118034e275", "3daab7cff97925bbd07d11df5dc3b0e3"
	for name, tt := range map[string]struct {
		zones    []string
		name, id string
		want     bool
	}{
		"nothing configured":                {nil, "example.net", other, true},
		"by name":                           {[]string{"example.com"}, "example.com", "", true},
		"another name":                      {[]string{"example.com"}, "example.net", "", false},
		"a zone below is another zone":      {[]string{"example.com"}, "shop.example.com", "", false},
		"a longer name is another zone":     {[]string{"example.com"}, "notexample.com", "", false},
		"in any case, with a dot":           {[]string{"Example.COM."}, "example.com", "", true},
		"the name in any case":              {[]string{"example.com"}, "Example.com", "", true},
		"star":                              {[]string{"*"}, "example.net", "", true},
		"star below":                        {[]string{"*.example.com"}, "shop.example.com", "", true},
		"star below is not the zone itself": {[]string{"*.example.com"}, "example.com", "", false},
		"by id":                             {[]string{id}, "example.com", id, true},
		"by id in upper case":               {[]string{strings.ToUpper(id)}, "", id, true},
		"the id in upper case":              {[]string{id}, "", strings.ToUpper(id), true},
		"another id":                        {[]string{id}, "example.net", other, false},
		"one of several":                    {[]string{"example.org", id, "example.com"}, "example.com", other, true},
		"no zone at all":                    {[]string{"example.com"}, "", "", true},
		"an id where there are names":       {[]string{"example.com"}, "", other, true},
		"a name where there are ids":        {[]string{id}, "example.com", "", true},
		"neither of both":                   {[]string{id, "example.com"}, "example.net", other, false},
		"unicode as punycode":               {[]string{"bücher.example"}, "xn--bcher-kva.example", "", true},
		"punycode as unicode":               {[]string{"xn--bcher-kva.example"}, "bücher.example", "", true},
		"unicode in upper case":             {[]string{"BÜCHER.example"}, "bücher.example", "", true},
		"unicode below a star":              {[]string{"*.bücher.example"}, "shop.xn--bcher-kva.example", "", true},
		"decomposed":                        {[]string{"bu\u0308cher.example"}, "xn--bcher-kva.example", "", true},
		"decomposed in the entry":           {[]string{"bücher.example"}, "bu\u0308cher.example", "", true},
		"dots of another script":            {[]string{"bücher\u3002example"}, "bücher.example", "", true},
		"such a dot below a star":           {[]string{"*\u3002bücher.example"}, "shop.bücher.example", "", true},
		"full width":                        {[]string{"ｅxample.com"}, "example.com", "", true},
		"other unicode":                     {[]string{"bücher.example"}, "büchen.example", "", false},
	} {
		c := newClassifier(t, Config{ProductionZones: tt.zones})
		assert.Equal(t, tt.want, c.isProduction(tt.name, tt.id), name)
		want := "dns-record-deleted"
		if tt.want {
			want = "dns-record-deleted-production"
		}
		got := c.Grade(did("dns.record.delete", func(f *Facts) { f.ZoneName, f.ZoneID = tt.name, tt.id }))
		assert.Equal(t, want, got.Rule, name)
		if tt.name != "" || tt.id != "" {
			got = c.Grade(did("dns.record.delete", func(f *Facts) { f.ZoneName, f.ZoneID, f.AccountWide = tt.name, tt.id, true }))
			assert.Equal(t, "dns-record-deleted-production", got.Rule, "what is for the whole account is for production: %s", name)
		}
	}
}

func TestNewClassifier_NamesFaultyZonesAndWorkers(t *testing.T) {
	t.Parallel()
	_, err := newBook(t).NewClassifier(Config{
		ProductionZones: []string{"https://example.com", "example.com", "a..b", "bü*.example", "", "exa mple"},
		VerifiedWorkers: []string{"ok", "checkout?", " x"},
		Rules:           []Rule{{ID: "a", Severity: "bad", Match: Match{Action: []string{"x"}}}},
	})
	require.Error(t, err)
	var values []string
	for _, fault := range err.(interface{ Unwrap() []error }).Unwrap() {
		var field *ingest.FieldError
		require.ErrorAs(t, fault, &field)
		values = append(values, field.Field+" "+field.Value)
	}
	assert.Equal(t, []string{"production_zones https://example.com", "production_zones a..b", "production_zones bü*.example", "production_zones ",
		"production_zones exa mple", "verified_workers checkout?", "verified_workers  x", `rules[0] "a": severity bad`}, values)
}

func TestRules_OfTheUserComeFirstRegradeAndSwitchOff(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	user, err := b.Parse([]byte(`[
		{"id":"pipeline","drop":true,"match":{"action":"dns.record.*","actor":"deploy@example.com"}},
		{"id":"night","severity":"critical","title":"{actor} did {action}[ to {target}]","why":"Nobody works at night.","techniques":["T1078.004"],
		 "match":{"action":"worker.*"}},
		{"id":"dns-record-created","severity":"medium"},
		{"id":"cache-purged","drop":true},
		{"id":"zone-settings-read","severity":"low"},
		{"id":"dns-record-changed","disabled":true},
		{"id":"zone-deleted","title":"Gone[: {target}]","why":"It is gone.","techniques":[]}
	]`))
	require.NoError(t, err)
	c, err := b.NewClassifier(Config{Rules: user, DropRoutine: true})
	require.NoError(t, err)

	deploy := func(f *Facts) { f.ActorEmail = "deploy@example.com" }
	assert.Equal(t, Verdict{Rule: "pipeline", Severity: info, Drop: true}, c.Grade(did("dns.record.create", deploy)))
	assert.Equal(t, "dns-record-created", c.Grade(did("dns.record.create", deploy, thatFailed)).Rule, "a failure is not routine")
	assert.Equal(t, Verdict{Rule: "night", Title: "alice@example.com did worker.script.delete to shop", Why: "Nobody works at night.",
		Severity: critical, Techniques: []string{"T1078.004"}}, c.Grade(did("worker.script.delete", func(f *Facts) { f.Target = "shop" })))
	assert.Equal(t, medium, c.Grade(did("dns.record.create")).Severity)
	assert.Equal(t, Verdict{Rule: "cache-purged", Severity: info, Drop: true}, c.Grade(did("zone.cache.purge")))
	v := c.Grade(did("zone.settings.read"))
	assert.False(t, v.Drop)
	assert.Equal(t, low, v.Severity)
	assert.Equal(t, "other", c.Grade(did("dns.record.update")).Rule)
	assert.Equal(t, Verdict{Rule: "zone-deleted", Title: "Gone: example.com", Why: "It is gone.", Severity: high, Techniques: []string{}},
		c.Grade(did("zone.delete", func(f *Facts) { f.Target = "example.com" })))

	// With nothing to be dropped, the same rules grade info.
	c, err = b.NewClassifier(Config{Rules: user})
	require.NoError(t, err)
	v = c.Grade(did("dns.record.create", deploy))
	assert.Equal(t, Verdict{Rule: "pipeline", Severity: info, Title: "Cloudflare dns.record.create"}, v)
	assert.Equal(t, standardRules, b.Defaults(), "the default rules stay as they are")
}

func TestRules_ChangesOfADefaultRuleStayWithTheirUser(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	before, err := b.NewClassifier(Config{})
	require.NoError(t, err)
	changed, err := b.NewClassifier(Config{Rules: []Rule{{ID: "dns-record-changed", Disabled: true}, {ID: "dns-record-created", Severity: critical}}})
	require.NoError(t, err)
	after, err := b.NewClassifier(Config{})
	require.NoError(t, err)
	other, err := b.NewClassifier(Config{Rules: []Rule{{ID: "zone-deleted", Severity: critical}}})
	require.NoError(t, err)

	assert.Equal(t, "other", changed.Grade(did("dns.record.update")).Rule)
	assert.Equal(t, critical, changed.Grade(did("dns.record.create")).Severity)
	for name, c := range map[string]*Classifier{"before": before, "after": after, "other": other} {
		assert.Equal(t, "dns-record-changed", c.Grade(did("dns.record.update")).Rule, name)
		assert.NotEqual(t, critical, c.Grade(did("dns.record.create")).Severity, name)
	}
}

// The rules are looked up by action to grade and tried in their order to explain.
// Both must lead to the same rule, for any rules and any facts.
func TestExplain_AgreesWithGrade(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	rapid.Check(t, func(t *rapid.T) {
		user := drawRules(t)
		// Rules that are drawn may be out of reach, which a check would refuse.
		table := &table{book: b, defaults: b.table.defaults}
		for _, r := range user {
			table.own = append(table.own, compile(r, ""))
		}
		table.index = newIndex(table.own, b.actions, grades)
		c, err := b.NewClassifier(Config{ProductionZones: oneOf{"example.com"}, VerifiedWorkers: oneOf{"checkout"}, DropRoutine: rapid.Bool().Draw(t, "drop")})
		require.NoError(t, err)
		c.table = table
		f := drawFacts(t)
		verdict := c.Grade(f)
		_, trials := c.Explain(f)
		last := trials[len(trials)-1]
		assert.Empty(t, last.Failed)
		assert.Equal(t, verdict.Rule, last.Rule.ID)
		for i, trial := range trials[:len(trials)-1] {
			assert.Contains(t, conditionNames, trial.Failed)
			if i < len(user) {
				assert.Equal(t, user[i].ID, trial.Rule.ID)
			}
		}
	})
}

func TestExplain_TellsWhatTheConditionsWereTestedAgainst(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	user, err := b.Parse([]byte(`[{"id":"cache-purged","disabled":true},{"id":"quiet","drop":true,"match":{"action":"dns.*","actor":"bob@*"}}]`))
	require.NoError(t, err)
	c, err := b.NewClassifier(Config{Rules: user, ProductionZones: oneOf{"example.com"}})
	require.NoError(t, err)
	f := did("dns.record.update", zoneNamed("staging.example.net"), recordType("MX"), changes(ingest.FieldChange{Field: "proxied", Old: "true", New: "false"}))
	f.ZoneID, f.SettingPath = "r1", "tls/ssl"
	facts, trials := c.Explain(f)
	said := make(map[string][]string)
	var names []string
	for _, fact := range facts {
		said[fact.Name], names = fact.Values, append(names, fact.Name)
	}
	assert.Equal(t, conditionNames, names, "each condition once, in its order")
	for name, want := range map[string][]string{
		"action": {"dns.record.update"}, "resource_type": {"thing"}, "action_type": {"frob"}, "verb": {"update"},
		"outcome": {"success"}, "actor": {"alice@example.com", "a1"}, "actor_type": {"user"}, "source_ip": {"192.0.2.10"},
		"zone": {"staging.example.net", "r1"}, "setting": {"tls/ssl"}, "direction": {"none"}, "role": {}, "record_type": {"MX"},
		"production": {"false"}, "own_token": {"false"}, "account_wide": {"false"}, "changed": {"proxied: true -> false"},
	} {
		assert.Equal(t, want, said[name], name)
	}
	tried := make(map[string]string)
	var order []string
	for _, trial := range trials {
		tried[trial.Rule.ID] = trial.Failed
		order = append(order, trial.Rule.ID)
	}
	assert.Equal(t, "quiet", order[0], "the user's rules come first")
	assert.Equal(t, oneOf{"success", "unknown"}, trials[0].Rule.Match.Outcome, "a rule as it is in force")
	assert.Equal(t, "actor", tried["quiet"])
	assert.Equal(t, "action", tried["zone-settings-read"])
	assert.Equal(t, "actor_type", tried["dns-changed-by-system"])
	assert.Equal(t, "dns-record-unproxied", order[len(order)-1], "rules behind the one that decides are not tried")
	assert.Empty(t, tried["dns-record-unproxied"])
	_, trials = c.Explain(did("zone.cache.purge"))
	assert.False(t, slices.ContainsFunc(trials, func(t Trial) bool { return t.Rule.ID == "cache-purged" }), "it is switched off")

	// What is handed out may be changed.
	trials[0].Rule.Match.Action[0] = "x"
	_, again := c.Explain(f)
	assert.Equal(t, "dns.*", again[0].Rule.Match.Action[0])
}

func TestNewClassifier_ChecksRulesThatAreGivenAsValues(t *testing.T) {
	t.Parallel()
	_, err := newBook(t).NewClassifier(Config{Rules: []Rule{{ID: "a", Severity: "bad", Match: Match{Action: []string{"x"}}}}})
	assert.True(t, errors.As(err, new(*ingest.FieldError)))
}
