// Mutants shows that the tests notice the faults they are there for. A mutant
// is the code with one fault put into it; for each of the table, the test that
// guards against the fault must pass as the code is, and fail in the mutant.
//
//	go run ./internal/mutants                 all of them, from the module's folder
//	go run ./internal/mutants -run overlap    those whose fault or test matches
//
// The tree is not changed: the go command is given the mutant's file in place of
// the real one, by the tests too that call it. A mutant that does not build, or whose test does not end by
// itself, proves nothing and counts as a failure, like one that survives.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mutant is a fault that could be in the code.
type mutant struct {
	// fault says what goes wrong, in one line.
	fault string
	// file is where, below the repository's folder, and new what stands there in
	// place of old, which is there exactly once.
	file, old, new string
	// test is the test that guards against it; by default the model test.
	test string
	// in is the folder of the test; by default that of file, or of the model
	// test. It may be in a module of its own, such as otelcol.
	in string
}

// modelTest is the test of the poller in random worlds.
const modelTest = "TestPoll_DeliversEveryEntryOnceUnderEveryFault"

// worlds is how many of them it tries: several times as many as it took to find
// any of the faults.
const worlds = 300

// seed is what the model test says about the world it fails in.
var seed = regexp.MustCompile(`-model\.seed=(\d+)`)

// limit is how long one run of a test may take.
const limit = 3 * time.Minute

// What can become of a mutant.
var (
	errOutOfDate = errors.New("out of date")
	errNoBuild   = errors.New("does not build")
	errSurvived  = errors.New("survived")
	errTimeout   = errors.New("does not end")
)

func main() {
	pattern := flag.String("run", "", "only the mutants whose fault or test matches this `regexp`")
	flag.Parse()
	selected, err := regexp.Compile(*pattern)
	if err == nil {
		err = run(selected)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(selected *regexp.Regexp) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	var chosen []mutant
	for _, m := range mutants {
		if selected.MatchString(m.fault) || selected.MatchString(m.guard()) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no mutant matches %q", selected)
	}
	if err := passAsTheyAre(root, dir, chosen); err != nil {
		return err
	}
	bad := 0
	for _, m := range chosen {
		began := time.Now()
		verdict := "killed"
		world, err := m.kill(root, dir)
		if err != nil {
			verdict, _, _ = strings.Cut(err.Error(), ":")
			verdict = strings.ToUpper(verdict)
			bad++
		}
		fmt.Printf("%-15s %5.1f s  %s [%s%s]\n", verdict, time.Since(began).Seconds(), m.fault, m.guard(), world)
		if err != nil {
			fmt.Println("    " + strings.ReplaceAll(err.Error(), "\n", "\n    "))
		}
	}
	fmt.Printf("%d mutants: %d killed, %d not\n", len(chosen), len(chosen)-bad, bad)
	if bad > 0 {
		return fmt.Errorf("%d of %d mutants were not killed", bad, len(chosen))
	}
	return nil
}

// passAsTheyAre checks that the tests of the mutants pass without them.
func passAsTheyAre(root, dir string, list []mutant) error {
	tests := map[string][]string{}
	for _, m := range list {
		tests[m.folder()] = append(tests[m.folder()], m.guard())
	}
	for folder, names := range tests {
		binary := filepath.Join(dir, "test.exe")
		if out, err := build(root, binary, folder, ""); err != nil {
			return fmt.Errorf("the tests of ./%s do not build: %w\n%s", folder, err, out)
		}
		out, err := test(root, binary, folder, "", strings.Join(names, "|"))
		if err != nil {
			return fmt.Errorf("the tests of ./%s fail without a mutant: %w\n%s", folder, err, out)
		}
		for _, name := range names {
			if !strings.Contains(out, "--- PASS: "+name+" ") {
				return fmt.Errorf("%s of ./%s did not run", name, folder)
			}
		}
	}
	return nil
}

// kill runs the test in the mutant. It returns no error when the test has
// failed, and for the model test, the random world it failed in.
func (m mutant) kill(root, dir string) (world string, err error) {
	path := filepath.Join(root, m.file)
	code, err := m.apply(root)
	if err != nil {
		return "", err
	}
	mutated := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(mutated, code, 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: mutated}})
	if err != nil {
		return "", err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "test.exe")
	if out, err := build(root, binary, m.folder(), overlayFile); err != nil {
		return "", fmt.Errorf("%w: %w\n%s", errNoBuild, err, out)
	}
	out, err := test(root, binary, m.folder(), overlayFile, m.guard())
	switch {
	case err == nil:
		return "", errSurvived
	case strings.Contains(out, "panic: test timed out"):
		return "", fmt.Errorf("%w within %s", errTimeout, limit)
	case !strings.Contains(out, "--- FAIL: "+m.guard()+" "):
		return "", fmt.Errorf("the test itself has not failed: %w\n%s", err, out)
	}
	if found := seed.FindStringSubmatch(out); found != nil {
		world = ", world " + found[1]
	}
	return world, nil
}

// apply is the content of the mutant's file.
func (m mutant) apply(root string) ([]byte, error) {
	code, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(code), m.old); n != 1 {
		return nil, fmt.Errorf("%w: %s has this text %d times, not once:\n%s", errOutOfDate, m.file, n, m.old)
	}
	return []byte(strings.Replace(string(code), m.old, m.new, 1)), nil
}

// guard is the test that must notice the fault.
func (m mutant) guard() string {
	if m.test == "" {
		return modelTest
	}
	return m.test
}

// folder is where the test stands.
func (m mutant) folder() string {
	switch {
	case m.in != "":
		return m.in
	case m.test == "":
		return "." // the model test drives a connector
	}
	return filepath.Dir(m.file)
}

// build makes the test binary of a folder.
func build(root, binary, folder, overlay string) (output string, err error) {
	module, err := moduleOf(root, folder)
	if err != nil {
		return "", err
	}
	name, err := filepath.Rel(module, filepath.Join(root, folder))
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "test", "-c", "-ldflags=-s -w", "-overlay="+overlay, "-o", binary, "./"+filepath.ToSlash(name))
	cmd.Dir = module
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// moduleOf is the folder of the module that a folder below root belongs to: the
// nearest one with a go.mod.
func moduleOf(root, folder string) (string, error) {
	for dir := filepath.Join(root, folder); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Clean(root) || dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s: there is no go.mod there or above it", folder)
		}
	}
}

// test runs tests of a binary.
func test(root, binary, folder, overlay, names string) (output string, err error) {
	cmd := exec.Command(binary, "-test.v", "-test.timeout="+limit.String(), "-test.run=^("+names+")$")
	if strings.Contains(names, modelTest) {
		cmd.Args = append(cmd.Args, "-model.runs="+strconv.Itoa(worlds))
	}
	cmd.Dir = filepath.Join(root, folder)
	if overlay != "" {
		cmd.Env = append(cmd.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+overlay)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
