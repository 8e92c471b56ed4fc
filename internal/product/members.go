package product

import (
	"bytes"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Members, their roles and their groups.
var members = family{
	prefixes:    oneOf{"member.", "user_group."},
	plainValues: true,
	read:        (*review).readAccount,
	pairs: []pair{
		// Users answer invitations and leave accounts themselves.
		{"*", "decline_member", "member.invitation.decline"},  // derived, not published
		{"invites", "update", "member.invitation.accept"},     // derived, not published
		{"memberships", "update", "member.invitation.accept"}, // derived, not published
		{"memberships", "delete", "member.leave"},             // derived, not published
	},
	subjects: []subject{
		{"user_group usergroup resource_group", "user_group usergroup resource_group", "user_group", "", either, common},
		// An update of a SCIM group adds members to it, with its roles.
		{"scim_group", "scim_group", "user_group", "update=member.update", either, common},
		{"^invit member_invit account_invit", "invitation invite", "member.invitation", "create=member.add update=member.update delete=member.invitation.cancel", either, common},
		{"member membership scim_user ^role ^account_role", "member membership scim_user role", "member", "create=member.add delete=member.remove accept=member.invitation.accept", either, common},
	},
	routes: []route{
		{"POST", "/accounts/{account}/members", "member.add"},
		{"PUT PATCH", "/accounts/{account}/members/{id}", "member.update"},
		{"DELETE", "/accounts/{account}/members/{id}", "member.remove"},
		{"GET", "/accounts/{account}/members", "member.view"},
		{"GET", "/accounts/{account}/members/{id}", "member.view"},
		{"PUT PATCH", "/user/invites/{id}", "member.invitation.accept"},
		{"PUT PATCH", "/memberships/{id}", "member.invitation.accept"},
		{"DELETE", "/memberships/{id}", "member.leave"},
		{"DELETE", "/user/organizations/{id}", "member.leave"},
		{"POST PUT", "/accounts/{account}/iam/user_groups/{id}/members", "user_group.update"},
		{"DELETE", "/accounts/{account}/iam/user_groups/{id}/members/{member}", "user_group.update"},
		{"*", "/accounts/{account}/iam/user_groups", "user_group"},
		{"*", "/accounts/{account}/iam/resource_groups", "user_group"},
		{"POST", "/accounts/{account}/scim/v2/Users", "member.add"},                // derived, not published
		{"PUT PATCH", "/accounts/{account}/scim/v2/Users/{id}", "member.update"},   // derived, not published
		{"DELETE", "/accounts/{account}/scim/v2/Users/{id}", "member.remove"},      // derived, not published
		{"POST", "/accounts/{account}/scim/v2/Groups", "user_group.create"},        // derived, not published
		{"PUT PATCH", "/accounts/{account}/scim/v2/Groups/{id}", "member.update"},  // derived, not published
		{"DELETE", "/accounts/{account}/scim/v2/Groups/{id}", "user_group.delete"}, // derived, not published
	},
	names: oneOf{"member.invitation.decline"},
	joints: []joint{
		// v2 has another id for a removed member.
		{actions: oneOf{"member.remove"}, by: byActor},
		{actions: oneOf{"member.update"}},
	},
	rules: []rules.Rule{
		{ID: "super-administrator-added", Severity: high, Techniques: oneOf{"T1098.003", "T1136.003"},
			Match: rules.Match{Action: oneOf{"member.add"}, Role: oneOf{"super_administrator"}},
			Title: "Super Administrator added[: {target}]",
			Why:   "A Super Administrator can do everything in the account, including removing all the others."},
		{ID: "super-administrator-granted", Severity: high, Techniques: oneOf{"T1098.003"},
			Match: rules.Match{Action: oneOf{"member.*", "user_group.*"}, Verb: oneOf{"create", "update", "enable", "reset", "accept"}, Role: oneOf{"super_administrator"}},
			Title: "Super Administrator role granted[: {target}]",
			Why:   "A change of role gives the same power as a new Super Administrator, less visibly."},
		{ID: "member-added-role-unknown", Severity: high, Techniques: oneOf{"T1098.003", "T1136.003"},
			Match: rules.Match{Action: oneOf{"member.add"}, Role: oneOf{"unknown"}},
			Title: "Member added, role unknown[: {target}]",
			Why:   "The entry does not say which role was given. It may be that of a Super Administrator."},
		{ID: "member-added", Severity: medium, Techniques: oneOf{"T1098.003", "T1136.003"},
			Match: rules.Match{Action: oneOf{"member.add"}},
			Title: "Member added[: {target}][ as {role}]",
			Why:   "One more person can act in the account."},
		{ID: "member-changed", Severity: low, Techniques: oneOf{"T1098"},
			Match: rules.Match{Action: oneOf{"member.*"}, Verb: oneOf{"update"}, Role: oneOf{"unchanged"}},
			Title: "Member changed",
			Why:   "Something else than the member's roles was changed."},
		{ID: "member-role-unknown", Severity: high, Techniques: oneOf{"T1098.003"},
			Match: rules.Match{Action: oneOf{"member.*"}, Verb: oneOf{"update", "enable", "reset"}, Role: oneOf{"unknown"}},
			Title: "Member changed, role unknown[: {target}]",
			Why:   "The entry does not say which role was given. It may be that of a Super Administrator."},
		{ID: "member-role-changed", Severity: medium, Techniques: oneOf{"T1098.003"},
			Match: rules.Match{Action: oneOf{"member.*"}, Verb: oneOf{"update", "enable", "reset"}},
			Title: "Role of member changed[: {target}][ to {role}]",
			Why:   "A member may do more, or less, than before."},
		{ID: "member-removed", Severity: medium, Techniques: oneOf{"T1531"},
			Match: rules.Match{Action: oneOf{"member.remove", "member.disable"}},
			Title: "Member removed[: {target}]",
			Why:   "Removing the administrators is how an intruder keeps an account."},
		{ID: "member-left", Severity: low,
			Match: rules.Match{Action: oneOf{"member.leave"}},
			Title: "Member left the account",
			Why:   "Users gave up their own membership."},
		{ID: "invitation-accepted", Severity: medium, Techniques: oneOf{"T1098.003", "T1136.003"},
			Match: rules.Match{Action: oneOf{"member.*"}, Verb: oneOf{"accept"}},
			Title: "Invitation to the account accepted[: {target}]",
			Why:   "From now on one more person can act in the account; the invitation may be older than what the connector has read."},
		{ID: "invitation-answered", Severity: low,
			Match: rules.Match{Action: oneOf{"member.*"}, Verb: oneOf{"delete"}},
			Title: "Invitation declined or withdrawn",
			Why:   "Nobody was added."},
		{ID: "user-group-changed", Severity: medium, Techniques: oneOf{"T1098.003"},
			Match: rules.Match{Action: oneOf{"user_group.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "User group changed[: {target}]",
			Why:   "A group hands its permissions to all its members."},
		{ID: "user-group-deleted", Severity: medium, Techniques: oneOf{"T1531"},
			Match: rules.Match{Action: oneOf{"user_group.*"}, Verb: oneOf{"delete", "disable"}},
			Title: "User group deleted[: {target}]",
			Why:   "Its members lose the permissions that the group gave them."},
	},
}

// superAdministrator is the id of the role Super Administrator, the same in
// every account.
const superAdministrator = "33666b9c79b9a5273fc7344ff42f953d"

// roles are the roles that an object assigns.
type roles struct {
	raw    jsondoc.Value
	isSet  bool // there are roles
	super  bool // one is Super Administrator
	known  bool // one is known
	opaque bool // one is not
	names  string
}

// rolesIn reads the roles of a member from all places where an entry may have
// them.
func rolesIn(o object, prefix string) roles {
	var found roles
	for i := range o {
		key, ok := strings.CutPrefix(o[i].key, prefix)
		if !ok {
			continue
		}
		switch key {
		case "role", "roles", "role_name", "role_names", "role_id", "role_ids":
			found.raw = o[i].val
			found.read(o[i].val)
		case "policies":
			found.raw = o[i].val
			for policy := range o[i].val.All() {
				found.opaque = true
				found.read(policy.Get("permission_groups"))
			}
		}
	}
	return found
}

func (r *roles) read(v jsondoc.Value) {
	switch v.Kind() {
	case jsondoc.String:
		if name := v.Text(); name != "" {
			r.add("", name)
		}
	case jsondoc.Object:
		r.add(v.Get("id").Text(), v.Get("name").Text())
	case jsondoc.Array:
		for role := range v.All() {
			r.read(role)
		}
	}
}

func (r *roles) add(id, name string) {
	var buf [2*maxName + 1]byte
	r.isSet = true
	switch {
	case id == superAdministrator, strings.Contains(name, superAdministrator):
		r.super = true
		name = "Super Administrator"
	case bytes.Contains(squash(buf[:0], name), []byte("superadmin")):
		r.super = true
	case name == "":
		r.opaque = true
		return
	}
	r.known = true
	if text.IsHexID(name) {
		return
	}
	switch {
	case r.names == "":
		r.names = name
	case len(r.names) < 100:
		r.names += ", " + name
	}
}

// readRole determines which role a member is given.
func (r *review) readRole() {
	if r.verb == VerbDelete {
		return
	}
	given, had := rolesIn(r.after, ""), rolesIn(r.before, "")
	if !given.isSet {
		given = rolesIn(r.meta, "")
	}
	if !given.isSet {
		given = rolesIn(r.meta, "new_")
	}
	if !had.isSet {
		had = rolesIn(r.meta, "old_")
	}
	r.RoleName = given.names
	switch {
	case given.super && !had.super:
		r.Role = rules.RoleSuper
	case given.isSet && given.raw.Same(had.raw):
		r.Role = rules.RoleUnchanged
	case given.super, given.known && !given.opaque:
		r.Role = rules.RoleOther
	case r.after.has("Operations"), r.after.has("members"):
		// SCIM adds members to a group, with its roles.
		r.Role = rules.RoleUnknown
	case !given.isSet && r.verb == VerbUpdate && len(r.after) > 0:
		r.Role = rules.RoleUnchanged
	default:
		r.Role = rules.RoleUnknown
	}
}

// Member is a member of the account as the API lists it.
type Member struct {
	Role     string // rules.RoleSuper, RoleOther or RoleUnknown
	RoleName string // the names of the roles
}

// MemberOf reads the roles of a member in the list that the API has of them. A
// policy assigns roles by the names of its permission groups.
func MemberOf(listed jsondoc.Value) Member {
	var given roles
	given.read(listed.Get("roles"))
	for policy := range listed.Get("policies").All() {
		if !strings.EqualFold(policy.Get("access").Text(), "deny") {
			given.read(policy.Get("permission_groups"))
		}
	}
	switch {
	case given.super:
		return Member{rules.RoleSuper, given.names}
	case given.known && !given.opaque:
		return Member{rules.RoleOther, given.names}
	}
	return Member{Role: rules.RoleUnknown}
}
