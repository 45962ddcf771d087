"""How text is compared."""

import pytest
from hikaze.projections.text import fold, tag_key


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ink", "INK", True),
        ("Straße", "STRASSE", True),
        ("é", "e\u0301", True),
        ("\uff21\uff22", "ab", False),
        ("é", "e", False),
        ("ς", "Σ", True),
    ],
)
def test_tags_of_one_key(one: str, other: str, same: bool) -> None:
    """Two spellings are one tag if their NFC forms fold alike; accents and widths tell tags apart."""
    assert (tag_key(one) == tag_key(other)) is same


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Ink", "ink"), ("Café", "cafe"), ("\uff21\uff22", "ab"), ("STRAßE", "strasse"), ("水墨", "水墨")],
)
def test_folding_for_search(text: str, folded: str) -> None:
    """A search does not care for case, accents and width."""
    assert fold(text) == folded
