"""The `comfyui` view: the folders that running ComfyUIs told of, by type, in their order, with their endings."""

from collections.abc import Mapping

import apsw
import msgspec

from ..events.catalog import ComfyuiFoldersTold, Folders
from ..events.record import Stored
from .tables import Tables, rows

VERSION = 1
SCHEMA = """
CREATE TABLE comfyui_folders (
    base TEXT NOT NULL,
    type TEXT NOT NULL,
    place INTEGER NOT NULL,
    path TEXT NOT NULL,
    extensions_json TEXT NOT NULL,
    PRIMARY KEY (base, type, place)
) WITHOUT ROWID;
"""
INDEXES = "CREATE INDEX comfyui_folders_by_path ON comfyui_folders (path);"
HANDLES = (ComfyuiFoldersTold,)


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view: what a ComfyUI told before counts no more."""
    match stored.event:
        case ComfyuiFoldersTold(base=base, folders=folders):
            db.execute("DELETE FROM comfyui_folders WHERE base = ?", (base,))
            for each in folders:
                endings = msgspec.json.encode(each.extensions).decode()
                for place, path in enumerate(each.paths):
                    db.execute(
                        "INSERT OR REPLACE INTO comfyui_folders VALUES (?, ?, ?, ?, ?)",
                        (base, each.type, place, path, endings),
                    )
        case _:
            pass


def told(db: apsw.Connection, base: str) -> tuple[Folders, ...]:
    """Give what a ComfyUI told last, in the order of the types' names."""
    found: dict[str, tuple[list[str], str]] = {}
    sql = "SELECT type, path, extensions_json FROM comfyui_folders WHERE base = ? ORDER BY type, place"
    for type_, path, endings in rows(db, sql, (base,)):
        found.setdefault(type_, ([], endings))[0].append(path)
    return tuple(
        Folders(type_, tuple(paths), msgspec.json.decode(endings, type=tuple[str, ...]))
        for type_, (paths, endings) in found.items()
    )


def paths(db: apsw.Connection, *, but: str | None = None) -> set[tuple[str, str]]:
    """Give the folders that any ComfyUI told of, each with its type; `but` leaves one ComfyUI out."""
    sql = "SELECT path, type FROM comfyui_folders WHERE base IS NOT ?"
    return set(rows(db, sql, (but,)))


def order(db: apsw.Connection) -> Mapping[str, tuple[str, ...]]:
    """Give the folders of each type in the order that ComfyUI has them in: the first is where new models go."""
    found: dict[str, list[str]] = {}
    for type_, path in rows(db, "SELECT type, path FROM comfyui_folders ORDER BY base, type, place"):
        found.setdefault(type_, []).append(path)
    return {type_: tuple(dict.fromkeys(those)) for type_, those in found.items()}


def endings(db: apsw.Connection) -> dict[str, tuple[str, ...]]:
    """Give, by folder, the endings that are looked for there beside those of every model; none where nobody said."""
    found: dict[str, set[str]] = {}
    for path, told_ in rows(db, "SELECT path, extensions_json FROM comfyui_folders"):
        found.setdefault(path, set()).update(msgspec.json.decode(told_, type=list[str]))
    return {path: tuple(sorted(those)) for path, those in found.items()}
