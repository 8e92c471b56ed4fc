// Package testdata holds audit-log entries in the form in which Cloudflare
// sends them, for tests and demonstrations.
package testdata

import (
	"embed"
	"io/fs"
)

// The patterns leave out odd.json, whose entries are not what anybody meets.
//
//go:embed entries/[^o]*.json entries_v2/[^o]*.json
var files embed.FS

// Entries returns the files of ordinary entries, one for each subject.
func Entries() fs.FS { return folder("entries") }

// EntriesV2 returns the files of ordinary entries of Audit Logs v2. Many of
// them record a change that is among [Entries] too, a few seconds apart.
func EntriesV2() fs.FS { return folder("entries_v2") }

func folder(name string) fs.FS {
	entries, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // the name is a valid one
	}
	return entries
}
