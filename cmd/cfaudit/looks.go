package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// sampled is a reader that keeps the beginning of what it reads.
type sampled struct {
	io.Reader
	head []byte
}

// maxSample bounds the beginning that is kept, in bytes.
const maxSample = 16 << 10

// Read implements [io.Reader].
func (s *sampled) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if room := maxSample - len(s.head); room > 0 {
		s.head = append(s.head, p[:min(n, room)]...)
	}
	return n, err
}

// reading counts the entries of an input, and those that could not be understood.
type reading struct {
	sampled
	entries, unread int
}

// see counts an entry by its action.
func (r *reading) see(action string) {
	r.entries++
	if action == actionUnknown {
		r.unread++
	}
}

// fault is the error for an input most of which could not be read, unless the stream
// says by itself what is wrong with it.
func (r *reading) fault(stream cloudflareaudit.Stream) error {
	if 2*r.unread <= r.entries || stream != (cloudflareaudit.Stream{}) {
		return nil
	}
	looks := looksLike(r.head)
	if looks != "" {
		looks = ": it looks like " + looks
	}
	return fmt.Errorf("%d of %s could not be read%s", r.unread, count(r.entries, "entry", "entries"), looks)
}

// signatures are how files begin that are no text.
var signatures = []struct{ magic, name string }{
	{"\x1f\x8b", "a gzip file in a gzip file"},
	{"\x28\xb5\x2f\xfd", "a file compressed with zstd: unpack it first"},
	{"\xfd7zXZ\x00", "a file compressed with xz: unpack it first"},
	{"\x04\x22\x4d\x18", "a file compressed with lz4: unpack it first"},
	{"BZh", "a file compressed with bzip2: unpack it first"},
	{"PK\x03\x04", "a ZIP or Office file: unpack it first"},
	{"PAR1", "a Parquet file"},
	{"Obj\x01", "an Avro file"},
	{"SQLite format 3", "an SQLite file"},
	{"%PDF-", "a PDF file"},
	{"\xff\xfe", "text in UTF-16: convert it to UTF-8"},
	{"\xfe\xff", "text in UTF-16: convert it to UTF-8"},
}

// looksLike says what an input is that holds no audit-log entries, judged by its
// beginning, or "" if it cannot tell.
func looksLike(head []byte) string {
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.magic)) {
			return s.name
		}
	}
	if isBinary(head) {
		return "binary data"
	}
	head = bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	switch {
	case len(head) == 0:
		return ""
	case head[0] == '<':
		return looksLikeMarkup(head)
	case head[0] == '{' || head[0] == '[':
		return looksLikeJSON(string(head))
	case bytes.Contains(head, []byte("CEF:0|")) || bytes.Contains(head, []byte("LEEF:")):
		return "CEF or LEEF lines"
	case isCSV(head):
		return "CSV: save the entries as JSON"
	}
	return "plain text"
}

// isBinary reports whether a text has many characters that no text has.
func isBinary(head []byte) bool {
	odd := 0
	for rest := head; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 || r < ' ' && !strings.ContainsRune("\t\n\r\x1b", r) {
			odd++
		}
		rest = rest[size:]
	}
	return odd*20 > len(head)
}

func looksLikeMarkup(head []byte) string {
	lower := strings.ToLower(string(head[:min(len(head), 1024)]))
	switch {
	case strings.Contains(lower, "<html"), strings.Contains(lower, "<!doctype html"):
		return "HTML, such as an error page saved in place of a file"
	case len(lower) > 1 && '0' <= lower[1] && lower[1] <= '9':
		return "syslog lines: save only the JSON in them"
	}
	return "XML"
}

// isCSV reports whether the first lines have the same number of fields.
func isCSV(head []byte) bool {
	lines := strings.SplitN(string(head), "\n", 4)
	for _, separator := range []string{",", ";", "\t"} {
		fields := strings.Count(lines[0], separator)
		if fields > 1 && (len(lines) < 3 || strings.Count(lines[1], separator) >= fields) {
			return true
		}
	}
	return false
}

// datasets are those of Logpush that are no audit logs, with members that tell
// them apart.
var datasets = []struct{ name, members string }{
	{"http_requests", "EdgeStartTimestamp EdgeEndTimestamp EdgeResponseBytes EdgeRequestHost ClientRequestURI CacheCacheStatus ClientSSLProtocol ClientRequestHost ClientRequestMethod EdgeResponseStatus RayID"},
	{"firewall_events", "MatchIndex RuleID Kind Source OriginatorRayID Ref ClientRefererHost ClientRequestQuery ClientRequestHost Action RayID"},
	{"dns_logs", "QueryName QueryType ResponseCached ResponseCode EDNSSubnet"},
	{"dns_firewall_logs", "ClusterID UpstreamIP UpstreamResponseCode ClientResponseCode QueryName QueryType"},
	{"gateway_dns", "ResolverDecision QueryNameReversed QueryTypeName RCode RData SrcIP QueryName"},
	{"gateway_http", "HTTPHost HTTPMethod HTTPStatusCode HTTPVersion UntrustedCertificateAction PolicyID SourceIP"},
	{"gateway_network", "SNI OverrideIP OverridePort Transport DetectedProtocol PolicyID SourceIP"},
	{"access_requests", "AppDomain AppUUID Allowed UserUID Connection"},
	{"casb_findings", "FindingTypeID FindingTypeSeverity AssetDisplayName IntegrationID"},
	{"device_posture_results", "PostureCheckName PostureCheckType PostureEvaluatedResult DeviceID"},
	{"network_analytics_logs", "AttackVector MitigationSystem IPProtocol IPSourceAddress SampleInterval"},
	{"magic_ids_detections", "SignatureID SignatureMessage SignatureRevision"},
	{"page_shield_events", "PageURL URLHost URLContainsCDNCGIPath"},
	{"spectrum_events", "ConnectTimestamp DisconnectTimestamp Application ClientMatchedIpFirewall ProxyProtocol"},
	{"nel_reports", "LastKnownGoodColoCode ClientIPASN Phase"},
	{"workers_trace_events", "ScriptName EventTimestampMs Exceptions Logs Outcome"},
	{"zero_trust_network_sessions", "SessionStartTime SessionEndTime VirtualNetworkID IngressColoName"},
	{"email_security_alerts", "AlertID AlertReasons FinalDisposition MessageID"},
	{"sinkhole_http_logs", "SinkholeID R2Path DestAddr SrcAddr"},
}

func looksLikeJSON(head string) string {
	var doc jsondoc.Doc
	_, _ = doc.ParsePrefix(head) // of what is cut, the beginning is there
	object := firstObject(doc.Root(), 0)
	var names []string
	for m := range object.All() {
		names = append(names, m.Name())
	}
	best, most := "", 1
	for _, d := range datasets {
		hits := 0
		for member := range strings.FieldsSeq(d.members) {
			if slices.Contains(names, member) {
				hits++
			}
		}
		if hits > most {
			best, most = d.name, hits
		}
	}
	if best != "" {
		return "the Logpush dataset " + best + ", which is no audit log"
	}
	if len(names) == 0 {
		return "JSON without audit-log entries"
	}
	const shown = 5
	more := ""
	if len(names) > shown {
		names, more = names[:shown], ", …"
	}
	return "JSON objects of another kind, with the members " + text.Clean(strings.Join(names, ", "), 200) + more
}

// firstObject is the first object that has no object or list alone in it.
func firstObject(v jsondoc.Value, depth int) jsondoc.Value {
	first := v.First()
	nested := first.Kind() == jsondoc.Object || first.Kind() == jsondoc.Array
	if nested && depth < 8 {
		return firstObject(first, depth+1)
	}
	if v.Kind() != jsondoc.Object {
		return jsondoc.Value{}
	}
	return v
}
