// Package product interprets the entries of Cloudflare's audit logs: how each
// product names its actions in either log, what its entries contain, and which
// of them matter.
//
// Each family of products has its own file with everything about the family: a
// [family] with its names, its routes, the function that reads its entries, its
// titles for readers of both logs, and its default rules. To support a product,
// add or edit one such file. all.go orders the families.
//
// words.go puts canonical actions into words, for titles.
//
// [Understand] finds the canonical action of an entry (name.go and route.go),
// lets the family of that action read the entry (review.go and the family's
// file), and compares the values before and after (compare.go).
package product

import "github.com/aisoc/cloudflareaudit/rules"

// family is everything about a family of products.
type family struct {
	// prefixes are the prefixes of its canonical actions. Of several families
	// the one with the longest fitting prefix counts.
	prefixes []string
	// pairs, subjects and routes lead from Cloudflare's names to canonical
	// actions. names are canonical actions that none of these leads to: those
	// that read assigns by the content of an entry.
	pairs    []pair
	subjects []subject
	routes   []route
	names    []string

	// read determines what an entry did. Nil means readOther.
	read func(*review)
	// finish completes the facts when the target is known.
	finish func(*review)
	// plainValues says that the values in its entries are no secrets, such as
	// settings and records. Elsewhere a member called "value" may be a new token,
	// or the secret of a Worker.
	plainValues bool
	// hooks says that entries have user-defined addresses to which Cloudflare
	// posts, and credentials that a value which is a bare string is one.
	hooks, credentials bool
	// switches says that its members switch a protection, see [switches].
	switches bool
	// skips reports whether read itself compares a member of the resource.
	skips func(member string) bool

	// joints are the changes of which the two logs have different details.
	joints []joint
	// raises says that a change of a protection to the safer side is no more than
	// that, whatever other rules say of the action.
	raises bool
	// reads are the rules for reads that are worth an event, and rules those
	// for everything else. The first match decides, so special cases come
	// before general ones.
	reads []rules.Rule
	rules []rules.Rule
}

// pair is a resource.type and an action.type of the audit log, and the
// canonical action. They are compared without regard to case and separators, so
// "DNS_record" equals "dns.record". A resource of "*" means that the action
// type alone suffices.
type pair struct{ resource, action, name string }

// subject is a kind of resource whose pairs are only partly documented, or not
// at all. It is recognised by words in the resource type or in the action type;
// the verb is then the first one in the action type.
//
// Words match prefixes of words: "rule" fits "rules" but not "firewallrules". A
// "^" anchors one to the beginning of the name and a "$" to its end.
type subject struct {
	resource string
	action   string
	// name is the prefix of the canonical names. They end in the kind of the
	// verb, except for those that verbs lists as "kind=name".
	name  string
	verbs string
	// how is when the subject fits.
	how fit
	// rank is how specific the words are. Subjects with more specific words are
	// tried first.
	rank rank
}

// fit is when a subject fits an entry.
type fit int

const (
	either fit = iota // the resource or the action has one of the words
	both              // each has one
	bare              // the resource has one, and the action is a verb alone
)

// rank is how specific the words of a subject are.
type rank int

const (
	// exact words are unambiguous wherever they occur.
	exact rank = iota
	// named words are the name of a product, which may contain words of other
	// subjects, such as "token", "rule" or "group".
	named
	// within are words that mean this only if no product is named.
	within
	// common words are the things of the oldest products, such as "zone" or
	// "worker".
	common
	// vague words are used by many products.
	vague
	// leftover are subjects for entries that no other subject fits.
	leftover
)

// route is a path of the API and what a request to it does. Entries of Audit
// Logs v2 are named by route first: the type of their action is only the class
// of the method, so that a POST which deletes is "create".
type route struct {
	// method is one or more HTTP methods, or "*" for those of a collection:
	// POST creates, PUT and PATCH update, DELETE deletes and GET views a member
	// of it. The name of such a row has no verb.
	method string
	// path is the path after the prefix of the API, without the query. A
	// segment in braces matches any one segment. {zone} and {account} are the
	// zone and the account, and {id} is the resource; any other name becomes a
	// member of the metadata. A path that begins with {scope} is one below
	// /accounts/{account}, /zones/{zone} and /user.
	path string
	// name is the canonical action.
	name string
}
