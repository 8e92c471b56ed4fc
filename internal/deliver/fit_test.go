package deliver

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventformat"
)

// queued is how large a text is in the queue of the service, in fact.
func queued(t require.TestingT, text []byte) int {
	var v any
	require.NoError(t, json.Unmarshal(text, &v))
	again, err := json.Marshal(v)
	require.NoError(t, err)
	quoted, err := json.Marshal(string(again))
	require.NoError(t, err)
	return len(quoted) - len(`""`)
}

// queuedLines is the encoding for a service whose queue holds lines as strings.
var queuedLines = Encoding{Size: QueuedSize, Append: eventformat.JSONL.Append}

func TestShrink_LeavesValidJSONWithinTheLimit(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.String(), rapid.Map(rapid.IntRange(0, 400), func(n int) string { return strings.Repeat(`<"\`+"\u2028é", n) }))
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaf := rapid.OneOf(rapid.Map(text, func(s string) any { return s }),
			rapid.Map(rapid.Int32(), func(n int32) any { return n }), rapid.Just[any](nil), rapid.Just[any](true))
		if depth == 0 {
			return leaf
		}
		inner := value(depth - 1)
		return rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOfN(inner, 0, 12), func(l []any) any { return l }),
			rapid.Map(rapid.MapOfN(text, inner, 0, 12), func(m map[string]any) any { return m }))
	}
	rapid.Check(t, func(t *rapid.T) {
		v, err := json.Marshal(value(3).Draw(t, "value"))
		require.NoError(t, err)
		limit := rapid.IntRange(0, 3000).Draw(t, "limit")
		depth := rapid.IntRange(0, 4).Draw(t, "depth")
		short := shrink(v, limit, depth)
		require.True(t, json.Valid(short), "%s", short)
		require.LessOrEqual(t, QueuedSize(short), max(limit, markRoom), "%s", short)
		require.LessOrEqual(t, queued(t, short), QueuedSize(short), "the size is a bound")
		if QueuedSize(v) <= limit {
			require.Equal(t, v, []byte(short))
		} else {
			require.Contains(t, string(short), "truncated]")
		}
		if depth > 0 && limit > 4*markRoom {
			require.Equal(t, jsontext.Value(v).Kind(), short.Kind(), "an object stays one")
		}
	})
}

// The consumers behind the service parse an event with Python, which gives up
// below 1000 levels: one such entry would stop them.
func TestFit_WhatIsNestedTooDeeplyBecomesText(t *testing.T) {
	t.Parallel()
	deep := func(levels int, inside string) string {
		return `{"a":"}{","b":` + strings.Repeat("[", levels-1) + inside + strings.Repeat("]", levels-1) + `,"c":1}`
	}
	fit := func(raw string) (ingest.Event, bool) {
		it := queuedLines.Fit(&ingest.Event{ExternalID: "1", RawEvent: ingest.RawJSON(raw)})
		var e ingest.Event
		require.NoError(t, json.Unmarshal(it.Line, &e))
		_, again := flatten(string(e.RawEvent))
		require.False(t, again, "nothing is too deep now")
		return e, it.Truncated
	}
	const note = "what raw_event nests deeper than 256 levels stands there as text"
	e, truncated := fit(deep(maxNesting, `"\"["`))
	require.False(t, truncated)
	require.Equal(t, deep(maxNesting, `"\"["`), string(e.RawEvent))
	require.Empty(t, e.Audit.Notes)

	e, truncated = fit(deep(maxNesting+2, `"\"[",2`))
	require.False(t, truncated, "all of it is there")
	require.Equal(t, deep(maxNesting, `"[[\"\\\"[\",2]]"`), string(e.RawEvent))
	require.Equal(t, []string{note}, e.Audit.Notes)

	for _, raw := range []string{deep(800_000, ""), `{"d":` + deep(2000, "") + `,"e":"` + strings.Repeat("x", 1_200_000) + `"}`} {
		e, truncated = fit(raw)
		require.True(t, truncated)
		require.LessOrEqual(t, QueuedSize([]byte(e.RawEvent)), MaxMessage)
		require.Contains(t, strings.Join(e.Audit.Notes, "; "), "raw_event is cut down from")
	}
	require.Contains(t, e.Audit.Notes, note)
}
