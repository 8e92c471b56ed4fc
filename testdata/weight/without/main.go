// Without is a program that reads JSON by HTTP.
package main

import (
	"os"

	"github.com/aisoc/cloudflareaudit/testdata/weight/reader"
)

func main() { reader.Read(os.Args[1]) }
