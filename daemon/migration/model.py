"""What follows for a model from a row of an earlier library: pure decisions."""

from collections.abc import Iterable
from dataclasses import replace

import apsw

from ...events.catalog import (
    Changes,
    Event,
    ImageAdded,
    LocationClaimed,
    ModelEdited,
    ModelImported,
    ModelTagged,
    PendingImported,
    Texts,
)
from ...events.record import New
from ...events.writer import Decision
from ...projections import imports, models, pending, tags
from ...projections.layers import FIELDS, is_own
from ...projections.pending import Pending
from .. import uniting
from ..carrying import said_beside
from ..learning import tags_of_model
from ..legacy.library import Row
from ..sightings import of_files, of_model, of_pending, of_sidecars_of_model
from ..tagging import Tagger
from .plan import (
    Came,
    Changed,
    Look,
    differing,
    end,
    ending_of,
    gives_way,
    is_done,
    is_doubted,
    label,
    must_be_owned,
    new_to,
    once,
    text_of,
    was_claimed,
)

OTHER = "other"
"""The type of a model of which neither the earlier library nor its folder nor its header tells one."""


def bring_to_model(db: apsw.Connection, database: str, came: Came) -> Decision:
    """Decide what follows for a model from a row, with a hash or without. Raises `Changed`."""
    if is_done(db, came.op, came.row.digest):
        return Decision()
    must_be_owned(db, database, came)
    sha256 = came.owner.model or ""
    ends = gives_way(db, came.row, came.look)
    if ending_of(ends) != came.ending:
        raise Changed
    tagger = Tagger(db)
    known = models.get(db, sha256)
    texts, own_tags = new_to(came.row, once(db, database, came.owner, came.row, came.ending))
    words = _born(came, ends, texts) if known is None else _united(known, ends, texts, came.row)
    tagged = _tagged(db, sha256, ends, tagger.ids(own_tags))
    told = _told(db, tagger, sha256, ends, words, tagged)
    facts = [
        *(of_model(sha256, event) for event in (*words, *tagged)),
        *(of_sidecars_of_model(sha256, event) for event in told),
        *(
            ()
            if ends is None
            else (of_sidecars_of_model(sha256, said) for said in said_beside(db, ends.id, sha256, came.look.header))
        ),
        *(of_model(sha256, event) for event in _pictures(sha256, came)),
        *(() if ends is None else (of_pending(ends.id, PendingImported(ends.id, sha256, "merged")),)),
    ]
    claim, problems = _claim(db, sha256, came)
    came = replace(came, problems=(*came.problems, *problems))
    ended = end(came, "new" if known is None else "united", len(tagged), model=sha256, is_claimed=bool(claim))
    return Decision([*tagger.events, *facts, *claim, *ended], None if ends is None else ends.id)


def _born(came: Came, ends: Pending | None, texts: Texts) -> list[Event]:
    row, look = came.row, came.look
    name, type_, given = row.name, row.type or look.type or OTHER, frozenset[str]()
    if ends is not None:
        texts, given = uniting.united(ends.own, texts, label(row)), ends.given
        name = ends.name if "name" in given else name
        type_ = ends.type or type_ if "type" in given else type_
    born = ModelImported(
        model=row.sha256 or "",
        name=name,
        type=type_,
        size=row.size or look.file.size,
        texts=texts,
        header=look.header if row.size in (0, look.file.size) else {},
        pending=None if ends is None else ends.id,
        given=tuple(name for name in FIELDS if name in given and not is_own(texts, frozenset(), name)),
        claimed=True,
        path=text_of(row),
        created_at=row.created_at,
    )
    return [born]


def _united(known: models.Model, ends: Pending | None, texts: Texts, row: Row) -> list[Event]:
    united = known.own
    if ends is not None:
        united = uniting.united(united, ends.own, ends.legacy or f"pending model {ends.id}")
    united = uniting.united(united, texts, label(row))
    fields = differing(known.own, united)
    return [ModelEdited(known.sha256, Changes(**fields))] if fields else []


def _tagged(db: apsw.Connection, sha256: str, ends: Pending | None, come: Iterable[int]) -> list[ModelTagged]:
    """Give the events that put tags on a model: the row's, and those that people put on the pending model that ends."""
    have = tags.origins_of_model(db, sha256)
    theirs = {} if ends is None else tags.origins_of_pending(db, ends.id)
    wanted = dict.fromkeys([*come, *(tag for tag, origin in theirs.items() if origin == "user")])
    return [ModelTagged(sha256, tag) for tag in wanted if have.get(tag) != "user"]


def _told(
    db: apsw.Connection,
    tagger: Tagger,
    sha256: str,
    ends: Pending | None,
    words: Iterable[Event],
    tagged: Iterable[ModelTagged],
) -> list[Event]:
    """Give the events that put on a new model what its file tells; that of a known one is read in the background."""
    headers = [event.header for event in words if isinstance(event, ModelImported)]
    number, put = None if ends is None else ends.id, {event.tag for event in tagged}
    told = [event for header in headers for event in tags_of_model(db, tagger, sha256, header, number=number)]
    return [event for event in told if not (isinstance(event, ModelTagged) and event.tag in put)]


def _pictures(sha256: str, came: Came) -> list[Event]:
    return [
        ImageAdded(
            model=sha256,
            seq=seq,
            format=ready.picture.format,
            width=ready.picture.width,
            height=ready.picture.height,
            texts=ready.picture.texts,
            original=ready.original,
        )
        for seq, ready in came.pictures
    ]


def _claim(db: apsw.Connection, sha256: str, came: Came) -> tuple[list[New], tuple[str, ...]]:
    """Give the event that the model lies at the row's path, or why that is not so."""
    row, look, path = came.row, came.look, came.look.file.path
    if row.sha256 is None or look.kind is None:
        return [], ()
    if look.kind == "pending":
        return [], ("its file lies in a drop folder; import it from there to have it in the library",)
    there = models.location(db, path)
    if there is not None:
        return [], () if there.model == sha256 else (_taken(db, there.model),)
    if was_claimed(db, row):
        return [], ()
    known = pending.at_path(db, path)
    if known is not None and known.state in ("waiting", "hidden"):
        if imports.open_import_of(db, known.id):
            return [], (f"its file is being imported as pending model {known.id}, which tells what it is",)
        if is_doubted(known, row, look):
            return [], (_doubt(known, row, look),)
    return [of_files(sha256, LocationClaimed(sha256, look.file, lost=look.state == "gone"))], ()


def _doubt(known: Pending, row: Row, look: Look) -> str:
    return (
        f"at its path lies pending model {known.id}, which seems to be something else ({look.file.size:,} bytes, not"
        f" {row.size:,}) and stays as it is; import it to see what it is"
    )


def _taken(db: apsw.Connection, other: str) -> str:
    known = models.get(db, other)
    return f"at its path lies the model {known.name if known else ''} ({other[:12]}); it comes along without a file"
