"""What a person sees of a command: tables, sizes and times, and progress, with text from outside made inert.

A file's name may hold anything, an escape sequence that rewrites the screen included. What is not shown as
itself is shown as its code. Tables are laid out here: rich takes 2 ms a row, which makes 20,000 models 40 s.
"""

import json
import os
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

PROGRESS_AFTER = 1.0
"""Seconds of work before progress is shown: what is over sooner needs none."""

_NARROWEST = 8  # cells that a column keeps when a table is cut to the terminal's width
_GAP = "  "
_JOINERS = "\u200c\u200d"  # parts of scripts and of emoji; they show nothing and reorder nothing


def inert(text: str) -> str:
    """Give text that does nothing to a terminal: control, direction and other unseen characters as their code."""
    if text.isprintable():
        return text
    return "".join(character if _is_harmless(character) else _code(character) for character in text)


def _is_harmless(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode()


def size(count: int) -> str:
    """Give a number of bytes as people say it."""
    if count < 1024:
        return f"{count} B"
    amount, unit = count / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"


def moment(time_ms: int) -> str:
    """Give a time, in ms since 1970 UTC, as the clock here shows it."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ms / 1000))
    except (OverflowError, ValueError, OSError):
        return str(time_ms)


def number(count: int, noun: str, several: str | None = None) -> str:
    """Give a count with its noun: `1 model`, `2,000 models`."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None) -> Iterator[str]:
    """Give the lines of a table, cut to `width` cells where one is given.

    A column named `>SO` leans right. Without names of columns there is no head.
    """
    titles = [column.removeprefix(">") for column in columns]
    cells = [*([titles] if titles else []), *([inert(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(width_of, column)) for column in zip(*cells, strict=True)]
    if width is not None:
        _narrow(widths, width)
    right = [column.startswith(">") for column in columns] or [False] * len(widths)
    for row in cells:
        line = (_padded(*each) for each in zip(row, widths, right, strict=True))
        yield _GAP.join(line).rstrip()


def _narrow(widths: list[int], width: int) -> None:
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0 and max(widths) > _NARROWEST:
        widest = widths.index(max(widths))
        widths[widest] -= 1
        excess -= 1


def width_of(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # measures East Asian and combining characters

    return cell_len(text)


def _padded(text: str, width: int, right: bool) -> str:
    room = width - width_of(text)
    if room < 0:
        from rich.cells import set_cell_size

        return set_cell_size(text, width - 1) + "…"
    return " " * room + text if right else text + " " * room


class Screen:
    """Where a command speaks: what was asked for on `out`, everything else on `err`."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        """Speak on two streams, which belong to the caller."""
        self._out = out
        self._err = err

    def line(self, text: str = "") -> None:
        """Write one line of the answer."""
        self._out.write(inert(text) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write a table, cut to the terminal's width where there is one."""
        width = os.get_terminal_size(self._out.fileno()).columns if self._out.isatty() else None
        for line in table(columns, rows, width or None):
            self._out.write(line + "\n")

    def json(self, value: object) -> None:
        """Write a value as one line of JSON, in ASCII where a terminal or an old encoding reads it."""
        self.raw(self.encoded(value) + "\n")

    def encoded(self, value: object) -> str:
        """Give the JSON of a value, for whoever writes it in parts by `raw`."""
        utf8 = (self._out.encoding or "").lower().replace("-", "") == "utf8"
        return json.dumps(value, ensure_ascii=self._out.isatty() or not utf8)

    def raw(self, text: str) -> None:
        """Write text of our own making as it is."""
        self._out.write(text)

    def flush(self) -> None:
        """Let whoever reads the answer see what was written so far."""
        self._out.flush()

    def note(self, text: str) -> None:
        """Write a line beside the answer."""
        self._err.write(inert(text) + "\n")
        self._err.flush()

    @property
    def shows_progress(self) -> bool:
        """Whether there is a terminal to show progress on."""
        return self._err.isatty()

    def progress(self, title: str, after: float = PROGRESS_AFTER) -> "Progress":
        """Make the progress of a piece of work, shown when it takes longer than `after` seconds."""
        return Progress(self._err if self.shows_progress else None, title, after)


class Progress:
    """Bars that appear when the work takes a while, and go when it is done. Any thread may report."""

    def __init__(self, stream: TextIO | None, title: str, after: float) -> None:
        """Show bars on a terminal; None shows nothing."""
        self._stream = stream
        self._lock = threading.Lock()
        self._bars: dict[str, dict[str, Any]] = {"": {"text": title, "done": 0, "total": None, "figures": ""}}
        self._tasks: dict[str, TaskID] = {}
        self._rich: RichProgress | None = None
        self._timer = threading.Timer(after, self._appear)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Start to count the time."""
        if self._stream is not None:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bars away."""
        self._timer.cancel()
        with self._lock:
            self._stream = None
            if self._rich is not None:
                self._rich.stop()

    def show(self, done: int, total: int | None, text: str = "", *, key: str = "", figures: str = "") -> None:
        """Say how far the work is, or a part of it that has a `key`; `text` left out stays as it was."""
        with self._lock:
            before = self._bars.get(key, {"text": ""})
            bar = {"text": text or before["text"], "done": done, "total": total or None, "figures": figures}
            self._bars[key] = bar
            if self._rich is not None:
                self._draw(self._rich, key, bar)

    def drop(self, key: str) -> None:
        """Take away the bar of a part that is done."""
        with self._lock:
            self._bars.pop(key, None)
            if self._rich is not None and key in self._tasks:
                self._rich.remove_task(self._tasks.pop(key))

    def _appear(self) -> None:
        rich = _make_rich(self._stream)
        with self._lock:
            if self._stream is None:
                return
            self._rich = rich
            for key, bar in self._bars.items():
                self._draw(rich, key, bar)
            rich.start()

    def _draw(self, rich: "RichProgress", key: str, bar: dict[str, Any]) -> None:
        if key not in self._tasks:
            self._tasks[key] = rich.add_task("", total=None, figures="")
        rich.update(
            self._tasks[key],
            completed=bar["done"],
            total=bar["total"],
            description=_shortened(inert(bar["text"])),
            figures=bar["figures"],
        )


def _make_rich(stream: TextIO | None) -> "RichProgress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%  {task.fields[figures]}", markup=False),
        TimeRemainingColumn(),
        console=Console(file=stream, markup=False, emoji=False, highlight=False),
        transient=True,
        refresh_per_second=5,
    )


def _shortened(text: str, most: int = 40) -> str:
    return text if width_of(text) <= most else _padded(text, most, right=False)
