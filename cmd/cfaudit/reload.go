package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
)

// ownRules are the rules of --rules or --config in a process that runs until it
// is stopped. SIGHUP has them read again.
type ownRules struct {
	settings *settings
	// use puts rules in force from the next poll on. It fails without an effect.
	use func([]cloudflareaudit.Rule) error
	log *slog.Logger

	mu     sync.Mutex
	health rulesHealth
}

// rulesHealth is what /healthz says about the rules of --rules or --config.
type rulesHealth struct {
	// Own counts the rules in force, the default ones apart.
	Own      int       `json:"own"`
	LoadedAt time.Time `json:"loaded_at"`
	// Reloads and ReloadFailures count the attempts to read them again, and
	// LastError is why the last one failed.
	Reloads        int    `json:"reloads"`
	ReloadFailures int    `json:"reload_failures"`
	LastError      string `json:"last_error,omitempty"`
}

// newOwnRules returns the rules that are loaded, or nil where they come from no
// file, so that there is nothing to reload.
func newOwnRules(s *settings, loaded []cloudflareaudit.Rule, log *slog.Logger, use func([]cloudflareaudit.Rule) error) *ownRules {
	if !s.hasRuleFile() {
		return nil
	}
	return &ownRules{settings: s, use: use, log: log, health: rulesHealth{Own: len(loaded), LoadedAt: time.Now().UTC()}}
}

// reload reads the rules again. When they have a fault, those before stay in
// force.
func (r *ownRules) reload() {
	list, doubts, err := r.settings.rulesAgain()
	if err == nil {
		err = r.use(list)
	}
	if err != nil {
		why := strings.ReplaceAll(err.Error(), "\n", "; ")
		r.change(func(h *rulesHealth) { h.ReloadFailures, h.LastError = h.ReloadFailures+1, why })
		r.log.Error("cannot reload the rules; those loaded before stay in force", "error", why)
		return
	}
	r.change(func(h *rulesHealth) {
		h.Reloads++
		h.Own, h.LoadedAt, h.LastError = len(list), time.Now().UTC(), ""
	})
	r.log.Info("reloaded the rules, for the next poll", "rules", len(list))
	logDoubts(r.log, doubts)
}

// logDoubts logs what looks like a mistake in the rules.
func logDoubts(log *slog.Logger, doubts []string) {
	for _, doubt := range doubts {
		log.Warn("a rule may be mistaken", "rule", doubt)
	}
}

func (r *ownRules) change(fn func(*rulesHealth)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn(&r.health)
}

// report is the health of the rules, or nil where they come from no file.
func (r *ownRules) report() *rulesHealth {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return new(r.health)
}

// hasRuleFile reports whether rules come from a file, or may.
func (s *settings) hasRuleFile() bool { return s.file != "" || s.flags.Changed("rules") }

// rulesAgain reads the rules of --rules or --config anew, and nothing else.
func (s *settings) rulesAgain() (list []cloudflareaudit.Rule, doubts []string, err error) {
	again := settings{world: s.world, flags: s.flags, file: s.file, only: "rules"}
	flag, name := "--config", s.file
	if s.flags.Changed("rules") {
		flag, name, again.file = "--rules", s.flags.Lookup("rules").Value.String(), ""
	}
	// A pipe is empty the second time, or blocks.
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, nil, faults{fmt.Sprintf("%s: %s: is not a regular file, and can be read only once: restart to load other rules", flag, redact(name))}
	}
	cfg, err := again.config()
	if err != nil {
		return nil, nil, err
	}
	return cfg.Rules, again.doubts(cfg.Rules), nil
}

// swappable is a connector that can be replaced between two polls by one with
// other rules or another token.
type swappable struct {
	current atomic.Pointer[cloudflareaudit.Connector]
	// token reads the token again, or is nil where it came from no file.
	token func() (cloudflareaudit.Secret, error)
	// refused says that the last poll that had an answer was refused the token, and
	// told is why the file cannot be read, as logged. A poll at a time uses them.
	refused bool
	told    string

	mu  sync.Mutex
	cfg cloudflareaudit.Config
}

var _ ingest.Source = (*swappable)(nil)

func newSwappable(cfg cloudflareaudit.Config) (*swappable, error) {
	s := &swappable{cfg: cfg}
	return s, s.use(cfg.Rules)
}

// use puts rules in force. A poll under way keeps those that it began with.
func (s *swappable) use(rules []cloudflareaudit.Rule) error {
	return s.change(func(cfg *cloudflareaudit.Config) { cfg.Rules = rules })
}

// change puts a changed configuration in force, unless it has a fault.
func (s *swappable) change(fn func(*cloudflareaudit.Config)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cfg := s.cfg
	fn(&cfg)
	source, err := cloudflareaudit.New(cfg)
	if err == nil {
		s.cfg = cfg
		s.current.Store(source)
	}
	return err
}

// renew takes the token from its file again, after the one before was refused.
func (s *swappable) renew() {
	token, err := s.token()
	s.mu.Lock()
	same, log := token.Reveal() == s.cfg.APIToken.Reveal(), s.cfg.Logger
	s.mu.Unlock()
	switch {
	case err == nil && same:
		s.told = ""
		return
	case err == nil:
		err = s.change(func(cfg *cloudflareaudit.Config) { cfg.APIToken = token })
	}
	if err == nil {
		log.Info("the token was refused; its file has another one now, which is used from here on")
		s.refused, s.told = false, ""
		return
	}
	if why := strings.ReplaceAll(err.Error(), "\n", "; "); why != s.told {
		s.told = why
		log.Warn("the token was refused, and its file cannot be read again", "error", why)
	}
}

// refusedToken reports whether err, or that of a log, refuses the token.
func refusedToken(err error, logs []ingest.LogState) bool {
	is := func(err error) bool {
		refused, ok := errors.AsType[*cloudflareaudit.APIError](err)
		return ok && refused.Kind == cloudflareaudit.KindCredentials
	}
	return is(err) || slices.ContainsFunc(logs, func(l ingest.LogState) bool { return is(l.Err) })
}

// Descriptor implements [ingest.Source].
func (s *swappable) Descriptor() ingest.Descriptor { return s.current.Load().Descriptor() }

// TestConnection implements [ingest.Source].
func (s *swappable) TestConnection(ctx context.Context) error {
	return s.current.Load().TestConnection(ctx)
}

// Poll implements [ingest.Source].
func (s *swappable) Poll(ctx context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	if s.refused && s.token != nil {
		s.renew()
	}
	batch, err := s.current.Load().Poll(ctx, cursor)
	if refusedToken(err, batch.Coverage.Logs) {
		s.refused = true
	} else if err == nil {
		s.refused = slices.ContainsFunc(batch.Coverage.Logs, ingest.LogState.Failed) && s.refused
	}
	return batch, err
}

// tokenAgain reads the token of --token-file or --config anew, and nothing else. It is
// nil where the token is in neither, or in what can be read only once.
func (s *settings) tokenAgain() func() (cloudflareaudit.Secret, error) {
	again := settings{world: s.world, flags: s.flags, connects: true, file: s.file, only: "api_token"}
	again.getenv = func(string) string { return "" }
	name := s.file
	if s.flags.Changed("token-file") {
		name, again.file = s.flags.Lookup("token-file").Value.String(), ""
	} else if _, inFile := again.given().object["api_token"]; !inFile {
		return nil
	}
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return func() (cloudflareaudit.Secret, error) {
		fresh := again
		fresh.read = nil
		g := fresh.given()
		if len(g.wrong) > 0 {
			return cloudflareaudit.Secret{}, g.wrong
		}
		token, _ := g.object["api_token"].(string)
		return cloudflareaudit.NewSecret(token), nil
	}
}

// reloadMetrics are the metrics of the rules of --rules or --config.
type reloadMetrics struct{ own, reloads *prometheus.Desc }

func newReloadMetrics(l *lookups) reloadMetrics {
	return reloadMetrics{
		own:     l.desc("rules", "Rules of --rules or --config in force, the default rules apart."),
		reloads: l.desc("rules_reloads_total", "Attempts to read these rules again, by result: ok or failed.", "result"),
	}
}

func (m *reloadMetrics) collect(out samples, h *rulesHealth) {
	if h == nil {
		return
	}
	out.gauge(m.own, float64(h.Own))
	out.count(m.reloads, float64(h.Reloads), "ok")
	out.count(m.reloads, float64(h.ReloadFailures), "failed")
}
