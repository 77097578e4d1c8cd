-- +goose Up

-- By what a browser has proved itself besides the password: totp, passkey, recovery, provider; '' is nothing yet.
ALTER TABLE session ADD COLUMN factor TEXT NOT NULL DEFAULT '';
-- After how many milliseconds without use it ends; 0 is never.
ALTER TABLE session ADD COLUMN idle BIGINT NOT NULL DEFAULT 0;
CREATE INDEX session_account ON session (account);

ALTER TABLE account ADD COLUMN signed_in_at BIGINT NOT NULL DEFAULT 0; -- machine
-- Who the account is at the sign-in provider, once somebody has come in that way.
ALTER TABLE account ADD COLUMN subject TEXT NOT NULL DEFAULT '';

-- One-time links by which people choose a password: one for an account at most. Rows go when used, and with the first sign-in attempt after their end.
CREATE TABLE invitation (
  account    BIGINT PRIMARY KEY REFERENCES account (id),
  hash       BLOB NOT NULL UNIQUE,
  made_by    BIGINT NOT NULL, -- 0: whoever runs this computer
  expires_at BIGINT NOT NULL  -- machine
);

-- The second factors. A pending secret has been shown, and no code of it has been entered yet.
CREATE TABLE totp (
  account   BIGINT PRIMARY KEY REFERENCES account (id),
  secret    BLOB,            -- sealed
  pending   BLOB,            -- sealed
  last_step BIGINT NOT NULL  -- of the last code that was taken: no code is taken twice
);
CREATE TABLE passkey (
  id         BLOB PRIMARY KEY,
  account    BIGINT NOT NULL REFERENCES account (id),
  name       TEXT NOT NULL,
  credential TEXT NOT NULL,   -- JSON: the public key, and what the authenticator said of itself
  made_at    BIGINT NOT NULL, -- machine
  used_at    BIGINT NOT NULL
);
CREATE INDEX passkey_account ON passkey (account);
CREATE TABLE recovery_code (
  account BIGINT NOT NULL REFERENCES account (id),
  code_ix BLOB NOT NULL, -- blind index
  PRIMARY KEY (account, code_ix)
);
-- What has been asked of a browser and is not answered yet: a challenge for a passkey, a visit to the sign-in provider. Each is taken once.
CREATE TABLE ceremony (
  hash       BLOB PRIMARY KEY,
  kind       TEXT NOT NULL,
  account    BIGINT NOT NULL, -- 0: nobody is known yet
  data       TEXT NOT NULL,
  expires_at BIGINT NOT NULL  -- machine
);
CREATE INDEX ceremony_expiry ON ceremony (expires_at);
