"""What can happen in a story, and how all comes to rest in the end.

Every event takes the world and some numbers: it picks by them from what there is at that moment.
"""

import os

from hikaze.events.writer import Unwritable

from .chance import Happening, Numbers
from .judge import judge, judge_log
from .ondisk import (
    append,
    change_case,
    copy,
    create,
    crowd,
    delete,
    delete_folder,
    download,
    finish,
    hard_link,
    link_file,
    link_folder,
    make_folder,
    mark,
    move,
    move_folder,
    picture,
    recreate,
    rewrite,
    shorten,
    swap,
    touch,
    unplug,
)
from .people import (
    bring_in,
    bring_in_all,
    cancel,
    change_tag,
    choose_cover,
    give_picture,
    remove_picture,
    send_away,
    upload,
    write_model,
    write_pending,
)
from .simdisk import CONTENTS, MARKER, STEMS, content
from .simulation import WEATHER, Divergence, World

AT_REST = 10  # jobs in eight seconds: without anything to do there are four


def open_story(world: World, n: Numbers) -> None:
    """A library to begin with: files in all roots, most of them imported, with words and pictures."""
    for _ in range(2 + n.next() % 4):
        path = f"{n.pick(list(world.disk.roots.values()))}/{n.pick(STEMS[:4])}.safetensors"
        number = n.next() % CONTENTS
        world.tell(f"write content {number} to {path!r}")
        world.disk.put(path, content(number))
    world.pass_time(4.0)
    write_pending(world, n)
    give_picture(world, n)
    for _ in range(n.next() % 3):
        bring_in(world, n)
    bring_in_all(world, n)
    world.pass_time(4.0)


# The daemon, its hints and its time -------------------------------------------------------------------


def jobs(world: World, n: Numbers) -> None:
    """The daemon does a few things, and is in the midst of them when the next happens."""
    world.tell(f"a few jobs ({1 + n.values[0] % 20})")
    world.pass_jobs(1 + n.next() % 20)


def wait(world: World, n: Numbers) -> None:
    """Time passes."""
    seconds = n.pick((0.3, 1.2, 2.5, 6.0, 20.0))
    world.tell(f"{seconds} s pass")
    world.pass_time(seconds)


def weather(world: World, n: Numbers) -> None:
    """Hints come otherwise from now on."""
    world.weather = n.pick(WEATHER)
    world.tell(f"hints: {world.weather}")


def sleep(world: World, n: Numbers) -> None:
    """The computer sleeps: hints that wait are lost, and the clock that counts sleep tells of it."""
    if world.life is not None:
        world.asleep_s += n.pick((60.0, 5_000.0))
        world.tell(f"the computer has slept, {world.asleep_s} s in all")
        world.disk.hints.clear()
        world.pass_time(3.0)


def mount(world: World, n: Numbers) -> None:  # noqa: ARG001
    """Something is mounted somewhere."""
    if world.life is not None:
        world.tell("something is mounted")
        world.life.observer.mounted()


def overflow(world: World, n: Numbers) -> None:  # noqa: ARG001 - as all that can happen
    """The queue of hints overflows."""
    world.overflow()


def stop(world: World, n: Numbers) -> None:
    """The daemon is stopped, and started before the next event or at once."""
    world.stop()
    if n.is_one_in(2):
        world.start()


def kill(world: World, n: Numbers) -> None:
    """The daemon is killed, now or soon."""
    world.kill(n.pick((0, 1, 2, 3, 5, 8, 13, 21, 34)))


def lose_views(world: World, n: Numbers) -> None:
    """The daemon is killed, and the read tables are gone, as after a power cut perhaps."""
    world.kill()
    for name in ("views.db", "views.db-wal") if n.is_one_in(2) else ("views.db-wal",):
        if os.path.exists(f"{world.data}/{name}"):
            world.tell(f"{name} is lost")
            os.unlink(f"{world.data}/{name}")


def fill(world: World, n: Numbers) -> None:
    """The disk of the data folder is full for a while."""
    seconds = n.pick((0.5, 3.0, 15.0))
    world.tell(f"the disk is full for {seconds} s")
    world.up.library.full_until = world.up.loop.now + seconds


def scan(world: World, n: Numbers) -> None:  # noqa: ARG001
    """A person asks for a scan."""
    world.tell("scan")
    _scan(world)


def _scan(world: World) -> None:
    try:
        world.do(world.up.observer.scan(), at_most_s=600.0)
    except Unwritable as error:
        world.tell(f"  refused: {error}")


HAPPENINGS: dict[str, tuple[int, Happening]] = {
    "open_story": (0, open_story),
    "create": (12, create),
    "download": (3, download),
    "finish": (3, finish),
    "mark": (1, mark),
    "append": (2, append),
    "rewrite": (4, rewrite),
    "shorten": (1, shorten),
    "touch": (3, touch),
    "move": (9, move),
    "change_case": (1, change_case),
    "copy": (4, copy),
    "hard_link": (2, hard_link),
    "link_file": (2, link_file),
    "link_folder": (2, link_folder),
    "delete": (6, delete),
    "picture": (2, picture),
    "make_folder": (4, make_folder),
    "move_folder": (4, move_folder),
    "delete_folder": (2, delete_folder),
    "crowd": (1, crowd),
    "unplug": (2, unplug),
    "swap": (1, swap),
    "recreate": (1, recreate),
    "jobs": (15, jobs),
    "wait": (30, wait),
    "weather": (2, weather),
    "overflow": (1, overflow),
    "sleep": (1, sleep),
    "mount": (1, mount),
    "stop": (2, stop),
    "kill": (5, kill),
    "lose_views": (1, lose_views),
    "fill": (1, fill),
    "scan": (1, scan),
    "bring_in": (12, bring_in),
    "bring_in_all": (4, bring_in_all),
    "cancel": (1, cancel),
    "send_away": (2, send_away),
    "write_model": (3, write_model),
    "write_pending": (4, write_pending),
    "change_tag": (1, change_tag),
    "upload": (2, upload),
    "give_picture": (2, give_picture),
    "remove_picture": (1, remove_picture),
    "choose_cover": (1, choose_cover),
}
"""What can happen, how often beside the rest, and how."""


# The end ----------------------------------------------------------------------------------------------


def come_to_rest(world: World) -> None:
    """Let the storm end, and see that the library tells the truth: by the hints alone, where none were lost.

    A scan tells it in any case, a second one finds nothing new, and a replay of the log gives the same read tables.
    """
    _end_the_storm(world)
    if not (world.blind or world.aliases or world.disk.is_silent):
        _rest(world)
        world.tell("judged by the hints alone")
        judge(world)
    _scan(world)
    _rest(world)
    world.tell("judged after a scan")
    judge(world)
    head = world.up.library.news.head
    _scan(world)
    _rest(world)
    events = world.events(world.up, head)
    if events:
        raise Divergence("divergence", f"a second scan wrote {[(each['type'], each['data']) for each in events[:3]]}")
    world.stop()
    judge_log(world.data)


def _end_the_storm(world: World) -> None:
    world.tell("the storm ends")
    disk = world.disk
    if world.life is not None:
        world.life.loop.die_after(None)
        world.life.library.full_until = min(world.life.library.full_until, 1.0)
    for name in list(disk.parked):
        world.plug_in(name)
    for each in list(disk.open):
        disk.finish(each)
    for path in disk.files():
        if path.endswith((MARKER, ".part")):
            disk.delete(path)
    for path in disk.models():
        lacking = disk.short.pop(os.stat(path).st_ino, None)
        if lacking is not None:
            disk.put(path, lacking)
    world.weather = "prompt" if world.weather in ("late", "scattered") else world.weather
    life = world.up
    world.pass_time(5.0)
    for name, path in disk.roots.items():
        row = life.library.db.execute("SELECT why FROM roots WHERE path = ? AND NOT removed", (path,)).fetchone()
        if row is not None and row[0] == "foreign":
            world.tell(f"{name} is taken out of the configuration once")
            world.stop()
            world.start(without=name)
            world.pass_time(5.0)
            world.stop()
            life = world.up
            world.pass_time(5.0)


def _rest(world: World) -> None:
    """Let time pass until nothing waits any more: a few seconds, or a minute where a file's pauses have grown."""
    waiting, under_way = list[tuple[str, str]](), dict[str, int]()
    for _ in range(30):
        life = world.up
        jobs_ = life.loop.jobs
        world.pass_time(8.0)
        waiting, under_way = life.observer.waiting(), life.importer.under_way()
        if not (waiting or any(under_way[each] for each in ("queued", "running")) or life.loop.jobs > jobs_ + AT_REST):
            return
    raise Divergence("fault", f"it never comes to rest: {under_way}, {waiting}")
