"""Where the daemon is, and how it is started."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from hikaze.comfy_node import server, starting
from hikaze.comfy_node.folders import there, told
from hikaze.comfy_node.starting import Command, how
from hikaze.comfy_node.whereabouts import Address, config_folder, find, to_path, to_text
from hikaze.daemon.startnote import Started, leave, of_process
from hikaze.events import pathtext


def test_it_is_announced_where_we_look() -> None:
    """The folder is the one that platformdirs gives the daemon."""
    assert config_folder(os.environ) == platformdirs.user_config_dir("hikaze", appauthor=False)
    assert config_folder({"XDG_CONFIG_HOME": "/x"}) == "/x/hikaze"
    assert config_folder({"XDG_CONFIG_HOME": "relative"}) == os.path.expanduser("~/.config/hikaze")
    assert config_folder({"LOCALAPPDATA": "/a"}, "win32") == os.path.join("/a", "hikaze")
    assert config_folder({}, "darwin").endswith("/Library/Application Support/hikaze")


def announced(folder: Path, **more: Any) -> None:
    """Write a daemon's announcement into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {"url": "http://127.0.0.1:8790", "socket": "/run/s", "token": "t", "pid": 7} | more
    (folder / "daemon.json").write_text(json.dumps(said))


def test_finding_the_daemon(tmp_path: Path) -> None:
    """By the socket that is named, else by the data folder, else the last that was started; else by its usual place."""
    env = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert find(env) is None
    (tmp_path / "run/hikaze").mkdir(parents=True)
    (tmp_path / "run/hikaze/hikazed.sock").touch()
    assert find(env) == Address(str(tmp_path / "run/hikaze/hikazed.sock"))

    announced(tmp_path / "hikaze")
    last = find(env)
    assert last == Address("/run/s", mark="7 http://127.0.0.1:8790")
    assert find(env | {"HIKAZE_SOCKET": "/run/s"}) == last
    assert find(env | {"HIKAZE_SOCKET": "/other"}) == Address("/other")
    assert find(env | {"HIKAZE_DATA": str(tmp_path / "data")}) is None
    announced(tmp_path / "data", socket="/d\0dcff/s", pid=8)
    assert find(env | {"HIKAZE_DATA": str(tmp_path / "data")}) == Address("/d\udcff/s", mark="8 http://127.0.0.1:8790")
    announced(tmp_path / "hikaze", socket=None)
    assert find(env) == Address(None, "http://127.0.0.1:8790", "t", "7 http://127.0.0.1:8790")
    for broken in ("", "[]", "{", '{"socket": 1, "url": "ftp://x", "token": "t"}'):
        (tmp_path / "hikaze/daemon.json").write_text(broken)
        assert find({"XDG_CONFIG_HOME": str(tmp_path)}) is None


@pytest.mark.parametrize("path", ["/a", "/水墨", "/x\udcff\udc80"])
def test_paths_as_the_daemon_writes_them(path: str) -> None:
    """What is no UTF-8 is told as the daemon itself tells it."""
    assert to_text(path) == pathtext.to_text(path)
    assert to_path(to_text(path)) == path


def started(tmp_path: Path, *argv: str, env: dict[str, str] | None = None, cgroup: str = "") -> None:
    """Leave a daemon's note of how it was started."""
    (tmp_path / "hikaze").mkdir(exist_ok=True)
    leave(str(tmp_path / "hikaze"), of_process(sys.executable, argv, str(tmp_path), env or {}, 7, cgroup))


def nothing(_name: str) -> None:
    """Find no program."""


def test_how_it_is_started(tmp_path: Path) -> None:
    """As it was started last; else by what `hikazed install` noted; else the program that is found."""
    env, pack = {"XDG_CONFIG_HOME": str(tmp_path)}, tmp_path / "pack"
    pack.mkdir()
    assert starting.find(env, str(pack), nothing) is None
    assert starting.find(env, str(pack), lambda _name: "/bin/hikazed") == Command(
        ("/bin/hikazed", "run"), "`hikazed run`"
    )
    (pack / "installed.json").write_text(json.dumps({"command": [sys.executable, "-m", "hikaze.daemon"]}))
    assert starting.find(env, str(pack), nothing) == Command(
        (sys.executable, "-m", "hikaze.daemon", "run"), "`hikazed run`"
    )
    started(tmp_path, "python", "-m", "hikaze.daemon", "status")
    assert starting.find(env, str(pack), nothing) is not None
    started(tmp_path, "python", "-m", "hikaze.daemon", "run", "--data", "d", env={"HIKAZE_SOCKET": "/s", "HOME": "/"})
    command = (sys.executable, "-m", "hikaze.daemon", "run", "--data", "d")
    before = Command(command, "`hikazed run`", str(tmp_path), {"HIKAZE_SOCKET": "/s"})
    assert starting.find(env, str(pack), nothing) == before
    (tmp_path / "hikaze/started.json").write_text('{"command": ["/gone/python", "run"]}')
    assert starting.find(env, str(tmp_path), nothing) is None
    assert starting.find(env | {"HIKAZE_PROGRAM": "/p"}, "", nothing) == Command(("/p", "run"), "`/p run`")


@pytest.mark.parametrize(
    ("pid", "cgroup", "unit", "by_user"),
    [
        ("7", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/hikazed.service\n", "hikazed.service", True),
        ("7", "0::/system.slice/hikazed.service", "hikazed.service", False),
        ("7", "0::/user.slice/user@1000.service/app-terminal.scope", "", False),
        ("6", "0::/system.slice/comfyui.service", "", False),
        ("7", "", "", False),
    ],
)
def test_a_service_is_started_by_its_manager(tmp_path: Path, pid: str, cgroup: str, unit: str, by_user: bool) -> None:
    """A user's own service is started again as one; of the system's a person is told how."""
    argv = ["python", "hikazed", "run"]
    note = of_process(sys.executable, argv, "/", {"SYSTEMD_EXEC_PID": pid}, 7, cgroup)
    assert note == Started([sys.executable, "hikazed", "run"], "/", {}, unit, by_user)
    started(tmp_path, *argv, env={"SYSTEMD_EXEC_PID": pid}, cgroup=cgroup)
    found = starting.find({"XDG_CONFIG_HOME": str(tmp_path)}, "", nothing)
    assert found is not None
    if unit:
        assert found.argv == (("systemctl", "--user", "start", unit) if by_user else ())
        assert found.said in how(found, is_near=True)


def test_each_way_is_said_in_one_sentence() -> None:
    """A person reads what to do, wherever they sit."""
    command = Command(("x",), "`hikazed run`")
    for sentence in (how(None, is_near=True), how(command, is_near=True), how(command, is_near=False)):
        assert "`hikazed run`" in sentence
        assert sentence.count(".") == 1


def test_a_program_that_is_none(tmp_path: Path) -> None:
    """What cannot be started is said."""
    with pytest.raises(starting.CannotStart, match="start the daemon by hand"):
        starting.launch(Command((str(tmp_path / "none"),), ""), {"XDG_CONFIG_HOME": str(tmp_path)})


def test_the_version_is_ours() -> None:
    """The pack knows its version without being installed."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'version = "{server.VERSION}"' in text


def test_the_folders_as_they_are_told(tmp_path: Path) -> None:
    """Every type with its folders and endings, but for what holds no models, and for what a pack has broken."""
    (tmp_path / "loras").mkdir()
    known: Any = {
        "loras": ([str(tmp_path / "loras"), str(tmp_path / "x/../loras"), "/nas/\udcff"], {".Safetensors", ".pt", 7}),
        "LLM": (["/llm"], set()),
        "custom_nodes": (["/c"], set()),
        "diffusers": (["/d"], ["folder"]),
        "broken": None,
        "odd": (None, {".pt"}),
        3: (["/x"], set()),
        "empty": ([], {".pt"}),
    }
    folders = told(known)
    assert folders == [
        {"type": "LLM", "paths": ["/llm"], "extensions": []},
        {"type": "loras", "paths": [str(tmp_path / "loras"), "/nas/\0dcff"], "extensions": [".pt", ".safetensors"]},
    ]
    assert there(folders) == {str(tmp_path / "loras")}
