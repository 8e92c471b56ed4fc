package fakecloudflare

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStory_IsInOrderWithinItsTimesAndTheSameEachTime(t *testing.T) {
	t.Parallel()
	to := time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC)
	from := to.AddDate(0, 0, -30)
	entries := Story(1, from, to)
	assert.Equal(t, entries, Story(1, from, to))
	assert.Greater(t, len(entries), 250)
	ids, last := map[string]bool{}, from
	for _, e := range entries {
		require.True(t, json.Valid(e), "%s", e)
		assert.NotContains(t, string(e), "$", "a term is left")
		at, ok := When(e)
		require.True(t, ok)
		assert.False(t, at.Before(last) || !at.Before(to), "%s", at)
		last = at
		var entry struct{ ID string }
		require.NoError(t, json.Unmarshal(e, &entry))
		assert.False(t, ids[entry.ID], "duplicate id")
		ids[entry.ID] = true
	}
}

func TestStoryV2_IsInOrderAndHasWhatPeopleDo(t *testing.T) {
	t.Parallel()
	to := time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC)
	from := to.AddDate(0, 0, -30)
	people, attempts := 0, 0
	for _, e := range Story(1, from, to) {
		if strings.Contains(string(e), `"type":"user"`) {
			people++
		}
	}
	entries := StoryV2(1, from, to)
	assert.Equal(t, entries, StoryV2(1, from, to))
	assert.Len(t, entries, people)
	last := from.Add(-time.Second)
	for _, e := range entries {
		require.True(t, json.Valid(e), "%s", e)
		assert.NotContains(t, string(e), "$", "a term is left")
		at, ok := When(e)
		require.True(t, ok)
		assert.False(t, at.Before(last) || !at.Before(to), "%s", at)
		last = at
		if strings.Contains(string(e), `"result":"failure"`) {
			attempts++
		}
	}
	assert.Equal(t, 4, attempts)
}

func TestHappening_IsOneChangeInBothLogs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC)
	for seed := range uint64(50) {
		v1, v2 := Happening(seed, now)
		one, _ := When(v1)
		two, _ := When(v2)
		assert.True(t, json.Valid(v1) && json.Valid(v2))
		assert.InDelta(t, 0.5, one.Sub(two).Seconds(), 0.5)
	}
}

func TestStory_MalloryComesInTheNightBeforeTheLastAlone(t *testing.T) {
	t.Parallel()
	to := time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC)
	for _, e := range Story(1, to.AddDate(0, 0, -30), to) {
		if strings.Contains(string(e), `"email":"mallory`) {
			at, _ := When(e)
			assert.Equal(t, 11, at.Day())
			assert.Less(t, at.Hour(), 5)
		}
	}
}
