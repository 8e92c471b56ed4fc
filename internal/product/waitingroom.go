package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// Waiting rooms.
var waitingRooms = family{
	prefixes:    oneOf{"waiting_room."},
	plainValues: true,
	read:        (*review).readWaitingRoom,
	subjects: []subject{
		{"waiting_room_event", "waiting_room_event", "waiting_room.event", "", either, named},
		{"waiting_room", "^event", "waiting_room.event", "", both, named},
		{"waiting_room_rule", "waiting_room_rule", "waiting_room.rule", "", either, named},
		{"waiting_room", "^rule", "waiting_room.rule", "", both, named},
		{"waiting_room", "waiting_room", "waiting_room", "", either, named},
	},
	routes: []route{
		{"POST", "/zones/{zone}/waiting_rooms/preview", "waiting_room.view"},
		{"PUT PATCH", "/zones/{zone}/waiting_rooms/settings", "waiting_room.settings.update"},
		{"*", "/zones/{zone}/waiting_rooms", "waiting_room"},
		{"POST", "/zones/{zone}/waiting_rooms/{room}/events", "waiting_room.event.create"},
		{"PUT PATCH", "/zones/{zone}/waiting_rooms/{room}/events/{id}", "waiting_room.event.update"},
		{"DELETE", "/zones/{zone}/waiting_rooms/{room}/events/{id}", "waiting_room.event.delete"},
		{"POST", "/zones/{zone}/waiting_rooms/{room}/rules", "waiting_room.rule.create"},
		{"PUT", "/zones/{zone}/waiting_rooms/{room}/rules", "waiting_room.rule.update"},
		{"PATCH", "/zones/{zone}/waiting_rooms/{room}/rules/{id}", "waiting_room.rule.update"},
		{"DELETE", "/zones/{zone}/waiting_rooms/{room}/rules/{id}", "waiting_room.rule.delete"},
	},
	reads: []rules.Rule{
		{ID: "waiting-room-previewed", Severity: info,
			Match: rules.Match{Action: oneOf{"waiting_room.view"}, Method: oneOf{"POST"}},
			Title: "Page of waiting room previewed",
			Why:   "Somebody looked at a page before using it. Visitors do not see it."},
	},
	rules: []rules.Rule{
		{ID: "waiting-room-removed", Severity: medium, Techniques: oneOf{"T1499"},
			Match: rules.Match{Action: oneOf{"waiting_room.delete", "waiting_room.disable"}, Production: new(true)},
			Title: "Waiting room removed or suspended[: {target}]",
			Why:   "Nothing keeps a crowd from a zone in production any more, be it of visitors or of an attacker."},
		{ID: "waiting-room-page-changed", Severity: medium, Techniques: oneOf{"T1491.002", "T1566"},
			Match: rules.Match{Action: oneOf{"waiting_room.create", "waiting_room.update", "waiting_room.event.create", "waiting_room.event.update"},
				Changed: []rules.Change{{Field: "custom_page_html"}}},
			Title: "Page of waiting room changed: {words}[: {target}]",
			Why:   "Visitors get its content under the name of the zone, and type passwords into it."},
		{ID: "waiting-room-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"waiting_room.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable"}},
			Title: "Waiting room changed",
			Why:   "It decides how many visitors wait, and which of them do not."},
	},
}

// readWaitingRoom determines which waiting room an entry is about, and whether it
// lets everybody in from now on.
func (r *review) readWaitingRoom() {
	r.Target = r.text("name", "host", "description")
	r.zoneIsTarget = true
	if r.name != "waiting_room.update" {
		return
	}
	switch directionIn("on off", r.before.get("suspended"), r.after.get("suspended")) {
	case rules.Weaker:
		r.rename("waiting_room.disable")
		r.Direction = rules.Weaker
	case rules.Safer:
		if r.before.has("suspended") {
			r.rename("waiting_room.enable")
			r.Direction = rules.Safer
		}
	}
}
