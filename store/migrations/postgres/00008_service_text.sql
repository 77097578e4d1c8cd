-- +goose Up

-- Whether people who say that a text is safe get one back when they send the form.
ALTER TABLE network ADD COLUMN text_back BOOLEAN NOT NULL DEFAULT TRUE;

-- Texts that answer what a person did: no step of a campaign, not paced, no claim on the contact ledger. The row is the intent, written with
-- what it answers. Ids have a bit that no message's has. Attempts and evidence stand beside those of messages.
CREATE TABLE service_text (
  id          BIGINT PRIMARY KEY,
  kind        TEXT NOT NULL,   -- confirmation
  referral    BIGINT NOT NULL,
  network     BIGINT NOT NULL REFERENCES network (id),
  campaign    BIGINT NOT NULL, -- whose text the person answered: who pays
  state       TEXT NOT NULL,   -- of a message; never planned again once it may have left
  attempt     BIGINT NOT NULL,
  rings       BIGINT NOT NULL,
  not_before  BIGINT NOT NULL, -- civil
  expires_at  BIGINT NOT NULL, -- civil: afterwards it is not sent any more
  released_at BIGINT NOT NULL, -- machine
  deadline    BIGINT NOT NULL, -- machine, while sending
  sweep_at    BIGINT,          -- machine: when to ask for a receipt that has not come
  sid         TEXT UNIQUE,
  code        TEXT NOT NULL,
  segments    BIGINT NOT NULL,
  cost        BIGINT NOT NULL, -- hundredths of a penny
  phone_ix    BYTEA NOT NULL,
  nhs_ix      BYTEA NOT NULL,  -- empty if the person is not known
  frozen      BYTEA,           -- sealed number and body, for as long as it may have to be sent
  sent_at     BIGINT NOT NULL, -- civil
  UNIQUE (kind, referral)
);
CREATE INDEX service_text_due ON service_text (released_at) WHERE state IN ('planned', 'released');
CREATE INDEX service_text_sending ON service_text (deadline) WHERE state = 'sending';
CREATE INDEX service_text_sweep ON service_text (sweep_at) WHERE state IN ('accepted', 'sent') AND sweep_at IS NOT NULL;
-- A service text obeys whatever puts its number or its person out of reach, of any network.
CREATE INDEX suppression_ix ON suppression (ix);
