"""The rows of a commons' views and their sums, kept in step with its records (chapter 20, "Cost").

An entry is folded anew when a record about it comes. One with very many records is put off and folded by `tend`, at
most once in a while: else a member could make every further record cost a second. Which are put off is kept on disk,
in the transaction that puts them off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Generic

from p2pcommons.core.limits import SUBJECT_RECORDS_INLINE_MAX
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.sync.meaning import C, Meaning
from p2pcommons.sync.storage import CommonsState, EntryRow, EntryState, Store

_VIEWS_MODULUS = 1 << 256
_SUBJECTS_PER_STEP = 4096  # entries folded at once: some 10 MB


class Views(Generic[C]):
    """Makes rows and takes them into the sums; the sums themselves are its holding's."""

    def __init__(self, commons: CommonsId, store: Store, meaning: Meaning[C]) -> None:
        self._commons = commons
        self._store = store
        self._meaning = meaning
        kept = store.value(_name(commons)) or b""
        self.late: frozenset[bytes] = frozenset(kept[at : at + 32] for at in range(0, len(kept), 32))
        """Entries whose fold was put off."""

    def put(self, state: CommonsState, rows: Sequence[EntryRow], known: Mapping[bytes, EntryState]) -> CommonsState:
        """Write rows, `known` being what they replace; the sums after it. Within a transaction."""
        if not rows:
            return state
        views = state.views
        shown = state.entries
        for row in rows:
            before = known.get(row.subject)
            if before is not None:
                views -= int.from_bytes(before.digest, "big")
                shown -= before.shown
            views += int.from_bytes(row.digest, "big")
            shown += row.document is not None
        self._store.put_entries(self._commons, rows)
        return replace(state, views=views % _VIEWS_MODULUS, entries=shown)

    def fold(self, state: CommonsState, subjects: Iterable[bytes], charter: C) -> CommonsState:
        """Fold these entries anew, or put them off; the sums after it. Within a transaction."""
        for some in _steps(sorted(subjects)):
            heavy = self._store.crowded(self._commons, some, SUBJECT_RECORDS_INLINE_MAX)
            if heavy:
                self._put_off(self.late | heavy)
                some = [subject for subject in some if subject not in heavy]
            state = self._fold(state, some, charter)
        return state

    def tend(self, state: CommonsState, charter: C) -> CommonsState:
        """Fold what was put off; the sums after it. Within a transaction."""
        for subject in sorted(self.late):
            state = self._fold(state, [subject], charter)
        self._put_off(frozenset())
        return state

    def _fold(self, state: CommonsState, subjects: Sequence[bytes], charter: C) -> CommonsState:
        known = self._store.entries(self._commons, subjects)
        about = self._store.about(self._commons, subjects)
        rows = [
            self._meaning.row(subject, about[subject], charter)
            if subject in about
            else EntryRow(Subject(subject), None, None, bytes(32), None)  # no record is left: no part of the sum
            for subject in subjects
        ]
        return self.put(state, rows, known)

    def _put_off(self, late: frozenset[bytes]) -> None:
        if late != self.late:
            self.late = late
            self._store.put_value(_name(self._commons), b"".join(sorted(late)) or None)


def _name(commons: bytes) -> str:
    return f"late/{commons.hex()}"


def _steps(items: Sequence[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(items), _SUBJECTS_PER_STEP):
        yield list(items[start : start + _SUBJECTS_PER_STEP])
