-- Where the chain of committed energy of each meter stands, so that no restart signs an interval twice.
CREATE TABLE energy_chain (
    meter TEXT PRIMARY KEY,
    body  BLOB NOT NULL
) WITHOUT ROWID;
