package cloudflareaudit

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/product"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Entries of Audit Logs v2 have no old values. The API returns earlier entries
// about the same resource, whose bodies have them.

const (
	// maxHistories bounds the histories looked up in one poll.
	maxHistories = 20
	// historySize is how many entries of a history are asked for, and kept.
	// Changes send some members only, so that an old value may be further back.
	historySize = 20
	// historySpan is how far back a history goes: as far as the log does.
	historySpan = maxLookback
	// maxHistoryBytes bounds the entries of one history, and maxCachedBytes those
	// of all that are remembered.
	maxHistoryBytes = 512 << 10
	maxCachedBytes  = 4 << 20
	// maxCached bounds how many are remembered.
	maxCached = 1000
	// notFound is how many entries in a row may be unknown there before the
	// endpoint is taken to be missing.
	notFound = 3
)

// The values of result_info.history_status with entries.
const (
	historyExact       = "exact"
	historyApproximate = "approximate"
)

// pastEntries is the earlier entries about a resource. The nil one has none.
type pastEntries struct {
	earlier []string // as received, newest first
	// approximate says that Cloudflare found the resource without its address.
	approximate bool
	size        int // in bytes
}

// entries are the earlier entries, decoded.
func (h *pastEntries) entries() []*audit.Entry {
	if h == nil {
		return nil
	}
	list := make([]*audit.Entry, 0, len(h.earlier))
	for _, source := range h.earlier {
		doc, e := new(jsondoc.Doc), new(audit.Entry)
		_ = doc.Parse(source) // it was read before
		e.Decode(doc, audit.V2)
		list = append(list, e)
	}
	return list
}

// note says which entry old values are from.
func (h *pastEntries) note(from *audit.Entry) string {
	note := "the old values are from earlier entries, the newest of them " + text.OneLine(from.ID, maxID) +
		" of " + from.When.Format(time.RFC3339)
	if h.approximate {
		note += "; the resource was found without its address"
	}
	return note
}

// wantsHistory reports whether to look up old values for an entry, graded v.
func (r *resolver) wantsHistory(n *Normalizer, e *audit.Entry, f *product.Facts, v Verdict) bool {
	return r.withHistory && f.Comparable(e) && isEntryID(e) && (isGrave(v) || n.mayBeGrave(f))
}

// isEntryID reports whether the entry has an id of its own that can be part of a
// path.
func isEntryID(e *audit.Entry) bool {
	if e.ID == "" || len(e.ID) > maxID || e.Doc.Root().Get("id").Text() != e.ID {
		return false
	}
	for i := range len(e.ID) {
		if c := e.ID[i]; c != '-' && !('0' <= c && c <= '9') && !('a' <= c|0x20 && c|0x20 <= 'z') {
			return false
		}
	}
	return true
}

// isGrave reports whether v is medium or higher.
func isGrave(v Verdict) bool { return v.Severity != ingest.Low && v.Severity != ingest.Info }

// mayBeGrave reports whether an old value may raise the grade of f: whether the
// entry does not tell a direction, and is graded medium or higher if it is
// "weaker".
func (n *Normalizer) mayBeGrave(f *product.Facts) bool {
	if f.Direction != "" {
		return false
	}
	weaker := f.Facts
	weaker.Direction = rules.Weaker
	return isGrave(n.classifier.Grade(&weaker))
}

// askHistories looks up the histories that gaps need, those of grave changes
// first.
func (r *resolver) askHistories(ctx context.Context, gaps []gap, f *findings) {
	f.histories = make(map[string]*pastEntries)
	asked := 0
	for _, grave := range [...]bool{true, false} {
		for i := range gaps {
			g := &gaps[i]
			if g.changed == "" || g.grave != grave {
				continue
			}
			h := r.histories.get(g.changed)
			if h == nil && asked < maxHistories && r.history.open() && ctx.Err() == nil {
				asked++
				h = r.askHistory(ctx, g, f)
			}
			f.histories[g.changed] = h
		}
	}
}

// askHistory looks up one history. It is nil when that fails.
func (r *resolver) askHistory(ctx context.Context, g *gap, f *findings) *pastEntries {
	since := r.clock().Add(-historySpan)
	if !since.Before(g.stated) {
		return nil
	}
	// The bounds are sent in whole seconds, and the entry is somewhere in its own.
	got, reply, err := r.client.Glance(ctx, "/accounts/"+r.accountID+"/logs/audit/"+g.changed+"/history", url.Values{
		"action_time": {g.stated.Format(time.RFC3339Nano)},
		"since":       {since.UTC().Format(time.RFC3339)},
		"before":      {g.stated.Add(time.Second).Format(time.RFC3339)},
		"direction":   {"desc"},
		"limit":       {strconv.Itoa(historySize)},
	})
	reply.Count(f.coverage)
	result := readResult(got.Result)
	if err == nil && result.Kind() != jsondoc.Array {
		err = apierror.Malformed(http.StatusOK, "the reply has no list of entries")
	}
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case err == nil:
		r.history.passed(0)
		h := historyOf(result, got.HistoryStatus, g.changed)
		r.histories.put(g.changed, h)
		r.histories.unknown = 0
		return h
	case !isElsewhere(err):
		r.history.failed(err, r.log)
		return nil
	}
	// Cloudflare may not know this entry, or may not offer this at all.
	r.histories.unknown++
	if isNoRoute(err) || r.histories.unknown >= notFound {
		r.histories.unknown = 0
		r.history.missing(err, r.log)
	}
	return nil
}

// isNoRoute reports whether err says that there is no such endpoint.
func isNoRoute(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && (api.Code == 7003 || api.Code == 7000)
}

// historyOf takes the entries of a history from a reply, without the entry that
// it was asked for.
func historyOf(list jsondoc.Value, status, id string) *pastEntries {
	h := &pastEntries{approximate: status == historyApproximate}
	if status != historyExact && status != historyApproximate {
		return h
	}
	for e := range list.All() {
		if e.Kind() != jsondoc.Object || e.Get("id").Text() == id {
			continue
		}
		if h.size+e.Len() > maxHistoryBytes || len(h.earlier) == historySize {
			break // an older one that fits must not be taken for the newest
		}
		h.size += e.Len()
		h.earlier = append(h.earlier, strings.Clone(e.Source()))
	}
	return h
}

// historyCache remembers histories by the id of the entry, for polls that are
// repeated. It forgets the oldest ones first.
type historyCache struct {
	byID  map[string]*pastEntries
	order []string
	size  int // in bytes
	// unknown counts the entries in a row that Cloudflare did not know.
	unknown int
}

func (c *historyCache) get(id string) *pastEntries { return c.byID[id] }

func (c *historyCache) put(id string, h *pastEntries) {
	if c.byID == nil {
		c.byID = make(map[string]*pastEntries)
	}
	c.byID[id] = h
	c.order = append(c.order, id)
	c.size += h.size
	for len(c.order) > maxCached || c.size > maxCachedBytes {
		oldest := c.order[0]
		c.size -= c.byID[oldest].size
		delete(c.byID, oldest)
		c.order = c.order[1:]
	}
}
