package product

import (
	"strconv"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Lists of addresses, hostnames and redirects that rules use.
var lists = family{
	prefixes:    oneOf{"rules_list."},
	plainValues: true,
	read:        (*review).readList,
	subjects: []subject{
		{"rules_list_item rule_list_item list_item", "rules_list_item rule_list_item list_item", "rules_list.item", "", either, within},
		{"rules_list rule_list bulk_redirect ip_list", "rules_list rule_list bulk_redirect", "rules_list", "", either, within},
	},
	routes: []route{
		{"POST", "/accounts/{account}/rules/lists/{list}/items", "rules_list.item.create"},
		{"PUT", "/accounts/{account}/rules/lists/{list}/items", "rules_list.item.update"},
		{"DELETE", "/accounts/{account}/rules/lists/{list}/items", "rules_list.item.delete"},
		{"*", "/accounts/{account}/rules/lists", "rules_list"},
	},
	names: oneOf{"rules_list.redirect.create", "rules_list.redirect.update"},
	joints: []joint{
		{actions: oneOf{"rules_list.item.*", "rules_list.redirect.*"}, class: "rules_list.item", by: byActor},
	},
	rules: []rules.Rule{
		{ID: "bulk-redirects-changed", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"rules_list.redirect.*"}, Verb: oneOf{"create", "update"}},
			Title: "Bulk redirects changed: {words}[: {target}]",
			Why:   "Visitors of these addresses are sent to others, in every zone whose redirects use the list."},
		{ID: "list-items-changed", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"rules_list.item.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "Items of list changed: {words}[: {target}]",
			Why:   "Rules let through, block or redirect what is in the list; which of these, the entry does not tell."},
		{ID: "list-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"rules_list.create", "rules_list.update", "rules_list.delete"}},
			Title: "List for rules changed",
			Why:   "A new list is empty, only the description of one can be changed, and one that a rule uses cannot be deleted."},
	},
}

// readList determines which list, or which items of one, an entry is about. A
// request has its items in an array, and those that it deletes in one called
// "items".
func (r *review) readList() {
	r.Target = r.text("name", "description")
	if r.verb == VerbDelete && r.Target == "" {
		r.Target = r.meta.text("list")
	}
	if !strings.HasPrefix(r.name, "rules_list.item.") {
		return
	}
	items := r.e.New
	if r.e.Call != nil {
		items = r.e.Call.Request
	}
	if inner := items.Get("items"); inner.Exists() {
		items = inner
	}
	n := 0
	for range items.All() {
		n++
	}
	item := items
	if items.Kind() == jsondoc.Array {
		item = items.First()
	}
	source := item.Get("redirect", "source_url").Text()
	if source != "" && r.verb != VerbDelete {
		r.rename("rules_list.redirect." + r.verb)
	}
	for _, said := range []string{source, item.Get("ip").Text(), item.Get("hostname", "url_hostname").Text(), item.Get("asn").Text()} {
		if said != "" {
			r.Target = said
			break
		}
	}
	if to := item.Get("redirect", "target_url").Text(); to != "" && source != "" {
		r.Target += " to " + to
	}
	if items.Kind() == jsondoc.Array && n > 1 && r.Target != "" {
		r.Target += " and " + strconv.Itoa(n-1) + " more"
	}
}
