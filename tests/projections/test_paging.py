"""Pages are found again by the key of their last item."""

import base64

import apsw
import msgspec
import pytest
from hikaze.projections import library, pending, tags
from hikaze.projections.paging import BadCursor, Page, cursor_of, key_of, page_of
from hikaze.projections.runner import VIEWS
from hypothesis import given
from hypothesis import strategies as st

KEYS = st.tuples(st.text(), st.integers(-(2**63), 2**63 - 1))


@given(KEYS)
def test_a_cursor_stands_for_its_key(key: tuple[str, int]) -> None:
    """A key comes back from its cursor, which is safe in a URL."""
    cursor = cursor_of(key)

    assert key_of(cursor, (str, int)) == key
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_other_text_is_no_cursor(text: str) -> None:
    """Whatever a client sends as a cursor is a key of the list, or `BadCursor`."""
    try:
        text_, number = key_of(text, (str, int))
    except BadCursor:
        return
    assert (type(text_), type(number)) == (str, int)


@pytest.mark.parametrize(
    "key",
    [["a"], ["a", "b"], ["a", 1, 2], ["a", True], ["a", 1.5], ["a", None], ["a", 2**63], {"a": 1}, 5, "a", [[[]]], []],
)
def test_a_key_of_another_list(key: object) -> None:
    """A cursor whose key has other parts than the list's is refused."""
    with pytest.raises(BadCursor, match="start again without one"):
        key_of(base64.urlsafe_b64encode(msgspec.json.encode(key)).decode(), (str, int))


def test_a_cursor_of_great_depth() -> None:
    """A cursor cannot be nested so deep that decoding it fails otherwise."""
    with pytest.raises(BadCursor):
        key_of(base64.urlsafe_b64encode(b"[" * 100_000).decode(), (str, int))


def test_the_last_page_has_no_next() -> None:
    """A page that holds all there is has no cursor; one more row, and it has."""
    assert page_of([("{}", 1), ("{}", 2)], limit=2) == Page(["{}", "{}"], None)
    assert page_of([("{}", 1), ("{}", 2), ("{}", 3)], limit=2) == Page(["{}", "{}"], cursor_of((2,)))
    assert page_of([], limit=2).json() == b'{"items":[],"next":null}'
    assert Page(['{"id":1}', "{}"], "abc").json() == b'{"items":[{"id":1},{}],"next":"abc"}'


def walk(db: apsw.Connection, limit: int, between: list[str]) -> list[str]:
    """Give the names of all pages of tags put together, while other tags are created between the pages."""
    page = tags.page(db, limit=limit)
    found = [msgspec.json.decode(item)["name"] for item in page.items]
    while page.next is not None:
        if between:
            name = between.pop()
            db.execute("INSERT OR IGNORE INTO tags (name, name_key) VALUES (?, ?)", (name, name))
        page = tags.page(db, limit=limit, cursor=page.next)
        found += [msgspec.json.decode(item)["name"] for item in page.items]
    return found


NAMES = st.lists(st.text("abcé水", max_size=3), unique=True, max_size=20)


@given(names=NAMES, new=NAMES, limit=st.integers(1, 7))
def test_pages_together_are_the_list(names: list[str], new: list[str], limit: int) -> None:
    """Pages put together are the whole list in order; what is added meanwhile doubles nothing and hides nothing."""
    db = apsw.Connection(":memory:")
    db.execute(tags.SCHEMA)
    db.executemany("INSERT INTO tags (name, name_key) VALUES (?, ?)", [(name, name) for name in names])

    assert walk(db, limit, []) == sorted(names)
    found = walk(db, limit, list(new))
    assert found == sorted(set(found))
    assert set(names) <= set(found) <= {*names, *new}


@pytest.mark.parametrize("order", library.ORDERS)
def test_pages_of_models_with_ties(order: str) -> None:
    """In every order the pages of models are the list, each model once, though many have the same key."""
    db = apsw.Connection(":memory:")
    for view in VIEWS:
        db.execute(view.SCHEMA + view.INDEXES)
    db.executemany(
        "INSERT INTO models (sha256, path, name, type, size_bytes, created_at, meta_json, name_key, words, changed_at,"
        " used_at, version, header_json) VALUES (?1, '', ?2, 'loras', ?3, ?3, '{}', ?2, '', ?3, ?3, 1, '{}')",
        [(f"{n:02}", f"name {n % 3}", n % 3) for n in range(17)],
    )
    query = library.Query(order=order)  # type: ignore[arg-type]
    everything = library.page(db, query, limit=100)

    page, found = library.page(db, query, limit=4), list[str]()
    while page.next is not None:
        found += page.items
        page = library.page(db, query, limit=4, cursor=page.next)

    keys = [(int(item["name"][-1]), item["sha256"]) for item in map(msgspec.json.decode, everything.items)]
    assert found + page.items == everything.items
    assert keys == sorted(keys, reverse=order.startswith("-"))
    assert len(keys) == 17


def test_a_cursor_of_another_order_is_refused() -> None:
    """The cursor of one list is none of another's."""
    db = apsw.Connection(":memory:")
    for call in (
        lambda: tags.page(db, limit=1, cursor=cursor_of((1,))),
        lambda: pending.page(db, limit=1, cursor=cursor_of(("1",))),
        lambda: library.page(db, library.Query(order="name"), limit=1, cursor=cursor_of((1, "a1"))),
        lambda: library.page(db, library.Query(order="size"), limit=1, cursor=cursor_of(("a", "a1"))),
    ):
        with pytest.raises(BadCursor):
            call()
