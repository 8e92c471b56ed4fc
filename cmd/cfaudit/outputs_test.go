package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The command lines of the documentation lack nothing but an account.
func TestDocs_TheOutputsAreCommandLinesThatWork(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(read(t, "../../docs/outputs.md"), "\\\n", "")
	lines := regexp.MustCompile(`(?m)^cfaudit (.*)$`).FindAllStringSubmatch(text, -1)
	require.Len(t, lines, 5)
	headers := write(t, "Authorization: Bearer 0123456789\n")
	for _, line := range lines {
		var args []string
		for _, arg := range strings.Fields(line[1]) {
			args = append(args, strings.Trim(strings.ReplaceAll(arg, "headers.txt", headers), `"`))
		}
		got := command(t, args...)
		assert.Equal(t, exitUsage, got.code, line[1])
		assert.Equal(t, 2, strings.Count(got.err, "\n"), got.err)
		assert.Contains(t, got.err, "CLOUDFLARE_ACCOUNT_ID: is required")
		assert.Contains(t, got.err, "CLOUDFLARE_API_TOKEN or --token-file: is required")
	}
}
