"""The tensors of what `torch.save` wrote: a ZIP archive with a pickle in it, or, before PyTorch 1.6, pickles in a row.

Nothing is unpickled: `pickled` follows the instructions without doing what they ask for. The formats:

- ZIP: APPNOTE.TXT 4.3, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
- what is in it: https://docs.pytorch.org/docs/stable/notes/serialization.html, `NAME/data.pkl` beside `NAME/data/0` ...
- before: `_legacy_save` of torch/serialization.py, a magic number, a version, facts of the system, then the object
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from .asked import Asked
from .parts import Format, Header, Kept, Malformed, Tensor, count_parameters
from .pickled import Walked, walk
from .symbols import Shaped, Thing

MAX_PICKLE = 16 * 1024 * 1024
"""The most bytes of a pickle that are read; that of a checkpoint with 5,000 tensors has 1 MiB."""

MAX_DIRECTORY = 32 * 1024 * 1024
"""The most bytes of an archive's list of contents that are read; each of its members takes some 100."""

MAX_TENSORS = 100_000
"""The most tensors that are taken of a pickle."""

_MAX_VISITS = 300_000  # values looked at on the way to the tensors: a pickle can hold one value in many places
_MAX_DEPTH = 32
_MAX_NAME = 1000
_MAX_NAMES = 16 * 1024 * 1024  # characters, of all names together
_MAX_NOTES = 64
_FIRST_READ = 1024 * 1024

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_OBJECT = 3  # the pickles before it: the magic number, the version, the system
_LEGACY_PICKLES = 5

_WRAPPERS = ("state_dict", "params_ema", "params-ema", "params", "model_state_dict", "model", "net")
"""Where in a dict of other things the tensors lie, best first: Stable Diffusion's checkpoints, then upscalers'."""


class _End(NamedTuple):
    """What the end of an archive tells: whether it is there, and where the list of contents lies."""

    complete: bool | None
    start: int = 0
    size: int = 0


class _Member(NamedTuple):
    name: bytes
    flags: int
    method: int
    packed: int
    size: int
    start: int


def read_zip(file: BinaryIO, size: int) -> tuple[Header, list[Tensor]]:
    """Read header and tensors of an open ZIP archive of `size` bytes. Raises OSError."""
    end = _find_end(file, size)
    try:
        pickles = list(_pickles(file, size, end)) if end.complete else []
    except Malformed as problem:
        return Header("zip", complete=end.complete, problem=str(problem)), []
    if not pickles:
        return Header("zip", complete=end.complete), []
    asked = Asked()
    walks = [walk(data, 0, asked) for data in pickles]
    problem = "has more than one list of tensors" if len(walks) > 1 else walks[0].problem
    return _told("zip", end.complete, walks[0], problem, asked)


def read_pickle(file: BinaryIO, size: int) -> tuple[Header, list[Tensor]]:
    """Read header and tensors of an open file of `size` bytes that begins with a pickle. Raises OSError."""
    length = _FIRST_READ
    while True:
        file.seek(0)
        data = file.read(min(length, MAX_PICKLE, size))
        asked = Asked()
        walks = list(_in_a_row(data, asked))
        if not walks[-1].short or len(data) >= min(MAX_PICKLE, size):
            break
        length *= 4
    subject = walks[_LEGACY_OBJECT] if len(walks) > _LEGACY_OBJECT else walks[-1]
    return _told("pickle", None, subject, walks[-1].problem, asked)


def is_whole(file: BinaryIO, size: int) -> bool | None:
    """Tell whether a ZIP archive's list of contents, which is written last, is there; None where that is unclear."""
    return _find_end(file, size).complete


def _in_a_row(data: bytes, asked: Asked) -> Iterator[Walked]:
    """Follow the first pickle, and those behind it where it is the magic number of an old file."""
    walked = walk(data, 0, asked)
    yield walked
    if walked.made != _LEGACY_MAGIC:
        return
    for _ in range(_LEGACY_PICKLES - 1):
        if walked.problem is not None:
            return
        walked = walk(data, walked.end, asked)
        yield walked


# Of what was made to tensors


def _told(
    kind: Format, complete: bool | None, walked: Walked, problem: str | None, asked: Asked
) -> tuple[Header, list[Tensor]]:
    tensors, too_much = _tensors(_unwrapped(walked.made))
    try:
        dtypes = count_parameters(tensors)
    except Malformed as error:
        tensors, dtypes, problem = [], {}, str(error)
    header = Header(
        kind,
        metadata=_notes(walked.made),
        tensor_count=len(tensors),
        parameters=sum(dtypes.values()),
        dtypes=dtypes,
        complete=complete,
        problem=problem or too_much,
        pickle_globals=tuple(asked.unusual),
    )
    return header, tensors


def _unwrapped(made: object) -> object:
    """Give the dict that holds the tensors."""
    for _ in range(2):
        inner = (
            next((made[key] for key in _WRAPPERS if isinstance(made.get(key), (dict, Thing))), None)
            if isinstance(made, dict)
            else None
        )
        if inner is None:
            break
        made = inner
    return made


def _tensors(made: object) -> tuple[list[Tensor], str | None]:
    """Give the tensors by their names, and a problem where there are more than any model has."""
    found: list[Tensor] = []
    characters = 0
    places = _places(made)
    for visits, (name, value) in enumerate(places):
        if isinstance(value, Shaped):
            found.append(Tensor(name, value.dtype, value.shape))
            characters += len(name)
        if visits >= _MAX_VISITS or len(found) >= MAX_TENSORS or characters > _MAX_NAMES:
            return found, "lists more tensors than are read"
    return found, None


def _places(made: object) -> Iterator[tuple[str, Any]]:
    """Give every value and its name, depth first and in order; what lies too deep is left out."""
    pending: list[Iterator[tuple[str, Any]]] = [iter([("", made)])]
    while pending:
        name, value = next(pending[-1], (None, None))
        if name is None:
            pending.pop()
            continue
        yield name, value
        if len(pending) < _MAX_DEPTH:
            pending.append(_children(name, value))


def _children(name: str, value: object) -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            members: Iterator[tuple[str, Any]] = iter(value.items())
        case list() | tuple():
            members = ((str(index), item) for index, item in enumerate(value))
        case Thing(dict() as state):
            members = _of_module(state)
        case _:
            return
    for key, member in members:
        full = f"{name}.{key}" if name else key
        yield (full if len(full) <= _MAX_NAME else full[:_MAX_NAME]), member


def _of_module(state: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give what an object of `torch.nn` holds as its `state_dict` names it, or all that another object holds."""
    parts = [state.get(part) for part in ("_parameters", "_buffers", "_modules")]
    if not any(isinstance(part, dict) for part in parts):
        yield from state.items()
        return
    for part in parts:
        if isinstance(part, dict):
            yield from part.items()


def _notes(made: object) -> dict[str, str]:
    """Give the plain values beside the tensors: an embedding's name and steps, a checkpoint's epoch."""
    kept = Kept()
    if isinstance(made, dict):
        plain = ((key, value) for key, value in made.items() if isinstance(value, (str, int, float)))
        for (key, value), _ in zip(plain, range(_MAX_NOTES), strict=False):
            text = f"{value:.8g}" if isinstance(value, float) else str(value)
            if kept.has_room(key, len(text)):
                kept.add(key, text)
    return kept.metadata


# ZIP

_END_RECORD = struct.Struct("<4s4H2IH")  # signature, disks, entries, directory's size and offset, comment's length
_END_LOCATOR = struct.Struct("<4sIQI")
_END_RECORD_64 = struct.Struct("<4sQ2H2I4Q")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_MAX_COMMENT = 65535
_WIDE = 0xFFFFFFFF  # stands where a number of four bytes does not do; the wide one follows among the extra fields
_STORED, _DEFLATED = 0, 8
_MAX_CANDIDATES = 4


def _find_end(file: BinaryIO, size: int) -> _End:
    length = min(size, _MAX_COMMENT + _END_RECORD.size + _END_LOCATOR.size)
    file.seek(size - length)
    tail = file.read(length)
    position = tail.rfind(b"PK\x05\x06")
    if position < 0 or len(tail) - position < _END_RECORD.size:
        return _End(False)
    record = _END_RECORD.unpack_from(tail, position)
    directory_size, offset, comment = record[5], record[6], record[7]
    if position + _END_RECORD.size + comment != len(tail):
        return _End(None)
    if offset == _WIDE:
        return _find_wide_end(file, size, tail[:position])
    if offset + directory_size > size - len(tail) + position:
        return _End(None)
    return _End(True, offset, directory_size)


def _find_wide_end(file: BinaryIO, size: int, before: bytes) -> _End:
    if len(before) < _END_LOCATOR.size:
        return _End(None)
    signature, _, offset, _ = _END_LOCATOR.unpack(before[-_END_LOCATOR.size :])
    if signature != b"PK\x06\x07" or offset >= size:
        return _End(None)
    file.seek(offset)
    record = file.read(_END_RECORD_64.size)
    if record[:4] != b"PK\x06\x06":
        return _End(None)
    if len(record) < _END_RECORD_64.size:
        return _End(True)
    *_, directory_size, start = _END_RECORD_64.unpack(record)
    return _End(True, start, directory_size)


def _pickles(file: BinaryIO, size: int, end: _End) -> Iterator[bytes]:
    """Give the bytes of `data.pkl`, first that of the folder PyTorch looks in. Raises Malformed and OSError."""
    if end.size > MAX_DIRECTORY:
        raise Malformed("has a list of contents too long to be read")
    file.seek(min(end.start, size))
    members = list(_members(file.read(end.size)))
    lists = [member for member in members if member.name.rpartition(b"/")[2] == b"data.pkl"]
    if not lists:
        return
    home = members[0].name.partition(b"/")[0] + b"/data.pkl"
    lists.sort(key=lambda member: member.name != home)
    for member in lists[:_MAX_CANDIDATES]:
        yield _content(file, member, end.start, [other.start for other in members if other is not member])


def _members(directory: bytes) -> Iterator[_Member]:
    position = 0
    while position + _ENTRY.size <= len(directory):
        entry = _ENTRY.unpack_from(directory, position)
        signature, flags, method, packed, size = entry[0], entry[3], entry[4], entry[8], entry[9]
        name_length, extra_length, comment_length, start = entry[10], entry[11], entry[12], entry[16]
        if signature != b"PK\x01\x02":
            raise Malformed("has a list of contents that makes no sense")
        position += _ENTRY.size
        name = directory[position : position + name_length]
        extra = directory[position + name_length : position + name_length + extra_length]
        if _WIDE in (packed, size, start):
            size, packed, start = _wide(extra, [size, packed, start])
        yield _Member(name, flags, method, packed, size, start)
        position += name_length + extra_length + comment_length


def _wide(extra: bytes, numbers: list[int]) -> list[int]:
    """Put the wide numbers of an entry's extra field in place of those that did not fit."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{min(length, len(extra) - position - 4) // 8}Q", extra, position + 4))
            return [next(values, number) if number == _WIDE else number for number in numbers]
        position += 4 + length
    return numbers


def _content(file: BinaryIO, member: _Member, end: int, others: list[int]) -> bytes:
    file.seek(min(member.start, end))
    local = file.read(_LOCAL.size)
    if len(local) < _LOCAL.size or local[:4] != b"PK\x03\x04":
        raise Malformed("has no list of tensors where it says")
    *_, name_length, extra_length = _LOCAL.unpack(local)
    start = member.start + _LOCAL.size + name_length + extra_length
    if file.read(name_length) != member.name or start + member.packed > end:
        raise Malformed("has no list of tensors where it says")
    if any(member.start <= other < start + member.packed for other in others):
        raise Malformed("has parts that overlap")
    if member.flags & 1 or member.method not in {_STORED, _DEFLATED}:
        raise Malformed("has a list of tensors that is encrypted, or packed in no way that is known")
    if max(member.packed, member.size) > MAX_PICKLE:
        raise Malformed(f"has a list of tensors of more than {MAX_PICKLE:,} bytes, which is not read")
    file.seek(start)
    packed = file.read(member.packed)
    return packed if member.method == _STORED else _inflated(packed, member.size)


def _inflated(packed: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)[:size]
    except zlib.error as error:
        raise Malformed("has a list of tensors that is damaged; download it again") from error
