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
		rows("?access.policy/create", "access_policy.create", high, same, same, newValue(`{"decision":"allow","include":[{"everyone":{}}]}`)),
		rows("?access.policy/update; ?access.policy/policy_updated", "access_policy.update", high, same, low, values(`{"decision":"allow","include":[{"email_domain":{"domain":"example.com"}}]}`, `{"decision":"allow","include":[{"everyone":{}}]}`)),
		rows("?access.group/update; ?access.group/create", "", high, same, same, newValue(`{"name":"staff","include":[{"everyone":{}}]}`)),
		rows("?access.policy/create", "access_policy.create", medium, same, same, newValue(`{"decision":"non_identity"}`)),
		rows("?access.policy/delete", "access_policy.delete", low, same, same, oldValue(`{"decision":"bypass"}`)),
		rows("?access.policy/delete", "access_policy.delete", high, same, same, oldValue(`{"decision":"deny"}`)),
		rows("?access.organization/update", "access_organization.update", medium, same, same),
		rows("?access.certificate/create", "access_certificate.create", medium, same, same),
	),
	calls: accessCalls(),
	examples: map[string]ruleExample{
		"access-administered":           {called("PUT {a}/access/tags/1", requestBody(`{"name":"finance"}`)), called("PUT {a}/access/groups/1", requestBody(`{"name":"finance"}`))},
		"service-token-rotated":         {called("POST {a}/access/service_tokens/1/rotate"), called("POST {a}/access/service_tokens/1/refresh")},
		"service-token-created":         {logged("access.service_token", "create"), logged("access.service_token", "delete")},
		"service-token-deleted":         {logged("access.service_token", "delete"), logged("access.service_token", "create")},
		"access-opened-to-everyone":     {called("PUT {a}/access/policies/1", requestBody(`{"name":"Staff","decision":"allow","include":[{"everyone":{}}]}`)), called("PUT {a}/access/policies/1", requestBody(`{"name":"Staff","decision":"allow","include":[{"everyone":{}}],"require":[{"geo":{"country_code":"PT"}}]}`))},
		"access-group-opened":           {logged("access.group", "update", values(`{"name":"staff","include":[{"email_domain":{"domain":"example.com"}}]}`, `{"name":"staff","include":[{"everyone":{}}]}`)), logged("access.group", "update", values(`{"name":"staff","include":[{"everyone":{}}]}`, `{"name":"all","include":[{"everyone":{}}]}`))},
		"identity-provider-shared":      {called("POST {a}/access/idp_federation_grants", requestBody(`{"idp_id":"i1"}`)), called("DELETE {a}/access/idp_federation_grants/1")},
		"identity-provider-unshared":    {called("DELETE {a}/access/idp_federation_grants/1"), called("DELETE {a}/access/identity_providers/1")},
		"access-keys-changed":           {called("POST {a}/access/keys/rotate"), called("GET {a}/access/keys")},
		"ssh-authority-deleted":         {called("DELETE {a}/access/gateway_ca/1"), called("POST {a}/access/gateway_ca")},
		"access-sessions-revoked":       {called("POST {a}/access/organizations/revoke_user", requestBody(`{"email":"carol@example.com"}`)), called("DELETE {a}/access/users/1")},
		"agent-server-changed":          {called("PUT {a}/access/ai-controls/mcp/servers/1", requestBody(`{"name":"tickets"}`)), called("POST {a}/access/ai-controls/mcp/servers/1/sync")},
		"infrastructure-target-changed": {called("PUT {a}/infrastructure/targets/1", requestBody(`{"hostname":"db1","ip":{"ipv4":{"ip_addr":"198.51.100.7"}}}`)), called("GET {a}/infrastructure/targets/1")},
		"access-bypass":                 {logged("access.policy", "create", newValue(`{"decision":"bypass"}`)), logged("access.policy", "create", newValue(`{"decision":"allow"}`))},
		"access-policy-deleted":         {logged("access.policy", "delete", oldValue(`{"decision":"allow"}`)), logged("access_rule", "delete")},
		"access-bypass-removed":         {logged("access.policy", "update", values(`{"decision":"bypass"}`, `{"decision":"allow"}`)), logged("access.policy", "update", values(`{"decision":"bypass","name":"a"}`, `{"decision":"bypass","name":"b"}`))},
		"access-policy-updated":         {logged("access.policy", "update", oldValue(`{"decision":"bypass"}`), newValue(`{"decision":"bypass","name":"b"}`)), logged("access.policy", "update", oldValue(`{"decision":"allow"}`), newValue(`{"decision":"bypass"}`))},
		"access-policy-created":         {logged("access.policy", "create", newValue(`{"decision":"allow"}`)), logged("access.policy", "create", newValue(`{"decision":"bypass"}`))},
		"identity-provider-deleted":     {logged("access.identity_provider", "delete"), logged("access.identity_provider", "update")},
		"identity-provider-created":     {logged("access.identity_provider", "create"), logged("access.identity_provider", "update")},
		"identity-provider-changed":     {logged("access.identity_provider", "update"), logged("access.identity_provider", "delete")},
		"access-app-deleted":            {logged("access.app", "delete"), logged("access.app", "create")},
		"access-app-changed":            {logged("access.group", "update"), logged("access.group", "create")},
		"access-policy-opened":          {logged("access.policy", "create", newValue(`{"name":"ci","decision":"non_identity","include":[{"any_valid_service_token":{}}]}`)), logged("access.policy", "create", newValue(`{"decision":"allow","include":[{"email_domain":{"domain":"example.com"}}]}`))},
		"access-organization-changed":   {logged("access.organization", "update", values(`{"session_duration":"1h"}`, `{"session_duration":"720h"}`)), logged("access.organization", "view")},
	},
	facts: map[string]factCase{
		"policy": {
			raw:  logged("access.policy", "create", newValue(`{"name":"Staff","decision":"Bypass"}`)),
			want: rules.Facts{Target: "Staff", Decision: "bypass", Direction: rules.Weaker},
		},
	},
	moves: map[string]moveCase{
		"bypass granted":            {logged("access.policy", "update", values(`{"decision":"allow"}`, `{"decision":"bypass"}`)), "access_policy.update", rules.Weaker, ""},
		"opened to everyone":        {called("PUT {a}/access/apps/1/policies/1", requestBody(`{"name":"all","decision":"allow","include":[{"everyone":{}}]}`)), "access_policy.update", rules.Weaker, ""},
		"everyone who fulfils more": {called("PUT {a}/access/policies/1", requestBody(`{"name":"all","decision":"allow","include":[{"everyone":{}}],"require":[{"login_method":{"id":"i1"}}]}`)), "access_policy.update", "", ""},
		"everyone no more":          {logged("access.policy", "update", values(`{"decision":"allow","include":[{"everyone":{}}]}`, `{"decision":"allow","include":[{"email":{"email":"carol@example.com"}}]}`)), "access_policy.update", rules.Safer, ""},
		"everyone refused":          {called("POST {a}/access/policies", requestBody(`{"decision":"deny","include":[{"everyone":{}}]}`)), "access_policy.create", "", ""},
		"only the name of a bypass": {logged("access.policy", "update", values(`{"decision":"bypass"}`, `{"name":"b"}`)), "access_policy.update", "", ""},
		"machine let in":            {logged("access.policy", "update", values(`{"decision":"allow"}`, `{"decision":"non_identity"}`)), "access_policy.update", rules.Weaker, ""},
		"application for everyone":  {called("POST {a}/access/apps", requestBody(`{"name":"x","policies":[{"decision":"deny"},{"decision":"allow","include":[{"everyone":{}}]}]}`)), "access_app.create", rules.Weaker, "x"},
		"group for everyone":        {called("PUT {a}/access/groups/1", requestBody(`{"name":"g","include":[{"everyone":{}}]}`)), "access_group.update", rules.Weaker, "g"},
		"second factor dropped":     {called("PUT {a}/access/organizations", requestBody(`{"mfa_required_for_all_apps":false}`)), "access_organization.update", rules.Weaker, ""},
		"service token off":         {called("PUT {a}/access/service_tokens/1", requestBody(`{"name":"ci","enabled":false}`)), "access_service_token.disable", rules.Safer, "ci"},
		"bypass that was there":     {logged("access.policy", "update", values(`{"decision":"bypass","name":"a"}`, `{"decision":"bypass","name":"b"}`)), "access_policy.update", "", ""},
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
		list.add("POST "+of+"/service_tokens/1/rotate", "access_service_token.roll", high)
		list.add("POST "+of+"/service_tokens/1/refresh", "access_service_token.update", medium)
		list.add("GET "+of+"/service_tokens", "access_service_token.view", low)
	}
	list.add("POST {a}/access/apps", "access_app.create", critical, requestBody(`{"name":"x","policies":[{"decision":"bypass"}]}`))
	list.add("PUT {a}/access/apps/1", "access_app.update", medium, requestBody(`{"name":"x","policies":[{"decision":"bypass"}]}`))
	list.add("POST {a}/access/policies", "access_policy.create", high, requestBody(`{"name":"all","decision":"allow","include":[{"everyone":{}}]}`))
	list.add("POST {a}/access/policies", "access_policy.create", low, requestBody(`{"name":"all","decision":"allow","include":[{"email":{"email":"carol@example.com"}}]}`))
	list.add("PATCH {z}/access/organizations", "access_organization.update", medium)
	list.add("POST {a}/access/organizations/revoke_user", "access_user.revoke", low)
	list.add("POST {a}/access/certificates", "access_certificate.create", medium)
	list.collect("{a}/access/ai-controls/mcp/portals", "mcp_portal", medium, medium, medium)
	list.collect("{a}/access/ai-controls/mcp/servers", "mcp_server", medium, medium, medium)
	list.collect("{a}/access/apps", "access_app", low, medium, high)
	list.collect("{z}/access/apps", "access_app", low, medium, high)
	list.collect("{a}/access/apps/1/policies", "access_policy", low, medium, high)
	list.collect("{a}/access/policies", "access_policy", low, medium, high)
	list.collect("{z}/access/apps/1/policies", "access_policy", low, medium, high)
	list.collect("{a}/access/certificates", "access_certificate", medium, medium, medium)
	list.collect("{z}/access/certificates", "access_certificate", medium, medium, medium)
	list.collect("{a}/access/custom_pages", "access_page", low, low, low)
	list.collect("{a}/access/gateway_ca", "access_gateway_ca", low, "", medium)
	list.collect("{a}/access/groups", "access_group", low, medium, medium)
	list.collect("{z}/access/groups", "access_group", low, medium, medium)
	list.collect("{a}/access/identity_providers", "identity_provider", high, medium, high)
	list.collect("{z}/access/identity_providers", "identity_provider", high, medium, high)
	list.collect("{a}/access/idp_federation_grants", "identity_provider.federation_grant", high, "", medium)
	list.collect("{a}/access/service_tokens", "access_service_token", medium, medium, low)
	list.collect("{z}/access/service_tokens", "access_service_token", medium, medium, low)
	list.collect("{a}/access/tags", "access_tag", low, low, low)
	list.collect("{a}/access/users", "access_user", low, low, low)
	list.collect("{a}/infrastructure/targets", "infrastructure_target", medium, medium, medium)
	list.add("POST {a}/access/ai-controls/mcp/servers/1/sync", "mcp_server.tools.update", low)
	list.add("DELETE {a}/access/apps/1/ca; DELETE {z}/access/apps/1/ca", "access_app.ca.delete", medium)
	list.add("POST {a}/access/apps/1/ca; POST {z}/access/apps/1/ca", "access_app.ca.create", low)
	list.add("POST {a}/access/apps/1/revoke_tokens; POST {z}/access/apps/1/revoke_tokens", "access_app.sessions.revoke", low)
	list.add("PATCH {a}/access/apps/1/settings; PUT {a}/access/apps/1/settings; PATCH {z}/access/apps/1/settings; PUT {z}/access/apps/1/settings", "access_app.settings.update", medium)
	list.add("DELETE {a}/access/bookmarks/1", "access_bookmark.delete", low)
	list.add("POST {a}/access/bookmarks/1", "access_bookmark.create", low)
	list.add("PUT {a}/access/bookmarks/1", "access_bookmark.update", low)
	list.add("PUT {a}/access/certificates/settings; PUT {z}/access/certificates/settings", "access_certificate.settings.update", medium)
	list.add("POST {a}/access/identity_providers/1/saml_certificate", "identity_provider.saml_certificate.create", medium)
	list.add("PUT {a}/access/keys", "access_key.update", medium)
	list.add("POST {a}/access/keys/rotate", "access_key.roll", medium)
	list.add("POST {a}/access/organizations; POST {z}/access/organizations", "access_organization.create", medium)
	list.add("PUT {a}/access/organizations; PUT {z}/access/organizations", "access_organization.update", medium)
	list.add("PUT {a}/access/organizations/doh", "access_organization.doh.update", medium)
	list.add("POST {a}/access/organizations/revoke_user; POST {z}/access/organizations/revoke_user", "access_user.revoke", low)
	list.add("POST {a}/access/policy-tests", "access_policy.test.view", info)
	list.add("POST {a}/access/saml_certificates/1/rotate", "identity_provider.saml_certificate.roll", medium)
	list.add("PATCH {a}/access/seats", "access_user.seat.update", low)
	list.add("POST {a}/access/service_tokens/1/refresh", "access_service_token.update", medium)
	list.add("POST {a}/access/service_tokens/1/rotate", "access_service_token.roll", high)
	list.add("DELETE {a}/infrastructure/targets/batch; POST {a}/infrastructure/targets/batch_delete", "infrastructure_target.delete", medium)
	list.add("PUT {a}/infrastructure/targets/batch", "infrastructure_target.update", medium)
	return list
}

func TestAccess_EveryEntryIsUnderstoodAndGraded(t *testing.T) { accessSuite.check(t) }
