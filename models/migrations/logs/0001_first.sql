-- The id carries the time: unix ms << 20, raised where needed to stay unique and
-- growing, so that a range of time is a range of ids.
CREATE TABLE logs (
    id INTEGER PRIMARY KEY,
    connector_id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    level INTEGER NOT NULL,
    task INTEGER NOT NULL,
    message TEXT NOT NULL,
    fields TEXT NOT NULL
);
CREATE INDEX logs_connector ON logs (connector_id, id, level, task, time);
-- Warnings and errors are few and looked for most: an index of their own.
CREATE INDEX logs_trouble ON logs (connector_id, id, level, task, time) WHERE level >= 2;

CREATE TABLE points (
    connector_id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    diverted INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    lag_millis INTEGER NOT NULL,
    PRIMARY KEY (connector_id, time)
) WITHOUT ROWID;

-- The same by the minute, kept longer.
CREATE TABLE point_minutes (
    connector_id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    diverted INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    lag_millis INTEGER NOT NULL,
    PRIMARY KEY (connector_id, time)
) WITHOUT ROWID;
