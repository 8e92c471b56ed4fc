package fakecloudflare

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Pair is one change as both endpoints record it: with an id each, by the same
// person from the same address, in the same account and zone, and at times that
// are up to five seconds apart, in either order.
type Pair struct {
	// Action is the canonical name of the change, such as "dns.record.delete".
	Action string
	// Failed says that the change was tried and not made.
	Failed bool
	// V1 and V2 are the entries.
	V1, V2 json.RawMessage
}

// GeneratePairs returns n changes between from and to, in the order of their
// entries of v1. It holds every kind of change that both endpoints are known
// or can be expected to record once before it holds one again. Equal arguments
// make equal pairs, and different seeds make different ids.
func GeneratePairs(seed uint64, n int, from, to time.Time) []Pair {
	var (
		g     = generator{rand.New(rand.NewPCG(seed, 1))}
		table = changes()
		times = make([]time.Time, n)
		pairs = make([]Pair, n)
		order []int
	)
	for i := range times {
		times[i] = g.between(from, to)
	}
	slices.SortFunc(times, time.Time.Compare)
	for i, t := range times {
		if len(order) == 0 {
			order = g.Perm(len(table))
		}
		c := table[order[0]]
		order = order[1:]
		s, terms := g.sceneV2()
		// Cutting the second time moves it back by less than a second.
		delta := time.Duration(g.Int64N(int64(9*time.Second))) - 4*time.Second
		other := clamp(trim(t.Add(delta), g.IntN(7)), from, to)
		pairs[i] = Pair{
			Action: c.name,
			Failed: s.result == "false",
			V1:     fill(c.v1.text(), terms, g.uuid(), t),
			V2:     fill(g.entry(c.v2, s), terms, g.uuid7(other), other),
		}
	}
	return pairs
}

// between is a time from from to to, with some digits.
func (g generator) between(from, to time.Time) time.Time {
	at := from
	if span := to.Sub(from); span > 0 {
		at = from.Add(time.Duration(g.Int64N(int64(span))))
	}
	return clamp(trim(at, g.IntN(7)), from, to)
}

func clamp(t, from, to time.Time) time.Time {
	switch {
	case t.Before(from):
		return from
	case t.After(to):
		return to
	}
	return t
}

// sceneV2 chooses a scene and what stands for the terms of a call.
func (g generator) sceneV2() (scene, *strings.Replacer) {
	s := g.scene()
	return s, s.terms("$account", DefaultAccountID, "$first", g.uuid(), "$second", g.uuid())
}

// fill puts in what the text of an entry leaves open.
func fill(text string, terms *strings.Replacer, id string, at time.Time) json.RawMessage {
	text = strings.Replace(terms.Replace(text), "$uuid", id, 1)
	return json.RawMessage(strings.Replace(text, "$when", stamp(at), 1))
}

// change is something that a person does and that both endpoints record.
type change struct {
	name string
	v1   draft
	v2   call
}

// changes are the changes that both endpoints record. Where no entry of one has
// been published, it follows from its neighbours and from the paths of the API.
func changes() []change {
	const (
		zoned   = `{"zone_id":"$zoneid","zone_name":"$zone"}`
		only    = `{"id":"$id00"}`
		sent    = `{"content":"$content","name":"$host","proxied":false,"ttl":300,"type":"$kind"}`
		rule    = `{"action":"block","description":"block scanners","filter":{"expression":"(http.user_agent contains \"scan\")","id":"$id01"},"id":"$id00","paused":false}`
		limit   = `{"action":{"mode":"ban","timeout":600},"description":"login throttle","disabled":false,"id":"$id00","match":{"request":{"url":"*/login"}},"period":60,"threshold":50}`
		agent   = `{"configuration":{"target":"ua","value":"BadBot/1.0"},"description":"bad bot","id":"$id00","mode":"block","paused":false}`
		page    = `{"actions":[{"id":"cache_level","value":"aggressive"}],"id":"$id00","status":"active","targets":[{"constraint":{"operator":"matches","value":"$host/*"},"target":"url"}]}`
		matched = `{"pr_match":"$host/*","zone_id":"$zoneid","zone_name":"$zone"}`
		bound   = `{"pattern":"$host/api/*","script":"checkout"}`
		policy  = `{"decision":"allow","id":"$second","include":[{"email_domain":{"domain":"example.com"}}],"name":"staff","precedence":1}`
		ofApp   = `{"app_id":"$first","app_name":"Intranet"}`
		app     = `{"domain":"$host","id":"$first","name":"Intranet","type":"self_hosted"}`
		idp     = `{"config":{"client_id":"example"},"id":"$first","name":"Example SSO","type":"oidc"}`
		gateway = `{"action":"block","description":"threats","enabled":true,"id":"$first","name":"threats"}`
		place   = `{"client_default":false,"id":"$id00","name":"Office $n","networks":[{"network":"192.0.2.0/24"}]}`
		pushed  = `{"dataset":"audit_logs","destination_conf":"https://logs.example.net/in","enabled":true,"id":$n}`
		super   = `{"id":"33666b9c79b9a5273fc7344ff42f953d","name":"Super Administrator - All Privileges"}`
		reader  = `{"id":"6dd5d1a549b2b620dc4d9ff97375077b","name":"Administrator Read Only"}`
	)
	was := strings.NewReplacer("ticket $n", "", "$content", "192.0.2.1").Replace(record)
	disabled := func(list string) string {
		return strings.Replace(list, `"enabled":true`, `"enabled":false`, 1)
	}
	// In v1 the values of Zero Trust and of log delivery are JSON within a text.
	quoted := func(object string) string {
		b, err := json.Marshal(object)
		if err != nil {
			panic(err) // it is a text
		}
		return string(b)
	}
	// What a call creates has no id before it is answered.
	fresh := strings.NewReplacer(`"id":"$id00",`, "", `"id":"$first",`, "", `"id":"$second",`, "", `,"id":$n`, "").Replace
	person := func(roles ...string) string {
		return `{"email":"user$n@example.org","id":"$id00","roles":[` + strings.Join(roles, ",") + `],"status":"pending"}`
	}
	invited := func(role string) string {
		return `{"email":"user$n@example.org","roles":["` + role + `"],"status":"pending"}`
	}
	ofMember := func(action string) draft {
		return draft{action: action, resource: "account", target: DefaultAccountID, metadata: member}
	}
	ofToken := func(action string) draft {
		return draft{action: action, resource: "account", target: DefaultAccountID, owner: "$actor", metadata: named}
	}
	ofUser := func(action string) draft {
		return draft{action: action, resource: "user", target: "$actor", owner: "$actor", metadata: "{}"}
	}
	zone := func(action, metadata string) draft {
		return draft{action: action, resource: "zone", target: "$zoneid", metadata: metadata}
	}
	script := func(action string) draft {
		return draft{action: action, resource: "script", target: "checkout-$n", metadata: "{}"}
	}
	bucket := func(action string) draft {
		return draft{action: action, resource: "r2.bucket", target: "exports-$n", metadata: "{}"}
	}
	granted := func(resources, group string) string {
		return `{"name":"ci-$n","policies":[{"effect":"allow","permission_groups":[{"id":"` + hexID(group) + `","name":"` + group +
			`"}],"resources":{` + resources + `}}]}`
	}
	const (
		everywhere = `"com.cloudflare.api.account.*":"*"`
		oneZone    = `"com.cloudflare.api.account.zone.$zoneid":"*"`
	)
	issued := `{"id":"$id00","name":"ci-$n","status":"active","value":"` + madeUp("cfut_") + `"}`
	const (
		accounts = "/accounts/$account"
		zones    = "/zones/$zoneid"
		rulesets = zones + "/rulesets"
		scripts  = accounts + "/workers/scripts/checkout-$n"
		buckets  = accounts + "/r2/buckets"
		exports  = buckets + "/exports-$n"
		policies = accounts + "/access/apps/$first/policies"
	)
	return []change{
		// DNS, under both generations of names.
		{"dns.record.create", draft{action: "create", resource: "dns.record", metadata: zoned, newJSON: record},
			call{what: "POST " + zones + "/dns_records", text: "Create DNS Record", body: sent, reply: record}},
		{"dns.record.update", draft{action: "update", resource: "dns.record", metadata: zoned, newJSON: record, oldJSON: was},
			call{what: "PATCH " + zones + "/dns_records/$id00", text: "Update DNS Record", body: `{"content":"$content"}`, reply: record}},
		{"dns.record.delete", draft{action: "delete", resource: "dns.record", metadata: zoned, oldJSON: record},
			call{what: "DELETE " + zones + "/dns_records/$id00", text: "Delete DNS Record", reply: only}},
		{"dns.record.create", draft{action: "rec_add", resource: "DNS_record", metadata: zoned, newJSON: record},
			call{what: "POST " + zones + "/dns_records", text: "Create DNS Record", body: sent, reply: record}},
		{"dns.record.update", draft{action: "rec_set", resource: "DNS_record", metadata: zoned, newJSON: record, oldJSON: was},
			call{what: "PUT " + zones + "/dns_records/$id00", text: "Overwrite DNS Record", body: sent, reply: record}},
		{"dns.record.delete", draft{action: "rec_del", resource: "DNS_record", metadata: zoned, oldJSON: record, newValue: `"null"`},
			call{what: "DELETE " + zones + "/dns_records/$id00", text: "Delete DNS Record", reply: only}},

		// Users, members and the account.
		{"account.login", draft{action: "login", resource: "account", target: "$actor", owner: "$actor", metadata: "{}"}, login("LOGIN")},
		{"member.add", ofMember("member_add"),
			call{what: "POST " + accounts + "/members", text: "Add Member", body: invited("6dd5d1a549b2b620dc4d9ff97375077b"), reply: person(reader)}},
		{"member.add", ofMember("member_add"),
			call{what: "POST " + accounts + "/members", text: "Add Member", body: invited("33666b9c79b9a5273fc7344ff42f953d"), reply: person(super)}},
		{"member.update", ofMember("update_member_role"),
			call{what: "PUT " + accounts + "/members/$id00", text: "Update Member", body: `{"roles":[` + reader + `,` + super + `]}`, reply: person(reader, super)}},
		{"member.remove", ofMember("member_remove"),
			call{what: "DELETE " + accounts + "/members/$id00", text: "Remove Member", reply: only}},
		{"member.invitation.accept", draft{action: "update", resource: "invites", owner: "$actor", metadata: "{}"},
			call{what: "PATCH /user/invites/$id00", text: "Respond to Invitation", body: `{"status":"accepted"}`, reply: only}},
		{"account.2fa.enforce", draft{action: "add_enforce_twofactor", resource: "account", target: DefaultAccountID, metadata: "{}", newValue: `"true"`, oldValue: `"false"`},
			call{what: "PUT " + accounts, text: "Update Account", body: `{"name":"Example","settings":{"enforce_twofactor":true}}`}},
		{"account.2fa.disable", draft{action: "remove_enforce_twofactor", resource: "account", target: DefaultAccountID, metadata: "{}", newValue: `"false"`, oldValue: `"true"`},
			call{what: "PUT " + accounts, text: "Update Account", body: `{"name":"Example","settings":{"enforce_twofactor":false}}`}},
		{"account.2fa.enable", ofUser("MFA_enabled"),
			call{what: "POST /user/two_factor_authentication", text: "Enable Two-Factor Authentication"}},
		{"account.2fa.disable", ofUser("MFA_disabled"),
			call{what: "DELETE /user/two_factor_authentication", text: "Disable Two-Factor Authentication"}},
		{"user.update", ofUser("update"),
			call{what: "PATCH /user", text: "Edit User", body: `{"telephone":"+1 555 0100"}`}},

		// Credentials.
		{"api_token.create", ofToken("token_create"),
			call{what: "POST /user/tokens", text: "Create Token", body: granted(everywhere, "Account Settings Write"), reply: issued}},
		{"api_token.create", ofToken("token_create"),
			call{what: "POST " + accounts + "/tokens", text: "Create Token", body: granted(oneZone, "DNS Read"), reply: issued}},
		{"api_token.update", ofToken("token_update"),
			call{what: "PUT /user/tokens/$id00", text: "Update Token", body: granted(everywhere, "Workers Scripts Write"), reply: `{"id":"$id00","name":"ci-$n","status":"active"}`}},
		{"api_token.roll", ofToken("token_roll"),
			call{what: "PUT " + accounts + "/tokens/$id00/value", text: "Roll Token", body: "{}", reply: `"` + madeUp("cfat_") + `"`}},
		{"api_token.revoke", ofToken("token_revoke"),
			call{what: "DELETE /user/tokens/$id00", text: "Delete Token", reply: only}},

		// Zones.
		{"zone.create", draft{action: "add", resource: "account", target: DefaultAccountID, metadata: zoned},
			call{what: "POST /zones", text: "Create Zone", body: `{"account":{"id":"$account"},"name":"$zone","type":"full"}`, reply: `{"id":"$zoneid","name":"$zone","status":"pending"}`}},
		{"zone.delete", zone("delete", zoned),
			call{what: "DELETE " + zones, text: "Delete Zone", reply: `{"id":"$zoneid"}`}},
		{"zone.settings.update", draft{action: "change_setting", resource: "zone", target: "$zoneid", newValue: `"medium"`, oldValue: `"high"`,
			metadata: `{"name":"security_level","old_value":"high","type":"firewall","value":"medium","zone_id":"$zoneid","zone_name":"$zone"}`},
			call{what: "PATCH " + zones + "/settings/security_level", text: "Edit zone setting", body: `{"value":"medium"}`, reply: `{"id":"security_level","value":"medium"}`}},
		{"zone.settings.update", draft{action: "change_setting", resource: "zone", target: "$zoneid", newValue: `"on"`, oldValue: `"off"`,
			metadata: `{"name":"brotli","old_value":"off","type":"speed","value":"on","zone_id":"$zoneid","zone_name":"$zone"}`},
			call{what: "PATCH " + zones + "/settings", text: "Edit multiple zone settings", body: `{"items":[{"id":"brotli","value":"on"}]}`, reply: `[{"id":"brotli","value":"on"}]`}},
		{"zone.cache.purge", zone("purge", zoned),
			call{what: "POST " + zones + "/purge_cache", text: "Purge Cached Content", body: `{"purge_everything":true}`, reply: `{"id":"$zoneid"}`}},
		{"zone.pagerule.create", draft{action: "create", resource: "pagerule", metadata: matched},
			call{what: "POST " + zones + "/pagerules", text: "Create a Page Rule", body: fresh(page), reply: page}},
		{"zone.pagerule.update", draft{action: "update", resource: "pagerule", metadata: matched},
			call{what: "PATCH " + zones + "/pagerules/$id00", text: "Edit a Page Rule", body: `{"priority":2}`, reply: page}},
		{"zone.pagerule.delete", draft{action: "delete", resource: "pagerule", metadata: matched},
			call{what: "DELETE " + zones + "/pagerules/$id00", text: "Delete a Page Rule", reply: only}},

		// Firewall.
		{"zone.firewall.rule.create", draft{action: "create", resource: "firewallrules", metadata: zoned, newJSON: rule},
			call{what: "POST " + zones + "/firewall/rules", text: "Create firewall rules", body: `[` + fresh(rule) + `]`, reply: `[` + rule + `]`}},
		{"zone.firewall.rule.update", draft{action: "update", resource: "firewallrules", metadata: zoned, newJSON: rule, oldJSON: strings.Replace(rule, "scan\\", "bot\\", 1)},
			call{what: "PUT " + zones + "/firewall/rules/$id00", text: "Update a firewall rule", body: rule, reply: rule}},
		{"zone.firewall.rule.delete", draft{action: "delete", resource: "firewallrules", metadata: zoned, oldJSON: rule},
			call{what: "DELETE " + zones + "/firewall/rules/$id00", text: "Delete a firewall rule", reply: only}},
		{"zone.firewall.rule.create", draft{action: "create", resource: "ratelimit", metadata: zoned, newJSON: limit},
			call{what: "POST " + zones + "/rate_limits", text: "Create a rate limit", body: fresh(limit), reply: limit}},
		{"zone.firewall.rule.update", draft{action: "update", resource: "ratelimit", metadata: zoned, newJSON: limit, oldJSON: strings.Replace(limit, "*/login", "*/account", 1)},
			call{what: "PUT " + zones + "/rate_limits/$id00", text: "Update a rate limit", body: limit, reply: limit}},
		{"zone.firewall.rule.delete", draft{action: "delete", resource: "ratelimit", metadata: zoned, oldJSON: limit},
			call{what: "DELETE " + zones + "/rate_limits/$id00", text: "Delete a rate limit", reply: only}},
		{"zone.firewall.rule.create", draft{action: "create", resource: "uarules", metadata: zoned, newJSON: agent},
			call{what: "POST " + zones + "/firewall/ua_rules", text: "Create a User Agent Blocking rule", body: fresh(agent), reply: agent}},
		{"zone.firewall.rule.delete", draft{action: "delete", resource: "uarules", metadata: zoned, oldJSON: agent},
			call{what: "DELETE " + zones + "/firewall/ua_rules/$id00", text: "Delete a User Agent Blocking rule", reply: only}},
		{"zone.firewall.rule.delete", draft{action: "delete", resource: "access_rule", metadata: zoned, oldJSON: `{"configuration":{"target":"ip","value":"203.0.113.66"},"mode":"block","notes":"brute force"}`},
			call{what: "DELETE " + zones + "/firewall/access_rules/rules/$id00", text: "Delete an IP Access rule", reply: only}},
		{"zone.firewall.rule.update", draft{action: "rulesets_update", resource: "ruleset", metadata: rulesetMetadata, newJSON: rules(2, true), oldJSON: strings.Replace(rules(2, true), "/admin/", "/old/", 1)},
			call{what: "PUT " + rulesets + "/phases/http_request_firewall_custom/entrypoint", text: "Update a zone entry point ruleset",
				body: rulesV2(2), reply: rulesV2(2)}},
		{"firewall_rule.disable", draft{action: "rulesets_update", resource: "ruleset", metadata: rulesetMetadata, newJSON: rules(2, false), oldJSON: rules(2, true)},
			call{what: "PATCH " + rulesets + "/$id00/rules/$id01", text: "Update a zone ruleset rule", body: `{"enabled":false}`, reply: disabled(rulesV2(2))}},
		{"zone.firewall.rule.delete", draft{action: "rulesets_update", resource: "ruleset", metadata: rulesetMetadata, newJSON: `{"deleted_rules":[]}`, oldJSON: strings.Replace(rules(1, true), "modified", "deleted", 1)},
			call{what: "DELETE " + rulesets + "/$id00/rules/$id01", text: "Delete a zone ruleset rule", reply: rulesV2(0)}},

		// Workers.
		{"worker.script.update", script("script_update"),
			call{what: "PUT " + scripts, text: "Upload Worker Module", reply: `{"id":"checkout-$n"}`}},
		{"worker.script.deploy", script("script_deploy"),
			call{what: "POST " + scripts + "/deployments", text: "Create Deployment", body: `{"strategy":"percentage","versions":[{"percentage":100,"version_id":"$first"}]}`, reply: `{"id":"$second"}`}},
		{"worker.script.delete", script("script_delete"),
			call{what: "DELETE " + scripts + "?force=true", text: "Delete Worker"}},
		{"worker.script.expose", script("script_on_subdomain"),
			call{what: "POST " + scripts + "/subdomain", text: "Post Worker subdomain", body: `{"enabled":true}`, reply: `{"enabled":true}`}},
		{"worker.script.schedule", script("script_schedules"),
			call{what: "PUT " + scripts + "/schedules", text: "Update Cron Triggers", body: `[{"cron":"*/30 * * * *"}]`}},
		{"worker.script.settings.update", script("patch_settings"),
			call{what: "PATCH " + scripts + "/settings", text: "Patch Settings", body: `{"settings":{"bindings":[{"name":"ORDERS","type":"d1"}]}}`}},
		{"worker.route.create", draft{action: "route_create", resource: "route", metadata: route},
			call{what: "POST " + zones + "/workers/routes", text: "Create Route", body: bound, reply: only}},
		{"worker.route.update", draft{action: "route_update", resource: "route", metadata: route, newJSON: bound, oldJSON: strings.Replace(bound, "api", "old", 1)},
			call{what: "PUT " + zones + "/workers/routes/$id00", text: "Update Route", body: bound, reply: only}},
		{"worker.route.delete", draft{action: "route_delete", resource: "route", metadata: route},
			call{what: "DELETE " + zones + "/workers/routes/$id00", text: "Delete Route", reply: only}},

		// Zero Trust.
		{"access_policy.create", draft{action: "create", resource: "access.policy", target: "$second", metadata: ofApp, newJSON: policy},
			call{what: "POST " + policies, text: "Create an Access application policy", body: fresh(policy), reply: policy}},
		{"access_policy.update", draft{action: "update", resource: "access.policy", target: "$second", metadata: ofApp, newJSON: policy, oldJSON: strings.Replace(policy, "staff", "all", 1)},
			call{what: "PUT " + policies + "/$second", text: "Update an Access application policy", body: policy, reply: policy}},
		{"access_policy.delete", draft{action: "delete", resource: "access.policy", target: "$second", metadata: ofApp, oldJSON: policy},
			call{what: "DELETE " + policies + "/$second", text: "Delete an Access application policy", reply: `{"id":"$second"}`}},
		{"access_app.create", draft{action: "create", resource: "access.app", target: "$first", metadata: "{}", newJSON: app},
			call{what: "POST " + accounts + "/access/apps", text: "Add an Access application", body: fresh(app), reply: app}},
		{"access_app.delete", draft{action: "delete", resource: "access.app", target: "$first", metadata: "{}", oldJSON: app},
			call{what: "DELETE " + accounts + "/access/apps/$first", text: "Delete an Access application", reply: `{"id":"$first"}`}},
		{"identity_provider.create", draft{action: "create", resource: "access.identity_provider", target: "$first", metadata: "{}", newJSON: idp},
			call{what: "POST " + accounts + "/access/identity_providers", text: "Add an Access identity provider",
				body: fresh(strings.Replace(idp, `"example"`, `"example","client_secret":"made-up-client-secret"`, 1)), reply: idp}},
		{"identity_provider.update", draft{action: "update", resource: "access.identity_provider", target: "$first", metadata: "{}", newJSON: idp, oldJSON: strings.Replace(idp, "SSO", "login", 1)},
			call{what: "PUT " + accounts + "/access/identity_providers/$first", text: "Update an Access identity provider", body: idp, reply: idp}},
		{"identity_provider.delete", draft{action: "delete", resource: "access.identity_provider", target: "$first", metadata: "{}", oldJSON: idp},
			call{what: "DELETE " + accounts + "/access/identity_providers/$first", text: "Delete an Access identity provider", reply: `{"id":"$first"}`}},
		{"gateway.rule.create", draft{action: "gateway_create", resource: "gateway.rule", target: "$first", metadata: "{}", newValue: quoted(gateway)},
			call{what: "POST " + accounts + "/gateway/rules", text: "Create a Zero Trust Gateway rule", body: fresh(gateway), reply: gateway}},
		{"gateway.rule.update", draft{action: "gateway_update", resource: "gateway.rule", target: "$first", metadata: "{}", newValue: quoted(gateway), oldValue: quoted(strings.Replace(gateway, "threats", "malware", 1))},
			call{what: "PUT " + accounts + "/gateway/rules/$first", text: "Update a Zero Trust Gateway rule", body: gateway, reply: gateway}},
		{"gateway.rule.delete", draft{action: "gateway_delete", resource: "gateway.rule", target: "$first", metadata: "{}", oldValue: quoted(gateway)},
			call{what: "DELETE " + accounts + "/gateway/rules/$first", text: "Delete a Zero Trust Gateway rule", reply: "{}"}},
		{"gateway.location.create", draft{action: "gateway_create_location", resource: "gateway.location", metadata: "{}", newValue: quoted(place)},
			call{what: "POST " + accounts + "/gateway/locations", text: "Create a Zero Trust Gateway location", body: fresh(place), reply: place}},
		{"gateway.config.update", draft{action: "gateway_update", resource: "gateway.config", target: DefaultAccountID, metadata: "{}", newValue: quoted(`{"settings":{"tls_decrypt":{"enabled":true}}}`)},
			call{what: "PUT " + accounts + "/gateway/configuration", text: "Update Zero Trust account configuration", body: `{"settings":{"tls_decrypt":{"enabled":true}}}`}},

		// Log delivery, storage and the rest.
		{"logpush.job.create", draft{action: "job_create", resource: "logpush job", target: "$n", metadata: "{}", newValue: quoted(pushed)},
			call{what: "POST " + accounts + "/logpush/jobs", text: "Create Logpush job", body: fresh(pushed), reply: pushed}},
		{"logpush.job.update", draft{action: "job_update", resource: "logpush job", target: "$n", metadata: "{}", newValue: quoted(pushed), oldValue: quoted(strings.Replace(pushed, "/in", "/old", 1))},
			call{what: "PUT " + accounts + "/logpush/jobs/$n", text: "Update Logpush job", body: `{"destination_conf":"https://logs.example.net/in"}`, reply: pushed}},
		{"logpush.job.delete", draft{action: "job_delete", resource: "logpush job", target: "$n", metadata: "{}", oldValue: quoted(pushed)},
			call{what: "DELETE " + accounts + "/logpush/jobs/$n", text: "Delete Logpush job", reply: `{"id":$n}`}},
		{"r2.bucket.create", bucket("CreateBucket"),
			call{what: "POST " + buckets, text: "Create Bucket", body: `{"name":"exports-$n"}`, reply: `{"name":"exports-$n"}`}},
		{"r2.bucket.delete", bucket("DeleteBucket"),
			call{what: "DELETE " + exports, text: "Delete Bucket", reply: "{}"}},
		{"r2.bucket.cors.update", bucket("PutBucketCors"),
			call{what: "PUT " + exports + "/cors", text: "Put Bucket CORS Policy", body: `{"rules":[{"allowed":{"methods":["GET"],"origins":["*"]}}]}`}},
		{"r2.bucket.cors.delete", bucket("DeleteBucketCors"),
			call{what: "DELETE " + exports + "/cors", text: "Delete Bucket CORS Policy"}},
		{"r2.bucket.lifecycle.update", bucket("PutBucketLifecycleConfiguration"),
			call{what: "PUT " + exports + "/lifecycle", text: "Put Object Lifecycle Rules", body: `{"rules":[]}`}},
		{"r2.bucket.domain.add", bucket("AddCustomDomain"),
			call{what: "POST " + exports + "/domains/custom", text: "Attach Custom Domain To Bucket", body: `{"domain":"files.$zone","enabled":true,"zoneId":"$zoneid"}`}},
		{"r2.bucket.domain.remove", bucket("RemoveCustomDomain"),
			call{what: "DELETE " + exports + "/domains/custom/files.$zone", text: "Remove Custom Domain From Bucket"}},
		{"r2.bucket.visibility.change", draft{action: "ChangeBucketVisibility", resource: "r2.bucket", target: "exports-$n", metadata: "{}", newJSON: `{"public":true}`},
			call{what: "PUT " + exports + "/domains/managed", text: "Update r2.dev Domain of Bucket", body: `{"enabled":true}`, reply: `{"enabled":true}`}},
		{"d1.database.create", draft{action: "create", resource: "d1.database", target: "$first", metadata: "{}", newJSON: `{"name":"orders"}`},
			call{what: "POST " + accounts + "/d1/database", text: "Create D1 Database", body: `{"name":"orders"}`, reply: `{"name":"orders","uuid":"$first"}`}},
		{"d1.database.delete", draft{action: "delete", resource: "d1.database", target: "$first", metadata: "{}"},
			call{what: "DELETE " + accounts + "/d1/database/$first", text: "Delete D1 Database"}},
		{"ai_gateway.gateway.create", draft{action: "create", resource: "ai_gateway.gateway", target: "bot-$n", metadata: "{}"},
			call{what: "POST " + accounts + "/ai-gateway/gateways", text: "Create a new Gateway", body: `{"id":"bot-$n"}`, reply: `{"id":"bot-$n"}`}},
		{"ai_gateway.gateway.delete", draft{action: "delete", resource: "ai_gateway.gateway", target: "bot-$n", metadata: "{}"},
			call{what: "DELETE " + accounts + "/ai-gateway/gateways/bot-$n", text: "Delete a Gateway", reply: `{"id":"bot-$n"}`}},
		{"queue.consumer.update", draft{action: "update_consumer_settings", resource: "queues", metadata: "{}", newJSON: `{"batch_size":25,"max_retries":3}`},
			call{what: "PUT " + accounts + "/queues/$id00/consumers/$id01", text: "Update a Queue Consumer", body: `{"settings":{"batch_size":25,"max_retries":3}}`}},
	}
}

// login is a sign-in, of which no path is published.
func login(text string) call {
	return call{what: "POST /user/login", text: text, action: "login"}
}

// rulesV2 is a whole rule set, as a call sends it and gets it back.
func rulesV2(n int) string {
	list := strings.TrimPrefix(rules(n, true), `{"modified_rules":`)
	return `{"description":"","id":"$id00","kind":"zone","name":"default","phase":"http_request_firewall_custom","rules":` + list
}
