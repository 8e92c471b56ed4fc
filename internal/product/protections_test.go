package product

import (
	"slices"
	"testing"
)

var protectionsSuite = suite{
	pairs: slices.Concat(
		rows("bot_management/view", "bot_management.view", info, same, same),
		rows("?turnstile.widget/delete; ?turnstile.widget/rotate_secret; ?page_shield/disable; ?api_shield/disable; ?api_gateway.schema/delete", "", medium, same, same),
		rows("?bot_management/update", "bot_management.update", medium, same, low, values(`{"sbfm_definitely_automated":"block"}`, `{"sbfm_definitely_automated":"allow"}`)),
		rows("?origin_tls_client_auth/update", "", medium, same, low, values(`{"enabled":true}`, `{"enabled":false}`)),
	),
	calls: protectionsCalls(),
	examples: map[string]ruleExample{
		"turnstile-changed":   {called("PUT {a}/challenges/widgets/1", requestBody(`{"name":"login"}`)), called("POST {a}/challenges/widgets/1/rotate_secret")},
		"turnstile-removed":   {called("DELETE {a}/challenges/widgets/1"), called("PUT {a}/challenges/widgets/1", requestBody(`{"name":"login"}`))},
		"protection-removed":  {logged("page_shield", "disable"), logged("page_shield", "enable")},
		"protection-weakened": {logged("bot_management", "update", values(`{"fight_mode":true}`, `{"fight_mode":false}`)), logged("bot_management", "update", values(`{"fight_mode":false}`, `{"fight_mode":true}`))},
	},
}

func protectionsCalls() callList {
	var list callList
	list.add("POST {z}/leaked-credential-checks", "leaked_credential_checks.disable", medium, requestBody(`{"enabled":false}`))
	list.add("POST {z}/leaked-credential-checks", "leaked_credential_checks.update", low, requestBody(`{"enabled":true}`))
	list.collect("{a}/challenges/widgets", "turnstile.widget", low, low, medium)
	list.add("POST {a}/challenges/widgets/1/rotate_secret", "turnstile.widget.roll", medium)
	list.add("PUT {z}/token_validation/config/1/credentials", "api_shield.update", low)
	return list
}

func TestProtections_EveryEntryIsUnderstoodAndGraded(t *testing.T) { protectionsSuite.check(t) }
