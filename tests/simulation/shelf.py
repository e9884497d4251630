"""The control: a library of plain dicts, with a charter simple enough to be seen through.

Plane 0: a record is grounded when all of its `prev` are in the set; its author is admitted from then on. Plane 1: the
records of admitted authors are in the set.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from p2pcommons.core.clock import is_later
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import ZEROS, CommonsId, Record, build
from p2pcommons.core.seal import Seal, Sealed, pack_value, read_pack, seal
from p2pcommons.errors import FormError, RemoteProtocolError
from p2pcommons.sync.digest import EMPTY, add
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.sketch import Sketch
from p2pcommons.sync.spread import Spread
from p2pcommons.sync.storage import Key, SetState
from p2pcommons.sync.verified import VerifiedSeals

NOW_MS = 1_750_000_000_000
COMMONS = CommonsId(sha256(b"a commons").digest())

_VERIFIED = VerifiedSeals()  # one for all shelves: in a crowd each signature is met by everybody

TREES: dict[Seal, dict[Span, bytes]] = {}
"""What authors know of the trees they sealed, in case only a part of one is put on a shelf."""


def key_of(name: str) -> SigningKey:
    return SigningKey(sha256(name.encode()).digest())


def records_of(
    author: str,
    plane: int,
    numbers: Iterable[int],
    *,
    commons: bytes = COMMONS,
    prev: Sequence[bytes] = (),
    ahead_ms: int = 0,
    tree: int = 16,
    size: int = 0,
) -> list[Sealed]:
    """Sealed records of one author, always the same for the same arguments."""
    key = key_of(author)
    made: list[Record] = []
    for number in numbers:
        name = f"{author} {plane} {number}".encode()
        made.append(
            build(
                commons=commons, plane=plane, author=key.public, after=made[-1].id if made else ZEROS,
                time=(NOW_MS + ahead_ms - 100_000 + number) << 16, subject=sha256(name).digest(), prev=prev,
                kind="entry.edit" if plane else "member.join", body={"set": {"title": f"work {number}" + "." * size}},
                salt=sha256(name).digest()[:16],
            )
        )  # fmt: skip
    grown = [seal(key, made[at : at + tree]) for at in range(0, len(made), tree)]
    for one, sealed in grown:
        TREES[one] = {Span(leaf, leaf + 1): record.id for record, _, leaf in sealed}
    return [sealed for _, some in grown for sealed in some]


class Taken(NamedTuple):
    new: int
    refused: dict[bytes, str]
    ids: Sequence[bytes] = ()


class Shelf:
    """A `Library` of plain dicts."""

    def __init__(self, commons: Iterable[bytes] = (COMMONS,)) -> None:
        self.sets: dict[CommonsId, tuple[dict[bytes, Sealed], dict[bytes, Sealed]]] = {}
        self.pending: dict[bytes, Sealed] = {}
        self.trees: dict[Seal, dict[Span, bytes]] = {}
        self.cursors: dict[tuple[CommonsId, int], Key] = {}
        self.numbers: dict[CommonsId, int] = {}
        self.spreads: dict[CommonsId, Spread] = defaultdict(Spread)
        self.lost: set[bytes] = set()
        self.told: set[bytes] = set()  # commons that are announced
        self.paused = False
        self.received_bytes = 0
        for one in commons:
            self.follow(one)

    def follow(self, commons: bytes) -> None:
        self.sets.setdefault(CommonsId(commons), ({}, {}))
        self.numbers.setdefault(CommonsId(commons), 0)

    def unfollow(self, commons: bytes) -> None:
        del self.sets[CommonsId(commons)]

    def put(self, records: Iterable[Sealed], commons: bytes = COMMONS) -> None:
        """The person's own writes: in the set at once."""
        for sealed in records:
            self.sets[CommonsId(commons)][sealed.record.header.plane][sealed.record.id] = sealed
            self.trees.setdefault(sealed.seal, {}).update(TREES[sealed.seal])
            self.numbers[CommonsId(commons)] += 1
            self.spreads[CommonsId(commons)].wrote([sealed.record.id], NOW_MS)

    def ids(self, commons: bytes = COMMONS) -> tuple[set[bytes], set[bytes]]:
        charter, catalogue = self.sets[CommonsId(commons)]
        return set(charter), set(catalogue)

    # -- Library

    def followed(self) -> list[CommonsId]:
        return list(self.sets)

    def announced(self) -> list[tuple[CommonsId, str]]:
        return [(commons, f"commons {commons.hex()[:4]}") for commons in self.sets if commons in self.told]

    def state_number(self, commons: CommonsId) -> int:
        return self.numbers[commons]

    def set_state(self, commons: CommonsId, plane: int) -> SetState:
        return add(EMPTY, self.sets[commons][plane])

    def ranges(self, commons: CommonsId, plane: int) -> RangeIndex:
        return RangeIndex((s.record.header.time, s.record.id) for s in self.sets[commons][plane].values())

    def sketch(self, commons: CommonsId, plane: int) -> Sketch:
        return Sketch(self.sets[commons][plane])

    def named(self, commons: CommonsId, plane: int, prefixes: Sequence[bytes]) -> list[list[bytes]]:
        return [[i for i in self.sets[commons][plane] if i.startswith(prefix)] for prefix in prefixes]

    def page(
        self, commons: CommonsId, plane: int, after: Key | None, bytes_max: int
    ) -> tuple[list[Any], Key | None, bool]:
        places = sorted(
            (Key(s.record.header.time, s.record.id), s)
            for s in self.sets[commons][plane].values()
            if after is None or (s.record.header.time, s.record.id) > after
        )
        chosen = places[: max(1, bytes_max // 2000)]
        if not chosen:
            return [], after, False
        return self._packs([s for _, s in chosen]), chosen[-1][0], len(chosen) < len(places)

    def packs(
        self, commons: CommonsId, plane: int, ids: Sequence[bytes], bytes_max: int
    ) -> tuple[list[Any], list[bytes]]:
        fits = max(1, bytes_max // 2000)
        here = self.sets[commons][plane]
        return self._packs([here[i] for i in ids[:fits] if i in here and i not in self.lost]), list(ids[fits:])

    def _packs(self, records: list[Sealed]) -> list[Any]:
        groups: dict[Seal, list[tuple[int, Record]]] = {}
        for record, made, leaf in records:
            groups.setdefault(made, []).append((leaf, record))
        return [pack_value(made, self.trees[made], sorted(some, key=lambda s: s[0])) for made, some in groups.items()]

    def receive(self, commons: CommonsId, packs: Sequence[Any], now_ms: int) -> Taken:
        new, refused = 0, {}
        ids: list[bytes] = []
        for value in packs:
            try:
                pack = read_pack(value, _VERIFIED.check)
            except FormError as error:
                raise RemoteProtocolError(error.code, error.detail) from error
            self.trees.setdefault(pack.seal, {}).update(pack.known)
            refused.update(pack.faults)
            for sealed in pack.records:
                was_here = sealed.record.id in self.sets[commons][sealed.record.header.plane]
                code = self._take(commons, sealed, now_ms)
                if code == "new":
                    new += 1
                elif code:
                    refused[sealed.record.id] = code
                if not was_here and code in ("new", ""):
                    ids.append(sealed.record.id)
        new += self._ground(commons)
        self.numbers[commons] += new
        return Taken(new, refused, ids)

    def _take(self, commons: CommonsId, sealed: Sealed, now_ms: int) -> str:
        identifier, plane = sealed.record.id, sealed.record.header.plane
        if identifier in self.sets[commons][plane]:
            self.lost.discard(identifier)
            return ""
        if is_later(sealed.record.header.time, now_ms):
            return "later"
        if plane == 0:
            self.pending[identifier] = sealed
            return ""
        if sealed.record.header.author not in self.admitted(commons):
            return "not_admitted"
        if self.paused:
            return "paused"
        self.sets[commons][plane][identifier] = sealed
        return "new"

    def admitted(self, commons: CommonsId) -> set[bytes]:
        return {sealed.record.header.author for sealed in self.sets[commons][0].values()}

    def _ground(self, commons: CommonsId) -> int:
        grounded = 0
        while ready := [s for s in self.pending.values() if self.sets[commons][0].keys() >= set(s.record.header.prev)]:
            for sealed in ready:
                self.sets[commons][0][sealed.record.id] = self.pending.pop(sealed.record.id)
                grounded += 1
        return grounded

    def settle(self, commons: CommonsId) -> dict[bytes, str]:
        return dict.fromkeys(self.pending, "not_admitted")

    def missing(self, commons: CommonsId, of: Iterable[bytes]) -> list[bytes]:
        waiting = [self.pending[identifier] for identifier in of if identifier in self.pending]
        named = {prev for sealed in waiting for prev in sealed.record.header.prev}
        return sorted(named - self.sets[commons][0].keys() - self.pending.keys())

    def spread(self, commons: CommonsId) -> Spread:
        return self.spreads[commons]

    def lacking(self, commons: CommonsId, ids: Sequence[bytes]) -> list[bytes]:
        return [identifier for identifier in ids if not any(identifier in held for held in self.sets[commons])]

    def wanted_bodies(self, commons: CommonsId) -> list[bytes]:
        return sorted(self.lost)

    def cursor(self, commons: CommonsId, plane: int) -> Key | None:
        return self.cursors.get((commons, plane))

    def set_cursor(self, commons: CommonsId, plane: int, key: Key | None) -> None:
        if key is None:
            self.cursors.pop((commons, plane), None)
        else:
            self.cursors[commons, plane] = key
