package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// historySpan is how far back the history of --serve reaches.
const historySpan = 60 * 24 * time.Hour

// demoAccounts are the accounts of --serve: the first is the one to read, and
// all of them make a fleet.
var demoAccounts = []string{
	fakecloudflare.DefaultAccountID,
	"5a1e0000000000000000000000000002",
	"5a1e0000000000000000000000000003",
}

// imitation is the imitation of the API that demo --serve runs.
type imitation struct {
	serve  bool
	listen string
	every  time.Duration
}

func (m *imitation) addFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.BoolVar(&m.serve, "serve", false, "keep an imitation of the API running, and print how to try the commands against it")
	flags.StringVar(&m.listen, "listen", "127.0.0.1:8788", "with --serve: loopback `ADDRESS` of the imitation; port 0 chooses one")
	flags.DurationVar(&m.every, "every", 15*time.Second, "with --serve: `TIME` between new entries")
}

// unused is the fault of a flag that requires --serve, or "".
func (m *imitation) unused(flags *pflag.FlagSet) string {
	for _, name := range []string{"listen", "every"} {
		if flags.Changed(name) {
			return "--" + name + ": requires --serve"
		}
	}
	return ""
}

func (m *imitation) faults() (wrong faults) {
	if fault := loopbackFault(m.listen, "127.0.0.1:8788"); fault != "" {
		wrong = append(wrong, fault)
	}
	if m.every < time.Second {
		wrong = append(wrong, fmt.Sprintf("--every: %q: must be at least 1s", m.every))
	}
	return wrong
}

// run serves until ctx ends.
func (m *imitation) run(ctx context.Context, w world) error {
	if wrong := m.faults(); len(wrong) > 0 {
		return wrong
	}
	now := time.Now()
	servers := make(map[string]*fakecloudflare.Server)
	for i, id := range demoAccounts {
		servers[id] = imitated(id, uint64(demoSeed+i), now)
	}
	address, stop, err := serveAtFlag(router(servers), m.listen)
	if err != nil {
		return err
	}
	defer stop()
	if _, err := fmt.Fprint(w.stdout, serveHelp(address)); err != nil {
		return err
	}
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	for n := uint64(1); ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case at := <-tick.C:
			for id, s := range servers {
				happen(s, id, n, at)
			}
		}
	}
}

// imitated is the API of one account, whose two logs tell of the same changes.
func imitated(id string, seed uint64, now time.Time) *fakecloudflare.Server {
	s := fakecloudflare.NewServer(fakecloudflare.Options{AccountID: id})
	from := now.Add(-historySpan)
	s.Add(time.Time{}, inAccount(id, fakecloudflare.Story(seed, from, now)...)...)
	s.AddV2(time.Time{}, inAccount(id, fakecloudflare.StoryV2(seed, from, now)...)...)
	happen(s, id, 0, now.Add(-10*time.Second)) // also on a quiet Sunday there is something new
	return s
}

// happen adds the nth new change to both logs of an account.
func happen(s *fakecloudflare.Server, id string, n uint64, at time.Time) {
	v1, v2 := fakecloudflare.Happening(n, at)
	s.Add(time.Time{}, inAccount(id, v1)...)
	s.AddV2(time.Time{}, inAccount(id, v2)...)
}

// inAccount moves entries to another account.
func inAccount(id string, entries ...json.RawMessage) []json.RawMessage {
	moved := make([]json.RawMessage, len(entries))
	for i, e := range entries {
		moved[i] = bytes.ReplaceAll(e, []byte(fakecloudflare.DefaultAccountID), []byte(id))
	}
	return moved
}

// router sends each request to the server of its account. The first server answers
// requests that name no account.
func router(servers map[string]*fakecloudflare.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, _ := strings.CutPrefix(r.URL.Path, fakecloudflare.Prefix+"/accounts/")
		id, _, _ := strings.Cut(rest, "/")
		s := servers[id]
		if s == nil {
			s = servers[demoAccounts[0]]
		}
		s.ServeHTTP(w, r)
	})
}

// serveHelp shows how to try the commands against the imitation.
func serveHelp(address string) string {
	url := "http://" + address + fakecloudflare.Prefix
	return strings.NewReplacer("$URL", url, "$TOKEN", fakecloudflare.DefaultToken, "$ONE", demoAccounts[0],
		"$TWO", demoAccounts[1], "$THREE", demoAccounts[2]).Replace(`An imitation of the Cloudflare API answers on $URL
until you press Ctrl-C. It has 60 days of history, with a break-in in the night
before the last, and a new change every few seconds. Each is in both audit logs, as
with Cloudflare. The token and the accounts are made up.

In another terminal:

  export CLOUDFLARE_API_TOKEN=$TOKEN
  export CLOUDFLARE_ACCOUNT_ID=$ONE
  API=$URL

Look around:

  cfaudit check  --base-url $API --audit-log-api both
  cfaudit report --base-url $API --since 7d --format text
  cfaudit report --base-url $API --since 7d --out report.html
  cfaudit export --base-url $API --since 30d --dry-run
  cfaudit export --base-url $API --since 30d --min-severity medium --out changes.csv
  cfaudit export --base-url $API --since 2d --actor 'mallory@*' --format table
  cfaudit export --base-url $API --since 30d --audit-log-api both --format jsonl | jq -r .title

Poll once, get what is older, and see which rule fires and why:

  cfaudit poll     --base-url $API --state demo-state --out events.jsonl
  cfaudit backfill --base-url $API --since 50d --state demo-state --out older.jsonl
  cfaudit rules    --stats events.jsonl older.jsonl
  cfaudit rules    --explain events.jsonl | head -40

Your own rules: write one, and see what it would have done.

  cat > mine.yaml <<'END'
  - id: terraform-dns
    match: {action: "dns.record.*", actor: terraform@example.com}
    severity: info
  END
  cfaudit rules  --try mine.yaml events.jsonl older.jsonl
  cfaudit export --base-url $API --since 7d --rules mine.yaml --rule terraform-dns --format table

Keep polling, and in one more terminal look at a page that follows it:

  cfaudit run    --base-url $API --state demo-state --interval 30s --out events.jsonl
  cfaudit report --since 50d --serve --from 'events.jsonl*' older.jsonl

Severe events to Slack or a webhook, whose address is in the file hook-url:

  cfaudit poll --base-url $API --state notify-state --initial-lookback 3d --out notified.jsonl --notify-url-file hook-url

A fleet of three accounts, if there is a Postgres database to try it with:

  export CFAUDIT_DATABASE_URL=postgres://…
  (umask 077 && cfaudit fleet key > fleet.key)
  cfaudit fleet migrate
  for id in $ONE $TWO $THREE; do
    cfaudit fleet add --tenant demo --account-id $id --base-url $API --key-file fleet.key
  done
  cfaudit fleet work --key-file fleet.key --out fleet.jsonl
  cfaudit fleet status

`)
}
