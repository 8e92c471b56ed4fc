// Package docs holds what describes the output for machines.
package docs

import _ "embed"

// EventSchema is the JSON Schema, of draft 2020-12, of an event.
//
//go:embed event.schema.json
var EventSchema string
