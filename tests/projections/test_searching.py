"""Models are found by any part of their words, short or long."""

from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hikaze.events.catalog import Changes, Event, ModelEdited, ModelImported, ModelProvided, Provided, Sidecar, Texts
from hikaze.events.log import EventLog
from hikaze.projections.runner import Views
from hikaze.projections.searching import SHORT
from hikaze.projections.text import fold
from hypothesis import given, settings
from hypothesis import strategies as st

from ..conftest import write_history
from .searched import searched

FILLING = "lorem ipsum " * (SHORT // 10)


def found(db: Any, *words: str) -> list[str]:
    """Give the models that hold all words."""
    return [card["sha256"] for card in searched(db, *words)]


@pytest.mark.parametrize("filling", ["", FILLING])
@pytest.mark.parametrize(
    ("word", "is_found"),
    [
        ("brush", True),
        ("RUSH &", True),
        ("strasse", True),
        ("éc", True),
        ("x", True),
        ("水墨画", True),
        ('"q', True),
        ("n OR b", False),
        ("brushes", False),
        ("nul\0in", True),
        ("nul\0out", False),
    ],
)
def test_any_part_of_a_word(replay, filling: str, word: str, is_found: bool) -> None:
    """A word is found in short and in long texts alike, whatever it is made of."""
    texts = Texts(f'{filling}A brush & ink, Straße école 水墨画 "quoted" x nul\0inside')
    db = replay([ModelImported("a1", "Ink", "loras", 1, texts), ModelImported("b2", "Other", "loras", 1)])

    assert found(db, word) == (["a1"] if is_found else ["b2"] if fold(word) in "other" else [])


@pytest.mark.parametrize(
    ("history", "old", "new"),
    [
        ([Changes(description="short")], False, True),
        ([Changes(description=FILLING + "long short")], False, True),
        ([Changes(description=""), Changes(description=FILLING + "short")], False, True),
    ],
)
def test_words_that_change(replay, history: list[Changes], old: bool, new: bool) -> None:
    """What a text says no more finds nothing, what it says now does, as it grows and shrinks."""
    born = ModelImported("a1", "Ink", "loras", 1, Texts(FILLING + "former"))
    db = replay([born, *(ModelEdited("a1", changes) for changes in history)])

    assert (bool(found(db, "former")), bool(found(db, "short"))) == (old, new)


TEXT = st.text("abc ", max_size=9).map(lambda text: (text + " ") * (1 + 60 * (len(text) % 2)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a1", "b2", "c3"]), TEXT), max_size=8), st.text("abc ", min_size=1, max_size=5)
)
def test_a_search_finds_what_looking_through_all_would(said: list[tuple[str, str]], word: str) -> None:
    """It finds each model whose words hold the word, and no other; so does a search in tables that were built anew."""
    events: list[Event] = [ModelImported(sha256, "n", "loras", 1) for sha256 in ("a1", "b2", "c3")]
    events += [
        ModelProvided(sha256, Sidecar("/m/x.txt", "text", 1, 1), Provided(notes=notes, description=notes[::-1]))
        for sha256, notes in said
    ]
    last = {sha256: f"n\n{notes}\n{notes[::-1]}" for sha256, notes in said}
    expected = sorted(sha256 for sha256, words in last.items() if word in words)

    with TemporaryDirectory() as folder:
        log = EventLog(f"{folder}/log.db", durable=False)
        views = Views(f"{folder}/views.db", log)
        for event in events:
            write_history(log, [event])
            views.catch_up()
        assert sorted(found(views.db, word)) == expected
        views.rebuild()
        views.mend()
        assert sorted(found(views.db, word)) == expected
        views.close()
