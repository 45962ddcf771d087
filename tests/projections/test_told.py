"""What a model file tells of itself, out of the header that events carry."""

from typing import Any

import msgspec
import pytest
from hikaze.projections.told import MOST_LETTERS, NOTHING, Told, tags_told, told_in, told_of
from hypothesis import given
from hypothesis import strategies as st

STUDIED: dict[str, Any] = {
    "format": "safetensors",
    "metadata": {"ss_output_name": "ink_v2"},
    "rules": 1,
    "facts": {
        "base_model": "SDXL",
        "parameters": 10,
        "trained_words": [{"word": "inkwash", "count": 30}, {"word": "brush stroke", "count": 2}],
        "modelspec": {"title": "Ink of the East", "author": "Søren", "tags": "ink, wash", "date": "2024"},
        "training": {"ss_output_name": "ink_v2", "ss_steps": "10"},
    },
    "told": {"tags": ["SDXL", " ink "], "trigger_words": ["inkwash"], "description": "Brush & ink"},
}
TOLD = Told(
    "Brush & ink",
    ("inkwash",),
    ("SDXL", "ink"),
    ("Ink of the East", "Søren", "ink, wash", "SDXL", "ink_v2", "inkwash", "brush stroke", "Brush & ink"),
)


def test_what_is_told() -> None:
    """A header tells texts and tags, and words to be found by: each once, what says most first."""
    assert told_of(STUDIED) == TOLD
    assert told_in(msgspec.json.encode(STUDIED).decode()) == TOLD
    assert tags_told(STUDIED) == TOLD.tags


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"format": "gguf", "metadata": {"title": "x"}, "problem": None},
        {"told": None, "facts": None},
        {"told": [], "facts": "x"},
        {"told": {"tags": None, "trigger_words": {"a": 1}, "description": 7}},
        {"told": {"tags": [1, None, [], "", "  "]}, "facts": {"modelspec": [1], "training": 3, "base_model": {}}},
        {"facts": {"trained_words": ["x", None, {"word": 7}, {"count": 1}], "modelspec": {"title": ["x"]}}},
    ],
)
def test_what_tells_nothing(header: dict[str, Any]) -> None:
    """A header that nobody studied, or in which nothing has the shape it should have, tells nothing."""
    assert told_of(header) == NOTHING
    assert tags_told(header) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("tags", "trigger_words", "description", "trained_words", "modelspec", "training", "base_model", "title")


@given(st.dictionaries(st.sampled_from(["told", "facts"]), JSON | st.dictionaries(st.sampled_from(FIELDS), JSON)))
def test_whatever_stands_there(header: dict[str, Any]) -> None:
    """Whatever JSON a header holds, it tells texts and no others, before it was stored and after."""
    told = told_of(header)

    assert all(isinstance(text, str) and text for text in (*told.trigger_words, *told.tags, *told.words))
    assert told_in(msgspec.json.encode(header).decode()) == told


def test_what_is_searched_is_bounded() -> None:
    """Of very long texts so much is searched as fits behind what says most; the texts themselves stay whole."""
    facts = {"modelspec": {"title": "Ink"}, "trained_words": [{"word": "w" * 3_000}]}
    told = told_of({"facts": facts, "told": {"description": "d" * 9_000}})

    assert [len(word) for word in told.words] == [3, 3_000, MOST_LETTERS - 3_003]
    assert len(told.description) == 9_000
