"""The mark in a sidecar that we wrote: when, what it said in full, and whether another program changed it since.

It lies under `hikaze` in the file's own object, where other programs keep what they do not know. Position and event
name the last fact that the library knew: a library whose log holds that event at that position wrote the file, or was
restored from the one that did, and learns nothing from it. Any other library takes the words of `says`, for which the
format itself may have no room.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

KEY = "hikaze"

_HOUSEKEEPING = frozenset(
    (
        KEY,
        "autov3",
        "db_checked",
        "file_name",
        "file_path",
        "folder",
        "hash_status",
        "last_checked_at",
        "metadata_source",
        "modified",
        "preview_nsfw_level",
        "preview_url",
        "size",
        "skip_metadata_refresh",
    )
)
"""Keys that say nothing of ours: ComfyUI-Lora-Manager writes the path anew when a model moves, and the like."""


class Moment(msgspec.Struct, frozen=True):
    """How far a log was: the position and the id (hexadecimal) of its last event."""

    position: Annotated[int, Meta(ge=1, le=2**53)]
    event: Annotated[str, Meta(pattern="^[0-9a-f]{1,64}$")]


class Mark(Moment, frozen=True):
    """What we left in a file: when, what it says in full, and the digest of the file as we wrote it."""

    says: dict[str, Any]
    digest: str = ""

    @property
    def moment(self) -> Moment:
        """How far the log was when the file was written."""
        return Moment(self.position, self.event)


def marked(document: Mapping[str, Any], moment: Moment, says: Mapping[str, Any]) -> dict[str, Any]:
    """Give a document with our mark in it, in place of an older one."""
    sealed = msgspec.to_builtins(seal(document, moment, says))
    return {key: value for key, value in document.items() if key != KEY} | {KEY: sealed}


def seal(document: Mapping[str, Any], moment: Moment, says: Mapping[str, Any]) -> Mark:
    """Give the mark for a document."""
    mark = Mark(moment.position, moment.event, dict(says))
    return msgspec.structs.replace(mark, digest=_digest(document, mark))


def mark_in(document: Mapping[str, Any]) -> Mark | None:
    """Give the mark that a document holds, None where it has none that can be read."""
    try:
        return msgspec.convert(document.get(KEY), Mark)
    except (msgspec.ValidationError, UnicodeEncodeError, RecursionError):
        return None


def is_as_written(document: Mapping[str, Any], mark: Mark) -> bool:
    """Tell whether a document still says what it said when it was marked."""
    try:
        return mark.digest == _digest(document, mark)
    except RecursionError:  # nothing of ours is that deep
        return False


def _digest(document: Mapping[str, Any], mark: Mark) -> str:
    """Give the SHA-256, in hexadecimal, of what a document says, its mark included; an empty field says nothing."""
    said = {key: value for key, value in document.items() if value and key not in _HOUSEKEEPING}
    whole = json.dumps([said, mark.position, mark.event, mark.says], sort_keys=True, default=str)
    return hashlib.sha256(whole.encode()).hexdigest()
