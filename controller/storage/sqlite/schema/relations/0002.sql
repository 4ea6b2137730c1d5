-- When a record was handled, so that this need not be remembered for ever.
ALTER TABLE handled ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;
UPDATE handled SET at_ms = 1000 * strftime('%s', 'now');
CREATE INDEX handled_at ON handled (at_ms);
CREATE INDEX notice_at ON notice (at_ms);
CREATE INDEX alarm_closed ON alarm (raised_at_ms) WHERE phase = 'closed';
