"""Tests of finding an earlier library, and of the copy that is made of it while it is in use."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest
from hikaze.daemon.legacy.copying import copied
from hikaze.daemon.legacy.library import NotALibrary, Row, Source, SourceBusy, find, snapshot
from hikaze.events.log import EventLog
from hikaze.projections.runner import Views

from ..legacy import V1_NAME, V2_NAME, build_v1, build_v2, fingerprint, picture, tiers
from ..machine import needs_mount

CHANGES_WITH_EVERY_READING = "/proc/sys/kernel/random/uuid"


def names(source: Source, tmp_path: Path) -> list[str]:
    """Give the names of all rows, and make sure that nothing is left of the copy."""
    work = tmp_path / "work"
    with snapshot(source, str(work)) as legacy:
        found = [item.name for item in legacy.rows() if isinstance(item, Row)]
        assert legacy.count() == len(found)
    assert list(work.iterdir()) == []
    return found


@contextmanager
def program(database: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """Run another program that has `db` open, until it says that it is where it should be; it waits there."""
    start = "import sys, apsw\ndb = apsw.Connection(sys.argv[1])\n"
    whole = start + textwrap.dedent(code) + "\nprint('here', flush=True)\nsys.stdin.read()\n"
    running = subprocess.Popen(
        [sys.executable, "-c", whole, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == "here\n"
        try:
            yield running
        finally:
            running.kill()


# Finding


@pytest.mark.parametrize(("build", "form", "name"), [(build_v1, "v1", V1_NAME), (build_v2, "v2", V2_NAME)])
def test_an_earlier_library_is_found_by_folder_plugin_and_database(
    tmp_path: Path, build: Callable[..., Path], form: str, name: str
) -> None:
    """The data folder, the plugin's folder above it and the database itself all lead to one library."""
    data = build(tmp_path / "plugin" / "data", {})

    found = [find(str(path)) for path in (data, data.parent, data / name)]

    extra = str(data / ("config.json" if form == "v1" else "types_cache.json"))
    assert found == [Source(form, str(data / name), str(data / "images"), (extra,))] * 3  # pyright: ignore[reportArgumentType]


def test_a_database_may_have_any_name(tmp_path: Path) -> None:
    """What a database is, its tables say; in a folder the only library is found, whatever else lies there."""
    data = build_v2(tmp_path / "data", {}, name="mine.db")
    (data / "notes.db").write_bytes(b"no database")
    apsw.Connection(str(data / "other.sqlite")).close()
    (tmp_path / "copy.backup").write_bytes((data / "mine.db").read_bytes())
    (tmp_path / "copy.backup-wal").write_bytes((data / "mine.db-wal").read_bytes())

    assert find(str(data)).database == str(data / "mine.db")
    assert find(str(tmp_path / "copy.backup")).form == "v2"


def test_an_empty_database_beside_a_library_is_no_second_one(tmp_path: Path) -> None:
    """Of two databases of known names the one that holds a library is meant."""
    data = build_v1(tmp_path / "data")
    (data / V2_NAME).write_bytes(b"")

    assert find(str(data)).form == "v1"


def test_the_folder_of_pictures_can_be_named(tmp_path: Path) -> None:
    """Where the pictures do not lie beside the database, their folder is said."""
    data, elsewhere = build_v1(tmp_path / "data"), tmp_path / "pictures"
    elsewhere.mkdir()

    assert find(str(data), str(elsewhere)).images == str(elsewhere)
    (data / "images").rmdir()
    source = find(str(data))
    assert find(source.database, source.images) == source
    with pytest.raises(NotALibrary, match="is no folder"):
        find(str(data), str(tmp_path / "nowhere"))


def test_a_link_to_the_database_is_followed(tmp_path: Path) -> None:
    """The -wal lies beside the real file, and so do the pictures, if none lie beside the link."""
    data = build_v1(tmp_path / "data", {"path": "/m/a.ckpt"})
    (tmp_path / "link.sqlite3").symlink_to(data / V1_NAME)

    source = find(str(tmp_path / "link.sqlite3"))

    assert source.images == str(data / "images")
    assert names(source, tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: None, "no library of an earlier Hikaze lies in"),
        (lambda folder: build_v1(build_v2(folder)), "several libraries"),
        (lambda folder: (folder / V1_NAME).write_bytes(b""), "no SQLite database"),
        (lambda folder: (folder / V1_NAME).write_bytes(b"<html>" * 100), "no SQLite database"),
        (lambda folder: (folder / V1_NAME).write_bytes(b"SQLite format 3\0" + b"?" * 5000), "cannot be read"),
        (lambda folder: _empty(folder / V2_NAME), "should hold a table `models`"),
        (lambda folder: _view(folder / V2_NAME), "should hold a table `models`"),
        (lambda folder: (folder / V1_NAME).symlink_to("/nowhere"), "no library of an earlier Hikaze lies in"),
    ],
    ids=["nothing", "two", "empty", "page", "damaged", "no tables", "a view", "dead link"],
)
def test_what_is_no_library_is_refused_with_what_was_looked_for(
    tmp_path: Path, make: Callable[[Path], object], says: str
) -> None:
    """A folder without a library, or with something else under its name, is refused in a sentence."""
    make(tmp_path)

    with pytest.raises(NotALibrary, match=says):
        find(str(tmp_path))


def _empty(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.execute("CREATE TABLE something (id)")


def _view(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.execute("CREATE VIEW models AS SELECT 1 AS id, '/m/a.ckpt' AS path, '' AS sha256")


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800", "/nowhere/at/all"])
def test_what_is_no_path_is_refused(path: str) -> None:
    """A path that cannot be, or leads nowhere, is refused in a sentence."""
    with pytest.raises(NotALibrary, match="name"):
        find(path)


def test_our_own_data_folder_is_refused(tmp_path: Path) -> None:
    """The data folder of this Hikaze is no earlier one's, neither by its folder nor by its files."""
    log = EventLog(str(tmp_path / "log.db"))
    Views(str(tmp_path / "views.db"), log).close()
    log.close()

    for path in (tmp_path, tmp_path / "views.db", tmp_path / "log.db"):
        with pytest.raises(NotALibrary, match="data folder of this Hikaze"):
            find(str(path))
    (tmp_path / "views.db").rename(tmp_path.parent / "views.copy")
    with pytest.raises(NotALibrary, match="no library of an earlier Hikaze"):
        find(str(tmp_path.parent / "views.copy"))
    build_v1(tmp_path)
    with pytest.raises(NotALibrary, match="copy the earlier database"):
        find(str(tmp_path))


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """Nothing is waited for where a pipe lies in place of a database."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(NotALibrary, match="pipe"):
        find(str(tmp_path / "pipe"))


# The copy


@pytest.mark.parametrize("wal", [True, False])
@pytest.mark.parametrize("build", [build_v1, build_v2])
def test_nothing_in_the_source_changes(tmp_path: Path, build: Callable[..., Path], wal: bool) -> None:
    """Reading a library leaves no byte, time or file in its folder other than it was."""
    sha = "ab" * 32
    images = {"model_1_5_a.png": picture(), **tiers(sha, 0)}
    data = build(tmp_path / "data", {"tags": ["a"]}, {"path": "/m/b.ckpt"}, images=images, wal=wal)
    before = fingerprint(data)

    assert len(names(find(str(data)), tmp_path)) == 2

    assert fingerprint(data) == before


def test_what_is_only_in_the_wal_is_read(tmp_path: Path) -> None:
    """What the old program, still running, committed and not yet brought into its database comes along; what it has
    not committed does not.
    """
    data = build_v1(tmp_path / "data", {"path": "/m/a.ckpt"})
    insert = "INSERT INTO models (path, name, type, hash_hex) VALUES ('/m/{0}.ckpt', '{0}.ckpt', 'loras', '')"
    code = f"""
        db.execute("{insert.format("b")}")
        db.execute("BEGIN IMMEDIATE")
        db.execute("{insert.format("c")}")
    """

    with program(data / V1_NAME, code):
        before = fingerprint(data)
        assert names(find(str(data)), tmp_path) == ["a", "b"]
        assert fingerprint(data) == before


def test_what_a_killed_program_left_is_read(tmp_path: Path) -> None:
    """A -wal and a -shm that a killed program left behind are no hindrance, and nothing in them is lost."""
    data = build_v2(tmp_path / "data", {"path": "/m/a.ckpt"})
    with program(
        data / V2_NAME, "db.execute(\"INSERT INTO models (sha256, path, name) VALUES ('f', '/m/b.ckpt', 'b')\")"
    ):
        pass
    before = fingerprint(data)
    assert {path.name for path in data.glob("*-*")} == {f"{V2_NAME}-wal", f"{V2_NAME}-shm"}

    assert names(find(str(data)), tmp_path) == ["a", "b"]
    assert fingerprint(data) == before


HALF_DONE = """
    db.pragma("cache_size", 1)
    db.pragma("cache_spill", 1)
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE models SET name = 'changed', type = hex(zeroblob(2000))")
"""


@pytest.mark.parametrize("killed", [False, True])
def test_a_transaction_half_done_is_taken_back_in_the_copy(tmp_path: Path, *, killed: bool) -> None:
    """Without a WAL, a transaction that is half in the database, or that a kill left there, is rolled back by the
    journal, in the copy alone.
    """
    rows = [{"path": f"/m/{number}.ckpt"} for number in range(50)]
    data = build_v1(tmp_path / "data", *rows, wal=False)
    whole = (data / V1_NAME).read_bytes()
    source = find(str(data))

    with program(data / V1_NAME, HALF_DONE) as running:
        if killed:
            running.send_signal(signal.SIGKILL)
            running.wait()
        assert (data / V1_NAME).read_bytes() != whole
        before = fingerprint(data)
        assert sorted(names(source, tmp_path), key=int) == [str(number) for number in range(50)]
        assert fingerprint(data) == before


@needs_mount
def test_a_library_on_a_read_only_disk_is_read(mounted: Callable[[str], Path], tmp_path: Path) -> None:
    """Nothing needs to be written where the library lies."""
    disk = mounted("size=8m")
    build_v1(disk / "data", {"path": "/m/a.ckpt"})
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)

    assert names(find(str(disk / "data")), tmp_path) == ["a"]


def test_a_copy_is_whole_while_the_old_program_writes(tmp_path: Path) -> None:
    """Whenever a copy is made, it shows the library between two transactions, never within one."""
    data = build_v1(tmp_path / "data", {"path": "/m/a.ckpt"}, {"path": "/m/b.ckpt"})
    source, stop = find(str(data)), threading.Event()

    def write() -> None:
        with closing(apsw.Connection(str(data / V1_NAME))) as db:
            db.pragma("wal_autocheckpoint", 50)
            number = 0
            while not stop.wait(0.002):
                number += 1
                with db:
                    for column in (1, 2):
                        db.execute("UPDATE models SET name = ? WHERE id = ?", (f"name{number}" * 200, column))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            one, other = names(source, tmp_path)
            assert one == other or {one, other} == {"a", "b"}
    finally:
        stop.set()
        writer.join()


@pytest.mark.skipif(not os.path.exists(CHANGES_WITH_EVERY_READING), reason="no file here changes with every reading")
def test_a_source_that_never_rests_is_given_up_with_a_cure(tmp_path: Path) -> None:
    """A database that is written to all the time is tried for some seconds; then it is said what to do."""
    source = build_v1(tmp_path / "data", wal=False) / V1_NAME
    source.with_name(f"{V1_NAME}-journal").symlink_to(CHANGES_WITH_EVERY_READING)
    waited: list[float] = []

    with pytest.raises(SourceBusy, match="stop the earlier Hikaze"):
        copied(str(source), str(tmp_path), waited.append)
    assert 5 < sum(waited) < 60


def test_a_copy_leaves_nothing_behind_when_the_reading_fails(tmp_path: Path) -> None:
    """The private folder goes, whatever happens in it."""
    source = find(str(build_v1(tmp_path / "data", {})))

    with pytest.raises(ZeroDivisionError), snapshot(source, str(tmp_path / "work")):
        _ = 1 / 0
    assert list((tmp_path / "work").iterdir()) == []
    (tmp_path / "data" / V1_NAME).unlink()
    with pytest.raises(NotALibrary), snapshot(source, str(tmp_path / "work")):
        pass
    assert list((tmp_path / "work").iterdir()) == []


def test_the_copy_is_for_us_alone(tmp_path: Path) -> None:
    """Nobody else can read what is copied."""
    source = find(str(build_v2(tmp_path / "data", {})))

    with snapshot(source, str(tmp_path / "work")):
        (private,) = (tmp_path / "work").iterdir()
        assert private.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o077 for path in private.glob("library.db*")} == {0}
