package apierror_test

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/aisoc/cloudflareaudit/apierror"
)

// A host tells what a person has to fix from what may pass.
func ExampleError() {
	var err error = &apierror.ReadError{
		Log: "the audit log",
		Err: apierror.New(http.StatusUnauthorized, []apierror.Message{{Code: 1000, Message: "Invalid API Token"}}, 0),
	}
	if failed, ok := errors.AsType[*apierror.Error](err); ok {
		fmt.Println(failed.Kind, failed.Temporary(), failed.Field)
	}
	// Output: credentials false api_token
}
