package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
)

// configFile is the content of a --config file. Its keys are the field names of
// the configuration.
type configFile struct {
	name   string
	object map[string]any
	// lines are the line numbers of the fields.
	lines map[string]int
	rules ruleFile
}

// readConfigFile reads a configuration in YAML, which JSON is as well. Its errors
// are of type [faults].
func readConfigFile(name string) (configFile, error) {
	c := configFile{name: name, object: make(map[string]any), lines: make(map[string]int)}
	wrong := func(format string, args ...any) error {
		return faults{"--config: " + redact(name) + ": " + fmt.Sprintf(format, args...)}
	}
	text, exposed, err := readOnce(name)
	if err != nil {
		if path, ok := errors.AsType[*fs.PathError](err); ok {
			err = path.Err
		}
		return c, wrong("cannot read the file: %s", err)
	}
	root, err := parseYAML(text)
	switch {
	case err != nil:
		return c, wrong("%s", strings.ReplaceAll(err.Error(), "a list of rules", "a list of fields with their values"))
	case root.Kind != yaml.MappingNode:
		return c, wrong("line %d: must be a list of fields with their values, such as account_id: …", root.Line)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, val := root.Content[i], root.Content[i+1]
		if line, ok := c.lines[key.Value]; ok {
			return c, wrong("line %d: %s: duplicate key, first used in line %d", key.Line, redact(key.Value), line)
		}
		c.lines[key.Value] = key.Line
		v := converter{left: maxNodes}
		v.value(val)
		if v.err != nil {
			return c, wrong("line %d: %s: %s", key.Line, redact(key.Value), v.err)
		}
		if key.Value == "rules" && val.Kind == yaml.SequenceNode {
			c.rules = ruleFile{json: string(v.json), root: val}
			c.object[key.Value] = c.rules.json
			continue
		}
		value, err := decoded(v.json)
		if err != nil {
			return c, wrong("line %d: %s: %s", key.Line, redact(key.Value), err)
		}
		c.object[key.Value] = value
	}
	if _, ok := c.object["api_token"]; ok && exposed != nil {
		return c, wrong("line %d: api_token: %s", c.lines["api_token"], exposed)
	}
	return c, nil
}

// decoded is a JSON value whose numbers are kept as written.
func decoded(text []byte) (v any, err error) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

// place is how faults name a field of the file.
func (c *configFile) place(field string) string {
	return fmt.Sprintf("%s, line %d: %s", c.name, c.lines[field], field)
}

// addTo adds the fields of the file to g. It skips fields that the command does
// not use, so that one file serves all commands; the parser reports unknown
// fields.
func (c *configFile) addTo(g *flagValues, s *settings) {
	for field, value := range c.object {
		i := slices.IndexFunc(options, func(o option) bool { return o.field == field })
		if ownField(field) && s.only == "" {
			g.own[field], g.names[field] = value, c.place(field)
			continue
		}
		if s.only != "" && s.only != field || i >= 0 && (s.flags.Lookup(options[i].flag) == nil || field == "api_token" && !s.connects) {
			continue
		}
		g.object[field], g.names[field] = value, c.place(field)
	}
	s.rules = c.rules
}

// shownValue is the value of a field for display. Secrets are not shown.
func shownValue(f ingest.Field, value any) any {
	if f.Type == ingest.FieldSecret && value != nil && value != "" {
		return "[redacted]"
	}
	switch list := value.(type) {
	case []string: // of flags
		return strings.Join(list, ", ")
	case []any: // of a file
		texts := make([]string, len(list))
		for i, one := range list {
			texts[i] = fmt.Sprint(one)
		}
		return strings.Join(texts, ", ")
	}
	if text, ok := value.(string); ok && f.Name == "rules" && text != "" {
		rules, err := cloudflareaudit.ParseRules([]byte(text))
		if err == nil {
			return count(len(rules), "rule", "rules")
		}
	}
	return value
}
