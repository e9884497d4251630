"""How many items two sets may differ in, judged from the counts of their sketches, and how many symbols tell them.

Estimates choose how much to send and whether to try a sketch at all; nothing rests on them (chapter 32, "Estimates").
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt, lcm
from typing import Final

from p2pcommons.core.limits import SKETCH_SYMBOLS_MAX

HINT_COUNTS: Final = 16
"""Counts of cells 1 to 16, told in an opening: 16 bytes, and the estimate is mostly within a third of the truth."""

FIRST_SYMBOLS_MIN: Final = 8  # fewer are not worth a frame: 176 bytes tell three differences or so
_MORE_SYMBOLS_MIN: Final = 32
_FEW: Final = 32
_WEIGHT: Final = lcm(*range(1, HINT_COUNTS + 1))


def estimate(more: int, residue: Sequence[int]) -> int:
    """About how many items two sets differ in, at least abs(more).

    `more`: how many items more the one set has; `residue`: counts modulo 256 of cells 1, 2, … of the one without
    those of the other. An item is in cell i with a chance of p = 2/(i + 2), so the count there is around p·more and
    its square around that is d·p·(1 - p) on average: d is the mean of what each cell says of it.
    """
    if not residue:
        return abs(more)
    total = 0
    for i, count in enumerate(residue, 1):
        off = (count - (2 * more + (i + 2) // 2) // (i + 2) + 128) % 256 - 128
        total += off * off * (i + 2) * (i + 2) * _WEIGHT // i
    return max(total // (2 * _WEIGHT * len(residue)), abs(more))


def difference(ours: bytes, theirs: bytes) -> list[int]:
    """Counts of one sketch without those of another, modulo 256."""
    return [(a - b) % 256 for a, b in zip(ours, theirs, strict=True)]


def symbols_for(differences: int) -> int:
    """How many symbols tell so many differences nine times in ten, as measured."""
    return differences * 11 // 8 + 2 * isqrt(differences) + 4


def first_symbols(estimated: int, more: int) -> int:
    """How many symbols to send first, where one set has `more` items more.

    Small numbers a quarter above the estimate: that costs little, and saves a round. Where the estimate does not
    contradict it, the differences are taken to be on one side: somebody was away.
    """
    if 2 * estimated <= 3 * abs(more):
        estimated = abs(more)
    elif estimated <= _FEW:
        estimated = estimated * 5 // 4
    return min(max(symbols_for(estimated), FIRST_SYMBOLS_MIN), SKETCH_SYMBOLS_MAX)


def next_symbols(received: int, found: int, estimated: int) -> int:
    """How many symbols to ask for in all, where those received told `found` items and left an estimated rest.

    So many that a third portion is needed about once in a thousand times: a round trip costs more than symbols do.
    """
    error = estimated // 8 + 2 * isqrt(estimated)  # what stays unread is mostly more than it seems
    wanted = found + estimated + error
    enough = symbols_for(wanted) + 2 * isqrt(wanted)
    return min(max(enough, received + received // 4 + _MORE_SYMBOLS_MIN), SKETCH_SYMBOLS_MAX)
