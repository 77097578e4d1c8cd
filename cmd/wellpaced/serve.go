package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/twilio"
	referdesk "github.com/wellpaced/wellpaced/selfrefer/desk"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// serveCmd runs the product.
type serveCmd struct {
	settings       `embed:""`
	Listen         string   `env:"WELLPACED_LISTEN" default:"127.0.0.1:8080" help:"Address of the site."`
	PublicURL      string   `env:"WELLPACED_PUBLIC_URL" placeholder:"URL" help:"How people and the provider reach the site. Default: the address it listens on."`
	Redis          string   `env:"WELLPACED_REDIS" placeholder:"URL" help:"redis://… Default: one inside this process."`
	Roles          []string `env:"WELLPACED_ROLES" default:"web,worker,pacer" help:"What this process does. Fewer than all needs --database and --redis."`
	TrustedProxies []string `env:"WELLPACED_TRUSTED_PROXIES" placeholder:"CIDR" help:"Proxies whose X-Forwarded-For is believed."`

	OIDCIssuer           string `name:"oidc-issuer" env:"WELLPACED_OIDC_ISSUER" placeholder:"URL" help:"Staff can sign in with their organisation: the issuer of its OpenID Connect provider. Default: none."`
	OIDCClientID         string `name:"oidc-client-id" env:"WELLPACED_OIDC_CLIENT_ID" help:"What the provider calls this site. Let it redirect to /desk/sign-in/provider/callback."`
	OIDCClientSecret     secret `name:"oidc-client-secret" env:"WELLPACED_OIDC_CLIENT_SECRET" help:"What this site proves itself by to the provider."`
	OIDCClientSecretFile string `name:"oidc-client-secret-file" env:"WELLPACED_OIDC_CLIENT_SECRET_FILE" type:"path" help:"File that holds it."`
	OIDCTrustEmail       bool   `name:"oidc-trust-email" env:"WELLPACED_OIDC_TRUST_EMAIL" help:"Take an address that the provider does not say it has verified, because all its accounts are one organisation's own (Entra ID with a tenant's own issuer)."`

	SMTPURL     secret `name:"smtp-url" env:"WELLPACED_SMTP_URL" placeholder:"URL" help:"Mail server by which staff are told of urgent referrals, promises and hand-overs, never of whom they are about: smtps://user:password@host:465, or smtp://…:587, which is encrypted too. Default: none, nobody is mailed."`
	SMTPURLFile string `name:"smtp-url-file" env:"WELLPACED_SMTP_URL_FILE" type:"path" help:"File that holds it."`
	MailFrom    string `env:"WELLPACED_MAIL_FROM" placeholder:"ADDRESS" help:"Sender of these mails, like Wellpaced <wellpaced@example.nhs.uk>."`

	AccountSID          string  `name:"twilio-account-sid" env:"TWILIO_ACCOUNT_SID" help:"The provider's account."`
	AuthToken           secret  `name:"twilio-auth-token" env:"TWILIO_AUTH_TOKEN" help:"Its token."`
	AuthTokenFile       string  `name:"twilio-auth-token-file" env:"TWILIO_AUTH_TOKEN_FILE" type:"path" help:"File that holds the token."`
	PreviousToken       secret  `name:"twilio-previous-token" env:"TWILIO_PREVIOUS_TOKEN" help:"The token before, while it is being changed."`
	From                string  `name:"twilio-from" env:"TWILIO_FROM" help:"Sender name or number, unless a network has its own."`
	MessagingServiceSID string  `name:"twilio-messaging-service-sid" env:"TWILIO_MESSAGING_SERVICE_SID" help:"Used instead of a sender."`
	APIURL              string  `name:"twilio-api-url" env:"TWILIO_API_URL" help:"The gateway: https://api.twilio.com, or an emulator on this computer. Default: none, nothing is sent."`
	LiveSignedBy        string  `env:"WELLPACED_LIVE_SIGNED_BY" placeholder:"NAME" help:"Who has signed that real patients may be texted, in England the clinical safety officer (DCB0160). A gateway that is not on this computer needs it; the name is kept in the audit."`
	MetricsListen       string  `env:"WELLPACED_METRICS_LISTEN" placeholder:"ADDRESS" help:"Listener of its own for /metrics. Default: none."`
	Rate                float64 `env:"WELLPACED_RATE" default:"10" help:"Segments per second that the sender may do."`
	Ballast             int64   `env:"WELLPACED_BALLAST" default:"16" placeholder:"MB" help:"Megabytes of disk that are held back and let go when the disk is full, so that what is in hand can be finished; less on a small disk. 0: none."`

	Settle time.Duration `env:"WELLPACED_SETTLE" hidden:"" default:"10m" help:"The safety parameter: how long a text whose outcome is unknown rests before it is looked for. Longer than the provider can be late in accepting and listing a text; shorter, and somebody may be texted twice. Only tests set it."`
}

func (c *serveCmd) Run(ctx context.Context, s std) error {
	for _, r := range c.Roles {
		if !slices.Contains([]string{"web", "worker", "pacer"}, r) {
			return usageError{fmt.Errorf("there is no role %q; the roles are web, worker and pacer", r)}
		}
	}
	shared := strings.HasPrefix(c.Database, "postgres") && c.Redis != ""
	if len(c.Roles) < 3 && !shared {
		return usageError{errors.New("--roles shares the work between processes, which needs --database postgres://… and --redis redis://…")}
	}
	proxies, err := parsePrefixes(c.TrustedProxies)
	if err != nil {
		return err
	}
	token, err := c.AuthToken.or(c.AuthTokenFile)
	if err != nil {
		return err
	}
	oidcSecret, err := c.OIDCClientSecret.or(c.OIDCClientSecretFile)
	if err != nil {
		return err
	}
	smtp, err := c.smtp()
	if err != nil {
		return err
	}
	log := c.logger(s.err)
	o := options{settings: c.settings, Listen: c.Listen, PublicURL: strings.TrimSuffix(c.PublicURL, "/"), Redis: c.Redis, TrustedProxies: proxies, Rate: c.Rate, Metrics: c.MetricsListen, Log: log,
		Web: slices.Contains(c.Roles, "web"), Worker: slices.Contains(c.Roles, "worker"), Pacer: slices.Contains(c.Roles, "pacer"),
		PreviousToken: string(c.PreviousToken), Settle: c.Settle, Again: c.Settle / 2, Ballast: max(0, c.Ballast) << 20,
		Provider: referdesk.Provider{Issuer: c.OIDCIssuer, ClientID: c.OIDCClientID, ClientSecret: oidcSecret, TrustEmail: c.OIDCTrustEmail},
		SMTP:     smtp,
		Gateway:  twilio.Config{BaseURL: c.APIURL, AccountSID: c.AccountSID, AuthToken: token, From: c.From, MessagingServiceSID: c.MessagingServiceSID, SignedBy: c.LiveSignedBy},
	}
	a, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer a.close()
	if !ui.Built() {
		log.Warn("the page styles are not built: pages work, and look plain. Run make build")
	}
	if a.mailer == nil {
		log.Warn("no mail server: staff are told of urgent referrals on their pages alone. Set WELLPACED_SMTP_URL and WELLPACED_MAIL_FROM")
	}
	if c.APIURL == "" {
		log.Warn("no gateway: nothing is sent. Set TWILIO_API_URL")
	}
	if err := a.goLive(ctx); err != nil {
		return err
	}
	log.Info("serving", "url", a.PublicURL, "gateway", c.APIURL, "live", a.gateway.Live())
	return a.run(ctx)
}

// goLive notes for every network by whose word its patients are texted from now on.
func (a *app) goLive(ctx context.Context) error {
	if !a.gateway.Live() || a.noGateway {
		return nil
	}
	all, err := a.db.Networks(ctx)
	if err != nil {
		return fmt.Errorf("read the networks: %w", err)
	}
	for _, n := range all {
		if err := a.db.Audit(ctx, staff.Entry{Network: n.ID, Action: "gateway.live", Target: "signed by " + strings.TrimSpace(a.Gateway.SignedBy), Outcome: "done"}); err != nil {
			return fmt.Errorf("note that texts reach real people: %w", err)
		}
	}
	a.Log.Warn("texts reach real people; who signed for it is in the audit")
	return nil
}
