package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/notify"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// notifyHelp is what the help of poll and run says about --notify-url-file.
const notifyHelp = `With --notify-url-file, events from --notify-severity on are sent to a webhook
or to Slack as well, with what was before and after. They wait in a file in
--state, so none is lost over a restart, and no service that is slow or down holds
up the output: poll waits for it at most 10 seconds, and its exit code does not
depend on it. The file holds the address, which is a secret; other users must not
be able to read it. docs/notifications.md has the forms of the messages.`

const (
	// notifyPatience is how long a command waits at its end for what is to be
	// told, and notifyHaste how long it does so once it was interrupted.
	notifyPatience = 10 * time.Second
	notifyHaste    = 2 * time.Second
)

// notifyOption is a setting of the notifications: a flag, and a field of the
// --config file.
type notifyOption struct{ flag, field string }

var (
	notifyURLFile  = notifyOption{"notify-url-file", "notify_url_file"}
	notifyForm     = notifyOption{"notify-form", "notify_form"}
	notifySeverity = notifyOption{"notify-severity", "notify_severity"}
	notifyOptions  = []notifyOption{notifyURLFile, notifyForm, notifySeverity}
)

// notifications are the messages about severe events, beside the output.
type notifications struct {
	flags *pflag.FlagSet
	// values are what was given, and names where.
	values, names map[notifyOption]string
	url           cloudflareaudit.Secret

	// notifier is nil where nothing is to be told.
	notifier *notify.Notifier
	log      *slog.Logger
	ended    bool
	// deadLetter is the file for what the service refuses.
	deadLetter string
}

// addNotify adds the flags of the notifications to flags.
func addNotify(flags *pflag.FlagSet) *notifications {
	flags.String(notifyURLFile.flag, "", "`FILE` with the address of a webhook to send severe events to")
	flags.String(notifyForm.flag, "", "`FORM` of these messages: slack or webhook (default by the host)")
	flags.String(notifySeverity.flag, "", "lowest severity `LEVEL` sent: critical, high, medium, low or info (default high)")
	return &notifications{flags: flags, values: make(map[notifyOption]string), names: make(map[notifyOption]string)}
}

// used reports whether anything is to be told. It is known once the faults are.
func (n *notifications) used() bool { return n.values[notifyURLFile] != "" }

// faults are the faults of the settings. It reads the address.
func (n *notifications) faults(s *settings) (wrong faults) {
	wrong = n.take(s)
	var unread faults
	if n.used() {
		unread = n.readURL()
		wrong = append(wrong, unread...)
	}
	cfg := n.config()
	options := map[string]notifyOption{"URL": notifyURLFile, "Form": notifyForm, "MinSeverity": notifySeverity}
	for _, fault := range leaves(cfg.Validate()) {
		e, ok := errors.AsType[*notify.FieldError](fault)
		switch {
		case !ok:
			wrong = append(wrong, fault.Error())
		case e.Field != "URL" || n.used() && len(unread) == 0:
			shown := notify.FieldError{Field: n.names[options[e.Field]], Value: redact(e.Value), Allowed: e.Allowed}
			wrong = append(wrong, shown.Error())
		}
	}
	return append(wrong, n.alone()...)
}

// alone are the faults of settings without an address, to which they make no
// difference.
func (n *notifications) alone() (wrong faults) {
	for _, o := range notifyOptions {
		if n.used() || n.values[o] == "" {
			continue
		}
		address := "--" + notifyURLFile.flag
		if n.names[o] != "--"+o.flag {
			address = notifyURLFile.field
		}
		wrong = append(wrong, redact(fmt.Sprintf("%s: %q: requires %s", n.names[o], n.values[o], address)))
	}
	return wrong
}

// take takes what was given. Flags take precedence over the --config file.
func (n *notifications) take(s *settings) (wrong faults) {
	g := s.given()
	for _, o := range notifyOptions {
		n.names[o] = "--" + o.flag
		if v := g.own[o.field]; v != nil {
			n.names[o] = g.names[o.field]
			var isText bool
			if n.values[o], isText = v.(string); !isText {
				wrong = append(wrong, n.names[o]+": must be a text")
			}
		}
		if !n.flags.Changed(o.flag) {
			continue
		}
		n.values[o], n.names[o] = n.flags.Lookup(o.flag).Value.String(), "--"+o.flag
		if n.values[o] == "" {
			wrong = append(wrong, "--"+o.flag+": must not be empty")
		}
	}
	return wrong
}

// readURL reads the address. No fault shows what is in the file.
func (n *notifications) readURL() faults {
	name, from := n.values[notifyURLFile], n.names[notifyURLFile]
	if looksLikeURL(name) {
		return faults{from + ": must be the name of a file that holds the address, because that is a secret, not the address itself"}
	}
	content, err := readSecret(name)
	if err != nil {
		return faults{redact(fmt.Sprintf("%s: %s", from, withoutName(err)))}
	}
	content = bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r"))
	switch {
	case len(content) == 0:
		return faults{from + ": the file is empty"}
	case bytes.ContainsAny(content, " \t\r\n"):
		return faults{from + ": the file must hold the address alone, on one line"}
	}
	n.url = cloudflareaudit.NewSecret(string(content))
	return nil
}

// looksLikeURL reports whether an address was given in place of the name of a
// file.
func looksLikeURL(name string) bool { return strings.Contains(name, "://") }

func (n *notifications) config() notify.Config {
	return notify.Config{
		URL: n.url, Form: notify.Form(n.values[notifyForm]), MinSeverity: ingest.Severity(n.values[notifySeverity]),
		DeadLetter: n.deadLetter, Logger: n.log,
	}
}

// shown is a setting for display, and where it comes from.
func (n *notifications) shown(o notifyOption) (value, from string) {
	value = n.values[o]
	switch {
	case value == "" && o == notifySeverity:
		return string(ingest.High), "default"
	case value == "":
		return "", "default"
	case o == notifyURLFile && looksLikeURL(value):
		value = text.Redacted
	}
	return value, n.names[o]
}

// attach has what r delivers told. Its files are in a folder, and have the name of
// the runner's cursor.
func (n *notifications) attach(r *ingest.Runner, accountID, folder string) (err error) {
	if !n.used() {
		return nil
	}
	n.log = r.Logger
	n.deadLetter = filepath.Join(folder, r.Key+".notify.dead-letter.jsonl")
	cfg := n.config()
	cfg.AccountID, cfg.File = accountID, filepath.Join(folder, r.Key+".notify.json")
	if n.notifier, err = notify.Open(cfg); err != nil {
		return err
	}
	r.Sink, r.Store = n.notifier.Beside(r.Sink), n.notifier.Before(r.Store)
	return nil
}

// end waits a little for what is to be told, less if ctx has ended, and says what
// is left. Only the first call does anything.
func (n *notifications) end(ctx context.Context) {
	if n.notifier == nil || n.ended {
		return
	}
	n.ended = true
	limit := notifyPatience
	if ctx.Err() != nil {
		ctx, limit = context.WithoutCancel(ctx), notifyHaste
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := n.notifier.Close(ctx); err != nil {
		n.log.Warn("what was told may be told again", "error", err)
	}
	if s := n.notifier.Status(); s.Waiting > 0 {
		n.log.Warn("notifications are left for the next start", "waiting", s.Waiting)
	}
}

// summary is what has been told, for the summary of a poll.
func (n *notifications) summary() string {
	if n.notifier == nil {
		return ""
	}
	s := n.notifier.Status()
	parts := []string{fmt.Sprintf("%d sent", s.Sent)}
	for _, one := range []struct {
		n    int
		what string
	}{{s.Waiting, "waiting"}, {s.DeadLettered, "dead-lettered in " + n.deadLetter}, {s.Dropped, "dropped"}} {
		if one.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", one.n, one.what))
		}
	}
	return "; notifications: " + strings.Join(parts, ", ")
}

// report is what has been told, or nil where nothing is.
func (n *notifications) report() *notify.Status {
	if n == nil || n.notifier == nil {
		return nil
	}
	s := n.notifier.Status()
	if s.Err != nil {
		s.LastError = explain(s.Err)
	}
	return &s
}

// mainSink is the sink that takes all events, behind those that pass them on.
func mainSink(events ingest.Sink) ingest.Sink {
	for {
		wrapper, ok := events.(interface{ Unwrap() ingest.Sink })
		if !ok {
			return events
		}
		events = wrapper.Unwrap()
	}
}

// unknownField is the fault of a field of the --config file that is none, if it
// resembles one of the notifications. all is the fault that the others have.
func unknownField(field, all string) string {
	const none = "there is no such field"
	if !strings.HasPrefix(all, none) {
		return all
	}
	var known []string
	for _, o := range notifyOptions {
		known = append(known, o.field)
	}
	if near := text.Nearest(field, known); near != "" {
		return none + text.DidYouMean(near)
	}
	return all
}

// notifyMetrics are the metrics of the notifications.
type notifyMetrics struct{ posts, sent, waiting, dropped, deadLettered, failures *prometheus.Desc }

func newNotifyMetrics(l *lookups) notifyMetrics {
	return notifyMetrics{
		posts:        l.desc("notify_posts_total", "Requests to the service of --notify-url-file."),
		sent:         l.desc("notify_sent_total", "Events that it has been told of."),
		waiting:      l.desc("notify_waiting", "Events that it is still to be told of."),
		dropped:      l.desc("notify_dropped_total", "Events that it is not told of, because too many were waiting."),
		deadLettered: l.desc("notify_dead_lettered_total", "Events that it refuses, in the dead-letter file."),
		failures:     l.desc("notify_failures_in_a_row", "Attempts to tell it of events that have failed since the last success."),
	}
}

func (m *notifyMetrics) collect(out samples, s *notify.Status) {
	if s == nil {
		return
	}
	out.count(m.posts, float64(s.Posts))
	out.count(m.sent, float64(s.Sent))
	out.gauge(m.waiting, float64(s.Waiting))
	out.count(m.dropped, float64(s.Dropped))
	out.count(m.deadLettered, float64(s.DeadLettered))
	out.gauge(m.failures, float64(s.Failures))
}

// ownField reports whether a field of the --config file is one of the command and
// not of the connector.
func ownField(field string) bool {
	for _, o := range notifyOptions {
		if o.field == field {
			return true
		}
	}
	return false
}
