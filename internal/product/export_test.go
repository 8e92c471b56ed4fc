package product

import "slices"

// Sample is an entry of either log, with the action that it must get.
type Sample struct{ Raw, Action string }

// Samples are the entries of all suites, for tests of what is made of them.
func Samples() []Sample {
	var all []Sample
	eachSuite(func(_ string, s *suite) {
		for _, p := range s.pairs {
			all = append(all, Sample{logged(p.resource, p.action, p.more...), p.want})
		}
		for _, c := range s.calls {
			all = append(all, Sample{requested(c.method, c.path, c.more...), c.want})
		}
		for _, m := range s.moves {
			all = append(all, Sample{m.raw, m.action})
		}
	})
	return slices.Clip(all)
}

// RuleSamples are the entries that the default rules decide, by the id of the rule.
func RuleSamples() map[string]string {
	all := make(map[string]string)
	eachSuite(func(_ string, s *suite) {
		for id, example := range s.examples {
			all[id] = example.yes
		}
	})
	return all
}
