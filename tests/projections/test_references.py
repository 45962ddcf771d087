"""Files that others refer to, and the models that are meant by them."""

from collections.abc import Callable

import apsw
import pytest
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    LocationFound,
    LocationMoved,
    ModelEdited,
    ModelHashed,
    ModelImported,
    ModelProvided,
    Provided,
    Sidecar,
)
from hikaze.projections.references import Link, Wanted, link

FOO, BAR, TWIN, CKPT = "f0" * 32, "ba" * 32, "7e" * 32, "c4" * 32
AUTOV3 = "a3" * 32
TOLD = {"BLAKE3": "b3" * 32, "CRC32": "C0C0C0C0"}


def at(path: str) -> File:
    """Make a file at a path."""
    return File(path, 1, 10, 5, 1, hash(path) % 1000)


HISTORY: list[Event] = [
    ModelImported(FOO, "foo_v1", "loras", 10),
    LocationFound(FOO, at("/m/loras/sub/Foo_v1.safetensors")),
    ModelEdited(FOO, Changes(name="My favourite Foo")),
    ModelHashed(FOO, {"autov1": "0a0b0c0d", "autov3": AUTOV3}),
    ModelImported(BAR, "bar", "loras", 10),
    LocationFound(BAR, at("/m/loras/bar.safetensors")),
    LocationFound(BAR, at("/m/loras/b/bär.safetensors")),
    ModelProvided(BAR, Sidecar("/m/bar.json", "civitai-info", 1, 1), Provided(facts={"hashes": TOLD})),
    ModelImported(TWIN, "twin", "loras", 10),
    LocationFound(TWIN, at("/m/loras/a/bar.safetensors")),
    LocationFound(TWIN, at("/m/loras/old.safetensors")),
    LocationMoved(TWIN, "/m/loras/old.safetensors", at("/m/loras/a/twin.safetensors")),
    ModelHashed(TWIN, {"autov3": AUTOV3}),
    ModelImported(CKPT, "bar", "checkpoints", 10),
    LocationFound(CKPT, at("/m/checkpoints/bar.ckpt")),
]  # fmt: skip


@pytest.fixture
def db(replay: Callable[[list[Event]], apsw.Connection]) -> apsw.Connection:
    """Give the tables of four models."""
    return replay(HISTORY)


def meant(db: apsw.Connection, *wanted: str | None) -> Link:
    """Give what is meant by kind, name, hash and kind of hash."""
    kind, name, *hash_ = wanted
    return link(db, [Wanted(kind or "", name or "", *hash_)])[0]


@pytest.mark.parametrize(
    ("hash_", "kind", "sha256", "by"),
    [
        (FOO, "sha256", FOO, "sha256"),
        (FOO, None, FOO, "sha256"),
        (FOO[:10], "autov2", FOO, "autov2"),
        (FOO[:10], None, FOO, "autov2"),
        (FOO[:12], "sha256", FOO, "sha256"),
        (FOO[:12], "autov3", FOO, "sha256"),
        ("0a0b0c0d", "autov1", FOO, "autov1"),
        ("0a0b0c0d", None, FOO, "autov1"),
        ("b3" * 32, "blake3", BAR, "blake3"),
        ("b3" * 32, None, BAR, "blake3"),
        ("c0c0c0c0", "crc32", BAR, "crc32"),
        ("c0c0c0c0", None, BAR, "crc32"),
        ("c0c0c0c0", "autov1", None, None),
        (FOO[:7], "sha256", None, None),
        ("d" * 64, "sha256", None, None),
    ],
)
def test_by_hash(db: apsw.Connection, hash_: str, kind: str | None, sha256: str | None, by: str | None) -> None:
    """A model is known by any of its hashes, whole or as it is usually shortened, and the answer says by which."""
    found = meant(db, "loras", "unknown", hash_, kind)

    assert (found.sha256, found.linked_by, found.candidates) == (sha256, by, int(sha256 is not None))


@pytest.mark.parametrize(
    ("kind", "name", "sha256"),
    [
        ("loras", "Foo_v1", FOO),
        ("loras", "Foo_v1.safetensors", FOO),
        ("loras", "FOO_V1.SafeTensors", FOO),
        ("loras", "sub\\Foo_v1.safetensors", FOO),
        ("loras", "sub/Foo_v1", FOO),
        ("loras", "elsewhere/Foo_v1.safetensors", FOO),
        ("loras", "/m/loras/sub/Foo_v1.safetensors", FOO),
        ("loras", "Foo_v1.ckpt", FOO),  # not the file, but the model had this name
        ("loras", "my favourite foo", FOO),
        ("loras", "twin", TWIN),
        ("loras", "old", TWIN),
        ("loras", "old.safetensors", TWIN),
        ("loras", "a/bar", TWIN),
        ("loras", "a\\bar.safetensors", TWIN),
        ("loras", "bär", BAR),
        ("loras", "BÄR", BAR),
        ("loras", "bâr", None),
        ("checkpoints", "bar", CKPT),
        ("diffusion_models", "bar.ckpt", CKPT),
        ("checkpoints", "Foo_v1", None),
        ("vae", "bar", None),
        ("loras", "", None),
        ("loras", "///", None),
        ("loras", "Foo", None),
        ("somebodys_own", "bar", None),
    ],
)
def test_by_name(db: apsw.Connection, kind: str, name: str, sha256: str | None) -> None:
    """A model is known by its file's name, then by its own, then by earlier ones; only one of a fitting type is."""
    found = meant(db, kind, name)

    assert (found.sha256, found.linked_by) == (sha256, "name" if sha256 else None)


def test_several(db: apsw.Connection) -> None:
    """Where two models fit equally well there is no link, and both are counted; a folder or a hash may decide."""
    assert meant(db, "loras", "bar") == Link(candidates=2)
    assert meant(db, "loras", "nowhere/bar") == Link(candidates=2)
    assert meant(db, "loras", "b/bär").sha256 == BAR
    assert meant(db, "loras", "bar", BAR[:10], "autov2").sha256 == BAR
    assert meant(db, "loras", "unknown", AUTOV3[:12], "autov3") == Link(candidates=2)
    assert meant(db, "loras", "twin", AUTOV3[:12], "autov3") == Link(TWIN, "autov3", "twin", 1)


def test_hash_and_name_at_odds(db: apsw.Connection) -> None:
    """A hash that is known has the say; one that is not leaves it to the name, which the answer tells."""
    assert meant(db, "loras", "twin", FOO[:10], "autov2") == Link(FOO, "autov2", "My favourite Foo", 1)
    assert meant(db, "loras", "twin", "0" * 10, "autov2") == Link(TWIN, "name", "twin", 1)
    assert meant(db, "checkpoints", "bar", FOO, "sha256").sha256 == FOO


def test_several_references_at_once(db: apsw.Connection) -> None:
    """Each gets its own answer, in order."""
    found = link(db, [Wanted("loras", "twin"), Wanted("loras", "nobody"), Wanted("checkpoints", "bar")])

    assert [one.sha256 for one in found] == [TWIN, None, CKPT]
    assert link(db, []) == []


def test_models_called_by_a_slash(replay: Callable[[list[Event]], apsw.Connection]) -> None:
    """A model whose name is a slash alone has no part to compare, and is not taken for one that looks like it."""
    db = replay([ModelImported(FOO, "/", "loras", 10), ModelImported(BAR, "\\", "loras", 10)])
    for name in ("\uff0f", "\uff3c", "\uff0f.safetensors", "/", "\\"):
        assert meant(db, "loras", name) == Link()
