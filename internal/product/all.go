package product

import (
	"slices"
	"sync"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/rules"
)

// families are all families. Of two that fit an entry equally well, the first
// one counts. [prepare] fills it in.
var families []*family

// prepare fills in the families and what is looked up in them. It takes
// milliseconds, so it waits for the first entry or rule: a program that only
// imports this package does not pay for it.
var prepare func()

// The functions of the families use families, so that it is not initialized where
// it is declared.
func init() { prepare = sync.OnceFunc(arrange) }

func arrange() {
	families = []*family{
		&account, &organizations, &signOn, &billing, &shares, &resourceTags, &tokens, &oauth, &members,
		&access, &agentServers, &infrastructure,
		&zones, &settings, &pageRules, &registrar, &certificates, &records, &delegation, &dnsFirewall,
		&firewall, &rulesets, &lists, &protections, &apiShield, &widgets, &customPages, &builds,
		&workers, &sites,
		&buckets, &objects, &stores, &queues,
		&pipelines, &media, &models, &measurements,
		&logs, &retention, &notifications, &auditLogs,
		&gateway, &gatewayLists, &tunnels, &devices, &devicePolicies, &experience, &riskScores, &dataLoss, &posture,
		&networks, &floods, &captures, &flows, &prefixes, &regions, &traffic, &spectrum, &waitingRooms,
		&mail, &mailSecurity,
		&intelligence, &findings, &scanner, &diagnostics,
	}
	known.fill(families)
}

// other is the family of entries that belong to no other family.
var other = family{}

// The severities and the lists of the rules, by short names.
const (
	critical = ingest.Critical
	high     = ingest.High
	medium   = ingest.Medium
	low      = ingest.Low
	info     = ingest.Info
)

type oneOf = []string

// defaultRules are the default rules in order: noise and Cloudflare's own
// actions, reads, changes to the safer side, the rules of the families, and for
// everything else rules by verb alone. The rules that count grade nothing, so their
// place is only that in lists. Entries whose form is undocumented, such as those
// about members, are matched as widely as their words allow.
func defaultRules() []rules.Rule {
	list := slices.Clone(systemRules)
	for _, f := range families {
		for _, r := range f.reads {
			list = append(list, leftToStaff(r))
		}
	}
	list = append(list, routineReads, raisedRule())
	for _, f := range families {
		for _, r := range f.rules {
			list = append(list, leftToStaff(r))
		}
	}
	list = append(list, burstRules...)
	return append(list, verbRules...)
}

// notStaff are the types of actors other than Cloudflare's own people.
var notStaff = oneOf{"user", "system", "unknown"}

// leftToStaff is r without what Cloudflare's own people do, if it would grade that
// lower than the rule about them does.
func leftToStaff(r rules.Rule) rules.Rule {
	if !r.Drop && (r.Severity == low || r.Severity == info) && r.Match.ActorType == nil {
		r.Match.ActorType = notStaff
	}
	return r
}

// ordinary is a rule for the changes of a product that can do no harm worth an alert
// of its own. Titles tell them apart by the action. What staff do and what is
// switched off is left to the rules by verb.
func ordinary(id, why string, actions ...string) rules.Rule {
	return rules.Rule{ID: id, Severity: low,
		Match: rules.Match{Action: actions, ActorType: notStaff,
			Verb: oneOf{VerbCreate, VerbUpdate, VerbDelete, VerbEnable, verbReset, VerbRoll, VerbAccept, verbDeploy}},
		Title: "{words}", Why: why}
}

// used is a rule for requests that use a product and change nothing of it.
func used(id, why string, actions ...string) rules.Rule {
	return rules.Rule{ID: id, Severity: info,
		Match: rules.Match{Action: actions, ActorType: notStaff},
		Title: "{words}", Why: why}
}

// systemRules are for noise, which makes no event, and for Cloudflare's own
// actions.
var systemRules = []rules.Rule{
	{ID: "unreadable", Severity: low,
		Match: rules.Match{Action: oneOf{"unknown"}},
		Title: "Cloudflare audit entry could not be read",
		Why:   "Nothing in the entry could be understood, so it is not graded. The entry is in raw_event."},
	{ID: "zone-settings-read", Drop: true,
		Match: rules.Match{Action: oneOf{"zone.settings.read"}, Outcome: oneOf{"success", "unknown"}},
		Title: "Zone settings read",
		Why:   "Dashboards and tools read zone settings all the time, and a read changes nothing."},
	{ID: "tls-settings-deployed-by-system", Drop: true,
		Match: rules.Match{Action: oneOf{"zone.tls_settings.deploy"}, ActorType: oneOf{"system"}, Outcome: oneOf{"success", "unknown"}},
		Title: "TLS settings deployed by Cloudflare",
		Why:   "Cloudflare rolls out TLS settings and certificates by itself."},
	{ID: "certificate-renewal", Drop: true,
		Match: rules.Match{Action: oneOf{"dns.record.*"}, ActorType: oneOf{"system"}, Outcome: oneOf{"success", "unknown"},
			Target: oneOf{"_acme-challenge", "_acme-challenge.*", "*._acme-challenge.*", "_cf-custom-hostname.*", "_dnsauth*", "_pki-validation.*", "*.dcv.cloudflare.com"}},
		Title: "Certificate validation record changed by Cloudflare",
		Why:   "Every renewal of a certificate creates and deletes a dozen of these records within seconds."},
	{ID: "dns-changed-by-system", Severity: info,
		Match: rules.Match{Action: oneOf{"dns.*"}, ActorType: oneOf{"system"}},
		Title: "DNS record changed by Cloudflare",
		Why:   "Cloudflare's own machinery keeps records in step with zones, tunnels and certificates."},
	{ID: "zone-changed-by-system", Severity: info,
		Match: rules.Match{Action: oneOf{"zone.settings.*", "zone.certificate.*", "zone.custom_hostname.*", "zone.tls_settings.*", "zone.pending"}, ActorType: oneOf{"system"}},
		Title: "Zone changed by Cloudflare",
		Why:   "Cloudflare's own machinery maintains certificates and moves zones through their states."},
	{ID: "tls-settings-deployed", Severity: info,
		Match: rules.Match{Action: oneOf{"zone.tls_settings.deploy"}},
		Title: "TLS settings deployed",
		Why:   "A change of TLS settings has reached the edge. The change itself has an entry of its own."},
}

// routineReads drops the reads that no family has a rule for, most of which are
// only in Audit Logs v2. Reads that an intruder would make have a rule. Lists
// of members are not among these: every visit to a page of the dashboard reads
// one.
var routineReads = rules.Rule{ID: "routine-read", Drop: true,
	Match: rules.Match{Action: oneOf{"*.view"}, Method: oneOf{"GET", "HEAD"},
		ActorType: notStaff, Outcome: oneOf{"success", "unknown"}},
	Title: "{words}",
	Why:   "The dashboard and tools read all the time, and a read changes nothing."}

// verbRules are for everything else, by the verb alone.
var verbRules = []rules.Rule{
	{ID: "other-by-staff", Severity: medium, Techniques: oneOf{"T1199"},
		Match: rules.Match{ActorType: oneOf{"staff"}},
		Title: "Cloudflare staff acted in the account: {words}[: {target}]",
		Why:   "Somebody at Cloudflare changed something. That should go together with a support case of yours."},
	// A question that is too long for an address goes by such a method: previews,
	// checks, exports and queries.
	{ID: "query", Severity: info,
		Match: rules.Match{Verb: oneOf{"view"}, Method: oneOf{"POST", "PUT", "PATCH"}},
		Title: "{words}",
		Why:   "The request only asks something, although its method is one of those that change."},
	{ID: "other-read", Severity: info,
		Match: rules.Match{Verb: oneOf{"view", "login", "logout"}},
		Title: "{words}",
		Why:   "Nothing was changed."},
	{ID: "other-disabled", Severity: medium, Techniques: oneOf{"T1562"},
		Match: rules.Match{Verb: oneOf{"disable"}},
		Title: "{words}[: {target}]",
		Why:   "Something was switched off; these rules do not know what it protected."},
	{ID: "other", Severity: low,
		Title: "{words}",
		Why:   "These rules have nothing to say about this action."},
}

// raisedRule is for changes of a protection to the safer side, in the families that
// say so.
func raisedRule() rules.Rule {
	r := rules.Rule{ID: "protection-raised", Severity: low,
		Match: rules.Match{Direction: oneOf{"safer"}},
		Title: "{words}",
		Why:   "A protection or a watch was raised or stays as it was; nothing was weakened."}
	for _, f := range families {
		for _, prefix := range f.prefixes {
			if f.raises {
				r.Match.Action = append(r.Match.Action, prefix+"*")
			}
		}
	}
	return r
}
