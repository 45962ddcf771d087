"""Pages of a list by keyset: each starts behind the key of the last item before it, however deep."""

import base64
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec


class BadCursor(ValueError):
    """A cursor that no page gave out."""


class Page(NamedTuple):
    """A page of a list: its items as JSON objects, and the cursor of the next page, None at the end."""

    items: list[str]
    next: str | None

    def json(self) -> bytes:
        """Give the page as the JSON that the API answers."""
        cursor = msgspec.json.encode(self.next).decode()
        return f'{{"items":[{",".join(self.items)}],"next":{cursor}}}'.encode()


def page_of(rows: Iterable[tuple[Any, ...]], limit: int) -> Page:
    """Make a page from up to `limit` + 1 rows of (JSON object, key...)."""
    rows = list(rows)
    more = len(rows) > limit
    rows = rows[:limit]
    return Page([row[0] for row in rows], cursor_of(rows[-1][1:]) if more else None)


def cursor_of(key: tuple[Any, ...]) -> str:
    """Give the cursor that stands for a key of text and numbers."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def key_of(cursor: str, kinds: tuple[type, ...]) -> tuple[Any, ...]:
    """Give the key that a cursor stands for; raises `BadCursor` where it is none of a list with such keys."""
    try:
        key = _KEY.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:  # base64's, UTF-8's and msgspec's are ValueErrors
        raise BadCursor("this cursor is none of ours; start again without one") from error
    if [type(part) for part in key] != list(kinds):
        raise BadCursor("this cursor belongs to another list or order; start again without one")
    if any(isinstance(part, int) and not -(2**63) <= part < 2**63 for part in key):
        raise BadCursor("this cursor is none of ours; start again without one")
    return tuple(key)


_KEY = msgspec.json.Decoder(list[str | int])
