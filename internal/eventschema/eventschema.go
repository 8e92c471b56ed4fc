// Package eventschema checks events against their published JSON Schema, for
// tests.
package eventschema

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/aisoc/cloudflareaudit/docs"
)

const name = "event.schema.json"

var schema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(docs.EventSchema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(name, document); err != nil {
		return nil, err
	}
	return compiler.Compile(name)
})

// Check says what is wrong with the event that line is.
func Check(line []byte) error {
	if knownGood(line) {
		return nil
	}
	return check(line)
}

// check is Check without what is remembered.
func check(line []byte) error {
	s, err := schema()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	event, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return fmt.Errorf("%w: %.200q", err, line)
	}
	if err := s.Validate(event); err != nil {
		return fmt.Errorf("%w: %.2000s", err, line)
	}
	return nil
}
