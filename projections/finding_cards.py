"""The models of a page as JSON; those shown lately are remembered, for whoever scrolls or types sees them again."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import apsw

from .finding_tags import Tags
from .library import cards

KEPT = 3_000
"""Cards of some 600 bytes each."""


class Cards:
    """The cards of models, by their rowids, as the tables have them."""

    def __init__(self, tags: Tags) -> None:
        """Begin with none remembered; `tags` shows those of a model."""
        self._tags = tags
        self._known: OrderedDict[int, str] = OrderedDict()

    def of(self, db: apsw.Connection, models: Sequence[int]) -> list[str]:
        """Give the cards of some models, in their order: each a JSON object."""
        known = self._known
        asked = [model for model in models if model not in known]
        for model, card in zip(asked, cards(db, asked) if asked else (), strict=True):
            known[model] = f'{card[:-1]},"tags":{self._tags.shown(model)}}}'
        for model in models:
            known.move_to_end(model)
        found = [known[model] for model in models]
        while len(known) > KEPT:
            known.popitem(last=False)
        return found

    def forget(self, models: Iterable[int] | None) -> None:
        """Look anew at some models, or at all."""
        if models is None:
            self._known.clear()
            return
        for model in models:
            self._known.pop(model, None)
