//go:build !unix

package pgtest

import "testing"

// Cluster is a server of its own, which there is on Unix only.
type Cluster struct{}

// NewCluster skips the test.
func NewCluster(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	missing(t, "a server for the tests is started on Unix only")
	return nil
}

// URL, Start, Kill and Remove are never reached.
func (c *Cluster) URL() string   { return "" }
func (c *Cluster) Start() error  { return nil }
func (c *Cluster) Kill() error   { return nil }
func (c *Cluster) Remove() error { return nil }
