"""The look at the disk: what is new, changed, gone and unreadable, and which folders are entered."""

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hikaze.daemon.scan import DEEPEST, Known, Look, StoppedError, look, siblings, stat_file
from hypothesis import given, settings
from hypothesis import strategies as st

NOBODY = 65534


def known_from(*looks: Look) -> dict[str, Known]:
    """Know what looks have found."""
    return {file.path: (file.size, file.mtime_ns, file.ino) for one in looks for file in one.new}


def new_in(found: Look, root: Path) -> list[str]:
    """Give the new paths, from the root on, sorted."""
    return sorted(os.path.relpath(file.path, root) for file in found.new)


def ident(path: Path) -> tuple[int, int]:
    return path.stat().st_dev, path.stat().st_ino


def model(path: Path, content: bytes = b"model") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_first_look(root: Path) -> None:
    """A first look finds every model file as it lies there, and nothing else."""
    file = model(root / "sub" / "a.safetensors")
    model(root / "sub" / "a.png")
    info = file.stat()

    found = look(str(root), {})

    assert [file.path for file in found.new] == [str(file)]
    seen = found.new[0]
    assert (seen.size, seen.mtime_ns, seen.ctime_ns) == (5, info.st_mtime_ns, info.st_ctime_ns)
    assert (seen.dev, seen.ino, seen.nlink) == (info.st_dev, info.st_ino, 1)
    assert (found.changed, found.gone, found.unreadable, found.links) == ([], [], [], {})
    assert (found.folders, found.files) == (2, 1)


def test_nothing_changed(root: Path) -> None:
    """A look at what is known finds nothing, though it looked at every file."""
    model(root / "a.safetensors")
    model(root / "sub" / "b.safetensors")

    found = look(str(root), known_from(look(str(root), {})))

    assert found == Look(folders=2, files=2)


@pytest.mark.parametrize("change", ["size", "mtime", "inode"])
def test_changed(root: Path, change: str) -> None:
    """A known file has changed if its size, its mtime or its inode is another."""
    file = model(root / "a.safetensors")
    info = file.stat()
    known = known_from(look(str(root), {}))

    match change:
        case "size":
            file.write_bytes(b"longer than before")
            os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
        case "mtime":
            os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns + 1_000))
        case _:
            model(root / "b").rename(file)
            os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
    found = look(str(root), known)

    assert [file.path for file in found.changed] == [str(file)]
    assert (found.new, found.gone) == ([], [])


def test_gone(root: Path) -> None:
    """Known files that are not there are gone: deleted, renamed, or with their folder, or a folder now."""
    deleted, renamed = model(root / "a.safetensors"), model(root / "b.safetensors")
    below, replaced = model(root / "sub" / "c.safetensors"), model(root / "d.safetensors")
    known = known_from(look(str(root), {}))

    deleted.unlink()
    renamed.rename(root / "e.safetensors")
    below.unlink()
    below.parent.rmdir()
    replaced.unlink()
    replaced.mkdir()
    found = look(str(root), known)

    assert found.gone == sorted(map(str, [deleted, renamed, below, replaced]))
    assert new_in(found, root) == ["e.safetensors"]


def test_under(root: Path) -> None:
    """A look at one folder of a root says nothing about the rest, however alike its name."""
    for name in ("sub/a", "sub/deep/b", "sub-2/c", "d"):
        model(root / f"{name}.safetensors")
    known = known_from(look(str(root), {}))
    for path in known:
        Path(path).unlink()

    found = look(str(root), known, under=str(root / "sub"))

    assert found.gone == [str(root / "sub" / "a.safetensors"), str(root / "sub" / "deep" / "b.safetensors")]


def test_under_a_folder_that_is_gone(root: Path) -> None:
    """What was known below a folder that is not there any more is gone."""
    model(root / "sub" / "a.safetensors")
    known = known_from(look(str(root), {}))
    (root / "sub").rename(root / "other")

    found = look(str(root), known, under=str(root / "sub"))

    assert found == Look(gone=[str(root / "sub" / "a.safetensors")])


def test_under_another_root(root: Path) -> None:
    """A folder that does not lie in the root is refused."""
    with pytest.raises(ValueError, match="not below"):
        look(str(root), {}, under=f"{root}-2/sub")


def test_root_that_is_not_there(root: Path) -> None:
    """Where the root cannot be reached nothing is gone, whatever part was asked for."""
    model(root / "sub" / "a.safetensors")
    known = known_from(look(str(root), {}))
    root.rename(root.with_name("elsewhere"))

    for under in (None, str(root / "sub")):
        assert look(str(root), known, under=under) == Look(unreadable=[(str(root), "No such file or directory")])


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users than root can reach, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture
def not_root() -> Iterator[None]:
    """Let permissions count, for as long as the test asks for it."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_unreadable_folder(open_folder: Path, request: pytest.FixtureRequest) -> None:
    """A folder that must not be listed is reported, and what was known below it is not gone."""
    model(open_folder / "shut" / "deep" / "a.safetensors")
    gone = model(open_folder / "open" / "b.safetensors")
    known = known_from(look(str(open_folder), {}))
    gone.unlink()
    (open_folder / "shut").chmod(0)

    request.getfixturevalue("not_root")
    found = look(str(open_folder), known)

    assert found.unreadable == [(str(open_folder / "shut"), "Permission denied")]
    assert found.gone == [str(gone)]


def test_files_that_must_not_be_looked_at(open_folder: Path, request: pytest.FixtureRequest) -> None:
    """In a folder that may be listed and not entered, files are reported, and none is gone."""
    known_file = model(open_folder / "shut" / "a.safetensors")
    known = known_from(look(str(open_folder), {}))
    new_file = model(open_folder / "shut" / "b.safetensors")
    model(open_folder / "shut" / "picture.png")
    (open_folder / "shut").chmod(0o444)

    request.getfixturevalue("not_root")
    found = look(str(open_folder), known)

    assert sorted(found.unreadable) == [(str(file), "Permission denied") for file in (known_file, new_file)]
    assert (found.gone, found.new) == ([], [])


def test_what_is_no_file(root: Path) -> None:
    """A pipe, a socket, a link to nothing and a link to itself are no files, whatever their names."""
    os.mkfifo(root / "a.safetensors")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "b.safetensors"))
        (root / "c.safetensors").symlink_to(root / "nothing")
        (root / "d.safetensors").symlink_to(root / "d.safetensors")

        assert look(str(root), {}) == Look(folders=1)


def test_folder_named_like_a_model(root: Path) -> None:
    """A folder is walked as a folder, whatever its name."""
    model(root / "a.safetensors" / "b.safetensors")

    assert new_in(look(str(root), {}), root) == ["a.safetensors/b.safetensors"]


def test_hidden_folders(root: Path) -> None:
    """Folders whose name starts with a dot are not entered, also when they were asked for or are links."""
    model(root / ".hikaze-trash" / "a.safetensors")
    (root / ".link").symlink_to(root.parent)

    assert look(str(root), {}) == Look(folders=1)
    assert look(str(root), {}, under=str(root / ".hikaze-trash")) == Look()


def test_names_in_no_encoding(root: Path) -> None:
    """A name that is no UTF-8 is looked at like any other."""
    path = os.fsdecode(os.fsencode(root) + b"/\xe9t\xff.safetensors")
    Path(path).touch()

    found = look(str(root), {})

    assert [file.path for file in found.new] == [path]
    assert look(str(root), known_from(found)) == Look(folders=1, files=1)


def test_link_to_a_file(root: Path, tmp_path: Path) -> None:
    """A link to a file has the link's path and the file's properties."""
    file = model(tmp_path / "blob", b"content")
    (root / "a.safetensors").symlink_to(file)

    found = look(str(root), {})

    assert new_in(found, root) == ["a.safetensors"]
    assert (found.new[0].size, found.new[0].ino) == (7, file.stat().st_ino)
    assert look(str(root), known_from(found)) == Look(folders=1, files=1)


def test_hard_links(root: Path) -> None:
    """Two names of one file are two files that tell so."""
    (root / "b.safetensors").hardlink_to(model(root / "a.safetensors"))

    found = look(str(root), {})

    assert [file.nlink for file in found.new] == [2, 2]


def test_link_to_a_folder(root: Path, tmp_path: Path) -> None:
    """A link to a folder is followed, once per folder, and the first by name wins."""
    model(tmp_path / "store" / "deep" / "a.safetensors")
    for name in ("two", "one", "three"):
        (root / name).symlink_to(tmp_path / "store")
    (tmp_path / "store" / "inner").symlink_to(tmp_path / "store" / "deep")

    found = look(str(root), {})

    assert new_in(found, root) == ["one/deep/a.safetensors"]
    assert found.links == {str(root / "one"): str(tmp_path / "store")}


def test_a_link_that_is_followed_no_more(root: Path, tmp_path: Path) -> None:
    """What is known behind it is there, and astray: another link leads to it now."""
    model(tmp_path / "store" / "a.safetensors")
    (root / "to").symlink_to(tmp_path / "store")
    before = known_from(look(str(root), {}))
    (root / "before").symlink_to(tmp_path / "store")

    found = look(str(root), before)

    assert (found.astray, found.gone) == ([str(root / "to" / "a.safetensors")], [])
    assert new_in(found, root) == ["before/a.safetensors"]


def test_real_path_wins(root: Path) -> None:
    """A folder that can be reached without a link is known by its real path alone."""
    (root / "a-link").symlink_to(root / "real" / "sub")
    model(root / "real" / "sub" / "a.safetensors")

    found = look(str(root), {})

    assert new_in(found, root) == ["real/sub/a.safetensors"]
    assert found.links == {}
    assert look(str(root), {}, under=str(root / "a-link")) == Look()


def test_link_into_a_hidden_folder(root: Path) -> None:
    """A link to what no real path leads to is followed, also within the root."""
    model(root / ".store" / "x" / "a.safetensors")
    (root / "link").symlink_to(root / ".store" / "x")

    assert new_in(look(str(root), {}), root) == ["link/a.safetensors"]


@pytest.mark.parametrize("target", [".", "..", "/", "sub"])
def test_link_loops(root: Path, target: str) -> None:
    """A link to a folder that holds it is not followed."""
    model(root / "sub" / "a.safetensors")
    (root / "sub" / "loop").symlink_to(os.path.normpath(root / target))

    found = look(str(root), {})

    assert (new_in(found, root), found.links, found.folders) == (["sub/a.safetensors"], {}, 2)


def test_links_that_lead_to_each_other(root: Path, tmp_path: Path) -> None:
    """Two folders elsewhere with links to each other are each entered once."""
    one, two = tmp_path / "1", tmp_path / "2"
    model(one / "a.safetensors")
    model(two / "b.safetensors")
    (one / "to-two").symlink_to(two)
    (two / "to-one").symlink_to(one)
    (root / "link").symlink_to(one)

    assert new_in(look(str(root), {}), root) == ["link/a.safetensors", "link/to-two/b.safetensors"]


def test_other_roots(root: Path, tmp_path: Path) -> None:
    """Another watched root is not entered, neither as a folder nor by a link to it or into it."""
    inner, other = root / "inner", tmp_path / "other"
    model(inner / "a.safetensors")
    model(other / "deep" / "b.safetensors")
    (root / "link").symlink_to(other)
    (root / "deep-link").symlink_to(other / "deep")
    known = known_from(look(str(root), {}, under=str(inner)))

    found = look(str(root), known, barred=[ident(inner), ident(other), ident(root)])

    assert found == Look(folders=1)


def test_link_to_an_unplugged_drive(root: Path, tmp_path: Path) -> None:
    """Where a followed link leads to nothing what was known below it is not gone; other broken links are ignored."""
    drive = tmp_path / "drive"
    model(drive / "sub" / "a.safetensors")
    (root / "link").symlink_to(drive)
    (root / "broken").symlink_to(tmp_path / "nothing")
    known = known_from(look(str(root), {}))
    drive.rename(tmp_path / "unplugged")

    for under in (root, root / "link", root / "link" / "sub"):
        found = look(str(root), known, under=str(under))

        assert found.gone == []
        assert [path for path, _ in found.unreadable] == [str(root / "link")]


@pytest.mark.parametrize("under", ["one", "one/l", "one/l/deep", "real", "real/l", "two", "two/nested", "."])
def test_part_as_the_whole(root: Path, tmp_path: Path, under: str) -> None:
    """A look at a part finds what a look at the whole finds there, links included."""
    store = tmp_path / "store"
    model(store / "deep" / "a.safetensors")
    model(tmp_path / "store-2" / "c.safetensors")
    model(root / "real" / "b.safetensors")
    (store / "nested").symlink_to(tmp_path / "store-2")
    for link, target in (("one/l", store), ("real/l", store / "deep"), ("real/to-two", root / "two")):
        (root / link).parent.mkdir(exist_ok=True)
        (root / link).symlink_to(target)
    (root / "two").mkdir()
    (root / "two" / "nested").symlink_to(tmp_path / "store-2")
    whole = look(str(root), {})
    part_root = os.path.normpath(root / under)

    part = look(str(root), {}, under=part_root, followed=whole.links)

    expected = [path for path in new_in(whole, root) if f"{root}/{path}".startswith(f"{part_root}/")]
    assert new_in(part, root) == expected


def test_too_deep(root: Path) -> None:
    """Below 64 levels nothing is entered, and it is said so; what was known there is not gone."""
    deep = root.joinpath(*["d"] * (DEEPEST + 2))
    file = model(deep / "a.safetensors")

    found = look(str(root), {str(file): (1, 1, 1)})

    assert [path for path, _ in found.unreadable] == [str(root.joinpath(*["d"] * (DEEPEST + 1)))]
    assert (found.new, found.gone, found.folders) == ([], [], DEEPEST + 1)


def test_root_that_is_a_link(root: Path, tmp_path: Path) -> None:
    """A root may be a link, and may be given with a slash at its end; paths begin with the root's own."""
    model(root / "a.safetensors")
    (tmp_path / "link").symlink_to(root)

    found = look(f"{tmp_path}/link/", {})

    assert [file.path for file in found.new] == [f"{tmp_path}/link/a.safetensors"]


def test_stop(root: Path) -> None:
    """A look that is told to stop ends without a result, as half a look would take files for gone."""
    with pytest.raises(StoppedError):
        look(str(root), {}, stop=lambda: True)


def test_wanted(root: Path) -> None:
    """What counts as a model's name is the caller's to say; what is known is looked at in any case."""
    model(root / "a.safetensors")
    model(root / "b.txt")

    everything = look(str(root), {}, wanted=lambda _: True)
    nothing = look(str(root), known_from(everything), wanted=lambda _: False)

    assert new_in(everything, root) == ["a.safetensors", "b.txt"]
    assert nothing == Look(folders=1, files=2)


NAMES = st.sampled_from(["a.safetensors", "b.safetensors", "sub/c.safetensors", "sub/deep/d.safetensors", "e/f.pt"])
CONTENTS = st.one_of(st.none(), st.binary(min_size=1, max_size=3))


@settings(max_examples=40, deadline=None)
@given(before=st.dictionaries(NAMES, CONTENTS), after=st.dictionaries(NAMES, CONTENTS))
def test_any_change(before: dict[str, bytes | None], after: dict[str, bytes | None]) -> None:
    """Whatever becomes of a folder, what a look finds leads from what was known to what is there."""
    with tempfile.TemporaryDirectory() as path:
        root = Path(path)
        make(root, before)
        known = known_from(look(path, {}))
        make(root, after)

        found = look(path, known)

        for seen in [*found.new, *found.changed]:
            known[seen.path] = (seen.size, seen.mtime_ns, seen.ino)
        for gone in found.gone:
            del known[gone]
        there = {str(file): file.stat() for file in root.rglob("*") if file.is_file()}
        assert known == {path: (info.st_size, info.st_mtime_ns, info.st_ino) for path, info in there.items()}


def make(root: Path, files: dict[str, bytes | None]) -> None:
    """Write these files; those without content are deleted."""
    for name, content in files.items():
        if content is None:
            (root / name).unlink(missing_ok=True)
        else:
            model(root / name, content)


def test_stat_file(root: Path) -> None:
    """One file is looked at by its path; what is not there or no regular file is nothing."""
    file = model(root / "a.safetensors")
    (root / "link").symlink_to(file)
    (root / "loop").symlink_to(root / "loop")
    os.mkfifo(root / "pipe")

    seen = stat_file(str(file))
    through_link = stat_file(str(root / "link"))

    assert seen is not None
    assert through_link is not None
    assert (seen.path, seen.size, seen.ino) == (str(file), 5, file.stat().st_ino)
    assert (through_link.path, through_link.ino) == (str(root / "link"), seen.ino)
    assert [stat_file(str(path)) for path in (root, root / "no", file / "x", root / "loop", root / "pipe")] == [
        None
    ] * 5


def test_stat_file_that_must_not_be_looked_at(open_folder: Path, request: pytest.FixtureRequest) -> None:
    """Where looking is not allowed, that is an error and not a missing file."""
    file = model(open_folder / "shut" / "a.safetensors")
    file.parent.chmod(stat.S_IRUSR)

    request.getfixturevalue("not_root")
    with pytest.raises(PermissionError):
        stat_file(str(file))


def test_siblings(root: Path) -> None:
    """The names beside a file are those of all files in its folder, hidden ones and links included."""
    for name in ("b.png", "a.safetensors", ".c"):
        model(root / name)
    (root / "sub").mkdir()
    (root / "link").symlink_to(root / "b.png")

    assert siblings(str(root)) == [".c", "a.safetensors", "b.png", "link"]
    assert siblings(str(root / "no")) == []
    assert siblings(str(root / "b.png")) == []
