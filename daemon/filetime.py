"""The time of a file as all of us keep and compare it."""

import os

_FIRST_NS, _LAST_NS = -(1 << 63), (1 << 63) - 1  # what SQLite holds: 1677 to 2262; file systems go beyond


def mtime_ns(info: os.stat_result) -> int:
    """Give when a file was written last, in ns since 1970; beyond 2262 (or before 1677) the last moment there is."""
    return max(_FIRST_NS, min(info.st_mtime_ns, _LAST_NS))
