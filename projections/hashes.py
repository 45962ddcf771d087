"""The `hashes` view: by which further hashes a model's content is called, and who says so.

Kinds, as AUTOMATIC1111's programs and Civitai name them: `autov1` (SHA-256 of 64 KiB from 1 MiB on, 8 digits), `autov3`
(SHA-256 of a safetensors file behind its header, 64 digits or the first 12), `blake3` and `crc32` of the whole file.
The SHA-256 is in `models`, and `autov2` is its first 10 digits: neither is kept twice. `layouts` tells which models
may have the same tensors: those with as many, and as many numbers of each kind in them.

Origins: `computed` from the bytes; told by a `provider`'s sidecar; told by the file's own `header`, which may have been
copied there from another file.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, cast
from zlib import crc32

import apsw
import msgspec

from ..events.catalog import ModelHashed, ModelHeaderRead, ModelImported, ModelProvided, Provided, Sidecar
from ..events.record import Stored
from .tables import Tables, rows

VERSION = 1
# `told` tells the sidecars of a model apart: what one says is replaced when it says something else.
SCHEMA = """
CREATE TABLE hashes (
    kind TEXT NOT NULL,
    hash TEXT NOT NULL,
    model_hash TEXT NOT NULL,
    origin TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (model_hash, kind, origin, told)
) WITHOUT ROWID;
CREATE TABLE layouts (model_hash TEXT PRIMARY KEY, layout TEXT NOT NULL) WITHOUT ROWID;
"""
INDEXES = """
CREATE INDEX hashes_by_hash ON hashes (hash, kind, model_hash);
CREATE INDEX layouts_by_layout ON layouts (layout, model_hash);
"""
HANDLES = (ModelHashed, ModelImported, ModelHeaderRead, ModelProvided)

SHORT_AUTOV3 = 12
"""The digits of an AutoV3 that programs show, and that providers tell instead of all 64."""

_FORMS = {
    "autov1": re.compile("[0-9a-f]{8}"),
    "autov3": re.compile("[0-9a-f]{12}|[0-9a-f]{64}"),
    "blake3": re.compile("[0-9a-f]{64}"),
    "crc32": re.compile("[0-9a-f]{8}"),
}
_LONGEST = 80
_LAYOUT_BYTES = 8
_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of no bytes: programs that read behind the end of a short file give every one of them this hash."""


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view."""
    match stored.event:
        case ModelHashed(model=model, hashes=hashes):
            _keep(db, model, "computed", hashes.items())
        case ModelImported(model=model, header=header):
            if header:
                _keep(db, model, "header", _in_header(header))
                _lay_out(db, model, header)
        case ModelHeaderRead(model=model, header=header):
            db.execute("DELETE FROM hashes WHERE model_hash = ? AND origin = 'header'", (model,))
            _keep(db, model, "header", _in_header(header))
            _lay_out(db, model, header)
        case ModelProvided(model=model, sidecar=sidecar, provided=provided):
            told = _told_by(sidecar)
            db.execute("DELETE FROM hashes WHERE model_hash = ? AND origin = 'provider' AND told = ?", (model, told))
            if provided.sha256 in ("", model):
                _keep(db, model, "provider", _in_sidecar(provided), told)
        case _:
            pass


def _keep(db: Tables, model: str, origin: str, told: Iterable[tuple[str, object]], by: int = 0) -> None:
    kept: dict[str, str] = {}
    for kind, value in told:
        hash_ = _normal(kind, value)
        if len(hash_) > len(kept.get(kind, "")):
            kept[kind] = hash_
    for kind, hash_ in kept.items():
        db.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", (kind, hash_, model, origin, by))


def _lay_out(db: Tables, model: str, header: dict[str, Any]) -> None:
    if header.get("format") == "safetensors" and header.get("tensor_count"):
        told = [header["tensor_count"], sorted(_dict_in(header, "dtypes").items())]
        layout = blake2b(msgspec.json.encode(told), digest_size=_LAYOUT_BYTES).hexdigest()
        db.execute("INSERT OR REPLACE INTO layouts VALUES (?, ?)", (model, layout))


def _normal(kind: str, value: object) -> str:
    """Give a hash in lower case, nothing where it is no hash of its kind."""
    form = _FORMS.get(kind)
    if form is None or not isinstance(value, str) or len(value) > _LONGEST:
        return ""
    text = value.strip().lower().removeprefix("0x")
    is_of_nothing = kind.startswith("autov") and _OF_NOTHING.startswith(text)
    return text if form.fullmatch(text) and not is_of_nothing else ""


def _told_by(sidecar: Sidecar) -> int:
    return crc32(f"{sidecar.source}\0{sidecar.path}".encode("utf-8", "surrogatepass"))


def _in_header(header: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Give what a file's metadata tells.

    kohya's `sshs_legacy_hash` is worked out as AutoV1 is, of the file before this very line was in it; and SwarmUI's
    `modelspec.hash_sha256` as AutoV3. Programs that know a LoRA by what its header says refer to it by these.
    """
    metadata = _dict_in(header, "metadata")
    yield "autov1", metadata.get("sshs_legacy_hash")
    yield "autov3", metadata.get("sshs_model_hash")
    yield "autov3", metadata.get("modelspec.hash_sha256")


def _in_sidecar(provided: Provided) -> Iterator[tuple[str, object]]:
    for name, value in _dict_in(provided.facts, "hashes").items():
        yield name.lower(), value
    yield "autov3", provided.facts.get("autov3")
    yield "autov3", provided.facts.get("tensor_sha256")


def _dict_in(facts: dict[str, Any], name: str) -> dict[str, object]:
    found = facts.get(name)
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


# Queries ----------------------------------------------------------------------------------------------


class Hash(msgspec.Struct, frozen=True):
    """A hash that a model's content is called by; kind and origin as in this module's first lines."""

    kind: str
    hash: str
    origin: str


KINDS = ("sha256", "autov1", "autov2", "autov3", "blake3", "crc32")
"""All kinds of hashes that `models_of` knows."""

_BY_TRUST = "CASE origin WHEN 'computed' THEN 0 WHEN 'provider' THEN 1 ELSE 2 END"
_AUTOV2 = 10


def models_of(db: apsw.Connection, kind: str | None, prefix: str) -> list[str]:
    """Give the SHA-256 of the models with a hash of a kind (any kind for None) that begins with `prefix`, in order.

    `prefix` is in lower-case hexadecimal, else there are none. An AutoV3 of which only the first 12 digits are known
    is found by all 64, too.
    """
    if not re.fullmatch("[0-9a-f]{1,64}", prefix):
        return []
    found = set[str]()
    if kind in (None, "sha256") or (kind == "autov2" and len(prefix) <= _AUTOV2):
        found.update(
            row[0] for row in rows(db, "SELECT sha256 FROM models WHERE sha256 BETWEEN ? AND ?", _span(prefix))
        )
    if kind not in ("sha256", "autov2"):
        found.update(
            row[0]
            for row in rows(
                db,
                "SELECT model_hash FROM hashes WHERE (hash BETWEEN ?1 AND ?2 OR (hash = ?3 AND kind = 'autov3'))"
                " AND kind = coalesce(?4, kind)",
                (*_span(prefix), prefix[:SHORT_AUTOV3], kind),
            )
        )
    return sorted(found)


def of_model(db: apsw.Connection, sha256: str) -> list[Hash]:
    """Give the further hashes of a model, by kind; of one kind those worked out first, those of its header last."""
    found = rows(
        db,
        f"SELECT DISTINCT kind, hash, origin FROM hashes WHERE model_hash = ? ORDER BY kind, {_BY_TRUST}, hash",  # noqa: S608
        (sha256,),
    )
    return [Hash(*row) for row in found]


def computed(db: apsw.Connection, sha256: str) -> dict[str, str]:
    """Give the further hashes of a model that were worked out from its bytes, by kind."""
    return {one.kind: one.hash for one in of_model(db, sha256) if one.origin == "computed"}


class Akin(msgspec.Struct, frozen=True):
    """A model that may have relatives, with its files that are known for sure; `autov3` is the one worked out, if any.

    A file is (path, root, size in bytes, mtime in ns, inode), its path as in `pathtext`.
    """

    model: str
    autov3: str | None
    files: tuple[tuple[str, int, int, int, int], ...]


def may_be_relatives(db: apsw.Connection) -> list[list[Akin]]:
    """Give, by layout, the models of which it is not known whether they have the tensors of another of them."""
    groups: dict[str, dict[str, tuple[str | None, list[Any]]]] = defaultdict(dict)
    for layout, model, autov3, *file in rows(db, _AKIN):
        groups[layout].setdefault(model, (autov3, []))[1].append(tuple(file))
    found = [
        [Akin(model, autov3, tuple(files)) for model, (autov3, files) in group.items()] for group in groups.values()
    ]
    return [group for group in found if len(group) > 1 and any(akin.autov3 is None for akin in group)]


_COMPUTED = "h.kind = 'autov3' AND h.origin = 'computed' AND h.told = 0"
_AKIN = f"""
    SELECT y.layout, y.model_hash, h.hash, l.path, l.root, l.size_bytes, l.mtime_ns, l.ino
    FROM (SELECT y.layout FROM layouts y LEFT JOIN hashes h ON h.model_hash = y.model_hash AND {_COMPUTED}
            GROUP BY y.layout HAVING count(*) > 1 AND count(h.hash) < count(*)) s
        CROSS JOIN layouts y ON y.layout = s.layout
        CROSS JOIN locations l ON l.model_hash = y.model_hash AND NOT l.lost AND NOT l.claimed
        LEFT JOIN hashes h ON h.model_hash = y.model_hash AND {_COMPUTED}
    ORDER BY y.layout, y.model_hash, l.path
"""  # noqa: S608 - our own text


def _span(prefix: str) -> tuple[str, str]:
    return prefix, prefix + "g"
