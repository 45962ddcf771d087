"""Which folders can be watched, by what they are and how they lie to others."""

import os
from pathlib import Path

import pytest
from hikaze.daemon import newroot
from hikaze.daemon.newroot import Examined, NotBeside, NotPossible
from hikaze.daemon.rootcheck import Identity
from hikaze.daemon.roots import Root, Wanted

LORAS = Root(1, "/m/loras", "model", "loras", False, None, Identity(7, 1, "ext4"))
DROP = Root(2, "/d", "pending", None, False, None, Identity(7, 2, "ext4"))
PAUSED = Root(3, "/nas/vae", "model", "vae", True, "paused", Identity(9, 3, "nfs4"), paused=True)


def asked(path: str, type_: str | None = None) -> Wanted:
    """Give a folder that somebody wants watched."""
    return Wanted(path, "pending" if type_ is None else "model", type_, "user")


def lying(path: str, ino: int = 99) -> Examined:
    """Give a folder on the disk, with all paths as real as they are written."""
    return Examined(path, Identity(7, ino, "ext4"), "/data", {1: "/m/loras", 2: "/d", 3: "/nas/vae"})


@pytest.mark.parametrize(
    ("new", "ino", "same"),
    [
        (asked("/m/loras", "loras"), 1, LORAS),
        (asked("/link", "loras"), 1, LORAS),
        (asked("/d"), 2, DROP),
        (asked("/nas/vae", "vae"), 3, PAUSED),
        (asked("/m", "loras"), 50, None),
        (asked("/m/loras/vae", "vae"), 50, None),
        (asked("/m/loras/incoming"), 50, None),
        (asked("/m/loras2", "loras"), 50, None),
        (asked("/data/models/loras", "loras"), 50, None),
        (asked("/data/pending"), 50, None),
    ],
)
def test_folders_that_can_be_watched(new: Wanted, ino: int, same: Root | None) -> None:
    """One that is watched as the same is that root, by path or by what it is; others may lie inside or around."""
    assert newroot.same_as(new, lying(new.path, ino), [LORAS, DROP, PAUSED]) == same


@pytest.mark.parametrize(
    ("new", "kind", "says"),
    [
        (asked("/m/loras", "vae"), NotBeside, "/m/loras is watched already, as a folder for loras; remove it as that"),
        (asked("/m/loras"), NotBeside, "as a folder for loras; remove it as that first"),
        (asked("/d", "loras"), NotBeside, "as a drop folder; remove it as that first"),
        (asked("/m/loras/sub", "loras"), NotBeside, "watched for loras already; nothing need be added"),
        (asked("/nas/vae/sub", "vae"), NotBeside, "watched for vae already; resume that"),
        (asked("/d/sub", "loras"), NotBeside, "lies inside the drop folder /d"),
        (asked("/d/sub"), NotBeside, "lies inside the drop folder /d"),
        (asked("/m"), NotBeside, "/m/loras, a folder for loras, lies inside /m; give a drop folder"),
        (asked("/data", "vae"), NotPossible, "holds Hikaze's data folder, /data"),
        (asked("/", "vae"), NotPossible, "holds Hikaze's data folder, /data"),
        (asked("/data/trash", "vae"), NotPossible, "keeps its own files"),
        (asked("/data/images/ab", "vae"), NotPossible, "keeps its own files"),
        (asked("/x/.hikaze-trash/y", "vae"), NotPossible, "keeps its own files"),
    ],
)
def test_folders_that_cannot(new: Wanted, kind: type[Exception], says: str) -> None:
    """The sentence says what is in the way and what to do."""
    with pytest.raises(kind) as refused:
        newroot.same_as(new, lying(new.path), [LORAS, DROP, PAUSED])
    assert says in str(refused.value)


@pytest.mark.parametrize("fstype", ["proc", "sysfs", "devtmpfs", "cgroup2"])
@pytest.mark.parametrize("new", [asked("/proc", "vae"), asked("/proc/7/cwd")])
def test_what_the_system_shows_of_itself_is_no_folder_of_models(new: Wanted, fstype: str) -> None:
    """The links in /proc lead into the folders of every process: nothing of it is watched, or imported from."""
    found = Examined(new.path, Identity(7, 1, fstype), "/data", {})
    with pytest.raises(NotPossible, match="lies on no disk"):
        newroot.same_as(new, found, [])


def test_types_are_spelled_as_comfyui_does() -> None:
    """A type that people say otherwise is that of ComfyUI; one of a custom pack is taken as it is."""
    assert newroot.wanted("/m/", "models", " LoRA ") == Wanted("/m", "model", "loras", "user")
    assert newroot.wanted("/m/../n", "model", "ipadapter") == Wanted("/n", "model", "ipadapter", "user")
    assert newroot.wanted("/d", "pending", None) == Wanted("/d", "pending", None, "user")


def test_a_folder_is_examined(tmp_path: Path) -> None:
    """Its real path and identity are told; nothing of a root that is away is looked at."""
    (tmp_path / "m").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "m")
    (tmp_path / "away").symlink_to(tmp_path / "m")
    here = Root(1, str(tmp_path / "link"), "model", "loras", False, None, None)
    away = Root(2, str(tmp_path / "away"), "model", "vae", True, "paused", None, paused=True)

    found = newroot.examine(str(tmp_path / "link"), str(tmp_path), [here, away])

    assert found.real == os.path.realpath(tmp_path / "m")
    assert found.real_roots == {1: found.real, 2: str(tmp_path / "away")}
    assert found.identity is not None


@pytest.mark.parametrize(
    ("path", "says"), [("nothing", "there is no folder at"), ("file", "is a file"), ("loop", "cannot be looked at")]
)
def test_what_is_no_folder(tmp_path: Path, path: str, says: str) -> None:
    """It is refused, and what to do is said."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(NotPossible, match=says):
        newroot.examine(str(tmp_path / path), str(tmp_path), [])
