"""What is known of models, and where they lie, for whoever writes it down beside their files."""

from collections.abc import Iterable
from typing import Any

import apsw
import msgspec

from . import library, provided
from .layers import Row
from .tables import rows


class Place(msgspec.Struct, frozen=True):
    """A file that holds a model's content and is here: its path (in the form of `pathtext`) and its root."""

    path: str
    root: int


class Export(msgspec.Struct, frozen=True):
    """A model whole, what the sidecars say of it, newest first, and the files beside which it may be written."""

    whole: dict[str, Any]
    rows: list[Row]
    places: list[Place]


def count(db: apsw.Connection) -> int:
    """Give how many models there are."""
    return db.execute("SELECT count(*) FROM models").get


def unknown(db: apsw.Connection, models: Iterable[str]) -> list[str]:
    """Give those of some hashes that are no model's."""
    return [sha256 for sha256 in models if not db.execute("SELECT 1 FROM models WHERE sha256 = ?", (sha256,)).get]


def after(db: apsw.Connection, sha256: str, limit: int) -> list[str]:
    """Give the hashes of the next models behind a hash, empty at first."""
    found = rows(db, "SELECT sha256 FROM models WHERE sha256 > ? ORDER BY sha256 LIMIT ?", (sha256, limit))
    return [row[0] for row in found]


def of(db: apsw.Connection, models: Iterable[str]) -> list[Export]:
    """Give what is known of some models; one that is none is left out."""
    return [
        Export(whole, provided.OF_MODELS.of(db, sha256), _places(db, sha256))
        for sha256 in models
        if (whole := library.whole(db, sha256)) is not None
    ]


def _places(db: apsw.Connection, sha256: str) -> list[Place]:
    found = rows(
        db,
        "SELECT l.path, l.root FROM locations l JOIN roots r ON r.id = l.root"
        " WHERE l.model_hash = ? AND NOT l.lost AND NOT r.offline ORDER BY l.found_at, l.path",
        (sha256,),
    )
    return [Place(*row) for row in found]
