"""Missing files are looked at, weighed, and only then believed to be gone."""

import errno
import os
from pathlib import Path

import pytest
from hikaze.daemon import looking, telling
from hikaze.daemon.grounds import Absent, Recorded
from hikaze.daemon.roots import Root, Wanted, as_file, every, signed, unsigned
from hikaze.daemon.scan import stat_file
from hikaze.daemon.sightings import of_files, of_model, of_pending
from hikaze.events.catalog import LocationFound, ModelImported, PendingFound
from hikaze.events.writer import Decision

from .library import Memory, put_model

SHA = "a" * 64


def device(path: Path) -> int:
    """Give the device a path lies on."""
    return path.stat().st_dev


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Give a root's folder."""
    (tmp_path / "root" / "sub").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def memory(top: Path) -> Memory:
    """Give a library that watches the root."""
    return Memory().with_roots(Wanted(str(top), "model", "loras"))


def test_the_ground_of_an_absence(top: Path, memory: Memory) -> None:
    """It is the nearest folder that exists on the way; of a link to nothing, on the way to its target."""
    (top / "link.safetensors").symlink_to(top.parent / "away" / "deep" / "a.safetensors")
    put_model(top / "here.safetensors", 1)
    names = ["sub/a", "sub/no/deeper/b", "no/c", "link.safetensors", "here.safetensors"]

    gone = looking.really_gone(every(memory.db), [str(top / name) for name in names], set())

    assert gone == [
        Absent(str(top / "sub/a"), 1, str(top / "sub"), device(top)),
        Absent(str(top / "sub/no/deeper/b"), 1, str(top / "sub"), device(top)),
        Absent(str(top / "no/c"), 1, str(top), device(top)),
        Absent(str(top / "link.safetensors"), 1, str(top.parent), device(top), is_link=True),
    ]


def test_what_is_no_file_is_none(top: Path, memory: Memory) -> None:
    """Where a folder, a pipe or a link to itself took a file's name, the file is gone."""
    (top / "folder.safetensors").mkdir()
    os.mkfifo(top / "pipe.safetensors")
    (top / "round.safetensors").symlink_to(top / "round.safetensors")
    paths = [str(top / f"{name}.safetensors") for name in ("folder", "pipe", "round")]

    assert [absent.path for absent in looking.really_gone(every(memory.db), paths, set())] == paths


def test_what_is_not_looked_at(top: Path, memory: Memory) -> None:
    """Nothing is said of a path that an import works on, behind a dangling link, or in a root that is another now."""
    (top / "dangling").symlink_to(top.parent / "nothing")
    paths = [str(top / "busy"), str(top / "dangling" / "a")]
    assert looking.really_gone(every(memory.db), paths, {paths[0]}) == []

    top.rename(top.with_name("moved"))
    top.mkdir()
    assert looking.really_gone(every(memory.db), [str(top / "a")], set()) == []


def test_what_is_recorded(top: Path, memory: Memory) -> None:
    """Of a missing file the device it was recorded on, and the folders of the others recorded with it."""
    paths = [put_model(top / name / "a.safetensors", number) for number, name in enumerate(("sub", "two", "three"))]
    files = []
    for path in paths:
        seen = stat_file(str(path))
        assert seen is not None
        files.append(as_file(seen, 1))
    memory.write(
        lambda _db: Decision(
            [
                of_model(SHA, ModelImported(SHA, "a", "loras", files[0].size)),
                of_files(SHA, LocationFound(SHA, files[0])),
                of_pending(1, PendingFound(1, files[1], "a", "loras", in_place=True)),
            ]
        )
    )
    absent = [Absent(str(path), 1, str(top), 5) for path in paths]

    told = Recorded(device(top), {str(top / "sub"), str(top / "two")})
    assert looking.recorded(memory.db, absent) == {str(paths[0]): told, str(paths[1]): told}
    assert looking.count_known(memory.db, 1) == 2
    assert looking.known_in(memory.db, 1, str(top / "two")).keys() == {str(paths[1])}
    assert looking.known_in(memory.db, 1).keys() == {str(paths[0]), str(paths[1])}


def test_is_known(top: Path, memory: Memory) -> None:
    """A file of the known size at a known path is a known file, whatever its time; other files are none."""
    path = put_model(top / "a.safetensors", 1)
    seen = stat_file(str(path))
    assert seen is not None
    memory.write(lambda _db: Decision([of_pending(1, PendingFound(1, as_file(seen, 1), "a", None, in_place=True))]))
    copy, other = stat_file(str(put_model(path, 2))), stat_file(str(put_model(top / "b.safetensors", 1)))
    assert copy is not None
    assert other is not None

    assert looking.is_known(memory.db, 1, [other, copy])
    assert not looking.is_known(memory.db, 1, [other])
    assert looking.any_as_known([(str(path), copy.size, 0)])
    assert not looking.any_as_known([(str(path), 1, 0), (str(top / "no"), copy.size, 0)])


@pytest.mark.parametrize("number", [0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_signed_and_back(number: int) -> None:
    """An unsigned number of the system survives being kept as a signed one."""
    assert unsigned(signed(number)) == number


@pytest.mark.parametrize(
    ("why", "obstacle", "deleted", "what"),
    [
        ("foreign", "", False, "another disk or folder lies at /models; the models that were there count as away"),
        ("absent", "a file lies there", False, "the folder /models is away: a file lies there"),
        ("absent", "", True, "the folder /models was deleted; the models that were there count as away"),
        ("absent", "", False, "the folder /models is away"),
    ],
)
def test_an_absent_root_is_told_of(why: str, obstacle: str, deleted: bool, what: str) -> None:
    """In words that say what lies there instead, and with a cure."""
    root = Root(1, "/models", "model", "loras", offline=True, why=why, identity=None)

    told, cure = telling.of_absence(root, obstacle, deleted=deleted)

    assert told == what
    assert cure


def test_a_refusal_is_told_of() -> None:
    """Where the system grants no queue for events, with the line that raises the limit."""
    root = Root(1, "/models", "model", "loras", offline=False, why=None, identity=None)

    what, cure = telling.of_refusal(root, OSError(errno.EMFILE, "no more instances"))
    _, other = telling.of_refusal(root, OSError(errno.EACCES, "Permission denied"))

    assert what == "/models cannot be watched (no more instances); it is looked at now and then"
    assert cure.startswith("sudo sysctl -w fs.inotify.max_user_instances=")
    assert "sysctl" not in other
