package fakeaisoc

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// reserved are the names at the top level of an event that mean something to
// the service or to one of its detections, and nothing of ours.
var reserved = []string{
	"event_name", "operation_name", "path", "method_name", "verb", "outcome", "user_agent", "interface",
	"result", "user", "target", "role", "scope",
}

// reservedActions are the actions that detections of other products look for.
var reservedActions = []string{"api_token_created", "compliance_policy_disabled", "org.disable_two_factor_requirement"}

var technique = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)

// Check returns what the service would lose or misread of an event.
func Check(event map[string]any) []string {
	var wrong []string
	fault := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }

	for _, name := range []string{"source", "raw_event"} {
		if _, ok := event[name]; !ok {
			fault("%s is missing, so the severity is unknown", name)
		}
	}
	if id, _ := event["external_id"].(string); id == "" {
		fault("external_id is not a text")
	}
	severity, _ := event["severity"].(string)
	if !slices.Contains([]string{"critical", "high", "medium", "low", "info"}, severity) {
		fault("severity is %v, which becomes medium", event["severity"])
	}
	created, _ := event["created_at"].(string)
	if _, err := time.Parse(time.RFC3339, created); err != nil {
		fault("created_at is %v, which becomes now", event["created_at"])
	}
	if event["timestamp"] != event["created_at"] {
		fault("timestamp is %v and created_at %v", event["timestamp"], event["created_at"])
	}
	for _, name := range []string{"title", "actor", "src_ip", "hostname", "action", "decision"} {
		value, ok := event[name]
		text, isText := value.(string)
		switch {
		case !ok:
			fault("%s is missing", name)
		case value != nil && !isText:
			fault("%s is a %T, which loses the alert", name, value)
		case value != nil && text == "":
			fault("%s is empty and not null", name)
		}
	}
	if ip, ok := event["src_ip"].(string); ok {
		if addr, err := netip.ParseAddr(ip); err != nil || addr.Zone() != "" {
			fault("src_ip is %q", ip)
		}
	}
	techniques, ok := event["mitre_techniques"].([]any)
	if !ok {
		fault("mitre_techniques is no list")
	}
	for _, t := range techniques {
		if id, _ := t.(string); !technique.MatchString(id) {
			fault("mitre_techniques holds %v", t)
		}
	}
	for _, name := range reserved {
		if _, ok := event[name]; ok {
			fault("%s means something else", name)
		}
	}
	if action, _ := event["action"].(string); slices.Contains(reservedActions, action) {
		fault("action %s means something else", action)
	}
	if holdsNUL(event) {
		fault("a NUL character, which no database takes")
	}
	return wrong
}

// holdsNUL reports whether a NUL is anywhere in v.
func holdsNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, holdsNUL)
	case map[string]any:
		for key, value := range v {
			if holdsNUL(key) || holdsNUL(value) {
				return true
			}
		}
	}
	return false
}

// Detections returns the ids of the service's detections that an event of
// Cloudflare sets off. They compare flat keys for equality.
func Detections(event map[string]any) []string {
	var ids []string
	action, decision := event["action"], event["decision"]
	if action == "zone.transfer_out" {
		ids = append(ids, "det-cloud-181")
	}
	if action == "firewall_rule.disable" || action == "waf_rule.disable" {
		ids = append(ids, "det-cloud-182")
	}
	if action == "access_policy.create" && decision == "bypass" {
		ids = append(ids, "det-cloud-183")
	}
	return ids
}
