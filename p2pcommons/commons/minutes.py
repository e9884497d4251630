"""The minutes of an assembly: what became of every proposal, ballot, closing and amendment, as plain values (chapter 22).

Made of an `Assembly`, for pages, the API and vectors. Says with every state why; says nothing of clocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from p2pcommons.commons.assembly import Assembly
from p2pcommons.commons.ballots import LAPSED, NO_ELECTOR, UNAPPROVED, UNFIT, Verdict
from p2pcommons.commons.closings import Case, Closing, Outcome
from p2pcommons.commons.matters import Topic
from p2pcommons.commons.organisations import shown
from p2pcommons.commons.pasts import Ballot
from p2pcommons.commons.rules import Rules
from p2pcommons.commons.tally import Tally
from p2pcommons.core.encoding import encode
from p2pcommons.core.identity import TAG_ASSEMBLY

STATES: Final = ("disorder", "open", "split", "failed", "passed", "outgrown", "reopened")


class Amendment(NamedTuple):
    """Another wording that somebody offered."""

    id: bytes
    author: bytes
    text: bytes
    state: str  # "taken", "own", "refused" or "open"


@dataclass(frozen=True, slots=True)
class Minute:
    """One proposal and all that became of it."""

    id: bytes
    author: bytes
    matter: str
    topic: Topic | None
    state: str  # one of STATES
    fault: str | None  # why it is out of order
    wordings: tuple[bytes, ...]  # records whose text is up to vote; more than one where they are split; ascending
    text: bytes  # hash of the text voted on
    electorate: int  # persons who may vote
    quorum: int
    k: int
    opens: int  # Unix ms, for the form
    closes: int
    ballots: tuple[Verdict, ...]  # all that are here, ascending by id
    late: tuple[bytes, ...]  # on the text that was closed, by who may vote, and not gathered
    closings: tuple[Closing, ...]  # ascending by id
    equivocators: tuple[bytes, ...]  # closers who signed different closings of one round
    void: frozenset[bytes]  # their closings
    round: int  # in which a closing would be now
    amendments: tuple[Amendment, ...]  # ascending by id
    tally: Tally | None  # of the standing closing, else of the ballots that are here
    outcome: Outcome | None
    in_force: bool  # it is what holds on its topic


class Minutes(NamedTuple):
    """All proposals, ascending by id; and the rules in force."""

    proposals: tuple[Minute, ...]
    rules: Rules


def minutes(assembly: Assembly) -> Minutes:
    """What the whole set says."""
    cast: dict[bytes, list[Ballot]] = {}
    for ballot in assembly.pasts.ballots.values():
        cast.setdefault(ballot.form.proposal, []).append(ballot)
    reopened = {one.proposal for topic in assembly.topics for one in assembly.reopened(topic)}
    holding = {one.proposal for topic in assembly.topics if (one := assembly.in_force(topic)) is not None}
    amendments: dict[bytes, list[Amendment]] = {}
    for offer in assembly.offers.values():
        shown = Amendment(offer.deed.id, offer.deed.author, offer.form.text, offer.state)
        amendments.setdefault(offer.case.id, []).append(shown)
    found = []
    for identifier in sorted(assembly.cases):
        case = assembly.cases[identifier]
        made = _minute(assembly, case, cast.get(identifier, ()), sorted(amendments.get(identifier, ())))
        state = "reopened" if identifier in reopened else made[0]
        found.append(_shown(case, state, made, identifier in holding))
    return Minutes(tuple(found), assembly.rules())


class Revision(NamedTuple):
    """An outcome that a node had shown as passed, and that does not hold any more."""

    proposal: bytes
    why: str  # "equivocation", "reopened", "outgrown" or "removal"


def revised(before: Minutes, after: Minutes) -> list[Revision]:
    """What of the earlier minutes was undone by records that came since, and why; ascending.

    An outcome that a later one on its topic took the place of is not revised: that is how things change.
    """
    now = {minute.id: minute for minute in after.proposals}
    holding = {minute.topic for minute in after.proposals if minute.in_force}
    found = []
    for minute in before.proposals:
        held = minute.in_force if minute.topic is not None else minute.state == "passed"
        if not held or minute.id not in now:
            continue
        new = now[minute.id]
        if new.state == "passed" and (minute.topic is None or minute.topic in holding):
            continue
        why = "equivocation" if new.equivocators and new.outcome is None else "removal"
        if new.state in ("reopened", "outgrown"):
            why = new.state
        elif new.state == "passed":
            why = "reopened"  # others that came after it undo each other, and what none of them had seen holds
        found.append(Revision(minute.id, why))
    return found


def minutes_value(some: Minutes) -> dict[str, Any]:
    """The minutes as a canonical value."""
    return {
        "proposals": [_value(minute) for minute in some.proposals],
        "rules": some.rules.value(),
    }


def people_value(assembly: Assembly) -> dict[str, Any]:
    """Who is in after removals, and what these cut, as a canonical value (CHARTER-27 to CHARTER-33), and which
    members are organisations (CHARTER-40)."""
    everything = assembly.pasts.all
    cut = assembly.removals.within(everything)
    persons: dict[bytes, list[bytes]] = {}
    for key, person in assembly.pasts.members(everything).items():
        persons.setdefault(person, []).append(key)
    organisations = shown(assembly.organisations.all(everything))
    return {
        "counting": sorted(cut.counting),
        "cut": sorted(cut.ids | assembly.written_by(cut.unseated)),
        "members": [[person, sorted(persons[person])] for person in sorted(persons)],
        "stewards": sorted(assembly.removals.stewards(everything, cut)),
        **({"organisations": organisations} if organisations else {}),
    }


def minutes_hash(some: Minutes) -> bytes:
    """What nodes compare: 32 bytes."""
    return sha256(TAG_ASSEMBLY + encode(minutes_value(some))).digest()


_Made = tuple[str, Outcome | None, list[Verdict], tuple[bytes, ...], Tally | None, list[bytes], list[Amendment]]


def _minute(assembly: Assembly, case: Case, cast: Iterable[Ballot], amendments: list[Amendment]) -> _Made:
    if case.fault is not None:
        return "disorder", None, [], (), None, [], amendments
    everything, pasts = assembly.pasts.all, assembly.pasts
    outcome = assembly.outcome(case.id)
    current = sorted(wording.id for wording in case.current(everything))
    on = outcome.wording.id if outcome is not None else current[0]
    ids = frozenset(ballot.id for ballot in cast)
    verdicts = case.judge(on, ids, pasts)
    if outcome is None:
        trial = case.trial(verdicts) if len(current) == 1 else None
        return ("open" if len(current) == 1 else "split"), None, verdicts, (), trial, current, amendments
    gathered = outcome.closings[0].gathered
    late = tuple(
        v.id for v in verdicts if v.id not in gathered and v.code not in (NO_ELECTOR, UNFIT, UNAPPROVED, LAPSED)
    )
    counted = {v.id: v for v in case.judge(on, gathered, pasts)}
    shown = [counted.get(verdict.id, verdict) for verdict in verdicts]
    state = "failed" if not outcome.tally.passed else "outgrown" if assembly.is_outgrown(case) else "passed"
    return state, outcome, shown, late, outcome.tally, [on], amendments


def _shown(case: Case, state: str, made: _Made, in_force: bool) -> Minute:
    _, outcome, verdicts, late, tallied, wordings, amendments = made
    form = case.form
    every = sum(closing.bit for closing in case.closings)
    double = case.equivocators(every)
    return Minute(
        id=case.id, author=case.deed.author, matter=form.matter, topic=form.effect.topic, state=state, fault=case.fault,
        wordings=tuple(wordings), text=case.wordings[wordings[0]].text if wordings else form.text,
        electorate=case.electorate, quorum=form.quorum, k=form.k, opens=form.opens, closes=form.closes,
        ballots=tuple(verdicts), late=late, closings=tuple(sorted(case.closings)),
        equivocators=tuple(sorted({closer for closer, _ in double})), amendments=tuple(amendments), tally=tallied,
        void=frozenset(one.id for one in case.closings if (one.closer, one.round) in double),
        round=case.round(every), outcome=outcome, in_force=in_force,
    )  # fmt: skip


def _value(minute: Minute) -> dict[str, Any]:
    tallied = minute.tally
    return {
        "amendments": [[one.id, one.state] for one in minute.amendments],
        "ballots": [[one.id, one.elector, one.code] for one in minute.ballots],
        "closings": [[one.id, one.closer, one.counted, one.recount] for one in minute.closings],
        "electorate": minute.electorate,
        "equivocators": list(minute.equivocators),
        "fault": minute.fault,
        "id": minute.id,
        "in_force": minute.in_force,
        "late": list(minute.late),
        "state": minute.state,
        "tally": None if tallied is None else [tallied.passed, tallied.reason, tallied.answered, tallied.abstained],
        "wordings": list(minute.wordings),
    }
