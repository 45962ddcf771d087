"""Daemons for journeys: each is ended when its test ends, however that was."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import underprivileged
from .browsing import browser, guest, house, inn, visit
from .harness import Daemon, Make

__all__ = ("browser", "guest", "house", "inn", "visit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder as a journey."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("journey")


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Make]:
    """Make daemons in folders of their own, not started yet."""
    made: list[Daemon] = []

    def make(name: str = "d", **how: object) -> Daemon:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        daemon = Daemon(folder, **how)  # type: ignore[arg-type]
        made.append(daemon)
        return daemon

    yield make
    with contextlib.ExitStack() as stack:  # all are ended, and the first complaint is raised
        for daemon in made:
            stack.callback(daemon.close)


@pytest.fixture
def of_nobody(make_daemon: Make, tmp_path: Path) -> Daemon:
    """Give a daemon of another user, not started yet, in folders of that user."""
    if os.geteuid() != 0:
        pytest.skip("only root can start it as another user")
    daemon = make_daemon(program=(underprivileged.__file__, str(underprivileged.NOBODY)), stranger=True)
    for folder in (tmp_path.parent.parent, tmp_path.parent, tmp_path):
        folder.chmod(0o755)
    for path in (Path(daemon.socket).parent, daemon.folder, *daemon.folder.rglob("*")):
        os.chown(path, underprivileged.NOBODY, underprivileged.NOBODY)
    return daemon


@pytest.fixture
def daemon(make_daemon: Make) -> Daemon:
    """Give a daemon that runs."""
    return make_daemon().start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon that runs, the same to all tests of a file: each keeps to names and contents of its own."""
    daemon = Daemon(tmp_path_factory.mktemp("shared"))
    try:
        yield daemon.start()
    finally:
        daemon.close()


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """Give a folder on another file system than the temporary folder's; skips where there is none."""
    shm = Path("/dev/shm")  # noqa: S108 - the one other file system that most machines have
    if not shm.is_dir() or shm.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no second file system to write to")
    folder = Path(tempfile.mkdtemp(prefix="hkj", dir=shm))
    yield folder
    shutil.rmtree(folder)
