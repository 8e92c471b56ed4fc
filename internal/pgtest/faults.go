package pgtest

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Faults are what a test brings about between two statements of a pool, each
// once.
type Faults struct {
	hold atomic.Pointer[Hold]
	lose atomic.Pointer[loss]
}

// Hold is a statement that waits before it is sent.
type Hold struct {
	text    string
	Reached chan struct{} // closed when it has come to the statement
	On      chan struct{} // closed by the test, to let it go on
}

// Pool returns a pool of connections to url with these faults, which is closed
// at the end of the test.
func (f *Faults) Pool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.Tracer = f
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &lossy{Conn: conn}, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Hold stops the next statement with text in it.
func (f *Faults) Hold(text string) *Hold {
	h := &Hold{text, make(chan struct{}), make(chan struct{})}
	f.hold.Store(h)
	return h
}

type loss struct{ text, end string }

// LoseReply breaks a connection when the server has done what is sent with end
// in it, before its reply is read. It is the connection of the next statement
// with text in it.
func (f *Faults) LoseReply(text, end string) { f.lose.Store(&loss{text, end}) }

// TraceQueryStart implements [pgx.QueryTracer].
func (f *Faults) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if h := f.hold.Load(); h != nil && strings.Contains(data.SQL, h.text) && f.hold.CompareAndSwap(h, nil) {
		close(h.Reached)
		<-h.On
	}
	if l := f.lose.Load(); l != nil && strings.Contains(data.SQL, l.text) && f.lose.CompareAndSwap(l, nil) {
		conn.PgConn().Conn().(*lossy).end.Store(&l.end)
	}
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (f *Faults) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

type lossy struct {
	net.Conn
	end  atomic.Pointer[string]
	lost atomic.Bool
}

func (c *lossy) Write(b []byte) (int, error) {
	if end := c.end.Load(); end != nil && bytes.Contains(b, []byte(*end)) {
		c.lost.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *lossy) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.lost.Load() {
		_ = c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}
