"""The clock of this machine, and whether it can be believed before something is signed with it.

A record's time orders what people see and is there for ever: a small machine without a battery for its clock wakes
up in another year. So a clock that is behind this program's making, behind this person's own last record, or behind
most neighbours that the person chose, by more than ten minutes, is told, and nothing is signed until a person says
that it is right.
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


class Watch:
    """Tells the time, and why it may be wrong. `trusted`: a person said that the clock is right."""

    def __init__(
        self, *, trusted: bool = False, read_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._trusted = trusted
        self._read_ms = read_ms
        self._last_own_ms: int | None = None
        self._ask_peers: Callable[[], Sequence[int]] = tuple

    def now_ms(self) -> int:
        """Unix milliseconds, right or wrong."""
        return self._read_ms()

    def note_own(self, ms: int) -> None:
        """This person signed something at that time."""
        self._last_own_ms = ms if self._last_own_ms is None else max(ms, self._last_own_ms)

    def ask_peers(self, ask: Callable[[], Sequence[int]]) -> None:
        """Where to hear how far the clocks of neighbours are ahead of ours, in milliseconds."""
        self._ask_peers = ask

    def fault(self) -> str | None:
        """Why the clock seems to be behind; None where nothing speaks against it."""
        now_ms = self.now_ms()
        if now_ms < BUILT_MS - AHEAD_MS_MAX:
            return f"it says {_date(now_ms)}, which is before this program was made"
        if self._last_own_ms is not None and now_ms < self._last_own_ms - AHEAD_MS_MAX:
            return f"it says {_date(now_ms)}, and you wrote something at {_date(self._last_own_ms)}"
        ahead = self._ask_peers()
        if len(ahead) >= PEERS_MIN and median(ahead) > AHEAD_MS_MAX:
            return f"it says {_date(now_ms)}, and most neighbours say {_date(now_ms + int(median(ahead)))}"
        return None

    def signing_ms(self) -> int:
        """The time to sign with. Conflict `clock-wrong`."""
        fault = None if self._trusted else self.fault()
        if fault is not None:
            raise Conflict(
                "clock-wrong",
                f"The clock of this machine seems wrong: {fault}. Set it, then try again; if it is right, start with "
                "`p2pcommons up --trust-clock`.",
            )
        now_ms = self.now_ms()
        self.note_own(now_ms)
        return now_ms


def _date(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "a time beyond all calendars"
