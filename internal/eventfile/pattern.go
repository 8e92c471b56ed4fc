package eventfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Match is the files that a pattern stands for, as in [filepath.Match]. The name of a
// file that exists stands for that file alone, whatever signs it has. The error is
// one of a pattern that is malformed.
func Match(pattern string) ([]string, error) {
	if _, err := os.Stat(pattern); err == nil {
		return []string{pattern}, nil
	}
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%q: must be the name of a file, or a pattern with *, ? and [a-z]", pattern)
	}
	return names, nil
}

// Expand is the files to read that names and patterns stand for, in their order and
// each name once. Names without the signs of a pattern, and "-", stay as they are. A
// pattern stands for no folder; one that matches nothing is an error that names it.
func Expand(patterns []string) ([]string, error) {
	var files []string
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, "*?[") {
			files = append(files, pattern)
			continue
		}
		names, err := Match(pattern)
		if err != nil {
			return nil, err
		}
		names = slices.DeleteFunc(names, func(name string) bool {
			info, err := os.Stat(name)
			return err == nil && info.IsDir()
		})
		if len(names) == 0 {
			return nil, fmt.Errorf("%q: matches no file", pattern)
		}
		for _, name := range names {
			if !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
	}
	return files, nil
}
