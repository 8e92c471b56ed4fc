package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// top is the folder of the repository.
const top = ".."

// files are the files of the repository whose names have an ending.
func files(t *testing.T, ending string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && slices.Contains([]string{".git", "dist", "build", "testdata"}, d.Name()) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ending) {
			names = append(names, name)
		}
		return err
	}))
	require.NotEmpty(t, names)
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

var (
	fence    = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	inlined  = regexp.MustCompile("`[^`\n]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	inAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// prose is a document without what is set as code.
func prose(text string) string {
	return inlined.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
}

// anchors are the names of the headings of a document, as GitHub makes them.
func anchors(text string) (all []string) {
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		all = append(all, strings.ReplaceAll(inAnchor.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	return all
}

// links are the targets of the links of a document to files of the repository.
func links(t *testing.T, name string) (all []string) {
	t.Helper()
	for _, m := range link.FindAllStringSubmatch(prose(read(t, name)), -1) {
		outside := strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "/docs/") // a page of AiSOC's own
		if !outside {
			all = append(all, m[1])
		}
	}
	return all
}

func TestLinks_LeadSomewhere(t *testing.T) {
	t.Parallel()
	found := 0
	for _, name := range files(t, ".md") {
		for _, to := range links(t, name) {
			found++
			path, anchor, _ := strings.Cut(to, "#")
			target := name
			if path != "" {
				target = filepath.Join(filepath.Dir(name), path)
			}
			if _, err := os.Stat(target); !assert.NoError(t, err, name) || anchor == "" {
				continue
			}
			assert.Contains(t, anchors(read(t, target)), anchor, "%s: %s", name, to)
		}
	}
	assert.Greater(t, found, 100)
}

// Every page is in the index, so that any of them is two clicks from the README.
func TestIndex_HasEveryPage(t *testing.T) {
	t.Parallel()
	assert.Contains(t, links(t, filepath.Join(top, "README.md")), "docs/README.md")
	indexed := links(t, "README.md")
	for _, name := range files(t, ".md") {
		page, err := filepath.Rel(filepath.Join(top, "docs"), name)
		require.NoError(t, err)
		if strings.HasPrefix(page, "..") || page == "README.md" {
			continue
		}
		assert.Contains(t, indexed, filepath.ToSlash(page), "docs/README.md does not list it")
	}
}

func TestReadme_IsShort(t *testing.T) {
	t.Parallel()
	assert.LessOrEqual(t, strings.Count(read(t, filepath.Join(top, "README.md")), "\n"), 260)
}

// Each page begins with the question that it answers, and a heading.
func TestPages_BeginWithAHeadingAndAParagraph(t *testing.T) {
	t.Parallel()
	for _, name := range files(t, ".md") {
		text := read(t, name)
		if !strings.HasPrefix(name, filepath.Join(top, "docs")+string(filepath.Separator)) || strings.HasPrefix(text, "---\n") {
			continue // a page of AiSOC's own begins with what its generator reads
		}
		assert.Regexp(t, `\A# [^\n]+\n\n(<!--[^\n]*-->\n\n)?[A-Z\x60]`, text, name)
	}
}

// joined is where two parts of a text are added in Go.
var joined = regexp.MustCompile(`" \+\n?\s*"`)

// The messages of the page are in the code as they are quoted, with … for what
// differs.
func TestTroubleshooting_QuotesMessagesThereAre(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, name := range files(t, ".go") {
		if !strings.HasSuffix(name, "_test.go") && !strings.Contains(filepath.ToSlash(name), "/internal/mutants/") {
			all.WriteString(joined.ReplaceAllString(read(t, name), ""))
		}
	}
	source := all.String()
	quoted := 0
	for line := range strings.Lines(read(t, "troubleshooting.md")) {
		first, _, found := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !strings.HasPrefix(line, "| ") || !found {
			continue
		}
		for _, message := range inlined.FindAllString(first, -1) {
			quoted++
			for part := range strings.SplitSeq(strings.Trim(message, "`"), "…") {
				assert.True(t, strings.Contains(source, strings.Trim(part, "()")), "no message of the code has %q", part)
			}
		}
	}
	assert.Greater(t, quoted, 40)
}
