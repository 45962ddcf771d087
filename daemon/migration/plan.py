"""What a row of an earlier library becomes: pure decisions from the read tables and what was made ready for it.

A row with a hash becomes a model, or is united with the one that has it. One without becomes a pending model, or is
united with what is known at its path. Nothing that was written here gives way, and nothing that the row says is
dropped: what does not come along is told by `RowRefused`.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

import apsw

from ...events.catalog import Event, File, Prompts, RootKind, RowMigrated, RowRefused, Texts
from ...events.pathtext import to_text
from ...events.record import New
from ...events.writer import Decision
from ...projections import imports, migrations, models, pending
from ...projections.layers import FIELDS
from ...projections.pending import Pending
from .. import uniting
from ..legacy.library import Broken, Row, Unused
from ..tagging import Tagger
from .pictures import Ready

MOST_NUMBER = 2**31  # ids go on from the highest, and the API takes none above 2**53

State = Literal["present", "gone", "unseen", "outside"]


class Changed(Exception):
    """What a row is to become has changed since things were made ready for it: make them ready anew."""


@dataclass(frozen=True, slots=True)
class Look:
    """What lies at the path of a row.

    `unseen` is a file in a root that is away, or that could not be looked at; `outside` one in no root of ours. `file`
    has zeros for what nobody has seen. `kind` is that of the root, `type` what folder and header tell.
    """

    state: State
    file: File
    kind: RootKind | None = None
    type: str | None = None
    header: dict[str, Any] = field(default_factory=dict[str, Any])
    exists: bool = False

    @property
    def is_missing(self) -> bool:
        """Whether nothing lies there."""
        return self.state == "gone" or (self.state == "outside" and not self.exists)


@dataclass(frozen=True, slots=True)
class Owner:
    """What a row becomes, or is united with: a model, or a pending model that is known or `new`.

    A new one may come `instead` of one that was found before by itself, and that nobody has written to.
    """

    model: str | None = None
    pending: int | None = None
    new: bool = False
    instead: int | None = None

    @property
    def lock(self) -> str:
        """The name under which who works on its pictures is alone with it."""
        return self.model or f"pending/{self.pending}"


@dataclass(frozen=True, slots=True)
class Ending:
    """A pending model that ends because a model is said to lie at its path; as it was when all was made ready."""

    pending: int
    picture_at: int | None


@dataclass(frozen=True, slots=True)
class Came:
    """A row with all that was made ready for it.

    `pictures` are a model's, with the number of each, or the one of a pending model (number 0); `companion` says that
    it is not the row's, but was taken by itself before. `problems` are added to those of the row; `in_part` says that
    it should be tried again, because something could not be read.
    """

    op: str
    row: Row
    look: Look
    owner: Owner
    ending: Ending | None = None
    pictures: tuple[tuple[int, Ready], ...] = ()
    problems: tuple[str, ...] = ()
    in_part: bool = False
    companion: bool = False

    @property
    def brought(self) -> tuple[Ready, ...]:
        """The pictures that came with the row."""
        return () if self.companion else tuple(ready for _, ready in self.pictures)


def of_migration(op: str, event: Event) -> New:
    """Put an event into the stream of a migration."""
    return New(f"migration/{op}", event)


def text_of(row: Row) -> str:
    """Give the path of a row as events have it, empty where it has none."""
    return to_text(row.path or "")


def digest_in_part(digest: str) -> str:
    """Give the digest of a row of which something could not be read: the next migration brings the rest."""
    return hashlib.sha256(f"{digest} in part".encode()).hexdigest()


def is_done(db: apsw.Connection, op: str, digest: str) -> bool:
    """Tell whether a row came along before, or in this very migration in part."""
    return migrations.is_taken(db, digest) or migrations.taken_by(db, digest_in_part(digest)) == op


# What a row becomes -----------------------------------------------------------------------------------


def owner_of(db: apsw.Connection, database: str, row: Row) -> Owner:
    """Tell what a row becomes. `database` is where it comes from: what became of it before is known by that."""
    if row.sha256 is not None:
        return Owner(model=row.sha256)
    path = text_of(row)
    known = pending.at_path(db, path) if path else None
    if known is not None and known.state == "waiting":
        return _instead_of(db, known, row) or Owner(pending=known.id)
    location = models.location(db, path) if path else None
    if location is not None:
        return Owner(model=location.model)
    if known is not None and known.state != "trashed":
        return Owner(pending=known.id)
    return _became(db, database, row) or Owner(pending=_number_for(db, row), new=True)


def _instead_of(db: apsw.Connection, known: Pending, row: Row) -> Owner | None:
    """Let a row keep the id it had, where its file was found before by itself and got another that nobody used."""
    if known.written or not _is_free(db, row) or imports.open_import_of(db, known.id):
        return None
    return Owner(pending=row.id, new=True, instead=known.id)


def _is_free(db: apsw.Connection, row: Row) -> bool:
    return row.id is not None and 0 < row.id <= MOST_NUMBER and not pending.was_used(db, row.id)


def _became(db: apsw.Connection, database: str, row: Row) -> Owner | None:
    model, number = migrations.became(db, database, row.table, row.row) or (None, None)
    if number is not None and pending.get(db, number) is None:
        model, number = imports.model_of(db, number), None
    if number is not None:
        return Owner(pending=number)
    return None if model is None or models.get(db, model) is None else Owner(model=model)


def _number_for(db: apsw.Connection, row: Row) -> int:
    """Give a new pending model's number: the one it had where nobody ever had it here, else the next."""
    return row.id if row.id is not None and _is_free(db, row) else pending.last_number(db) + 1


def gives_way(db: apsw.Connection, row: Row, look: Look) -> Pending | None:
    """Give the pending model that ends because the row says which model lies at its path; None where none does."""
    if row.sha256 is None or look.kind != "model" or models.location(db, look.file.path) is not None:
        return None
    known = pending.at_path(db, look.file.path)
    if known is None or known.state not in ("waiting", "hidden") or was_claimed(db, row):
        return None
    return None if imports.open_import_of(db, known.id) or is_doubted(known, row, look) else known


def was_claimed(db: apsw.Connection, row: Row) -> bool:
    """Tell whether the row was believed once that its file lies there: what became of it since is known better."""
    return uniting.part_of("path", text_of(row)) in migrations.parts(db, row.sha256 or "")


def is_doubted(known: Pending, row: Row, look: Look) -> bool:
    """Tell whether a pending model has other content for certain, or was written to and may well have other content."""
    if known.sha256:
        return known.sha256 != row.sha256
    return known.written and look.state == "present" and row.size not in (0, look.file.size)


def ending_of(known: Pending | None) -> Ending | None:
    """Give a pending model that ends as `Came` tells of it."""
    return None if known is None else Ending(known.id, known.picture_position)


def must_be_owned(db: apsw.Connection, database: str, came: Came) -> None:
    """Raise `Changed` where the row is to become something else by now."""
    if owner_of(db, database, came.row) != came.owner:
        raise Changed


def once(db: apsw.Connection, database: str, owner: Owner, row: Row, ending: Ending | None = None) -> set[str]:
    """Give the digests of what came to an owner before, itself or as the pending models that became it."""
    _, before = migrations.became(db, database, row.table, row.row) or (None, None)
    numbers = [before, owner.pending, None if ending is None else ending.pending]
    names = [migrations.owner_of(None, number) for number in numbers if number is not None]
    return migrations.parts(db, *names, *([] if owner.model is None else [owner.model]))


def new_to(row: Row, came: set[str]) -> tuple[Texts, list[str]]:
    """Give the texts and tags of a row that did not come to its owner before."""
    return uniting.without(texts_of(row), came), uniting.tags_without(row.tags, came)


def texts_of(row: Row) -> Texts:
    """Give the texts of a row."""
    return Texts(row.description, row.links, Prompts(row.positive, row.negative))


def label(row: Row) -> str:
    """Give the name of a row as people see it behind what was written there."""
    return migrations.label(row.form, row.table, row.row)


def differing(before: Texts, after: Texts) -> dict[str, Any]:
    """Give the fields of texts that are other than before."""
    return {name: getattr(after, name) for name in FIELDS if getattr(after, name) != getattr(before, name)}


# The end of each row ----------------------------------------------------------------------------------


def end(
    came: Came,
    outcome: Literal["new", "united"],
    tagged: int,
    *,
    model: str | None = None,
    pending: int | None = None,
    is_claimed: bool = False,
) -> list[New]:
    """Give the events that tell what did not come along of a row, and that the rest did."""
    row, op = came.row, came.op
    refused = dict.fromkeys((*row.problems, *came.problems))
    migrated = RowMigrated(
        op=op,
        digest=digest_in_part(row.digest) if came.in_part else row.digest,
        form=row.form,
        table=row.table,
        row=row.row,
        outcome=outcome,
        model=model,
        pending=pending,
        is_missing=came.look.is_missing,
        tags=tagged,
        images=len(came.brought),
        parts=(
            *uniting.parts_of(texts_of(row), row.tags),
            *(uniting.part_of("picture", ready.original) for ready in came.brought),
            *(uniting.part_of("path", text_of(row)) for _ in (0,) if is_claimed),
        ),
    )
    said = [of_migration(op, RowRefused(op, row.table, row.row, what)) for what in refused]
    return [*said, of_migration(op, migrated)]


def bring_tag(db: apsw.Connection, op: str, unused: Unused, form: Any) -> Decision:
    """Decide that a tag comes along that stands on nothing."""
    if migrations.is_taken(db, unused.digest):
        return Decision()
    tagger = Tagger(db)
    tagger.ids([unused.name])
    made = len(tagger.events)
    outcome = "new" if made else "united"
    migrated = RowMigrated(op, unused.digest, form, "tags", unused.row, outcome, tags=made)
    return Decision([*tagger.events, of_migration(op, migrated)])


def refuse(db: apsw.Connection, op: str, broken: Broken) -> Decision:
    """Decide that a row cannot come along; told once in a migration."""
    if migrations.is_refused(db, op, broken.table, broken.row, broken.what):
        return Decision()
    return Decision([of_migration(op, RowRefused(op, broken.table, broken.row, broken.what))])
