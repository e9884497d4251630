"""Sets of random ids without records, on which nothing but finding what differs is ever asked: what that costs in sets
of any size, without filling folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any, Final, cast

from p2pcommons.core.record import CommonsId
from p2pcommons.node.reconciling import Reconciled, meet
from p2pcommons.sync.choice import FEATURE
from p2pcommons.sync.digest import EMPTY, LANES_BYTES
from p2pcommons.sync.library import Library
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.session import FEATURES
from p2pcommons.sync.sketch import Sketch
from p2pcommons.sync.spread import Spread
from p2pcommons.sync.storage import Key, SetState

_COMMONS: Final = CommonsId(sha256(b"a commons").digest())
_NOW_MS: Final = 1_750_000_000_000
_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class BareSet:
    """So many ids: their sketch and, where ranges are to be tried, their places."""

    count: int
    sketch: Sketch
    ranges: RangeIndex

    @staticmethod
    def random(count: int, *, ranges: bool = False) -> BareSet:
        """Of random ids and times."""
        dice = Random(_SEED)
        ids = [dice.randbytes(32) for _ in range(count)]
        places = [(dice.randrange(_NOW_MS) << 16, identifier) for identifier in ids] if ranges else []
        return BareSet(count, Sketch(ids), RangeIndex(places))


def differing(base: BareSet, differences: int, dice: Random) -> tuple[BareLibrary, BareLibrary]:
    """Two libraries of the same ids but for so many, half of these on each side."""
    made = []
    for half in (differences // 2, differences - differences // 2):
        ids = [dice.randbytes(32) for _ in range(half)]
        sketch, ranges = base.sketch.copy(), base.ranges.copy()
        sketch.add(ids)
        if len(ranges):
            ranges.add([(dice.randrange(_NOW_MS) << 16, identifier) for identifier in ids])
        made.append(BareLibrary(base.count + half, sketch, ranges, ids))
    return made[0], made[1]


def meet_bare(one: BareLibrary, two: BareLibrary, dice: Random, *, by_ranges: bool = False) -> Reconciled:
    """What it costs them to find what differs; `by_ranges`: as with a peer that knows no sketch."""
    features = tuple(name for name in FEATURES if name != FEATURE) if by_ranges else FEATURES
    # Of records nothing is asked: there are none.
    libraries = cast(Library, one), cast(Library, two)
    return meet(*libraries, _NOW_MS, features=features, random=dice.randbytes, found=True)


class BareLibrary:
    """What a session asks of a library, for one commons that nobody writes in."""

    def __init__(self, count: int, sketch: Sketch, ranges: RangeIndex, own: Sequence[bytes]) -> None:
        self._sums = SetState(count, sha256(own[0] if own else b"").digest() * (LANES_BYTES // 32))
        self._sketch, self._ranges = sketch, ranges
        self._own = own

    def followed(self) -> list[CommonsId]:
        """The one commons."""
        return [_COMMONS]

    def state_number(self, commons: CommonsId) -> int:
        """It never changes."""
        return 1

    def set_state(self, commons: CommonsId, plane: int) -> SetState:
        """The charter of one record, the same on both sides; the set."""
        return self._sums if plane else SetState(1, EMPTY.lanes)

    def sketch(self, commons: CommonsId, plane: int) -> Sketch:
        """The sketch of the set."""
        return self._sketch.copy() if plane else Sketch()

    def ranges(self, commons: CommonsId, plane: int) -> RangeIndex:
        """The places of the set."""
        return self._ranges if plane else RangeIndex()

    def named(self, commons: CommonsId, plane: int, prefixes: Sequence[bytes]) -> list[list[bytes]]:
        """Its own ids that begin so."""
        size = len(prefixes[0]) if prefixes else 0
        found = {identifier[:size]: identifier for identifier in self._own}
        return [[found[prefix]] if prefix in found else [] for prefix in prefixes]

    def packs(
        self, commons: CommonsId, plane: int, ids: Sequence[bytes], bytes_max: int
    ) -> tuple[list[Any], list[bytes]]:
        """There are no records."""
        return [], []

    def _nothing(self, *arguments: Any) -> tuple[()]:
        return ()

    announced = missing = lacking = wanted_bodies = settle = _nothing

    def spread(self, commons: CommonsId) -> Spread:
        """Nothing is spread."""
        return Spread()

    def cursor(self, commons: CommonsId, plane: int) -> Key | None:
        """No stream was cut."""
        return None
