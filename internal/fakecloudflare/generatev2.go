package fakecloudflare

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// GenerateV2 is Generate for v2: n entries between from and to, oldest first,
// that look like the history of a busy account, with what only that endpoint
// records: sign-ins through an identity provider, provisioning, reads, and
// batches. Equal arguments make equal entries, and different seeds make
// different ids.
func GenerateV2(seed uint64, n int, from, to time.Time) []json.RawMessage {
	type dated struct {
		at  time.Time
		raw json.RawMessage
	}
	var (
		g      = generator{rand.New(rand.NewPCG(seed, 2))}
		table  = calls()
		weight int
		list   = make([]dated, n)
	)
	for _, c := range table {
		weight += c.weight
	}
	for i := range list {
		j, pick := 0, g.IntN(weight)
		for ; pick >= table[j].weight; j++ {
			pick -= table[j].weight
		}
		at := g.between(from, to)
		s, terms := g.sceneV2()
		list[i] = dated{at, fill(g.entry(table[j].call, s), terms, g.uuid7(at), at)}
	}
	slices.SortStableFunc(list, func(a, b dated) int { return a.at.Compare(b.at) })
	entries := make([]json.RawMessage, n)
	for i, d := range list {
		entries[i] = d.raw
	}
	return entries
}

// weighted is a call and how often it is made, compared with the others.
type weighted struct {
	weight int
	call
}

// calls are all the calls there are in a history.
func calls() []weighted {
	often := []struct {
		prefix string
		weight int
	}{
		{"dns.record.", 8}, {"zone.cache.purge", 16}, {"worker.script.", 4}, {"zone.firewall.rule.update", 8}, {"account.login", 16},
	}
	var list []weighted
	for _, c := range changes() {
		weight := 1
		for _, o := range often {
			if strings.HasPrefix(c.name, o.prefix) {
				weight = o.weight
			}
		}
		list = append(list, weighted{weight, c.v2})
	}
	const scim = "/accounts/$account/scim/v2"
	deleted := `[` + record + `,` + strings.Replace(record, "$id00", "$id01", 1) + `]`
	return append(list,
		weighted{12, login("SSO_LOGIN")},
		weighted{2, call{what: "POST " + scim + "/Users", text: "Create SCIM User", body: `{"active":true,"userName":"user$n@example.org"}`}},
		weighted{1, call{what: "PATCH " + scim + "/Groups/$first", text: "Update SCIM Group", body: `{"Operations":[{"op":"add","path":"members","value":[{"value":"$second"}]}]}`}},
		weighted{1, call{what: "DELETE " + scim + "/Users/$first", text: "Delete SCIM User"}},
		weighted{4, call{what: "POST /zones/$zoneid/dns_records/batch", text: "Batch DNS Records",
			body: `{"deletes":[{"id":"$id00"},{"id":"$id01"}]}`, reply: `{"deletes":` + deleted + `,"patches":[],"posts":[],"puts":[]}`}},
		weighted{8, call{what: "GET /zones/$zoneid/dns_records?per_page=100", text: "List DNS Records"}},
		weighted{6, call{what: "GET /zones/$zoneid/settings", text: "Get all zone settings"}},
		weighted{6, call{what: "POST /zones/$zoneid/ssl/certificate_packs/order", text: "Order Advanced Certificate Manager Certificate Pack",
			actor: `{"id":"1","type":"system"}`, body: `{"hosts":["$zone","*.$zone"],"type":"advanced"}`}},
		weighted{1, call{what: "PATCH /zones/$zoneid/dnssec", text: "Edit DNSSEC Status", body: `{"status":"disabled"}`}},
		weighted{1, call{what: "DELETE /zones/$zoneid/hold", text: "Remove Zone Hold"}},
		weighted{1, call{what: "PUT /accounts/$account/workers/domains", text: "Attach to Domain", body: `{"hostname":"$host","service":"checkout","zone_id":"$zoneid"}`}},
		weighted{1, call{what: "PUT /accounts/$account/iam/user_groups/$id00", text: "Update User Group", body: `{"name":"operators"}`}},
	)
}
