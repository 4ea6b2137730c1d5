-- Bodies are MessagePack of the frozen values in controller/fleet; columns repeat what is searched for.
CREATE TABLE site (
    site TEXT PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE node (
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (site, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    site TEXT NOT NULL,
    device_id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (site, device_id)
) STRICT, WITHOUT ROWID;

-- Closed alarms stay as history.
CREATE TABLE alarm (
    alarm_id TEXT NOT NULL,
    raised_at_ms INTEGER NOT NULL,
    site TEXT NOT NULL,
    phase TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (alarm_id, raised_at_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX alarm_standing ON alarm (site) WHERE phase <> 'closed';

CREATE TABLE notice (
    notice_id INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE INDEX notice_by_time ON notice (site, at_ms);

-- Records whose message was handled, so that a second arrival changes nothing.
CREATE TABLE handled (
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    epoch TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (site, node, epoch, seq)
) STRICT, WITHOUT ROWID;
