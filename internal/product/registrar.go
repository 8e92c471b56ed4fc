package product

import (
	"cmp"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Domains registered with Cloudflare.
var registrar = family{
	prefixes:    oneOf{"registrar.", "registrar_sandbox."},
	plainValues: true,
	read:        (*review).readDomain,
	subjects: []subject{
		{"registrar domain", "auth_code authcode", "registrar.auth_code", "", both, named},
		{"^registrar ^domain$ ^domains$", "", "registrar.domain", "", either, common},
	},
	routes: []route{
		{"PUT PATCH", "/accounts/{account}/registrar/domains/{id}", "registrar.domain.update"},
		{"GET POST", "/accounts/{account}/registrar/domains/{id}/auth_code", "registrar.auth_code.view"}, // derived, not published
		{"POST", "/accounts/{account}/registrar/domain-check", "registrar.domain.view"},
		{"POST", "/accounts/{account}/registrar/registrations", "registrar.domain.create"},
		{"PATCH", "/accounts/{account}/registrar/registrations/{id}", "registrar.domain.update"},
		// Nothing is registered in the sandbox.
		{"POST", "/accounts/{account}/registrar-sandbox/domain-check", "registrar_sandbox.domain.view"},
		{"POST", "/accounts/{account}/registrar-sandbox/registrations", "registrar_sandbox.domain.create"},
		{"PATCH", "/accounts/{account}/registrar-sandbox/registrations/{id}", "registrar_sandbox.domain.update"},
	},
	names: oneOf{"registrar.domain.unlock", "registrar.domain.lock"},
	joints: []joint{
		{actions: oneOf{"registrar.domain.update", "registrar.domain.lock", "registrar.domain.unlock"}, class: "registrar.domain.update"},
	},
	reads: []rules.Rule{
		{ID: "domain-code-shown", Severity: high, Techniques: oneOf{"T1584.001"},
			Match: rules.Match{Action: oneOf{"registrar.auth_code.*"}},
			Title: "Transfer code of domain shown or changed[: {target}]",
			Why:   "Whoever has the code can take an unlocked domain to another registrar."},
		{ID: "domain-availability-checked", Severity: info,
			Match: rules.Match{Action: oneOf{"registrar.domain.view", "registrar_sandbox.domain.view"}, Method: oneOf{"POST"}},
			Title: "Availability of domain checked",
			Why:   "Somebody asked whether a domain is free. Nothing was registered."},
	},
	rules: []rules.Rule{
		{ID: "domain-unlocked", Severity: high, Techniques: oneOf{"T1584.001"},
			Match: rules.Match{Action: oneOf{"registrar.domain.unlock"}},
			Title: "Domain unlocked for transfer[: {target}]",
			Why:   "Unlocking comes before taking a domain to another registrar."},
		{ID: "domain-locked", Severity: low,
			Match: rules.Match{Action: oneOf{"registrar.domain.lock"}},
			Title: "Domain locked against transfer",
			Why:   "Nobody can take the domain to another registrar."},
		{ID: "domain-changed", Severity: medium, Techniques: oneOf{"T1584.001"},
			Match: rules.Match{Action: oneOf{"registrar.domain.*"}, Verb: oneOf{"update", "delete", "disable", "reset"}},
			Title: "Registration of domain changed[: {target}]",
			Why:   "Its holder, name servers or renewal decide who has the domain in future."},
		{ID: "domain-registered", Severity: medium, Techniques: oneOf{"T1583.001"},
			Match: rules.Match{Action: oneOf{"registrar.domain.create"}},
			Title: "Domain registered[: {target}]",
			Why:   "It costs money, and a domain that nobody ordered may serve phishing under your account."},
		{ID: "domain-sandbox-used", Severity: info,
			Match: rules.Match{Action: oneOf{"registrar_sandbox.*"}, Verb: oneOf{"create", "update"}},
			Title: "Registration of domain tried in the sandbox",
			Why:   "The sandbox is for tests. No domain was registered or changed."},
	},
}

// readDomain determines which domain an entry is about, and whether it may leave
// for another registrar from now on.
func (r *review) readDomain() {
	if r.name == "registrar.domain.update" {
		switch was, is := r.before.text("locked"), r.after.text("locked"); {
		case is == "false" && (was == "true" || was == "" && r.e.Call != nil):
			r.rename("registrar.domain.unlock")
		case is == "true" && was == "false":
			r.rename("registrar.domain.lock")
		}
	}
	switch r.name {
	case "registrar.domain.unlock":
		r.Direction = rules.Weaker
	case "registrar.domain.lock":
		r.Direction = rules.Safer
	}
	r.Target = cmp.Or(r.text("domain_name", "domain", "name"), r.ZoneName)
}
