package product

import (
	"cmp"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Zones.
var zones = family{
	prefixes:    oneOf{"zone."},
	plainValues: true,
	read:        (*review).readZone,
	pairs: []pair{
		// The account is the resource when a zone is added to it.
		{"account", "add", "zone.create"},
		{"account", "pending", "zone.pending"},
		{"zone", "delete", "zone.delete"},
		{"zone", "purge", "zone.cache.purge"},
		{"purge_cache", "create", "zone.cache.purge"}, // derived, not published
		{"zone", "tls_settings_deployed", "zone.tls_settings.deploy"},
	},
	subjects: []subject{
		{"zone_hold ^hold$", "zone_hold", "zone.hold", "delete=zone.hold.remove disable=zone.hold.remove enable=zone.hold.create", either, common},
		{"zone_environment zone_versioning", "zone_environment zone_versioning", "zone.environment", "", either, named},
		{"dnssec", "dnssec", "zone.dnssec", "create=zone.dnssec.enable delete=zone.dnssec.disable", either, common},
		{"^zone$ ^zones$", "", "zone", "disable=zone.pause enable=zone.unpause", bare, leftover},
	},
	routes: []route{
		{"POST", "/zones", "zone.create"},
		{"PATCH", "/zones/{zone}", "zone.update"},
		{"DELETE", "/zones/{zone}", "zone.delete"},
		{"GET", "/zones", "zone.view"},
		{"GET", "/zones/{zone}", "zone.view"},
		{"PUT", "/zones/{zone}/activation_check", "zone.activation.check"},
		{"POST", "/zones/{zone}/purge_cache", "zone.cache.purge"},
		{"POST", "/zones/{zone}/cache/cache_reserve_clear", "zone.cache.purge"},
		{"POST", "/zones/{zone}/environments/{id}/purge_cache", "zone.cache.purge"},
		{"POST", "/zones/{zone}/environments", "zone.environment.create"},
		{"PUT PATCH", "/zones/{zone}/environments", "zone.environment.update"},
		{"DELETE", "/zones/{zone}/environments/{id}", "zone.environment.delete"},
		{"POST", "/zones/{zone}/environments/{id}/rollback", "zone.environment.reset"},
		{"PUT", "/zones/{zone}/settings/google-tag-gateway/config", "zone.tag_gateway.update"},
		{"PUT PATCH", "/zones/{zone}/dnssec", "zone.dnssec.update"},
		{"DELETE", "/zones/{zone}/dnssec", "zone.dnssec.disable"},
		{"GET", "/zones/{zone}/dnssec", "zone.dnssec.view"},
		{"POST", "/zones/{zone}/hold", "zone.hold.create"},
		{"PATCH", "/zones/{zone}/hold", "zone.hold.update"},
		{"DELETE", "/zones/{zone}/hold", "zone.hold.remove"},
		{"GET", "/zones/{zone}/hold", "zone.hold.view"},
		{"POST PUT", "/accounts/{account}/registrar/domains/{id}/transfer_out", "zone.transfer_out"}, // derived, not published
	},
	names: oneOf{"zone.transfer_out"},
	joints: []joint{
		{actions: oneOf{"zone.create", "zone.delete", "zone.update", "zone.pause", "zone.unpause", "zone.cache.*", "zone.dnssec.*", "zone.hold.*"}, by: byZone},
	},
	rules: []rules.Rule{
		{ID: "zone-transferred-out", Severity: high, Techniques: oneOf{"T1584.001"},
			Match: rules.Match{Action: oneOf{"zone.transfer_out"}},
			Title: "Zone transferred out[: {target}]",
			Why:   "Who holds the zone decides where its traffic and mail go."},
		{ID: "zone-deleted", Severity: high, Techniques: oneOf{"T1485"},
			Match: rules.Match{Action: oneOf{"zone.delete"}},
			Title: "Zone deleted[: {target}]",
			Why:   "All its records and settings go with it, and anybody may add the zone to an account of theirs."},
		{ID: "zone-paused-production", Severity: high, Techniques: oneOf{"T1562.007", "T1590.002"},
			Match: rules.Match{Action: oneOf{"zone.pause"}, Production: new(true)},
			Title: "Cloudflare paused for zone[: {target}]",
			Why:   "One switch takes every protection from a zone in production: traffic goes straight to the origin, whose address is public from then on."},
		{ID: "zone-paused", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.pause"}},
			Title: "Cloudflare paused for zone outside production[: {target}]",
			Why:   "Traffic goes past the firewall straight to the origin. The zone is not in production."},
		{ID: "zone-hold-removed", Severity: medium, Techniques: oneOf{"T1584.001"},
			Match: rules.Match{Action: oneOf{"zone.hold.remove"}},
			Title: "Zone hold removed[: {target}]",
			Why:   "Another account can add the zone from now on. That moves its traffic only once the name servers at the registrar change too, so it is no more than medium."},
		{ID: "zone-hold-set", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.hold.create", "zone.hold.update"}},
			Title: "Zone hold set",
			Why:   "No other account can add the zone."},
		{ID: "dnssec-disabled", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"zone.dnssec.disable"}},
			Title: "DNSSEC disabled[: {target}]",
			Why:   "Answers for the zone can be forged, and the zone fails while its parent still has the key."},
		{ID: "dnssec-changed", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"zone.dnssec.update", "zone.dnssec.reset"}},
			Title: "DNSSEC changed[: {target}]",
			Why:   "It may have been disabled; the entry does not tell."},
		{ID: "name-servers-changed", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"zone.update"}, ActorType: oneOf{"user", "staff", "unknown"}, Changed: []rules.Change{{Field: "vanity_name_servers"}, {Field: "name_servers"}, {Field: "type"}}},
			Title: "Name servers or type of zone changed[: {target}]",
			Why:   "Other servers may answer for the zone."},
		{ID: "zone-version-changed", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.environment.*"}, Verb: oneOf{"update", "reset", "delete"}},
			Title: "Version of zone changed or rolled back[: {target}]",
			Why:   "All settings and rules of a zone are replaced by those of another version, which may protect less."},
		{ID: "tag-gateway-changed", Severity: medium, Techniques: oneOf{"T1659"},
			Match: rules.Match{Action: oneOf{"zone.tag_gateway.update"}},
			Title: "Tag in the pages of zone changed[: {target}]",
			Why:   "Whoever owns the tag decides which scripts run in every page."},
		{ID: "zone-environment-created", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.environment.create"}},
			Title: "Environment of zone created",
			Why:   "It has a version of the zone's settings of its own, for the requests that its expression names."},
		{ID: "zone-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.update", "zone.unpause"}},
			Title: "Zone changed",
			Why:   "Its plan, its tags or its state changed, or Cloudflare is no longer paused for it."},
		{ID: "zone-activation-checked", Severity: info,
			Match: rules.Match{Action: oneOf{"zone.activation.check"}},
			Title: "Activation of zone checked",
			Why:   "Cloudflare looks at the name servers of the zone once more."},
		{ID: "zone-created", Severity: low, Techniques: oneOf{"T1583.001"},
			Match: rules.Match{Action: oneOf{"zone.create"}},
			Title: "Zone added",
			Why:   "A zone that nobody ordered may serve an attacker under your account."},
		{ID: "zone-pending", Severity: info,
			Match: rules.Match{Action: oneOf{"zone.pending"}},
			Title: "Zone awaits activation",
			Why:   "Its name servers do not point to Cloudflare yet."},
		{ID: "cache-purged", Severity: low, Techniques: oneOf{"T1499"},
			Match: rules.Match{Action: oneOf{"zone.cache.purge"}},
			Title: "Cache purged",
			Why:   "Routine after a deployment. Over and over it puts all load on the origin."},
	},
}

// readZone reads the entries of zones.
func (r *review) readZone() {
	switch r.name {
	case "zone.create", "account.add":
		// The pair (account, add) is about a zone, unless it names none.
		if r.ZoneName == "" && r.ZoneID == "" && strings.EqualFold(r.e.ResourceType, "account") {
			r.rename("account.add")
			if r.meta.has("user_email") {
				r.rename("member.add")
			}
			r.readAccount()
			return
		}
	}
	r.readState()
	switch r.name {
	case "zone.dnssec.disable", "zone.hold.remove", "zone.pause":
		r.Direction = rules.Weaker
	case "zone.dnssec.enable", "zone.hold.create", "zone.unpause":
		r.Direction = rules.Safer
	}
	r.nameZone()
}

// readState names an update by the resulting state.
func (r *review) readState() {
	isCall := r.e.Call != nil
	switch r.name {
	case "zone.dnssec.update":
		switch strings.ToLower(r.text("status")) {
		case "disabled", "pending-disabled":
			r.rename("zone.dnssec.disable")
		case "active", "pending":
			r.rename("zone.dnssec.enable")
		}
	case "zone.hold.update":
		// There is no hold until the time hold_after.
		if r.after.text("hold") == "false" || r.after.text("hold_after") != "" && r.after.text("hold_after") != r.before.text("hold_after") {
			r.rename("zone.hold.remove")
		}
	case "zone.update":
		switch was, is := r.before.text("paused"), r.after.text("paused"); {
		case is == "true" && was != "true":
			r.rename("zone.pause")
		case is == "false" && (was == "true" || was == "" && isCall):
			r.rename("zone.unpause")
		}
	}
}

func (r *review) nameZone() {
	r.Target = cmp.Or(r.ZoneName, r.text("name"))
	if r.ZoneName == "" && strings.EqualFold(r.e.ResourceType, "zone") {
		r.ZoneName = text.ZoneName(r.text("name"))
	}
}
