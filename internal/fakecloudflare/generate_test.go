package fakecloudflare_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/testdata"
)

func TestEntry_WritesTimesAsTheAPIDoes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		nanos  int
		digits int
		want   string
	}{
		{"no digits", 987654321, 0, "2026-05-12T12:00:00Z"},
		{"cut, not rounded", 987654321, 3, "2026-05-12T12:00:00.987Z"},
		{"at most six", 987654321, 9, "2026-05-12T12:00:00.987654Z"},
		{"trailing zeros left out", 120000000, 6, "2026-05-12T12:00:00.12Z"},
		{"a whole second", 0, 6, "2026-05-12T12:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := fakecloudflare.Entry("x", noon.Add(time.Duration(tt.nanos)).In(time.FixedZone("", -3600)), tt.digits)
			assert.True(t, json.Valid(e))
			var got struct{ ID, When string }
			require.NoError(t, json.Unmarshal(e, &got))
			assert.Equal(t, "x", got.ID)
			assert.Equal(t, tt.want, got.When)
			when, ok := fakecloudflare.When(e)
			assert.True(t, ok)
			assert.Equal(t, tt.want, when.Format(time.RFC3339Nano))
		})
	}
}

func TestWhen_IsNotOKWithoutATime(t *testing.T) {
	t.Parallel()
	for _, e := range []string{`{}`, `null`, `"when"`, `{"action":"2026-05-12T12:00:00Z"}`, `{"action":{"time":7}}`, `{"time":"2026-05-12T12:00:00Z"}`, `[{"when":"2026-05-12T12:00:00Z"}]`, `{"when":7}`, `{"when":"now"}`, `{"a":{"when":"2026-05-12T12:00:00Z"}}`, `{"when"`, ``} {
		_, ok := fakecloudflare.When(json.RawMessage(e))
		assert.False(t, ok, e)
	}
}

func TestGenerate_DependsOnItsArgumentsAlone(t *testing.T) {
	t.Parallel()
	a := fakecloudflare.Generate(7, 500, noon.Add(-time.Hour), noon)
	assert.Equal(t, a, fakecloudflare.Generate(7, 500, noon.Add(-time.Hour), noon))
	seen := make(map[string]bool)
	for _, e := range append(a, fakecloudflare.Generate(8, 500, noon.Add(-time.Hour), noon)...) {
		var got struct{ ID string }
		require.NoError(t, json.Unmarshal(e, &got))
		assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, got.ID)
		assert.False(t, seen[got.ID])
		seen[got.ID] = true
	}
}

func TestGenerate_LooksLikeAHistory(t *testing.T) {
	t.Parallel()
	const n = 2000
	from := noon.Add(-24 * time.Hour)
	entries := fakecloudflare.Generate(1, n, from, noon)
	require.Len(t, entries, n)
	size, last, whole := 0, from, 0
	pairs := make(map[string]int)
	for _, e := range entries {
		var got struct {
			Action   struct{ Type string }
			Resource struct{ Type string }
			When     string
		}
		require.NoError(t, json.Unmarshal(e, &got), string(e))
		pairs[got.Resource.Type+" "+got.Action.Type]++
		size += len(e)
		if !strings.Contains(got.When, ".") {
			whole++
		}
		when, ok := fakecloudflare.When(e)
		require.True(t, ok)
		require.False(t, when.Before(last) || when.After(noon), "%s is out of order", when)
		last = when
	}
	assert.InDelta(t, 1200, size/n, 150)
	assert.InDelta(t, n/7, whole, n/20, "times have differing digits")
	for _, pair := range []string{"dns.record delete", "DNS_record rec_del", "ruleset rulesets_update", "account token_create",
		"account member_add", "account login", "route route_create", "script script_deploy", "logpush job job_update", "zone change_setting"} {
		assert.Positive(t, pairs[pair], pair)
	}
}

func TestGenerate_FillsAnEmptySpan(t *testing.T) {
	t.Parallel()
	entries := fakecloudflare.Generate(1, 50, noon, noon)
	require.Len(t, entries, 50)
	for _, e := range entries {
		when, _ := fakecloudflare.When(e)
		assert.Equal(t, noon, when)
	}
}

func TestLoad_ReadsListsAndReplies(t *testing.T) {
	t.Parallel()
	got, err := fakecloudflare.Load(fstest.MapFS{
		"b.json":     {Data: []byte(`{"success":true,"result":[{"id": "3"},null]}`)},
		"a.json":     {Data: []byte("\n[ {\"id\": \"1\"} ,\n\"2\"]\n")},
		"readme.txt": {Data: []byte("no")},
	})
	require.NoError(t, err)
	assert.Equal(t, []json.RawMessage{[]byte(`{"id": "1"}`), []byte(`"2"`), []byte(`{"id": "3"}`), []byte(`null`)}, got)
}

func TestLoad_NamesTheFileAtFault(t *testing.T) {
	t.Parallel()
	for _, content := range []string{``, `{`, `{}`, `{"result":{}}`, `7`, `[{]`, `[] []`} {
		_, err := fakecloudflare.Load(fstest.MapFS{"bad.json": {Data: []byte(content)}})
		require.ErrorContains(t, err, "bad.json", content)
	}
}

func TestShift_ReplacesTheTimeAlone(t *testing.T) {
	t.Parallel()
	in := []json.RawMessage{
		[]byte(`{ "x":{"when":"2020-01-01T00:00:00Z"}, "when" : "2020-01-01T10:00:00.25Z" ,"n":1.0}`),
		[]byte(`{"when":"2020-01-01T09:59:59.000001Z","s":"\u003c"}`),
		[]byte(`{"when":"2020-01-01T11:00:00+02:00"}`),
		[]byte(`{"action":{"time" : "2020-01-01T09:00:00.5Z","type":"create"},"id":"v2"}`),
		[]byte(`{"when":"never"}`), []byte(`17`),
	}
	for newest, want := range map[time.Time][4]string{
		noon:                                     {"2026-05-12T11:59:59.25Z", "2026-05-12T11:59:58.000001Z", "2026-05-12T10:59:59Z", "2026-05-12T10:59:59.5Z"},
		noon.Add(250 * time.Millisecond):         {"2026-05-12T12:00:00.25Z", "2026-05-12T11:59:59.000001Z", "2026-05-12T11:00:00Z", "2026-05-12T11:00:00.5Z"},
		noon.AddDate(-10, 0, 0):                  {"2016-05-12T11:59:59.25Z", "2016-05-12T11:59:58.000001Z", "2016-05-12T10:59:59Z", "2016-05-12T10:59:59.5Z"},
		noon.AddDate(-10, 0, 0).Add(9e8).Local(): {"2016-05-12T12:00:00.25Z", "2016-05-12T11:59:59.000001Z", "2016-05-12T11:00:00Z", "2016-05-12T11:00:00.5Z"},
	} {
		got := fakecloudflare.Shift(newest, in)
		assert.Equal(t, `{ "x":{"when":"2020-01-01T00:00:00Z"}, "when" : "`+want[0]+`" ,"n":1.0}`, string(got[0]))
		assert.Equal(t, `{"when":"`+want[1]+`","s":"\u003c"}`, string(got[1]))
		assert.Equal(t, `{"when":"`+want[2]+`"}`, string(got[2]))
		assert.Equal(t, `{"action":{"time" : "`+want[3]+`","type":"create"},"id":"v2"}`, string(got[3]))
		assert.Equal(t, in[4:], got[4:])
	}
	assert.Contains(t, string(in[0]), "10:00:00.25Z", "the originals stay")
	assert.Empty(t, fakecloudflare.Shift(noon, nil))
}

func TestFixtures_AreServedVerbatim(t *testing.T) {
	t.Parallel()
	s := fakecloudflare.NewServer(fakecloudflare.Options{})
	s.Add(time.Time{}, fixtures(t)...)
	s.AddV2(time.Time{}, fixturesV2(t)...)
	_, v1 := get(t, s, logs+"?per_page=1000&direction=asc")
	_, v2 := get(t, s, logsV2+"?since=0001-01-01&before=2026-12-31&limit=1000&direction=asc")
	assert.Equal(t, s.Len(), s.Requests()[0].Entries)
	assert.Equal(t, s.LenV2(), s.Requests()[1].Entries)
	for _, e := range fixtures(t) {
		assert.Contains(t, v1, string(e))
	}
	for _, e := range fixturesV2(t) {
		assert.Contains(t, v2, string(e))
	}
}

func TestFixturesV2_CoverWhatMatters(t *testing.T) {
	t.Parallel()
	ordinary, err := fakecloudflare.Load(testdata.EntriesV2())
	require.NoError(t, err)
	var (
		have = make(map[string]string)
		hex  = regexp.MustCompile(`[0-9a-f]{32}`)
		ids  = make(map[string]bool)
	)
	for _, raw := range ordinary {
		e := parse[entryV2](t, raw)
		assert.Regexp(t, uuid7, e.ID)
		assert.False(t, ids[e.ID])
		ids[e.ID] = true
		_, ok := fakecloudflare.When(raw)
		assert.True(t, ok)
		path, _, _ := strings.Cut(e.Raw.URI, "?")
		have[e.Raw.Method+" "+hex.ReplaceAllString(path, "*")+" "+e.Action.Description+" "+e.Action.Type] += string(raw)
	}
	for call, holds := range map[string][]string{
		"POST /user/login LOGIN login":                                                                                  nil,
		"POST /user/login SSO_LOGIN login":                                                                              nil,
		"POST /accounts/*/scim/v2/Users Create SCIM User create":                                                        {`"password":"`},
		"POST /accounts/*/members Add Member create":                                                                    {"33666b9c79b9a5273fc7344ff42f953d"},
		"PUT /accounts/* Update Account update":                                                                         {`"enforce_twofactor":false`},
		"POST /user/tokens Create Token create":                                                                         {`"com.cloudflare.api.account.*":"*"`, `"value":"cfut_`},
		"POST /accounts/*/tokens Create Token create":                                                                   {`"com.cloudflare.api.account.zone.a379`, `"value":"cfat_`},
		"GET /user/api_key View Global API Key view":                                                                    nil,
		"DELETE /zones/*/dns_records/* Delete DNS Record delete":                                                        nil,
		"POST /zones/*/dns_records/batch Batch DNS Records create":                                                      {`"deletes":[{"content"`},
		"GET /zones/*/dns_records List DNS Records view":                                                                {`?per_page=`},
		"POST /zones/*/workers/routes Create Route create":                                                              {`"pattern":"`},
		"POST /accounts/*/secrets_store/stores/*/secrets Create secrets create":                                         {`"value":"cfat_`},
		"PUT /accounts/*/workers/scripts/analytics-proxy/secrets Add script secret update":                              {`"secret":"`},
		"POST /zones/*/custom_certificates Create SSL Configuration create":                                             {`"key":"`},
		"PUT /zones/*/rulesets/phases/http_request_firewall_custom/entrypoint Update a zone entry point ruleset update": {`"enabled":false`},
	} {
		assert.NotEmpty(t, have[call], call)
		for _, part := range holds {
			assert.Contains(t, have[call], part, call)
		}
	}
}

func TestFixtures_RecordTheSameChanges(t *testing.T) {
	t.Parallel()
	times := make(map[string][]time.Time)
	for _, raw := range fixtures(t) {
		if when, ok := fakecloudflare.When(raw); ok {
			var e struct {
				Actor struct{ Email any }
			}
			require.NoError(t, json.Unmarshal(raw, &e))
			who := fmt.Sprint(e.Actor.Email)
			times[who] = append(times[who], when)
		}
	}
	ordinary, err := fakecloudflare.Load(testdata.EntriesV2())
	require.NoError(t, err)
	both := 0
	for _, raw := range ordinary {
		e := parse[entryV2](t, raw)
		if slices.ContainsFunc(times[e.Actor.Email], func(t time.Time) bool { return e.Action.Time.Sub(t).Abs() <= 5*time.Second }) {
			both++
		}
	}
	assert.Greater(t, both, 10)
}

func TestFixtures_CoverEveryKnownPair(t *testing.T) {
	t.Parallel()
	have := make(map[string]int)
	for _, e := range fixtures(t) {
		var got struct {
			Action, Resource struct{ Type string }
		}
		if json.Unmarshal(e, &got) == nil {
			have[got.Resource.Type+"/"+got.Action.Type]++
		}
	}
	for _, pair := range strings.Fields(`
		account/login account/logout account/cloudflare_login account/member_add account/member_remove
		user/MFA_enabled user/MFA_disabled account/add_enforce_twofactor account/remove_enforce_twofactor
		account/disable_enforce_twofactor account/delete_enforce_twofactor user/change_password user/change_email
		account/token_create account/token_roll account/token_revoke account/token_update
		user/API_key_view account/rotate_API_key api_key/API_key_created api_key/API_key_deactivated
		account/add account/pending zone/delete zone/purge zone/change_setting zone/tls_settings_deployed zone.settings/read
		pagerule/create pagerule/update pagerule/delete
		DNS_record/rec_add DNS_record/rec_set DNS_record/rec_del dns.record/create dns.record/update dns.record/delete
		script/script_create script/script_update script/script_deploy script/script_on_subdomain script/script_schedules
		script/script_delete script/patch_settings queues/update_consumer_settings
		route/route_create route/route_update route/route_delete
		firewallrules/create firewallrules/update firewallrules/delete uarules/create ratelimit/update ratelimit/delete
		ruleset/rulesets_update access_rule/delete
		access.policy/create access.policy/update access.policy/delete access.identity_provider/create
		gateway.rule/gateway_create gateway.rule/gateway_update gateway.rule/gateway_delete
		gateway.location/gateway_create_location gateway.config/gateway_update
		d1.database/create d1.database/update d1.database/delete
		ai_gateway.gateway/create ai_gateway.gateway/update ai_gateway.gateway/delete
		r2.bucket/CreateBucket r2.bucket/DeleteBucket r2.bucket/AddCustomDomain r2.bucket/RemoveCustomDomain
		r2.bucket/PutBucketCors r2.bucket/DeleteBucketCors r2.bucket/PutBucketEncryption r2.bucket/DeleteBucketEncryption
		r2.bucket/PutBucketLifecycleConfiguration r2.bucket/DeleteBucketLifecycleConfiguration r2.bucket/ChangeBucketVisibility`) {
		assert.Positive(t, have[pair], pair)
	}
	for _, action := range []string{"job_create", "job_update", "job_delete"} {
		assert.Positive(t, have["logpush job/"+action], action)
	}
}

func TestData_NamesNobodyReal(t *testing.T) {
	t.Parallel()
	var (
		v4     = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
		v6     = regexp.MustCompile(`"[0-9a-f]*:[0-9a-f:]+"`)
		domain = regexp.MustCompile(`(?i)[a-z0-9-]+\.(?:com|net|org|io)\b`)
		ours   []netip.Prefix
	)
	for _, p := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"} {
		ours = append(ours, netip.MustParsePrefix(p))
	}
	entries := slices.Concat(fixtures(t), fixturesV2(t), fakecloudflare.Generate(3, 300, noon.Add(-time.Hour), noon),
		fakecloudflare.GenerateV2(3, 1000, noon.Add(-time.Hour), noon))
	for _, e := range entries {
		for _, s := range append(v4.FindAllString(string(e), -1), v6.FindAllString(string(e), -1)...) {
			addr, err := netip.ParseAddr(strings.Trim(s, `"`))
			require.NoError(t, err, s)
			known := false
			for _, p := range ours {
				known = known || p.Contains(addr.Unmap())
			}
			assert.True(t, known, s)
		}
		for _, s := range domain.FindAllString(string(e), -1) {
			assert.Contains(t, []string{"example.com", "example.net", "example.org"}, s)
		}
	}
}

func fixtures(t *testing.T) []json.RawMessage   { return load(t, "entries") }
func fixturesV2(t *testing.T) []json.RawMessage { return load(t, "entries_v2") }

func load(t *testing.T, folder string) []json.RawMessage {
	t.Helper()
	entries, err := fakecloudflare.Load(os.DirFS("../../testdata/" + folder))
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	return entries
}

func TestGenerateLarge_IsFullOfEscapes(t *testing.T) {
	t.Parallel()
	for _, e := range fakecloudflare.GenerateLarge(1, 20, noon.Add(-time.Hour), noon) {
		assert.InDelta(t, 20<<10, len(e), 2<<10)
		assert.Greater(t, strings.Count(string(e), `\`), 2000)
		var got struct{ NewValue, OldValue string }
		require.NoError(t, json.Unmarshal(e, &got))
		assert.True(t, json.Valid([]byte(got.NewValue)))
		assert.True(t, json.Valid([]byte(got.OldValue)))
		assert.NotEqual(t, got.NewValue, got.OldValue)
	}
}
