"""Hints about changes below watched folders, from the real operating system."""

import contextlib
import os
import queue
import random
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hikaze.daemon.watch import Backoff, Hint, PlatformObserver, Watcher, shortage_of

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
WAIT_S = 2.0


class Ear:
    """Listens to a watcher: keeps what was delivered until a test asks for it."""

    def __init__(self) -> None:
        self.hints: queue.Queue[Hint] = queue.Queue()

    def hears(self, wanted: Hint) -> bool:
        """Wait for a hint, passing over others."""
        return self.up_to(wanted)[-1:] == [wanted]

    def up_to(self, wanted: Hint) -> list[Hint]:
        """Give the hints up to and with one; all that came if it does not come in time."""
        heard: list[Hint] = []
        deadline = time.monotonic() + WAIT_S
        while heard[-1:] != [wanted]:
            try:
                heard.append(self.hints.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        return heard


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def watcher(ear: Ear) -> Iterator[Watcher]:
    watcher = Watcher(ear.hints.put)
    yield watcher
    watcher.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder on the same file system that nobody watches."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def end_mark(ear: Ear, root: Path) -> list[Hint]:
    """Give all hints so far: those before the one of a file that is made now."""
    mark = root / "end-mark"
    mark.touch()
    return ear.up_to(Hint("created", str(mark)))[:-1]


def test_written(watcher: Watcher, ear: Ear, root: Path) -> None:
    """A file that is made, written and closed is hinted at when it appears and when it is closed."""
    watcher.watch(str(root))

    (root / "a.safetensors").write_bytes(b"content")

    path = str(root / "a.safetensors")
    assert ear.up_to(Hint("written", path)) == [Hint("created", path), Hint("written", path)]


def test_reading_is_no_hint(watcher: Watcher, ear: Ear, root: Path) -> None:
    """Listing, reading and touching a file give no hint, so that looking does not lead to more looking."""
    file = root / "a.safetensors"
    file.write_bytes(b"content")
    watcher.watch(str(root))

    file.read_bytes()
    os.utime(file)
    os.listdir(root)

    assert end_mark(ear, root) == []


def test_renamed_inside(watcher: Watcher, ear: Ear, root: Path) -> None:
    """A rename below a watched folder is one hint that knows both paths."""
    (root / "a.part").touch()
    (root / "sub").mkdir()
    watcher.watch(str(root))

    (root / "a.part").rename(root / "sub" / "a.safetensors")

    arrived = Hint("arrived", str(root / "sub" / "a.safetensors"), str(root / "a.part"))
    assert ear.hears(arrived)


def test_renamed_between_watched_folders(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """A rename from one watched folder into another knows both paths."""
    (elsewhere / "a.safetensors").touch()
    watcher.watch(str(root))
    watcher.watch(str(elsewhere))

    (elsewhere / "a.safetensors").rename(root / "b.safetensors")

    assert ear.hears(Hint("arrived", str(root / "b.safetensors"), str(elsewhere / "a.safetensors")))


def test_renamed_in(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """A file renamed into a watched folder has arrived, and not in half a second but at once."""
    (elsewhere / "a.safetensors").touch()
    watcher.watch(str(root))

    started = time.monotonic()
    (elsewhere / "a.safetensors").rename(root / "a.safetensors")

    assert ear.hears(Hint("arrived", str(root / "a.safetensors")))
    assert time.monotonic() - started < 0.4


def test_renamed_out(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """A file renamed out of sight is gone, and no later hint waits behind it."""
    (root / "a.safetensors").touch()
    watcher.watch(str(root))

    started = time.monotonic()
    (root / "a.safetensors").rename(elsewhere / "a.safetensors")
    (root / "b.safetensors").touch()

    heard = ear.up_to(Hint("written", str(root / "b.safetensors")))
    assert heard[0] == Hint("gone", str(root / "a.safetensors"))
    assert heard[-1].path == str(root / "b.safetensors")
    assert time.monotonic() - started < 0.4


def test_deleted(watcher: Watcher, ear: Ear, root: Path) -> None:
    """A deleted file is gone."""
    (root / "a.safetensors").touch()
    watcher.watch(str(root))

    (root / "a.safetensors").unlink()

    assert ear.hears(Hint("gone", str(root / "a.safetensors")))


def test_name_in_no_encoding(watcher: Watcher, ear: Ear, root: Path) -> None:
    """A name that is no UTF-8 is reported as Python's os functions give it."""
    watcher.watch(str(root))
    path = os.fsdecode(os.fsencode(root) + b"/\xe9t\xff.safetensors")

    Path(path).touch()

    assert ear.hears(Hint("created", path))


def test_tree_moved_in(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """A tree moved in is one hint to look below it, and from then on watched to its leaves."""
    (elsewhere / "tree" / "deep" / "deeper").mkdir(parents=True)
    watcher.watch(str(root))

    (elsewhere / "tree").rename(root / "tree")
    assert ear.hears(Hint("folder", str(root / "tree")))
    leaf = root / "tree" / "deep" / "deeper" / "a.safetensors"
    leaf.touch()

    assert ear.hears(Hint("created", str(leaf)))


def test_tree_made(watcher: Watcher, ear: Ear, root: Path) -> None:
    """Every file of a tree that is made in one go lies at or below a path that was hinted at."""
    watcher.watch(str(root))
    files = [root / f"{a}" / f"{b}" / f"{c}.safetensors" for a in range(5) for b in range(5) for c in range(2)]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    heard = {hint.path for hint in end_mark(ear, root)}

    assert [file for file in files if not {str(file), *map(str, file.parents)} & heard] == []


def test_folder_renamed(watcher: Watcher, ear: Ear, root: Path) -> None:
    """After a folder's rename, changes in it are reported below its new name."""
    (root / "old" / "deep").mkdir(parents=True)
    (root / "old-one").mkdir()
    watcher.watch(str(root))

    (root / "old").rename(root / "new")
    assert ear.hears(Hint("folder", str(root / "new"), str(root / "old")))
    (root / "new" / "deep" / "a.safetensors").touch()
    (root / "old-one" / "b.safetensors").touch()

    assert ear.hears(Hint("created", str(root / "new" / "deep" / "a.safetensors")))
    assert ear.hears(Hint("created", str(root / "old-one" / "b.safetensors")))


def test_folder_deleted(watcher: Watcher, ear: Ear, root: Path) -> None:
    """A deleted folder is gone."""
    (root / "sub").mkdir()
    watcher.watch(str(root))

    (root / "sub").rmdir()

    assert ear.hears(Hint("folder-gone", str(root / "sub")))


def test_folder_moved_out(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """What happens in a folder after it was moved out is no longer reported."""
    (root / "sub" / "deep").mkdir(parents=True)
    watcher.watch(str(root))

    (root / "sub").rename(elsewhere / "sub")
    assert ear.hears(Hint("folder-gone", str(root / "sub")))
    (elsewhere / "sub" / "deep" / "a.safetensors").touch()

    assert end_mark(ear, root) == []


def test_folder_moved_out_and_made_anew(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """A folder moved out, made anew, and deleted in both places leaves the watcher alive (watchdog's ends)."""
    (root / "sub").mkdir()
    watcher.watch(str(root))

    (root / "sub").rename(elsewhere / "sub")
    (root / "sub").mkdir()
    assert ear.hears(Hint("folder", str(root / "sub")))
    (root / "sub").rmdir()
    (elsewhere / "sub").rmdir()

    assert ear.hears(Hint("folder-gone", str(root / "sub")))
    (root / "a").touch()
    assert ear.hears(Hint("created", str(root / "a")))


def test_folder_replaced(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """A folder that takes the path of one moved out is watched, however fast it comes."""
    (root / "sub").mkdir()
    watcher.watch(str(root))

    for number in range(20):
        (root / "sub").rename(elsewhere / str(number))
        (root / "sub").mkdir()
    end_mark(ear, root)
    (root / "sub" / "a").touch()

    assert ear.hears(Hint("created", str(root / "sub" / "a")))


@pytest.mark.parametrize("seed", range(3))
def test_folders_in_turmoil(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path, seed: int) -> None:
    """However fast folders are made, moved in, about and out, and deleted: those that stay are watched."""
    dice = random.Random(seed)  # noqa: S311 - no secret hangs on it
    watcher.watch(str(root))
    for _ in range(400):
        folders = [*root.rglob("*"), *elsewhere.rglob("*"), root, elsewhere]
        one, other = dice.choice(folders), dice.choice(folders)
        with contextlib.suppress(OSError):
            match dice.choice(["make", "move", "move", "delete"]):
                case "make":
                    (one / f"{dice.randrange(5)}" / f"{dice.randrange(5)}").mkdir(parents=True)
                case "move" if one not in (root, elsewhere):
                    one.rename(other / f"{dice.randrange(5)}")
                case _ if one not in (root, elsewhere) and dice.random() < 0.3:
                    shutil.rmtree(one)
                case _:
                    pass
    probes = {folder / "probe" for folder in [root, *root.rglob("*"), *elsewhere.rglob("*")]}
    end_mark(ear, root)

    for probe in probes:
        probe.touch()

    heard = {hint.path for hint in ear.up_to(settled(root)) if hint.path.endswith("probe")}
    assert heard == {str(probe) for probe in probes if probe.is_relative_to(root)}


def settled(root: Path) -> Hint:
    """Do something after all else; once it is heard of, all else was."""
    (root / "settled").touch()
    return Hint("written", str(root / "settled"))


def test_hidden_folders(watcher: Watcher, ear: Ear, root: Path) -> None:
    """Folders whose name starts with a dot are out of sight, until they are renamed into it."""
    (root / ".trash").mkdir()
    watcher.watch(str(root))

    (root / ".trash" / "a.safetensors").touch()
    (root / ".later").mkdir()
    (root / ".later").rename(root / "now")
    assert ear.up_to(Hint("folder", str(root / "now"))) == [Hint("folder", str(root / "now"))]
    (root / "now" / "b.safetensors").touch()
    assert ear.hears(Hint("created", str(root / "now" / "b.safetensors")))
    (root / "now").rename(root / ".trash" / "now")

    assert ear.hears(Hint("folder-gone", str(root / "now")))


def test_watched_folder_deleted(watcher: Watcher, ear: Ear, root: Path) -> None:
    """A watched folder that is deleted is reported and forgotten, and can be watched when it is back."""
    watcher.watch(str(root))

    root.rmdir()
    assert ear.hears(Hint("folder-gone", str(root)))
    assert watcher.watched() == frozenset()

    root.mkdir()
    watcher.watch(str(root))
    (root / "a").touch()
    assert ear.hears(Hint("created", str(root / "a")))


@linux_only
def test_watched_folder_renamed(watcher: Watcher, ear: Ear, root: Path) -> None:
    """A watched folder that is renamed is gone from its path, and its new path reports nothing."""
    watcher.watch(str(root))

    root.rename(root.with_name("other"))

    assert ear.hears(Hint("folder-gone", str(root)))
    assert watcher.watched() == frozenset()


@linux_only
@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_how_a_watched_folder_ended(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path, how: str) -> None:
    """A folder that was deleted is told from one that was moved away, and lives on elsewhere."""
    watcher.watch(str(root))

    if how == "deleted":
        root.rmdir()
    else:
        root.rename(elsewhere / "moved")

    assert [hint.ended for hint in ear.up_to(Hint("folder-gone", str(root)))] == [how]


def test_no_folder(watcher: Watcher, root: Path) -> None:
    """Watching what is no folder is refused."""
    (root / "file").touch()

    for path in (root / "nothing", root / "file"):
        with pytest.raises(FileNotFoundError):
            watcher.watch(str(path))
    assert watcher.watched() == frozenset()


def test_link_target(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """The target of a followed link is watched where it lies and reported where the link shows it."""
    (elsewhere / "deep").mkdir()
    (root / "link").symlink_to(elsewhere)
    watcher.watch(str(root))
    watcher.watch(str(elsewhere), shown_as=str(root / "link"))

    (elsewhere / "deep" / "a.safetensors").touch()

    assert ear.hears(Hint("created", str(root / "link" / "deep" / "a.safetensors")))
    assert watcher.watched() == {str(root), str(root / "link")}


def test_root_that_is_a_link(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """A watched folder may itself be a link; its paths are reported as they were asked for."""
    (root / "link").symlink_to(elsewhere)
    watcher.watch(str(root / "link"))

    (elsewhere / "a.safetensors").touch()

    assert ear.hears(Hint("created", str(root / "link" / "a.safetensors")))


def test_unwatch(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """An unwatched folder gives no hint any more; the others do."""
    (root / "sub").mkdir()
    watcher.watch(str(root))
    watcher.watch(str(elsewhere))

    watcher.unwatch(str(root))
    watcher.unwatch(str(root))
    (root / "sub" / "a").touch()

    assert end_mark(ear, elsewhere) == []
    assert watcher.watched() == {str(elsewhere)}


def test_unwatch_shared_target(watcher: Watcher, ear: Ear, root: Path, elsewhere: Path) -> None:
    """A folder shown in two places stays watched for the one when the other is given up."""
    watcher.watch(str(elsewhere), shown_as=str(root / "one"))
    watcher.watch(str(elsewhere), shown_as=str(root / "two"))

    watcher.unwatch(str(elsewhere), shown_as=str(root / "one"))
    (elsewhere / "a").touch()

    assert ear.hears(Hint("created", str(root / "two" / "a")))


def test_close(root: Path) -> None:
    """Closing ends the threads, gives the descriptors back, delivers nothing more, and can be done twice."""
    threads, descriptors = threading.enumerate(), len(os.listdir("/dev/fd"))
    ear = Ear()
    watcher = Watcher(ear.hints.put)
    watcher.watch(str(root))

    watcher.close()
    watcher.close()
    (root / "a").touch()

    assert threading.enumerate() == threads
    assert len(os.listdir("/dev/fd")) == descriptors
    assert ear.hints.empty()
    with pytest.raises(RuntimeError):
        watcher.watch(str(root))


def test_close_before_the_first_watch() -> None:
    """A watcher that watched nothing can be closed."""
    Watcher(Ear().hints.put).close()


def test_watching_from_a_hint(ear: Ear, root: Path, elsewhere: Path) -> None:
    """Whoever gets a hint may change what is watched, and close the watcher, in the call."""

    def deliver(hint: Hint) -> None:
        if hint == Hint("created", str(root / "a")):
            watcher.watch(str(elsewhere))
            watcher.unwatch(str(root))
            (elsewhere / "b").touch()
        elif hint == Hint("created", str(elsewhere / "b")):
            watcher.close()
            ear.hints.put(hint)

    watcher = Watcher(deliver)
    watcher.watch(str(root))

    (root / "a").touch()

    assert ear.hears(Hint("created", str(elsewhere / "b")))
    watcher.close()


class Held(Ear):
    """Listens, but takes no second hint until it is let go, so that events pile up in the kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def deliver(self, hint: Hint) -> None:
        self.hints.put(hint)
        self.reached.set()
        self.let_go.wait(timeout=10)


@linux_only
def test_overflow(root: Path, elsewhere: Path) -> None:
    """When the kernel drops events every watched folder is reported lost, once, and is watched again."""
    ear = Held()
    (root / "sub").mkdir()
    with contextlib.closing(Watcher(ear.deliver)) as watcher:
        watcher.watch(str(root))
        watcher.watch(str(elsewhere))

        overflow(root, ear.reached)
        ear.let_go.set()

        assert ear.hears(Hint("lost", str(root)))
        assert ear.hears(Hint("lost", str(elsewhere)))
        (root / "sub" / "a").touch()
        heard = ear.up_to(Hint("written", str(root / "sub" / "a")))
        assert [hint.kind for hint in heard] == ["created", "written"]


@linux_only
def test_overflow_while_a_watched_folder_vanishes(root: Path, elsewhere: Path) -> None:
    """A watched folder that was deleted among dropped events is reported gone."""
    ear = Held()
    with contextlib.closing(Watcher(ear.deliver)) as watcher:
        watcher.watch(str(root))
        watcher.watch(str(elsewhere))

        overflow(root, ear.reached)
        elsewhere.rmdir()
        ear.let_go.set()

        assert ear.hears(Hint("folder-gone", str(elsewhere)))
        assert watcher.watched() == {str(root)}


def overflow(root: Path, reached: threading.Event) -> None:
    """Make more events than the kernel keeps, once the watcher is held up by the first."""
    a, b = str(root / "a"), str(root / "b")
    Path(a).touch()
    assert reached.wait(WAIT_S)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for _ in range(limit // 4 + 10):
        os.rename(a, b)
        os.rename(b, a)


@linux_only
@pytest.mark.slow
def test_overflow_with_20_000_folders(root: Path) -> None:
    """So many watches, built anew after an overflow, are no new overflow: it is over then, and costs nothing more."""
    ear = Held()
    for number in range(20_000):
        os.mkdir(f"{root}/{number}")
    with contextlib.closing(Watcher(ear.deliver)) as watcher:
        watcher.watch(str(root))
        if watcher.shortage() is not None:
            pytest.skip("the system grants fewer watches")
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        os.mkdir(f"{root}/first")
        assert ear.reached.wait(WAIT_S)
        for number in range(limit + 100):
            Path(f"{root}/{number % 20_000}/{number}").touch()
        ear.let_go.set()

        deadline = time.monotonic() + 60
        while ear.hints.get(timeout=deadline - time.monotonic()) != Hint("lost", str(root)):
            pass
        before = time.process_time()
        time.sleep(2.0)
        assert time.process_time() - before < 0.2
        assert ear.hints.empty()
        for number in (0, 19_999):
            Path(f"{root}/{number}/new").touch()
            assert ear.hears(Hint("created", f"{root}/{number}/new"))


@linux_only
def test_failing_delivery(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A delivery that fails is logged and counts as a loss: the watcher lives on, and reports it."""
    ear = Ear()

    def deliver(hint: Hint) -> None:
        if hint.kind == "created":
            raise ValueError("a fault of ours")
        ear.hints.put(hint)

    with contextlib.closing(Watcher(deliver)) as watcher:
        watcher.watch(str(root))

        (root / "a").touch()

        assert ear.hears(Hint("lost", str(root)))
    assert "a fault of ours" in caplog.text


LIMITED = """
    import os, sys
    from pathlib import Path
    from hikaze.daemon.watch import Watcher

    root = Path(sys.argv[1])
    for number in range(30):
        (root / str(number)).mkdir()
    limit = Path("/proc/sys/user/max_inotify_watches")
    limit.write_text("10")
    watcher = Watcher(lambda hint: None)
    watcher.watch(str(root))
    print(watcher.shortage().watches, watcher.shortage().folders)
    limit.write_text("100")
    watcher.watch(str(root))
    print(watcher.shortage())
    watcher.close()
"""


COVERED = """
    import queue, sys
    from pathlib import Path
    from hikaze.daemon.watch import Hint, Watcher

    root = Path(sys.argv[1])
    for name in "abcdef":
        (root / name / "deep").mkdir(parents=True)
    limit = Path("/proc/sys/user/max_inotify_watches")
    limit.write_text("5")
    hints = queue.Queue()
    watcher = Watcher(hints.put)
    watcher.watch(str(root))
    print(dict(watcher.shortage().where) == {str(root): watcher.shortage().folders - 5}, watcher.cover())
    limit.write_text("7")
    print(watcher.cover() == [str(root)], watcher.shortage().watches)
    limit.write_text("100")
    print(watcher.cover() == [str(root)], watcher.shortage(), watcher.cover())
    for name in "abcdef":
        (root / name / "deep" / "file").touch()
    heard = {hints.get(timeout=5).path for _ in range(12)}
    print(heard == {str(root / name / "deep" / "file") for name in "abcdef"})
    watcher.close()
"""


REFUSED = """
    import errno, logging, os, queue, sys, threading
    from pathlib import Path
    from hikaze.daemon.watch import Hint, Watcher

    root = Path(sys.argv[1])
    logging.disable()
    limit = Path("/proc/sys/user/max_inotify_instances")
    limit.write_text("0")
    hints, held, reached = queue.Queue(), threading.Event(), threading.Event()

    def deliver(hint):
        hints.put(hint)
        reached.set()
        held.wait(20)

    watcher = Watcher(deliver)
    try:
        watcher.watch(str(root))
    except OSError as error:
        print(error.errno == errno.EMFILE)
    limit.write_text("1")
    watcher.watch(str(root))
    a, b = str(root / "a"), str(root / "b")
    Path(a).touch()
    reached.wait(5)
    for _ in range(int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) // 4 + 10):
        os.rename(a, b)
        os.rename(b, a)
    limit.write_text("0")
    held.set()
    while hints.get(timeout=10) != Hint("folder-gone", str(root)):
        pass
    print(watcher.watched())
    limit.write_text("1")
    watcher.watch(str(root))
    (root / "new").touch()
    while hints.get(timeout=5) != Hint("created", str(root / "new")):
        pass
    watcher.close()
    print([thread.name for thread in threading.enumerate()])
"""


UNMOUNTED = """
    import queue, subprocess, sys
    from hikaze.daemon.watch import Watcher

    root = sys.argv[1]
    subprocess.run(["mount", "-t", "tmpfs", "none", root], check=True)
    hints = queue.Queue()
    watcher = Watcher(hints.put)
    watcher.watch(root)
    subprocess.run(["umount", root], check=True)
    hint = hints.get(timeout=2)
    print(hint.kind, hint.ended, len(watcher.watched()))
    watcher.close()
"""


def run_in_namespace(script: str, root: Path) -> str:
    """Run a script as the root of a user namespace, with limits and mounts of its own; give what it printed."""
    in_namespace = ["unshare", "--user", "--map-root-user", "--mount", sys.executable]
    try:
        subprocess.run([*in_namespace, "-c", ""], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this needs a user namespace, which this system does not allow")
    command = [*in_namespace, "-c", textwrap.dedent(script), str(root)]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.stderr == ""
    return run.stdout


@linux_only
def test_shortage(root: Path) -> None:
    """Folders that the system's limit leaves unwatched are counted, and watched once the limit is lifted."""
    assert run_in_namespace(LIMITED, root) == "10 31\nNone\n"


@linux_only
def test_covering_what_was_refused(root: Path) -> None:
    """It is told which watched folder lacks watches; once the limit is raised they are taken, and nothing is lost."""
    assert run_in_namespace(COVERED, root) == "True []\nTrue 7\nTrue None []\nTrue\n"


@linux_only
def test_no_instance_any_more(root: Path) -> None:
    """Where the system grants no queue watching is refused, or ends with a hint; it begins again when it does."""
    assert run_in_namespace(REFUSED, root) == "True\nfrozenset()\n['MainThread']\n"


@linux_only
def test_unmounted(root: Path) -> None:
    """A watched folder whose file system is unmounted is gone, though its mount point is still there."""
    assert run_in_namespace(UNMOUNTED, root) == "folder-gone unmounted 0\n"


@pytest.mark.parametrize(
    ("watches", "folders", "limit", "needed"),
    [(10, 31, 20, 524_288), (190_000, 300_000, 192_493, 1_048_576)],
)
def test_cure(watches: int, folders: int, limit: int, needed: int) -> None:
    """The cure is a command, with twice what is needed, and never less than half a million."""
    cure = shortage_of(watches, folders, limit).cure

    assert cure == f"sudo sysctl -w fs.inotify.max_user_watches={needed}"


def test_backoff() -> None:
    """Watches are built anew at once three times, then after ever longer pauses up to five seconds."""
    backoff = Backoff()

    assert [backoff.pause_s(now) for now in range(11)] == [0, 0, 0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]
    assert backoff.pause_s(1_000) == 0


@pytest.mark.parametrize("change", ["write", "rename", "delete"])
def test_platform_observer(ear: Ear, root: Path, elsewhere: Path, change: str) -> None:
    """The observer of the platform gives the same hints, below the shown path."""
    (root / "old").touch()
    source = PlatformObserver(ear.hints.put)
    shown = str(elsewhere / "shown")
    changes: dict[str, tuple[Callable[[], object], Hint]] = {
        "write": ((root / "new").touch, Hint("created", f"{shown}/new")),
        "rename": (
            lambda: (root / "old").rename(root / "new"),
            Hint("arrived", f"{shown}/new", f"{shown}/old"),
        ),
        "delete": ((root / "old").unlink, Hint("gone", f"{shown}/old")),
    }
    act, hint = changes[change]

    source.watch(str(root), shown)
    act()

    assert ear.hears(hint)
    assert source.watched() == {shown}
    source.unwatch(shown)
    source.close()
    assert source.watched() == frozenset()
