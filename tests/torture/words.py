"""What people wrote, told by the story itself: deeds that were acknowledged, and what must stand written after them.

The order is that of the log's positions, and of imports the log tells which came to what; everything else is worked
out here anew, so that a word that the daemon loses is missed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

BRINGS = ("imported", "merged", "overridden")


@dataclass
class Written:
    """What is written about a model or a pending model; `name` is None as long as nobody gave one.

    `pictures` are the numbers of a model's pictures with their colours (None: not the story's), `given` the colour
    of a pending model's picture.
    """

    name: str | None = None
    description: str = ""
    tags: set[str] = field(default_factory=set[str])
    pictures: dict[int, tuple[int, int, int] | None] = field(default_factory=dict)
    cover: int | None = None
    given: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Deed:
    """Something a person did, or an import that was completed, at a position of the log."""

    position: int
    kind: str
    what: dict[str, Any]


@dataclass
class Book:
    """All that is written, by a model's hash and by a pending model's number."""

    models: dict[str, Written] = field(default_factory=dict[str, Written])
    pending: dict[int, Written] = field(default_factory=dict[int, Written])
    dismissed: set[int] = field(default_factory=set[int])

    def of(self, subject: str | int) -> Written:
        """Give what is written about a model (its hash) or a pending model (its number)."""
        if isinstance(subject, str):
            return self.models.setdefault(subject, Written())
        return self.pending.setdefault(subject, Written())


def book_of(deeds: Iterable[Deed]) -> Book:
    """Give what must stand written after some deeds."""
    book = Book()
    for deed in sorted(deeds, key=lambda deed: deed.position):
        _DO[deed.kind](book, **deed.what)
    return book


def _edit(book: Book, subject: str | int, name: str | None, description: str | None, tags: list[str] | None) -> None:
    written = book.of(subject)
    written.name = name or written.name
    written.description = written.description if description is None else description
    written.tags = written.tags if tags is None else set(tags)


def _rename_tag(book: Book, old: str, new: str) -> None:
    for written in (*book.models.values(), *book.pending.values()):
        if old in written.tags:
            written.tags = written.tags - {old} | {new}


def _delete_tag(book: Book, old: str) -> None:
    for written in (*book.models.values(), *book.pending.values()):
        written.tags.discard(old)


def _upload(book: Book, subject: str, seq: int, colour: tuple[int, int, int]) -> None:
    _add_picture(book.of(subject), seq, colour)


def _add_picture(written: Written, seq: int, colour: tuple[int, int, int] | None) -> None:
    written.pictures[seq] = colour
    written.cover = seq if written.cover is None else written.cover


def _remove_picture(book: Book, subject: str, seq: int) -> None:
    written = book.of(subject)
    written.pictures.pop(seq, None)
    if written.cover == seq:
        written.cover = min(written.pictures, default=None)


def _choose_cover(book: Book, subject: str, seq: int) -> None:
    book.of(subject).cover = seq


def _give(book: Book, subject: int, colour: tuple[int, int, int]) -> None:
    book.of(subject).given = colour


def _dismiss(book: Book, subject: int) -> None:
    book.dismissed.add(subject)


def _complete(book: Book, pending: int, model: str, status: str, added: int | None) -> None:
    """Do what an import does; `added` is the number of the picture that it brought, None where it brought none."""
    words = book.pending.pop(pending, Written()) if status != "ignored" else Written()
    if status not in BRINGS:
        return
    into = book.of(model)
    if status == "overridden":
        into.name = words.name or into.name
        into.description = words.description or into.description
        into.tags = words.tags or into.tags
    else:
        into.name = words.name if status == "imported" else into.name
        into.description = into.description or words.description
        into.tags = into.tags | words.tags
    if added is not None or words.given is not None:
        _add_picture(into, -1 if added is None else added, words.given)
        into.cover = added if status == "overridden" else into.cover


_DO = {
    "edit": _edit,
    "rename-tag": _rename_tag,
    "delete-tag": _delete_tag,
    "upload": _upload,
    "remove-picture": _remove_picture,
    "cover": _choose_cover,
    "give": _give,
    "dismiss": _dismiss,
    "complete": _complete,
}
