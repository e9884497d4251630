"""What a replica asks of the meaning of records: declared here, answered by `p2pcommons.commons.meaning`.

Sync knows sets and bytes; who is admitted, what an erasure names and what an entry looks like come through
this small door.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar

from p2pcommons.core.record import Record
from p2pcommons.sync.storage import EntryRow


class CharterSets(Protocol):
    """The fold of plane 0, as far as sets depend on it (chapter 21)."""

    @property
    def set_ids(self) -> frozenset[bytes]:
        """The set of plane 0."""
        ...

    @property
    def ungrounded(self) -> frozenset[bytes]:
        """Records given whose past is not here."""
        ...

    @property
    def admitted(self) -> frozenset[bytes]:
        """Keys whose plane-1 records are in the set."""
        ...

    def counts(self, record: bytes, author: bytes) -> bool:
        """Whether this catalogue record of this key counts in views."""
        ...

    @property
    def limits(self) -> Mapping[bytes, tuple[frozenset[bytes], ...]]:
        """Keys of persons who are out and whose records count in part: back from these, of each removal."""
        ...

    @property
    def kept(self) -> frozenset[bytes]:
        """Records that count whatever limits say."""
        ...

    def reaching(self, reached: Mapping[bytes, frozenset[bytes]]) -> Self:
        """The same charter over a catalogue in which these records lie within the limits, by key."""
        ...

    @property
    def erasures(self) -> Mapping[bytes, object]:
        """For every record that some erasure names, a value that changes whenever `erased_fields` might."""
        ...

    def erased_fields(self, record_id: bytes, author: bytes) -> frozenset[str] | None:
        """The register fields that the erased record of this author had written; None where it is not erased."""
        ...

    @property
    def hidden(self) -> frozenset[bytes]:
        """Entries whose rows have no document: nobody finds them, whatever is in their views."""
        ...

    @property
    def name(self) -> str:
        """What people call the commons; empty where its founding record is not here."""
        ...

    @property
    def announced(self) -> bool:
        """Whether anybody may hear of it."""
        ...

    @property
    def digest(self) -> bytes:
        """32 bytes: hash of the charter view."""
        ...


C = TypeVar("C", bound=CharterSets)


class Meaning(Protocol[C]):
    """The folds that a replica keeps rows and sums of."""

    @property
    def vocabulary_version(self) -> int:
        """Nodes of one version that hold the same records have the same `state`."""
        ...

    def judge(self, records: Iterable[Record], commons: bytes) -> C:
        """The charter of all these plane-0 records, in any order."""
        ...

    def grown(self, charter: C, records: Iterable[Record]) -> C | None:
        """The charter of these plane-0 records and all that this one was judged from; None where that is to be judged.

        Whatever is waiting is among these records, and `charter` was judged from its set alone.
        """
        ...

    def single_row(self, record: Record, known: Any = None) -> EntryRow:
        """The entry that is one record: the fast path of `row`.

        `known`: what its body holds, or what this meaning makes of that, where it is at hand and need not be read again.
        """
        ...

    def row(self, subject: bytes, records: Sequence[Record], charter: C) -> EntryRow:
        """The entry that these records about one subject make."""
        ...
