// Package prefixed makes errors that begin with the name of their package,
// which a host wants to see and a user of the command does not.
package prefixed

import (
	"errors"
	"fmt"
	"strings"
)

// Barer is an error that has a text without the name of its package.
type Barer interface {
	error
	// Bare is the text without the name.
	Bare() string
}

// Errorf is [fmt.Errorf] with the name of a package in front. Bare omits the
// names of wrapped errors too. An empty name adds nothing.
func Errorf(pkg, format string, args ...any) error {
	e := &prefixedError{pkg: pkg, err: fmt.Errorf(format, args...)}
	inner := make([]any, len(args))
	for i, a := range args {
		inner[i] = a
		if err, ok := a.(error); ok {
			inner[i] = Bare(err)
		}
	}
	e.bare = fmt.Sprintf(strings.ReplaceAll(format, "%w", "%v"), inner...)
	return e
}

type prefixedError struct {
	pkg  string
	err  error
	bare string
}

// Error implements error.
func (e *prefixedError) Error() string {
	if e.pkg == "" {
		return e.err.Error()
	}
	return e.pkg + ": " + e.err.Error()
}

// Bare implements [Barer].
func (e *prefixedError) Bare() string { return e.bare }

// Unwrap returns the error formatted with %w.
func (e *prefixedError) Unwrap() error { return e.err }

// Package is the name in front of err, or "".
func Package(err error) string {
	e, ok := errors.AsType[*prefixedError](err)
	for ok && e.pkg == "" {
		e, ok = errors.AsType[*prefixedError](e.err)
	}
	if !ok {
		return ""
	}
	return e.pkg
}

// Bare is the text of err without the names of packages, as far as it was made
// of errors that can leave them out.
func Bare(err error) string {
	if b, ok := err.(Barer); ok {
		return b.Bare()
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && err.Error() == errors.Join(joined.Unwrap()...).Error() {
		texts := make([]string, len(joined.Unwrap()))
		for i, one := range joined.Unwrap() {
			texts[i] = Bare(one)
		}
		return strings.Join(texts, "; ")
	}
	return err.Error()
}
