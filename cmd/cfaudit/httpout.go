package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
	httpsink "github.com/aisoc/cloudflareaudit/sink/http"
)

// httpHelp is what the help of poll and run says about --http.
const httpHelp = `With --http the events go to any service that takes POST requests, instead of
--out: as JSON lines, as an array, or in the form that Elasticsearch's _bulk,
Splunk's HTTP Event Collector or Loki's push API expects. Retries and the
dead-letter file work as with --aisoc. docs/outputs.md has an example of each.
--http-headers names a file with one header a line, such as 'Authorization: ApiKey
…'; other users must not be able to read it.`

// httpOutput is the destination of poll, run and fleet work with --http.
type httpOutput struct {
	flags *pflag.FlagSet

	url, body, headersFile string
	gzip, plain            bool
	// format is the form of the events, or "" for the default of the body.
	format string

	headers []httpsink.Header
}

// addHTTP adds the flags of an HTTP service to flags.
func addHTTP(flags *pflag.FlagSet) *httpOutput {
	h := &httpOutput{flags: flags}
	flags.StringVar(&h.url, "http", "", "deliver with POST requests to `URL` instead of --out")
	flags.StringVar(&h.body, "http-body", string(httpsink.Lines), "`FORM` of a request: lines, array, elastic, splunk or loki")
	flags.StringVar(&h.headersFile, "http-headers", "", "`FILE` with headers to send, one a line, such as Authorization")
	flags.BoolVar(&h.gzip, "http-gzip", true, "compress the requests; =false sends them as they are")
	flags.BoolVar(&h.plain, "http-plain", false, "allow http to other machines, as inside a cluster; not with --http-headers")
	return h
}

// used reports whether events go to the service.
func (h *httpOutput) used() bool { return h.flags.Changed("http") }

// faults are the faults of the flags. It reads the headers.
func (h *httpOutput) faults() (wrong faults) {
	if !h.used() {
		return refuseFlags(h.flags, "requires --http", "http-body", "http-headers", "http-gzip", "http-plain")
	}
	wrong = refuseFlags(h.flags, "cannot be given with --http: the events go to one place", "out", "aisoc")
	if h.flags.Changed("http-headers") {
		headers, faults := readHeaders(h.headersFile)
		h.headers, wrong = headers, append(wrong, faults...)
	}
	cfg := h.config("", nil)
	names := map[string]string{"URL": "--http", "Body": "--http-body", "Format": "--format"}
	for _, fault := range leaves(cfg.Validate()) {
		e, ok := errors.AsType[*httpsink.FieldError](fault)
		switch {
		case !ok:
			wrong = append(wrong, fault.Error())
		case names[e.Field] != "": // those of the headers have been told with their lines
			shown := httpsink.FieldError{Field: names[e.Field], Value: redact(e.Value), Allowed: inHTTPFlags.Replace(e.Allowed)}
			wrong = append(wrong, shown.Error())
		}
	}
	return wrong
}

// inHTTPFlags rewords, in terms of flags, what the sink says of its fields.
var inHTTPFlags = strings.NewReplacer("it is explicitly allowed", "--http-plain allows it", "the headers", "--http-headers", "no headers", "no --http-headers")

// readHeaders reads a file with one header a line. Blank lines and those that
// begin with # are left out. No fault shows what is in the file.
func readHeaders(name string) (headers []httpsink.Header, wrong faults) {
	text, err := readSecret(name)
	if err != nil {
		return nil, faults{redact(fmt.Sprintf("--http-headers: %s", withoutName(err)))}
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		field, value, found := strings.Cut(string(line), ":")
		header := httpsink.Header{Name: field, Value: cloudflareaudit.NewSecret(strings.TrimSpace(value))}
		fault := "must be a name, a colon and a value"
		if found {
			fault = header.Fault()
		}
		if fault != "" {
			wrong = append(wrong, fmt.Sprintf("--http-headers: line %d: %s", number, fault))
			continue
		}
		headers = append(headers, header)
	}
	if len(headers)+len(wrong) == 0 {
		wrong = append(wrong, "--http-headers: the file holds no header")
	}
	return headers, wrong
}

func (h *httpOutput) config(deadLetter string, log *slog.Logger) httpsink.Config {
	return httpsink.Config{
		URL: h.url, Body: httpsink.Body(h.body), Format: httpsink.Format(h.format), Headers: h.headers,
		NoGzip: !h.gzip, PlainHTTP: h.plain, DeadLetter: deadLetter, Logger: log,
	}
}

// deliveredBy is the sink of a service that counts its deliveries, or "" for
// another one.
func deliveredBy(events ingest.Sink) (service string, stats deliver.Stats) {
	switch s := mainSink(events).(type) {
	case *aisoc.Sink:
		return "AiSOC", s.Stats()
	case *httpsink.Sink:
		return "HTTP", s.Stats()
	}
	return "", deliver.Stats{}
}
