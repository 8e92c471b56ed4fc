package cloudflareaudit

import (
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/product"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Rule grades the entries it matches; see [rules.Rule]. Config.Rules are put in
// front of [DefaultRules], and the first rule that matches an entry decides.
type Rule = rules.Rule

// Match is the conditions of a [Rule]; see [rules.Match].
type Match = rules.Match

// Change is a condition on a field that changed; see [rules.Change].
type Change = rules.Change

// Verdict is how the rules grade an entry; see [rules.Verdict].
type Verdict = rules.Verdict

// Burst makes a [Rule] count instead of grade; see [rules.Burst].
type Burst = rules.Burst

// Fact is what an entry says about one condition; see [rules.Fact].
type Fact = rules.Fact

// Trial is a rule that was tried on an entry; see [rules.Trial].
type Trial = rules.Trial

// DefaultRules returns the default rules in order. The caller may modify the
// result.
func DefaultRules() []Rule { return product.Rules().Defaults() }

// ParseRules reads a JSON list of rules, as in the configuration field "rules".
// Where [Match] has a list, a single string is accepted. The error joins all
// faults, each a [FieldError] that begins with the position and the id of its
// rule.
func ParseRules(b []byte) ([]Rule, error) { return product.Rules().Parse(b) }

// EffectiveRules returns the rules in force when user is the configured list,
// in order: the user's own rules, then the default rules with the user's
// changes. Disabled rules are left out. The error joins a [FieldError] for
// every fault of user.
func EffectiveRules(user []Rule) ([]Rule, error) { return product.Rules().Effective(user) }

// EditableRules is [EffectiveRules] including disabled rules: a list for
// editing, which [ParseRules] accepts and which grades as user does.
func EditableRules(user []Rule) ([]Rule, error) { return product.Rules().All(user) }

// ReviewRules finds what looks like a mistake in valid rules of a user: an
// action, a setting or another name that fits nothing known, and a rule that is
// never reached. It may be wrong, because Cloudflare adds names: show the
// result to a person, and use the rules anyway. Each Field begins with the
// position and the id of its rule.
func ReviewRules(user []Rule) []*FieldError { return product.Rules().Review(user) }

// Explanation is the grade of an entry and the reasons for it.
// [Normalizer.Explain] returns one.
type Explanation struct {
	// Event and Verdict are the result of [Normalizer.Normalize].
	Event   ingest.Event
	Verdict Verdict
	// Facts are what the conditions of rules were tested against.
	Facts []Fact
	// Trials are the rules that were tried, in order. The last one decided.
	Trials []Trial
	// Bursts are the ids of the rules that count the entry towards a burst.
	Bursts []string
}

// classifier builds the part of a connector that grades entries. Rules that
// were compiled before are reused.
func (c *Config) classifier() (*rules.Classifier, error) {
	return product.Rules().NewClassifier(rules.Config{
		ProductionZones: c.ProductionZones,
		VerifiedWorkers: c.VerifiedWorkers,
		DropRoutine:     *c.DropRoutine,
		Rules:           c.Rules,
	})
}
