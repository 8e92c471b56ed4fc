package httpsink_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakehttp"
	httpsink "github.com/aisoc/cloudflareaudit/sink/http"
)

// Events go to Splunk's HTTP Event Collector. When Write returns nil, Splunk has
// confirmed each of them, or the dead-letter file holds it.
func Example() {
	splunk := &fakehttp.Server{Kind: fakehttp.Splunk, Header: "Authorization", HeaderValue: "Splunk 0123"}
	out, err := httpsink.New(httpsink.Config{
		URL:        "https://splunk.example.com:8088" + fakehttp.Splunk.Path(),
		Body:       httpsink.Splunk,
		Headers:    []httpsink.Header{{Name: "Authorization", Value: cloudflareaudit.NewSecret("Splunk 0123")}},
		HTTPClient: &http.Client{Transport: splunk}, // left out for Splunk itself
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = out.Write(context.Background(), []ingest.Event{{ExternalID: "1", Title: "DNS record deleted", Severity: ingest.Medium}})
	fmt.Println(out.Stats().Accepted, "accepted,", err)
	// Output: 1 accepted, <nil>
}
