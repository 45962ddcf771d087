"""What a pending model that becomes a model, or a part of one, brings along of what its sidecars and its header said.

The sidecar may be gone by now, or lie where the file came from; what it said stays.
"""

import apsw

from ..events.catalog import Event, ModelProvided, ModelTagged
from ..projections import models, pending, tags
from ..projections.tagpast import taken_off_model, told_by_header
from ..projections.text import tag_key
from .learning import Header, withdrawn_of_pending


def said_beside(db: apsw.Connection, subject: int, model: str, header: Header) -> list[Event]:
    """Give the events that bring a pending model's rows to a model, and the tags that no person put on it.

    A tag that a sidecar or a header of the model ever named is not put on: if it is not there, somebody took it off.
    Nor is one that a person took off the model, or that `header`, as the file was read last, tells no more. The events
    belong into the stream of the model's sidecars.
    """
    gone = withdrawn_of_pending(db, subject, header)
    have, off = {*tags.of_model(db, model), *gone}, taken_off_model(db, model)
    barred = {"provider": models.provided_tags(db, model) | off, "header": told_by_header(db, model) | off}
    origins = tags.origins_of_pending(db, subject)
    put: list[Event] = [
        ModelTagged(model, tag, origins[tag])
        for tag, name in tags.of_pending(db, subject).items()
        if origins[tag] != "user" and tag not in have and tag_key(name) not in barred[origins[tag]]
    ]
    known = models.provided(db, model)
    come = [row for row in reversed(pending.provided(db, subject)) if row not in known]
    return [*put, *(ModelProvided(model, sidecar, provided) for sidecar, provided in come)]
