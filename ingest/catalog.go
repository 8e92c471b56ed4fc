package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// FieldType is the kind of input a configuration field is shown as.
type FieldType string

// The field types a host can show.
const (
	FieldString   FieldType = "string"
	FieldSecret   FieldType = "secret"
	FieldSelect   FieldType = "select"
	FieldTextarea FieldType = "textarea"
	FieldBoolean  FieldType = "boolean"
	FieldNumber   FieldType = "number"
)

// Field describes one configuration field of a connector. Name is its key in the
// configuration object, Default is the value of a missing key, and Label,
// Placeholder and HelpText are texts for the form.
type Field struct {
	Name        string    `json:"name"`
	Type        FieldType `json:"type"`
	Label       string    `json:"label"`
	Required    bool      `json:"required"`
	Default     any       `json:"default,omitempty"`
	Placeholder string    `json:"placeholder,omitempty"`
	HelpText    string    `json:"help_text,omitempty"`
	Options     []Option  `json:"options,omitempty"`

	// Minimum and Maximum bound a number, both included; when both are zero
	// there are no bounds. A host's form does not show them, so HelpText names
	// them as well.
	Minimum int `json:"-"`
	Maximum int `json:"-"`

	// Advanced says that the default suits most installations, so a form need
	// not show the field. See [Descriptor.Form].
	Advanced bool `json:"-"`
}

// Option is one choice of a [FieldSelect]: its value in the configuration object
// and its text in the form.
type Option struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// OAuth says whether a hosted installation can connect by OAuth.
type OAuth struct {
	SupportedInHosted bool `json:"supported_in_hosted"`
}

// Descriptor is a connector's catalog entry. ConnectorID is unique in a
// [Catalog]; ConnectorName, Description and DocsURL are for people. Fields are
// all fields that the configuration object may have; the "Add connector" form
// shows those of [Descriptor.Form].
type Descriptor struct {
	ConnectorID   string   `json:"connector_id"`
	ConnectorName string   `json:"connector_name"`
	Category      string   `json:"category"`
	Description   string   `json:"description"`
	Fields        []Field  `json:"fields"`
	Capabilities  []string `json:"capabilities"`
	DocsURL       string   `json:"docs_url"`
	OAuth         OAuth    `json:"oauth"`
}

// Form returns d with only the fields that a form shows, in the order in which
// a person fills them in. Advanced fields are still accepted.
func (d Descriptor) Form() Descriptor {
	d.Fields = slices.DeleteFunc(slices.Clone(d.Fields), func(f Field) bool { return f.Advanced })
	return d
}

// secretWords mark the fields that a host must neither show nor store in clear.
var secretWords = []string{"secret", "password", "token", "api_key"}

// Validate reports all faults of d as a catalog entry, joined.
func (d Descriptor) Validate() error {
	var faults []error
	if d.ConnectorID == "" {
		faults = append(faults, errors.New("connector_id is empty"))
	}
	if d.ConnectorName == "" {
		faults = append(faults, errors.New("connector_name is empty"))
	}
	names := make(map[string]bool)
	for i, f := range d.Fields {
		switch {
		case f.Name == "":
			faults = append(faults, fmt.Errorf("fields[%d]: name is empty", i))
			continue
		case names[f.Name]:
			faults = append(faults, fmt.Errorf("field %q is listed twice", f.Name))
		}
		names[f.Name] = true
		switch f.Type {
		case FieldString, FieldSecret, FieldSelect, FieldTextarea, FieldBoolean, FieldNumber:
		default:
			faults = append(faults, fmt.Errorf("field %q: type %q is not one of string, secret, select, textarea, boolean, number", f.Name, f.Type))
		}
		for _, word := range secretWords {
			if strings.Contains(f.Name, word) && f.Type != FieldSecret {
				faults = append(faults, fmt.Errorf("field %q: type is %q, but a field named like a secret must be of type secret", f.Name, f.Type))
				break
			}
		}
		if f.Minimum > f.Maximum {
			faults = append(faults, fmt.Errorf("field %q: the minimum %d is above the maximum %d", f.Name, f.Minimum, f.Maximum))
		}
		if f.Type == FieldSelect && len(f.Options) == 0 {
			faults = append(faults, fmt.Errorf("field %q: a select needs options", f.Name))
		}
	}
	return errors.Join(faults...)
}

// Factory builds a source from the host's configuration object, whose keys are
// the names of the descriptor's fields. The values have the types that
// encoding/json decodes to: string, float64, bool, []any, map[string]any or
// nil. The factory does no I/O.
type Factory func(config map[string]any) (Source, error)

// Catalog holds the connectors a host offers. The zero value is empty and ready
// to use; its methods are safe for concurrent use.
type Catalog struct {
	mu         sync.RWMutex
	connectors map[string]entry
}

type entry struct {
	descriptor Descriptor
	factory    Factory
}

// Register adds a connector. An invalid descriptor, a nil factory or an id that
// is already taken is an error and changes nothing.
func (c *Catalog) Register(d Descriptor, f Factory) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("ingest: connector %q: %w", d.ConnectorID, err)
	}
	if f == nil {
		return fmt.Errorf("ingest: connector %q: the factory is nil", d.ConnectorID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.connectors[d.ConnectorID]; taken {
		return fmt.Errorf("ingest: connector %q is already registered", d.ConnectorID)
	}
	if c.connectors == nil {
		c.connectors = make(map[string]entry)
	}
	c.connectors[d.ConnectorID] = entry{d, f}
	return nil
}

// List returns the descriptors of all connectors, ordered by id.
func (c *Catalog) List() []Descriptor {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]Descriptor, 0, len(c.connectors))
	for _, e := range c.connectors {
		list = append(list, e.descriptor)
	}
	slices.SortFunc(list, func(a, b Descriptor) int {
		return strings.Compare(a.ConnectorID, b.ConnectorID)
	})
	return list
}

// Build returns a source of the connector id, configured by the host's
// configuration object. An unknown id and a configuration that the connector
// refuses are errors.
func (c *Catalog) Build(id string, config map[string]any) (Source, error) {
	c.mu.RLock()
	e, ok := c.connectors[id]
	c.mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("ingest: no connector %q is registered", id)
	}
	src, err := e.factory(config)
	if err != nil {
		return nil, fmt.Errorf("ingest: connector %q: %w", id, err)
	}
	return src, nil
}
