"""What a row of an earlier library becomes: history in, events out."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import apsw
import pytest
from hikaze.daemon.edits import edit_pending
from hikaze.daemon.legacy.library import Broken, Row, Unused
from hikaze.daemon.migration.model import bring_to_model
from hikaze.daemon.migration.pending import bring_to_pending
from hikaze.daemon.migration.pictures import Ready
from hikaze.daemon.migration.plan import (
    Came,
    Changed,
    Ending,
    Look,
    Owner,
    bring_tag,
    gives_way,
    is_done,
    owner_of,
    refuse,
)
from hikaze.daemon.pictures import Picture
from hikaze.daemon.shapes import PendingPatch
from hikaze.daemon.sightings import of_files, of_model, of_pending
from hikaze.daemon.tagging import rename
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    ImageAdded,
    ImportCompleted,
    ImportRequested,
    LocationClaimed,
    LocationFound,
    MigrationBegun,
    ModelEdited,
    ModelImported,
    ModelTagged,
    ModelUntagged,
    PendingDismissed,
    PendingEdited,
    PendingFound,
    PendingImported,
    PendingLost,
    PendingPictured,
    PendingReturned,
    PendingTagged,
    Prompts,
    RowMigrated,
    RowRefused,
    TagCreated,
    Texts,
)
from hikaze.events.record import New
from hikaze.events.writer import Decision
from hikaze.projections import models, pending, tags
from hypothesis import given
from hypothesis import strategies as st

from .library import Memory

SHA, OTHER = "a" * 64, "b" * 64
DB = "/old/db"
PATH = "/m/a.safetensors"
FILE = File(PATH, 1, 10, 5, 1, 7)
PRESENT = Look("present", FILE, "model", "loras", {"rank": 8})
GONE = Look("gone", File(PATH, 1, 10, 0, 0, 0), "model", "loras")
OUTSIDE = Look("outside", File(PATH, 0, 10, 0, 0, 0))
PNG = Picture("PNG", ".png", 4, 4, {})


def row(number: int = 1, sha256: str | None = SHA, **more: Any) -> Row:
    """Give a row, by its number; its digest covers all it says."""
    plain: dict[str, Any] = {"path": PATH, "name": "a", "type": None, "size": 10, "created_at": 3, "id": number}
    said = plain | more
    digest = hashlib.sha256(repr((number, sha256, sorted(said.items()))).encode()).hexdigest()
    return Row("v1", "models", str(number), digest, sha256, **said)


def bring(
    memory: Memory, row_: Row, look: Look = PRESENT, op: str = "op", pictures: tuple[Ready, ...] = (), **more: Any
) -> list[Event]:
    """Bring a row along, and give what was written."""
    owner = owner_of(memory.db, DB, row_)
    ends = gives_way(memory.db, row_, look)
    ending = None if ends is None else Ending(ends.id, ends.picture_position)
    came = Came(op, row_, look, owner, ending, tuple(enumerate(pictures)), **more)
    decide = bring_to_model if owner.model is not None else bring_to_pending
    return memory.write(lambda db: decide(db, DB, came))


def write(memory: Memory, *events: New) -> None:
    """Write what happened."""
    memory.write(lambda _: Decision(events))


def found(number: int = 5, **how: Any) -> New:
    """Give the event that a pending model was found."""
    return of_pending(number, PendingFound(number, FILE, "a", None, in_place=True, **how))


def kinds(events: list[Event]) -> list[type[Event]]:
    """Give the kinds of events, in order."""
    return [type(event) for event in events]


def only(kind: type[Any], events: list[Event]) -> Any:
    """Give the one event of a kind."""
    (event,) = [event for event in events if isinstance(event, kind)]
    return event


# A row with a hash


def test_a_new_model() -> None:
    """It is a claim with all the row says; its file lies where the row says."""
    memory = Memory()
    events = bring(memory, row(description="d", positive="p", tags=("x", "y"), type="vae"))

    assert only(ModelImported, events) == ModelImported(
        SHA,
        "a",
        "vae",
        10,
        Texts("d", prompts=Prompts("p")),
        {"rank": 8},
        claimed=True,
        path=PATH,
        created_at=3,
    )
    assert only(LocationClaimed, events) == LocationClaimed(SHA, FILE)
    assert (list(tags.of_model(memory.db, SHA).values()), kinds(events)[-1]) == (["x", "y"], RowMigrated)
    told = only(RowMigrated, events)
    assert (told.outcome, told.model, told.tags, told.is_missing, told.pending) == ("new", SHA, 2, False, None)


TOLD = Look("present", FILE, "model", "loras", {"rules": 1, "told": {"tags": ["SDXL", "x", "style"]}})


def test_what_the_file_of_a_new_model_says() -> None:
    """Its tags are put on as the header's, but for those that the row has too, or that a person took off before."""
    memory = Memory()
    write(memory, found(header=TOLD.header))
    patch = PendingPatch(tags=["style"])
    memory.write(lambda db: edit_pending(db, 5, patch, None))
    memory.write(lambda db: edit_pending(db, 5, PendingPatch(tags=[]), None))
    events = bring(memory, row(tags=("x", "y")), TOLD)

    assert [event.origin for event in events if isinstance(event, ModelTagged)] == ["user", "user"]
    other = row(2, OTHER, path="/m/b.safetensors", tags=("x",))
    lies = replace(TOLD, file=File("/m/b.safetensors", 1, 10, 5, 1, 8))
    bring(memory, other, lies)
    origins = tags.origins_of_model(memory.db, OTHER)
    by_name = {name: origins[tag] for tag, name in tags.of_model(memory.db, OTHER).items()}
    assert by_name == {"SDXL": "header", "x": "user", "style": "header"}


def test_what_the_file_of_a_new_pending_model_says() -> None:
    """Its tags are put on as the header's, but for those that the row has too; once, where it comes instead."""
    memory = Memory()
    bring(memory, row(sha256=None, tags=("x",)), TOLD)
    origins = tags.origins_of_pending(memory.db, 1)
    by_name = {name: origins[tag] for tag, name in tags.of_pending(memory.db, 1).items()}
    assert by_name == {"SDXL": "header", "x": "user", "style": "header"}

    other = Memory()
    write(other, found(header=TOLD.header), New("tag/1", TagCreated(1, "SDXL")))
    write(other, New("sidecars/pending/5", PendingTagged(5, 1, "header")))
    other.write(lambda db: rename(db, 1, "XL"))
    bring(other, row(sha256=None), TOLD)
    assert tags.of_pending(other.db, 1) == {1: "XL"}


@pytest.mark.parametrize(
    ("look", "type_", "claimed", "missing"),
    [
        (PRESENT, "loras", [False], False),
        (GONE, "loras", [True], True),
        (Look("unseen", GONE.file, "model", "loras"), "loras", [False], False),
        (OUTSIDE, "other", [], True),
        (Look("outside", OUTSIDE.file, exists=True), "other", [], False),
        (Look("present", FILE, "pending", "loras"), "loras", [], False),
    ],
)
def test_where_its_file_lies(look: Look, type_: str, claimed: list[bool], missing: bool) -> None:
    """It is claimed to lie in a model root, lost where nothing lies there; elsewhere nothing is claimed of it."""
    events = bring(Memory(), row(), look)

    assert only(ModelImported, events).type == type_
    assert [event.lost for event in events if isinstance(event, LocationClaimed)] == claimed
    assert only(RowMigrated, events).is_missing is missing


def test_a_known_model() -> None:
    """What it lacks is filled, what differs is appended with its source, tags are united; the rest stays."""
    memory = Memory()
    own = Texts("mine", "", Prompts("p"), ("w",))
    write(memory, of_model(SHA, ModelImported(SHA, "name", "loras", 10, own)))
    events = bring(memory, row(description="theirs", links="l", positive="p", tags=("x",), type="vae"))

    known = models.get(memory.db, SHA)
    assert known is not None
    assert known.own == Texts("mine\n\nFrom Hikaze 1, models 1:\ntheirs", "l", Prompts("p"), ("w",))
    assert (known.name, known.type, known.claimed) == ("name", "loras", False)
    assert only(RowMigrated, events).outcome == "united"


def test_a_row_that_comes_again() -> None:
    """The same row brings nothing; one that has changed brings what is new, and not what was taken away meanwhile."""
    memory = Memory()
    first = row(description="d", tags=("x", "y"))
    bring(memory, first)
    assert bring(memory, first, op="op2") == []
    (x, _) = tags.of_model(memory.db, SHA)
    write(memory, of_model(SHA, ModelUntagged(SHA, x)), of_model(SHA, ModelEdited(SHA, Changes(description=""))))
    events = bring(memory, row(description="d", negative="n", tags=("x", "y", "z")), op="op2")

    assert list(tags.of_model(memory.db, SHA).values()) == ["y", "z"]
    assert only(ModelEdited, events).changes == Changes(prompts=Prompts("", "n"))
    assert not [event for event in events if isinstance(event, LocationClaimed)]


def test_a_row_that_came_in_part() -> None:
    """It does not come again in the same migration; the next one brings what is left."""
    memory = Memory()
    bring(memory, row(tags=("x",)), in_part=True)

    assert is_done(memory.db, "op", row(tags=("x",)).digest)
    assert not is_done(memory.db, "op2", row(tags=("x",)).digest)
    events = bring(memory, row(tags=("x",)), op="op2", pictures=(Ready("t", PNG, "ff"),))
    assert kinds(events) == [ImageAdded, RowMigrated]
    assert bring(memory, row(tags=("x",)), op="op3") == []


def test_pictures() -> None:
    """Each gets its number and tells of which file it was made; the first is the cover."""
    events = bring(Memory(), row(), pictures=(Ready("t", PNG, "ff"), Ready("u", PNG, "ee")))

    added = [event for event in events if isinstance(event, ImageAdded)]
    assert [(event.seq, event.original, event.format) for event in added] == [(0, "ff", "PNG"), (1, "ee", "PNG")]
    assert only(RowMigrated, events).images == 2


@pytest.mark.parametrize("written", [True, False])
def test_a_pending_model_at_its_path(written: bool) -> None:
    """It ends, and what somebody wrote to it comes first."""
    memory = Memory()
    edit = PendingEdited(5, Changes(name="N", type="vae", description="mine"))
    write(memory, found(), of_pending(5, edit if written else PendingFound(5, FILE, "a", None, in_place=True)))
    events = bring(memory, row(description="theirs"))

    assert only(PendingImported, events) == PendingImported(5, SHA, "merged")
    born = only(ModelImported, events)
    if written:
        assert (born.name, born.type, born.pending) == ("N", "vae", 5)
        assert born.texts.description == "mine\n\nFrom Hikaze 1, models 1:\ntheirs"
    else:
        assert (born.name, born.type, born.texts.description) == ("a", "loras", "theirs")
    assert pending.at_path(memory.db, PATH) is None
    assert [there.model for there in models.locations(memory.db, SHA)] == [SHA]


@pytest.mark.parametrize(
    ("history", "size"),
    [
        ([New("import/i", ImportRequested("i", 5))], 10),
        ([of_pending(5, PendingEdited(5, Changes(description="mine")))], 11),
    ],
)
def test_a_pending_model_that_stays(history: list[New], size: int) -> None:
    """One that is being imported stays, and one that somebody wrote to and that is of another size; it is told why."""
    memory = Memory()
    write(memory, found(), *history)
    events = bring(memory, row(size=size, tags=("x",)))

    assert kinds(events) == [TagCreated, ModelImported, ModelTagged, RowRefused, RowMigrated]
    assert "pending model 5" in only(RowRefused, events).what
    assert pending.get(memory.db, 5) is not None


def test_a_path_of_another_model() -> None:
    """It stays that model's, which is told; all else comes."""
    memory = Memory()
    write(memory, of_model(OTHER, ModelImported(OTHER, "o", "vae", 10)), of_files(OTHER, LocationFound(OTHER, FILE)))
    events = bring(memory, row(description="d"))

    assert kinds(events) == [ModelImported, RowRefused, RowMigrated]
    assert OTHER[:12] in only(RowRefused, events).what


def test_what_changed_meanwhile() -> None:
    """Where a pending model has ended, come, or got another picture since all was made ready, it is made ready anew."""
    memory = Memory()
    write(memory, found())
    position = PendingPictured(5, ".png", "companion", 4, 4)
    for owner, ending in ((Owner(model=SHA), None), (Owner(model=SHA), Ending(5, 99)), (Owner(pending=5), None)):
        with pytest.raises(Changed):
            bring_to_model(memory.db, DB, Came("op", row(), PRESENT, owner, ending))
    write(memory, of_pending(5, position))
    with pytest.raises(Changed):
        bring_to_model(memory.db, DB, Came("op", row(), PRESENT, Owner(model=SHA), Ending(5, None)))


# A row without


def test_a_new_pending_model() -> None:
    """It has the id it had, and all the row says; where its file is gone it is missing."""
    memory = Memory()
    events = bring(memory, row(40, None, description="d", tags=("x",), type="vae"), GONE)

    assert kinds(events) == [TagCreated, PendingFound, RowMigrated, PendingEdited, PendingTagged, PendingLost]
    known = pending.get(memory.db, 40)
    assert known is not None
    assert (known.state, known.type, known.own.description, known.legacy) == (
        "missing",
        "vae",
        "d",
        "Hikaze 1, models 40",
    )


@pytest.mark.parametrize(("wished", "given"), [(40, 40), (5, 7), (6, 7), (None, 7), (0, 7), (-1, 7), (2**60, 7)])
def test_ids(wished: int | None, given: int) -> None:
    """An id that was ever somebody's is not given again: then it is the next."""
    memory = Memory()
    elsewhere = File("/m/other", 1, 1, 1, 1, 1)
    for number in (5, 6):
        write(memory, of_pending(number, PendingFound(number, elsewhere, "o", None, in_place=True)))
    write(memory, of_pending(6, PendingImported(6, OTHER, "imported")))

    assert owner_of(memory.db, DB, row(1, None, id=wished)) == Owner(pending=given, new=True)


WRITTEN = of_pending(5, PendingEdited(5, Changes(description="mine")))


@pytest.mark.parametrize(
    ("history", "owner"),
    [
        ([found()], Owner(pending=40, new=True, instead=5)),
        ([found(), WRITTEN], Owner(pending=5)),
        ([found(), New("import/i", ImportRequested("i", 5))], Owner(pending=5)),
        ([found(), of_pending(5, PendingDismissed(5))], Owner(pending=5)),
        ([found(), of_pending(5, PendingLost(5))], Owner(pending=5)),
        ([found(), WRITTEN, of_pending(5, PendingLost(5))], Owner(pending=5)),
        ([found(), of_pending(5, PendingDismissed(5, "/trash/1"))], Owner(pending=40, new=True)),
        (
            [of_model(OTHER, ModelImported(OTHER, "o", "vae", 10)), of_files(OTHER, LocationFound(OTHER, FILE))],
            Owner(model=OTHER),
        ),
    ],
)
def test_what_is_known_at_its_path(history: list[New], owner: Owner) -> None:
    """A pending model there is it, under the id it had where nobody wrote to it; a model there is united with it."""
    memory = Memory()
    write(memory, *history)

    assert owner_of(memory.db, DB, row(40, None)) == owner


@pytest.mark.parametrize(
    ("end", "look", "state", "back"),
    [
        (PendingDismissed(5), PRESENT, "waiting", [PendingReturned]),
        (PendingDismissed(5), GONE, "missing", [PendingReturned, PendingLost]),
        (PendingLost(5), PRESENT, "waiting", [PendingReturned]),
        (PendingLost(5), GONE, "missing", []),
    ],
)
def test_one_that_was_out_of_sight(end: Event, look: Look, state: str, back: list[type[Event]]) -> None:
    """It is shown again, for an earlier library has something to say of it."""
    memory = Memory()
    write(memory, found(), of_pending(5, end))
    events = bring(memory, row(40, None, description="d", tags=("x",)), look)

    known = pending.get(memory.db, 5)
    assert known is not None
    assert (known.state, known.own.description) == (state, "d")
    assert [kind for kind in kinds(events) if kind in (PendingReturned, PendingLost)] == back
    assert list(tags.of_pending(memory.db, 5).values()) == ["x"]


def test_one_that_was_imported_since() -> None:
    """A changed row comes to the model that its pending model became, wherever that lies now."""
    memory = Memory()
    for op in ("op", "op2"):
        write(memory, New(f"migration/{op}", MigrationBegun(op, DB, "/old/images", "v1")))
    bring(memory, row(40, None, tags=("x",)))
    elsewhere = File("/m/moved", 1, 10, 5, 1, 7)
    write(
        memory,
        New("import/i", ImportRequested("i", 40)),
        of_model(OTHER, ModelImported(OTHER, "o", "vae", 10)),
        of_files(OTHER, LocationFound(OTHER, elsewhere)),
        of_pending(40, PendingImported(40, OTHER, "imported")),
        New("import/i", ImportCompleted("i", 40, OTHER, "imported")),
    )
    events = bring(memory, row(40, None, tags=("x", "y")), GONE, op="op2")

    assert only(RowMigrated, events).model == OTHER
    assert list(tags.of_model(memory.db, OTHER).values()) == ["y"]  # x came, and was taken off since


# The rest


def test_tags_and_what_is_broken() -> None:
    """A tag that stands on nothing comes once; what is broken is told once in each migration."""
    memory = Memory()
    unused, broken = Unused("x", "3", "d"), Broken("models", "9", "why")

    def twice(decide: Callable[[apsw.Connection], Decision]) -> list[list[type[Event]]]:
        return [kinds(memory.write(decide)) for _ in range(2)]

    assert twice(lambda db: bring_tag(db, "op", unused, "v1")) == [[TagCreated, RowMigrated], []]
    assert twice(lambda db: refuse(db, "op", broken)) == [[RowRefused], []]
    assert twice(lambda db: refuse(db, "op2", broken)) == [[RowRefused], []]


WORD = st.sampled_from(["", "one", "two", "one two"])
ROWS = st.lists(
    st.builds(
        lambda number, sha256, path, description, negative, names: row(
            number, sha256, path=path, description=description, negative=negative, tags=tuple(dict.fromkeys(names))
        ),
        st.integers(1, 4),
        st.sampled_from([SHA, OTHER, None]),
        st.sampled_from([PATH, "/m/b", "/m/c"]),
        WORD,
        WORD,
        st.lists(st.sampled_from("xyz"), max_size=3),
    ),
    max_size=6,
    unique_by=lambda one: one.row,
)
LOOKS = st.sampled_from([PRESENT, GONE, OUTSIDE])


@given(ROWS, st.data())
def test_nothing_is_dropped(rows: list[Row], data: st.DataObject) -> None:
    """Whatever rows there are, of one content or at one path: each finds all it says in one place, and only once."""
    memory = Memory()
    for one in rows:
        look = data.draw(LOOKS)
        file = File(one.path or "", look.file.root, 10, look.file.mtime_ns, look.file.dev, look.file.ino)
        told = only(RowMigrated, bring(memory, one, Look(look.state, file, look.kind, look.type)))
        own, names = _said(memory, told)
        assert set(one.tags) <= names
        assert set(one.description.split()) <= set(own.description.split())
        assert set(one.negative.split()) <= set(own.prompts.negative.split())
    for one in rows:
        assert bring(memory, one, op="again") == []


def _said(memory: Memory, told: RowMigrated) -> tuple[Texts, set[str]]:
    if told.model is not None:
        known = models.get(memory.db, told.model)
        assert known is not None
        return known.own, set(tags.of_model(memory.db, told.model).values())
    there = pending.get(memory.db, told.pending or 0)
    assert there is not None
    return there.own, set(tags.of_pending(memory.db, there.id).values())
