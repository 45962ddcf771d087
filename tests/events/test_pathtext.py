"""Paths become text and come back, whatever their bytes."""

import json

import pytest
from hikaze.events.pathtext import is_valid, shown, to_path, to_text
from hypothesis import given
from hypothesis import strategies as st

PATHS = st.text(st.characters(exclude_characters="\0") | st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF))


@given(PATHS)
def test_there_and_back(path: str) -> None:
    """Every path comes back from its text, and the text is what JSON and SQLite can hold."""
    text = to_text(path)

    assert to_path(text) == path
    assert json.loads(json.dumps(text).encode()) == text
    assert text.encode().decode() == text


@given(PATHS, PATHS)
def test_one_text_a_path(one: str, other: str) -> None:
    """Two paths never have the same text."""
    assert (to_text(one) == to_text(other)) == (one == other)


@pytest.mark.parametrize(
    ("path", "text", "seen", "valid"),
    [
        ("/a/b c#%'\".safetensors", "/a/b c#%'\".safetensors", "/a/b c#%'\".safetensors", True),
        ("/水/é", "/水/é", "/水/é", True),
        ("/a\udcff.pt", "/a\0dcff.pt", "/a\ufffd.pt", False),
    ],
)
def test_what_people_see(path: str, text: str, seen: str, valid: bool) -> None:
    """A valid path is its own text; what is none is shown with replacement characters."""
    assert (to_text(path), shown(text), is_valid(text)) == (text, seen, valid)
