package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wellpaced/wellpaced/campaign/twilio"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
)

// phonesCmd is the pretend Twilio on its own, for a serve that is tried out.
type phonesCmd struct {
	Data   string `default:"./phones-data" type:"path" help:"Folder of what it was sent. It holds numbers and texts in clear: try it with made-up people only."`
	Listen string `default:"127.0.0.1:4010" placeholder:"ADDRESS" help:"Its address, on this computer."`
	Site   string `default:"http://localhost:8080" placeholder:"URL" help:"The public URL of serve, where replies go."`
	Log    string `enum:"debug,info,warn,error" default:"warn" help:"What to log: ${enum}."`
}

// phonesAccount is what a serve proves itself by, kept so that the phones can be started again.
type phonesAccount struct {
	SID   string `json:"account_sid"`
	Token string `json:"auth_token"`
}

func (c *phonesCmd) Run(ctx context.Context, s std) error {
	for _, u := range []string{"http://" + c.Listen, c.Site} {
		if !isLoopback(u) {
			return usageError{fmt.Errorf("%s is not on this computer, and these phones let nothing leave it", u)}
		}
	}
	a, err := phonesAccountIn(c.Data)
	if err != nil {
		return err
	}
	log := settings{Log: c.Log}.logger(s.err)
	phones, err := emulator.Open(emulator.Config{Dir: c.Data, AccountSID: a.SID, AuthToken: a.Token, Now: time.Now, Seed: 1, InboundURL: strings.TrimSuffix(c.Site, "/") + twilio.InboundPath, Logger: log})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen on %s: %w (another address: --listen 127.0.0.1:0)", c.Listen, err), phones.Close())
	}
	at := "http://" + l.Addr().String()
	fmt.Fprintf(s.out, `A pretend Twilio. No text leaves this computer; use it with made-up people only.

  Phones   %[1]s%[2]s/     texts arrive here; tap a link, or answer

Make the network with --link-host %[5]s, and start the site with

  export TWILIO_API_URL=%[1]s
  export TWILIO_ACCOUNT_SID=%[3]s
  export TWILIO_AUTH_TOKEN=%[4]s
  export TWILIO_FROM=Wellpaced
  wellpaced serve --public-url %[5]s
`, at, emulator.DefaultPhonePrefix, a.SID, a.Token, strings.TrimSuffix(c.Site, "/"))
	server := &http.Server{Handler: phoneScreen(phones), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the phones: %w", err)
		}
		return nil
	})
	running.Go(func() error { return phones.Run(ctx) })
	running.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	err = running.Wait()
	return errors.Join(err, phones.Close())
}

// phoneScreen is the provider's API, and beside it the screen that shows what is on the phones.
func phoneScreen(e *emulator.Emulator) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", e.Handler())
	mux.Handle(emulator.DefaultPhonePrefix+"/", e.PhoneHandler())
	mux.Handle("/{$}", http.RedirectHandler(emulator.DefaultPhonePrefix+"/", http.StatusFound))
	return mux
}

// phonesAccountIn reads the account of phones from their folder, or makes one.
func phonesAccountIn(dir string) (a phonesAccount, err error) {
	path := filepath.Join(dir, "account.json")
	b, err := os.ReadFile(path)
	if err == nil {
		if err = json.Unmarshal(b, &a); err != nil {
			return a, fmt.Errorf("read the account of the phones in %s: %w", path, err)
		}
		return a, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return a, fmt.Errorf("read the account of the phones: %w", err)
	}
	var made [32]byte
	_, _ = rand.Read(made[:]) // never fails
	a = phonesAccount{SID: "AC" + hex.EncodeToString(made[:16]), Token: hex.EncodeToString(made[16:])}
	if b, err = json.Marshal(a); err != nil {
		return a, err
	}
	if err = os.MkdirAll(dir, 0o700); err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return a, fmt.Errorf("keep the account of the phones: %w", err)
	}
	return a, nil
}
