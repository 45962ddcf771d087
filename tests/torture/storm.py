"""A process that does to the watched folders whatever programs and people do, from a seed, until it is told to stop.

`python -m tests.torture.storm SETTINGS` with a JSON file of `Settings`. Each operation that worked is a line of
its journal. Several storms work on the same folders and tear at each other's files; what fails for that is no fault.
"""

import dataclasses
import json
import os
import random
import shutil
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from . import contents

PIPE = "pipe"  # the name of named pipes, which a storm leaves alone once made: to open one is to wait for ever
AT_WORK = "at work\n"
"""What a process says to who started it as soon as it can be told to stop."""
DEEP = 70  # folders in a deep tree: some lie below the 64 levels that are looked at


@dataclasses.dataclass(frozen=True)
class Settings:
    """What one storm does. Times are in seconds.

    `roots` are the watched folders, `outside` one that is not. `symlinks`, `hardlinks`, `root_moves` and `deep` (trees
    deeper than what is looked at) let it make those. `keeps_time`: it rewrites files and gives them their old time
    back, which only a hint can tell. `made_anew` is a root that it deletes now and then with all that is in it.
    Beyond `most_files` it deletes rather than adds.
    """

    seed: int
    roots: list[str]
    outside: str
    journal: str
    pause: float = 0.02
    symlinks: bool = False
    hardlinks: bool = False
    root_moves: bool = False
    keeps_time: bool = False
    deep: bool = False
    made_anew: str = ""
    most_files: int = 260


class Storm:
    """One process's work."""

    def __init__(self, settings: Settings) -> None:
        """Make ready; nothing is touched yet."""
        self.rng = random.Random(settings.seed)  # noqa: S311 - dice, so that a storm can be repeated
        self.settings = settings
        self.pool = contents.pool()
        self.journal = open(settings.journal, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - open till the end
        self.stopped = False
        common: list[tuple[int, Callable[[], str | None]]] = [
            (12, self.create), (8, self.create_by_rename), (5, self.write_slowly), (4, self.append), (2, self.truncate),
            (5, self.overwrite), (6, self.replace), (8, self.copy), (14, self.move), (5, self.move_out_or_in),
            (7, self.move_tree), (2, self.copy_tree), (8, self.delete), (2, self.delete_tree), (2, self.touch),
            (2, self.chmod), (3, self.make_folder), (4, self.lay_picture), (2, self.lay_marker),
            (3, self.swap), (2, self.change_case), (1, self.burst), (2, self.lay_other),
        ]  # fmt: skip
        more: list[tuple[bool, int, Callable[[], str | None]]] = [
            (settings.deep, 2, self.make_deep),
            (settings.symlinks, 5, self.link_file),
            (settings.symlinks, 5, self.link_folder),
            (settings.hardlinks, 8, self.hardlink),
            (settings.root_moves, 1, self.move_root),
            (bool(settings.made_anew), 1, self.make_root_anew),
            (settings.keeps_time, 2, self.rewrite_keeping_time),
        ]
        self.deeds = common + [(weight, deed) for wanted, weight, deed in more if wanted]

    def run(self) -> int:
        """Work until stopped; gives how many operations were done."""
        done, parent = 0, os.getppid()
        while not self.stopped and os.getppid() == parent:  # with another parent it is forgotten: who began it died
            weights = [weight for weight, _ in self.deeds]
            deed = self.rng.choices([deed for _, deed in self.deeds], weights)[0]
            try:
                told = deed()
            except (OSError, shutil.Error):
                told = None  # another storm or the daemon was quicker
            if told is not None:
                done += 1
                self.journal.write(f"{time.time():.3f} {self.settings.seed} {deed.__name__} {told}\n")
            self.rest(self.settings.pause * self.rng.expovariate(1.0))
        return done

    def rest(self, seconds: float) -> None:
        """Wait, but not for long once it is told to stop."""
        until = time.monotonic() + seconds
        while not self.stopped and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    # Choosing

    def tree(self) -> tuple[list[str], list[str]]:
        """Give all files and folders there are below the roots, links not followed, in a fixed order."""
        files: list[str] = []
        folders: list[str] = []
        for root in self.settings.roots:
            folders.append(root)
            for where, below, names in os.walk(root):
                below[:] = sorted(name for name in below if not _is_sacred(root, where, name))
                folders += (f"{where}/{name}" for name in below if not os.path.islink(f"{where}/{name}"))
                files += (f"{where}/{name}" for name in sorted(names) if not name.startswith((".hikaze", PIPE)))
        return files, folders

    def a_file(self, *, plain: bool = False) -> str:
        """Choose a file; a `plain` one may be written to: it is no link, nor one of the names of a model's file that
        are no model's, at which nobody watches.
        """
        files, _ = self.tree()
        chosen = self.rng.choice(files or [self.nowhere()])
        if plain:
            info = os.lstat(chosen)
            is_model = chosen.lower().endswith(tuple(name.lower() for name in contents.MODEL))
            if not stat.S_ISREG(info.st_mode) or (info.st_nlink > 1 and not is_model):
                raise FileNotFoundError(chosen)
        return chosen

    def a_folder(self, *, inner: bool = False) -> str:
        """Choose a folder; an `inner` one is no root."""
        _, folders = self.tree()
        shallow = [folder for folder in folders if not inner or folder not in self.settings.roots]
        return self.rng.choice(shallow or [self.nowhere()])

    def nowhere(self) -> str:
        """Give a path at which nothing is."""
        return f"{self.settings.outside}/nowhere"

    def a_target(self) -> str:
        """Choose where a file may come to lie."""
        return f"{self.a_folder()}/{contents.a_name(self.rng)}"

    def content(self) -> bytes:
        """Choose what a file holds."""
        kind = self.rng.random()
        if kind < 0.86:
            return self.rng.choice(self.pool)
        return b"" if kind < 0.89 else self.rng.randbytes(self.rng.choice((1, 7, 600, 5_000)))

    def is_full(self) -> bool:
        """Tell whether there are enough files."""
        return len(self.tree()[0]) > self.settings.most_files

    # Deeds: each gives what it did, or None where it did nothing

    def create(self) -> str | None:
        """Write a file where it is to lie."""
        if self.is_full():
            return self.delete_tree()
        path, content = self.a_target(), self.content()
        with open(path, "xb") as file:
            file.write(content)
        return repr(path)

    def create_by_rename(self) -> str:
        """Write a file under a temporary name, and rename it."""
        path, content = self.a_target(), self.content()
        part = self.temporary(path)
        with open(part, "wb") as file:
            file.write(content)
        os.rename(part, path)
        return f"{part!r} {path!r}"

    def temporary(self, path: str) -> str:
        """Give the name under which a file may be made: beside it, as downloads are, or where nobody looks."""
        number = self.rng.randrange(1 << 30)
        folder, name = os.path.split(path)
        beside = (f"{path}.part", f"{folder}/{number}.tmp", f"{folder}/.{number}.safetensors")
        chosen = self.rng.choice((*beside, f"{self.settings.outside}/{number}"))
        return chosen if len(os.fsencode(name)) < 240 else f"{self.settings.outside}/{number}"

    def write_slowly(self) -> str | None:
        """Write a file bit by bit, closing it now and then; some are never finished."""
        if self.is_full():
            return self.delete()
        path, content = self.a_target(), self.rng.choice(self.pool)
        parts = self.rng.randrange(2, 6)
        step = len(content) // parts + 1
        finished = self.rng.random() < 0.8
        with open(path, "xb") as file:
            for at in range(0, len(content) if finished else len(content) // 2, step):
                file.write(content[at : at + step])
                file.flush()
                self.rest(self.rng.random() * 0.3)
                if self.stopped:
                    break
        return f"{path!r} {'whole' if finished and not self.stopped else 'broken off'}"

    def append(self) -> str:
        """Let a file grow."""
        path = self.a_file(plain=True)
        with open(path, "ab") as file:
            file.write(self.rng.randbytes(self.rng.choice((1, 8, 600))))
        return repr(path)

    def truncate(self) -> str:
        """Let a file shrink."""
        path = self.a_file(plain=True)
        with open(path, "r+b") as file:  # not by its path, which gives no hint: the closing of a writer does
            size = os.fstat(file.fileno()).st_size
            file.truncate(self.rng.choice((0, size // 2, max(0, size - 1))))
        return repr(path)

    def overwrite(self) -> str:
        """Write other content over a file, as a copy over it does."""
        path, content = self.a_file(plain=True), self.content()
        with open(path, "wb") as file:
            half = len(content) // 2
            file.write(content[:half])
            if self.rng.random() < 0.3:
                file.flush()
                self.rest(self.rng.random() * 0.2)
            file.write(content[half:])
        return repr(path)

    def replace(self) -> str:
        """Put another file in the place of one, in one step."""
        path, content = self.a_file(), self.content()
        part = self.temporary(path)
        with open(part, "wb") as file:
            file.write(content)
        os.replace(part, path)
        return f"{part!r} {path!r}"

    def rewrite_keeping_time(self) -> str:
        """Give a file other content of its size, and its old time."""
        same = [content for content in self.pool if len(content) == len(self.pool[0])]
        path = self.a_target()
        first, second = self.rng.sample(same, 2)
        with open(path, "xb") as file:
            file.write(first)
        self.rest(self.rng.random() * 4)
        before = os.lstat(path)
        if before.st_nlink > 1 or before.st_size != len(second):
            return repr(path)
        with open(path, "r+b") as file:
            file.write(second)
            file.flush()
            os.utime(file.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))
        return repr(path)

    def copy(self) -> str | None:
        """Copy a file; its time comes along or not."""
        if self.is_full():
            return self.delete()
        source, target = self.a_file(), self.a_target()
        how = shutil.copyfile if self.settings.keeps_time or self.rng.random() < 0.5 else shutil.copy2
        how(source, target)
        return f"{source!r} {target!r}"

    def move(self) -> str:
        """Rename a file, over another one perhaps, into another root perhaps."""
        source = self.a_file()
        keeps_name = self.rng.random() < 0.5
        target = f"{self.a_folder()}/{os.path.basename(source)}" if keeps_name else self.a_target()
        self.rename(source, target)
        return f"{source!r} {target!r}"

    def rename(self, source: str, target: str) -> None:
        """Rename, or on another disk copy and remove as programs do."""
        try:
            os.rename(source, target)
        except OSError:
            if os.lstat(source).st_dev == os.lstat(os.path.dirname(target)).st_dev:
                raise
            shutil.move(source, target)

    def move_out_or_in(self) -> str:
        """Move something out of the roots, or back into them."""
        away = sorted(os.listdir(self.settings.outside))
        if away and self.rng.random() < 0.5:
            source = f"{self.settings.outside}/{self.rng.choice(away)}"
            target = self.a_target() if os.path.isfile(source) else f"{self.a_folder()}/{contents.a_folder(self.rng)}"
        else:
            source = self.a_file() if self.rng.random() < 0.6 else self.a_folder(inner=True)
            target = f"{self.settings.outside}/{self.rng.randrange(1 << 30)}"
        self.rename(source, target)
        return f"{source!r} {target!r}"

    def move_tree(self) -> str:
        """Rename a folder with all that is in it."""
        source = self.a_folder(inner=True)
        target = f"{self.a_folder()}/{contents.a_folder(self.rng)}"
        self.rename(source, target)
        return f"{source!r} {target!r}"

    def copy_tree(self) -> str | None:
        """Copy a folder with all that is in it."""
        if self.is_full():
            return self.delete_tree()
        source = self.a_folder(inner=True)
        target = f"{self.a_folder()}/{contents.a_folder(self.rng)}"
        if target.startswith(source):
            return None
        how = shutil.copyfile if self.settings.keeps_time else shutil.copy2
        shutil.copytree(source, target, symlinks=True, copy_function=how)
        return f"{source!r} {target!r}"

    def delete(self) -> str:
        """Delete a file."""
        path = self.a_file()
        os.unlink(path)
        return repr(path)

    def delete_tree(self) -> str:
        """Delete a folder with all that is in it."""
        path = self.a_folder(inner=True)
        shutil.rmtree(path)
        return repr(path)

    def touch(self) -> str:
        """Give a file another time."""
        path = self.a_file(plain=True)
        with open(path, "ab"):
            os.utime(path)
        return repr(path)

    def chmod(self) -> str:
        """Forbid or allow reading something."""
        path = self.a_file(plain=True) if self.rng.random() < 0.6 else self.a_folder(inner=True)
        # Root reads all the same; who is not root could not find out either what lies there.
        os.chmod(path, self.rng.choice((0o000, 0o755, 0o700, 0o400) if os.geteuid() == 0 else (0o755, 0o700)))
        return repr(path)

    def make_folder(self) -> str:
        """Make a folder, with one in it and a file in that."""
        path = f"{self.a_folder()}/{contents.a_folder(self.rng)}"
        os.mkdir(path)
        if self.rng.random() < 0.5:
            inner = f"{path}/{contents.a_folder(self.rng)}"
            os.mkdir(inner)
            Path(f"{inner}/{contents.a_name(self.rng)}").write_bytes(self.content())
        return repr(path)

    def make_deep(self) -> str:
        """Make a tree that is deeper than what is looked at, with files on the way down."""
        path = f"{self.a_folder()}/deep{self.rng.randrange(4)}"
        if path.count("/d/") > DEEP:
            raise FileExistsError(path)
        for level in range(DEEP):
            path = f"{path}/d"
            if level % 20 == 0 or level > DEEP - 10:
                os.makedirs(path, exist_ok=True)
                Path(f"{path}/m{level}.safetensors").write_bytes(self.rng.choice(self.pool))
        return repr(path)

    def lay_picture(self) -> str:
        """Lay a picture beside a model."""
        path = self.a_file()
        picture = f"{os.path.splitext(path)[0]}{self.rng.choice(('.png', '.preview.png', '.PNG'))}"
        Path(picture).write_bytes(contents.picture(contents.COMPANION))
        return repr(picture)

    def lay_marker(self) -> str:
        """Say that a file is being downloaded, or that it is no more."""
        path = self.a_file() + self.rng.choice(contents.MARKERS)
        if os.path.lexists(path) or self.rng.random() < 0.5:
            os.unlink(path)
            return repr(path)
        Path(path).write_bytes(b"")
        return repr(path)

    def lay_other(self) -> str:
        """Lay something there that is neither file nor folder, or has nothing to do with models."""
        if self.rng.random() < 0.5:
            path = f"{self.a_folder()}/{PIPE}.safetensors"
            os.mkfifo(path)
        else:
            path = os.path.splitext(self.a_target())[0] + ".txt"
            Path(path).write_bytes(self.content())
        return repr(path)

    def swap(self) -> str:
        """Let two files change their names."""
        one, other, between = self.a_file(), self.a_file(), self.a_target()
        os.rename(one, between)
        os.rename(other, one)
        os.rename(between, other)
        return f"{one!r} {other!r}"

    def change_case(self) -> str:
        """Spell a file's name otherwise."""
        path = self.a_file()
        folder, name = os.path.split(path)
        target = f"{folder}/{name.swapcase()}"
        os.rename(path, target)
        return f"{path!r} {target!r}"

    def burst(self) -> str | None:
        """Unpack an archive: many files at once in a new folder, which may go as fast as it came."""
        if self.is_full():
            return self.delete_tree()
        folder = f"{self.a_folder()}/{contents.a_folder(self.rng)}"
        os.mkdir(folder)
        for number in range(self.rng.choice((20, 60))):
            Path(f"{folder}/{number}.safetensors").write_bytes(self.rng.choice(self.pool))
        if self.rng.random() < 0.5:
            self.rest(self.rng.random() * 3)
            shutil.rmtree(folder)
        return repr(folder)

    def link_file(self) -> str:
        """Make a link to a file, which may be anywhere or nowhere."""
        path = self.a_target()
        os.symlink(self.rng.choice((self.a_file(), self.nowhere(), path)), path)
        return repr(path)

    def link_folder(self) -> str:
        """Make a link to a folder: in the roots, above, outside, or nowhere."""
        path = f"{self.a_folder()}/{contents.a_folder(self.rng)}"
        outside = self.settings.outside
        away = [f"{outside}/{name}" for name in sorted(os.listdir(outside)) if os.path.isdir(f"{outside}/{name}")]
        targets = [self.a_folder(), self.a_folder(), os.path.dirname(path), ".", "..", f"{outside}/later", *away]
        os.symlink(self.rng.choice(targets), path)
        return repr(path)

    def hardlink(self) -> str:
        """Give a file one more name."""
        source, target = self.a_file(plain=True), self.a_target()
        os.link(source, target)
        return f"{source!r} {target!r}"

    def move_root(self) -> str:
        """Take a whole root away for a while, as when a drive is unplugged; something else may lie there meanwhile."""
        root = self.rng.choice(self.settings.roots)
        away = f"{root}-away{self.settings.seed}"
        os.rename(root, away)
        try:
            self.rest(self.rng.random() * 4)
            if self.rng.random() < 0.5:
                os.mkdir(root)
                Path(f"{root}/stranger.safetensors").write_bytes(self.rng.choice(self.pool))
                self.rest(self.rng.random() * 4)
        finally:
            shutil.rmtree(root, ignore_errors=True)
            os.rename(away, root)
        return repr(root)

    def make_root_anew(self) -> str:
        """Delete a root with all that is in it, and make an empty one in its place after a while."""
        shutil.rmtree(self.settings.made_anew, ignore_errors=True)
        self.rest(self.rng.random() * 4)
        os.makedirs(self.settings.made_anew, exist_ok=True)
        return repr(self.settings.made_anew)


def _is_sacred(root: str, where: str, name: str) -> bool:
    return (where == root and name == contents.LOST) or name.startswith(".hikaze")


def journal_lines(journals: Sequence[Path]) -> Iterator[str]:
    """Give what storms did, in the order of time."""
    lines = [line for journal in journals if journal.exists() for line in journal.read_text().splitlines()]
    return iter(sorted(lines))


def main(argv: Sequence[str]) -> int:
    """Rage until SIGTERM."""
    storm = Storm(Settings(**json.loads(Path(argv[0]).read_bytes())))

    def stop(*_: object) -> None:
        storm.stopped = True

    signal.signal(signal.SIGTERM, stop)
    sys.stdout.write(AT_WORK)
    sys.stdout.flush()
    done = storm.run()
    sys.stdout.write(f"{done}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
