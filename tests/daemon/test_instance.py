"""One daemon to a data folder, private files, and how others find it."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hikaze.daemon.instance import (
    AlreadyRunning,
    BadDataFolder,
    BadFile,
    DataLock,
    Running,
    Secrets,
    announce,
    find_running,
    load_secrets,
    pid_alive,
    prepare,
    withdraw,
)

WORD = "abracadabra"
INFO = Running(
    url="http://127.0.0.1:8790",
    socket="/run/user/1/hikaze/hikazed.sock",
    token=WORD,
    pid=123,
    data="/data",
    version="0.1.0",
)
posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


def mode_of(path: Path) -> int:
    """Give a file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_prepare_makes_private_folders(tmp_path: Path):
    """The data folder and its parts are made for their owner alone, and a second time changes nothing."""
    data = tmp_path / "new" / "data"

    prepare(str(data))
    prepare(str(data))

    assert {str(path.relative_to(data)): mode_of(path) for path in (data, *data.rglob("*"))} == {
        ".": 0o700,
        "images": 0o700,
        "images/pending": 0o700,
        "images/tmp": 0o700,
        "pending": 0o700,
    }


def test_prepare_refuses_a_file(tmp_path: Path):
    """A file where a folder must be is refused with its path, and stays."""
    (tmp_path / "images").write_text("mine")

    with pytest.raises(BadDataFolder, match=r"images .*--data"):
        prepare(str(tmp_path))

    assert (tmp_path / "images").read_text() == "mine"


def test_second_daemon_is_refused(tmp_path: Path):
    """The second daemon on a data folder hears which process has it, and how to go on."""
    with DataLock(str(tmp_path)), pytest.raises(AlreadyRunning) as refused:
        DataLock(str(tmp_path))

    assert refused.value.pid == os.getpid()
    assert str(refused.value) == (
        f"hikazed is already running as process {os.getpid()} on {tmp_path}: "
        "stop it with `hikazed stop`, or give another folder with --data."
    )


@pytest.mark.parametrize(
    ("pid", "told"), [(os.getpid(), " at http://127.0.0.1:8790"), (1, "")], ids=["of this process", "of another"]
)
def test_second_daemon_hears_the_address(tmp_path: Path, pid: int, told: str):
    """It hears the first one's address too, if the announcement is of the process that has the lock."""
    info = Running("http://127.0.0.1:8790", None, "t" * 43, pid, str(tmp_path), "1")
    assert announce(info, [str(tmp_path)]) == []

    with DataLock(str(tmp_path)), pytest.raises(AlreadyRunning) as refused:
        DataLock(str(tmp_path))

    assert str(refused.value).startswith(f"hikazed is already running as process {os.getpid()}{told} on {tmp_path}: ")


@pytest.mark.parametrize("content", [b"rubbish", b"\xff" * 100_000])
def test_second_daemon_over_an_odd_announcement(tmp_path: Path, content: bytes):
    """An announcement that no daemon wrote is not in the way of the refusal."""
    (tmp_path / "daemon.json").write_bytes(content)

    with DataLock(str(tmp_path)), pytest.raises(AlreadyRunning, match=f"process {os.getpid()} on"):
        DataLock(str(tmp_path))


def test_lock_ends_with_close(tmp_path: Path):
    """A closed lock is free again, and closing twice is harmless."""
    lock = DataLock(str(tmp_path))
    lock.close()
    lock.close()

    with DataLock(str(tmp_path)):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_lock_ends_with_the_process(tmp_path: Path):
    """A killed daemon leaves a lock file and no lock."""
    program = (
        "import os, sys; from hikaze.daemon.instance import DataLock; "
        "lock = DataLock(sys.argv[1]); print(os.getpid(), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        pid = int(other.stdout.readline())
        with pytest.raises(AlreadyRunning, match=f"process {pid} "):
            DataLock(str(tmp_path))
        other.kill()
        other.wait()

    assert (tmp_path / "lock").read_text() == f"{pid}\n"
    DataLock(str(tmp_path)).close()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"9" * 1000, b"\xff"])
def test_lock_over_an_odd_file(tmp_path: Path, content: bytes):
    """Whatever the lock file holds, it is only the place of the lock."""
    (tmp_path / "lock").write_bytes(content)

    with DataLock(str(tmp_path)):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_lock_needs_the_folder(tmp_path: Path):
    """A data folder that is not there is refused with what to do."""
    with pytest.raises(BadDataFolder, match="--data"):
        DataLock(str(tmp_path / "nowhere"))


@posix
def test_lock_follows_no_link(tmp_path: Path):
    """A link named `lock` cannot make the daemon truncate another file."""
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")

    with pytest.raises(BadDataFolder):
        DataLock(str(tmp_path))

    assert (tmp_path / "precious").read_text() == "mine"


def test_secrets_are_kept(tmp_path: Path):
    """The secrets are random, made once, and the same at every later start."""
    first = load_secrets(str(tmp_path))

    assert load_secrets(str(tmp_path)) == first
    assert len({first.token, first.image_key}) == 2
    assert {len(first.token), len(first.image_key)} == {43}
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666])
def test_secrets_are_private(tmp_path: Path, mode: int):
    """Only the owner may read the secrets, also after a careless copy."""
    load_secrets(str(tmp_path))
    path = tmp_path / "secrets.json"
    path.chmod(mode)

    load_secrets(str(tmp_path))

    assert mode_of(path) == 0o600


GOOD = "a" * 43


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b'{"token": "x"',
        json.dumps({"token": GOOD}).encode(),
        json.dumps({"token": 7, "image_key": GOOD}).encode(),
        json.dumps({"token": "", "image_key": GOOD}).encode(),
        json.dumps({"token": "short", "image_key": GOOD}).encode(),
        json.dumps({"token": GOOD[:-1] + "\n", "image_key": GOOD}).encode(),
        json.dumps({"token": GOOD, "image_key": GOOD}).encode(),
        b" " * 70_000,
    ],
)
def test_broken_secrets_are_refused(tmp_path: Path, content: bytes):
    """Secrets that we did not write are neither used nor replaced: the sentence says what to do."""
    path = tmp_path / "secrets.json"
    path.write_bytes(content)

    with pytest.raises(BadFile, match="move it away"):
        load_secrets(str(tmp_path))

    assert path.read_bytes() == content


def test_secrets_do_not_show():
    """The secrets stand in no log line."""
    assert WORD not in repr(Secrets(WORD, "img"))


def test_unwritable_secrets(tmp_path: Path):
    """Where the secrets cannot be written the daemon says so."""
    with pytest.raises(BadDataFolder, match=r"secrets\.json"):
        load_secrets(str(tmp_path / "nowhere"))


@posix
def test_announce_and_find(tmp_path: Path):
    """A daemon is found by its data folder, its socket, or as the user's only one; its file is private."""
    config, data = tmp_path / "config" / "hikaze", tmp_path / "data"
    data.mkdir()

    assert announce(INFO, [str(config), str(data)]) == []

    assert find_running(str(config)) == INFO
    assert find_running(str(config), data=str(data)) == INFO
    assert find_running(str(config), socket=INFO.socket) == INFO
    assert [mode_of(config), mode_of(config / "daemon.json"), mode_of(data / "daemon.json")] == [
        0o700,
        0o600,
        0o600,
    ]
    assert json.loads((data / "daemon.json").read_bytes()) == {
        "url": "http://127.0.0.1:8790",
        "socket": "/run/user/1/hikaze/hikazed.sock",
        "token": WORD,
        "pid": 123,
        "data": "/data",
        "version": "0.1.0",
    }


def test_nothing_runs(tmp_path: Path):
    """Where no daemon said that it runs, none is found."""
    config = str(tmp_path)

    assert find_running(config) is None
    assert find_running(config, data=str(tmp_path / "other")) is None
    assert find_running(config, socket=str(tmp_path / "no.sock")) is None


def test_an_unannounced_socket(tmp_path: Path):
    """A socket that no file speaks of is worth a try, even beside another daemon's announcement."""
    announce(INFO, [str(tmp_path)])
    path = tmp_path / "other.sock"
    path.touch()

    assert find_running(str(tmp_path), socket=str(path)) == Running("", str(path), "", 0, "", "")


@posix
def test_odd_paths_come_back(tmp_path: Path):
    """A data folder whose name is no UTF-8 is announced and found all the same."""
    info = Running("", None, WORD, 1, "/d\udcff", "0")

    announce(info, [str(tmp_path)])

    assert find_running(str(tmp_path)) == info


def test_withdraw_is_for_the_own_file(tmp_path: Path):
    """A daemon that stops removes its own announcement, and leaves that of one that came after it."""
    later = Running(url="http://127.0.0.1:1", socket=None, token=WORD, pid=124, data="/other", version="0.1.0")
    own, taken, empty = tmp_path / "own", tmp_path / "taken", tmp_path / "empty"
    announce(INFO, [str(own), str(taken)])
    announce(later, [str(taken)])

    withdraw(INFO, [str(own), str(taken), str(empty)])

    assert find_running(str(own)) is None
    assert find_running(str(taken)) == later


def test_an_unwritable_place_is_a_warning(tmp_path: Path):
    """A config folder that cannot be written costs a warning, and the data folder's file is there."""
    (tmp_path / "file").touch()
    blocked, data = tmp_path / "file" / "hikaze", tmp_path / "data"

    warnings = announce(INFO, [str(blocked), str(data)])

    assert len(warnings) == 1
    assert str(blocked) in warnings[0]
    assert find_running("", data=str(data)) == INFO


@pytest.mark.parametrize("content", [b"", b"{}", b'{"url": 7}', b"x" * 70_000])
def test_a_broken_announcement(tmp_path: Path, content: bytes):
    """A daemon.json that no daemon wrote is named, not taken for silence."""
    (tmp_path / "daemon.json").write_bytes(content)

    with pytest.raises(BadFile, match=r"daemon\.json"):
        find_running(str(tmp_path))


@posix
def test_pid_alive():
    """A process id is only a hint: ours lives, an impossible one cannot be told or is dead."""
    assert pid_alive(os.getpid()) is True
    assert pid_alive(1) is True
    assert pid_alive(2**22 + 1) is False
    assert [pid_alive(pid) for pid in (0, -1, 2**80)] == [None, None, None]
