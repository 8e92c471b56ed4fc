package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan(w world) *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:     "man --dir FOLDER",
		Short:   "Write manual pages",
		Long:    "Man writes a manual page for each command into a folder, for man(1) and for\npackages.",
		Example: "  cfaudit man --dir /usr/local/share/man/man1 && man cfaudit-export",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if folder == "" {
				return faults{"--dir: is required: a folder for the pages"}
			}
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // a line about the library
			if err := doc.GenManTree(root, &doc.GenManHeader{Title: "CFAUDIT", Section: "1", Source: "cfaudit " + version()}, folder); err != nil {
				return errors.Join(errors.New("cannot write the pages"), err)
			}
			_, err := fmt.Fprintf(w.stdout, "the pages are in %s; man -l shows one\n", folder)
			return err
		},
	}
	cmd.Flags().StringVar(&folder, "dir", "", "`FOLDER` for the pages")
	return cmd
}
