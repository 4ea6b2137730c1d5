-- The latest signed time that a synchronised clock vouched for, so that a restart does not turn time back.
CREATE TABLE signed_time (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    vouched_ms INTEGER NOT NULL
);

CREATE INDEX commands_age ON commands (accepted_at_ms);
