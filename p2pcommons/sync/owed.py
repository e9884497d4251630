"""What a peer is owed: records that are new here since both sets were last proved equal (chapter 30, "Rounds").

A copy is said to be the same as a peer's only while nothing is owed. Records are owed from the moment they are here;
they are owed no more when the peer confirmed them or told them itself, or when a later opening proves the sets equal.
Bounded: of more than is remembered, only the next proof frees. Knows no record and no message, ids come in.
"""

from __future__ import annotations

from collections.abc import Iterable

from p2pcommons.core.limits import GOSSIP_IDS_MAX


class Owed:
    """Of one commons within a session."""

    def __init__(self) -> None:
        self._before: set[bytes] = set()  # the last opening reckoned with these
        self._since: set[bytes] = set()
        self._more_before = False  # more than these: too many, or a change that came without ids
        self._more = False

    @property
    def count(self) -> int:
        """How many records are owed, at least; 0 only where none is."""
        found = len(self._before) + len(self._since)
        return max(found, 1) if self._more or self._more_before else found

    def add(self, ids: Iterable[bytes]) -> None:
        """These are new here, and the peer is not known to have them."""
        self._since.update(ids)
        if len(self._before) + len(self._since) > GOSSIP_IDS_MAX:
            self.add_more()

    def add_more(self) -> None:
        """Something is new here, and nobody says what."""
        self._since.clear()
        self._more = True

    def settle(self, ids: Iterable[bytes]) -> None:
        """The peer has these."""
        if self._before or self._since:
            given = list(ids)
            self._before.difference_update(given)
            self._since.difference_update(given)

    def opened(self) -> None:
        """An opening was made, of all that is here now."""
        self._before |= self._since
        self._since = set()
        self._more_before, self._more = self._more_before or self._more, False

    def proved(self) -> None:
        """The peer's opening was the same as that one."""
        self._before.clear()
        self._more_before = False
