"""Tests of what is read from an earlier library's tables and pictures, field by field, whatever is wrong with some."""

import os
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import pytest
from hikaze.daemon.legacy.fields import checked_path
from hikaze.daemon.legacy.library import Broken, Item, Picture, Row, Unused, find, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from ..legacy import (
    V1_FIRST_SCHEMA,
    V1_NAME,
    V1_SCHEMA,
    V2_EARLY_SCHEMA,
    V2_SCHEMA,
    Raw,
    build_v1,
    build_v2,
    fingerprint,
    picture,
    tiers,
)

SHA, OTHER = "ab" * 32, "cd" * 32
PATH = "/models/loras/model1.safetensors"


def read(data: Path) -> list[Item]:
    """Give everything in a library, whose folder must be as it was."""
    before = fingerprint(data)
    with snapshot(find(str(data)), str(data.parent / "work")) as legacy:
        found = list(legacy.rows())
        assert legacy.count() == sum(
            isinstance(item, Row) or (isinstance(item, Broken) and item.table in ("models", "pending_import"))
            for item in found
        )
        assert list(legacy.rows()) == found
    assert fingerprint(data) == before
    return found


def rows(data: Path) -> list[Row]:
    """Give the models and pending models of a library."""
    return [item for item in read(data) if isinstance(item, Row)]


def rest(data: Path) -> list[Item]:
    """Give what else is in a library."""
    return [item for item in read(data) if not isinstance(item, Row)]


def only(data: Path) -> Row:
    """Give the only model of a library."""
    (row,) = rows(data)
    return row


def v1(tmp_path: Path, **row: Any) -> Row:
    """Give what is read of one row of v1."""
    return only(build_v1(tmp_path / "data", row))


def shows(row: Row) -> list[str]:
    """Give the names of a row's pictures."""
    return [picture.label for picture in row.pictures]


# Whole rows


def test_a_model_of_v1_whole(tmp_path: Path) -> None:
    """Everything that v1 knows of a model is read."""
    extra = {
        "description": "two\nlines",
        "community_links": "https://civitai.com/models/1",
        "images": ["/media/model_3_1757000000000_a.png"],
        "prompts": {"positive": "masterpiece", "negative": "lowres"},
    }
    row = {"id": 3, "hash_hex": SHA, "type": "lora", "tags": ["anime"], "created_at": 5, "extra_json": extra}
    images = {"model_3_1757000000000_a.png": picture()}
    data = build_v1(tmp_path / "data", row, images=images)

    (found,) = read(data)

    assert isinstance(found, Row)
    path = "/models/loras/model1.safetensors"
    original = str(data / "images" / "model_3_1757000000000_a.png")
    assert found == Row(
        "v1",
        "models",
        "3",
        found.digest,
        SHA,
        path,
        "model1",
        "loras",
        101,
        5,
        "two\nlines",
        "https://civitai.com/models/1",
        "masterpiece",
        "lowres",
        ("anime",),
        (Picture(original, {}, "model_3_1757000000000_a.png"),),
        (),
        3,
    )


def test_a_model_of_hikaze_2_whole(tmp_path: Path) -> None:
    """Everything that Hikaze 2 knows of a model is read; its pictures come in the order of their numbers, however many
    it says there are.
    """
    meta = {
        "description": "words",
        "community_links": "link",
        "images_count": 1,
        "prompts": {"positive": "p", "negative": "n"},
    }
    images = {**tiers(SHA, 10), **tiers(SHA, 2), **tiers(SHA, 0, which=["high"]), **tiers(OTHER, 1)}
    data = build_v2(tmp_path / "data", {"sha256": SHA, "tags": ["Anime", "b"], "meta_json": meta}, images=images)

    (row,) = rows(data)

    assert (row.form, row.table, row.row, row.id, row.sha256) == ("v2", "models", SHA, None, SHA)
    assert (row.path, row.name, row.type, row.size, row.created_at) == (PATH, "model1", "loras", 101, 1_760_000_000_001)
    assert (row.description, row.links, row.positive, row.negative) == ("words", "link", "p", "n")
    assert (row.tags, row.problems) == (("Anime", "b"), ())
    assert shows(row) == [f"{SHA}_0", f"{SHA}_2", f"{SHA}_10"]
    folder = data / "images"
    assert [picture.tiers for picture in row.pictures] == [
        {"high": str(folder / f"{SHA}_0_high.webp")},
        *({tier: str(folder / f"{SHA}_{seq}_{tier}.webp") for tier in ("high", "low", "medium")} for seq in (2, 10)),
    ]


def test_a_pending_model_of_hikaze_2_whole(tmp_path: Path) -> None:
    """Everything that Hikaze 2 knows of a pending model is read; it comes after the models, and never with a hash."""
    meta = {"description": "d", "images": ["/media/model_7_1_a.png"], "prompts": {"positive": "p"}}
    waiting = {"id": 7, "sha256": SHA, "name": "model7.ckpt", "path": "/m/model7.ckpt", "tags": ["x"]}
    data = build_v2(
        tmp_path / "data",
        {"sha256": OTHER},
        pending=[{"meta_json": meta, "type": "checkpoint", **waiting}],
        images={"pending/model_7_1_a.png": picture()},
    )

    _, row = rows(data)

    assert (row.table, row.row, row.id, row.sha256) == ("pending_import", "7", 7, None)
    assert (row.path, row.name, row.type, row.size) == ("/m/model7.ckpt", "model7", "checkpoints", 201)
    assert (row.description, row.positive, row.tags, row.problems) == ("d", "p", ("x",), ())
    original = str(data / "images" / "pending" / "model_7_1_a.png")
    assert row.pictures == (Picture(original, {}, "pending/model_7_1_a.png"),)


def test_hashed_models_come_first_in_a_stable_order(tmp_path: Path) -> None:
    """Models with a hash come before those without, each by number, pending ones last: then tags, then the rest."""
    data = build_v1(
        tmp_path / "data",
        {"path": "/m/1.ckpt"},
        {"path": "/m/2.ckpt", "hash_hex": SHA},
        {"path": "/m/3.ckpt"},
        {"path": "/m/4.ckpt", "hash_hex": OTHER},
        tags=["lonely"],
        images={"stray.png": b""},
    )

    assert [getattr(item, "row", None) for item in read(data)] == ["2", "4", "1", "3", "8", "stray.png"]
    two = build_v2(tmp_path / "two", {"sha256": "short"}, {"sha256": SHA}, pending=[{"id": 1}])
    assert [(item.table, item.row) for item in rows(two)] == [
        ("models", SHA),
        ("models", "short"),
        ("pending_import", "1"),
    ]


def test_the_first_v1_is_read(tmp_path: Path) -> None:
    """Schema 1 of v1 says of which kind a hash is; one that is no SHA-256 is none."""
    one = {"hash_hex": SHA, "hash_algo": "sha256", "dir_path": "/models/loras", "mtime_ns": 5, "updated_at": 6}
    other = {"hash_hex": OTHER, "hash_algo": "blake3"}
    data = build_v1(tmp_path / "data", one, other, schema=V1_FIRST_SCHEMA)

    first, second = rows(data)

    assert (first.sha256, first.problems) == (SHA, ())
    assert (second.sha256, second.problems) == (
        None,
        ("its hash is of the kind blake3, not SHA-256; it comes without a hash",),
    )


def test_early_revisions_of_hikaze_2_are_read(tmp_path: Path) -> None:
    """Early on the base model was a column, which is a tag here, and pending models had no number, and tags as JSON."""
    waiting = [
        {"path": "/m/a.ckpt", "legacy_tags_json": ["x", {"name": "y", "color": "red"}], "model_id": 12, "base": "SDXL"},
        {"path": "/m/b.ckpt", "legacy_tags_json": '"[\\"z\\"]"', "base": "Unknown"},
        {"path": "/m/c.ckpt", "legacy_tags_json": "{"},
    ]
    model = {"sha256": SHA, "base": "Flux.1 D", "last_used_at": 7, "tags": ["t"]}
    data = build_v2(tmp_path / "data", model, pending=waiting, schema=V2_EARLY_SCHEMA)

    one, a, b, c = rows(data)

    assert one.tags == ("t", "Flux.1 D")
    assert (a.row, a.id, a.tags) == ("12", 12, ("x", "y", "SDXL"))
    assert (b.row, b.id, b.tags) == ("rowid 2", None, ("z",))
    assert (c.tags, [problem[:32] for problem in c.problems]) == ((), ["its legacy_tags_json is no valid"])


# Fields


@pytest.mark.parametrize(
    ("stored", "sha256", "says"),
    [
        (SHA, SHA, ""),
        (SHA.upper(), SHA, ""),
        (f"  {SHA}\n", SHA, ""),
        (SHA.encode(), SHA, ""),
        ("", None, ""),
        ("  ", None, ""),
        ("ab" * 16, None, "is no SHA-256"),
        ("x" * 64, None, "is no SHA-256"),
        (7, None, "its hash 7 is no SHA-256"),
        (SHA[:63] + "\u0661", None, "is no SHA-256"),
    ],
)
def test_hashes(tmp_path: Path, stored: Any, sha256: str | None, says: str) -> None:
    """A hash is 64 hexadecimal digits, in any case; anything else is none, and is named."""
    row = v1(tmp_path, hash_hex=stored)

    assert row.sha256 == sha256
    assert (says in row.problems[0]) if says else row.problems == ()


@pytest.mark.parametrize(
    ("stored", "type_"),
    [
        *(("checkpoint", "checkpoints"), ("checkpoints", "checkpoints"), ("lora", "loras"), ("Loras", "loras")),
        *(("embedding", "embeddings"), ("upscale", "upscale_models"), ("vae", "vae"), ("unet", "diffusion_models")),
        *(("ultralytics", "ultralytics"), ("my-types", "my-types"), (" lora ", "loras")),
        *(("other", None), ("Other", None), ("", None), ("../x", None), ("a b", None), (b"\xff", None)),
    ],
)
def test_types(tmp_path: Path, stored: Any, type_: str | None) -> None:
    """Both spellings of a type are understood; what cannot be the name of a model folder is no type."""
    assert v1(tmp_path, type=stored).type == type_


@pytest.mark.parametrize(
    ("type_", "tags", "kept"),
    [
        ("lora", ["loras", "LORA", "anime"], ("anime",)),
        ("loras", ["Lora", "Loras"], ()),
        ("checkpoints", ["checkpoint", "lora"], ("lora",)),
        ("upscale", ["upscale_models"], ()),
        ("controlnet", ["ControlNet", "depth"], ("depth",)),
        ("lora", ["lycoris", "dora"], ("lycoris", "dora")),
        ("other", ["other"], ()),
        ("vae", [" Spaced ", "spaced", "SPACED"], ("Spaced",)),
        ("vae", ["a\nb", "tab\t"], ("a b", "tab")),
        ("vae", ["", "  ", None], ()),
        ("vae", ["e\u0301"], ("\u00e9",)),
    ],
)
def test_tags(tmp_path: Path, type_: str, tags: list[Any], kept: tuple[str, ...]) -> None:
    """Tags that repeat the type in either spelling are the program's; others are the user's, each once."""
    assert v1(tmp_path, type=type_, tags=tags).tags == kept


def test_a_tag_that_cannot_be_is_named(tmp_path: Path) -> None:
    """A tag that is longer than a tag can be is named, and the others come along."""
    row = v1(tmp_path, tags=["x" * 201, "a"])

    assert row.tags == ("a",)
    assert row.problems == (
        f"its tag {'x' * 80}… did not come along: a tag has at most 200 characters; this one has 201",
    )


@pytest.mark.parametrize(
    ("path", "stored", "name"),
    [
        ("/m/foo.v2.safetensors", "foo.v2.safetensors", "foo.v2"),
        ("/m/foo.safetensors", "My Foo", "My Foo"),
        ("/m/foo.safetensors", "foo", "foo"),
        ("/m/foo.safetensors", "bar.safetensors", "bar.safetensors"),
        ("/m/foo.safetensors", None, "foo"),
        ("/m/foo.safetensors", " \0\n", "foo"),
        ("/m/foo.safetensors", "a\0b\nc", "ab c"),
        ("C:\\m\\foo.ckpt", "foo.ckpt", "foo"),
        ("/m/foo.safetensors", 12, "12"),
        ("/m/foo.safetensors", "x" * 600, "x" * 500),
        ("/m/foo.safetensors", Raw(b"caf\xe9"), "caf\ufffd"),
    ],
)
def test_names(tmp_path: Path, path: str, stored: Any, name: str) -> None:
    """A name that is the file's own loses its extension; without one the file's is taken."""
    assert v1(tmp_path, path=path, name=stored).name == name


@pytest.mark.parametrize(
    ("path", "on_windows", "says"),
    [
        ("/m/a.ckpt", False, None),
        ("C:\\m\\a.ckpt", False, "its path C:\\m\\a.ckpt is a path of another system"),
        ("\\\\nas\\m\\a.ckpt", False, "its path \\\\nas\\m\\a.ckpt is a path of another system"),
        ("C:/m/a.ckpt", False, "its path C:/m/a.ckpt is a path of another system"),
        ("/m/a.ckpt", True, "its path /m/a.ckpt is a path of another system"),
        ("m/a.ckpt", False, "its path m/a.ckpt is not absolute"),
        ("m/a.ckpt", True, "its path m/a.ckpt is not absolute"),
    ],
)
def test_paths(path: str, on_windows: bool, says: str | None) -> None:
    """A path stays as it was stored; one that cannot be of this system is named."""
    problems: list[str] = []

    assert checked_path(path, problems, on_windows=on_windows) == path
    assert problems == ([says] if says else [])


def test_a_path_that_is_no_utf_8_is_the_files_own(tmp_path: Path) -> None:
    """Bytes in a path that are no text lead to the file that is called so."""
    assert v1(tmp_path, path=Raw(b"/m/caf\xe9.ckpt"), name=None).path == os.fsdecode(b"/m/caf\xe9.ckpt")
    assert v1(tmp_path / "2", path=b"/m/caf\xe9\0.ckpt", name="x").path == os.fsdecode(b"/m/caf\xe9.ckpt")


@pytest.mark.parametrize(
    ("stored", "value", "complains"),
    [
        *((12, 12, False), ("12", 12, False), (12.0, 12, False), (None, None, False), ("", None, False)),
        *(
            (-1, None, True),
            ("much", None, True),
            (2**60, None, True),
            (float("inf"), None, True),
            (b"\xff", None, True),
        ),
    ],
)
def test_numbers(tmp_path: Path, stored: Any, value: int | None, complains: bool) -> None:
    """A number may be stored as text; one that cannot be is none."""
    row = v1(tmp_path, size_bytes=stored, created_at=stored)

    assert (row.size, row.created_at) == (value or 0, value)
    assert len(row.problems) == (2 if complains else 0)


@pytest.mark.parametrize(
    ("extra", "fields"),
    [
        (None, {}),
        ("", {}),
        ("null", {}),
        ("{}", {}),
        ("[]", {}),
        ({"description": "words"}, {"description": "words"}),
        ('"{\\"description\\": \\"twice\\"}"', {"description": "twice"}),
        (b'\xef\xbb\xbf{"description": "marked"}', {"description": "marked"}),
        ({"description": ["a", "b"]}, {"description": "a\nb"}),
        ({"description": "nul\0 and \ud800"}, {"description": "nul and \ufffd"}),
        ({"description": None, "community_links": None, "prompts": None, "images": None}, {}),
        (Raw(b'{"description": "caf\xe9"}'), {"description": "caf\ufffd"}),
        ({"description": "d", "usage": "so"}, {"description": "d\n\nUsage:\nso"}),
        ({"usage": "so"}, {"description": "Usage:\nso"}),
        ({"params": {"cfg": "7", "steps": 20}}, {"description": "Parameters:\ncfg: 7\nsteps: 20"}),
        ({"params": '{"cfg": 7}'}, {"description": "Parameters:\ncfg: 7"}),
        ({"params": {}}, {}),
        ({"civitai_url": "https://c/1", "hf_repo": "a/b"}, {"links": "https://c/1\nhttps://huggingface.co/a/b"}),
        ({"community_links": "x", "civitai_url": "x", "hf_repo": "some words"}, {"links": "x\nsome words"}),
        ({"community_links": ["x", "y"]}, {"links": "x\ny"}),
        ({"prompts": {"positive": "p", "negative": "n"}}, {"positive": "p", "negative": "n"}),
        ({"prompts": {"prompt": "p", "negative_prompt": "n"}}, {"positive": "p", "negative": "n"}),
        ({"prompts": '{"positive": "p"}'}, {"positive": "p"}),
        ({"prompts": "words"}, {"positive": "words"}),
        ({"prompts": {"positive": "p", "prompt": "q"}}, {"positive": "p", "description": "Prompt:\nq"}),
        ({"prompts": {"positive": "p", "prompt": "p"}}, {"positive": "p"}),
        ({"negative_prompt": "n"}, {"negative": "n"}),
    ],
)
def test_texts(tmp_path: Path, extra: Any, fields: dict[str, str]) -> None:
    """What is written about a model is read, also where it was encoded twice or by the first v1's names."""
    row = v1(tmp_path, extra_json=extra)

    empty = dict.fromkeys(("description", "links", "positive", "negative"), "")
    assert {field: getattr(row, field) for field in empty} == empty | fields
    assert row.problems == ()


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("{", "its extra_json is no valid JSON"),
        ("words", "its extra_json is no valid JSON"),
        ("[1]", "its extra_json holds no object: [1]"),
        ("7", "its extra_json holds no object: 7"),
        ("[" * 100_000, "its extra_json is JSON that is nested too deeply"),
        ('{"params":' * 60 + "1" + "}" * 60, "its extra_json is JSON that is nested too deeply"),
        ({"description": {"a": 1}}, 'its description is no text and did not come along: {"a": 1}'),
        ({"prompts": 7}, "its prompts are no object and did not come along: 7"),
        ({"rating": 5}, "its extra_json holds rating, for which there is no place: 5"),
        ({"images": [7]}, "its picture 7 is no name of a file"),
        ({"images": ["/media/../secret.png"]}, "its picture /media/../secret.png is no name of a file"),
        ({"images": ["/media/gone.png"]}, "its picture gone.png is not in the folder of pictures"),
        (b"\xff\xfe{", "its extra_json is no valid JSON"),
        ('{"description": "' + "x" * (4 << 20) + '"}', "its extra_json is too large"),
        ('{"description": 1' + "0" * 5000 + "}", "its extra_json is no valid JSON"),
    ],
)
def test_texts_that_cannot_be_read_are_named(tmp_path: Path, extra: Any, says: str) -> None:
    """What is wrong with a row's JSON is said in a sentence, and the rest of the row comes along."""
    row = v1(tmp_path, extra_json=extra, tags=["kept"])

    assert [problem[: len(says)] for problem in row.problems] == [says]
    assert all(len(problem) < 300 for problem in row.problems)
    assert row.tags == ("kept",)


def test_params_of_meta_json_are_read_too(tmp_path: Path) -> None:
    """v1 would have read parameters from `meta_json` as well; `extra_json` goes before it."""
    meta = {"params": {"cfg": "7"}, "description": "meta"}

    assert v1(tmp_path, meta_json=meta).description == "meta\n\nParameters:\ncfg: 7"
    extra = {"description": "extra"}
    assert v1(tmp_path / "2", meta_json=meta, extra_json=extra).description == "extra\n\nParameters:\ncfg: 7"


def test_a_report_on_one_row_is_bounded(tmp_path: Path) -> None:
    """A row with thousands of things wrong is told of in a hundred sentences."""
    row = v1(tmp_path, extra_json={"images": [f"/media/{number}.png" for number in range(5000)]})

    assert len(row.problems) == 101
    assert row.problems[-1] == "and 901 more problems"


def test_a_row_without_path_and_hash_is_broken(tmp_path: Path) -> None:
    """Of a row that tells neither a file nor a content nothing can be made; the others come along."""
    data = build_v1(tmp_path / "data", {"path": None, "name": "lost"}, {}, {"path": None, "hash_hex": SHA})

    assert [row.row for row in rows(data)] == ["3", "2"]
    assert rest(data) == [Broken("models", "1", "has neither a path nor a SHA-256; it is called lost")]
    assert rows(data)[0].name == SHA[:12]


# Tags that stand on nothing


def test_tags_that_stand_on_nothing(tmp_path: Path) -> None:
    """People's tags come along even where they stand on nothing; those that v1 makes by itself do not."""
    data = build_v1(tmp_path / "data", {"tags": ["used"]}, tags=["lonely", " "])

    lonely, broken = rest(data)

    assert isinstance(lonely, Unused)
    assert (lonely.name, lonely.row) == ("lonely", "8")
    assert broken == Broken("tags", "9", "it has no name")
    two = build_v2(tmp_path / "two", {"tags": ["a"]}, pending=[{"tags": ["b"]}], tags=["Lonely"])
    assert [item.name for item in rest(two) if isinstance(item, Unused)] == ["Lonely"]


def test_a_tag_of_a_row_that_is_gone_stands_on_nothing(tmp_path: Path) -> None:
    """A tag is not forgotten with the model that it stood on, whatever the old program left behind of that."""
    data = build_v1(tmp_path / "data", {"tags": ["used"]})
    with closing(apsw.Connection(str(data / V1_NAME))) as db:
        db.execute("INSERT INTO model_tags VALUES (99, (SELECT id FROM tags WHERE name = 'used'))")
        db.execute("INSERT INTO model_tags VALUES (NULL, NULL), (1, 77)")
        db.execute("INSERT INTO tags (name) VALUES ('left')")
        db.execute("INSERT INTO model_tags VALUES (99, last_insert_rowid())")

    assert [item.name for item in rest(data) if isinstance(item, Unused)] == ["left"]
    assert only(data).problems == ("its tag 77 has no name",)


def test_colours_of_tags_are_named_once(tmp_path: Path) -> None:
    """A colour has no place here; which tags had one is said, once each."""
    colours = {"anime": "#f00", "lora": "#0f0", "plain": ""}
    data = build_v1(tmp_path / "data", {"tags": ["anime"]}, {"tags": ["anime", "plain"]}, colours=colours)

    assert rest(data) == [Broken("tags", "8", "the tag anime has the colour #f00, for which there is no place")]


# Pictures


def test_pictures_that_v1_lists_are_taken_and_earlier_ones_named(tmp_path: Path) -> None:
    """Of the uploads of one model the listed one is its picture; the others are probably earlier ones."""
    images = {f"model_1_{ms}_a b.png": picture() for ms in (30, 4, 200)} | {"model_10_1_x.png": picture()}
    extra = {"images": ["http://127.0.0.1:8789/media/model_1_30_a b.png?v=1"]}
    data = build_v1(tmp_path / "data", {"extra_json": extra}, images=images)

    row = only(data)

    assert shows(row) == ["model_1_30_a b.png"]
    assert row.problems == (
        "model_1_4_a b.png is probably an earlier picture of it; it did not come along",
        "model_1_200_a b.png is probably an earlier picture of it; it did not come along",
    )
    assert rest(data) == [
        Broken("images", "model_10_1_x.png", "belongs to no model of the library; it did not come along")
    ]


@pytest.mark.parametrize(
    "images", [["/media/a.png", "b.png"], '["a.png", "/media/b.png"]', ["C:\\media\\a.png", "b.png", "a.png", None, ""]]
)
def test_lists_of_pictures(tmp_path: Path, images: Any) -> None:
    """A list of pictures is read by the files' names alone, in order, each once."""
    files = {"a.png": picture(), "b.png": picture("blue")}
    data = build_v1(tmp_path / "data", {"extra_json": {"images": images}}, images=files)

    assert shows(only(data)) == ["a.png", "b.png"]
    assert only(data).problems == ()


def test_one_picture_may_stand_alone(tmp_path: Path) -> None:
    """A list that was forgotten around one address is none the worse."""
    data = build_v1(tmp_path / "data", {"extra_json": {"images": "/media/a.png"}}, images={"a.png": picture()})

    assert shows(only(data)) == ["a.png"]


def test_sets_of_hikaze_2_exist_by_their_high(tmp_path: Path) -> None:
    """A set of tiers without its `high` is no picture, and is named; hashes in names are in any case."""
    images = {
        **tiers(SHA.upper(), 1),
        **tiers(SHA, 0, which=["low"]),
        "odd.webp": b"",
        f"{SHA}_x_high.webp": b"",
        ".DS_Store": b"",
        "Thumbs.db": b"",
    }
    data = build_v2(tmp_path / "data", {"sha256": SHA.upper()}, images=images)

    row = only(data)

    assert (row.sha256, shows(row)) == (SHA, [f"{SHA.upper()}_1"])
    assert row.problems == (f"its picture {SHA}_0_low.webp is of no use without the file for `high`",)
    what = "is called as no picture of the library is; it did not come along"
    assert rest(data) == [Broken("images", f"{SHA}_x_high.webp", what), Broken("images", "odd.webp", what)]


def test_pictures_of_pending_models(tmp_path: Path) -> None:
    """A pending model's picture is the listed one, or is called by its number, with or without an extension."""
    pending = [{"id": 1, "meta_json": {"images": ["/media/model_1_5_a.png"]}}, {"id": 2}, {"id": 3}, {"id": 4}]
    images = {
        "pending/model_1_5_a.png": picture(),
        "pending/model_1_4_b.png": picture(),
        "pending/2": picture(),
        "pending/3.jpg": picture(kind="JPEG"),
        "pending/30.jpg": picture(),
    }
    data = build_v2(tmp_path / "data", pending=pending, images=images)

    found = rows(data)

    assert [shows(row) for row in found] == [["pending/model_1_5_a.png"], ["pending/2"], ["pending/3.jpg"], []]
    assert found[0].problems == ("pending/model_1_4_b.png is probably an earlier picture of it; it did not come along",)
    assert [item.row for item in rest(data) if isinstance(item, Broken)] == ["pending/30.jpg"]


def test_a_folder_of_pictures_that_is_not_there(tmp_path: Path) -> None:
    """Without its pictures a library comes along all the same, and each that is missing is named."""
    data = build_v1(tmp_path / "data", {"extra_json": {"images": ["a.png"]}})
    (data / "images").rmdir()

    assert only(data).problems == ("its picture a.png is not in the folder of pictures",)
    (data / "images").write_bytes(b"")
    assert rest(data) == [Broken("images", "images/", "cannot be read: Not a directory")]


def test_files_that_belong_to_nobody_are_named_up_to_a_number(tmp_path: Path) -> None:
    """Of thousands of files that belong to no model, a thousand are named; those of the other earlier Hikaze, in the
    same folder, are not v1's at all.
    """
    strays = {f"{number:04}.png": b"" for number in range(1_200)}
    data = build_v1(tmp_path / "data", images={**strays, **tiers(SHA, 0)})

    found = rest(data)

    assert len(found) == 1_001
    assert found[-1] == Broken(
        "images", "-", "200 more files that belong to no model of the library did not come along"
    )


def test_a_picture_with_any_name(tmp_path: Path) -> None:
    """A file whose name is no text is named as people see it, and a folder in place of a picture is none."""
    data = build_v1(tmp_path / "data", {"extra_json": {"images": ["folder"]}})
    with open(os.path.join(os.fsencode(data / "images"), b"caf\xe9.png"), "wb"):
        pass
    (data / "images" / "folder").mkdir()

    assert [item.row for item in rest(data) if isinstance(item, Broken)] == ["caf\ufffd.png"]
    assert len(only(data).problems) == 1


# What a row says


CHANGES: list[dict[str, Any]] = [
    *({"path": "/m/other.ckpt"}, {"name": "other"}, {"type": "vae"}, {"size_bytes": 1}, {"created_at": 1}),
    *({"hash_hex": OTHER}, {"tags": ["a", "b"]}, {"extra_json": {"description": "other"}}),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_the_digest_tells_what_changed(tmp_path: Path, change: dict[str, Any]) -> None:
    """Whatever changes in a row changes its digest, and nothing else does."""
    row = {"hash_hex": SHA, "tags": ["a"], "extra_json": {"images": ["a.png"]}}

    before = v1(tmp_path / "1", **row).digest

    assert v1(tmp_path / "2", **row).digest == before
    assert v1(tmp_path / "3", **(row | change)).digest != before


def test_the_digest_tells_that_a_picture_changed(tmp_path: Path) -> None:
    """A picture that came, went or is another changes the digest of its row."""
    data = build_v2(tmp_path / "data", {"sha256": SHA}, images=tiers(SHA, 0))
    low = data / "images" / f"{SHA}_0_low.webp"
    digests = [only(data).digest]
    os.utime(low, ns=(5, 5))
    digests.append(only(data).digest)
    low.unlink()
    digests.append(only(data).digest)

    assert len(set(digests)) == 3
    assert only(data).digest == digests[-1]


# Damage


# Tables that take anything, and know no kinds of values.
LOOSE_V1 = """
CREATE TABLE schema_version (version);
CREATE TABLE models (
    id INTEGER PRIMARY KEY, path, name, type, size_bytes, hash_hex, created_at, meta_json, extra_json
);
CREATE TABLE tags (id INTEGER PRIMARY KEY, name, color);
CREATE TABLE model_tags (model_id, tag_id);
"""
LOOSE_V2 = """
CREATE TABLE models (sha256, path, name, type, size_bytes, created_at, meta_json);
CREATE TABLE tags (id INTEGER PRIMARY KEY, name);
CREATE TABLE model_tags (model_hash, tag_id);
CREATE TABLE pending_import (
    id INTEGER PRIMARY KEY, path, sha256, name, type, size_bytes, created_at, meta_json
);
CREATE TABLE pending_model_tags (model_id, tag_id);
"""
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ("description", "community_links", "images", "prompts", "usage", "civitai_url", "hf_repo", "params", "prompt")
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_VALUE = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | _TEXT
    | st.binary(max_size=40)
    | st.binary(max_size=40).map(Raw)
    | st.sampled_from([SHA, SHA.upper(), "lora", "/m/x.ckpt", "C:\\x", "{}", "[]", "null", '"{}"'])
)
_EXTRA = _VALUE | st.dictionaries(st.sampled_from(_FIELDS) | st.text(max_size=5), _JSON, max_size=5)


def _row(**extra: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    columns = ("path", "name", "type", "size_bytes", "created_at")
    return st.fixed_dictionaries({**dict.fromkeys(columns, _VALUE), "tags": st.lists(_VALUE, max_size=3), **extra})


GOOD: dict[str, Any] = {"path": "/m/good.ckpt", "name": "Good", "type": "vae", "tags": ["kept"]}


@settings(max_examples=60, deadline=None)
@given(one=_row(hash_hex=_VALUE, meta_json=_EXTRA, extra_json=_EXTRA), other=_row(hash_hex=_VALUE, extra_json=_EXTRA))
def test_no_value_of_v1_hides_another_row(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Whatever stands in a row, it comes along or is named as broken, and a good row is read whole."""
    good = GOOD | {"hash_hex": OTHER, "extra_json": {"description": "words"}}
    with TemporaryDirectory() as folder:
        data = build_v1(Path(folder) / "data", one, good, other, schema=LOOSE_V1)
        found = _everything(data, "models", ["1", "2", "3"])

    assert (found.sha256, found.path, found.name, found.type) == (OTHER, "/m/good.ckpt", "Good", "vae")
    assert (found.tags, found.description, found.problems) == (("kept",), "words", ())


@settings(max_examples=60, deadline=None)
@given(one=_row(sha256=_VALUE, meta_json=_EXTRA), other=_row(sha256=_VALUE, meta_json=_EXTRA))
def test_no_value_of_hikaze_2_hides_another_row(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The same for Hikaze 2, whose pending models have numbers of their own."""
    good = GOOD | {"meta_json": {"description": "words"}}
    with TemporaryDirectory() as folder:
        waiting = [one, good, other]
        data = build_v2(Path(folder) / "data", one, other, pending=waiting, schema=LOOSE_V2)
        found = _everything(data, "pending_import", ["1", "2", "3"])

    assert (found.path, found.name, found.type, found.tags) == ("/m/good.ckpt", "Good", "vae", ("kept",))
    assert (found.description, found.problems) == ("words", ())


def _everything(data: Path, table: str, expected: list[str]) -> Row:
    """Give the good row, the second, once every row was seen to be there; all text must be storable."""
    with snapshot(find(str(data)), str(data.parent / "work")) as legacy:
        items = list(legacy.rows())
    seen = [item for item in items if isinstance(item, Row | Broken) and item.table == table]
    assert sorted(item.row for item in seen) == expected
    for item in items:
        for text in _texts(item):
            text.encode()
            assert "\0" not in text
    (good,) = [item for item in seen if item.row == "2"]
    assert isinstance(good, Row)
    return good


def _texts(item: Item) -> list[str]:
    match item:
        case Row():
            texts = (item.name, item.type or "", item.description, item.links, item.positive, item.negative)
            return [*texts, *item.tags, *item.problems, *(picture.label for picture in item.pictures)]
        case Broken():
            return [item.row, item.what]
        case Unused():
            return [item.name]


def test_a_damaged_page_hides_only_its_own_rows(tmp_path: Path) -> None:
    """Where a part of the file is damaged, the rows before and behind it come along, and the damage is named."""
    many = [{"path": f"/m/{number}.ckpt", "extra_json": {"description": "x" * 500}} for number in range(1, 201)]
    data = build_v1(tmp_path / "data", *many, wal=False)
    content = bytearray((data / V1_NAME).read_bytes())
    pages = range(8192, len(content), 4096)
    page = next(at for at in pages if content[at] == 13 and b"/m/100.ckpt" in content[at : at + 4096])  # 13: a leaf
    content[page : page + 4096] = b"\xff" * 4096
    (data / V1_NAME).write_bytes(content)

    with snapshot(find(str(data)), str(tmp_path / "work")) as legacy:
        items = list(legacy.rows())

    numbers = {int(item.row) for item in items if isinstance(item, Row)}
    assert 185 < len(numbers) < 200
    assert {1, 200} <= numbers
    assert any(isinstance(item, Broken) and "damaged" in item.what for item in items)


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
def test_a_database_of_another_encoding(tmp_path: Path, encoding: str) -> None:
    """A database may hold its text in any encoding that SQLite has."""
    schema = f"PRAGMA encoding = '{encoding}';{V1_SCHEMA}"
    data = build_v1(
        tmp_path / "data", {"extra_json": {"description": "wörter"}, "tags": ["日本"]}, schema=schema, wal=False
    )

    row = only(data)

    assert (row.path, row.name, row.description, row.tags) == (PATH, "model1", "wörter", ("日本",))


def test_tags_without_what_ties_them(tmp_path: Path) -> None:
    """A library whose tags are not tied as they should be comes along without them, and that is said."""
    data = build_v1(tmp_path / "data", {"tags": ["a"]})
    with closing(apsw.Connection(str(data / V1_NAME))) as db:
        db.execute("ALTER TABLE model_tags RENAME COLUMN tag_id TO tag")

    what = "what ties tags to models there cannot be told; no tags came along"
    assert only(data).tags == ()
    assert Broken("model_tags", "-", what) in rest(data)


@pytest.mark.parametrize("table", ["tags", "model_tags"])
def test_a_library_without_tags(tmp_path: Path, table: str) -> None:
    """A library that lacks a table comes along without what would be in it."""
    data = build_v1(tmp_path / "data", {"tags": ["a"]})
    with closing(apsw.Connection(str(data / V1_NAME))) as db:
        db.execute(f"DROP TABLE {table}")

    assert only(data).tags == ()


def test_tables_without_rowids(tmp_path: Path) -> None:
    """Tables may be stored in order of their key."""
    schema = V2_SCHEMA.replace("meta_json TEXT\n);", "meta_json TEXT\n) WITHOUT ROWID;").replace(
        "PRIMARY KEY (model_hash, tag_id)\n)", "PRIMARY KEY (model_hash, tag_id)\n) WITHOUT ROWID"
    )
    data = build_v2(tmp_path / "data", {"tags": ["a"]}, {"tags": ["b"]}, tags=["c"], schema=schema)

    assert [row.tags for row in rows(data)] == [("a",), ("b",)]


@pytest.mark.slow
@pytest.mark.parametrize("build", [build_v1, build_v2])
def test_memory_does_not_grow_with_the_library(tmp_path: Path, build: Callable[..., Path]) -> None:
    """Ten times the library takes no more memory to read."""
    most: list[int] = []
    for size in (500, 5_000):
        data = build(tmp_path / str(size), *({"tags": [f"tag{n % 50}"]} for n in range(size)))
        source = find(str(data))
        tracemalloc.start()
        with snapshot(source, str(tmp_path / "work")) as legacy:
            assert sum(isinstance(item, Row) for item in legacy.rows()) == size
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert most[1] < most[0] + (1 << 20)
