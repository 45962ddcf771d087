"""How text is compared."""

import pytest
from hikaze.projections.text import fold, tag_key
from hypothesis import given
from hypothesis import strategies as st


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
    [
        ("Ink", "ink"),
        ("Café", "cafe"),
        ("\uff21\uff22", "ab"),
        ("STRAßE", "strasse"),
        ("水墨", "水墨"),
        ("Søren", "soren"),
        ("ŁÓDŹ", "lodz"),
        ("Đorđe", "dorde"),
        ("Ħamrun", "hamrun"),
        ("Bårŧ", "bart"),
        ("Æsir", "aesir"),
        ("ŒUVRE", "oeuvre"),
        ("Þór Guðjónsson", "thor gudjonsson"),
        ("IŞIK \u0131ş\u0131k İzmir", "isik isik izmir"),  # with dotless i
        ("Iŋgá", "inga"),
        ("Ǿ Ǽ", "o ae"),
        ("Əli", "eli"),
        ("ɗan ƙasa ɓera", "dan kasa bera"),
    ],
)
def test_folding_for_search(text: str, folded: str) -> None:
    """A search does not care for case, accents and width, nor for letters that are others with a stroke or hook."""
    assert fold(text) == folded


@given(st.text())
def test_what_is_folded_stays_as_it_is(text: str) -> None:
    """Folding what is folded changes nothing, and a text folds to what its parts fold to."""
    assert fold(fold(text)) == fold(text)
    assert fold(f"{text}\n{text}") == f"{fold(text)}\n{fold(text)}"
