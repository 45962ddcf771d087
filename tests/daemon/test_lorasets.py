"""Sets of LoRAs: saved under a name, changed, and deleted."""

import pytest
from hikaze.daemon import lorasets
from hikaze.daemon.lorasets import BadSet, NameTaken, NoSuchSet, SetStale
from hikaze.daemon.shapes import LoraEntry, LoraSetBody
from hikaze.events.catalog import ChosenLora, LoraSetDeleted, LoraSetSaved
from hikaze.projections import lora_sets as view

from .library import Memory

INK = LoraEntry("/l/ink.safetensors", "Ink", 0.5, 0.0, "A1", enabled=False)
KEPT = ChosenLora("Ink", "/l/ink.safetensors", 0.5, 0.0, "a1", enabled=False)


def body(name: str, *loras: LoraEntry, note: str = "") -> LoraSetBody:
    """Give what is to be saved."""
    return LoraSetBody(name, list(loras), note)


def test_a_set_is_saved_changed_and_deleted() -> None:
    """It keeps what a payload says, in order; saved as it is it makes no event; its number is not used again."""
    memory = Memory()
    plain = LoraEntry("b.safetensors")
    saved = [LoraSetSaved(1, "Night", "", (KEPT, ChosenLora("", "b.safetensors")))]
    assert memory.write(lambda db: lorasets.create(db, body(" Night ", INK, plain))) == saved
    assert memory.write(lambda db: lorasets.replace(db, 1, body("Night", INK, plain), 1)) == []
    changed = [LoraSetSaved(1, "NIGHT", "at 0.8", (KEPT,))]
    assert memory.write(lambda db: lorasets.replace(db, 1, body("NIGHT", INK, note="at 0.8"), 1)) == changed
    found = view.get(memory.db, 1)
    assert found is not None
    assert (found["name"], found["note"], found["created"], found["changed"], found["version"]) == (
        "NIGHT",
        "at 0.8",
        2,
        3,
        2,
    )
    assert found["loras"][0]["strength_clip"] == 0
    with pytest.raises(SetStale):
        lorasets.delete(memory.db, 1, 1)
    assert memory.write(lambda db: lorasets.delete(db, 1, 2)) == [LoraSetDeleted(1)]
    assert view.get(memory.db, 1) is None
    with pytest.raises(NoSuchSet):
        lorasets.delete(memory.db, 1, None)
    with pytest.raises(NoSuchSet):
        lorasets.replace(memory.db, 1, body("x"), None)
    assert memory.write(lambda db: lorasets.create(db, body("Night"))) == [LoraSetSaved(2, "Night")]


def test_a_name_is_one_sets() -> None:
    """A name is taken in whatever case and form; the one that has it is told."""
    memory = Memory()
    memory.write(lambda db: lorasets.create(db, body("Café")))
    memory.write(lambda db: lorasets.create(db, body("b")))
    with pytest.raises(NameTaken) as caught:
        lorasets.create(memory.db, body("CAFE\u0301"))
    assert caught.value.existing == 1
    with pytest.raises(NameTaken):
        lorasets.replace(memory.db, 2, body("café"), None)
    for name in ("  ", "a\nb", "x" * 201):
        with pytest.raises(BadSet):
            lorasets.create(memory.db, body(name))


def test_sets_are_listed_by_name() -> None:
    """Pages of sets follow each other."""
    memory = Memory()
    for name in ("b", "A", "c", "gone"):
        memory.write(lambda db, name=name: lorasets.create(db, body(name)))
    memory.write(lambda db: lorasets.delete(db, 4, None))
    first = view.page(memory.db, limit=2)
    rest = view.page(memory.db, limit=2, cursor=first.next)
    assert ["A" in first.items[0], "b" in first.items[1], len(rest.items), rest.next] == [True, True, 1, None]
