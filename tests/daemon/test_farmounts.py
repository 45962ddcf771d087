"""Which paths may hang, told without touching what may."""

import os
from pathlib import Path

import pytest
from hikaze.daemon.far.mounts import Resolver, far_points, on_network
from hikaze.daemon.mounts import Mount
from hypothesis import given
from hypothesis import strategies as st

LOCAL = Mount("1", "8:1", "/", "ext4")
NAS = Mount("2", "0:40", "/mnt/nas", "nfs4")
MORE = [
    LOCAL,
    NAS,
    Mount("3", "0:41", "/media/fuse", "fuse.sshfs"),
    Mount("4", "0:42", "/auto", "autofs"),
    Mount("5", "8:2", "/mnt/disk", "ext4"),
]


class Links:
    """A near side with links; reading anything on a far mount fails the test."""

    def __init__(self, links: dict[str, str], far: list[str]) -> None:
        """Make links by path."""
        self.links, self.far = links, far

    def read(self, path: str) -> str:
        """Read a link, as `os.readlink` does."""
        assert not any(path == point or path.startswith(point + "/") for point in self.far), f"{path} was touched"
        if path not in self.links:
            raise OSError(22, "not a link", path)
        return self.links[path]


LINKS = {
    "/home/models": "/mnt/nas/models",
    "/home/up": "../mnt/nas",
    "/home/again": "models/loras",
    "/home/loop": "loop",
    "/home/near": "/mnt/disk",
    "/home/out": "/mnt/nas/../disk",
}


@pytest.mark.parametrize(
    ("path", "real", "point"),
    [
        ("/home/a", "/home/a", None),
        ("/mnt/nas", "/mnt/nas", "/mnt/nas"),
        ("/mnt/nas/a/b", "/mnt/nas/a/b", "/mnt/nas"),
        ("/mnt/nasty/a", "/mnt/nasty/a", None),
        ("/home/models/a", "/mnt/nas/models/a", "/mnt/nas"),
        ("/home/up/a", "/mnt/nas/a", "/mnt/nas"),
        ("/home/again/a", "/mnt/nas/models/loras/a", "/mnt/nas"),
        ("/home/near/a", "/mnt/disk/a", None),
        ("/media/fuse/x", "/media/fuse/x", "/media/fuse"),
        ("/auto/server/x", "/auto/server/x", "/auto"),
        ("/mnt/./disk//a", "/mnt/disk/a", None),
        ("/", "/", None),
    ],
)
def test_where_a_path_leads(path: str, real: str, point: str | None) -> None:
    """Links are followed on this machine, and no step is made onto a mount that may hang."""
    far = far_points(MORE)
    found, mount = Resolver(far, Links(LINKS, list(far)).read).resolved(path)

    assert (found, mount.point if mount else None) == (real, point)


def test_a_loop_of_links_ends() -> None:
    """Links that lead in a circle lead nowhere."""
    assert Resolver(far_points(MORE), Links(LINKS, []).read).mount_of("/home/loop/a") is None


def test_what_is_mounted_on_top_counts() -> None:
    """A local disk over a network mount point is near, and the other way round."""
    over = [*MORE, Mount("9", "8:9", "/mnt/nas", "ext4"), Mount("10", "0:9", "/mnt/disk", "cifs")]

    assert set(far_points(over)) == {"/mnt/disk", "/media/fuse", "/auto"}


@pytest.mark.parametrize(
    ("mounts", "path", "fstype"),
    [
        (MORE, "/home/data", None),
        (MORE, "/mnt/nas/data", "nfs4"),
        (MORE, "/media/fuse/not/yet/there", "fuse.sshfs"),
        ([Mount("1", "0:1", "/", "nfs"), Mount("2", "8:1", "/home", "ext4")], "/srv", "nfs"),
        ([Mount("1", "0:1", "/", "nfs"), Mount("2", "8:1", "/home", "ext4")], "/home/data", None),
    ],
)
def test_what_lies_on_a_network(mounts: list[Mount], path: str, fstype: str | None) -> None:
    """The innermost mount decides, and a machine whose own disk is elsewhere is no exception."""
    found = on_network(path, mounts)

    assert (found.fstype if found else None) == fstype


@given(st.lists(st.sampled_from(["a", "b", "link", "..", ".", ""]), max_size=8))
def test_near_paths_resolve_as_the_system_does(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    """Where nothing is far, a resolved path is the real path."""
    top = Path(os.path.realpath(tmp_path_factory.getbasetemp())) / "tree"
    if not top.exists():
        (top / "a" / "b").mkdir(parents=True)
        (top / "b").mkdir()
        (top / "link").symlink_to("a")
        (top / "a" / "link").symlink_to(top / "b")
    path = os.path.join(top, *(part for part in parts if part))

    assert Resolver({"/far": NAS}).resolved(path) == (os.path.realpath(path), None)
