-- Alarms that stand, so that a restart neither forgets nor repeats them.
CREATE TABLE standing (
    code    TEXT NOT NULL,
    subject TEXT NOT NULL,
    text    TEXT NOT NULL,
    PRIMARY KEY (code, subject)
) WITHOUT ROWID;
