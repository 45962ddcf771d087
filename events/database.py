"""What the log's and the read tables' files have in common: waiting for locks, write-ahead logs, a full disk."""

import errno
import os

import apsw

WAL_LIMIT = 64 << 20  # bytes: what a write-ahead log that grew beyond it is cut back to
BUSY_MS = 10_000  # how long a connection waits for another's lock
SHRINK_MS = 200  # how long writing waits for readers to be done with a write-ahead log that is too long
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def is_full(db: apsw.Connection) -> bool:
    """Tell whether the last error a connection met was the system's: no space, or none within the quota."""
    return db.system_errno in FULL


def wal_bytes(path: str) -> int:
    """Give the size of a database's write-ahead log, 0 where there is none."""
    try:
        return os.stat(path + "-wal").st_size
    except FileNotFoundError:
        return 0


def shrink(db: apsw.Connection) -> None:
    """Bring a write-ahead log into its database and start it anew, unless somebody reads it right now."""
    db.set_busy_timeout(SHRINK_MS)
    try:
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        pass
    finally:
        db.set_busy_timeout(BUSY_MS)
