"""File systems that may hang: each is touched by a process of its own, and who does not answer counts as away.

`FarDisks` sends each look where it belongs: what lies on this machine is looked at in threads, as `Disks` does,
and what lies on a network or FUSE file system (`mounts` tells without touching it) in the process of that.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import count, islice
from threading import Event
from typing import Any, TypeVar

from ...events.pathtext import shown, to_text
from .. import looking, mounts
from .. import roots as rooting
from ..disks import NEAR, Disks, NoAnswer, parted, way_to
from ..grounds import Absent
from ..hashing import Hashed, unheard
from ..looking import AsKnown, Fingerprint, Looked
from ..mounts import Mount
from ..names import are_models
from ..polling import Polling
from ..rootcheck import Identity
from ..roots import Root
from ..scan import Known, Look, look
from ..sidecars import look as sidecarlook
from ..sidecars.look import Asked, Beside
from ..sightings import Sighting
from ..watch import Hint, Watcher
from .call import no_answer
from .mounts import Resolver, far_points
from .place import Place

LIMIT_S = 30.0  # without a sign of life: a disk in a NAS may need 20 to spin up
BACK_OFF_S = (5.0, 300.0)  # first and longest pause before a silent file system is tried again; it doubles
PART = 2_000  # files of which a process is told at once: a few milliseconds of packing
PATIENCE_S = 5.0  # so long what lies on this machine waits for what links in it lead to

_Item = TypeVar("_Item")


class FarDisks(Disks):
    """Looks at this machine's own disks in threads, and at each far file system in a process."""

    def __init__(
        self,
        hint_source: Callable[[Callable[[Hint], None]], Watcher] = Watcher,
        polling: Polling | None = None,
        *,
        limit_s: float = LIMIT_S,
        back_off_s: tuple[float, float] = BACK_OFF_S,
        patience_s: float = PATIENCE_S,
        mounted: Callable[[], Sequence[Mount]] = mounts.read,
    ) -> None:
        """As `Disks`; `limit_s` is how long a far file system may show no sign of life, `mounted` the mount table."""
        super().__init__(hint_source, polling)
        self._limit_s = limit_s
        self._back_off_s = back_off_s
        self._patience_s = patience_s
        self._mounted = mounted
        self._mounts: list[Mount] = []
        self._far: dict[str, Mount] = {}
        self._tokens = count(1)
        self._places: dict[str, Place] = {}
        self._lanes: dict[int, str] = {}
        self._tops: dict[str, str] = {}  # where far mounts are entered: roots, and links in roots
        self._led_to: dict[int, set[str]] = {}  # roots on this machine, and the far mounts that links in them lead to

    def start(self, deliver: Callable[[Hint], None]) -> None:
        """Begin; hints go to `deliver`, from any thread."""
        super().start(deliver)
        self._deliver = deliver

    async def close(self) -> None:
        """Stop all watching, and end all processes."""
        await asyncio.gather(*(place.close() for place in self._places.values()))
        await super().close()

    # Which place

    async def find_lanes(self, roots: Sequence[Root]) -> None:
        """See on which mount each root lies now."""
        before, known = self._mounts, list(roots)
        self._mounts, self._far, self._lanes = await asyncio.to_thread(_lanes, self._mounted, known)
        self._tops |= {root.path: self._lanes[root.id] for root in known if root.id in self._lanes}
        if self._mounts != before:
            for place in self._places.values():
                place.try_now()
        for point in list(self._places):
            if point in self._far:
                self._places[point].is_now(self._far[point])
            else:
                await self._places.pop(point).close()

    def lane(self, root: Root) -> str:
        """Give the mount point of a root's far file system, `NEAR` where it lies on this machine."""
        return self._lanes.get(root.id, NEAR)

    def answers(self, path: str) -> bool:
        """Tell, from memory, whether the file system of a path in a root answers as far as is known."""
        if self.is_shut(path):
            return False
        silent = {point for point, place in self._places.items() if not place.answers}
        return not any(
            point in silent and (path == top or path.startswith(top.rstrip("/") + "/"))
            for top, point in self._tops.items()
        )

    async def free_space(self, roots: Sequence[Root]) -> dict[int, tuple[int, int]]:
        """Give, by root, the free and all bytes of its disk; left out are roots that are away, and far ones."""
        here = [root for root in roots if not root.offline]
        sorted_ = await self._sorted(here, lambda root: root.path)
        return await super().free_space(sorted_.get(NEAR, []))

    def _is_at_home(self, roots: Sequence[Root], point: str) -> bool:
        """Tell whether all those roots lie on a far mount themselves, and not only what links in them lead to."""
        return all(self.lane(root) == point for root in roots)

    def _place(self, point: str) -> Place:
        place = self._places.get(point)
        if place is None:
            mount = self._far.get(point)
            if mount is None:  # unmounted since it was found there
                raise no_answer(point)
            place = self._places[point] = Place(mount, self._limit_s, self._back_off_s, self._deliver)
        return place

    async def _sorted(self, items: Sequence[_Item], path_of: Callable[[_Item], str]) -> dict[str, list[_Item]]:
        """Sort items by the far mount point that their paths lead to."""
        if not self._far:
            return {NEAR: list(items)}
        return await asyncio.to_thread(_by_mount, items, path_of, self._far)

    async def _ask(self, point: str, name: str, *args: Any, patient: bool = True) -> Any:
        """Ask a place; who looks at this machine's own disks has less patience with it."""
        return await self._place(point).ask(name, *args, patience_s=None if patient else self._patience_s)

    # Roots

    async def as_before(self, roots: Sequence[Root]) -> list[bool]:
        """Tell of each root whether it is the folder it was. All of them lie in one lane."""
        point = self.lane(roots[0]) if roots else NEAR
        return await (super().as_before(roots) if point == NEAR else self._ask(point, "as_before", list(roots)))

    async def identify(self, path: str) -> Identity | None:
        """Tell which folder is at a root's path now; None when no folder can be reached there."""
        (point,) = await self._sorted([path], str)
        return await (super().identify(path) if point == NEAR else self._ask(point, "identify", path))

    async def any_as_known(self, files: Sequence[AsKnown]) -> bool:
        """Tell whether one of some files (path, size, mtime in ns) lies there as it is known."""
        for point, those in (await self._sorted(files, lambda file: file[0])).items():
            if await (super().any_as_known(those) if point == NEAR else self._ask(point, "any_as_known", those)):
                return True
        return False

    def told(self, root: Root) -> tuple[str, str] | None:
        """Say what hinders looking at a root, and its cure; None where nothing does."""
        path = shown(to_text(root.path))
        for point in [self.lane(root), *sorted(self._led_to.get(root.id, ()))]:
            place = self._places.get(point)
            if place is None or place.answers:
                continue
            at = shown(to_text(point))
            cure = (
                f"see to the machine or the network behind {at}; it is tried again every few minutes, and at once when"
                f" it is mounted anew (umount -l {at}, then mount it)"
            )
            if point == self.lane(root):
                return f"{path} does not answer; the models there count as away until it does", cure
            return f"{at}, where links in {path} lead, does not answer; what changes there is not seen", cure
        return None

    def _is_polled(self, root: Root) -> bool:
        return super()._is_polled(root) or self.lane(root) != NEAR or bool(self._led_to.get(root.id))

    # Watches

    async def watch(self, folder: str, shown_as: str | None = None) -> None:
        """Watch a folder. On a far file system that begins soon, and raises nothing: it is polled in any case."""
        (point,) = await self._sorted([shown_as or folder], str)
        if point == NEAR:
            await super().watch(folder, shown_as)
        else:
            await self._place(point).post("watch", folder, shown_as)

    def unwatch(self, folder: str, shown_as: str | None = None) -> None:
        """Stop watching what was watched with the same arguments."""
        super().unwatch(folder, shown_as)
        for place in self._places.values():
            place.tell("unwatch", folder, shown_as)

    # Folders

    async def _look(
        self,
        root: Root,
        known: dict[str, Known],
        others: Sequence[Root],
        under: str | None,
        followed: dict[str, str] | None,
        stop: Event,
    ) -> Look:
        open_, shut = parted(others)
        by_point = await self._sorted(open_, str)
        barred = await asyncio.to_thread(looking.identities, by_point.get(NEAR, []))
        closed = await asyncio.to_thread(_ways_to, shut, self._far) if shut and self._far else way_to(shut)
        (point,) = await self._sorted([under or root.path], str)
        if point != NEAR:
            at_home = self.lane(root) == point
            token = await self._tell_known(point, known)
            where = (root.path, token, barred, by_point.get(point, []), closed, root.endings)
            return await self._ask(point, "look", *where, under, followed, patient=at_home)
        found = await asyncio.to_thread(
            look,
            root.path,
            known,
            barred=barred,
            closed=closed,
            under=under,
            followed=followed,
            wanted=are_models(root.endings),
            stop=stop.is_set,
            is_far=_is_far(Resolver(self._far)) if self._far else None,
        )
        if under is None:
            self._led_to.pop(root.id, None)
        for place, links in (await self._sorted(found.far, str) if found.far else {}).items():
            if place != NEAR:
                self._led_to.setdefault(root.id, set()).add(place)
                self._tops |= dict.fromkeys(links, place)
                with contextlib.suppress(NoAnswer):  # what cannot be reached is not gone
                    token = await self._tell_known(place, _known_behind(links, known))
                    where = (root.path, token, barred, by_point.get(place, []), closed, root.endings)
                    found.join(await self._ask(place, "look_behind", *where, links, followed, patient=False))
        return found

    async def _tell_known(self, point: str, known: dict[str, Known]) -> int:
        """Tell a process what is known, in parts: to pack 100,000 files at once would hold up the event loop."""
        token, files = next(self._tokens), iter(known.items())
        while part := dict(islice(files, PART)):
            await self._ask(point, "know", token, part)
        return token

    async def folders_among(self, paths: Sequence[str]) -> list[str]:
        """Give those of some paths that are folders, or links to one."""
        found: list[str] = []
        for point, those in (await self._sorted(paths, str)).items():
            if point == NEAR:
                found += await super().folders_among(those)
            else:
                with contextlib.suppress(NoAnswer):  # the next look at what they lie in finds them
                    found += await self._ask(point, "folders_among", those, patient=False)
        return found

    # Pictures

    async def pictures_beside(self, folder: str, models: Sequence[str]) -> list[str | None]:
        """Give the picture that lies beside each of some models in a folder, None where there is none."""
        self._must_be_left_out(folder)
        (point,) = await self._sorted([folder], str)
        if point == NEAR:
            return await super().pictures_beside(folder, models)
        return await self._ask(point, "pictures_beside", folder, list(models), patient=False)

    async def picture_named(self, path: str) -> str | None:
        """Give the picture that has exactly a name of a model's companion."""
        (point,) = await self._sorted([path], str)
        if point == NEAR:
            return await super().picture_named(path)
        return await self._ask(point, "picture_named", path, patient=False)

    async def copy_picture(self, path: str, to: str, most: int) -> None:
        """Copy a picture of at most `most` bytes to a new file on a disk of this machine."""
        (point,) = await self._sorted([path], str)
        if point == NEAR:
            await super().copy_picture(path, to, most)
        else:
            await self._ask(point, "copy_picture", path, to, most)

    # Sidecars

    async def beside(
        self, places: Sequence[tuple[str, Sequence[Asked]]], *, lane: str = NEAR
    ) -> dict[str, list[Beside]]:
        """Give what lies beside some model files; left out are folders that are silent. Raises where `lane` is."""
        found: dict[str, list[Beside]] = {}
        for point, those in (await self._sorted(places, lambda place: place[0])).items():
            if point == NEAR:
                is_far = _is_far(Resolver(self._far)) if self._far else None
                found |= await asyncio.to_thread(sidecarlook.beside, self._folders, those, is_far=is_far)
                continue
            try:
                found |= await self._ask(point, "beside", list(those), patient=point == lane)
            except NoAnswer:
                if point == lane:
                    raise
        return found

    async def owners_of(self, folder: str, names: Sequence[str]) -> dict[str, str | None]:
        """Give the models in a folder that some of its files belong to."""
        (point,) = await self._sorted([folder], str)
        if point == NEAR:
            return await super().owners_of(folder, names)
        return await self._ask(point, "owners_of", folder, list(names), patient=False)

    # Files

    async def look_at_files(self, roots: Sequence[Root], files: Sequence[tuple[str, bool]]) -> list[Looked]:
        """Look at files (path, whether it was renamed to it) in the roots that are here."""
        sorted_ = await self._sorted(files, lambda file: file[0])
        looked = await super().look_at_files(roots, sorted_.pop(NEAR)) if NEAR in sorted_ else []
        for point, those in sorted_.items():
            mine = _roots_of(roots, [path for path, _ in those])
            try:
                looked += await self._ask(point, "look_at_files", mine, those, patient=self._is_at_home(mine, point))
            except NoAnswer:
                if self._is_at_home(mine, point):
                    raise
                # Behind links of a root on this machine: no more is known of them than that.
                looked += [Looked(path, root) for path, _ in those if (root := rooting.of_path(mine, path))]
        return looked

    async def sightings_of(self, taken: Sequence[Looked]) -> list[Sighting]:
        """Read what files at rest hold."""
        found: list[Sighting] = []
        for point, those in (await self._sorted(taken, lambda looked: looked.path)).items():
            if point == NEAR:
                found += await super().sightings_of(those)
                continue
            at_home = self._is_at_home([looked.root for looked in those], point)
            try:
                found += await self._ask(point, "sightings_of", those, patient=at_home)
            except NoAnswer:
                if at_home:
                    raise
        return found

    async def fingerprints(self, paths: Iterable[str]) -> dict[str, Fingerprint | None]:
        """Look at files: None where there is none; left out is what cannot be looked at."""
        found: dict[str, Fingerprint | None] = {}
        touched = [path for path in paths if not self.is_shut(path)]
        for point, those in (await self._sorted(touched, str)).items():
            if point == NEAR:
                found |= await super().fingerprints(those)
            else:
                with contextlib.suppress(NoAnswer):
                    found |= await self._ask(point, "fingerprints", those, patient=False)
        return found

    async def really_gone(self, roots: Sequence[Root], paths: Sequence[str], busy: set[str]) -> list[Absent]:
        """Give those of some paths at which nothing lies, in roots that are proven present after the look."""
        sorted_ = await self._sorted(paths, str)
        found = await super().really_gone(roots, sorted_.pop(NEAR), busy) if NEAR in sorted_ else []
        for point, those in sorted_.items():
            mine = _roots_of(roots, those)
            at_home = self._is_at_home(mine, point)
            try:
                found += await self._ask(point, "really_gone", mine, those, busy & set(those), patient=at_home)
            except NoAnswer:
                if at_home:
                    raise
        return found

    async def hash_file(self, path: str, stop: Event, progress: Callable[[int], None] = unheard) -> Hashed:
        """Hash a file; on a far file system nothing is heard of the progress."""
        self._must_be_open(path)
        (point,) = await self._sorted([path], str)
        return await (super().hash_file(path, stop, progress) if point == NEAR else self._ask(point, "hash_file", path))

    async def tail_of(self, path: str) -> str | None:
        """Give a digest of the end of a file's tensors; None of a far one, which is not read for that."""
        (point,) = await self._sorted([path], str)
        return await super().tail_of(path) if point == NEAR else None

    async def sighted(self, roots: Sequence[Root], path: str, hashed: Hashed) -> Sighting | None:
        """Look at a hashed file once more; None where it is not, or no more, what was hashed."""
        root = rooting.of_path(roots, path)
        (point,) = await self._sorted([path], str)
        if root is None or point == NEAR:
            return await super().sighted(roots, path, hashed)
        return await self._ask(point, "sighted", root, path, hashed)

    async def header_of(self, root: Root, wanted: AsKnown, type_: str | None) -> dict[str, Any] | None:
        """Read what a file of a root says of itself."""
        (point,) = await self._sorted([wanted[0]], str)
        if point == NEAR:
            return await super().header_of(root, wanted, type_)
        return await self._ask(point, "header_of", wanted, type_, patient=self._is_at_home([root], point))


def _known_behind(links: Sequence[str], known: dict[str, Known]) -> dict[str, Known]:
    those, tops = set(links), tuple(link + "/" for link in links)
    return {path: row for path, row in known.items() if path in those or path.startswith(tops)}


def _roots_of(roots: Sequence[Root], paths: Sequence[str]) -> list[Root]:
    """Give the roots that some paths lie in."""
    found = {root.id: root for path in paths if (root := rooting.of_path(roots, path)) is not None}
    return list(found.values())


def _ways_to(folders: Sequence[str], far: dict[str, Mount]) -> set[str]:
    """Give folders by their own paths and by the real ones of those above them, as far as these may be touched."""
    resolver = Resolver(far)
    above = [(resolver.resolved(os.path.dirname(path))[0], os.path.basename(path)) for path in folders]
    return {*folders, *(os.path.join(real, name) for real, name in above)}


def _is_far(resolver: Resolver) -> Callable[[str], bool]:
    return lambda path: resolver.mount_of(path) is not None


def _lanes(
    mounted: Callable[[], Sequence[Mount]], roots: list[Root]
) -> tuple[list[Mount], dict[str, Mount], dict[int, str]]:
    mounts_ = list(mounted())
    far = far_points(mounts_)
    resolver = Resolver(far)
    found = {root.id: resolver.mount_of(root.path) for root in roots} if far else {}
    return mounts_, far, {number: mount.point for number, mount in found.items() if mount is not None}


def _by_mount(items: Sequence[_Item], path_of: Callable[[_Item], str], far: dict[str, Mount]) -> dict[str, list[_Item]]:
    resolver = Resolver(far)
    found: dict[str, list[_Item]] = {}
    for item in items:
        mount = resolver.mount_of(path_of(item))
        found.setdefault(NEAR if mount is None else mount.point, []).append(item)
    return found
