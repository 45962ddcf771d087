"""The look at what lies beside model files: what is opened and what is not, and what is waited for."""

import json
import os
from pathlib import Path

import pytest
from hikaze.daemon.listing import Listing
from hikaze.daemon.names import Folder
from hikaze.daemon.sidecars.beside import PREVIEW
from hikaze.daemon.sidecars.look import BROKEN_NS, YOUNG_NS, Asked, Beside, Print, beside, may_belong, owners
from hikaze.events.catalog import Provided
from hikaze.events.pathtext import to_text

from .library import put_model

NOW = 2_000_000_000 * 10**9
OLD = NOW - 3600 * 10**9


def put(path: Path, content: str | bytes, mtime_ns: int = OLD) -> Path:
    """Write a file that came to rest at a time."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def model(folder: Path, name: str = "a.safetensors") -> Path:
    """Put a model into a folder."""
    return put_model(folder / name, 1)


def look(folder: Path, asked: Asked | None = None, **how: object) -> Beside:
    """Look beside a model."""
    (found,) = beside(
        Listing(Folder),
        [(str(folder), [asked or Asked("a.safetensors")])],
        wall_ns=lambda: NOW,
        **how,  # type: ignore[arg-type]
    )[str(folder)]
    return found


def sources(found: Beside) -> list[str]:
    """Give the formats of what was read."""
    return [sidecar.source for sidecar, _ in found.told]


def prints(found: Beside) -> frozenset[Print]:
    """Give what tells that the same is there as was read."""
    return frozenset((sidecar.source, sidecar.size, sidecar.mtime_ns) for sidecar, _ in found.told)


def test_what_is_beside_a_model(tmp_path: Path) -> None:
    """Each sidecar is read, as it is, and so is the fingerprint of the model."""
    seen = model(tmp_path).stat()
    put(tmp_path / "a.txt", "notes")
    put(tmp_path / "a.json", json.dumps({"notes": "mine"}))
    put(tmp_path / "a.v2.txt", "another's")
    put(tmp_path / "b.txt", "another's")
    found = look(tmp_path)

    (text, said), (a1111, _) = found.told
    assert (text.path, text.source, text.size, text.mtime_ns) == (str(tmp_path / "a.txt"), "text", 5, OLD)
    assert (said.notes, a1111.source) == ("notes", "a1111")
    assert (found.model, found.soon, found.silent) == ((seen.st_size, seen.st_mtime_ns), False, [])


def test_what_was_read_is_not_opened(tmp_path: Path) -> None:
    """What is known by format, size and time stays shut; what changed is read."""
    model(tmp_path)
    put(tmp_path / "a.txt", "notes")
    put(tmp_path / "a.md", "more")
    known = prints(look(tmp_path))
    (tmp_path / "a.txt").chmod(0)  # whoever opens it would find out, but for root
    os.truncate(tmp_path / "a.md", 0)
    os.utime(tmp_path / "a.md", ns=(OLD, OLD))

    found = look(tmp_path, Asked("a.safetensors", known))
    assert [sidecar.path for sidecar, _ in found.told] + [one.path for one in found.silent] == [str(tmp_path / "a.md")]


def test_what_is_no_sidecar(tmp_path: Path) -> None:
    """A file that another program left there for itself is opened once and says nothing."""
    model(tmp_path)
    put(tmp_path / "a.json", json.dumps({"learning_rate": 1}))
    found = look(tmp_path)

    assert (found.told, [one.path for one in found.silent]) == ([], [str(tmp_path / "a.json")])


@pytest.mark.parametrize("age", [0, YOUNG_NS - 1, -YOUNG_NS + 1])
def test_what_has_just_changed_is_waited_for(tmp_path: Path, age: int) -> None:
    """It may be half there; who cannot wait gets it as it is."""
    model(tmp_path)
    put(tmp_path / "a.txt", "not", NOW - age)

    assert (look(tmp_path).told, look(tmp_path).soon) == ([], True)
    assert sources(look(tmp_path, Asked("a.safetensors", patient=False))) == ["text"]


def test_a_clock_that_is_wrong_holds_nothing_up(tmp_path: Path) -> None:
    """A file from the future is read."""
    model(tmp_path)
    put(tmp_path / "a.txt", "notes", NOW + 10**12)

    assert sources(look(tmp_path)) == ["text"]


def test_a_time_that_no_table_holds(tmp_path: Path) -> None:
    """A file from after the year 2262 is read, once."""
    model(tmp_path)
    os.utime(put(tmp_path / "a.txt", "notes"), (10**10, 10**10))
    found = look(tmp_path)

    assert [sidecar.mtime_ns < 1 << 63 for sidecar, _ in found.told] == [True]
    assert look(tmp_path, Asked("a.safetensors", prints(found))) == Beside()


def test_what_makes_no_sense_yet(tmp_path: Path) -> None:
    """Half a file is waited for a little longer, then it is named."""
    model(tmp_path)
    half = put(tmp_path / "a.metadata.json", '{"notes": "mi', NOW - YOUNG_NS)
    assert (look(tmp_path).told, look(tmp_path).soon) == ([], True)
    os.utime(half, ns=(NOW - BROKEN_NS, NOW - BROKEN_NS))

    ((_, provided),) = look(tmp_path).told
    assert provided == Provided(problem=provided.problem)
    assert provided.problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    """It is named."""
    model(tmp_path)
    put(tmp_path / "a.txt", "notes").chmod(0)

    ((_, provided),) = look(tmp_path).told
    assert "make it readable" in provided.problem


def test_odd_files(tmp_path: Path) -> None:
    """A pipe, a folder, a link to nothing, and one to itself hold nobody up and say nothing."""
    model(tmp_path)
    os.mkfifo(tmp_path / "a.txt")
    (tmp_path / "a.json").mkdir()
    (tmp_path / "a.md").symlink_to("nothing.md")
    (tmp_path / "a.civitai.info").symlink_to("a.civitai.info")
    (tmp_path / "a.metadata.json").symlink_to("/dev/zero")

    assert look(tmp_path) == Beside()


def test_links(tmp_path: Path) -> None:
    """A link is followed to a file of its own kind, to no other, and to no place that may hang."""
    model(tmp_path)
    put(tmp_path / "id_rsa", "secret")
    put(tmp_path / "store.md", "notes")
    (tmp_path / "a.txt").symlink_to("id_rsa")
    (tmp_path / "a.md").symlink_to("store.md")

    assert [provided.notes for _, provided in look(tmp_path).told] == ["notes"]
    assert look(tmp_path, is_far=lambda _: True).told == []


def test_more_than_anybody_writes(tmp_path: Path) -> None:
    """Of a file that is far too large no more is read than is taken."""
    model(tmp_path)
    path = put(tmp_path / "a.txt", "")
    os.truncate(path, 1 << 40)
    os.utime(path, ns=(OLD, OLD))

    found = look(tmp_path)
    assert all(provided.problem for _, provided in found.told)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """Nothing is beside what is not there."""
    assert look(tmp_path / "gone") == Beside()


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """A sidecar whose name is no valid UTF-8 is read as any other."""
    name = os.fsdecode(b"\xff")
    model(tmp_path, name + ".safetensors")
    put(tmp_path / (name + ".txt"), "notes")
    found = look(tmp_path, Asked(name + ".safetensors"))

    assert [sidecar.path for sidecar, _ in found.told] == [to_text(str(tmp_path / (name + ".txt")))]


def test_one_file_for_several_models(tmp_path: Path) -> None:
    """Notes beside two files of one stem are told of both."""
    model(tmp_path)
    model(tmp_path, "a.ckpt")
    put(tmp_path / "a.txt", "notes")
    both = [Asked("a.safetensors"), Asked("a.ckpt")]

    found = beside(Listing(Folder), [(str(tmp_path), both)], wall_ns=lambda: NOW)[str(tmp_path)]
    assert [sources(one) for one in found] == [["text"], ["text"]]


def test_pictures(tmp_path: Path) -> None:
    """They are looked for where one is missing; what cannot be shown is named where there is no other."""
    model(tmp_path)
    video = put(tmp_path / "a.preview.mp4", b"")
    asked = Asked("a.safetensors", pictureless=True)
    assert look(tmp_path) == Beside()
    found = look(tmp_path, asked)
    ((sidecar, provided),) = found.told
    assert (sidecar.path, sidecar.source) == (str(video), PREVIEW)
    assert provided.problem.startswith("a video preview is not taken;")
    assert look(tmp_path, Asked("a.safetensors", prints(found), pictureless=True)).told == []
    os.utime(video, ns=(NOW, NOW))
    assert look(tmp_path, asked).soon
    put(tmp_path / "a.png", b"")

    found = look(tmp_path, asked)
    assert (found.picture, found.told, found.soon) == (str(tmp_path / "a.png"), [], False)
    assert found.model is not None


def test_whose_a_file_is(tmp_path: Path) -> None:
    """A file that changed is told to whom it belongs, a picture with its name."""
    for name in ("a.safetensors", "a.ckpt", "b.ckpt", "c.ckpt"):
        model(tmp_path, name)
    for name in ("a.txt", "b.png", "c.mp4", "d.txt", "b.preview.png"):
        put(tmp_path / name, b"")
    names = ["a.txt", "b.png", "c.mp4", "d.txt"]

    found = owners(Listing(Folder), str(tmp_path), names)
    assert found == {"a.safetensors": None, "a.ckpt": None, "c.ckpt": None}
    assert owners(Listing(Folder), str(tmp_path), ["b.preview.png"]) == {"b.ckpt": "b.preview.png"}
    assert owners(Listing(Folder), str(tmp_path / "gone"), names) == {}


@pytest.mark.parametrize(
    ("name", "may"),
    [("a.txt", True), ("a.civitai.info", True), ("a.PNG", True), ("a.mp4", True), ("a.ckpt", False), ("a", False)],
)
def test_what_may_belong_to_a_model(name: str, may: bool) -> None:
    """By its name alone a file is worth a look or not."""
    assert may_belong(name) is may
