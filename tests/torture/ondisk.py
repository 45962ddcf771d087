"""What can happen on the disk of a story: to files, folders and roots. What cannot happen just now does not."""

import os

from PIL import Image

from .chance import Numbers
from .simdisk import CONTENTS, EXTENSIONS, FOLDERS, MARKER, STEMS, content, holds
from .simulation import World

MOST_FILES = 40
CROWD = 60


# Files ------------------------------------------------------------------------------------------------


def _new_path(world: World, n: Numbers) -> str | None:
    folders = _folders(world)
    if not folders or len(world.disk.files()) > MOST_FILES + CROWD:
        return None
    path = f"{n.pick(folders)}/{n.pick(STEMS)}{n.pick(EXTENSIONS)}"
    return None if os.path.isdir(path) or os.path.islink(path) else path


def _folders(world: World) -> list[str]:
    """Give the folders in which files come to lie: the roots more often than others."""
    roots = [path for path in world.disk.roots.values() if os.path.isdir(path)]
    return [*roots, *roots, *world.disk.folders()]


def _open_inodes(world: World) -> set[int]:
    return {each.ino for each in world.disk.open}


def _still(world: World, paths: list[str]) -> list[str]:
    """Give those files that nobody is writing just now."""
    busy = _open_inodes(world)
    return [path for path in paths if os.lstat(path).st_ino not in busy]


def create(world: World, n: Numbers) -> None:
    """A file is written, over another one perhaps."""
    path = _new_path(world, n)
    if path is not None and not (os.path.exists(path) and not _still(world, [path])):
        number = n.next() % CONTENTS
        world.tell(f"write content {number} to {path!r}")
        world.disk.put(path, content(number))


def download(world: World, n: Numbers) -> None:
    """A download begins: a file is open, or has a marker beside it."""
    path = _new_path(world, n)
    if path is None or os.path.lexists(path):
        return
    number = n.next() % CONTENTS
    data = content(number)
    done, preallocated = n.pick((0, 5, len(data) // 2, len(data))), n.is_one_in(3)
    world.tell(f"begin to write content {number} to {path!r}, {done} bytes first, {preallocated=}")
    world.disk.begin(path, data, done, preallocated=preallocated)


def finish(world: World, n: Numbers) -> None:
    """A download ends."""
    if world.disk.open:
        which = n.pick(world.disk.open)
        world.tell(f"finish {which.path!r}")
        world.disk.finish(which)


def mark(world: World, n: Numbers) -> None:
    """A downloader's marker comes beside a file, or goes."""
    markers = [path for path in world.disk.files() if path.endswith(MARKER)]
    files = [path for path in world.disk.models() if len(os.path.basename(os.fsencode(path))) < 200]
    if markers and n.is_one_in(2):
        path = n.pick(markers)
        world.tell(f"delete {path!r}")
        world.disk.delete(path)
    elif files:
        path = n.pick(files) + MARKER
        if not os.path.lexists(path):
            world.tell(f"write {path!r}")
            world.disk.put(path, b"aria2")


def append(world: World, n: Numbers) -> None:
    """Something is written at a file's end."""
    if files := _still(world, world.disk.models()):
        path = n.pick(files)
        world.tell(f"append to {path!r}")
        world.disk.append(path, bytes([n.next() % 256]) * (1 + n.next() % 3))


def rewrite(world: World, n: Numbers) -> None:
    """A file gets other content in place."""
    if files := _still(world, world.disk.models()):
        path, number = n.pick(files), n.next() % CONTENTS
        world.tell(f"write content {number} over {path!r}")
        world.disk.put(path, content(number))


def shorten(world: World, n: Numbers) -> None:
    """A file loses its end, or gets it back."""
    if files := _still(world, world.disk.models()):
        path = n.pick(files)
        lacking = world.disk.short.pop(os.stat(path).st_ino, None)
        if lacking is not None:
            world.tell(f"make {path!r} whole again")
            world.disk.put(path, lacking)
        else:
            world.tell(f"shorten {path!r}")
            world.disk.shorten(path)


def touch(world: World, n: Numbers) -> None:
    """A file gets another time, or other permission bits."""
    if files := world.disk.models():
        path = n.pick(files)
        if n.is_one_in(3):
            world.tell(f"chmod {path!r}")
            world.disk.mode(path, n.pick((0o600, 0o644, 0o400)))
        else:
            world.tell(f"touch {path!r}")
            world.blind = True  # no hint tells of it
            world.disk.touch(path)


def move(world: World, n: Numbers) -> None:
    """A file is renamed or moved, over another one perhaps."""
    files, folders = world.disk.files(), _folders(world)
    if not files or not folders:
        return
    path, folder = n.pick(files), n.pick(folders)
    if path.endswith(MARKER) or (os.path.islink(path) and os.path.isdir(path)):
        return
    name = f"{n.pick(STEMS)}{n.pick(EXTENSIONS)}" if n.is_one_in(2) else ""
    target = f"{folder}/{os.path.basename(path) if path.endswith('.png') else name or os.path.basename(path)}"
    if target == path or os.path.isdir(target) or _is_same(path, target):
        return
    if os.path.islink(path) and not os.path.isabs(os.readlink(path)):
        return
    world.tell(f"move {path!r} to {target!r}" + (" over what is there" if os.path.lexists(target) else ""))
    world.disk.move(path, target)


def _is_same(path: str, target: str) -> bool:
    return os.path.lexists(target) and os.lstat(path).st_ino == os.lstat(target).st_ino


def change_case(world: World, n: Numbers) -> None:
    """A file's name changes its case only."""
    if files := world.disk.models():
        path = n.pick(files)
        folder, name = os.path.split(path)
        target = f"{folder}/{name.swapcase()}"
        if not os.path.lexists(target):
            world.tell(f"move {path!r} to {target!r}")
            world.disk.move(path, target)


def copy(world: World, n: Numbers) -> None:
    """A file is copied, over another one perhaps, with its time perhaps."""
    files, target = _still(world, world.disk.models()), _new_path(world, n)
    if not files or target is None:
        return
    path, keeps_time = n.pick(files), n.is_one_in(3)
    if os.path.exists(target) and (_is_same(path, target) or keeps_time or not _still(world, [target])):
        return
    world.tell(f"copy {path!r} to {target!r}, {keeps_time=}")
    world.disk.copy(path, target, keeps_time=keeps_time)


def hard_link(world: World, n: Numbers) -> None:
    """A file gets a second name."""
    files, target = world.disk.models(), _new_path(world, n)
    if files and target is not None and not os.path.lexists(target):
        path = n.pick(files)
        world.tell(f"link {path!r} as {target!r}")
        world.disk.link(path, target)


def link_file(world: World, n: Numbers) -> None:
    """A symbolic link to a file is made, or to nothing."""
    target = _new_path(world, n)
    files = [*world.disk.models(), f"{world.disk.outside}/nothing.safetensors"]
    if target is not None and not os.path.lexists(target):
        path = n.pick(files)
        world.tell(f"symlink {target!r} -> {path!r}")
        world.aliases = True
        world.disk.symlink(path, target)


def link_folder(world: World, n: Numbers) -> None:
    """A symbolic link to a folder is made."""
    folders = world.disk.folders()
    if folders:
        leads_to, path = n.pick(folders), f"{n.pick(folders)}/to {n.next() % 3}"
        if not os.path.lexists(path):
            world.tell(f"symlink {path!r} -> {leads_to!r}")
            world.disk.symlink(leads_to, path)


def delete(world: World, n: Numbers) -> None:
    """A file or a link is deleted."""
    if files := world.disk.files():
        path = n.pick(files)
        world.tell(f"delete {path!r}")
        world.disk.delete(path)


def picture(world: World, n: Numbers) -> None:
    """A picture comes to lie beside a file."""
    if files := [path for path in world.disk.models() if len(os.path.basename(os.fsencode(path))) < 200]:
        path = os.path.splitext(n.pick(files))[0] + n.pick((".png", ".preview.png"))
        if not os.path.lexists(path):
            world.tell(f"put a picture at {path!r}")
            draft = f"{world.top}/draft.png"
            Image.new("RGB", (4, 4), "teal").save(draft, "PNG")
            with open(draft, "rb") as file:
                world.disk.put(path, file.read())


# Folders ----------------------------------------------------------------------------------------------


def make_folder(world: World, n: Numbers) -> None:
    """A folder is made."""
    if folders := world.disk.folders():
        path = f"{n.pick(folders)}/{n.pick(FOLDERS)}"
        if not os.path.lexists(path) and path.count("/") - str(world.top).count("/") < 5:
            world.tell(f"make the folder {path!r}")
            world.disk.make_folder(path)


def move_folder(world: World, n: Numbers) -> None:
    """A folder is moved with all that is below it."""
    below = world.disk.below()
    if not below:
        return
    path = n.pick(below)
    into = n.pick([folder for folder in world.disk.folders() if not holds(path, folder)])
    target = f"{into}/{n.pick(FOLDERS)}"
    if not os.path.lexists(target):
        world.tell(f"move the folder {path!r} to {target!r}")
        world.disk.move(path, target)


def delete_folder(world: World, n: Numbers) -> None:
    """A folder is deleted with all that is below it."""
    if below := world.disk.below():
        path = n.pick(below)
        world.tell(f"delete the folder {path!r}")
        world.disk.delete_tree(path)


def crowd(world: World, n: Numbers) -> None:
    """Many files arrive at once in a folder of their own, or leave at once, or come back."""
    here = [folder for folder in world.disk.folders() if os.path.basename(folder) == "crowd"]
    if here:
        path = here[0]
        target = f"{n.pick([world.disk.outside, *world.disk.roots.values()])}/crowd"
        if target != path and os.path.isdir(os.path.dirname(target)):
            world.tell(f"move the crowd {path!r} to {target!r}")
            world.disk.move(path, target)
            world.pass_time(n.pick((0.5, 3.0, 7.0, 20.0)))
    else:
        path = f"{n.pick(list(world.disk.roots.values()))}/crowd"
        if os.path.isdir(os.path.dirname(path)):
            world.tell(f"a crowd comes to {path!r}")
            world.disk.make_folder(path)
            for number in range(CROWD):
                world.disk.put(f"{path}/{number}.safetensors", content(100 + number))


# Roots ------------------------------------------------------------------------------------------------


def unplug(world: World, n: Numbers) -> None:
    """A root goes away, or comes back."""
    name = n.pick(list(world.disk.roots))
    if not world.disk.is_here(name):
        world.tell(f"{name} is plugged in again")
        world.plug_in(name)
    elif os.path.isdir(world.disk.roots[name]):
        world.tell(f"{name} is unplugged")
        world.unplug(name)


def swap(world: World, n: Numbers) -> None:
    """Another folder comes to lie where a root was: an empty mount point, another disk, a copy of it."""
    name = n.pick(list(world.disk.roots))
    if world.disk.is_here(name):
        world.unplug(name)
    if not os.path.isdir(world.disk.roots[name]):
        number = n.next() % CONTENTS
        files = n.pick(({}, {"other.safetensors": content(number)}))
        world.tell(f"another folder lies at {name}, with {list(files)}")
        world.disk.put_another(name, files)


def recreate(world: World, n: Numbers) -> None:
    """A root is deleted with all that is in it, and made anew."""
    name = n.pick(list(world.disk.roots))
    if world.disk.is_here(name):
        world.tell(f"{name} is deleted and made anew")
        world.disk.recreate(name)
