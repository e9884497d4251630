"""Stamps: a little work that every joining key has done (chapter 21, stamps).

Knows no clock and no thread: a search runs over a slice of numbers that its caller chooses.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from p2pcommons.core.identity import TAG_STAMP

STAMP_BYTES: Final = 8


def stamp_holds(commons: bytes, way: bytes, author: bytes, stamp: bytes, bits: int) -> bool:
    """Whether `stamp` (8 bytes) pays for `author` to come in by `way` (the id of an invite or opening)."""
    if len(stamp) != STAMP_BYTES:
        return False
    return _value(sha256(TAG_STAMP + commons + way + author + stamp).digest()) >> (256 - bits) == 0


def search_stamp(
    commons: bytes, way: bytes, author: bytes, bits: int, *, start: int = 0, tries: int = 1 << 16
) -> bytes | None:
    """The first stamp among the numbers `start` to `start + tries` (exclusive), as u64 big-endian, or None.

    About 2^bits tries are needed, at 0.6 µs each. A caller goes on at `start + tries`, and may begin anywhere.
    """
    prepared = sha256(TAG_STAMP + commons + way + author)
    bound = 1 << (256 - bits)
    for number in range(start, min(start + tries, 1 << 64)):
        candidate = number.to_bytes(STAMP_BYTES, "big")
        hashing = prepared.copy()
        hashing.update(candidate)
        if _value(hashing.digest()) < bound:
            return candidate
    return None


def _value(digest: bytes) -> int:
    return int.from_bytes(digest, "big")
