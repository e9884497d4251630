"""What the sessions of a node share about the news of one commons: what came lately, who was asked for what, and how
much may come twice (chapter 33).

Knows no records, no peers and no link: ids and `now_ms` come in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from p2pcommons.core.limits import CLAIM_MS_MAX, GOSSIP_IDS_MAX, HOPS_MAX

FAR: Final = HOPS_MAX + 1
"""The hops of a record that came otherwise than whole and unasked: it is not passed on whole."""

CLAIM_BYTES: Final = 8
"""Of an id stand for it where it is asked for: openings find no more of it (chapter 32)."""

FEW_LINKS: Final = 6
"""A node with so many links at most has all of it whole, but over links that bring too much again: the way is long."""

_BALANCE_MAX: Final = 64  # new records that may be set against later ones that come again

_TWICE_SHARE: Final = 64  # one record in so many may come twice
_CREDIT_MAX: Final = 32 * _TWICE_SHARE


class Spread:
    """What the sessions of a node share about one commons: the latest records that came, and who was asked for which.

    It also holds the node's allowance of records that come twice, out of which its links ask for more of them whole.
    """

    def __init__(self) -> None:
        # By how ids begin: chosen ones that begin alike cost who chose them an opening.
        self._here: OrderedDict[bytes, tuple[int, int]] = OrderedDict()  # hops it made to here, when it came
        self._claims: OrderedDict[bytes, int] = OrderedDict()  # until when nobody else is asked
        self._credit = 0
        self._links: dict[int, int] = {}  # link → new records it brought without those that were here, lately
        self._last_link = 0
        self._spared: set[int] = set()  # links over which too much came again
        self._balance = 0  # new records without those that came again

    def join(self) -> int:
        """One more link tells news of this commons; its number."""
        self._last_link += 1
        self._links[self._last_link] = 0
        return self._last_link

    def part(self, link: int) -> None:
        """This one does no more: what it brought may come over any other."""
        if self._links.pop(link, None) is not None:
            self._spared.clear()

    @property
    def is_sparse(self) -> bool:
        """Whether this node has so few links that a record may come whole over most of them."""
        return len(self._links) <= FEW_LINKS

    def is_whole(self, link: int) -> bool:
        """Whether all records are to come whole over this link."""
        return self.is_sparse and link not in self._spared

    def is_spared(self, link: int) -> bool:
        """Whether a record told over this link is likely to come whole over another."""
        return self.is_sparse and link in self._spared

    def weigh(self, link: int, new: int, twice: int) -> None:
        """So many records came whole and unasked over this link that were new, and so many that were here."""
        if link not in self._links or not self.is_sparse:
            return
        gain = new - twice
        self._links[link] = max(min(self._links[link] + gain, _BALANCE_MAX), -_BALANCE_MAX)
        self._balance = min(self._balance + gain, _BALANCE_MAX)
        if self._balance < 0:
            self._balance = 0
            whole = [one for one in self._links if one not in self._spared]
            if len(whole) > 1:  # over the last one comes what no other brings
                self._spared.add(min(whole, key=lambda one: self._links[one]))

    def was_first(self, link: int) -> None:
        """This link told of what had not come whole over the others: let it come whole from there again."""
        if link in self._spared:
            self._spared.discard(link)
            self._links[link] = self._balance = 0

    def wrote(self, ids: Iterable[bytes], now_ms: int) -> None:
        """These were written here."""
        self._note(ids, 0, now_ms)

    def came(self, ids: Sequence[bytes], hops: int | None, now_ms: int) -> None:
        """These are new here: whole after so many hops, or otherwise."""
        self._note(ids, FAR if hops is None else min(hops + 1, FAR), now_ms)
        self._credit = min(self._credit + len(ids), _CREDIT_MAX)

    def _note(self, ids: Iterable[bytes], hops: int, now_ms: int) -> None:
        for identifier in ids:
            name = identifier[:CLAIM_BYTES]
            self._here[name] = (hops, now_ms)
            self._here.move_to_end(name)
            self._claims.pop(name, None)
        while len(self._here) > GOSSIP_IDS_MAX:
            self._here.popitem(last=False)

    def is_here(self, identifier: bytes) -> bool:
        """Whether it came lately."""
        return identifier[:CLAIM_BYTES] in self._here

    def hops(self, identifier: bytes) -> int:
        """How many nodes it passed on its way here, this one not counted; FAR where that is not known."""
        return self._here.get(identifier[:CLAIM_BYTES], (FAR, 0))[0]

    def is_new(self, identifier: bytes, now_ms: int) -> bool:
        """Whether it came so lately that who was told of it may not have it yet."""
        found = self._here.get(identifier[:CLAIM_BYTES])
        return found is not None and _is_soon(found[1] + CLAIM_MS_MAX, now_ms)

    def is_sought(self, identifier: bytes, now_ms: int) -> bool:
        """Whether a neighbour was asked for it, and may give it yet."""
        return _is_soon(self._claims.get(identifier[:CLAIM_BYTES], 0), now_ms)

    def claim(self, identifier: bytes, now_ms: int, until_ms: int) -> int | None:
        """Ask for it, and let nobody else be asked until then; or until when it is not free (None: it was).

        An id, or how it begins.
        """
        taken = self._claims.get(identifier[:CLAIM_BYTES])
        if taken is not None and _is_soon(taken, now_ms):
            return taken
        self.hold(identifier, until_ms)
        return None

    def hold(self, identifier: bytes, until_ms: int) -> None:
        """Go on waiting for what was asked for."""
        self._claims[identifier[:CLAIM_BYTES]] = until_ms
        self._claims.move_to_end(identifier[:CLAIM_BYTES])
        while len(self._claims) > GOSSIP_IDS_MAX:
            self._claims.popitem(last=False)

    def release(self, identifier: bytes) -> None:
        """Who was asked will not give it: let others be asked."""
        self._claims.pop(identifier[:CLAIM_BYTES], None)

    def affords(self) -> bool:
        """Spend some of the allowance on a wider reach, if there is enough."""
        if self._credit < 2 * _TWICE_SHARE:
            return False
        self._credit -= _TWICE_SHARE
        return True

    def overspends(self, twice: int) -> bool:
        """So many came whole that were here; whether that is more than the allowance."""
        self._credit = max(self._credit - twice * _TWICE_SHARE, -2 * _TWICE_SHARE)
        return self._credit < 0


def _is_soon(until_ms: int, now_ms: int) -> bool:
    # What is further ahead than anything is waited for was reckoned before the clock was set back: it is over.
    return now_ms < until_ms <= now_ms + CLAIM_MS_MAX
