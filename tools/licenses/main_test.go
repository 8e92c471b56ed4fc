package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// with is a module with a file in it.
func with(t *testing.T, name, text string) *module {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &module{Path: "example.com/m", Version: "v1.0.0", Dir: dir}
}

func TestRead_WantsALicenceThatIsAllowed(t *testing.T) {
	own, err := os.ReadFile(filepath.Join("..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	m := with(t, "LICENSE.txt", string(own))
	if err := m.read(); err != nil || len(m.licenses) != 1 {
		t.Fatalf("the licence of the project: %v, %v", m.licenses, err)
	}
	if text := string(write([]*module{m})); !strings.Contains(text, strings.TrimSpace(string(own))) || !strings.Contains(text, "example.com/m v1.0.0") {
		t.Fatal("the notices do not have it")
	}
	for name, m := range map[string]*module{
		"no licence is known": with(t, "LICENSE", "ask me"),
		"no licence":          with(t, "README", string(own)),
		"not among those allowed": with(t, "COPYING",
			"GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n\nSPDX-License-Identifier: GPL-3.0-only\n"),
	} {
		if err := m.read(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
