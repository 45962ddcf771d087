"""What an earlier library says of files, until their bytes were hashed."""

import asyncio
import hashlib
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon import looking, telling
from hikaze.daemon.disks import Disks
from hikaze.daemon.hashing import Hashed, unheard
from hikaze.daemon.roots import as_file, every, of_path
from hikaze.daemon.scan import stat_file
from hikaze.daemon.sightings import (
    Sighting,
    break_off,
    of_files,
    of_model,
    of_pending,
    recognise,
    see,
    suspend,
)
from hikaze.daemon.watch import Hint
from hikaze.events.catalog import (
    ClaimConfirmed,
    ClaimDenied,
    File,
    LocationClaimed,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationRefreshed,
    LocationReplaced,
    ModelImported,
    ModelTagged,
    PendingDismissed,
    PendingImported,
    PendingLost,
    PendingMoved,
)
from hikaze.events.pathtext import to_path
from hikaze.events.record import New
from hikaze.events.writer import Decision
from hikaze.projections import claims, library, models, pending
from hikaze.projections.tables import rows
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from .home import Home, home
from .library import Memory, model_bytes, put_model
from .test_importer import sha_of
from .test_sightings import A, B, Disk, at, found, model, sighting, waiting

C = "c" * 64
here, there, drop = at("/m/a.pt"), at("/m/b.pt"), at("/d/a.pt", root=2)
touched, grown = at("/m/a.pt", mtime_ns=6), at("/m/a.pt", size=11)
LOST = of_files(A, LocationLost(A, "/m/a.pt"))


def claimed(sha256: str, *files: File, lost: bool = False) -> list[New]:
    """Give the history of a model of which an earlier library told, with its files."""
    born = ModelImported(sha256, f"earlier {sha256[0]}", "loras", files[0].size if files else 10, claimed=True)
    return [of_model(sha256, born), *(of_files(sha256, LocationClaimed(sha256, file, lost)) for file in files)]


NEVER_SEEN = claimed(A, File("/m/a.pt", 1, 10, 0, 0, 0), lost=True)

CASES: dict[str, tuple[list[New], list[Sighting], list[Any]]] = {
    "as it was": (claimed(A, here), [sighting(here)], []),
    "hashed, and what was claimed": (claimed(A, here), [sighting(here, sha256=A)], [ClaimConfirmed(A, here)]),
    "touched, and what was claimed": (claimed(A, here), [sighting(touched, sha256=A)], [ClaimConfirmed(A, touched)]),
    "other content": (
        claimed(A, here),
        [sighting(here, sha256=B)],
        [ClaimDenied(A, "/m/a.pt", B), LocationReplaced(A, "/m/a.pt"), found(1, here, A)],
    ),
    "the content of a model that is known": (
        claimed(A, here) + model(B, there),
        [sighting(here, sha256=B)],
        [ClaimDenied(A, "/m/a.pt", B), LocationReplaced(A, "/m/a.pt"), LocationFound(B, here)],
    ),
    "the content of a model that is missing": (
        [*claimed(A, here), *model(B, there), of_files(B, LocationLost(B, "/m/b.pt"))],
        [sighting(here, sha256=B)],
        [ClaimDenied(A, "/m/a.pt", B), LocationReplaced(A, "/m/a.pt"), LocationMoved(B, "/m/b.pt", here)],
    ),
    "two files that were exchanged behind the earlier library's back": (
        claimed(A, here) + claimed(B, at("/m/b.pt", ino=8)),
        [sighting(here, sha256=B), sighting(at("/m/b.pt", ino=8), sha256=A)],
        [
            ClaimDenied(A, "/m/a.pt", B),
            ClaimDenied(B, "/m/b.pt", A),
            LocationReplaced(A, "/m/a.pt"),
            LocationReplaced(B, "/m/b.pt"),
            LocationFound(B, here),
            LocationFound(A, at("/m/b.pt", ino=8)),
        ],
    ),
    "moved": (
        claimed(A, here),
        [sighting(there, gone=["/m/a.pt"])],
        [LocationMoved(A, "/m/a.pt", there, claimed=True)],
    ),
    "moved, and hashed there": (
        claimed(A, here),
        [sighting(there, gone=["/m/a.pt"], sha256=A)],
        [LocationMoved(A, "/m/a.pt", there)],
    ),
    "moved into a drop folder, where it is not known what it is": (
        claimed(A, here),
        [sighting(drop, gone=["/m/a.pt"])],
        [LocationLost(A, "/m/a.pt"), found(1, drop)],
    ),
    "another name of the file": (claimed(A, here), [sighting(there, linked=["/m/a.pt"])], [found(1, there)]),
    "another name in a drop folder": (claimed(A, here), [sighting(drop, linked=["/m/a.pt"])], [found(1, drop)]),
    "gone and back": ([*claimed(A, here), LOST], [sighting(here)], [LocationFound(A, here, claimed=True)]),
    "gone and back, hashed": (
        [*claimed(A, here), LOST],
        [sighting(touched, sha256=A)],
        [LocationFound(A, touched), ClaimConfirmed(A, touched)],
    ),
    "never seen, and here now": (
        NEVER_SEEN,
        [sighting(here, sha256=A)],
        [LocationFound(A, here), ClaimConfirmed(A, here)],
    ),
    "never seen, and something else is here now": (
        NEVER_SEEN,
        [sighting(here, sha256=B)],
        [ClaimDenied(A, "/m/a.pt", B), LocationReplaced(A, "/m/a.pt"), found(1, here, A)],
    ),
    "never seen, and found elsewhere": (
        NEVER_SEEN,
        [sighting(there, sha256=A)],
        [LocationMoved(A, "/m/a.pt", there)],
    ),
    "in a root that has another number now": (
        claimed(A, at("/m/a.pt", root=3)),
        [sighting(here)],
        [LocationFound(A, here, claimed=True)],
    ),
    "a confirmed file moved onto it": (
        [*claimed(A, here), of_files(A, LocationFound(A, at("/m/b.pt", ino=8)))],
        [sighting(at("/m/a.pt", ino=8), gone=["/m/b.pt"])],
        [LocationFound(A, at("/m/a.pt", ino=8))],
    ),
    "moved onto a confirmed file of its model": (
        [*claimed(A, here), of_files(A, LocationFound(A, at("/m/b.pt", ino=8)))],
        [sighting(there, gone=["/m/a.pt"])],
        [LocationFound(A, there, claimed=True)],
    ),
    "moved onto another claimed file of its model": (
        claimed(A, here, at("/m/b.pt", ino=8)),
        [sighting(there, gone=["/m/a.pt"])],
        [LocationRefreshed(A, there)],
    ),
    "a pending model moved onto it": (
        claimed(A, here) + waiting(1, at("/d/x.pt", ino=9, root=2)),
        [sighting(at("/m/a.pt", ino=9), gone=["/d/x.pt"])],
        [LocationReplaced(A, "/m/a.pt"), PendingMoved(1, at("/m/a.pt", ino=9), "a", "loras", in_place=True)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_claimed_file_means(case: str) -> None:
    """History in, sightings in, events out; a second look at the same tells nothing new."""
    history, seen, events = CASES[case]
    memory = Memory()
    memory.write(lambda _db: Decision(history))

    assert memory.write(lambda db: see(db, seen)) == events
    again = [replace(one, gone=frozenset(), sha256=None) for one in seen[-1:]]
    assert memory.write(lambda db: see(db, again)) == []


@pytest.mark.parametrize(
    ("history", "seen", "confirm"),
    [
        (claimed(A, here), sighting(here), []),
        (claimed(A, here), sighting(touched), ["/m/a.pt"]),
        (claimed(A, here), sighting(grown), ["/m/a.pt"]),
        (NEVER_SEEN, sighting(grown), ["/m/a.pt"]),
        (claimed(A, here), sighting(there, linked=["/m/a.pt"]), ["/m/b.pt"]),
        (claimed(A, here), sighting(there, gone=["/m/a.pt"]), []),
        (claimed(A, here), sighting(drop, gone=["/m/a.pt"]), ["/d/a.pt"]),
    ],
)
def test_what_is_hashed_at_once(history: list[New], seen: Sighting, confirm: list[str]) -> None:
    """What changed since it was claimed is hashed, of whatever size it is; what is as it was waits its turn."""
    memory = Memory()
    memory.write(lambda _db: Decision(history))
    memory.write(lambda db: see(db, [seen]))

    assert memory.value.confirm == confirm


def test_known_content_confirms_the_model() -> None:
    """A file with the claimed content, found anywhere in a model root, is the model's; the claimed file stays one."""
    memory = Memory()
    memory.write(lambda _db: Decision([*claimed(A, here), *waiting(1, at("/m/x.pt", ino=9))]))
    memory.write(lambda db: recognise(db, 1, sighting(at("/m/x.pt", ino=9), sha256=A)))

    born = models.get(memory.db, A)
    assert born is not None
    assert not born.claimed
    assert {one.path: one.claimed for one in models.locations(memory.db, A)} == {"/m/a.pt": True, "/m/x.pt": False}


def test_an_unfinished_file_that_is_not_what_was_claimed() -> None:
    """It may become what was claimed, so it is not denied: the model has lost it until it is whole."""
    memory = Memory()
    memory.write(lambda _db: Decision(claimed(A, here) + model(B, there)))

    assert memory.write(lambda db: suspend(db, [here, there, touched])) == [LocationLost(A, "/m/a.pt")]
    assert memory.write(lambda db: suspend(db, [here])) == []
    assert memory.write(lambda db: break_off(db, [here])) == []


@pytest.mark.parametrize(
    ("then", "stands"),
    [
        ([], True),
        ([of_pending(1, PendingDismissed(1))], False),
        ([of_pending(1, PendingImported(1, B, "imported"))], False),
        ([of_files(A, LocationFound(A, there))], False),
        ([of_files(A, LocationFound(A, there, claimed=True))], True),
        ([of_pending(1, PendingLost(1))], False),
    ],
)
def test_until_when_somebody_must_see_to_it(then: list[New], stands: bool) -> None:
    """A file that is not what was claimed is told of until it is imported, dismissed or gone, or the model is here."""
    memory = Memory()
    memory.write(lambda _db: Decision(claimed(A, here)))
    memory.write(lambda db: see(db, [sighting(here, sha256=B)]))
    memory.write(lambda _db: Decision(then))

    count, first = claims.denied(memory.db, 5)
    assert (count, [one.path for one in first]) == ((1, ["/m/a.pt"]) if stands else (0, []))
    assert [one.actual for one in models.denied_of(memory.db, A)] == [B]


def test_what_is_told_of_denied_claims() -> None:
    """How many there are, the first by name, and what to do."""
    memory = Memory()
    files = [at(f"/m/{number}.pt", ino=20 + number) for number in range(5)]
    memory.write(lambda _db: Decision(claimed(A, *files)))
    memory.write(lambda db: see(db, [sighting(file, sha256=B) for file in files]))
    what, cure = telling.of_denied(*claims.denied(memory.db, telling.MOST_DENIED))

    named = ", ".join(f"/m/{number}.pt (said to be earlier a)" for number in range(3))
    assert what.startswith(f"5 files are not what the earlier library said, by content: {named} and 2 more;")
    assert "dismiss" in cure


class Earlier(Disk):
    """Real files of which an earlier library tells, rightly or wrongly; in any order with everything else."""

    in_place = st.sampled_from([f"{folder}/{name}.safetensors" for folder in ("m1", "m2") for name in "ab"])

    @initialize()
    def begin(self) -> None:
        super().begin()
        self.hashed: set[str] = set()

    def hash(self, path: Path) -> str:
        sha256 = super().hash(path)
        self.hashed.add(sha256)
        return sha256

    @rule(name=in_place, seed=Disk.seeds, write=st.booleans())
    def claim(self, name: str, seed: int, *, write: bool) -> None:
        """Brings a row of an earlier library along; `write`: its file is as it says."""
        path = put_model(self.top / name, seed) if write else self.top / name
        db, text, sha256 = self.memory.db, str(path), sha_of(seed)
        there, root, seen = models.location(db, text), of_path(every(db), text), stat_file(text)
        if there is not None and (there.model == sha256 or not there.lost):
            return
        assert root is not None
        file = File(text, root.id, 256, 0, 0, 0) if seen is None else as_file(seen, root.id)
        events = [of_files(sha256, LocationClaimed(sha256, file, lost=seen is None))]
        if models.get(db, sha256) is None:
            born = ModelImported(sha256, "earlier", "loras", 256, claimed=True)
            events = [of_model(sha256, born), of_model(sha256, ModelTagged(sha256, 1)), *events]
        known = pending.at_path(db, text)
        if known is not None and known.state == "waiting":
            events.append(of_pending(known.id, PendingImported(known.id, sha256, "merged")))
        self.memory.write(lambda _db: Decision(events))
        self.tagged.add(sha256)

    @rule(onto=Disk.names, act=st.sampled_from([os.link, os.rename, os.replace]))
    def bring(self, onto: str, act: Callable[[Path, Path], None]) -> None:
        """Brings a claimed file to another path, or gives it one more name."""
        files = [Path(path) for path, _, claimed in rows(self.memory.db, _PRESENT) if claimed]
        if files and files[0].exists() and (act is os.replace or not (self.top / onto).exists()):
            act(files[0], self.top / onto)

    @rule(most=st.integers(1, 4))
    def confirm(self, most: int) -> None:
        """Hashes claimed files, as the background does."""
        memory = self.memory
        for root in every(memory.db):
            for claim in claims.to_confirm(memory.db, root.id, "", most):
                seen = stat_file(to_path(claim.path))
                if seen is not None and (seen.size, seen.mtime_ns, seen.ino) == (claim.size, claim.mtime_ns, claim.ino):
                    sighting = looking.sighting_of(root, seen, self.hash(Path(seen.path)))
                    placed = looking.with_others(memory.db, every(memory.db), [sighting])
                    memory.write(lambda db, placed=placed: see(db, placed))
                    left = models.location(memory.db, claim.path)
                    assert left is None or not left.claimed
                    assert (left is not None and left.model == claim.model) == (sighting.sha256 == claim.model)

    @invariant()
    def tables_equal_the_disk(self) -> None:
        """What is known was hashed; what is not is claimed; every file is somewhere, and every tag where it was."""
        if not hasattr(self, "memory"):
            return
        self.scan()
        self.scan()
        db = self.memory.db
        on_disk = {str(path) for folder in ("m1", "m2", "d") for path in (self.top / folder).iterdir()}
        present = {path: (sha256, claimed) for path, sha256, claimed in rows(db, _PRESENT)}
        waiting = {row[0] for row in db.execute("SELECT path FROM pending_import WHERE state = 'waiting'")}
        assert present.keys() | waiting == on_disk
        assert not present.keys() & waiting
        for path, (sha256, claimed) in present.items():
            assert claimed or hashlib.sha256(Path(path).read_bytes()).hexdigest() == sha256
        for path, sha256 in rows(db, "SELECT path, sha256 FROM pending_import WHERE state = 'waiting'"):
            assert sha256 in ("", hashlib.sha256(Path(path).read_bytes()).hexdigest())
        assert {row[0] for row in db.execute("SELECT sha256 FROM models WHERE NOT claimed")} <= self.hashed
        assert {row[0] for row in db.execute("SELECT model_hash FROM model_tags")} == self.tagged


_PRESENT = "SELECT path, model_hash, claimed FROM locations WHERE NOT lost"

TestEarlier = Earlier.TestCase
TestEarlier.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)


# In the background ------------------------------------------------------------------------------------


async def tell(at: Home, sha256: str, path: Path, *, file: File | None = None) -> Path:
    """Have an earlier library tell of a model with a tag at a path, where there may be a file."""
    root = of_path(every(at.db), str(path))
    assert root is not None
    seen = stat_file(str(path)) if file is None else None
    there = file or (File(str(path), root.id, 256, 0, 0, 0) if seen is None else as_file(seen, root.id))
    events = [of_files(sha256, LocationClaimed(sha256, there, lost=seen is None and file is None))]
    if models.get(at.db, sha256) is None:
        born = ModelImported(sha256, "earlier", "loras", there.size, claimed=True)
        events = [of_model(sha256, born), of_model(sha256, ModelTagged(sha256, 1)), *events]
    await at.library.write(lambda _db: Decision(events), actor="migration")
    return path


async def let_confirm(at: Home) -> None:
    """Have what was told of hashed, when it has lain still for a while."""
    at.observer.confirm_claims()
    await asyncio.sleep(0.05)
    at.now += 3
    at.observer.look_again([])
    at.observer.confirm_claims()


def state(at: Home, sha256: str) -> str:
    """Give how far a model's hash is believed."""
    found = library.whole(at.db, sha256)
    assert found is not None
    return found["hash_state"]


def run(top: Path, play: Callable[[Home], Awaitable[None]], **how: Any) -> None:
    """Let something happen in a library at work."""

    async def go() -> None:
        async with home(top, **how) as at_work:
            await play(at_work)

    asyncio.run(go())


def test_claims_are_confirmed_and_denied(tmp_path: Path) -> None:
    """The right one is confirmed, the wrong one is pending and names the model; what was told of stays with it."""

    async def play(at: Home) -> None:
        right = await tell(at, sha_of(1), put_model(at.loras / "right.safetensors", 1))
        wrong = await tell(at, sha_of(2), put_model(at.loras / "wrong.safetensors", 3))
        assert claims.count(at.db) == 2
        await let_confirm(at)
        await at.until(lambda: not claims.count(at.db))

        assert (state(at, sha_of(1)), at.states(sha_of(1))) == ("confirmed", {str(right): False})
        assert (state(at, sha_of(2)), at.states(sha_of(2))) == ("denied", {})
        found = pending.get(at.db, at.at(wrong))
        assert found is not None
        assert found.replaces == sha_of(2)
        assert await at.events("claim-denied") == [{"model": sha_of(2), "path": str(wrong), "actual": sha_of(3)}]
        await at.until(lambda: not at.library.news.under_way())

    run(tmp_path, play)


def test_progress_is_told(tmp_path: Path) -> None:
    """How many files are hashed, of how many, and their bytes."""
    told: list[dict[str, Any]] = []

    async def play(at: Home) -> None:
        for seed in range(3):
            await tell(at, sha_of(seed), put_model(at.loras / f"{seed}.safetensors", seed))
        at.library.news.progress = lambda task, **what: told.append({"task": task, **what})  # type: ignore[method-assign]
        await let_confirm(at)
        await at.until(lambda: not claims.count(at.db))

    run(tmp_path, play)
    of_claims = [one for one in told if one["task"] == "claims"]
    size = len(model_bytes(1))
    assert {(one["total"], one["bytes_total"]) for one in of_claims} == {(3, 3 * size)}
    assert [one["done"] for one in of_claims] == sorted(one["done"] for one in of_claims)
    assert (of_claims[0]["done"], of_claims[-1]["done"]) == (0, 2)


def test_a_root_that_comes_back(tmp_path: Path) -> None:
    """What an earlier library has in a folder that is away is confirmed when it comes."""

    async def play(at: Home) -> None:
        path = put_model(at.vae / "a.safetensors", 1)
        os.utime(path, ns=(1, 1))
        os.rename(at.vae, tmp_path / "away")
        await at.observer.check_roots()
        vae = of_path(every(at.db), str(path))
        assert vae is not None
        await tell(at, sha_of(1), path, file=File(str(path), vae.id, 1, 0, 0, 0))  # its size is not what it was
        await let_confirm(at)
        await asyncio.sleep(0.05)
        assert state(at, sha_of(1)) == "claimed"
        os.rename(tmp_path / "away", at.vae)
        await at.observer.check_roots()
        await at.until(lambda: at.observer.waiting() or not claims.count(at.db))
        at.now += 3
        at.observer.look_again([])
        await at.until(lambda: state(at, sha_of(1)) == "confirmed")

        assert at.states(sha_of(1)) == {str(path): False}

    run(tmp_path, play)


def test_a_file_that_is_written(tmp_path: Path) -> None:
    """It is not judged while somebody has it open for writing."""

    async def play(at: Home) -> None:
        path = await tell(at, sha_of(1), put_model(at.loras / "a.safetensors", 2))
        with path.open("r+b"):
            await let_confirm(at)
            await asyncio.sleep(0.1)
            assert state(at, sha_of(1)) == "claimed"
        await let_confirm(at)
        await at.until(lambda: state(at, sha_of(1)) == "denied")

    run(tmp_path, play)


def test_an_unfinished_download(tmp_path: Path) -> None:
    """Half a file is not what was claimed and not something else either: it is judged when it is whole."""

    async def play(at: Home) -> None:
        path = at.loras / "a.safetensors"
        path.write_bytes(model_bytes(1)[:-8])
        await tell(at, sha_of(1), path)
        await let_confirm(at)
        await at.until(lambda: at.states(sha_of(1)) == {str(path): True})
        assert state(at, sha_of(1)) == "claimed"
        path.write_bytes(model_bytes(1))
        at.hints.deliver(Hint("written", str(path)))
        await at.until(lambda: any("just changed" in reason for _, reason in at.observer.waiting()))
        at.now += 3
        at.observer.look_again([])
        await at.until(lambda: state(at, sha_of(1)) == "confirmed")

        assert await at.events("claim-denied") == []

    run(tmp_path, play)


def test_half_a_file_that_the_earlier_library_hashed(tmp_path: Path) -> None:
    """What its header says is missing was missing then too: it is what was claimed."""

    async def play(at: Home) -> None:
        path, half = at.loras / "a.safetensors", model_bytes(1)[:-8]
        path.write_bytes(half)
        sha256 = hashlib.sha256(half).hexdigest()
        await tell(at, sha256, path)
        await let_confirm(at)
        await at.until(lambda: state(at, sha256) == "confirmed")

        assert at.states(sha256) == {str(path): False}

    run(tmp_path, play)


def test_a_file_that_comes_after_the_library(tmp_path: Path) -> None:
    """It was missing when it was told of; found where it should be it is hashed, and is the model's."""

    async def play(at: Home) -> None:
        path = await tell(at, sha_of(1), at.loras / "a.safetensors")
        assert at.states(sha_of(1)) == {str(path): True}
        put_model(path, 1)
        at.hints.deliver(Hint("arrived", str(path)))
        await at.until(lambda: state(at, sha_of(1)) == "confirmed")

        assert at.states(sha_of(1)) == {str(path): False}
        assert await at.events("pending-found") == []

    run(tmp_path, play)


class Slow(Disks):
    """Disks on which claimed files, and those that are compared, are hashed only when they may be."""

    def __init__(self, hint_source: Any) -> None:
        """Look as all disks do."""
        super().__init__(hint_source)
        self.begun, self.may, self.may_compare = threading.Event(), threading.Event(), threading.Event()
        self.may_compare.set()
        self.stepped = 0

    async def hash_file(self, path: str, stop: threading.Event, progress: Callable[[int], None] = unheard) -> Hashed:
        """Get on as often as it may, then hash."""
        if progress is unheard:
            await asyncio.to_thread(self.may_compare.wait, 20)
        else:
            await asyncio.to_thread(self._step, stop, progress)
        return await super().hash_file(path, stop, progress)

    def _step(self, stop: threading.Event, progress: Callable[[int], None]) -> None:
        self.begun.set()
        while not self.may.wait(0.01) and not stop.is_set():
            progress(1)
            self.stepped += 1


async def rests(disks: Slow) -> None:
    """Wait until the hashing of claimed files gets on no more."""
    before = -1
    while disks.stepped > before:
        before = disks.stepped
        await asyncio.sleep(0.25)


def test_it_stands_back(tmp_path: Path) -> None:
    """It rests in the middle of a file while others are hashed that somebody waits for; the daemon can end then too."""
    made: list[Slow] = []

    def disks(hint_source: Any) -> Disks:
        made.append(Slow(hint_source))
        return made[0]

    async def play(at: Home) -> None:
        slow = made[0]
        await tell(at, sha_of(1), put_model(at.loras / "a.safetensors", 1))
        await let_confirm(at)
        await at.until(slow.begun.is_set)
        at.busy.hashing = os.cpu_count() or 1  # imports
        await rests(slow)
        before = slow.stepped
        at.busy.hashing = 0
        await at.until(lambda: slow.stepped > before)
        slow.may_compare.clear()
        number = await at.see(put_model(at.drop / "copy.safetensors", 1))
        await rests(slow)
        before = slow.stepped
        slow.may_compare.set()
        await at.until(lambda: slow.stepped > before)
        compared = pending.get(at.db, number)
        assert compared is not None
        assert (compared.sha256, state(at, sha_of(1))) == (sha_of(1), "claimed")
        slow.may.set()
        await at.until(lambda: state(at, sha_of(1)) == "confirmed")
        slow.begun.clear()
        slow.may.clear()
        await tell(at, sha_of(2), put_model(at.loras / "b.safetensors", 2))
        await let_confirm(at)
        await at.until(slow.begun.is_set)
        at.busy.hashing = os.cpu_count() or 1

    run(tmp_path, play, disks=disks)


def test_a_copy_that_was_hashed_is_not_thrown_away_for_one_that_was_not(tmp_path: Path) -> None:
    """A dropped file that is merged goes into its place, though an earlier library tells of another one."""

    async def play(at: Home) -> None:
        path = put_model(at.loras / "a.safetensors", 2)
        await tell(at, sha_of(1), path)
        number = await at.see(put_model(at.drop / "b.safetensors", 1))
        refused = await at.bring_in(number, "delete")
        assert (refused.state, refused.reason and "last copy" in refused.reason) == ("failed", True)
        ended = await at.bring_in(number, "merge")

        assert (ended.status, ended.path) == ("merged", str(at.loras / "b.safetensors"))
        assert state(at, sha_of(1)) == "confirmed"
        assert await at.events("file-trashed") == []

    run(tmp_path, play)
