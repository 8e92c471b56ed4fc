package ingest

import (
	"fmt"
	"strconv"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

// maxShown bounds the value in the text of a [FieldError], in bytes.
const maxShown = 80

// FieldError describes a fault of one field of a configuration. Functions that
// check a configuration join one for every fault, so that a host can show each
// beside its field. Hosts find the first with errors.As, and all of them by
// walking the tree.
type FieldError struct {
	// Field is the name of the field, as it is in the configuration.
	Field string
	// Value is what was given. It is empty for a secret.
	Value string
	// Allowed says what is wrong with the value and what is allowed.
	Allowed string
}

// NeedsAction implements [ActionNeeder]: the field must be corrected.
func (e *FieldError) NeedsAction() bool { return true }

// Error implements error.
func (e *FieldError) Error() string {
	if e.Value == "" {
		return e.Field + ": " + e.Allowed
	}
	return fmt.Sprintf("%s: %s: %s", e.Field, strconv.Quote(text.Shorten(e.Value, maxShown)), e.Allowed)
}
