"""What a node knows of others' addresses: records it heard, and nodes it met there itself (chapter 35, "Keeping").

Heard records stand on shelves, one for each network that told them. A shelf keeps the lightest keys by a salted hash
that nobody outside can guess, and so does the row of shelves: so the book is a function of what was told, in whatever
order and however often, and whoever floods it displaces what they told themselves. Nodes met are apart. Knows no
clock and no dice: `now_ms` and the salt are given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final, NamedTuple

from p2pcommons.core.address import Address
from p2pcommons.core.encoding import decode, encode
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import (
    HEARD_BACKOFF_MS_MAX,
    HEARD_BACKOFF_MS_MIN,
    HEARD_FAILURES_MAX,
    PEER_COMMONS_MAX,
    PEER_PROVED_MS_MAX,
    PEER_SOURCE_RECORDS_MAX,
    PEER_SOURCES_MAX,
    PEERS_MET_GROUP_MAX,
    PEERS_MET_MAX,
    PEERS_TOLD_MAX,
    SHUNNED_MAX,
    SHUNNED_MS,
)
from p2pcommons.core.record import CommonsId
from p2pcommons.sync.peer_record import PeerRecord, read_record

_DUMP_BYTES_MAX: Final = 16 * 1024 * 1024  # ours: some 2 MiB with every shelf full
_FADES_MS: Final = 7 * 24 * 3600 * 1000  # usefulness halves in so long


class Said(NamedTuple):
    """A record as one source told it: with the bits of the addresses that it says lead there."""

    record: PeerRecord
    bits: int

    def join(self, other: Said) -> Said:
        """Both, as one: the newer record; of one record all bits."""
        if other.record.is_newer(self.record):
            return other
        return Said(self.record, self.bits | other.bits) if other.record == self.record else self


@dataclass(frozen=True, slots=True)
class Met:
    """A node met: what its addresses proved, what it is good for."""

    record: PeerRecord
    group: str
    """The network in which it was met."""
    proved: dict[str, int] = field(default_factory=dict)
    """`Address.target`: when its key last proved itself there."""
    commons: frozenset[CommonsId] = frozenset()
    """Shared with us when last met."""
    useful_ms: int = 0
    """How long sessions lasted in which commons were shared; halved in a week."""
    at_ms: int = 0
    """When it was last of use, or proved."""

    def worth(self, now_ms: int) -> int:
        """Milliseconds of use, the older ones counting less."""
        return self.useful_ms >> max(0, (now_ms - self.at_ms) // _FADES_MS)


@dataclass(frozen=True, slots=True)
class Tries:
    """How dialling a node went lately."""

    failures: int = 0
    not_before_ms: int = 0
    useless: bool = False
    """It follows nothing that we follow."""


class Known(NamedTuple):
    """All that is known of one node."""

    record: PeerRecord
    bits: int
    """The addresses that may be dialled: told, or proved to us."""
    met: Met | None
    tries: Tries
    sources: tuple[str, ...]


class AddressBook:
    """Records and nodes. `salt`: 32 random bytes, kept with the book. `own`: the key that is never in it."""

    def __init__(self, own: PublicKey, salt: bytes) -> None:
        self.salt = salt
        self._own = own
        self._shelves: dict[str, dict[PublicKey, Said]] = {}
        self._chosen: set[str] = set()  # sources that a person chose: their shelves stay
        self._met: dict[PublicKey, Met] = {}
        self._tries: dict[PublicKey, Tries] = {}
        self._addresses: dict[str, Tries] = {}  # `Address.target`
        self._shunned: dict[PublicKey, int] = {}  # until when
        self.refused: Collection[PublicKey] = ()
        """Keys that a person blocked."""

    def __len__(self) -> int:
        return len(self.nodes())

    # -- what came

    def hear(self, record: PeerRecord, bits: int, source: str, now_ms: int, *, chosen: bool = False) -> bool:
        """Keep what a source told; whether it was kept. `chosen`: a person chose that source."""
        if chosen:
            self._chosen.add(source)
        if not self._takes(record, now_ms):
            return False
        self._renew(record)
        shelf = self._shelves.setdefault(source, {})
        said = Said(record, bits)
        shelf[record.key] = said.join(shelf[record.key]) if record.key in shelf else said
        if len(shelf) > PEER_SOURCE_RECORDS_MAX:
            del shelf[max(shelf, key=self._weight)]
        while len(self._shelves) > PEER_SOURCES_MAX:
            del self._shelves[
                max(self._shelves, key=lambda name: (name not in self._chosen, self._weight(name.encode())))
            ]
        return record.key in self._shelves.get(source, {})

    def prove(
        self, record: PeerRecord, address: Address, group: str, commons: Iterable[CommonsId], now_ms: int
    ) -> None:
        """Its key proved itself to us at this address of its record."""
        if not self._takes(record, now_ms) or not record.bits([address.target]):
            return
        before = self._met.get(record.key)
        newest = before.record if before is not None and before.record.is_newer(record) else record
        proved = {**({} if before is None else before.proved), address.target: now_ms}
        shared = _few(commons) or (before.commons if before is not None else frozenset())
        useful_ms = 0 if before is None else before.worth(now_ms)
        self._met[record.key] = _fitting(Met(newest, group, proved, shared, useful_ms, now_ms))
        self._addresses.pop(address.target, None)
        self._make_room(now_ms)

    def serve(self, key: PublicKey, commons: Iterable[CommonsId], ms: int, now_ms: int) -> None:
        """A session with it lasted so long, and had these commons in common."""
        met, shared = self._met.get(key), _few(commons)
        if met is not None and shared:
            self._met[key] = replace(met, commons=shared, useful_ms=met.worth(now_ms) + ms, at_ms=now_ms)
        if shared:
            self._tries.pop(key, None)

    def share(self, key: PublicKey, commons: Iterable[CommonsId]) -> None:
        """These commons are found to be shared with it."""
        if (met := self._met.get(key)) is not None:
            self._met[key] = replace(met, commons=_few(commons))

    def rest(self, key: PublicKey, until_ms: int) -> None:
        """Do not dial it before, though nothing failed."""
        self._tries[key] = replace(self._tries.get(key, Tries()), not_before_ms=until_ms)

    def fail(self, key: PublicKey, addresses: Iterable[Address], now_ms: int) -> None:
        """It could not be reached at these addresses. After many times what was heard of it is forgotten."""
        for address in addresses:
            self._addresses[address.target] = _failed(self._addresses.get(address.target, Tries()), now_ms)
        self._tries[key] = tries = _failed(self._tries.get(key, Tries()), now_ms)
        if tries.failures >= HEARD_FAILURES_MAX:
            self._remove(key)

    def find_useless(self, key: PublicKey) -> None:
        """It follows nothing that we follow: not dialled before that changed."""
        self._tries[key] = replace(self._tries.get(key, Tries()), useless=True)

    def follow_changed(self) -> None:
        """This node follows something else now: everybody may be of use again."""
        self._tries = {key: replace(tries, useless=False) for key, tries in self._tries.items()}

    def shun(self, key: PublicKey, now_ms: int) -> None:
        """It broke the protocol: forget it, and hear nothing of it for a day."""
        self.forget(key)
        self._shunned[key] = now_ms + SHUNNED_MS
        while len(self._shunned) > SHUNNED_MAX:
            del self._shunned[next(iter(self._shunned))]

    def forget(self, key: PublicKey) -> None:
        """Know nothing of it any more."""
        self._remove(key)
        self._tries.pop(key, None)

    def sweep(self, now_ms: int) -> None:
        """Let go what has expired."""
        for source, shelf in list(self._shelves.items()):
            for key in [key for key, said in shelf.items() if not said.record.is_valid(now_ms)]:
                del shelf[key]
            if not shelf:
                del self._shelves[source]
        self._chosen &= self._shelves.keys()
        self._met = {key: met for key, met in self._met.items() if met.record.is_valid(now_ms)}
        known = self.nodes()
        self._tries = {key: tries for key, tries in self._tries.items() if key in known or tries.not_before_ms > now_ms}
        self._addresses = {at: tries for at, tries in self._addresses.items() if tries.not_before_ms > now_ms}
        self._shunned = {key: until_ms for key, until_ms in self._shunned.items() if until_ms > now_ms}

    # -- what is known

    def nodes(self) -> set[PublicKey]:
        """All nodes that something is known of."""
        return {*self._met, *(key for shelf in self._shelves.values() for key in shelf)}

    def known(self, key: PublicKey, now_ms: int) -> Known | None:
        """What is known of one node; None where nothing holds any more."""
        said: Said | None = None
        sources = []
        for source, shelf in self._shelves.items():
            if (found := shelf.get(key)) is not None and found.record.is_valid(now_ms):
                said = found if said is None else said.join(found)
                sources.append(source)
        met = self._met.get(key)
        if met is not None and met.record.is_valid(now_ms):
            proved = Said(met.record, met.record.bits(list(met.proved)))
            said = proved if said is None else said.join(proved)
        if said is None:
            return None
        bits = said.bits | (0 if met is None else said.record.bits(list(met.proved)))
        return Known(said.record, bits, met, self._tries.get(key, Tries()), tuple(sorted(sources)))

    def sources(self) -> dict[str, list[PublicKey]]:
        """Which network told of which nodes, both in order."""
        return {source: sorted(self._shelves[source]) for source in sorted(self._shelves)}

    def met(self) -> dict[PublicKey, Met]:
        """Nodes whose addresses proved themselves."""
        return dict(self._met)

    def proved_since(self, key: PublicKey, since_ms: int) -> list[str]:
        """Where its key proved itself to us since then: `Address.target`."""
        met = self._met.get(key)
        return [] if met is None else [target for target, at_ms in met.proved.items() if at_ms >= since_ms]

    def may_try(self, key: PublicKey, now_ms: int) -> bool:
        """Whether this node is of use, as far as we know, and is not waiting after failures."""
        tries = self._tries.get(key)
        return tries is None or (not tries.useless and tries.not_before_ms <= now_ms)

    def may_dial(self, address: Address, now_ms: int) -> bool:
        """Whether this address is not waiting after failures."""
        tries = self._addresses.get(address.target)
        return tries is None or tries.not_before_ms <= now_ms

    def to_tell(
        self, asker: PublicKey, commons: Collection[CommonsId], now_ms: int, below: Callable[[int], int]
    ) -> tuple[tuple[PeerRecord, int], ...]:
        """Records to tell a node with which these commons are shared, with the bits of what they proved to us.

        `below(n)`: a random number below n.
        """
        shared = set(commons)
        found = []
        for key in sorted(self._met):
            met = self._met[key]
            if key == asker or key in self.refused or not met.commons & shared or not met.record.is_valid(now_ms):
                continue
            fresh = [target for target, at_ms in met.proved.items() if now_ms - at_ms < PEER_PROVED_MS_MAX]
            if bits := met.record.bits(fresh):
                found.append((met.record, bits))
        while len(found) > PEERS_TOLD_MAX:
            found.pop(below(len(found)))
        return tuple(found)

    # -- kept over a restart

    def dump(self) -> bytes:
        """The book as bytes, for this node's own store."""
        shelves = {
            source: [[*said.record.sealed, said.bits] for _, said in sorted(shelf.items())]
            for source, shelf in self._shelves.items()
        }
        met = [
            [*one.record.sealed, one.group, one.proved, sorted(one.commons), one.useful_ms, one.at_ms]
            for _, one in sorted(self._met.items())
        ]
        shunned = [[key, until_ms] for key, until_ms in self._shunned.items()]
        return encode([self.salt, shelves, sorted(self._chosen), met, shunned])

    @classmethod
    def load(cls, own: PublicKey, data: bytes, now_ms: int) -> AddressBook:
        """A book from its bytes, without what has expired. FormError if they are none."""
        salt, shelves, chosen, met, shunned = decode(data, bytes_max=_DUMP_BYTES_MAX)
        book = cls(own, salt)
        for source, shelf in shelves.items():
            for statement, signature, bits in shelf:
                book.hear(read_record(statement, signature), bits, source, now_ms, chosen=source in chosen)
        for statement, signature, group, proved, commons, useful_ms, at_ms in met:
            record = read_record(statement, signature)
            if book._takes(record, now_ms):
                shared = frozenset(CommonsId(one) for one in commons)
                book._met[record.key] = Met(record, group, proved, shared, useful_ms, at_ms)
        book._shunned = {PublicKey(key): until_ms for key, until_ms in shunned if until_ms > now_ms}
        return book

    # -- within

    def _takes(self, record: PeerRecord, now_ms: int) -> bool:
        key = record.key
        if key == self._own or key in self.refused or self._shunned.get(key, 0) > now_ms:
            return False
        return record.is_valid(now_ms)

    def _renew(self, record: PeerRecord) -> None:
        """A node met may have moved: what it proved at addresses that it still names holds."""
        met = self._met.get(record.key)
        if met is not None and record.is_newer(met.record):
            self._met[record.key] = _fitting(replace(met, record=record))

    def _make_room(self, now_ms: int) -> None:
        def worth(key: PublicKey) -> tuple[int, int, bytes]:
            return (self._met[key].worth(now_ms), self._met[key].at_ms, self._weight(key))

        groups: dict[str, list[PublicKey]] = {}
        for key, met in self._met.items():
            groups.setdefault(met.group, []).append(key)
        for keys in groups.values():
            if len(keys) > PEERS_MET_GROUP_MAX:
                del self._met[min(keys, key=worth)]
        while len(self._met) > PEERS_MET_MAX:
            del self._met[min(self._met, key=worth)]

    def _remove(self, key: PublicKey) -> None:
        self._met.pop(key, None)
        for source in list(self._shelves):
            self._shelves[source].pop(key, None)
            if not self._shelves[source]:
                del self._shelves[source]

    def _weight(self, name: bytes) -> bytes:
        return sha256(self.salt + name).digest()


def _few(commons: Iterable[CommonsId]) -> frozenset[CommonsId]:
    return frozenset(sorted(commons)[:PEER_COMMONS_MAX])


def _fitting(met: Met) -> Met:
    """What it proved, of the addresses that it names now."""
    named = {address.target for address in met.record.addresses}
    return replace(met, proved={target: at_ms for target, at_ms in met.proved.items() if target in named})


def _failed(tries: Tries, now_ms: int) -> Tries:
    pause_ms = min(HEARD_BACKOFF_MS_MIN << min(tries.failures, 16), HEARD_BACKOFF_MS_MAX)
    return replace(tries, failures=tries.failures + 1, not_before_ms=now_ms + pause_ms)
