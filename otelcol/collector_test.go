package otelcol

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// The tests of a whole collector need one that build.sh has built:
//
//	make otel
var (
	binary = flag.String("collector", "", "the collector to test, built by build.sh")
	kills  = flag.Int("kills", 10, "how often it is killed")
)

const batchSize = 20

// process is a running collector.
type process struct {
	cmd *exec.Cmd
	log *bytes.Buffer
}

func run(t *testing.T, dir, config string) *process {
	t.Helper()
	if *binary == "" {
		t.Skip("needs -collector: make otel")
	}
	name := filepath.Join(dir, fmt.Sprintf("config-%d.yaml", rand.Int64()))
	require.NoError(t, os.WriteFile(name, []byte(config), 0o600))
	p := &process{cmd: exec.Command(*binary, "--config", name), log: &bytes.Buffer{}}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = p.log, p.log, dir
	p.cmd.Env = append(os.Environ(), "TOKEN="+fakecloudflare.DefaultToken)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Log(p.log.String())
		}
		assert.NotContains(t, p.log.String(), fakecloudflare.DefaultToken)
	})
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.cmd.Wait())
}

// reading is the configuration of a collector that reads from url.
func reading(url, exporterName, exporter string) string {
	return fmt.Sprintf(`
extensions:
  file_storage: {directory: ./storage, create_directory: true}
receivers:
  cloudflareaudit:
    storage: file_storage
    account_id: %s
    api_token: ${env:TOKEN}
    base_url: %s
    max_events: %d
exporters:
  %s: %s
service:
  extensions: [file_storage]
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [cloudflareaudit], exporters: [%[4]s]}
`, fakecloudflare.DefaultAccountID, url, batchSize, exporterName, exporter)
}

const toFile = "{path: ./out.jsonl, rotation: {max_megabytes: 100}}"

// written is how often each record is in the file, and how many lines are torn.
func written(t *testing.T, name string) (seen map[string]int, torn int) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, 0
	}
	seen = make(map[string]int)
	for line := range strings.Lines(string(text)) {
		var logs struct {
			ResourceLogs []struct {
				ScopeLogs []struct {
					LogRecords []struct {
						Attributes []struct {
							Key   string
							Value struct{ StringValue string }
						}
					}
				}
			}
		}
		if json.Unmarshal([]byte(line), &logs) != nil {
			torn++
			continue
		}
		for _, r := range logs.ResourceLogs {
			for _, s := range r.ScopeLogs {
				for _, record := range s.LogRecords {
					for _, a := range record.Attributes {
						if a.Key == "log.record.uid" {
							seen[a.Value.StringValue]++
						}
					}
				}
			}
		}
	}
	return seen, torn
}

func repeated(seen map[string]int) (n int) {
	for _, times := range seen {
		n += times - 1
	}
	return n
}

// serve serves so many entries, and takes its time for each request.
func serve(t *testing.T, entries int, latency time.Duration) string {
	api := history(entries)
	api.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Delay(latency) })
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return server.URL + fakecloudflare.Prefix
}

// A collector that is killed again and again loses nothing, and a kill repeats one
// batch at most.
func TestCollector_KilledAgainAndAgain(t *testing.T) {
	const entries = 3000
	dir := t.TempDir()
	config := reading(serve(t, entries, 20*time.Millisecond), "file", toFile)
	out := filepath.Join(dir, "out.jsonl")
	amid := 0
	for range *kills {
		p := run(t, dir, config)
		time.Sleep(150*time.Millisecond + rand.N(250*time.Millisecond))
		p.kill()
		if seen, _ := written(t, out); len(seen) > 0 && len(seen) < entries {
			amid++
		}
	}
	assert.NotZero(t, amid, "no kill was amid the backlog")
	p := run(t, dir, config)
	wait(t, "all of them", func() bool { seen, _ := written(t, out); return len(seen) == entries })
	p.stop(t)
	seen, torn := written(t, out)
	t.Logf("%d kills, %d of them amid the backlog, %d records, %d repeats, %d torn lines", *kills, amid, len(seen), repeated(seen), torn)
	assert.Len(t, seen, entries)
	assert.LessOrEqual(t, repeated(seen), *kills*batchSize)
}

// The second collector is down, comes, is stopped and comes back.
func TestCollector_OTLPToOneThatIsDownForAWhile(t *testing.T) {
	const entries = 400
	first, second := t.TempDir(), t.TempDir()
	address := freeAddress(t)
	p := run(t, first, reading(serve(t, entries, 0), "otlp_grpc", fmt.Sprintf(
		"{endpoint: %s, tls: {insecure: true}, timeout: 2s, sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}", address)))
	time.Sleep(2 * time.Second) // nothing is there to take the records
	taking := fmt.Sprintf(`
receivers:
  otlp: {protocols: {grpc: {endpoint: %q}}}
exporters:
  file: %s
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [otlp], exporters: [file]}
`, address, toFile)
	out := filepath.Join(second, "out.jsonl")
	taker := run(t, second, taking)
	wait(t, "the first records", func() bool { seen, _ := written(t, out); return len(seen) > 0 })
	taker.kill()
	run(t, second, taking)
	wait(t, "all of them", func() bool { seen, _ := written(t, out); return len(seen) == entries })
	p.stop(t)
	seen, _ := written(t, out)
	t.Logf("%d records, %d repeats", len(seen), repeated(seen))
	assert.LessOrEqual(t, repeated(seen), batchSize, "the reply that was lost")
	assert.Contains(t, p.log.String(), "ingest failed", "the receiver has not met the one that is down")
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// A collector takes the examples, Kafka's among them, and says what is wrong.
func TestCollector_ValidatesTheExamples(t *testing.T) {
	if *binary == "" {
		t.Skip("needs -collector: make otel")
	}
	names, err := filepath.Glob("examples/*.yaml")
	require.NoError(t, err)
	require.Len(t, names, 3)
	validate := func(account, name string) (string, error) {
		cmd := exec.Command(*binary, "validate", "--config", name)
		cmd.Env = append(os.Environ(), "CLOUDFLARE_API_TOKEN="+fakecloudflare.DefaultToken, "CLOUDFLARE_ACCOUNT_ID="+account)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, name := range names {
		// An id of digits alone is a number to the collector.
		out, err := validate("01234567890123456789012345678901", name)
		assert.NoError(t, err, "%s: %s", name, out)
	}
	out, err := validate("example.com", "examples/kafka.yaml")
	require.Error(t, err)
	assert.Contains(t, out, "account_id")
	assert.NotContains(t, out, fakecloudflare.DefaultToken)
}
