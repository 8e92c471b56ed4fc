package prefixed

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestErrorf_TellsWithAndWithoutTheNames(t *testing.T) {
	t.Parallel()
	inner := Errorf("store", "cannot save %q: %w", "k", io.ErrShortWrite)
	for name, c := range map[string]struct {
		err        error
		full, bare string
	}{
		"alone":              {inner, `store: cannot save "k": short write`, `cannot save "k": short write`},
		"below another":      {Errorf("fleet", "%s: %w", "id", inner), `fleet: id: store: cannot save "k": short write`, `id: cannot save "k": short write`},
		"with a remark":      {Errorf("", "%w; try again", inner), `store: cannot save "k": short write; try again`, `cannot save "k": short write; try again`},
		"without an error":   {Errorf("sink", "no file"), "sink: no file", "no file"},
		"joined":             {errors.Join(inner, io.EOF), "store: cannot save \"k\": short write\nEOF", `cannot save "k": short write; EOF`},
		"wrapped by another": {fmt.Errorf("a: %w", inner), `a: store: cannot save "k": short write`, `a: store: cannot save "k": short write`},
	} {
		assert.Equal(t, c.full, c.err.Error(), name)
		assert.Equal(t, c.bare, Bare(c.err), name)
		assert.NotEmpty(t, Package(c.err), name)
		assert.Equal(t, name != "without an error", errors.Is(c.err, io.ErrShortWrite), name)
	}
}
