"""What tests of every folder share."""

from collections.abc import Callable, Iterable

import apsw
import pytest
from hikaze.events.catalog import Event, File
from hikaze.events.log import EventLog
from hikaze.events.record import New
from hikaze.projections.runner import Views
from hypothesis import settings

settings.register_profile("hikaze", deadline=None)  # CI is slow, and loaded: nothing is judged by the clock
settings.load_profile("hikaze")

Replay = Callable[[Iterable[Event]], apsw.Connection]
UNHURRIED_S = 600  # for a test that others run beside, on a machine that may have still more to do


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that are not in a hurry the time they may need."""
    for item in items:
        if item.get_closest_marker("unhurried") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(UNHURRIED_S))


def stream_of(event: Event) -> str:
    """Give the stream that the daemon puts an event into."""
    name = type(event).__name__
    if name.endswith(("Provided", "HeaderRead")) or getattr(event, "origin", "") in ("provider", "header"):
        return f"sidecars/{'pending' if name.startswith('Pending') else 'model'}/{_owner(event)}"
    if name.startswith(("Location", "Claim")):
        return f"files/{getattr(event, 'model', '')}"
    for field, prefix in (("op", "import"), ("trash", "trash"), ("root", "root")):
        if hasattr(event, field) and name.startswith(("Import", "File", "Root")):
            return f"{prefix}/{getattr(event, field)}"
    if name.startswith(("Migration", "Row")):
        return f"migration/{getattr(event, 'op', '')}"
    if name.startswith("Pending"):
        return f"pending/{getattr(event, 'pending', 0)}"
    if name.startswith(("Model", "Image", "Cover")):
        return f"model/{getattr(event, 'model', '')}"
    return f"tag/{getattr(event, 'tag', 0)}"


def _owner(event: Event) -> str | int:
    return getattr(event, "model", None) or getattr(event, "pending", 0)


def write_history(log: EventLog, history: Iterable[Event]) -> None:
    """Append events to a log in one transaction, each as an action of its own."""
    log.begin()
    for number, event in enumerate(history, 1):
        log.append([New(stream_of(event), event)], actor="page", action=number.to_bytes(16, "big"))
    log.commit()


@pytest.fixture
def replay() -> Replay:
    """Give the read tables that a history leads to: history in, answer out. The clock ticks once an event."""

    def replay_(history: Iterable[Event]) -> apsw.Connection:
        ticks = iter(range(1, 1_000_000))
        log = EventLog(":memory:", clock=lambda: next(ticks))
        write_history(log, history)
        return Views(":memory:", log).db

    return replay_


@pytest.fixture
def file() -> Callable[..., File]:
    """Make the file of an event from a path and what of it matters."""

    def file_(path: str, root: int = 1, size: int = 10, mtime_ns: int = 5, ino: int = 7) -> File:
        return File(path, root, size, mtime_ns, 1, ino)

    return file_
