-- What the health of an instance is judged by besides: which step fails and since
-- when, whether a person has to act, and how each of its logs fares.
ALTER TABLE fleet_state
    ADD COLUMN step          text NOT NULL DEFAULT '',
    ADD COLUMN step_failures int NOT NULL DEFAULT 0,
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN needs_action  boolean NOT NULL DEFAULT false,
    ADD COLUMN logs          jsonb NOT NULL DEFAULT '[]';
