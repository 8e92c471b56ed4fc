// Package aisoc_test holds what this folder says of the command to the command, and
// runs the tests that are in Python.
package aisoc_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/internal/gobuild"
)

var update = flag.Bool("update", false, "write the catalog entry into the class")

const class = "cloudflare_audit.py"

// catalogEntry finds the catalog entry in the class.
var catalogEntry = regexp.MustCompile(`(?s)(_SCHEMA = json\.loads\(\n    r"""\n)(.*?)(\n"""\n\))`)

// The form of AiSOC shows what the class says. It is the catalog entry of the
// connector, so that what is entered is what the command takes.
func TestClass_TheFormIsThatOfTheConnector(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	require.NoError(t, enc.Encode(new(cloudflareaudit.Connector).Descriptor().Form()))
	entry := strings.TrimSuffix(want.String(), "\n")
	require.NotContains(t, entry, `"""`)
	text, err := os.ReadFile(class)
	require.NoError(t, err)
	found := catalogEntry.FindSubmatch(text)
	require.NotNil(t, found, "the class has no catalog entry")
	if *update {
		new := catalogEntry.ReplaceAllFunc(text, func([]byte) []byte {
			return fmt.Appendf(nil, "%s%s%s", found[1], entry, found[3])
		})
		require.NoError(t, os.WriteFile(class, new, 0o644))
		return
	}
	require.Equal(t, entry, string(found[2]), "out of date: go test ./integrations/aisoc -run TestClass -update")
}

// python is an interpreter that is new enough for AiSOC, or the test is skipped,
// unless CFAUDIT_TEST_NO_SKIP forbids that.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if exec.Command(path, "-c", "import sys; sys.exit(sys.version_info < (3, 11))").Run() == nil {
			return path
		}
	}
	const reason = "there is no Python 3.11 or later, which the tests of the class in AiSOC need"
	if os.Getenv("CFAUDIT_TEST_NO_SKIP") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

// build builds a command of this module.
func build(t *testing.T, folder, name, path string) string {
	t.Helper()
	file := filepath.Join(folder, name)
	require.NoError(t, gobuild.Program(file, path, nil, "CGO_ENABLED=0"))
	return file
}

func TestPython_TheClassAndTheInstaller(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("AiSOC does not run here")
	}
	interpreter := python(t)
	folder := t.TempDir()
	cmd := exec.Command(interpreter, "-B", "-m", "unittest", "discover", "-v")
	cmd.Env = append(os.Environ(),
		"CFAUDIT_BINARY="+build(t, folder, "cfaudit", "../../cmd/cfaudit"),
		"FAKESERVER="+build(t, folder, "fakeserver", "../../internal/fakeserver"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `(?m)^Ran (\d{2,}) tests`, string(out), "no test was found")
	require.NotContains(t, string(out), "skipped", "%s", out)
}

const page = "../../docs/connectors/cloudflare.md"

// The page is built as a part of AiSOC's documentation, whose build fails on links
// that lead nowhere and reads the text as MDX.
func TestPage_HasTheFormOfTheHost(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	front, body, found := strings.Cut(strings.TrimPrefix(string(text), "---\n"), "\n---\n")
	require.True(t, found, "there is no front matter")
	for _, key := range []string{"id: cloudflare", "title: ", "sidebar_label: Cloudflare", "description: "} {
		require.Contains(t, "\n"+front, "\n"+key)
	}
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(body, -1) {
		sections = append(sections, m[1])
	}
	require.Equal(t, []string{"What you get", "Prerequisites", "Setup walkthrough", "Polling details",
		"Severity heuristics", "Troubleshooting", "Related"}, sections)

	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(body, -1) {
		require.Regexp(t, `^(https://|/docs/connectors/|#)`, m[1], "it would not build there")
	}
	plain := regexp.MustCompile("(?s)```.*?```|`[^`]*`").ReplaceAllString(body, "")
	require.NotRegexp(t, `[<{]`, plain, "MDX reads that as code")
}

// The walkthrough names the fields as the form does, and no others.
func TestPage_NamesTheFieldsOfTheForm(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	form := new(cloudflareaudit.Connector).Descriptor().Form().Fields
	require.Contains(t, string(text), "Enter the *"+form[0].Label+"* and the *"+form[1].Label+"*")
	var named []string
	for _, m := range regexp.MustCompile(`(?m)^   \| \*(.+?)\* \|`).FindAllStringSubmatch(string(text), -1) {
		named = append(named, m[1])
	}
	var want []string
	for _, f := range form[2:] {
		want = append(want, f.Label)
	}
	require.Equal(t, want, named)
}
