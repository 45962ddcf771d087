"""When has a file come to rest? Pure: what was seen of the file, and both clocks, are arguments.

`Settling` keeps one small record for each file that is waiting and answers each look with a `Verdict`. It never
opens, sleeps or asks the time. Waits are counted on the monotonic clock; the wall clock serves only to see that
a file's own timestamps are old, and is not believed where they lie in its future.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

QUIET = 2.0
"""Seconds without a change after which a file on a local disk is at rest."""

NETWORK_QUIET = 15.0
"""The same for a file on another machine, whose writes reach us late."""

NETWORK_TRUST = 3600.0
"""Seconds. Another machine's clock may be wrong by less than this: younger files are judged by two looks."""

HOLES_QUIET = 60.0
"""Seconds without a change after which a file with holes is taken to be sparse, not preallocated."""

WRITING_BACK_OFF = (0.25, 5.0)
STALLED_BACK_OFF = (1.0, 60.0)
"""First and longest wait in seconds between two looks; it doubles. The second is for what may never finish."""

SHORTEST_WAIT = 0.05
"""Seconds. The rest of a wait is never so short that rounding could bring the next look too early for ever."""

MAX_CANDIDATES = 100_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What one look at a file saw.

    Sizes are in bytes. `temporary`: its name is a downloader's. `marker`: a downloader's control file lies beside
    it. `holes`: parts of it were never written. `writing`: some program has it open for writing, None where
    the system cannot tell. `shortfall`: what its header says is missing, as a sentence without its subject.
    `renamed`: it got this name by a rename, so that whoever made it has said that it is done.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    dev: int
    ino: int
    temporary: bool = False
    marker: bool = False
    holes: bool = False
    writing: bool | None = None
    shortfall: str | None = None
    renamed: bool = False

    @property
    def changed_ns(self) -> int:
        """When the file last changed by its own timestamps, in nanoseconds since 1970."""
        return max(self.mtime_ns, self.ctime_ns)

    @property
    def state(self) -> tuple[int, ...]:
        """What is equal in two looks at a file that nobody touched in between."""
        return (self.size, self.mtime_ns, self.ctime_ns, self.dev, self.ino)


@dataclass(frozen=True, slots=True)
class Taken:
    """The file has come to rest."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The file has not come to rest.

    `reason` is a sentence without its subject, for people. `again_at` is when to look again, in seconds of the
    monotonic clock; infinity where only a hint (a rename) can bring news.
    """

    reason: str
    again_at: float


Verdict = Taken | Waiting


@dataclass(frozen=True, slots=True)
class _Wait:
    """Why a file waits: for a time that is known, or with growing pauses while something lasts."""

    reason: str
    seconds: float | None = None
    back_off: tuple[float, float] = STALLED_BACK_OFF


@dataclass(slots=True)
class _Candidate:
    state: tuple[int, ...]
    since: float  # when this state was first seen
    moved: bool = False  # this look saw another state than the one before
    reason: str = ""
    again_at: float = -math.inf
    pause: float = 0.0


class Settling:
    """The files that are waiting to come to rest, by path.

    It holds at most `limit` of them, 100,000 if left out (some 50 MB); beyond that the one looked at longest ago
    is forgotten, and begins anew with the next look, which a scan brings. A file that is taken is forgotten; one
    that is gone has to be (`forget`).
    """

    def __init__(self, limit: int = MAX_CANDIDATES) -> None:
        """Begin with no file waiting."""
        self._limit = limit
        self._candidates: dict[str, _Candidate] = {}

    def look(self, path: str, facts: Facts, *, now: float, wall_ns: int, network: bool = False) -> Verdict:
        """Judge what was just seen of the file.

        `now` is the monotonic clock in seconds, `wall_ns` the wall clock in nanoseconds since 1970. A look before
        `again_at`, as a hint brings it, is welcome and does not lengthen the pauses.
        """
        candidate = self._candidate(path, facts, now)
        wait = _why_wait(facts, _rest(candidate, facts, now, wall_ns, network=network), network=network)
        if wait is None:
            self.forget(path)
            return Taken()
        _schedule(candidate, wait, now)
        return Waiting(candidate.reason, candidate.again_at)

    def forget(self, path: str) -> None:
        """Drop the file at this path, if it is waiting at all."""
        self._candidates.pop(path, None)

    def forget_those(self, is_left: Callable[[str], bool]) -> None:
        """Drop the waiting files that nobody looks at any more; a look that meets one begins anew."""
        for path in [path for path in self._candidates if is_left(path)]:
            self.forget(path)

    def waiting(self) -> list[tuple[str, str]]:
        """Give path and reason of every file that is waiting, the one looked at longest ago first."""
        return [(path, candidate.reason) for path, candidate in self._candidates.items()]

    def due(self, now: float) -> list[str]:
        """Give the paths whose time for another look has come."""
        return [path for path, candidate in self._candidates.items() if candidate.again_at <= now]

    def next_look(self) -> float:
        """Give when the first of them is due, in seconds of the monotonic clock; infinity where none is."""
        return min((candidate.again_at for candidate in self._candidates.values()), default=math.inf)

    def _candidate(self, path: str, facts: Facts, now: float) -> _Candidate:
        candidate = self._candidates.pop(path, None)
        if candidate is None:
            candidate = _Candidate(facts.state, now)
        else:
            candidate.moved = candidate.state != facts.state
            if candidate.moved:
                candidate.state, candidate.since = facts.state, now
        self._candidates[path] = candidate
        if len(self._candidates) > self._limit:
            del self._candidates[next(iter(self._candidates))]
        return candidate


def _rest(candidate: _Candidate, facts: Facts, now: float, wall_ns: int, *, network: bool) -> float:
    """Give for how many seconds the file is known not to have changed."""
    seen = now - candidate.since
    age = (wall_ns - facts.changed_ns) / 1e9
    return max(seen, age) if age >= (NETWORK_TRUST if network else 0) else seen


def _why_wait(facts: Facts, rest: float, *, network: bool) -> _Wait | None:
    quiet = NETWORK_QUIET if network else QUIET
    if facts.temporary:
        return _Wait("has the name of an unfinished download; it is taken when it gets its final name", math.inf)
    if facts.marker:
        return _Wait("is still being downloaded: the downloader's control file lies beside it")
    if facts.writing:
        return _Wait("is open for writing in another program; it is taken when that closes it", None, WRITING_BACK_OFF)
    if facts.size == 0:
        return _Wait("is empty; it is taken when it has content")
    if facts.shortfall is not None:
        return _Wait(facts.shortfall)
    if facts.holes and rest < HOLES_QUIET:
        return _Wait("has parts that are not written yet, as a download in progress has", HOLES_QUIET - rest)
    if not facts.renamed and rest < quiet:
        return _Wait("has just changed; it is taken when it stays as it is", quiet - rest)
    return None


def _schedule(candidate: _Candidate, wait: _Wait, now: float) -> None:
    # What still moves is no stalled download: its pauses begin anew.
    anew = wait.reason != candidate.reason or (candidate.moved and wait.back_off == STALLED_BACK_OFF)
    candidate.reason = wait.reason
    if wait.seconds is not None:
        candidate.pause, candidate.again_at = 0.0, now + max(wait.seconds, SHORTEST_WAIT)
    elif anew or now >= candidate.again_at:
        first, longest = wait.back_off
        candidate.pause = first if anew else min(max(candidate.pause * 2, first), longest)
        candidate.again_at = now + candidate.pause
