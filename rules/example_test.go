package rules_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/rules"
)

// defaults are the default rules of the examples.
var defaults = []rules.Rule{
	{
		ID: "dns-record-deleted", Severity: ingest.Medium, Techniques: []string{"T1485"},
		Match: rules.Match{Action: []string{"dns.record.delete"}, Production: new(true)},
		Title: "DNS record deleted[: {target}]", Why: "What it led to is no longer reached.",
	},
	{
		ID: "cache-purged", Severity: ingest.Low,
		Match: rules.Match{Action: []string{"zone.cache.purge"}},
		Title: "Cache purged",
	},
	{ID: "other", Severity: ingest.Low, Title: "Cloudflare {action}"},
}

func Example() {
	book, err := rules.NewBook(defaults, rules.Vocabulary{})
	if err != nil {
		fmt.Println(err)
		return
	}
	user, err := book.Parse([]byte(`[
		{"id": "terraform-dns", "drop": true, "match": {"action": "dns.*", "actor": "terraform@example.com"}},
		{"id": "cache-purged", "severity": "medium"}
	]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	classifier, err := book.NewClassifier(rules.Config{
		ProductionZones: []string{"example.com"},
		DropRoutine:     true,
		Rules:           user,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, facts := range []rules.Facts{
		{Action: "dns.record.delete", Verb: "delete", Target: "www.example.com", ZoneName: "example.com", ActorEmail: "alice@example.com"},
		{Action: "dns.record.delete", Verb: "delete", Target: "www.example.com", ZoneName: "example.com", ActorEmail: "terraform@example.com"},
		{Action: "dns.record.delete", Verb: "delete", Target: "www.example.com", ZoneName: "example.com", ActorEmail: "bob@example.com", Failed: true},
		{Action: "zone.cache.purge", Verb: "delete", ZoneName: "example.com"},
	} {
		v := classifier.Grade(&facts)
		fmt.Printf("%s: %s, dropped: %t, %q\n", v.Rule, v.Severity, v.Drop, v.Title)
	}
	// Output:
	// dns-record-deleted: medium, dropped: false, "DNS record deleted: www.example.com"
	// terraform-dns: info, dropped: true, ""
	// dns-record-deleted: low, dropped: false, "DNS record deleted (failed)"
	// cache-purged: medium, dropped: false, "Cache purged"
}

// All faults of a list of rules are reported together, each with its place.
func ExampleBook_Parse_faults() {
	book, err := rules.NewBook(defaults, rules.Vocabulary{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = book.Parse([]byte(`[
		{"id": "night", "severity": "hihg", "match": {"acton": "dns.*"}},
		{"id": "everything", "drop": true, "match": {"actor_type": "user"}}
	]`))
	fmt.Println(err)
	// Output:
	// rules[0] "night": match.acton: there is no such condition; did you mean "action"?
	// rules[0] "night": severity: "hihg": must be critical, high, medium, low or info
	// rules[1] "everything": drop: the rule would drop too much: name an action, a resource type, an actor, an address or a zone
}

// The rules in force, printed as JSON, are a list that can be edited and loaded.
func ExampleBook_All() {
	book, err := rules.NewBook(defaults, rules.Vocabulary{})
	if err != nil {
		fmt.Println(err)
		return
	}
	all, err := book.All([]rules.Rule{{ID: "cache-purged", Disabled: true}})
	if err != nil {
		fmt.Println(err)
		return
	}
	out := json.NewEncoder(os.Stdout)
	for _, r := range all {
		_ = out.Encode(r)
	}
	// Output:
	// {"id":"dns-record-deleted","title":"DNS record deleted[: {target}]","why":"What it led to is no longer reached.","match":{"action":["dns.record.delete"],"production":true},"severity":"medium","techniques":["T1485"]}
	// {"id":"cache-purged","title":"Cache purged","match":{"action":["zone.cache.purge"]},"severity":"low","disabled":true}
	// {"id":"other","title":"Cloudflare {action}","severity":"low"}
}

func ExampleClassifier_Explain() {
	book, err := rules.NewBook(defaults, rules.Vocabulary{})
	if err != nil {
		fmt.Println(err)
		return
	}
	classifier, err := book.NewClassifier(rules.Config{ProductionZones: []string{"example.com"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	facts, trials := classifier.Explain(&rules.Facts{Action: "dns.record.delete", Verb: "delete", ZoneName: "example.net"})
	i := slices.IndexFunc(facts, func(f rules.Fact) bool { return f.Name == "production" })
	fmt.Println("production:", facts[i].Values)
	for _, t := range trials {
		fmt.Printf("%s: %q\n", t.Rule.ID, t.Failed)
	}
	// Output:
	// production: [false]
	// dns-record-deleted: "production"
	// cache-purged: "action"
	// other: ""
}
