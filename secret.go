package cloudflareaudit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

// redacted replaces a secret in all printed forms.
const redacted = text.Redacted

// Secret is a string that is never printed: fmt, slog and encoding/json show
// "[redacted]" in its place. The zero Secret is empty.
type Secret struct {
	// reveal hides the text from anything that walks the struct by
	// reflection, which does not stop at an unexported string.
	reveal func() string
}

// NewSecret returns a secret that holds plain.
func NewSecret(plain string) Secret {
	if plain == "" {
		return Secret{}
	}
	return Secret{func() string { return plain }}
}

// Reveal returns the plain text. Nothing else does.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

// String implements [fmt.Stringer].
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format implements [fmt.Formatter] for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON implements [json.Unmarshaler]. It refuses the redacted form, so
// that a printed configuration is not mistaken for a usable one.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var given string
	if err := json.Unmarshal(b, &given); err != nil {
		return errors.New("a secret must be a string")
	}
	if given == redacted {
		return errors.New("a secret reads " + redacted + ": enter it again")
	}
	*s = NewSecret(given)
	return nil
}
