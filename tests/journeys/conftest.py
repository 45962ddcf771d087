"""Daemons for journeys: each is ended when its test ends, however that was."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .harness import Daemon

Make = Callable[..., Daemon]


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
    for daemon in made:
        daemon.close()


@pytest.fixture
def daemon(make_daemon: Make) -> Daemon:
    """Give a daemon that runs."""
    return make_daemon().start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon that runs, the same to all tests of a file: each keeps to names and contents of its own."""
    daemon = Daemon(tmp_path_factory.mktemp("shared")).start()
    yield daemon
    daemon.close()
