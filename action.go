package cloudflareaudit

import (
	"bytes"
	"strings"
)

// The families of actions, by the product they belong to.
const (
	familyAccount  = "account"
	familyZone     = "zone"
	familyDNS      = "dns"
	familyFirewall = "firewall"
	familyAccess   = "access"
	familyR2       = "r2"
	familyWorkers  = "workers"
	familyToken    = "api_token"
	familyLogs     = "log_delivery"
	familyGateway  = "gateway"
	familyOther    = "other"
)

// families maps the beginning of a canonical action to its family. The first
// row that fits counts.
var families = []struct{ prefix, family string }{
	{"account.", familyAccount},
	{"member.", familyAccount},
	{"user_group.", familyAccount},
	{"user.", familyAccount},
	{"api_token.", familyToken},
	{"api_key.", familyToken},
	{"dns.", familyDNS},
	{"zone.firewall.", familyFirewall},
	{"firewall_rule.", familyFirewall},
	{"waf_rule.", familyFirewall},
	{"zone.", familyZone},
	{"registrar.", familyZone},
	{"access_", familyAccess},
	{"identity_provider.", familyAccess},
	{"worker.", familyWorkers},
	{"r2.", familyR2},
	{"logpush.", familyLogs},
	{"gateway.", familyGateway},
}

// The kinds of verbs. A canonical action ends in a verb of its own, such as
// "add" or "roll"; its kind is what rules without a row of their own go by.
const (
	verbCreate  = "create"
	verbUpdate  = "update"
	verbDelete  = "delete"
	verbEnable  = "enable"
	verbDisable = "disable"
	verbReset   = "reset"
	verbRoll    = "roll"
	verbView    = "view"
	verbLogin   = "login"
	verbLogout  = "logout"
	verbAccept  = "accept"
	verbDeploy  = "deploy"
)

// verbs are the words that say what was done, by kind; the first word of a row
// is its plain form. Weak words are nouns or particles too, so they count only
// where there is no other verb: "list_create" creates.
var verbs = []struct {
	kind  string
	weak  bool
	words string
}{
	{verbCreate, false, "create created creates creating insert inserted import imported"},
	{verbCreate, false, "add added adds attach attached"},
	{verbCreate, true, "invite invited"},
	{verbCreate, true, "new issue issued scan"},
	{verbUpdate, false, "update updated updates updating edit edited modify modified patch patched replace overwrite rename renamed"},
	{verbUpdate, false, "change changed"},
	{verbUpdate, true, "set put save"},
	{verbDelete, false, "delete deleted deletes deleting del destroy destroyed"},
	{verbDelete, false, "remove removed removes detach detached unset"},
	{verbDelete, false, "revoke revoked"},
	{verbDelete, false, "leave"},
	{verbDelete, false, "cancel cancelled canceled"},
	{verbDelete, false, "decline declined reject rejected"},
	{verbDelete, false, "purge purged"},
	{verbEnable, false, "enable enabled activate activated enroll enrolled enrol"},
	{verbEnable, false, "enforce enforced"},
	{verbEnable, false, "expose exposed"},
	{verbEnable, false, "unpause unpaused resume resumed"},
	{verbEnable, true, "on start"},
	{verbDisable, false, "disable disabled"},
	{verbDisable, false, "deactivate deactivated suspend suspended unenroll unenrolled unenrol"},
	{verbDisable, false, "pause paused"},
	{verbDisable, true, "off stop"},
	{verbReset, false, "reset"},
	{verbRoll, false, "roll rolled"},
	{verbRoll, false, "rotate rotated regenerate regenerated"},
	{verbView, false, "view viewed reveal revealed"},
	{verbView, true, "read get"},
	{verbView, true, "list show describe export download"},
	{verbLogin, false, "login signin"},
	{verbLogout, false, "logout signout"},
	{verbAccept, false, "accept accepted"},
	{verbDeploy, false, "deploy deployed publish published"},
}

// pairs are the pairs of resource.type and action.type that are known, with the
// canonical name of each. Most have been published; the others follow from how
// their neighbours are named, or from the paths of the API. They are compared
// without regard to case and separators, so "DNS_record" stands for "dns.record"
// too. A resource of "*" means that the action says enough by itself.
var pairs = []struct{ resource, action, name string }{
	// Users and the account.
	{"*", "login", "account.login"},
	{"*", "logout", "account.logout"},
	{"*", "cloudflare_login", "account.staff_login"},
	{"*", "MFA_enabled", "account.2fa.enable"},
	{"*", "MFA_disabled", "account.2fa.disable"},
	{"*", "add_enforce_twofactor", "account.2fa.enforce"},
	{"*", "remove_enforce_twofactor", "account.2fa.disable"},
	{"*", "delete_enforce_twofactor", "account.2fa.disable"},
	{"*", "disable_enforce_twofactor", "account.2fa.disable"},
	{"*", "change_password", "account.password.change"},
	{"*", "change_email", "account.email.change"},
	{"user", "update", "user.update"},

	// Users answer an invitation, and leave an account, by themselves.
	{"invites", "update", "member.invitation.accept"},
	{"memberships", "update", "member.invitation.accept"},
	{"memberships", "delete", "member.leave"},

	// Credentials. "API key" is always the Global API key of a user.
	{"*", "token_create", "api_token.create"},
	{"*", "token_update", "api_token.update"},
	{"*", "token_roll", "api_token.roll"},
	{"tokens.value", "update", "api_token.roll"},
	{"*", "token_revoke", "api_token.revoke"},
	{"*", "API_key_view", "api_key.view"},
	{"*", "API_key_created", "api_key.create"},
	{"*", "rotate_API_key", "api_key.rotate"},
	{"*", "API_key_deactivated", "api_key.deactivate"},

	// Zones. The account is the resource when a zone is added to it.
	{"account", "add", "zone.create"},
	{"account", "pending", "zone.pending"},
	{"zone", "delete", "zone.delete"},
	{"zone", "purge", "zone.cache.purge"},
	{"purge_cache", "create", "zone.cache.purge"},
	{"zone", "change_setting", "zone.settings.update"},
	{"zone", "patch_settings", "zone.settings.update"},
	{"zone", "tls_settings_deployed", "zone.tls_settings.deploy"},
	{"pagerule", "create", "zone.pagerule.create"},
	{"pagerule", "update", "zone.pagerule.update"},
	{"pagerule", "delete", "zone.pagerule.delete"},

	// DNS records, in both generations of names.
	{"DNS_record", "rec_add", "dns.record.create"},
	{"DNS_record", "rec_set", "dns.record.update"},
	{"DNS_record", "rec_del", "dns.record.delete"},
	{"dns.record", "create", "dns.record.create"},
	{"dns.record", "update", "dns.record.update"},
	{"dns.record", "delete", "dns.record.delete"},

	// Firewall.
	{"firewallrules", "create", "zone.firewall.rule.create"},
	{"firewallrules", "update", "zone.firewall.rule.update"},
	{"firewallrules", "delete", "zone.firewall.rule.delete"},
	{"uarules", "create", "zone.firewall.rule.create"},
	{"uarules", "update", "zone.firewall.rule.update"},
	{"uarules", "delete", "zone.firewall.rule.delete"},
	{"ratelimit", "create", "zone.firewall.rule.create"},
	{"ratelimit", "update", "zone.firewall.rule.update"},
	{"ratelimit", "delete", "zone.firewall.rule.delete"},
	{"*", "rulesets_update", "zone.firewall.rule.update"},

	// Workers.
	{"*", "script_create", "worker.script.create"},
	{"*", "script_update", "worker.script.update"},
	{"*", "script_deploy", "worker.script.deploy"},
	{"*", "script_delete", "worker.script.delete"},
	{"*", "script_on_subdomain", "worker.script.expose"},
	{"workers.scripts.subdomain", "create", "worker.script.expose"},
	{"*", "script_schedules", "worker.script.schedule"},
	{"*", "patch_settings", "worker.script.settings.update"},
	{"*", "route_create", "worker.route.create"},
	{"*", "route_update", "worker.route.update"},
	{"*", "route_delete", "worker.route.delete"},

	// Zero Trust.
	{"gateway.rule", "gateway_create", "gateway.rule.create"},
	{"gateway.rule", "gateway_update", "gateway.rule.update"},
	{"gateway.rule", "gateway_delete", "gateway.rule.delete"},
	{"gateway.location", "gateway_create_location", "gateway.location.create"},
	{"gateway.config", "gateway_update", "gateway.config.update"},

	// Log delivery.
	{"logpush job", "job_create", "logpush.job.create"},
	{"logpush job", "job_update", "logpush.job.update"},
	{"logpush job", "job_delete", "logpush.job.delete"},

	// Storage and queues.
	{"*", "CreateBucket", "r2.bucket.create"},
	{"*", "DeleteBucket", "r2.bucket.delete"},
	{"*", "AddCustomDomain", "r2.bucket.domain.add"},
	{"*", "RemoveCustomDomain", "r2.bucket.domain.remove"},
	{"*", "PutBucketCors", "r2.bucket.cors.update"},
	{"*", "DeleteBucketCors", "r2.bucket.cors.delete"},
	{"*", "PutBucketEncryption", "r2.bucket.encryption.update"},
	{"*", "DeleteBucketEncryption", "r2.bucket.encryption.delete"},
	{"*", "PutBucketLifecycleConfiguration", "r2.bucket.lifecycle.update"},
	{"*", "DeleteBucketLifecycleConfiguration", "r2.bucket.lifecycle.delete"},
	{"*", "ChangeBucketVisibility", "r2.bucket.visibility.change"},
	{"d1.database", "create", "d1.database.create"},
	{"d1.database", "update", "d1.database.update"},
	{"d1.database", "delete", "d1.database.delete"},
	{"d1.database", "export", "d1.database.export"},
	{"ai_gateway.gateway", "create", "ai_gateway.gateway.create"},
	{"ai_gateway.gateway", "update", "ai_gateway.gateway.update"},
	{"ai_gateway.gateway", "delete", "ai_gateway.gateway.delete"},
	{"*", "update_consumer_settings", "queue.consumer.update"},
}

// subject is a kind of resource of which not all pairs have been published, or
// none. It is recognised by words in the resource type or in the action type;
// the verb is then the first one in the action type.
//
// Words are compared at their beginning: "rule" fits "rules" but not
// "firewallrules". A "^" ties one to the beginning of the name and a "$" to its
// end.
type subject struct {
	resource string
	action   string
	// name is what the canonical names begin with. They end in the kind of
	// the verb, except for those that verbs lists as "kind=name".
	name  string
	verbs string
	// how says when the subject fits.
	how fit
}

// fit says when a subject fits an entry.
type fit int

const (
	either fit = iota // the resource or the action has one of the words
	both              // each has one
	bare              // the resource has one, and the action is a verb alone
)

// Words that several subjects share.
const (
	enforceWords = "enforce_two_factor enforce_twofactor enforce_2fa enforce_mfa"
	factorWords  = "mfa tfa 2fa two_factor twofactor totp webauthn security_key securitykey backup_code recovery_code"
)

// subjects are tried in order.
var subjects = []subject{
	// Users and the account.
	{enforceWords, enforceWords, "account.2fa", "create=account.2fa.enforce enable=account.2fa.enforce update=account.2fa.enforce " +
		"delete=account.2fa.disable reset=account.2fa.disable", either},
	{factorWords, factorWords, "account.2fa", "create=account.2fa.enable delete=account.2fa.disable reset=account.2fa.disable", either},
	{"^account$ ^user$ ^$", "password", "account.password", "create=account.password.change update=account.password.change reset=account.password.change", both},
	{"^account$ ^user$ ^$", "email", "account.email", "create=account.email.change update=account.email.change", both},
	{"", "^login sso_login ^sign_in ^signin", "account", "login=account.login view=account.login", either},
	{"", "^logout ^sign_out ^signout", "account", "logout=account.logout", either},

	// How members of the account sign in.
	{"^sso ^saml account_sso", "", "sso_connector", "", either},
	{"^account$ ^user$ ^$", "sso saml", "sso_connector", "", both},

	// What a program may do in the name of a user.
	{"^oauth user_oauth", "", "oauth_grant", "", either},
	{"^account$ ^user$ ^$", "oauth", "oauth_grant", "", both},

	// Protections and ways to an origin whose names have words of others in them.
	{"api_gateway api_shield schema_validation token_validation", "api_shield", "api_shield", "", either},
	{"page_shield", "page_shield", "page_shield", "", either},
	{"bot_management", "bot_management", "bot_management", "", either},
	{"leaked_credential", "leaked_credential", "leaked_credential_checks", "", either},
	{"origin_tls_client_auth", "origin_tls_client_auth", "origin_tls_client_auth", "", either},
	{"email_routing", "email_routing", "email_routing", "", either},
	{"email_security", "email_security", "email_security", "", either},
	{"turnstile challenges_widget", "turnstile", "turnstile.widget", "", either},
	{"^zaraz settings_zaraz", "^zaraz", "zaraz", "", either},
	{"^snippet", "^snippet", "snippet", "", either},
	{"^pages_deployment ^pages_project_deployment", "", "pages.deployment", "", either},
	{"^pages_domain ^pages_project_domain", "", "pages.domain", "create=pages.domain.add delete=pages.domain.remove", either},
	{"^pages$ ^pages_project", "", "pages.project", "", either},
	{"load_balancer_pool load_balancers_pool ^pool$", "", "load_balancer.pool", "", either},
	{"load_balancer_monitor load_balancers_monitor", "", "load_balancer.monitor", "", either},
	{"load_balancer loadbalancer", "load_balancer", "load_balancer", "", either},
	{"log_retention logs_retention logs_control_retention", "log_retention", "log_retention", "", either},
	{"secondary_dns ^tsig", "secondary_dns", "secondary_dns", "", either},
	{"^magic_route", "", "magic.route", "", either},
	{"^addressing ^prefix ^bgp_prefix", "", "address_prefix", "", either},
	{"^pcap packet_capture", "", "packet_capture", "", either},
	{"^subscription", "", "subscription", "", either},
	{"^dlp", "", "dlp", "", either},
	{"device_polic devices_polic device_setting devices_setting device_posture devices_posture devices_network", "", "device.policy", "", either},
	{"kv_namespace", "", "kv.namespace", "", either},
	{"secrets_store_secret secrets_store_stores_secret", "", "secrets_store.secret", "", either},
	{"secrets_store", "", "secrets_store", "", either},
	{"^script worker_script workers_script workerscript ^worker$ ^workers$", "secret", "worker.script.settings", "create=worker.script.settings.update " +
		"delete=worker.script.settings.update roll=worker.script.settings.update", both},
	{"registrar domain", "auth_code authcode", "registrar.auth_code", "", both},

	// Zero Trust. Its words are looked for before "token", "rule" and "group".
	{"tunnel warp_connector", "token", "tunnel.token", "", both},
	{"teamnet_route", "", "tunnel.route", "", either},
	{"^gateway_logging", "", "gateway.logging", "", either},
	{"^gateway_list", "", "gateway.list", "", either},
	{"^gateway_proxy", "", "gateway.proxy_endpoint", "", either},
	{"^gateway_certificate", "", "gateway.certificate", "", either},
	{"access_organization", "", "access_organization", "", either},
	{"access_certificate access_ca", "", "access_certificate", "", either},
	{"ai_gateway", "", "ai_gateway.gateway", "", either},
	{"^gateway_location", "", "gateway.location", "", either},
	{"^gateway_config ^gateway_setting", "", "gateway.config", "", either},
	{"^gateway_rule ^gateway_polic teams_rule", "", "gateway.rule", "", either},
	{"identity_provider identityprovider idp", "identity_provider identityprovider", "identity_provider", "", either},
	{"service_token servicetoken", "service_token", "access_service_token", "", either},
	{"access_polic access_app_polic", "access_polic", "access_policy", "", either},
	{"access_group", "access_group", "access_group", "", either},
	{"^access_app", "access_app", "access_app", "", either},

	// Credentials and members.
	{"api_key apikey global_key", "api_key apikey global_key", "api_key", "roll=api_key.rotate update=api_key.rotate reset=api_key.rotate " +
		"delete=api_key.deactivate disable=api_key.deactivate", either},
	{"token apitoken", "token apitoken", "api_token", "delete=api_token.revoke disable=api_token.revoke reset=api_token.roll", either},
	{"user_group usergroup resource_group", "user_group usergroup resource_group", "user_group", "", either},
	// An update of this group puts members into it, with the roles it has.
	{"scim_group", "scim_group", "user_group", "update=member.update", either},
	{"^invit member_invit account_invit", "invitation invite", "member.invitation", "create=member.add update=member.update delete=member.invitation.cancel", either},
	{"member membership scim_user ^role ^account_role", "member membership scim_user role", "member", "create=member.add delete=member.remove", either},

	// Zones.
	{"zone_hold ^hold$", "zone_hold", "zone.hold", "delete=zone.hold.remove disable=zone.hold.remove enable=zone.hold.create", either},
	{"dnssec", "dnssec", "zone.dnssec", "create=zone.dnssec.enable delete=zone.dnssec.disable", either},
	{"dns_record dnsrecord", "dns_record", "dns.record", "", either},
	{"pagerule page_rule", "pagerule page_rule", "zone.pagerule", "", either},
	{"^setting zone_setting", "zone_setting", "zone.settings", "view=zone.settings.read", either},
	{"^zone$ ^zones$", "setting", "zone.settings", "view=zone.settings.read", both},
	{"certificate universal_ssl custom_hostname ^ssl ^tls", "certificate", "zone.certificate", "", either},
	{"^registrar ^domain$ ^domains$", "", "registrar.domain", "", either},

	// Log delivery, storage, Workers.
	{"logpush log_push logpull instant_log", "logpush", "logpush.job", "", either},
	{"bucket ^r2$", "bucket", "r2.bucket", "", either},
	{"worker_filter workers_filter worker_route workers_route workerroute ^route$ ^routes$", "", "worker.route", "", either},
	{"worker_domain workers_domain", "", "worker.domain", "", either},
	{"^script worker_script workers_script workerscript ^worker$ ^workers$", "^script", "worker.script", "", either},

	// Firewall. Its words are the least telling ones.
	{"waf wafrule ddos", "waf", "zone.firewall.rule", "disable=waf_rule.disable enable=waf_rule.enable", either},
	{"firewall firewallrule access_rule accessrule ratelimit rate_limit uarule ua_rule lockdown zonelockdown ruleset filter custom_rule",
		"firewall_rule firewallrule ruleset ratelimit rate_limit lockdown access_rule", "zone.firewall.rule",
		"disable=firewall_rule.disable enable=firewall_rule.enable", either},

	{"^notification ^alert", "", "notification", "", either},
	{"tunnel cfd_tunnel warp_connector", "tunnel", "tunnel", "", either},
	{"^zone$ ^zones$", "", "zone", "disable=zone.pause enable=zone.unpause", bare},
	{"^account$ ^accounts$", "", "account", "", bare},
}

// more are the names that no pair and no subject leads to by itself: what
// [refine] makes of what it finds in an entry.
var more = []string{
	actionUnknown,
	"account.add", "zone.transfer_out", "registrar.domain.unlock", "registrar.domain.lock",
	"zone.ruleset.create", "zone.ruleset.update", "zone.ruleset.delete",
	"zone.ruleset.redirect.create", "zone.ruleset.redirect.update", "zone.ruleset.redirect.delete",
	"zone.ruleset.origin.create", "zone.ruleset.origin.update", "zone.ruleset.origin.delete",
	"zone.ruleset.config.create", "zone.ruleset.config.update", "zone.ruleset.config.delete",
	"worker.script.subdomain.disable",
	"d1.database.restore",
}

// actionUnknown is the action of an entry that could not be understood.
const actionUnknown = "unknown"

// naming is a canonical action with what follows from it.
type naming struct{ name, family, verb string }

// The tables above, arranged for looking things up. They are filled in once and
// then only read.
var (
	verbOf      = make(map[string]verb)    // by word
	namings     = make(map[string]*naming) // by canonical name
	byPair      = make(map[string]*naming) // by squashed "resource/action"
	subjectList []indexedSubject
)

type verb struct {
	kind, name string
	weak       bool
}

// indexedSubject is a subject with its words as they are looked for and its
// names by kind of verb.
type indexedSubject struct {
	resource, action [][]byte
	names            map[string]*naming
	how              fit
}

func init() {
	for _, row := range verbs {
		list := strings.Fields(row.words)
		for _, word := range list {
			verbOf[word] = verb{row.kind, list[0], row.weak}
		}
	}
	for _, s := range subjects {
		x := indexedSubject{patterns(s.resource), patterns(s.action), make(map[string]*naming), s.how}
		for pair := range strings.FieldsSeq(s.verbs) {
			kind, name, _ := strings.Cut(pair, "=")
			x.names[kind] = named(name)
		}
		for _, row := range verbs {
			if x.names[row.kind] == nil {
				x.names[row.kind] = named(s.name + "." + row.kind)
			}
		}
		subjectList = append(subjectList, x)
	}
	for _, name := range more {
		named(name)
	}
	indexRoutes()
	for _, p := range pairs {
		byPair[string(squashPair(nil, strings.TrimPrefix(p.resource, "*"), p.action))] = named(p.name)
	}
	// An entry may come with a canonical name for its action type.
	for name, n := range namings {
		jointIndex[name] = jointsOf(name)
		key := string(squashPair(nil, "", name))
		if byPair[key] == nil {
			byPair[key] = n
		}
	}
}

// named is the naming of a canonical name, which it adds when it is new.
func named(name string) *naming {
	if n := namings[name]; n != nil {
		return n
	}
	n := newNaming(name)
	namings[name] = &n
	return &n
}

func newNaming(name string) naming {
	n := naming{name: name, family: familyOther}
	for _, row := range families {
		if strings.HasPrefix(name, row.prefix) {
			n.family = row.family
			break
		}
	}
	n.verb = findVerb([]byte(name[strings.LastIndexByte(name, '.')+1:])).kind
	return n
}

// patterns turns "^a b c$" into what to look for in a name that words has
// prepared: "__a", "_b" and "_c__".
func patterns(list string) [][]byte {
	var out [][]byte
	for p := range strings.FieldsSeq(list) {
		if cut, ok := strings.CutPrefix(p, "^"); ok {
			p = "_" + cut
		}
		if cut, ok := strings.CutSuffix(p, "$"); ok {
			p = cut + "__"
		}
		out = append(out, []byte("_"+p))
	}
	return out
}

// maxName bounds how much of a resource or action type is looked at.
const maxName = 80

// squashPair appends the letters and digits of a pair, in lower case, with a
// slash in between.
func squashPair(b []byte, resource, action string) []byte {
	b = squash(b, resource)
	b = append(b, '/')
	return squash(b, action)
}

func squash(b []byte, s string) []byte {
	for i := range min(len(s), maxName) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b = append(b, c)
		}
	}
	return b
}

// words appends s in lower case with one underscore between its words and two
// at either end: "DNS record" and "dnsRecord" become "__dns_record__".
func words(b []byte, s string) []byte {
	const lower, upper, digit, other = 0, 1, 2, 3
	kind := func(i int) int {
		switch {
		case i >= len(s):
			return other
		case 'A' <= s[i] && s[i] <= 'Z':
			return upper
		case 'a' <= s[i] && s[i] <= 'z':
			return lower
		case '0' <= s[i] && s[i] <= '9':
			return digit
		}
		return other
	}
	b = append(b, '_', '_')
	start, pending := len(b), false
	for i := range min(len(s), maxName) {
		c, k := s[i], kind(i)
		if k == other {
			pending = true
			continue
		}
		// A word begins at the B of aB, of ABc and of 1Bc, but not of 1B.
		if k == upper {
			pending = pending || i > 0 && (kind(i-1) == lower || kind(i-1) != other && kind(i+1) == lower)
			c += 'a' - 'A'
		}
		if pending && len(b) > start {
			b = append(b, '_')
		}
		pending = false
		b = append(b, c)
	}
	return append(b, '_', '_')
}

// nameOf finds the canonical action of an entry: by its pair, by its action
// type alone, by the words in either, and else by putting the two together.
func nameOf(e *entry) naming {
	switch {
	case e.undecodable:
		return *namings[actionUnknown]
	case e.call != nil:
		return nameOfCall(e)
	}
	var buf [2*maxName + 1]byte
	pair := squashPair(buf[:0], e.resourceType, e.actionType)
	if n := byPair[string(pair)]; n != nil {
		return *n
	}
	if n := byPair[string(pair[bytes.IndexByte(pair, '/'):])]; n != nil {
		return *n
	}
	return nameByWords(e)
}

var (
	roleWords     = patterns("member_role")
	transferWords = patterns("transfer_out_ transferred_out transfer_away transferred_away move_out_ moved_out moved_away ^transfer$ ^transferred$")
	unlockWords   = patterns("unlock")
	domainWords   = patterns("zone domain registrar")
)

// nameByWords names what no published pair names.
func nameByWords(e *entry) naming {
	actionType := e.actionType
	if actionType == "" {
		actionType = e.actionInfo
	}
	resource, action := words(nil, e.resourceType), words(nil, actionType)
	if containsAny(resource, domainWords) || containsAny(action, domainWords) {
		switch {
		case containsAny(action, transferWords):
			return *namings["zone.transfer_out"]
		case containsAny(action, unlockWords):
			return *namings["registrar.domain.unlock"]
		}
	}
	v := findVerb(action)
	if v.kind == "" {
		v = findVerb(words(nil, e.actionInfo))
	}
	if v.kind == "" && containsAny(action, roleWords) {
		v.kind = verbUpdate
	}
	if v.kind != "" {
		for i := range subjectList {
			if s := &subjectList[i]; s.fits(resource, action) {
				return *s.names[v.kind]
			}
		}
	}
	return newNaming(joinName(e.resourceType, resource, action))
}

func (s *indexedSubject) fits(resource, action []byte) bool {
	switch s.how {
	case both:
		return containsAny(resource, s.resource) && containsAny(action, s.action)
	case bare:
		_, alone := verbOf[string(bytes.Trim(action, "_"))]
		return alone && containsAny(resource, s.resource)
	}
	return containsAny(resource, s.resource) || containsAny(action, s.action)
}

func containsAny(name []byte, patterns [][]byte) bool {
	for _, p := range patterns {
		if bytes.Contains(name, p) {
			return true
		}
	}
	return false
}

// findVerb is the first verb in a name, and the first weak one only where there
// is no other.
func findVerb(name []byte) verb {
	var found verb
	for word := range bytes.SplitSeq(name, []byte("_")) {
		v, ok := verbOf[string(word)]
		if ok && !v.weak {
			return v
		}
		if ok && found.kind == "" {
			found = v
		}
	}
	return found
}

// joinName makes a predictable name of a pair that means nothing to us:
// "resource.action", without what the action repeats of the resource, and with
// a lone verb in its plain form.
func joinName(resourceType string, resource, action []byte) string {
	res, act := string(bytes.Trim(resource, "_")), string(bytes.Trim(action, "_"))
	// The dots between the parts of a resource type are kept.
	if parts := strings.Split(resourceType, "."); len(parts) > 1 && len(resourceType) <= maxName {
		res = ""
		for _, part := range parts {
			if part := string(bytes.Trim(words(nil, part), "_")); part != "" {
				res += "." + part
			}
		}
		res = strings.TrimPrefix(res, ".")
	}
	for part := range strings.SplitSeq(res, ".") {
		if rest := strings.TrimPrefix(act, part+"_"); rest != "" {
			act = rest
		}
		if rest := strings.TrimSuffix(act, "_"+part); rest != "" {
			act = rest
		}
	}
	if i := strings.LastIndexByte(act, '_'); res == "" && i > 0 && verbOf[act[i+1:]].kind != "" {
		res, act = act[:i], act[i+1:]
	}
	if v, ok := verbOf[act]; ok {
		act = v.name
	}
	switch {
	case act == "" && res == "":
		return actionUnknown
	case act == "":
		act = actionUnknown
	case res == "":
		res = actionUnknown
	}
	return res + "." + act
}
