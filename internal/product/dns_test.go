package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Names that changes of records have had over time, and others that follow from
// them.
const (
	dnsCreated = "DNS_record/rec_add; dns.record/create; dns_records/create"
	dnsUpdated = "DNS_record/rec_set; dns.record/update; ?dns_records/update"
	dnsDeleted = "DNS_record/rec_del; dns.record/delete; dns_records/delete"
)

// A record that Cloudflare creates and deletes to renew a certificate. Either
// entry has it as the new value.
const renewal = `"newValueJson":{"type":"TXT","name":"_acme-challenge.example.com"}`

func recordValue(kind, content string) string {
	return `{"type":"` + kind + `","name":"www.example.com","content":"` + content + `","proxied":true}`
}

var dnsSuite = suite{
	pairs: slices.Concat(
		rows("/dns.record.delete; /dnsRecordDelete", "dns.record.delete", medium, low, same, inZone, oldValue(recordValue("MX", "mx.example.net"))),
		// Records under all the names they have had.
		rows(dnsCreated, "dns.record.create", medium, low, same, inZone, newValue(recordValue("MX", "mx.example.net"))),
		rows(dnsCreated, "dns.record.create", medium, low, same, inZone, newValue(recordValue("NS", "ns.example.net"))),
		rows(dnsCreated, "dns.record.create", low, same, same, inZone, newValue(recordValue("TXT", "x"))),
		// Records that say who may send mail, by their content and by their names.
		rows(dnsCreated, "dns.record.create", medium, low, same, inZone, newValue(recordValue("TXT", "v=spf1 include:example.net -all"))),
		rows(dnsCreated, "dns.record.create", medium, low, same, inZone, newValue(recordValue("TXT", `\"v=DMARC1; p=none\"`))),
		rows(dnsUpdated, "dns.record.update", medium, low, same, inZone, values(recordValue("TXT", "v=spf1 -all"), recordValue("TXT", "v=spf1 +all"))),
		rows(dnsUpdated, "dns.record.update", medium, low, same, inZone, values(recordValue("TXT", "v=DKIM1; p=a"), recordValue("TXT", "x"))),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, inZone, oldValue(recordValue("TXT", "v=spf1 -all"))),
		rows(dnsCreated, "dns.record.create", medium, low, same, inZone, newValue(`{"type":"CNAME","name":"s1._domainkey.example.com","content":"s1.example.net"}`)),
		rows(dnsUpdated, "dns.record.update", medium, low, same, inZone, values(`{"type":"TXT","name":"s1._domainkey.example.com","content":"k=rsa; p=a"}`, `{"type":"TXT","name":"s1._domainkey.example.com","content":"k=rsa; p=b"}`)),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, inZone, oldValue(`{"type":"TXT","name":"_dmarc.example.com","content":"x"}`)),
		rows(dnsUpdated, "dns.record.update", low, same, same, inZone, values(`{"type":"TXT","name":"_dmarc.example.com","content":"v=DMARC1","ttl":1}`, `{"type":"TXT","name":"_dmarc.example.com","content":"v=DMARC1","ttl":60}`)),
		rows(dnsCreated, "dns.record.create", low, same, same, inZone, newValue(recordValue("A", "192.0.2.1"))),
		rows(dnsUpdated, "dns.record.update", low, same, low, inZone, values(`{"type":"A","name":"www.example.com","ttl":1}`, `{"type":"A","name":"www.example.com","ttl":60}`)),
		rows(dnsUpdated, "dns.record.update", low, same, low, inZone, values(recordValue("TXT", "a"), recordValue("TXT", "b"))),
		rows(dnsUpdated, "dns.record.update", medium, low, same, inZone, values(recordValue("MX", "mx.example.net"), recordValue("MX", "mx.example.org"))),
		rows(dnsUpdated, "dns.record.update", medium, low, same, inZone, values(recordValue("NS", "ns.example.net"), recordValue("NS", "ns.example.org"))),
		rows(dnsUpdated, "dns.record.update", medium, low, same, inZone, values(recordValue("A", "192.0.2.1"), recordValue("A", "192.0.2.2"))),
		rows(dnsUpdated, "dns.record.update", medium, low, same, inZone, values(recordValue("AAAA", "2001:db8::1"), recordValue("AAAA", "2001:db8::2"))),
		rows(dnsUpdated, "dns.record.update", medium, low, same, inZone, values(recordValue("CNAME", "a.example.net"), recordValue("CNAME", "b.example.net"))),
		rows(dnsUpdated, "dns.record.update", medium, low, same, inZone, values(recordValue("A", "192.0.2.1"), recordValue("CNAME", "b.example.net"))),
		rows(dnsUpdated, "dns.record.update", medium, low, same, inZone, values(recordValue("MX", "mx.example.net"), recordValue("TXT", "x"))),
		rows(dnsUpdated, "dns.record.update", medium, low, low, inZone, values(`{"type":"A","proxied":true}`, `{"type":"A","proxied":false}`)),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, inZone, oldValue(recordValue("MX", "mx.example.net")), `"newValue":"null"`),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, inZone, oldValue(recordValue("A", "192.0.2.1"))),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, inZone, oldValue(recordValue("AAAA", "2001:db8::1"))),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, inZone, oldValue(recordValue("CNAME", "b.example.net"))),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, inZone, oldValue(recordValue("NS", "ns.example.net"))),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, inZone, `"oldValue":"{\"type\":\"MX\",\"name\":\"example.com\"}"`),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, inZone, newValue(recordValue("MX", "mx.example.net"))),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, `"metadata":{"zone_name":"example.com","type":"MX"}`),
		rows(dnsDeleted, "dns.record.delete", medium, low, same, inZone, `"oldValue":"null"`, `"newValue":"null"`),
		rows(dnsDeleted, "dns.record.delete", low, same, same, inZone, oldValue(recordValue("TXT", "x"))),
		rows(dnsDeleted, "dns.record.delete", low, same, same, inZone, oldValue(recordValue("CAA", "x"))),
		rows(dnsDeleted, "dns.record.delete", low, same, same, inZone, oldValue(`{"type":"TXT","name":"_acme-challenge.example.com"}`)),
		rows(dnsDeleted, "dns.record.delete", info, same, same, bySystem, inZone, newValue(recordValue("MX", "mx.example.net"))),
		rows(dnsDeleted, "dns.record.delete", drop, same, same, bySystem, inZone, renewal),
		rows(dnsCreated, "dns.record.create", drop, same, same, bySystem, inZone, renewal),
		rows("dns_records.batch/create", "dns.record.delete", medium, low, same, inZone, newValue(`{"deletes":[`+recordValue("TXT", "x")+`,`+recordValue("MX", "mx.example.net")+`]}`)),
		rows("dns_records.batch/create", "dns.record.create", medium, low, same, inZone, newValue(`{"deletes":[`+recordValue("TXT", "x")+`],"posts":[`+recordValue("MX", "mx.example.net")+`]}`)),
		rows("dns_records.batch/create", "dns.record.delete", low, same, same, inZone, newValue(`{"deletes":[`+recordValue("TXT", "x")+`],"posts":[`+recordValue("A", "192.0.2.1")+`]}`)),
		rows("dns_records.batch/create", "dns.record.delete", medium, low, same, inZone, newValue(`{"deletes":[{"id":"372e67954025e0ba6aaa6d586b9e0b59"}]}`)),
		rows("dns_records.batch/create", "dns.record.create", medium, low, same, inZone, newValue(`{"deletes":[],"posts":[`+recordValue("MX", "mx.example.net")+`]}`)),
		// Of several new records, the one that matters most counts.
		rows("dns_records.batch/create", "dns.record.create", medium, low, same, inZone, newValue(`{"posts":[`+recordValue("A", "192.0.2.1")+`,`+recordValue("MX", "mx.example.net")+`]}`)),
		rows("dns_records.batch/create", "dns.record.create", medium, low, same, inZone, newValue(`{"posts":[`+recordValue("A", "192.0.2.1")+`,`+recordValue("TXT", "v=spf1 +all")+`]}`)),
		rows("dns_records.batch/create", "dns.record.delete", medium, low, same, inZone, newValue(`{"deletes":[`+recordValue("TXT", "x")+`,`+recordValue("TXT", "v=spf1 -all")+`],"posts":[`+recordValue("A", "192.0.2.1")+`]}`)),
		rows("?dns_records.import/create; ?dns_records.scan/create", "dns.record.create", low, same, same, inZone),
		rows("dns_records/view", "dns.record.view", info, same, same, inZone),
		rows("dns_settings/view", "dns_settings.view", info, same, same),
		rows("custom_ns/view", "custom_ns.view", info, same, same),
		rows("?secondary_dns.outgoing/create; ?secondary_dns.tsig/create; ?secondary_dns.outgoing/enable; ?secondary_dns.incoming/update; ?secondary_dns.acl/update; ?secondary_dns.peer/create", "", medium, same, same),
		rows("?secondary_dns/create", "secondary_dns.create", medium, same, same),
		rows("?secondary_dns.outgoing/delete; ?secondary_dns.tsig/delete", "", low, same, same),
		rows("?dns_firewall/update", "dns_firewall.cluster.update", medium, same, same),
	),
	calls: dnsCalls(),
	examples: map[string]ruleExample{
		"dns-record-deleted-production":    {logged("DNS_record", "rec_del", inProduction, oldValue(`{"type":"MX","name":"example.com"}`)), logged("DNS_record", "rec_del", inStaging, oldValue(`{"type":"MX","name":"staging.example.net"}`))},
		"dns-record-deleted":               {logged("dns.record", "delete", inProduction, oldValue(`{"type":"TXT"}`)), logged("dns.record", "delete", inProduction)},
		"dns-record-unproxied":             {logged("dns.record", "update", inProduction, oldValue(`{"type":"A","proxied":true}`), newValue(`{"type":"A","proxied":false}`)), logged("dns.record", "update", inProduction, oldValue(`{"type":"A","proxied":false}`), newValue(`{"type":"A","proxied":true}`))},
		"dns-record-redirected":            {logged("DNS_record", "rec_set", inProduction, oldValue(`{"type":"NS","content":"a"}`), newValue(`{"type":"NS","content":"b"}`)), logged("DNS_record", "rec_set", inProduction, oldValue(`{"type":"TXT","content":"a"}`), newValue(`{"type":"TXT","content":"b"}`))},
		"dns-record-changed":               {logged("dns.record", "update", inProduction, oldValue(`{"type":"A","ttl":1}`), newValue(`{"type":"A","ttl":2}`)), logged("dns.record", "update", inProduction, oldValue(`{"type":"A","content":"1"}`), newValue(`{"type":"A","content":"2"}`))},
		"dns-record-created":               {logged("dns.record", "create", inProduction), logged("dns.record", "create", inProduction, bySystem)},
		"dns-delegation-changed":           {requested("POST", "/accounts/"+exampleAccount+"/custom_ns", requestBody(`{"ns_name":"ns1.example.com"}`)), requested("DELETE", "/accounts/"+exampleAccount+"/custom_ns/ns1.example.com")},
		"dns-delegation-removed":           {requested("DELETE", "/accounts/"+exampleAccount+"/custom_ns/ns1.example.com"), requested("POST", "/accounts/"+exampleAccount+"/custom_ns")},
		"dns-zone-transferable":            {logged("secondary_dns.outgoing", "create", newValue(`{"name":"example.com"}`)), logged("secondary_dns.outgoing", "delete")},
		"dns-zone-source-changed":          {logged("secondary_dns.incoming", "update", newValue(`{"name":"example.com"}`)), logged("secondary_dns.incoming", "delete")},
		"dns-zone-transfer-ended":          {logged("secondary_dns.outgoing", "delete"), logged("secondary_dns.outgoing", "create")},
		"dns-zone-transfer-started":        {requested("POST", "/zones/"+exampleZone+"/secondary_dns/force_axfr"), requested("POST", "/zones/"+exampleZone+"/secondary_dns/incoming")},
		"dns-view-changed":                 {requested("POST", "/accounts/"+exampleAccount+"/dns_settings/views", requestBody(`{"name":"office"}`)), requested("DELETE", "/accounts/"+exampleAccount+"/dns_settings/views/1")},
		"dns-firewall-removed":             {logged("dns_firewall", "delete"), logged("dns_firewall", "update")},
		"dns-firewall-changed":             {logged("dns_firewall", "update", newValue(`{"name":"resolver","upstream_ips":["192.0.2.53"]}`)), logged("dns_firewall", "delete")},
		"mail-authentication-changed":      {logged("dns.record", "update", inProduction, values(recordValue("TXT", "v=spf1 -all"), recordValue("TXT", "v=spf1 +all"))), logged("dns.record", "update", inProduction, values(recordValue("TXT", "a"), recordValue("TXT", "b")))},
		"mail-authentication-name-changed": {logged("dns.record", "create", inProduction, newValue(`{"type":"CNAME","name":"s1._domainkey.example.com","content":"s1.example.net"}`)), logged("dns.record", "create", inStaging, newValue(`{"type":"CNAME","name":"s1._domainkey.staging.example.net","content":"s1.example.net"}`))},
		"mail-or-delegation-created":       {logged("dns.record", "create", inProduction, newValue(recordValue("MX", "mx.example.net"))), logged("dns.record", "create", inProduction, newValue(recordValue("A", "192.0.2.1")))},
		"dns-records-imported":             {requested("POST", "/zones/"+exampleZone+"/dns_records/import", `"zone":{"id":"`+exampleZone+`","name":"example.com"}`), requested("POST", "/zones/"+exampleZone+"/dns_records")},
		"dns-record-proxied":               {logged("dns.record", "update", inProduction, values(`{"type":"A","proxied":false}`, `{"type":"A","proxied":true}`)), logged("dns.record", "update", inProduction, values(`{"type":"A","proxied":true}`, `{"type":"A","proxied":false}`))},
		"dns-scanned":                      {requested("POST", "/zones/"+exampleZone+"/dns_records/scan/trigger"), requested("POST", "/zones/"+exampleZone+"/dns_records/scan/review")},
		"dns-records-exported":             {requested("GET", "/zones/"+exampleZone+"/dns_records/export"), requested("GET", "/zones/"+exampleZone+"/dns_records")},
	},
	facts: map[string]factCase{
		"record": {
			raw:  logged("dns.record", "create", `"metadata":{"zone_name":"Example.COM."}`, newValue(`{"type":"mx","name":"mail.example.com.","zone_id":"z1"}`)),
			want: rules.Facts{IsRecord: true, Target: "mail.example.com", ZoneName: "example.com", ZoneID: "z1", RecordType: "MX"},
		},
		"record deleted by Cloudflare": {
			raw:    logged("dns.record", "delete", bySystem, newValue(`{"type":"TXT","name":"_acme-challenge.example.com"}`), oldValue(`{}`)),
			want:   rules.Facts{IsRecord: true, Target: "_acme-challenge.example.com", RecordType: "TXT"},
			system: true,
		},
		"record inside the documented text": {
			raw:  logged("DNS_record", "rec_del", `"oldValue":"{\"type\":\"A\",\"name\":\"www.example.com\",\"zone_name\":\"example.com\"}"`),
			want: rules.Facts{IsRecord: true, Target: "www.example.com", ZoneName: "example.com", RecordType: "A"},
		},
	},
	moves: map[string]moveCase{
		"unproxied": {logged("dns.record", "update", values(`{"type":"A","proxied":true}`, `{"type":"A","proxied":false}`)), "dns.record.update", rules.Weaker, ""},
		"proxied":   {logged("dns.record", "update", values(`{"type":"A","proxied":false}`, `{"type":"A","proxied":true}`)), "dns.record.update", rules.Safer, ""},
	},
}

func dnsCalls() callList {
	var list callList
	list.add("POST {z}/dns_records; POST {z}/dns_records/scan", "dns.record.create", low)
	list.add("POST {z}/dns_records/import", "dns.record.import", medium)
	list.add("PUT {z}/dns_records/1; PATCH {z}/dns_records/1", "dns.record.update", medium, requestBody(`{"content":"203.0.113.66"}`))
	list.add("PATCH {z}/dns_records/1", "dns.record.update", medium, requestBody(`{"type":"A","content":"203.0.113.66"}`))
	list.add("PATCH {z}/dns_records/1", "dns.record.update", low, requestBody(`{"ttl":60}`))
	list.add("DELETE {z}/dns_records/1; DELETE /client/v4{z}/dns_records/1?_=1", "dns.record.delete", medium)
	list.add("POST {z}/dns_records/batch", "dns.record.delete", medium, requestBody(`{"deletes":[{"id":"1"}]}`))
	list.add("POST {z}/dns_records/batch", "dns.record.create", low, requestBody(`{"posts":[{"type":"A"}]}`))
	list.add("GET {z}/dns_records; GET {z}/dns_records/1", "dns.record.view", drop)
	list.add("GET {z}/dns_records/export", "dns.record.export", low)
	list.add("PUT {z}/dns_settings; PATCH {a}/dns_settings", "dns_settings.update", medium)
	list.add("POST {a}/custom_ns", "custom_ns.create", medium)
	list.add("PUT {z}/custom_ns", "custom_ns.update", medium)
	list.add("POST {z}/dns_records", "dns.record.create", medium, requestBody(`{"type":"MX","name":"@","content":"mx.example.net"}`))
	list.add("POST {z}/dns_records", "dns.record.create", medium, requestBody(`{"type":"TXT","name":"_dmarc","content":"v=DMARC1; p=none"}`))
	list.add("POST {z}/dns_records/scan/trigger", "dns.scan.create", info)
	list.add("POST {z}/dns_records/scan/review", "dns.record.create", low)
	list.add("POST {a}/dns_settings/views", "dns_view.create", medium)
	list.add("DELETE {a}/dns_settings/views/1", "dns_view.delete", medium)
	list.add("DELETE {a}/custom_ns/ns1.example.com", "custom_ns.delete", medium)
	list.add("POST {a}/secondary_dns/acls", "secondary_dns.acl.create", medium)
	list.add("PUT {a}/secondary_dns/peers/1", "secondary_dns.peer.update", medium)
	list.add("PUT {a}/secondary_dns/tsigs/1", "secondary_dns.tsig.update", medium, requestBody(`{"name":"tsig.example.com","secret":"caf79a7804b04337c9c66ccd7bef9190a1e1679b5dd03d8aa10f7ad45e1a9dab"}`))
	list.add("DELETE {a}/secondary_dns/tsigs/1", "secondary_dns.tsig.delete", low)
	list.add("POST {z}/secondary_dns/incoming", "secondary_dns.incoming.create", medium)
	list.add("PUT {z}/secondary_dns/outgoing", "secondary_dns.outgoing.update", medium)
	list.add("POST {z}/secondary_dns/outgoing/enable", "secondary_dns.outgoing.enable", medium)
	list.add("POST {z}/secondary_dns/outgoing/disable", "secondary_dns.outgoing.disable", low)
	list.add("POST {z}/secondary_dns/outgoing/force_notify; POST {z}/secondary_dns/force_axfr", "secondary_dns.transfer.start", info)
	list.add("POST {a}/dns_firewall", "dns_firewall.cluster.create", medium)
	list.add("PATCH {a}/dns_firewall/1/reverse_dns", "dns_firewall.cluster.update", medium)
	return list
}

func TestDNS_EveryEntryIsUnderstoodAndGraded(t *testing.T) { dnsSuite.check(t) }
