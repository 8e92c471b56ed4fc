package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var accessSuite = suite{
	pairs: slices.Concat(
		rows("/access_policy.create", "access_policy.create", critical, same, same, newValue(`{"decision":"bypass"}`)),
		rows("?access.policy/create; ?access_policy/create", "access_policy.create", critical, same, same, newValue(`{"decision":"bypass"}`)),
		rows("?access.policy/update", "access_policy.update", critical, same, low, values(`{"decision":"allow"}`, `{"decision":"bypass"}`)),
		rows("?access.policy/delete; ?access_policies/deleted", "access_policy.delete", high, same, same),
		rows("?access.identity_provider/delete; ?identity_provider/removed", "identity_provider.delete", high, same, same),
		rows("?access.identity_provider/saml_update; ?access.identity_provider/oauth_update", "identity_provider.update", medium, same, same),
		rows("?access.app/create", "access_app.create", critical, same, same, newValue(`{"policies":[{"decision":"allow"},{"decision":"bypass"}]}`)),
		rows("?access.app/update", "access_app.update", critical, same, same, values(`{"policies":[{"decision":"allow"}]}`, `{"policies":[{"decision":"bypass"}]}`)),
		rows("?access.policy/create", "access_policy.create", medium, same, same, newValue(`{"decision":"allow","include":[{"everyone":{}}]}`)),
		rows("?access.policy/create", "access_policy.create", medium, same, same, newValue(`{"decision":"non_identity"}`)),
		rows("?access.policy/delete", "access_policy.delete", low, same, same, oldValue(`{"decision":"bypass"}`)),
		rows("?access.policy/delete", "access_policy.delete", high, same, same, oldValue(`{"decision":"deny"}`)),
		rows("?access.organization/update", "access_organization.update", medium, same, same),
		rows("?access.certificate/create", "access_certificate.create", medium, same, same),
	),
	calls: accessCalls(),
	examples: map[string]ruleExample{
		"service-token-created":       {logged("access.service_token", "create"), logged("access.service_token", "delete")},
		"access-bypass":               {logged("access.policy", "create", newValue(`{"decision":"bypass"}`)), logged("access.policy", "create", newValue(`{"decision":"allow"}`))},
		"access-policy-deleted":       {logged("access.policy", "delete", oldValue(`{"decision":"allow"}`)), logged("access_rule", "delete")},
		"access-bypass-removed":       {logged("access.policy", "update", values(`{"decision":"bypass"}`, `{"decision":"allow"}`)), logged("access.policy", "update", values(`{"decision":"bypass","name":"a"}`, `{"decision":"bypass","name":"b"}`))},
		"access-policy-updated":       {logged("access.policy", "update", oldValue(`{"decision":"bypass"}`), newValue(`{"decision":"bypass","name":"b"}`)), logged("access.policy", "update", oldValue(`{"decision":"allow"}`), newValue(`{"decision":"bypass"}`))},
		"access-policy-created":       {logged("access.policy", "create", newValue(`{"decision":"allow"}`)), logged("access.policy", "create", newValue(`{"decision":"bypass"}`))},
		"identity-provider-deleted":   {logged("access.identity_provider", "delete"), logged("access.identity_provider", "update")},
		"identity-provider-created":   {logged("access.identity_provider", "create"), logged("access.identity_provider", "update")},
		"identity-provider-changed":   {logged("access.identity_provider", "update"), logged("access.identity_provider", "delete")},
		"access-app-deleted":          {logged("access.app", "delete"), logged("access.app", "create")},
		"access-app-changed":          {logged("access.group", "update"), logged("access.group", "create")},
		"access-policy-opened":        {logged("access.policy", "create", newValue(`{"name":"all","decision":"allow","include":[{"everyone":{}}]}`)), logged("access.policy", "create", newValue(`{"decision":"allow","include":[{"email_domain":{"domain":"example.com"}}]}`))},
		"access-organization-changed": {logged("access.organization", "update", values(`{"session_duration":"1h"}`, `{"session_duration":"720h"}`)), logged("access.organization", "view")},
	},
	facts: map[string]factCase{
		"policy": {
			raw:  logged("access.policy", "create", newValue(`{"name":"Staff","decision":"Bypass"}`)),
			want: rules.Facts{Target: "Staff", Decision: "bypass", Direction: rules.Weaker},
		},
	},
	moves: map[string]moveCase{
		"bypass granted":        {logged("access.policy", "update", values(`{"decision":"allow"}`, `{"decision":"bypass"}`)), "access_policy.update", rules.Weaker, ""},
		"bypass that was there": {logged("access.policy", "update", values(`{"decision":"bypass","name":"a"}`, `{"decision":"bypass","name":"b"}`)), "access_policy.update", "", ""},
	},
}

func accessCalls() callList {
	var list callList
	for _, of := range []string{"{a}/access", "{z}/access"} {
		list.add("POST "+of+"/apps/1/policies; POST "+of+"/policies", "access_policy.create", critical, requestBody(`{"name":"all","decision":"bypass"}`))
		list.add("PUT "+of+"/apps/1/policies/1", "access_policy.update", critical, requestBody(`{"name":"all","decision":"bypass"}`))
		list.add("DELETE "+of+"/policies/1", "access_policy.delete", high)
		list.add("POST "+of+"/apps", "access_app.create", low)
		list.add("DELETE "+of+"/apps/1", "access_app.delete", high)
		list.add("PUT "+of+"/groups/1", "access_group.update", medium)
		list.add("POST "+of+"/identity_providers", "identity_provider.create", high)
		list.add("DELETE "+of+"/identity_providers/1", "identity_provider.delete", high)
		list.add("POST "+of+"/service_tokens", "access_service_token.create", medium)
		list.add("POST "+of+"/service_tokens/1/rotate", "access_service_token.roll", medium)
		list.add("POST "+of+"/service_tokens/1/refresh", "access_service_token.update", medium)
		list.add("GET "+of+"/service_tokens", "access_service_token.view", low)
	}
	list.add("POST {a}/access/apps", "access_app.create", critical, requestBody(`{"name":"x","policies":[{"decision":"bypass"}]}`))
	list.add("PUT {a}/access/apps/1", "access_app.update", medium, requestBody(`{"name":"x","policies":[{"decision":"bypass"}]}`))
	list.add("POST {a}/access/policies", "access_policy.create", medium, requestBody(`{"name":"all","decision":"allow","include":[{"everyone":{}}]}`))
	list.add("POST {a}/access/policies", "access_policy.create", low, requestBody(`{"name":"all","decision":"allow","include":[{"email":{"email":"carol@example.com"}}]}`))
	list.add("PUT {a}/access/organizations; PATCH {z}/access/organizations", "access_organization.update", medium)
	list.add("POST {a}/access/organizations/revoke_user", "access_user.revoke", low)
	list.add("POST {a}/access/certificates", "access_certificate.create", medium)
	list.add("POST {a}/access/apps/1/ca", "access_app.ca.create", low)
	list.add("DELETE {a}/access/apps/1/ca", "access_app.ca.delete", low)
	list.add("POST {a}/access/apps/1/revoke_tokens", "access_app.sessions.revoke", low)
	return list
}

func TestAccess_EveryEntryIsUnderstoodAndGraded(t *testing.T) { accessSuite.check(t) }
