package fakecloudflare

import (
	"encoding/json"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Story returns entries of v1 between from and to, oldest first, that make sense
// to a person who reads them: a team of three and its automation at work on
// weekdays, Cloudflare's own machinery around the clock, and in the night before
// the last a break-in: an account taken over, an administrator added,
// protections switched off. In the morning the team undoes a part of it. Equal
// arguments make equal entries.
func Story(seed uint64, from, to time.Time) []json.RawMessage {
	return inOrder(story(seed, from, to), func(e told) recorded { return e.v1 })
}

// StoryV2 is Story as v2 records it, with the same arguments: the same changes,
// each up to a second before its entry of v1. What Cloudflare itself does is in
// v1 alone.
func StoryV2(seed uint64, from, to time.Time) []json.RawMessage {
	return inOrder(story(seed, from, to), func(e told) recorded { return e.v2 })
}

func story(seed uint64, from, to time.Time) []told {
	g := generator{rand.New(rand.NewPCG(seed, 3))}
	var list []told
	for day := from.UTC().Truncate(24 * time.Hour); day.Before(to); day = day.Add(24 * time.Hour) {
		list = append(list, g.workday(day)...)
	}
	night := to.UTC().Truncate(24 * time.Hour).Add(-22 * time.Hour)
	list = append(list, g.breakIn(night)...)
	return slices.DeleteFunc(list, func(e told) bool { return e.v1.at.Before(from) || !e.v1.at.Before(to) })
}

// inOrder are the entries that one log has of a story, oldest first.
func inOrder(list []told, in func(told) recorded) (entries []json.RawMessage) {
	slices.SortStableFunc(list, func(a, b told) int { return in(a).at.Compare(in(b).at) })
	for _, e := range list {
		if raw := in(e).raw; raw != nil {
			entries = append(entries, raw)
		}
	}
	return entries
}

// Happening returns one more change of a story, from when: something ordinary,
// as v1 and as v2 record it.
func Happening(seed uint64, when time.Time) (v1, v2 json.RawMessage) {
	g := generator{rand.New(rand.NewPCG(seed, 4))}
	e := g.ordinary(when)
	return e.v1.raw, e.v2.raw
}

// recorded is an entry of one log.
type recorded struct {
	at  time.Time
	raw json.RawMessage
}

// told is what happens in a story, as each log records it. What is in v1 alone
// has no bytes in v2.
type told struct{ v1, v2 recorded }

// person is somebody in a story.
type person struct{ email, ip, iface string }

var (
	alice     = person{"alice@example.com", "192.0.2.10", "UI"}
	bob       = person{"bob@example.com", "198.51.100.23", "UI"}
	carol     = person{"carol@example.com", "2001:db8:42::7", "UI"}
	terraform = person{"terraform@example.com", "192.0.2.200", "API"}
	// bobTakenOver is bob's account in the hands of somebody else.
	bobTakenOver = person{bob.email, "203.0.113.66", "UI"}
	mallory      = person{"mallory@example.org", "203.0.113.66", "UI"}
)

// intranet is the id of the Access application of a story.
const intranet = "91e5bd84-97eb-4b6a-a515-81af2d8da5ca"

// tell makes the entries of what somebody does in a zone.
func (g generator) tell(at time.Time, who person, zone string, c change) told {
	s := scene{
		email: who.email, ip: who.ip, zone: zone, host: g.one("www.", "api.", "cdn.", "status.") + zone,
		kind: "A", content: "198.51.100." + g.one("4", "5", "6", "7"), iface: who.iface, result: "true",
		id: g.hex(30), last: 1 + g.IntN(254),
	}
	if c.v1.after < 0 { // an attempt in vain
		s.result = "false"
	}
	at = trim(at.Add(time.Duration(g.IntN(1_000_000))*time.Microsecond), 6)
	e := told{v1: recorded{at, fill(c.v1.text(), s.terms(), g.uuid(), at)}}
	if c.v2.what == "" {
		return e
	}
	// A generator of its own: what v2 says of a change does not alter v1.
	h := fnv.New64a()
	h.Write([]byte(s.id))
	g = generator{rand.New(rand.NewPCG(h.Sum64(), 5))}
	at = trim(at.Add(-time.Duration(g.IntN(1_000_000))*time.Microsecond), 6)
	terms := s.terms("$account", DefaultAccountID, "$app", intranet, "$target", c.v1.target)
	e.v2 = recorded{at, fill(g.entry(c.v2, s), terms, g.uuid7(at), at)}
	return e
}

// inVain marks a draft as an attempt that fails.
const inVain = -1

// setting is a change of a zone's setting.
func setting(group, name, before, now string) change {
	return change{
		v1: draft{action: "change_setting", resource: "zone", target: "$zoneid", newValue: `"` + now + `"`, oldValue: `"` + before + `"`,
			metadata: `{"name":"` + name + `","old_value":"` + before + `","type":"` + group + `","value":"` + now + `","zone_name":"$zone"}`},
		v2: call{what: "PATCH /zones/$zoneid/settings/" + name, text: "Edit zone setting",
			body: `{"value":"` + now + `"}`, reply: `{"id":"` + name + `","value":"` + now + `"}`},
	}
}

// signIn is a sign-in with a password.
func signIn() change {
	return change{v1: draft{action: "login", resource: "account", target: "$actor", owner: "$actor", metadata: "{}"}, v2: login("LOGIN")}
}

// purge empties the cache of a zone.
func purge() change {
	return change{v1: draft{action: "purge", resource: "zone", target: "$zoneid"},
		v2: call{what: "POST /zones/$zoneid/purge_cache", text: "Purge Cached Content", body: `{"purge_everything":true}`, reply: `{"id":"$zoneid"}`}}
}

// issue makes an API token that may do everything in the account.
func issue(name, id, metadata string) change {
	grants := `"name":"` + name + `","policies":[{"effect":"allow","permission_groups":[{"id":"` + hexID("Account Settings Write") +
		`","name":"Account Settings Write"}],"resources":{"com.cloudflare.api.account.*":"*"}}]}`
	return change{v1: draft{action: "token_create", resource: "account", owner: "$actor", metadata: metadata},
		v2: call{what: "POST /user/tokens", text: "Create Token", body: `{` + grants, reply: `{"id":"` + id + `",` + grants}}
}

// blockRule is a firewall rule, active or paused.
func blockRule(paused string) string {
	return `{"action":"block","description":"block scanners","filter":{"expression":"(http.user_agent contains \"scan\")",` +
		`"id":"13c4d95750560199c73f70be8e2affff","paused":false},"id":"242f393f49901bbb78370db7495fc0f9","paused":` + paused + `}`
}

// staffPolicy is the policy of an Access application.
func staffPolicy(decision, include string) string {
	return `{"decision":"` + decision + `","exclude":[],"id":"9c9294a5-d4b5-45fb-8f72-c1c800837075","include":[` + include +
		`],"name":"Staff only","precedence":1,"require":[]}`
}

// ordinary is what happens on any day.
func (g generator) ordinary(at time.Time) told {
	zone := g.one("example.com", "example.com", "example.net", "shop.example.com")
	was := strings.Replace(record, "ticket $n", "", 1)
	const (
		records = "/zones/$zoneid/dns_records"
		script  = "/accounts/$account/workers/scripts/$target"
	)
	updated := change{
		v1: draft{action: "update", resource: "dns.record", newJSON: record, oldJSON: was},
		v2: call{what: "PATCH " + records + "/$id00", text: "Update DNS Record", body: `{"comment":"ticket $n"}`, reply: record},
	}
	changes := []change{
		{v1: draft{action: "create", resource: "dns.record", newJSON: record},
			v2: call{what: "POST " + records, text: "Create DNS Record", body: `{"content":"$content","name":"$host","ttl":300,"type":"$kind"}`, reply: record}},
		updated,
		updated,
		purge(),
		purge(),
		{v1: draft{action: "script_update", resource: "script", target: "checkout", metadata: "{}"},
			v2: call{what: "PUT " + script, text: "Upload Worker Module", reply: `{"id":"checkout"}`}},
		{v1: draft{action: "script_deploy", resource: "script", target: "checkout", metadata: "{}"},
			v2: call{what: "POST " + script + "/deployments", text: "Create Deployment", body: `{"strategy":"percentage","versions":[{"percentage":100}]}`}},
		setting("speed", "brotli", "off", "on"),
		setting("network", "ipv6", "off", "on"),
		{v1: draft{action: "rulesets_update", resource: "ruleset", metadata: rulesetMetadata, newJSON: rules(3, true),
			oldJSON: strings.Replace(rules(3, true), "keep rule", "old rule", 1)},
			v2: call{what: "PUT /zones/$zoneid/rulesets/phases/http_request_firewall_custom/entrypoint", text: "Update a zone entry point ruleset",
				body: rulesV2(3), reply: rulesV2(3)}},
	}
	who := []person{terraform, terraform, terraform, alice, carol, bob}[g.IntN(6)]
	return g.tell(at, who, zone, changes[g.IntN(len(changes))])
}

// workday is what happens on the day that begins at midnight.
func (g generator) workday(midnight time.Time) (list []told) {
	at := func(hour, minutes int) time.Time {
		return midnight.Add(time.Duration(hour)*time.Hour + time.Duration(g.IntN(minutes))*time.Minute + time.Duration(g.IntN(60))*time.Second)
	}
	machinery := change{v1: draft{action: "tls_settings_deployed", resource: "zone", target: "$zoneid", actor: system}}
	for range 2 + g.IntN(3) {
		list = append(list, g.tell(at(0, 24*60), terraform, "example.com", machinery))
	}
	for range g.IntN(3) {
		list = append(list, g.tell(at(0, 24*60), terraform, "example.net", purge()))
	}
	if day := midnight.Weekday(); day == time.Saturday || day == time.Sunday {
		return list
	}
	for _, who := range []person{alice, bob, carol} {
		if g.IntN(4) > 0 {
			list = append(list, g.tell(at(7, 90), who, "example.com", signIn()))
		}
	}
	for range 6 + g.IntN(14) {
		list = append(list, g.ordinary(at(8, 9*60)))
	}
	// Now and then something that deserves a look, and is all right.
	switch g.IntN(8) {
	case 0:
		list = append(list, g.tell(at(10, 300), alice, "example.com", change{
			v1: draft{action: "delete", resource: "dns.record", oldJSON: record},
			v2: call{what: "DELETE /zones/$zoneid/dns_records/$id00", text: "Delete DNS Record", reply: `{"id":"$id00"}`}}))
	case 1:
		list = append(list, g.tell(at(10, 300), carol, "shop.example.com", change{
			v1: draft{action: "route_create", resource: "route", metadata: route},
			v2: call{what: "POST /zones/$zoneid/workers/routes", text: "Create Route", body: `{"pattern":"$host/api/*","script":"checkout"}`, reply: `{"id":"$id00"}`}}))
	case 2:
		list = append(list, g.tell(at(10, 300), bob, "example.com", issue("ci-$n", "$id00", named)))
	case 3:
		list = append(list,
			g.tell(at(10, 60), alice, "example.net", setting("firewall", "security_level", "medium", "low")),
			g.tell(at(14, 60), alice, "example.net", setting("firewall", "security_level", "low", "medium")))
	}
	return list
}

// breakIn is the night that begins at a time, and the morning after.
func (g generator) breakIn(night time.Time) (list []told) {
	const (
		administrator = `{"account_name":"Example Inc","user_email":"mallory@example.org"}`
		invited       = `{"email":"mallory@example.org","roles":[{"id":"33666b9c79b9a5273fc7344ff42f953d",` +
			`"name":"Super Administrator - All Privileges"}],"status":"pending"}`
		ofApp    = `{"app_id":"` + intranet + `","app_name":"Intranet"}`
		everyone = `{"everyone":{}}`
		staff    = `{"email_domain":{"domain":"example.com"}}`
		policy   = "9c9294a5-d4b5-45fb-8f72-c1c800837075"
		shipping = `"{\"dataset\":\"audit_logs\",\"destination_conf\":\"https://logs.example.net/in\",\"enabled\":true,\"name\":\"audit to siem\"}"`
		record1  = `{"content":"198.51.100.4","id":"7c4558884c6b117fcf942aefc784ff6b","name":"login.example.com","proxied":true,"ttl":1,"type":"A","zone_name":"$zone"}`
		record2  = `{"content":"203.0.113.99","id":"7c4558884c6b117fcf942aefc784ff6b","name":"login.example.com","proxied":false,"ttl":1,"type":"A","zone_name":"$zone"}`
	)
	viewed := change{v1: draft{action: "API_key_view", resource: "user", target: "$actor", owner: "$actor", metadata: "{}"},
		v2: call{what: "GET /user/api_key", text: "View Global API Key"}}
	invitation := change{v1: draft{action: "member_add", resource: "account", target: DefaultAccountID, metadata: administrator, newJSON: invited},
		v2: call{what: "POST /accounts/$account/members", text: "Add Member", body: invited, reply: strings.Replace(invited, "{", `{"id":"$id00",`, 1)}}
	enforcement := change{v1: draft{action: "remove_enforce_twofactor", resource: "account", target: DefaultAccountID, metadata: "{}",
		newValue: `"false"`, oldValue: `"true"`},
		v2: call{what: "PUT /accounts/$account", text: "Update Account", body: `{"name":"Example Inc","settings":{"enforce_twofactor":false}}`}}
	access := func(now, was string) change {
		return change{v1: draft{action: "update", resource: "access.policy", target: policy, metadata: ofApp, newJSON: now, oldJSON: was},
			v2: call{what: "PUT /accounts/$account/access/apps/$app/policies/$target", text: "Update an Access application policy", body: now, reply: now}}
	}
	rule := func(paused, was string) change {
		return change{v1: draft{action: "update", resource: "firewallrules", target: "242f393f49901bbb78370db7495fc0f9",
			metadata: `{"zone_id":"$zoneid","zone_name":"$zone"}`, newJSON: blockRule(paused), oldJSON: blockRule(was)},
			v2: call{what: "PUT /zones/$zoneid/firewall/rules/$target", text: "Update a firewall rule", body: blockRule(paused), reply: blockRule(paused)}}
	}
	delivery := change{v1: draft{action: "job_delete", resource: "logpush job", target: "146", metadata: "{}", oldValue: shipping},
		v2: call{what: "DELETE /accounts/$account/logpush/jobs/$target", text: "Delete Logpush job", reply: `{"id":146}`}}
	diverted := change{v1: draft{action: "update", resource: "dns.record", target: "7c4558884c6b117fcf942aefc784ff6b",
		metadata: `{"zone_name":"$zone"}`, newJSON: record2, oldJSON: record1},
		v2: call{what: "PATCH /zones/$zoneid/dns_records/$target", text: "Update DNS Record", body: `{"content":"203.0.113.99","proxied":false}`, reply: record2}}
	opened := change{v1: draft{action: "ChangeBucketVisibility", resource: "r2.bucket", target: "exports", metadata: "{}", newJSON: `{"public":true}`},
		v2: call{what: "PUT /accounts/$account/r2/buckets/$target/domains/managed", text: "Update r2.dev Domain of Bucket", body: `{"enabled":true}`, reply: `{"enabled":true}`}}
	removed := change{v1: draft{action: "member_remove", resource: "account", target: DefaultAccountID, metadata: administrator},
		v2: call{what: "DELETE /accounts/$account/members/$id00", text: "Remove Member", reply: `{"id":"$id00"}`}}
	succeeded, failed := signIn(), signIn()
	failed.v1.after = inVain
	step := func(minutes int, who person, zone string, c change) {
		list = append(list, g.tell(night.Add(time.Duration(minutes)*time.Minute), who, zone, c))
	}
	for minute := range 4 {
		step(minute, bobTakenOver, "example.com", failed)
	}
	step(6, bobTakenOver, "example.com", succeeded)
	step(9, bobTakenOver, "example.com", viewed)
	step(14, bobTakenOver, "example.com", invitation)
	step(21, mallory, "example.com", issue("backup-all", "00903b35b33dc80d9058e53bea6d93ac",
		`{"token_name":"backup-all","token_tag":"00903b35b33dc80d9058e53bea6d93ac"}`))
	step(25, mallory, "example.com", enforcement)
	step(31, mallory, "example.com", access(staffPolicy("bypass", everyone), staffPolicy("allow", staff)))
	step(36, mallory, "example.com", setting("firewall", "security_level", "high", "essentially_off"))
	step(38, mallory, "example.com", setting("ssl", "min_tls_version", "1.2", "1.0"))
	step(39, mallory, "shop.example.com", setting("ssl", "ssl", "strict", "flexible"))
	step(44, mallory, "example.com", rule("true", "false"))
	step(52, mallory, "example.com", delivery)
	step(58, mallory, "example.com", diverted)
	step(66, mallory, "example.com", opened)

	// The morning after: not all of it is noticed.
	staffLogin := change{v1: draft{action: "cloudflare_login", resource: "account", target: DefaultAccountID, metadata: `{"actual_user":"support-engineer"}`,
		actor: `{"email":"","id":"1562206543da764123c21bd524674f0a","ip":"198.51.100.99","type":"admin"}`}}
	step(6*60+10, alice, "example.com", succeeded)
	step(6*60+22, alice, "example.com", setting("firewall", "security_level", "essentially_off", "high"))
	step(6*60+24, alice, "example.com", rule("false", "true"))
	step(6*60+31, alice, "example.com", removed)
	step(6*60+40, alice, "example.com", access(staffPolicy("allow", staff), staffPolicy("bypass", everyone)))
	step(7*60+5, alice, "example.com", staffLogin)
	return list
}
