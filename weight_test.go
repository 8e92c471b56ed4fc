package cloudflareaudit

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/gobuild"
)

// A host that embeds the connector pays for what it imports, with every build.
func TestWeight_Packages(t *testing.T) {
	t.Parallel()
	packages := strings.Fields(runGo(t, "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "."))
	require.Contains(t, packages, "github.com/cloudflare/cloudflare-go/v7/audit_logs", "the list is not that of the connector")
	// The root of the SDK imports all of its hundred services.
	require.NotContains(t, packages, "github.com/cloudflare/cloudflare-go/v7")
	// Five of them map the names of zones, as UTS 46 says.
	foreign := slices.DeleteFunc(packages, func(p string) bool { return strings.HasPrefix(p, "github.com/aisoc/cloudflareaudit") })
	require.LessOrEqual(t, len(foreign), 26, strings.Join(foreign, "\n"))
	t.Logf("%d packages of other modules", len(foreign))
}

// The packages for fleets are in the same module. Go builds only what is
// imported, so that nobody else pays for them.
func TestWeight_OnlyAFleetNeedsPostgres(t *testing.T) {
	t.Parallel()
	heavy := func(packages ...string) (found []string) {
		args := append([]string{"list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}, packages...)
		for _, p := range strings.Fields(runGo(t, args...)) {
			for _, prefix := range []string{"github.com/jackc/", "github.com/riverqueue/", "filippo.io/"} {
				if strings.HasPrefix(p, prefix) {
					found = append(found, p)
				}
			}
		}
		return found
	}
	require.Empty(t, heavy(".", "./ingest", "./store", "./sink", "./sink/aisoc"))
	require.NotContains(t, strings.Join(heavy("./store/postgres"), "\n"), "riverqueue")
	require.NotEmpty(t, heavy("./fleet"), "the list shows nothing")
}

// What the connector adds to a program that reads JSON by HTTP anyway, both
// without symbols and debugging information.
func TestWeight_Binary(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it links three programs")
	}
	dir := t.TempDir()
	size := func(program string) int64 {
		out := filepath.Join(dir, program)
		require.NoError(t, gobuild.Program(out, "./testdata/weight/"+program, []string{"-ldflags=-s -w"}))
		info, err := os.Stat(out)
		require.NoError(t, err)
		return info.Size()
	}
	without, parts, with := size("without"), size("parts"), size("with")
	t.Logf("%.2f MB without the connector, %.2f MB with it: %.2f MB more, %.2f MB of them for what it is built on",
		mb(uint64(without)), mb(uint64(with)), mb(uint64(with-without)), mb(uint64(parts-without)))
	require.Greater(t, parts, without)
	require.Greater(t, with, parts)
	require.LessOrEqual(t, with-without, int64(2_900_000))
}

// runGo runs the go command in the directory of the package.
func runGo(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}
