package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const packaging = "../../packaging/"

// notOnDashboard are the metrics that the dashboard leaves out, each with the
// reason.
var notOnDashboard = map[string]string{}

// metricsOf are the names of the metrics of collectors.
func metricsOf(collectors ...prometheus.Collector) map[string]bool {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		for _, c := range collectors {
			c.Describe(descs)
		}
	}()
	names := make(map[string]bool)
	for d := range descs {
		names[metricName.FindString(d.String())] = true
	}
	return names
}

var metricName = regexp.MustCompile(`\bcfaudit_[a-z_]+\b`)

// allMetrics are the names of all metrics that the command has.
func allMetrics() map[string]bool {
	m := newFleetMonitor(nil, &delivery{}, nil)
	x := &m.metrics
	return metricsOf(new(monitor), m, x.polls, x.failures, x.requests, x.events, x.dropped,
		x.read, x.repeated, x.late, x.undecodable, x.took, x.delay)
}

// named are the metrics that a text names. Histograms have series of their own.
func named(text string) map[string]bool {
	names := make(map[string]bool)
	for _, name := range metricName.FindAllString(text, -1) {
		names[strings.TrimSuffix(name, "_bucket")] = true
	}
	return names
}

// queries are the texts under the key expr, wherever they are.
func queries(v any) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, ok := v[key].(string); ok && key == "expr" {
				all = append(all, text)
				continue
			}
			all = append(all, queries(v[key])...)
		}
	case []any:
		for _, one := range v {
			all = append(all, queries(one)...)
		}
	}
	return all
}

func TestPackaging_TheDashboardShowsEveryMetric(t *testing.T) {
	t.Parallel()
	var dashboard any
	require.NoError(t, json.Unmarshal([]byte(read(t, packaging+"grafana/cfaudit.json")), &dashboard))
	are, shown := allMetrics(), named(strings.Join(queries(dashboard), "\n"))
	require.Greater(t, len(are), 40)
	for name := range shown {
		assert.Contains(t, are, name, "there is no such metric")
	}
	for name := range are {
		assert.NotEqual(t, shown[name], notOnDashboard[name] != "", "%s: must be either on the dashboard or left out with a reason", name)
	}
}

func TestPackaging_TheAlertsAreAboutMetricsThereAre(t *testing.T) {
	t.Parallel()
	text := read(t, packaging+"prometheus/cfaudit.rules.yaml")
	var rules any
	require.NoError(t, yaml.Unmarshal([]byte(text), &rules))
	names := named(strings.Join(queries(rules), "\n"))
	require.NotEmpty(t, names)
	for name := range names {
		assert.Contains(t, allMetrics(), name)
	}
	// Every alert is seen firing in the tests of promtool, which .ci/run makes.
	tests := read(t, packaging+"prometheus/cfaudit.rules.test.yaml")
	for _, m := range regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllStringSubmatch(text, -1) {
		assert.Contains(t, tests, `{alertname="`+m[1]+`"}`)
	}
	for _, m := range regexp.MustCompile(`runbook_url: \S+/blob/main/(\S+)#(\S+)`).FindAllStringSubmatch(text, -1) {
		heading := regexp.MustCompile(`(?mi)^#+ ` + strings.ReplaceAll(m[2], "-", " ") + `$`)
		assert.Regexp(t, heading, read(t, "../../"+m[1]))
	}
}

// parsed is the command of a command line, whose flags are those it has.
func parsed(t *testing.T, args []string) *cobra.Command {
	t.Helper()
	root := newRoot(world{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	cmd, rest, err := root.Find(args)
	require.NoError(t, err)
	require.NoError(t, cmd.ParseFlags(rest), "%q", args)
	assert.Empty(t, cmd.Flags().Args())
	return cmd
}

func TestPackaging_TheUnitsStartCommandsThereAre(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"run": "cfaudit run", "poll": "cfaudit poll", "fleet": "cfaudit fleet work"} {
		unit := read(t, packaging+"systemd/cfaudit-"+name+"@.service")
		start := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/cfaudit (.+)$`).FindStringSubmatch(unit)
		more := regexp.MustCompile(`(?m)^Environment="CFAUDIT_ARGS=(.+)"$`).FindStringSubmatch(unit)
		require.NotNil(t, start, name)
		require.NotNil(t, more, name)
		line := strings.ReplaceAll(start[1], "$CFAUDIT_ARGS", more[1])
		cmd := parsed(t, strings.Fields(line))
		assert.Equal(t, want, cmd.CommandPath())
		assert.NotContains(t, line, "$")
	}
	before := regexp.MustCompile(`(?m)^ExecStartPre=/usr/bin/cfaudit (.+)$`).FindStringSubmatch(read(t, packaging+"systemd/cfaudit-fleet@.service"))
	require.NotNil(t, before)
	assert.Equal(t, "cfaudit fleet migrate", parsed(t, strings.Fields(before[1])).CommandPath())
}

func TestPackaging_TheContainersStartCommandsThereAre(t *testing.T) {
	t.Parallel()
	want := map[string][]string{"run/statefulset.yaml": {"cfaudit run"}, "fleet/deployment.yaml": {"cfaudit fleet migrate", "cfaudit fleet work"}}
	for file, commands := range want {
		var got []string
		dec := yaml.NewDecoder(strings.NewReader(read(t, packaging+"kubernetes/"+file)))
		for {
			var workload struct {
				Spec struct {
					Template struct {
						Spec struct {
							InitContainers []struct{ Args []string } `yaml:"initContainers"`
							Containers     []struct{ Args []string }
						}
					}
				}
			}
			err := dec.Decode(&workload)
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			pod := workload.Spec.Template.Spec
			for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
				got = append(got, parsed(t, c.Args).CommandPath())
			}
		}
		assert.Equal(t, commands, got, file)
	}
	file := filepath.Join(packaging, "kubernetes/run/cfaudit.yaml")
	got := call{args: []string{"config", "check", "--config", file}, env: map[string]string{envToken: "a-token-that-is-none"}}.run(t.Context())
	assert.Equal(t, exitOK, got.code, got.err)
}

func TestOperations_ShowsCommandsThereAre(t *testing.T) {
	t.Parallel()
	found := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(read(t, "../../docs/operations.md"), -1) {
		for line := range strings.Lines(block[1]) {
			args := strings.Fields(line)
			require.Equal(t, "cfaudit", args[0], line)
			parsed(t, args[1:])
			found++
		}
	}
	assert.Greater(t, found, 3)
}

// systemd-analyze reads the units as systemd does, beside the units of this
// machine and with something in the place of the command.
func TestPackaging_TheUnitsAreValidAndLockedDown(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze")
	}
	root := t.TempDir()
	units := filepath.Join(root, "usr/lib/systemd/system")
	require.NoError(t, os.CopyFS(units, os.DirFS("/usr/lib/systemd/system")))
	require.NoError(t, os.CopyFS(units, os.DirFS(packaging+"systemd")))
	for _, program := range []string{"usr/bin/cfaudit", "bin/kill"} {
		path := filepath.Join(root, program)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755))
	}
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), analyze, append(args, "--root="+root)...).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	assert.Empty(t, run("verify", "--man=no", "cfaudit-run@example.service", "cfaudit-poll@example.service", "cfaudit-poll@example.timer", "cfaudit-fleet@example.service"))
	for _, unit := range []string{"cfaudit-run@example.service", "cfaudit-poll@example.service", "cfaudit-fleet@example.service"} {
		run("security", "--offline=true", "--threshold=15", unit)
	}
}

// The image holds one file that runs: it has to run without any other.
func TestPackaging_TheCommandNeedsNoOtherFile(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("it takes root on Linux to change the root")
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("there is no unshare")
	}
	if out, err := exec.CommandContext(t.Context(), unshare, "--mount", "true").CombinedOutput(); err != nil {
		t.Skip("no file system can be mounted here: " + string(out))
	}
	root := t.TempDir()
	command, err := build()
	require.NoError(t, err)
	text, err := os.ReadFile(command)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "cfaudit"), text, 0o755))
	// As a user without rights, and with nothing that can be written to.
	require.NoError(t, os.Chmod(root, 0o755))
	demo := exec.CommandContext(t.Context(), unshare, "--mount", "sh", "-ec",
		`mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; exec chroot --userspec=65532:65532 "$1" /cfaudit demo`, "sh", root)
	out, err := demo.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "second poll: 0 new")
}
