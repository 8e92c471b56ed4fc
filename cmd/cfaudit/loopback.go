package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/httpx"
)

// loopbackFault is the fault of a --listen that must be for this machine alone, or "".
// such is an address that would do.
func loopbackFault(listen, such string) string {
	host, _, err := net.SplitHostPort(listen)
	if err == nil && httpx.IsLoopback(host) {
		return ""
	}
	return fmt.Sprintf("--listen: %q: must be an address of this machine alone, such as %s", redact(listen), such)
}

// serveAtFlag is serve at the address of --listen. An error is a fault of it.
func serveAtFlag(handler http.Handler, listen string) (address string, stop func(), err error) {
	address, stop, err = serve(handler, listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		err = faults{fmt.Sprintf("--listen: %q: is in use; choose another one, such as 127.0.0.1:0", listen)}
	case err != nil:
		err = faults{fmt.Sprintf("--listen: %q: cannot be listened on: %v", listen, err)}
	}
	return address, stop, err
}

// serve serves handler at a loopback address until stop is called.
func serve(handler http.Handler, at string) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", at)
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // which ends with an error in any case
	}()
	return listener.Addr().String(), func() {
		server.Close()
		<-done
	}, nil
}
