"""In how many files a content lies, and at which paths each.

A file is counted once, however many names it has: hard links, links to it, and one folder seen through two roots. What
counts is what is known: a file that is here, and whose bytes were hashed. What only an earlier library claims, and what
lies on a disk that is away, is shown and counts nothing, for its removal would give nothing back, or be a loss.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Literal

import apsw
import msgspec

from .tables import rows


class Trace(msgspec.Struct, frozen=True, gc=False):
    """What is known of the file at a path; `is_sure` says that it is here and that its bytes were hashed."""

    dev: int
    ino: int
    mtime_ns: int
    is_sure: bool


def number_files(traces: Iterable[Trace]) -> list[int]:
    """Give the number of the file, from 1 on, that each of the traces of one content is of.

    Two with one inode number are one file, if they also have the same time or device. A device's number may be an old
    one, for it is dealt out anew at each start; so where that differs the same time is enough, and two disks that were
    filled alike may count as one. Too few duplicates is the better mistake.
    """
    numbers: list[int] = []
    last = 0
    of_time: dict[tuple[int, int], int] = {}
    of_device: dict[tuple[int, int], int] = {}
    for trace in traces:
        by_time, by_device = (trace.ino, trace.mtime_ns), (trace.ino, trace.dev)
        number = of_time.get(by_time) or of_device.get(by_device) or last + 1
        last = max(last, number)
        of_time.setdefault(by_time, number)
        of_device.setdefault(by_device, number)
        numbers.append(number)
    return numbers


def count_files(traces: Iterable[Trace]) -> int:
    """Give how many files there are traces of, wherever they are."""
    return max(number_files(traces), default=0)


def count_sure(traces: Iterable[Trace]) -> int:
    """Give how many files among the traces of one content are here for sure."""
    return count_files(trace for trace in traces if trace.is_sure)


# Queries ----------------------------------------------------------------------------------------------

GIVEN = "(SELECT value AS sha256 FROM json_each(?1))"
"""Models that are given as a JSON array of their hashes."""

_WAITS = "p.state = 'waiting' AND p.sha256 <> ''"
_SEVERAL = f"""(SELECT model_hash AS sha256 FROM locations GROUP BY model_hash HAVING count(*) > 1
    UNION SELECT p.sha256 FROM pending_import p WHERE {_WAITS})"""  # noqa: S608 - our own text, as in all of this module
_TRACES = f"""
    SELECT l.model_hash, l.dev, l.ino, l.mtime_ns, NOT l.claimed AND NOT r.offline FROM {{which}} c
        CROSS JOIN locations l ON l.model_hash = c.sha256 JOIN roots r ON r.id = l.root WHERE NOT l.lost
    UNION ALL
    SELECT p.sha256, p.dev, p.ino, p.mtime_ns, NOT r.offline FROM pending_import p
        JOIN roots r ON r.id = p.root WHERE {_WAITS} AND p.sha256 IN (SELECT sha256 FROM {{which}})
"""  # noqa: S608


def json_of(models: Iterable[str]) -> str:
    """Give the hashes of models as `GIVEN` takes them, each once."""
    return msgspec.json.encode(list(dict.fromkeys(models))).decode()


def traces_of(db: apsw.Connection, models: Iterable[str]) -> dict[str, list[Trace]]:
    """Give the traces of the files that hold, or should hold, the content of some models; those without any left out.

    A pending model that was recognised as the content, and waits, is such a file.
    """
    return _gathered(rows(db, _TRACES.format(which=GIVEN), (json_of(models),)))


def traces_of_several(db: apsw.Connection) -> dict[str, list[Trace]]:
    """Give the traces of the files of all models whose content may lie in several."""
    return _gathered(rows(db, _TRACES.format(which=_SEVERAL)))


def _gathered(found: Iterable[tuple[Any, ...]]) -> dict[str, list[Trace]]:
    traces: dict[str, list[Trace]] = defaultdict(list)
    for model, dev, ino, mtime_ns, is_sure in found:
        traces[model].append(Trace(dev, ino, mtime_ns, bool(is_sure)))
    return traces


class Place(msgspec.Struct, frozen=True):
    """A path at which a model's content lies, or lay. `pending` is given where it waits to be imported."""

    model: str
    dev: int
    ino: int
    mtime_ns: int
    path: str
    root: int
    state: Literal["present", "offline", "missing"]
    claimed: bool
    name_valid: bool
    pending: int | None
    is_file: bool
    """Whether a file lies there, or did when its root was here."""

    @property
    def trace(self) -> Trace:
        """What is known of the file there."""
        return Trace(self.dev, self.ino, self.mtime_ns, self.state == "present" and not self.claimed)


_STATE = """CASE WHEN r.id IS NULL THEN 'missing' WHEN r.offline THEN 'offline' WHEN l.lost THEN 'missing'
        ELSE 'present' END"""
_PLACES = f"""SELECT * FROM (
    SELECT l.model_hash, l.dev, l.ino, l.mtime_ns, l.shown AS path, l.root, {_STATE} AS state, l.claimed,
        instr(l.path, char(0)) = 0, NULL AS pending, r.id IS NOT NULL AND NOT l.lost
    FROM {GIVEN} c CROSS JOIN locations l ON l.model_hash = c.sha256 LEFT JOIN roots r ON r.id = l.root
    UNION ALL
    SELECT p.sha256, p.dev, p.ino, p.mtime_ns, p.shown, p.root, iif(r.offline, 'offline', 'present'), 0,
        instr(p.path, char(0)) = 0, p.id, 1
    FROM pending_import p JOIN roots r ON r.id = p.root
    WHERE {_WAITS} AND p.sha256 IN (SELECT sha256 FROM {GIVEN})
    ) ORDER BY pending IS NOT NULL, state = 'missing', state = 'offline', path
"""  # noqa: S608


def places_of(db: apsw.Connection, models: Iterable[str]) -> dict[str, list[Place]]:
    """Give every path of the content of some models: the present ones first, those of pending models last."""
    found: dict[str, list[Place]] = defaultdict(list)
    for model, dev, ino, mtime_ns, path, root, state, *yes, pending, is_file in rows(db, _PLACES, (json_of(models),)):
        claimed, name_valid = map(bool, yes)
        place = Place(model, dev, ino, mtime_ns, path, root, state, claimed, name_valid, pending, bool(is_file))
        found[model].append(place)
    return found
