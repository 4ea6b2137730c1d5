-- The list of events pages through alarms by time, whatever their phase.
CREATE INDEX alarm_by_time ON alarm (site, raised_at_ms, alarm_id);
