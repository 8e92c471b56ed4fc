package aisoc_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakeaisoc"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

// When Write returns nil, the service has accepted each event, or the dead-letter
// file holds it.
func Example() {
	service := new(fakeaisoc.Server)
	out, err := aisoc.New(aisoc.Config{
		URL:           "https://ingest.example.com",
		TenantID:      "0f9a7a52-6d0e-4c39-9d59-6f1f4e6f0001",
		ConnectorID:   "9d0c2f5e-4f7a-4a52-8c34-0f6f1f4e6f01", // the instance in AiSOC, always the same
		ConnectorType: cloudflareaudit.ConnectorID,
		HTTPClient:    &http.Client{Transport: service}, // left out for the service itself
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = out.Write(context.Background(), []ingest.Event{{
		Source: "cloudflare", Category: "saas", ExternalID: "1", Title: "DNS record deleted", Severity: ingest.Medium,
	}})
	fmt.Println(out.Stats().Accepted, "accepted,", err)
	// Output: 1 accepted, <nil>
}
