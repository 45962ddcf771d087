"""The commands `duplicates` and `storage`: what takes room on the disks, and what would give some back."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from .client import PAGE
from .everyday import SHORT_HASH, Desk
from .terminal import Screen, number, size

Group = Mapping[str, Any]


# Duplicates -------------------------------------------------------------------------------------------


def duplicates(desk: Desk) -> int:
    """List what lies on the disks more than once."""
    query = [("kind", desk.args.kind)] if desk.args.kind else []
    limit: int | None = desk.args.limit
    first = desk.client.page("/api/duplicates", query, limit=min(PAGE, limit or PAGE))
    if desk.json and limit is not None:
        desk.screen.json(first)
        return 0
    groups = islice(_all(desk, query, first), limit)
    if desk.json:
        desk.screen.json({"items": list(groups), "next": None, "totals": first["totals"]})
    else:
        _show_groups(desk.screen, groups, first["totals"])
    return 0


def _all(desk: Desk, query: list[tuple[str, str | int]], page: Mapping[str, Any]) -> Iterator[Group]:
    yield from page["items"]
    while page["next"] is not None:
        page = desk.client.page("/api/duplicates", query, cursor=page["next"])
        yield from page["items"]


def _show_groups(screen: Screen, groups: Iterable[Group], totals: Mapping[str, Any]) -> None:
    equal, relatives = totals["equal"], totals["relatives"]
    if not equal["groups"] + relatives["groups"]:
        screen.line("nothing lies on the disks more than once")
        return
    columns = (">GIVES BACK", ">SIZE", "NAME", "SHA-256", "STATE", "WHERE")
    screen.table(columns, (row for group in groups for row in _rows(group)))
    screen.line()
    for total, what in (
        (equal, number(equal["groups"], "model in several files", "models in several files")),
        (relatives, number(relatives["groups"], "group of models", "groups of models") + " with the same tensors"),
    ):
        if total["groups"]:
            screen.line(f"{what}: {size(total['gives_back'])} to be had back")
    screen.line("nothing was deleted; of one model, paths with the same number are one file")


def _rows(group: Group) -> Iterator[tuple[object, ...]]:
    if group["kind"] == "equal":
        yield from _places(group, size(group["gives_back"]))
        return
    differs = group["differs"]
    found = "other metadata: " + ", ".join(differs) if differs else "the same tensors"
    yield size(group["gives_back"]), "", found, group["autov3"][:SHORT_HASH], "", ""
    for model in group["models"]:
        told = size(model["gives_back"]) if model["origin"] == "computed" else "not sure yet"
        yield from _places(model, told, "  ")


def _places(model: Group, gives_back: str, indent: str = "") -> Iterator[tuple[object, ...]]:
    name, sha256 = indent + model["name"], model["sha256"][:SHORT_HASH]
    head: tuple[object, ...] = gives_back, size(model["size_bytes"]), name, sha256
    for place in model["locations"]:
        yield (*head, _state(place), f"{place['file'] or '-'}  {place['path']}")
        head = "", "", "", ""


def _state(place: Mapping[str, Any]) -> str:
    if place["pending"] is not None:
        return f"pending {place['pending']}"
    return "not compared yet" if place["claimed"] and place["state"] == "present" else place["state"]


# Storage ----------------------------------------------------------------------------------------------

_MOST_TAGS = 20
"""The tags that are shown to a person who did not ask for them alone."""


def storage(desk: Desk) -> int:
    """Show what takes how much room."""
    found = desk.client.get("/api/storage")
    if desk.json:
        desk.screen.json(found)
        return 0
    shown = {"root": _show_roots, "type": _show_types, "tag": _show_tags, "age": _show_ages}
    for name, show in shown.items():
        if desk.args.by in (None, name):
            show(desk.screen, found, None if desk.args.by else _MOST_TAGS)
            desk.screen.line()
    _show_total(desk.screen, found)
    return 0


def _show_roots(screen: Screen, found: Mapping[str, Any], _most: int | None) -> None:
    screen.table(
        (">SIZE", ">FILES", ">PENDING", ">FREE", "STATE", "ROOT"),
        (
            (
                size(root["bytes"]),
                f"{root['files']:,}",
                size(root["pending_bytes"]) if root["pending_files"] else "-",
                "?" if root["free_bytes"] is None else size(root["free_bytes"]),
                root["state"],
                root["path"],
            )
            for root in found["roots"]
        ),
    )


def _show_types(screen: Screen, found: Mapping[str, Any], _most: int | None) -> None:
    _show_amounts(screen, "TYPE", ((amount["type"], amount) for amount in found["types"]))


def _show_tags(screen: Screen, found: Mapping[str, Any], most: int | None) -> None:
    tags = found["tags"]
    _show_amounts(screen, "TAG", ((amount["name"], amount) for amount in tags[:most]))
    if len(tags) > len(tags[:most]):
        screen.line(f"and {number(len(tags) - len(tags[:most]), 'tag')} more: hikazed storage --by tag")
    screen.line("a model with several tags counts for each")


def _show_ages(screen: Screen, found: Mapping[str, Any], _most: int | None) -> None:
    words = {amount["age"]: f"at most {amount['days']} days" for amount in found["ages"]} | {"older": "older"}
    _show_amounts(screen, "ADDED", ((words[amount["age"]], amount) for amount in found["ages"]))


def _show_amounts(screen: Screen, title: str, amounts: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    screen.table(
        (">SIZE", ">MODELS", title),
        ((size(amount["bytes"]), f"{amount['models']:,}", name) for name, amount in amounts),
    )


def _show_total(screen: Screen, found: Mapping[str, Any]) -> None:
    total = found["total"]
    screen.line(f"{size(total['bytes'])} in {number(total['files'], 'file')} of {number(total['models'], 'model')}")
    for name in ("offline", "missing"):
        if found[name]["models"]:
            screen.line(f"{name}: {number(found[name]['models'], 'model')} of {size(found[name]['bytes'])}")
