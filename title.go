package cloudflareaudit

import (
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// template is a title with its placeholders.
type template []templatePart

// templatePart is literal text or a placeholder. Parts of the same bracket have
// the same number; the others have 0.
type templatePart struct {
	text        string
	placeholder string
	bracket     int
}

var placeholders = []string{
	"action", "actor", "decision", "new", "old", "record_type", "role", "scope", "setting", "target", "worker", "zone",
}

// parseTemplate reads a title. Its second result says what is wrong with it.
func parseTemplate(title string) (t template, fault string) {
	bracket, brackets := 0, 0
	for title != "" {
		i := strings.IndexAny(title, "[]{}")
		if i < 0 {
			t = append(t, templatePart{text: title, bracket: bracket})
			break
		}
		if i > 0 {
			t = append(t, templatePart{text: title[:i], bracket: bracket})
		}
		switch c := title[i]; {
		case c == '[' && bracket == 0:
			brackets++
			bracket = brackets
		case c == ']' && bracket > 0:
			bracket = 0
		case c == '{':
			name, rest, closed := strings.Cut(title[i+1:], "}")
			switch {
			case !closed:
				return t, "has a { without a }"
			case !slices.Contains(placeholders, name):
				return t, "there is no placeholder {" + name + "}" + suggest(name, placeholders)
			}
			t = append(t, templatePart{placeholder: name, bracket: bracket})
			title = rest
			continue
		default:
			return t, "has a " + string(c) + " that nothing belongs to"
		}
		title = title[i+1:]
	}
	if bracket > 0 {
		return t, "has a [ without a ]"
	}
	return t, ""
}

// maxTitle bounds a title, and maxTitlePart what a placeholder stands for, in
// bytes.
const (
	maxTitle     = 200
	maxTitlePart = 100
)

func (t template) render(e *entry, f *facts, severity ingest.Severity, failed bool) string {
	detail := severity != ingest.Low && severity != ingest.Info
	if len(t) == 1 && !failed && t[0].placeholder == "" {
		return t[0].text
	}
	var buf [2 * maxTitle]byte
	b := buf[:0]
	skip := 0
	start, at := 0, 0 // where the bracket at hand began
	for _, p := range t {
		if p.bracket != at {
			at, start = p.bracket, len(b)
		}
		switch {
		case p.bracket > 0 && (!detail || p.bracket == skip):
		case p.placeholder == "":
			b = append(b, p.text...)
		default:
			text := titlePart(f.placeholder(p.placeholder, e))
			if text == "" && p.bracket > 0 {
				b, skip = b[:start], p.bracket
				continue
			}
			b = append(b, or(text, "unknown")...)
		}
	}
	title := oneLine(string(b), maxTitle)
	if failed {
		title += " (failed)"
	}
	return title
}

// titlePart is s as part of a title. What is too long loses its middle: names of
// one kind often begin alike, and alerts are told apart by their titles.
func titlePart(s string) string {
	if len(s) > maxTitlePart {
		const tail = maxTitlePart / 3
		s = strings.ToValidUTF8(s[:maxTitlePart-tail-len("…")], "") + "…" + strings.ToValidUTF8(s[len(s)-tail:], "")
	}
	return oneLine(s, maxTitlePart)
}

func (f *facts) placeholder(name string, e *entry) string {
	switch name {
	case "action":
		return f.name
	case "actor":
		return actorOf(e, f)
	case "decision":
		return f.decision
	case "new":
		if len(f.changes) > 0 {
			return f.changes[0].New
		}
	case "old":
		if len(f.changes) > 0 {
			return f.changes[0].Old
		}
	case "record_type":
		return f.recordType
	case "role":
		return f.roleName
	case "scope":
		return f.scope
	case "setting":
		return f.setting
	case "target":
		return f.target
	case "worker":
		return f.script
	case "zone":
		return f.zoneName
	}
	return ""
}
