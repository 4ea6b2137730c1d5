-- What the box has decided, in order. `digest` is the row's link of the hash chain (chain.py); `subject` is the contract
-- that a row is about, or the box whose ledger was witnessed; `spent_sat` sums the debits of the subject up to this row.
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT,
    request_id TEXT,
    request_digest BLOB,
    txid TEXT,
    debit_sat INTEGER NOT NULL CHECK (debit_sat >= 0),
    spent_sat INTEGER NOT NULL CHECK (spent_sat >= debit_sat),
    height INTEGER NOT NULL,
    mtp_s INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    mono_ns INTEGER NOT NULL,
    policy_version INTEGER,
    body BLOB NOT NULL,
    previous BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX entry_debit ON entry (txid) WHERE kind = 'debit';
CREATE INDEX entry_subject ON entry (kind, subject, seq);
CREATE INDEX entry_request ON entry (request_id, seq) WHERE request_id IS NOT NULL;

CREATE TRIGGER entry_is_final BEFORE UPDATE ON entry BEGIN SELECT raise(ABORT, 'a ledger row is never changed'); END;
CREATE TRIGGER entry_stays BEFORE DELETE ON entry BEGIN SELECT raise(ABORT, 'a ledger row is never deleted'); END;

-- Both tables below are derived from the rows above, and compared with them by the audit.
-- Which debit holds an outpoint.
CREATE TABLE reservation (
    outpoint TEXT PRIMARY KEY,
    txid TEXT NOT NULL,
    until_height INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest version of a transaction that was replaced (BIP-125), by the txid of the first.
CREATE TABLE family (
    txid TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
