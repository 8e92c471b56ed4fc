// Package testdata holds audit-log entries in the form in which Cloudflare
// sends them, for tests and demonstrations.
package testdata

import (
	"embed"
	"io/fs"
)

// The pattern leaves out odd.json, whose entries are not what anybody meets.
//
//go:embed entries/[^o]*.json
var files embed.FS

// Entries returns the files of ordinary entries, one for each subject.
func Entries() fs.FS {
	entries, err := fs.Sub(files, "entries")
	if err != nil {
		panic(err) // the name is a valid one
	}
	return entries
}
