package product

import (
	"bufio"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// operationsFile lists the operations of Cloudflare's API that change something,
// as its official SDK for Go has them. "make operations" writes it.
const operationsFile = "testdata/operations.txt"

// unruledFile lists those that only the rules by verb grade. Each of them has been
// looked at: none of them can weaken a protection, let somebody in, or take data
// away.
const unruledFile = "testdata/unruled.txt"

var updateUnruled = flag.Bool("unruled", false, "write the list of operations without a rule")

// A new release of the SDK shows what is new in the API: an operation has a rule,
// or somebody has decided that it needs none.
func TestOperations_EachHasARuleOrNeedsNone(t *testing.T) {
	t.Parallel()
	c := gradingProduction(t, "checkout")
	operations := readLines(t, operationsFile)
	require.Greater(t, len(operations), 1200)
	var unruled []string
	for _, operation := range operations {
		v, f := grade(t, c, operationEntry(operation))
		assert.NotEqual(t, ActionUnknown, f.Action, operation)
		if v.Rule == "other" || v.Rule == "other-read" || v.Rule == "other-disabled" {
			unruled = append(unruled, operation)
		}
	}
	if *updateUnruled {
		require.NoError(t, os.WriteFile(unruledFile, []byte(strings.Join(unruled, "\n")+"\n"), 0o666))
	}
	reviewed := readLines(t, unruledFile)
	for _, operation := range unruled {
		assert.Contains(t, reviewed, operation, "an operation without a rule: give it one, or add it to %s", unruledFile)
	}
	for _, operation := range reviewed {
		assert.Contains(t, unruled, operation, "%s has a line that it does not need", unruledFile)
	}
}

// operationEntry is an entry of Audit Logs v2 about an operation such as
// "DELETE /zones/{zone_id}/hold", with no more than its method and path.
func operationEntry(operation string) string {
	method, path, _ := strings.Cut(operation, " ")
	path = strings.NewReplacer("{account_id}", exampleAccount, "{zone_id}", exampleZone).Replace(path)
	path = inBraces.ReplaceAllString(path, "372e67954025e0ba6aaa6d586b9e0b59")
	return requested(method, path)
}

var inBraces = regexp.MustCompile(`\{[^}]*\}`)

// readLines are the lines of a file.
func readLines(t testing.TB, name string) []string {
	t.Helper()
	file, err := os.Open(name)
	require.NoError(t, err)
	defer func() { assert.NoError(t, file.Close()) }()
	var lines []string
	in := bufio.NewScanner(file)
	for in.Scan() {
		lines = append(lines, in.Text())
	}
	require.NoError(t, in.Err())
	return slices.Clip(lines)
}
