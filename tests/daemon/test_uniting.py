"""What an earlier library says is united with what is known: all of it is there, and once."""

import pytest
from hikaze.daemon import uniting
from hikaze.events.catalog import Prompts, Texts
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.text(st.sampled_from("ab \n\r\tÄ"), max_size=12)
TEXTS = st.builds(Texts, WORDS, WORDS, st.builds(Prompts, WORDS, WORDS), st.lists(WORDS, max_size=3).map(tuple))


@pytest.mark.parametrize(
    ("own", "come", "both"),
    [
        ("", "theirs", "theirs"),
        ("  ", "theirs", "theirs"),
        ("mine", "", "mine"),
        ("mine", " \n", "mine"),
        ("mine", "mine", "mine"),
        ("mine\nand more", "mine\r\nand more", "mine\nand more"),
        ("mine and theirs", "theirs", "mine and theirs"),
        ("concatenate", "cat", "concatenate\n\nFrom Hikaze 1:\ncat"),
        ("mine ", " theirs\n", "mine\n\nFrom Hikaze 1:\ntheirs"),
    ],
)
def test_appended(own: str, come: str, both: str) -> None:
    """A text that differs is appended under its source; one that is there word for word is not."""
    assert uniting.appended(own, come, "Hikaze 1") == both


@given(TEXTS, TEXTS)
def test_nothing_is_dropped_and_nothing_doubles(own: Texts, come: Texts) -> None:
    """All words of both are there, and what came once changes nothing when it comes again."""
    both = uniting.united(own, come, "there")

    for one in (own, come):
        assert set(one.description.split()) <= set(both.description.split())
        assert set(one.prompts.negative.split()) <= set(both.prompts.negative.split())
        assert set(one.trigger_words) <= set(both.trigger_words)
    assert uniting.united(both, come, "there") == both


@given(TEXTS, st.lists(st.sampled_from(["Anime", "anime", "ANIME ", "x"])))
def test_parts(texts: Texts, tags: list[str]) -> None:
    """What came once is known by its parts, however it is spelled; the rest is new."""
    parts = set(uniting.parts_of(texts, tags))

    left = uniting.without(texts, parts)
    assert (left.description.strip(), left.community_links.strip()) == ("", "")
    assert uniting.tags_without(tags, parts) == []
    assert uniting.tags_without(["other"], parts) == ["other"]
    assert uniting.without(texts, set()) == texts
