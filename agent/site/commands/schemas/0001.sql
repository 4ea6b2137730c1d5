-- First form of the command ledger. Never edited after a release.
CREATE TABLE IF NOT EXISTS counters (
    key_id  TEXT PRIMARY KEY,
    counter INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS commands (
    command_id     TEXT PRIMARY KEY,
    key_id         TEXT NOT NULL,
    counter        INTEGER NOT NULL,
    accepted_at_ms INTEGER NOT NULL,
    expires_at_ms  INTEGER NOT NULL,
    reason         TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS orders (
    command_id TEXT NOT NULL REFERENCES commands (command_id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    body       BLOB NOT NULL,
    state      TEXT NOT NULL,
    UNIQUE (command_id, position)
);

CREATE INDEX IF NOT EXISTS orders_open ON orders (state) WHERE state = '';

CREATE TABLE IF NOT EXISTS plan (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    body           BLOB NOT NULL,
    accepted_at_ms INTEGER NOT NULL
);

-- What a write replaced on a device, whole, so that a person can put it back. It never leaves this machine.
CREATE TABLE IF NOT EXISTS replaced (
    command_id TEXT NOT NULL REFERENCES commands (command_id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    asked      TEXT NOT NULL,
    raw        BLOB NOT NULL
);
