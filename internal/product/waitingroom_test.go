package product

import (
	"slices"
	"testing"
)

var waitingRoomsSuite = suite{
	pairs: slices.Concat(
		rows("?waiting room/event_delete", "waiting_room.event.delete", low, same, same),
		rows("?waiting_room.rule/create", "waiting_room.rule.create", low, same, same),
		rows("?waiting_room/delete", "waiting_room.delete", medium, low, same, inZone, oldValue(`{"name":"sale"}`)),
		rows("?waiting_room/update", "waiting_room.disable", medium, low, low, inZone, values(`{"name":"sale","suspended":false}`, `{"name":"sale","suspended":true}`)),
		rows("?waiting_room/update", "waiting_room.update", medium, same, same, values(`{"name":"sale","custom_page_html":"a"}`, `{"name":"sale","custom_page_html":"b"}`)),
	),
	calls: waitingRoomsCalls(),
	examples: map[string]ruleExample{
		"waiting-room-previewed":    {requested("POST", "/zones/"+exampleZone+"/waiting_rooms/preview"), requested("POST", "/zones/"+exampleZone+"/waiting_rooms")},
		"waiting-room-removed":      {logged("waiting_room", "delete", inProduction, oldValue(`{"name":"sale"}`)), logged("waiting_room", "delete", inStaging, oldValue(`{"name":"sale"}`))},
		"waiting-room-page-changed": {logged("waiting_room", "update", inProduction, values(`{"name":"sale","custom_page_html":"a"}`, `{"name":"sale","custom_page_html":"b"}`)), logged("waiting_room", "update", inProduction, values(`{"name":"sale","total_active_users":1}`, `{"name":"sale","total_active_users":2}`))},
		"waiting-room-changed":      {logged("waiting_room", "update", inProduction, values(`{"name":"sale","total_active_users":1}`, `{"name":"sale","total_active_users":2}`)), logged("waiting_room", "view")},
	},
	moves: map[string]moveCase{
		"suspended": {logged("waiting_room", "update", values(`{"name":"sale","suspended":false}`, `{"name":"sale","suspended":true}`)), "waiting_room.disable", "weaker", "sale"},
		"resumed":   {logged("waiting_room", "update", values(`{"name":"sale","suspended":true}`, `{"name":"sale","suspended":false}`)), "waiting_room.enable", "safer", "sale"},
	},
}

func waitingRoomsCalls() callList {
	var list callList
	list.add("POST {z}/waiting_rooms/preview", "waiting_room.view", info)
	list.add("PUT {z}/waiting_rooms/settings; PATCH {z}/waiting_rooms/settings", "waiting_room.settings.update", low)
	list.add("POST {z}/waiting_rooms", "waiting_room.create", low, requestBody(`{"name":"sale","host":"example.com"}`))
	list.add("PATCH {z}/waiting_rooms/1", "waiting_room.update", medium, requestBody(`{"custom_page_html":"<form>"}`))
	list.add("PATCH {z}/waiting_rooms/1", "waiting_room.disable", medium, requestBody(`{"suspended":true}`))
	list.add("PUT {z}/waiting_rooms/1", "waiting_room.update", low, requestBody(`{"suspended":false}`))
	list.add("DELETE {z}/waiting_rooms/1", "waiting_room.delete", medium)
	list.add("POST {z}/waiting_rooms/1/events", "waiting_room.event.create", low)
	list.add("PUT {z}/waiting_rooms/1/events/1; PATCH {z}/waiting_rooms/1/events/1", "waiting_room.event.update", low)
	list.add("DELETE {z}/waiting_rooms/1/events/1", "waiting_room.event.delete", low)
	list.add("POST {z}/waiting_rooms/1/rules", "waiting_room.rule.create", low)
	list.add("PUT {z}/waiting_rooms/1/rules; PATCH {z}/waiting_rooms/1/rules/1", "waiting_room.rule.update", low)
	list.add("DELETE {z}/waiting_rooms/1/rules/1", "waiting_room.rule.delete", low)
	return list
}

func TestWaitingRooms_EveryEntryIsUnderstoodAndGraded(t *testing.T) { waitingRoomsSuite.check(t) }
