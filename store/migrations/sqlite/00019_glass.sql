-- +goose Up

-- Whether anything in restriction_on keeps anybody from a referral: most have nothing there, and nobody looks.
ALTER TABLE referral ADD COLUMN restricted BOOLEAN NOT NULL DEFAULT FALSE;

-- Who may look at a referral: these alone, or all but those. They are few.
CREATE TABLE restriction (
  origin      BIGINT PRIMARY KEY REFERENCES referral (id), -- on which it was set
  network     BIGINT NOT NULL,
  only_these  BOOLEAN NOT NULL,
  no_practice BOOLEAN NOT NULL, -- nothing of it goes to the GP practice
  doc         BLOB NOT NULL,    -- sealed: why
  made_by     BIGINT NOT NULL,
  made_at     BIGINT NOT NULL
);
CREATE TABLE restriction_name (
  origin  BIGINT NOT NULL REFERENCES restriction (origin),
  account BIGINT NOT NULL,
  may     BOOLEAN NOT NULL, -- false: for them it does not exist
  PRIMARY KEY (origin, account)
) WITHOUT ROWID;
CREATE INDEX restriction_never ON restriction_name (account) WHERE may = FALSE;
-- It holds for all that is one case, and for whatever comes from the same person later.
CREATE TABLE restriction_on (
  referral BIGINT NOT NULL REFERENCES referral (id),
  origin   BIGINT NOT NULL,
  network  BIGINT NOT NULL,
  own      BOOLEAN NOT NULL, -- false: by a join
  PRIMARY KEY (referral, origin)
) WITHOUT ROWID;
CREATE INDEX restriction_on_origin ON restriction_on (origin);
CREATE INDEX restriction_on_network ON restriction_on (network, referral);

-- Who has broken the glass. The reason is the note of the event.
CREATE TABLE glass (
  event    BIGINT PRIMARY KEY,
  network  BIGINT NOT NULL,
  referral BIGINT NOT NULL REFERENCES referral (id),
  account  BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  until_at BIGINT NOT NULL,
  seen_by  BIGINT NOT NULL, -- who has acknowledged it; 0: nobody yet
  seen_at  BIGINT NOT NULL,
  note     BLOB             -- sealed, NULL without one
);
CREATE INDEX glass_of ON glass (referral, account, until_at);
CREATE INDEX glass_network ON glass (network, event);
CREATE INDEX glass_unseen ON glass (network, event) WHERE seen_at = 0;

-- The network's Caldicott guardian.
CREATE TABLE guardian (
  network BIGINT PRIMARY KEY REFERENCES network (id),
  account BIGINT NOT NULL
);

-- Who has looked at one referral, without reading what everybody did.
CREATE INDEX audit_looked ON audit (target, id) WHERE action IN ('referral.view', 'referral.break_glass');
