"""Records that one side of a session offered and the other refused (chapter 30).

Both sides keep the same two tables, so that both take the same ids off their digests: equal then means *complete but
for n*. Refused records are not offered again until both forget, which either may ask for in an opening.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from p2pcommons.core.limits import REFUSALS_MAX, REFUSALS_MS
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.message import PLANES, Refused


class Refusals:
    """What was refused of one commons, in both directions."""

    def __init__(self) -> None:
        self._by_us: tuple[dict[bytes, str], ...] = tuple({} for _ in PLANES)
        self._by_them: tuple[dict[bytes, str], ...] = tuple({} for _ in PLANES)
        self._charter = b""  # digest of our plane 0 when the last refusal was made or came
        self._since_ms = 0
        self._untold = False  # we refused more than the tables hold

    def __len__(self) -> int:
        return sum(len(table) for table in (*self._by_us, *self._by_them))

    def refuse(self, plane: int, refused: Mapping[bytes, str], charter: bytes, now_ms: int) -> Refused:
        """Note what this side refuses; the part of it that is new and is told to the peer."""
        table = self._by_us[plane]
        new = [(identifier, code) for identifier, code in refused.items() if identifier not in table]
        told = tuple(new[: REFUSALS_MAX - len(table)])
        self._untold = self._untold or len(told) < len(new)
        self._note(table, told, charter, now_ms)
        return told

    def take(self, plane: int, refused: Refused, charter: bytes, now_ms: int) -> None:
        """Note what the peer refuses. RemoteProtocolError `too_many_refusals`."""
        table = self._by_them[plane]
        self._note(table, refused, charter, now_ms)
        if len(table) > REFUSALS_MAX:
            raise RemoteProtocolError("too_many_refusals", f"the peer refuses more than {REFUSALS_MAX} records")

    def by_us(self, plane: int) -> Mapping[bytes, str]:
        """Ids this side refused: not to be asked for again."""
        return self._by_us[plane]

    def by_them(self, plane: int) -> Mapping[bytes, str]:
        """Ids the peer refused: not to be offered again, and off the digest of this side's set."""
        return self._by_them[plane]

    def are_stale(self, charter: bytes, now_ms: int) -> bool:
        """Whether it is worth offering again: the charter changed since, or time passed, or not all was told."""
        if not len(self):
            return False
        return self._untold or charter != self._charter or now_ms >= self._since_ms + REFUSALS_MS

    def forget(self) -> None:
        """Forget all, both sides at the same opening."""
        for table in (*self._by_us, *self._by_them):
            table.clear()
        self._untold = False

    def reasons(self) -> tuple[tuple[str, int], ...]:
        """How many records are refused for each reason, in the order of codes."""
        counted = Counter(code for table in (*self._by_us, *self._by_them) for code in table.values())
        return tuple(sorted(counted.items()))

    def _note(self, table: dict[bytes, str], refused: Iterable[tuple[bytes, str]], charter: bytes, now_ms: int) -> None:
        for identifier, code in refused:
            if not len(self):
                self._since_ms = now_ms
            table[identifier] = code
            self._charter = charter
