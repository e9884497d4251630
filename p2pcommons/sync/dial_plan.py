"""Whom to dial of those heard of: a few that proved themselves, a few by lot (chapter 35, "Dialling").

Values only: the book, what is connected now, time and dice come in, a choice goes out. How often anything is knocked
at is counted by `Knocks`, whoever asked for it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import NamedTuple

from p2pcommons.core.address import Address
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.limits import (
    HEARD_GROUP_MAX,
    HEARD_RANDOM_MAX,
    HEARD_ROTATE_MS,
    HEARD_STABLE_MAX,
    KNOCKS_ALL_MAX,
    KNOCKS_MAX,
    KNOCKS_MS,
)
from p2pcommons.core.outside import Outside, group_of, may_exchange, place_of
from p2pcommons.sync.address_book import AddressBook, Known


class Sort(Enum):
    """Why a heard node is dialled."""

    STABLE = "stable"
    RANDOM = "random"


class Held(NamedTuple):
    """A heard node that is dialled, or connected by our dialling."""

    sort: Sort
    group: str
    since_ms: int


class Choice(NamedTuple):
    """Dial this node, at these addresses, in this order."""

    key: PublicKey
    sort: Sort
    group: str
    addresses: tuple[Address, ...]


class DialPlan:
    """The rules by which heard nodes are chosen. `below(n)`: a random number below n."""

    def __init__(self, book: AddressBook, outside: Outside, below: Callable[[int], int]) -> None:
        self._book = book
        self._outside = outside
        self._below = below

    def next(self, held: Mapping[PublicKey, Held], met: Collection[PublicKey], now_ms: int) -> Choice | None:
        """Whom to dial now; None where all places are taken, or nobody is left. `met`: connected by whatever way."""
        sorts = Counter(one.sort for one in held.values())
        if sorts[Sort.STABLE] < HEARD_STABLE_MAX and (found := self._stable(held, met, now_ms)) is not None:
            return found
        if sorts[Sort.RANDOM] < HEARD_RANDOM_MAX:
            return self._random(held, met, now_ms)
        return None

    def to_rotate(self, held: Mapping[PublicKey, Held], met: Collection[PublicKey], now_ms: int) -> PublicKey | None:
        """A random link that has been held long, where another node waits for its place."""
        old = [
            (one.since_ms, key)
            for key, one in held.items()
            if one.sort is Sort.RANDOM and now_ms - one.since_ms >= HEARD_ROTATE_MS and key in met
        ]
        if not old or sum(one.sort is Sort.RANDOM for one in held.values()) < HEARD_RANDOM_MAX:
            return None
        leaving = min(old)[1]
        rest = {key: one for key, one in held.items() if key != leaving}
        return leaving if self._random(rest, met, now_ms) is not None else None

    def _stable(self, held: Mapping[PublicKey, Held], met: Collection[PublicKey], now_ms: int) -> Choice | None:
        """Of those that were of use longest."""
        useful = [(-one.worth(now_ms), key) for key, one in self._book.met().items() if one.useful_ms]
        for _, key in sorted(useful):
            choice = self._choice(key, Sort.STABLE, held, met, now_ms)
            if choice is not None:
                return choice
        return None

    def _random(self, held: Mapping[PublicKey, Held], met: Collection[PublicKey], now_ms: int) -> Choice | None:
        """First a network that told of some, then one of those: who tells of many is heard no oftener."""
        sources = list(self._book.sources().values())
        while sources:
            keys = sources.pop(self._below(len(sources)))
            while keys:
                choice = self._choice(keys.pop(self._below(len(keys))), Sort.RANDOM, held, met, now_ms)
                if choice is not None:
                    return choice
        return None

    def _choice(
        self, key: PublicKey, sort: Sort, held: Mapping[PublicKey, Held], met: Collection[PublicKey], now_ms: int
    ) -> Choice | None:
        if key in held or key in met or not self._book.may_try(key, now_ms):
            return None
        known = self._book.known(key, now_ms)
        if known is None:
            return None
        addresses = self._addresses(known, now_ms)
        if not addresses:
            return None
        group = group_of(addresses[0].host)
        if sum(one.sort is sort and one.group == group for one in held.values()) >= HEARD_GROUP_MAX:
            return None
        return Choice(key, sort, group, addresses)

    def _addresses(self, known: Known, now_ms: int) -> tuple[Address, ...]:
        """Those that may be dialled; those that proved themselves to us first, the latest of them first."""
        proved = {} if known.met is None else known.met.proved
        found = [
            address
            for address in known.record.chosen(known.bits)
            if may_exchange(address.host, address.port, self._outside) and self._book.may_dial(address, now_ms)
        ]
        return tuple(sorted(found, key=lambda address: -proved.get(address.target, 0)))


class Knocks:
    """How often this node knocked at places lately, for reasons that came from others."""

    def __init__(self) -> None:
        self._times: deque[tuple[int, str, bool]] = deque()
        self._places: Counter[str] = Counter()
        self._sorts: Counter[bool] = Counter()

    def may(self, ip: str, now_ms: int, *, check: bool = False) -> bool:
        """Whether to knock there now; where it may be, it counts as done. `check`: because a peer asks to be reached."""
        self._forget(now_ms)
        place = place_of(ip)
        if self._places[place] >= KNOCKS_MAX or self._sorts[check] >= KNOCKS_ALL_MAX:
            return False
        self._times.append((now_ms, place, check))
        self._places[place] += 1
        self._sorts[check] += 1
        return True

    def any_left(self, now_ms: int) -> bool:
        """Whether a link may still be tried somewhere."""
        self._forget(now_ms)
        return self._sorts[False] < KNOCKS_ALL_MAX

    def _forget(self, now_ms: int) -> None:
        while self._times and not 0 <= now_ms - self._times[0][0] < KNOCKS_MS:
            _, place, sort = self._times.popleft()
            self._sorts[sort] -= 1
            self._places[place] -= 1
            if not self._places[place]:
                del self._places[place]
