"""Queries on what takes room more than once: equal content in several files, and models with the same tensors."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, cast, get_args

import apsw
import msgspec

from .copies import (
    GIVEN,
    Place,
    Trace,
    count_files,
    count_sure,
    json_of,
    number_files,
    places_of,
    traces_of,
    traces_of_several,
)
from .paging import cursor_of, key_of
from .tables import rows

Kind = Literal["equal", "relatives"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_DIFFERING = 100
"""The most metadata keys that are named of those in which relatives differ."""


def duplicated(db: apsw.Connection) -> list[int]:
    """Give the rowids in `models` of those whose content lies in two files or more that are here, see `copies`."""
    found = [sha256 for sha256, traces in traces_of_several(db).items() if count_sure(traces) > 1]
    return [row[0] for row in rows(db, f"SELECT rowid FROM models WHERE sha256 IN {GIVEN}", (json_of(found),))]  # noqa: S608


def is_duplicated(db: apsw.Connection, sha256: str) -> bool:
    """Tell whether `duplicated` gives a model."""
    return count_sure(traces_of(db, [sha256]).get(sha256, ())) > 1


# The list ---------------------------------------------------------------------------------------------


class _Member(msgspec.Struct, frozen=True):
    """A model of a group; `origin` says who tells the AutoV3 that it has in common with relatives."""

    sha256: str
    gives_back: int
    origin: str = "computed"


class _Group(msgspec.Struct, frozen=True):
    """A model of which there are several files, by its SHA-256; or relatives, by their AutoV3."""

    gives_back: int
    kind: Kind
    key: str
    members: tuple[_Member, ...]

    @property
    def order(self) -> tuple[int, str, str]:
        """The place in the list: what gives most back comes first."""
        return -self.gives_back, self.kind, self.key


def page(db: apsw.Connection, *, limit: int, cursor: str | None = None, kind: Kind | None = None) -> dict[str, Any]:
    """Give a page of the groups (of one kind), those that give most back first, and the totals. Raises `BadCursor`.

    All of it is as it was at one moment.
    """
    found: dict[str, Any] = {}
    with db:
        groups = sorted(_groups(db, kind), key=lambda group: group.order)
        behind = key_of(cursor, (int, str, str)) if cursor else None
        left = groups if behind is None else [group for group in groups if group.order > behind]
        here = left[:limit]
        found["items"] = _shown(db, here)
        found["next"] = cursor_of(here[-1].order) if len(left) > limit else None
        found["totals"] = {one: _total([group for group in groups if group.kind == one]) for one in KINDS}
    return found


def _total(groups: Sequence[_Group]) -> dict[str, int]:
    return {"groups": len(groups), "gives_back": sum(group.gives_back for group in groups)}


def _groups(db: apsw.Connection, kind: Kind | None) -> list[_Group]:
    equal = _equal(db) if kind != "relatives" else []
    return equal + (_relatives(db) if kind != "equal" else [])


def _equal(db: apsw.Connection) -> list[_Group]:
    """Give the models whose content lies in several files, wherever: what all but one of those here would give back."""
    found = {sha256: traces for sha256, traces in traces_of_several(db).items() if count_files(traces) > 1}
    groups: list[_Group] = []
    for sha256, size in _sizes(db, found).items():
        gives_back = size * max(0, count_sure(found[sha256]) - 1)
        groups.append(_Group(gives_back, "equal", sha256, (_Member(sha256, gives_back),)))
    return groups


def _relatives(db: apsw.Connection) -> list[_Group]:
    """Give the models that have all their tensors in common with others that have files."""
    families: dict[str, dict[str, str]] = defaultdict(dict)
    for autov3, sha256, origin in rows(db, _FAMILIES):
        families[autov3][sha256] = origin
    traces = traces_of(db, {sha256 for family in families.values() for sha256 in family})
    sizes = _sizes(db, traces)
    groups = [_family(autov3, family, sizes, traces) for autov3, family in families.items()]
    return [group for group in groups if len(group.members) > 1]


# What a header tells may have been copied from the file that a model was made of: the bytes have the last word.
_FAMILIES = """
    SELECT h.hash, h.model_hash, min(h.origin) FROM (SELECT hash FROM hashes WHERE length(hash) = 64 AND kind = 'autov3'
            GROUP BY hash HAVING min(model_hash) < max(model_hash)) f
        CROSS JOIN hashes h ON h.hash = f.hash AND h.kind = 'autov3'
    WHERE h.origin = 'computed' OR (h.origin = 'header' AND NOT EXISTS (SELECT 1 FROM hashes c
        WHERE c.model_hash = h.model_hash AND c.kind = 'autov3' AND c.origin = 'computed' AND c.hash <> h.hash))
    GROUP BY h.hash, h.model_hash
"""


def _family(autov3: str, family: dict[str, str], sizes: dict[str, int], traces: dict[str, list[Trace]]) -> _Group:
    """Make a group: of relatives for sure, all but the one that takes most may go. The others give nothing back yet."""
    members: list[_Member] = []
    for sha256 in sorted(family.keys() & sizes.keys()):
        here = count_sure(traces[sha256]) if family[sha256] == "computed" else 0
        members.append(_Member(sha256, sizes[sha256] * here, family[sha256]))
    given = [member.gives_back for member in members]
    return _Group(sum(given) - max(given, default=0), "relatives", autov3, tuple(members))


def _sizes(db: apsw.Connection, models: Iterable[str]) -> dict[str, int]:
    return dict(rows(db, f"SELECT sha256, size_bytes FROM models WHERE sha256 IN {GIVEN}", (json_of(models),)))  # noqa: S608


# What a page shows ------------------------------------------------------------------------------------


def _shown(db: apsw.Connection, groups: Sequence[_Group]) -> list[dict[str, Any]]:
    models = _models(db, [member.sha256 for group in groups for member in group.members])
    return [_shown_group(db, group, models) for group in groups]


def _shown_group(db: apsw.Connection, group: _Group, models: dict[str, dict[str, Any]]) -> dict[str, Any]:
    told = {"kind": group.kind, "gives_back": group.gives_back}
    if group.kind == "equal":
        return told | models[group.key]
    hashes = [member.sha256 for member in group.members]
    members = [models[one.sha256] | {"gives_back": one.gives_back, "origin": one.origin} for one in group.members]
    return told | {"autov3": group.key, "differs": _differing(db, hashes), "models": members}


def _models(db: apsw.Connection, wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give some models with every path of their content."""
    found = rows(db, f"SELECT sha256, name, type, size_bytes FROM models WHERE sha256 IN {GIVEN}", (json_of(wanted),))  # noqa: S608
    places = places_of(db, wanted)
    return {
        sha256: {"sha256": sha256, "name": name, "type": type_, "size_bytes": size} | _placed(places[sha256])
        for sha256, name, type_, size in found
    }


def _placed(places: Sequence[Place]) -> dict[str, Any]:
    """Give the paths of a model: those with one number are one file."""
    files = [place.trace for place in places if place.is_file]
    numbers = iter(number_files(files))
    return {
        "files": count_sure(files),
        "locations": [
            {
                "path": place.path,
                "root": place.root,
                "name_valid": place.name_valid,
                "state": place.state,
                "claimed": place.claimed,
                "pending": place.pending,
                "file": next(numbers) if place.is_file else None,
            }
            for place in places
        ],
    }


def _differing(db: apsw.Connection, models: Sequence[str]) -> list[str] | None:
    """Give the keys of the metadata in which the headers of some models differ, None where one was never read.

    Of what was too long to be kept it is not known, unless the beginnings differ.
    """
    texts = rows(db, f"SELECT header_json FROM models WHERE sha256 IN {GIVEN}", (json_of(models),))  # noqa: S608
    headers = [_HEADER.decode(text) for (text,) in texts]
    if not all("metadata" in header for header in headers):
        return None
    keys = sorted({key for header in headers for key in _metadata(header)})
    differing = [key for key in keys if _differs(key, headers)]
    return differing[:MOST_DIFFERING]


_HEADER = msgspec.json.Decoder(dict[str, Any])


def _metadata(header: dict[str, Any]) -> dict[str, object]:
    found = header["metadata"]
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _differs(key: str, headers: Sequence[dict[str, Any]]) -> bool:
    values = [_metadata(header).get(key) for header in headers if key in _metadata(header) or not _is_cut(header, key)]
    return any(value != values[0] for value in values)


def _is_cut(header: dict[str, Any], key: str) -> bool:
    cut = header.get("cut")
    return isinstance(cut, list) and key in cut
