package ingest

import "context"

// Diagnoser is implemented by sources that can report details of their
// connection. Hosts find it by a type assertion and show the findings to the
// person who pressed "Test connection".
type Diagnoser interface {
	Source
	// Diagnose tests the connection as TestConnection does and returns the same
	// error. The findings, which come with an error too, say what was checked
	// and the result, and hold no secret. It moves no position.
	Diagnose(ctx context.Context) ([]Finding, error)
}

// Finding is something about a connection that a person should know.
type Finding struct {
	Level Level `json:"level"`
	// Text is one or two sentences.
	Text string `json:"text"`
	// Remedy is how to fix it, or empty. Field is the configuration field that
	// it concerns, or empty.
	Field  string `json:"field,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// Level says how serious a [Finding] is.
type Level string

// The levels of findings.
const (
	// LevelOK: it is as it should be.
	LevelOK Level = "ok"
	// LevelNote: not a fault, but explains something that may surprise.
	LevelNote Level = "note"
	// LevelWarning: it works now, but should be changed.
	LevelWarning Level = "warning"
	// LevelError: the connection does not work before this is changed.
	LevelError Level = "error"
)
