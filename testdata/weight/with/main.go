// With is the program without the connector, and the connector.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/aisoc/cloudflareaudit"
)

func main() {
	resp, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var v map[string]any
	fmt.Println(json.NewDecoder(resp.Body).Decode(&v), v)

	c, err := cloudflareaudit.New(cloudflareaudit.Config{AccountID: os.Args[2], APIToken: cloudflareaudit.NewSecret(os.Args[3])})
	if err != nil {
		fmt.Println(err)
		return
	}
	batch, err := c.Poll(context.Background(), nil)
	fmt.Println(batch.Events, err)
}
