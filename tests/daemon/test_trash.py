"""The trash: files get in and out of it whole, whatever happens on the way."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from hikaze.daemon import trash
from hikaze.daemon.place import make_folder
from hikaze.daemon.trash import Entry, Planned, Record, TrashUnavailable
from hikaze.events.pathtext import to_text

NAMES = [
    b"m.safetensors",
    b"\xff not utf-8.pt",
    b'it\'s #1 "100%".ckpt',
    b"x" * 255,
    b"Record.json",
    b".record.json.part",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "loras"
    folder.mkdir()
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def model(root: Path) -> str:
    path = root / "sub" / "model.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"model")
    return str(path)


@pytest.fixture
def planned(model: str, data: Path, root: Path) -> Planned:
    return trash.plan(model, str(data), str(root), "t1")


def record_of(path: str) -> Record:
    return Record(to_text(path), 5, 1_790_000_000_000, "deleted by the user", "ab" * 32)


def test_planning_changes_nothing(planned: Planned, data: Path, model: str):
    """A plan names the places and makes none of them."""
    folder = data / "trash" / "t1"

    assert planned == Planned(model, str(folder), str(folder / "model.safetensors"), str(folder / "record.json"))
    assert trash.state(planned) == "nothing"
    assert os.listdir(data) == []


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(root: Path, data: Path, name: bytes):
    """A file of any name goes into the trash with its record, and comes back as it was."""
    path = os.path.join(root, os.fsdecode(name))
    Path(path).write_bytes(b"model")
    before = os.stat(path)
    planned = trash.plan(path, str(data), str(root), "t1")

    trash.move(planned, record_of(path))
    assert trash.state(planned) == "moved"
    assert not os.path.lexists(path)
    [entry] = trash.entries(str(data / "trash"))
    assert entry == Entry(planned.entry, planned.file, record_of(path))

    assert trash.restore(entry) == path
    after = os.stat(path)
    assert os.path.samestat(after, before)
    assert (after.st_mtime_ns, Path(path).read_bytes()) == (before.st_mtime_ns, b"model")
    assert os.listdir(data / "trash") == []


def test_everything_is_private(planned: Planned, data: Path, model: str):
    """Folders of the trash are 0700 and the record is 0600; the file keeps its bits."""
    mode = os.stat(model).st_mode
    trash.move(planned, record_of(model))

    assert [os.stat(path).st_mode & 0o777 for path in (data / "trash", planned.entry)] == [0o700] * 2
    assert os.stat(planned.record).st_mode & 0o777 == 0o600
    assert os.stat(planned.file).st_mode == mode


def test_the_record_is_readable_json(planned: Planned, model: str):
    """The record is plain JSON under these names, which later versions must read."""
    trash.move(planned, record_of(model))

    assert msgspec.json.decode(Path(planned.record).read_bytes()) == {
        "path": model,
        "size": 5,
        "trashed_at": 1_790_000_000_000,
        "reason": "deleted by the user",
        "sha256": "ab" * 32,
    }


# A crash at every point: what each leaves behind, and that asking again finishes it


def nothing_yet(_planned: Planned) -> None: ...


def folder_made(planned: Planned) -> None:
    make_folder(planned.entry)


def record_half_written(planned: Planned) -> None:
    folder_made(planned)
    Path(planned.entry, ".record.json.part").write_bytes(b'{"path": "/mo')


def record_written(planned: Planned) -> None:
    folder_made(planned)
    Path(planned.record).write_bytes(msgspec.json.encode(record_of(planned.source)))


def linked(planned: Planned) -> None:
    record_written(planned)
    os.link(planned.source, planned.file)


def name_reserved(planned: Planned) -> None:
    record_written(planned)
    Path(planned.file).touch()


def moved(planned: Planned) -> None:
    record_written(planned)
    os.rename(planned.source, planned.file)


@pytest.mark.parametrize(
    ("crash", "left"),
    [
        (nothing_yet, "nothing"),
        (folder_made, "nothing"),
        (record_half_written, "nothing"),
        (record_written, "recorded"),
        (linked, "recorded"),
        (name_reserved, "recorded"),
        (moved, "moved"),
    ],
)
def test_a_move_that_was_cut_short_is_finished(planned: Planned, model: str, crash, left: str):
    """Wherever a crash came, the state is told rightly, and the same order again completes the move."""
    crash(planned)
    assert trash.state(planned) == left

    for _ in range(2):
        trash.move(planned, record_of(model))
        assert trash.state(planned) == "moved"
        assert Path(planned.file).read_bytes() == b"model"
        assert not os.path.lexists(model)
        assert sorted(os.listdir(planned.entry)) == ["model.safetensors", "record.json"]


def test_a_new_file_at_the_old_place_is_not_touched(planned: Planned, model: str):
    """Once moved, a file that appears under the old path is another one and stays."""
    trash.move(planned, record_of(model))
    Path(model).write_bytes(b"newer")

    trash.move(planned, record_of(model))

    assert (Path(model).read_bytes(), Path(planned.file).read_bytes()) == (b"newer", b"model")


KILLED_EVERYWHERE = """
import os, signal, sys
from hikaze.daemon.trash import Record, entries, move, plan, restore, state
path, data, root = sys.argv[1:]
record = Record(path, 5, 1, "test")

def move_and_die(planned, calls):
    def count(event, _args):
        nonlocal calls
        calls -= event.startswith(("os.", "open", "ctypes."))
        if calls == -1:
            calls -= 1
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    move(planned, record)
    os._exit(0)

for calls in range(1000):
    planned = plan(path, data, root, f"t{calls}")
    child = os.fork()
    if child == 0:
        move_and_die(planned, calls)
    status = os.waitpid(child, 0)[1]
    assert os.path.lexists(path) != os.path.lexists(planned.file), calls
    assert (state(planned) == "moved") == os.path.lexists(planned.file), calls
    move(planned, record)
    [entry] = entries(os.path.dirname(planned.entry))
    assert restore(entry) == path
    assert open(path).read() == "model"
    if status == 0:
        print(calls)
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, calls
"""


def test_a_killed_process_loses_nothing(planned: Planned, model: str, data: Path, root: Path):
    """Killed before any of its calls of the system, there is one file, and the move can be finished."""
    command = [sys.executable, "-c", KILLED_EVERYWHERE, model, str(data), str(root)]
    places = int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    assert places > 8
    assert Path(model).read_bytes() == b"model"
    assert not os.path.lexists(planned.entry)


# Where the file cannot go


def test_a_file_that_is_gone_leaves_no_entry(planned: Planned, model: str, data: Path):
    """A file that vanished before the move raises, and its entry is taken away again."""
    record_written(planned)
    os.unlink(model)
    with pytest.raises(FileNotFoundError):
        trash.move(planned, record_of(model))

    assert os.listdir(data / "trash") == []


def test_a_name_taken_in_the_entry_keeps_both(planned: Planned, model: str):
    """A foreign file in the entry is never overwritten: it counts as the move's own end."""
    folder_made(planned)
    Path(planned.file).write_bytes(b"foreign")
    trash.move(planned, record_of(model))

    assert (Path(model).read_bytes(), Path(planned.file).read_bytes()) == (b"model", b"foreign")


@pytest.mark.parametrize("in_the_way", ["file", "link"])
def test_no_place_for_the_trash_is_said_and_the_file_stays(planned: Planned, model: str, data: Path, in_the_way: str):
    """A trash that is no folder of ours is refused in a sentence, and the file stays where it is."""
    if in_the_way == "file":
        (data / "trash").touch()
    else:
        (data / "elsewhere").mkdir()
        (data / "trash").symlink_to("elsewhere")

    with pytest.raises(TrashUnavailable, match=r"make both folders writable, then try again\.$"):
        trash.move(planned, record_of(model))
    assert Path(model).read_bytes() == b"model"


AS_NOBODY = """
import os, sys
from hikaze.daemon.trash import Record, TrashUnavailable, move, plan
path, data, root = sys.argv[1:]
os.setgid(65534)
os.setuid(65534)
try:
    move(plan(path, data, root, "t1"), Record(path, 5, 1, "test"))
except TrashUnavailable as refusal:
    print(refusal)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be someone else")
def test_folders_we_may_not_write():
    """Where we may not write, the trash says so in a sentence, and the file stays."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        model = Path(folder, "model.safetensors")
        model.write_bytes(b"model")
        command = [sys.executable, "-c", AS_NOBODY, str(model), folder, folder]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

        assert said == f"There is no place for a trash folder on the disk of {model}: make {folder} writable.\n"
        assert os.listdir(folder) == ["model.safetensors"]


def other_disk() -> Path | None:
    folder = Path("/dev/shm")  # noqa: S108 - the one other file system that machines have
    return folder if folder.is_dir() and os.access(folder, os.W_OK) else None


@pytest.fixture
def far_root(tmp_path: Path):
    disk = other_disk()
    if disk is None or os.stat(disk).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("this machine has no second file system to write to")
    folder = disk / f"hikaze-trash-test-{os.getpid()}"
    make_folder(str(folder / "sub"))
    yield folder
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def test_a_root_on_another_disk_has_its_own_trash(far_root: Path, data: Path):
    """A file that lies on another disk goes into a hidden folder of its root, made only then."""
    path = far_root / "sub" / "model.safetensors"
    path.write_bytes(b"model")
    planned = trash.plan(str(path), str(data), str(far_root), "t1")
    assert planned.entry == str(far_root / ".hikaze-trash" / "t1")
    assert not (far_root / ".hikaze-trash").exists()

    trash.move(planned, record_of(str(path)))

    [entry] = trash.entries(str(far_root / ".hikaze-trash"))
    assert trash.restore(entry) == str(path)


def test_a_linked_folder_of_another_disk(far_root: Path, root: Path, data: Path):
    """A file below a link to another disk goes into a trash on that disk, below the link."""
    (root / "big").symlink_to(far_root)
    path = root / "big" / "sub" / "model.safetensors"
    path.write_bytes(b"model")
    planned = trash.plan(str(path), str(data), str(root), "t1")

    assert planned.entry == str(root / "big" / ".hikaze-trash" / "t1")


def test_a_file_whose_disk_has_no_place_is_refused(far_root: Path, root: Path, data: Path):
    """Where neither data folder nor root is on the file's disk, the plan is refused."""
    with pytest.raises(TrashUnavailable, match="There is no place for a trash folder"):
        trash.plan(str(far_root / "model.safetensors"), str(data), str(root), "t1")


@pytest.mark.parametrize("trash_id", ["", ".", "..", "a/b", "/etc", ".hidden"])
def test_an_id_is_a_plain_name(model: str, data: Path, root: Path, trash_id: str):
    """An id that would lead out of the trash is refused."""
    with pytest.raises(ValueError, match="plain name"):
        trash.plan(model, str(data), str(root), trash_id)


# Back out


def test_restore_makes_the_folder_and_takes_a_free_name(planned: Planned, model: str):
    """A file comes back into a folder that is gone, and never over a file that took its name."""
    trash.move(planned, record_of(model))
    os.rmdir(os.path.dirname(model))
    entry = trash.read_entry(planned.entry)
    assert entry
    assert trash.restore(entry) == model

    trash.move(planned, record_of(model))
    Path(model).write_bytes(b"newer")
    second = os.path.join(os.path.dirname(model), "model (2).safetensors")
    assert trash.restore(entry) == second
    assert (Path(model).read_bytes(), Path(second).read_bytes()) == (b"newer", b"model")


def test_restore_to_another_place(planned: Planned, model: str, root: Path):
    """A file goes where it is told to."""
    trash.move(planned, record_of(model))
    [entry] = trash.entries(os.path.dirname(planned.entry))

    assert trash.restore(entry, str(root / "new" / "name.pt")) == str(root / "new" / "name.pt")
    assert trash.entries(os.path.dirname(planned.entry)) == []


def test_restore_of_what_is_gone(planned: Planned, model: str):
    """An entry that was restored before is gone, and makes no folder for nothing."""
    trash.move(planned, record_of(model))
    [entry] = trash.entries(os.path.dirname(planned.entry))
    trash.restore(entry)
    os.unlink(model)
    os.rmdir(os.path.dirname(model))

    with pytest.raises(FileNotFoundError):
        trash.restore(entry)
    assert not os.path.exists(os.path.dirname(model))


def test_restore_where_it_cannot_be(planned: Planned, model: str, root: Path):
    """A file that cannot be put back stays in the trash, and a sentence says so."""
    trash.move(planned, record_of(model))
    [entry] = trash.entries(os.path.dirname(planned.entry))
    (root / "file").touch()

    with pytest.raises(TrashUnavailable, match="choose a writable folder on the same disk"):
        trash.restore(entry, str(root / "file" / "model.pt"))
    assert trash.entries(os.path.dirname(planned.entry)) == [entry]


HOSTILE_RECORDS = [
    b"",
    b"{",
    b"[]",
    b'{"path": 5}',
    b"\xff\xfe",
    b'{"other": ' + b"[" * 100_000,
    b'{"path": "/a", "size": ' + b"9" * 5000 + b', "trashed_at": 1, "reason": ""}',
    b" " * (1 << 20) + b"{}",
]


@pytest.mark.parametrize("content", HOSTILE_RECORDS, ids=range(len(HOSTILE_RECORDS)))
def test_a_broken_record_hides_no_file(planned: Planned, model: str, content: bytes):
    """A file whose record cannot be read is still listed, and comes back to a place that one names."""
    trash.move(planned, record_of(model))
    Path(planned.record).write_bytes(content)

    [entry] = trash.entries(os.path.dirname(planned.entry))
    assert entry == Entry(planned.entry, planned.file, None)
    with pytest.raises(TrashUnavailable, match="say where the file should go"):
        trash.restore(entry)
    assert trash.restore(entry, model) == model


def test_a_pipe_as_record_is_not_waited_for(planned: Planned, model: str):
    """A record that is a pipe counts as unreadable at once."""
    trash.move(planned, record_of(model))
    os.unlink(planned.record)
    os.mkfifo(planned.record)

    assert trash.entries(os.path.dirname(planned.entry)) == [Entry(planned.entry, planned.file, None)]


def test_entries_pass_over_what_is_none(planned: Planned, data: Path, model: str):
    """Stray files, empty folders and entries without a file are not listed, nor is a missing trash."""
    assert trash.entries(str(data / "trash")) == []
    trash.move(planned, record_of(model))
    Path(planned.entry, ".DS_Store").touch()
    (data / "trash" / "stray.txt").touch()
    make_folder(str(data / "trash" / "empty"))
    record_written(Planned(model, str(data / "trash/t0"), "", str(data / "trash/t0/record.json")))

    assert [entry.file for entry in trash.entries(str(data / "trash"))] == [planned.file]


@pytest.mark.parametrize("left", ["record", "second name", "reservation"])
def test_a_move_that_was_not_done_is_taken_back(planned: Planned, model: str, data: Path, left: str):
    """Whatever a crash left in the trash beside a file that is still in its place, settling removes it."""
    trash.move(planned, record_of(model))
    os.rename(planned.file, model)
    if left == "second name":
        os.link(model, planned.file)
    elif left == "reservation":
        Path(planned.file).touch()

    assert trash.settle(planned) is False

    assert Path(model).read_bytes() == b"model"
    assert os.listdir(data / "trash") == []


def test_a_move_that_was_done_is_settled(planned: Planned, model: str):
    """It stays done."""
    trash.move(planned, record_of(model))

    assert trash.settle(planned) is True
    assert Path(planned.file).read_bytes() == b"model"


def test_the_records_of_a_trash_folder(planned: Planned, model: str, data: Path):
    """All are told, with and without their file; what was begun and has none is removed, what is not ours stays."""
    folder = data / "trash"
    trash.move(planned, record_of(model))
    os.rename(planned.file, model)
    for name in ("empty", "begun", "foreign"):
        (folder / name).mkdir()
    (folder / "begun" / ".record.json.part").write_text("{")
    (folder / "foreign" / "kept.txt").write_text("kept")
    (folder / "file").write_text("kept")

    assert list(trash.records(str(folder))) == [(planned.entry, record_of(model))]
    assert sorted(os.listdir(folder)) == ["file", "foreign", "t1"]
    assert list(trash.records(str(data / "none"))) == []
