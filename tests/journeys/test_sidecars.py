"""Files that other programs leave beside models are read when they come and when they change, and lose nothing."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from ..bound import Bound
from ..machine import needs_bindfs
from .harness import Daemon, Json, Make, lora, picture, png

LONG_AGO = 1_600_000_000
LINK = "https://civitai.com/models/4?modelVersionId=3"

VERSION = {
    "id": 3,
    "modelId": 4,
    "name": "v2",
    "baseModel": "SDXL 1.0",
    "trainedWords": ["foo, bar"],
    "description": "<p>of the version</p>",
    "model": {"name": "Foo", "type": "LORA", "description": "<p>A <b>fine</b> one</p>", "tags": ["anime"]},
    "images": [{"url": "https://x/1.png", "meta": {"prompt": "a foo", "negativePrompt": "bad"}}],
}


@dataclass(frozen=True)
class Form:
    """A file as a program writes it beside `foo.safetensors`, and what of it is told of a model."""

    source: str
    ending: str
    content: Any
    told: dict[str, Any]
    row: dict[str, Any] = field(default_factory=dict[str, Any])

    def put(self, model: Path, content: Any = None, at: float = LONG_AGO) -> Path:
        """Let it appear beside a model, complete, as it came to rest at a time."""
        told = self.content if content is None else content
        base = model.name if self.source == "rgthree" else model.stem
        return put(model.with_name(base + self.ending), told, at)


def put(path: Path, content: Any, at: float = LONG_AGO) -> Path:
    """Let a file appear, complete, as it came to rest at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    if isinstance(content, bytes):
        temporary.write_bytes(content)
    else:
        temporary.write_text(content if isinstance(content, str) else json.dumps(content))
    os.utime(temporary, (at, at))
    temporary.rename(path)
    return path


FORMS = [
    Form(
        "lora-manager",
        ".metadata.json",
        {
            "file_name": "foo",
            "model_name": "Foo",
            "file_path": "/elsewhere/foo.safetensors",
            "sha256": "AB" * 32,
            "hash_status": "completed",
            "notes": "my own",
            "tags": ["style"],
            "modelDescription": "<p>A <b>fine</b> one</p>",
            "favorite": True,
            "usage_tips": '{"strength": 0.8}',
            "civitai": {"id": 3, "modelId": 4, "trainedWords": ["foo, bar"]},
        },
        {
            "description": "my own\n\nA fine one",
            "community_links": LINK,
            "trigger_words": ["foo", "bar"],
            "tags": ["style"],
            "favorite": True,
        },
        {"name": "Foo", "notes": "my own", "sha256": "ab" * 32},
    ),
    Form(
        "civitai-info",
        ".civitai.info",
        VERSION,
        {
            "community_links": LINK,
            "trigger_words": ["foo", "bar"],
            "prompts": {"positive": "a foo", "negative": "bad"},
        },
        {"name": "Foo", "notes": ""},
    ),
    Form(
        "a1111",
        ".json",
        {"description": "short", "notes": "long", "sd version": "SDXL", "activation text": "foo, bar"},
        {"description": "long\n\nshort", "trigger_words": ["foo", "bar"], "community_links": ""},
        {"notes": "long", "description": "short"},
    ),
    Form(
        "stability-matrix",
        ".cm-info.json",
        {"ModelId": 4, "ModelName": "Foo", "VersionId": 3, "ModelDescription": "<p>fine</p>", "TrainedWords": ["foo"]},
        {"description": "fine", "community_links": LINK, "trigger_words": ["foo"]},
        {"name": "Foo"},
    ),
    Form(
        "rgthree",
        ".rgthree-info.json",
        {"file": "foo.safetensors", "name": "Foo", "links": [LINK], "trainedWords": [{"word": "foo", "civitai": True}]},
        {"description": "", "community_links": LINK, "trigger_words": ["foo"]},
        {"name": "Foo"},
    ),
    Form(
        "swarm",
        ".swarm.json",
        {"title": "Foo", "description": "fine", "trigger_phrase": "foo", "author": "me"},
        {"description": "fine", "trigger_words": ["foo"]},
        {"name": "Foo"},
    ),
    Form("text", ".txt", "what I know of it\n", {"description": "what I know of it"}, {"notes": "what I know of it"}),
    Form("text", ".md", "# It\n\nwhat I know\n", {}, {"source": "text"}),
]
NOTES = FORMS[-2]
ids = [form.source + form.ending for form in FORMS]


def waiting(daemon: Daemon, path: Path) -> Json:
    """Give the pending model at a path, whole."""
    return daemon.get("/api/migration/pending_model", id=daemon.wait_pending(path)["id"])


def wait_told(look: Callable[[], Json], form: Form) -> Json:
    """Wait until a format has been read, and give the model whole."""
    until = time.monotonic() + 10
    while True:
        found = look()
        rows = [row for row in found["provided"] if row["source"] == form.source]
        if rows:
            return look()
        assert time.monotonic() < until, found
        time.sleep(0.02)


def must_tell(found: Json, form: Form) -> None:
    """See that a model tells all that a format told."""
    assert {name: found[name] for name in form.told if name in found} == {
        name: value for name, value in form.told.items() if name in found
    }
    (row,) = (row for row in found["provided"] if row["source"] == form.source)
    assert {name: row[name] for name in form.row} == form.row
    assert row["problem"] == ""
    if form.told.get("description"):
        assert found["origins"]["description"] == "provider"


@pytest.fixture
def place(shared: Daemon, request: pytest.FixtureRequest) -> Path:
    """Give a folder of the test's own in a root for LoRAs of the shared daemon, which is watched."""
    name = "".join(filter(str.isalnum, request.node.name))
    folder = shared.loras / name
    folder.mkdir()
    time.sleep(0.05)  # a model that comes before the folder is watched must first lie still for 2 s
    return folder


def put_model(daemon: Daemon, path: Path, *key: object) -> Path:
    """Let a LoRA of content of its own appear at a path and be seen."""
    daemon.put_lora(path, seed=hash_of(path, *key))
    daemon.wait_pending(path)
    return path


def hash_of(*key: object) -> int:
    """Give a number that is the same for the same key, in every process."""
    return crc32(repr(key).encode())


def import_at(daemon: Daemon, path: Path) -> str:
    """Import what waits at a path; gives its hash."""
    done = daemon.import_one(daemon.wait_pending(path)["id"])
    assert done.status == 200, done.body
    return done.json["sha256"]


# When it is read


@pytest.mark.parametrize("form", FORMS, ids=ids)
@pytest.mark.parametrize("first", ["sidecar", "model"])
def test_beside_a_pending_model(shared: Daemon, place: Path, form: Form, first: str) -> None:
    """In whatever order the two come it is told of the pending model, and the import brings it along."""
    model = place / "foo.safetensors"
    if first == "sidecar":
        form.put(model)
    put_model(shared, model)
    if first == "model":
        form.put(model)
    must_tell(wait_told(lambda: waiting(shared, model), form), form)
    sha256 = import_at(shared, model)

    must_tell(shared.model(sha256), form)
    assert form.row.get("notes") in ("", None) or form.put(model).exists()
    shared.quiesce()
    assert len([row for row in shared.model(sha256)["provided"] if row["source"] == form.source]) == 1


@pytest.mark.parametrize("form", FORMS, ids=ids)
def test_beside_a_model(shared: Daemon, place: Path, form: Form) -> None:
    """It is told of a model that was imported before it came, and disturbs nobody who edits the model."""
    model = put_model(shared, place / "foo.safetensors")
    sha256 = import_at(shared, model)
    version = shared.model(sha256)["version"]
    form.put(model)
    found = wait_told(lambda: shared.model(sha256), form)

    must_tell(found, form)
    assert found["version"] == version
    assert found["name"] == "foo"
    assert shared.ask("PATCH", f"/api/models/{sha256}", {"name": "x"}, {"If-Match": f'"{version}"'}).status == 200


def test_an_import_takes_what_lies_beside_the_file(shared: Daemon, place: Path) -> None:
    """What lies beside a dropped file is read before the file goes, however short the time."""
    model = shared.drop / place.name / "foo.safetensors"
    for form in FORMS[:3]:
        form.put(model, at=time.time())
    shared.put_lora(model, seed=hash_of(place))
    done = shared.import_one(shared.wait_pending(model)["id"], kind="loras")

    found = shared.model(done.json["sha256"])
    assert {row["source"] for row in found["provided"]} == {form.source for form in FORMS[:3]}
    assert sorted(os.listdir(model.parent)) == ["foo.civitai.info", "foo.json", "foo.metadata.json"]


def test_of_a_neighbour(shared: Daemon, place: Path) -> None:
    """What belongs to `foo.v2` never touches `foo`."""
    model, other = place / "foo.safetensors", place / "foo.v2.safetensors"
    for form in FORMS:
        form.put(other)
    put_model(shared, model)
    put_model(shared, other)
    wait_told(lambda: waiting(shared, other), FORMS[0])
    shared.quiesce()

    assert waiting(shared, model)["provided"] == []


def test_one_file_for_two_models(shared: Daemon, place: Path) -> None:
    """Notes beside two files of one stem are told of both, now and when they change."""
    models = [put_model(shared, place / name) for name in ("foo.safetensors", "foo.ckpt.safetensors")]
    twin = place / "foo.sft"
    put_model(shared, twin)
    NOTES.put(models[0])
    for model in (models[0], twin):
        must_tell(wait_told(lambda model=model: waiting(shared, model), NOTES), NOTES)

    assert waiting(shared, models[1])["provided"] == []


# People and programs


@pytest.mark.parametrize("edited", ["before", "after"])
@pytest.mark.parametrize("imported", [False, True])
def test_what_a_person_wrote_stays(shared: Daemon, place: Path, edited: str, imported: bool) -> None:
    """Whenever the sidecar comes, the fields that a person gave are that person's, emptied ones too."""
    form = FORMS[0]
    model = put_model(shared, place / "foo.safetensors")
    number = shared.wait_pending(model)["id"]
    sha256 = import_at(shared, model) if imported else ""
    at = f"/api/models/{sha256}" if imported else f"/api/migration/pending_model?id={number}"
    mine = {"description": "mine", "trigger_words": [], "prompts": {"positive": "p", "negative": ""}, "tags": ["own"]}

    if edited == "before":
        shared.patch(at, mine)
    form.put(model)
    wait_told(lambda: shared.get(at) if imported else waiting(shared, model), form)
    if edited == "after":
        shared.patch(at, mine)
    changed = form.content | {"notes": "new", "tags": ["style", "newer"]}
    form.put(model, changed, at=LONG_AGO + 10)
    shared.wait_for(lambda: "newer" in shared.get(at)["tags"], what="the change was read")
    sha256 = sha256 or import_at(shared, model)

    found = shared.model(sha256)
    assert {name: found[name] for name in mine if name not in ("tags", "trigger_words")} == {
        name: value for name, value in mine.items() if name not in ("tags", "trigger_words")
    }
    assert found["community_links"] == LINK
    assert found["origins"]["description"] == "user"
    assert found["origins"]["community_links"] == "provider"
    # Who writes first and says no triggers has not emptied any: only what was there can be taken away.
    assert found["trigger_words"] == ([] if edited == "after" else found["trigger_words"])
    assert set(found["tags"]) == ({"own", "newer"} if edited == "after" else {"own", "style", "newer"})


def test_a_tag_that_was_taken_off(shared: Daemon, place: Path) -> None:
    """It does not come back, whatever becomes of the file."""
    form = FORMS[0]
    model = put_model(shared, place / "foo.safetensors")
    form.put(model)
    wait_told(lambda: waiting(shared, model), form)
    shared.patch(f"/api/migration/pending_model?id={waiting(shared, model)['id']}", {"tags": []})
    sha256 = import_at(shared, model)
    form.put(model, form.content | {"notes": "new"}, at=LONG_AGO + 10)
    shared.wait_for(lambda: "new" in shared.model(sha256)["description"], what="the change was read")

    assert shared.model(sha256)["tags"] == []


def test_a_sidecar_that_changes(shared: Daemon, place: Path) -> None:
    """What it says now is what is seen: written in place, or renamed over it."""
    model = put_model(shared, place / "foo.safetensors")
    path = NOTES.put(model)
    wait_told(lambda: waiting(shared, model), NOTES)
    path.write_text("second")
    shared.wait_for(lambda: waiting(shared, model)["description"] == "second", what="it was written to")
    NOTES.put(model, "third")
    shared.wait_for(lambda: waiting(shared, model)["description"] == "third", what="it was replaced")
    (place / "other.txt").write_text("fourth")
    (place / "other.txt").rename(path)

    shared.wait_for(lambda: waiting(shared, model)["description"] == "fourth", what="another came in its place")


# Where it lies


def told_events(daemon: Daemon, after: int) -> list[Json]:
    """Give the events by which sidecars told something new."""
    kinds = ("model-provided", "pending-provided", "model-tagged", "pending-tagged", "model-edited")
    return daemon.events(*kinds, after=after)


@pytest.mark.parametrize("imported", [False, True])
@pytest.mark.parametrize("way", ["renamed", "moved"])
def test_moved_with_its_model(shared: Daemon, place: Path, way: str, imported: bool) -> None:
    """A model that moves with its sidecars keeps all, and nothing is told twice; then a change is seen there."""
    model = put_model(shared, place / "foo.safetensors")
    files = [form.put(model) for form in FORMS[:3]]
    number = waiting(shared, model)["id"]
    shared.wait_for(lambda: len(waiting(shared, model)["provided"]) == 3)
    sha256 = import_at(shared, model) if imported else ""
    at = f"/api/models/{sha256}" if imported else f"/api/migration/pending_model?id={number}"
    before, position = shared.get(at), shared.quiesce()
    target = place / "bar.safetensors" if way == "renamed" else place / "deeper" / "foo.safetensors"
    target.parent.mkdir(exist_ok=True)
    for path in [*files, model]:
        path.rename(target.with_name(path.name.replace("foo", target.stem)))

    def path_now() -> str:
        found = shared.get(at)
        return next((one["path"] for one in found["locations"]), "") if imported else found["path"]

    shared.wait_for(lambda: path_now() == str(target), what="it was followed")
    shared.quiesce()
    assert told_events(shared, position) == []
    after = shared.get(at)
    assert {name: after.get(name) for name in FORMS[0].told} == {name: before.get(name) for name in FORMS[0].told}
    NOTES.put(target, "new")
    shared.wait_for(lambda: shared.get(at)["description"].startswith("new"), what="the change was read")


def test_left_behind(shared: Daemon, place: Path) -> None:
    """What a sidecar said stays with the model that went, and goes to nobody who comes, but by the file itself."""
    model = put_model(shared, place / "foo.safetensors")
    path = NOTES.put(model)
    wait_told(lambda: waiting(shared, model), NOTES)
    sha256 = import_at(shared, model)
    model.rename(place / "gone.safetensors")
    gone = {str(place / "gone.safetensors"): "present"}
    shared.wait_for(lambda: shared.states(sha256) == gone, what="it was followed")
    must_tell(shared.model(sha256), NOTES)
    newcomer = put_model(shared, model, "newcomer")
    must_tell(wait_told(lambda: waiting(shared, newcomer), NOTES), NOTES)
    path.write_text("of the newcomer")
    shared.wait_for(lambda: waiting(shared, newcomer)["description"] == "of the newcomer", what="it was read")
    path.unlink()
    shared.quiesce()

    must_tell(shared.model(sha256), NOTES)
    assert waiting(shared, newcomer)["description"] == "of the newcomer"


def test_other_content_at_its_path(shared: Daemon, place: Path) -> None:
    """Of a model whose file was overwritten nothing new is told, and nothing lost; what came reads the sidecar."""
    model = put_model(shared, place / "foo.safetensors")
    NOTES.put(model)
    wait_told(lambda: waiting(shared, model), NOTES)
    sha256 = import_at(shared, model)
    lora(shared.staging / "n.safetensors", seed=hash_of(place, 2), rank=5).replace(model)
    NOTES.put(model, "of the other")
    shared.wait_for(lambda: waiting(shared, model)["description"] == "of the other", what="it is told of what came")

    assert shared.model(sha256)["description"] == "what I know of it"


# Pictures


def images(daemon: Daemon, sha256: str) -> list[str]:
    """Give the base names of a model's pictures."""
    return daemon.get("/api/images/get_sample_imgs", sha256=sha256)["images"]


def test_the_first_picture_of_a_model(shared: Daemon, place: Path) -> None:
    """One that comes beside a model which never had any is its first; another changes nothing."""
    model = put_model(shared, place / "foo.safetensors")
    sha256 = import_at(shared, model)
    put(place / "foo.png", png())
    shared.wait_for(lambda: images(shared, sha256) == [f"{sha256}_0"], what="it has a picture")
    put(place / "foo.preview.png", png(colour="red"))
    shared.delete(f"/api/images/delete?sha256={sha256}&seq=0")
    put(place / "foo.webp", png(colour="blue"))
    shared.quiesce()

    assert images(shared, sha256) == []
    (added,) = (event for event in shared.events("image-added") if event["data"]["model"] == sha256)
    assert (added["actor"], len(added["data"]["original"])) == ("watcher", 64)


def test_a_picture_that_changes(shared: Daemon, place: Path) -> None:
    """That of a pending model is taken anew while it is the companion's; a better one takes its place."""

    def size() -> tuple[int, int] | None:
        found = [one["data"] for one in shared.events("pending-pictured") if one["data"]["pending"] == number]
        return (found[-1]["width"], found[-1]["height"]) if found else None

    model = put_model(shared, place / "foo.safetensors")
    number = shared.wait_pending(model)["id"]
    for path, made in [("foo.png", (30, 20)), ("foo.png", (40, 20)), ("foo.preview.png", (50, 20))]:
        put(place / path, png(made))
        shared.wait_for(lambda made=made: size() == made, what=f"the picture of {made}")
    put(place / "foo.png", png((60, 20)))
    position = shared.quiesce()
    assert size() == (50, 20)
    (place / "foo.preview.png").touch()
    put(place / "foo.preview.png", png((50, 20)))
    shared.quiesce()
    assert shared.events("pending-pictured", after=position) == []
    shared.upload(f"/api/images/pending/{number}", png((70, 20)))
    put(place / "foo.preview.png", png((80, 20)))
    shared.quiesce()

    assert size() == (70, 20)


def test_a_video(shared: Daemon, place: Path) -> None:
    """It is named as what was not taken."""
    model = put_model(shared, place / "foo.safetensors")
    put(place / "foo.preview.mp4", b"video")

    (row,) = wait_told(lambda: waiting(shared, model), Form("preview", "", None, {}))["provided"]
    assert (row["source"], row["path"]) == ("preview", str(place / "foo.preview.mp4"))
    assert "a video preview is not taken" in row["problem"]


# Odd files, odd times


def test_broken_then_repaired(shared: Daemon, place: Path) -> None:
    """One that makes no sense is named after a while; what it said before stays, and it is read when it does again."""
    form = FORMS[0]
    model = put_model(shared, place / "foo.safetensors")
    form.put(model, '{"notes": "half')
    found = wait_told(lambda: waiting(shared, model), form)
    assert found["provided"][0]["problem"]
    form.put(model)
    shared.wait_for(lambda: waiting(shared, model)["provided"][0]["problem"] == "", what="it was repaired")
    must_tell(waiting(shared, model), form)
    form.put(model, b"\x00\xff")
    shared.wait_for(lambda: waiting(shared, model)["provided"][0]["problem"], what="it broke")

    assert waiting(shared, model)["description"] == form.told["description"]


def test_written_slowly(shared: Daemon, place: Path) -> None:
    """Of a file that is being written nothing is told before it is whole."""
    form = FORMS[0]
    model = put_model(shared, place / "foo.safetensors")
    text = json.dumps(form.content)
    position = shared.quiesce()
    with open(place / "foo.metadata.json", "w") as file:
        for start in range(0, len(text), 100):
            file.write(text[start : start + 100])
            file.flush()
            time.sleep(0.25)
    must_tell(wait_told(lambda: waiting(shared, model), form), form)

    assert len(shared.events("pending-provided", after=position)) == 1


def test_not_ours(shared: Daemon, place: Path) -> None:
    """What is no sidecar, though it has its name, says nothing."""
    model = put_model(shared, place / "foo.safetensors")
    put(place / "foo.json", {"learning_rate": 1e-4, "network_dim": 8})
    put(place / "foo.civitai.info", {})
    shared.quiesce()

    assert waiting(shared, model)["provided"] == []


# The daemon was away


@pytest.mark.slow
def test_changed_while_the_daemon_was_down(make_daemon: Make) -> None:
    """What came, changed, or moved meanwhile is read at the next start; what did not is not told again."""
    daemon = make_daemon().start()
    kinds = ("came", "changed", "moved", "same", "pending")
    models = {kind: daemon.loras / f"{kind}.safetensors" for kind in kinds}
    for seed, (kind, model) in enumerate(models.items()):
        daemon.put_lora(model, seed)
        if kind != "came":
            NOTES.put(model)
    daemon.wait_for(lambda: sum(event["data"]["provided"] != {} for event in told_events(daemon, 0)) == 4)
    shas = {kind: import_at(daemon, model) for kind, model in models.items() if kind != "pending"}
    daemon.quiesce()
    assert daemon.stop() == 0
    NOTES.put(models["came"])
    NOTES.put(models["changed"], "changed", at=LONG_AGO + 10)
    NOTES.put(models["pending"], "pending too", at=LONG_AGO + 10)
    target = daemon.more_loras / "elsewhere.safetensors"
    models["moved"].rename(target)
    (daemon.loras / "moved.txt").rename(target.with_suffix(".txt"))
    put(daemon.loras / "same.png", png())
    daemon.start()
    expected = dict.fromkeys(shas, "what I know of it") | {"changed": "changed"}
    daemon.wait_for(lambda: {kind: daemon.model(sha)["description"] for kind, sha in shas.items()} == expected)
    daemon.wait_for(lambda: waiting(daemon, models["pending"])["description"] == "pending too")
    daemon.wait_for(lambda: images(daemon, shas["same"]), what="the picture was taken")
    daemon.quiesce()
    told = daemon.events("model-provided", "pending-provided")
    daemon.restart()
    time.sleep(1)
    daemon.quiesce()

    assert daemon.events("model-provided", "pending-provided") == told
    assert len([event for event in told if event["data"].get("model") == shas["same"]]) == 1


@pytest.mark.slow
def test_hundreds_at_once(make_daemon: Make) -> None:
    """A folder full of models with sidecars and pictures is read whole, each for its own model."""
    daemon = make_daemon().start()
    source = daemon.folder / "collection"
    source.mkdir()
    for number in range(300):
        model = lora(source / f"{number:03}.safetensors", number)
        FORMS[0].put(model, FORMS[0].content | {"notes": f"note {number}"})
        NOTES.put(model, f"text {number}")
        if number < 20:
            picture(source / f"{number:03}.png")
    shutil.copytree(source, daemon.loras / "in")
    daemon.wait_for(lambda: len(daemon.pending()) == 300, 60, "all were found")
    daemon.wait_for(lambda: len(daemon.events("pending-provided")) == 600, 60, "all were read")
    daemon.quiesce(20)

    found = {one["name"]: daemon.get("/api/migration/pending_model", id=one["id"]) for one in daemon.pending()}
    for number in (0, 1, 150, 299):
        assert found[f"{number:03}"]["description"] == f"text {number}\n\nnote {number}\n\nA fine one"
    assert sum(one["image"] is not None for one in found.values()) == 20
    assert len(daemon.events("pending-provided")) == 600


def test_a_folder_that_is_read_only(of_nobody: Daemon) -> None:
    """It is read and left as it is; a sidecar that may not be read is named, and read when it may be."""
    daemon = of_nobody
    os.chown(daemon.loras, 0, 0)
    model = lora(daemon.loras / "foo.safetensors")
    locked = FORMS[0].put(model)
    for path, mode in ((model, 0o644), (NOTES.put(model), 0o644), (locked, 0)):
        path.chmod(mode)
    before = files_and_times(daemon.loras)
    daemon.start()
    found = wait_told(lambda: waiting(daemon, model), FORMS[0])
    must_tell(found, NOTES)
    assert "make it readable" in next(row for row in found["provided"] if row["source"] == "lora-manager")["problem"]
    assert files_and_times(daemon.loras) == before
    locked.chmod(0o644)
    daemon.post("/api/scan")

    daemon.wait_for(lambda: _is_read(daemon, model), what="it is read")


def _is_read(daemon: Daemon, model: Path) -> bool:
    return all(not row["problem"] for row in waiting(daemon, model)["provided"])


def files_and_times(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Give what a write to a folder would change."""
    seen = {str(path): path.stat() for path in [folder, *folder.iterdir()]}
    return {path: (info.st_mtime_ns, info.st_size, info.st_ino) for path, info in seen.items()}


# A disk elsewhere


@pytest.fixture
def nas(tmp_path: Path) -> Iterator[Bound]:
    """Give a folder that is far away."""
    with ExitStack() as stack:
        made = Bound(tmp_path / "nas", tmp_path / "mnt")
        stack.callback(made.close)
        yield made


@needs_bindfs
@pytest.mark.slow
def test_on_a_network_disk(make_daemon: Make, nas: Bound) -> None:
    """Sidecars there are read by the process that touches the disk, also when others change them, and it may hang."""
    program = (str(Path(__file__).with_name("shortsighted.py")),)
    daemon = make_daemon(program=program, more=["--models", f"loras={nas.at}"])
    model = lora(nas.behind / "foo.safetensors")
    FORMS[0].put(model)
    daemon.start()
    seen = nas.at / "foo.safetensors"
    daemon.wait_for(lambda: daemon.pending_at(seen), 60, "it is seen")
    must_tell(wait_told(lambda: waiting(daemon, seen), FORMS[0]), FORMS[0])
    sha256 = import_at(daemon, seen)
    NOTES.put(model)
    put(nas.behind / "foo.png", png())
    daemon.wait_for(lambda: len(daemon.model(sha256)["provided"]) == 2, 60, "the notes are read")
    daemon.wait_for(lambda: images(daemon, sha256), 60, "the picture is taken")
    nas.hang()
    daemon.wait_for(lambda: set(daemon.states(sha256).values()) == {"offline"}, 60, "it is away")
    near = daemon.put_lora(daemon.loras / "near.safetensors", 2)
    NOTES.put(near)
    must_tell(wait_told(lambda: waiting(daemon, near), NOTES), NOTES)
    NOTES.put(model, "while it hung")
    nas.go_on()

    daemon.wait_for(
        lambda: daemon.model(sha256)["description"].startswith("while it hung"), 60, "what came meanwhile is read"
    )
