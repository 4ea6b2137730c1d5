-- The epoch that gives numbers now. `released`: all up to here is stored by the controller.
CREATE TABLE spool (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch TEXT NOT NULL,
    machine_id TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    released INTEGER NOT NULL DEFAULT 0,
    rows INTEGER NOT NULL DEFAULT 0
) STRICT;

-- AUTOINCREMENT, because a drained table would otherwise start again at 1 and new rows would pass for old ones.
CREATE TABLE record (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    accepted_at_ms INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- Gap records are sent first: the controller's mark waits at a hole until it knows of it.
CREATE INDEX record_gap ON record (seq) WHERE kind = 5;

-- Counting a long backlog would read all of it.
CREATE TRIGGER record_in AFTER INSERT ON record BEGIN UPDATE spool SET rows = rows + 1; END;
CREATE TRIGGER record_out AFTER DELETE ON record BEGIN UPDATE spool SET rows = rows - 1; END;

-- Rows saved from a file that was set aside, under the numbers that it gave them.
CREATE TABLE salvaged_epoch (
    epoch TEXT PRIMARY KEY,
    released INTEGER NOT NULL
) STRICT;

CREATE TABLE salvaged (
    epoch TEXT NOT NULL REFERENCES salvaged_epoch (epoch),
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    accepted_at_ms INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (epoch, seq)
) STRICT;

CREATE INDEX salvaged_gap ON salvaged (epoch, seq) WHERE kind = 5;
