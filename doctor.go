package cloudflareaudit

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// expirySoon is how long before its end a token is warned about.
const expirySoon = 30 * 24 * time.Hour

// Report is the result of [Connector.Check]. It holds no secret. Fields that
// could not be determined are zero.
type Report struct {
	AccountID string `json:"account_id"`
	// Readable says that every audit log of Config.AuditLogAPI can be read.
	// Otherwise Failure is the [Kind] of the reply, or empty when there was no
	// reply.
	Readable bool `json:"readable"`
	Failure  Kind `json:"failure,omitempty"`
	// Newest is the time of the newest entry. It is zero in an empty log, and
	// when that entry has no readable time.
	Newest time.Time `json:"newest_entry,omitzero"`
	// Empty says that none of the logs has an entry, which is not a fault. Of
	// Audit Logs v2 only the span of Config.InitialLookback is checked.
	Empty bool        `json:"empty"`
	Token TokenReport `json:"token"`
	// ServerTime is Cloudflare's clock when it answered, in whole seconds, and
	// ClockOffset how far the local one is ahead of it.
	ServerTime  time.Time     `json:"server_time,omitzero"`
	ClockOffset time.Duration `json:"clock_offset_ns"`
	// Findings put all of this into words, with remedies.
	Findings []ingest.Finding `json:"findings"`
}

// TokenReport is what is known about an API token.
type TokenReport struct {
	// Owner is [OwnerAccount] or [OwnerUser], or empty when it is not known.
	Owner string `json:"owner,omitempty"`
	// Status is as Cloudflare reports it: "active", "disabled" or "expired".
	Status string `json:"status,omitempty"`
	// NotBefore and Expires bound the time in which the token is valid.
	NotBefore time.Time `json:"not_before,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
	// Accounts are the ids of the accounts the token can list, at most 50.
	Accounts []string `json:"accounts,omitempty"`
	// Excess are the permissions that the connector does not need. They are
	// known only for a token that may read its own description.
	Excess []string `json:"excess,omitempty"`
}

// The owners of a token.
const (
	// OwnerAccount: the token belongs to the account and stays when people
	// leave.
	OwnerAccount = "account"
	// OwnerUser: the token belongs to a user and can do no more than the user.
	OwnerUser = "user"
)

// Check tests the connection as [Connector.TestConnection] does, with the same
// error, and reports on the token, the clock and the logs. Only the requests of
// TestConnection decide the outcome; the others are allowed to fail.
func (c *Connector) Check(ctx context.Context) (Report, error) {
	d := doctor{Connector: c, Report: Report{AccountID: c.cfg.AccountID}}
	err := d.readLogs(ctx)
	if err != nil && ctx.Err() != nil {
		return d.Report, err
	}
	api, _ := errors.AsType[*APIError](err)
	if err == nil || api != nil && (api.Kind == KindCredentials && api.Code != 6003 || api.Kind == KindAccount) {
		// Optional requests must not delay the answer.
		soft, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
		defer cancel()
		d.verify(soft)
		if !d.unknown {
			d.listAccounts(soft)
			d.describeToken(soft)
		}
	}
	d.explainFailures()
	for i := range d.logs {
		d.reportLog(&d.logs[i])
	}
	d.reportToken()
	d.reportClock()
	d.reportRules()
	return d.Report, err
}

// Diagnose implements [ingest.Diagnoser] with the findings of Check.
func (c *Connector) Diagnose(ctx context.Context) ([]ingest.Finding, error) {
	report, err := c.Check(ctx)
	return report.Findings, err
}

var _ ingest.Diagnoser = (*Connector)(nil)

// doctor is one check under way.
type doctor struct {
	*Connector
	Report
	// logs are the audit logs that could be read, and failed are the others.
	logs   []logFound
	failed []logFailed
	// took is how long the request for the log took.
	took time.Duration
	// tokenID is the id of the token, which is no secret.
	tokenID string
	// unknown says that Cloudflare recognises the token neither as an account
	// token nor as a user token.
	unknown bool
	// names are those of the accounts the token can list, by id.
	names map[string]string
}

// logFound is an audit log that can be read.
type logFound struct {
	log    *cloudflare.Log
	empty  bool
	newest time.Time // zero when the newest entry has no time
}

// logFailed is an audit log that cannot be read, and why.
type logFailed struct {
	log *cloudflare.Log
	err error
}

// find adds a finding.
func (d *doctor) find(level ingest.Level, found, remedy string) {
	d.findIn("", level, found, remedy)
}

// findIn is find for a finding that is fixed in a field of the configuration.
func (d *doctor) findIn(field string, level ingest.Level, found, remedy string) {
	if remedy == "" {
		field = ""
	}
	d.Findings = append(d.Findings, ingest.Finding{Level: level, Text: found, Field: field, Remedy: remedy})
}

// readLogs makes the requests that decide the outcome. A refusal for one log
// says nothing about the other, so both are tried; after a request without a
// reply, no other is sent.
func (d *doctor) readLogs(ctx context.Context) error {
	page := cloudflare.NewPage()
	defer page.Release()
	d.Empty = true
	for _, log := range d.cfg.logs() {
		r, err := d.newest(ctx, log, page)
		d.took = r.Took
		if !r.Date.IsZero() {
			d.ServerTime = r.Date.UTC()
			d.ClockOffset = d.cfg.Clock().Sub(r.Date).Round(time.Second)
		}
		if err != nil {
			d.failed = append(d.failed, logFailed{log, err})
			if _, ok := errors.AsType[*APIError](err); !ok {
				break
			}
			continue
		}
		found := logFound{log: log, empty: page.Len() == 0}
		if !found.empty {
			found.newest = page.When(0)
			d.Empty = false
			if found.newest.After(d.Newest) {
				d.Newest = found.newest
			}
		}
		d.logs = append(d.logs, found)
	}
	if len(d.failed) == 0 {
		d.Readable = true
		return nil
	}
	d.Empty = false
	first := d.failed[0]
	if api, ok := errors.AsType[*APIError](first.err); ok {
		d.Failure = api.Kind
	}
	return first.log.Failed(first.err)
}

// verify determines the owner of the token and whether it is valid. Account
// tokens are refused below /user; whether user tokens are refused below their
// account is not documented. So for tokens without a known prefix, the answer
// of /user counts.
func (d *doctor) verify(ctx context.Context) {
	form := ownerByForm(d.cfg.APIToken.Reveal())
	d.Token.Owner = form
	refused := 0
	for _, at := range []struct{ owner, path string }{
		{OwnerAccount, d.tokensPath(OwnerAccount) + "/verify"},
		{OwnerUser, d.tokensPath(OwnerUser) + "/verify"},
	} {
		var token struct {
			ID        string    `json:"id"`
			Status    string    `json:"status"`
			NotBefore time.Time `json:"not_before"`
			ExpiresOn time.Time `json:"expires_on"`
		}
		err := d.ask(ctx, at.path, nil, &token)
		if err == nil {
			if form == "" {
				d.Token.Owner = at.owner
			}
			d.Token.Status = d.said(token.Status)
			d.Token.NotBefore, d.Token.Expires = token.NotBefore, token.ExpiresOn
			d.tokenID = token.ID
			if form != "" {
				return
			}
		} else if api, ok := errors.AsType[*APIError](err); ok && api.Kind == KindCredentials {
			refused++
		}
	}
	d.unknown = refused == 2
}

// listAccounts asks which accounts the token can see.
func (d *doctor) listAccounts(ctx context.Context) {
	var accounts []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if d.ask(ctx, "/accounts", url.Values{"per_page": {"50"}}, &accounts) != nil {
		return
	}
	d.names = make(map[string]string)
	for _, a := range accounts {
		if isAccountID(a.ID) {
			d.Token.Accounts = append(d.Token.Accounts, a.ID)
			d.names[a.ID] = d.said(a.Name)
		}
	}
}

// describeToken reads the permissions of the token. Few tokens are allowed to.
func (d *doctor) describeToken(ctx context.Context) {
	if !isAccountID(d.tokenID) {
		return
	}
	var token struct {
		Policies []struct {
			Effect string `json:"effect"`
			Groups []struct {
				Name string `json:"name"`
			} `json:"permission_groups"`
		} `json:"policies"`
	}
	if d.ask(ctx, d.tokensPath(d.Token.Owner)+"/"+d.tokenID, nil, &token) != nil {
		return
	}
	for _, policy := range token.Policies {
		for _, group := range policy.Groups {
			name := d.said(group.Name)
			if policy.Effect == "allow" && !slices.Contains(neededGroups, name) && !slices.Contains(d.Token.Excess, name) {
				d.Token.Excess = append(d.Token.Excess, name)
			}
		}
	}
}

// neededGroups are the names of permissions, any one of which suffices to read
// the log.
var neededGroups = []string{"Account Settings Read", "Audit Logs Read", "Account Audit Logs Read"}

// tokensPath is where the tokens of an owner are.
func (d *doctor) tokensPath(owner string) string {
	if owner == OwnerUser {
		return "/user/tokens"
	}
	return "/accounts/" + d.cfg.AccountID + "/tokens"
}

// ask reads the result of the resource at path into v.
func (d *doctor) ask(ctx context.Context, path string, params url.Values, v any) error {
	got, _, err := d.client.Get(ctx, path, params)
	if err != nil {
		return err
	}
	return json.Unmarshal(got.Result, v)
}

// said cleans a text from Cloudflare for display.
func (d *doctor) said(s string) string { return text.Clean(d.client.Scrub(s), 80) }

// ownerByForm derives the owner of a token from its prefix; it is "" for older
// tokens, which have none.
func ownerByForm(token string) string {
	switch {
	case strings.HasPrefix(token, "cfat_"):
		return OwnerAccount
	case strings.HasPrefix(token, "cfut_"):
		return OwnerUser
	}
	return ""
}

// The pages of the dashboard that list tokens.
const (
	accountTokens = "Manage Account > Account API Tokens"
	userTokens    = "My Profile > API Tokens"
)

// tokenPage is where in the dashboard the token is changed.
func (d *doctor) tokenPage() string {
	switch d.Token.Owner {
	case OwnerAccount:
		return accountTokens
	case OwnerUser:
		return userTokens
	}
	return accountTokens + ", or " + userTokens + " for a token of a user,"
}

// explainFailures adds findings on why logs cannot be read, with remedies.
func (d *doctor) explainFailures() {
	for i := range d.failed {
		l := &d.failed[i]
		if i > 0 && cloudflare.Reason(l.err).Error() == cloudflare.Reason(d.failed[0].err).Error() {
			d.find(ingest.LevelError, sentence(l.log.Title+" cannot be read for the same reason"), "")
			continue
		}
		d.explain(l)
	}
	if len(d.failed) > 0 && len(d.logs) > 0 {
		d.findIn("audit_log_api", ingest.LevelNote, sentence(d.logs[0].log.Title+" can be read with the same token and account id"),
			"To read that one alone, choose "+d.logs[0].log.Name+".")
	}
}

// explain adds a finding on why the log cannot be read, with a remedy.
func (d *doctor) explain(l *logFailed) {
	api, ok := errors.AsType[*APIError](l.err)
	if !ok {
		field, remedy := d.remedyOf(l.err)
		d.findIn(field, ingest.LevelError, sentence(l.log.Title+" cannot be read: "+cloudflare.Reason(l.err).Error()), remedy)
		return
	}
	bare := *api
	bare.Remedy = ""
	found := sentence(l.log.Title + " cannot be read: " + bare.Error())
	field, remedy := api.Field, sentence(api.Remedy)
	switch {
	case api.Kind == KindCredentials && api.Code != 6003:
		found, field, remedy = d.explainRefusal(found, field, remedy)
	case api.Kind == KindServer:
		remedy = "Cloudflare, or a proxy on the way, cannot answer now: try again later."
	}
	d.findIn(field, ingest.LevelError, found, remedy)
	d.explainAccounts(api)
}

// explainRefusal is explain for a token that is refused.
func (d *doctor) explainRefusal(found, field, remedy string) (fullText, mendedIn, advice string) {
	const (
		permission = "Account > Account Settings > Read"
		patience   = " A token made or changed within the last minute may still be refused: then check again."
		successor  = "create a new one under " + accountTokens + " with " + permission
	)
	switch t := d.Token; {
	case d.unknown:
		return found + " Cloudflare knows the token neither as one of this account nor as one of a user: " +
			"it was revoked, mistyped, or belongs to another account.", field, sentence(successor) + patience
	case t.Status != "" && t.Status != "active":
		return found + " The token is " + t.Status + ".", field,
			"Change that under " + d.tokenPage() + ", or create a new one there."
	case t.Status == "active" && t.Owner == OwnerAccount:
		return found + " The token is active and belongs to this account, so it lacks the permission.", "",
			accountTokens + " > the token > Edit: add " + permission + "." + patience
	case t.Status == "active":
		return found + " The token is active and belongs to a user. It lacks the permission, or does not " +
				"include this account, or its user has left the account.", "",
			userTokens + " > the token > Edit: add " + permission + ", and include this account under Account Resources. " +
				"If both are there, the user is no longer a member: " + successor + "." + patience
	}
	return found, field, remedy
}

// explainAccounts suggests which account may have been meant.
func (d *doctor) explainAccounts(api *APIError) {
	if len(d.Token.Accounts) == 0 || slices.Contains(d.Token.Accounts, d.cfg.AccountID) {
		return
	}
	remedy := "" // for a token that is refused there is one already
	if api.Kind == KindAccount {
		remedy = "Enter one of these, or a token of the account that was meant."
	}
	d.findIn("account_id", ingest.LevelNote, "The token can see "+d.listed()+", but not "+d.cfg.AccountID+".", remedy)
}

// listed are the accounts that the token can see, in words.
func (d *doctor) listed() string {
	const most = 5
	var all []string
	for i, id := range d.Token.Accounts {
		if i == most {
			all = append(all, fmt.Sprintf("%d more", len(d.Token.Accounts)-most))
			break
		}
		if name := d.names[id]; name != "" {
			id += " (" + name + ")"
		}
		all = append(all, id)
	}
	noun := "the account "
	if len(d.Token.Accounts) > 1 {
		noun = fmt.Sprintf("%d accounts: ", len(d.Token.Accounts))
	}
	return noun + strings.Join(all, ", ")
}

// now is Cloudflare's time, or the local time when no reply had a Date.
func (d *doctor) now() time.Time {
	if d.ServerTime.IsZero() {
		return d.cfg.Clock()
	}
	return d.ServerTime
}

// reportLog reports the content of a log.
func (d *doctor) reportLog(l *logFound) {
	d.find(ingest.LevelOK, sentence(l.log.Title+" can be read"), "")
	switch {
	case l.empty && !l.log.Numbered:
		d.find(ingest.LevelNote, fmt.Sprintf("It has no entry of the last %s. It holds changes and sign-ins, and no reads, so that is no fault.", roughly(d.cfg.InitialLookback)),
			"To see one, make a change, such as a DNS record, and check again after some minutes.")
	case l.empty:
		d.find(ingest.LevelNote, "The log has no entry. It holds changes, and hardly any reads or logins, so that is no fault.",
			"To see one, make a change, such as a DNS record, and check again.")
	case l.newest.IsZero():
		d.find(ingest.LevelNote, "The newest entry has no time that can be read. It is delivered all the same.", "")
	default:
		now := d.now()
		found := fmt.Sprintf("The newest entry is from %s, %s ago.", l.newest.UTC().Format(time.RFC3339), roughly(now.Sub(l.newest)))
		if now.Sub(l.newest) > d.cfg.InitialLookback {
			d.findIn("initial_lookback", ingest.LevelNote, found+" The first poll does not reach back that far and finds nothing, which is no fault.",
				"For older entries, raise this.")
			return
		}
		d.find(ingest.LevelOK, found, "")
	}
}

// reportToken reports the state of the token.
func (d *doctor) reportToken() {
	t := d.Token
	if t.Status == "" {
		if d.Readable {
			d.find(ingest.LevelNote, "Cloudflare did not say who the token belongs to and when it expires.", "")
		}
		return
	}
	if t.Status != "active" {
		if d.Readable { // otherwise that is why
			d.find(ingest.LevelWarning, "Cloudflare calls the token "+t.Status+", although it still works.", "Check it under "+d.tokenPage()+".")
		}
		return
	}
	now := d.now()
	owner := map[string]string{OwnerAccount: "the account", OwnerUser: "a user"}[t.Owner]
	expiry := "does not expire"
	if !t.Expires.IsZero() {
		expiry = "expires on " + t.Expires.UTC().Format(time.DateOnly)
	}
	if t.Owner == OwnerUser {
		d.findIn("api_token", ingest.LevelWarning, "The token belongs to a user and stops working when that user leaves the account or loses access.",
			"Create an account-owned one under "+accountTokens+".")
	}
	switch left := t.Expires.Sub(now); {
	case now.Before(t.NotBefore):
		d.find(ingest.LevelWarning, "The token is not valid before "+t.NotBefore.UTC().Format(time.RFC3339)+".", "")
	case t.Expires.IsZero() || left >= expirySoon:
		d.find(ingest.LevelOK, "The token belongs to "+owner+", is active and "+expiry+".", "")
	case left <= 0:
		d.findIn("api_token", ingest.LevelWarning, "The token has expired, on "+t.Expires.UTC().Format(time.DateOnly)+".",
			"Extend it under "+d.tokenPage()+", or create a new one.")
	default:
		d.find(ingest.LevelWarning, "The token "+expiry+", in "+roughly(left)+".",
			"Extend it under "+d.tokenPage()+", or create its successor. Polls go on where they stopped, so nothing is lost in between.")
	}
	if len(t.Excess) > 0 {
		names := t.Excess
		if len(names) > 5 {
			names = append(slices.Clone(names[:5]), fmt.Sprintf("%d more", len(t.Excess)-5))
		}
		d.find(ingest.LevelWarning, "The token may do more than is needed: "+strings.Join(names, ", ")+".",
			"Account > Account Settings > Read is enough: remove the others under "+d.tokenPage()+".")
	}
	if len(t.Accounts) > 1 && slices.Contains(t.Accounts, d.cfg.AccountID) {
		d.find(ingest.LevelWarning, "The token can see "+d.listed()+". One is needed.",
			"Include this account alone under Account Resources: "+d.tokenPage()+".")
	}
}

// reportClock compares the clocks.
func (d *doctor) reportClock() {
	if d.ServerTime.IsZero() {
		return
	}
	off, whose := d.ClockOffset, "ahead of"
	if off < 0 {
		off, whose = -off, "behind"
	}
	// The Date of the reply has whole seconds and is as old as the reply.
	if off <= feed.ClockTolerance+d.took.Round(time.Second) {
		d.find(ingest.LevelOK, "The local clock agrees with Cloudflare's.", "")
		return
	}
	d.find(ingest.LevelWarning, fmt.Sprintf("The local clock is %s %s Cloudflare's. Polls follow Cloudflare's, so nothing is missed.", roughly(off), whose),
		"Set the clock, for everything else that is kept on this machine.")
}

// reportRules reports what looks like a mistake in the rules.
func (d *doctor) reportRules() {
	for _, doubt := range ReviewRules(d.cfg.Rules) {
		d.findIn("rules", ingest.LevelWarning, doubt.Error(), "Correct the rule, unless this is intended. It is used in any case.")
	}
}

// remedyOf returns the remedy for an error that is not a reply, and the
// configuration field it concerns, if any.
func (d *doctor) remedyOf(err error) (field, remedy string) {
	if _, ok := errors.AsType[*WaitError](err); ok {
		return "", "Wait that long, or give this connector a token of its own."
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "", "The certificate is not one that this machine trusts. A proxy on the way may have put its own in place: " +
			"let the connector bypass the proxy, or make this machine trust the certificate."
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "base_url", "Check the name in this URL and the DNS of this machine."
	}
	return "base_url", "Check this URL, the network, and any firewall on the way. No proxy is taken from the environment."
}

// sentence makes a sentence of an error or a remedy.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if strings.ContainsAny(s[len(s)-1:], ".?!") {
		return s
	}
	return s + "."
}

// roughly is a span of time in words.
func roughly(d time.Duration) string {
	many := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch {
	case d >= 48*time.Hour:
		return many(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return many(int(d/time.Hour), "hour")
	case d >= 2*time.Minute:
		return many(int(d/time.Minute), "minute")
	}
	return many(max(0, int(d/time.Second)), "second")
}
