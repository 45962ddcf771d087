"""The wheel and the lock files: what we ship is whole, and sits beside other people's packages."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
FOLDERS: dict[str, str] = PROJECT["tool"]["setuptools"]["package-dir"]
# Distributions that own the names `daemon` and `events`, which our folders have in the repository.
NEIGHBOURS = ("python-daemon==3.1.2", "Events==0.5")


# Which are written against ComfyUI's own classes, and so can be imported inside of it only.
INSIDE_COMFYUI = {"hikaze.comfy_node.nodes", "hikaze.comfy_node.pack"}

packaging = pytest.mark.packaging
slow_installs = pytest.mark.timeout(900)


def run(*command: str | Path, folder: Path) -> str:
    """Run a program in a folder, with no setting that leads Python or us elsewhere, and give what it prints."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HIKAZE_"))}
    done = subprocess.run(command, cwd=folder, env=keep, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def shipped_files() -> set[str]:
    """Give the files of ours that belong into a wheel, by their installed names."""
    return {
        (Path(*package.split(".")) / path.relative_to(REPOSITORY / folder)).as_posix()
        for package, folder in FOLDERS.items()
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and belongs(path.relative_to(REPOSITORY / folder), package)
    }


def belongs(path: Path, package: str) -> bool:
    """Tell whether a file of a package is shipped: every module of its own, the built page, and ComfyUI's words."""
    if "__pycache__" in path.parts:
        return False
    if package == "hikaze.locales":
        return path.suffix == ".json"
    return (path.parent == Path() and path.suffix == ".py") or (package == "hikaze.web" and path.parts[0] == "dist")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what is built from, where nothing of an earlier build lies about; of web/node_modules a little is there."""
    source = tmp_path_factory.mktemp("source")
    for folder in {Path(folder).parts[0] for folder in FOLDERS.values()}:
        shutil.copytree(
            REPOSITORY / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    for name in ("__init__.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    (source / "web" / "node_modules").mkdir()
    (source / "web" / "node_modules" / "somebodys.py").touch()
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    target = tmp_path_factory.mktemp("wheel")
    # The build backend is the locked one of this environment.
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(target), str(source)]
    run(sys.executable, "-m", "pip", *build, folder=source)
    [built] = target.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel and its neighbours into a virtual environment of their own, and give its bin folder."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, with_pip=True)
    pip = (place / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--require-hashes", "-r", REPOSITORY / "requirements.lock", folder=place)
    run(*pip, wheel, *NEIGHBOURS, folder=place)
    return place / "bin"


@packaging
@slow_installs
def test_the_wheel_is_whole(wheel: Path) -> None:
    """The wheel holds every module of ours and every file of the built page, under `hikaze`, and nothing else."""
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert held == shipped_files()


@packaging
@slow_installs
def test_the_source_archive_can_build_all(source: Path, tmp_path: Path) -> None:
    """The source archive holds what the page and the program are built from, and nothing installed for that."""
    build = "import sys, setuptools.build_meta; setuptools.build_meta.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", build, tmp_path, folder=source)
    [archive] = tmp_path.iterdir()
    with tarfile.open(archive) as packed:
        held = {entry.name.partition("/")[2] for entry in packed if entry.isfile()}

    assert {name for name in sources_of(source) if name not in held} == set()
    assert {name for name in held if "node_modules" in name or "__pycache__" in name} == set()


def sources_of(repository: Path) -> set[str]:
    """Give the files that the program and its page are built from, by their names in the repository."""
    names = {path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()}
    made = ("build/", "hikaze.egg-info/", "web/node_modules/")
    return {name for name in names if not name.startswith(made) and "__pycache__" not in name}


@packaging
@slow_installs
def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    """The wheel carries its license, its Python, its dependencies and the program's name."""
    archive = zipfile.ZipFile(wheel)
    info = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA")).removesuffix("METADATA")
    metadata = archive.read(f"{info}METADATA").decode()

    assert "License-Expression: MIT" in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE) == PROJECT["project"]["dependencies"]
    assert f"{info}licenses/LICENSE" in archive.namelist()
    assert "hikazed = hikaze.daemon.__main__:main" in archive.read(f"{info}entry_points.txt").decode()


@packaging
@slow_installs
def test_neighbours_keep_their_names(installed: Path) -> None:
    """Beside Hikaze, `import daemon` and `import events` still give python-daemon and Events, and all fit together."""
    theirs = "import daemon, events; print(daemon.DaemonContext.__module__, events.Events.__module__)"
    ours = "import hikaze.daemon, hikaze.events; print(hikaze.daemon.__file__, hikaze.events.__file__, sep='\\n')"

    assert run(installed / "python", "-c", theirs, folder=installed) == "daemon.daemon events.events\n"
    for line in run(installed / "python", "-c", ours, folder=installed).splitlines():
        assert Path(line).is_relative_to(installed.parent / "lib")
    run(installed / "python", "-m", "pip", "check", folder=installed)


@packaging
@slow_installs
def test_every_module_can_be_imported(installed: Path) -> None:
    """Every module of ours can be imported with nothing but the declared dependencies there, and without a warning."""
    modules = {".".join(Path(name).with_suffix("").parts) for name in shipped_files() if name.endswith(".py")}
    imported = ", ".join(sorted(modules - INSIDE_COMFYUI))

    run(installed / "python", "-W", "error", "-c", f"import {imported}", folder=installed)


@packaging
@slow_installs
def test_the_program_starts(installed: Path, tmp_path: Path) -> None:
    """The installed `hikazed` explains itself, serves its page from the wheel's own files, and stops when told."""
    assert "usage: hikazed" in run(installed / "hikazed", "--help", folder=tmp_path)

    command = [installed / "hikazed", "run", "--data", tmp_path / "data", "--listen", "127.0.0.1:0"]
    home = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, env=home, stdout=subprocess.PIPE, text=True) as daemon:
        try:
            assert daemon.stdout is not None
            ready = re.match(r"ready (http://127\.0\.0\.1:\d+) socket \S+\n", daemon.stdout.readline())
            assert ready is not None
            with urllib.request.urlopen(f"{ready[1]}/", timeout=10) as page:
                assert page.headers.get_content_type() == "text/html"
        finally:
            daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0


def pins(lock: str) -> set[tuple[str, str]]:
    """Give the names and versions that a file in the repository locks."""
    return set(re.findall(r"^([a-z0-9-]+)==(\S+)", (REPOSITORY / lock).read_text(), re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    """Give the names of the distributions that requirements ask for."""
    return {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}


LOCKS = sorted(path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("tests/comfyui/*.lock"))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", *LOCKS])
def test_a_lock_file_holds_names_and_hashes_only(name: str) -> None:
    """A lock file pins every package by hash, and names no host and no path of a machine."""
    text = (REPOSITORY / name).read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]

    assert [block.partition(" ")[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert re.findall(r"://|^\s*-(?!-hash=)\S+|(?<=\s)/\S+", text, re.MULTILINE) == []


def test_the_lock_files_hold_what_is_declared() -> None:
    """Every dependency that pyproject.toml declares is locked, at one version for running and for testing."""
    to_run, to_test = pins("requirements.lock"), pins("requirements-dev.lock")
    groups = PROJECT["dependency-groups"]

    assert names(PROJECT["project"]["dependencies"] + groups["build"]) <= dict(to_run).keys()
    assert names([line for line in groups["dev"] if isinstance(line, str)]) <= dict(to_test).keys()
    assert to_run <= to_test
