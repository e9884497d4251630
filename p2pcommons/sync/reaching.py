"""How far what persons who are out wrote in the catalogue counts: back from records that their removal names, through
`after` (chapter 21, CHARTER-35).

A charter names where chains begin, a store holds their links. Which records are reached depends on the records here
alone, in whatever order they came: a chain that breaks off goes on when the record comes that it lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from p2pcommons.core.record import ZEROS, CommonsId, Plane, Record
from p2pcommons.sync.storage import Reader

_IDS_PER_STEP: Final = 4096  # records of one read where there may be any number: some 10 MB
_STEPS_MIN: Final = 256  # links followed one by one before all links of a key are read at once

Limits = Mapping[bytes, tuple[frozenset[bytes], ...]]


class Chain(NamedTuple):
    """What is reached from some records of a key, and where that breaks off."""

    begins: frozenset[bytes]
    reached: frozenset[bytes] = frozenset()
    lacking: frozenset[bytes] = frozenset()  # named, and not here


class Reached:
    """What of the records of all keys with limits counts. A value: it is made anew, never changed."""

    __slots__ = ("_chains", "by_key")

    def __init__(self, chains: Mapping[bytes, tuple[Chain, ...]]) -> None:
        self._chains = chains
        self.by_key: Mapping[bytes, frozenset[bytes]] = {
            key: frozenset.intersection(*(chain.reached for chain in some)) for key, some in chains.items()
        }

    def under(self, limits: Limits, store: Reader, commons: CommonsId) -> Reached:
        """The same records under other limits."""
        chains: dict[bytes, tuple[Chain, ...]] = {}
        for key, some in limits.items():
            known = {chain.begins: chain for chain in self._chains.get(key, ())}
            links = _Links(store, commons, key)
            chains[key] = tuple(
                known[begins] if begins in known else links.follow(Chain(begins), begins) for begins in some
            )
        return Reached(chains)

    def with_new(self, records: Iterable[Record], store: Reader, commons: CommonsId) -> Reached:
        """With these catalogue records, new here (and not in the store yet); itself where nothing more is reached."""
        come: dict[bytes, dict[bytes, Record]] = {}
        for record in records:
            if record.header.author in self._chains:
                come.setdefault(record.header.author, {})[record.id] = record
        chains = dict(self._chains)
        for key, fresh in come.items():
            links = _Links(store, commons, key, fresh)
            chains[key] = tuple(
                links.follow(chain, found) if (found := chain.lacking & fresh.keys()) else chain
                for chain in self._chains[key]
            )
        return self if chains == self._chains else Reached(chains)


NOTHING_REACHED: Final = Reached({})


class _Links:
    """What follows what in one key's catalogue records of a commons."""

    def __init__(self, store: Reader, commons: CommonsId, key: bytes, fresh: Mapping[bytes, Record] | None = None):
        self._store, self._commons, self._key = store, commons, key
        self._known = {identifier: record.header.after for identifier, record in (fresh or {}).items()}
        self._whole = False

    def follow(self, chain: Chain, start: Iterable[bytes]) -> Chain:
        """A chain, gone on with from records that it lacked."""
        begun = list(start)
        reached, lacking, more = set(chain.reached), set(chain.lacking).difference(begun), begun
        steps = 0
        while more:
            identifier = more.pop()
            if identifier in reached or identifier == ZEROS:
                continue
            if steps == max(_STEPS_MIN, len(chain.reached)):
                self._read_all()
            steps += 1
            after = self._after(identifier)
            if after is None:
                lacking.add(identifier)
            else:
                reached.add(identifier)
                more.append(after)
        return Chain(chain.begins, frozenset(reached), frozenset(lacking))

    def _after(self, identifier: bytes) -> bytes | None:
        """What a record follows: None where it is not here, or is no catalogue record of this key and commons."""
        if identifier not in self._known and not self._whole:
            self._note(sealed.record for sealed in self._store.sealed([identifier]))
        return self._known.get(identifier)

    def _note(self, records: Iterable[Record]) -> None:
        for record in records:
            header = record.header
            if (header.author, header.plane, header.commons) == (self._key, Plane.CATALOGUE, self._commons):
                self._known[record.id] = header.after

    def _read_all(self) -> None:
        ids = self._store.authored(self._commons, [self._key])
        for start in range(0, len(ids), _IDS_PER_STEP):
            self._note(sealed.record for sealed in self._store.sealed(ids[start : start + _IDS_PER_STEP]))
        self._whole = True
