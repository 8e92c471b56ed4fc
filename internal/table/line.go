package table

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// terminal is a writer that knows whether it is one.
type terminal interface{ Terminal() (width int, ok bool) }

// Terminal reports whether w is a terminal, and its width, which is 80 if
// unknown.
func Terminal(w io.Writer) (width int, ok bool) {
	switch w := w.(type) {
	case terminal:
		return w.Terminal()
	case *os.File:
		if !term.IsTerminal(int(w.Fd())) {
			return 0, false
		}
		width, _, err := term.GetSize(int(w.Fd()))
		if err != nil || width <= 0 {
			width = 80
		}
		return width, true
	}
	return 0, false
}

// Colours reports whether to write to a terminal in colour: unless NO_COLOR is
// set or TERM is dumb.
func Colours(w io.Writer, getenv func(string) string) bool {
	_, ok := Terminal(w)
	return ok && getenv("NO_COLOR") == "" && !Dumb(getenv)
}

// Dumb reports whether the terminal can do no more than print one line after
// another.
func Dumb(getenv func(string) string) bool { return getenv("TERM") == "dumb" }

// Line is a status line at the bottom of a terminal, above which all other
// output appears. A nil Line shows nothing. Its methods are safe for concurrent
// use. A dozen lines of escape sequences suffice here; progress-bar libraries
// have their own renderer, through which logs and tables would have to go.
type Line struct {
	mu    sync.Mutex
	out   io.Writer
	text  string
	shown bool
}

// NewLine returns a Line on out, or nil where out is no terminal or a dumb one.
func NewLine(out io.Writer, getenv func(string) string) *Line {
	if _, ok := Terminal(out); !ok || Dumb(getenv) {
		return nil
	}
	return &Line{out: out}
}

// Set shows text, cut to the width of the terminal. An empty one clears the line.
func (l *Line) Set(text string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = Clean(text)
	l.clear()
	l.show()
}

// Behind returns a writer to out whose output appears above the line. A caller
// that writes part of a line must write the rest at once.
func (l *Line) Behind(out io.Writer) io.Writer {
	if l == nil {
		return out
	}
	return &behind{l, out}
}

type behind struct {
	line *Line
	out  io.Writer
}

// Write implements [io.Writer].
func (b *behind) Write(p []byte) (int, error) {
	b.line.mu.Lock()
	defer b.line.mu.Unlock()
	b.line.clear()
	n, err := b.out.Write(p)
	if err == nil {
		b.line.show()
	}
	return n, err
}

// Terminal makes the writer a terminal if the one behind it is.
func (b *behind) Terminal() (int, bool) { return Terminal(b.out) }

func (l *Line) clear() {
	if l.shown {
		_, _ = io.WriteString(l.out, "\r\x1b[2K")
		l.shown = false
	}
}

// show writes the text, one column narrower than the terminal, because a full line
// would scroll it.
func (l *Line) show() {
	width, _ := Terminal(l.out)
	if l.text == "" || width < 2 {
		return
	}
	_, _ = io.WriteString(l.out, cells.Truncate(l.text, width-1, "…"))
	l.shown = true
}
