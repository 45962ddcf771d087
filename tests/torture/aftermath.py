"""What there is after a story of `killing`: the files, and all that the library says of them."""

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

from hikaze.projections import images, models, pending, tags

from ..daemon.home import Home

FACTS = {
    "file-trashed",
    "image-added",
    "image-removed",
    "import-completed",
    "import-tidied",
    "location-found",
    "location-lost",
    "location-moved",
    "location-replaced",
    "model-edited",
    "model-imported",
    "model-tagged",
    "model-untagged",
    "pending-dismissed",
    "pending-found",
    "pending-imported",
    "pending-lost",
    "pending-returned",
}
"""Events of which there are as many after a story with a death as after one without: what is told twice counts."""

_ID = re.compile(r"/[0-9a-f]{16}/")


def contents(top: Path, loras: Path) -> dict[str, str]:
    """Give the SHA-256 of each file in the roots and the trash, by its path; ids in the trash are left out."""
    places = {"loras": loras, "vae": top / "vae", "drop": top / "drop", "trash": top / "data" / "trash"}
    return {
        _ID.sub("/*/", f"{name}/{path.relative_to(place)}"): _content(path)
        for name, place in places.items()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def _content(path: Path) -> str:
    return "" if path.name == "record.json" else hashlib.sha256(path.read_bytes()).hexdigest()


async def state(at: Home, top: Path) -> dict[str, Any]:
    """Give all that a story leads to, in plain values: two that end alike have the same."""
    places = {str(at.loras): "loras", str(top): ""}
    told = Counter(event["type"] for event in await at.library.events(0, 10_000))
    return {
        "files": contents(top, at.loras),
        "models": {sha256: _model(at, sha256, places) for (sha256,) in at.db.execute("SELECT sha256 FROM models")},
        "pending": {_shortened(path, places): number for number, path in _waiting(at)},
        "tags": sorted(name for (name,) in at.db.execute("SELECT name FROM tags")),
        "pictures": _names(Path(at.store.folder)),
        "facts": {kind: count for kind, count in sorted(told.items()) if kind in FACTS},
        "worked on": sorted(at.busy.paths),
    }


def _model(at: Home, sha256: str, places: dict[str, str]) -> dict[str, Any]:
    known = models.get(at.db, sha256)
    assert known is not None
    return {
        "name": known.name,
        "type": known.type,
        "description": known.texts.description,
        "links": known.texts.community_links,
        "prompts": [known.texts.prompts.positive, known.texts.prompts.negative],
        "tags": sorted(tags.of_model(at.db, sha256).values()),
        "pictures": images.sequences(at.db, sha256),
        "cover": images.cover(at.db, sha256),
        "lies at": {_shortened(path, places): lost for path, lost in sorted(at.states(sha256).items())},
    }


def _waiting(at: Home) -> list[tuple[int, str]]:
    found = ((number, pending.get(at.db, number)) for number in pending.waiting(at.db))
    return [(number, known.path) for number, known in found if known is not None]


def _shortened(path: str, places: dict[str, str]) -> str:
    for place, name in places.items():
        if path.startswith(place):
            return (name + path[len(place) :]).lstrip("/")
    return path


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
