"""The sketches of one commons as a replica keeps them: in memory, behind the rows, and now and then in the store.

A sketch is brought up when it is asked for: what came since is read from the store's log of arrivals. So it costs a
bulk batch nothing, and a start reads only what came after the last checkpoint. Whatever is lost or out of step shows
in the count of records, and then the sketch is made anew from the records (chapter 32).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from p2pcommons.core.limits import SKETCH_LAG_MAX
from p2pcommons.core.record import CommonsId, Plane
from p2pcommons.errors import LocalProtocolError, StoreError
from p2pcommons.sync.sketch import Sketch
from p2pcommons.sync.storage import Key, Reader, Store

_CHECKPOINT_EVERY: Final = 16_384  # records: some 40 ms to read again, and 3 bytes written for each
_KEYS_PER_READ: Final = 20_000
_PREFACE_BYTES: Final = 16  # of a checkpoint: the place in the log of arrivals, and the count


@dataclass(slots=True)
class _Kept:
    """The sketch of all records of one plane that had arrived at `place`; `saved`: how many a checkpoint holds."""

    sketch: Sketch
    count: int
    place: int
    saved: int


class Sketches:
    """Driven by its holding: `copy` for a session, `arrived` after bulk, `leave` and `left` around a purge."""

    def __init__(self, commons: CommonsId, store: Store) -> None:
        self._commons = commons
        self._store = store
        self._kept: dict[int, _Kept] = {}

    def copy(self, plane: int, count: int) -> Sketch:
        """The sketch of one plane, which holds `count` records, as it is now."""
        return self._brought_up(plane, count).sketch.copy()

    def arrived(self, plane: int, count: int) -> None:
        """Records came; very many are taken in at once rather than at the next opening."""
        kept = self._kept.get(plane)
        behind = count - (0 if kept is None else kept.count)
        if behind >= SKETCH_LAG_MAX:
            self._brought_up(plane, count)

    def leave(self, plane: int, ids: Sequence[bytes], count: int) -> None:
        """These records go: within the transaction that drops them, before it does. `count`: with them."""
        if not ids:
            return
        self._store.put_value(_name(self._commons, plane), None)
        if plane in self._kept:
            kept = self._brought_up(plane, count, may_save=False)
            kept.sketch.discard(ids)
            kept.count -= len(ids)
            kept.saved = 0

    def left(self) -> None:
        """The transaction that dropped records is done: places of the log that were theirs may come again."""
        place = self._store.arrivals()
        for kept in self._kept.values():
            kept.place = min(kept.place, place)

    def forget(self) -> None:
        """What is in memory may be out of step with the store."""
        self._kept.clear()

    def _brought_up(self, plane: int, count: int, *, may_save: bool = True) -> _Kept:
        kept = self._kept.get(plane) or self._read(plane)
        if kept is not None:
            self._catch_up(kept, plane)
        if kept is None or kept.count != count:
            kept = self._made_anew(plane)
        self._kept[plane] = kept
        if may_save and kept.count - kept.saved >= _CHECKPOINT_EVERY:
            self._save(kept, plane)
        return kept

    def _catch_up(self, kept: _Kept, plane: int) -> None:
        place = self._store.arrivals()
        if place != kept.place:
            ids = self._store.arrived(self._commons, plane, kept.place)
            kept.sketch.add(ids)
            kept.count += len(ids)
            kept.place = place

    def _made_anew(self, plane: int) -> _Kept:
        place = self._store.arrivals()
        sketch, count = Sketch(), 0
        ids = keys(self._store, self._commons, plane)
        while some := [key.id for key in islice(ids, _KEYS_PER_READ)]:
            sketch.add(some)
            count += len(some)
        return _Kept(sketch, count, place, 0)

    # -- checkpoints

    def _read(self, plane: int) -> _Kept | None:
        stored = self._store.value(_name(self._commons, plane))
        if stored is None:
            return None
        place, count = (int.from_bytes(stored[at : at + 8], "big") for at in (0, 8))
        try:
            return _Kept(Sketch.from_bytes(stored[_PREFACE_BYTES:]), count, place, count)
        except LocalProtocolError:
            return None  # of another make, or damaged: records are what counts

    def _save(self, kept: _Kept, plane: int) -> None:
        preface = kept.place.to_bytes(8, "big") + kept.count.to_bytes(8, "big")
        try:
            with self._store.transaction():
                self._store.put_value(_name(self._commons, plane), preface + kept.sketch.symbols())
        except StoreError:
            return  # a full disk: it costs time at the next start, no more
        kept.saved = kept.count


def keys(store: Reader, commons: CommonsId, plane: int) -> Iterator[Key]:
    """All places of one set in order."""
    after: Key | None = None
    while some := store.keys(commons, plane, after, _KEYS_PER_READ):
        yield from some
        after = some[-1]


def forget(store: Store, commons: CommonsId) -> None:
    """The checkpoints go with their commons, or because rows are made anew; within a transaction."""
    for plane in (Plane.CHARTER, Plane.CATALOGUE):
        store.put_value(_name(commons, plane), None)


def _name(commons: bytes, plane: int) -> str:
    return f"sketch/{commons.hex()}/{plane}"
