package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWork_DeliversEveryEntryOfEveryAccountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var specs []Spec
	for n := range 20 {
		id := fmt.Sprintf("account-%d", n)
		w.vendor.account(id, 7*n)
		specs = append(specs, spec(id))
	}
	w.put(t, specs...)
	w.work(t)
	w.work(t)
	total := 7 * 19 * 20 / 2
	eventually(t, "all entries", func() bool { n, _ := w.sink.count(); return n == total })
	eventually(t, "further polls", func() bool {
		s, err := w.Summary(t.Context())
		require.NoError(t, err)
		return s.Behind == 0
	})
	_, repeats := w.sink.count()
	assert.Zero(t, repeats)
	list, err := w.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 20)
	for _, s := range list {
		assert.WithinDuration(t, time.Now(), s.LastSuccess, 20*time.Second)
		assert.Empty(t, s.LastError)
		assert.False(t, s.NextPoll.IsZero())
	}
	w.vendor.set(func() {
		for id, a := range w.vendor.accounts {
			assert.Zero(t, a.overlapped, id)
			assert.IsIncreasing(t, append([]int{-1}, compact(a.cursors)...), id)
		}
	})
}

// compact leaves out what is the same as the one before.
func compact(list []int) (out []int) {
	for _, n := range list {
		if len(out) == 0 || out[len(out)-1] != n {
			out = append(out, n)
		}
	}
	return out
}
