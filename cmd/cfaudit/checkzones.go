package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

const (
	// zonePage is the page size of the list of zones, the most the API allows.
	zonePage = 50
	// maxZonePages bounds the pages read of it.
	maxZonePages = 20
	// zonesTimeout and zonesRate stand for what is not configured.
	zonesTimeout = 30 * time.Second
	zonesRate    = 900
)

// listedZone is a zone of an account.
type listedZone struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// configuredZone is a zone, or a pattern of zones, and where it is configured.
type configuredZone struct {
	text, field, where string
}

// zonesOf are the zones that a configuration names.
func zonesOf(cfg *cloudflareaudit.Config) []configuredZone {
	var list []configuredZone
	for _, name := range cfg.ProductionZones {
		list = append(list, configuredZone{name, "production_zones", "The production zone " + name})
	}
	for _, rule := range cfg.Rules {
		for _, name := range rule.Match.Zone {
			list = append(list, configuredZone{name, "rules", "The zone " + name + " of the rule " + rule.ID})
		}
	}
	return list
}

// matches reports whether a zone is the one configured.
func (c *configuredZone) matches(z listedZone) bool {
	if text.IsHexID(c.text) {
		return strings.EqualFold(c.text, z.ID)
	}
	return text.NewGlob(text.DNSZone(c.text)).Match(text.DNSZone(z.Name))
}

// checkZones are the findings about configured zones that the account does not have.
// A mistyped one only shows in grades that are too low.
func checkZones(ctx context.Context, cfg *cloudflareaudit.Config) []ingest.Finding {
	configured := zonesOf(cfg)
	if len(configured) == 0 {
		return nil
	}
	zones, entire, err := listZones(ctx, cfg)
	if err != nil {
		reason := "the list of zones cannot be read"
		if status := cloudflare.Status(err); status == http.StatusForbidden || status == http.StatusUnauthorized {
			reason = "the token may not list zones, which it need not for anything else"
		}
		return []ingest.Finding{{
			Level: ingest.LevelNote,
			Text:  "It is not known whether the configured zones exist: " + reason + ". A zone that no event is about for long is reported while polling.",
		}}
	}
	var findings []ingest.Finding
	for i := range configured {
		c := &configured[i]
		if !entire || slices.ContainsFunc(zones, c.matches) {
			continue
		}
		findings = append(findings, ingest.Finding{
			Level: ingest.LevelWarning, Field: c.field,
			Text:   c.where + " matches none of the zones that the token can list, " + count(len(zones), "zone", "zones") + ".",
			Remedy: "Compare the spelling with that in the dashboard, or remove it, if the zone is gone.",
		})
	}
	return findings
}

// listZones are the zones of the account, and whether these are all.
func listZones(ctx context.Context, cfg *cloudflareaudit.Config) (zones []listedZone, entire bool, err error) {
	client := cloudflare.New(cloudflare.Options{
		AccountID: cfg.AccountID, Token: cfg.APIToken, BaseURL: cmp.Or(cfg.BaseURL, cloudflareaudit.DefaultBaseURL), UserAgent: "cfaudit",
		HTTPClient: cfg.HTTPClient, RateLimit: cmp.Or(cfg.RateLimit, zonesRate), RequestTimeout: cmp.Or(cfg.RequestTimeout, zonesTimeout),
		Clock: time.Now, Logger: cfg.Logger,
	})
	for page := 1; page <= maxZonePages; page++ {
		got, _, err := client.Glance(ctx, "/zones", url.Values{
			"account.id": {cfg.AccountID}, "per_page": {strconv.Itoa(zonePage)}, "page": {strconv.Itoa(page)},
		})
		if err != nil {
			return nil, false, err
		}
		var some []listedZone
		if err := json.Unmarshal(got.Result, &some); err != nil {
			return nil, false, err
		}
		zones = append(zones, some...)
		if page >= got.TotalPages || len(some) == 0 {
			return zones, true, nil
		}
	}
	return zones, false, nil
}
