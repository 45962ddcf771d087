"""What model files say of themselves: it is put on once, and who takes it off has the last word."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import apsw
import pytest
from hikaze.daemon import edits, tagging
from hikaze.daemon.learning import MOST_TAGS, learnt_of_model, learnt_of_pending, names_told
from hikaze.daemon.shapes import ModelPatch, PendingPatch
from hikaze.daemon.sidecars.beside import Report, read_beside
from hikaze.daemon.sightings import (
    lose,
    of_files,
    of_model,
    of_pending,
    of_sidecars_of_model,
    of_sidecars_of_pending,
    see,
)
from hikaze.daemon.tagging import Tagger
from hikaze.events.catalog import (
    ClaimConfirmed,
    ClaimDenied,
    Event,
    File,
    LocationClaimed,
    LocationFound,
    LocationReplaced,
    ModelHeaderRead,
    ModelImported,
    ModelTagged,
    ModelUntagged,
    PendingChanged,
    PendingFound,
    PendingHeaderRead,
    PendingMoved,
    PendingProvided,
    PendingRecognised,
    PendingReturned,
    PendingTagged,
    PendingUntagged,
    Provided,
    Sidecar,
    TagCreated,
)
from hikaze.events.record import New
from hikaze.events.writer import Decision
from hikaze.projections import headers, models, pending, tags
from hypothesis import given
from hypothesis import strategies as st

from .library import Memory
from .test_sightings import A, B, at, sighting

SDXL, PONY = 1, 2
here, there, changed = at("/m/a.pt"), at("/m/b.pt"), at("/m/a.pt", mtime_ns=6)
RULES_1, RULES_2 = 1, 2


def header(*names: str, rules: int = RULES_1) -> dict[str, Any]:
    """Give a header that tells tags."""
    return {"rules": rules, "told": {"tags": list(names)}}


def seen(memory: Memory, file: File, head: dict[str, Any], **how: Any) -> list[Event]:
    """Let a file be seen; gives what follows."""
    return memory.write(lambda db: see(db, [replace(sighting(file, **how), header=head)]))


def read_model(memory: Memory, head: dict[str, Any], model: str = A, **how: Any) -> list[Event]:
    """Read the header of a model's file."""

    def decide(db: apsw.Connection) -> Decision:
        tagger = Tagger(db)
        learnt = learnt_of_model(db, tagger, model, head, **how)
        return Decision([*tagger.events, *(of_sidecars_of_model(model, event) for event in learnt)])

    return memory.write(decide)


def read_pending(memory: Memory, head: dict[str, Any], number: int = 1) -> list[Event]:
    """Read the header of a pending model's file."""

    def decide(db: apsw.Connection) -> Decision:
        tagger = Tagger(db)
        learnt = learnt_of_pending(db, tagger, number, head)
        return Decision([*tagger.events, *(of_sidecars_of_pending(number, event) for event in learnt)])

    return memory.write(decide)


def edit(memory: Memory, owner: int | str, *names: str) -> list[Event]:
    """Have a person say which tags there are to be."""
    if isinstance(owner, str):
        return memory.write(lambda db: edits.edit_model(db, owner, ModelPatch(tags=list(names)), None))
    return memory.write(lambda db: edits.edit_pending(db, owner, PendingPatch(tags=list(names)), None))


def memory(*history: New) -> Memory:
    """Give a library in which something has happened."""
    made = Memory()
    made.write(lambda _db: Decision(history))
    return made


def imported(head: dict[str, Any], sha256: str = A, *, claimed: bool = False) -> list[New]:
    """Give the history of a model with one file."""
    born = ModelImported(sha256, "name", "loras", here.size, header=head, claimed=claimed)
    lies = LocationClaimed(sha256, here) if claimed else LocationFound(sha256, here)
    return [of_model(sha256, born), of_files(sha256, lies)]


def of_model_(memory: Memory, model: str = A) -> dict[str, str]:
    """Give the tags of a model, and where each comes from."""
    origins = tags.origins_of_model(memory.db, model)
    return {name: origins[tag] for tag, name in tags.of_model(memory.db, model).items()}


def of_pending_(memory: Memory, number: int = 1) -> dict[str, str]:
    """Give the tags of a pending model, and where each comes from."""
    origins = tags.origins_of_pending(memory.db, number)
    return {name: origins[tag] for tag, name in tags.of_pending(memory.db, number).items()}


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ({}, []),
        ({"told": None}, []),
        ({"told": {"tags": "SDXL"}}, []),
        ({"told": {"tags": [None, 1, ["x"], " ", "\0", "x" * 201, "\udc00"]}}, []),
        (header(" SDXL ", "sdxl", "e\u0301tude", "\u00e9tude"), ["SDXL", "\u00e9tude"]),
        (header(*(str(number) for number in range(60))), [str(number) for number in range(MOST_TAGS)]),
    ],
)
def test_which_names_are_tags(head: dict[str, Any], names: list[str]) -> None:
    """Names are cleaned, each counts once, and what cannot be a tag is none."""
    assert list(names_told(head).values()) == names


# Files that are seen


def test_a_new_file() -> None:
    """What its header tells stands on it at once; nobody has written to it, and no editor is disturbed."""
    library = Memory()
    events = seen(library, here, header("SDXL"))

    found = PendingFound(1, here, "a", "loras", in_place=True, header=header("SDXL"))
    assert events == [TagCreated(1, "SDXL"), found, PendingTagged(1, 1, "header")]
    known = pending.get(library.db, 1)
    assert known is not None
    assert (known.written, known.version, of_pending_(library)) == (False, 1, {"SDXL": "header"})


def test_many_new_files() -> None:
    """A tag that several files of one look tell is made once."""
    library = Memory()
    sightings = [replace(sighting(at(f"/m/{n}.pt", ino=n)), header=header("SDXL")) for n in range(3)]
    events = library.write(lambda db: see(db, sightings))

    assert [event for event in events if isinstance(event, TagCreated)] == [TagCreated(1, "SDXL")]
    assert [of_pending_(library, number) for number in (1, 2, 3)] == [{"SDXL": "header"}] * 3


def test_a_file_that_is_overwritten() -> None:
    """What the new content tells takes the place of what the old told; what a person or a sidecar says stays."""
    library = Memory()
    seen(library, here, header("SDXL", "mine", "beside", "gone"))
    edit(library, 1, "SDXL", "mine", "beside", "own")
    sidecar = Provided(tags=("beside",))
    library.write(
        lambda db: read_beside(db, [Report("/m/a.pt", 10, 5, [(Sidecar("/m/a.txt", "text", 1, 1), sidecar)])])
    )
    head = header("Flux.1", "mine", "gone", rules=RULES_2)

    assert seen(library, changed, head) == [
        TagCreated(6, "Flux.1"),
        PendingChanged(1, changed, "loras", head),
        PendingUntagged(1, SDXL),
        PendingTagged(1, 6, "header"),
    ]
    assert of_pending_(library) == {"Flux.1": "header", "mine": "header", "beside": "header", "own": "user"}
    edit(library, 1, "Flux.1", "mine")
    assert seen(library, here, header("SDXL", "gone"))[1:] == [
        PendingUntagged(1, 6),
        PendingUntagged(1, 2),
        PendingTagged(1, SDXL, "header"),
    ]
    edit(library, 1)
    assert seen(library, changed, header("SDXL")) == [PendingChanged(1, changed, "loras", header("SDXL"))]


def test_a_models_file_that_is_overwritten() -> None:
    """Other content is a pending model of its own: what was taken off the model may stand on it."""
    library = memory(*imported(header("SDXL")))
    library.write(lambda db: tagging.create(db, "SDXL"))
    library.write(lambda _db: Decision([of_model(A, ModelTagged(A, 1, "header"))]))
    edit(library, A)
    seen(library, at("/m/a.pt", size=11), header("SDXL"))

    assert (of_model_(library), of_pending_(library)) == ({}, {"SDXL": "header"})


def test_a_file_that_was_known_before_there_were_rules() -> None:
    """When it is seen again its header is taken in: moved, back again, or touched."""
    library = memory(of_pending(1, PendingFound(1, here, "a", "loras", in_place=True)), *imported({}, B)[:1])
    library.write(lambda _db: Decision([of_files(B, LocationFound(B, at("/m/c.pt", ino=8)))]))
    moved = PendingMoved(1, there, "b", "loras", in_place=True)
    head = header("SDXL")

    assert seen(library, there, head, gone=["/m/a.pt"]) == [
        TagCreated(1, "SDXL"),
        moved,
        PendingHeaderRead(1, head),
        PendingTagged(1, 1, "header"),
    ]
    touched = at("/m/c.pt", ino=8, mtime_ns=9)
    assert seen(library, touched, head, sha256=B)[1:] == [ModelHeaderRead(B, head), ModelTagged(B, 1, "header")]
    assert seen(library, touched, header("Pony", rules=RULES_1)) == []


def test_a_file_that_is_back() -> None:
    """One that was away while the rules got better is read by them."""
    library = Memory()
    seen(library, here, header("SDXL"))
    edit(library, 1, "mine")
    library.write(lambda db: lose(db, ["/m/a.pt"]))
    head = header("SDXL", "Pony", rules=RULES_2)

    assert seen(library, here, head) == [
        TagCreated(3, "Pony"),
        PendingReturned(1, here, in_place=True),
        PendingHeaderRead(1, head),
        PendingTagged(1, 3, "header"),
    ]


def test_a_claim_that_is_confirmed() -> None:
    """What was read of a file before it was hashed counts no more if it was another's."""
    library = memory(*imported(header("Flux.1"), claimed=True))
    library.write(lambda db: tagging.create(db, "Flux.1"))
    library.write(lambda _db: Decision([of_sidecars_of_model(A, ModelTagged(A, 1, "header"))]))
    head = header("SDXL")

    assert seen(library, here, head, sha256=A) == [
        TagCreated(2, "SDXL"),
        ClaimConfirmed(A, here),
        ModelHeaderRead(A, head),
        ModelUntagged(A, 1),
        ModelTagged(A, 2, "header"),
    ]
    assert of_model_(library) == {"SDXL": "header"}


def test_a_claim_that_is_confirmed_as_it_was_read() -> None:
    """What is known already is not told again."""
    library = memory(*imported(header("Flux.1"), claimed=True))

    assert seen(library, here, header("Flux.1"), sha256=A) == [ClaimConfirmed(A, here)]


def test_a_claim_that_is_denied() -> None:
    """What was read of a file that is not the model's is said of the model no more; of the right one it is, later."""
    library = memory(*imported(header("Flux.1"), claimed=True))
    library.write(lambda db: tagging.create(db, "Flux.1"))
    library.write(lambda _db: Decision([of_sidecars_of_model(A, ModelTagged(A, 1, "header"))]))
    events = seen(library, here, header("Flux.1"), sha256=B)

    assert [type(event) for event in events] == [
        ClaimDenied,
        LocationReplaced,
        PendingFound,
        PendingTagged,
        ModelHeaderRead,
        ModelUntagged,
    ]
    assert (of_model_(library), of_pending_(library)) == ({}, {"Flux.1": "header"})
    seen(library, there, header("Flux.1", "SDXL"), sha256=A)
    assert of_model_(library) == {"Flux.1": "header", "SDXL": "header"}


def test_two_claims_that_are_exchanged() -> None:
    """Each model has what its own file says."""
    library = memory(*imported(header("Flux.1"), claimed=True))
    other = ModelImported(B, "b", "loras", 10, header=header("SDXL"), claimed=True)
    second = at("/m/b.pt", ino=8)
    library.write(lambda _db: Decision([of_model(B, other), of_files(B, LocationClaimed(B, second))]))
    sightings = [
        replace(sighting(here, sha256=B), header=header("Flux.1")),
        replace(sighting(second, sha256=A), header=header("SDXL")),
    ]
    library.write(lambda db: see(db, sightings))

    assert [headers.of_model(library.db, model) for model in (A, B)] == [header("SDXL"), header("Flux.1")]


def test_an_import_before_the_better_rules_came() -> None:
    """A tag that the pending model has for a worse reading alone does not come along to the model."""
    library = Memory()
    seen(library, here, header("SD 1.5", "style"))
    library.write(lambda _db: Decision(imported({}, B)[:1]))
    library.write(lambda _db: Decision([of_pending(1, PendingRecognised(1, B))]))
    seen(library, there, header("SDXL", "style", rules=RULES_2), gone=["/m/a.pt"])

    assert pending.get(library.db, 1) is None
    assert of_model_(library, B) == {"SDXL": "header", "style": "header"}


# Headers that are read anew


def test_better_rules() -> None:
    """What they tell anew is put on, a wrong guess goes, and what was told before is not put on again."""
    library = memory(*imported({}))
    assert read_model(library, {}) == []
    first = header("SDXL", "style")
    assert read_model(library, first)[-2:] == [ModelTagged(A, 1, "header"), ModelTagged(A, 2, "header")]
    assert read_model(library, header("Pony")) == []  # by the same rules it tells the same
    second = header("Pony", "style", rules=RULES_2)

    assert read_model(library, second) == [
        TagCreated(3, "Pony"),
        ModelHeaderRead(A, second),
        ModelUntagged(A, 1),
        ModelTagged(A, 3, "header"),
    ]
    known = models.get(library.db, A)
    assert known is not None
    assert known.version == 1
    edit(library, A, "style")
    third = header("Pony", "style", rules=3)
    assert read_model(library, third) == [ModelHeaderRead(A, third)]


def test_a_renamed_tag() -> None:
    """A tag that was renamed is not made again under its old name, and does not go when the header tells another."""
    library = memory(*imported({}))
    read_model(library, header("SDXL"))
    library.write(lambda db: tagging.rename(db, 1, "XL"))
    second = header("SDXL", rules=RULES_2)
    assert read_model(library, second) == [ModelHeaderRead(A, second)]
    read_model(library, header(rules=3))

    assert of_model_(library) == {"XL": "header"}


def test_a_tag_that_was_deleted() -> None:
    """It is made again for what comes, and not for what had it."""
    library = memory(*imported({}))
    read_model(library, header("SDXL"))
    library.write(lambda db: tagging.delete(db, 1))
    read_model(library, header("SDXL", rules=RULES_2))
    seen(library, there, header("SDXL"))

    assert (of_model_(library), of_pending_(library)) == ({}, {"SDXL": "header"})


def test_a_person_changes_its_mind() -> None:
    """A tag that a person takes off and puts on again is that person's; to take it off then is remembered as well."""
    library = Memory()
    seen(library, here, header("SDXL"))
    edit(library, 1)
    edit(library, 1, "SDXL")
    assert of_pending_(library) == {"SDXL": "user"}
    edit(library, 1)
    read_pending(library, header("SDXL", rules=RULES_2))

    assert of_pending_(library) == {}


# Whatever happens

NAMES = ("SDXL", "Pony")
STEPS = st.one_of(
    st.tuples(st.just("read"), st.lists(st.sampled_from(NAMES), unique=True)),
    st.tuples(st.just("changed"), st.lists(st.sampled_from(NAMES), unique=True)),
    st.tuples(st.just("sidecar"), st.lists(st.sampled_from(NAMES), unique=True)),
    st.tuples(st.just("off"), st.sampled_from(NAMES)),
    st.tuples(st.just("on"), st.sampled_from(NAMES)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
)


@given(st.lists(STEPS, max_size=12))
def test_who_takes_a_tag_off_has_the_last_word(steps: list[tuple[str, Any]]) -> None:
    """Whatever files say after that, it comes back by nobody but a person."""
    library, off, rules = Memory(), set[str](), 1
    seen(library, here, header("SDXL"))
    for step, (what, value) in enumerate(steps):
        rules += 1
        before = of_pending_(library)
        _DO[what](library, value, rules, step)
        match what:
            case "off" | "delete" if value in before:
                off.add(value)
            case "on":
                off.discard(value)
            case _:
                pass

        assert not off & of_pending_(library).keys()


def _sidecar(library: Memory, names: Iterable[str], _rules: int, step: int) -> None:
    path, known = f"/m/a.{step}.txt", pending.get(library.db, 1)
    assert known is not None
    told = Sidecar(path, "text", 1, 1), Provided(notes=path, tags=tuple(names))
    events = library.write(lambda db: read_beside(db, [Report("/m/a.pt", known.size, known.mtime_ns, [told])]))
    assert any(isinstance(event, PendingProvided) for event in events)


def _change_tags(library: Memory, change: Callable[[set[str]], set[str]]) -> None:
    edit(library, 1, *change(set(tags.of_pending(library.db, 1).values())))


def _delete(library: Memory, name: str, *_: Any) -> None:
    found = tags.find(library.db, name)
    if found is not None:
        library.write(lambda db: tagging.delete(db, found[0]))


_DO: dict[str, Callable[[Memory, Any, int, int], object]] = {
    "read": lambda library, names, rules, _: read_pending(library, header(*names, rules=rules)),
    "changed": lambda library, names, rules, step: seen(
        library, at("/m/a.pt", mtime_ns=100 + step), header(*names, rules=rules)
    ),
    "sidecar": _sidecar,
    "off": lambda library, name, *_: _change_tags(library, lambda names: names - {name}),
    "on": lambda library, name, *_: _change_tags(library, lambda names: names | {name}),
    "delete": _delete,
}
