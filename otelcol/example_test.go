package otelcol_test

import (
	"fmt"

	"github.com/aisoc/cloudflareaudit/otelcol"
)

// A collector that is built in Go lists the factory among its receivers.
func ExampleNewFactory() {
	factory := otelcol.NewFactory()
	fmt.Println(factory.Type(), factory.LogsStability())
	// Output: cloudflareaudit Alpha
}
