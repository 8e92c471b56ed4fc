// Package pgtest gives tests a Postgres database of their own.
//
// With the environment variable CFAUDIT_TEST_DATABASE_URL it makes the
// databases on that server, whose user must be allowed to. Else it starts a
// server from the installed binaries, for the process of the test, in a
// temporary folder and on a Unix socket. Where there are none, tests are
// skipped, and fail when CFAUDIT_TEST_NO_SKIP is set, as it is in CI. A package
// that needs the server for what it promises says so in the line that go test
// prints of it, see [Main].
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The environment variables.
const (
	EnvURL    = "CFAUDIT_TEST_DATABASE_URL"
	EnvNoSkip = "CFAUDIT_TEST_NO_SKIP"
	// EnvNoServer has the tests run as if no server were installed.
	EnvNoServer = "CFAUDIT_TEST_NO_SERVER"
)

var shared struct {
	sync.Mutex
	cluster *Cluster
}

// Main is the tests of a package. Its Run also stops the server that Database
// has started, so that goleak finds nothing of it.
type Main struct {
	*testing.M
	// Essential says that the tests without a server are of little worth. When
	// others are skipped, go test then prints "[no tests to run]" behind its ok,
	// which else would hide it.
	Essential bool
}

// skipped counts the tests that were skipped for want of a server.
var skipped atomic.Int64

// noTests has go test print "[no tests to run]" behind the ok of a package.
const noTests = "testing: warning: no tests to run"

// Run runs the tests.
func (m Main) Run() int {
	defer stop()
	code := m.M.Run()
	if n := skipped.Load(); n > 0 && m.Essential {
		fmt.Printf("NO POSTGRES, %d TESTS SKIPPED\n%s\n", n, noTests)
	}
	return code
}

func stop() {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		_ = shared.cluster.Remove()
		shared.cluster = nil
	}
}

// Database makes an empty database, which is dropped at the end of the test,
// and returns its URL.
func Database(t testing.TB) string {
	t.Helper()
	server := serverURL(t)
	name := "cfaudit_test_" + strings.ToLower(rand.Text()[:16])
	execute(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { execute(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(EnvURL + " is no URL")
	}
	u.Path = "/" + name
	return u.String()
}

// serverURL is the server on which databases are made.
func serverURL(t testing.TB) string {
	t.Helper()
	if server := os.Getenv(EnvURL); server != "" {
		return server
	}
	shared.Lock()
	defer shared.Unlock() // also when the test is skipped
	if shared.cluster == nil {
		shared.cluster = NewCluster(t)
	}
	return shared.cluster.URL()
}

// Pool makes an empty database and returns a pool of connections to it.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return PoolOf(t, Database(t))
}

// PoolOf returns a pool of connections to the database at url.
func PoolOf(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func execute(t testing.TB, server, statement string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("cannot connect to the server of the tests: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// missing ends a test that has no server.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	why := "NO POSTGRES, NOT TESTED: " + fmt.Sprintf(format, args...) +
		"; install the server (Debian: postgresql) or set " + EnvURL
	if os.Getenv(EnvNoSkip) != "" {
		t.Fatal(why)
	}
	skipped.Add(1)
	t.Skip(why)
}
