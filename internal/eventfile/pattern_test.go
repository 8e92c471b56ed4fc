package eventfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExpand_ANameThatExistsWinsOverAPattern(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a1.jsonl", "a2.jsonl", "b[1].jsonl", "b1.jsonl"} {
		require.NoError(t, os.WriteFile(at(name), nil, 0o600))
	}
	require.NoError(t, os.Mkdir(at("a3.jsonl"), 0o700))
	for _, test := range []struct{ given, want []string }{
		{[]string{at("a*.jsonl")}, []string{at("a1.jsonl"), at("a2.jsonl")}},
		{[]string{at("a2.jsonl"), at("a*")}, []string{at("a2.jsonl"), at("a1.jsonl")}},
		{[]string{at("b[1].jsonl")}, []string{at("b[1].jsonl")}},
		{[]string{at("b?.jsonl")}, []string{at("b1.jsonl")}},
		{[]string{"-", at("gone.jsonl")}, []string{"-", at("gone.jsonl")}},
	} {
		got, err := Expand(test.given)
		require.NoError(t, err)
		assert.Equal(t, test.want, got)
	}
	_, err := Expand([]string{at("a1.jsonl"), "older*.jsonl"})
	assert.EqualError(t, err, `"older*.jsonl": matches no file`)
	_, err = Expand([]string{"[b"})
	assert.EqualError(t, err, `"[b": must be the name of a file, or a pattern with *, ? and [a-z]`)
}
