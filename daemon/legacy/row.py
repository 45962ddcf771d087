"""What an earlier Hikaze's library says, in values that no longer depend on which of the earlier ones it was."""

from dataclasses import dataclass, field

from ...events.catalog import LegacyForm


@dataclass(frozen=True)
class Source:
    """Where an earlier library lies: its database, the folder of its pictures (which may not exist), and files
    of known names beside it that hold nothing to bring along.
    """

    form: LegacyForm
    database: str
    images: str
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A picture of a row: the path of its original, or of the tiers that were made of it (`high` is always there).

    `label` names it to people. Of the tiers `medium` and `low` may be missing.
    """

    original: str | None
    tiers: dict[str, str] = field(default_factory=dict[str, str])
    label: str = ""


@dataclass(frozen=True)
class Row:
    """A model or pending model of an earlier library.

    `table` and `row` name it there, and `id` is its number where it has one. `sha256` is what the library claims:
    64 lower-case hexadecimal digits, None where it has no hash that could be one; a pending model never has one.
    `path` is as Python's `os` functions give paths; it may be relative, or of another system (`problems` says so).
    `type` is ComfyUI's own name, None where it is not known. Texts hold no NUL and no lone surrogate, `links` is one a
    line, tags are clean names, each once. `size` is in bytes, `created_at` in milliseconds since 1970.
    `digest` is the SHA-256 of all of it. `problems` are sentences on what of it did not come along or looks wrong.
    """

    form: LegacyForm
    table: str
    row: str
    digest: str
    sha256: str | None
    path: str | None
    name: str
    type: str | None
    size: int
    created_at: int | None
    description: str = ""
    links: str = ""
    positive: str = ""
    negative: str = ""
    tags: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    problems: tuple[str, ...] = ()
    id: int | None = None


@dataclass(frozen=True)
class Broken:
    """Something in an earlier library that cannot be used at all, where it stands there, and why."""

    table: str
    row: str
    what: str


@dataclass(frozen=True)
class Unused:
    """A tag that somebody made in an earlier library and that stands on nothing."""

    name: str
    row: str
    digest: str


Item = Row | Broken | Unused
