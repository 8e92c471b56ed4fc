package product

import (
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/redact"
)

// This file finds the old values of an entry of Audit Logs v2, which has none,
// in earlier entries about the same resource.

// UnderstandAfter is [Understand] for an entry of Audit Logs v2 with old values
// from earlier ones. Of those it uses the successful changes of the same
// resource that were made before; it sorts earlier, and masks secrets in it. It
// returns the newest entry that an old value is from, or nil.
//
// Strings of f may also share the memory of the earlier entries.
func UnderstandAfter(e *audit.Entry, earlier []*audit.Entry, f *Facts) (from *audit.Entry) {
	return understand(e, earlier, f)
}

// Comparable reports whether earlier entries may have old values for e, whose
// facts f are: whether e is a successful change of members of a resource, and
// states when it was made.
func (f *Facts) Comparable(e *audit.Entry) bool {
	if e.Call == nil || e.Undecodable || !f.Succeeded || e.When.IsZero() {
		return false
	}
	switch e.Call.Method {
	case "PUT", "PATCH":
		// The result may have another verb: an update can end a zone hold.
		switch f.Verb {
		case verbView, VerbRoll, verbLogin, verbLogout, VerbAccept:
			return false
		}
	case "POST", "":
		switch f.Verb {
		case VerbUpdate, VerbEnable, verbDisable, verbReset:
		default:
			return false
		}
	default:
		return false
	}
	return hasMembers(audit.Unwrapped(e.Call.Request))
}

// statement is what an entry says about its resource: what was sent, and what
// the resource was like afterwards. Either may be missing.
type statement struct {
	sent, result jsondoc.Value
	entry        *audit.Entry
}

// statementOf reads the bodies of e, an entry about the resource of the route.
func (r *routed) statementOf(e *audit.Entry) statement {
	s := statement{sent: audit.Unwrapped(e.Call.Request), result: resultOf(audit.Unwrapped(e.Call.Response)), entry: e}
	if r.isRule() {
		s.result = ruleIn(s.result, r.id) // the answer is the whole rule set
	}
	if s.sent.Kind() != jsondoc.Object {
		s.sent = jsondoc.Value{}
	}
	return s
}

// ruleIn is the rule with an id in a rule set.
func ruleIn(ruleset jsondoc.Value, id string) jsondoc.Value {
	for rule := range ruleset.Get("rules").All() {
		if id != "" && rule.Get("id").Text() == id {
			return rule
		}
	}
	return jsondoc.Value{}
}

// recall fills in the resource before the change from earlier entries. A change
// may send only some members, so it looks at each member by itself, and only at
// those that are known on both sides.
func (r *review) recall(earlier []*audit.Entry) {
	past := r.past(earlier)
	if len(past) == 0 {
		return
	}
	now := r.route.statementOf(r.e)
	sent := !r.e.New.Same(now.result)
	r.partial = r.e.Call.Method != "PUT"
	for i := range r.after {
		m := &r.after[i]
		was := lastWith(past, m.key)
		if was == nil || r.whole && m.key == "rules" {
			continue
		}
		old, result := was.sent.Get(m.key), was.result.Get(m.key)
		if !old.Exists() || !sent && result.Exists() {
			old = result
			r.partial = r.partial || sent // a result has more members than a request
		}
		if result.Exists() && result.Same(now.result.Get(m.key)) && isPlain(m.val) {
			old = m.val // the same in another spelling
		}
		r.remember(was, m.key, old)
	}
	switch {
	case r.whole:
		r.recallRules(past, &now)
	case r.e.Call.Method == "PUT":
		r.recallReset(past, &now)
	}
}

// isPlain reports whether an answer shows the value v as it is. It hides secrets,
// also those in objects and lists.
func isPlain(v jsondoc.Value) bool {
	k := v.Kind()
	return k != jsondoc.Object && k != jsondoc.Array && !strings.Contains(v.Text(), redact.Masked)
}

// remember adds an old value.
func (r *review) remember(was *statement, key string, old jsondoc.Value) {
	r.before = append(r.before, member{key, old})
	if r.oldFrom == nil || was.entry.When.After(r.oldFrom.When) {
		r.oldFrom = was.entry
	}
}

// recallRules compares a whole rule set with what it was, if its rules have ids
// by which to do so. Requests often have none; answers do.
func (r *review) recallRules(past []statement, now *statement) {
	was := lastWith(past, "rules")
	if was == nil {
		return
	}
	before, after := was.result.Get("rules"), now.result.Get("rules")
	if !isArray(before) || !isArray(after) {
		before, after = was.sent.Get("rules"), now.sent.Get("rules")
		if !haveIDs(before) || !haveIDs(after) {
			return
		}
	}
	r.whole = false
	r.remember(was, "rules", before)
	for i := range r.after {
		if m := &r.after[i]; m.key == "rules" {
			m.val = after
		}
	}
}

func isArray(v jsondoc.Value) bool { return v.Kind() == jsondoc.Array }

// haveIDs reports whether v is a list of rules with ids.
func haveIDs(v jsondoc.Value) bool {
	for rule := range v.All() {
		if textOf(rule, "id", "ref") == "" {
			return false
		}
	}
	return isArray(v)
}

// recallReset finds the members that a request reset by leaving them out: once
// they were sent, and the answer now has another value.
func (r *review) recallReset(past []statement, now *statement) {
	for i := range past {
		for m := range past[i].sent.All() {
			key := m.Name()
			if r.after.has(key) || isHousekeeping(key) || len(r.after) >= maxMembers {
				continue
			}
			was, is := lastWith(past, key), now.result.Get(key)
			if old := was.result.Get(key); old.Exists() && is.Exists() && !old.Same(is) {
				r.after = append(r.after, member{key, is})
				r.remember(was, key, old)
			}
		}
	}
}

// lastWith is the newest statement that has the member, or nil.
func lastWith(past []statement, key string) *statement {
	for i := range past {
		if s := &past[i]; s.sent.Get(key).Exists() || s.result.Get(key).Exists() {
			return s
		}
	}
	return nil
}

// past is what earlier entries say about the resource, newest first, back to
// where it was last deleted.
func (r *review) past(earlier []*audit.Entry) (list []statement) {
	slices.SortStableFunc(earlier, func(a, b *audit.Entry) int { return b.When.Compare(a.When) })
	for _, e := range earlier {
		if e.Call == nil || e.Undecodable || e.Outcome != audit.Success || e.ID == r.e.ID ||
			e.When.IsZero() || !e.When.Before(r.e.When) {
			continue
		}
		same, created := r.isSame(e)
		if !same && !created {
			continue
		}
		if redact.Entry(e.Doc, policyOf(findRoute(e.Call.Method, e.Call.Path).name)) > 0 {
			e.RereadIDs()
		}
		switch {
		case e.Call.Method == "DELETE", e.Call.Method == "" && e.ActionType == VerbDelete:
			return list
		case e.Call.Method == "PUT", e.Call.Method == "PATCH", e.Call.Method == "POST",
			e.Call.Method == "" && (e.ActionType == VerbUpdate || e.ActionType == VerbCreate):
			s := r.route.statementOf(e)
			if created && r.route.isRule() {
				s.sent = jsondoc.Value{} // it may be another rule
			}
			list = append(list, s)
		}
	}
	return list
}

// isSame reports whether e is about the resource of the entry under review, or
// created it.
func (r *review) isSame(e *audit.Entry) (same, created bool) {
	path, of := trimmed(r.e.Call.Path), trimmed(e.Call.Path)
	if path == "" || of == "" {
		return e.ResourceID != "" && e.ResourceID == r.e.ResourceID && e.Call.Product == r.e.Call.Product, false
	}
	id, below := strings.CutPrefix(path, of+"/")
	if !below || e.Call.Method != "POST" || strings.Contains(id, "/") {
		return path == of, false
	}
	result := resultOf(audit.Unwrapped(e.Call.Response))
	return false, textOf(result, "id", "uuid") == id || r.route.isRule() && ruleIn(result, id).Exists()
}
