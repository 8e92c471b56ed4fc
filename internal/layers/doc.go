// Package layers enforces the structure of the code: imports go in one
// direction, the root package stays small, and no local name shadows one of its
// package. It has tests only.
package layers
