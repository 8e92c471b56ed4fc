package ingest

import "context"

// Diagnoser is implemented by sources that can say more about their connection
// than whether it works. Hosts find it by a type assertion and show what it
// finds to the person who pressed "Test connection".
type Diagnoser interface {
	Source
	// Diagnose tests the connection as TestConnection does and returns the same
	// error. The findings say what was looked at and what came out, also when
	// there is an error, and hold no secret. It moves no position.
	Diagnose(ctx context.Context) ([]Finding, error)
}

// Finding is something about a connection that a person should know.
type Finding struct {
	Level Level `json:"level"`
	// Text says what was found, in one or two sentences.
	Text string `json:"text"`
	// Remedy says what to do about it, or is empty. Field is the field of the
	// configuration that it is about, or empty.
	Field  string `json:"field,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// Level says how serious a [Finding] is.
type Level string

// The levels of findings.
const (
	// LevelOK: it is as it should be.
	LevelOK Level = "ok"
	// LevelNote: it is no fault, but explains what a person may wonder about.
	LevelNote Level = "note"
	// LevelWarning: it works now, but should be changed.
	LevelWarning Level = "warning"
	// LevelError: the connection does not work before this is changed.
	LevelError Level = "error"
)
