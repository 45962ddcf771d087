"""Which pending models a list is asked for: by state, type, place, how the last import stands, words in names."""

from collections.abc import Iterable
from os.path import basename
from typing import Literal, NamedTuple, get_args

import apsw
import msgspec

from .tables import Values, rows
from .text import fold

State = Literal["waiting", "missing", "offline"]
Import = Literal["queued", "running", "conflict", "failed", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
IMPORTS: tuple[Import, ...] = get_args(Import)

STATE = "iif(p.state = 'waiting' AND r.offline, 'offline', p.state)"
"""What people see of a pending model `p` in a root `r`, as SQL."""
_LAST_IMPORT = "(SELECT i.state FROM imports i WHERE i.pending = p.id ORDER BY i.position DESC LIMIT 1)"
_AMONG = " IN (SELECT value FROM json_each(?))"
_FROM = "FROM pending_import p LEFT JOIN roots r ON r.id = p.root"


class Wanted(NamedTuple):
    """What is asked for; empty is everything. All must be so, and all `words` stand in a name or a file's name."""

    states: frozenset[State] = frozenset()
    imports: frozenset[Import] = frozenset()
    words: tuple[str, ...] = ()
    type: str | None = None
    in_place: bool | None = None


EVERYTHING = Wanted()


class Condition(NamedTuple):
    """A condition on a pending model `p` in a root `r`, as SQL with its values."""

    sql: str
    values: Values


def condition(db: apsw.Connection, wanted: Wanted) -> Condition:
    """Give what must be so of what is wanted. Words are looked for in all names, which takes a while where many are."""
    asked = _plain(wanted)
    if not wanted.words:
        return asked
    words = [fold(word) for word in wanted.words]
    named = rows(db, f"SELECT p.id, p.name, p.shown {_FROM} WHERE {asked.sql}", asked.values)
    found = [id_ for id_, name, path in named if _has_all(words, fold(f"{name}\n{basename(path)}"))]
    return Condition("p.id IN (SELECT value FROM json_each(?))", (msgspec.json.encode(found).decode(),))


def count(db: apsw.Connection, asked: Condition) -> int:
    """Give how many pending models a condition holds for."""
    return db.execute(f"SELECT count(*) {_FROM} WHERE {asked.sql}", asked.values).get


def ids(db: apsw.Connection, import_: Import) -> list[int]:
    """Give the ids of the pending models whose last import stands so, oldest first."""
    asked = _plain(Wanted(imports=frozenset((import_,))))
    return [id_ for (id_,) in rows(db, f"SELECT p.id {_FROM} WHERE {asked.sql} ORDER BY p.id", asked.values)]


def sizes(db: apsw.Connection, numbers: Iterable[int]) -> dict[int, int]:
    """Give the size in bytes of each of some pending models, by id."""
    sql = "SELECT p.id, p.size_bytes FROM json_each(?) j CROSS JOIN pending_import p ON p.id = j.value"
    return dict(rows(db, sql, (msgspec.json.encode(list(numbers)).decode(),)))


def _plain(wanted: Wanted) -> Condition:
    parts, values = ["true"], list[str | int]()
    if wanted.states:
        parts.append(STATE + _AMONG)
        values.append(_listed(wanted.states))
    if wanted.imports:
        parts.append(_LAST_IMPORT + _AMONG)
        values.append(_listed("planned" if each == "running" else each for each in wanted.imports))
    if wanted.type is not None:
        parts.append("p.type = ?")
        values.append(wanted.type)
    if wanted.in_place is not None:
        parts.append("p.in_place = ?")
        values.append(int(wanted.in_place))
    return Condition(" AND ".join(parts), tuple(values))


def _listed(names: Iterable[str]) -> str:
    return msgspec.json.encode(sorted(names)).decode()


def _has_all(words: Iterable[str], text: str) -> bool:
    return all(word in text for word in words)
