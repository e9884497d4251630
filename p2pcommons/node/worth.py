"""What a peer's session costs this node, and what it brings: who only costs is served late (chapter 90).

Knows no session and no clock: times come in.
"""

from __future__ import annotations

from typing import Final

FREE_S: Final = 0.05  # of the engine's time, for nothing: a handshake and a comparison of usual sets
FREE_SHARE: Final = 0.005  # and this share of all time: what a quiet neighbour's rounds and confirmations take
CREDIT: Final = 2  # what work that brought records gives, for each second that it took


class Worth:
    """The balance of one session: seconds of the engine's time that brought nothing, less what is free."""

    def __init__(self, now_s: float) -> None:
        self._owed_s = 0.0
        self._at_s = now_s

    @property
    def is_late(self) -> bool:
        """Whether its work waits until there is no other, or has a small share of the time."""
        return self._owed_s > FREE_S

    def note(self, took_s: float, now_s: float, *, brought: bool) -> None:
        """Its work took so long, and brought records or nothing."""
        free = FREE_SHARE * (now_s - self._at_s)
        self._at_s = now_s
        self._owed_s = max(0.0, self._owed_s - free + (-CREDIT * took_s if brought else took_s))
