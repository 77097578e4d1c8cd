package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	campaigndesk "github.com/wellpaced/wellpaced/campaign/desk"
	"github.com/wellpaced/wellpaced/selfrefer"
	referdesk "github.com/wellpaced/wellpaced/selfrefer/desk"
	"github.com/wellpaced/wellpaced/selfrefer/mail"
)

// mailEvery is how often it is looked who must be mailed, in machine time; where the clock is stepped there is no time to wait.
const (
	mailEvery        = 20 * time.Second
	mailEveryStepped = time.Second
)

// openMail finds out where mails to staff go. A demo takes no setting of a server: there is none that it could reach.
func (a *app) openMail() error {
	var post selfrefer.Post
	switch {
	case a.Demo:
		a.pretend = &mail.Pretend{Now: a.Now}
		a.mailing, post = referdesk.PretendMail, a.pretend
	case a.SMTP.URL == "" && a.SMTP.From == "":
		return nil
	case a.SMTP.URL == "" || a.SMTP.From == "":
		return usageError{errors.New("mails need both WELLPACED_SMTP_URL (or WELLPACED_SMTP_URL_FILE) and WELLPACED_MAIL_FROM; leave out both to mail nobody")}
	default:
		server, err := mail.New(a.SMTP)
		if err != nil {
			return usageError{err}
		}
		a.mailing, post = referdesk.LiveMail, server
	}
	a.mailer = &selfrefer.Mailer{Outbox: a.db, Post: post, Site: a.PublicURL, Log: a.Log.With("comp", "mail")}
	return nil
}

// mails mails staff about what waits for them until ctx ends. Unlike what goes to patients it does not stop for a quarantine: people still ask
// for help then, and somebody who is told twice after a restore has lost nothing. It is a loop of its own, so that a mail server that is slow
// delays nothing else.
func (a *app) mails(ctx context.Context) error {
	every := mailEvery
	if a.Stepped {
		every = mailEveryStepped
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for failing := false; ; {
		err := a.mailer.Tick(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !failing:
			a.Log.Error("cannot look who must be mailed; it is tried again", "comp", "mail", "error", err)
		case err == nil && failing:
			a.Log.Info("mails are looked after again", "comp", "mail")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// mailFacts are what the system page shows of mails.
func (a *app) mailFacts(ctx context.Context, m *campaigndesk.Machinery) {
	health, err := a.db.MailHealth(ctx, 0)
	if err != nil {
		m.Mail = "It cannot be told: the database does not answer."
		return
	}
	m.Mail = a.mailing.Sentence(health)
	if a.pretend == nil {
		return
	}
	for _, k := range a.pretend.Mails() {
		m.Mails = append(m.Mails, campaigndesk.Mail{At: k.At, To: k.To, Subject: k.Subject, Text: k.Text})
	}
}

// smtp reads the settings of the mail server.
func (c *serveCmd) smtp() (mail.Config, error) {
	address, err := c.SMTPURL.or(c.SMTPURLFile)
	if err != nil {
		return mail.Config{}, fmt.Errorf("WELLPACED_SMTP_URL_FILE: %w", err)
	}
	return mail.Config{URL: address, From: c.MailFrom}, nil
}
