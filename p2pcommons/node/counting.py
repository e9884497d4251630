"""Counting a vote for a closing: which ballots one gathers, and which of them count (chapter 22, "Closings")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from p2pcommons.commons.assembly_bodies import close
from p2pcommons.commons.ballots import COUNTED, LAPSED, NO_ELECTOR, UNAPPROVED, UNFIT
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.closings import SAME, Closing, Wording
from p2pcommons.commons.minutes import Minute
from p2pcommons.core.limits import EXCLUDED_MAX
from p2pcommons.errors import Conflict, NotFound, Refused
from p2pcommons.node.assemblies import Moment


class Count(NamedTuple):
    """A closing, and what it has to name: ballots, or sheets that name them."""

    made: Made
    names: Sequence[bytes]


def count_ballots(
    moment: Moment, minute: Minute, me: bytes, now_ms: int, *, early: bool, afresh: bool, room: int
) -> Count:
    """What this person's closing counts. `room`: ids that it has room for, beside heads.

    It gathers what another closer gathered, where that recounts the same; `afresh`, all that is here. Refused
    `not-a-closer`; Conflict `closed-by-you`, `split`, and unless `early` `voting-open`.
    """
    pasts, case, on = moment.assembly.pasts, moment.assembly.cases[minute.id], whole_text(moment, minute)
    person = case.elector(me, moment.everything, pasts)
    if person is None or person not in case.closers:
        raise Refused(
            "not-a-closer", "Only its closers close this vote: `p2pcommons proposal show PROPOSAL` names them."
        )
    if any(closing.closer == person and closing.round == minute.round for closing in minute.closings):
        raise _closed_by_you(minute, len(case.closers))
    waiting = now_ms < minute.closes and (minute.tally is None or minute.tally.answered < minute.electorate)
    waiting = waiting and minute.round == 1  # what was closed apart is only to be closed together
    if waiting and not early:
        raise Conflict(
            "voting-open", "There is time to vote on this still, and not everybody has. To close it now: --early"
        )
    here = [verdict for verdict in minute.ballots if verdict.code != NO_ELECTOR]
    other = None if afresh else _agreed(minute, on)
    gathered = frozenset(verdict.id for verdict in here) if other is None else other.gathered
    counted = (verdict.id for verdict in case.verdicts(on.id, gathered, pasts) if verdict.code == COUNTED)
    late = [(v.id, "late") for v in here if v.id not in gathered and v.code not in (LAPSED, UNAPPROVED, UNFIT)]
    names: Sequence[bytes] = sorted(gathered)
    if other is not None:
        named = moment.grounds.records[other.id].header.prev
        shared = [one for one in named if one in pasts.sheets or one in gathered]
        names = shared if len(shared) <= room else names
    return Count(close(minute.id, on.id, counted, excluded=late[:EXCLUDED_MAX]), names)


def _agreed(minute: Minute, on: Wording) -> Closing | None:
    """The closing of somebody else to agree with: of those that most closers signed alike, the one of the smallest id."""
    found = [c for c in minute.closings if c.recount == SAME and c.form.wording == on.id]
    found = [c for c in found if c.round == minute.round and c.id not in minute.void]
    alike = {c.said: sum(other.said == c.said for other in found) for c in found}
    return min(found, key=lambda c: (-alike[c.said], c.id), default=None)


def _closed_by_you(minute: Minute, closers: int) -> Conflict:
    """Say what is waited for, and what one can do where that never comes."""
    left = closers - len({closing.closer for closing in minute.closings if closing.round == minute.round})
    whom = "one closer who has" if left == 1 else f"{left} closers who have"
    return Conflict(
        "closed-by-you",
        f"You have closed this already; a second closing that says something else would undo both. It waits for {whom} not "
        "closed yet. If they never do, propose it again, with closers who will: p2pcommons propose … --closer KEY",
    )


def minute_of(moment: Moment, proposal: bytes) -> Minute:
    """The minute of one proposal. NotFound `unknown-proposal`."""
    minute = next((minute for minute in moment.minutes.proposals if minute.id == proposal), None)
    if minute is None:
        raise NotFound("unknown-proposal", "There is no such proposal: `p2pcommons proposal list` shows them.")
    return minute


def open_minute(moment: Moment, proposal: bytes) -> Minute:
    """The minute of a proposal that is not closed. NotFound `unknown-proposal`; Conflict `out-of-order`, `closed`."""
    minute = minute_of(moment, proposal)
    if minute.state == "disorder":
        raise Conflict("out-of-order", f"This proposal is out of order ({minute.fault}): nothing comes of it.")
    if minute.state not in ("open", "split"):
        raise Conflict("closed", "This vote is closed: `p2pcommons outcome` says how it came out.")
    return minute


def whole_text(moment: Moment, minute: Minute) -> Wording:
    """The one text that is up to vote. Conflict `split`."""
    if len(minute.wordings) > 1:
        raise Conflict("split", "Two texts were set without knowing of each other: who proposed has to set one.")
    return moment.assembly.cases[minute.id].wordings[minute.wordings[0]]
