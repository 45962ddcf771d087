"""The two earlier libraries, row by row: what stands in which column, and whose tags and pictures are whose."""

from collections.abc import Iterator
from dataclasses import dataclass

import apsw

from ...events.catalog import LegacyForm
from .fields import (
    SYSTEM_TAGS,
    Problems,
    Said,
    checked_path,
    clean_tag,
    digest,
    hash_of,
    name_of,
    said,
    tags_of,
    type_of,
)
from .pictures import HERE, PENDING, Found, Pictures
from .row import Broken, Item, Row, Unused
from .tables import Cells, Table, cell
from .text import brief, inner, json_of, object_of, words

_MOST_PROBLEMS = 100  # of one row; a report is to be read
_MOST_LISTED = 1_000  # pictures of one row that are looked for

_COMMON = ("path", "name", "type", "size_bytes", "created_at", "meta_json", "extra_json")
_OF_V1 = ("id", "hash_hex", "hash_algo", *_COMMON)
_OF_V2 = ("sha256", "base", *_COMMON)
_OF_PENDING = ("id", "model_id", "legacy_tags_json", "base", *_COMMON)


@dataclass(frozen=True)
class _Place:
    """A table of models, what ties its rows to tags, and where its pictures lie."""

    table: Table
    columns: tuple[str, ...]
    hash_column: str
    links: Table
    tie: tuple[str, str] | None  # the columns of `links` and of `table` that are equal


class Forms:
    """The tables of an earlier library, read in order."""

    def __init__(self, db: apsw.Connection, form: LegacyForm, pictures: Pictures) -> None:
        """Read from a copy of the database, and from the list of its pictures."""
        self._form: LegacyForm = form
        self._pictures = pictures
        self._tags = Table(db, "tags")
        self._places = [_models(db, form), *([_pending(db)] if form == "v2" else [])]

    def count(self) -> int:
        """Give how many models and pending models there are."""
        return sum(place.table.count() for place in self._places)

    def rows(self) -> Iterator[Item]:
        """Give everything there is; see `Legacy.rows`."""
        self._pictures.start_anew()
        for place in self._places:
            if place.hash_column:
                yield from self._rows_of(place, hashed=True)
            yield from self._rows_of(place, hashed=False)
        yield from self._unused_tags()
        yield from self._colours()
        yield from self._damage()
        for name, what in (*self._pictures.unreadable, *self._pictures.unclaimed()):
            yield Broken("images", name, what)

    def _rows_of(self, place: _Place, *, hashed: bool) -> Iterator[Item]:
        for rowid in place.table.rowids():
            try:
                if place.hash_column and self._is_hashed(place, rowid) != hashed:
                    continue
                cells = place.table.row(rowid, place.columns)
            except apsw.Error as error:
                if not hashed:
                    yield Broken(place.table.name, f"rowid {rowid}", f"cannot be read: {error}")
                continue
            yield self._row(place, rowid, cells)

    def _is_hashed(self, place: _Place, rowid: int) -> bool:
        cells = place.table.row(rowid, (place.hash_column, "hash_algo"))
        return hash_of(cells.text(place.hash_column), cells.text("hash_algo"), []) is not None

    def _row(self, place: _Place, rowid: int, cells: Cells) -> Item:
        problems: Problems = [f"its {column} is too large and did not come along" for column in cells.too_large()]
        sha256 = hash_of(cells.text(place.hash_column), cells.text("hash_algo"), problems)
        path = checked_path(cells.path("path"), problems)
        number = _number(cells)
        row = str(number) if number is not None else brief(cells.text(place.hash_column) or f"rowid {rowid}", 200)
        name = name_of(cells.text("name"), path, sha256, problems)
        if sha256 is None and path is None:
            return Broken(place.table.name, row, _sentence("has neither a path nor a SHA-256", name, problems))
        objects = {column: self._object(cells, column, problems) for column in ("extra_json", "meta_json")}
        says = said(objects, problems)
        tags = self._tags_of(place, rowid, cells, problems)
        found = self._pictures_of(sha256, number, says, problems)
        facts = (
            *(sha256, path, name, type_of(cells.text("type"), problems)),
            *(cells.number("size_bytes", problems) or 0, cells.number("created_at", problems)),
            *(says.description, says.links, says.positive, says.negative, tags),
        )
        return Row(
            self._form,
            place.table.name,
            row,
            digest(self._form, place.table.name, row, facts, [picture.stamp for picture in found]),
            *facts,
            tuple(picture.picture for picture in found),
            _bounded(problems),
            number,
        )

    def _object(self, cells: Cells, column: str, problems: Problems) -> dict[str, object]:
        value, wrong = object_of(cells.text(column))
        if wrong:
            problems.append(f"its {column} {wrong}")
        return value

    # Tags

    def _tags_of(self, place: _Place, rowid: int, cells: Cells, problems: Problems) -> tuple[str, ...]:
        names = [*self._tied(place, rowid, problems), *_listed_tags(cells, problems)]
        base = cells.text("base").strip()
        if base.casefold() not in ("", "unknown", "other"):
            names.append(base)
        return tags_of(names, cells.text("type"), problems)

    def _tied(self, place: _Place, rowid: int, problems: Problems) -> list[str]:
        if place.tie is None or not {"id", "name"} <= self._tags.columns:
            return []
        theirs, ours = place.tie
        sql = (
            f"SELECT {cell('x.tag_id')}, {cell('t.name')} FROM {place.table.sql} m "  # noqa: S608 - names of ours
            f"JOIN {place.links.sql} x ON x.{theirs} = m.{ours} LEFT JOIN {self._tags.sql} t ON t.id = x.tag_id "
            "WHERE m.rowid = ? ORDER BY x.tag_id"
        )
        names: list[str] = []
        try:
            for number, name in self._tags.cells(sql, rowid):
                if name.strip():
                    names.append(name)
                else:
                    problems.append(f"its tag {brief(number)} has no name")
        except apsw.Error as error:
            problems.append(f"its tags cannot be read: {error}")
        return names

    def _unused_tags(self) -> Iterator[Item]:
        """Give the tags that people made and that stand on no row."""
        used = [
            f"SELECT x.tag_id FROM {place.links.sql} x JOIN {place.table.sql} m "  # noqa: S608 - names of ours
            f"ON x.{place.tie[0]} = m.{place.tie[1]} WHERE x.tag_id IS NOT NULL"
            for place in self._places
            if place.tie is not None
        ]
        where = f"WHERE id NOT IN ({' UNION '.join(used)})" if used else ""
        for number, name, _ in self._own_tags(where):
            problems: Problems = []
            tag = clean_tag(name, problems)
            if tag is not None:
                yield Unused(tag, number, digest(self._form, "tags", number, tag))
            else:
                yield Broken("tags", number, "; ".join(problems) or "it has no name")

    def _colours(self) -> Iterator[Broken]:
        if "color" in self._tags.columns:
            for number, name, colour in self._own_tags("WHERE color <> ''"):
                what = f"the tag {brief(name)} has the colour {brief(colour)}, for which there is no place"
                yield Broken("tags", number, what)

    def _own_tags(self, where: str) -> Iterator[tuple[str, str, str]]:
        """Give number, name and colour of tags, without those that v1 made by itself."""
        if not {"id", "name"} <= self._tags.columns:
            return
        colour = "color" if "color" in self._tags.columns else "NULL"
        sql = f"SELECT {cell('id')}, {cell('name')}, {cell(colour)} FROM {self._tags.sql} {where} ORDER BY rowid"  # noqa: S608
        try:
            for number, name, colour in self._tags.cells(sql):
                if name.strip().casefold() not in SYSTEM_TAGS:
                    yield number, name, colour
        except apsw.Error as error:
            self._tags.damage.append(f"the table cannot be read: {error}")

    # Pictures

    def _pictures_of(self, sha256: str | None, number: int | None, says: Said, problems: Problems) -> list[Found]:
        found, headless = self._pictures.tiered(sha256) if sha256 and self._form == "v2" else ([], [])
        problems += [f"its picture {name} is of no use without the file for `high`" for name in headless]
        where = HERE if self._form == "v1" else PENDING
        for name in says.images[:_MOST_LISTED]:
            picture = self._pictures.named(name, where)
            if picture is None:
                problems.append(f"its picture {brief(name)} is not in the folder of pictures")
            else:
                found.append(picture)
        if len(says.images) > _MOST_LISTED:
            problems.append(f"it lists {len(says.images)} pictures; more than {_MOST_LISTED} were not looked for")
        if number is not None:
            found += [picture for picture in self._pictures.numbered(number) if picture not in found]
            problems += [
                f"{name} is probably an earlier picture of it; it did not come along"
                for name in self._pictures.uploaded(number)
            ]
        return found

    def _damage(self) -> Iterator[Broken]:
        tables = [self._tags, *(table for place in self._places for table in (place.table, place.links))]
        for table in tables:
            yield from (Broken(table.name, "-", what) for what in dict.fromkeys(table.damage))
        for place in self._places:
            if place.links.columns and place.tie is None:
                yield Broken(place.links.name, "-", "what ties tags to models there cannot be told; no tags came along")


def _models(db: apsw.Connection, form: LegacyForm) -> _Place:
    table, links = Table(db, "models"), Table(db, "model_tags")
    if form == "v1":
        return _Place(table, _OF_V1, "hash_hex", links, _tie(table, links, ("model_id", "id")))
    return _Place(table, _OF_V2, "sha256", links, _tie(table, links, ("model_hash", "sha256")))


def _pending(db: apsw.Connection) -> _Place:
    """Hikaze 2's pending models; before the end of 2025 they had no id, and none or v1's as `model_id`."""
    table, links = Table(db, "pending_import"), Table(db, "pending_model_tags")
    return _Place(table, _OF_PENDING, "", links, _tie(table, links, ("model_id", "id"), ("model_id", "model_id")))


def _tie(table: Table, links: Table, *ties: tuple[str, str]) -> tuple[str, str] | None:
    fitting = (tie for tie in ties if {tie[0], "tag_id"} <= links.columns and tie[1] in table.columns)
    tie = next(fitting, None)
    if tie is not None:
        links.index(tie[0])
    return tie


def _number(cells: Cells) -> int | None:
    number = cells.number("id", [])
    return cells.number("model_id", []) if number is None else number


def _listed_tags(cells: Cells, problems: Problems) -> list[str]:
    """Give the tags of an early pending model of Hikaze 2, a JSON list of names or of objects with a name."""
    value, wrong = json_of(cells.text("legacy_tags_json"))
    value = inner(value)
    if wrong or not isinstance(value, list | None):
        problems.append(f"its legacy_tags_json {wrong or 'holds no list'}")
        return []
    names: list[str] = []
    for item in value or []:
        name = words(item.get("name") if isinstance(item, dict) else item)
        if name:
            names.append(name)
    return names


def _sentence(what: str, name: str, problems: Problems) -> str:
    called = f"; it is called {brief(name)}" if name != "unnamed" else ""
    return "; ".join([what + called, *problems[:5]])


def _bounded(problems: Problems) -> tuple[str, ...]:
    more = len(problems) - _MOST_PROBLEMS
    return tuple(problems[:_MOST_PROBLEMS]) + ((f"and {more} more problems",) if more > 0 else ())
