// Command licenses lists the modules in the shipped command and their licences,
// and writes the notices that go with it. It fails when a module has no licence
// that is allowed, or, with -check, when the notices are not those of the modules.
//
// It reads the module cache alone, and uses no network.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
)

// allowed are the licences that ask for a notice and, MPL-2.0, for a way to the
// source of what is unchanged; the notices have both.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// sentences are what tells a licence, in the words of each that no other has.
var sentences = []struct{ id, sentence, not string }{
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy", ""},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose", ""},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose", ""},
	{"BSD-3-Clause", "may be used to endorse or promote products derived from", ""},
	{"BSD-2-Clause", "redistribution and use in source and binary forms", "may be used to endorse or promote products"},
	{"Apache-2.0", "apache license version 2.0, january 2004", ""},
	{"Apache-2.0", "licensed under the apache license, version 2.0", ""},
	{"MPL-2.0", "mozilla public license", ""},
	{"GPL, LGPL or AGPL", "general public license", "mozilla public license"},
	{"EPL", "eclipse public license", ""},
	{"CC", "creative commons", ""},
}

// identify returns the licences that a text is or names.
func identify(text string) (ids []string) {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, s := range sentences {
		if strings.Contains(text, s.sentence) && (s.not == "" || !strings.Contains(text, s.not)) && !slices.Contains(ids, s.id) {
			ids = append(ids, s.id)
		}
	}
	return ids
}

// systems are those that the command is built for.
var systems = []string{"linux", "darwin", "windows"}

// module is a module in the command.
type module struct {
	Path, Version, Dir string
	Main               bool

	licenses []string
	texts    []string
}

func main() {
	dir := flag.String("C", ".", "`FOLDER` of the module to look at")
	command := flag.String("command", "./cmd/cfaudit", "`PACKAGE` that is shipped")
	notices := flag.String("notices", "", "`FILE` with the notices")
	check := flag.Bool("check", false, "compare the notices and write nothing")
	flag.Parse()
	if err := run(*dir, *command, *notices, *check, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "licenses: %v\n", err)
		os.Exit(1)
	}
}

func run(dir, command, notices string, check bool, out io.Writer) error {
	modules, err := modulesOf(dir, command)
	if err != nil {
		return err
	}
	var faults []error
	for _, m := range modules {
		faults = append(faults, m.read())
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if err := list(out, modules); err != nil || notices == "" {
		return err
	}
	text := write(modules)
	if !check {
		return os.WriteFile(notices, text, 0o644)
	}
	old, err := os.ReadFile(notices)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, text) {
		return fmt.Errorf("%s is not what it should be: run make licenses", notices)
	}
	return nil
}

// modulesOf are the modules whose packages are in the command on any system, and
// the standard library.
func modulesOf(dir, command string) ([]*module, error) {
	found := make(map[string]*module)
	for _, system := range systems {
		cmd := exec.Command("go", "list", "-deps", "-json=Module", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
		cmd.Stderr = os.Stderr
		text, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", system, err)
		}
		for dec := json.NewDecoder(bytes.NewReader(text)); ; {
			var p struct{ Module *module }
			if err := dec.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			if p.Module != nil && !p.Module.Main {
				found[p.Module.Path] = p.Module
			}
		}
	}
	// The tool may have been built with -trimpath, and then it does not know.
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	all := []*module{{Path: "The Go standard library", Dir: strings.TrimSpace(string(root))}}
	for _, m := range found {
		all = append(all, m)
	}
	sort.Slice(all[1:], func(i, j int) bool { return all[1+i].Path < all[1+j].Path })
	return all, nil
}

// license is how a file with a licence or a notice is named.
var license = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)(\.(md|txt))?$`)

// read reads the licences of a module. A notice has to be passed on, too.
func (m *module) read() error {
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Path, err)
	}
	for _, e := range entries {
		if !license.MatchString(e.Name()) || e.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		m.texts = append(m.texts, strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
		for _, id := range identify(string(text)) {
			if !slices.Contains(m.licenses, id) {
				m.licenses = append(m.licenses, id)
			}
		}
	}
	if len(m.licenses) == 0 {
		return fmt.Errorf("%s %s: no licence is known in %s", m.Path, m.Version, m.Dir)
	}
	for _, id := range m.licenses {
		if !slices.Contains(allowed, id) {
			return fmt.Errorf("%s %s: its licence %s is not among those allowed: %s", m.Path, m.Version, id, strings.Join(allowed, ", "))
		}
	}
	return nil
}

func list(out io.Writer, modules []*module) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range modules {
		fmt.Fprintf(table, "%s\t%s\t%s\n", m.Path, m.Version, strings.Join(m.licenses, ", "))
	}
	return table.Flush()
}

// write is the text of the notices.
func write(modules []*module) []byte {
	var b bytes.Buffer
	b.WriteString("cfaudit contains the software below, under the licences that follow each name.\n")
	for _, m := range modules {
		fmt.Fprintf(&b, "\n%s\n%s\n", strings.Repeat("=", 78), strings.TrimSpace(m.Path+" "+m.Version))
		if m.Version != "" {
			fmt.Fprintf(&b, "Source: https://pkg.go.dev/%s@%s\n", m.Path, m.Version)
		}
		b.WriteString("\n")
		b.WriteString(strings.Join(m.texts, "\n\n") + "\n")
	}
	return b.Bytes()
}
