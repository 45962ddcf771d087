"""Searches find what a plain look at every model finds: the same models, order, counts and pages, whatever is asked."""

from random import Random
from typing import Any

import msgspec
import pytest
from hikaze.daemon.names import canonical_type
from hikaze.events.log import EventLog
from hikaze.projections.finding import Finder
from hikaze.projections.library import ORDERS
from hikaze.projections.parts import All, Is, Part, Word, asks_for_words, text_of
from hikaze.projections.query import parse
from hikaze.projections.runner import Views
from hikaze.projections.text import fold, tag_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..conftest import write_history
from . import made_up
from .oracle import ANYWHERE, BEFORE, IN_FILES, IN_TAGS, Oracle, way_of
from .test_query import PARTS

SEED = 20_261_123
EVERY_ORDER = ("best", "best", *ORDERS)


class Searched:
    """A library made up at random, with a finder that hears what happens in it."""

    def __init__(self, pick: Random, models: int) -> None:
        """Make it up."""
        self.world = made_up.World()
        self._log = EventLog(":memory:")
        write_history(self._log, made_up.library(pick, self.world, models))
        self.finder = Finder()
        self._views = Views(":memory:", self._log, heard=self.finder.hear)
        self.oracle = Oracle(self._views.db)

    def happens(self, pick: Random, times: int) -> None:
        """Let things befall it, one after the other, each with a search behind it."""
        for _ in range(times):
            write_history(self._log, made_up.happens(pick, self.world))
            self._views.catch_up()
            self.finder.page(self._views.db, made_up.query(pick, self.world.models), limit=3)
        self.oracle = Oracle(self._views.db)

    def makes_ready(self) -> None:
        """Let the finder make what it makes in the background."""
        while self.finder.make_ready(self._views.db, 0):
            pass

    def page(self, part: Part, **how: Any) -> Any:
        """Give a page."""
        return self.finder.page(self._views.db, part, **how)

    def check(self, part: Part, order: str, limit: int) -> None:
        """See that the finder's answer is the oracle's, page by page."""
        expected = self.oracle.ordered(part, order)
        first = self.page(part, order=order, limit=limit, facets=1_000)
        pages = [first, *self._behind(first, part, order, limit)]
        items = [msgspec.json.decode(item) for page in pages for item in page.items]
        told = f"{text_of(part)!r}, {order}, {limit} a page"

        assert [item["sha256"] for item in items] == [model["sha256"] for model in expected], told
        assert {page.total for page in pages} == {len(expected)}, told
        assert [len(page.items) for page in pages[:-1]] == [limit] * (len(pages) - 1), told
        facets = self.oracle.facets(part)
        assert _counts(first.facets) == facets, told
        few = self.page(part, order=order, limit=1, facets=1 + limit % 7).facets
        assert few == {"tags": _commonest(facets["tags"], "name")[: 1 + limit % 7], "types": first.facets["types"]}, (
            told
        )
        for item, model in zip(items, expected, strict=True):
            assert {name: item[name] for name in item if name not in ("found_by", "earlier")} == {
                name: model[name] for name in item if name not in ("found_by", "earlier")
            }, told
            _check_reason(item, model, part)

    def check_offset(self, part: Part, order: str, offset: int, limit: int) -> None:
        """See that a page behind so many models is what the oracle has there, and that its cursor goes on behind it."""
        expected = [model["sha256"] for model in self.oracle.ordered(part, order)]
        page = self.page(part, order=order, limit=limit, offset=offset)
        told = f"{text_of(part)!r}, {order}, {limit} behind {offset}"

        assert (_hashes(page), page.total) == (expected[offset : offset + limit], len(expected)), told
        assert (page.next is not None) == (len(expected) > offset + limit), told
        if page.next is not None:
            behind = self.page(part, order=order, limit=limit, cursor=page.next)
            assert _hashes(behind) == expected[offset + limit : offset + 2 * limit], told

    def _behind(self, page: Any, part: Part, order: str, limit: int) -> list[Any]:
        pages: list[Any] = []
        while page.next is not None:
            page = self.page(part, order=order, limit=limit, cursor=page.next)
            assert page.facets is None
            pages.append(page)
        return pages


def _hashes(page: Any) -> list[str]:
    return [msgspec.json.decode(item)["sha256"] for item in page.items]


def _counts(facets: Any) -> dict[str, dict[str, int]]:
    """Give facets as plain counts, and see that the commonest come first."""
    for each in facets.values():
        counts = [one["count"] for one in each]
        assert counts == sorted(counts, reverse=True)
    return {
        "tags": {one["name"]: one["count"] for one in facets["tags"]},
        "types": {one["type"]: one["count"] for one in facets["types"]},
    }


def _commonest(counts: dict[str, int], called: str) -> list[dict[str, Any]]:
    """Give counts as facets, the commonest first."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], tag_key(each[0])))
    return [{called: name, "count": count} for name, count in ordered]


def _check_reason(item: Any, model: Any, part: Part) -> None:
    """See that the reason an item gives is a true one, and the best."""
    if not asks_for_words(part):
        assert item["found_by"] in (None, "hash")
        return
    way, found_by = way_of(model, part), item["found_by"]
    if way < IN_TAGS:
        assert found_by == "name"
    elif way == ANYWHERE:
        assert found_by in ("trigger_words", "text", "hash")
    elif way == BEFORE:
        assert {"kind": found_by.removeprefix("earlier_"), "name": item["earlier"]} in model["earlier_names"]
        return
    else:
        assert found_by == {IN_TAGS: "tag", IN_FILES: "file"}[way]
    assert item["earlier"] is None


@pytest.fixture(scope="module")
def searched() -> Searched:
    """Give a library of a few hundred models."""
    return Searched(made_up.seeded(SEED), 300)


@pytest.mark.slow
@pytest.mark.unhurried
@pytest.mark.parametrize("is_ready", [False, True])
def test_a_thousand_queries(searched: Searched, is_ready: bool) -> None:
    """Random queries in random orders, with pages of random length, find what the oracle finds."""
    pick = made_up.seeded(SEED + is_ready)
    if is_ready:
        searched.makes_ready()

    for _ in range(600):
        part = made_up.query(pick, searched.world.models)
        searched.check(part, pick.choice(EVERY_ORDER), pick.choice((1, 2, 3, 10, 50, 1_000)))


def test_a_hundred_queries(searched: Searched) -> None:
    """Some of them, for whoever is in a hurry."""
    pick = made_up.seeded(SEED + 2)

    for _ in range(100):
        searched.check(made_up.query(pick, searched.world.models), pick.choice(EVERY_ORDER), pick.choice((3, 50)))


@pytest.mark.parametrize("is_ready", [False, True])
def test_while_things_happen(is_ready: bool) -> None:
    """A finder that hears what happens knows what one knows that begins anew, at every moment."""
    pick = made_up.seeded(SEED + 10 + is_ready)
    searched = Searched(pick, 60)
    searched.page(All(()), limit=1)
    if is_ready:
        searched.makes_ready()

    for _ in range(8):
        searched.happens(pick, 12)
        for _ in range(12):
            searched.check(made_up.query(pick, searched.world.models), pick.choice(EVERY_ORDER), pick.choice((2, 100)))


@given(PARTS, st.sampled_from(EVERY_ORDER), st.integers(1, 50))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_whatever_is_asked(searched: Searched, part: Part, order: str, limit: int) -> None:
    """Any query that can be asked is answered, as the oracle would."""
    searched.check(part, order, limit)


@given(PARTS, st.sampled_from(EVERY_ORDER), st.integers(0, 400), st.integers(1, 50))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_from_anywhere(searched: Searched, part: Part, order: str, offset: int, limit: int) -> None:
    """A page behind any number of models is the one that walking from page to page comes to."""
    searched.check_offset(part, order, offset, limit)


LETTERS = sorted({letter for word in made_up.WORDS for letter in word if fold(letter)})


@pytest.mark.parametrize("letter", LETTERS)
def test_one_letter_is_enough(searched: Searched, letter: str) -> None:
    """Each letter of each script finds the models that hold it."""
    searched.check(Word(letter), "best", 100)


@pytest.mark.parametrize(
    "written",
    [
        "猫",
        "Д",
        "가",
        "é OR a",
        '"x"',
        "a -a",
        "-a",
        "tag:*",
        "-tag:*",
        "is:untagged",
        "is:duplicate OR is:missing",
        "type:lora -is:favourite",
        "size:0",
        "path:/",
        r"path:flux\стили",
        "name:a -tag:a*",
        "added:<1h",
        "hash:0000 OR hash:ffff",
        "ink " * 3,
    ],
)
def test_what_people_write(searched: Searched, written: str) -> None:
    """A query as it is written finds what the oracle finds."""
    part = parse(written, now_ms=made_up.NOW, type_of=canonical_type)

    for order in ("best", "name", "-size"):
        searched.check(part, order, 25)


def test_a_cursor_goes_on_where_the_page_ended(searched: Searched) -> None:
    """What is written between two pages moves no model that was to come."""
    every = [model["sha256"] for model in searched.oracle.ordered(Is("present"), "name")]
    first = searched.page(Is("present"), order="name", limit=10)
    rest = searched.page(Is("present"), order="name", limit=1_000, cursor=first.next)

    assert [msgspec.json.decode(item)["sha256"] for item in (*first.items, *rest.items)] == every


@pytest.mark.slow
@pytest.mark.unhurried
def test_three_thousand_models() -> None:
    """In a larger library, too."""
    pick = made_up.seeded(SEED + 20)
    searched = Searched(pick, 3_000)
    searched.makes_ready()

    for _ in range(60):
        part, order = made_up.query(pick, searched.world.models), pick.choice(EVERY_ORDER)
        searched.check(part, order, pick.choice((100, 1_000)))
        searched.check_offset(part, order, pick.randrange(3_500), pick.choice((10, 100)))
