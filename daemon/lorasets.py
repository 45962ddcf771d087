"""Sets of LoRAs, saved under a name: which events a wish leads to."""

import unicodedata

import apsw
import msgspec

from ..events.catalog import ChosenLora, LoraSetDeleted, LoraSetSaved
from ..events.record import New
from ..events.writer import Decision
from ..projections import lora_sets as view
from .shapes import LoraEntry, LoraSetBody

LONGEST_NAME = 200


class NoSuchSet(LookupError):
    """There is no set of this number."""


class BadSet(ValueError):
    """What cannot be saved; the message says why."""


class SetStale(Exception):
    """Somebody else changed the set meanwhile."""


class NameTaken(Exception):
    """Another set has the name already: `existing`."""

    def __init__(self, name: str, existing: int) -> None:
        """Name the set that has it."""
        super().__init__(f"there is a set called {name!r} already; save into that one, or give this another name")
        self.existing = existing


def create(db: apsw.Connection, body: LoraSetBody) -> Decision:
    """Decide to save a new set; the value is its number. Raises `NameTaken`."""
    name = _free_name(db, body.name, None)
    number = view.last_number(db) + 1
    return Decision([_saved(number, name, body)], number)


def replace(db: apsw.Connection, number: int, body: LoraSetBody, version: int | None) -> Decision:
    """Decide to save into a set that is there. Raises `NoSuchSet`, `NameTaken` and `SetStale`."""
    known = _known(db, number, version)
    name = _free_name(db, body.name, number)
    loras = [msgspec.structs.asdict(_chosen(each)) for each in body.loras]
    same = (known["name"], known["note"], known["loras"]) == (name, body.note, loras)
    return Decision([] if same else [_saved(number, name, body)], number)


def delete(db: apsw.Connection, number: int, version: int | None) -> Decision:
    """Decide to delete a set. Raises `NoSuchSet` and `SetStale`."""
    _known(db, number, version)
    return Decision([New(f"lora-set/{number}", LoraSetDeleted(number))], number)


def _known(db: apsw.Connection, number: int, version: int | None) -> dict[str, object]:
    known = view.get(db, number)
    if known is None:
        raise NoSuchSet(f"there is no set of LoRAs {number}; list them with GET /api/lora-sets")
    if version is not None and known["version"] != version:
        raise SetStale(
            f"somebody changed it meanwhile (it is at version {known['version']}, not {version}); read it and try again"
        )
    return known


def _free_name(db: apsw.Connection, name: str, own: int | None) -> str:
    name = unicodedata.normalize("NFC", name.strip())
    if not name or len(name) > LONGEST_NAME:
        raise BadSet(f"a set of LoRAs needs a name of 1 to {LONGEST_NAME} characters")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise BadSet("the name of a set cannot hold control characters")
    other = view.named(db, name)
    if other is not None and other != own:
        raise NameTaken(name, other)
    return name


def _saved(number: int, name: str, body: LoraSetBody) -> New:
    return New(f"lora-set/{number}", LoraSetSaved(number, name, body.note, tuple(map(_chosen, body.loras))))


def _chosen(entry: LoraEntry) -> ChosenLora:
    return ChosenLora(
        entry.name,
        entry.full_path,
        entry.strength_model,
        entry.strength_clip,
        entry.sha256 and entry.sha256.strip().lower(),
        entry.enabled,
    )
