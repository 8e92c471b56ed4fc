package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
)

var update = flag.Bool("update", false, "rewrite plugin.yaml")

const manifestFile = "../../plugin.yaml"

// The fields that are offered are those of the configuration alone, so a new
// field shows up in the catalog, in plugin.yaml and, by another test, in the
// table of docs/configuration.md, or the tests fail.
func TestSchema_TheManifestIsThatOfTheCatalog(t *testing.T) {
	t.Parallel()
	got := command(t, "schema", "--plugin")
	require.Equal(t, exitOK, got.code, got.err)
	if *update {
		require.NoError(t, os.WriteFile(manifestFile, []byte(got.out), 0o644))
	}
	require.Equal(t, read(t, manifestFile), got.out,
		"plugin.yaml is out of date: go test ./cmd/cfaudit -run TestSchema -update")
}

// The forms that the host accepts, from its own checks of plugins.
func TestSchema_TheManifestHasTheFormOfTheHost(t *testing.T) {
	t.Parallel()
	var m struct {
		ID              string   `yaml:"id"`
		Name            string   `yaml:"name"`
		Version         string   `yaml:"version"`
		PluginType      string   `yaml:"plugin_type"`
		Tier            string   `yaml:"tier"`
		Description     string   `yaml:"description"`
		Author          string   `yaml:"author"`
		Tags            []string `yaml:"tags"`
		Homepage        string   `yaml:"homepage"`
		License         string   `yaml:"license"`
		MinAiSOCVersion string   `yaml:"min_aisoc_version"`
		ConfigSchema    struct {
			Type       string   `yaml:"type"`
			Required   []string `yaml:"required"`
			Properties map[string]struct {
				Type        string   `yaml:"type"`
				Description string   `yaml:"description"`
				Default     any      `yaml:"default"`
				Secret      bool     `yaml:"secret"`
				Enum        []string `yaml:"enum"`
				Minimum     *int     `yaml:"minimum"`
				Maximum     *int     `yaml:"maximum"`
			} `yaml:"properties"`
		} `yaml:"config_schema"`
	}
	dec := yaml.NewDecoder(bytes.NewReader([]byte(read(t, manifestFile))))
	dec.KnownFields(true)
	require.NoError(t, dec.Decode(&m))
	version := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	assert.Regexp(t, `^[a-z0-9_-]+$`, m.ID)
	assert.Regexp(t, version, m.Version)
	assert.Regexp(t, version, m.MinAiSOCVersion)
	assert.Equal(t, "connector", m.PluginType)
	for _, text := range []string{m.Name, m.Tier, m.Description, m.Author, m.Homepage, m.License} {
		assert.NotEmpty(t, text)
	}
	assert.NotEmpty(t, m.Tags)
	assert.Equal(t, "community", m.Tier, "any other one shows as verified by the makers of the host")
	assert.NotEqual(t, descriptor().ConnectorID, m.ID, "that is the id of the host's own connector in the marketplace")
	assert.Equal(t, "object", m.ConfigSchema.Type)
	assert.Equal(t, []string{"account_id", "api_token"}, m.ConfigSchema.Required)

	defaults := map[string]any{"account_id": testID, "api_token": "cfat_x"}
	for name, p := range m.ConfigSchema.Properties {
		assert.Contains(t, []string{"string", "integer", "boolean"}, p.Type, name)
		assert.NotEmpty(t, p.Description, name)
		assert.Equal(t, strings.Contains(name, "token"), p.Secret, name)
		assert.Equal(t, p.Type == "integer", p.Minimum != nil && p.Maximum != nil, name)
		if p.Default != nil {
			defaults[name] = p.Default
		}
		// The bounds are those that the connector keeps to.
		if p.Minimum != nil {
			for v, ok := range map[int]bool{-1: false, *p.Minimum - 1: *p.Minimum == 1, *p.Minimum: true, *p.Maximum: true, *p.Maximum + 1: false} {
				// A number that was cleared in the form is 0, and means the default.
				_, err := cloudflareaudit.ParseConfig(map[string]any{"account_id": testID, "api_token": "cfat_x", name: v})
				assert.Equal(t, ok, err == nil, "%s: %d: %v", name, v, err)
			}
		}
	}
	_, err := cloudflareaudit.ParseConfig(defaults)
	assert.NoError(t, err)
}

// The "Add connector" form of the host knows these members and no others.
func TestSchema_TheCatalogEntryHasTheFormOfTheHost(t *testing.T) {
	t.Parallel()
	got := command(t, "schema")
	require.Equal(t, exitOK, got.code, got.err)
	var entry map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(got.out), &entry))
	assert.ElementsMatch(t, []string{"connector_id", "connector_name", "category", "description",
		"fields", "capabilities", "docs_url", "oauth"}, slices.Collect(maps.Keys(entry)))
	assert.JSONEq(t, `"cloudflare"`, string(entry["connector_id"]))
	assert.JSONEq(t, `"saas"`, string(entry["category"]))
	assert.JSONEq(t, `["pull_audit"]`, string(entry["capabilities"]))
	assert.JSONEq(t, `"/docs/connectors/cloudflare"`, string(entry["docs_url"]))
	assert.JSONEq(t, `{"supported_in_hosted": false}`, string(entry["oauth"]))

	var fields []map[string]any
	require.NoError(t, json.Unmarshal(entry["fields"], &fields))
	shown := make(map[string]map[string]any)
	for _, f := range fields {
		name, _ := f["name"].(string)
		shown[name] = f
		for _, member := range []string{"name", "type", "label", "required", "help_text"} {
			assert.Contains(t, f, member, name)
		}
		for member := range f {
			assert.Contains(t, []string{"name", "type", "label", "required", "default",
				"placeholder", "help_text", "options"}, member, name)
		}
		_, initial := f["default"]
		assert.False(t, initial && f["required"] == true, name)
		assert.Equal(t, name == "account_id" || name == "api_token", f["required"], name)
		assert.Contains(t, []string{"string", "secret", "select", "textarea", "boolean", "number"}, f["type"], name)
		if regexp.MustCompile(`secret|password|token|api_key`).MatchString(name) {
			assert.Equal(t, "secret", f["type"], "%s: the host refuses such a name for anything else", name)
		}
	}
	assert.Equal(t, "string", shown["account_id"]["type"])
	assert.Equal(t, "secret", shown["api_token"]["type"])
	assert.NoError(t, descriptor().Validate())
	assert.LessOrEqual(t, len(shown), 8, "the form has no fold: what it shows must fit on it")
	assert.EqualValues(t, 300, shown["poll_interval_seconds"]["default"])
	assert.Equal(t, ingest.FieldTextarea, ingest.FieldType(shown["production_zones"]["type"].(string)))
}

// The form shows the first of all fields; the others are accepted, and documented.
func TestSchema_AllFieldsBeginWithThoseOfTheForm(t *testing.T) {
	t.Parallel()
	var form, all ingest.Descriptor
	for args, d := range map[string]*ingest.Descriptor{"schema": &form, "schema --all": &all} {
		got := command(t, strings.Fields(args)...)
		require.Equal(t, exitOK, got.code, got.err)
		require.NoError(t, json.Unmarshal([]byte(got.out), d))
	}
	assert.Equal(t, []string{"account_id", "api_token", "audit_log_api", "production_zones",
		"resolve_members", "drop_routine", "initial_lookback", "poll_interval_seconds"}, fieldNames(form))
	assert.Equal(t, fieldNames(form), fieldNames(all)[:len(form.Fields)])
	assert.Equal(t, fieldNames(descriptor()), fieldNames(all))
}

func fieldNames(d ingest.Descriptor) (names []string) {
	for _, f := range d.Fields {
		names = append(names, f.Name)
	}
	return names
}
