"""What is said to find a difference: ranges, coded symbols, and the question for more of them (chapters 31, 32)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from p2pcommons.core.limits import RANGE_MESSAGE_BYTES_MAX, SKETCH_SYMBOLS_MAX
from p2pcommons.sync.fields import as_number, as_plane, as_slot, bad
from p2pcommons.sync.sketch import SYMBOL_BYTES


@dataclass(frozen=True, slots=True)
class Range:
    """A message of ranges (chapter 31)."""

    slot: int
    plane: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Symbols:
    """Coded symbols of the sender's set, from number `first` on; none: there are too many differences (chapter 32)."""

    slot: int
    plane: int
    first: int
    symbols: bytes


@dataclass(frozen=True, slots=True)
class More:
    """Asks for the symbols up to, not including, number `up_to` (chapter 32)."""

    slot: int
    plane: int
    up_to: int


def parse_range(fields: list[Any]) -> list[Any]:
    """The values of its frame. RemoteProtocolError `bad_message`."""
    slot, plane, body = fields
    if type(body) is not bytes or not 1 <= len(body) <= RANGE_MESSAGE_BYTES_MAX:
        bad(f"a message of ranges has 1 to {RANGE_MESSAGE_BYTES_MAX} bytes")
    return [as_slot(slot), as_plane(plane), body]


def parse_symbols(fields: list[Any]) -> list[Any]:
    """The values of its frame. RemoteProtocolError `bad_message`."""
    slot, plane, first, symbols = fields
    first = as_number(first, SKETCH_SYMBOLS_MAX - 1)
    if type(symbols) is not bytes or len(symbols) > (SKETCH_SYMBOLS_MAX - first) * SYMBOL_BYTES:
        bad(f"at most {SKETCH_SYMBOLS_MAX} symbols of {SYMBOL_BYTES} bytes were expected")
    if len(symbols) % SYMBOL_BYTES or (first and not symbols):
        bad(f"symbols of {SYMBOL_BYTES} bytes were expected")
    return [as_slot(slot), as_plane(plane), first, symbols]


def parse_more(fields: list[Any]) -> list[Any]:
    """The values of its frame. RemoteProtocolError `bad_message`."""
    slot, plane, up_to = fields
    return [as_slot(slot), as_plane(plane), as_number(up_to, SKETCH_SYMBOLS_MAX, 1)]
