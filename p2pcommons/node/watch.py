"""The clock of this machine, and whether it can be believed before something is signed with it.

A record's time orders what people see and is there for ever: a small machine without a battery for its clock wakes
up in another year. So a clock that is behind this program's making, behind this person's own last record, or behind
most neighbours that the person chose, by more than ten minutes, is told, and nothing is signed until a person says
that it is right. One that is ahead of most of them is told too: what is signed with it waits for its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Final

from p2pcommons.core.limits import AHEAD_MS_MAX
from p2pcommons.errors import Conflict

BUILT_MS: Final = 1_793_491_200_000  # 1 November 2026: this program is not older than that
PEERS_MIN: Final = 3  # fewer neighbours cannot stop a person from writing by telling a wrong time
MOVED_MS_MIN: Final = 10_000  # less is how a clock is kept right, not how it is set


def _steady_ms() -> int:
    """Milliseconds that nobody sets, sleep of the machine included where the system counts it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return (time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)) // 1_000_000


class Watch:
    """Tells the time, and why it may be wrong. `trusted`: a person said that the clock is right, whatever it seems.

    `read_ms`: the clock that people set; `steady_ms`: one that nobody sets.
    """

    def __init__(
        self,
        *,
        trusted: bool = False,
        read_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        steady_ms: Callable[[], int] = _steady_ms,
    ) -> None:
        self._trusted = trusted
        self._right_now = False  # a person said so of the clock as it is, until it is set again
        self._read_ms = read_ms
        self._steady_ms = steady_ms
        self._apart_ms = read_ms() - steady_ms()
        self._last_own_ms: int | None = None
        self._ask_peers: Callable[[], Sequence[int]] = tuple

    def now_ms(self) -> int:
        """Unix milliseconds, right or wrong."""
        return self._read_ms()

    def moved_ms(self) -> int:
        """How far the clock was set ahead (behind: negative) since this was last asked; 0 where it was not set."""
        apart_ms = self._read_ms() - self._steady_ms()
        moved_ms = apart_ms - self._apart_ms
        self._apart_ms = apart_ms
        if abs(moved_ms) < MOVED_MS_MIN:
            return 0
        self._right_now = False
        return moved_ms

    def note_own(self, ms: int) -> None:
        """This person signed something at that time."""
        self._last_own_ms = ms if self._last_own_ms is None else max(ms, self._last_own_ms)

    def ask_peers(self, ask: Callable[[], Sequence[int]]) -> None:
        """Where to hear how far the clocks of neighbours are ahead of ours, in milliseconds."""
        self._ask_peers = ask

    def trust(self) -> int | None:
        """A person says that the clock is right as it is now: what was signed ahead of it was signed by a wrong one.

        The time of the last of that, if there is any.
        """
        self._right_now = True
        last_ms, now_ms = self._last_own_ms, self.now_ms()
        if last_ms is None or last_ms <= now_ms + AHEAD_MS_MAX:
            return None
        self._last_own_ms = now_ms
        return last_ms

    def fault(self) -> str | None:
        """Why the clock seems to be behind; None where nothing speaks against it."""
        if self._right_now:
            return None
        now_ms = self.now_ms()
        if now_ms < BUILT_MS - AHEAD_MS_MAX:
            return f"it says {_date(now_ms)}, which is before this program was made"
        if self._last_own_ms is not None and now_ms < self._last_own_ms - AHEAD_MS_MAX:
            return f"it says {_date(now_ms)}, and you wrote something at {_date(self._last_own_ms)}"
        off_ms = self._off_ms()
        return self._against_peers(now_ms, off_ms) if off_ms > AHEAD_MS_MAX else None

    def ahead(self) -> str | None:
        """Why the clock seems to be ahead. What is signed by it waits at others until its time, and is not lost."""
        off_ms = 0 if self._right_now else self._off_ms()
        return self._against_peers(self.now_ms(), off_ms) if off_ms < -AHEAD_MS_MAX else None

    def signing_ms(self) -> int:
        """The time to sign with. Conflict `clock-wrong`."""
        fault = None if self._trusted else self.fault()
        if fault is not None:
            raise Conflict(
                "clock-wrong",
                f"The clock of this machine seems wrong: {fault}. Set it, then try again; if it is right as it is now, "
                "say so: p2pcommons trust-clock",
            )
        now_ms = self.now_ms()
        self.note_own(now_ms)
        return now_ms

    def _off_ms(self) -> int:
        """How far most neighbours are ahead of this clock; 0 where they are too few to say."""
        ahead = self._ask_peers()
        return int(median(ahead)) if len(ahead) >= PEERS_MIN else 0

    @staticmethod
    def _against_peers(now_ms: int, off_ms: int) -> str:
        return f"it says {_date(now_ms)}, and most neighbours say {_date(now_ms + off_ms)}"


def _date(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "a time beyond all calendars"
