package product

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// DNS records.
var records = family{
	prefixes:    oneOf{"dns."},
	plainValues: true,
	read:        (*review).readRecord,
	pairs: []pair{
		// There are two generations of names for records.
		{"DNS_record", "rec_add", "dns.record.create"},
		{"DNS_record", "rec_set", "dns.record.update"},
		{"DNS_record", "rec_del", "dns.record.delete"},
		{"dns.record", "create", "dns.record.create"},
		{"dns.record", "update", "dns.record.update"},
		{"dns.record", "delete", "dns.record.delete"},
	},
	subjects: []subject{
		{"dns_record dnsrecord", "dns_record", "dns.record", "", either, common},
	},
	routes: []route{
		// The body of a batch has its changes.
		{"POST", "/zones/{zone}/dns_records/batch", "dns.record.create"},
		{"POST", "/zones/{zone}/dns_records/import", "dns.record.create"},
		{"POST", "/zones/{zone}/dns_records/scan", "dns.record.create"},
		{"GET", "/zones/{zone}/dns_records/export", "dns.record.export"},
		{"*", "/zones/{zone}/dns_records", "dns.record"},
	},
	joints: []joint{
		{actions: oneOf{"dns.record.delete"}, by: byResource},
	},
	reads: []rules.Rule{
		{ID: "dns-records-exported", Severity: low, Techniques: oneOf{"T1590.002"},
			Match: rules.Match{Action: oneOf{"dns.record.export"}},
			Title: "DNS records exported",
			Why:   "The export has every name and address of the zone, those of proxied origins too."},
	},
	rules: []rules.Rule{
		{ID: "dns-record-deleted-production", Severity: medium, Techniques: oneOf{"T1485", "T1565.002"},
			Match: rules.Match{Action: oneOf{"dns.record.delete"}, Production: new(true), RecordType: addressRecords},
			Title: "DNS[ {record_type}] record deleted[: {target}]",
			Why:   "Mail or visitors no longer find their way to a zone in production."},
		{ID: "dns-record-deleted", Severity: low, Techniques: oneOf{"T1485"},
			Match: rules.Match{Action: oneOf{"dns.record.delete"}},
			Title: "DNS record deleted",
			Why:   "The record leads no traffic, or its zone is not in production."},
		{ID: "dns-record-unproxied", Severity: medium, Techniques: oneOf{"T1562.007", "T1590.002"},
			Match: rules.Match{Action: oneOf{"dns.record.update"}, Production: new(true), Direction: oneOf{"weaker"}},
			Title: "DNS record no longer proxied[: {target}]",
			Why:   "The record gives away the origin's address, and traffic goes past the firewall."},
		{ID: "dns-record-redirected", Severity: medium, Techniques: oneOf{"T1584.002", "T1557"},
			Match: rules.Match{Action: oneOf{"dns.record.update"}, Production: new(true), RecordType: addressRecords,
				Changed: []rules.Change{{Field: "content"}, {Field: "type"}, {Field: "name"}, {Field: "data*"}}},
			Title: "DNS[ {record_type}] record redirected[: {target}]",
			Why:   "Mail or visitors of a zone in production go somewhere else. The old value counts as deleted."},
		{ID: "dns-record-changed", Severity: low, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"dns.record.update"}},
			Title: "DNS record changed",
			Why:   "The record leads where it did, or its zone is not in production."},
		{ID: "dns-record-created", Severity: low, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"dns.record.create"}},
			Title: "DNS record created",
			Why:   "Everyday work. A new name may also serve phishing under your domain."},
	},
}

// Name servers and zone transfers.
var delegation = family{
	prefixes: oneOf{"dns_settings.", "custom_ns.", "secondary_dns."},
	subjects: []subject{
		{"secondary_dns ^tsig", "secondary_dns", "secondary_dns", "", either, named},
	},
	routes: []route{
		{"PUT PATCH", "{scope}/dns_settings", "dns_settings.update"},
		{"*", "/accounts/{account}/custom_ns", "custom_ns"},
		{"PUT", "/zones/{zone}/custom_ns", "custom_ns.update"},
	},
	rules: []rules.Rule{
		{ID: "dns-delegation-changed", Severity: medium, Techniques: oneOf{"T1584.002", "T1590.002"},
			Match: rules.Match{Action: oneOf{"dns_settings.update", "custom_ns.*", "secondary_dns.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "Name servers or zone transfers changed: {words}[: {target}]",
			Why:   "Another server may answer for the zone, give it its records or copy them all."},
	},
}

// addressRecords are the types of DNS records that direct traffic or mail. A
// record of unknown type counts as one of them.
var addressRecords = oneOf{"MX", "A", "AAAA", "CNAME", "NS", "unknown"}

// readRecord determines which record an entry is about.
func (r *review) readRecord() {
	r.IsRecord = true
	others := 0
	if !r.after.has("type") {
		others = r.readBatch()
	}
	r.RecordType = strings.ToUpper(r.text("type", "record_type"))
	// A record that changes its type is lost in its old role.
	if lost := strings.ToUpper(r.before.text("type")); slices.Contains(addressRecords, lost) {
		r.RecordType = lost
	}
	r.Target = strings.TrimSuffix(r.text("name", "record_name"), ".")
	if r.e.Call != nil {
		r.Target = qualified(r.Target, r.ZoneName)
	}
	if others > 0 && r.Target != "" {
		r.shared = r.Target
		r.Target += " and " + strconv.Itoa(others) + " more"
	}
	was, is := r.before.text("proxied"), r.after.text("proxied")
	switch {
	case was == "true" && is == "false":
		r.Direction = rules.Weaker
	case was == "false" && is == "true":
		r.Direction = rules.Safer
	}
}

// qualified is the fully qualified name of a record. Requests may give it
// relative to the zone, and "@" for the zone itself.
func qualified(name, zone string) string {
	switch lower := strings.ToLower(name); {
	case name == "" || zone == "" || lower == zone || strings.HasSuffix(lower, "."+zone):
		return name
	case name == "@":
		return zone
	}
	return name + "." + zone
}

// batches are the members of a batch of DNS records, the most severe change
// first.
var batches = []struct{ key, action string }{
	{"deletes", "dns.record.delete"},
	{"puts", "dns.record.update"},
	{"patches", "dns.record.update"},
	{"posts", "dns.record.create"},
}

// readBatch reports a batch as its most severe change: the first one of a
// record that directed traffic or mail, or else the first. It returns how many
// more records the batch changes in the same way.
func (r *review) readBatch() (others int) {
	var gravest jsondoc.Value
	led := false
	for i := 0; i < len(batches) && !led; i++ {
		r.is = appendElements(r.is[:0], r.after.get(batches[i].key))
		for j := 0; j < len(r.is) && !led; j++ {
			recordType := strings.ToUpper(r.is[j].Get("type").Text())
			led = batches[i].key != "posts" && slices.Contains(addressRecords, cmp.Or(recordType, "unknown"))
			if led || !gravest.Exists() {
				gravest, others = r.is[j], len(r.is)-1
				r.rename(batches[i].action)
			}
		}
	}
	switch {
	case !gravest.Exists():
		return others
	case r.verb == VerbDelete:
		r.before, r.after = r.before.read(gravest), r.after[:0]
	default:
		r.after = r.after.read(gravest)
	}
	r.recordID = gravest.Get("id").Text()
	return others
}
