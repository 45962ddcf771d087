"""What can be wrong with the log, each said with its cure."""

REPAIR = (
    "stop the daemon and run `hikazed check` to see how far it goes, then put a backup in its place with"
    " `hikazed restore`"
)


class LogError(Exception):
    """The log could not be opened, read or written.

    LogError
    |-- WrongVersion         a stream is not at the version that was expected
    |-- NewerLog             only a newer program understands it
    `-- DamagedLog           it is not what was written
        `-- DamagedEvent     and this is the first event of which that is known
    """


class WrongVersion(LogError):
    """A stream is not at the version that was expected: somebody else wrote to it."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        """Say which stream, at which version it was expected, and at which it is."""
        super().__init__(f"{stream} is at version {actual}, not at {expected}; read it again and repeat the change")
        self.expected, self.actual = expected, actual


class DamagedLog(LogError):
    """What the log holds is not what was written to it; nothing may be written behind it."""

    def __init__(self, what: str) -> None:
        """Say what is damaged; the message adds the cure."""
        super().__init__(f"{what}; {REPAIR}")
        self.what, self.cure = what, REPAIR


class DamagedEvent(DamagedLog):
    """An event does not match its checksum, or is not there."""

    def __init__(self, position: int) -> None:
        """Say which position is damaged."""
        super().__init__(f"event {position} in the log is damaged")
        self.position = position


class NewerLog(LogError):
    """The log holds what only a newer program understands."""
