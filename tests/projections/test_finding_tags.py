"""The tags of each model are known however many change, and whatever their numbers are."""

from collections import Counter

import pytest
from hikaze.events.catalog import ImageAdded, ModelImported, ModelTagged, TagCreated, TagDeleted, TagRenamed, TagsMerged
from hikaze.projections.finding_tags import CHANGED, Links
from hikaze.projections.parts import All, Tagged

from .test_finding import Library, counted


@pytest.mark.parametrize("high", [9, 2**16 - 1, 2**16, 2**40])
def test_links_are_packed_again(high: int) -> None:
    """After many changes all is as it was put last, of models that came later, too; a new tag may have any number."""
    last, many = 10, CHANGED + 10
    links = Links(last, 9)
    links.put(3, [7, 9])
    links.put(4, [])
    links.put(5, [1])
    wanted = {3: (7, 9), 4: (), 5: (1,)}

    links.settle(many)
    for model in range(5, many):
        links.change(model, [model % 5, high])
        wanted[model] = (model % 5, high)
    links.settle(many)
    links.change(3, [high])
    wanted[3] = (high,)

    assert {model: tuple(links.of(model)) for model in range(1, many + 1)} == {
        model: wanted.get(model, ()) for model in range(1, many + 1)
    }
    assert links.count([3, 5, 6]) == Counter({high: 3, 0: 1, 1: 1})


def test_what_befalls_a_tag_befalls_its_models() -> None:
    """A card shows the tags by their names now, and counts follow, when one is renamed, merged or deleted."""
    library = Library(
        *(TagCreated(tag, name) for tag, name in enumerate(("a", "b", "c"), 1)),
        *(ModelImported(sha256, "x", "loras", 1) for sha256 in ("a1", "b2")),
        *(ModelTagged(sha256, tag) for sha256, tag in (("a1", 1), ("a1", 2), ("b2", 2), ("b2", 3))),
    )

    def shown() -> list[str]:
        return [item.partition('"tags":')[2].partition("]")[0] + "]" for item in library.find(All(())).items]

    assert shown() == ['["a","b"]', '["b","c"]']
    for event, cards, counts in (
        (TagRenamed(2, "z"), ['["a","z"]', '["c","z"]'], {"a": 1, "z": 2, "c": 1}),
        (TagsMerged(3, 1), ['["a","z"]', '["a","z"]'], {"a": 2, "z": 2}),
        (TagDeleted(2), ['["a"]', '["a"]'], {"a": 2}),
        (ModelTagged("b2", 1), ['["a"]', '["a"]'], {"a": 2}),
        (ImageAdded("a1", 0, "PNG", 1, 1), ['["a"]', '["a"]'], {"a": 2}),
    ):
        library.write(event)
        assert (shown(), counted(library.find(All(()), facets=9))["tags"]) == (cards, counts)
    assert library.find(Tagged("a")).total == 2
    assert '"images":["a1_0"]' in library.find(All(())).items[0]
