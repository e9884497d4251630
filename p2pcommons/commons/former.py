"""Who is a member no more, and what of theirs counts in the catalogue (chapter 21, "Removal"): for the charter's view.

The fold of removals is `removal`'s. Here it is asked once, about the whole set, and only where somebody left or was
removed: anybody else's charter costs nothing more for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from p2pcommons.commons.assembly import Assembly
from p2pcommons.commons.cuts import NOTHING, Cut
from p2pcommons.commons.grounding import Grounds, Way
from p2pcommons.commons.membership import Membership
from p2pcommons.commons.removal import Departure
from p2pcommons.commons.removal_bodies import LEAVE, REMOVE, Leave, Remove
from p2pcommons.core.record import Plane

LEFT: Final = "left"
REMOVED: Final = "removed"
UNSEATED: Final = "unseated"

Chains = tuple[frozenset[bytes], ...]
"""For each removal of a person: ids of records of one key, from which back it counts. None: all counts."""


class Former(NamedTuple):
    """A person whose keys are admitted, and who is no member."""

    key: bytes  # as they were shown while they were a member
    keys: tuple[bytes, ...]  # ascending
    how: str  # "left", "removed", or "unseated": let in by what a removal cuts
    by: tuple[bytes, ...]  # keys that wrote the removals, ascending; none for others
    since: int  # record time of the first of them or of the leaving, 0 for who is unseated
    keep: bool  # whether all of their catalogue records count
    acts: tuple[bytes, ...]  # the removals and leavings that keep them out, ascending


@dataclass(frozen=True, slots=True)
class Departures:
    """What removals and leavings make of the whole set. `NOBODY` where there are none."""

    cut: Cut = NOTHING
    limits: Mapping[bytes, Chains] = field(default_factory=dict)  # by key of who is out; missing: all counts
    kept: frozenset[bytes] = frozenset()  # catalogue records that count all the same
    _some: tuple[Departure, ...] = ()
    assembly: Assembly | None = None  # that this was found by
    _by_role: Callable[[int], Mapping[bytes, bytes]] | None = None
    _closes: Callable[[Way], bool] | None = None

    def by_role(self, membership: Membership, within: int) -> Mapping[bytes, bytes]:
        """The keys that hold the role of steward in a past, by what is not cut."""
        return membership.stewards(within) if self._by_role is None else self._by_role(within)

    def closes(self, way: Way) -> bool:
        """Whether nobody who comes in by this way from here on would be a member."""
        return self._closes is not None and self._closes(way)

    def former(self, key: bytes, keys: tuple[bytes, ...]) -> Former:
        """How a person with these keys, who is out, came to be so."""
        about = [one for one in self._some if not one.keys.isdisjoint(keys)]
        removals = [one for one in about if isinstance(one.form, Remove)]
        how = REMOVED if removals else LEFT if about else UNSEATED
        return Former(
            key,
            keys,
            how,
            tuple(sorted({one.deed.author for one in removals})),
            min((one.deed.time for one in removals or about), default=0),
            not any(each in self.limits for each in keys),
            tuple(sorted(one.deed.id for one in about)),
        )


NOBODY: Final = Departures()


def departures(grounds: Grounds, membership: Membership) -> Departures:
    """Who left or was removed, as far as it counts within the whole set."""
    records = grounds.records.values()
    if not any(r.header.kind in (LEAVE, REMOVE) and r.id in membership.set_ids for r in records):
        return NOBODY
    assembly = Assembly(grounds, membership)
    removals, everything = assembly.removals, assembly.pasts.all
    cut = removals.within(everything)
    if cut is NOTHING:
        return NOBODY
    some = tuple(removals.departures(everything))
    kept, closes = removals.kept(everything) - membership.set_ids, removals.closing(everything)
    return Departures(
        cut=cut,
        limits=_limits(some, cut, membership.admitted),
        kept=kept,
        _some=some,
        assembly=assembly,
        _by_role=lambda within: removals.by_role(within, cut),
        _closes=lambda way: closes(grounds.records[way.id]),
    )


def _limits(some: tuple[Departure, ...], cut: Cut, admitted: frozenset[bytes]) -> dict[bytes, Chains]:
    """By admitted key; who was let in by what is cut wrote nothing that counts."""
    found: dict[bytes, Chains] = {key: (frozenset(),) for key in cut.unseated & admitted}
    for one in some:
        if isinstance(one.form, Leave) or one.form.keep:
            continue
        named: dict[bytes, frozenset[bytes]] = {}
        for key, plane, ids in one.form.heads:
            if plane == Plane.CATALOGUE:
                named[key] = named.get(key, frozenset()).union(ids)
        for key in one.keys & admitted:
            found[key] = tuple(sorted({*found.get(key, ()), named.get(key, frozenset())}, key=sorted))
    return found
