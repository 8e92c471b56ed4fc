// Package rules grades what happened in a Cloudflare account by an ordered list
// of rules. The first rule that matches decides:
//
//	book, err := rules.NewBook(defaults, rules.Vocabulary{})
//	...
//	user, err := book.Parse([]byte(`[
//		{"id": "terraform-dns", "drop": true, "match": {"action": "dns.*", "actor": "terraform@example.com"}},
//		{"id": "cache-purged", "severity": "medium"}
//	]`))
//	...
//	classifier, err := book.NewClassifier(rules.Config{Rules: user, DropRoutine: true})
//	...
//	verdict := classifier.Grade(&rules.Facts{Action: "dns.record.delete", Verb: "delete", Target: "www.example.com"})
//	fmt.Println(verdict.Rule, verdict.Severity, verdict.Title)
//
// A [Book] holds default rules and puts the rules of users in front of them. It
// compiles a list of a user's rules once and finds it again by its content, so
// that a host with many connectors may build a [Classifier] for each poll.
//
// The package knows [Facts], the content of an entry in the terms of rules, but
// neither the logs nor the products whose changes they record. Rules are
// written in terms of canonical actions such as "dns.record.delete": a subject
// and, after the last dot, a verb.
package rules
