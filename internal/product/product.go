// Package product knows what the entries of Cloudflare's audit logs mean: how
// each product names what it does in either log, what its entries say, and which
// of that matters.
//
// Each family of products has a file of its own, and all that is known of the
// family stands there: a [family] with its names, its routes, the function that
// reads its entries, its titles for readers of both logs, and its default rules.
// To teach the connector a product is to add or edit one such file. all.go puts
// the families in order.
//
// An entry takes this way: [Understand] finds its canonical action (name.go and
// route.go), lets the family of that action read the entry (review.go and the
// family's file), and compares what was with what is (compare.go).
package product

import "github.com/aisoc/cloudflareaudit/rules"

// family is a family of products: all that is known of it.
type family struct {
	// prefixes are what its canonical actions begin with. Of several families
	// the one with the longest fitting prefix counts.
	prefixes []string
	// pairs, subjects and routes lead from Cloudflare's names to canonical
	// actions. names are canonical actions that none of these leads to: what
	// read makes of what it finds in an entry.
	pairs    []pair
	subjects []subject
	routes   []route
	names    []string

	// read finds out what an entry did. Nil means readOther.
	read func(*review)
	// finish puts the last hand to it, when the target is known.
	finish func(*review)
	// plainValues says that the values in its entries are no secrets, such as
	// settings and records. Elsewhere a member called "value" may be a new token,
	// or the secret of a Worker.
	plainValues bool
	// hooks says that entries have addresses of the user's to which Cloudflare
	// posts, and credentials that a value which is a bare text is one.
	hooks, credentials bool
	// switches says that its members switch a protection, see [switches].
	switches bool
	// skips reports of a member of the resource that read compares it itself.
	skips func(member string) bool

	// joints are the changes of which the two logs do not know the same.
	joints []joint
	// reads are the rules for reads that are worth an event, and rules those for
	// all else. The first that matches decides, so the special case stands above
	// the general one.
	reads []rules.Rule
	rules []rules.Rule
}

// pair is a resource.type and an action.type of the audit log, and the canonical
// action. They are compared without regard to case and separators, so
// "DNS_record" stands for "dns.record" too. A resource of "*" means that the
// action type says enough by itself.
type pair struct{ resource, action, name string }

// subject is a kind of resource of which not all pairs have been published, or
// none. It is recognised by words in the resource type or in the action type;
// the verb is then the first one in the action type.
//
// Words are compared at their beginning: "rule" fits "rules" but not
// "firewallrules". A "^" ties one to the beginning of the name and a "$" to its
// end.
type subject struct {
	resource string
	action   string
	// name is what the canonical names begin with. They end in the kind of the
	// verb, except for those that verbs lists as "kind=name".
	name  string
	verbs string
	// how says when the subject fits.
	how fit
	// rank says how telling the words are. Subjects with more telling words are
	// tried first.
	rank rank
}

// fit says when a subject fits an entry.
type fit int

const (
	either fit = iota // the resource or the action has one of the words
	both              // each has one
	bare              // the resource has one, and the action is a verb alone
)

// rank is how telling the words of a subject are.
type rank int

const (
	// exact words mean one thing wherever they stand.
	exact rank = iota
	// named words are the name of a product, which may have words of others in
	// it, such as "token", "rule" or "group".
	named
	// within are words that mean this only where no product is named.
	within
	// common words are the things of the oldest products, such as "zone" or
	// "worker".
	common
	// vague words are used by many products.
	vague
	// leftover are subjects for what no other has words for.
	leftover
)

// route is a path of the API and what a request to it does. Entries of Audit
// Logs v2 are named by it first: the type of their action is only the class of
// the method, so that a POST which deletes is "create".
type route struct {
	// method is one or more HTTP methods, or "*" for those of a collection:
	// POST creates, PUT and PATCH update, DELETE deletes and GET views a member
	// of it. The name of such a row lacks its verb.
	method string
	// path is what follows the prefix of the API, without the query. A part in
	// braces stands for any one part. {zone} and {account} are what they say
	// and {id} is the resource; any other name becomes a member of the metadata.
	// A path that begins with {scope} is one below /accounts/{account},
	// /zones/{zone} and /user.
	path string
	// name is the canonical action.
	name string
}
