package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// offOn is the order of a switch that protects while it is on.
const offOn = "off on"

// directionIn is the direction in which a value has moved in an order: the
// values of a setting from the weakest to the safest, separated by spaces.
// Values before the first bar are always weak and those after the last always
// safe, whatever the old value; without bars these are the first and the last
// value. It is "" if the value did not move or the direction is unknown.
func directionIn(order string, before, now jsondoc.Value) string {
	if order == "" {
		return ""
	}
	to, part, safest := placeIn(order, now)
	from, _, _ := placeIn(order, before)
	switch {
	case to < 0 || to == from:
		return ""
	case from >= 0 && to < from, from < 0 && part == 0:
		return rules.Weaker
	case from >= 0, part == safest:
		return rules.Safer
	}
	return ""
}

// placeIn is the position of a value in an order, or -1, the part that it is
// in, and the safest part.
func placeIn(order string, v jsondoc.Value) (place, part, safest int) {
	text := v.Text()
	switch {
	case v.Kind() == jsondoc.Object:
		// HTTP strict transport security is an object.
		if inner := v.Get("strict_transport_security"); inner.Exists() {
			v = inner
		}
		text = v.Get("enabled").Text()
		if v.Get("max_age").Text() == "0" {
			text = "false" // browsers drop it at once
		}
		fallthrough
	case text == "true", text == "false":
		text = map[string]string{"true": "on", "false": "off"}[text]
	}
	place = -1
	i, bars := 0, strings.IndexByte(order, '|') >= 0
	for name := range strings.SplitSeq(order, " ") {
		switch {
		case name == "|":
			safest++
			continue
		case !bars:
			safest = i
		}
		if strings.EqualFold(name, text) {
			place, part = i, safest
		}
		i++
	}
	return place, part, safest
}

// reverse is the other direction.
func reverse(direction string) string {
	switch direction {
	case rules.Weaker:
		return rules.Safer
	case rules.Safer:
		return rules.Weaker
	}
	return ""
}

// switches are members that switch a protection, with their values from the
// weakest to the safest.
var switches = map[string]string{
	"advertised":                           offOn,
	"ai_bots_protection":                   "disabled | only_on_ad_pages | block",
	"allow_mode_switch":                    "on off",
	"allow_out_of_region_access":           "on off",
	"allowed_to_leave":                     "on off",
	"deletion_protection":                  offOn,
	"deny_unmatched_requests":              offOn,
	"enabled":                              offOn,
	"fight_mode":                           offOn,
	"flag":                                 offOn,
	"gateway_proxy_enabled":                offOn,
	"gateway_udp_proxy_enabled":            offOn,
	"mfa_required_for_all_apps":            offOn,
	"sbfm_definitely_automated":            "allow | managed_challenge | block",
	"sbfm_likely_automated":                "allow | managed_challenge | block",
	"sbfm_verified_bots":                   "allow | block",
	"switch_locked":                        offOn,
	"validation_default_mitigation_action": "none log | block",
	"mitigation_action":                    "none log | block",
	"validation_enabled":                   offOn,
	// Overriding the actions of all endpoints with none switches them off.
	"validation_override_mitigation_action": "none | disable_override",
	"default_mode":                          "off | min-friction | max-security",
	"content_bots_protection":               "disabled | block",
	"crawler_protection":                    "disabled | enabled",
}

// readSwitches determines the direction of changes in families whose members
// are switches.
func (r *review) readSwitches() {
	if r.verb != VerbUpdate || !r.family.switches {
		return
	}
	for i := range r.after {
		m := &r.after[i]
		switch directionIn(switches[m.key], r.before.get(m.key), m.val) {
		case rules.Weaker:
			r.Direction = rules.Weaker
			if name := strings.TrimSuffix(r.name, r.verb) + verbDisable; m.key == "enabled" && known.namings[name] != nil {
				r.rename(name)
			}
			return
		case rules.Safer:
			r.Direction = rules.Safer
		}
	}
}
