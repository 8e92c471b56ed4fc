-- The instances. config holds no secret: those are in secrets, encrypted, or in
-- files that secret_refs names.
CREATE TABLE fleet_instance (
    id          text PRIMARY KEY CHECK (id <> ''),
    connector   text NOT NULL,
    tenant      text NOT NULL,
    account     text NOT NULL,
    feed        text NOT NULL,
    config      jsonb NOT NULL,
    secrets     bytea,
    secret_refs jsonb NOT NULL,
    interval_s  int NOT NULL CHECK (interval_s > 0),
    paused      boolean NOT NULL DEFAULT false,
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (connector, tenant, account)
);

-- How each fares. It is written by every poll, and so is kept apart; half of
-- each page is left free, so that the new row fits beside the old one.
CREATE TABLE fleet_state (
    id            text PRIMARY KEY REFERENCES fleet_instance ON DELETE CASCADE,
    last_attempt  timestamptz,
    last_success  timestamptz,
    last_error    text NOT NULL DEFAULT '',
    last_error_at timestamptz,
    failures      int NOT NULL DEFAULT 0,
    halted        boolean NOT NULL DEFAULT false,
    complete      timestamptz,
    backlog       int NOT NULL DEFAULT 0,
    notices       text[] NOT NULL DEFAULT '{}',
    events        bigint NOT NULL DEFAULT 0,
    next_poll     timestamptz
) WITH (fillfactor = 50);

-- The requests each token may still send, by a keyed hash of the token. A crash
-- of the server may empty it: a budget then begins anew with its burst alone.
CREATE UNLOGGED TABLE fleet_budget (
    token        bytea PRIMARY KEY,
    left_over    double precision NOT NULL,
    filled_at    timestamptz NOT NULL,
    granted      int NOT NULL,
    paused_until timestamptz NOT NULL DEFAULT 'epoch'
) WITH (fillfactor = 50);

-- The key of that hash, so that it cannot be looked up elsewhere.
CREATE TABLE fleet_salt (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    salt bytea NOT NULL
);
INSERT INTO fleet_salt (salt)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
