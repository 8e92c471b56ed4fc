//go:build unix && !linux

package pgtest

// inMemory is the usual folder: which ones are in memory is known of Linux only.
func inMemory() string { return "" }
