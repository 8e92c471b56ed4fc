-- The key is bytes, because a host may choose any. The version counts the saves
-- of one cursor. Half of each page is left free, so that a save, which changes
-- no indexed column, writes the new row beside the old one.
CREATE TABLE ingest_cursor (
    key      bytea PRIMARY KEY,
    version  bigint NOT NULL,
    cursor   bytea NOT NULL CHECK (length(cursor) > 0),
    saved_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
