package otelcol

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/store/storetest"
)

var update = flag.Bool("update", false, "write the tables of docs/otel.md anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secondAccount = "5a1e0000000000000000000000000002"

// memory is a storage extension that outlives the receivers.
type memory struct {
	component.StartFunc
	component.ShutdownFunc
	mu     sync.Mutex
	values map[string][]byte
	closed int
	fail   error
}

func (m *memory) GetClient(_ context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	if kind != component.KindReceiver || id.Type() != componentType || name != "" {
		return nil, fmt.Errorf("asked for the storage of %s %s %q", kind, id, name)
	}
	return m, nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[key], m.fail
}

func (m *memory) Set(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.values == nil {
		m.values = make(map[string][]byte)
	}
	m.values[key] = value
	return nil
}

func (m *memory) keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.values))
}

func (m *memory) Delete(context.Context, string) error               { return nil }
func (m *memory) Batch(context.Context, ...*storage.Operation) error { return nil }
func (m *memory) Close(context.Context) error                        { m.closed++; return nil }

// pipeline is what takes the records.
type pipeline struct {
	mu    sync.Mutex
	seen  map[string]int
	logs  []plog.Logs
	calls int
	// err, when set, is what a call returns, given its ordinal.
	err func(ctx context.Context, call int) error
}

func (p *pipeline) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (p *pipeline) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	p.mu.Lock()
	p.calls++
	call := p.calls
	p.mu.Unlock()
	if p.err != nil {
		if err := p.err(ctx, call); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = make(map[string]int)
	}
	p.logs = append(p.logs, logs)
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				id, _ := record.Attributes().Get("log.record.uid")
				p.seen[id.Str()]++
			}
		}
	}
	return nil
}

func (p *pipeline) got() (ids, repeats int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.seen {
		repeats += n - 1
	}
	return len(p.seen), repeats
}

// host has extensions and takes the status.
type host struct {
	extensions map[component.ID]component.Component
	mu         sync.Mutex
	events     []*componentstatus.Event
}

func (h *host) GetExtensions() map[component.ID]component.Component { return h.extensions }

func (h *host) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *host) statuses() (all []componentstatus.Status, last *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		all = append(all, e.Status())
		last = e
	}
	return all, last
}

var storageID = component.MustNewID("memory")

// harness is a receiver against the imitation of the API.
type harness struct {
	api       *fakecloudflare.Server
	url       string
	host      *host
	keep      *memory
	to        *pipeline
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs
}

func newHarness(t *testing.T, api *fakecloudflare.Server) *harness {
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	keep := &memory{}
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { _ = telemetry.Shutdown(context.Background()) })
	return &harness{
		api: api, url: server.URL + fakecloudflare.Prefix, keep: keep, to: &pipeline{}, telemetry: telemetry,
		host: &host{extensions: map[component.ID]component.Component{storageID: keep}},
	}
}

// object is a configuration of one account.
func (h *harness) object(more ...any) map[string]any {
	object := map[string]any{
		"account_id": fakecloudflare.DefaultAccountID, "api_token": fakecloudflare.DefaultToken,
		"base_url": h.url, "storage": "memory", "drop_routine": false,
	}
	for i := 0; i < len(more); i += 2 {
		object[more[i].(string)] = more[i+1]
	}
	return object
}

func parse(t *testing.T, object map[string]any) (*Config, error) {
	cfg := NewFactory().CreateDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(object).Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, cfg.Validate()
}

// start starts a receiver, and returns how to stop it.
func (h *harness) start(t *testing.T, object map[string]any) func(context.Context) error {
	cfg, err := parse(t, object)
	require.NoError(t, err)
	core, logs := observer.New(zapcore.DebugLevel)
	h.logs = logs
	set := receivertest.NewNopSettings(componentType)
	set.TelemetrySettings = h.telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	r, err := NewFactory().CreateLogs(t.Context(), set, cfg, h.to)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, r.Start(ctx, h.host))
	cancel() // nothing may depend on it
	return r.Shutdown
}

func wait(t *testing.T, why string, until func() bool) {
	t.Helper()
	require.Eventually(t, until, 30*time.Second, 10*time.Millisecond, why)
}

// history is a server with n entries of the last hours.
func history(n int) *fakecloudflare.Server {
	api := fakecloudflare.NewServer(fakecloudflare.Options{})
	now := time.Now()
	for i := range n {
		api.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("entry-%05d", i), now.Add(-time.Duration(i+1)*10*time.Second), 6))
	}
	return api
}

func (h *harness) delivered(n int) func() bool {
	return func() bool { ids, _ := h.to.got(); return ids >= n }
}

func TestReceiver_DeliversEachEntryOnceAcrossRestarts(t *testing.T) {
	t.Parallel()
	h := newHarness(t, history(500))
	stop := h.start(t, h.object("max_events", 100))
	wait(t, "a part of the backlog", h.delivered(100))
	require.NoError(t, stop(t.Context()))
	stop = h.start(t, h.object("max_events", 100))
	wait(t, "all of it", h.delivered(500))
	wait(t, "the cursor after it", func() bool { s, last := h.host.statuses(); _ = s; return last == nil || last.Err() == nil })
	require.NoError(t, stop(t.Context()))
	ids, repeats := h.to.got()
	assert.Equal(t, 500, ids)
	assert.Zero(t, repeats, "both stops were clean")
	assert.Equal(t, []string{"cloudflare-" + fakecloudflare.DefaultAccountID}, h.keep.keys())
	assert.Equal(t, 2, h.keep.closed)
}

func TestReceiver_KeepsABatchUntilThePipelineTakesIt(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"a passing error":   errors.New("sending queue is full"),
		"a permanent error": consumererror.NewPermanent(errors.New("400 Bad Request")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, history(30))
			h.to.err = func(_ context.Context, call int) error {
				if call == 1 {
					return failure
				}
				return nil
			}
			stop := h.start(t, h.object())
			wait(t, "the failure", func() bool { s, _ := h.host.statuses(); return len(s) > 0 })
			assert.Empty(t, h.keep.keys(), "the cursor has moved past what was not delivered")
			statuses, last := h.host.statuses()
			assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, statuses)
			assert.ErrorIs(t, last.Err(), failure)
			needs, _ := last.Attributes().Get("needs_action")
			assert.Equal(t, consumererror.IsPermanent(failure), needs.Bool())
			rejected := 0
			if consumererror.IsPermanent(failure) {
				rejected = 1
			}
			assert.EqualValues(t, rejected, h.metric(t, "permanent_rejections", ""))
			wait(t, "the retry", h.delivered(30))
			wait(t, "the recovery", func() bool { _, last := h.host.statuses(); return last.Status() == componentstatus.StatusOK })
			require.NoError(t, stop(t.Context()))
			ids, repeats := h.to.got()
			assert.Equal(t, 30, ids)
			assert.Zero(t, repeats)
			assert.Equal(t, 2, h.to.calls)
		})
	}
}

// The pipeline blocks, and the collector is stopped: the batch is delivered if
// there is time, else its cursor stays.
func TestReceiver_StopsWithABatchInHand(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		taken bool
	}{{"the batch is taken", true}, {"the time is over", false}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHarness(t, history(30))
			entered, release := make(chan struct{}), make(chan struct{})
			h.to.err = func(ctx context.Context, call int) error {
				if call > 1 {
					return nil
				}
				close(entered)
				select {
				case <-release:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			stop := h.start(t, h.object())
			<-entered
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if test.taken {
				go func() { time.Sleep(50 * time.Millisecond); close(release) }()
			}
			began := time.Now()
			require.NoError(t, stop(ctx))
			assert.Less(t, time.Since(began), 2*time.Second)
			ids, _ := h.to.got()
			if test.taken {
				assert.Equal(t, 30, ids, "there was time for the batch")
				assert.Len(t, h.keep.keys(), 1, "there was time for the cursor")
			} else {
				assert.Empty(t, h.keep.keys(), "the cursor has moved past what was not delivered")
			}
			stop = h.start(t, h.object())
			wait(t, "the rest", h.delivered(30))
			require.NoError(t, stop(t.Context()))
			ids, repeats := h.to.got()
			assert.Equal(t, 30, ids)
			assert.Zero(t, repeats)
		})
	}
}

// A stop makes the last attempt at a batch that was refused at once, and reports no
// status: the collector takes no OK from a component that stops.
func TestReceiver_StopsAmidARetry(t *testing.T) {
	t.Parallel()
	h := newHarness(t, history(30))
	h.to.err = func(_ context.Context, call int) error {
		if call == 1 {
			return errors.New("sending queue is full")
		}
		return nil
	}
	stop := h.start(t, h.object())
	wait(t, "the failure", func() bool { s, _ := h.host.statuses(); return len(s) > 0 })
	require.NoError(t, stop(t.Context()))
	ids, _ := h.to.got()
	assert.Equal(t, 30, ids)
	assert.Len(t, h.keep.keys(), 1)
	statuses, _ := h.host.statuses()
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, statuses)
}

// The cursor cannot be stored: the events are not delivered again for that, but
// after a stop those of that one batch are.
func TestReceiver_RepeatsAtMostABatchWhenTheStorageFails(t *testing.T) {
	t.Parallel()
	h := newHarness(t, history(300))
	h.to.err = func(_ context.Context, call int) error {
		if call == 2 { // amid the backlog
			h.keep.mu.Lock()
			defer h.keep.mu.Unlock()
			h.keep.fail = errors.New("no space left on device")
		}
		return nil
	}
	stop := h.start(t, h.object("max_events", 50))
	wait(t, "the failure", func() bool { _, last := h.host.statuses(); return last != nil && last.Err() != nil })
	require.NoError(t, stop(t.Context()))
	ids, _ := h.to.got()
	assert.Less(t, ids, 300, "it has gone on without a cursor")
	h.keep.fail, h.to.err = nil, nil
	stop = h.start(t, h.object("max_events", 50))
	wait(t, "the rest", h.delivered(300))
	require.NoError(t, stop(t.Context()))
	ids, repeats := h.to.got()
	assert.Equal(t, 300, ids)
	assert.NotZero(t, repeats, "there was no batch without a cursor")
	assert.LessOrEqual(t, repeats, 50)
}

func TestReceiver_ReadsSeveralAccountsWithOneToken(t *testing.T) {
	t.Parallel()
	first, second := history(20), fakecloudflare.NewServer(fakecloudflare.Options{AccountID: secondAccount})
	second.Add(time.Time{}, fakecloudflare.Entry("other", time.Now().Add(-time.Hour), 6))
	var both fakecloudflare.Accounts
	both.Add(first)
	both.Add(second)
	h := newHarness(t, first)
	server := httptest.NewServer(&both)
	defer server.Close()
	object := h.object("base_url", server.URL+fakecloudflare.Prefix, "accounts", []any{
		map[string]any{"account_id": fakecloudflare.DefaultAccountID},
		map[string]any{"account_id": secondAccount, "audit_log_api": "v1"},
	})
	delete(object, "account_id")
	stop := h.start(t, object)
	wait(t, "both", h.delivered(21))
	wait(t, "both cursors", func() bool { return len(h.keep.keys()) == 2 })
	require.NoError(t, stop(t.Context()))
	accounts := make(map[string]int)
	for _, logs := range h.to.logs {
		id, _ := logs.ResourceLogs().At(0).Resource().Attributes().Get("cloud.account.id")
		accounts[id.Str()] += logs.LogRecordCount()
	}
	assert.Equal(t, map[string]int{fakecloudflare.DefaultAccountID: 20, secondAccount: 1}, accounts)
}

func TestReceiver_StatusFollowsThePolls(t *testing.T) {
	t.Parallel()
	h := newHarness(t, history(3))
	h.api.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
		if n <= 2 {
			return fakecloudflare.Status(403, 10000, "Authentication error", nil)
		}
		return nil
	})
	stop := h.start(t, h.object())
	wait(t, "the failure", func() bool { s, _ := h.host.statuses(); return len(s) > 0 })
	statuses, last := h.host.statuses()
	require.Equal(t, componentstatus.StatusRecoverableError, statuses[0])
	require.Equal(t, componentstatus.StatusRecoverableError, last.Status())
	needs, _ := last.Attributes().Get("needs_action")
	assert.True(t, needs.Bool())
	assert.Contains(t, last.Err().Error(), fakecloudflare.DefaultAccountID)
	assert.NotContains(t, last.Err().Error(), fakecloudflare.DefaultToken)
	assert.NotZero(t, h.metric(t, "failures", "poll"))
	wait(t, "the recovery", func() bool { _, last := h.host.statuses(); return last.Status() == componentstatus.StatusOK })
	require.NoError(t, stop(t.Context()))
	for _, entry := range h.logs.All() {
		assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), fakecloudflare.DefaultToken)
	}
	assert.NotZero(t, h.logs.Len())
}

// A cursor that cannot be used is no reason to begin anew.
func TestReceiver_ADamagedCursorIsAPermanentError(t *testing.T) {
	t.Parallel()
	for name, cursor := range map[string][]byte{"damaged": []byte("?"), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, history(3))
			h.keep.values = map[string][]byte{"cloudflare-" + fakecloudflare.DefaultAccountID: cursor}
			stop := h.start(t, h.object())
			wait(t, "the end", func() bool { s, _ := h.host.statuses(); return len(s) > 0 })
			statuses, last := h.host.statuses()
			assert.Equal(t, []componentstatus.Status{componentstatus.StatusPermanentError}, statuses)
			assert.ErrorIs(t, last.Err(), ingest.ErrCursor)
			assert.EqualValues(t, 1, h.metric(t, "halted", ""))
			require.NoError(t, stop(t.Context()))
			ids, _ := h.to.got()
			assert.Zero(t, ids)
			assert.Equal(t, cursor, h.keep.values["cloudflare-"+fakecloudflare.DefaultAccountID])
		})
	}
}

func TestReceiver_StartNamesAStorageThatIsNotThere(t *testing.T) {
	t.Parallel()
	h := newHarness(t, history(1))
	cfg, err := parse(t, h.object("storage", "file_storage"))
	require.NoError(t, err)
	r, err := NewFactory().CreateLogs(t.Context(), receivertest.NewNopSettings(componentType), cfg, h.to)
	require.NoError(t, err)
	assert.ErrorContains(t, r.Start(t.Context(), h.host), `storage: "file_storage": there is no such extension`)
	assert.NoError(t, r.Shutdown(t.Context()))
}

func TestReceiver_CountsEveryEntry(t *testing.T) {
	t.Parallel()
	api := history(20)
	api.Add(time.Time{}, json.RawMessage(strings.ReplaceAll(fakecloudflare.Logged("account", "login"),
		"2026-05-12T09:00:00Z", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))))
	h := newHarness(t, api)
	stop := h.start(t, h.object("drop_routine", true, "rules", []any{
		map[string]any{"id": "logins", "drop": true, "match": map[string]any{"action": "account.login"}},
	}))
	wait(t, "all", h.delivered(20))
	wait(t, "the count", func() bool { return h.metric(t, "last_success_time", "") > 0 })
	assert.EqualValues(t, 20, h.metric(t, "events_delivered", ""))
	read := h.metric(t, "entries_read", "")
	assert.EqualValues(t, read, 20+h.metric(t, "entries_dropped", "*")+h.metric(t, "entries_repeated", ""))
	assert.EqualValues(t, 1, h.metric(t, "entries_dropped", "logins"))
	assert.NotZero(t, h.metric(t, "requests", "200"))
	require.NoError(t, stop(t.Context()))
}

// metric is the sum of the values of a metric whose attributes, besides the
// account, are one of the value given; "*" is all.
func (h *harness) metric(t *testing.T, name, attribute string) int64 {
	t.Helper()
	m, err := h.telemetry.GetMetric(metricPrefix + name)
	if err != nil {
		return 0
	}
	var points []metricdata.DataPoint[int64]
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		points = data.DataPoints
	case metricdata.Gauge[int64]:
		points = data.DataPoints
	}
	var sum int64
	for _, p := range points {
		account, ok := p.Attributes.Value("cloud.account.id")
		require.True(t, ok)
		require.NotEmpty(t, account.AsString())
		for _, kv := range p.Attributes.ToSlice() {
			if attribute == "*" && kv.Key != "cloud.account.id" || kv.Value.AsString() == attribute {
				sum += p.Value
			}
		}
		if attribute == "" {
			sum += p.Value
		}
	}
	return sum
}

func TestStorage_KeepsTheContractOfCursorStores(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, func() ingest.CursorStore { return cursors{&memory{}} })
}

func TestConfig_Faults(t *testing.T) {
	t.Parallel()
	valid := map[string]any{"account_id": fakecloudflare.DefaultAccountID, "api_token": "secret-token-of-a-test", "storage": "file_storage"}
	with := func(more ...any) map[string]any {
		object := maps.Clone(valid)
		for i := 0; i < len(more); i += 2 {
			object[more[i].(string)] = more[i+1]
		}
		return object
	}
	tests := []struct {
		name   string
		object map[string]any
		want   string
	}{
		{"valid", valid, ""},
		{"rules", with("rules", []any{map[string]any{"id": "cache-purged", "severity": "info"}}), ""},
		{"no storage", with("storage", nil), "storage: must name a storage extension"},
		{"no storage, allowed", with("storage", nil, "allow_no_storage", true), ""},
		{"both", with("allow_no_storage", true), "allow_no_storage: must not be set together"},
		{"unknown field", with("pol_interval_seconds", 60), "poll_interval_seconds"},
		{"bad value", with("poll_interval_seconds", 5), "poll_interval_seconds"},
		{"bad account", with("account_id", "example.com"), "account_id"},
		{"account beside accounts", with("accounts", []any{map[string]any{"account_id": secondAccount}}), "must not be set beside accounts"},
		{"bad account in the list", with("account_id", "", "accounts", []any{map[string]any{"account_id": secondAccount}, map[string]any{"account_id": "x"}}), "accounts::1: "},
		{"twice", with("account_id", "", "accounts", []any{map[string]any{"account_id": secondAccount}, map[string]any{"account_id": secondAccount}}), "is also that of accounts::0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg, err := parse(t, test.object)
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.want)
				assert.NotContains(t, err.Error(), "secret-token")
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
				assert.NotContains(t, fmt.Sprintf(verb, cfg), "secret-token", verb)
				assert.NotContains(t, fmt.Sprintf(verb, *cfg), "secret-token", verb)
			}
			shown := confmap.New()
			require.NoError(t, shown.Marshal(cfg))
			assert.NotContains(t, fmt.Sprint(shown.ToStringMap()), "secret-token")
		})
	}
	require.NoError(t, componenttest.CheckConfigStruct(NewFactory().CreateDefaultConfig()))
}

// Every member of an event is in its record, under the name in docs/otel.md.
func TestRecords_HaveAllOfAnEvent(t *testing.T) {
	t.Parallel()
	n, err := cloudflareaudit.NewNormalizer(cloudflareaudit.Config{})
	require.NoError(t, err)
	e, _ := n.Normalize([]byte(fakecloudflare.Logged("zone", "change_setting")))
	whole, err := json.Marshal(e)
	require.NoError(t, err)
	// A text in every member of the event that is one.
	var filled map[string]any
	require.NoError(t, json.Unmarshal(whole, &filled))
	var want []string
	e = ingest.Event{
		Source: "cloudflare", Category: "v-category", ExternalID: "v-external_id", Title: "v-title", Severity: ingest.High,
		Action: "v-action", Decision: "v-decision", Actor: "v-actor", SrcIP: "192.0.2.1", Hostname: "v-hostname",
		CreatedAt: time.Unix(1770000000, 5), MITRETechniques: []string{"T1562"}, RawEvent: `"v-raw"`, RawTruncated: true,
		Audit: ingest.Audit{
			Outcome: "v-outcome", ActionType: "v-action_type", ActorID: "v-actor_id", ActorType: "v-actor_type",
			ActorEmail: "v-actor_email", ActorName: "v-actor_name", Interface: "v-interface", Scope: "v-scope",
			AccountID: "v-account_id", ResourceType: "v-resource_type", ResourceID: "v-resource_id", ZoneID: "v-zone_id",
			ZoneName: "v-zone_name", Target: "v-target", Direction: "v-direction", ChangesOmitted: 3, Rule: "v-rule",
			Why: "v-why", API: "v-api", CorrelationID: ingest.CorrelationID{1}, Notes: []string{"v-notes"},
			Changes: []ingest.FieldChange{{Field: "v-field", Old: "v-old", New: "v-new"}},
			Request: ingest.Request{
				Description: "v-description", Method: "PUT", URI: "/v-path?v-query", StatusCode: "200", UserAgent: "v-user_agent",
				RequestID: "v-request_id", Credential: "v-credential", TokenID: "v-token_id", TokenName: "v-token_name",
			},
		},
	}
	observed := time.Unix(1770000100, 0)
	logs := records("account", "1.2.3", []ingest.Event{e, {Title: "bad \xff", Action: "x"}}, observed)
	record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	shown := fmt.Sprint(record.Attributes().AsRaw(), record.Body().AsString(), record.EventName())
	audit := filled["audit"].(map[string]any)
	for name := range audit {
		switch name {
		case "changes", "changes_omitted", "notes", "correlation_id", "method", "uri", "status_code":
		default:
			want = append(want, "v-"+name)
		}
	}
	for name := range filled {
		switch name {
		case "source", "severity", "src_ip", "created_at", "timestamp", "mitre_techniques", "audit", "raw_event", "raw_truncated":
		default:
			want = append(want, "v-"+name)
		}
	}
	want = append(want, "v-field", "v-old", "v-new", "v-notes", "v-path", "v-query", "PUT", "192.0.2.1", "T1562", `"v-raw"`, "0100000000")
	for _, text := range want {
		assert.Contains(t, shown, text)
	}
	for _, f := range fields {
		_, ok := record.Attributes().Get(f.key)
		assert.Equal(t, f.key != "cloudflare.audit.status_code", ok, f.key)
	}
	assert.Equal(t, e.CreatedAt.UTC(), record.Timestamp().AsTime())
	assert.Equal(t, observed.UTC(), record.ObservedTimestamp().AsTime())
	assert.Equal(t, plog.SeverityNumberError, record.SeverityNumber())
	assert.Equal(t, "high", record.SeverityText())
	assert.Equal(t, "v-title", record.Body().Str())
	assert.Equal(t, "cloudflare.audit.v-action", record.EventName())
	assert.Equal(t, map[string]any{"service.name": "cloudflare", "cloud.provider": "cloudflare", "cloud.account.id": "account"},
		logs.ResourceLogs().At(0).Resource().Attributes().AsRaw())

	bare := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1)
	assert.Equal(t, "bad \ufffd", bare.Body().Str())
	assert.Zero(t, bare.Timestamp(), "a time that nobody knows")
	assert.Equal(t, map[string]any{"cloudflare.audit.action": "x"}, bare.Attributes().AsRaw())
}

func TestRecords_SeveritiesRise(t *testing.T) {
	t.Parallel()
	last := plog.SeverityNumberFatal4
	for _, s := range ingest.Severities() {
		number, ok := severities[s]
		require.True(t, ok, s)
		assert.Less(t, number, last)
		last = number
	}
}

// The tables of docs/otel.md are those of the code.
func TestDocs_TablesAreCurrent(t *testing.T) {
	t.Parallel()
	const name = "../docs/otel.md"
	var attributes, metrics strings.Builder
	attributes.WriteString("| Attribute | Meaning |\n|---|---|\n")
	for _, f := range fields {
		fmt.Fprintf(&attributes, "| `%s` | %s. |\n", f.key, f.meaning)
	}
	metrics.WriteString("| Metric | Kind | Meaning |\n|---|---|---|\n")
	for _, m := range measurements {
		kind := "counter"
		if m.gauge {
			kind = "gauge"
		}
		fmt.Fprintf(&metrics, "| `%s` | %s | %s |\n", metricPrefix+m.name, kind, m.help)
	}
	page, err := os.ReadFile(name)
	require.NoError(t, err)
	want := between(t, string(page), "attributes", attributes.String())
	want = between(t, want, "metrics", metrics.String())
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(want), 0o644))
		return
	}
	assert.Equal(t, want, string(page), "run go test -run TestDocs -update")
}

// between replaces what stands between the marks of a table.
func between(t *testing.T, page, name, table string) string {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	before, rest, ok := strings.Cut(page, begin)
	require.True(t, ok, begin)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok, end)
	return before + begin + table + end + after
}
