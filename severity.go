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

// Verdict is what the rules say about an entry; see [rules.Verdict].
type Verdict = rules.Verdict

// Fact is what an entry says about one condition; see [rules.Fact].
type Fact = rules.Fact

// Trial is a rule that was tried on an entry; see [rules.Trial].
type Trial = rules.Trial

// DefaultRules returns the rules a connector grades with, in their order. The
// caller may change what it gets.
func DefaultRules() []Rule { return product.Rules().Defaults() }

// ParseRules reads a JSON list of rules, as in the configuration field "rules".
// Where [Match] has a list, a single text will do. The error joins all the
// faults, each a [FieldError] that begins with the position and the id of its
// rule.
func ParseRules(b []byte) ([]Rule, error) { return product.Rules().Parse(b) }

// EffectiveRules returns the rules a connector grades with when user are those
// of its configuration, in their order: user's own, then the default ones with
// the changes that user makes to them. Rules that are switched off are left
// out. The error joins a [FieldError] for every fault of user.
func EffectiveRules(user []Rule) ([]Rule, error) { return product.Rules().Effective(user) }

// EditableRules is [EffectiveRules] with the rules that are switched off: a list
// that [ParseRules] reads again and that grades as user does, to be edited.
func EditableRules(user []Rule) ([]Rule, error) { return product.Rules().All(user) }

// Explanation says how an entry is graded and why. [Normalizer.Explain] makes
// one.
type Explanation struct {
	// Event and Verdict are what [Normalizer.Normalize] makes of the entry.
	Event   ingest.Event
	Verdict Verdict
	// Facts are what the conditions of rules were tested against.
	Facts []Fact
	// Trials are the rules that were tried, in their order. The last one
	// decided.
	Trials []Trial
}

// classifier builds the part of a connector that grades entries. Rules that have
// been compiled before are not compiled again.
func (c *Config) classifier() (*rules.Classifier, error) {
	return product.Rules().NewClassifier(rules.Config{
		ProductionZones: c.ProductionZones,
		VerifiedWorkers: c.VerifiedWorkers,
		DropRoutine:     *c.DropRoutine,
		Rules:           c.Rules,
	})
}
