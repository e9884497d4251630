"""What records mean, folded once for all hosts of a large world: the folds are pure, and most hosts hold the same."""

from __future__ import annotations

from collections.abc import Iterable

from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.core.record import Record

_LARGE = 60  # hosts from which on the folds are shared
_JUDGED_MAX = 4096


class _Once(CommonsMeaning):
    """Judges each set of records once."""

    def __init__(self) -> None:
        self._judged: dict[frozenset[bytes], Charter] = {}

    def judge(self, records: Iterable[Record], commons: bytes) -> Charter:
        """As it is, or as it was for the same records."""
        given = list(records)
        if any(record.body is None for record in given):
            return super().judge(given, commons)
        name = frozenset(record.id for record in given)
        found = self._judged.get(name)
        if found is None:
            if len(self._judged) >= _JUDGED_MAX:
                self._judged.clear()
            found = self._judged[name] = judge(given, commons)
        return found


class SharedMeaning:
    """The meaning that the hosts of one world ask."""

    def __init__(self) -> None:
        self._plain = CommonsMeaning()
        self._once = _Once()

    def of(self, hosts: int) -> CommonsMeaning:
        """For a world of so many hosts."""
        return self._once if hosts >= _LARGE else self._plain
