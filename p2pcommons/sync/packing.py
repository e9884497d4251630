"""Records from a store, put into packs for a peer or a file (chapter 13)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from p2pcommons.core.limits import PACK_RECORDS_MAX, SALT_BYTES
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import CommonsId, Record, RecordId, commons_of, is_whole
from p2pcommons.core.seal import Seal, Sealed, pack_value
from p2pcommons.sync.storage import Key, Reader

Hidden = Callable[[Record], bool]
"""Whether an erasure in hand names this record: it then goes with its header alone."""

_TREES_KEPT = 4  # trees whose hashes are kept between frames: a stream walks through few at a time (0.5 MiB each)
_IDS_PER_READ = 512
_SEAL_WEIGHT = 250  # author, commons, signature and frame of a pack: records edited by hand have one each


class Packer:
    """Makes packs; remembers the trees it met last, since a large tree travels as several packs."""

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._trees: dict[Seal, dict[Span, bytes]] = {}
        self._damaged: list[RecordId] = []

    def packs(self, records: Sequence[Sealed], hidden: Hidden = lambda record: False) -> list[Any]:
        """One pack for each seal and plane among these records; those `hidden` go without their bodies."""
        groups: dict[tuple[Seal, int], list[tuple[int, Record]]] = {}
        for record, made, leaf in records:
            shown = record._replace(salt=None, body=None) if hidden(record) else record
            groups.setdefault((made, record.header.plane), []).append((leaf, shown))
        packs = []
        for (made, _), members in groups.items():
            members.sort(key=lambda member: member[0])
            known = {} if len(members) == made.tree_size else self._tree(made)
            packs.append(pack_value(made, known, members))
        return packs

    def page(
        self, commons: CommonsId, plane: int, after: Key | None, bytes_max: int, hidden: Hidden
    ) -> tuple[list[Any], Key | None, bool]:
        """Packs of the next records in order of (time, id), the last place given, and whether there were any."""
        records = self._store.page(commons, plane, after, records_max=PACK_RECORDS_MAX, bytes_max=bytes_max)
        if not records:
            return [], after, False
        records = _whole_trees_first(records)
        last = records[-1].record
        return self.packs(self._complete(records, hidden), hidden), Key(last.header.time, last.id), True

    def chosen(
        self, commons: CommonsId, plane: int, ids: Sequence[bytes], bytes_max: int, hidden: Hidden
    ) -> tuple[list[Any], list[bytes]]:
        """Packs of the records asked for, as many as fit, and the ids left for the next call."""
        fitting: dict[bytes, Sealed] = {}  # by id: who asks twice gets once, two leaves alike make no pack
        size = 0
        for start in range(0, len(ids), _IDS_PER_READ):
            part = ids[start : start + _IDS_PER_READ]
            found = {sealed.record.id: sealed for sealed in self._store.sealed(part)}
            for at, identifier in enumerate(part, start):
                sealed = found.get(RecordId(identifier))
                if sealed is None or sealed.record.header.plane != plane or commons_of(sealed.record) != commons:
                    continue
                if identifier in fitting:
                    continue
                size += weight(sealed) + _SEAL_WEIGHT
                if fitting and size > bytes_max:
                    return self.packs(self._complete(fitting.values(), hidden), hidden), list(ids[at:])
                fitting[identifier] = sealed
        return self.packs(self._complete(fitting.values(), hidden), hidden), []

    def damaged(self) -> list[RecordId]:
        """Records whose body was found, while packing since the last call, not to be the one their header names."""
        found, self._damaged = self._damaged, []
        return found

    def forget(self) -> None:
        """Drop what is remembered: trees may have changed."""
        self._trees.clear()

    def _complete(self, records: Iterable[Sealed], hidden: Hidden) -> list[Sealed]:
        # A body lost here is not offered as if it were erased: the record waits until it is whole again. Nor is one
        # that a bad disk changed: whoever was sent it would find the pack bad as a whole (SEAL-12).
        complete = []
        for sealed in records:
            if is_whole(sealed.record) or hidden(sealed.record):
                complete.append(sealed)
            elif sealed.record.body is not None:
                self._damaged.append(sealed.record.id)
        return complete

    def _tree(self, made: Seal) -> dict[Span, bytes]:
        known = self._trees.get(made)
        if known is None:
            known = self._store.tree(made)
            if len(self._trees) >= _TREES_KEPT:
                del self._trees[next(iter(self._trees))]
            self._trees[made] = known
        return known


def weight(sealed: Sealed) -> int:
    """The bytes a record takes in a pack, its seal apart."""
    record = sealed.record
    return len(record.header_bytes) + len(record.body or b"") + SALT_BYTES


def _whole_trees_first(records: list[Sealed]) -> list[Sealed]:
    """Leave a tree that was only begun for the next page, unless the page holds nothing else."""
    last = records[-1]
    at = len(records)
    while at and records[at - 1].seal == last.seal:
        at -= 1
    begun = len(records) - at
    return records[:at] if at and begun < last.seal.tree_size else records
