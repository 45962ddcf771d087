"""The judge of the truth test is judged itself: its walk against the program's look, and lies that it must find."""

import hashlib
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hikaze.daemon.scan import look

from . import contents, seen, truth
from .truth import Candidate, OnDisk, Place, Tables

A_PATH = "/models/a.safetensors"
CONTENT, OTHER = "a" * 64, "b" * 64


def plant(top: Path, rng: random.Random) -> list[Path]:
    """Make three roots and a folder outside with folders, links and files between and around them; gives the roots."""
    roots, outside = [top / name for name in "abc"], top / "outside"
    folders = [*roots, outside]
    for folder in folders:
        folder.mkdir(parents=True)
    for _ in range(rng.randrange(4, 24)):
        path = rng.choice(folders) / f"{rng.choice(('x', 'y', '.h', 'm.safetensors'))}{rng.randrange(3)}"
        kind = rng.random()
        if os.path.lexists(path):
            continue
        if kind < 0.4:
            path.mkdir()
            folders.append(path)
        elif kind < 0.75:
            path.symlink_to(rng.choice([*folders, top, Path(), Path("..")]))
            if path.is_dir() and rng.random() < 0.2:
                folders.append(path)
        else:
            path.with_name(f"{path.name}.safetensors").write_bytes(b"a" * rng.randrange(9))
    return roots


def test_the_walk_sees_what_the_program_sees(tmp_path: Path) -> None:
    """In any tree of folders and links, two walks that were written apart find the same files at the same paths."""
    for seed in range(50):
        roots = plant(tmp_path / str(seed), random.Random(seed))  # noqa: S311 - the same trees in every run
        ident = {root: (root.stat().st_dev, root.stat().st_ino) for root in roots}

        mine = set(truth.walk([str(root) for root in roots]))
        theirs = {
            one.path
            for root in roots
            for one in look(str(root), {}, barred=[ident[other] for other in roots if other != root]).new
        }

        assert mine == theirs, seed
        shutil.rmtree(tmp_path / str(seed))


@pytest.mark.parametrize("code", [0, 1, 77, contents.CODES - 1])
def test_a_picture_shows_its_number(code: int) -> None:
    """The number in a picture can be read from it."""
    assert seen.code_of(contents.picture(code)) == code


def test_contents_are_whole(tmp_path: Path) -> None:
    """A file with one of the storm's contents is finished; cut short, empty or with a marker beside it, it is not."""
    content = contents.pool()[0]
    for name, raw in (("whole", content), ("cut", content[:-1]), ("empty", b""), ("marked", content)):
        (tmp_path / f"{name}.safetensors").write_bytes(raw)
    (tmp_path / "marked.safetensors.part").touch()

    found = truth.walk([str(tmp_path)], contents.hashes())

    assert {os.path.basename(path): at.finished for path, at in found.items()} == {
        "whole.safetensors": True,
        "cut.safetensors": False,
        "empty.safetensors": False,
        "marked.safetensors": False,
    }
    whole = found[str(tmp_path / "whole.safetensors")]
    assert (whole.size, whole.sha256) == (len(content), hashlib.sha256(content).hexdigest())


# What is told ------------------------------------------------------------------------------------------

FILE = OnDisk(A_PATH, 10, 5, 7, CONTENT, finished=True)
WAITS = Candidate(1, A_PATH, "waiting", 10, 5, 7, "", in_place=True, written=False)
NOTHING = Tables({1: ("/models", False)}, [], [], [], {}, {}, {}, {}, {}, {}, frozenset())
LIES = Place(A_PATH, CONTENT, lost=False, root=1)
Tell = Callable[[Tables], Tables]


@pytest.mark.parametrize(
    "told",
    [
        replace(NOTHING, places=[LIES], models={CONTENT: "{}"}),
        replace(NOTHING, pending=[WAITS]),
        replace(NOTHING, away=[replace(WAITS, state="hidden")]),
        replace(NOTHING, pending=[WAITS, replace(WAITS, id=2, state="missing")]),
        replace(NOTHING, pending=[replace(WAITS, sha256=CONTENT, written=True)], models={CONTENT: "{}"}),
        replace(NOTHING, roots={1: ("/models", True)}),
    ],
)
def test_the_truth_is_believed(told: Tables) -> None:
    """A file is a location of its content, waits, or was hidden; where its root is away nothing need be told."""
    assert not truth.compare({A_PATH: FILE}, told, {})


@pytest.mark.parametrize(
    ("told", "what"),
    [
        (NOTHING, "is not known"),
        (replace(NOTHING, places=[replace(LIES, model=OTHER)]), "counts as model bbbb"),
        (replace(NOTHING, places=[replace(LIES, lost=True)]), "counts as missing"),
        (replace(NOTHING, pending=[replace(WAITS, size=9)]), "waits as it was before"),
        (replace(NOTHING, pending=[replace(WAITS, ino=8)]), "waits as it was before"),
        (replace(NOTHING, pending=[WAITS], models={CONTENT: "{}"}), "nobody noticed"),
        (replace(NOTHING, pending=[replace(WAITS, sha256=CONTENT)], models={CONTENT: "{}"}), "in a model root"),
        (replace(NOTHING, pending=[replace(WAITS, sha256=OTHER)]), "is taken for model bbbb"),
        (replace(NOTHING, away=[replace(WAITS, state="hidden", mtime_ns=6)]), "is not known"),
        (replace(NOTHING, pending=[WAITS], places=[replace(LIES, path="/models/b")]), "no file is there"),
        (replace(NOTHING, pending=[WAITS, replace(WAITS, id=2, path="/models/b")]), "no file is there"),
        (replace(NOTHING, pending=[WAITS, replace(WAITS, id=2)]), "several pending models"),
        (replace(NOTHING, pending=[WAITS], places=[LIES]), "waits to be imported as well"),
    ],
)
def test_a_lie_is_found(told: Tables, what: str) -> None:
    """Whatever is told of a file that is not so is found."""
    apart = truth.compare({A_PATH: FILE}, told, {})

    assert any(what in why for _, why in (*apart.divergences, *apart.duplicates)), apart


def test_an_unfinished_file_must_be_named() -> None:
    """A file that is not all there is in order only while the daemon names it as one that waits."""
    broken = replace(FILE, finished=False)

    assert not truth.compare({A_PATH: broken}, NOTHING, {A_PATH: "is empty"})
    assert truth.compare({A_PATH: broken}, NOTHING, {})
    assert truth.compare({A_PATH: broken}, replace(NOTHING, places=[replace(LIES, model=OTHER)]), {A_PATH: "is empty"})


def test_a_file_whose_disk_may_be_unplugged_is_left_in_doubt(tmp_path: Path) -> None:
    """Behind a link to a folder that is not there, and where another disk is now, nothing is said to be gone."""
    (tmp_path / "to").symlink_to(tmp_path / "unplugged")
    (tmp_path / "link.pt").symlink_to(tmp_path / "unplugged" / "file.pt")
    here = tmp_path.stat().st_dev
    behind, link = (replace(LIES, path=str(tmp_path / name), device=here) for name in ("to/file.pt", "link.pt"))

    def divergent(*places: Place) -> list[str]:
        return [path for path, _ in truth.compare({}, replace(NOTHING, places=list(places)), {}).divergences]

    gone = replace(LIES, path=str(tmp_path / "gone" / "file.pt"), device=here)

    assert divergent(behind, replace(link, device=here + 1), replace(gone, device=here + 1)) == []
    assert divergent(link, gone) == [link.path, gone.path]
