package backoff

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestPause_GrowsToItsLimit(t *testing.T) {
	t.Parallel()
	const tenth = 10
	for name, c := range map[string]struct {
		failures        int
		interval, asked time.Duration
		needsAction     bool
		min, most       time.Duration
	}{
		"the first":                       {failures: 1, min: First, most: First},
		"the third":                       {failures: 3, min: 4 * First, most: 4 * First},
		"many, a short interval":          {failures: math.MaxInt, interval: 30 * time.Second, min: 50 * time.Second, most: time.Minute},
		"many, a long interval":           {failures: math.MaxInt, interval: time.Hour, min: 50 * time.Minute, most: time.Hour},
		"a person mends, a long interval": {failures: math.MaxInt, interval: time.Hour, needsAction: true, min: 50 * time.Second, most: time.Minute},
		"the server asks for more":        {failures: 1, asked: 2 * time.Hour, needsAction: true, min: 2 * time.Hour, most: 3 * time.Hour},
		"the server asks for less":        {failures: 4, interval: time.Hour, asked: time.Second, min: 8 * First, most: 9 * First},
		"the largest interval there is":   {failures: math.MaxInt, interval: 24 * time.Hour, min: 20 * time.Hour, most: 24 * time.Hour},
	} {
		d := Pause(c.failures, c.interval, c.asked, c.needsAction)
		assert.GreaterOrEqual(t, d, c.min, name)
		assert.LessOrEqual(t, d, c.most, name)
		if c.most > First && c.asked == 0 && d > 4*First {
			assert.LessOrEqual(t, d+d/tenth, c.most, "%s, with jitter", name)
		}
	}
}

func TestWhile_DoublesWithTheTimeThatHasPassed(t *testing.T) {
	t.Parallel()
	assert.Equal(t, First, While(0, time.Hour, 0, false))
	assert.Equal(t, 40*time.Second, While(40*time.Second, time.Hour, 0, false))
	assert.Equal(t, Pause(math.MaxInt, time.Hour, 0, false), While(24*time.Hour, time.Hour, 0, false))
	assert.Equal(t, Pause(math.MaxInt, time.Hour, 0, true), While(24*time.Hour, time.Hour, 0, true))
	assert.Equal(t, 2*time.Minute, While(0, time.Hour, 2*time.Minute, true), "as the server asks")
}
