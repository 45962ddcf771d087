"""The `pending` view: the model files that were seen and are not imported.

`pending_import` holds what people see: what is `waiting`, and what is `missing` though somebody wrote to it.
`pending_away` beside it keeps what may come back: a file that is `gone` and that nobody wrote to, one that was
dismissed (`hidden` in place, or `trashed`). They keep their id, so that it is the same one that returns.
What an earlier library tells of in no folder of ours (root 0) is `missing` until it is seen in one.
"""

from typing import Any, NamedTuple

import apsw
import msgspec
from msgspec import UNSET

from ..events.catalog import (
    Changes,
    File,
    PendingChanged,
    PendingDismissed,
    PendingEdited,
    PendingFound,
    PendingHeaderRead,
    PendingImported,
    PendingLost,
    PendingMoved,
    PendingPictured,
    PendingProvided,
    PendingRecognised,
    PendingReturned,
    PendingTagged,
    PendingUntagged,
    RowMigrated,
    Texts,
)
from ..events.pathtext import shown
from ..events.record import Stored
from .headers import rules_of
from .layers import Row, effective
from .migrations import label
from .paging import Page, key_of, page_of
from .pendinglist import EVERYTHING, STATE, Wanted, condition
from .pendinglist import count as matching
from .provided import OF_PENDING
from .tables import Tables, rows
from .texts import edited, given_in, meta_json, texts_of
from .told import texts_told, told_in

VERSION = 4
_COLUMNS = """
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL,
    type TEXT,
    size_bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    root INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    dev INTEGER NOT NULL,
    ino INTEGER NOT NULL,
    in_place INTEGER NOT NULL,
    state TEXT NOT NULL,
    given_json TEXT NOT NULL DEFAULT '[]',
    written INTEGER NOT NULL DEFAULT 0,
    shown TEXT NOT NULL,
    picture TEXT,
    picture_position INTEGER,
    picture_origin TEXT,
    replaces TEXT,
    version INTEGER NOT NULL,
    picture_original TEXT NOT NULL DEFAULT '',
    legacy TEXT NOT NULL DEFAULT '',
    header_rules INTEGER NOT NULL DEFAULT 0,
    meta_json TEXT NOT NULL,
    header_json TEXT NOT NULL,
    own_json TEXT NOT NULL
"""
SCHEMA = f"""{OF_PENDING.schema}
CREATE TABLE pending_import ({_COLUMNS});
CREATE TABLE pending_away ({_COLUMNS});
CREATE TABLE pending_numbers (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL);
INSERT INTO pending_numbers VALUES (1, 0);
CREATE TABLE pending_ids (id INTEGER PRIMARY KEY);
CREATE INDEX pending_import_by_path ON pending_import (path);
CREATE INDEX pending_away_by_path ON pending_away (path);
"""  # noqa: S608 - our own text, as in all of this module
INDEXES = """
CREATE INDEX pending_import_by_inode ON pending_import (ino, size_bytes, mtime_ns);
CREATE INDEX pending_away_by_inode ON pending_away (ino, size_bytes, mtime_ns);
CREATE INDEX pending_import_by_root ON pending_import (root);
CREATE INDEX pending_import_by_rules ON pending_import (header_rules, id);
"""
HANDLES = (
    PendingFound,
    PendingChanged,
    PendingMoved,
    PendingLost,
    PendingReturned,
    PendingEdited,
    PendingTagged,
    PendingUntagged,
    PendingPictured,
    PendingRecognised,
    PendingDismissed,
    PendingImported,
    PendingProvided,
    PendingHeaderRead,
    RowMigrated,
)


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view."""
    match stored.event:
        case PendingFound() as event:
            _find(db, event, stored)
        case PendingChanged(pending=pending, file=file, type=type_, header=header):
            _lie(db, pending, file)
            db.execute(
                "UPDATE pending_import SET header_json = ?, header_rules = ?, sha256 = '',"
                " type = CASE WHEN given_json LIKE '%\"type\"%' THEN type ELSE coalesce(?, type) END WHERE id = ?",
                (msgspec.json.encode(header).decode(), rules_of(header), type_, pending),
            )
            _show(db, pending)
        case PendingMoved(pending=pending, file=file, name=name, type=type_, in_place=in_place):
            _lie(db, pending, file)
            db.execute(
                "UPDATE pending_import SET name = ?, type = ?, in_place = ? WHERE id = ?",
                (name, type_, int(in_place), pending),
            )
        case PendingReturned(pending=pending, file=file, in_place=in_place):
            _lie(db, pending, file)
            db.execute("UPDATE pending_import SET in_place = ? WHERE id = ?", (int(in_place), pending))
        case PendingLost(pending=pending):
            db.execute("UPDATE pending_import SET state = iif(written, 'missing', 'gone') WHERE id = ?", (pending,))
            _put_away(db, pending)
            db.execute("UPDATE pending_away SET state = 'gone' WHERE id = ? AND state = 'hidden'", (pending,))
        case PendingEdited(pending=pending, changes=changes):
            _edit(db, pending, changes)
        case PendingTagged(origin=origin) if origin != "user":
            pass
        case PendingUntagged() if stored.stream.startswith("sidecars/"):
            pass  # a header tells it no more
        case PendingTagged(pending=pending) | PendingUntagged(pending=pending):
            db.execute("UPDATE pending_import SET written = 1 WHERE id = ?", (pending,))
        case PendingPictured(pending=pending, extension=extension, origin=origin, original=original):
            db.execute(
                "UPDATE pending_import SET picture = ?, picture_position = ?, picture_origin = ?,"
                " picture_original = ?, written = max(written, ?) WHERE id = ?",
                (extension, stored.position, origin, original, int(origin == "person"), pending),
            )
        case PendingProvided(pending=pending, sidecar=sidecar, provided=provided):
            OF_PENDING.put(db, pending, sidecar, provided, stored.position)
            _show(db, pending)
        case PendingHeaderRead(pending=pending, header=header):
            _read_anew(db, pending, header)
            return
        case RowMigrated(form=form, table=table, row=row, pending=int(pending)):
            _come_along(db, pending, label(form, table, row))
            return
        case PendingRecognised(pending=pending, model=model):
            db.execute("UPDATE pending_import SET sha256 = ? WHERE id = ?", (model, pending))
        case PendingDismissed(pending=pending, trash=trash):
            db.execute(
                "UPDATE pending_import SET state = ? WHERE id = ?",
                ("hidden" if trash is None else "trashed", pending),
            )
            _put_away(db, pending)
        case PendingImported(pending=pending, status=status) if status != "ignored":
            db.execute("DELETE FROM pending_import WHERE id = ?", (pending,))
            db.execute("DELETE FROM pending_away WHERE id = ?", (pending,))
            OF_PENDING.drop(db, pending)
            return
        case _:
            pass
    _at_version(db, stored)


def _at_version(db: Tables, stored: Stored) -> None:
    if stored.stream.startswith("sidecars/"):
        return  # nobody has edited it
    pending = getattr(stored.event, "pending", 0)
    db.execute("UPDATE pending_import SET version = ? WHERE id = ?", (stored.version, pending))


def _find(db: Tables, event: PendingFound, stored: Stored) -> None:
    file, told = event.file, effective(_NOTHING, frozenset(), (), texts_told(event.header))
    if file.root:
        _give_way(db, event.pending, file.path)
    db.execute("DELETE FROM pending_away WHERE id = ?", (event.pending,))
    OF_PENDING.drop(db, event.pending)
    db.execute(
        "INSERT OR REPLACE INTO pending_import (id, path, name, type, size_bytes, created_at, meta_json, root,"
        " mtime_ns, dev, ino, in_place, state, shown, replaces, header_json, version, own_json, header_rules)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.pending,
            file.path,
            event.name,
            event.type,
            file.size,
            stored.time if event.created_at is None else event.created_at,
            _NO_TEXTS if told is _NOTHING else meta_json(told),
            file.root,
            file.mtime_ns,
            file.dev,
            file.ino,
            int(event.in_place),
            "waiting" if file.root else "missing",
            shown(file.path),
            event.replaces,
            msgspec.json.encode(event.header).decode(),
            stored.version,
            _NO_TEXTS,
            rules_of(event.header),
        ),
    )
    db.execute("UPDATE pending_numbers SET last = max(last, ?)", (event.pending,))
    db.execute("INSERT OR IGNORE INTO pending_ids VALUES (?)", (event.pending,))


def _lie(db: Tables, pending: int, file: File) -> None:
    """Let the file of a pending model lie somewhere, wherever the model was before."""
    _give_way(db, pending, file.path)
    db.execute("INSERT OR IGNORE INTO pending_import SELECT * FROM pending_away WHERE id = ?", (pending,))
    db.execute("DELETE FROM pending_away WHERE id = ?", (pending,))
    db.execute(
        "UPDATE pending_import SET path = ?, root = ?, size_bytes = ?, mtime_ns = ?, dev = ?, ino = ?, shown = ?,"
        " state = 'waiting' WHERE id = ?",
        (
            file.path,
            file.root,
            file.size,
            file.mtime_ns,
            file.dev,
            file.ino,
            shown(file.path),
            pending,
        ),
    )


def _give_way(db: Tables, pending: int, path: str) -> None:
    """Of what lies at a path, let `pending` be the only one: another's file is not there any more."""
    db.execute(
        "UPDATE pending_import SET state = iif(written, 'missing', 'gone')"
        " WHERE path = ? AND state = 'waiting' AND id <> ?",
        (path, pending),
    )
    db.execute(
        "INSERT OR REPLACE INTO pending_away SELECT * FROM pending_import WHERE path = ? AND state = 'gone'", (path,)
    )
    db.execute("DELETE FROM pending_import WHERE path = ? AND state = 'gone'", (path,))
    db.execute(
        "UPDATE pending_away SET state = 'gone' WHERE path = ? AND state = 'hidden' AND id <> ?", (path, pending)
    )


def _put_away(db: Tables, pending: int) -> None:
    which = "WHERE id = ? AND state NOT IN ('waiting', 'missing')"
    db.execute(f"INSERT OR REPLACE INTO pending_away SELECT * FROM pending_import {which}", (pending,))  # noqa: S608
    db.execute(f"DELETE FROM pending_import {which}", (pending,))  # noqa: S608


def _edit(db: Tables, pending: int, changes: Changes) -> None:
    row = db.select("SELECT name, type, own_json, given_json FROM pending_import WHERE id = ?", (pending,)).fetchone()
    if row is None:
        return
    given = set(msgspec.json.decode(row[3])) | given_in(changes)
    db.execute(
        "UPDATE pending_import SET name = ?, type = ?, own_json = ?, given_json = ?, written = 1 WHERE id = ?",
        (
            row[0] if changes.name is UNSET else changes.name,
            row[1] if changes.type is UNSET else changes.type,
            meta_json(edited(texts_of(row[2]), changes)),
            msgspec.json.encode(sorted(given)).decode(),
            pending,
        ),
    )
    _show(db, pending)


def _read_anew(db: Tables, pending: int, header: dict[str, Any]) -> None:
    """Its file says more of itself than it was known to: nobody has edited anything."""
    for table in _TABLES:
        db.execute(
            f"UPDATE {table} SET header_json = ?, header_rules = ? WHERE id = ?",  # noqa: S608
            (msgspec.json.encode(header).decode(), rules_of(header), pending),
        )
    _show(db, pending)


def _show(db: Tables, pending: int) -> None:
    """Work out what people see: what somebody wrote, and below it what files say; of one out of sight too."""
    for table in _TABLES:
        row = db.select(f"SELECT own_json, given_json, header_json FROM {table} WHERE id = ?", (pending,)).fetchone()  # noqa: S608
        if row is not None:
            given, said = set(msgspec.json.decode(row[1])), OF_PENDING.said(db, pending)
            texts = effective(texts_of(row[0]), given, said, told_in(row[2]))
            db.execute(f"UPDATE {table} SET meta_json = ? WHERE id = ?", (meta_json(texts), pending))  # noqa: S608


def _come_along(db: Tables, pending: int, source: str) -> None:
    """A row of an earlier library became this pending model, or a part of it: it is kept as if written here."""
    for table in _TABLES:
        db.execute(
            f"UPDATE {table} SET written = 1, legacy = iif(legacy = '', ?, legacy),"  # noqa: S608
            " state = iif(state = 'gone', 'missing', state) WHERE id = ?",
            (source, pending),
        )
    missing = "WHERE id = ? AND state = 'missing'"
    db.execute(f"INSERT OR IGNORE INTO pending_import SELECT * FROM pending_away {missing}", (pending,))  # noqa: S608
    db.execute(f"DELETE FROM pending_away {missing}", (pending,))  # noqa: S608


_TABLES = ("pending_import", "pending_away")
_NOTHING = Texts()
_NO_TEXTS = meta_json(_NOTHING)


# Queries ----------------------------------------------------------------------------------------------


class Pending(msgspec.Struct, frozen=True):
    """What a decision needs to know of a pending model.

    `texts` is what people see, `own` what somebody wrote in Hikaze; `given` names the fields a person gave; `state` is
    waiting, missing, hidden or trashed; `picture` is the extension of the original in `images/pending/`,
    `picture_position` the event that tells of it, and `picture_original` its SHA-256 where it is known. `legacy` says
    which row of an earlier library it was.
    """

    id: int
    path: str
    root: int
    size: int
    mtime_ns: int
    dev: int
    ino: int
    name: str
    type: str | None
    texts: Texts
    given: frozenset[str]
    written: bool
    in_place: bool
    state: str
    picture: str | None
    picture_position: int | None
    picture_origin: str | None
    replaces: str | None
    sha256: str
    header: dict[str, Any]
    version: int
    own: Texts = Texts()
    picture_original: str = ""
    legacy: str = ""

    def file(self) -> File:
        """Give the file as an event tells of it."""
        return File(self.path, self.root, self.size, self.mtime_ns, self.dev, self.ino)


_SELECT = (
    "SELECT id, path, root, size_bytes, mtime_ns, dev, ino, name, type, meta_json, given_json, written, in_place,"
    " state, picture, picture_position, picture_origin, replaces, sha256, header_json, version, own_json,"
    " picture_original, legacy FROM "
)


def get(db: apsw.Connection, pending: int) -> Pending | None:
    """Give a pending model that people see, by its id."""
    return next(iter(_pendings(db, _SELECT + "pending_import WHERE id = ?", (pending,))), None)


def at_path(db: apsw.Connection, path: str) -> Pending | None:
    """Give the pending model whose file lies at a path, else one whose file was last seen there.

    Those out of sight are included; of several that are no more there, the one somebody wrote to, then the newest.
    """
    found = _pendings(
        db,
        f"SELECT * FROM ({_SELECT}pending_import WHERE path = ?1 UNION ALL {_SELECT}pending_away WHERE path = ?1)"  # noqa: S608
        " ORDER BY state IN ('waiting', 'hidden') DESC, state = 'missing' DESC, id DESC LIMIT 1",
        (path,),
    )
    return next(iter(found), None)


def same_file(db: apsw.Connection, file: File) -> list[Pending]:
    """Give the pending models whose file has the inode, size and time of `file` at another path."""
    where = " WHERE ino = ? AND size_bytes = ? AND mtime_ns = ? AND path <> ? ORDER BY id"
    key = file.ino, file.size, file.mtime_ns, file.path
    return _pendings(db, _SELECT + "pending_import" + where, key) + _pendings(db, _SELECT + "pending_away" + where, key)


def last_number(db: apsw.Connection) -> int:
    """Give the highest pending id ever used."""
    return db.execute("SELECT last FROM pending_numbers").get


def in_root(db: apsw.Connection, root: int) -> list[tuple[str, int, int, int]]:
    """Give (path, size, mtime_ns, ino) of what should lie in a root; hidden ones too, they are known."""
    return rows(
        db,
        "SELECT path, size_bytes, mtime_ns, ino FROM pending_import WHERE root = ? AND state = 'waiting'"
        " UNION ALL SELECT path, size_bytes, mtime_ns, ino FROM pending_away WHERE root = ? AND state = 'hidden'",
        (root, root),
    )


def was_used(db: apsw.Connection, pending: int) -> bool:
    """Tell whether an id is, or ever was, a pending model's."""
    return bool(db.execute("SELECT 1 FROM pending_ids WHERE id = ?", (pending,)).get)


def provided(db: apsw.Connection, pending: int) -> list[Row]:
    """Give what each sidecar says of a pending model, that which was read last first."""
    return OF_PENDING.of(db, pending)


def provided_tags(db: apsw.Connection, pending: int) -> set[str]:
    """Give the `tag_key` of every tag that a sidecar ever gave a pending model."""
    return OF_PENDING.tags(db, pending)


def waiting(db: apsw.Connection) -> list[int]:
    """Give the ids of all pending models whose file is there, oldest first."""
    return [row[0] for row in db.execute("SELECT id FROM pending_import WHERE state = 'waiting' ORDER BY id")]


def to_compare(db: apsw.Connection, sizes: set[int]) -> list[tuple[str, tuple[int, int, int]]]:
    """Give path and (size, mtime_ns, ino) of the pending models of some sizes that nobody has compared with the models.

    Those that wait for their import are left out: it finds out.
    """
    found = rows(
        db,
        "SELECT path, size_bytes, mtime_ns, ino FROM pending_import p"
        " WHERE size_bytes IN (SELECT value FROM json_each(?)) AND sha256 = '' AND state = 'waiting' AND NOT EXISTS"
        " (SELECT 1 FROM imports i WHERE i.pending = p.id AND i.state IN ('queued', 'planned'))",
        (msgspec.json.encode(sorted(sizes)).decode(),),
    )
    return [(path, (size, mtime_ns, ino)) for path, size, mtime_ns, ino in found]


_CARD = f"""json_object('id', p.id, 'name', p.name, 'path', p.shown,
    'name_valid', json(iif(instr(p.path, char(0)), 'false', 'true')),
    'type', p.type, 'size_bytes', p.size_bytes, 'created_at', p.created_at,
    'tags', json((SELECT json_group_array(t.name ORDER BY t.name_key) FROM pending_model_tags m
        JOIN tags t ON t.id = m.tag_id WHERE m.model_id = p.id)),
    'image', iif(p.picture IS NULL, NULL, p.id || p.picture),
    'in_place', json(iif(p.in_place, 'true', 'false')),
    'state', {STATE},
    'sha256', nullif(p.sha256, ''), 'replaces', p.replaces,
    'import', json((SELECT json_object('state', i.state, 'reason', i.reason, 'model', i.model)
        FROM imports i WHERE i.pending = p.id ORDER BY i.position DESC LIMIT 1)))"""  # noqa: S608


class Listed(NamedTuple):
    """A page of pending models, and how many there are on all pages."""

    page: Page
    total: int

    @property
    def items(self) -> list[str]:
        """The pending models as JSON objects."""
        return self.page.items

    @property
    def next(self) -> str | None:
        """The cursor of the next page, None at the end."""
        return self.page.next

    def json(self) -> bytes:
        """Give the page as the JSON that the API answers."""
        return b'%b,"total":%d}' % (self.page.json()[:-1], self.total)


def page(db: apsw.Connection, *, limit: int, cursor: str | None = None, wanted: Wanted = EVERYTHING) -> Listed:
    """Give a page of the pending models that are wanted, newest first."""
    (before,) = key_of(cursor, (int,)) if cursor else (2**62,)
    asked = condition(db, wanted)
    found = page_of(
        db.execute(
            f"SELECT {_CARD}, p.id FROM pending_import p LEFT JOIN roots r ON r.id = p.root"  # noqa: S608
            f" WHERE p.id < ? AND {asked.sql} ORDER BY p.id DESC LIMIT ?",
            (before, *asked.values, limit + 1),
        ),
        limit,
    )
    return Listed(found, count(db) if wanted == EVERYTHING else matching(db, asked))


def card(db: apsw.Connection, pending: int) -> dict[str, Any] | None:
    """Give a pending model as a page shows it, None where there is none."""
    row = db.execute(
        f"SELECT {_CARD} FROM pending_import p LEFT JOIN roots r ON r.id = p.root WHERE p.id = ?",  # noqa: S608
        (pending,),
    ).get
    return None if row is None else msgspec.json.decode(row)


def picture_of(db: apsw.Connection, pending: int) -> str | None:
    """Give the extension of a pending model's original picture, None where it has none; those out of sight too."""
    return db.execute(
        "SELECT picture FROM pending_import WHERE id = ? UNION ALL SELECT picture FROM pending_away WHERE id = ?",
        (pending, pending),
    ).get


def count(db: apsw.Connection) -> int:
    """Give how many pending models people see."""
    return db.execute("SELECT count(*) FROM pending_import").get


def _pendings(db: apsw.Connection, select: str, values: tuple[str | int, ...]) -> list[Pending]:
    return [_pending(row) for row in rows(db, select, values)]


def _pending(row: list[Any]) -> Pending:
    fields = dict(zip(Pending.__struct_fields__, row, strict=True))
    fields["texts"], fields["own"] = texts_of(fields["texts"]), texts_of(fields["own"])
    fields["given"] = frozenset(msgspec.json.decode(fields["given"]))
    fields["header"] = msgspec.json.decode(fields["header"])
    fields["written"], fields["in_place"] = bool(fields["written"]), bool(fields["in_place"])
    return Pending(**fields)
