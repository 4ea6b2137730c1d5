-- Orders may come late: the controller sends again what it heard nothing of. So a counter is refused because it was
-- used, not because a higher one was; `floor` is the highest of those that are no longer remembered one by one.
ALTER TABLE counters RENAME COLUMN counter TO floor;
ALTER TABLE counters ADD COLUMN plan INTEGER NOT NULL DEFAULT 0;
UPDATE counters SET plan = floor;

-- The rule, where the command as a whole was refused.
ALTER TABLE commands ADD COLUMN refused TEXT NOT NULL DEFAULT '';

CREATE INDEX commands_counter ON commands (key_id, counter);

-- What writes taught of firmware builds.
CREATE TABLE lesson (
    subject TEXT PRIMARY KEY,
    lesson  TEXT NOT NULL
) WITHOUT ROWID;
