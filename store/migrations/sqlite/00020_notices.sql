-- +goose Up

-- Of which kinds of notices somebody wants no mail.
CREATE TABLE notice_off (
  account BIGINT NOT NULL,
  kind    TEXT NOT NULL,
  PRIMARY KEY (account, kind)
) WITHOUT ROWID;

-- What somebody has been told by mail, or will be: once of each thing. It holds no personal data: a reference names nobody.
CREATE TABLE notice_mail (
  id        INTEGER PRIMARY KEY,
  network   BIGINT NOT NULL,
  account   BIGINT NOT NULL,
  kind      TEXT NOT NULL,
  ref       TEXT NOT NULL,   -- of the referral
  since     BIGINT NOT NULL, -- civil: what is so again later is another thing
  state     TEXT NOT NULL,   -- waiting, sending, sent, dropped (no longer so), refused, unsure
  noted_at  BIGINT NOT NULL, -- civil
  mailed_at BIGINT NOT NULL, -- civil; 0 while it has not gone
  mail      BIGINT NOT NULL, -- the mail in which it goes
  tries     BIGINT NOT NULL,
  -- In machine time: since when it is tried, not before when again, until when whoever claimed it has it, when it was settled.
  first_try BIGINT NOT NULL,
  next_try  BIGINT NOT NULL,
  deadline  BIGINT NOT NULL,
  done_at   BIGINT NOT NULL,
  code      TEXT NOT NULL,   -- why it failed
  UNIQUE (account, kind, ref, since)
);
CREATE INDEX notice_mail_waiting ON notice_mail (account) WHERE state = 'waiting';
CREATE INDEX notice_mail_sending ON notice_mail (deadline) WHERE state = 'sending';
CREATE INDEX notice_mail_mail ON notice_mail (mail);
CREATE INDEX notice_mail_refused ON notice_mail (network, account) WHERE state = 'refused';
CREATE INDEX notice_mail_old ON notice_mail (noted_at);

-- How mailing stands: one row. In machine time.
CREATE TABLE mail_health (
  id        INTEGER PRIMARY KEY,
  worked_at BIGINT NOT NULL,
  failed_at BIGINT NOT NULL,
  code      TEXT NOT NULL
);
INSERT INTO mail_health (id, worked_at, failed_at, code) VALUES (1, 0, 0, '');
