"""Record times: milliseconds and a counter, never going back for one key (chapter 12).

`time = unix_ms << 16 | counter`. Knows no clock: `now_ms` comes in.
"""

from __future__ import annotations

from typing import NewType

from p2pcommons.core.limits import AHEAD_MS_MAX, TIME_MAX
from p2pcommons.errors import LocalProtocolError

Time = NewType("Time", int)
"""Unix milliseconds << 16 | counter, below 2^63."""


def from_ms(ms: int) -> Time:
    """The first time within a millisecond."""
    return Time(ms << 16)


def to_ms(time: int) -> int:
    """Unix milliseconds of a record time."""
    return time >> 16


def next_time(now_ms: int, last: int | None) -> Time:
    """A key's next record time. `last`: its greatest time not more than 10 minutes ahead of now, if any."""
    time = now_ms << 16 if last is None else max(now_ms << 16, last + 1)
    if not 0 <= time <= TIME_MAX:
        raise LocalProtocolError("bad_time", "this machine's clock is outside the years a record can hold")
    return Time(time)


def is_later(time: int, now_ms: int) -> bool:
    """Whether a record of this time is too far ahead to be taken now (answered `later`)."""
    return time >> 16 > now_ms + AHEAD_MS_MAX
