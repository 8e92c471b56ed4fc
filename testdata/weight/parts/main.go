// Parts is the program without the connector, and what the connector is built on.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/cloudflare/cloudflare-go/v7/audit_logs"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/time/rate"

	"github.com/aisoc/cloudflareaudit/testdata/weight/reader"
)

func main() {
	reader.Read(os.Args[1])

	_ = rate.NewLimiter(4, 1).Wait(context.Background())
	service := audit_logs.NewAuditLogService(option.WithEnvironmentProduction(), option.WithAPIToken(os.Args[3]))
	var params audit_logs.AuditLogListParams
	params.AccountID.Value, params.AccountID.Present = os.Args[2], true
	var page *http.Response
	_, err := service.List(context.Background(), params, option.WithResponseBodyInto(&page))
	fmt.Println(err)
	value, err := jsontext.NewDecoder(page.Body).ReadValue()
	fmt.Println(value, err)
}
