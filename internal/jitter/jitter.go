// Package jitter spreads pauses, so that clients that failed together do not
// come back together.
package jitter

import (
	"hash/fnv"
	"io"
	"math/rand/v2"
	"time"
)

// Below is a pause of at least zero and less than d, which must be positive. It
// is derived from the key and the current time, not from a random source, so
// that a test with a fake clock can be repeated.
func Below(key string, d time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = io.WriteString(h, key)
	rng := rand.New(rand.NewPCG(h.Sum64(), uint64(time.Now().UnixNano())))
	return time.Duration(rng.Int64N(int64(d)))
}
