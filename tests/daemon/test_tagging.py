"""Tags: one for all spellings, made when they are first used."""

import unicodedata

import pytest
from hikaze.daemon import tagging
from hikaze.daemon.tagging import BadTag, NoSuchTag
from hikaze.events.catalog import TagCreated, TagDeleted, TagRenamed, TagsMerged
from hikaze.projections import tags
from hypothesis import given
from hypothesis import strategies as st

from .library import Memory


@pytest.mark.parametrize("other", ["anime", "ANIME", " Anime ", "anime\n"])
def test_a_tag_is_one_in_every_spelling(other: str) -> None:
    """The first spelling is kept and shown."""
    memory = Memory()
    assert memory.write(lambda db: tagging.create(db, "Anime")) == [TagCreated(1, "Anime")]
    assert memory.value == {"id": 1, "name": "Anime"}

    assert memory.write(lambda db: tagging.create(db, other)) == []
    assert memory.value == {"id": 1, "name": "Anime"}


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20).filter(str.strip))
def test_spellings_of_any_name(name: str) -> None:
    """Decomposed, upper and lower spellings of any name are one tag, by case folding of the NFC form."""
    memory = Memory()
    composed = unicodedata.normalize("NFC", name.strip())
    memory.write(lambda db: tagging.create(db, name))
    for other in (name, unicodedata.normalize("NFD", name), composed.casefold()):
        memory.write(lambda db, other=other: tagging.create(db, other))
        assert memory.value["id"] == 1


def test_one_decision_makes_a_new_tag_once() -> None:
    """Two spellings of a new name in one list are one tag."""
    tagger = tagging.Tagger(Memory().db)

    assert tagger.ids(["b", "A", "a", "B"]) == [1, 2]
    assert [new.event for new in tagger.events] == [TagCreated(1, "b"), TagCreated(2, "A")]


def test_renaming() -> None:
    """A tag is spelled anew; the name of another one merges the two, and that is what is answered."""
    memory = Memory()
    for name in ("one", "Two"):
        memory.write(lambda db, name=name: tagging.create(db, name))

    assert memory.write(lambda db: tagging.rename(db, 1, "One")) == [TagRenamed(1, "One")]
    assert memory.write(lambda db: tagging.rename(db, 1, "One")) == []
    assert memory.write(lambda db: tagging.rename(db, 1, "TWO")) == [TagsMerged(1, 2)]
    assert memory.value == {"id": 2, "name": "Two", "merged": True}
    with pytest.raises(NoSuchTag):
        memory.write(lambda db: tagging.rename(db, 1, "three"))


def test_an_id_is_never_used_again() -> None:
    """A tag that is made after another was deleted gets a new id."""
    memory = Memory()
    memory.write(lambda db: tagging.create(db, "one"))
    assert memory.write(lambda db: tagging.delete(db, 1)) == [TagDeleted(1)]
    memory.write(lambda db: tagging.create(db, "one"))

    assert tags.find(memory.db, "one") == (2, "one")
    with pytest.raises(NoSuchTag):
        memory.write(lambda db: tagging.delete(db, 1))


@pytest.mark.parametrize(
    ("name", "words"), [(" ", "needs a name"), ("x" * 201, "at most 200"), ("a\tb", "control"), ("\ud800", "control")]
)
def test_what_is_no_tag(name: str, words: str) -> None:
    """A name that is empty, too long or not text is refused."""
    with pytest.raises(BadTag, match=words):
        tagging.clean(name)
