// Package gobuild builds programs for tests.
package gobuild

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Program builds the program of a package into file. To link it takes longer than
// most tests, and go build does so every time, whereas go run keeps what it has linked
// in the cache, so that it is copied from there for as long as nothing has changed.
//
// Flags are those of go build, and env are variables as in [exec.Cmd].
func Program(file, pkg string, flags []string, env ...string) error {
	args := append([]string{"build"}, flags...)
	args = append(args, "-o", file, pkg)
	// What is built of planted faults is needed once: it would fill the cache.
	if _, err := exec.LookPath("cp"); err == nil && !strings.Contains(os.Getenv("GOFLAGS"), "-overlay") {
		args = append([]string{"run", "-exec=cp"}, flags...)
		args = append(args, pkg, file)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
