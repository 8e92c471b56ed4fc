//go:build unix

package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a server of its own, in a temporary folder. It takes connections
// on a Unix socket only, and ends with the process that has started it, as its
// folder does.
type Cluster struct {
	folder, bin string
	as          *syscall.Credential // nil for this user
	settings    []string
	server      *exec.Cmd
	leash       io.WriteCloser
	log         bytes.Buffer
}

// NewCluster makes and starts a server. Settings outrank those for quick tests;
// with "fsync=on" the server is on a disk, else in memory where that can be. The
// caller removes it with [Cluster.Remove].
func NewCluster(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	bin := binaries()
	if bin == "" {
		missing(t, "there are no server binaries in the path or in /usr/lib/postgresql/*/bin")
	}
	parent := inMemory()
	if slices.Contains(settings, "fsync=on") {
		parent = "" // what it measures is a server with a disk
	}
	folder, err := os.MkdirTemp(parent, "pgtest")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{folder: folder, bin: bin, settings: settings}
	if err := c.create(); err != nil {
		os.RemoveAll(folder)
		missing(t, "%v", err)
	}
	if err := c.Start(); err != nil {
		os.RemoveAll(folder)
		t.Fatal(err)
	}
	return c
}

// binaries is the folder of the newest server that is installed, or "".
func binaries() string {
	if os.Getenv(EnvNoServer) != "" {
		return ""
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	newest, best := 0, ""
	for _, path := range found {
		bin := filepath.Dir(path)
		if v, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && v > newest {
			newest, best = v, bin
		}
	}
	return best
}

// create makes the data folder. The server refuses to run as root, so that it
// runs as the user that its package has made, or as nobody.
func (c *Cluster) create() error {
	if os.Geteuid() == 0 {
		owner, err := user.Lookup("postgres")
		if err != nil {
			if owner, err = user.Lookup("nobody"); err != nil {
				return err
			}
		}
		uid, _ := strconv.Atoi(owner.Uid)
		gid, _ := strconv.Atoi(owner.Gid)
		c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.folder, uid, gid); err != nil {
			return err
		}
	}
	out, err := c.command("initdb", "--pgdata", c.data(), "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--no-locale", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func (c *Cluster) data() string { return filepath.Join(c.folder, "data") }

// command is a program of the server, as the user it runs as.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

// Start starts the server and waits until it answers.
func (c *Cluster) Start() error {
	args := []string{"-D", c.data(), "-k", c.folder}
	for _, s := range append([]string{"listen_addresses=", "fsync=off", "max_wal_size=256MB", "max_connections=200", "shared_buffers=64MB"}, c.settings...) {
		args = append(args, "-c", s)
	}
	// The shell stops the server when it is told to by a line, and when this process
	// has gone, whatever the way: its standard input then comes to its end. Nobody
	// else is left then to remove the folder.
	cmd := c.command("postgres", args...)
	cmd.Args = append([]string{"sh", "-c", `"$0" "$@" & pid=$!; read told; gone=$?
kill -QUIT $pid 2>/dev/null; wait $pid; [ $gone = 0 ] || rm -rf "$PWD"`}, append([]string{cmd.Path}, args...)...)
	cmd.Path = "/bin/sh"
	leash, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	c.log.Reset()
	cmd.Stdout, cmd.Stderr = &c.log, &c.log
	if err := cmd.Start(); err != nil {
		return err
	}
	c.server, c.leash = cmd, leash
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), c.URL())
		if err == nil {
			return conn.Close(context.Background())
		}
		if time.Now().After(deadline) {
			_ = c.Kill()
			return fmt.Errorf("the server does not start: %w: %s", err, &c.log)
		}
	}
}

// URL connects to the database postgres as its superuser.
func (c *Cluster) URL() string {
	return "postgres://postgres@/postgres?host=" + c.folder
}

// PID is the process of the server.
func (c *Cluster) PID() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(first)
}

// Kill ends the server as a crash does: what has not been written is gone from
// its memory, and its next start recovers from the log.
func (c *Cluster) Kill() error {
	if c.server == nil {
		return nil
	}
	_, _ = c.leash.Write([]byte("stop\n"))
	_ = c.leash.Close()
	// The exit code of a server that was told to quit at once says nothing.
	_ = c.server.Wait()
	c.server = nil
	return nil
}

// Remove ends the server and removes its folder.
func (c *Cluster) Remove() error {
	if err := c.Kill(); err != nil {
		return err
	}
	return os.RemoveAll(c.folder)
}
