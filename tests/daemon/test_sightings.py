"""What the files that were looked at mean."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon import looking
from hikaze.daemon.roots import Wanted, every, of_path
from hikaze.daemon.scan import look, stat_file
from hikaze.daemon.sightings import (
    Outcome,
    Sighting,
    break_off,
    known_files,
    lose,
    of_files,
    of_model,
    of_pending,
    recognise,
    see,
)
from hikaze.events.catalog import (
    Changes,
    File,
    ImportRequested,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationRefreshed,
    LocationReplaced,
    ModelImported,
    ModelTagged,
    PendingChanged,
    PendingDismissed,
    PendingEdited,
    PendingFound,
    PendingImported,
    PendingLost,
    PendingMoved,
    PendingRecognised,
    PendingReturned,
)
from hikaze.events.pathtext import to_path
from hikaze.events.record import New
from hikaze.events.writer import Decision
from hikaze.projections import models, pending, tags
from hikaze.projections.tables import rows
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .library import Memory, put_model

A, B = "a" * 64, "b" * 64
MODELS, DROP = 1, 2


def at(path: str, ino: int = 7, size: int = 10, mtime_ns: int = 5, root: int = MODELS) -> File:
    """Give a file as it was looked at."""
    return File(path, root, size, mtime_ns, 1, ino)


def sighting(
    file: File, *, gone: Iterable[str] = (), linked: Iterable[str] = (), sha256: str | None = None
) -> Sighting:
    """Give a sighting of a file; those in root 2 lie in a drop folder."""
    kind = "pending" if file.root == DROP else "model"
    return Sighting(file, kind, "loras", {}, frozenset(gone), frozenset(linked), sha256)


def model(sha256: str, file: File) -> list[New]:
    """Give the history of a model with one file."""
    born = ModelImported(sha256, "name", "loras", file.size)
    return [of_model(sha256, born), of_files(sha256, LocationFound(sha256, file))]


def waiting(number: int, file: File) -> list[New]:
    """Give the history of a pending model."""
    found = PendingFound(number, file, "old", "loras", file.root == MODELS)
    return [of_pending(number, found)]


def known_as_a(file: File) -> list[New]:
    """Give the history of a model, and of a pending model that was found to be its content."""
    return [*model(A, at("/m/other.pt", ino=99)), *waiting(1, file), of_pending(1, PendingRecognised(1, A))]


def found(number: int, file: File, replaces: str | None = None) -> PendingFound:
    """Give the event of a new pending model."""
    stem = os.path.splitext(os.path.basename(file.path))[0]
    return PendingFound(number, file, stem, "loras", file.root == MODELS, {}, replaces)


WRITTEN = of_pending(1, PendingEdited(1, Changes(description="mine")))
LOST = of_files(A, LocationLost(A, "/m/a.pt"))
GONE = of_pending(1, PendingLost(1))
HIDDEN = of_pending(1, PendingDismissed(1))
TRASHED = of_pending(1, PendingDismissed(1, "/t/1"))

here, there, drop = at("/m/a.pt"), at("/m/b.pt"), at("/d/a.pt", root=DROP)
touched, edited, bigger = at("/m/a.pt", mtime_ns=6), at("/m/a.pt", ino=8), at("/m/a.pt", size=11)

CASES: dict[str, tuple[list[New], list[Sighting], list[Any]]] = {
    "a dropped file and a model's file that change places": (
        model(A, here) + waiting(1, at("/d/a.pt", ino=9, root=DROP)),
        [sighting(at("/d/a.pt", root=DROP), gone=["/m/a.pt"]), sighting(at("/m/a.pt", ino=9), gone=["/d/a.pt"])],
        [
            PendingMoved(1, at("/m/a.pt", ino=9), "a", "loras", in_place=True),
            LocationReplaced(A, "/m/a.pt"),
            found(2, at("/d/a.pt", root=DROP)),
            PendingRecognised(2, A),
        ],
    ),
    "known content that is moved from a drop folder into a model root": (
        [*model(A, there), *waiting(1, drop), of_pending(1, PendingRecognised(1, A))],
        [sighting(here, gone=["/d/a.pt"])],
        [LocationFound(A, here), PendingImported(1, A, "merged")],
    ),
    "known content to which somebody wrote, moved into a model root": (
        [*model(A, there), *waiting(1, drop), of_pending(1, PendingRecognised(1, A)), WRITTEN],
        [sighting(here, gone=["/d/a.pt"])],
        [PendingMoved(1, here, "a", "loras", in_place=True)],
    ),
    "a new file in a model root": ([], [sighting(here)], [found(1, here)]),
    "a new file in a drop folder": ([], [sighting(drop)], [found(1, drop)]),
    "a known location": (model(A, here), [sighting(here)], []),
    "a known location, hashed": (model(A, here), [sighting(here, sha256=A)], []),
    "a known pending model": (waiting(1, here), [sighting(here)], []),
    "a touched file": (model(A, here), [sighting(touched)], []),
    "a touched file with the same bytes": (
        model(A, here),
        [sighting(touched, sha256=A)],
        [LocationRefreshed(A, touched)],
    ),
    "a touched file with other bytes": (
        model(A, here),
        [sighting(touched, sha256=B)],
        [LocationReplaced(A, "/m/a.pt"), found(1, touched, A)],
    ),
    "a file that was overwritten by a known model's content": (
        model(A, here) + model(B, there),
        [sighting(touched, sha256=B)],
        [LocationReplaced(A, "/m/a.pt"), LocationFound(B, touched)],
    ),
    "an overwritten file": (
        model(A, here),
        [sighting(bigger)],
        [LocationReplaced(A, "/m/a.pt"), found(1, bigger, A)],
    ),
    "a lost file that is here again": ([*model(A, here), LOST], [sighting(here)], [LocationFound(A, here)]),
    "a lost file, made again with the same bytes": (
        [*model(A, here), LOST],
        [sighting(edited, sha256=A)],
        [LocationFound(A, edited)],
    ),
    "a location in a root that has another number now": (
        model(A, at("/m/a.pt", root=3)),
        [sighting(here)],
        [LocationFound(A, here)],
    ),
    "a moved location": (
        model(A, here),
        [sighting(there, gone=["/m/a.pt"])],
        [LocationMoved(A, "/m/a.pt", there)],
    ),
    "a lost location that turns up elsewhere": (
        [*model(A, here), LOST],
        [sighting(there, gone=["/m/a.pt"])],
        [LocationMoved(A, "/m/a.pt", there)],
    ),
    "a second name of a location": (model(A, here), [sighting(there, linked=["/m/a.pt"])], [LocationFound(A, there)]),
    "a location moved into a drop folder": (
        model(A, here),
        [sighting(drop, gone=["/m/a.pt"])],
        [LocationLost(A, "/m/a.pt"), found(1, drop), PendingRecognised(1, A)],
    ),
    "a second name in a drop folder": (
        model(A, here),
        [sighting(drop, linked=["/m/a.pt"])],
        [found(1, drop), PendingRecognised(1, A)],
    ),
    "a location moved onto another model's file": (
        model(A, here) + model(B, at("/m/b.pt", ino=8)),
        [sighting(there, gone=["/m/a.pt"])],
        [LocationReplaced(B, "/m/b.pt"), LocationMoved(A, "/m/a.pt", there)],
    ),
    "a location moved onto another file of its model": (
        [*model(A, here), of_files(A, LocationFound(A, at("/m/b.pt", ino=8)))],
        [sighting(there, gone=["/m/a.pt"])],
        [LocationRefreshed(A, there)],
    ),
    "a location moved onto a pending model's file": (
        model(A, here) + waiting(1, at("/m/b.pt", ino=8)),
        [sighting(there, gone=["/m/a.pt"])],
        [PendingLost(1), LocationMoved(A, "/m/a.pt", there)],
    ),
    "two files that exchanged their names": (
        model(A, here) + model(B, at("/m/b.pt", ino=8)),
        [sighting(edited, gone=["/m/b.pt"]), sighting(there, gone=["/m/a.pt"])],
        [LocationMoved(B, "/m/b.pt", edited), LocationMoved(A, "/m/a.pt", there)],
    ),
    "a moved pending model": (
        waiting(1, here),
        [sighting(there, gone=["/m/a.pt"])],
        [PendingMoved(1, there, "b", "loras", True)],
    ),
    "a pending model moved out of a drop folder": (
        waiting(1, drop),
        [sighting(there, gone=["/d/a.pt"])],
        [PendingMoved(1, there, "b", "loras", True)],
    ),
    "a pending model that was gone and turns up elsewhere": (
        [*waiting(1, here), GONE],
        [sighting(there, gone=["/m/a.pt"])],
        [PendingMoved(1, there, "b", "loras", True)],
    ),
    "a hidden pending model that is moved": (
        [*waiting(1, here), HIDDEN],
        [sighting(there, gone=["/m/a.pt"])],
        [PendingMoved(1, there, "b", "loras", True)],
    ),
    "a dismissed file taken out of the trash to another place": (
        [*waiting(1, drop), TRASHED],
        [sighting(there, gone=["/d/a.pt"])],
        [PendingMoved(1, there, "b", "loras", True)],
    ),
    "a dismissed file put back": (
        [*waiting(1, drop), TRASHED],
        [sighting(drop)],
        [PendingReturned(1, drop, False)],
    ),
    "a pending model moved onto a location": (
        waiting(1, here) + model(B, at("/m/b.pt", ino=8)),
        [sighting(there, gone=["/m/a.pt"])],
        [LocationReplaced(B, "/m/b.pt"), PendingMoved(1, there, "b", "loras", True)],
    ),
    "two pending models that exchanged their names": (
        waiting(1, here) + waiting(2, at("/m/b.pt", ino=8)),
        [sighting(edited, gone=["/m/b.pt"]), sighting(there, gone=["/m/a.pt"])],
        [PendingMoved(2, edited, "a", "loras", True), PendingMoved(1, there, "b", "loras", True)],
    ),
    "a changed pending model": (waiting(1, here), [sighting(touched)], [PendingChanged(1, touched, "loras")]),
    "a hidden pending model": ([*waiting(1, here), HIDDEN], [sighting(here)], []),
    "a hidden pending model that changed": (
        [*waiting(1, here), HIDDEN],
        [sighting(touched)],
        [PendingChanged(1, touched, "loras")],
    ),
    "a pending model that was gone": (
        [*waiting(1, here), GONE],
        [sighting(here)],
        [PendingReturned(1, here, True)],
    ),
    "another file where a pending model was": ([*waiting(1, here), GONE], [sighting(edited)], [found(2, edited)]),
    "another file where an edited pending model was": (
        [*waiting(1, here), WRITTEN, GONE],
        [sighting(edited)],
        [PendingChanged(1, edited, "loras")],
    ),
    "known content in a new file of a model root": (
        model(A, here),
        [sighting(at("/m/c.pt", ino=9), sha256=A)],
        [LocationFound(A, at("/m/c.pt", ino=9))],
    ),
    "known content, whose file was lost, in a new file of a model root": (
        [*model(A, here), LOST],
        [sighting(at("/m/c.pt", ino=9), sha256=A)],
        [LocationMoved(A, "/m/a.pt", at("/m/c.pt", ino=9))],
    ),
    "known content in a new file of a drop folder": (
        model(A, here),
        [sighting(drop, sha256=A)],
        [found(1, drop), PendingRecognised(1, A)],
    ),
    "a pending model's root that became a model root": (
        waiting(1, at("/m/a.pt", root=DROP)),
        [sighting(here)],
        [PendingMoved(1, here, "a", "loras", True)],
    ),
    "several sightings of one path": (
        [],
        [sighting(here), sighting(touched)],
        [found(1, touched)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_sighting_means(case: str) -> None:
    """History in, sightings in, events out."""
    history, seen, events = CASES[case]
    memory = Memory()
    memory.write(lambda _db: Decision(history))

    assert memory.write(lambda db: see(db, seen)) == events
    # What was written once is known: the same look again tells nothing new.
    again = [replace(one, gone=frozenset(), sha256=None) for one in seen[-1:]]
    assert memory.write(lambda db: see(db, again)) == []


@pytest.mark.parametrize(
    ("history", "seen", "confirm"),
    [
        (model(A, here), sighting(touched), ["/m/a.pt"]),
        (model(A, here), sighting(at("/m/c.pt", ino=9)), ["/m/c.pt"]),
        (model(A, here), sighting(at("/m/c.pt", ino=9, size=11)), []),
        (model(A, here), sighting(drop, linked=["/m/a.pt"]), []),
        (model(A, here), sighting(there, gone=["/m/a.pt"]), []),
        ([*waiting(1, here), GONE, *model(A, there)], sighting(here), ["/m/a.pt"]),
    ],
)
def test_what_is_hashed(history: list[New], seen: Sighting, confirm: list[str]) -> None:
    """A file is hashed where it may be known content by its size, and nothing else tells."""
    memory = Memory()
    memory.write(lambda _db: Decision(history))
    memory.write(lambda db: see(db, [seen]))

    assert memory.value.confirm == confirm


def test_what_is_being_imported_is_not_recognised() -> None:
    """Its import decides what becomes of it, whichever of the two was written first."""
    memory = Memory()
    asked = New("import/x", ImportRequested("x", 1, "delete", None))
    memory.write(lambda _db: Decision([*model(A, there), *waiting(1, here), asked]))

    assert memory.write(lambda db: recognise(db, 1, sighting(here, sha256=A))) == []


@pytest.mark.parametrize(
    ("file", "events"),
    [
        (bigger, [LocationLost(A, "/m/a.pt")]),
        (touched, [LocationLost(A, "/m/a.pt")]),
        (here, []),
        (there, []),
    ],
)
def test_an_unfinished_file_at_a_location(file: File, events: list[Any]) -> None:
    """A model has lost what something else was written over; not what is as it was."""
    memory = Memory()
    memory.write(lambda _db: Decision(model(A, here)))

    assert memory.write(lambda db: break_off(db, [file])) == events
    assert memory.write(lambda db: break_off(db, [file])) == []


@pytest.mark.parametrize(
    ("history", "events"),
    [
        (model(A, here), [LocationLost(A, "/m/a.pt")]),
        ([*model(A, here), LOST], []),
        (waiting(1, here), [PendingLost(1)]),
        ([*waiting(1, here), WRITTEN], [PendingLost(1)]),
        ([*waiting(1, here), HIDDEN], [PendingLost(1)]),
        ([*waiting(1, here), GONE], []),
        ([], []),
    ],
)
def test_what_an_absence_means(history: list[New], events: list[Any]) -> None:
    """What lay at a path is lost once, and only what lay there."""
    memory = Memory()
    memory.write(lambda _db: Decision(history))

    assert memory.write(lambda db: lose(db, ["/m/a.pt", "/m/a.pt"])) == events


@pytest.mark.parametrize(
    ("history", "file", "sha256", "events"),
    [
        (waiting(1, here) + model(A, there), here, A, [LocationFound(A, here), PendingImported(1, A, "merged")]),
        ([*waiting(1, here), WRITTEN, *model(A, there)], here, A, [PendingRecognised(1, A)]),
        (waiting(1, drop) + model(A, there), drop, A, [PendingRecognised(1, A)]),
        (waiting(1, here) + model(A, there), here, B, []),
        (waiting(1, here) + model(A, there), touched, A, []),
        (known_as_a(drop), drop, A, []),
        (known_as_a(drop) + model(B, there), drop, B, [PendingChanged(1, drop, "loras"), PendingRecognised(1, B)]),
        (known_as_a(drop), drop, B, [PendingChanged(1, drop, "loras")]),
        (known_as_a(here) + model(B, there), here, B, [LocationFound(B, here), PendingImported(1, B, "merged")]),
        ([*known_as_a(here), WRITTEN], here, B, [PendingChanged(1, here, "loras")]),
    ],
)
def test_known_content_of_a_pending_model(history: list[New], file: File, sha256: str, events: list[Any]) -> None:
    """In a model root it becomes a location, unless somebody wrote to it; in a drop folder it says what it is."""
    memory = Memory()
    memory.write(lambda _db: Decision(history))

    assert memory.write(lambda db: recognise(db, 1, sighting(file, sha256=sha256))) == events
    assert memory.write(lambda db: recognise(db, 1, sighting(file, sha256=sha256))) == []


def test_a_given_name_survives_a_move() -> None:
    """A name that somebody gave is kept when the file gets another one."""
    memory = Memory()
    named = of_pending(1, PendingEdited(1, Changes(name="Mine", type="vae")))
    memory.write(lambda _db: Decision([*waiting(1, here), named]))

    moved = memory.write(lambda db: see(db, [sighting(there, gone=["/m/a.pt"])]))
    assert moved == [PendingMoved(1, there, "Mine", "vae", True)]


def test_outcomes_add_up() -> None:
    """The counts of several writes are joined."""
    total = Outcome(added=1, found=[1])
    total.join(Outcome(added=2, moved=1, found=[2], confirm=["/a"]))

    assert total == Outcome(added=3, moved=1, found=[1, 2], confirm=["/a"])


class Disk(RuleBasedStateMachine):
    """Real files in two model roots and a drop folder: whatever is done to them, the tables tell what is there."""

    names = st.sampled_from([f"{folder}/{name}.safetensors" for folder in ("m1", "m2", "d") for name in "ab"])
    seeds = st.integers(0, 2)

    @initialize()
    def begin(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.top = Path(self.temporary.name)
        for folder in ("m1", "m2", "d"):
            (self.top / folder).mkdir()
        wanted = [Wanted(str(self.top / name), "model", "loras") for name in ("m1", "m2")]
        self.memory = Memory().with_roots(*wanted, Wanted(str(self.top / "d"), "pending"))
        self.tagged: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "temporary"):
            self.temporary.cleanup()

    @rule(name=names, seed=seeds)
    def write(self, name: str, seed: int) -> None:
        """Overwrites in place, or makes a file."""
        put_model(self.top / name, seed)

    @rule(name=names, seed=seeds)
    def replace(self, name: str, seed: int) -> None:
        os.replace(put_model(self.top / "new", seed), self.top / name)

    @rule(source=names, onto=names)
    def rename(self, source: str, onto: str) -> None:
        if (self.top / source).exists():
            os.replace(self.top / source, self.top / onto)

    @rule(one=names, other=names)
    def exchange(self, one: str, other: str) -> None:
        if one != other and (self.top / one).exists() and (self.top / other).exists():
            os.rename(self.top / one, self.top / "kept")
            os.rename(self.top / other, self.top / one)
            os.rename(self.top / "kept", self.top / other)

    @rule(source=names, name=names)
    def link(self, source: str, name: str) -> None:
        if (self.top / source).exists() and not (self.top / name).exists():
            os.link(self.top / source, self.top / name)

    @rule(name=names)
    def delete(self, name: str) -> None:
        (self.top / name).unlink(missing_ok=True)

    @rule()
    def take_in(self) -> None:
        """Looks at everything, as the observer does."""
        self.scan()

    @rule(name=names)
    def import_in_place(self, name: str) -> None:
        """Makes a model of what lies at a path, with a tag."""
        self.scan()
        path = self.top / name
        known = pending.at_path(self.memory.db, str(path))
        if known is None or known.state != "waiting" or not known.in_place:
            return
        sha256 = self.hash(path)
        events = [
            of_files(sha256, LocationFound(sha256, known.file())),
            of_pending(known.id, PendingImported(known.id, sha256, "imported")),
        ]
        if models.get(self.memory.db, sha256) is None:
            born = ModelImported(sha256, known.name, "loras", known.size)
            events = [of_model(sha256, born), of_model(sha256, ModelTagged(sha256, 1)), *events]
        self.memory.write(lambda _db: Decision(events))
        self.tagged.add(sha256)

    def hash(self, path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def scan(self) -> None:
        memory, roots = self.memory, every(self.memory.db)
        gone: list[str] = []
        for root in roots:
            seen = look(root.path, looking.known_in(memory.db, root.id))
            gone += seen.gone
            self.see([looking.sighting_of(root, one) for one in (*seen.new, *seen.changed)])
        lost = [absent.path for absent in looking.really_gone(roots, gone, set())]
        memory.write(lambda db: lose(db, lost))

    def see(self, sightings: list[Sighting]) -> None:
        memory, roots = self.memory, every(self.memory.db)
        placed = looking.with_others(memory.db, roots, sightings)
        memory.write(lambda db: see(db, placed))
        for path in memory.value.confirm:
            root, seen = of_path(roots, to_path(path)), stat_file(to_path(path))
            assert root is not None
            assert seen is not None
            hashed = looking.sighting_of(root, seen, self.hash(Path(path)))
            known = pending.at_path(memory.db, path)
            if known is not None and known.state == "waiting" and models.location(memory.db, path) is None:
                memory.write(lambda db, number=known.id, hashed=hashed: recognise(db, number, hashed))
            else:
                (placed_,) = looking.with_others(memory.db, roots, [hashed])
                memory.write(lambda db, placed=placed_: see(db, [placed]))

    @invariant()
    def tables_equal_the_disk(self) -> None:
        if not hasattr(self, "memory"):
            return
        self.scan()
        self.scan()  # what a first look leaves open, as content moved over two roots, the second one sees
        db = self.memory.db
        on_disk = {str(path) for folder in ("m1", "m2", "d") for path in (self.top / folder).iterdir()}
        locations: dict[str, str] = dict(rows(db, "SELECT path, model_hash FROM locations WHERE NOT lost"))
        pendings = {row[0] for row in db.execute("SELECT path FROM pending_import WHERE state = 'waiting'")}
        assert locations.keys() | pendings == on_disk
        assert not locations.keys() & pendings
        for path, sha256 in locations.items():
            assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == sha256
        assert {
            sha256
            for sha256 in self.tagged
            if not db.execute("SELECT 1 FROM model_tags WHERE model_hash = ?", (sha256,)).get
        } == set()
        assert known_files(db, File("", 0, 0, 0, 0, 0)) == []
        assert tags.last_number(db) == 0


TestDisk = Disk.TestCase
TestDisk.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
