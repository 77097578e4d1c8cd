-- +goose Up

-- Times are unix milliseconds UTC. "civil" times can be scaled in a demo; deadlines, leases and sessions are machine time.

CREATE TABLE network (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  sender     TEXT NOT NULL,
  link_host  TEXT NOT NULL,
  phone      TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE TABLE practice (
  network BIGINT NOT NULL REFERENCES network (id),
  ods     TEXT NOT NULL,
  name    TEXT NOT NULL,
  phone   TEXT NOT NULL,
  PRIMARY KEY (network, ods)
);
CREATE TABLE team (
  id           INTEGER PRIMARY KEY,
  network      BIGINT NOT NULL REFERENCES network (id),
  name         TEXT NOT NULL,
  promise_days BIGINT NOT NULL
);
CREATE INDEX team_network ON team (network);

-- Staff. The e-mail address is theirs, not a patient's; it is the sign-in name.
CREATE TABLE account (
  id          INTEGER PRIMARY KEY,
  network     BIGINT NOT NULL REFERENCES network (id),
  team        BIGINT NOT NULL,
  email       TEXT NOT NULL UNIQUE,
  name        TEXT NOT NULL,
  role        TEXT NOT NULL,
  password    TEXT NOT NULL,
  disabled_at BIGINT NOT NULL,
  created_at  BIGINT NOT NULL
);
CREATE INDEX account_network ON account (network);
CREATE TABLE session (
  hash       BLOB PRIMARY KEY,
  account    BIGINT NOT NULL REFERENCES account (id),
  kind       TEXT NOT NULL,   -- browser, api
  name       TEXT NOT NULL,   -- of an API token
  created_at BIGINT NOT NULL, -- machine
  seen_at    BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX session_expiry ON session (expires_at);
CREATE TABLE audit (
  id      INTEGER PRIMARY KEY,
  at      BIGINT NOT NULL,
  network BIGINT NOT NULL,
  account BIGINT NOT NULL,
  action  TEXT NOT NULL,
  target  TEXT NOT NULL,
  outcome TEXT NOT NULL
);
CREATE INDEX audit_network ON audit (network, id);

-- The roster: declared availability of the people who answer.
CREATE TABLE worker (
  account       BIGINT PRIMARY KEY REFERENCES account (id),
  week          TEXT NOT NULL, -- JSON of throttle.Week
  first_contact REAL NOT NULL,
  minutes       REAL NOT NULL,
  places        BIGINT NOT NULL -- caseload limit, -1 = none
);
CREATE TABLE leave (
  id      INTEGER PRIMARY KEY,
  account BIGINT NOT NULL REFERENCES account (id),
  from_at BIGINT NOT NULL,
  to_at   BIGINT NOT NULL
);
CREATE INDEX leave_account ON leave (account);

-- Patient lists.
CREATE TABLE audience (
  id          INTEGER PRIMARY KEY,
  network     BIGINT NOT NULL REFERENCES network (id),
  name        TEXT NOT NULL,
  state       TEXT NOT NULL,
  synthetic   BOOLEAN NOT NULL,
  created_by  BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  screened_at BIGINT NOT NULL,
  ledger      TEXT NOT NULL
);
CREATE INDEX audience_network ON audience (network, id);
-- Where every row that is not invited went: its number and the code, nothing of the person.
CREATE TABLE audience_row (
  audience BIGINT NOT NULL,
  row      BIGINT NOT NULL,
  kind     TEXT NOT NULL, -- rejected, excluded
  code     TEXT NOT NULL,
  PRIMARY KEY (audience, row)
);
-- Invited patients, and those who share an invited number (they are not texted, but their birth date is matched).
CREATE TABLE patient (
  id       INTEGER PRIMARY KEY,
  audience BIGINT NOT NULL,
  row      BIGINT NOT NULL,
  invited  BOOLEAN NOT NULL,
  practice TEXT NOT NULL,
  age_band TEXT NOT NULL,
  sex      TEXT NOT NULL,
  language TEXT NOT NULL,
  sector   TEXT NOT NULL,
  person   BLOB NOT NULL, -- sealed
  phone_ix BLOB NOT NULL,
  nhs_ix   BLOB NOT NULL
);
CREATE INDEX patient_audience ON patient (audience, id);
CREATE INDEX patient_phone ON patient (phone_ix);
CREATE INDEX patient_nhs ON patient (nhs_ix);

CREATE TABLE campaign (
  id            INTEGER PRIMARY KEY,
  network       BIGINT NOT NULL REFERENCES network (id),
  team          BIGINT NOT NULL REFERENCES team (id),
  audience      BIGINT NOT NULL REFERENCES audience (id),
  name          TEXT NOT NULL,
  state         TEXT NOT NULL,
  steps         TEXT NOT NULL,
  policy        TEXT NOT NULL,
  seed          BIGINT NOT NULL,
  approved_hash TEXT NOT NULL,
  held          TEXT NOT NULL,
  strata        TEXT NOT NULL, -- JSON: names and sizes, fixed at launch
  memory        TEXT NOT NULL, -- JSON of throttle.Memory
  planning      BIGINT NOT NULL, -- last patient planned while the launch is under way, -1 when it is complete
  segments      REAL NOT NULL, -- average of the rendered texts
  created_by    BIGINT NOT NULL,
  submitted_by  BIGINT NOT NULL,
  approved_by   BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  launched_at   BIGINT NOT NULL,
  finished_at   BIGINT NOT NULL
);
CREATE INDEX campaign_network ON campaign (network, id);
CREATE INDEX campaign_live ON campaign (team) WHERE state IN ('running', 'paused');
CREATE INDEX campaign_audience ON campaign (audience);
CREATE TABLE practice_approval (
  campaign BIGINT NOT NULL REFERENCES campaign (id),
  ods      TEXT NOT NULL,
  account  BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  PRIMARY KEY (campaign, ods)
);

CREATE TABLE message (
  id           INTEGER PRIMARY KEY,
  campaign     BIGINT NOT NULL,
  step         BIGINT NOT NULL,
  patient      BIGINT NOT NULL,
  stratum      BIGINT NOT NULL,
  place        BIGINT NOT NULL,   -- in the campaign's fixed order
  state        TEXT NOT NULL,
  attempt      BIGINT NOT NULL,
  rings        BIGINT NOT NULL,
  shared       BOOLEAN NOT NULL,  -- several patients share the number: no name in the text
  not_before   BIGINT NOT NULL,   -- civil
  batch        BIGINT NOT NULL,   -- the decision that released it
  released_at  BIGINT NOT NULL,   -- machine
  deadline     BIGINT NOT NULL,   -- machine, while sending
  look_at      BIGINT NOT NULL,   -- machine, while unknown
  looks        BIGINT NOT NULL,   -- complete empty listings
  sid          TEXT UNIQUE,
  code         TEXT NOT NULL,
  cost         BIGINT NOT NULL,   -- hundredths of a penny
  token        BLOB NOT NULL UNIQUE, -- hash
  phone_ix     BLOB NOT NULL,
  frozen       BLOB,             -- sealed number and body of the last attempt
  sent_at      BIGINT NOT NULL,   -- civil: when the provider took it, as far as we know
  delivered_at BIGINT NOT NULL,   -- civil: by receipt, by use of the link, or presumed when no receipt came
  opened_at    BIGINT NOT NULL,
  answered_at  BIGINT NOT NULL,
  UNIQUE (campaign, patient, step),
  UNIQUE (campaign, phone_ix, step)
);
CREATE INDEX message_order ON message (campaign, place) WHERE state = 'planned';
CREATE INDEX message_released ON message (released_at) WHERE state = 'released';
CREATE INDEX message_sending ON message (deadline) WHERE state = 'sending';
CREATE INDEX message_unknown ON message (look_at) WHERE state = 'unknown';
CREATE INDEX message_held ON message (campaign) WHERE state = 'held';
CREATE INDEX message_phone ON message (phone_ix);
CREATE INDEX message_receipt ON message (campaign, sent_at) WHERE state IN ('accepted', 'sent') AND delivered_at = 0;
CREATE INDEX message_remind ON message (campaign, delivered_at) WHERE state = 'delivered' AND step = 1 AND answered_at = 0;

-- Append-only: what was tried, and what proves that a text left.
CREATE TABLE attempt (
  message    BIGINT NOT NULL,
  n          BIGINT NOT NULL,
  started_at BIGINT NOT NULL, -- machine
  outcome    TEXT NOT NULL, -- of a refusal or a loss of sight; acceptance is in evidence
  code       TEXT NOT NULL,
  PRIMARY KEY (message, n)
);
CREATE INDEX attempt_started ON attempt (started_at);
CREATE TABLE evidence (
  message BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  kind    TEXT NOT NULL,
  event   TEXT NOT NULL,
  sid     TEXT NOT NULL,
  code    TEXT NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (message, kind, event, sid)
);
CREATE TABLE alarm (
  id       INTEGER PRIMARY KEY,
  at       BIGINT NOT NULL,
  code     TEXT NOT NULL, -- two_sids, account_refused, generation
  campaign BIGINT NOT NULL,
  message  BIGINT NOT NULL
);

-- Numbers by keyed index. The row is what a claim and an opt-out both lock.
CREATE TABLE number (
  ix BLOB PRIMARY KEY
);
CREATE TABLE contact ( -- the contact ledger
  phone_ix BLOB NOT NULL,
  message  BIGINT NOT NULL,
  campaign BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  PRIMARY KEY (phone_ix, message)
);
CREATE TABLE suppression (
  network BIGINT NOT NULL,
  kind    TEXT NOT NULL, -- phone, nhs
  ix      BLOB NOT NULL,
  why     TEXT NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (network, kind, ix)
);

-- Counters of the pacer: owner is a campaign or a team; shard spreads hot rows on Postgres.
CREATE TABLE tally (
  owner   BIGINT NOT NULL,
  kind    TEXT NOT NULL,
  stratum BIGINT NOT NULL,
  hour    BIGINT NOT NULL, -- unix hours
  from_hour BIGINT NOT NULL, -- of an answer: the hour in which its text was delivered
  shard   BIGINT NOT NULL,
  n       BIGINT NOT NULL,
  PRIMARY KEY (owner, kind, hour, stratum, from_hour, shard)
);
CREATE TABLE decision (
  id       INTEGER PRIMARY KEY,
  campaign BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  n        BIGINT NOT NULL,
  binding  TEXT NOT NULL,
  sentence TEXT NOT NULL,
  figures  TEXT NOT NULL,
  forecast TEXT NOT NULL
);
CREATE INDEX decision_campaign ON decision (campaign, id);
CREATE TABLE leader (
  name       TEXT PRIMARY KEY,
  holder     TEXT NOT NULL,
  epoch      BIGINT NOT NULL,
  expires_at BIGINT NOT NULL -- machine
);

CREATE TABLE referral (
  id           INTEGER PRIMARY KEY,
  network      BIGINT NOT NULL REFERENCES network (id),
  team         BIGINT NOT NULL,
  campaign     BIGINT NOT NULL,
  message      BIGINT NOT NULL,
  patient      BIGINT NOT NULL,
  form_ix      BLOB NOT NULL UNIQUE,
  reference    TEXT NOT NULL UNIQUE,
  state        TEXT NOT NULL,
  lane         TEXT NOT NULL,
  urgent       BOOLEAN NOT NULL,
  source       TEXT NOT NULL,
  not_matched  TEXT NOT NULL,
  practice     TEXT NOT NULL,
  language     TEXT NOT NULL,
  received_at  BIGINT NOT NULL,
  due_at       BIGINT NOT NULL,
  contact_by   BIGINT NOT NULL, -- what the person was told
  claimed_by   BIGINT NOT NULL,
  claimed_at   BIGINT NOT NULL,
  contacted_at BIGINT NOT NULL,
  attempts     BIGINT NOT NULL,
  closed_at    BIGINT NOT NULL,
  person       BLOB NOT NULL, -- sealed: answers, why urgent, who it is
  phone_ix     BLOB NOT NULL,
  nhs_ix       BLOB NOT NULL
);
CREATE INDEX referral_open ON referral (network, urgent, lane, due_at, id) WHERE state IN ('new', 'claimed', 'contacting');
CREATE INDEX referral_waiting ON referral (team, due_at) WHERE state IN ('new', 'claimed', 'contacting');
CREATE INDEX referral_message ON referral (message);
CREATE INDEX referral_state ON referral (network, state, id);
CREATE INDEX referral_phone ON referral (phone_ix) WHERE state IN ('new', 'claimed', 'contacting', 'in_support', 'onward');
CREATE INDEX referral_nhs ON referral (nhs_ix) WHERE state IN ('new', 'claimed', 'contacting', 'in_support', 'onward');
CREATE TABLE referral_event (
  id       INTEGER PRIMARY KEY,
  referral BIGINT NOT NULL REFERENCES referral (id),
  at       BIGINT NOT NULL,
  account  BIGINT NOT NULL,
  event    TEXT NOT NULL,
  channel  TEXT NOT NULL,
  note     BLOB -- sealed
);
CREATE INDEX referral_event_of ON referral_event (referral, id);

-- Unfinished answers, for the same browser only.
CREATE TABLE draft (
  hash       BLOB PRIMARY KEY,
  token      BLOB NOT NULL,
  answers    BLOB NOT NULL, -- sealed
  updated_at BIGINT NOT NULL -- machine
);
CREATE INDEX draft_age ON draft (updated_at);
