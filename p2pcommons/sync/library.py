"""What a session asks of its node: declared here by its consumer, answered by `p2pcommons.sync.replica`.

A library holds the sets of the commons that a node follows. It judges what comes and hands out what is asked for;
it knows no peer. Each call runs to completion, and what it took is durable when it returns (chapter 30).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from p2pcommons.core.record import CommonsId
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.sketch import Sketch
from p2pcommons.sync.spread import Spread
from p2pcommons.sync.storage import Key, SetState

NUMBER_BITS = 32  # of a commons' state number: what is above differs each time a commons is followed again
"""A state number above these bits tells a commons that was followed again from its former self."""


class Taken(Protocol):
    """What became of packs."""

    @property
    def new(self) -> int:
        """How many records were not here before and are in a set now."""
        ...

    @property
    def ids(self) -> Sequence[bytes]:
        """The records that were not here before and came into a set, or wait for their judgement."""
        ...

    @property
    def refused(self) -> Mapping[bytes, str]:
        """Ids not taken, each with its code: later, paused, not_admitted, unknown_version, bad_body_hash…"""
        ...


class Library(Protocol):
    """The sets of one node, as its sessions see them."""

    def followed(self) -> Sequence[CommonsId]:
        """The commons this node keeps."""
        ...

    def announced(self) -> Sequence[tuple[CommonsId, str]]:
        """Those of them whose charter is here and says that anybody may hear of them, with their names."""
        ...

    def state_number(self, commons: CommonsId) -> int:
        """Grows with every change of the commons' sets."""
        ...

    def set_state(self, commons: CommonsId, plane: int) -> SetState:
        """One set, summed, now."""
        ...

    def ranges(self, commons: CommonsId, plane: int) -> RangeIndex:
        """The places of one set; a session copies it before it uses it."""
        ...

    def sketch(self, commons: CommonsId, plane: int) -> Sketch:
        """The coded symbols of one set, now, as a copy."""
        ...

    def named(self, commons: CommonsId, plane: int, prefixes: Sequence[bytes]) -> list[list[bytes]]:
        """For each of these beginnings of ids, at least 8 bytes long: the ids of the set that begin so."""
        ...

    def page(
        self, commons: CommonsId, plane: int, after: Key | None, bytes_max: int
    ) -> tuple[list[Any], Key | None, bool]:
        """Packs of the next records in order of (time, id), the last place given, and whether more may follow."""
        ...

    def packs(
        self, commons: CommonsId, plane: int, ids: Sequence[bytes], bytes_max: int
    ) -> tuple[list[Any], list[bytes]]:
        """Packs of these records, as many as fit, and the ids left for the next call; unknown ids are left out."""
        ...

    def receive(self, commons: CommonsId, packs: Sequence[Any], now_ms: int) -> Taken:
        """Take the packs of one frame in one transaction. RemoteProtocolError if one is bad as a whole."""
        ...

    def settle(self, commons: CommonsId) -> Mapping[bytes, str]:
        """The end of a stream of plane 0: judge it together; what was not admitted, with codes."""
        ...

    def missing(self, commons: CommonsId, of: Iterable[bytes]) -> Sequence[bytes]:
        """Plane-0 ids that these records, if they wait for their past, name and that are not here."""
        ...

    def lacking(self, commons: CommonsId, ids: Sequence[bytes]) -> Sequence[bytes]:
        """Those of these records that are not here."""
        ...

    def spread(self, commons: CommonsId) -> Spread:
        """What all sessions share about the news of a commons; it is told what is written here (chapter 33)."""
        ...

    def wanted_bodies(self, commons: CommonsId) -> Sequence[bytes]:
        """Records whose body was lost here."""
        ...

    def cursor(self, commons: CommonsId, plane: int) -> Key | None:
        """How far an unfinished first stream came, or None."""
        ...

    def set_cursor(self, commons: CommonsId, plane: int, key: Key | None) -> None:
        """Remember how far a first stream came; all before it is durable."""
        ...
