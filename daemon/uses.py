"""What ComfyUI used: which files of ours its prompts load, counted as it tells of them."""

from collections.abc import Iterable
from datetime import datetime

import apsw
from msgspec import UNSET

from ..events.catalog import Event, ModelUsed, PendingUsed
from ..events.pathtext import shown
from ..events.record import New
from ..events.writer import Decision
from ..projections import library, models
from .shapes import UseBody


def count(db: apsw.Connection, used: Iterable[UseBody], now_ms: int) -> Decision:
    """Decide what was used. The value is `{counted, unknown}`; what is none of ours is no error, for ComfyUI has more.

    A time that lies ahead of ours is taken for now.
    """
    found: dict[str, Event] = {}
    unknown: list[str] = []
    for each in used:
        event = _event(db, each, min(_ms(each.last, now_ms), now_ms))
        if event is None:
            unknown.append(each.sha256 if isinstance(each.sha256, str) else shown(str(each.path)))
            continue
        stream = _stream(event)
        found[stream] = _together(found[stream], event) if stream in found else event
    events = [New(stream, event) for stream, event in found.items()]
    return Decision(events, {"counted": len(events), "unknown": unknown})


def _event(db: apsw.Connection, use: UseBody, last: int) -> ModelUsed | PendingUsed | None:
    if isinstance(use.sha256, str):
        return ModelUsed(use.sha256, use.count, last) if models.get(db, use.sha256) is not None else None
    match library.at_path(db, str(use.path)):
        case ("model", str(sha256)):
            return ModelUsed(sha256, use.count, last)
        case ("pending", int(number)):
            return PendingUsed(number, use.count, last)
        case _:
            return None


def _together(one: Event, other: Event) -> Event:
    match one, other:
        case ModelUsed(), ModelUsed():
            return ModelUsed(one.model, one.count + other.count, max(one.last, other.last))
        case PendingUsed(), PendingUsed():
            return PendingUsed(one.pending, one.count + other.count, max(one.last, other.last))
        case _:
            raise TypeError(one)


def _stream(event: ModelUsed | PendingUsed) -> str:
    """Give the stream of a use: not the model's own, for no use makes an editor's `If-Match` fail."""
    return f"uses/model/{event.model}" if isinstance(event, ModelUsed) else f"uses/pending/{event.pending}"


def _ms(last: object, now_ms: int) -> int:
    if last is UNSET:
        return now_ms
    return int(last.timestamp() * 1000) if isinstance(last, datetime) else int(str(last))
