// Command fakeserver serves the fakes of the Cloudflare API and of AiSOC's
// ingestion service on loopback addresses, for tests in other languages. It
// prints one line of JSON with the addresses and ends when its standard input
// does.
//
// The test drives it with POST requests to the address "control", each with one
// JSON object; see [command].
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/fakeaisoc"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

func main() {
	log.SetFlags(0)
	c := &control{}
	c.reset()
	cloudflare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.api.Load().ServeHTTP(w, r) }))
	aisoc := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.service.Load().ServeHTTP(w, r) }))
	driver := httptest.NewServer(c)
	err := json.NewEncoder(os.Stdout).Encode(map[string]string{
		"cloudflare": cloudflare.URL + fakecloudflare.Prefix,
		"aisoc":      aisoc.URL,
		"control":    driver.URL,
		"account_id": fakecloudflare.DefaultAccountID,
		"api_token":  fakecloudflare.DefaultToken,
	})
	if err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// command is what a test can ask for; its members are done in this order.
type command struct {
	// Reset begins anew, with an empty log and nothing accepted.
	Reset bool `json:"reset"`
	// Add adds so many entries of Size bytes to the log, a second apart, the
	// newest of them a minute ago. Their ids are e-000000 and so on.
	Add  int `json:"add"`
	Size int `json:"size"`
	// Entry is added as it is.
	Entry json.RawMessage `json:"entry"`
	// API and Service are what befalls each request to the fake of that name from
	// now on: "ok", "hang" or an HTTP status. Empty changes nothing.
	API     string `json:"api"`
	Service string `json:"service"`
}

// state is what the test is told after each command.
type state struct {
	// Requests counts those to the Cloudflare API, and Posts those to the
	// ingestion service.
	Requests int `json:"requests"`
	Posts    int `json:"posts"`
	// Accepted counts how often each external id was accepted.
	Accepted map[string]int `json:"accepted"`
	// Violations are what the ingestion service found wrong with events that it
	// has accepted.
	Violations []string `json:"violations"`
}

type control struct {
	api     atomic.Pointer[fakecloudflare.Server]
	service atomic.Pointer[fakeaisoc.Server]
	added   int
}

func (c *control) reset() {
	c.api.Store(fakecloudflare.NewServer(fakecloudflare.Options{}))
	c.service.Store(new(fakeaisoc.Server))
	c.added = 0
}

// ServeHTTP does one command. A test sends them one after the other.
func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var do command
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&do); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := c.do(do); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(state{
		Requests:   len(c.api.Load().Requests()),
		Posts:      len(c.service.Load().Requests()),
		Accepted:   c.service.Load().Accepted(),
		Violations: c.service.Load().Violations(),
	})
}

func (c *control) do(do command) error {
	if do.Reset {
		c.reset()
	}
	end := time.Now().Add(-time.Minute)
	for range do.Add {
		e := fakecloudflare.Entry(fmt.Sprintf("e-%06d", c.added), end.Add(-time.Duration(c.added)*time.Second), 6)
		if missing := do.Size - len(e); missing > 0 {
			e = append(e[:len(e)-1:len(e)-1], `,"padding":"`+strings.Repeat("x", missing)+`"}`...)
		}
		c.api.Load().Add(time.Time{}, e)
		c.added++
	}
	if do.Entry != nil {
		c.api.Load().Add(time.Time{}, do.Entry)
	}
	return c.faults(do)
}

func (c *control) faults(do command) error {
	var status int
	switch do.API {
	case "":
	case "ok":
		c.api.Load().Fault(nil)
	case "hang":
		c.api.Load().Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Hang() })
	default:
		if _, err := fmt.Sscan(do.API, &status); err != nil {
			return fmt.Errorf("api: %q", do.API)
		}
		c.api.Load().Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Status(status, 0, "", nil) })
	}
	switch do.Service {
	case "":
	case "ok":
		c.service.Load().SetFault(nil)
	default:
		if _, err := fmt.Sscan(do.Service, &status); err != nil {
			return fmt.Errorf("service: %q", do.Service)
		}
		c.service.Load().SetFault(func(int) fakeaisoc.Fault { return fakeaisoc.Fault{Status: status} })
	}
	return nil
}
