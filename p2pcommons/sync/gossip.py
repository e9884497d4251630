"""News between two: which of what is new here a peer is told and how, and when a record is asked of it (chapter 33).

Knows no records, no library and no link: ids and `now_ms` come in, ids go out. What the node's other sessions know of
the same commons is in its `Spread`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from p2pcommons.core.limits import (
    CLAIM_MS_FIRST,
    CLAIM_MS_MAX,
    CLAIM_MS_MIN,
    GOSSIP_IDS_MAX,
    HOPS_MAX,
    NEWS_IDS_MAX,
)
from p2pcommons.sync.spread import CLAIM_BYTES, Spread

FEATURE: Final = "live"
"""Named in the hello of a node that tells news and listens to them."""

REACH_FIRST: Final = 2  # what authors wrote, and what their neighbours pass on: such records hardly come twice
_REACH_MAX: Final = 7
_HOLD_OFF_MAX: Final = 8  # a peer of whom a wider reach was of no use is tried again after 2, 4, … 256 occasions
_LAG_MS_MIN: Final = 250  # whoever told and did not give is asked so much later, doubling: others have told by then


class Growth(NamedTuple):
    """Steps of a commons' sets: they came to `number`, by these records, or by too many to tell (None)."""

    number: int
    ids: Sequence[tuple[int, bytes]] | None  # (plane, id)
    steps: int = 1


def joined(growths: Iterable[Growth]) -> list[Growth]:
    """The same steps in as few as can be told at once."""
    found: list[Growth] = []
    for growth in growths:
        last = found[-1] if found else None
        if (
            last is not None and last.ids is not None and growth.ids is not None
            and growth.number == last.number + growth.steps and len(last.ids) + len(growth.ids) <= NEWS_IDS_MAX
        ):  # fmt: skip
            found[-1] = Growth(growth.number, (*last.ids, *growth.ids), last.steps + growth.steps)
        else:
            found.append(growth)
    return found


class Telling(NamedTuple):
    """Records to tell a peer of: whole, after so many hops, or by their ids (None)."""

    hops: int | None
    ids: list[bytes]


class _Asked(NamedTuple):
    plane: int
    at_ms: int
    until_ms: int  # so long others wait; 0: they waited in vain


class _Later(NamedTuple):
    identifier: bytes
    plane: int
    at_ms: int


class Known:
    """The latest ids that a peer is known to have; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._ids: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, identifier: bytes) -> bool:
        return identifier in self._ids

    def add(self, ids: Iterable[bytes]) -> None:
        """The peer has these: it told them, gave them, or was told or given them."""
        for identifier in ids:
            self._ids[identifier] = None
            self._ids.move_to_end(identifier)
        while len(self._ids) > GOSSIP_IDS_MAX:
            self._ids.popitem(last=False)

    def unknown(self, ids: Iterable[bytes], refused: Collection[bytes] = ()) -> list[bytes]:
        """Those of these ids that the peer may lack, and did not refuse."""
        return [identifier for identifier in ids if identifier not in self._ids and identifier not in refused]


class Gossip:
    """News between this node and one peer, about one commons.

    Told what happens by its exchange; `due_ms` is when to call `again`.
    """

    def __init__(self, spread: Spread, *, eager: bool = True) -> None:
        self.known = Known()
        self.their_reach = REACH_FIRST
        """Records after fewer hops go to the peer whole."""
        self._reach = REACH_FIRST if eager else 0
        self.reach_asked = REACH_FIRST
        """The greatest one that the peer may have acted on so far."""
        self._reach_told = REACH_FIRST
        self._spread = spread
        self._link = spread.join()
        self._eager = eager
        self._narrowed = 0  # how often the reach was of no use
        self._hold_off = 0  # occasions to widen it that are passed over
        # By how ids begin, as openings find no more of them:
        self._asked: dict[bytes, _Asked] = {}
        self._later: dict[bytes, _Later] = {}
        self._sought: dict[bytes, int] = {}  # found by an opening, and asked for → plane
        self._lag_ms = 0
        self._answer_ms: float | None = None  # smoothed, and how it varies
        self._varies_ms = 0.0
        self._patience_ms = CLAIM_MS_FIRST
        self._closed = False
        self.due_ms: int | None = None

    @property
    def reach(self) -> int:
        """Records after fewer hops are asked for whole."""
        return HOPS_MAX if self._eager and self._spread.is_whole(self._link) else self._reach

    @property
    def lag_ms(self) -> int:
        """How much later than others this peer is asked, because it told of what it did not give."""
        return self._lag_ms

    @property
    def _wait_ms(self) -> int:
        """How long what it tells of is left to others first: they are believed more, or bring it whole."""
        return max(self._lag_ms, _LAG_MS_MIN if self._spread.is_spared(self._link) else 0)

    @property
    def ids_kept(self) -> int:
        """How many ids told by the peer are remembered because they are not here."""
        return len(self._asked) + len(self._later)

    # -- telling

    def reach_to_tell(self) -> int | None:
        """The reach, if it changed since it was told last."""
        if self.reach == self._reach_told:
            return None
        self._reach_told = self.reach
        self.reach_asked = max(self.reach_asked, self.reach)
        return self.reach

    def tell(self, ids: Iterable[bytes], refused: Collection[bytes] = ()) -> list[Telling]:
        """How to tell the peer of these, new here: those that it may lack. They count as told."""
        unknown = self.known.unknown(ids, refused)
        self.known.add(unknown)
        by_hops: dict[int | None, list[bytes]] = {}
        for identifier in unknown:
            hops = self._spread.hops(identifier)
            by_hops.setdefault(hops if hops < self.their_reach else None, []).append(identifier)
        return [Telling(hops, some) for hops, some in by_hops.items()]

    def untold(self, ids: Iterable[bytes], now_ms: int) -> list[bytes]:
        """Those of these ids, found to be lacking there, that no news to or from the peer is about at the moment."""
        return [i for i in ids if i not in self.known or not self._spread.is_new(i, now_ms)]

    # -- hearing

    def hear(self, plane: int, ids: Iterable[bytes], now_ms: int) -> list[bytes]:
        """The peer told of these, and they are not here: those to ask it for now. The others are looked at again."""
        free: list[bytes] = []
        for identifier in ids:
            name = identifier[:CLAIM_BYTES]
            if name in self._asked:
                continue
            again = name in self._later
            if not again and self.ids_kept >= NEWS_IDS_MAX:
                break  # it tells more than it gives: openings find what there is
            if self._wait_ms and not again:
                self._look_later(_Later(identifier, plane, now_ms + self._wait_ms))
                continue
            until_ms = now_ms + self._patience_ms
            taken = self._spread.claim(identifier, now_ms, until_ms)
            if taken is not None:
                self._look_later(_Later(identifier, plane, taken + self._wait_ms))
                continue
            self._later.pop(name, None)
            self._asked[name] = _Asked(plane, now_ms, until_ms)
            self._wake(until_ms)
            free.append(identifier)
        return free

    def seek(self, plane: int, found: Sequence[bytes], now_ms: int) -> list[bytes]:
        """An opening found these to be lacking here, by ids or how they begin: those to ask for now.

        Others were asked for them already; what those do not give is looked at again.
        """
        if len(found) > GOSSIP_IDS_MAX:
            return list(found)  # more than can be remembered: no news
        free: list[bytes] = []
        until_ms = now_ms + self._patience_ms
        for one in found:
            taken = self._spread.claim(one, now_ms, until_ms)
            if taken is None:
                self._sought[one[:CLAIM_BYTES]] = plane
                free.append(one)
            elif self.ids_kept < NEWS_IDS_MAX and one[:CLAIM_BYTES] not in self._asked:
                self._look_later(_Later(one, plane, taken + self._wait_ms))
        return free

    def again(self, now_ms: int) -> list[tuple[int, list[bytes]]]:
        """Time passed: ids to look at again, with their planes. Those not here go back to `hear`."""
        unkept = False
        for name in [name for name, asked in self._asked.items() if 0 < asked.until_ms <= now_ms]:
            if self._spread.is_here(name):
                del self._asked[name]
            else:
                self._asked[name] = self._asked[name]._replace(until_ms=0)
                unkept = True
        if unkept:
            self._distrust()
        by_plane: dict[int, list[bytes]] = {}
        for name in [name for name, later in self._later.items() if later.at_ms <= now_ms]:
            if self._spread.is_here(name):
                del self._later[name]
            else:
                by_plane.setdefault(self._later[name].plane, []).append(self._later[name].identifier)
        waits = [asked.until_ms for asked in self._asked.values() if asked.until_ms]
        waits += [later.at_ms for later in self._later.values() if later.at_ms > now_ms]
        self.due_ms = min(waits, default=None)
        return sorted(by_plane.items())

    def forget(self, ids: Iterable[bytes]) -> None:
        """These are here after all, or are not wanted from this peer any more."""
        for identifier in ids:
            self._later.pop(identifier[:CLAIM_BYTES], None)

    def came(self, new: Sequence[bytes], refused: Collection[bytes], count: int, hops: int | None, now_ms: int) -> None:
        """The peer gave so many records, unasked after so many hops or otherwise: these were new, those not taken."""
        raced = 0
        if hops is not None:  # of another peer it was asked for already: from there it comes, too
            raced = sum(i[:CLAIM_BYTES] not in self._asked and self._spread.is_sought(i, now_ms) for i in new)
        self._spread.came(new, hops, now_ms)
        self._spread.weigh(self._link, len(new), count - len(new) - len(refused))
        self.known.add(new)
        answered = 0
        for identifier in (*new, *refused):
            name = identifier[:CLAIM_BYTES]
            self._later.pop(name, None)
            asked = self._asked.pop(name, None)
            if asked is not None:
                answered += 1
                self._spread.release(name)
                self._measure(now_ms - asked.at_ms)
            if self._sought.pop(name, None) is not None:
                self._spread.release(name)
        if hops is None:
            for name in self._sought:  # it is giving: nobody else need be asked for the rest of it
                self._spread.hold(name, now_ms + self._patience_ms)
        if answered:
            self._lag_ms //= 2  # a busy peer answers late, and is no liar: it is soon asked as before
            self._spread.was_first(self._link)
        if hops is not None:
            self._narrow(count - len(new) - len(refused) + raced)
        elif answered and self._eager and self._reach < _REACH_MAX:
            self._widen()

    def settled(self, plane: int) -> None:
        """The peer has answered all that it was asked for: what did not come is not coming."""
        self._let_go([name for name, of in self._sought.items() if of == plane])
        unkept = False
        for name in [name for name, asked in self._asked.items() if asked.plane == plane]:
            if self._asked.pop(name).until_ms and not self._spread.is_here(name):
                self._spread.release(name)
                unkept = True
        if unkept:
            self._distrust()

    def close(self) -> None:
        """The link is gone: what was asked over it is free for others."""
        if not self._closed:
            self._closed = True
            self._spread.part(self._link)
        for name, asked in self._asked.items():
            if asked.until_ms:
                self._spread.release(name)
        self._let_go(list(self._sought))
        self._asked.clear()
        self._later.clear()
        self.due_ms = None

    def _let_go(self, sought: Iterable[bytes]) -> None:
        for name in sought:
            del self._sought[name]
            self._spread.release(name)

    # -- the choices

    def _widen(self) -> None:
        # It told first of what we then asked for: had it come whole, it would have been here two delays earlier.
        if self._hold_off:
            self._hold_off -= 1
        elif self._spread.affords():
            self._reach += 1

    def _narrow(self, twice: int) -> None:
        if twice > 0 and not self._spread.is_whole(self._link) and self._spread.overspends(twice) and self._reach > 0:
            self._reach -= 1
            self._narrowed = min(self._narrowed + 1, _HOLD_OFF_MAX)
            self._hold_off = 2**self._narrowed

    def _distrust(self) -> None:
        self._lag_ms = min(max(2 * self._lag_ms, _LAG_MS_MIN), CLAIM_MS_MAX)

    def _measure(self, took_ms: int) -> None:
        # As TCP reckons its timeout (RFC 6298): what usually takes so long is given up when it takes clearly longer.
        if self._answer_ms is None:
            self._answer_ms, self._varies_ms = float(took_ms), took_ms / 2
        else:
            self._varies_ms += (abs(took_ms - self._answer_ms) - self._varies_ms) / 4
            self._answer_ms += (took_ms - self._answer_ms) / 8
        self._patience_ms = int(min(max(self._answer_ms + 4 * self._varies_ms, CLAIM_MS_MIN), CLAIM_MS_MAX))

    def _look_later(self, later: _Later) -> None:
        self._later[later.identifier[:CLAIM_BYTES]] = later
        self._wake(later.at_ms)

    def _wake(self, at_ms: int) -> None:
        self.due_ms = at_ms if self.due_ms is None else min(self.due_ms, at_ms)
