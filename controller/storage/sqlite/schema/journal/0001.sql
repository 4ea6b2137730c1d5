-- One row: where the log stands. Written in the transaction of every append.
CREATE TABLE log (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    log_id BLOB NOT NULL,
    size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    peaks BLOB NOT NULL
) STRICT;

CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    name TEXT NOT NULL,
    data BLOB NOT NULL,
    previous BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX event_stream ON event (stream, version);

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN
    SELECT RAISE (ABORT, 'the journal is append-only');
END;

CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
BEGIN
    SELECT RAISE (ABORT, 'the journal is append-only');
END;

-- Complete subtrees of the Merkle tree above the leaves and the leaves themselves.
CREATE TABLE merkle_node (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE tree_head (
    size INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL,
    public_key BLOB NOT NULL
) STRICT;

-- Settled entries keep their key and lose their payload.
CREATE TABLE outbox (
    entry_id INTEGER PRIMARY KEY AUTOINCREMENT,
    effect_key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    lane TEXT NOT NULL,
    payload BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER NOT NULL DEFAULT 0,
    last_error TEXT NOT NULL DEFAULT '',
    settled_at_ms INTEGER
) STRICT;

CREATE INDEX outbox_open ON outbox (kind, entry_id) WHERE settled_at_ms IS NULL;

CREATE TABLE snapshot (
    projection TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
