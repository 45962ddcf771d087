"""Where a setting comes from, and what is said when it cannot be used."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.config import Config, ConfigError, Platform, check_roots, load, parse_listen
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(os.name != "posix", reason="written with POSIX paths")

Toml = Callable[..., Config]

PLATFORM = Platform(
    home="/home/ann",
    config_dir="/home/ann/.config/hikaze",
    data_dir="/home/ann/.local/share/hikaze",
    cwd="/here",
    unix_sockets=True,
    socket_path_bytes=107,
)
DEFAULTS = Config(
    data="/home/ann/.local/share/hikaze",
    comfyui=None,
    models=(),
    pending=("/home/ann/.local/share/hikaze/pending",),
    listen_host="127.0.0.1",
    listen_port=8790,
    socket="/home/ann/.local/share/hikaze/hikazed.sock",
)


@pytest.fixture
def toml(tmp_path: Path) -> Toml:
    """Write a configuration file and load it, with flags and environment on top."""

    def load_it(text: str, flags: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> Config:
        path = tmp_path / "my.toml"
        path.write_text(text)
        return load({"config": str(path), **(flags or {})}, env or {}, PLATFORM)

    return load_it


def test_defaults():
    """Told nothing, the daemon uses the user's data folder and loopback."""
    assert load({}, {}, PLATFORM) == DEFAULTS


def test_this_machine():
    """The real machine gives absolute places."""
    config = load({"socket": "/s"}, {"XDG_RUNTIME_DIR": "/run/user/1"}, Platform.here())

    assert os.path.isabs(config.data)
    assert config.pending == (os.path.join(config.data, "pending"),)


@pytest.mark.parametrize(
    ("env", "data"),
    [
        ({}, "/home/ann/.local/share/hikaze"),
        ({"STATE_DIRECTORY": "/var/lib/hikaze"}, "/var/lib/hikaze"),
        ({"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}, "/var/lib/one"),
        ({"STATE_DIRECTORY": ""}, "/home/ann/.local/share/hikaze"),
        ({"STATE_DIRECTORY": "/var/lib/hikaze", "HIKAZE_DATA": "~/lib"}, "/home/ann/lib"),
        ({"HIKAZE_DATA": ""}, "/home/ann/.local/share/hikaze"),
        ({"HIKAZE_DATA": "lib"}, "/here/lib"),
    ],
)
def test_data_folder(env: dict[str, str], data: str):
    """The data folder is the one named, else systemd's first, else the user's; the drop folder lies in it."""
    config = load({}, env, PLATFORM)

    assert (config.data, config.pending) == (data, (f"{data}/pending",))


@pytest.mark.parametrize(
    ("flags", "env", "socket"),
    [
        ({}, {}, "/home/ann/.local/share/hikaze/hikazed.sock"),
        ({}, {"XDG_RUNTIME_DIR": "/run/user/1"}, "/run/user/1/hikaze/hikazed.sock"),
        ({}, {"XDG_RUNTIME_DIR": "run"}, "/home/ann/.local/share/hikaze/hikazed.sock"),
        ({"data": "d"}, {}, "/here/d/hikazed.sock"),
        ({"socket": "s"}, {"XDG_RUNTIME_DIR": "/run/user/1", "HIKAZE_SOCKET": "/e"}, "/here/s"),
        ({}, {"XDG_RUNTIME_DIR": "/run/user/1", "HIKAZE_SOCKET": "/e"}, "/e"),
    ],
)
def test_socket(flags: dict[str, Any], env: dict[str, str], socket: str):
    """The socket is the one named, else in the user's runtime folder, else in the data folder."""
    assert load(flags, env, PLATFORM).socket == socket


def test_no_sockets_here():
    """Where the platform has no unix sockets there is none, whatever was asked."""
    platform = Platform("/h", "/c", "/d", "/w", unix_sockets=False, socket_path_bytes=0)

    assert load({"socket": "/s"}, {}, platform).socket is None


@pytest.mark.parametrize(("name", "fits"), [("s" * 106, True), ("s" * 107, False), ("é" * 53 + "s", False)])
def test_socket_path_length(name: str, fits: bool):
    """A socket path longer than the system takes is refused before anything is bound, counted in bytes."""
    if fits:
        assert load({"socket": f"/{name}"}, {}, PLATFORM).socket == f"/{name}"
        return
    with pytest.raises(ConfigError, match=r"108 bytes.*shorter one with --socket"):
        load({"socket": f"/{name}"}, {}, PLATFORM)


FILE = """
data = "library"
comfyui = "~/ComfyUI"
listen = "localhost:1"
socket = "/run/file.sock"
pending = ["drop", "/file/drop", "drop/"]

[models]
lora = "loras"
Stable-diffusion = ["/disk/a", "/disk/b", "/disk/a"]
my_pack = "~/pack"
"""


def test_file(toml: Toml, tmp_path: Path):
    """The file's relative paths start at the file, ~ is home, types get ComfyUI's names, doubles fall away."""
    assert toml(FILE) == Config(
        data=f"{tmp_path}/library",
        comfyui="/home/ann/ComfyUI",
        models=(
            ("loras", f"{tmp_path}/loras"),
            ("checkpoints", "/disk/a"),
            ("checkpoints", "/disk/b"),
            ("my_pack", "/home/ann/pack"),
        ),
        pending=(f"{tmp_path}/drop", "/file/drop"),
        listen_host="127.0.0.1",
        listen_port=1,
        socket="/run/file.sock",
    )


ENV = {
    "HIKAZE_DATA": "/env",
    "HIKAZE_COMFYUI": "/env/ComfyUI",
    "HIKAZE_LISTEN": "127.0.0.2:2",
    "HIKAZE_SOCKET": "/env.sock",
    "HIKAZE_PENDING": "/env/drop:drop::",
    "HIKAZE_MODELS": "loras=/env/a=b:clip=c",
    "HIKAZE_SOMETHING": "else",
}


def test_environment(toml: Toml):
    """The environment goes before the file, setting by setting; its relative paths start where one stands."""
    assert toml(FILE, env=ENV) == Config(
        data="/env",
        comfyui="/env/ComfyUI",
        models=(("loras", "/env/a=b"), ("text_encoders", "/here/c")),
        pending=("/env/drop", "/here/drop"),
        listen_host="127.0.0.2",
        listen_port=2,
        socket="/env.sock",
    )


def test_flags(toml: Toml):
    """The command line goes before all."""
    flags = {
        "data": "flag",
        "comfyui": "../ComfyUI",
        "models": ["vae=v", "vae=/w", "VAE=v/"],
        "pending": ["p"],
        "listen": "[::1]:3",
        "socket": "f.sock",
    }

    assert toml(FILE, flags, ENV) == Config(
        data="/here/flag",
        comfyui="/ComfyUI",
        models=(("vae", "/here/v"), ("vae", "/w")),
        pending=("/here/p",),
        listen_host="::1",
        listen_port=3,
        socket="/here/f.sock",
    )


def test_flags_not_given(toml: Toml):
    """A flag that is None was not given, and other programs' flags are not settings."""
    flags = dict.fromkeys(("data", "comfyui", "models", "pending", "listen", "socket")) | {"json": True}

    assert toml(FILE, flags) == toml(FILE)


def test_no_drop_folder(toml: Toml):
    """An empty list is a choice: no drop folder."""
    assert toml("pending = []").pending == ()


def test_file_in_its_usual_place(tmp_path: Path):
    """Without --config the file in the user's config folder is read, if there is one."""
    platform = Platform("/h", str(tmp_path), "/d", "/w", unix_sockets=True, socket_path_bytes=107)
    assert load({}, {}, platform).listen_port == 8790

    (tmp_path / "hikazed.toml").write_text('listen = "127.0.0.1:4"')

    assert load({}, {}, platform).listen_port == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dat = 1", "{file}: dat is no setting of hikazed; there are comfyui, data, listen, models, pending, socket."),
        ("data = 7", "{file}: data must be text in quotes, not 7."),
        ('data = ""', "{file}: data must name a folder or file, without NUL."),
        ('data = "a\\u0000b"', "{file}: data must name a folder or file, without NUL."),
        ("comfyui = true", "{file}: comfyui must be text in quotes, not True."),
        ("socket = []", "{file}: socket must be text in quotes, not []."),
        ("listen = 8790", "{file}: listen must be text in quotes, not 8790."),
        ('pending = "drop"', "{file}: pending must be a list of folders in square brackets, not 'drop'."),
        ("pending = [1]", "{file}: pending must be text in quotes, not 1."),
        ('models = "loras"', "{file}: models must be a table of types and their folders, not 'loras'."),
        ("models.loras = 1", "{file}: models.loras must be a list of folders in square brackets, not 1."),
        ("models.loras = [1]", "{file}: models.loras must be text in quotes, not 1."),
        ('models.loras = ""', "{file}: models.loras must name a folder or file, without NUL."),
        ("models.vae.x = 1", "{file}: models.vae must be a list of folders in square brackets, not {{'x': 1}}."),
    ],
)
def test_wrong_settings(toml: Toml, tmp_path: Path, text: str, said: str):
    """A setting of the wrong kind, or that does not exist, is named with its file."""
    with pytest.raises(ConfigError) as refused:
        toml(text)

    assert str(refused.value) == said.format(file=tmp_path / "my.toml")


@pytest.mark.parametrize("content", [b"data = ", b"\xff\xfe", b"a = 1\na = 2", b"a = " + b"[" * 5_000])
def test_broken_file(tmp_path: Path, content: bytes):
    """A file that is no TOML is named, with where it goes wrong."""
    path = tmp_path / "my.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"my\.toml is not valid TOML"):
        load({"config": str(path)}, {}, PLATFORM)


def test_missing_file():
    """A file asked for must be there."""
    with pytest.raises(ConfigError, match=r"^/here/no\.toml, given with --config, does not exist\.$"):
        load({"config": "no.toml"}, {}, PLATFORM)


def test_unreadable_file(tmp_path: Path):
    """A file that cannot be read is an error, not an absent one."""
    with pytest.raises(ConfigError, match="Cannot read"):
        load({"config": str(tmp_path)}, {}, PLATFORM)


@pytest.mark.parametrize(
    ("flags", "env", "said"),
    [
        ({"models": ["loras"]}, {}, "--models must be TYPE=DIR, such as loras=/disk/loras, not 'loras'."),
        ({"models": ["=x"]}, {}, "--models must be TYPE=DIR"),
        ({"models": ["loras="]}, {}, "--models must be TYPE=DIR"),
        ({"models": ["a/b=/x"]}, {}, "--models names no type: A type is the name of"),
        ({"data": ""}, {}, "--data must name a folder or file"),
        ({"config": ""}, {}, "--config must name a folder or file"),
        ({}, {"HIKAZE_MODELS": "x"}, "HIKAZE_MODELS in the environment must be TYPE=DIR"),
        ({}, {"HIKAZE_LISTEN": "x"}, "HIKAZE_LISTEN in the environment must be HOST:PORT"),
        ({"listen": "0.0.0.0:8790"}, {}, "--listen must be a loopback address such as 127.0.0.1:8790: "),
    ],
)
def test_wrong_flags(flags: dict[str, Any], env: dict[str, str], said: str):
    """A wrong flag or variable is named by its own name."""
    with pytest.raises(ConfigError) as refused:
        load(flags, env, PLATFORM)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8790", ("127.0.0.1", 8790)),
        ("127.8.9.10:0", ("127.8.9.10", 0)),
        ("localhost:65535", ("127.0.0.1", 65535)),
        ("LocalHost:80", ("127.0.0.1", 80)),
        (":0", ("127.0.0.1", 0)),
        ("[::1]:8790", ("::1", 8790)),
        ("[0:0:0:0:0:0:0:1]:8790", ("::1", 8790)),
    ],
)
def test_listen(text: str, address: tuple[str, int]):
    """A loopback address and a port can be listened on."""
    assert parse_listen(text) == address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.0.0.0:8790", "reverse proxy"),
        ("[::]:8790", "reverse proxy"),
        ("192.168.1.5:8790", "reverse proxy"),
        ("[::ffff:127.0.0.1]:8790", "reverse proxy"),
        ("[fe80::1%lo]:8790", "reverse proxy"),
        ("[::1%lo]:8790", "reverse proxy"),
        ("[127.0.0.1]:8790", "reverse proxy"),
        ("example.org:8790", "reverse proxy"),
        ("localhost.evil.example:8790", "reverse proxy"),
        ("*:8790", "reverse proxy"),
        ("127.1:8790", "reverse proxy"),
        ("::1:8790", "brackets"),
        ("127.0.0.1", "HOST:PORT"),
        ("8790", "HOST:PORT"),
        ("127.0.0.1:", "HOST:PORT"),
        ("127.0.0.1:65536", "HOST:PORT"),
        ("127.0.0.1:-1", "HOST:PORT"),
        ("127.0.0.1:8 790", "HOST:PORT"),
        ("127.0.0.1:٨٧٩٠", "HOST:PORT"),
        ("127.0.0.1:" + "9" * 5000, "HOST:PORT"),
        ("", "HOST:PORT"),
    ],
)
def test_not_listening(text: str, why: str):
    """What is no loopback address and port is refused, with what to do instead."""
    with pytest.raises(ValueError, match=why):
        parse_listen(text)


@given(st.text())
def test_listen_takes_any_text(text: str):
    """Any text is an address on loopback or a refusal."""
    try:
        host, port = parse_listen(text)
    except ValueError:
        return
    assert host == "::1" or host.startswith("127.")
    assert 0 <= port <= 65535


def test_roots():
    """A folder may serve two types and lie in another, but not be drop folder and model folder at once."""
    models = [("loras", "/m/loras"), ("vae", "/m/loras"), ("checkpoints", "/m")]
    check_roots(models, ["/m/loras/new", "/drop"])

    with pytest.raises(ConfigError, match=r"^/m cannot be both the folder for checkpoints and a pending folder"):
        check_roots(models, ["/drop", "/m"])
    with pytest.raises(ConfigError, match="both"):
        load({"models": ["vae=/d/"], "pending": ["/d"]}, {}, PLATFORM)


def test_bytes_that_are_no_text_stay():
    """A folder whose name is no UTF-8 is the folder that is watched."""
    assert load({"pending": ["/d\udcff"]}, {}, PLATFORM).pending == ("/d\udcff",)
