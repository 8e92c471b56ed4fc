package fleet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newVault(t *testing.T, keys, folder string) *Vault {
	t.Helper()
	v, err := NewVault(keys, folder)
	require.NoError(t, err)
	return v
}

func newKey(t *testing.T) string {
	t.Helper()
	key, err := NewKey()
	require.NoError(t, err)
	return key
}

func TestVault_OpensWhatItHasSealed(t *testing.T) {
	t.Parallel()
	v := newVault(t, newKey(t), "")
	fields := map[string]string{"api_token": "the secret", "other": "\"é\n"}
	sealed, err := v.seal("id", fields)
	require.NoError(t, err)
	assert.NotContains(t, string(sealed), "secret")
	got, err := v.open("id", sealed)
	require.NoError(t, err)
	assert.Equal(t, fields, got)

	_, err = v.open("another id", sealed)
	assert.ErrorContains(t, err, "another instance")
	_, err = newVault(t, newKey(t), "").open("id", sealed)
	assert.ErrorContains(t, err, "no key decrypts")
	_, err = newVault(t, "", "").open("id", sealed)
	assert.ErrorContains(t, err, "there is no key")
	sealed[len(sealed)-1] ^= 1
	_, err = v.open("id", sealed)
	assert.ErrorContains(t, err, "damaged")
	_, err = newVault(t, "", "").seal("id", fields)
	assert.ErrorIs(t, err, errNoKey)
}

func TestVault_ANewKeyGoesInFrontOfTheOldOne(t *testing.T) {
	t.Parallel()
	before, after := newKey(t), newKey(t)
	old, err := newVault(t, before, "").seal("id", map[string]string{"f": "v"})
	require.NoError(t, err)
	both := newVault(t, "# comment\n"+after+"\n"+before+"\n", "")
	got, err := both.open("id", old)
	require.NoError(t, err)
	resealed, err := both.seal("id", got)
	require.NoError(t, err)
	_, err = newVault(t, after, "").open("id", resealed)
	require.NoError(t, err)
	_, err = newVault(t, before, "").open("id", resealed)
	require.Error(t, err)
}

func TestVault_AWrongKeyIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"AGE-SECRET-KEY-1SECRETSECRET", "hunter2", "# only a comment"} {
		_, err := NewVault(key, "")
		require.ErrorContains(t, err, "is no age identity")
		assert.NotContains(t, err.Error(), "SECRETSECRET")
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestVault_ReadsFilesOfItsFolderOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := filepath.Join(dir, "secrets")
	require.NoError(t, os.Mkdir(folder, 0o700))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("outside", "not for you")
	write("secrets/one", "the secret\n")
	write("secrets/crlf", "the secret\r\n")
	write("secrets/empty", "\n")
	// As mounted volumes of Kubernetes are.
	require.NoError(t, os.Mkdir(filepath.Join(folder, "..data"), 0o700))
	write("secrets/..data/linked", "the secret")
	require.NoError(t, os.Symlink("..data/linked", filepath.Join(folder, "linked")))
	require.NoError(t, os.Symlink("../outside", filepath.Join(folder, "escape")))

	v := newVault(t, "", folder)
	for _, name := range []string{"one", "crlf", "linked"} {
		got, err := v.read(name)
		require.NoError(t, err, name)
		assert.Equal(t, "the secret", got, name)
	}
	for _, name := range []string{"", "..", "../outside", "/etc/passwd", "escape", "empty", "missing", ".hidden", "a/b", "..data/linked"} {
		_, err := v.read(name)
		require.Error(t, err, name)
	}
	_, err := newVault(t, "", "").read("one")
	assert.ErrorContains(t, err, "no folder of secrets")
}
