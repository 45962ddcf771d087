"""The tables of the log, and the triggers that keep them append-only."""

APPLICATION_ID = 0x48494B5A  # "HIKZ": `file` and other programs can tell whose database this is
FORMAT = 1

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT NOT NULL, schema INTEGER NOT NULL, UNIQUE (name, schema));
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE hosts (id INTEGER PRIMARY KEY, uid BLOB NOT NULL UNIQUE);
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams,
    version INTEGER NOT NULL,
    kind INTEGER NOT NULL REFERENCES kinds,
    time INTEGER NOT NULL,
    id BLOB NOT NULL,
    host INTEGER NOT NULL REFERENCES hosts,
    actor TEXT NOT NULL,
    action BLOB NOT NULL,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (stream, version)
);
CREATE TABLE commands (
    key TEXT PRIMARY KEY,
    time INTEGER NOT NULL,
    request BLOB NOT NULL,
    position INTEGER NOT NULL,
    reply BLOB NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER events_follow BEFORE INSERT ON events
WHEN NEW.position <> 1 + coalesce((SELECT max(position) FROM events), 0)
    OR NEW.version <> 1 + coalesce((SELECT max(version) FROM events WHERE stream = NEW.stream), 0)
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event must follow the last one'); END;
"""
_KEYS = {
    "streams": "id = NEW.id OR name = NEW.name",
    "kinds": "id = NEW.id OR (name = NEW.name AND schema = NEW.schema)",
    "hosts": "id = NEW.id OR uid = NEW.uid",
    "meta": "key = NEW.key",
}
ANSWERS_KEPT_MS = 30 * 24 * 3_600_000  # a client that repeats a write after that writes anew
APPEND_ONLY = "".join(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
    f" BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;\n"
    for table in ("events", *_KEYS)
    for verb in ("UPDATE", "DELETE")
) + "".join(  # INSERT OR REPLACE deletes without asking the DELETE trigger
    f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"  # noqa: S608 - our own names
    f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})"
    f" BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;\n"
    for table, same in _KEYS.items()
)
ANSWERS_STAY = f"""
CREATE TRIGGER commands_no_update BEFORE UPDATE ON commands
BEGIN SELECT RAISE(ABORT, 'an answer given is not changed'); END;
CREATE TRIGGER commands_no_delete BEFORE DELETE ON commands
WHEN OLD.time > CAST(strftime('%s', 'now') AS INTEGER) * 1000 - {ANSWERS_KEPT_MS}
BEGIN SELECT RAISE(ABORT, 'an answer is kept for thirty days'); END;
"""
