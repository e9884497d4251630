"""Finding what differs, range by range: Negentropy protocol v1 over (time, id) (chapter 31).

Both sides answer statelessly from a `RangeIndex`: the client learns which ids only it has and which only the
other has, the server only answers. Fingerprints of ranges find differences and do not judge sameness: the digest
does (chapter 30). Knows no session: who speaks and how often is chapter 30's.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from hashlib import sha256
from typing import Final, NamedTuple

from p2pcommons.core.limits import RANGE_HAVE_MAX, RANGE_MESSAGE_BYTES_MAX, RANGE_MESSAGE_BYTES_MIN
from p2pcommons.errors import LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.range_index import ITEM_BYTES, RangeIndex

VERSION: Final = 0x61
FINGERPRINT_BYTES: Final = 16
ID_BYTES: Final = 32
INFINITY: Final = b"\xff" * 8
"""The bound behind every item. Other bounds: `u64be(time) ‖` the first 0 to 32 bytes of an id."""

# How ranges are split is each side's own business (chapter 31, "Choices").
_BRANCHES: Final = 16
_LIST_SERVER: Final = 24  # the server lists what it has (32 bytes each) below this; 16 fingerprints cost as much as 12
_LIST_CLIENT: Final = 3  # a client's list is answered by a list, so it asks by fingerprints where it can
_GROUP_CLIENT: Final = 4  # items per fingerprint, where both sides hold little
_LIST_FIRST: Final = 32  # a first message of so few ids saves a round
# Kept free in a message: skip to a bound of 43 bytes, then one fingerprint up to infinity.
_CLOSING_BYTES: Final = 44 + 3 + FINGERPRINT_BYTES


class Mode(IntEnum):
    """What a message says of a range."""

    SKIP = 0
    FINGERPRINT = 1
    IDS = 2


class Step(NamedTuple):
    """What a client learnt from one message, and what to send next (None: nothing is left to ask)."""

    message: bytes | None
    have: list[bytes]  # ids only we have
    need: list[bytes]  # ids only they have; theirs to prove: some may be known elsewhere in the set


class _Range(NamedTuple):
    bound: bytes
    mode: int
    payload: bytes  # fingerprint, or the ids in a row


def initiate(index: RangeIndex, frame_bytes_max: int = RANGE_MESSAGE_BYTES_MAX, *, lists_only: bool = False) -> bytes:
    """The client's first message. `lists_only` asks for every id and trusts no fingerprint (see `reconcile`)."""
    writer = _Writer(frame_bytes_max)
    size = len(index)
    if lists_only:
        ranges = [_ids_range(INFINITY, [])]
    elif size < _LIST_FIRST:
        ranges = [_ids_range(INFINITY, list(index.ids(0, size)))]
    else:
        ranges = _fingerprints(index, 0, size, INFINITY, _BRANCHES)
    writer.put(ranges)
    return writer.message()


def respond(index: RangeIndex, message: bytes, frame_bytes_max: int = RANGE_MESSAGE_BYTES_MAX) -> bytes:
    """The server's answer. RemoteProtocolError `bad_ranges` for what is no message.

    A message of a version that is not known is answered by one byte, the version that is.
    """
    if len(message) == 0 or message[0] >> 4 != VERSION >> 4:
        raise RemoteProtocolError("bad_ranges", "this is no message of ranges")
    if message[0] != VERSION:
        return bytes([VERSION])
    writer = _Writer(frame_bytes_max)
    lower = 0
    for bound, mode, payload in _read(message):
        upper = _position(index, bound)
        if mode == Mode.IDS:
            listed = _list_what_fits(index, lower, upper, bound, writer)
            if listed < upper:
                writer.close(_fingerprint(index, listed, len(index)))
                break
        elif mode == Mode.FINGERPRINT and payload != _fingerprint(index, lower, upper):
            if upper - lower < _LIST_SERVER:
                answer = [_ids_range(bound, list(index.ids(lower, upper)))]
            else:
                answer = _fingerprints(index, lower, upper, bound, _BRANCHES)
            if not writer.put(answer):
                writer.close(_fingerprint(index, lower, len(index)))
                break
        else:
            writer.skip(bound)
        lower = upper
    return writer.message()


def reconcile(
    index: RangeIndex,
    message: bytes,
    frame_bytes_max: int = RANGE_MESSAGE_BYTES_MAX,
    *,
    lists_only: bool = False,
    have_max: int = RANGE_HAVE_MAX,
) -> Step:
    """The client reads an answer of the server. RemoteProtocolError `bad_ranges` for what is no message.

    `index` is the same moment as at `initiate`. Each difference is told once, unless the server repeats itself.
    What would name more than `have_max` (at least 4) ids of ours in one step is asked for again in the next.
    With `lists_only` no fingerprint is believed: what is not listed is asked for as a list (for sets whose digests
    differ although ranges found nothing).
    """
    if message == b"" or message[0] != VERSION:
        raise RemoteProtocolError("bad_ranges", f"this is no message of ranges of version {VERSION & 15}")
    writer = _Writer(frame_bytes_max)
    have: list[bytes] = []
    need: list[bytes] = []
    lower = 0
    for bound, mode, payload in _read(message):
        upper = _position(index, bound)
        again: list[_Range] = []
        if mode == Mode.IDS:
            if len(have) + upper - lower <= have_max:
                ours, theirs = set(index.ids(lower, upper)), _unpack(payload)
                have += [identifier for identifier in index.ids(lower, upper) if identifier not in theirs]
                need += [identifier for identifier in theirs if identifier not in ours]
            elif upper - lower <= have_max:  # too much for one step: ask again
                again = _ask(index, lower, upper, bound, lists_only, whole=True)
            else:  # too much for any step: ask for parts
                again = _ask(index, lower, upper, bound, lists_only)
        elif mode == Mode.FINGERPRINT and (lists_only or payload != _fingerprint(index, lower, upper)):
            again = _ask(index, lower, upper, bound, lists_only, whole=lists_only)
        if not again:
            writer.skip(bound)
        elif not writer.put(again):
            if lists_only:
                writer.put([_ids_range(INFINITY, [])])
            else:
                writer.close(_fingerprint(index, lower, len(index)))
            break
        lower = upper
    return Step(writer.message() if writer.asks else None, have, need)


def _ask(
    index: RangeIndex, lower: int, upper: int, bound: bytes, lists_only: bool, *, whole: bool = False
) -> list[_Range]:
    """What a client asks about a range that differs."""
    size = upper - lower
    branches = 1 if whole else min(_BRANCHES, -(-size // _GROUP_CLIENT))
    if lists_only:
        return [_ids_range(end, []) for _, _, end in _parts(index, lower, upper, bound, max(branches, 1))]
    if size <= _LIST_CLIENT:
        return [_ids_range(bound, list(index.ids(lower, upper)))]
    return _fingerprints(index, lower, upper, bound, branches)


def _list_what_fits(index: RangeIndex, lower: int, upper: int, bound: bytes, writer: _Writer) -> int:
    """Answer a list by our list, as far as there is room; the position it reaches."""
    room = max(writer.room - 64, 0) // ID_BYTES
    reached = min(upper, lower + room)
    if reached < upper:
        if reached == lower:
            return lower
        bound = _bound_between(index, reached)
    writer.put([_ids_range(bound, list(index.ids(lower, reached)))])
    return reached


def _fingerprints(index: RangeIndex, lower: int, upper: int, bound: bytes, branches: int) -> list[_Range]:
    return [
        _Range(end, Mode.FINGERPRINT, _fingerprint(index, first, last))
        for first, last, end in _parts(index, lower, upper, bound, branches)
    ]


def _parts(index: RangeIndex, lower: int, upper: int, bound: bytes, branches: int) -> Iterator[tuple[int, int, bytes]]:
    """Cut positions into parts as equal as can be: first, last, upper bound of each."""
    size = upper - lower
    for branch in range(branches):
        first, last = lower + size * branch // branches, lower + size * (branch + 1) // branches
        yield first, last, bound if branch == branches - 1 else _bound_between(index, last)


def _ids_range(bound: bytes, ids: list[bytes]) -> _Range:
    return _Range(bound, Mode.IDS, b"".join(ids))


def _fingerprint(index: RangeIndex, lower: int, upper: int) -> bytes:
    total = index.sum(lower, upper).to_bytes(ID_BYTES, "little")
    return sha256(total + _varint(max(upper - lower, 0))).digest()[:FINGERPRINT_BYTES]


def _position(index: RangeIndex, bound: bytes) -> int:
    return len(index) if bound == INFINITY else index.index_of(bound)


def _bound_between(index: RangeIndex, position: int) -> bytes:
    """The shortest bound that has the items before `position` below it and the item at it above."""
    before, item = index.item(position - 1), index.item(position)
    if before[:8] != item[:8]:
        return item[:8]
    same = next(at for at in range(8, ITEM_BYTES) if before[at] != item[at])
    return item[: same + 1]


def _unpack(payload: bytes) -> dict[bytes, None]:
    return dict.fromkeys(payload[at : at + ID_BYTES] for at in range(0, len(payload), ID_BYTES))


class _Writer:
    """Puts ranges into one message, each as a whole or not at all, and keeps room for a closing fingerprint."""

    __slots__ = ("_bytes_max", "_out", "_skipped", "_time", "asks")

    def __init__(self, bytes_max: int) -> None:
        if bytes_max < RANGE_MESSAGE_BYTES_MIN:
            raise LocalProtocolError("bad_limit", f"a message of ranges needs {RANGE_MESSAGE_BYTES_MIN} bytes")
        self._out = bytearray([VERSION])
        self._bytes_max = bytes_max - _CLOSING_BYTES
        self._time = 0  # times of bounds are told as differences
        self._skipped: bytes | None = None
        self.asks = False  # whether anything but skips is in it

    @property
    def room(self) -> int:
        """Bytes left, a skip not written yet taken off."""
        return self._bytes_max - len(self._out) - (44 if self._skipped is not None else 0)

    def skip(self, bound: bytes) -> None:
        """Say nothing of what lies below a bound."""
        self._skipped = bound

    def put(self, ranges: list[_Range]) -> bool:
        """Add these ranges, or nothing and False if they do not fit."""
        if self._add(ranges, self._bytes_max):
            self.asks, self._skipped = True, None
            return True
        return False

    def close(self, fingerprint: bytes) -> None:
        """End early: everything behind the last bound is one range that may differ."""
        self._add([_Range(INFINITY, Mode.FINGERPRINT, fingerprint)], self._bytes_max + _CLOSING_BYTES)
        self.asks, self._skipped = True, None

    def message(self) -> bytes:
        """The bytes to send; a skip at the end is left out."""
        return bytes(self._out)

    def _add(self, ranges: list[_Range], bytes_max: int) -> bool:
        length, time = len(self._out), self._time
        if self._skipped is not None:
            self._write(_Range(self._skipped, Mode.SKIP, b""))
        for item in ranges:
            self._write(item)
        if len(self._out) <= bytes_max:
            return True
        del self._out[length:]
        self._time = time
        return False

    def _write(self, item: _Range) -> None:
        out = self._out
        if item.bound == INFINITY:
            out += b"\0\0"
        else:
            time = int.from_bytes(item.bound[:8], "big")
            out += _varint(1 + time - self._time)
            out.append(len(item.bound) - 8)
            out += item.bound[8:]
            self._time = time
        out.append(item.mode)
        if item.mode == Mode.IDS:
            out += _varint(len(item.payload) // ID_BYTES)
        out += item.payload


def _read(message: bytes) -> Iterator[_Range]:
    """The ranges of a message, one by one, bounds ascending. RemoteProtocolError where it stops being one."""
    if len(message) > RANGE_MESSAGE_BYTES_MAX:
        raise RemoteProtocolError("bad_ranges", f"a message of ranges is at most {RANGE_MESSAGE_BYTES_MAX} bytes")
    at, time, last = 1, 0, bytes(ITEM_BYTES)
    while at < len(message):
        if last == INFINITY:
            raise RemoteProtocolError("bad_ranges", "a range lies behind the end of all ranges")
        delta, at = _read_varint(message, at)
        length, at = _read_varint(message, at)
        if length > ID_BYTES:
            raise RemoteProtocolError("bad_ranges", "the bound of a range is longer than an id")
        prefix, at = _take(message, at, length)
        if delta == 0:
            bound = last = INFINITY  # RANGE-4: an id behind it means nothing (others pad it with zeros)
        else:
            time += delta - 1
            if time >= 2**64 - 1:
                raise RemoteProtocolError("bad_ranges", "the bound of a range has no time")
            bound = time.to_bytes(8, "big") + prefix
            padded = bound.ljust(ITEM_BYTES, b"\0")
            if padded < last:
                raise RemoteProtocolError("bad_ranges", "the bounds of ranges do not ascend")
            last = padded
        mode, at = _read_varint(message, at)
        if mode == Mode.SKIP:
            payload = b""
        elif mode == Mode.FINGERPRINT:
            payload, at = _take(message, at, FINGERPRINT_BYTES)
        elif mode == Mode.IDS:
            count, at = _read_varint(message, at)
            payload, at = _take(message, at, count * ID_BYTES)
        else:
            raise RemoteProtocolError("bad_ranges", "a range says something that version 1 does not know")
        yield _Range(bound, mode, payload)


def _take(message: bytes, at: int, length: int) -> tuple[bytes, int]:
    if length > len(message) - at:
        raise RemoteProtocolError("bad_ranges", "a message of ranges ends too early")
    return message[at : at + length], at + length


def _varint(number: int) -> bytes:
    """Base 128, most significant digit first, the high bit set on all but the last."""
    if number < 128:
        return bytes([number])
    digits = [number & 127]
    while number := number >> 7:
        digits.append(128 | number & 127)
    return bytes(reversed(digits))


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    number = 0
    for place in range(at, min(at + 10, len(message))):
        digit = message[place]
        if digit == 128 and place == at:
            raise RemoteProtocolError("bad_ranges", "a number is not in its shortest form")
        number = number << 7 | digit & 127
        if digit < 128:
            if number >= 2**64:
                break
            return number, place + 1
    raise RemoteProtocolError("bad_ranges", "a number is cut off or beyond 64 bits")
