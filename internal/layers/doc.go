// Package layers holds the code to its structure: imports go in one direction,
// the root package stays small, and no local name shadows one of its package.
// It has tests only.
package layers
