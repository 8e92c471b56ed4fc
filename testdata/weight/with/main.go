// With is the program without the connector, and the connector.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/testdata/weight/reader"
)

func main() {
	reader.Read(os.Args[1])

	c, err := cloudflareaudit.New(cloudflareaudit.Config{AccountID: os.Args[2], APIToken: cloudflareaudit.NewSecret(os.Args[3])})
	if err != nil {
		fmt.Println(err)
		return
	}
	batch, err := c.Poll(context.Background(), nil)
	fmt.Println(batch.Events, err)
}
