package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ruleFile is a file with rules, in JSON or YAML.
type ruleFile struct {
	// json is the list of rules in the form that the configuration takes.
	json string
	// root is the list with line numbers, or nil where these are unknown.
	root *yaml.Node
}

// parseRuleFile reads a file of rules. It is YAML by its name, or if it does
// not begin like a JSON list.
func parseRuleFile(name string, text []byte) (ruleFile, error) {
	ext := strings.ToLower(filepath.Ext(name))
	isYAML := ext == ".yaml" || ext == ".yml"
	if !isYAML {
		begin := strings.TrimLeft(string(text), " \t\r\n")
		isYAML = ext != ".json" && begin != "null" && !strings.HasPrefix(begin, "[") && !strings.HasPrefix(begin, "{")
	}
	root, err := parseYAML(text)
	if !isYAML {
		// The configuration reports the faults of JSON.
		return ruleFile{json: string(text), root: root}, nil
	}
	if err != nil {
		return ruleFile{}, err
	}
	if root.Kind != yaml.SequenceNode {
		return ruleFile{}, fmt.Errorf("line %d: must be a list of rules", root.Line)
	}
	c := converter{left: maxNodes}
	c.value(root)
	return ruleFile{json: string(c.json), root: root}, c.err
}

// parseYAML reads the one document of a text.
func parseYAML(text []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	switch {
	case err == io.EOF || err == nil && len(doc.Content) == 0:
		return nil, errors.New("must be a list of rules, and is empty")
	case err != nil:
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	case dec.Decode(&more) != io.EOF:
		return nil, errors.New("must be one list of rules: something follows the first document")
	}
	return doc.Content[0], nil
}

// maxNodes bounds the expansion of the aliases of a YAML text.
const maxNodes = 100_000

// converter turns YAML into JSON. It keeps numbers as written, so that 1.0 is
// not 1, and duplicate keys, so that they are reported with all other faults.
type converter struct {
	json []byte
	left int
	err  error
}

// spend reports whether there is room for one more node.
func (c *converter) spend() bool {
	if c.left--; c.left < 0 {
		c.err = errors.New("its aliases make it too large, or contain themselves")
	}
	return c.left >= 0
}

func (c *converter) value(n *yaml.Node) {
	if !c.spend() {
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		c.value(n.Alias)
	case yaml.SequenceNode:
		c.json = append(c.json, '[')
		for i, item := range n.Content {
			if i > 0 {
				c.json = append(c.json, ',')
			}
			c.value(item)
		}
		c.json = append(c.json, ']')
	case yaml.MappingNode:
		c.json = append(c.json, '{')
		c.members(n, nil)
		c.json = append(c.json, '}')
	default:
		c.scalar(n)
	}
}

// members writes the members of a mapping, and the merged ones that it does not
// override.
func (c *converter) members(n *yaml.Node, have []string) {
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		switch {
		case key.ShortTag() == "!!merge":
			if val.Kind == yaml.SequenceNode {
				merged = append(merged, val.Content...)
			} else {
				merged = append(merged, val)
			}
			continue
		case slices.Contains(have, key.Value):
			continue
		}
		if c.json[len(c.json)-1] != '{' {
			c.json = append(c.json, ',')
		}
		c.text(key.Value)
		c.json = append(c.json, ':')
		c.value(val)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		have = append(have, n.Content[i].Value)
	}
	for _, m := range merged {
		if m.Kind == yaml.AliasNode {
			m = m.Alias
		}
		if m.Kind == yaml.MappingNode && c.spend() {
			c.members(m, have)
		}
	}
}

func (c *converter) scalar(n *yaml.Node) {
	switch n.ShortTag() {
	case "!!null":
		c.json = append(c.json, "null"...)
		return
	case "!!bool":
		c.json = append(c.json, strings.ToLower(n.Value)...)
		return
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			c.json = append(c.json, n.Value...)
			return
		}
	}
	c.text(n.Value)
}

func (c *converter) text(s string) {
	b, err := json.Marshal(s)
	c.json, c.err = append(c.json, b...), errors.Join(c.err, err)
}

// rulePlace is how faults name a field of a rule.
var rulePlace = regexp.MustCompile(`^rules\[(\d+)\](?: "(?:[^"\\]|\\.)*")?(?:: (\S+))?$`)

// place is the name of a field of a rule with its line.
func (f ruleFile) place(field string) string {
	at := rulePlace.FindStringSubmatch(field)
	if at == nil || f.root == nil || f.root.Kind != yaml.SequenceNode {
		return field
	}
	i, err := strconv.Atoi(at[1])
	if err != nil || i >= len(f.root.Content) {
		return field
	}
	n := f.root.Content[i]
	line := n.Line
	for key := range strings.SplitSeq(at[2], ".") {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		var next *yaml.Node
		for j := 0; n.Kind == yaml.MappingNode && j+1 < len(n.Content); j += 2 {
			if n.Content[j].Value == key {
				// Of duplicate keys the last one counts.
				line, next = n.Content[j].Line, n.Content[j+1]
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	return fmt.Sprintf("line %d: %s", line, field)
}
