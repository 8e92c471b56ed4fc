package pgtest_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/pgtest"
)

// Where there is no server, an ok alone would say that a fleet has been tested.
func TestMain_GoTestShowsThatAFleetWasNotTested(t *testing.T) {
	t.Parallel()
	run := func(pkg string) string {
		cmd := exec.Command("go", "test", "-run", "^(TestPut_ASingleInstanceIsDueAtOnce|TestStore_.*)$", pkg)
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
			return strings.HasPrefix(v, pgtest.EnvURL+"=") || strings.HasPrefix(v, pgtest.EnvNoSkip+"=")
		})
		cmd.Env = append(cmd.Env, pgtest.EnvNoServer+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	for _, pkg := range []string{"../../fleet", "../../store/postgres"} {
		assert.Regexp(t, `^ok .*\[no tests to run\]\n$`, run(pkg), pkg)
	}
}
