package cloudflareaudit

import "os"

var dbgOn = os.Getenv("DBG") != ""
