package recipes

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// record is what the tests read of a log record in OTLP's JSON.
type record struct {
	TimeUnixNano   string
	SeverityNumber int
	SeverityText   string
	Body           struct{ StringValue string }
	Attributes     []struct {
		Key   string
		Value struct{ StringValue string }
	}
}

func (r record) attribute(key string) string {
	for _, a := range r.Attributes {
		if a.Key == key {
			return a.Value.StringValue
		}
	}
	return ""
}

// recordsIn are the records of a text in OTLP's JSON.
func recordsIn(t *testing.T, text []byte) (all []record) {
	t.Helper()
	var logs struct {
		ResourceLogs []struct {
			ScopeLogs []struct{ LogRecords []record }
		}
	}
	require.NoError(t, json.Unmarshal(text, &logs))
	for _, r := range logs.ResourceLogs {
		for _, s := range r.ScopeLogs {
			all = append(all, s.LogRecords...)
		}
	}
	return all
}

// numbers are the severities of log records.
var numbers = map[string]int{"info": 9, "low": 10, "medium": 13, "high": 17, "critical": 21}

func TestRecipe_OTelFileReceiver(t *testing.T) {
	t.Parallel()
	collector := program(t, "otelcol-cloudflare")
	a := newAccount(t)
	file := filepath.Join(a.dir, "log", "example", "events.jsonl")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	a.poll(t, "tailed", "--out", file)
	// It ends in another collector, which writes what it has taken.
	address, out := freeAddress(t), filepath.Join(a.dir, "out.jsonl")
	start(t, a.dir, collector, "--config", save(t, filepath.Join(a.dir, "taker.yaml"), fmt.Sprintf(`
receivers: {otlp: {protocols: {grpc: {endpoint: %q}}}}
exporters: {file: {path: %q, rotation: {max_megabytes: 100}}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {logs: {receivers: [otlp], exporters: [file]}}
`, address, out)))
	config := recipe(t, "otel-filelog.yaml",
		"/var/lib/otelcol/storage", filepath.Join(a.dir, "storage"),
		"/var/log/cfaudit", filepath.Join(a.dir, "log"),
		"endpoint: collector.example.com:4317", "endpoint: "+address+"\n    tls: {insecure: true}",
		"service:\n", "service:\n  telemetry: {metrics: {level: none}}\n")
	stop := start(t, a.dir, collector, "--config", save(t, filepath.Join(a.dir, "recipe.yaml"), config))

	seen := func() (all []record) {
		text, err := os.ReadFile(out)
		if err != nil {
			return nil
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasSuffix(line, "\n") {
				all = append(all, recordsIn(t, []byte(line))...)
			}
		}
		return all
	}
	want := tail(t, a, file, func() int { return len(seen()) })
	stop()
	got := seen()
	assert.Len(t, got, len(want))
	for _, r := range got {
		e, ok := want[r.attribute("external_id")]
		require.True(t, ok, "%+v", r)
		assert.Equal(t, e.line, r.Body.StringValue)
		assert.Equal(t, e.Title, r.attribute("title"))
		assert.Equal(t, e.Action, r.attribute("action"))
		assert.Equal(t, e.Severity, r.SeverityText)
		assert.Equal(t, numbers[e.Severity], r.SeverityNumber, e.Severity)
		assert.Equal(t, strconv.FormatInt(e.At.UnixNano(), 10), r.TimeUnixNano)
		delete(want, e.ID)
	}
	assert.Empty(t, want)
}

// The example with the receiver for Cloudflare, and Kafka.
func TestRecipe_Kafka(t *testing.T) {
	t.Parallel()
	collector := program(t, "otelcol-cloudflare")
	a := newAccount(t)
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "cloudflare-audit"))
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	config := recipe(t, "../otelcol/examples/kafka.yaml",
		"/var/lib/otelcol/storage", filepath.Join(a.dir, "storage"),
		"kafka.example.com:9092", broker.ListenAddrs()[0],
		"    max_events: 200", "    max_events: 20\n    drop_routine: false\n    initial_lookback: 96h\n    base_url: "+a.url,
		"service:\n", "service:\n  telemetry: {metrics: {level: none}}\n")
	start(t, a.dir, collector, "--config", save(t, filepath.Join(a.dir, "recipe.yaml"), config))

	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.ConsumeTopics("cloudflare-audit"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	var mu sync.Mutex
	var got []record
	go func() {
		for {
			fetches := client.PollFetches(t.Context())
			if fetches.IsClientClosed() || t.Context().Err() != nil {
				return
			}
			fetches.EachRecord(func(r *kgo.Record) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, recordsIn(t, r.Value)...)
			})
		}
	}()
	want := a.expected(t)
	wait(t, len(want), func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	})
	time.Sleep(time.Second) // for what comes twice
	mu.Lock()
	defer mu.Unlock()
	assert.Len(t, got, len(want))
	for _, r := range got {
		e, ok := want[r.attribute("log.record.uid")]
		require.True(t, ok, "%+v", r)
		assert.Equal(t, e.Title, r.Body.StringValue)
		assert.Equal(t, e.Action, r.attribute("cloudflare.audit.action"))
		assert.Equal(t, e.Severity, r.SeverityText)
		assert.Equal(t, strconv.FormatInt(e.At.UnixNano(), 10), r.TimeUnixNano)
		delete(want, e.ID)
	}
	assert.Empty(t, want)
}

func TestRecipe_Rsyslog(t *testing.T) {
	t.Parallel()
	rsyslogd := program(t, "rsyslogd")
	if found, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_gtls.so"); len(found) == 0 {
		t.Skip("NOT RUN: there is no rsyslog-gnutls")
	}
	a := newAccount(t)
	file := filepath.Join(a.dir, "log", "example", "events.jsonl")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	a.poll(t, "tailed", "--out", file)
	certificate, authority := certificates(t, "siem.example.com")
	siem, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = siem.Close() })
	var got lines
	go got.accept(siem)
	_, port, err := net.SplitHostPort(siem.Addr().String())
	require.NoError(t, err)
	config := recipe(t, "rsyslog.conf",
		"/var/lib/rsyslog", a.dir,
		"/etc/ssl/certs/ca-certificates.crt", save(t, filepath.Join(a.dir, "ca.pem"), authority),
		"/var/log/cfaudit", filepath.Join(a.dir, "log"),
		`target="siem.example.com"`, `target="127.0.0.1"`,
		`port="6514"`, `port="`+port+`"`)
	name := save(t, filepath.Join(a.dir, "rsyslog.conf"), config)
	start(t, a.dir, rsyslogd, "-n", "-f", name, "-i", filepath.Join(a.dir, "pid"))
	want := tail(t, a, file, got.len)
	got.mu.Lock()
	defer got.mu.Unlock()
	assert.Len(t, got.all, len(want))
	for _, line := range got.all {
		var e event
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		assert.Equal(t, want[e.ID].line, line)
		delete(want, e.ID)
	}
	assert.Empty(t, want)
}

// lines are what came over connections.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

func (l *lines) accept(from net.Listener) {
	for {
		c, err := from.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			s := bufio.NewScanner(c)
			s.Buffer(nil, 16<<20)
			for s.Scan() {
				l.mu.Lock()
				l.all = append(l.all, s.Text())
				l.mu.Unlock()
			}
		}()
	}
}

// certificates are one for a host, and that of who has signed it.
func certificates(t *testing.T, host string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	signed, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	require.NoError(t, err)
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, authority, &own.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: own},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}))
}

// answers waits until a service says that it is ready.
func answers(t *testing.T, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		reply, err := http.Get(address)
		if err != nil {
			return false
		}
		defer reply.Body.Close()
		_, _ = io.Copy(io.Discard, reply.Body)
		return reply.StatusCode == http.StatusOK
	}, 90*time.Second, 200*time.Millisecond, address)
}

// ask is the reply of a service to a query.
func ask(t *testing.T, address string, form url.Values) []byte {
	t.Helper()
	reply, err := http.PostForm(address, form)
	require.NoError(t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	require.Less(t, reply.StatusCode, 300, string(text))
	return text
}

func TestRecipe_Loki(t *testing.T) {
	t.Parallel()
	loki := program(t, "loki")
	a := newAccount(t)
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	_, grpc, _ := net.SplitHostPort(freeAddress(t))
	config := fmt.Sprintf(`
auth_enabled: false
server: {http_listen_address: 127.0.0.1, http_listen_port: %s, grpc_listen_address: 127.0.0.1, grpc_listen_port: %s}
common:
  instance_addr: 127.0.0.1
  path_prefix: %q
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
  storage: {filesystem: {chunks_directory: %q, rules_directory: %q}}
schema_config:
  configs: [{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]
analytics: {reporting_enabled: false}
# What docs/outputs.md asks for.
limits_config: {shard_streams: {time_sharding_enabled: true}}
`, port, grpc, a.dir+"/loki", a.dir+"/chunks", a.dir+"/rules")
	start(t, a.dir, loki, "-config.file="+save(t, filepath.Join(a.dir, "loki.yaml"), config))
	service := "http://" + address
	answers(t, service+"/ready")
	// Of a backlog the newest comes first, in several requests.
	deliver := func() {
		a.poll(t, "loki", "--http", service+"/loki/api/v1/push", "--http-body", "loki", "--max-events", "20")
	}
	deliver()
	a.grow(25)
	deliver()
	want := a.expected(t)
	// What is older than three hours can be queried once it is flushed.
	ask(t, service+"/flush", nil)
	type stream struct {
		Stream map[string]string
		Values [][2]string
	}
	var got struct {
		Data struct{ Result []stream }
	}
	count := func() (n int) {
		text := ask(t, service+"/loki/api/v1/query_range", url.Values{
			"query": {`{service_name="cfaudit", source="cloudflare"}`}, "limit": {"5000"},
			"start": {strconv.FormatInt(time.Now().Add(-96*time.Hour).UnixNano(), 10)}, "end": {strconv.FormatInt(time.Now().UnixNano(), 10)},
		})
		require.NoError(t, json.Unmarshal(text, &got))
		for _, s := range got.Data.Result {
			n += len(s.Values)
		}
		return n
	}
	wait(t, len(want), count)
	for _, s := range got.Data.Result {
		for _, v := range s.Values {
			var e event
			require.NoError(t, json.Unmarshal([]byte(v[1]), &e))
			assert.Equal(t, want[e.ID].line, v[1])
			assert.Equal(t, strconv.FormatInt(e.At.UnixNano(), 10), v[0])
			assert.Equal(t, e.Severity, s.Stream["severity"])
			delete(want, e.ID)
		}
	}
	assert.Empty(t, want)
}

// VictoriaLogs takes the forms of other services, too, with code of its own: so it
// reads what stands in for them here.
func TestRecipe_VictoriaLogs(t *testing.T) {
	t.Parallel()
	victorialogs := program(t, "victoria-logs")
	for _, test := range []struct{ body, path, id, title, severity, action string }{
		{"lines", "/insert/jsonline?_stream_fields=source,severity&_time_field=created_at&_msg_field=title", "external_id", "_msg", "severity", "action"},
		{"elastic", "/insert/elasticsearch/_bulk?_msg_field=message&_time_field=@timestamp", "event.id", "_msg", "", "event.action"},
		{"splunk", "/insert/splunk/services/collector/event", "event.external_id", "event.title", "event.severity", "event.action"},
		{"loki", "/insert/loki/api/v1/push?_msg_field=title", "external_id", "_msg", "severity", "action"},
	} {
		t.Run(test.body, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			address := freeAddress(t)
			start(t, a.dir, victorialogs, "-httpListenAddr="+address, "-storageDataPath="+a.dir+"/data", "-retentionPeriod=100d")
			service := "http://" + address
			answers(t, service+"/health")
			deliver := func() { a.poll(t, "vl", "--http", service+test.path, "--http-body", test.body) }
			deliver()
			a.grow(25)
			deliver()
			want := a.expected(t)
			var got []map[string]string
			wait(t, len(want), func() int {
				got = nil
				text := ask(t, service+"/select/logsql/query", url.Values{"query": {"*"}, "limit": {"10000"}})
				for line := range strings.Lines(string(text)) {
					var fields map[string]string
					require.NoError(t, json.Unmarshal([]byte(line), &fields))
					got = append(got, fields)
				}
				return len(got)
			})
			assert.Len(t, got, len(want))
			for _, fields := range got {
				e, ok := want[fields[test.id]]
				require.True(t, ok, "%v", fields)
				assert.Equal(t, e.Title, fields[test.title])
				assert.Equal(t, e.Action, fields[test.action])
				if test.severity != "" {
					assert.Equal(t, e.Severity, fields[test.severity])
				}
				at, err := time.Parse(time.RFC3339Nano, fields["_time"])
				require.NoError(t, err)
				assert.WithinDuration(t, e.At, at, time.Millisecond, "the time of the event")
				delete(want, e.ID)
			}
			assert.Empty(t, want)
		})
	}
}

// Each recipe is in the table of the page, which says when it was last run.
func TestRecipes_EachSaysWhenItWasLastRun(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/recipes.md")
	require.NoError(t, err)
	said := regexp.MustCompile(`\((\.\./(?:recipes|otelcol/examples)/[^)]+)\) \|[^|\n]*\| (\d{4}-\d\d-\d\d, with \S.*|not run: there was .*) \|`)
	rows := make(map[string]string)
	for _, m := range said.FindAllStringSubmatch(string(page), -1) {
		rows[strings.TrimPrefix(m[1], "../recipes/")] = m[2]
	}
	for _, pattern := range []string{"*.yaml", "*.yml", "*.conf"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, names)
		for _, name := range names {
			assert.NotEmpty(t, rows[name], "%s is not in the table, or not with a time", name)
		}
	}
	assert.NotEmpty(t, rows["../otelcol/examples/kafka.yaml"])
}
