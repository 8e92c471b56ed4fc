package fakecloudflare

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// Transport returns a round tripper that takes every request, whatever its
// host, to the server without a socket. It waits only where a fault says so,
// starts no goroutine, and observes the context of a request as http.Transport
// does, until the body of the reply has been closed.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	resp, err := t.server.respond(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Request = r
	resp.Body = &body{request: r.Context(), ctx: ctx, cancel: cancel, from: resp.Body}
	return resp, nil
}

// body is the body of a reply. Closing it ends ctx, and with that a read that
// waits.
type body struct {
	request context.Context
	ctx     context.Context
	cancel  context.CancelFunc
	from    io.ReadCloser
}

var errClosed = errors.New("fakecloudflare: read on a closed response body")

func (b *body) Read(p []byte) (int, error) {
	if err := b.request.Err(); err != nil {
		return 0, err
	}
	if b.ctx.Err() != nil {
		return 0, errClosed
	}
	return b.from.Read(p)
}

func (b *body) Close() error {
	b.cancel()
	return b.from.Close()
}

// copyBody sends a body piece by piece, so that the header and what stands
// before the place where it stalls or breaks off do arrive.
func copyBody(w http.ResponseWriter, from io.Reader) error {
	flush := http.NewResponseController(w).Flush
	if err := flush(); err != nil {
		return err
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
