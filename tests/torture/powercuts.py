"""Power cuts under the store: at any call, keeping any of what was not synced, again and again on what is left."""

import os
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from .faultvfs import Disk, Fault, disk
from .storelife import Ledger, run_life, wrong_in

CALLS_A_LIFE = 560  # what a life makes, and a bit
MOST_LIVES = 4
IMAGES = 6
KILLS = 0.3  # so many lives end with the program alone: the machine goes on
KEEPS = ("none", "all", "first", "any", "any", "any")
SHM = "/dev/shm"  # noqa: S108 - the fastest place for small files; the system's own where it is not there


@dataclass
class Cuts:
    """What came of some stories: `wrong` says with its seed what was lost, half or apart."""

    stories: int = 0
    crashes: int = 0
    images: int = 0
    promises: int = 0
    wrong: list[str] = field(default_factory=list[str])


def power_cuts(seed: int, stories: int) -> Cuts:
    """Tell stories of lives that power cuts end, from a seed on; each image a cut may leave is looked at."""
    cuts = Cuts()
    for number in range(seed, seed + stories):
        with tempfile.TemporaryDirectory(prefix="hk-power-", dir=SHM if os.path.isdir(SHM) else None) as folder:
            _story(number, Path(folder), cuts)
        cuts.stories += 1
    return cuts


def _story(seed: int, folder: Path, cuts: Cuts) -> None:
    dice, ledger, data = random.Random(seed), Ledger(seldom=seed % 2 == 0), folder / "0"  # noqa: S311
    killed: Disk | None = None
    for life in range(1, dice.randint(2, MOST_LIVES) + 1):
        with disk(f"hikaze-{seed}-{life}") as under:
            if killed is not None:
                data, before = folder / f"{life}-after-kill", data
                data.mkdir()
                under.inherit(killed, str(before), str(data))
            _plan(under, dice)
            run_life(str(data), ledger, dying=under.cut)
            cuts.crashes += 1
            if dice.random() < KILLS:
                killed = under
                continue
            images = [_image(under, data, folder / f"{life}-{number}", dice) for number in range(IMAGES)]
        killed, data = None, _copy(dice.choice(images), folder / str(life))  # the next life is on one of them
        for image in images:
            cuts.images += 1
            cuts.wrong += [f"seed {seed}, life {life}: {one}" for one in wrong_in(str(image), ledger)]
            shutil.rmtree(image)
    cuts.promises += ledger.promises


def _plan(under: Disk, dice: random.Random) -> None:
    """Cut the power at some call; now and then a sync fails before that."""
    under.powerless_at = dice.randint(1, CALLS_A_LIFE)
    if dice.random() < 0.3:
        under.plan = Fault("sync", dice.randint(1, 30))


def _image(under: Disk, data: Path, target: Path, dice: random.Random) -> Path:
    target.mkdir()
    under.crash_into(str(data), str(target), dice, dice.choice(KEEPS))
    return target


def _copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target
