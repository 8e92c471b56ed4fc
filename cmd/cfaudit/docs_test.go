package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documents are the pages of the repository.
func documents(t *testing.T) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && slices.Contains([]string{".git", "dist", "build", "testdata"}, d.Name()) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".md") {
			names = append(names, name)
		}
		return err
	}))
	return names
}

// fenced is a block of code in a document, with its language and its text.
var fenced = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$")

// words splits a line of a shell up to the end of its first command: a pipe, a
// redirection, a comment.
func words(line string) (all []string) {
	var word strings.Builder
	within, began := rune(0), false
	end := func() {
		if began {
			all = append(all, word.String())
		}
		word.Reset()
		began = false
	}
	for _, r := range line {
		switch {
		case within != 0:
			if r == within {
				within = 0
				continue
			}
			word.WriteRune(r)
		case r == '\'' || r == '"':
			within, began = r, true
		case r == ' ':
			end()
		case strings.ContainsRune("|>&;)", r) || r == '#' && !began:
			end()
			return all
		default:
			word.WriteRune(r)
			began = true
		}
	}
	end()
	return all
}

// commandLine is what follows the name of the command in a line of a shell, or
// nil.
var commandLine = regexp.MustCompile(`(?:^|[|&(] *)(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\./|build/|go run \./cmd/)?cfaudit +(\S.*)$`)

// commandLines are the command lines in the code of a document, and in the cells
// of its tables.
func commandLines(text string) (all []string) {
	add := func(line string) {
		if m := commandLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			all = append(all, m[1])
		}
	}
	for _, block := range fenced.FindAllStringSubmatch(text, -1) {
		if block[1] == "sh" || block[1] == "bash" || block[1] == "" {
			for line := range strings.Lines(strings.ReplaceAll(block[2], "\\\n", " ")) {
				add(line)
			}
		}
	}
	for _, m := range regexp.MustCompile("`(cfaudit [^`\n]+)`").FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		add(m[1])
	}
	return all
}

// Every command line in the documents is one that the command takes, with its
// flags.
func TestDocs_ShowCommandsThereAre(t *testing.T) {
	t.Parallel()
	found := 0
	for _, name := range documents(t) {
		for _, line := range commandLines(read(t, name)) {
			args := words(strings.ReplaceAll(line, "…", ""))
			root := newRoot(world{stdin: strings.NewReader(""), getenv: func(string) string { return "" }})
			cmd, rest, err := root.Find(args)
			if !assert.NoError(t, err, "%s: cfaudit %s", name, line) {
				continue
			}
			assert.NotEqual(t, "cfaudit", cmd.CommandPath(), "%s: cfaudit %s: is no command", name, line)
			values := slices.DeleteFunc(slices.Clone(rest), func(arg string) bool { return arg == "" })
			assert.NoError(t, parseFlags(cmd.ParseFlags, values), "%s: cfaudit %s", name, line)
			found++
		}
	}
	assert.Greater(t, found, 80)
}

// parseFlags parses flags. The prose names a flag without its value.
func parseFlags(parse func([]string) error, args []string) error {
	err := parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil && strings.HasPrefix(err.Error(), "flag needs an argument") {
		return parse(append(args, "x"))
	}
	return err
}

func TestWords(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		`poll --state state --out events.jsonl`:    {"poll", "--state", "state", "--out", "events.jsonl"},
		`export --actor 'alice@* x' --action "d"`:  {"export", "--actor", "alice@* x", "--action", "d"},
		`rules --json | jq '.[]'`:                  {"rules", "--json"},
		`fleet key > fleet.key)`:                   {"fleet", "key"},
		`check # tests the token`:                  {"check"},
		`poll --http "https://e.com/x?a=1&b=2" -v`: {"poll", "--http", "https://e.com/x?a=1&b=2", "-v"},
	} {
		assert.Equal(t, want, words(line), line)
	}
}

// The events in the README are events of the demo.
func TestReadme_ShowsEventsOfTheDemo(t *testing.T) {
	t.Parallel()
	got := command(t, "demo")
	require.Equal(t, exitOK, got.code, got.err)
	shown := 0
	for line := range strings.Lines(read(t, "../../README.md")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		if strings.HasPrefix(line, "## ") {
			break
		}
		if !strings.HasPrefix(line, "|") || len(cells) != 4 || cells[0] == "Severity" {
			continue
		}
		shown++
		assert.True(t, slices.ContainsFunc(strings.Split(got.out, "\n"), func(event string) bool {
			var e struct {
				Severity, Title, Actor string
				Audit                  struct{ Why string }
			}
			return json.Unmarshal([]byte(event), &e) == nil &&
				slices.Equal(cells, []string{e.Severity, e.Title, e.Actor, e.Audit.Why})
		}), "the demo has no event %q", cells)
	}
	assert.Equal(t, 8, shown)
}

// The picture of the demo is one of this demo: it has the events that are always
// in it. make pictures draws it again.
func TestPictures_TheDemoIsThatOfTheCommand(t *testing.T) {
	t.Parallel()
	picture, err := os.ReadFile("../../docs/demo.svg")
	require.NoError(t, err)
	for _, text := range []string{"$</tspan> cfaudit demo", ">critical</tspan>", "Access policy bypasses authentication: Staff only (Intranet)",
		"Why the first of them matter:", "second poll: 0 new, "} {
		assert.Contains(t, string(picture), text)
	}
}
