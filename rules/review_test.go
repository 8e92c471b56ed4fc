package rules

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reviewed are the doubts about rules, as text.
func reviewed(t *testing.T, src string) (doubts []string) {
	t.Helper()
	b, err := NewBook(standardRules, Vocabulary{
		Actions: standardActions, Verb: verbOf,
		Values: map[string][]string{"method": {"GET", "DELETE"}, "setting": {"ssl", "waf", "min_tls_version"}, "interface": {"API", "UI"}},
		Names:  map[string][]string{"resource_type": {"DNS_record", "account"}},
	})
	require.NoError(t, err)
	list, err := b.Parse([]byte(src))
	require.NoError(t, err, src)
	for _, d := range b.Review(list) {
		doubts = append(doubts, d.Error())
	}
	return doubts
}

func TestReview_DoubtsPatternsThatNothingKnownFits(t *testing.T) {
	t.Parallel()
	for match, want := range map[string]string{
		`{"action":"dns.recrod.delete"}`:               `match.action: "dns.recrod.delete": matches no known action; did you mean "dns.record.delete"?`,
		`{"action":"dns.recrod.*"}`:                    `match.action: "dns.recrod.*": matches no known action; did you mean "dns.record.*"?`,
		`{"action":"*.delte"}`:                         `match.action: "*.delte": matches no known action; did you mean "*.delete"?`,
		`{"action":"nothing.like.any.of.them"}`:        `match.action: "nothing.like.any.of.them": matches no known action`,
		`{"action":["dns.*","zome.*"]}`:                `match.action: "zome.*": matches no known action; did you mean "zone.*"?`,
		`{"action":"api_key"}`:                         `match.action: "api_key": matches no known action; did you mean "api_key.*"?`,
		`{"action":"record.delete"}`:                   `match.action: "record.delete": matches no known action; did you mean "dns.record.delete"?`,
		`{"action":"DNS.Record.Delete"}`:               ``,
		`{"action":"*"}`:                               ``,
		`{"action":"*token*"}`:                         ``,
		`{"action":"frob.nicate","method":"DELTE"}`:    `match.action: "frob.nicate": matches no known action`,
		`{"method":"DELTE"}`:                           `match.method: "DELTE": matches no known method; did you mean "DELETE"?`,
		`{"method":"delete"}`:                          ``,
		`{"method":"BREW"}`:                            `match.method: "BREW": matches no known method; there are GET, DELETE`,
		`{"setting":"min_tls_verson"}`:                 `match.setting: "min_tls_verson": matches no known setting; did you mean "min_tls_version"?`,
		`{"setting":"firewall/wfa"}`:                   `match.setting: "firewall/wfa": matches no known setting; there are ssl, waf, min_tls_version`,
		`{"setting":["firewall/waf","ssl*","fire/*"]}`: ``,
		`{"interface":"apii"}`:                         `match.interface: "apii": matches no known interface; did you mean "API"?`,
		`{"resource_type":"dns_recrod"}`:               `match.resource_type: "dns_recrod": is not a known resource type; did you mean "DNS_record"?`,
		`{"resource_type":"something_new"}`:            ``,
		`{"actor_type":"whatever"}`:                    ``, // this book knows none
		`{"action":"dns.*","verb":"roll"}`:             `match.verb: never holds for the known actions of this rule`,
		`{"action":"dns.*","verb":["roll","create"]}`:  ``,
		`{"action":"new.*","verb":"roll"}`:             `match.action: "new.*": matches no known action`,
	} {
		got := reviewed(t, `[{"id":"mine","severity":"low","match":`+match+`}]`)
		if want == "" {
			assert.Empty(t, got, match)
			continue
		}
		require.NotEmpty(t, got, match)
		assert.Equal(t, `rules[0] "mine": `+want, got[0], match)
	}
	assert.Len(t, reviewed(t, `[{"id":"mine","severity":"low","match":{"action":"frob.nicate","method":["DELTE","GTE"]}}]`), 3, "each is named")
}

func TestReview_LeavesOutWhatIsOffAndDefaultRules(t *testing.T) {
	t.Parallel()
	assert.Empty(t, reviewed(t, `[{"id":"mine","severity":"low","disabled":true,"match":{"action":"dns.recrod.*"}},{"id":"zone-deleted","severity":"low"}]`))
}

func TestReview_FindsRulesThatEarlierOnesLeaveNothingTo(t *testing.T) {
	t.Parallel()
	const never = `match: is never reached, because earlier rules match everything it does: `
	for _, tt := range []struct{ a, b, later, want string }{
		{`{"action":"dns.*"}`, `{"action":"zone.*"}`, `{"action":["dns.record.delete","zone.delete"]}`, never + "a, b"},
		{`{"action":"dns.*"}`, `{"action":"zone.*","production":true}`, `{"action":["dns.record.delete","zone.delete"]}`, ""},
		{`{"action":"dns.*"}`, `{"action":"zone.*","production":true}`, `{"action":["dns.record.delete","zone.delete"],"production":true}`, never + "a, b"},
		{`{"action":"dns.record.*"}`, `{"action":"*"}`, `{"target":"x"}`, never + "b"},
		{`{"action":"dns.record.*"}`, `{"target":"x"}`, `{"target":"y"}`, ""},
	} {
		got := reviewed(t, `[{"id":"a","severity":"low","match":`+tt.a+`},{"id":"b","severity":"low","match":`+tt.b+`},{"id":"c","severity":"high","match":`+tt.later+`}]`)
		if tt.want == "" {
			assert.Empty(t, got, tt.later)
			continue
		}
		assert.Equal(t, []string{`rules[2] "c": ` + tt.want}, got, tt.later)
	}
}

func TestParse_RefusesTheEndingOfFailedAttempts(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for _, action := range []string{"dns.record.delete.failed", "*.failed", "DNS.*.Failed", "*failed", "dns.*.failed*"} {
		_, err := b.Parse([]byte(`[{"id":"mine","severity":"high","match":{"action":"` + action + `"}}]`))
		assert.ErrorContains(t, err, "leave that out and add outcome: failure", action)
	}
	for _, action := range []string{"dns.failedover.*", "failed", "dns.failed.delete"} {
		_, err := b.Parse([]byte(`[{"id":"mine","severity":"high","match":{"action":"` + action + `"}}]`))
		assert.NoError(t, err, action)
	}
}
