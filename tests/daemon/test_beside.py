"""What sidecars that were read mean: nothing of it is anybody's word but the sidecar's, and nothing comes twice."""

from itertools import permutations
from typing import Any

import apsw
import pytest
from hikaze.daemon import edits, tagging
from hikaze.daemon.sidecars.beside import PREVIEW, Report, read_beside
from hikaze.daemon.sightings import of_files, of_model, of_pending
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    ImageAdded,
    LocationFound,
    LocationLost,
    LocationMoved,
    ModelEdited,
    ModelImported,
    ModelProvided,
    ModelTagged,
    PendingDismissed,
    PendingFound,
    PendingProvided,
    PendingTagged,
    Prompts,
    Provided,
    Sidecar,
    TagCreated,
)
from hikaze.events.pathtext import to_text
from hikaze.events.record import New
from hikaze.events.writer import Decision
from hikaze.projections import models, pending, tags
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from .library import Memory

A, B = "a" * 64, "b" * 64
SIZE, MTIME = 10, 5
FIELDS = ("description", "community_links", "prompts", "trigger_words", "favorite")


def at(path: str, ino: int = 7, size: int = SIZE, mtime_ns: int = MTIME) -> File:
    """Give a model file."""
    return File(path, 1, size, mtime_ns, 1, ino)


def imported(sha256: str, *paths: str) -> list[New]:
    """Give the history of a model with a file at each of some paths."""
    born = of_model(sha256, ModelImported(sha256, "name", "loras", SIZE))
    return [born, *(of_files(sha256, LocationFound(sha256, at(path, ino))) for ino, path in enumerate(paths, 1))]


def found(number: int, path: str) -> list[New]:
    """Give the history of a pending model."""
    return [of_pending(number, PendingFound(number, at(path), "name", "loras", in_place=True))]


def memory(*histories: list[New]) -> Memory:
    """Give a library in which something has happened."""
    made = Memory()
    made.write(lambda _db: Decision([new for history in histories for new in history]))
    return made


def sidecar(path: str, source: str = "text", mtime_ns: int = 1) -> Sidecar:
    """Give a sidecar as it was when it was read."""
    return Sidecar(path, source, 3, mtime_ns)


def report(path: str, *told: tuple[Sidecar, Provided], size: int = SIZE, mtime_ns: int = MTIME) -> Report:
    """Give what lies beside a model file."""
    return Report(path, size, mtime_ns, told)


def read(in_: Memory, *reports: Report) -> list[Event]:
    """Read sidecars; gives the events that follow."""
    return in_.write(lambda db: read_beside(db, reports))


def edit(in_: Memory, sha256: str, **fields: Any) -> list[Event]:
    """Have somebody write to a model."""
    return in_.write(lambda db: edits.edit_model(db, sha256, edits.ModelPatch(**fields), None))


NOTES, OTHER = Provided(notes="one"), Provided(notes="two")


def test_who_is_told_of() -> None:
    """A sidecar tells of the model whose content lies beside it, else of the pending model that waits there."""
    library = memory(imported(A, "/m/a.ckpt"), found(1, "/m/b.ckpt"))
    mine, other = sidecar("/m/a.txt"), sidecar("/m/b.txt")
    both = [report("/m/a.ckpt", (mine, NOTES)), report("/m/b.ckpt", (other, OTHER))]

    assert read(library, *both) == [ModelProvided(A, mine, NOTES), PendingProvided(1, other, OTHER)]
    assert read(library, *both) == []
    assert (library.value, models.provided(library.db, A)) == (0, [(mine, NOTES)])
    assert pending.provided(library.db, 1) == [(other, OTHER)]


@pytest.mark.parametrize(
    ("after", "path"),
    [
        ([], "/m/nobody.ckpt"),
        ([of_files(A, LocationLost(A, "/m/a.ckpt"))], "/m/a.ckpt"),
        ([of_files(A, LocationMoved(A, "/m/a.ckpt", at("/m/c.ckpt")))], "/m/a.ckpt"),
        ([of_pending(1, PendingDismissed(1))], "/m/b.ckpt"),
    ],
)
def test_nobody_is_told_of(after: list[New], path: str) -> None:
    """Where nobody's file lies a sidecar tells of nobody."""
    library = memory(imported(A, "/m/a.ckpt"), found(1, "/m/b.ckpt"), after)

    assert read(library, report(path, (sidecar("/m/a.txt"), NOTES))) == []


def test_other_content_came_meanwhile() -> None:
    """While it is not known what lies there now, nobody gets what the sidecar beside it says."""
    library = memory(imported(A, "/m/a.ckpt"))

    assert read(library, report("/m/a.ckpt", (sidecar("/m/a.txt"), NOTES), mtime_ns=6)) == []
    assert read(library, report("/m/a.ckpt", (sidecar("/m/a.txt"), NOTES), size=11)) == []


def test_a_name_that_is_no_text() -> None:
    """A path that is no valid UTF-8 is a path like any other."""
    path = to_text("/m/\udcff.ckpt")
    library, beside = memory(imported(A, path)), sidecar(to_text("/m/\udcff.txt"))

    assert read(library, report(path, (beside, NOTES))) == [ModelProvided(A, beside, NOTES)]


@pytest.mark.parametrize(
    "elsewhere",
    [sidecar("/m/a.txt", mtime_ns=9), sidecar("/n/a.txt"), sidecar("/n/a.txt", mtime_ns=9)],
    ids=["touched", "moved", "copied"],
)
def test_nothing_new(elsewhere: Sidecar) -> None:
    """A sidecar that was touched, moved or copied with its model says nothing new."""
    library = memory(imported(A, "/m/a.ckpt", "/n/a.ckpt"))
    read(library, report("/m/a.ckpt", (sidecar("/m/a.txt"), NOTES)))

    assert read(library, report("/n/a.ckpt", (elsewhere, NOTES))) == []


def test_another_format_says_the_same() -> None:
    """What one format says does not stand for another."""
    library, beside = memory(imported(A, "/m/a.ckpt")), sidecar("/m/a.json", "a1111")
    read(library, report("/m/a.ckpt", (sidecar("/m/a.txt"), NOTES)))

    assert read(library, report("/m/a.ckpt", (beside, NOTES))) == [ModelProvided(A, beside, NOTES)]


def test_two_locations_that_differ() -> None:
    """Each is taken once, in whatever order they are looked at, until one of them changes; then that one counts."""
    library = memory(imported(A, "/m/a.ckpt", "/n/a.ckpt"))
    here, there = sidecar("/m/a.txt"), sidecar("/n/a.txt")
    first, second = report("/m/a.ckpt", (here, NOTES)), report("/n/a.ckpt", (there, OTHER))
    read(library, first, second)
    for order in permutations((first, second, first, second)):
        assert read(library, *order) == []
    description = models.get(library.db, A)
    assert description is not None
    assert description.texts.description == "two"

    changed = sidecar("/n/a.txt", mtime_ns=9)
    assert read(library, report("/n/a.ckpt", (changed, NOTES))) == [ModelProvided(A, changed, NOTES)]
    assert read(library, first, report("/n/a.ckpt", (changed, NOTES))) == []
    back = sidecar("/m/a.txt", mtime_ns=9)
    assert read(library, report("/m/a.ckpt", (back, OTHER))) == [ModelProvided(A, back, OTHER)]


def test_the_better_source_has_the_last_word() -> None:
    """Of several files of one format at a model that of the preferred name counts, as far as one must."""
    library = memory(imported(A, "/m/a.ckpt"))
    read(library, report("/m/a.ckpt", (sidecar("/m/a.txt"), NOTES), (sidecar("/m/a.md"), OTHER)))

    known = models.get(library.db, A)
    assert known is not None
    assert known.texts.description.startswith("one")


BROKEN = Provided(problem="it is no JSON")


def test_broken_and_repaired() -> None:
    """A sidecar that cannot be read any more says what it said, and why; repaired it says that no more."""
    library, beside = memory(imported(A, "/m/a.ckpt")), sidecar("/m/a.json", "a1111")
    whole = Provided(notes="one", tags=("x",))
    read(library, report("/m/a.ckpt", (beside, whole)))
    kept = Provided(notes="one", tags=("x",), problem="it is no JSON")
    assert read(library, report("/m/a.ckpt", (beside, BROKEN))) == [ModelProvided(A, beside, kept)]
    assert read(library, report("/m/a.ckpt", (beside, BROKEN))) == []
    assert read(library, report("/m/a.ckpt", (beside, whole))) == [ModelProvided(A, beside, whole)]


def test_broken_from_the_first() -> None:
    """A sidecar that never could be read is named, and says nothing."""
    library, beside = memory(imported(A, "/m/a.ckpt")), sidecar("/m/a.json", "a1111")

    assert read(library, report("/m/a.ckpt", (beside, BROKEN))) == [ModelProvided(A, beside, BROKEN)]


def test_broken_where_it_was_moved_to() -> None:
    """What was read before it moved and broke is kept."""
    library = memory(imported(A, "/m/a.ckpt", "/n/a.ckpt"))
    read(library, report("/m/a.ckpt", (sidecar("/m/a.json", "a1111"), NOTES)))
    moved = sidecar("/n/a.json", "a1111")
    kept = Provided(notes="one", problem="it is no JSON")

    assert read(library, report("/n/a.ckpt", (moved, BROKEN))) == [ModelProvided(A, moved, kept)]


def test_emptied() -> None:
    """Who empties notes takes them away; a provider that has nothing any more takes nothing away."""
    library = memory(imported(A, "/m/a.ckpt"))
    notes, info = sidecar("/m/a.txt"), sidecar("/m/a.civitai.info", "civitai-info")
    assert read(library, report("/m/a.ckpt", (notes, Provided()), (info, Provided()))) == []
    read(library, report("/m/a.ckpt", (notes, NOTES), (info, OTHER)))

    emptied = read(library, report("/m/a.ckpt", (notes, Provided()), (info, Provided())))
    assert emptied == [ModelProvided(A, notes, Provided())]


def test_a_preview_that_is_not_taken() -> None:
    """It is named of who has no picture, once."""
    library, video = memory(imported(A, "/m/a.ckpt"), found(1, "/m/b.ckpt")), sidecar("/m/a.mp4", PREVIEW)
    told = [report("/m/a.ckpt", (video, BROKEN))]
    assert read(library, *told) == [ModelProvided(A, video, BROKEN)]
    assert read(library, *told) == []

    library = memory(imported(A, "/m/a.ckpt"), [of_model(A, ImageAdded(A, 0, "PNG", 8, 8))])
    assert read(library, *told) == []


# Tags


def names(library: Memory, sha256: str) -> set[str]:
    """Give the names of a model's tags."""
    return set(tags.of_model(library.db, sha256).values())


def test_tags_of_a_sidecar() -> None:
    """They are put on, made where they are new, and are the sidecar's; those a person put on stay that person's."""
    library, beside = memory(imported(A, "/m/a.ckpt"), found(1, "/m/b.ckpt")), sidecar("/m/a.txt")
    edit(library, A, tags=["Anime"])
    provided = Provided(tags=("anime", "style", "STYLE", "no\x00good"))
    events = read(library, report("/m/a.ckpt", (beside, provided)), report("/m/b.ckpt", (beside, provided)))

    assert events == [
        TagCreated(2, "style"),
        ModelProvided(A, beside, provided),
        ModelTagged(A, 2, "provider"),
        PendingProvided(1, beside, provided),
        PendingTagged(1, 1, "provider"),
        PendingTagged(1, 2, "provider"),
    ]
    assert names(library, A) == {"Anime", "style"}
    assert tags.origins_of_model(library.db, A) == {1: "user", 2: "provider"}


def _takes_off(library: Memory) -> None:
    edit(library, A, tags=[])


def _renames(library: Memory) -> None:
    known = tags.find(library.db, "style")
    assert known is not None
    library.write(lambda db: tagging.rename(db, known[0], "look"))


def _merges(library: Memory) -> None:
    library.write(lambda db: tagging.create(db, "look"))
    _renames(library)


def _deletes(library: Memory) -> None:
    known = tags.find(library.db, "style")
    assert known is not None
    library.write(lambda db: tagging.delete(db, known[0]))


@pytest.mark.parametrize(
    ("does", "left"), [(_takes_off, set()), (_renames, {"look"}), (_merges, {"look"}), (_deletes, set())]
)
def test_a_tag_that_was_removed_stays_away(does: Any, left: set[str]) -> None:
    """What somebody did to a tag that a sidecar brought is not undone by that sidecar, nor by another."""
    library = memory(imported(A, "/m/a.ckpt", "/n/a.ckpt"))
    read(library, report("/m/a.ckpt", (sidecar("/m/a.txt"), Provided(tags=("style",)))))
    does(library)
    read(library, report("/m/a.ckpt", (sidecar("/m/a.txt"), Provided(notes="new", tags=("Style",)))))
    read(library, report("/n/a.ckpt", (sidecar("/n/a.json", "a1111"), Provided(notes="x", tags=("style", "new")))))

    assert names(library, A) == left | {"new"}


def test_a_tag_that_a_person_took_off_before_any_sidecar_named_it() -> None:
    """A sidecar that names it for the first time does not put it on; it comes back by the person alone."""
    library = memory(imported(A, "/m/a.ckpt"), found(1, "/m/b.ckpt"))
    edit(library, A, tags=["style"])
    edit(library, A, tags=[])
    for named in (["style"], []):
        patch = edits.PendingPatch(tags=named)
        library.write(lambda db, patch=patch: edits.edit_pending(db, 1, patch, None))
    told = sidecar("/m/a.txt"), Provided(tags=("Style", "new"))
    read(library, report("/m/a.ckpt", told), report("/m/b.ckpt", told))

    assert names(library, A) == {"new"}
    assert set(tags.of_pending(library.db, 1).values()) == {"new"}
    edit(library, A, tags=["new", "style"])
    assert names(library, A) == {"new", "style"}


def test_a_tag_that_a_sidecar_names_no_more() -> None:
    """Nothing is taken off by a sidecar."""
    library = memory(imported(A, "/m/a.ckpt"))
    read(library, report("/m/a.ckpt", (sidecar("/m/a.txt"), Provided(tags=("style",)))))
    events = read(library, report("/m/a.ckpt", (sidecar("/m/a.txt"), Provided(notes="x"))))

    assert [type(event) for event in events] == [ModelProvided]
    assert names(library, A) == {"style"}


# People and providers

_TEXT = st.sampled_from(["", "user's", "user's other"])
_EDIT = st.one_of(
    st.builds(lambda text: Changes(description=text), _TEXT),
    st.builds(lambda text: Changes(community_links=text), _TEXT),
    st.builds(lambda text: Changes(prompts=Prompts(text, text)), _TEXT),
    st.builds(lambda text: Changes(trigger_words=(text,) if text else ()), _TEXT),
    st.builds(lambda is_favorite: Changes(favorite=is_favorite), st.booleans()),
)
_PROVIDED = st.builds(
    Provided,
    notes=st.sampled_from(["", "theirs", "theirs too"]),
    description=st.sampled_from(["", "a provider's"]),
    links=st.sampled_from([(), ("https://x",)]),
    prompts=st.sampled_from([Prompts(), Prompts("theirs", "")]),
    trigger_words=st.sampled_from([(), ("theirs",)]),
    favorite=st.booleans(),
    problem=st.sampled_from(["", "broken"]),
)
_READ = st.tuples(st.sampled_from(["text", "a1111", "civitai-info"]), st.sampled_from(["/m", "/n"]), _PROVIDED)


@given(st.lists(st.one_of(_EDIT, _READ), max_size=12))
def test_a_provider_never_overwrites_a_person(steps: list[Any]) -> None:
    """A field that a person gave is what that person gave last, whatever sidecars say, before or after."""
    library = memory(imported(A, "/m/a.ckpt", "/n/a.ckpt"))
    given_: dict[str, Any] = {}
    for step in steps:
        if isinstance(step, Changes):
            library.write(lambda _db, step=step: Decision([of_model(A, ModelEdited(A, step))]))
            given_ |= {name: getattr(step, name) for name in FIELDS if getattr(step, name) is not UNSET}
        else:
            source, folder, provided = step
            read(library, report(f"{folder}/a.ckpt", (sidecar(f"{folder}/a.{source}", source), provided)))
            assert read(library, report(f"{folder}/a.ckpt", (sidecar(f"{folder}/a.{source}", source), provided))) == []

    known = models.get(library.db, A)
    assert known is not None
    seen = {"favorite": known.favorite} | {name: getattr(known.texts, name) for name in FIELDS if name != "favorite"}
    assert {name: seen[name] for name in given_} == given_


def test_a_sidecar_disturbs_no_editor() -> None:
    """What a sidecar says leaves the version as it is by which an editor knows that nobody else has written."""

    def versions(db: apsw.Connection) -> tuple[int, int]:
        known, waiting = models.get(db, A), pending.get(db, 1)
        assert known is not None
        assert waiting is not None
        return known.version, waiting.version

    library = memory(imported(A, "/m/a.ckpt"), found(1, "/m/b.ckpt"))
    before = versions(library.db)
    said = Provided(notes="x", tags=("style",))
    read(library, *(report(f"/m/{name}.ckpt", (sidecar(f"/m/{name}.txt"), said)) for name in "ab"))

    assert versions(library.db) == before
    waiting = pending.get(library.db, 1)
    assert waiting is not None
    assert not waiting.written
