package product

import (
	"time"

	"github.com/aisoc/cloudflareaudit/rules"
)

// burstRules count what one actor does, where one entry alone is everyday work.
// They leave out Cloudflare itself, which cleans up in bulk, and attempts that
// failed.
var burstRules = []rules.Rule{
	{ID: "mass-deletion", Severity: high, Techniques: oneOf{"T1485", "T1489"},
		Match: rules.Match{Action: oneOf{"*.delete", "*.remove", "*.revoke"}, ActorType: people, Outcome: notFailed},
		Burst: &rules.Burst{Count: 20, Within: 10 * time.Minute},
		Title: "At least {count} deletions[ by {actor}] within {within}",
		Why:   "Somebody wrecks the account, or a script runs wild. Purged caches and answered invitations do not count."},
	{ID: "token-mass-change", Severity: high, Techniques: oneOf{"T1098.001", "T1531"},
		Match: rules.Match{Action: oneOf{"api_token.*", "api_key.*", "access_service_token.*"}, Verb: changing, ActorType: people, Outcome: notFailed},
		Burst: &rules.Burst{Count: 5, Within: 10 * time.Minute},
		Title: "At least {count} changes of tokens and keys[ by {actor}] within {within}",
		Why:   "An intruder secures several ways back in, or locks out the tools of others. After a leak, so does the response to it."},
	{ID: "member-mass-change", Severity: high, Techniques: oneOf{"T1098.003", "T1531"},
		Match: rules.Match{Action: oneOf{"member.*", "user_group.*"}, Verb: oneOf{"create", "update", "delete"}, ActorType: people, Outcome: notFailed},
		Burst: &rules.Burst{Count: 5, Within: 10 * time.Minute},
		Title: "At least {count} changes of members[ by {actor}] within {within}",
		Why:   "Members are locked out, or accomplices let in. A team that starts on one day looks the same."},
	{ID: "access-mass-change", Severity: medium, Techniques: oneOf{"T1556.009"},
		Match: rules.Match{Action: oneOf{"access_*", "identity_provider.*"}, Verb: oneOf{"update", "delete", "disable", "reset"}, ActorType: people, Outcome: notFailed},
		Burst: &rules.Burst{Count: 3, Within: 30 * time.Minute},
		Title: "At least {count} changes of Access[ by {actor}] within {within}",
		Why:   "What protects internal applications is taken apart. New ones do not count: one application alone takes several entries."},
	{ID: "dns-mass-change", Severity: medium, Techniques: oneOf{"T1584.002", "T1565.002"},
		Match: rules.Match{Action: oneOf{"dns.record.*"}, Verb: oneOf{"create", "update", "delete"}, ActorType: people, Outcome: notFailed},
		Burst: &rules.Burst{Count: 10, Within: 30 * time.Minute},
		Title: "At least {count} changes of DNS records[ by {actor}] within {within}",
		Why:   "A whole zone is led elsewhere, or moved to Cloudflare. Except your own tools by a rule that grades their changes info."},
}

// The conditions of the rules that count.
var (
	people    = oneOf{"user", "staff", "unknown"}
	notFailed = oneOf{"success", "unknown"}
	changing  = oneOf{"create", "update", "delete", "enable", "disable", "reset", "roll"}
)
