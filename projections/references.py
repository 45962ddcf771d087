"""Which known models are meant by the files that somebody else refers to: by a hash, else by a name.

A hash has the say over a name. One that is not known leaves it to the name, and the answer says so. Where several
models fit equally well none is chosen, for a wrong link is worse than none; how many there are is told.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import apsw
import msgspec

from . import hashes
from .tables import rows
from .text import fold, tag_key

LinkedBy = Literal["sha256", "autov1", "autov2", "autov3", "blake3", "crc32", "name"]

SHORTEST = 8
"""Digits of the shortest hash that is believed: of 100,000 models one in 40,000 has a given one by chance."""

_ENDINGS = (".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".gguf")
# The types of models that may stand for a kind; one that is not here stands for itself.
_FITTING = {
    "checkpoints": ("checkpoints", "diffusion_models"),
    "diffusion_models": ("diffusion_models", "checkpoints"),
    "vae": ("vae", "vae_approx"),
}
# As what a hash may be known, by what it is said to be: programs shorten the SHA-256 where others give an AutoV3.
_TRIED: dict[str | None, tuple[LinkedBy, ...]] = {
    "sha256": ("sha256",),
    "autov1": ("autov1",),
    "autov2": ("autov2", "autov3"),
    "autov3": ("autov3", "sha256"),
    "tensors": ("autov3",),
    "blake3": ("blake3",),
    "crc32": ("crc32",),
}
_BY_LENGTH: dict[int, tuple[LinkedBy, ...]] = {
    8: ("autov1", "crc32"),
    10: ("autov2", "autov3"),
    12: ("autov3", "sha256"),
    64: ("sha256", "autov3", "blake3"),
}


class Wanted(msgspec.Struct, frozen=True):
    """A file that is referred to: of a kind (a type as ComfyUI calls it), by a name, and perhaps by a hash.

    The name may have a folder, with either slash, and an ending, or neither. `hash_kind` is the kind of the hash where
    it is known: one of `LinkedBy`, or `tensors` for the SHA-256 of a safetensors file behind its header.
    """

    kind: str
    name: str
    hash: str | None = None
    hash_kind: str | None = None


class Link(msgspec.Struct, frozen=True):
    """The model that is meant, by what it is known, and its name now; None where none is known for sure.

    `candidates` counts the models that fit: 1 with a link, 0 where nothing fits, more where several do equally well.
    """

    sha256: str | None = None
    linked_by: LinkedBy | None = None
    model_name: str | None = None
    candidates: int = 0


class _Found(msgspec.Struct, frozen=True):
    """A model that may be meant: with its type, and the name or path that fits."""

    sha256: str
    type: str
    called: str


def link(db: apsw.Connection, wanted: Sequence[Wanted]) -> list[Link]:
    """Give for each file that is referred to the model that is meant; all names are looked up at once."""
    named = _Names(db, wanted)
    return [_link(db, one, named) for one in wanted]


def _link(db: apsw.Connection, wanted: Wanted, named: "_Names") -> Link:
    for kind in _kinds(wanted):
        found = hashes.models_of(db, kind, wanted.hash or "")
        if len(found) > 1:
            found = _the_same_by_name(found, named.of(wanted)) or _of_fitting_type(db, found, wanted.kind)
        if found:
            return _linked(db, found, kind)
    return _linked(db, sorted({one.sha256 for one in named.of(wanted)}), "name")


def _linked(db: apsw.Connection, found: Sequence[str], by: LinkedBy) -> Link:
    if len(found) != 1:
        return Link(candidates=len(found))
    return Link(found[0], by, db.execute("SELECT name FROM models WHERE sha256 = ?", (found[0],)).get, 1)


def _kinds(wanted: Wanted) -> tuple[LinkedBy, ...]:
    if wanted.hash is None or len(wanted.hash) < SHORTEST:
        return ()
    return _TRIED.get(wanted.hash_kind) or _BY_LENGTH.get(len(wanted.hash), ("sha256",))


def _the_same_by_name(found: Iterable[str], named: Iterable[_Found]) -> list[str]:
    """Give the one model that fits by name, too: near relatives share an AutoV3."""
    both = sorted(set(found) & {one.sha256 for one in named})
    return both if len(both) == 1 else []


def _of_fitting_type(db: apsw.Connection, found: list[str], kind: str) -> list[str]:
    types = _types(kind)
    fitting = [one for one in found if db.execute("SELECT type FROM models WHERE sha256 = ?", (one,)).get in types]
    return fitting or found


def _types(kind: str) -> tuple[str, ...]:
    return _FITTING.get(kind, (kind,))


# Names ------------------------------------------------------------------------------------------------


class _Names:
    """What is called by the names that are wanted, or was."""

    def __init__(self, db: apsw.Connection, wanted: Iterable[Wanted]) -> None:
        """Look all names up."""
        keys = sorted({key for one in wanted for key in _keys(one.name)})
        listed = msgspec.json.encode(keys).decode()
        self._files = _by_key(rows(db, _FILES, (listed,))) if keys else {}
        self._names = _by_key(rows(db, _NAMES, (listed,))) if keys else {}
        self._earlier = _by_key(rows(db, _EARLIER, (listed,))) if keys else {}

    def of(self, wanted: Wanted) -> list[_Found]:
        """Give the models that fit a name best, none where it fits none; they may be several."""
        keys, types = _keys(wanted.name), _types(wanted.kind)
        for known in (self._files, self._names, self._earlier):
            there = (one for key in keys for one in known.get(key, ()) if one.type in types)
            found = [one for one in there if _same_name(one.called, wanted.name)]
            for fits in (_same_folder, _same_spelling):
                narrower = [one for one in found if fits(one.called, wanted.name)]
                found = narrower or found
            if found:
                return found
        return []


_FILES = """SELECT l.words, l.model_hash, m.type, l.shown FROM locations l JOIN models m ON m.sha256 = l.model_hash
    WHERE l.words IN (SELECT value FROM json_each(?))"""
_NAMES = "SELECT name_key, sha256, type, name FROM models WHERE name_key IN (SELECT value FROM json_each(?))"
_EARLIER = """SELECT e.folded, e.model_hash, m.type, e.shown FROM earlier_names e
    JOIN models m ON m.sha256 = e.model_hash
    WHERE e.folded IN (SELECT value FROM json_each(?))"""


def _by_key(found: Iterable[tuple[str, str, str, str]]) -> dict[str, list[_Found]]:
    by_key: dict[str, list[_Found]] = {}
    for key, sha256, type_, called in found:
        by_key.setdefault(key, []).append(_Found(sha256, type_, called))
    return by_key


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part]


def _last(name: str) -> str:
    """Give the last part of a name: a model may be called by a slash alone."""
    return next(reversed(_parts(name)), name)


def _keys(name: str) -> list[str]:
    """Give by what a name may be found: a file's with its ending, or with any where it has none."""
    parts = _parts(name)
    if not parts:
        return []
    key = fold(parts[-1])
    if not key.endswith(_ENDINGS):
        return [key, *(key + ending for ending in _ENDINGS)]
    return [key, _without_ending(key)]


def _without_ending(name: str) -> str:
    return next((name[: -len(ending)] for ending in _ENDINGS if name.lower().endswith(ending)), name)


def _same_name(called: str, name: str) -> bool:
    """Tell whether two names are the same but for their case: accents, which the tables leave out, count here."""
    ours, theirs = (_without_ending(_last(one)) for one in (called, name))
    return tag_key(ours) == tag_key(theirs)


def _same_spelling(called: str, name: str) -> bool:
    return _without_ending(_last(called)) == _without_ending(_last(name))


def _same_folder(called: str, name: str) -> bool:
    ours, theirs = _parts(fold(called)), _parts(fold(name))
    return ours[-len(theirs) : -1] == theirs[:-1] if len(theirs) > 1 else False
