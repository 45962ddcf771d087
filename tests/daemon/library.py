"""A library in memory with a clock that ticks, to which decisions are written at once; and tiny model files."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
from hikaze.daemon import roots
from hikaze.daemon.rootcheck import identify
from hikaze.daemon.roots import Wanted
from hikaze.events.catalog import Event
from hikaze.events.log import EventLog
from hikaze.events.writer import Decision
from hikaze.projections.runner import Views


class Memory:
    """A log and its views in memory."""

    def __init__(self) -> None:
        """Begin with nothing written."""
        ticks = iter(range(1, 1_000_000))
        self.log = EventLog(":memory:", clock=lambda: next(ticks))
        self._views = Views(":memory:", self.log)

    @property
    def db(self) -> apsw.Connection:
        """The read tables."""
        return self._views.db

    def write(self, decide: Callable[[apsw.Connection], Decision]) -> list[Event]:
        """Write what follows from a decision; gives its events."""
        decision = decide(self.db)
        if decision.events:
            self.log.begin()
            self.log.append(decision.events, actor="page", action=b"a" * 16)
            self.log.commit()
            self._views.catch_up()
        self.value: Any = decision.value
        return [new.event for new in decision.events]

    def with_roots(self, *wanted: Wanted) -> "Memory":
        """Watch roots, all of them present."""
        self.write(lambda db: roots.adjust(db, wanted))
        for root in roots.every(self.db):
            found = identify(root.path)
            assert found is not None
            self.write(lambda _db, root=root, found=found: roots.comes_online(root.id, found))
        return self


def model_bytes(seed: int, size: int = 256) -> bytes:
    """Give a whole safetensors file, a LoRA by its tensor's name; seeds make contents of one size."""
    shape = [4, size // 16]
    header = json.dumps(
        {
            "__metadata__": {"seed": f"{seed:08}"},
            "lora_unet_a.lora_down.weight": {
                "dtype": "F32",
                "shape": shape,
                "data_offsets": [0, 4 * shape[0] * shape[1]],
            },
        }
    ).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4 * shape[0] * shape[1])


def put_model(path: Path, seed: int, size: int = 256) -> Path:
    """Write a model file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model_bytes(seed, size))
    return path
