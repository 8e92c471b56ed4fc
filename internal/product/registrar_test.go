package product

import (
	"slices"
	"testing"
)

var registrarSuite = suite{
	pairs: slices.Concat(
		rows("?registrar.domain/update", "registrar.domain.unlock", high, same, low, values(`{"locked":true}`, `{"locked":false}`)),
		rows("?registrar.domain/update", "registrar.domain.update", medium, same, same, values(`{"locked":false,"auto_renew":true}`, `{"locked":false,"auto_renew":false}`)),
		rows("?registrar.domain/auth_code_view", "registrar.auth_code.view", high, same, same),
	),
	calls: registrarCalls(),
	examples: map[string]ruleExample{
		"domain-unlocked":             {logged("registrar.domain", "unlock"), logged("registrar.domain", "lock")},
		"domain-code-shown":           {logged("registrar.domain", "auth_code_view"), logged("registrar.domain", "view")},
		"domain-locked":               {logged("registrar.domain", "update", values(`{"locked":false}`, `{"locked":true}`)), logged("registrar.domain", "update", values(`{"locked":true}`, `{"locked":false}`))},
		"domain-changed":              {logged("registrar.domain", "update", values(`{"auto_renew":true}`, `{"auto_renew":false}`)), logged("registrar.domain", "create")},
		"domain-registered":           {requested("POST", "/accounts/"+exampleAccount+"/registrar/registrations", requestBody(`{"domain_name":"example.org"}`)), requested("PATCH", "/accounts/"+exampleAccount+"/registrar/registrations/example.org")},
		"domain-availability-checked": {requested("POST", "/accounts/"+exampleAccount+"/registrar/domain-check", requestBody(`{"domains":["example.org"]}`)), requested("GET", "/accounts/"+exampleAccount+"/registrar/domains/example.org")},
		"domain-sandbox-used":         {requested("POST", "/accounts/"+exampleAccount+"/registrar-sandbox/registrations"), requested("POST", "/accounts/"+exampleAccount+"/registrar/registrations")},
	},
}

func registrarCalls() callList {
	var list callList
	list.add("PUT {a}/registrar/domains/example.com", "registrar.domain.update", medium)
	list.add("PATCH {a}/registrar/domains/example.com", "registrar.domain.unlock", high, requestBody(`{"locked":false}`))
	list.add("GET {a}/registrar/domains/example.com/auth_code; POST {a}/registrar/domains/example.com/auth_code", "registrar.auth_code.view", high)
	list.add("POST {a}/registrar/domain-check", "registrar.domain.view", info)
	list.add("POST {a}/registrar/registrations", "registrar.domain.create", medium, requestBody(`{"domain_name":"example.org"}`))
	list.add("PATCH {a}/registrar/registrations/example.com", "registrar.domain.update", medium, requestBody(`{"auto_renew":false}`))
	list.add("POST {a}/registrar-sandbox/domain-check", "registrar_sandbox.domain.view", info)
	list.add("POST {a}/registrar-sandbox/registrations", "registrar_sandbox.domain.create", info)
	list.add("PATCH {a}/registrar-sandbox/registrations/example.com", "registrar_sandbox.domain.update", info)
	return list
}

func TestRegistrar_EveryEntryIsUnderstoodAndGraded(t *testing.T) { registrarSuite.check(t) }
