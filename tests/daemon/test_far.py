"""The processes for far file systems: what they answer, and what happens when they cannot."""

import asyncio
import hashlib
import inspect
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.disks import NEAR, Disks, NoAnswer
from hikaze.daemon.far.disks import FarDisks
from hikaze.daemon.mounts import Mount
from hikaze.daemon.roots import Root
from hikaze.daemon.watch import Hint

from ..bound import Bound
from ..machine import needs_bindfs

LIMIT_S = 3.0
STOP = threading.Event()


class Mounts:
    """A table of mounts that says of a folder of this machine that it is far: processes need nothing more."""

    def __init__(self, *points: Path) -> None:
        """Mount folders."""
        self.mounted = [Mount(str(n), f"0:{n}", str(point), "nfs4") for n, point in enumerate(points)]

    def __call__(self) -> Sequence[Mount]:
        """Give what is mounted."""
        return list(self.mounted)


@asynccontextmanager
async def disks_with(mounted: Callable[[], Sequence[Mount]], *roots: Root, **how: Any) -> AsyncIterator[FarDisks]:
    """Give disks that know where some roots lie."""
    disks = FarDisks(mounted=mounted, limit_s=LIMIT_S, back_off_s=(0.1, 0.5), patience_s=30.0, **how)
    disks.start(lambda _hint: None)
    try:
        await disks.find_lanes(roots)
        yield disks
    finally:
        await disks.close()


def root_at(path: Path, number: int = 1) -> Root:
    """Give a root that was found at a path."""
    return Root(number, str(path), "model", "loras", False, None, None)


async def until(holds: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait until something holds."""
    for _ in range(int(seconds / 0.02)):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")


def child_of(disks: FarDisks, point: Path) -> int:
    """Give the process that looks at a far mount."""
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    mine = [int(child) for child in found if b"far.side" in Path(f"/proc/{child}/cmdline").read_bytes()]
    assert disks.lane(root_at(point)) == str(point)
    (only,) = mine
    return only


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """Give a folder that is said to be far."""
    folder = Path(os.path.realpath(tmp_path)) / "far"
    folder.mkdir()
    return folder


def play(story: Awaitable[None]) -> None:
    """Run a story."""

    async def run() -> None:
        await story

    asyncio.run(run())


def test_every_look_goes_where_the_path_lies() -> None:
    """Nothing that may touch a disk is left to the class for this machine's own disks alone."""
    near_only = {"cover", "close", "start"}
    looks = {name for name, member in vars(Disks).items() if inspect.iscoroutinefunction(member)}

    # `look` measures what `_look` does, which is another one here.
    assert {name for name in looks - near_only if name not in vars(FarDisks)} == {"look"}


def test_a_far_folder_is_looked_at_by_a_process(far: Path) -> None:
    """Whatever is asked is answered as if it were near, whatever bytes a name is made of."""

    async def story() -> None:
        odd = os.fsdecode(b"\xff.safetensors")
        (far / odd).write_bytes(b"one")
        (far / "sub").mkdir()
        root = root_at(far)
        async with disks_with(Mounts(far), root) as disks:
            near = Disks()
            path = str(far / odd)
            assert disks.lane(root) == str(far)
            assert disks.polled_every(root) is not None
            assert await disks.identify(str(far)) == await near.identify(str(far))
            assert await disks.fingerprints([path, str(far / "no")]) == await near.fingerprints([path, str(far / "no")])
            assert await disks.folders_among([path, str(far / "sub")]) == [str(far / "sub")]
            hashed = await disks.hash_file(path, STOP)
            assert hashed.sha256 == hashlib.sha256(b"one").hexdigest()
            found = await disks.look(root, {}, [], under=None, followed=None, stop=STOP)
            assert [one.path for one in found.new] == [path]
            known = {path: (3, found.new[0].mtime_ns, found.new[0].ino), str(far / "gone.ckpt"): (1, 1, 1)}
            again = await disks.look(root, known, [], under=None, followed=None, stop=STOP)
            assert (again.new, again.changed, again.gone) == ([], [], [str(far / "gone.ckpt")])
            (looked,) = await disks.look_at_files([root], [(path, True)])
            assert (looked.path, looked.network, looked.gone) == (path, True, False)
            assert [one.path for one in await disks.look_at_files([root], [(str(far / "no"), True)])] == [
                str(far / "no")
            ]
            as_known = (path, 3, found.new[0].mtime_ns)
            assert await disks.header_of(root, as_known, "loras") == await near.header_of(root, as_known, "loras")
            assert await disks.header_of(root, (path, 4, found.new[0].mtime_ns), "loras") is None
            assert await disks.header_of(root, (str(far / "no"), 3, 1), None) is None
            with pytest.raises(FileNotFoundError):
                await disks.hash_file(str(far / "no"), STOP)
            with pytest.raises(ValueError, match="not below"):
                await disks.look(root, {}, [], under=str(far.parent), followed=None, stop=STOP)

    play(story())


def test_hints_come_from_there(far: Path) -> None:
    """What is changed through this machine gives a hint, which need not wait for the next look."""

    async def story() -> None:
        hints: list[Hint] = []
        disks = FarDisks(mounted=Mounts(far), limit_s=LIMIT_S)
        disks.start(hints.append)
        await disks.find_lanes([root_at(far)])
        try:
            await disks.watch(str(far))
            await disks.identify(str(far))
            for number in range(1000):  # the watch is set up soon, not at once
                (far / f"{number}.safetensors").touch()
                await asyncio.sleep(0.02)
                if hints:
                    break
            assert hints
            assert os.path.dirname(hints[0].path) == str(far)
        finally:
            await disks.close()

    play(story())


def test_a_process_that_was_killed_is_replaced(far: Path) -> None:
    """What was asked of it fails as if nothing answered, and a moment later all is as before."""

    async def story() -> None:
        async with disks_with(Mounts(far), root_at(far)) as disks:
            await disks.identify(str(far))
            first = child_of(disks, far)
            os.kill(first, signal.SIGKILL)
            await until(lambda: not disks.answers(str(far / "a")))
            with pytest.raises(NoAnswer):
                await disks.identify(str(far))
            assert disks.told(root_at(far)) is not None
            await until(lambda: disks.answers(str(far / "a")))
            assert await disks.identify(str(far)) is not None
            assert child_of(disks, far) != first
            assert disks.told(root_at(far)) is None

    play(story())


@pytest.mark.slow
def test_a_process_that_shows_no_sign_of_life(far: Path) -> None:
    """It is given up after a while, killed, and another one is tried; near looks go on all the time."""

    async def story() -> None:
        near = far.parent / "near"
        near.mkdir()
        async with disks_with(Mounts(far), root_at(far), root_at(near, 2)) as disks:
            await disks.identify(str(far))
            stuck = child_of(disks, far)
            os.kill(stuck, signal.SIGSTOP)
            asked = asyncio.create_task(disks.identify(str(far)))
            assert disks.lane(root_at(near, 2)) == NEAR
            assert await disks.identify(str(near)) is not None
            with pytest.raises(NoAnswer):
                await asked
            await until(lambda: disks.answers(str(far)))
            assert await disks.identify(str(far)) is not None
            await until(lambda: not os.path.exists(f"/proc/{stuck}"))

    play(story())


def test_links_from_near_to_far(far: Path) -> None:
    """They are followed by the process; while that cannot be asked, nothing behind them is gone."""

    async def story() -> None:
        near = far.parent / "near"
        near.mkdir()
        (far / "sub").mkdir()
        (far / "sub" / "a.safetensors").write_bytes(b"a")
        (far / "b.safetensors").write_bytes(b"b")
        (near / "folder").symlink_to(far / "sub")
        (near / "b.safetensors").symlink_to(far / "b.safetensors")
        (near / "c.safetensors").write_bytes(b"c")
        root = root_at(near)
        async with disks_with(Mounts(far), root) as disks:
            found = await disks.look(root, {}, [], under=None, followed=None, stop=STOP)
            paths = {str(near / "folder" / "a.safetensors"), str(near / "b.safetensors"), str(near / "c.safetensors")}
            assert {one.path for one in found.new} == paths
            assert list(found.links) == [str(near / "folder")]
            assert disks.polled_every(root) is not None
            beside = [root_at(far / "sub", 2)]
            without = await disks.look(root, {}, beside, under=None, followed=None, stop=STOP)
            assert str(near / "folder" / "a.safetensors") not in {one.path for one in without.new}
            known = {one.path: (one.size, one.mtime_ns, one.ino) for one in found.new}
            os.kill(child_of_any(), signal.SIGKILL)
            await until(lambda: not disks.answers(str(near / "folder" / "a.safetensors")))
            assert disks.answers(str(near / "c.safetensors"))
            silent = await disks.look(root, known, [], under=None, followed=found.links, stop=STOP)
            assert (silent.gone, silent.new, silent.changed) == ([], [], [])
            await until(lambda: disks.answers(str(near / "folder")))
            (far / "sub" / "a.safetensors").unlink()
            again = await disks.look(root, known, [], under=None, followed=found.links, stop=STOP)
            assert again.gone == [str(near / "folder" / "a.safetensors")]

    play(story())


def child_of_any() -> int:
    """Give the one process for a far file system that there is."""
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    (only,) = [int(child) for child in found if b"far.side" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return only


def test_another_file_system_at_the_same_point(far: Path) -> None:
    """What answers from now on is a process that knows nothing of the old one."""

    async def story() -> None:
        mounted = Mounts(far)
        async with disks_with(mounted, root_at(far)) as disks:
            await disks.identify(str(far))
            first = child_of(disks, far)
            mounted.mounted = [Mount("9", "0:9", str(far), "cifs")]
            await disks.find_lanes([root_at(far)])
            await until(lambda: disks.answers(str(far)))
            await disks.identify(str(far))
            assert child_of(disks, far) != first
            mounted.mounted = []
            await disks.find_lanes([root_at(far)])
            assert disks.lane(root_at(far)) == NEAR
            assert await disks.identify(str(far)) is not None

    play(story())


@pytest.mark.slow
@needs_bindfs
def test_a_mount_that_hangs(tmp_path: Path) -> None:
    """Its process is killed though it hangs in the kernel, and the end of the daemon does not wait for it."""
    mount = Bound(tmp_path / "behind", tmp_path / "at")

    async def story() -> None:
        root = root_at(mount.at)
        disks = FarDisks(limit_s=LIMIT_S, back_off_s=(0.2, 0.5))
        disks.start(lambda _hint: None)
        try:
            await disks.find_lanes([root])
            assert await disks.identify(str(mount.at)) is not None
            mount.hang()
            with pytest.raises(NoAnswer):
                await disks.identify(str(mount.at / "new"))
            told = disks.told(root)
            assert told is not None
            assert told[0].startswith(f"{mount.at} does not answer")
            mount.go_on()
            await until(lambda: disks.answers(str(mount.at)))
            assert await disks.identify(str(mount.at)) is not None
            mount.hang()
        finally:
            await disks.close()

    try:
        play(story())
    finally:
        mount.close()


def test_what_the_process_does_not_load() -> None:
    """It is small: nothing of servers, pictures or terminals is in it."""
    code = "import sys, hikaze.daemon.far.side; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"aiohttp", "PIL", "rich", "yaml", "platformdirs", "multiprocessing"} & set(loaded)
