// Package reader reads JSON by HTTP, as a program does that may embed the connector.
package reader

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Read reads what is at url.
func Read(url string) {
	resp, err := http.Get(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var v map[string]any
	fmt.Println(json.NewDecoder(resp.Body).Decode(&v), v)
}
