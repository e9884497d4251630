"""Commands that read what was proposed and how it came out: every ballot, the count, its recount here."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from p2pcommons.cli.command import Call, Command, commons_argument, find_commons
from p2pcommons.cli.finding import find_proposal, proposal_argument
from p2pcommons.cli.people import People, people_of
from p2pcommons.cli.questions import ABOUT, effect_facts, how_decided, how_to_vote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2pcommons.node.assembly_values import BallotInfo, ClosingInfo, ProposalInfo, TallyInfo

_STATES: Final = {
    "disorder": "out of order",
    "open": "open",
    "split": "two texts: who proposed has to set one",
    "failed": "not passed",
    "passed": "passed",
    "outgrown": "undone: a larger assembly had not been asked",
    "reopened": "reopened: another vote on the same was closed elsewhere at the same time",
}
_REASONS: Final = {
    "passed": "enough are for it",
    "no_quorum": "fewer answered than have to",
    "too_few": "too few are for it",
    "nobody_for": "nobody is for it",
    "objections": "an objection stands",
    "tied": "more than one option is the best",
}
_COUNTS: Final = {
    "counted": "yes",
    "same": "once, with another of the same person that says the same",
    "double": "no: another of the same person says something else",
    "replaced": "no: the same person voted again",
    "lapsed": "no: it is on another text",
    "no_elector": "no: of nobody who may vote on this",
    "unapproved": "no: too few of those who speak for the organisation approved of it",
    "unfit": "no: it is not made as a ballot on this has to be",
}
_LATE: Final = "no: late, the vote was closed without it"


# -- the list


async def _list(call: Call) -> int:
    shown = await call.verbs.proposals(await find_commons(call.verbs, call.arguments.commons))
    call.output.items(shown)
    if call.output.json:
        return 0
    if not shown:
        call.output.say('Nothing was proposed here yet. Begin: p2pcommons propose "TEXT"')
        return 0
    call.output.table(
        ("proposal", "about", "state", "answered", "until", "title"),
        [
            (
                one.id.hex()[:8], ABOUT.get(one.matter, one.matter), "revised" if one.applied == "revised" else one.state,
                f"{one.answered} of {one.electorate}", _day(one.closes_at), one.title or "(its text is not here)",
            )
            for one in shown
        ],
    )  # fmt: skip
    return 0


# -- one proposal


def _read_arguments(parser: argparse.ArgumentParser) -> None:
    proposal_argument(parser)
    commons_argument(parser)


async def _show(call: Call) -> int:
    commons, proposal = await find_proposal(call)
    made = await call.verbs.proposal(commons, proposal)
    call.output.document(made)
    if call.output.json:
        return 0
    people = await people_of(call.verbs, commons)
    call.output.facts(
        [
            ("proposal", made.id.hex()),
            ("about", ABOUT.get(made.matter, made.matter)),
            ("state", state_of(made)),
            ("by", people.name(made.author)),
            ("text", made.text or "(not here, or erased)"),
            *await effect_facts(call.verbs, commons, made.effect, people),
            *([("options", ", ".join(made.options))] if made.options else ()),
            ("to pass", how_decided(made)),
            ("may vote", f"{made.electorate} members, of whom {made.quorum} have to answer"),
            ("until", _day(made.closes_at)),
            ("closers", "\n".join(map(people.name, made.closers)) + f"\n{made.closers_needed} of them have to agree"),
            ("your ballot", _own_ballot(made)),
        ]
    )
    await _tell_amendments(call, made, people)
    _tell_next(call, made)
    return 0


def _own_ballot(made: ProposalInfo) -> str:
    if made.yours is not None:
        return _choice(made.yours)
    lapsed = any(one.you and one.said == "lapsed" for one in made.ballots)
    return "none on this text: yours was on another, and has lapsed" if lapsed else "none"


async def _tell_amendments(call: Call, made: ProposalInfo, people: People) -> None:
    """What others would rather have: whole where it waits for an answer."""
    for one in made.amendments:
        short, text = one.id.hex()[:8], one.text or "(its text is not here)"
        call.output.say()
        if one.state != "open" or made.state != "open":
            call.output.say(f"amendment {short} ({one.state}), by {people.name(one.author)}: {text}")
            continue
        effect = await effect_facts(call.verbs, made.commons, one.effect, people)
        call.output.facts(
            [
                ("amendment", f"{short}, by {people.name(one.author)}"),
                ("text", text),
                *((name, value) for name, value in effect if name != "rule"),
                ("answer it", f"p2pcommons proposal answer {short} take"),
            ]
        )


def _tell_next(call: Call, made: ProposalInfo) -> None:
    """What this person can do about it now."""
    if made.state != "open":
        return
    short = made.id.hex()[:8]
    answered = 0 if made.tally is None else made.tally.answered
    call.output.say()
    if made.may_vote and made.yours is None:
        call.output.say(f"You have not voted: {how_to_vote(made)}")
    elif answered < made.electorate:
        call.output.say(f"{made.electorate - answered} have not answered yet, as far as is known here.")
    elif made.may_close and not any(one.you for one in made.closings):
        call.output.say(f"Everybody has answered, and you are one of its closers: p2pcommons close {short}")
    else:
        call.output.say(f"Everybody has answered; its closers close it, whom `p2pcommons proposal show {short}` names.")


# -- how it came out


async def _outcome(call: Call) -> int:
    commons, proposal = await find_proposal(call)
    made = await call.verbs.proposal(commons, proposal)
    call.output.document(made)
    if call.output.json:
        return 0
    people = await people_of(call.verbs, commons)
    call.output.facts(
        [
            ("proposal", made.id.hex()),
            ("state", state_of(made)),
            ("text", made.text or "(not here, or erased)"),
            *await effect_facts(call.verbs, commons, made.effect, people),
        ]
    )
    if made.tally is not None:
        _tell_tally(call, made.tally)
    _tell_closings(call, made, people)
    _tell_ballots(call, made, people)
    await _tell_amendments(call, made, people)
    _tell_next(call, made)
    return 0


def _tell_tally(call: Call, tally: TallyInfo) -> None:
    call.output.say()
    call.output.say("The count:" if tally.final else "So far, by the ballots that are here:")
    facts = [("answered", f"{tally.answered} of {tally.electorate}; {tally.quorum} have to")]
    facts += [(word, f"{number}") for word, number in tally.counts.items()]
    facts += [("abstain", f"{tally.abstained}")]
    if tally.needed is not None:
        facts.append(("for it needed", f"{tally.needed}"))
    best = [option.name for option in tally.options if option.rank == 1]
    why = f"{best[0]} is the best" if tally.passed and best else _REASONS.get(tally.reason, tally.reason)
    if tally.final:
        facts.append(("passed" if tally.passed else "not passed", why))
    else:
        facts.append(("as it stands", f"it would {'' if tally.passed else 'not '}pass: {why}"))
    call.output.facts(facts)
    if tally.options:
        _tell_ranking(call, tally)


def _tell_ranking(call: Call, tally: TallyInfo) -> None:
    """Every option with its grades, and why it is before the next: half of the ballots give the middle grade or more."""
    grades = [f"grade {grade}" for grade in range(len(tally.options[0].counts))]
    call.output.say()
    call.output.table(
        ("rank", "option", "middle grade", *grades),
        [(f"{o.rank}", o.name, f"{o.median}", *map(str, o.counts)) for o in tally.options],
    )
    for step in tally.steps:
        how = f"its middle grade is {step.grade}, against {step.other_grade}"
        if step.grade == step.other_grade:
            call.output.say(f"{step.better} and {step.other} are equal: they have the same grades.")
            continue
        if step.aside:
            ballots = "ballot" if step.aside == 1 else "ballots"
            how = f"with {step.aside} {ballots} of the middle grade set aside of each, {how}"
        call.output.say(f"{step.better} is before {step.other}: {how}.")


def _tell_closings(call: Call, made: ProposalInfo, people: People) -> None:
    call.output.say()
    if made.closings:
        call.output.table(
            ("closed by", "ballots", "recounted here"),
            [(people.name(one.closer), f"{one.count}", _recount(made, one)) for one in made.closings],
        )
    if made.closed_at is None and made.fault is None:
        tell_not_closed(call, made)


def tell_not_closed(call: Call, made: ProposalInfo) -> None:
    """Say of a vote that is not closed what it waits for."""
    if made.round > 1 and not any(one.round == made.round for one in made.closings):
        call.output.say(
            "Its closers counted different ballots, so that none of their counts can stand any more. Each of them closes once "
            f"more, over all ballots that are here by now: p2pcommons close {made.id.hex()[:8]}"
        )
    else:
        call.output.say(
            f"Not closed: it is when {made.closers_needed} of its {len(made.closers)} closers count the same."
        )


def _recount(made: ProposalInfo, closing: ClosingInfo) -> str:
    if closing.equivocates:
        return "signed twice, differently: counts for nothing"
    alone = made.closed_at is not None and not closing.stands
    return f"{closing.recount}: {closing.why}" + ("; too few closers counted these" if alone else "")


def _tell_ballots(call: Call, made: ProposalInfo, people: People) -> None:
    if not made.ballots:
        return
    call.output.say()
    call.output.table(
        ("ballot", "of", "says", "counts"),
        [
            (
                one.id.hex()[:8], "somebody else" if one.person is None else people.name(one.person), _choice(one),
                _LATE if one.late else _COUNTS.get(one.said, one.said),
            )
            for one in made.ballots
        ],
    )  # fmt: skip
    for one in made.ballots:
        if one.reason is not None:
            call.output.say(f"{one.id.hex()[:8]}: {one.reason}")


def state_of(made: ProposalInfo) -> str:
    """What became of it, in words."""
    if made.applied == "revised":
        return f"revised: it held here, and was undone ({made.revised})"
    said = _STATES[made.state] + (f" ({made.fault})" if made.fault else "")
    if made.state == "passed":
        return said + (", and in force" if made.applied == "yes" else ", and followed by another")
    return said


def _choice(ballot: BallotInfo) -> str:
    grades: Mapping[str, int] = ballot.grades or {}
    return ballot.choice or ", ".join(f"{option} {grade}" for option, grade in grades.items())


def _day(instant: int) -> str:
    from p2pcommons.api.wire import rfc3339
    from p2pcommons.node.values import Instant

    return rfc3339(Instant(instant))[:10]


COMMANDS = (
    Command("outcome", "how a vote came out: every ballot, the count, and its recount here", _outcome, _read_arguments),
    Command("proposal list", "what was ever proposed, and its state", _list, commons_argument),
    Command("proposal show", "one proposal: its text, who may vote, how it is decided", _show, _read_arguments),
)
