package ingest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

func TestMergeLogs_KeepsWhenALogBeganToFail(t *testing.T) {
	t.Parallel()
	began, now := time.Unix(100, 0).UTC(), time.Unix(200, 0)
	down := ingest.LogState{Name: "v2", Error: "down"}
	downSince := func(at time.Time) ingest.LogState { s := down; s.Since = at.UTC(); return s }
	well := ingest.LogState{Name: "v2", Complete: now}
	refused := ingest.LogState{Name: "v2", Error: "refused", Err: refusal("refused"), NeedsAction: true, Since: began}
	held := ingest.LogState{Name: "v2", Error: "wait", Err: fmt.Errorf("a: %w", limited{}), Complete: now}
	heldSince := func(at time.Time) ingest.LogState { s := held; s.Since, s.HeldBack = at.UTC(), true; return s }
	refusedUntil := func(at time.Time) ingest.LogState { s := refused; s.Complete = at; return s }
	partly := ingest.LogState{Name: "v2", Error: "page 2", Partly: true}
	partlySince := func(at time.Time) ingest.LogState { s := partly; s.Since = at.UTC(); return s }
	for name, c := range map[string]struct{ before, found, want []ingest.LogState }{
		"the first failure":               {nil, []ingest.LogState{down}, []ingest.LogState{downSince(now)}},
		"after it was read":               {[]ingest.LogState{well}, []ingest.LogState{down}, []ingest.LogState{downSince(now)}},
		"a failure that lasts":            {[]ingest.LogState{downSince(began)}, []ingest.LogState{down}, []ingest.LogState{downSince(began)}},
		"a recovery":                      {[]ingest.LogState{downSince(began)}, []ingest.LogState{well}, []ingest.LogState{well}},
		"no room to read it":              {[]ingest.LogState{downSince(began)}, []ingest.LogState{{Name: "v2", Skipped: true}}, []ingest.LogState{downSince(began)}},
		"a poll that does not tell":       {[]ingest.LogState{downSince(began)}, nil, nil},
		"not asked, but it was read":      {[]ingest.LogState{well}, []ingest.LogState{held}, []ingest.LogState{heldSince(now)}},
		"not asked, for longer":           {[]ingest.LogState{heldSince(began)}, []ingest.LogState{held}, []ingest.LogState{heldSince(began)}},
		"not asked, and refused before":   {[]ingest.LogState{refused}, []ingest.LogState{held}, []ingest.LogState{refusedUntil(now)}},
		"refused, after it was not asked": {[]ingest.LogState{heldSince(began)}, []ingest.LogState{refused}, []ingest.LogState{refused}},
		"read in part":                    {[]ingest.LogState{well}, []ingest.LogState{partly}, []ingest.LogState{{Name: "v2", Partly: true}}},
		"read in part at first":           {nil, []ingest.LogState{partly}, []ingest.LogState{{Name: "v2", Partly: true}}},
		"read in part after a failure":    {[]ingest.LogState{downSince(began)}, []ingest.LogState{partly}, []ingest.LogState{partlySince(began)}},
		"a failure after a part":          {[]ingest.LogState{partlySince(began)}, []ingest.LogState{down}, []ingest.LogState{downSince(began)}},
		"a recovery after a part":         {[]ingest.LogState{partlySince(began)}, []ingest.LogState{well}, []ingest.LogState{well}},
		"a log no longer read":            {[]ingest.LogState{downSince(began)}, []ingest.LogState{{Name: "v1"}}, []ingest.LogState{{Name: "v1"}}},
	} {
		found := append([]ingest.LogState(nil), c.found...)
		assert.Equal(t, c.want, ingest.MergeLogs(c.before, c.found, now), name)
		assert.Equal(t, found, c.found, "%s: it is not changed", name)
	}
}

// limited is an error of a request that was not sent.
type limited struct{}

func (limited) Error() string  { return "wait" }
func (limited) HeldBack() bool { return true }

func TestCoverage_UnreadWhenNoLogCouldBeRead(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	failed, read, skipped := ingest.LogState{Error: "down", Err: down}, ingest.LogState{}, ingest.LogState{Skipped: true}
	unread := func(logs ...ingest.LogState) error { return ingest.Coverage{Logs: logs}.Unread() }
	assert.NoError(t, unread(), "a source need not tell")
	assert.NoError(t, unread(failed, read))
	assert.NoError(t, unread(skipped))
	assert.NoError(t, unread(failed, ingest.LogState{Error: "page 2", Partly: true}), "its events have to be delivered")
	assert.ErrorIs(t, unread(failed, failed), down)
	assert.ErrorIs(t, unread(failed, skipped), down)
	assert.EqualError(t, unread(ingest.LogState{Error: "stored"}), "stored")
}

func TestNeedsAction_LooksThroughTheWholeTree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":                   {nil, false},
		"a failure that may pass":   {errDown, false},
		"a refusal":                 {refusal("no"), true},
		"below others":              {fmt.Errorf("a: %w", fmt.Errorf("b: %w", refusal("no"))), true},
		"beside others":             {errors.Join(errDown, fmt.Errorf("b: %w", refusal("no"))), true},
		"two that may pass":         {errors.Join(errDown, busyFor(1)), false},
		"a cursor":                  {fmt.Errorf("load: %w", ingest.ErrCursor), true},
		"another host's new cursor": {fmt.Errorf("save: %w", ingest.ErrConflict), false},
	} {
		assert.Equal(t, c.want, ingest.NeedsAction(c.err), name)
	}
}

func TestBatch_CheckWantsACursorAndNoMoreEventsThanOneHolds(t *testing.T) {
	t.Parallel()
	cursor := ingest.Cursor("1")
	assert.NoError(t, ingest.Batch{Cursor: cursor, Events: make([]ingest.Event, ingest.MaxEvents)}.Check())
	assert.ErrorContains(t, ingest.Batch{}.Check(), "without a cursor")
	assert.ErrorContains(t, ingest.Batch{Cursor: cursor, Events: make([]ingest.Event, ingest.MaxEvents+1)}.Check(), "1001 events")
}

func TestStatus_JSONSaysTheLagInSecondsAndNullBeforeThereIsOne(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]ingest.Status{
		`null`: {},
		`1.5`:  {Lag: 1500 * time.Millisecond, Totals: ingest.Coverage{Complete: time.Unix(1, 0)}},
	} {
		text, err := json.Marshal(s)
		require.NoError(t, err)
		var got map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &got))
		assert.Equal(t, want, string(got["lag_seconds"]))
		assert.NotContains(t, string(text), "lag_ns")
		assert.Contains(t, got, "polls")
	}
}
