"""hikazed.service: a user unit that systemd accepts, and that says why of every line."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "hikazed.service"


def settings(text: str) -> dict[str, dict[str, str]]:
    """Give the unit's settings by section."""
    sections: dict[str, dict[str, str]] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            sections[section] = {}
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            assert key not in sections[section], f"{key} is set twice"
            sections[section][key] = value
    return sections


def test_systemd_accepts_it(tmp_path: Path) -> None:
    """`systemd-analyze --user verify` finds nothing to say about the unit."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("this machine has no systemd-analyze; the other tests here read the unit themselves")
    program = settings(UNIT.read_text())["Service"]["ExecStart"].split()[0]
    # Verify looks whether the program is there; on this machine it need not be.
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(program, "/bin/sh", 1))

    done = subprocess.run(
        [analyze, "--user", "verify", str(copy)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    # An unknown setting is only a remark on stderr, with exit code 0.
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_the_daemon_relies_on() -> None:
    """It runs `hikazed run`, waits until that is ready, starts it again after a crash, and keeps its files private."""
    unit = settings(UNIT.read_text())

    assert unit["Service"]["ExecStart"] == "%h/.local/bin/hikazed run"
    assert unit["Service"]["Type"] == "notify"
    assert unit["Service"]["NotifyAccess"] == "main"
    assert unit["Service"]["Restart"] == "on-failure"
    assert unit["Service"]["UMask"] == "0077"
    assert unit["Service"]["RuntimeDirectoryMode"] == "0700"
    assert unit["Install"]["WantedBy"] == "default.target"


def test_the_same_library_as_by_hand() -> None:
    """The service names no data folder, so it serves the library that `hikazed run` by hand serves."""
    unit = settings(UNIT.read_text())

    assert "--data" not in unit["Service"]["ExecStart"]
    assert "StateDirectory" not in unit["Service"]


def test_a_restart_is_never_endless() -> None:
    """A daemon that cannot start is left alone after its tries: they fit into the interval that counts them."""
    unit = settings(UNIT.read_text())
    tries, pause = int(unit["Unit"]["StartLimitBurst"]), int(unit["Service"]["RestartSec"].removesuffix("s"))
    minutes = int(unit["Unit"]["StartLimitIntervalSec"].removesuffix("min"))

    assert tries * pause < minutes * 60


def test_models_anywhere_stay_within_reach() -> None:
    """No setting of the unit hides or locks a folder: models may lie anywhere and are moved by the import."""
    hiding = {"ProtectHome", "ProtectSystem", "PrivateTmp", "ReadOnlyPaths", "InaccessiblePaths", "RootDirectory"}

    assert not hiding & settings(UNIT.read_text())["Service"].keys()


def test_every_line_has_its_reason() -> None:
    """Every setting has a comment above it, alone or together with the settings it belongs to."""
    unexplained: list[str] = []
    for block in UNIT.read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("[")]
        if lines and not lines[0].startswith("#"):
            unexplained.append(lines[0])

    assert unexplained == []
