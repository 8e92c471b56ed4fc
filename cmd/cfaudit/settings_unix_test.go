//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pipeWith is a named pipe that gives its content to one reader alone, as the
// shell's <(…) does.
func pipeWith(t *testing.T, content string) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	go func() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return
		}
		_, _ = f.WriteString(content)
		_ = f.Close()
		// A second reader would wait for ever.
		_ = os.Remove(name)
	}()
	return name
}

func TestSettings_APipeIsReadOnce(t *testing.T) {
	t.Parallel()
	const token = "api_token: cfat_secret000000000000000000000000000000000\n"
	for _, args := range [][]string{{"config", "check"}, {"config", "show"}} {
		got := command(t, append(args, "--config", pipeWith(t, configText+token))...)
		assert.Equal(t, exitOK, got.code, got.err)
	}
	got := command(t, "config", "show", "--token-file", pipeWith(t, "cfat_x"), "--account-id", testID,
		"--rules", pipeWith(t, `[{"id":"mine","match":{"action":"dns.*"},"severity":"high"}]`))
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Regexp(t, `(?m)^rules +1 rule +--rules$`, got.out)
}

// An export can be resumed with the same rules from another pipe, and not with
// other rules.
func TestExport_ResumesWithRulesFromAPipe(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	out := filepath.Join(t.TempDir(), "out.jsonl")
	export := func(severity string) result {
		return a.call("export", "--since", "2h", "--out", out,
			"--rules", pipeWith(t, `[{"id":"mine","match":{"action":"dns.*"},"severity":"`+severity+`"}]`)).run(t.Context())
	}
	good := a.token
	a.token = "cfat_wrong"
	got := export("high")
	require.Equal(t, exitFailed, got.code, got.err)
	a.token = good
	got = export("low")
	assert.NotEqual(t, exitOK, got.code, "these are other rules")
	got = export("high")
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, got.err, "going on with")
}
