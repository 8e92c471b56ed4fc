package cloudflareaudit

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Zones of the examples: the first is in production, the second is not.
const (
	production = `"metadata":{"zone_name":"example.com"}`
	staging    = `"metadata":{"zone_name":"staging.example.net"}`
)

func before(object string) string { return `"oldValueJson":` + object }
func after(object string) string  { return `"newValueJson":` + object }

func setting(zone, name, group, from, to string) string {
	return logged("zone", "change_setting", `"metadata":{"zone_name":"`+zone+`","name":"`+name+`","type":"`+group+`","old_value":"`+from+`","value":"`+to+`"}`)
}

func ruleset(kind, zone string, old, now string) string {
	return logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_request_firewall_custom","kind":"`+kind+`","zone_name":"`+zone+`"}`, before(old), after(now))
}

// examples are, for every default rule, an entry that it decides and the
// nearest one that it must leave to another rule.
var examples = map[string]struct{ yes, no string }{
	"unreadable":                      {`{"id":"x"}`, logged("zone", "")},
	"zone-settings-read":              {logged("zone.settings", "read", production), logged("zone.settings", "read", production, `"action":{"type":"read","result":false}`)},
	"tls-settings-deployed-by-system": {logged("zone", "tls_settings_deployed", bySystem, production), logged("zone", "tls_settings_deployed", production)},
	"certificate-renewal": {logged("dns.record", "delete", bySystem, production, after(`{"type":"TXT","name":"_acme-challenge.example.com"}`)),
		logged("dns.record", "delete", production, before(`{"type":"TXT","name":"_acme-challenge.example.com"}`))},
	"dns-changed-by-system": {logged("dns.record", "delete", bySystem, production, after(`{"type":"MX","name":"example.com"}`)),
		logged("dns.record", "delete", production, before(`{"type":"MX","name":"example.com"}`))},
	"zone-changed-by-system": {logged("zone", "change_setting", bySystem, `"metadata":{"name":"ssl","old_value":"full","value":"off"}`), setting("example.com", "ssl", "ssl", "full", "off")},
	"tls-settings-deployed":  {logged("zone", "tls_settings_deployed"), logged("zone", "tls_settings_deployed", bySystem)},

	"staff-access":            {logged("account", "cloudflare_login", byStaff), logged("account", "login")},
	"login-failed":            {logged("account", "login", `"action":{"type":"login","result":false}`), logged("account", "login")},
	"login":                   {logged("account", "login"), logged("account", "logout")},
	"logout":                  {logged("account", "logout"), logged("account", "login")},
	"2fa-enforcement-removed": {logged("account", "remove_enforce_twofactor"), logged("account", "add_enforce_twofactor")},
	"2fa-disabled":            {logged("user", "MFA_disabled"), logged("user", "MFA_enabled")},
	"2fa-enforced":            {logged("account", "add_enforce_twofactor"), logged("account", "add_enforce_twofactor", `"newValue":"false"`)},
	"2fa-enabled":             {logged("user", "MFA_enabled"), logged("user", "MFA_disabled")},
	"2fa-changed":             {logged("user", "totp_update"), logged("user", "totp_enabled")},
	"password-changed":        {logged("user", "change_password"), logged("user", "change_email")},
	"email-changed":           {logged("user", "change_email"), logged("email_routing.rule", "update")},

	"user-changed": {logged("user", "update"), logged("user", "update", change(`{"email":"alice@example.com"}`, `{"email":"bob@example.com"}`))},

	"global-key-viewed":      {logged("user", "API_key_view"), logged("zone.settings", "read")},
	"global-key-deactivated": {logged("api_key", "API_key_deactivated"), logged("api_key", "API_key_created")},
	"global-key-rotated":     {logged("account", "rotate_API_key"), logged("account", "token_roll")},
	"global-key-created":     {logged("api_key", "API_key_created"), logged("api_key", "API_key_view")},
	"own-token-changed":      {logged("account", "token_roll", `"metadata":{"token_name":"siem","token_tag":"`+ownToken+`"}`), logged("account", "token_roll", `"metadata":{"token_name":"ci","token_tag":"t1"}`)},
	"token-created-broad":    {logged("account", "token_create", `"metadata":{"scopes":["Account.*"]}`), logged("account", "token_create", `"metadata":{"scopes":["zone.dns.read"]}`)},
	"token-created-narrow":   {logged("account", "token_create", `"metadata":{"scopes":["zone.dns.read"]}`), logged("account", "token_create")},
	"token-created":          {logged("account", "token_create"), logged("account", "token_revoke")},
	"token-updated-narrow":   {logged("account", "token_update", `"metadata":{"scopes":["zone.dns.read"]}`), logged("account", "token_update")},
	"token-widened":          {logged("account", "token_update"), logged("account", "token_update", `"metadata":{"scopes":["zone.dns.read"]}`)},
	"token-rolled-narrow":    {logged("account", "token_roll", `"metadata":{"scopes":["zone.dns.read"]}`), logged("account", "token_roll")},
	"token-rolled":           {logged("account", "token_roll"), logged("account", "token_revoke")},
	"token-revoked":          {logged("account", "token_revoke"), logged("account", "token_roll")},
	"oauth-granted":          {logged("oauth_client", "create"), logged("oauth_client", "delete")},
	"service-token-created":  {logged("access.service_token", "create"), logged("access.service_token", "delete")},

	"super-administrator-added":   {logged("member", "add", after(`{"roles":[`+superRole+`]}`)), logged("member", "add", after(`{"roles":[`+readerRole+`]}`))},
	"super-administrator-granted": {logged("member", "update", after(`{"roles":[`+superRole+`]}`)), logged("member", "delete", before(`{"roles":[`+superRole+`]}`))},
	"member-added-role-unknown":   {logged("member", "add"), logged("member", "add", after(`{"roles":[`+readerRole+`]}`))},
	"member-added":                {logged("member", "add", after(`{"roles":[`+readerRole+`]}`)), logged("account", "add", production)},
	"member-changed":              {logged("member", "update", before(`{"status":"a"}`), after(`{"status":"b"}`)), logged("member", "update")},
	"member-role-unknown":         {logged("member", "update"), logged("member", "update", after(`{"roles":[`+readerRole+`]}`))},
	"member-role-changed":         {logged("member", "update", after(`{"roles":[`+readerRole+`]}`)), logged("member", "update", after(`{"roles":[`+superRole+`]}`))},
	"member-removed":              {logged("account", "member_remove"), logged("invitation", "cancelled")},
	"invitation-answered":         {logged("invitation", "accepted"), logged("invitation", "create")},
	"member-left":                 {logged("memberships", "delete"), logged("members", "delete")},
	"user-group-changed":          {logged("iam.user_group", "update"), logged("iam.user_group", "delete")},
	"user-group-deleted":          {logged("iam.user_group", "delete"), logged("iam.user_group", "view")},
	"account-deleted":             {logged("account", "delete"), logged("account", "billing_delete")},

	"access-bypass":             {logged("access.policy", "create", after(`{"decision":"bypass"}`)), logged("access.policy", "create", after(`{"decision":"allow"}`))},
	"access-policy-deleted":     {logged("access.policy", "delete", before(`{"decision":"allow"}`)), logged("access_rule", "delete")},
	"access-bypass-removed":     {logged("access.policy", "update", change(`{"decision":"bypass"}`, `{"decision":"allow"}`)), logged("access.policy", "update", change(`{"decision":"bypass","name":"a"}`, `{"decision":"bypass","name":"b"}`))},
	"access-policy-updated":     {logged("access.policy", "update", before(`{"decision":"bypass"}`), after(`{"decision":"bypass","name":"b"}`)), logged("access.policy", "update", before(`{"decision":"allow"}`), after(`{"decision":"bypass"}`))},
	"access-policy-created":     {logged("access.policy", "create", after(`{"decision":"allow"}`)), logged("access.policy", "create", after(`{"decision":"bypass"}`))},
	"identity-provider-deleted": {logged("access.identity_provider", "delete"), logged("access.identity_provider", "update")},
	"identity-provider-created": {logged("access.identity_provider", "create"), logged("access.identity_provider", "update")},
	"identity-provider-changed": {logged("access.identity_provider", "update"), logged("access.identity_provider", "delete")},
	"access-app-deleted":        {logged("access.app", "delete"), logged("access.app", "create")},
	"access-app-changed":        {logged("access.group", "update"), logged("access.group", "create")},

	"zone-transferred-out": {logged("zone", "transfer_out", production), logged("zone", "transfer_in", production)},
	"domain-unlocked":      {logged("registrar.domain", "unlock"), logged("registrar.domain", "lock")},
	"zone-deleted":         {logged("zone", "delete", staging), logged("zone", "purge", production)},
	"zone-paused":          {logged("zone", "pause", production), logged("zone", "unpause", production)},
	"zone-hold-removed":    {logged("zone.hold", "delete", production), logged("zone.hold", "create", production)},
	"dnssec-disabled":      {logged("dnssec", "delete", production), logged("dnssec", "create", production)},
	"dnssec-changed":       {logged("dnssec", "update", production), logged("dnssec", "update", production, after(`{"status":"disabled"}`))},
	"zone-created":         {logged("account", "add", production), logged("account", "add")},
	"zone-pending":         {logged("account", "pending", production), logged("account", "add", production)},
	"cache-purged":         {logged("zone", "purge", production), logged("zone", "delete", production)},
	"page-rule-forwards":   {logged("pagerule", "update", after(`{"actions":[{"id":"forwarding_url"}]}`)), logged("pagerule", "update", after(`{"actions":[{"id":"cache_level"}]}`))},
	"page-rule-changed":    {logged("pagerule", "delete"), logged("pagerule", "create", after(`{"actions":[{"id":"forwarding_url"}]}`))},

	"dns-record-deleted-production": {logged("DNS_record", "rec_del", production, before(`{"type":"MX","name":"example.com"}`)), logged("DNS_record", "rec_del", staging, before(`{"type":"MX","name":"staging.example.net"}`))},
	"dns-record-deleted":            {logged("dns.record", "delete", production, before(`{"type":"TXT"}`)), logged("dns.record", "delete", production)},
	"dns-record-unproxied":          {logged("dns.record", "update", production, before(`{"type":"A","proxied":true}`), after(`{"type":"A","proxied":false}`)), logged("dns.record", "update", production, before(`{"type":"A","proxied":false}`), after(`{"type":"A","proxied":true}`))},
	"dns-record-redirected":         {logged("DNS_record", "rec_set", production, before(`{"type":"NS","content":"a"}`), after(`{"type":"NS","content":"b"}`)), logged("DNS_record", "rec_set", production, before(`{"type":"TXT","content":"a"}`), after(`{"type":"TXT","content":"b"}`))},
	"dns-record-changed":            {logged("dns.record", "update", production, before(`{"type":"A","ttl":1}`), after(`{"type":"A","ttl":2}`)), logged("dns.record", "update", production, before(`{"type":"A","content":"1"}`), after(`{"type":"A","content":"2"}`))},
	"dns-record-created":            {logged("dns.record", "create", production), logged("dns.record", "create", production, bySystem)},

	"setting-weakened-production": {setting("example.com", "ssl", "ssl", "strict", "flexible"), setting("example.com", "ssl", "ssl", "flexible", "strict")},
	"setting-weakened":            {setting("staging.example.net", "ssl", "ssl", "strict", "flexible"), setting("example.com", "ssl", "ssl", "strict", "flexible")},
	"setting-strengthened":        {setting("example.com", "min_tls_version", "ssl", "1.0", "1.2"), setting("example.com", "min_tls_version", "ssl", "1.2", "1.0")},
	"setting-protective":          {setting("example.com", "ciphers", "ssl", "a", "b"), setting("example.com", "minify", "speed", "a", "b")},
	"setting-changed":             {setting("example.com", "ipv6", "network", "on", "off"), logged("zone.settings", "read")},

	"firewall-disabled-production": {logged("firewallrules", "update", production, before(`{"paused":false}`), after(`{"paused":true}`)), logged("firewallrules", "update", production, before(`{"paused":true}`), after(`{"paused":false}`))},
	"firewall-disabled":            {logged("firewallrules", "disable", staging), logged("firewallrules", "disable", production)},
	"firewall-rule-deleted-account": {ruleset("root", "", `{"modified_rules":[{"id":"1","action":"block"}]}`, `{"modified_rules":[]}`),
		ruleset("zone", "example.com", `{"modified_rules":[{"id":"1","action":"block"}]}`, `{"modified_rules":[]}`)},
	"firewall-rule-deleted-production": {logged("firewallrules", "delete", production), logged("firewallrules", "delete", staging)},
	"firewall-rule-deleted":            {logged("firewallrules", "delete", staging), logged("firewallrules", "delete")},
	"firewall-weakened-account": {ruleset("root", "", `{"modified_rules":[{"id":"1","action":"block"}]}`, `{"modified_rules":[{"id":"1","action":"log"}]}`),
		ruleset("root", "", `{"modified_rules":[{"id":"1","action":"log"}]}`, `{"modified_rules":[{"id":"1","action":"block"}]}`)},
	"firewall-weakened":           {logged("access_rule", "create", production, after(`{"mode":"whitelist"}`)), logged("access_rule", "create", production, after(`{"mode":"block"}`))},
	"firewall-strengthened":       {logged("firewallrules", "update", before(`{"action":"log"}`), after(`{"action":"block"}`)), logged("firewallrules", "update", before(`{"action":"block"}`), after(`{"action":"log"}`))},
	"firewall-changed-production": {logged("firewallrules", "update", production), logged("firewallrules", "update", staging)},
	"firewall-changed":            {logged("firewallrules", "update", staging), logged("firewallrules", "view", staging)},

	"worker-route-removed":        {logged("route", "route_delete"), logged("route", "route_create")},
	"worker-route-without-script": {logged("route", "route_create", `"metadata":{"pattern":"example.com/*","script":""}`), logged("route", "route_create", `"metadata":{"pattern":"example.com/*"}`)},
	"worker-route-verified":       {logged("route", "route_create", `"metadata":{"script":"checkout-2"}`), logged("route", "route_create", `"metadata":{"script":"check"}`)},
	"worker-route-unverified":     {logged("route", "route_create", `"metadata":{"script":"proxy"}`), logged("route", "route_create", `"metadata":{"script":"checkout"}`)},
	"worker-exposed-verified":     {logged("script", "script_on_subdomain", `"resource":{"type":"script","id":"checkout"}`), logged("script", "script_on_subdomain")},
	"worker-exposed":              {logged("script", "script_on_subdomain"), logged("script", "script_deploy")},
	"worker-deployed":             {logged("script", "script_deploy"), logged("script", "script_delete")},
	"worker-scheduled":            {logged("script", "script_schedules"), logged("script", "script_update")},
	"worker-settings-changed":     {logged("script", "patch_settings"), logged("zone", "patch_settings")},
	"worker-deleted":              {logged("script", "script_delete"), logged("script", "script_create")},

	"bucket-closed":       {logged("r2.bucket", "ChangeBucketVisibility", after(`{"public":false}`)), logged("r2.bucket", "ChangeBucketVisibility")},
	"bucket-opened":       {logged("r2.bucket", "ChangeBucketVisibility", after(`{"public":true}`)), logged("r2.bucket", "ChangeBucketVisibility", after(`{"public":false}`))},
	"bucket-domain-added": {logged("r2.bucket", "AddCustomDomain"), logged("r2.bucket", "RemoveCustomDomain")},
	"bucket-deleted":      {logged("r2.bucket", "DeleteBucket"), logged("r2.bucket", "DeleteBucketCors")},
	"bucket-changed":      {logged("r2.bucket", "PutBucketCors"), logged("r2.bucket", "list")},
	"database-deleted":    {logged("d1.database", "delete"), logged("d1.database", "create")},

	"log-delivery-deleted":        {logged("logpush job", "job_delete"), logged("logpush job", "job_update")},
	"log-delivery-disabled":       {logged("logpush job", "job_update", before(`{"enabled":true}`), after(`{"enabled":false}`)), logged("logpush job", "job_update", before(`{"enabled":false}`), after(`{"enabled":true}`))},
	"log-delivery-redirected":     {logged("logpush job", "job_update", before(`{"destination_conf":"s3://a"}`), after(`{"destination_conf":"s3://b"}`)), logged("logpush job", "job_create", after(`{"destination_conf":"s3://b"}`))},
	"log-delivery-enabled":        {logged("logpush job", "job_update", before(`{"enabled":false}`), after(`{"enabled":true}`)), logged("logpush job", "job_update")},
	"log-delivery-changed":        {logged("logpush job", "job_update"), logged("logpush job", "view")},
	"account-moved":               {requested("POST", "/accounts/"+account+"/move", body(`{"destination_organization_id":"o2"}`)), logged("account", "update")},
	"single-sign-on-changed":      {logged("sso_connector", "delete"), logged("account", "SSO_LOGIN")},
	"access-policy-opened":        {logged("access.policy", "create", after(`{"name":"all","decision":"allow","include":[{"everyone":{}}]}`)), logged("access.policy", "create", after(`{"decision":"allow","include":[{"email_domain":{"domain":"example.com"}}]}`))},
	"access-organization-changed": {logged("access.organization", "update", change(`{"session_duration":"1h"}`, `{"session_duration":"720h"}`)), logged("access.organization", "view")},
	"domain-code-shown":           {logged("registrar.domain", "auth_code_view"), logged("registrar.domain", "view")},
	"domain-locked":               {logged("registrar.domain", "update", change(`{"locked":false}`, `{"locked":true}`)), logged("registrar.domain", "update", change(`{"locked":true}`, `{"locked":false}`))},
	"domain-changed":              {logged("registrar.domain", "update", change(`{"auto_renew":true}`, `{"auto_renew":false}`)), logged("registrar.domain", "create")},
	"name-servers-changed":        {logged("zone", "update", change(`{"type":"full"}`, `{"type":"partial"}`)), logged("zone", "update", change(`{"plan":"a"}`, `{"plan":"b"}`))},
	"dns-delegation-changed":      {logged("secondary_dns.outgoing", "create", after(`{"name":"example.com"}`)), logged("secondary_dns.outgoing", "delete")},
	"page-rule-weakens":           {logged("pagerule", "create", `"metadata":{"pr_match":"example.com/*"}`, after(`{"actions":[{"id":"disable_security"}]}`)), logged("pagerule", "update", change(`{"actions":[{"id":"waf","value":"off"}]}`, `{"actions":[{"id":"waf","value":"on"}]}`))},
	"page-rule-leads-elsewhere":   {logged("pagerule", "create", `"metadata":{"pr_match":"example.com/*"}`, after(`{"actions":[{"id":"resolve_override","value":"o.example.net"}]}`)), logged("pagerule", "create", after(`{"actions":[{"id":"cache_level"}]}`))},
	"redirect-rule-changed": {logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_request_dynamic_redirect","kind":"zone","zone_name":"example.com"}`, after(`{"name":"redirects"}`)),
		logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_request_transform","kind":"zone"}`)},
	"configuration-rule-weakens": {logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_config_settings","kind":"zone","zone_name":"example.com"}`, after(`{"name":"settings","modified_rules":[{"id":"1","action":"set_config","action_parameters":{"ssl":"off"}}]}`)),
		logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_config_settings","kind":"zone"}`, after(`{"modified_rules":[{"id":"1","action":"set_config","action_parameters":{"ssl":"strict","mirage":false}}]}`))},
	"worker-hidden":              {requested("POST", "/accounts/"+account+"/workers/scripts/checkout/subdomain", body(`{"enabled":false}`)), requested("POST", "/accounts/"+account+"/workers/scripts/checkout/subdomain", body(`{"enabled":true}`))},
	"site-deployed":              {logged("pages.deployment", "create"), logged("pages.project", "update")},
	"bucket-credentials-created": {requested("POST", "/accounts/"+account+"/r2/temp-access-credentials", body(`{"bucket":"exports","permission":"object-read-only"}`)), logged("r2.bucket", "create")},
	"database-exported":          {logged("d1.database", "export"), logged("d1.database", "view")},
	"log-retention-disabled":     {requested("POST", "/zones/"+zone+"/logs/control/retention/flag", body(`{"flag":false}`)), requested("POST", "/zones/"+zone+"/logs/control/retention/flag", body(`{"flag":true}`))},
	"override-code-viewed":       {requested("GET", "/accounts/"+account+"/devices/d1/override_codes"), requested("GET", "/accounts/"+account+"/devices/d1")},
	"tunnel-changed":             {logged("tunnel", "update_configuration"), logged("tunnel", "view")},
	"tunnel-deleted":             {logged("tunnel", "delete"), logged("tunnel.token", "delete")},
	"network-changed":            {logged("magic.route", "delete"), logged("magic.route", "view")},
	"packets-captured":           {logged("pcap", "create"), logged("pcap", "view")},
	"origin-changed":             {logged("load_balancer.pool", "update", change(`{"name":"shop","origins":[{"address":"192.0.2.1"}]}`, `{"name":"shop","origins":[{"address":"203.0.113.66"}]}`)), logged("load_balancer.monitor", "update")},
	"load-balancer-deleted":      {logged("load_balancer", "delete"), logged("load_balancer.monitor", "delete")},
	"email-routing-changed":      {logged("email_routing.rule", "update"), logged("email_routing.rule", "view")},
	"email-security-changed":     {logged("email_security.allow_policy", "create"), logged("email_security.allow_policy", "view")},
	"protection-removed":         {logged("page_shield", "disable"), logged("page_shield", "enable")},
	"protection-weakened":        {logged("bot_management", "update", change(`{"fight_mode":true}`, `{"fight_mode":false}`)), logged("bot_management", "update", change(`{"fight_mode":false}`, `{"fight_mode":true}`))},
	"notification-silenced":      {requested("PUT", "/accounts/"+account+"/alerting/v3/destinations/webhooks/w1", body(`{"name":"pager","url":"https://siem.example.com/x"}`)), logged("notification.policy", "update")},
	"notification-deleted":       {logged("notification.policy", "delete"), logged("notification.policy", "create")},

	"gateway-changed": {logged("gateway.rule", "gateway_delete"), logged("gateway.location", "gateway_create_location")},
	"tunnel-created":  {logged("cfd_tunnel", "create"), logged("cfd_tunnel", "delete")},

	"tunnel-token-viewed":  {requested("GET", "/accounts/"+account+"/cfd_tunnel/f1/token"), requested("GET", "/accounts/"+account+"/cfd_tunnel/f1")},
	"api-tokens-viewed":    {requested("GET", "/user/tokens"), requested("GET", "/user/tokens/verify")},
	"dns-records-exported": {requested("GET", "/zones/"+zone+"/dns_records/export"), requested("GET", "/zones/"+zone+"/dns_records")},
	"routine-read":         {requested("GET", "/zones/"+zone+"/dns_records"), logged("dns_records", "view")},

	"other-by-staff": {logged("spectrum.app", "create", byStaff), logged("spectrum.app", "create")},
	"other-read":     {logged("spectrum.app", "viewed"), logged("user", "API_key_view")},
	"other-disabled": {logged("spectrum.app", "disabled"), logged("spectrum.app", "deleted")},
	"other":          {logged("spectrum.app", "frobnicated"), logged("zone", "delete")},
}

func TestDefaultRules_EachDecidesItsExampleAndNotItsTwin(t *testing.T) {
	t.Parallel()
	c := classify(t, classifierConfig{ProductionZones: []string{"example.com"}, VerifiedWorkers: []string{"checkout*"}, DropRoutine: true})
	rules := make(map[string]bool)
	for _, r := range DefaultRules() {
		rules[r.ID] = true
		example, ok := examples[r.ID]
		if !assert.True(t, ok, "the rule %s has no example", r.ID) {
			continue
		}
		v, f := grade(t, c, example.yes)
		if assert.Equal(t, r.ID, v.Rule, "%s %s", f.name, example.yes) {
			assert.Equal(t, r.Drop, v.Drop)
		}
		v, f = grade(t, c, example.no)
		assert.NotEqual(t, r.ID, v.Rule, "%s %s", f.name, example.no)
	}
	for id := range examples {
		assert.True(t, rules[id], "there is no rule %s", id)
	}
}

func TestDefaultRules_AreInOrder(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	titles := make(map[string]string)
	for _, r := range DefaultRules() {
		assert.False(t, seen[r.ID], "two rules are called %s", r.ID)
		seen[r.ID] = true
		assert.Equal(t, strings.ToLower(r.ID), r.ID)
		assert.LessOrEqual(t, len(r.ID), 64)
		assert.True(t, r.Drop != r.Severity.Valid(), "%s: either it drops or it grades", r.ID)
		for _, technique := range r.Techniques {
			assert.True(t, isTechnique(technique), "%s: %s", r.ID, technique)
		}
		_, fault := parseTemplate(r.Title)
		assert.Empty(t, fault, r.ID)
		assert.NotEmpty(t, r.Title, r.ID)
		assert.Empty(t, titles[r.Title], "%s and %s have one title", r.ID, titles[r.Title])
		if !strings.HasPrefix(r.ID, "other") && r.ID != "routine-read" {
			titles[r.Title] = r.ID
		}
		assert.True(t, strings.HasSuffix(r.Why, "."), "%s: why is a sentence", r.ID)
		assert.True(t, unicode.IsUpper(rune(r.Why[0])), "%s: why is a sentence", r.ID)
		var p ruleParser
		p.checkMatch(&r.Match)
		assert.Empty(t, p.faults, r.ID)
		if r.Severity == ingest.High || r.Severity == ingest.Critical || r.Severity == ingest.Medium {
			assert.NotEmpty(t, r.Techniques, "%s: what is worth an alert has a technique", r.ID)
			if r.ID != "2fa-enforcement-removed" && r.ID != "2fa-enforced" {
				assert.True(t, strings.Contains(r.Title, "{target}") || strings.Contains(r.Title, "{setting}"),
					"%s: a title without the resource makes one alert of all", r.ID)
			}
		}
		for _, action := range r.Match.Action {
			known := false
			for name := range namings {
				known = known || newGlob(action).match(name)
			}
			assert.True(t, known, "%s: no entry is ever called %s", r.ID, action)
		}
	}
	last := DefaultRules()[len(seen)-1]
	assert.True(t, last.Match.isZero(), "the last rule takes what is left")
}

func TestDefaultRules_AreACopy(t *testing.T) {
	t.Parallel()
	a := DefaultRules()
	for i := range a {
		a[i].ID = "x"
		for _, list := range [][]string{a[i].Match.Action, a[i].Match.Target, a[i].Techniques, a[i].Match.RecordType} {
			for j := range list {
				list[j] = "x"
			}
		}
		for j := range a[i].Match.Changed {
			a[i].Match.Changed[j].Field = "x"
		}
		if p := a[i].Match.Production; p != nil {
			*p = false
		}
	}
	for _, r := range DefaultRules() {
		require.NotEqual(t, "x", r.ID)
		assert.NotContains(t, r.Match.Action, "x")
		assert.NotContains(t, r.Match.RecordType, "x")
		assert.NotContains(t, r.Techniques, "x")
		if r.Match.Production != nil {
			assert.True(t, *r.Match.Production)
		}
	}
	assert.Equal(t, "MX", addressRecords[0])
}
