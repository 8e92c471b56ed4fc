package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Gateway: policies for the traffic of users and devices.
var gateway = family{
	prefixes: oneOf{"gateway."},
	read:     (*review).readGateway,
	pairs: []pair{
		{"gateway.rule", "gateway_create", "gateway.rule.create"},
		{"gateway.rule", "gateway_update", "gateway.rule.update"}, // derived, not published
		{"gateway.rule", "gateway_delete", "gateway.rule.delete"}, // derived, not published
		{"gateway.location", "gateway_create_location", "gateway.location.create"},
		{"gateway.config", "gateway_update", "gateway.config.update"},
	},
	subjects: []subject{
		{"^gateway_logging", "", "gateway.logging", "", either, within},
		{"^gateway_audit_ssh ^gateway_ssh", "", "gateway.ssh_audit", "", either, within},
		{"^gateway_proxy", "", "gateway.proxy_endpoint", "", either, within},
		{"^gateway_pac", "", "gateway.pac_file", "", either, within},
		{"^gateway_certificate", "", "gateway.certificate", "", either, within},
		{"^gateway_location", "", "gateway.location", "", either, within},
		{"^gateway_config ^gateway_setting", "", "gateway.config", "", either, within},
		{"^gateway_rule ^gateway_polic teams_rule", "", "gateway.rule", "", either, within},
	},
	routes: []route{
		{"POST", "/accounts/{account}/gateway/rules/{id}/reset_expiration", "gateway.rule.expiration.reset"},
		{"*", "/accounts/{account}/gateway/rules", "gateway.rule"},
		{"*", "/accounts/{account}/gateway/locations", "gateway.location"},
		{"PUT PATCH", "/accounts/{account}/gateway/configuration", "gateway.config.update"},
		{"PUT", "/accounts/{account}/gateway/logging", "gateway.logging.update"},
		{"PUT", "/accounts/{account}/gateway/audit_ssh_settings", "gateway.ssh_audit.update"},
		{"POST", "/accounts/{account}/gateway/audit_ssh_settings/rotate_seed", "gateway.ssh_audit.seed.roll"},
		{"*", "/accounts/{account}/gateway/proxy_endpoints", "gateway.proxy_endpoint"},
		{"*", "/accounts/{account}/gateway/pacfiles", "gateway.pac_file"},
		{"POST", "/accounts/{account}/gateway/certificates/{id}/activate", "gateway.certificate.activate"},
		{"POST", "/accounts/{account}/gateway/certificates/{id}/deactivate", "gateway.certificate.deactivate"},
		{"*", "/accounts/{account}/gateway/certificates", "gateway.certificate"},
		{"POST", "/accounts/{account}/gateway", "gateway.account.create"},
	},
	names: oneOf{"gateway.activity_log.disable", "gateway.activity_log.enable"},
	joints: []joint{
		// Audit Logs v2 does not have the old rule.
		{actions: oneOf{"gateway.rule.update", "gateway.rule.enable"}, class: "gateway.rule.update", by: byResource},
		{actions: oneOf{"gateway.config.*", "gateway.activity_log.*"}, class: "gateway.config.update", by: byActor},
	},
	raises: true,
	rules: []rules.Rule{
		{ID: "gateway-logging-reduced", Severity: high, Techniques: oneOf{"T1562.008"},
			Match: rules.Match{Action: oneOf{"gateway.logging.*", "gateway.activity_log.*", "gateway.ssh_audit.*"}, Direction: oneOf{"weaker"}},
			Title: "Gateway logs less or nothing: {words}[ ({setting})]",
			Why:   "What users and devices do next, or the commands of SSH sessions, are in no log of yours."},
		{ID: "gateway-weakened", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"gateway.*"}, Direction: oneOf{"weaker"}},
			Title: "Protection by Gateway weakened: {words}[: {target}][ ({setting})]",
			Why:   "Traffic that Gateway blocked or inspected passes."},
		{ID: "gateway-changed", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"gateway.rule.*", "gateway.config.*", "gateway.logging.*", "gateway.ssh_audit.*", "gateway.proxy_endpoint.*", "gateway.pac_file.*", "gateway.certificate.*"},
				Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset", "roll"}},
			Title: "{words}[: {target}]",
			Why:   "Gateway decides what users and devices may reach, which way they take, and what is logged of it."},
		{ID: "gateway-selection-changed", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"gateway.list.*", "gateway.location.*"}, Verb: oneOf{"update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "Rules act on what a list contains and for whom a location names; changing these lifts a rule without touching it."},
	},
}

// Lists that Gateway rules use.
var gatewayLists = family{
	prefixes:    oneOf{"gateway.list."},
	plainValues: true,
	read:        (*review).readGateway,
	subjects: []subject{
		{"^gateway_list", "", "gateway.list", "", either, within},
	},
	routes: []route{
		{"*", "/accounts/{account}/gateway/lists", "gateway.list"},
	},
	rules: []rules.Rule{
		ordinary("gateway-extended", "A list or a location has no effect until a rule or a resolver uses it.",
			"gateway.list.create", "gateway.location.create", "gateway.account.create"),
	},
}

// readGateway determines which way a change of Gateway moves what it protects and
// logs.
func (r *review) readGateway() {
	r.Target = r.text("name", "description")
	switch {
	case strings.HasPrefix(r.name, "gateway.rule."):
		r.readGatewayRule()
	case r.name == "gateway.config.update":
		r.readGatewayConfig()
	case r.name == "gateway.logging.update":
		r.readGatewayLogging()
	case r.name == "gateway.ssh_audit.update" && r.after.has("public_key") && r.after.text("public_key") == "":
		r.switchOff("gateway.ssh_audit.disable", "public_key")
	}
}

// switchOff notes that a setting was switched off.
func (r *review) switchOff(action, setting string) {
	r.rename(action)
	r.Direction, r.Setting = rules.Weaker, setting
}

// stances are the actions of Gateway rules that move a protection. The others send
// traffic another way.
var stances = map[string]string{
	"allow": rules.Weaker, "off": rules.Weaker, "noscan": rules.Weaker, "noisolate": rules.Weaker,
	"block": rules.Safer, "on": rules.Safer, "scan": rules.Safer, "isolate": rules.Safer,
	"safesearch": rules.Safer, "ytrestricted": rules.Safer, "quarantine": rules.Safer,
}

// readGatewayRule determines whether a rule that blocks or exempts comes or goes.
func (r *review) readGatewayRule() {
	now, was := stances[strings.ToLower(r.after.text("action"))], stances[strings.ToLower(r.before.text("action"))]
	isOff, wasOff := r.after.text("enabled") == "false", r.before.text("enabled") == "false"
	switch {
	case r.verb == VerbCreate && !isOff:
		r.Direction = now
	case r.verb == VerbDelete && !wasOff:
		r.Direction = reverse(was)
	case r.verb != VerbUpdate:
	case isOff && !wasOff:
		r.rename("gateway.rule.disable")
		if was == "" {
			was = now
		}
		r.Direction = reverse(was)
	case wasOff && !isOff && r.after.has("enabled"):
		r.rename("gateway.rule.enable")
		r.Direction = now
	case was != "" && now != was && r.after.has("action"):
		r.Direction = reverse(was)
	}
}

// inspections are the settings that make Gateway look into traffic, with their
// values from the weakest to the safest.
var inspections = []struct{ setting, member, order string }{
	{"tls_decrypt", "enabled", offOn},
	{"protocol_detection", "enabled", offOn},
	{"antivirus", "enabled_download_phase", offOn},
	{"antivirus", "enabled_upload_phase", offOn},
	{"antivirus", "fail_closed", offOn},
	{"sandbox", "enabled", offOn},
	{"fips", "tls", offOn},
	{"body_scanning", "inspection_mode", "shallow deep"},
}

// readGatewayConfig determines which of the settings of Gateway moved, and which
// way. The log of all activity goes before the others.
func (r *review) readGatewayConfig() {
	now, was := r.after.get("settings"), r.before.get("settings")
	switch r.settingMoved(offOn, was.Get("activity_log", "enabled"), now.Get("activity_log", "enabled")) {
	case rules.Weaker:
		r.switchOff("gateway.activity_log.disable", "activity_log")
		return
	case rules.Safer:
		r.rename("gateway.activity_log.enable")
		r.Direction, r.Setting = rules.Safer, "activity_log"
	}
	for _, of := range inspections {
		order := of.order
		if of.setting != "tls_decrypt" {
			order = "| " + order + " |"
		}
		switch r.settingMoved(order, was.Get(of.setting, of.member), now.Get(of.setting, of.member)) {
		case rules.Weaker:
			r.rename("gateway.config.update")
			r.Direction, r.Setting = rules.Weaker, of.setting
			return
		case rules.Safer:
			if r.Setting == "" {
				r.Direction, r.Setting = rules.Safer, of.setting
			}
		}
	}
}

// settingMoved is the direction in which a setting of Gateway has moved. A PATCH
// states what it changes. Other entries repeat all settings, so that without the old
// value one that is as safe as can be may have been so before; order says which
// values are weak all the same.
func (r *review) settingMoved(order string, was, now jsondoc.Value) string {
	if r.e.Call != nil && r.e.Call.Method == "PATCH" {
		return directionIn(strings.Trim(order, "| "), was, now)
	}
	direction := directionIn(order, was, now)
	if direction == rules.Safer && !was.Exists() {
		return ""
	}
	return direction
}

// loggedShare is how much Gateway logs of a kind of traffic.
type loggedShare int

const (
	logsUnknown loggedShare = iota
	logsNothing
	logsBlocks
	logsAll
)

func loggedShareOf(v jsondoc.Value) loggedShare {
	all, blocks := v.Get("log_all").Text(), v.Get("log_blocks").Text()
	switch {
	case all == "true":
		return logsAll
	case blocks == "true":
		return logsBlocks
	case all == "false":
		return logsNothing
	}
	return logsUnknown
}

// readGatewayLogging determines of which traffic less is logged than before, or
// than could be if the entry does not tell what was before.
func (r *review) readGatewayLogging() {
	now, was := r.after.get("settings_by_rule_type"), r.before.get("settings_by_rule_type")
	least, less, more := logsAll, "", ""
	for of := range now.All() {
		is, before := loggedShareOf(of), loggedShareOf(was.Get(of.Name()))
		switch {
		case is == logsUnknown || is == before:
		case before == logsUnknown && is < logsAll, is < before:
			less = strings.TrimPrefix(less+", "+of.Name(), ", ")
			least = min(least, is)
		default:
			more = strings.TrimPrefix(more+", "+of.Name(), ", ")
		}
	}
	switch {
	case less == "":
		if r.Setting = more; more != "" {
			r.Direction = rules.Safer
		}
	case least == logsNothing:
		r.switchOff("gateway.logging.disable", less)
	default:
		r.Direction, r.Setting = rules.Weaker, less
	}
}
