package fakecloudflare

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Entry returns a small entry that is sound in every respect: a person adds a
// database, which the default rules do not count, so that many of them raise no
// alarm. Its time has at most the given number of fractional digits, from
// 0 to 6, written as the API does, which leaves out trailing zeros.
func Entry(id string, when time.Time, digits int) json.RawMessage {
	return fmt.Appendf(nil, `{"action":{"result":true,"type":"create"},`+
		`"actor":{"email":"alice@example.com","id":"ff8d9819fc0e12bf0d24892e45987e24","ip":"192.0.2.10","type":"user"},`+
		`"id":%q,"interface":"API","metadata":{"name":"orders"},"newValue":"",`+
		`"newValueJson":{"created_in":"weur","file_size":12288,"name":"orders","num_tables":4,"read_replication":{"mode":"disabled"},"version":"production"},`+
		`"oldValue":"","oldValueJson":{},"owner":{"id":%q},`+
		`"resource":{"id":"372e67954025e0ba6aaa6d586b9e0b59","type":"d1.database"},"when":%q}`,
		id, DefaultAccountID, stamp(trim(when, digits)))
}

// EntryV2 is Entry for v2: the same change as that endpoint records it.
func EntryV2(id string, when time.Time, digits int) json.RawMessage {
	return fmt.Appendf(nil, `{"account":{"id":%q,"name":"Example Inc"},`+
		`"action":{"description":"Create D1 Database","result":"success","time":%q,"type":"create"},`+
		`"actor":{"context":"api_token","email":"alice@example.com","id":"ff8d9819fc0e12bf0d24892e45987e24",`+
		`"ip_address":"192.0.2.10","token":{"id":"4f1c2d3e5a6b7c8d9e0f1a2b3c4d5e6f","name":"d1"},"type":"user"},"id":%q,`+
		`"raw":{"cf_ray_id":"8f0c2b1d4e5a6789-FRA","method":"POST","status_code":200,`+
		`"uri":"/accounts/%s/d1/database","user_agent":"curl/8.9.1"},`+
		`"resource":{"product":"d1","request":{"name":"orders","primary_location_hint":"weur"},`+
		`"response":{"uuid":"372e67954025e0ba6aaa6d586b9e0b59"},"scope":"accounts"}}`,
		DefaultAccountID, stamp(trim(when, digits)), id, DefaultAccountID)
}

// trim cuts t to a number of fractional digits.
func trim(t time.Time, digits int) time.Time {
	unit := time.Second
	for range min(max(digits, 0), 6) {
		unit /= 10
	}
	return t.Truncate(unit)
}

// stamp writes t as entries do.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Generate returns n entries between from and to, oldest first, that look like
// the history of a busy account: DNS changes under both generations of names,
// rule sets, deployments, settings, sign-ins, members and tokens, and bursts of
// machine noise. They are about 1.2 kB each. Equal arguments make equal
// entries, and different seeds make different ids.
func Generate(seed uint64, n int, from, to time.Time) []json.RawMessage {
	return generate(seed, n, from, to, kinds())
}

// GenerateLarge is Generate for the worst that one change makes: rule sets of 30
// rules before and after it, each as JSON within a text, so that the entry is
// about 20 kB long and hardly a word of it stands without an escape sequence.
func GenerateLarge(seed uint64, n int, from, to time.Time) []json.RawMessage {
	return generate(seed, n, from, to, []kind{{1, []draft{{
		action: "rulesets_update", resource: "ruleset", metadata: rulesetMetadata,
		newValue: strconv.QuoteToASCII(rules(30, false)), oldValue: strconv.QuoteToASCII(rules(30, true)),
	}}}})
}

func generate(seed uint64, n int, from, to time.Time, table []kind) []json.RawMessage {
	type dated struct {
		at    time.Time
		text  string
		terms *strings.Replacer
	}
	var (
		g      = generator{rand.New(rand.NewPCG(seed, 0))}
		weight int
		list   []dated
	)
	for _, k := range table {
		weight += k.weight
	}
	for len(list) < n {
		at := from
		if span := to.Sub(from); span > 0 {
			at = from.Add(time.Duration(g.Int64N(int64(span))))
		}
		i, pick := 0, g.IntN(weight)
		for ; pick >= table[i].weight; i++ {
			pick -= table[i].weight
		}
		terms := g.scene().terms()
		for _, d := range table[i].drafts {
			when := trim(at.Add(d.after), g.IntN(7))
			switch {
			case when.Before(from):
				when = from
			case when.After(to):
				when = to
			}
			list = append(list, dated{when, d.text(), terms})
		}
	}
	list = list[:n]
	slices.SortStableFunc(list, func(a, b dated) int { return a.at.Compare(b.at) })
	entries := make([]json.RawMessage, n)
	for i, d := range list {
		text := d.terms.Replace(d.text)
		// These two are not the same for all entries of a burst.
		text = strings.Replace(text, "$uuid", g.uuid(), 1)
		entries[i] = json.RawMessage(strings.Replace(text, "$when", stamp(d.at), 1))
	}
	return entries
}

// generator is a source of chance.
type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) hex(n int) string {
	var b [16]byte
	for i := range b {
		b[i] = byte(g.IntN(256))
	}
	return hex.EncodeToString(b[:])[:n]
}

func (g generator) uuid() string {
	h := g.hex(31)
	return h[:8] + "-" + h[8:12] + "-4" + h[12:15] + "-" + g.one("8", "9", "a", "b") + h[15:18] + "-" + h[18:30]
}

// hexID is the id of the thing with a name.
func hexID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// scene is who does something, where, and to what.
type scene struct {
	email, ip     string // the address may be missing
	zone, host    string
	kind, content string // of a DNS record
	iface, result string
	id            string // of 30 digits, which leaves two for the things in it
	last          int
}

// scene chooses a scene.
func (g generator) scene() scene {
	var s scene
	s.zone = g.one("example.com", "example.net", "example.org", "shop.example.com")
	s.email = g.one("alice@example.com", "bob@example.com", "carol@example.com", "terraform@example.net")
	s.last = 1 + g.IntN(254)
	s.ip = fmt.Sprintf(g.one("192.0.2.%d", "198.51.100.%d", "203.0.113.%d", "::ffff:203.0.113.%d", "2001:db8::%x"), s.last)
	if g.IntN(20) == 0 {
		s.ip = "" // not everybody has one
	}
	s.kind, s.content = "A", fmt.Sprintf("198.51.100.%d", s.last)
	switch g.IntN(5) {
	case 0:
		s.kind, s.content = "AAAA", fmt.Sprintf("2001:db8::%x", s.last)
	case 1:
		s.kind, s.content = "TXT", "verification="+g.hex(32)
	case 2:
		s.kind, s.content = g.one("CNAME", "MX"), "edge."+s.zone
	}
	s.iface, s.result = g.one("UI", "API", "API", ""), fmt.Sprint(g.IntN(40) > 0)
	s.host = g.one("www.", "api.", "mail.", "cdn.", "") + s.zone
	s.id = g.hex(30)
	return s
}

// terms returns what stands for the terms of a draft, which begin with $.
func (s scene) terms(more ...string) *strings.Replacer {
	ip := ""
	if s.ip != "" {
		ip = `"ip":"` + s.ip + `",`
	}
	return strings.NewReplacer(append([]string{
		"$email", s.email, "$actor", hexID(s.email), "$ip", ip,
		"$iface", s.iface, "$result", s.result,
		"$zoneid", hexID(s.zone), "$zone", s.zone, "$host", s.host,
		"$kind", s.kind, "$content", s.content, "$id", s.id, "$n", fmt.Sprint(s.last),
	}, more...)...)
}

// draft is an entry with terms for what differs each time. What is empty has
// the value that most entries have there.
type draft struct {
	after              time.Duration // how long after the first entry of a burst
	action, resource   string
	target             string
	actor              string // JSON
	owner              string
	metadata           string // JSON
	newValue, oldValue string // JSON
	newJSON, oldJSON   string // JSON
}

func (d draft) text() string {
	result, iface := "$result", "$iface"
	if d.actor != "" {
		result, iface = "true", "" // machines neither fail nor use one
	}
	return `{"action":{"result":` + result + `,"type":"` + d.action +
		`"},"actor":` + cmp.Or(d.actor, `{"email":"$email","id":"$actor",$ip"type":"user"}`) +
		`,"id":"$uuid","interface":"` + iface + `","metadata":` + cmp.Or(d.metadata, `{"zone_name":"$zone"}`) +
		`,"newValue":` + cmp.Or(d.newValue, `""`) + `,"newValueJson":` + cmp.Or(d.newJSON, `{}`) +
		`,"oldValue":` + cmp.Or(d.oldValue, `""`) + `,"oldValueJson":` + cmp.Or(d.oldJSON, `{}`) +
		`,"owner":{"id":"` + cmp.Or(d.owner, DefaultAccountID) +
		`"},"resource":{"id":"` + cmp.Or(d.target, "$id00") + `","type":"` + d.resource + `"},"when":"$when"}`
}

// kind is something that happens now and then and makes entries.
type kind struct {
	weight int
	drafts []draft
}

const rulesetMetadata = `{"kind":"zone","name":"default","phase":"http_request_firewall_custom","ruleset_id":"$id00",` +
	`"version":"$n","zone_id":"$zoneid","zone_name":"$zone"}`

// rules is a rule set of n rules as JSON, of which all but perhaps the first are
// enabled.
func rules(n int, enabled bool) string {
	const rule = `{"action":"block","description":"keep rule %d","enabled":%t,` +
		`"expression":"(http.request.uri.path contains \"/admin/$n\" and not ip.src in {203.0.113.0/24})",` +
		`"id":"$id%02d","last_updated":"2026-03-01T10:00:00.123456Z","ref":"$id%02d","version":"$n"}`
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(rule, i, enabled || i > 0, i, i)
	}
	return `{"modified_rules":[` + strings.Join(list, ",") + `]}`
}

// What drafts have in common.
const (
	system = `{"id":"1","type":"system"}`
	record = `{"comment":"ticket $n","content":"$content","created_on":"2025-11-03T09:14:27.305112Z","id":"$id00",` +
		`"locked":false,"meta":{"auto_added":false,"managed_by_apps":false,"managed_by_argo_tunnel":false},` +
		`"modified_on":"2026-02-17T16:40:02.88671Z","name":"$host","proxiable":true,"proxied":false,"settings":{},` +
		`"tags":[],"ttl":300,"type":"$kind","zone_id":"$zoneid","zone_name":"$zone"}`
	named  = `{"token_name":"ci-$n","token_tag":"$id00"}`
	member = `{"account_name":"Example","user_email":"user$n@example.org"}`
	route  = `{"pattern":"$host/api/*","script":"checkout","zone_id":"$zoneid","zone_name":"$zone"}`
	job    = `"{\"dataset\":\"audit_logs\",\"destination_conf\":\"https://logs.example.net/in\",\"enabled\":true}"`
)

func kinds() []kind {
	was := strings.Replace(record, "ticket $n", "", 1)
	// The renewal of a certificate: records that prove the ownership of names
	// come and go, and a deletion has its record where others have none.
	var renewal []draft
	for i := range 6 {
		proof := strings.NewReplacer("$kind", "TXT", "$content", "$id-$id", "$host", "_acme-challenge.$zone",
			"$id00", fmt.Sprintf("$id%02d", i)).Replace(record)
		d := draft{action: "create", resource: "dns.record", actor: system, newJSON: proof, target: fmt.Sprintf("$id%02d", i)}
		d.after = time.Duration(i) * 640 * time.Millisecond
		renewal = append(renewal, d)
		d.action, d.after = "delete", d.after+4321*time.Millisecond
		renewal = append(renewal, d)
	}
	one := func(weight int, d draft) kind { return kind{weight, []draft{d}} }
	return []kind{
		{1, renewal},
		one(8, draft{action: "create", resource: "dns.record", newJSON: record}),
		one(14, draft{action: "update", resource: "dns.record", newJSON: record, oldJSON: was}),
		one(5, draft{action: "delete", resource: "dns.record", oldJSON: record}),
		one(3, draft{action: "rec_add", resource: "DNS_record", newJSON: record}),
		one(3, draft{action: "rec_set", resource: "DNS_record", newJSON: record, oldJSON: was}),
		one(2, draft{action: "rec_del", resource: "DNS_record", oldJSON: record, newValue: `"null"`}),
		one(12, draft{action: "rulesets_update", resource: "ruleset", metadata: rulesetMetadata, newJSON: rules(5, false), oldJSON: rules(5, true)}),
		one(4, draft{action: "change_setting", resource: "zone", target: "$zoneid", newValue: `"medium"`, oldValue: `"high"`,
			metadata: `{"name":"security_level","old_value":"high","type":"firewall","value":"medium","zone_name":"$zone"}`}),
		one(5, draft{action: "change_setting", resource: "zone", target: "$zoneid", newValue: `"on"`, oldValue: `"off"`,
			metadata: `{"name":"brotli","old_value":"off","type":"speed","value":"on","zone_name":"$zone"}`}),
		one(8, draft{action: "login", resource: "account", target: "$actor", owner: "$actor", metadata: "{}"}),
		one(8, draft{action: "purge", resource: "zone", target: "$zoneid"}),
		one(4, draft{action: "tls_settings_deployed", resource: "zone", target: "$zoneid", actor: system}),
		one(4, draft{action: "script_update", resource: "script", target: "checkout", metadata: "{}"}),
		one(4, draft{action: "script_deploy", resource: "script", target: "checkout", metadata: "{}"}),
		one(2, draft{action: "route_create", resource: "route", metadata: route}),
		one(1, draft{action: "route_delete", resource: "route", metadata: route}),
		one(1, draft{action: "update", resource: "firewallrules", oldJSON: `{"description":"block scanners","paused":true}`}),
		one(1, draft{action: "delete", resource: "firewallrules", oldJSON: `{"description":"block scanners","paused":false}`}),
		one(1, draft{action: "update", resource: "access.policy", newJSON: `{"decision":"allow","name":"staff","precedence":1}`}),
		one(1, draft{action: "token_create", resource: "account", owner: "$actor", metadata: named}),
		one(1, draft{action: "token_roll", resource: "account", owner: "$actor", metadata: named}),
		one(1, draft{action: "API_key_view", resource: "user", target: "$actor", owner: "$actor", metadata: "{}"}),
		one(1, draft{action: "member_add", resource: "account", target: DefaultAccountID, metadata: member}),
		one(1, draft{action: "member_remove", resource: "account", target: DefaultAccountID, metadata: member}),
		one(1, draft{action: "job_update", resource: "logpush job", target: "$n", newValue: job, metadata: "{}"}),
		one(1, draft{action: "CreateBucket", resource: "r2.bucket", target: "exports-$n", metadata: "{}"}),
	}
}
