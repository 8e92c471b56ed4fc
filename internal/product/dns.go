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
		{"POST", "/zones/{zone}/dns_records/import", "dns.record.import"},
		{"POST", "/zones/{zone}/dns_records/scan", "dns.record.create"},
		{"POST", "/zones/{zone}/dns_records/scan/trigger", "dns.scan.create"},
		{"POST", "/zones/{zone}/dns_records/scan/review", "dns.record.create"},
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
		{ID: "mail-authentication-changed", Severity: medium, Techniques: oneOf{"T1584.002", "T1672"},
			Match: rules.Match{Action: oneOf{"dns.record.create", "dns.record.update", "dns.record.delete"}, Production: new(true), Changed: mailAuthentication},
			Title: "SPF, DKIM or DMARC record changed: {words}[: {target}]",
			Why:   "It says who may send mail in the name of a zone in production. With another one, forged mail passes, or real mail does not."},
		{ID: "mail-authentication-name-changed", Severity: medium, Techniques: oneOf{"T1584.002", "T1672"},
			Match: rules.Match{Action: oneOf{"dns.record.create", "dns.record.update", "dns.record.delete"}, Production: new(true), Target: mailAuthenticationNames,
				Changed: []rules.Change{{Field: "content"}, {Field: "type"}, {Field: "name"}, {Field: "data*"}}},
			Title: "DKIM or DMARC record changed: {words}[: {target}]",
			Why:   "Receivers look there for who may send mail in the name of a zone in production."},
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
			Why:   "Mail or visitors of a zone in production go somewhere else. The old value counts as deleted. Whoever runs the zone does this now and then, so it is no more than medium."},
		{ID: "dns-record-proxied", Severity: low,
			Match: rules.Match{Action: oneOf{"dns.record.update"}, Direction: oneOf{"safer"}},
			Title: "DNS record proxied",
			Why:   "The record hides the origin's address, and traffic goes through the firewall."},
		{ID: "dns-record-changed", Severity: low, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"dns.record.update"}},
			Title: "DNS record changed",
			Why:   "The record leads where it did, or its zone is not in production."},
		{ID: "mail-or-delegation-created", Severity: medium, Techniques: oneOf{"T1584.002", "T1557"},
			Match: rules.Match{Action: oneOf{"dns.record.create"}, Production: new(true), RecordType: oneOf{"MX", "NS"}},
			Title: "DNS[ {record_type}] record created[: {target}]",
			Why:   "Beside the servers there are, or before them, another one gets the mail of a zone in production or answers for a part of it, as if they had been changed. Moving mail elsewhere takes this too, so it is no more than medium."},
		{ID: "dns-records-imported", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"dns.record.import"}},
			Title: "DNS records imported[: {target}]",
			Why:   "The file may have records that lead mail or visitors elsewhere; the entry does not show them."},
		{ID: "dns-scanned", Severity: info,
			Match: rules.Match{Action: oneOf{"dns.scan.*"}, Verb: oneOf{"create"}},
			Title: "DNS records of zone looked for",
			Why:   "Cloudflare looks for the records that the zone has elsewhere. Somebody has to accept what it finds."},
		{ID: "dns-record-created", Severity: low, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"dns.record.create"}},
			Title: "DNS record created",
			Why:   "Everyday work. A new name may also serve phishing under your domain."},
	},
}

// Name servers and zone transfers.
var delegation = family{
	prefixes: oneOf{"dns_settings.", "dns_view.", "custom_ns.", "secondary_dns."},
	switches: true,
	subjects: []subject{
		{"secondary_dns_incoming zone_transfer_incoming", "secondary_dns_incoming zone_transfer_incoming", "secondary_dns.incoming", "", either, named},
		{"secondary_dns_outgoing zone_transfer_outgoing", "secondary_dns_outgoing zone_transfer_outgoing", "secondary_dns.outgoing", "", either, named},
		{"secondary_dns_acl", "secondary_dns_acl", "secondary_dns.acl", "", either, named},
		{"secondary_dns_peer", "secondary_dns_peer", "secondary_dns.peer", "", either, named},
		{"secondary_dns_tsig ^tsig", "secondary_dns_tsig", "secondary_dns.tsig", "", either, named},
		{"secondary_dns", "secondary_dns", "secondary_dns", "", either, named},
		{"custom_ns$ custom_nameserver", "custom_nameserver", "custom_ns", "", either, named},
	},
	routes: []route{
		{"PUT PATCH", "{scope}/dns_settings", "dns_settings.update"},
		{"*", "/accounts/{account}/dns_settings/views", "dns_view"},
		{"*", "/accounts/{account}/custom_ns", "custom_ns"},
		{"PUT", "/zones/{zone}/custom_ns", "custom_ns.update"},
		{"*", "/accounts/{account}/secondary_dns/acls", "secondary_dns.acl"},
		{"*", "/accounts/{account}/secondary_dns/peers", "secondary_dns.peer"},
		{"*", "/accounts/{account}/secondary_dns/tsigs", "secondary_dns.tsig"},
		{"*", "/zones/{zone}/secondary_dns/incoming", "secondary_dns.incoming"},
		{"*", "/zones/{zone}/secondary_dns/outgoing", "secondary_dns.outgoing"},
		{"POST", "/zones/{zone}/secondary_dns/outgoing/enable", "secondary_dns.outgoing.enable"},
		{"POST", "/zones/{zone}/secondary_dns/outgoing/disable", "secondary_dns.outgoing.disable"},
		{"POST", "/zones/{zone}/secondary_dns/outgoing/force_notify", "secondary_dns.transfer.start"},
		{"POST", "/zones/{zone}/secondary_dns/force_axfr", "secondary_dns.transfer.start"},
	},
	rules: []rules.Rule{
		{ID: "dns-zone-transferable", Severity: medium, Techniques: oneOf{"T1590.002"},
			Match: rules.Match{Action: oneOf{"secondary_dns.outgoing.*", "secondary_dns.acl.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "Zone may be copied by other name servers: {words}[: {target}]",
			Why:   "Who is allowed to copy the zone learns all its names and addresses, and may answer for it."},
		{ID: "dns-zone-source-changed", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"secondary_dns.incoming.*", "secondary_dns.peer.*", "secondary_dns.tsig.*", "secondary_dns.create", "secondary_dns.update", "secondary_dns.enable"},
				Verb: oneOf{"create", "update", "enable"}},
			Title: "Source of zone, or key for its transfer, changed: {words}[: {target}]",
			Why:   "The zone takes its records from that server. Another one, or another key, decides where its traffic and mail go."},
		{ID: "dns-zone-transfer-ended", Severity: low,
			Match: rules.Match{Action: oneOf{"secondary_dns.*"}, Verb: oneOf{"delete", "disable"}},
			Title: "Transfer of zone ended",
			Why:   "Copies of the zone no longer follow it, or it no longer follows its source. Its records stay as they are."},
		{ID: "dns-zone-transfer-started", Severity: info,
			Match: rules.Match{Action: oneOf{"secondary_dns.transfer.start"}},
			Title: "Transfer of zone started",
			Why:   "The zone is transferred at once, between servers that were set up for it before."},
		{ID: "dns-delegation-changed", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"dns_settings.update", "custom_ns.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "Name servers of zone changed: {words}[: {target}]",
			Why:   "Other servers may answer for the zone, or the same ones under names that nobody has set up."},
		{ID: "dns-delegation-removed", Severity: medium, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"custom_ns.delete", "dns_view.delete"}},
			Title: "Name server or view removed: {words}[: {target}]",
			Why:   "Names for which resolvers ask it no longer have an answer."},
		{ID: "dns-view-changed", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"dns_view.*"}, Verb: oneOf{"create", "update"}},
			Title: "View of internal DNS changed: {words}[: {target}]",
			Why:   "It decides which zone answers for internal names, and with it where internal traffic goes."},
	},
}

// DNS Firewall, which stands in front of the name servers of others.
var dnsFirewall = family{
	prefixes:    oneOf{"dns_firewall."},
	plainValues: true,
	subjects: []subject{
		{"dns_firewall", "dns_firewall", "dns_firewall.cluster", "", either, exact},
	},
	routes: []route{
		{"*", "/accounts/{account}/dns_firewall", "dns_firewall.cluster"},
		{"PATCH", "/accounts/{account}/dns_firewall/{id}/reverse_dns", "dns_firewall.cluster.update"},
	},
	rules: []rules.Rule{
		{ID: "dns-firewall-removed", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"dns_firewall.cluster.delete"}},
			Title: "DNS Firewall removed[: {target}]",
			Why:   "The name servers behind it are no longer protected, or no longer reached."},
		{ID: "dns-firewall-changed", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"dns_firewall.cluster.*"}, Verb: oneOf{"create", "update"}},
			Title: "DNS Firewall changed: {words}[: {target}]",
			Why:   "Its upstream servers answer for the zones behind it, and its limits keep floods from them."},
	},
}

// mailAuthentication are the contents of SPF, DKIM and DMARC records. The entry may
// have the quotes that stand around the content of a TXT record.
var mailAuthentication = []rules.Change{
	{Field: "content", New: "*v=spf1*"}, {Field: "content", Old: "*v=spf1*"},
	{Field: "content", New: "*v=DKIM1*"}, {Field: "content", Old: "*v=DKIM1*"},
	{Field: "content", New: "*v=DMARC1*"}, {Field: "content", Old: "*v=DMARC1*"},
}

// mailAuthenticationNames are the names of DKIM and DMARC records, which may be
// aliases of those of a provider.
var mailAuthenticationNames = oneOf{"_dmarc.*", "*._dmarc.*", "*._domainkey.*", "_domainkey.*"}

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
	r.zoneIsTarget = r.name == "dns.record.import"
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
// record that directed traffic or mail, or else of one that says or decides who
// handles mail, or else the first. It returns how many more records the batch
// changes in the same way.
func (r *review) readBatch() (others int) {
	var gravest jsondoc.Value
	worst := -1
	for _, batch := range batches {
		r.is = appendElements(r.is[:0], r.after.get(batch.key))
		for _, record := range r.is {
			if g := gravityOf(record, batch.key == "posts"); g > worst {
				worst, gravest, others = g, record, len(r.is)-1
				r.rename(batch.action)
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

// gravityOf is how much the change of a record matters among those of a batch.
func gravityOf(record jsondoc.Value, isNew bool) int {
	kind := cmp.Or(strings.ToUpper(record.Get("type").Text()), "unknown")
	switch {
	case !isNew && slices.Contains(addressRecords, kind):
		return 2
	case kind == "MX", kind == "NS", isMailAuthentication(record):
		return 1
	}
	return 0
}

// isMailAuthentication reports whether a record is one of SPF, DKIM or DMARC.
func isMailAuthentication(record jsondoc.Value) bool {
	content, name := strings.ToLower(record.Get("content").Text()), strings.ToLower(record.Get("name").Text())
	return strings.Contains(content, "v=spf1") || strings.Contains(name+".", "_domainkey.") || strings.HasPrefix(name+".", "_dmarc.")
}
