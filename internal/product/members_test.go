package product

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Names that changes of members have had over time, and others that follow from
// them.
const (
	memberAdded = "members/create; ?member/add; ?member/added; ?member/invite; ?account/member_add; ?account/member_create; ?account/member_invite; " +
		"?account/add_member; ?account/create_member; ?account/invite_member; ?account/add_invitation; ?account/create_invitation; ?invite/create; ?invitation/create; " +
		"?scim_user/create; /Create SCIM User"
	memberUpdated = "?members/update; ?member/update; ?membership/update; ?role/update; ?account/member_update; ?account/member_role; ?account/member_role_update; " +
		"?account/update_member_role; ?account/invite_update; ?scim_user/update; /Update SCIM User; /Replace SCIM User; /Update SCIM Group"
	memberRemoved = "?members/delete; ?member/remove; ?account/member_removed; ?account/member_delete; ?scim_user/delete; /Delete SCIM User"
)

const superPolicy = `{"policies":[{"permission_groups":[{"id":"p1","name":"Super Administrator"}]}]}`

var membersSuite = suite{
	pairs: slices.Concat(
		// The names that the product page and the detections of hosts use.
		rows("/member.add; /memberAdd", "member.add", high, same, same, newValue(`{"roles":[`+superRole+`]}`)),
		// A role that the entry does not state may be any.
		rows(memberAdded, "member.add", high, same, same, newValue(`{"roles":[`+superRole+`]}`)),
		rows(memberAdded, "member.add", high, same, same, newValue(`{"roles":["33666b9c79b9a5273fc7344ff42f953d"]}`)),
		rows(memberAdded, "member.add", high, same, same, `"metadata":{"user_email":"dave@example.org","role":"super administrator - all privileges"}`),
		rows(memberAdded, "member.add", high, same, same, newValue(superPolicy)),
		rows(memberAdded, "member.add", high, same, same, `"metadata":{"account_name":"Example","user_email":"dave@example.org"}`),
		rows(memberAdded, "member.add", medium, same, same, newValue(`{"roles":[`+readerRole+`]}`)),
		rows("?account/add", "member.add", high, same, same, `"metadata":{"account_name":"Example","user_email":"dave@example.org"}`),
		rows(memberUpdated, "member.update", high, same, same),
		rows(memberUpdated, "member.update", high, same, same, values(`{"roles":[`+readerRole+`]}`, `{"roles":[`+superRole+`]}`)),
		rows(memberUpdated, "member.update", medium, same, same, values(`{"roles":[`+superRole+`]}`, `{"roles":[`+readerRole+`]}`)),
		rows(memberUpdated, "member.update", low, same, low, values(`{"status":"pending"}`, `{"status":"accepted"}`)),
		rows(memberRemoved, "member.remove", medium, same, same),
		rows("account/accept_member; ?account/member_accept; ?member/accepted", "member.invitation.accept", medium, same, same),
		rows("?invitation/accepted; ?invites/update; ?memberships/update", "member.invitation.accept", medium, same, same),
		rows("?account/decline_member; ?members/decline_member", "member.invitation.decline", low, same, same),
		rows("?invites/update; ?memberships/update", "member.invitation.decline", low, same, same, newValue(`{"status":"rejected"}`)),
		rows("?memberships/delete", "member.leave", low, same, same),
		rows("?iam.user_groups/create; ?iam.resource_groups/create; ?account/user_group_create; ?account/usergroup_add; /Create SCIM Group; ?scim_group/create",
			"user_group.create", medium, same, same),
		rows("?iam.user_groups/create", "user_group.create", high, same, same, newValue(superPolicy)),
		rows("?iam.user_groups/update; ?iam.resource_groups/update; ?account/user_group_update", "user_group.update", medium, same, same),
		rows("?iam.user_groups/update", "user_group.update", high, same, same, newValue(superPolicy)),
		rows("?iam.user_groups/delete; /Delete SCIM Group", "user_group.delete", medium, same, same),
	),
	calls: membersCalls(),
	examples: map[string]ruleExample{
		"super-administrator-added":   {logged("member", "add", newValue(`{"roles":[`+superRole+`]}`)), logged("member", "add", newValue(`{"roles":[`+readerRole+`]}`))},
		"super-administrator-granted": {logged("member", "update", newValue(`{"roles":[`+superRole+`]}`)), logged("member", "delete", oldValue(`{"roles":[`+superRole+`]}`))},
		"member-added-role-unknown":   {logged("member", "add"), logged("member", "add", newValue(`{"roles":[`+readerRole+`]}`))},
		"member-added":                {logged("member", "add", newValue(`{"roles":[`+readerRole+`]}`)), logged("account", "add", inProduction)},
		"member-changed":              {logged("member", "update", oldValue(`{"status":"a"}`), newValue(`{"status":"b"}`)), logged("member", "update")},
		"member-role-unknown":         {logged("member", "update"), logged("member", "update", newValue(`{"roles":[`+readerRole+`]}`))},
		"member-role-changed":         {logged("member", "update", newValue(`{"roles":[`+readerRole+`]}`)), logged("member", "update", newValue(`{"roles":[`+superRole+`]}`))},
		"member-removed":              {logged("account", "member_remove"), logged("invitation", "cancelled")},
		"invitation-accepted":         {logged("account", "accept_member"), logged("invitation", "declined")},
		"invitation-answered":         {logged("invitation", "cancelled"), logged("invitation", "create")},
		"member-left":                 {logged("memberships", "delete"), logged("members", "delete")},
		"user-group-changed":          {logged("iam.user_group", "update"), logged("iam.user_group", "delete")},
		"user-group-deleted":          {logged("iam.user_group", "delete"), logged("iam.user_group", "view")},
	},
	facts: map[string]factCase{
		"member": {
			raw:    logged("account", "add", `"metadata":{"account_name":"Example","user_email":"dave@example.org"}`),
			action: "member.add",
			want:   rules.Facts{Target: "dave@example.org", Role: rules.RoleUnknown},
		},
		"member in the value": {
			raw:  logged("member", "update", newValue(`{"user":{"email":"dave@example.org"},"roles":["33666b9c79b9a5273fc7344ff42f953d"]}`)),
			want: rules.Facts{Target: "dave@example.org", Role: rules.RoleSuper, RoleName: "Super Administrator"},
		},
	},
}

func membersCalls() callList {
	var list callList
	list.add("POST {a}/members", "member.add", high, requestBody(`{"email":"dave@example.org","roles":["33666b9c79b9a5273fc7344ff42f953d"]}`))
	list.add("POST {a}/members", "member.add", medium, requestBody(`{"email":"dave@example.org","roles":["6dd5d1a549b2b620dc4d9ff97375077b"]}`),
		responseBody(`{"user":{"email":"dave@example.org"},"roles":[{"id":"6dd5d1a549b2b620dc4d9ff97375077b","name":"Administrator Read Only"}]}`))
	list.add("POST {a}/members; POST {a}/scim/v2/Users", "member.add", high)
	list.add("PUT {a}/members/1; PATCH {a}/members/1", "member.update", high, requestBody(`{"roles":[`+superRole+`]}`))
	list.add("PUT {a}/members/1", "member.update", medium, requestBody(`{"roles":[`+readerRole+`]}`))
	list.add("PUT {a}/scim/v2/Users/1; PATCH {a}/scim/v2/Users/1; PUT {a}/scim/v2/Groups/1; PATCH {a}/scim/v2/Groups/1", "member.update", high)
	list.add("PATCH {a}/scim/v2/Groups/1", "member.update", high, requestBody(`{"Operations":[{"op":"add","path":"members","value":[{"value":"x"}]}]}`))
	list.add("PUT {a}/scim/v2/Groups/1", "member.update", high, requestBody(`{"displayName":"operators","members":[{"value":"x"}]}`))
	list.add("DELETE {a}/members/1; DELETE {a}/scim/v2/Users/1", "member.remove", medium)
	list.add("GET {a}/members; GET {a}/members/1", "member.view", drop)
	list.add("PATCH /user/invites/1; PUT /user/invites/1; PUT /memberships/1; PATCH /memberships/1", "member.invitation.accept", medium, requestBody(`{"status":"accepted"}`))
	list.add("PATCH /user/invites/1; PUT /memberships/1", "member.invitation.decline", low, requestBody(`{"status":"rejected"}`))
	list.add("DELETE /memberships/1; DELETE /user/organizations/1", "member.leave", low)
	list.add("POST {a}/iam/user_groups; POST {a}/iam/resource_groups; POST {a}/scim/v2/Groups", "user_group.create", medium)
	list.add("PUT {a}/iam/user_groups/1; PATCH {a}/iam/resource_groups/1; POST {a}/iam/user_groups/1/members; PUT {a}/iam/user_groups/1/members; "+
		"DELETE {a}/iam/user_groups/1/members/1", "user_group.update", medium)
	list.add("DELETE {a}/iam/user_groups/1; DELETE {a}/iam/resource_groups/1; DELETE {a}/scim/v2/Groups/1", "user_group.delete", medium)
	return list
}

func TestMembers_EveryEntryIsUnderstoodAndGraded(t *testing.T) { membersSuite.check(t) }

func TestMembers_TheRoleIsFoundWhereverItStands(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ action, more, want string }{
		"by id and name":         {"create", `"newValueJson":{"roles":[` + superRole + `]}`, rules.RoleSuper},
		"by id alone":            {"create", `"newValueJson":{"roles":["33666b9c79b9a5273fc7344ff42f953d"]}`, rules.RoleSuper},
		"by name alone":          {"create", `"metadata":{"role":"Super Administrator"}`, rules.RoleSuper},
		"among others":           {"create", `"metadata":{"role_names":["DNS","super administrator - All"]}`, rules.RoleSuper},
		"in a policy":            {"create", `"newValueJson":{"policies":[{"permission_groups":[{"id":"x","name":"Super Administrator"}]}]}`, rules.RoleSuper},
		"in the documented text": {"create", `"newValue":"{\"roles\":[\"33666b9c79b9a5273fc7344ff42f953d\"]}"`, rules.RoleSuper},
		"a lesser one":           {"create", `"newValueJson":{"roles":[` + readerRole + `]}`, rules.RoleOther},
		"opaque policies":        {"create", `"newValueJson":{"policies":[{"permission_groups":[{"id":"x"}]}]}`, rules.RoleUnknown},
		"none said":              {"create", `"metadata":{"user_email":"dave@example.org"}`, rules.RoleUnknown},
		"granted":                {"update", `"oldValueJson":{"roles":[` + readerRole + `]},"newValueJson":{"roles":[` + readerRole + `,` + superRole + `]}`, rules.RoleSuper},
		"granted in metadata":    {"update", `"metadata":{"old_role":"DNS","new_role":"Super Administrator"}`, rules.RoleSuper},
		"had it already":         {"update", `"oldValueJson":{"roles":[` + superRole + `]},"newValueJson":{"roles":[` + superRole + `,` + readerRole + `]}`, rules.RoleOther},
		"taken away":             {"update", `"oldValueJson":{"roles":[` + superRole + `]},"newValueJson":{"roles":[` + readerRole + `]}`, rules.RoleOther},
		"kept":                   {"update", `"oldValueJson":{"roles":[` + superRole + `],"status":"a"},"newValueJson":{"roles":[` + superRole + `],"status":"b"}`, rules.RoleUnchanged},
		"something else":         {"update", `"oldValueJson":{"status":"a"},"newValueJson":{"status":"b"}`, rules.RoleUnchanged},
		"update that says none":  {"update", `"metadata":{}`, rules.RoleUnknown},
		"removed":                {"delete", `"oldValueJson":{"roles":[` + superRole + `]}`, ""},
	} {
		got := understood(t, logged("member", tt.action, tt.more))
		assert.Equal(t, tt.want, got.Role, name)
	}
}
