"""The assemblies of a universe: what each host folds of the records that it holds, and what must hold of that.

A host's fold grows record by record, in the order in which its own disk took them, as a node's does
(`node.assemblies`); at the end it is compared with one made anew, and with everybody else's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from p2pcommons.commons.assembly_bodies import Close, ballots_root
from p2pcommons.commons.ballots import COUNTED, DOUBLE, LAPSED, NO_ELECTOR, REPLACED, UNFIT
from p2pcommons.commons.ballots import SAME as SAID_TWICE
from p2pcommons.commons.closings import SAME
from p2pcommons.commons.minutes import Minute, Minutes, minutes_hash, revised
from p2pcommons.commons.removal_bodies import Leave, Remove
from p2pcommons.core.record import Record
from p2pcommons.node.assemblies import Folded, Moment

if TYPE_CHECKING:
    from simulation.host import Host
    from simulation.universe import Universe

_CODES = frozenset((COUNTED, DOUBLE, LAPSED, NO_ELECTOR, REPLACED, UNFIT, SAID_TWICE))
_NEEDS_NO_CLOSER = frozenset((LAPSED, NO_ELECTOR, UNFIT))  # said of a ballot that nobody gathered as well


class _Kept(NamedTuple):
    life: tuple[int, bool]
    folded: Folded


class Sittings:
    """What hosts fold. Told by nobody: whoever acts or checks asks for a moment."""

    def __init__(self, world: Universe) -> None:
        self._world = world
        self._kept: dict[int, _Kept] = {}
        self.met: Counter[str] = Counter()
        """What happened in these assemblies, as far as honest hosts saw it."""

    def moment(self, host: Host) -> Moment | None:
        """A host's assembly as it is now; None where it has none. AssertionError where it changed without a word."""
        world = self._world
        if host.replica is None or world.commons not in host.replica.followed():
            return None
        charter = host.replica.charter(world.commons)
        if charter is None or not charter.founded:
            return None
        kept, life = self._kept.get(host.number), (host.starts, host.strays)
        before = kept.folded.minutes if kept is not None and kept.life == life else None
        folded = kept.folded if kept is not None and before is not None else None
        if folded is None or not folded.come_to(host.store, charter.set_ids):
            records = [record for record in host.store.charter(world.commons) if record.id in charter.set_ids]
            folded = Folded(records, charter)
        self._kept[host.number] = _Kept(life, folded)
        if before is not None and before is not folded.minutes and host.honest:
            self._changed(host, before, folded.minutes)
        return Moment(
            charter, folded.grounds, folded.assembly, folded.minutes, {}, lambda hashes: {},
            lambda: folded.moderation(charter), host.store,
        )  # fmt: skip

    # -- laws

    def _changed(self, host: Host, before: Minutes, after: Minutes) -> None:
        """What a host had shown as decided goes on holding, was followed by another decision, or is told as revised."""
        now = {minute.id: minute for minute in after.proposals}
        told = {one.proposal: one.why for one in revised(before, after)}
        for minute in before.proposals:
            if not _holds(minute):
                continue
            new = now.get(minute.id)
            if new is not None and _holds(new):
                continue
            if minute.id in told:
                self.met[f"revised: {told[minute.id]}"] += 1
                self._world.say(f"host {host.number} sees {minute.id.hex()[:8]} revised: {told[minute.id]}")
                continue
            name = f"host {host.number} holds {minute.id.hex()[:8]} as decided no more, and does not say why"
            assert new is not None and new.state == "passed", name
            assert any(one.in_force and one.topic == minute.topic for one in after.proposals), name
            self.met["followed by another decision"] += 1

    def check(self) -> None:
        """All honest hosts hold the same: so they show the same minutes, can say why, and can go on."""
        found = [(host, moment) for host in self._world.honest if (moment := self.moment(host)) is not None]
        if not found:
            return
        said = {host.number: minutes_hash(moment.minutes) for host, moment in found}
        first, (_, moment) = found[0][0], found[0]
        assert len(set(said.values())) == 1, f"hosts show different minutes: {said}"
        records = host_records(first, moment)
        anew = Folded(records, moment.charter)
        assert minutes_hash(anew.minutes) == said[first.number], f"the minutes of {first.number}, made anew, are others"
        backwards = Folded(reversed(records), moment.charter)
        assert minutes_hash(backwards.minutes) == said[first.number], "an order of arrival shows in the minutes"
        named = frozenset(moment.assembly.pasts.members(moment.everything))
        shown = {key for one in moment.charter.members for key in one.keys if key in moment.charter.admitted}
        assert named == shown, "the charter and the assembly have other members"
        for minute in moment.minutes.proposals:
            self._reasons(moment, minute)
        self._reasons_of_removals(moment)

    def _reasons(self, moment: Moment, minute: Minute) -> None:
        """Of everything that does not count, a host knows why."""
        self.met[minute.state] += 1
        self.met["in force"] += minute.in_force
        if minute.state == "disorder":
            assert minute.fault, f"{minute.id.hex()[:8]} is out of order, and nobody knows why"
            self.met[f"fault {minute.fault}"] += 1
            return
        assembly, outcome = moment.assembly, minute.outcome
        case = assembly.cases[minute.id]
        here = {ballot.id for ballot in assembly.pasts.ballots.values() if ballot.form.proposal == minute.id}
        assert {verdict.id for verdict in minute.ballots} == here, "a ballot is not in the minutes"
        for verdict in minute.ballots:
            assert verdict.code in _CODES, f"of a ballot is said {verdict.code}"
            self.met[f"ballot {verdict.code}"] += 1
            if outcome is not None and verdict.id not in outcome.closings[0].gathered:
                assert verdict.id in minute.late or verdict.code in _NEEDS_NO_CLOSER, "a ballot was left out in silence"
        self.met["ballot late"] += len(minute.late)
        if outcome is not None:
            counted = [v.id for v in minute.ballots if v.code == COUNTED and v.id in outcome.closings[0].gathered]
            assert ballots_root(counted) == outcome.root, "an outcome is not what its ballots say"
            assert len({closing.closer for closing in outcome.closings}) >= minute.k, "too few closed"
        shown = {closing.id: closing for closing in minute.closings}
        for deed in assembly.pasts.deeds:
            if not isinstance(deed.form, Close) or deed.form.proposal != minute.id:
                continue
            if deed.id not in shown:
                person = case.elector(deed.author, deed.past, assembly.pasts)
                assert person not in case.closers or not case.deed.bit & deed.past, "a closer's closing is not told of"
                self.met["closing of nobody who closes"] += 1
                continue
            closing = shown[deed.id]
            self.met[f"closing {closing.recount}"] += 1
            self.met["closing twice"] += closing.closer in minute.equivocators
            if closing.recount == SAME and closing.closer not in minute.equivocators and outcome is not None:
                cut = assembly.removals.within(moment.everything)
                other = (closing.round, closing.said) != (outcome.closings[0].round, outcome.closings[0].said)
                stands = closing in outcome.closings or other
                assert stands or cut.has(closing.id, closing.author), "a sound closing does nothing"
        if minute.state in ("outgrown", "reopened"):
            others = assembly.is_outgrown(case) or (minute.topic and assembly.reopened(minute.topic))
            assert others, "undone by nobody"

    def _reasons_of_removals(self, moment: Moment) -> None:
        removals, everything = moment.assembly.removals, moment.everything
        cut = removals.within(everything)
        for deed in moment.assembly.pasts.deeds:
            if not isinstance(deed.form, Remove | Leave):
                continue
            kind = "removal" if isinstance(deed.form, Remove) else "leaving"
            if deed.id in removals.refused:
                self.met[f"{kind} without a right"] += 1
            elif deed.id in cut.counting:
                self.met[f"{kind} that counts"] += 1
            else:
                assert deed.id in removals.found, f"of a {kind} nobody knows what became"
                outgrown = bool(removals.found[deed.id].outgrown.bits & everything)
                self.met[f"{kind} {'outgrown' if outgrown else 'over or undone'}"] += 1


def host_records(host: Host, moment: Moment) -> list[Record]:
    """The records of plane 0 in a host's set, as its disk gives them."""
    commons = moment.charter.commons
    return [record for record in host.store.charter(commons) if record.id in moment.charter.set_ids]


def held(minutes: Iterable[Minute]) -> list[Minute]:
    """What holds of some minutes."""
    return [minute for minute in minutes if _holds(minute)]


def _holds(minute: Minute) -> bool:
    return minute.in_force if minute.topic is not None else minute.state == "passed"
