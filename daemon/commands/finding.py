"""The command `models`: ask the library in the language of searches, and show what is found."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from .client import PAGE, Refused
from .everyday import SHORT_HASH, Desk
from .terminal import Screen, inert, moment, number, size, width_of

FACETS = 100  # tags that are counted for a person; what is rarer is no help to narrow a search

Page = dict[str, Any]


def models(desk: Desk) -> int:
    """List the models that a query finds."""
    asked = " ".join(each.strip() for each in desk.args.query)
    try:
        first, items = _found(desk, _asked(desk, asked))
    except Refused as error:
        _point_at(desk.screen, asked, error)
        raise
    if desk.json:
        _give(desk, first, items)
    else:
        _show(desk, first, items)
    return 0


def _asked(desk: Desk, text: str) -> list[tuple[str, str | int]]:
    args = desk.args
    given = [("type", args.type), ("q", text), ("sort", args.sort), ("facets", FACETS if args.facets else None)]
    return [
        *((name, value) for name, value in given if value),
        *(("tag", name) for name in args.tag or ()),
        *(("not_tag", name) for name in args.not_tag or ()),
    ]


def _found(desk: Desk, query: list[tuple[str, str | int]]) -> tuple[Page, Iterator[Any]]:
    """Give the first page, and the items of it and of all behind it, up to `--limit`."""
    limit: int | None = desk.args.limit
    first = desk.client.page("/api/models", query, limit=min(PAGE, limit or PAGE))
    rest = _behind(desk, query, first["next"])
    return first, islice(chain(first["items"], rest), limit)


def _behind(desk: Desk, query: list[tuple[str, str | int]], cursor: str | None) -> Iterator[Any]:
    while cursor is not None:
        page = desk.client.page("/api/models", query, cursor=cursor)
        yield from page["items"]
        cursor = page["next"]


# To a script ------------------------------------------------------------------------------------------


def _give(desk: Desk, first: Page, items: Iterator[Any]) -> None:
    """Give the answer as the API has it: all of it, or the first page of `--limit` items with the cursor behind it."""
    limit = desk.args.limit
    if limit is not None and limit <= PAGE:
        desk.screen.json(first)
        return
    screen, between = desk.screen, ""
    screen.raw('{"items": [')
    for item in items:  # written as they come: a library may hold more than fits in memory
        screen.raw(between + screen.encoded(item))
        between = ", "
    more = {"next": None} | {name: value for name, value in first.items() if name not in ("items", "next")}
    screen.raw("], " + screen.encoded(more)[1:] + "\n")


# To a person ------------------------------------------------------------------------------------------


def _show(desk: Desk, first: Page, items: Iterator[Any]) -> None:
    args, shown = desk.args, list(items)
    if not shown:
        asked = args.query or args.type or args.tag or args.not_tag
        desk.screen.note("no model is like that" if asked else "there is no model yet; import one that is pending")
        return
    desk.screen.table(("NAME", "TYPE", ">SIZE", "STATE", "ADDED", "SHA-256", "TAGS"), map(_row, shown))
    if "total" in first:
        of_all = "" if len(shown) == first["total"] else f"{len(shown):,} of "
        desk.screen.line(of_all + number(first["total"], "model"))
    if args.facets:
        _show_facets(desk.screen, first["facets"])


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    before = f" (before: {each['earlier']})" if each.get("earlier") else ""
    return (
        each["name"] + before,
        each["type"],
        size(each["size_bytes"]),
        each["state"],
        moment(each["created_at"]),
        each["sha256"][:SHORT_HASH],
        ", ".join(each["tags"]),
    )


def _show_facets(screen: Screen, facets: dict[str, Any]) -> None:
    for title, name, counted in (("TYPE", "type", facets["types"]), ("TAG", "name", facets["tags"])):
        if counted:
            screen.line()
            screen.table((title, ">MODELS"), ((each[name], f"{each['count']:,}") for each in counted))


def _point_at(screen: Screen, asked: str, error: Refused) -> None:
    """Show where in the query the daemon could not go on."""
    at = error.body.get("at") if isinstance(error.body, dict) else None
    if isinstance(at, int):
        screen.note(asked)
        screen.note(" " * width_of(inert(asked[:at])) + "^")
