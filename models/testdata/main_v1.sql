-- What schema 1 of sluice.db held: frozen, never edited.
CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL);
INSERT INTO schema_migrations VALUES (1, 'first', 1772000000000);
CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE instances (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    region TEXT NOT NULL,
    bootstrap_servers TEXT NOT NULL,
    security_protocol TEXT NOT NULL,
    sasl_mechanism TEXT NOT NULL,
    sasl_username TEXT NOT NULL,
    sasl_password TEXT NOT NULL,
    ca_pem TEXT NOT NULL,
    vpc_id TEXT NOT NULL,
    vswitch_id TEXT NOT NULL,
    internet_access INTEGER NOT NULL,
    quota INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    cluster_id TEXT NOT NULL,
    version TEXT NOT NULL,
    brokers TEXT NOT NULL,
    status TEXT NOT NULL,
    detail TEXT NOT NULL,
    since INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX instances_cluster ON instances (cluster_id);

CREATE TABLE connectors (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE RESTRICT,
    name TEXT NOT NULL,
    class TEXT NOT NULL,
    description TEXT NOT NULL,
    config TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash TEXT NOT NULL,
    desired TEXT NOT NULL,
    deployed INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    restart INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (instance_id, name)
);
CREATE INDEX connectors_name ON connectors (name);

CREATE TABLE connector_versions (
    connector_id INTEGER NOT NULL REFERENCES connectors (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    hash TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    config TEXT NOT NULL,
    PRIMARY KEY (connector_id, version)
) WITHOUT ROWID;

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    password_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
);

CREATE TABLE drafts (
    id TEXT PRIMARY KEY,
    instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    user_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
    class TEXT NOT NULL,
    step TEXT NOT NULL,
    config TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX drafts_owner ON drafts (instance_id, user_id);

CREATE TABLE task_statuses (
    connector_id INTEGER NOT NULL REFERENCES connectors (id) ON DELETE CASCADE,
    task INTEGER NOT NULL,
    status TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (connector_id, task)
) WITHOUT ROWID;

CREATE TABLE mirrored_positions (
    connector_id INTEGER NOT NULL REFERENCES connectors (id) ON DELETE CASCADE,
    topic TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    topic_id TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (connector_id, topic, "partition")
) WITHOUT ROWID;

CREATE TABLE totals (
    connector_id INTEGER PRIMARY KEY REFERENCES connectors (id) ON DELETE CASCADE,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    diverted INTEGER NOT NULL,
    last INTEGER NOT NULL
);

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    address TEXT NOT NULL
);
CREATE INDEX audit_actor ON audit (actor);
CREATE INDEX audit_object ON audit (object);
INSERT INTO settings VALUES ('installation.id', '11111111-2222-4333-8444-555555555555');
INSERT INTO instances VALUES (7, 'aabbccdd00112233', 'old', 'cn-hangzhou', '10.0.0.1:9092', 'PLAINTEXT', '', '', '', '', 'vpc-1', '', 0, 3, 1, 'cluster-1', '2.2.0', '[{"id":1,"address":"10.0.0.1:9092"}]', 'RUNNING', '', 1772000000000, 1772000000000);
INSERT INTO connectors VALUES (5, '01234567-89ab-4cde-8f01-23456789abcd', 7, 'orders', 'KAFKA2OSS', 'Bestellungen', '{"description":"Bestellungen","topics":"orders"}', 2, 'hash2', 'RUNNING', 1, 1, '0011223344556677', 4, 1772000000000, 1772000001000);
INSERT INTO connector_versions VALUES (5, 1, 'hash1', 'admin', 1772000000000, '{"topics":"orders"}');
INSERT INTO connector_versions VALUES (5, 2, 'hash2', 'admin', 1772000001000, '{"description":"Bestellungen","topics":"orders"}');
INSERT INTO users VALUES (1, 'admin', 'admin', '$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$sxa1wB2uT0Jtj5FtDUbaDaFC7A8ivufSA1ZchvbJ2uc', 1772000000000, 1772000000000, 0);
INSERT INTO task_statuses VALUES (5, 0, '{"ConnectorID":5,"Task":0,"Node":"n1","state":"RUNNING","cause":"","remedy":"","since":"2026-02-25T00:00:00Z","stalled":false,"Partitions":[],"UpdatedAt":"2026-02-25T00:00:00Z"}', 1772000000000);
INSERT INTO mirrored_positions VALUES (5, 'orders', 3, 4711, 'meta', 'topic-id', 1772000000000);
INSERT INTO totals VALUES (5, 100, 2000, 3, 1772000000000);
INSERT INTO audit VALUES (1, 1772000000000, 'admin', 'connector.create', 'old/orders', '{}', '10.1.1.1');
