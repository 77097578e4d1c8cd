package twilio

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	errStale    = errors.New("the claim is too old to be sent now")
	errStopping = errors.New("stopped before the text was sent")
	errTooLong  = errors.New("the reply is longer than anything the provider sends")
	errRemote   = errors.New("this gateway may only reach this computer")
)

// call is one request to the provider: the http.RoundTripper that twilio-go is given for it, and the record of what happened. twilio-go takes no
// context and turns most failures into texts, so both travel here.
type call struct {
	ctx       context.Context
	base      *url.URL
	transport *http.Transport
	timeout   time.Duration // for the whole exchange, body included
	maxBody   int64
	gate      func() error // asked before the first byte; nil for requests that may be repeated

	// Set by net/http's writer, which may still be at it when the call is given up.
	refused atomic.Pointer[error] // what the gate said
	wrote   atomic.Bool           // a byte went out, or may have

	status int // 0 if there was no reply
	header http.Header
	body   []byte // nil unless the whole of it is here
	err    error  // of the exchange, reading the reply included
}

// RoundTrip sends the request to the configured address and reads the whole reply, so that its end is known to be there.
func (c *call) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if g, ok := info.Conn.(*guardedConn); ok {
			g.call.Store(c)
			return
		}
		c.wrote.Store(true) // not a connection of ours: claim to know nothing about it
	}})
	req = req.Clone(ctx)
	req.URL.Scheme, req.URL.Host, req.Host = c.base.Scheme, c.base.Host, ""
	req.URL.Path = c.base.Path + req.URL.Path
	if req.URL.RawPath != "" {
		req.URL.RawPath = c.base.Path + req.URL.RawPath
	}
	// Without GetBody net/http cannot send the body a second time, whatever happens to the connection.
	req.GetBody = nil

	res, err := c.transport.RoundTrip(req)
	if err != nil {
		c.err = err
		return nil, err
	}
	defer res.Body.Close()
	c.status, c.header = res.StatusCode, res.Header
	body, err := io.ReadAll(io.LimitReader(res.Body, c.maxBody+1))
	if err == nil && int64(len(body)) > c.maxBody {
		err = errTooLong
	}
	if err != nil {
		c.err = fmt.Errorf("read the reply: %w", err)
		return nil, c.err
	}
	c.body = body
	// twilio-go does not close the replies it takes for errors; this one needs no closing.
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// guardedConn is a connection (inside TLS, if any) that carries one call at a time.
type guardedConn struct {
	net.Conn
	call atomic.Pointer[call]
}

func (g *guardedConn) Write(b []byte) (int, error) {
	c := g.call.Load()
	if c == nil || c.wrote.Load() {
		return g.Conn.Write(b)
	}
	if c.gate != nil {
		if err := c.gate(); err != nil {
			c.refused.Store(&err)
			return 0, err
		}
	}
	// Set before the write, because the call may be given up while it hangs in there.
	c.wrote.Store(true)
	n, err := g.Conn.Write(b)
	if n == 0 && err != nil {
		c.wrote.Store(false)
	}
	return n, err
}

// newTransport makes connections that guard their calls. It speaks HTTP/1.1 only, one call on one connection, and uses no proxy: a proxy could
// repeat or hold back what passes through it. roots nil means the system's. With loopback it cannot leave this computer, whatever a name resolves to.
func newTransport(concurrency int, loopback bool, roots *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	if loopback {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			if ap, err := netip.ParseAddrPort(address); err != nil || !ap.Addr().Unmap().IsLoopback() {
				return errRemote
			}
			return nil
		}
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &guardedConn{Conn: conn}, nil
		},
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			secure := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: roots, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12})
			if err := secure.HandshakeContext(ctx); err != nil {
				_ = conn.Close()
				return nil, fmt.Errorf("agree on encryption: %w", err)
			}
			return &guardedConn{Conn: secure}, nil
		},
		MaxIdleConns:        concurrency,
		MaxIdleConnsPerHost: concurrency,
		IdleConnTimeout:     55 * time.Second, // shorter than load balancers keep theirs: fewer connections die under a call
	}
}
