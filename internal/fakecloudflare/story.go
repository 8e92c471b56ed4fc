package fakecloudflare

import (
	"encoding/json"
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
	g := generator{rand.New(rand.NewPCG(seed, 3))}
	var list []told
	for day := from.UTC().Truncate(24 * time.Hour); day.Before(to); day = day.Add(24 * time.Hour) {
		list = append(list, g.workday(day)...)
	}
	night := to.UTC().Truncate(24 * time.Hour).Add(-22 * time.Hour)
	list = append(list, g.breakIn(night)...)
	list = slices.DeleteFunc(list, func(e told) bool { return e.at.Before(from) || !e.at.Before(to) })
	slices.SortStableFunc(list, func(a, b told) int { return a.at.Compare(b.at) })
	entries := make([]json.RawMessage, len(list))
	for i, e := range list {
		entries[i] = e.raw
	}
	return entries
}

// Happening returns one more entry of a story: something ordinary, from when.
func Happening(seed uint64, when time.Time) json.RawMessage {
	g := generator{rand.New(rand.NewPCG(seed, 4))}
	return g.ordinary(when).raw
}

// told is one entry of a story.
type told struct {
	at  time.Time
	raw json.RawMessage
}

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

// tell makes the entry of what somebody does in a zone.
func (g generator) tell(at time.Time, who person, zone string, d draft) told {
	s := scene{
		email: who.email, ip: who.ip, zone: zone, host: g.one("www.", "api.", "cdn.", "status.") + zone,
		kind: "A", content: "198.51.100." + g.one("4", "5", "6", "7"), iface: who.iface, result: "true",
		id: g.hex(30), last: 1 + g.IntN(254),
	}
	if d.after < 0 { // an attempt in vain
		s.result = "false"
	}
	at = trim(at.Add(time.Duration(g.IntN(1_000_000))*time.Microsecond), 6)
	return told{at, fill(d.text(), s.terms(), g.uuid(), at)}
}

// inVain marks a draft as an attempt that fails.
const inVain = -1

// setting is a change of a zone's setting.
func setting(group, name, before, now string) draft {
	return draft{action: "change_setting", resource: "zone", target: "$zoneid", newValue: `"` + now + `"`, oldValue: `"` + before + `"`,
		metadata: `{"name":"` + name + `","old_value":"` + before + `","type":"` + group + `","value":"` + now + `","zone_name":"$zone"}`}
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
	drafts := []draft{
		{action: "create", resource: "dns.record", newJSON: record},
		{action: "update", resource: "dns.record", newJSON: record, oldJSON: was},
		{action: "update", resource: "dns.record", newJSON: record, oldJSON: was},
		{action: "purge", resource: "zone", target: "$zoneid"},
		{action: "purge", resource: "zone", target: "$zoneid"},
		{action: "script_update", resource: "script", target: "checkout", metadata: "{}"},
		{action: "script_deploy", resource: "script", target: "checkout", metadata: "{}"},
		setting("speed", "brotli", "off", "on"),
		setting("network", "ipv6", "off", "on"),
		{action: "rulesets_update", resource: "ruleset", metadata: rulesetMetadata, newJSON: rules(3, true),
			oldJSON: strings.Replace(rules(3, true), "keep rule", "old rule", 1)},
	}
	who := []person{terraform, terraform, terraform, alice, carol, bob}[g.IntN(6)]
	return g.tell(at, who, zone, drafts[g.IntN(len(drafts))])
}

// workday is what happens on the day that begins at midnight.
func (g generator) workday(midnight time.Time) (list []told) {
	at := func(hour, minutes int) time.Time {
		return midnight.Add(time.Duration(hour)*time.Hour + time.Duration(g.IntN(minutes))*time.Minute + time.Duration(g.IntN(60))*time.Second)
	}
	machinery := draft{action: "tls_settings_deployed", resource: "zone", target: "$zoneid", actor: system}
	for range 2 + g.IntN(3) {
		list = append(list, g.tell(at(0, 24*60), terraform, "example.com", machinery))
	}
	for range g.IntN(3) {
		list = append(list, g.tell(at(0, 24*60), terraform, "example.net", draft{action: "purge", resource: "zone", target: "$zoneid"}))
	}
	if day := midnight.Weekday(); day == time.Saturday || day == time.Sunday {
		return list
	}
	for _, who := range []person{alice, bob, carol} {
		if g.IntN(4) > 0 {
			list = append(list, g.tell(at(7, 90), who, "example.com",
				draft{action: "login", resource: "account", target: "$actor", owner: "$actor", metadata: "{}"}))
		}
	}
	for range 6 + g.IntN(14) {
		list = append(list, g.ordinary(at(8, 9*60)))
	}
	// Now and then something that deserves a look, and is all right.
	switch g.IntN(8) {
	case 0:
		list = append(list, g.tell(at(10, 300), alice, "example.com", draft{action: "delete", resource: "dns.record", oldJSON: record}))
	case 1:
		list = append(list, g.tell(at(10, 300), carol, "shop.example.com", draft{action: "route_create", resource: "route", metadata: route}))
	case 2:
		list = append(list, g.tell(at(10, 300), bob, "example.com", draft{action: "token_create", resource: "account", owner: "$actor", metadata: named}))
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
		ofApp    = `{"app_id":"91e5bd84-97eb-4b6a-a515-81af2d8da5ca","app_name":"Intranet"}`
		everyone = `{"everyone":{}}`
		staff    = `{"email_domain":{"domain":"example.com"}}`
		policy   = "9c9294a5-d4b5-45fb-8f72-c1c800837075"
		shipping = `"{\"dataset\":\"audit_logs\",\"destination_conf\":\"https://logs.example.net/in\",\"enabled\":true,\"name\":\"audit to siem\"}"`
		record1  = `{"content":"198.51.100.4","id":"7c4558884c6b117fcf942aefc784ff6b","name":"login.example.com","proxied":true,"ttl":1,"type":"A","zone_name":"$zone"}`
		record2  = `{"content":"203.0.113.99","id":"7c4558884c6b117fcf942aefc784ff6b","name":"login.example.com","proxied":false,"ttl":1,"type":"A","zone_name":"$zone"}`
	)
	me := draft{resource: "user", target: "$actor", owner: "$actor", metadata: "{}"}
	viewed := me
	viewed.action = "API_key_view"
	rule := func(paused, was string) draft {
		return draft{action: "update", resource: "firewallrules", target: "242f393f49901bbb78370db7495fc0f9",
			metadata: `{"zone_id":"$zoneid","zone_name":"$zone"}`, newJSON: blockRule(paused), oldJSON: blockRule(was)}
	}
	enforcement := draft{action: "remove_enforce_twofactor", resource: "account", target: DefaultAccountID, metadata: "{}",
		newValue: `"false"`, oldValue: `"true"`}
	failed := draft{action: "login", resource: "account", target: "$actor", owner: "$actor", metadata: "{}", after: inVain}
	succeeded := failed
	succeeded.after = 0
	step := func(minutes int, who person, zone string, d draft) {
		list = append(list, g.tell(night.Add(time.Duration(minutes)*time.Minute), who, zone, d))
	}
	for minute := range 4 {
		step(minute, bobTakenOver, "example.com", failed)
	}
	step(6, bobTakenOver, "example.com", succeeded)
	step(9, bobTakenOver, "example.com", viewed)
	step(14, bobTakenOver, "example.com", draft{action: "member_add", resource: "account", target: DefaultAccountID, metadata: administrator, newJSON: invited})
	step(21, mallory, "example.com", draft{action: "token_create", resource: "account", owner: "$actor",
		metadata: `{"token_name":"backup-all","token_tag":"00903b35b33dc80d9058e53bea6d93ac"}`})
	step(25, mallory, "example.com", enforcement)
	step(31, mallory, "example.com", draft{action: "update", resource: "access.policy", target: policy, metadata: ofApp,
		newJSON: staffPolicy("bypass", everyone), oldJSON: staffPolicy("allow", staff)})
	step(36, mallory, "example.com", setting("firewall", "security_level", "high", "essentially_off"))
	step(38, mallory, "example.com", setting("ssl", "min_tls_version", "1.2", "1.0"))
	step(39, mallory, "shop.example.com", setting("ssl", "ssl", "strict", "flexible"))
	step(44, mallory, "example.com", rule("true", "false"))
	step(52, mallory, "example.com", draft{action: "job_delete", resource: "logpush job", target: "146", metadata: "{}", oldValue: shipping})
	step(58, mallory, "example.com", draft{action: "update", resource: "dns.record", target: "7c4558884c6b117fcf942aefc784ff6b",
		metadata: `{"zone_name":"$zone"}`, newJSON: record2, oldJSON: record1})
	step(66, mallory, "example.com", draft{action: "ChangeBucketVisibility", resource: "r2.bucket", target: "exports", metadata: "{}", newJSON: `{"public":true}`})

	// The morning after: not all of it is noticed.
	staffLogin := draft{action: "cloudflare_login", resource: "account", target: DefaultAccountID, metadata: `{"actual_user":"support-engineer"}`,
		actor: `{"email":"","id":"1562206543da764123c21bd524674f0a","ip":"198.51.100.99","type":"admin"}`}
	step(6*60+10, alice, "example.com", succeeded)
	step(6*60+22, alice, "example.com", setting("firewall", "security_level", "essentially_off", "high"))
	step(6*60+24, alice, "example.com", rule("false", "true"))
	step(6*60+31, alice, "example.com", draft{action: "member_remove", resource: "account", target: DefaultAccountID, metadata: administrator})
	step(6*60+40, alice, "example.com", draft{action: "update", resource: "access.policy", target: policy, metadata: ofApp,
		newJSON: staffPolicy("allow", staff), oldJSON: staffPolicy("bypass", everyone)})
	step(7*60+5, alice, "example.com", staffLogin)
	return list
}
