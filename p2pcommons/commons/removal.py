"""Strong removal: who is out, and which of their records do nothing (chapter 21, "Removal").

Asked within a past, as everything in chapter 22: a removal's right is judged where it stands, and which removals of a
past count is settled there. Sets never change by any of it. What the assembly decided comes in as `Votes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from p2pcommons.commons.cuts import NOTHING, Cut, joined
from p2pcommons.commons.doors import Stewards, act_hash
from p2pcommons.commons.grounding import Grounds
from p2pcommons.commons.matters import Topic
from p2pcommons.commons.membership import Membership
from p2pcommons.commons.organisation_bodies import spoken_hash
from p2pcommons.commons.outgrowing import NEVER, Outgrown
from p2pcommons.commons.pasts import Deed, Pasts
from p2pcommons.commons.removal_bodies import Keep, Leave, Remove
from p2pcommons.core.record import Record

STEWARDS_TOPIC: Final = ("stewards", b"")
_DEPTH: Final = 4  # pasts of which one is asked for the sake of another; some fifteen calls each


class Votes(Protocol):
    """What removals ask of the assembly."""

    @property
    def on_people(self) -> bool:
        """Whether anything was ever proposed, in order, on a person or on who is a steward."""

    def decides(self, topic: Topic, within: int, cut: Cut) -> tuple[str, int, frozenset[bytes]] | None:
        """The matter, the proposal's past, and the keys named, of what is in force on a topic in a past."""


@dataclass(slots=True, eq=False)
class Removal:
    """A removal or leaving whose author had the right to it."""

    deed: Deed
    form: Remove | Leave
    outgrown: Outgrown
    alone: bool  # whether a steward needs nobody else for it
    cuts: dict[frozenset[bytes], Cut] = field(default_factory=dict)  # by the person's keys


class Departure(NamedTuple):
    """A removal or leaving that counts, of somebody who is out by it."""

    deed: Deed
    form: Remove | Leave
    keys: frozenset[bytes]  # of that person, those purged apart


class Removals:
    """The removals of one set, filled ancestors first."""

    def __init__(self, pasts: Pasts, grounds: Grounds, membership: Membership, votes: Votes) -> None:
        self.found: dict[bytes, Removal] = {}
        self.refused: dict[bytes, Deed] = {}  # without a right to it
        self.outgrown: Callable[[Deed], Outgrown] = lambda deed: NEVER
        self.unseated: Callable[[int], int] = lambda within: 0  # bits of the joins of a past that seat nobody
        self.agreed: Callable[[bytes, int, bytes], bool | None] = lambda author, past, wanted: None
        self._mute: dict[bytes, frozenset[bytes]] = {}  # by deed: organisations that approved, and whose people did not
        self._kept: list[tuple[Deed, frozenset[bytes]]] = []
        self._keeping: list[tuple[Deed, frozenset[bytes]]] = []  # those of them that name records of plane 0
        self._pasts, self._grounds, self._membership, self._votes = pasts, grounds, membership, votes
        self._mask = 0  # bits of removals and of what they may depend on
        self._cuts: dict[int, Cut] = {}
        self._people: tuple[int, Mapping[bytes, bytes]] = (0, {})  # in the past asked last
        self._closings: list[Deed] = []  # on persons and stewards
        self._depth = 0  # of pasts asked about within pasts
        self._keys_of: dict[bytes, frozenset[bytes]] = {}  # of each person asked about there
        self._seen_of: dict[frozenset[bytes], _Seen] = {}

    def watch(self, bits: int, closing: Deed | None = None) -> None:
        """Take note of deeds that removals depend on: closings on persons and stewards, ancestors first."""
        self._mask |= bits
        if closing is not None:
            self._closings.append(closing)

    def add(self, deed: Deed, form: Remove | Leave | Keep) -> None:
        """Judge a deed in its own past, and take it if its author had the right (CHARTER-28, CHARTER-29)."""
        members = self._pasts.members(deed.past)
        own = members.get(deed.author)
        if not isinstance(form, Leave):
            self._mute[deed.id] = self._muted(deed)
        if isinstance(form, Keep):
            if own is not None and self._by_stewards(deed, self.within(deed.past)):
                self._kept.append((deed, form.ids))
                if not form.ids.isdisjoint(self._grounds.records):
                    self._keep(deed, form.ids)
            return
        if isinstance(form, Leave):
            right = own is not None and members.get(form.person) == own
        else:
            right = own is not None and self._may(deed, form, self.within(deed.past))
        if not right:
            self.refused[deed.id] = deed
            return
        outgrown = self.outgrown(deed)
        self._mask |= deed.bit | outgrown.bits
        self.found[deed.id] = Removal(deed, form, outgrown, self._membership.quorum(deed.past) <= 1)

    def refuse(self, deed: Deed) -> None:
        """Take note of a deed of this chapter that its author had no right to."""
        if isinstance(deed.form, Leave | Remove):
            self.refused[deed.id] = deed

    def _muted(self, deed: Deed) -> frozenset[bytes]:
        """Keys of organisations that approved of a deed, and whose own people did not (CHARTER-42)."""
        record = self._grounds.records[deed.id]
        wanted = act_hash(self._grounds.commons, record.header.kind, record.body or b"")
        some = (author for author, bits in self._pasts.signed.get(wanted, {}).items() if bits & deed.past)
        commons, kind, body = self._grounds.commons, record.header.kind, record.body or b""
        return frozenset(
            author for author in some
            if self.agreed(author, deed.past, spoken_hash(commons, author, kind, body)) is False
        )  # fmt: skip

    def _keep(self, deed: Deed, ids: frozenset[bytes]) -> None:
        """Take note of what lets records of plane 0 count: most name records of the catalogue alone."""
        self._mask |= deed.bit
        self._keeping.append((deed, ids))

    def came(self, record: bytes) -> None:
        """One more record came: what is cut is found anew."""
        for deed, ids in self._kept:
            if record in ids and (deed, ids) not in self._keeping:
                self._keep(deed, ids)
        if self.found:
            self._cuts.clear()
            self._seen_of.clear()
            for one in self.found.values():
                one.cuts.clear()

    def within(self, within: int) -> Cut:
        """What is cut in a past."""
        if not any(removal.deed.bit & within for removal in self.found.values()) and not self.unseated(within):
            return NOTHING
        within = self._seen(within)
        found = self._cuts.get(within)
        if found is None:
            self._depth += 1
            if self._depth == _DEPTH:
                # What is in force here rests on what was in each closing's past, and that on earlier ones: those first.
                for closing in self._closings:
                    if closing.bit & within:
                        self.within(closing.past)
            found = self._cuts[within] = self._within(within)
            self._depth -= 1
        return found

    def stewards(self, within: int, cut: Cut) -> Mapping[bytes, bytes]:
        """The keys that act as stewards in this past, each with one same key for all keys of a person.

        By role, where what made them so is not cut, or named by the assembly.
        """
        found = dict(self.by_role(within, cut))
        named = self._votes.decides(STEWARDS_TOPIC, within, cut)
        if named is not None:
            members = self._membership.people(within & ~cut.doors)
            persons = {members[key] for key in (*named[2], *found) if key in members}
            found = {key: person for key, person in members.items() if person in persons}
        return {key: root for key, root in found.items() if key not in cut.gone}

    def by_role(self, within: int, cut: Cut) -> Mapping[bytes, bytes]:
        """The keys that hold the role of steward in this past, where what made them so is not cut: who is out as well."""
        dead = cut.doors
        if cut is not NOTHING:
            for act in self._membership.valid:  # ancestors first
                if isinstance(act.form, Stewards) and act.bit & within:
                    cut_off = cut.has(act.id, act.author)
                    if cut_off or act.author not in self._membership.stewards(act.past & ~dead):
                        dead |= act.bit
        return self._membership.stewards(within & ~dead)

    # -- what a charter shows

    def departures(self, within: int) -> list[Departure]:
        """What counts in a past, of persons who are out there; ancestors first."""
        counting, within = self.within(within).counting, self._seen(within)
        some = [one for one in self.found.values() if one.deed.id in counting]
        found = [Departure(one.deed, one.form, self._cut(one, within).gone) for one in some]
        return [one for one in found if one.keys]

    def kept(self, within: int) -> frozenset[bytes]:
        """What stewards let count of what persons who are out wrote in the catalogue (CHARTER-35)."""
        cut = self.within(within)
        return frozenset[bytes]().union(
            *(
                ids
                for deed, ids in self._kept
                if deed.bit & within and not cut.has(deed.id, deed.author) and self._by_stewards(deed, cut)
            )
        )

    def closing(self, within: int) -> Callable[[Record], bool]:
        """Says of a way whether whoever came in by it from here on would be cut."""
        cut, within = self.within(within), self._seen(within)
        removing = [
            (one, self._keys(one, within))
            for one in self.found.values()
            if one.deed.id in cut.counting and isinstance(one.form, Remove)
        ]

        def closes(way: Record) -> bool:
            author = way.header.author
            return author in cut.unseated or any(
                author in keys and not self._is_back(one, keys, self._pasts.past(way) or 0) for one, keys in removing
            )

        return closes

    # -- rights

    def _may(self, deed: Deed, form: Remove, cut: Cut) -> bool:
        if cut.has(deed.id, deed.author):
            return False
        decided = self._votes.decides(("person", form.person), deed.past, cut)
        return (decided is not None and decided[0] == "remove") or self._by_stewards(deed, cut)

    def _by_stewards(self, deed: Deed, cut: Cut) -> bool:
        stewards = self.stewards(deed.past, cut)
        if deed.author not in stewards:
            return False
        record = self._grounds.records[deed.id]
        wanted = act_hash(self._grounds.commons, record.header.kind, record.body or b"")
        mute = self._mute.get(deed.id, ())
        signing = {
            one.author
            for one in self._pasts.approvals.get(wanted, ())
            if one.bit & deed.past and one.author not in mute and not cut.has(one.id, one.author)
        }
        persons = {stewards[key] for key in {deed.author, *signing} if key in stewards}
        return len(persons) >= self._membership.quorum(deed.past)

    # -- which of them count

    def _within(self, within: int) -> Cut:  # CHARTER-32
        here = [one for one in self.found.values() if one.deed.bit & within and not one.outgrown.bits & within]
        rest = [one for one in here if isinstance(one.form, Remove)]
        taken = joined([self._cut(one, within) for one in here if isinstance(one.form, Leave)])
        cut = self._settled(taken, within)
        rest = [one for one in rest if self._holds(one, cut)]
        while rest:
            effects = self._effects(rest, taken, cut, within)
            sources = _unpointed(effects)
            more = joined([taken, *(self._cut(rest[at], within) for at in sources)])
            fuller = self._settled(more, within)
            gone = set(sources)
            # A commons is never left without a way to act: what would leave nobody at all does not count.
            if self._membership.people(within & ~fuller.doors).keys() - fuller.gone:
                taken, cut = more, fuller
                done = [effect for effect in effects if not sources.isdisjoint(effect.some)]
                gone.update(*(effect.lost for effect in done))
                rest = [one for at, one in enumerate(rest) if at not in gone]
                if not all(effect.alone for effect in done):
                    rest = [one for one in rest if self._holds(one, cut)]
            else:
                rest = [one for at, one in enumerate(rest) if at not in gone]
        return cut

    def _holds(self, one: Removal, cut: Cut) -> bool:
        return isinstance(one.form, Leave) or self._may(one.deed, one.form, cut)

    def _effects(self, rest: list[Removal], taken: Cut, cut: Cut, within: int) -> list[_Effect]:
        """What these would do, those together that would do the same: whom they would leave without their right."""
        alike: dict[Cut, list[int]] = {}
        written: dict[bytes, list[int]] = {}
        for at, one in enumerate(rest):
            alike.setdefault(self._cut(one, within)._replace(counting=frozenset()), []).append(at)
            written.setdefault(one.deed.author, []).append(at)
        places = {one.deed.id: at for at, one in enumerate(rest)}
        together = [at for at, one in enumerate(rest) if not one.alone]
        rights = self._rights()
        keeps = any(not ids.isdisjoint(rights) or not ids.isdisjoint(places) for _, ids in self._keeping)
        found = []
        for own, some in alike.items():
            # Where nothing is cut that gave anybody a right, who is out or cut loses theirs, and nobody else.
            plain = not self._votes.on_people and not keeps and not own.doors & within & ~cut.doors
            plain = plain and rights.isdisjoint(own.ids)
            lost, ask = set[int](), list(range(len(rest)))
            if plain:
                lost.update(*(written.get(key, ()) for key in own.gone))
                lost.update(places[one] for one in own.ids if one in places)
                ask = [at for at in together if at not in lost]
            if ask:
                after = self._settled(joined([taken, own]), within)
                lost.update(at for at in ask if not self._holds(rest[at], after))
            found.append(_Effect(some, lost, plain and not together))
        return found

    def _rights(self) -> set[bytes]:
        """The records that make stewards, or agree with one of them."""
        acts = {act.id for act in self._membership.valid if isinstance(act.form, Stewards)}
        return acts.union(one.id for some in self._pasts.approvals.values() for one in some)

    def _settled(self, cut: Cut, within: int) -> Cut:
        """What removals cut together, with whom they leave without a door, but for what is kept (CHARTER-30)."""
        if unseated := self.unseated(within):
            cut = cut._replace(doors=cut.doors | unseated)
        if cut.doors & within:
            left = self._membership.people(within & ~cut.doors)
            cut = cut._replace(unseated=frozenset(self._membership.people(within).keys() - left.keys()))
        keeping = [(deed, ids) for deed, ids in self._keeping if deed.bit & within and not ids.isdisjoint(cut.ids)]
        kept = frozenset[bytes]().union(
            *(ids for deed, ids in keeping if not cut.has(deed.id, deed.author) and self._by_stewards(deed, cut))
        )
        return cut._replace(ids=cut.ids - kept) if kept else cut

    def _seen(self, within: int) -> int:
        """Of a past, what removals can depend on."""
        return within & (self._mask | self._pasts.who)

    def _keys(self, one: Removal, within: int) -> frozenset[bytes]:
        """All keys of the person."""
        within &= self._pasts.who
        if self._people[0] != within:
            self._people = within, self._membership.people(within)
            self._keys_of.clear()
        person, people = one.form.person, self._people[1]
        found = self._keys_of.get(person)
        if found is None:
            root = people.get(person)
            keys = [key for key, other in people.items() if other == root] if root else []
            found = self._keys_of[person] = frozenset((*keys, person))
        return found

    def _cut(self, one: Removal, within: int) -> Cut:
        keys = self._keys(one, within)
        if isinstance(one.form, Leave):
            back = any(
                door.key in keys and door.bit & within and self._pasts.door_pasts[door.id] & one.deed.bit
                for door in self._grounds.doors
                if door.id in self._pasts.door_pasts
            )
            return NOTHING if back else Cut(frozenset({one.deed.id}), keys, frozenset(), frozenset(), 0)
        found = one.cuts.get(keys)
        if found is None:
            found = one.cuts[keys] = self._cut_of(one, keys)
        back = self._votes.on_people and self._is_back(one, keys, within)
        return self._readmitted(one, found, within) if back else found

    def _is_back(self, one: Removal, keys: frozenset[bytes], within: int) -> bool:
        """Whether the assembly has let a removed person in again."""
        found = (self._votes.decides(("person", key), within, NOTHING) for key in keys)
        return any(one_of[0] == "admit" and one_of[1] & one.deed.bit for one_of in found if one_of is not None)

    def _readmitted(self, one: Removal, cut: Cut, within: int) -> Cut:
        """What stays cut of a person who is back: all that was not written, or made, since, as far as this past goes.

        Nothing else is asked for: what lies outside of this past may have it in its own, and the answers would go round.
        """
        depends = self._mask | self._pasts.who

        def is_since(past: int | None) -> bool:
            return past is not None and not past & depends & ~within and self._is_back(one, cut.gone, past)

        records = (self._grounds.records[identifier] for identifier in cut.ids)
        ids = frozenset(record.id for record in records if not is_since(self._pasts.past(record)))
        doors = 0
        for door in self._grounds.doors:
            if door.bit & cut.doors and not is_since(self._pasts.door_pasts.get(door.id)):
                doors |= door.bit
        return cut._replace(gone=frozenset(), ids=ids, doors=doors)

    def _cut_of(self, one: Removal, keys: frozenset[bytes]) -> Cut:
        """What of the whole set is cut: records of these keys, and joins by their ways, that the removal had not seen."""
        seen = self._seen_of.get(keys)
        if seen is None:
            seen = self._seen_of[keys] = _Seen(self._grounds, keys)
        ids, doors = seen.cut_by(one.deed)
        return Cut(frozenset({one.deed.id}), keys, ids, frozenset(), doors)


class _Effect(NamedTuple):
    """What some removals of one round would do alike."""

    some: list[int]  # their places
    lost: set[int]  # places of those that they would leave without a right
    alone: bool  # whether that is so whatever else counts


class _Seen:
    """What each record had seen of some keys' records and of the joins by their ways: bits of its own, in one pass."""

    def __init__(self, grounds: Grounds, keys: frozenset[bytes]) -> None:
        self._doors = [door for door in grounds.doors if door.maker in keys and not door.link]
        self._ids: list[bytes] = []  # each at its bit
        self._bits: dict[bytes, int] = {}
        self._reach: dict[bytes, int] = {}
        self._own = 0
        self._cuts: dict[int, tuple[frozenset[bytes], int]] = {}
        doors = {door.id for door in self._doors}
        for record in grounds.records.values():  # ancestors first
            reach = 0
            if record.header.author in keys or record.id in doors:
                reach = self._bits[record.id] = 1 << len(self._ids)
                self._ids.append(record.id)
                self._own |= reach if record.header.author in keys else 0
            for parent in record.header.prev:
                reach |= self._reach[parent]
            self._reach[record.id] = reach

    def cut_by(self, deed: Deed) -> tuple[frozenset[bytes], int]:
        """The records, and the bits of doors, that a removal had not seen."""
        seen = self._reach[deed.id]
        found = self._cuts.get(seen)
        if found is None:
            left, ids = self._own & ~seen, list[bytes]()
            while left:
                ids.append(self._ids[left.bit_length() - 1])
                left ^= 1 << left.bit_length() - 1
            doors = 0
            for door in self._doors:
                doors |= 0 if self._bits[door.id] & seen else door.bit
            found = self._cuts[seen] = frozenset(ids), doors
        return found


def _unpointed(effects: Sequence[_Effect]) -> set[int]:
    """The removals to which none points that they do not lead back to: of what leads to each other, what nothing enters.

    Tarjan's components over removals, by place, and the effects behind them.
    """
    count = sum(len(effect.some) for effect in effects)
    ahead: list[Sequence[int]] = [()] * count
    for number, effect in enumerate(effects):
        for at in effect.some:
            ahead[at] = (count + number,)
    ahead.extend(sorted(effect.lost) for effect in effects)
    component = _components(ahead)
    entered = {component[to] for at, some in enumerate(ahead) for to in some if component[to] != component[at]}
    return {at for at in range(count) if component[at] not in entered}


def _components(ahead: Sequence[Sequence[int]]) -> list[int]:
    """For each place, the component that it is in: places that lead to each other have the same."""
    found, low, order = [-1] * len(ahead), [0] * len(ahead), [-1] * len(ahead)
    waiting: list[int] = []
    met = 0
    for first in range(len(ahead)):
        path = [(first, iter(ahead[first]))] if order[first] < 0 else []
        while path:
            at, more = path[-1]
            if order[at] < 0:
                order[at] = low[at] = met
                met += 1
                waiting.append(at)
            for to in more:
                if order[to] < 0:
                    path.append((to, iter(ahead[to])))
                    break
                if found[to] < 0:
                    low[at] = min(low[at], order[to])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[at])
                while low[at] == order[at] and found[at] < 0:
                    found[waiting.pop()] = at
    return found
