package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
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
// other rules.
type swappable struct {
	cfg     cloudflareaudit.Config
	current atomic.Pointer[cloudflareaudit.Connector]
}

var _ ingest.Source = (*swappable)(nil)

func newSwappable(cfg cloudflareaudit.Config) (*swappable, error) {
	s := &swappable{cfg: cfg}
	return s, s.use(cfg.Rules)
}

// use puts rules in force. A poll under way keeps those that it began with.
func (s *swappable) use(rules []cloudflareaudit.Rule) error {
	cfg := s.cfg
	cfg.Rules = rules
	source, err := cloudflareaudit.New(cfg)
	if err == nil {
		s.current.Store(source)
	}
	return err
}

// Descriptor implements [ingest.Source].
func (s *swappable) Descriptor() ingest.Descriptor { return s.current.Load().Descriptor() }

// TestConnection implements [ingest.Source].
func (s *swappable) TestConnection(ctx context.Context) error {
	return s.current.Load().TestConnection(ctx)
}

// Poll implements [ingest.Source].
func (s *swappable) Poll(ctx context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	return s.current.Load().Poll(ctx, cursor)
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
