"""A dropped file becomes a pending model, is edited and imported, and stays a model."""

import hashlib
import os
from pathlib import Path

import pytest

from .harness import Daemon, files_below, lora, picture, picture_files, tier_files


def test_from_a_drop_to_a_model_that_stays(daemon: Daemon) -> None:
    """A dropped file is pending with all it tells, takes edits, is imported into the first root of its type, stays."""
    picture(daemon.drop / "Ink wash.png", (900, 600))
    source = daemon.put_lora(daemon.drop / "Ink wash.safetensors", metadata={"ss_output_name": "ink"})
    content = source.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()

    card = daemon.wait_for(lambda: [one for one in daemon.pending() if one["image"]], what="its picture")[0]
    assert card | {"id": 0, "created_at": 0} == {
        "id": 0,
        "name": "Ink wash",
        "path": str(source),
        "name_valid": True,
        "type": "loras",
        "size_bytes": len(content),
        "created_at": 0,
        "tags": [],
        "image": f"{card['id']}.png",
        "in_place": False,
        "state": "waiting",
        "sha256": None,
        "replaces": None,
        "import": None,
    }
    number = card["id"]
    whole = daemon.get("/api/migration/pending_model", id=number)
    assert whole["header"]["metadata"]["ss_output_name"] == "ink"
    assert [(tensor["dtype"], tensor["shape"]) for tensor in whole["tensors"]] == [
        ("F32", []),
        ("F32", [4, 64]),
        ("F32", [64, 4]),
    ]
    original = daemon.ask("GET", f"/api/images/pending/{number}")
    assert (original.status, original.headers["Content-Type"]) == (200, "image/png")
    assert original.body == (daemon.drop / "Ink wash.png").read_bytes()

    texts = {
        "description": "Brush and ink.\nNo colour.",
        "community_links": "https://example.org/ink",
        "prompts": {"positive": "ink wash", "negative": "photo"},
        "trigger_words": ["sumi-e", "墨"],
    }
    daemon.patch(
        f"/api/migration/pending_model?id={number}", {"name": "Ink", "tags": ["style", "日本", "Style"]} | texts
    )
    done = daemon.import_one(number)
    target = daemon.loras / "Ink wash.safetensors"
    assert (done.status, done.json | {"position": 0}) == (
        200,
        {"status": "imported", "sha256": sha256, "path": str(target), "position": 0},
    )

    def check() -> None:
        model = daemon.model(sha256)
        assert {field: model[field] for field in texts} == texts
        assert (model["name"], model["type"], model["size_bytes"]) == ("Ink", "loras", len(content))
        assert model["tags"] == ["style", "日本"]
        assert (model["path"], model["state"]) == (str(target), "present")
        assert daemon.states(sha256) == {str(target): "present"}
        assert (model["images"], model["cover"]) == ([f"{sha256}_0"], 0)
        assert model["header"]["metadata"]["ss_output_name"] == "ink"
        assert daemon.pending() == []
        assert daemon.ask("GET", f"/api/migration/pending_model?id={number}").status == 404
        assert target.read_bytes() == content
        assert not source.exists()
        assert picture_files(daemon) == tier_files(model["images"])

    check()
    position = daemon.quiesce()
    daemon.restart()
    check()
    assert [event["type"] for event in daemon.events(after=position)] == []
    daemon.restart(kill=True)
    check()


def test_a_companion_is_its_own_files_alone(shared: Daemon) -> None:
    """`foo.png` and `foo.preview.*` belong to foo, `foo.v2.png` does not."""
    for name in ("foo.v2.png", "bar.preview.jpg", "baz.png"):
        picture(shared.drop / name)
    for seed, stem in enumerate(("foo", "bar", "baz")):
        shared.put_lora(shared.drop / f"{stem}.safetensors", seed)

    def pictures() -> dict[str, bool]:
        return {
            one["name"]: one["image"] is not None for one in shared.pending() if one["name"] in ("foo", "bar", "baz")
        }

    shared.wait_for(lambda: pictures().get("baz") and pictures().get("bar") and "foo" in pictures())
    shared.quiesce()
    assert pictures() == {"foo": False, "bar": True, "baz": True}


def test_a_picture_that_comes_later_is_taken(shared: Daemon) -> None:
    """A companion picture that arrives after its model file is still found."""
    card = shared.wait_pending(shared.put_lora(shared.drop / "late.safetensors", 10))
    os.replace(picture(shared.staging / "p.webp"), shared.drop / "late.webp")

    shared.wait_for(lambda: shared.pending_at(shared.drop / "late.safetensors")[0]["image"] == f"{card['id']}.webp")


@pytest.mark.slow
def test_types_come_from_the_subfolder_then_the_header_then_the_user(shared: Daemon, tmp_path: Path) -> None:
    """A subfolder's name tells the type before the header does; where neither tells, the import asks for it."""
    by_folder = shared.wait_pending(shared.put_lora(shared.drop / "unet" / "a.safetensors", 11))
    assert by_folder["type"] == "diffusion_models"

    (tmp_path / "b.ckpt").write_bytes(b"neither zip nor pickle" * 10)
    unknown = shared.wait_pending(shared.put(tmp_path / "b.ckpt", shared.drop / "b.ckpt"))
    assert unknown["type"] is None
    refused = shared.import_one(unknown["id"])
    assert refused.status == 422
    assert "type" in refused.detail
    assert refused.detail.count("--type") == 1
    assert (shared.drop / "b.ckpt").exists()

    done = shared.import_one(unknown["id"], kind="vae")
    assert done.status == 200, done.body
    assert done.json["path"] == str(shared.vae / "b.ckpt")

    nowhere = shared.import_one(by_folder["id"])
    assert nowhere.status == 422
    assert "--models diffusion_models=DIR" in nowhere.detail


def test_a_taken_name_gets_a_suffix(shared: Daemon) -> None:
    """A name that is taken in the model root is not overwritten: the newcomer gets a suffix."""
    (shared.loras / "same.safetensors").write_bytes(b"somebody else's")
    sha256 = shared.bring_in(shared.drop / "same.safetensors", 12)

    assert shared.model(sha256)["path"] == str(shared.loras / "same (2).safetensors")
    assert shared.model(sha256)["name"] == "same"
    assert (shared.loras / "same.safetensors").read_bytes() == b"somebody else's"


def test_a_dismissed_drop_goes_to_the_trash(daemon: Daemon) -> None:
    """Dismissing a dropped file moves it to the trash with a record, and it does not come back by itself."""
    source = daemon.put_lora(daemon.drop / "no.safetensors")
    content = source.read_bytes()
    number = daemon.wait_pending(source)["id"]

    daemon.delete(f"/api/migration/pending_model?id={number}")

    assert daemon.pending() == []
    assert not source.exists()
    kept = files_below(daemon.data / "trash")
    assert sorted(Path(path).name for path in kept) == ["no.safetensors", "record.json"]
    assert [(daemon.data / "trash" / path).read_bytes() for path in kept if path.endswith(".safetensors")] == [content]
    daemon.post("/api/scan")
    daemon.restart()
    assert daemon.pending() == []


def test_a_dismissed_file_in_place_is_hidden_until_it_changes(daemon: Daemon) -> None:
    """Dismissing a file in a model root leaves the file, and hides it until its content is another."""
    path = daemon.put_lora(daemon.loras / "here.safetensors", 1)
    number = daemon.wait_pending(path)["id"]

    daemon.delete(f"/api/migration/pending_model?id={number}")
    assert path.exists()
    daemon.post("/api/scan")
    daemon.restart()
    daemon.post("/api/scan")
    assert daemon.pending() == []

    os.replace(lora(daemon.staging / "n.safetensors", 2), path)
    assert daemon.wait_pending(path)["in_place"]


def test_ids_of_pending_models_are_never_used_again(daemon: Daemon) -> None:
    """A pending model's id is its own for ever, whatever became of it."""
    first = daemon.wait_pending(daemon.put_lora(daemon.drop / "a.safetensors", 1))["id"]
    daemon.delete(f"/api/migration/pending_model?id={first}")
    daemon.restart()
    second = daemon.wait_pending(daemon.put_lora(daemon.drop / "a.safetensors", 2))["id"]

    assert second > first


def test_a_pending_file_that_goes_away(shared: Daemon) -> None:
    """A pending model leaves the list with its file, unless somebody wrote to it: then it stays, missing."""
    plain = shared.put_lora(shared.drop / "plain.safetensors", 13)
    written = shared.put_lora(shared.drop / "written.safetensors", 14)
    shared.wait_pending(plain)
    number = shared.wait_pending(written)["id"]
    shared.patch(f"/api/migration/pending_model?id={number}", {"description": "mine"})
    kept = shared.staging / "kept"

    def states() -> list[tuple[int, str]]:
        return [(one["id"], one["state"]) for one in shared.pending() if one["name"] in ("plain", "written")]

    written.rename(kept)
    plain.unlink()

    shared.wait_for(lambda: states() == [(number, "missing")])
    assert shared.import_one(number).status == 422
    kept.rename(written)
    shared.wait_for(lambda: states() == [(number, "waiting")])
    assert shared.get("/api/migration/pending_model", id=number)["description"] == "mine"


@pytest.mark.slow
def test_a_link_in_the_drop_folder_is_imported_as_a_file(daemon: Daemon) -> None:
    """What a dropped relative link leads to is copied into the model root; the link goes, what it led to stays."""
    aside = daemon.put_lora(daemon.drop.parent / "aside.safetensors")
    link = daemon.drop / "link.safetensors"
    link.symlink_to(os.path.relpath(aside, daemon.drop))

    done = daemon.import_one(daemon.wait_pending(link)["id"])

    target = daemon.loras / "link.safetensors"
    assert (done.status, done.json["path"]) == (200, str(target))
    assert not target.is_symlink()
    assert target.read_bytes() == aside.read_bytes()
    assert not link.is_symlink()
