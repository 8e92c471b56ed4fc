package eventformat

import "strings"

// verbOf is the last part of a canonical action, without what says that it
// failed.
func verbOf(action string) string {
	action = strings.TrimSuffix(action, ".failed")
	return action[strings.LastIndexByte(action, '.')+1:]
}

// kind is what an action does to the thing that it is about.
type kind int

const (
	other kind = iota
	creation
	reading
	change
	deletion
)

// kindOf is the kind of the verb of a canonical action.
func kindOf(action string) kind {
	switch verbOf(action) {
	case "create", "add", "upload", "issue", "register":
		return creation
	case "view", "read", "list", "download":
		return reading
	case "update", "edit", "enable", "disable", "pause", "unpause", "roll", "rotate", "set", "change", "activate", "deactivate":
		return change
	case "delete", "remove", "revoke", "leave", "purge", "deregister":
		return deletion
	}
	return other
}
