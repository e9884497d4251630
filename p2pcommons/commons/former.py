"""What of a charter's view the assembly says: who is out or was never seated, what of theirs counts in the catalogue,
and the rules that the view shows (chapter 21, "Removal", "Letting in").

The fold is `assembly`'s. Here it is asked once, about the whole set, and only where it can say anything: where somebody
left or was removed, or where the rules concerned are strict or were questioned. Anybody else's charter costs nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from p2pcommons.commons.assembly import Assembly
from p2pcommons.commons.assembly_bodies import PROPOSE, Open, read_assembly
from p2pcommons.commons.cuts import NOTHING, Cut
from p2pcommons.commons.doors import FOUND, Opening
from p2pcommons.commons.grounding import Grounds, Way
from p2pcommons.commons.membership import Membership
from p2pcommons.commons.removal import Departure
from p2pcommons.commons.removal_bodies import LEAVE, REMOVE, Leave, Remove
from p2pcommons.commons.rules import Rules
from p2pcommons.commons.seating import INVITE, JOIN
from p2pcommons.core.record import ZEROS, Plane, Record
from p2pcommons.errors import FormError

LEFT: Final = "left"
REMOVED: Final = "removed"
UNSEATED: Final = "unseated"

SHOWN: Final = (JOIN, INVITE, ("rule", b"announcing"), ("rule", b"licence"))
"""Topics of the rules that a charter's view goes by."""

Chains = tuple[frozenset[bytes], ...]
"""For each removal of a person: ids of records of one key, from which back it counts. None: all counts."""


class Former(NamedTuple):
    """A person whose keys are admitted, and who is no member."""

    key: bytes  # as they were shown while they were a member
    keys: tuple[bytes, ...]  # ascending
    how: str  # "left", "removed", or "unseated": let in by what a removal cuts, or against the rules
    by: tuple[bytes, ...]  # keys that wrote the removals, ascending; none for others
    since: int  # record time of the first of them or of the leaving, 0 for who is unseated
    keep: bool  # whether all of their catalogue records count
    acts: tuple[bytes, ...]  # the removals and leavings that keep them out, ascending


class Asked(NamedTuple):
    """An assembly that a charter's view was made by, and what it said. It grows with the charter that was made last."""

    assembly: Assembly
    size: int
    said: tuple[object, ...]

    @classmethod
    def of(cls, assembly: Assembly) -> Asked:
        """What the view goes by: what is cut, and the outcomes on persons, stewards and the rules shown."""
        everything = assembly.pasts.all
        outcomes = (
            (topic, outcome.proposal, outcome.wording.id)
            for topic in assembly.topics
            if (topic in SHOWN or topic[0] in ("person", "stewards"))
            and (outcome := assembly.in_force(topic)) is not None
        )
        return cls(assembly, assembly.size, (assembly.removals.within(everything), *outcomes))

    def with_more(self, records: Iterable[Record]) -> Asked | None:
        """With these records, ancestors first; None where the view may be another by them, or it grew elsewhere."""
        if self.assembly.size != self.size or not all(self.assembly.take(record) for record in records):
            return None
        after = Asked.of(self.assembly)
        return after if after.said == self.said else None


@dataclass(frozen=True, slots=True)
class Departures:
    """What removals and leavings make of the whole set. `NOBODY` where there are none."""

    cut: Cut = NOTHING
    limits: Mapping[bytes, Chains] = field(default_factory=dict)  # by key of who is out; missing: all counts
    kept: frozenset[bytes] = frozenset()  # catalogue records that count all the same
    _some: tuple[Departure, ...] = ()
    _by_role: Callable[[int], Mapping[bytes, bytes]] | None = None
    _closes: Callable[[Way], bool] | None = None
    _opens: Callable[[Way], bool] | None = None
    _rules: Rules | None = None
    _founding: bytes = ZEROS
    asked: Asked | None = None

    def by_role(self, membership: Membership, within: int) -> Mapping[bytes, bytes]:
        """The keys that hold the role of steward in a past, by what is not cut."""
        return membership.stewards(within) if self._by_role is None else self._by_role(within)

    def closes(self, way: Way) -> bool:
        """Whether nobody who comes in by this way from here on would be a member."""
        return self._closes is not None and self._closes(way)

    def opens(self, way: Way) -> bool:
        """Whether a member opened joining to anyone when the rules said that it is open."""
        return self._opens is not None and self._opens(way)

    def said(self, rule: str, name: str, founded: object) -> object:
        """What a parameter of a rule is by a vote; where there was none, as it was founded."""
        version = None if self._rules is None else self._rules.versions.get(rule)
        return founded if version is None or version.version in (ZEROS, self._founding) else version.params[name]

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
    """What the whole set says of all this."""
    records = (record for record in grounds.records.values() if record.id in membership.set_ids)
    if not any(is_decisive(record) for record in records):
        return NOBODY
    assembly = Assembly(grounds, membership)
    removals, pasts = assembly.removals, assembly.pasts
    everything, cut = pasts.all, removals.within(pasts.all)
    some = tuple(removals.departures(everything))
    kept = removals.kept(everything) - membership.set_ids

    def opens(way: Way) -> bool:
        past = pasts.reach(way.id) if way.id in pasts else 0
        if not isinstance(way.form, Opening) or way.author not in pasts.members(past):
            return False
        return assembly.rules(past).params("join")["policy"] == "open"

    return Departures(
        cut=cut,
        limits=_limits(some, cut, membership.admitted),
        kept=kept,
        _some=some,
        _by_role=None if cut is NOTHING else lambda within: removals.by_role(within, cut),
        _closes=assembly.closer(),
        _opens=opens,
        _rules=assembly.rules(),
        _founding=grounds.commons,
        asked=Asked.of(assembly),
    )


def is_decisive(record: Record) -> bool:
    """Whether a record makes a charter's view ask the assembly."""
    header = record.header
    if header.kind == PROPOSE:
        form = read_assembly(header.kind, record.body or b"")
        return isinstance(form, Open) and form.effect.topic in SHOWN
    return header.kind in (LEAVE, REMOVE) or (header.kind == FOUND and header.commons == ZEROS and _is_strict(record))


def _is_strict(founding: Record) -> bool:
    try:
        rules = Rules.founded(founding.content(), founding.id, 0)
    except FormError:
        return False
    return rules.params("join")["policy"] == "vote" or rules.params("invite")["by"] == "stewards"


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
