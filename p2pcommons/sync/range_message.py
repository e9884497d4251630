"""Messages about ranges: Negentropy protocol v1 as bytes (chapter 31, "Messages").

Knows how a range, its bound and what is said of it are written, and nothing of what to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from p2pcommons.core.limits import RANGE_MESSAGE_BYTES_MAX, RANGE_MESSAGE_BYTES_MIN
from p2pcommons.errors import LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.range_index import ITEM_BYTES

VERSION: Final = 0x61
FINGERPRINT_BYTES: Final = 16
ID_BYTES: Final = 32
INFINITY: Final = b"\xff" * 8
"""The bound behind every item. Other bounds: `u64be(time) ‖` the first 0 to 32 bytes of an id."""

# Kept free in a message: skip to a bound of 43 bytes, then one fingerprint up to infinity.
_CLOSING_BYTES: Final = 44 + 3 + FINGERPRINT_BYTES


class Mode(IntEnum):
    """What a message says of a range."""

    SKIP = 0
    FINGERPRINT = 1
    IDS = 2


class RangeClaim(NamedTuple):
    """What a message says of one range: it ends at `bound`, and begins where the one before it ended."""

    bound: bytes
    mode: int
    payload: bytes  # the fingerprint (16 bytes), or the ids in a row (32 each)


class MessageWriter:
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

    def put(self, ranges: list[RangeClaim]) -> bool:
        """Add these ranges, or nothing and False if they do not fit."""
        if self._add(ranges, self._bytes_max):
            self.asks, self._skipped = True, None
            return True
        return False

    def close(self, fingerprint: bytes) -> None:
        """End early: everything behind the last bound is one range that may differ."""
        self._add([RangeClaim(INFINITY, Mode.FINGERPRINT, fingerprint)], self._bytes_max + _CLOSING_BYTES)
        self.asks, self._skipped = True, None

    def message(self) -> bytes:
        """The bytes to send; a skip at the end is left out."""
        return bytes(self._out)

    def _add(self, ranges: list[RangeClaim], bytes_max: int) -> bool:
        length, time = len(self._out), self._time
        if self._skipped is not None:
            self._write(RangeClaim(self._skipped, Mode.SKIP, b""))
        for item in ranges:
            self._write(item)
        if len(self._out) <= bytes_max:
            return True
        del self._out[length:]
        self._time = time
        return False

    def _write(self, item: RangeClaim) -> None:
        out = self._out
        if item.bound == INFINITY:
            out += b"\0\0"
        else:
            time = int.from_bytes(item.bound[:8], "big")
            out += varint(1 + time - self._time)
            out.append(len(item.bound) - 8)
            out += item.bound[8:]
            self._time = time
        out.append(item.mode)
        if item.mode == Mode.IDS:
            out += varint(len(item.payload) // ID_BYTES)
        out += item.payload


def read_claims(message: bytes) -> Iterator[RangeClaim]:
    """What a message says, range by range, bounds ascending. RemoteProtocolError where it stops being a message.

    Its version is the caller's to look at; what no claim reaches, up to infinity, is skipped.
    """
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
        yield RangeClaim(bound, mode, payload)


def _take(message: bytes, at: int, length: int) -> tuple[bytes, int]:
    if length > len(message) - at:
        raise RemoteProtocolError("bad_ranges", "a message of ranges ends too early")
    return message[at : at + length], at + length


def varint(number: int) -> bytes:
    """Bytes of a number: base 128, most significant digit first, the high bit set on all but the last."""
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
