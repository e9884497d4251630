"""Proposals of a commons: the list, what waits for one's vote first, and one of them with all that became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from p2pcommons.core.identity import did_key
from p2pcommons.core.record import CommonsId
from p2pcommons.node.assembly_values import EffectInfo, ProposalInfo
from p2pcommons.node.values import MembersInfo
from p2pcommons.web.naming import names_of
from p2pcommons.web.proposal_reading import (
    Change,
    choice_words,
    fate,
    grouped,
    isolated,
    left_out,
    mode_words,
    parted,
    receipt,
    recount_words,
    rule_change,
    standing,
    step_words,
    tally_lines,
)
from p2pcommons.web.views.commons import holding_the_same
from p2pcommons.web.visit import Answer, Page, View, Visit, address, now_ms

PAGE_ITEMS: Final = 50
BALLOT_ROWS: Final = 50  # each may carry a reason of six pages
AMENDMENTS: Final = 20  # each has a text of six pages
CLOSINGS: Final = 64  # those who close it are 31 at most; who signs twice is shown twice
LEFT_OUT: Final = 100


@dataclass(frozen=True, slots=True)
class Voting:
    """What stands in the form of a vote."""

    choice: str = ""
    grades: Mapping[str, str] = field(default_factory=dict)  # by the field's name
    reason: str = ""


async def listing(visit: Visit) -> Answer:
    """`/commons/ID/proposals`."""
    commons = visit.commons_id()
    info = await visit.commons.get_commons(commons)
    found = grouped(await visit.commons.proposals(commons), now_ms())
    at, passed, groups = visit.start(), 0, []
    for group in found:
        shown = group.items[max(0, at - passed) : max(0, at + PAGE_ITEMS - passed)]
        passed += len(group.items)
        if shown:
            groups.append(
                (group.name, [(one, standing(one.state, one.applied, one.closes_at, now_ms())) for one in shown])
            )
    path = f"/commons/{commons.hex()}/proposals"
    return Page(
        "proposals.html",
        {
            "info": info,
            "groups": groups,
            "waiting": len(found[0].items),
            "start": path if at else None,
            "more": address(path, **{"from": at + PAGE_ITEMS}) if at + PAGE_ITEMS < passed else None,
        },
    )


async def own_keys(visit: Visit, found: MembersInfo) -> frozenset[str]:
    """All keys of this node's person, as far as the members of a commons tell."""
    me = (await visit.commons.identity()).person
    keys = {me}
    for each in found.members:
        keys.update(each.keys if each.you else ())
    for gone in found.former:
        keys.update(gone.keys if gone.you else ())
    return frozenset(map(did_key, keys))


async def show(visit: Visit) -> Answer:
    """`/commons/ID/proposals/ID`."""
    found = await visit.commons.proposal(visit.commons_id(), visit.proposal_id())
    return await one(visit, found, _voted(found), {})


async def one(visit: Visit, found: ProposalInfo, typed: Voting, errors: dict[str, str], status: int = 200) -> Page:
    """The page of one proposal. `typed`, `errors`: what stands in the form of a vote, and what is wrong with it."""
    commons, texts, now = found.commons, visit.texts, now_ms()
    members = await visit.commons.members(commons)
    mine = await own_keys(visit, members)
    title, rest = parted(found.text)
    over = found.closes_at < now
    path = f"/commons/{commons.hex()}/proposals/{found.id.hex()}"
    at = visit.start()
    tally = found.tally
    change = await _changes(visit, found)
    values: dict[str, Any] = {
        "info": await visit.commons.get_commons(commons),
        "found": found,
        "path": path,
        "mine": mine,
        "called": names_of(members),
        "title": title,
        "rest": rest,
        "standing": standing(found.state, found.applied, found.closes_at, now),
        "over": over,
        "own": did_key(found.author) in mine,
        "yours": receipt(found, await holding_the_same(visit, commons)),
        "choice_of": lambda ballot: choice_words(texts, ballot),
        "fate_of": fate,
        "change": change(found.effect),
        "offered_change": lambda amendment: change(amendment.effect),
        "stewards_now": [each.key for each in members.members if each.steward],
        "mode": mode_words(texts, found.mode, found.threshold),
        "asks": found.may_vote and not over and visit.may_write,
        "closes": found.may_close and not any(closing.you for closing in found.closings) and visit.may_write,
        "lines": tally_lines(texts, tally) if tally else [],
        "best_option": isolated(tally.options[0].name) if tally and tally.options else None,
        "steps": [step_words(texts, step) for step in tally.steps] if tally else [],
        "ballots": found.ballots[at : at + BALLOT_ROWS],
        "start": path if at else None,
        "more": address(path, **{"from": at + BALLOT_ROWS}) if at + BALLOT_ROWS < len(found.ballots) else None,
        "closings": [
            (closing, recount_words(texts, closing), left_out(found, closing, LEFT_OUT))
            for closing in found.closings[:CLOSINGS]
        ],
        "signed": len({c.closer for c in found.closings if c.recount == "same" and not c.equivocates}),
        "amendments": sorted(found.amendments, key=lambda each: each.state != "open")[:AMENDMENTS],
        "said": len(await visit.commons.comments(commons, found.id)),
        "typed": typed,
        "errors": errors,
    }
    return Page("proposal.html", values, status)


def _voted(found: ProposalInfo) -> Voting:
    """What stands in the form of who voted already."""
    if found.yours is None:
        return Voting()
    grades = found.yours.grades or {}
    typed = {f"grade.{place}": str(grades[name]) for place, name in enumerate(found.options) if name in grades}
    return Voting(found.yours.choice or "", typed, found.yours.reason or "")


async def _changes(visit: Visit, found: ProposalInfo) -> Callable[[EffectInfo], Change | None]:
    """Says of an effect what it changes of a rule."""
    if found.effect.rule is None:
        return lambda effect: None
    charter = await visit.commons.charter(found.commons, visit.texts.language)
    history = await visit.commons.charter_history(found.commons)
    return lambda effect: rule_change(visit.texts, charter, history, effect)


def proposal_path(commons: CommonsId, proposal: bytes) -> str:
    """Where one proposal is."""
    return f"/commons/{commons.hex()}/proposals/{proposal.hex()}"


VIEWS = (
    View("GET", "/commons/{commons}/proposals", listing),
    View("GET", "/commons/{commons}/proposals/{proposal}", show),
)
