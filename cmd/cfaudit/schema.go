package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/aisoc/cloudflareaudit/ingest"
)

func newSchema(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the catalog entry of the connector",
		Long: `Schema prints, as JSON, the fields that a host shows in its form for a new
connector, with their types, defaults and help texts, in the order in which a
person fills them in. The form leaves out the advanced fields, whose defaults suit
most installations; --all prints those as well. With --plugin it prints the
manifest for the host's marketplace, as YAML, with all fields.`,
		Example: `  cfaudit schema | jq '.fields[] | select(.required)'
  cfaudit schema --all | jq -r '.fields[].name'
  cfaudit schema --plugin > plugin.yaml`,
		Args: noArgs,
	}
	all := cmd.Flags().Bool("all", false, "print the advanced fields as well")
	plugin := cmd.Flags().Bool("plugin", false, "print the manifest for the marketplace")
	cmd.RunE = func(*cobra.Command, []string) error {
		switch {
		case *plugin:
			return writeManifest(w.stdout, descriptor())
		case *all:
			return writeJSON(w.stdout, descriptor())
		}
		return writeJSON(w.stdout, descriptor().Form())
	}
	return cmd
}

// manifest describes the connector in a host's marketplace.
type manifest struct {
	ID              string       `yaml:"id"`
	Name            string       `yaml:"name"`
	Version         string       `yaml:"version"`
	PluginType      string       `yaml:"plugin_type"`
	Tier            string       `yaml:"tier"`
	Description     string       `yaml:"description"`
	Author          string       `yaml:"author"`
	Tags            []string     `yaml:"tags,flow"`
	Homepage        string       `yaml:"homepage"`
	License         string       `yaml:"license"`
	MinAiSOCVersion string       `yaml:"min_aisoc_version"`
	ConfigSchema    configSchema `yaml:"config_schema"`
}

// configSchema describes a configuration object in terms of JSON Schema.
type configSchema struct {
	Type       string     `yaml:"type"`
	Required   []string   `yaml:"required,flow"`
	Properties properties `yaml:"properties"`
}

// property describes one field of the configuration object.
type property struct {
	Type        string   `yaml:"type"`
	Description string   `yaml:"description"`
	Default     any      `yaml:"default,omitempty"`
	Secret      bool     `yaml:"secret,omitempty"`
	Enum        []string `yaml:"enum,omitempty,flow"`
	Minimum     *int     `yaml:"minimum,omitempty"`
	Maximum     *int     `yaml:"maximum,omitempty"`
}

// properties are fields of a configuration, in their order.
type properties []ingest.Field

// MarshalYAML implements [yaml.Marshaler].
func (p properties) MarshalYAML() (any, error) {
	object := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range p {
		var name, value yaml.Node
		name.SetString(f.Name)
		if err := value.Encode(propertyOf(f)); err != nil {
			return nil, err
		}
		object.Content = append(object.Content, &name, &value)
	}
	return object, nil
}

func propertyOf(f ingest.Field) property {
	p := property{Type: "string", Description: f.HelpText, Default: f.Default}
	switch f.Type {
	case ingest.FieldBoolean:
		p.Type = "boolean"
	case ingest.FieldNumber:
		p.Type = "integer"
	case ingest.FieldSecret:
		p.Secret = true
	}
	for _, o := range f.Options {
		p.Enum = append(p.Enum, o.Value)
	}
	if f.Minimum != 0 || f.Maximum != 0 {
		p.Minimum, p.Maximum = &f.Minimum, &f.Maximum
	}
	return p
}

// manifestID is the id of the connector in the marketplace. The host has a
// different connector of its own under "cloudflare".
const manifestID = "cloudflare-audit"

// writeManifest writes the manifest of the connector d. Its tier is that of
// connectors which the vendor of the host has not verified.
func writeManifest(w io.Writer, d ingest.Descriptor) error {
	m := manifest{
		ID:              manifestID,
		Name:            d.ConnectorName + " Audit Log Connector",
		Version:         "1.0.0",
		PluginType:      "connector",
		Tier:            "community",
		Description:     d.Description,
		Author:          "The cloudflareaudit authors",
		Tags:            []string{d.Category, "cloudflare", "audit", "dns", "waf", "identity"},
		Homepage:        "https://github.com/aisoc/cloudflareaudit",
		License:         "MIT",
		MinAiSOCVersion: "7.7.0",
		ConfigSchema:    configSchema{Type: "object", Properties: d.Fields},
	}
	for _, f := range d.Fields {
		if f.Required {
			m.ConfigSchema.Required = append(m.ConfigSchema.Required, f.Name)
		}
	}
	if _, err := fmt.Fprintln(w, "# Written by: cfaudit schema --plugin"); err != nil {
		return err
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(m); err != nil {
		return err
	}
	return enc.Close()
}
