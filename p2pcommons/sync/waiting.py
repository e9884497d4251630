"""Records of plane 0 that wait: to be judged together, or for a past that is not here yet (chapter 21).

What strangers can put here is bounded in bytes and in number, and judging it is put off so that many small frames
cost no more than one large one. Knows no store; what is in the set is its holding's to say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from p2pcommons.core.limits import PENDING_BYTES_MAX, PENDING_RECORDS_MAX, UNGROUNDED_BYTES_MAX, UNGROUNDED_MAX
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import Record
from p2pcommons.core.seal import Seal, Sealed
from p2pcommons.sync.packing import weight

_PUT_OFF = (
    16  # judged again when one record for each 16 that are known has come: about 16 ns of judging per ns of reading
)


class Waiting:
    """The waiting room of one commons. Filled by `put`, emptied by `admit` and `let_go`."""

    def __init__(self) -> None:
        self._records: dict[bytes, Sealed] = {}
        self._trees: dict[Seal, dict[Span, bytes]] = {}
        self._bytes = 0
        self._unjudged = 0

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, identifier: bytes) -> bool:
        return identifier in self._records

    @property
    def trees(self) -> Mapping[Seal, Mapping[Span, bytes]]:
        """What is known of the trees these records were sealed in."""
        return self._trees

    @property
    def is_unjudged(self) -> bool:
        """Whether anything came since the last judgement."""
        return self._unjudged > 0

    def is_due(self, known: int) -> bool:
        """Whether enough has come, beside `known` records of the set, to judge before the stream ends."""
        return self._unjudged > 0 and self._unjudged * _PUT_OFF >= known + len(self._records)

    def records(self) -> list[Record]:
        """All of them."""
        return [sealed.record for sealed in self._records.values()]

    def put(self, sealed: Sealed, tree: Mapping[Span, bytes]) -> bool:
        """Take one in; False where there is no room."""
        if sealed.record.id in self._records:
            return True
        size = _size(sealed, tree)
        if self._bytes + size > PENDING_BYTES_MAX or len(self._records) >= PENDING_RECORDS_MAX:
            return False
        self._records[sealed.record.id] = sealed
        self._trees.setdefault(sealed.seal, {}).update(tree)
        self._bytes += size
        self._unjudged += 1
        return True

    def among(self, ids: AbstractSet[bytes]) -> list[Sealed]:
        """Those of these ids that are here, in the order they came."""
        return [sealed for identifier, sealed in self._records.items() if identifier in ids]

    def admit(self, entered: Iterable[Sealed]) -> None:
        """These are in the set now."""
        for sealed in entered:
            del self._records[sealed.record.id]
        self._tidy()

    def judged(self) -> None:
        """All that is here was looked at."""
        self._unjudged = 0

    def let_go(self, waits: AbstractSet[bytes]) -> list[bytes]:
        """Keep a bounded number of those that may yet be grounded, latest first; all ids that were here."""
        were = list(self._records)
        kept: dict[bytes, Sealed] = {}
        size = 0
        for identifier in reversed(were):
            sealed = self._records[identifier]
            size += weight(sealed)
            if identifier in waits and len(kept) < UNGROUNDED_MAX and size <= UNGROUNDED_BYTES_MAX:
                kept[identifier] = sealed
        self._records = dict(reversed(kept.items()))
        self._tidy()
        return were

    def missing(self, of: Iterable[bytes], known: Collection[bytes]) -> Sequence[bytes]:
        """Ids that these records name, and that are neither known nor here."""
        named: set[bytes] = set()
        for identifier in of:
            sealed = self._records.get(identifier)
            if sealed is not None:
                named.update(sealed.record.header.prev)
        return sorted(one for one in named if one not in known and one not in self._records)

    def _tidy(self) -> None:
        live = {sealed.seal for sealed in self._records.values()}
        self._trees = {made: tree for made, tree in self._trees.items() if made in live}
        self._bytes = sum(_size(sealed, self._trees.get(sealed.seal, {})) for sealed in self._records.values())


def _size(sealed: Sealed, tree: Mapping[Span, bytes]) -> int:
    # A tree of many records is shared by them, one of a single listed record is its own.
    return weight(sealed) + 32 * (len(tree) // 16 if len(tree) > 64 else len(tree))
