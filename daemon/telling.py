"""The words for what is wrong with the watching: each says what, and what cures it."""

import errno
from collections.abc import Sequence

from ..events.pathtext import shown, to_text
from ..projections.claims import Denied
from .roots import Root
from .watch import INSTANCE_LIMIT, Shortage, limit

Trouble = tuple[str, str]
"""What is wrong in one sentence, and what to do."""

MOST_DENIED = 3  # files that are named of those that are not what an earlier library said
_MOST_FILES = 5  # unreadable files or folders that are named, of each root


def of_shortage(shortage: Shortage) -> Trouble:
    """Tell that there are more folders than the system watches."""
    what = f"the system watches {shortage.watches} of {shortage.folders} folders;"
    return f"{what} changes in the others are seen only by looking now and then", shortage.cure


def of_refusal(root: Root, error: OSError) -> Trouble:
    """Tell that a root that is here cannot be watched."""
    what = f"{_shown(root.path)} cannot be watched ({error.strerror}); it is looked at now and then"
    if error.errno != errno.EMFILE:
        return what, "hikazed tries again by itself; if it stays so, restart it"
    more = max(512, 4 * limit(INSTANCE_LIMIT))
    return what, f"sudo sysctl -w fs.inotify.max_user_instances={more}"


def of_absence(root: Root, obstacle: str, *, deleted: bool) -> Trouble:
    """Tell that a root is away; `obstacle` says what lies at its path instead of a folder, if anything does."""
    path = _shown(root.path)
    if root.why == "foreign":
        cure = "connect the disk or put the folder back that was there; if the change is meant, put one of its models"
        return (
            f"another disk or folder lies at {path}; the models that were there count as away",
            f"{cure} in, or remove this folder from those that are watched and add it again",
        )
    if obstacle:
        return (
            f"the folder {path} is away: {obstacle}",
            "put the folder back, or remove it from those that are watched",
        )
    if deleted:
        return (
            f"the folder {path} was deleted; the models that were there count as away",
            "make the folder again, or remove it from those that are watched",
        )
    return f"the folder {path} is away", "connect its disk, or remove the folder from those that are watched"


def of_pause(root: Root) -> Trouble:
    """Tell that a root is left alone because somebody wanted it."""
    return f"{_shown(root.path)} is paused: nothing in it is looked at, and its models count as away", "resume it"


def of_unseen(root: Root) -> Trouble:
    """Tell that it is not known yet whether a root is here."""
    return f"{_shown(root.path)} has not been looked at yet", "wait a moment; a disk elsewhere may take half a minute"


def of_unreadable(unreadable: list[tuple[str, str]]) -> list[Trouble]:
    """Tell what could not be looked at in a root, and why."""
    cure = "make it readable for the user that runs hikazed"
    return [(f"{_shown(name)} could not be looked at ({reason})", cure) for name, reason in unreadable[:_MOST_FILES]]


def of_denied(count: int, first: Sequence[Denied]) -> Trouble:
    """Tell that files are not what an earlier library said they were; `first` are those that are named."""
    named = ", ".join(f"{one.path} (said to be {one.name})" for one in first)
    more = f" and {count - len(first):,} more" if count > len(first) else ""
    files = "1 file is" if count == 1 else f"{count:,} files are"
    what = f"{files} not what the earlier library said, by content: {named}{more}"
    kept = "tags, texts and pictures stay with the model that was meant, which is missing"
    cure = "import each as what it is, or dismiss it; or put the right file back, it is known by its content"
    return f"{what}; {kept}", cure


def _shown(path: str) -> str:
    return shown(to_text(path))
