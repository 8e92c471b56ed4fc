package product

import (
	"cmp"
	"strings"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Email routing, and mail that is sent in the name of a zone.
var mail = family{
	prefixes:    oneOf{"email_routing.", "email_sending.", "dmarc_report."},
	plainValues: true,
	read:        (*review).readMail,
	subjects: []subject{
		{"email_routing_address", "email_routing_address", "email_routing.address", "", either, named},
		{"email_routing", "email_routing", "email_routing", "", either, named},
		{"email_sending", "email_sending", "email_sending.subdomain", "", either, named},
		{"dmarc_report", "dmarc_report", "dmarc_report", "", either, named},
	},
	routes: []route{
		{"PUT", "/zones/{zone}/email/routing/rules/catch_all", "email_routing.catch_all.update"},
		{"*", "/zones/{zone}/email/routing/rules", "email_routing"},
		{"*", "/accounts/{account}/email/routing/addresses", "email_routing.address"},
		{"POST", "/zones/{zone}/email/routing/enable", "email_routing.enable"},
		{"POST", "/zones/{zone}/email/routing/disable", "email_routing.disable"},
		{"PUT PATCH", "/zones/{zone}/email/routing", "email_routing.settings.update"},
		{"POST PATCH", "/zones/{zone}/email/routing/dns", "email_routing.dns.update"},
		{"DELETE", "/zones/{zone}/email/routing/dns", "email_routing.dns.delete"},
		{"POST", "/zones/{zone}/email/routing/unlock", "email_routing.dns.update"},
		{"*", "/zones/{zone}/email/sending/subdomains", "email_sending.subdomain"},
		{"PATCH", "/zones/{zone}/email/auth/dmarc-reports", "dmarc_report.update"},
	},
	names: oneOf{"email_routing.forward.create", "email_routing.forward.update", "email_routing.catch_all.forward"},
	joints: []joint{
		{actions: oneOf{"email_routing.create", "email_routing.update", "email_routing.forward.*", "email_routing.catch_all.*"}, class: "email_routing.update", by: byZone},
	},
	rules: []rules.Rule{
		{ID: "email-catch-all-forwards", Severity: high, Techniques: oneOf{"T1114.003"},
			Match: rules.Match{Action: oneOf{"email_routing.catch_all.forward"}},
			Title: "All other mail of zone forwarded[ to {target}][ for {zone}]",
			Why:   "Whoever reads there gets all mail without a rule of its own: with the links in it he resets passwords, and proves that the domain is his."},
		{ID: "email-forwarded", Severity: high, Techniques: oneOf{"T1114.003"},
			Match: rules.Match{Action: oneOf{"email_routing.forward.*"}, Production: new(true)},
			Title: "Mail forwarded[: {target}][ for {zone}]",
			Why:   "Whoever reads there gets the mail of an address of a zone in production, and with it the links that reset passwords. A rule that nobody ordered is a mailbox taken over."},
		{ID: "email-forwarded-elsewhere", Severity: medium, Techniques: oneOf{"T1114.003"},
			Match: rules.Match{Action: oneOf{"email_routing.forward.*"}},
			Title: "Mail forwarded outside production[: {target}][ for {zone}]",
			Why:   "Whoever reads there gets the mail of an address. The zone is not in production."},
		{ID: "email-destination-added", Severity: medium, Techniques: oneOf{"T1114.003"},
			Match: rules.Match{Action: oneOf{"email_routing.address.*"}, Verb: oneOf{"create", "update"}},
			Title: "Destination for mail added[: {target}]",
			Why:   "By itself it gets no mail: its owner has to confirm it, and a rule has to use it. So it is no more than medium, and the rule is high."},
		{ID: "email-destination-removed", Severity: low,
			Match: rules.Match{Action: oneOf{"email_routing.address.*"}, Verb: oneOf{"delete"}},
			Title: "Destination for mail removed",
			Why:   "Nobody gets mail there any more. Rules that used it stay, and lead nowhere."},
		{ID: "email-routing-changed", Severity: medium, Techniques: oneOf{"T1114.003"},
			Match: rules.Match{Action: oneOf{"email_routing.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset"}},
			Title: "Email routing changed[: {target}]",
			Why:   "Mail may go to somebody else, or to nobody, passwords to be reset included."},
		{ID: "email-sender-added", Severity: medium, Techniques: oneOf{"T1672", "T1584.002"},
			Match: rules.Match{Action: oneOf{"email_sending.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "Zone may send mail[: {target}]",
			Why:   "Mail sent by the account passes for that of the zone everywhere."},
		{ID: "email-sender-removed", Severity: low,
			Match: rules.Match{Action: oneOf{"email_sending.*"}, Verb: oneOf{"delete", "disable"}},
			Title: "Zone may no longer send mail",
			Why:   "Mail of the applications that used it no longer arrives."},
		{ID: "dmarc-reports-off", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"dmarc_report.*"}, Direction: oneOf{"weaker"}},
			Title: "Reports about forged mail switched off[: {target}]",
			Why:   "Nobody sees any more who sends mail in the name of the zone. It is one kind of report, so no more than medium."},
		{ID: "dmarc-reports-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"dmarc_report.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "Reports about forged mail changed",
			Why:   "They show who sends mail in the name of the zone."},
	},
}

// readMail determines whose mail goes where.
func (r *review) readMail() {
	r.readOther()
	if strings.HasPrefix(r.name, "dmarc_report.") {
		r.Direction = directionIn(offOn, r.before.get("enabled"), r.after.get("enabled"))
		return
	}
	if r.verb != VerbCreate && r.verb != VerbUpdate || strings.HasPrefix(r.name, "email_routing.address.") {
		return
	}
	destination := ""
	for action := range r.after.get("actions").All() {
		if kind := action.Get("type").Text(); kind == "forward" || kind == "worker" {
			destination = cmp.Or(firstOf(action.Get("value")).Text(), "a Worker")
			break
		}
	}
	if destination == "" || r.after.text("enabled") == "false" {
		return
	}
	switch r.name {
	case "email_routing.catch_all.update":
		r.rename("email_routing.catch_all.forward")
		r.Target = destination
	case "email_routing.create", "email_routing.update":
		isCatchAll, address := false, ""
		for matcher := range r.after.get("matchers").All() {
			isCatchAll = isCatchAll || matcher.Get("type").Text() == "all"
			address = cmp.Or(address, matcher.Get("value").Text())
		}
		if isCatchAll {
			r.rename("email_routing.catch_all.forward")
			r.Target = destination
			return
		}
		r.rename("email_routing.forward." + r.verb)
		r.Target = strings.TrimPrefix(address+" to "+destination, " to ")
	}
}
