"""Commands that read what was proposed and how it came out: every ballot, the count, its recount here."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from p2pcommons.cli.command import Call, Command, commons_argument, entry_id, find_commons
from p2pcommons.errors import NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2pcommons.core.identity import PublicKey
    from p2pcommons.core.record import CommonsId, RecordId
    from p2pcommons.node.assembly_values import ProposalInfo

SAID = {
    "disorder": "out of order",
    "open": "open",
    "split": "two texts: who proposed has to set one",
    "failed": "not passed",
    "passed": "passed",
    "outgrown": "undone: a larger assembly had not been asked",
    "reopened": "reopened: another vote on the same was closed elsewhere at the same time",
}
_REASONS = {
    "passed": "enough are for it",
    "no_quorum": "fewer answered than have to",
    "too_few": "too few are for it",
    "nobody_for": "nobody is for it",
    "objections": "an objection stands",
    "tied": "more than one option is the best",
}


def proposal_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the proposal that a command is about."""
    parser.add_argument("proposal", metavar="PROPOSAL", help="its id, or the beginning, as `proposal list` shows it")


async def find_proposal(call: Call) -> tuple[CommonsId, RecordId]:
    """The commons and the proposal that a person named."""
    commons = await find_commons(call.verbs, call.arguments.commons)
    named = call.arguments.proposal.lower()
    if len(named) == 64:
        return commons, record_id(named)
    found = [one for one in await call.verbs.proposals(commons) if len(named) >= 4 and one.id.hex().startswith(named)]
    if len(found) > 1:
        raise Refused("which-proposal", f"Several proposals begin with {named}: give more of the id.")
    if not found:
        raise NotFound("unknown-proposal", f"No proposal begins with {named[:64]!r}. See: p2pcommons proposal list")
    return commons, found[0].id


def record_id(text: str) -> RecordId:
    """The id of a record: 64 hex digits."""
    from p2pcommons.core.record import RecordId

    return RecordId(entry_id(text))


async def _list(call: Call) -> int:
    from p2pcommons.api.wire import rfc3339

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
                one.id.hex()[:8], one.matter, "revised" if one.applied == "revised" else one.state,
                f"{one.answered} of {one.electorate}", rfc3339(one.closes_at)[:10], one.title or "(its text is not here)",
            )
            for one in shown
        ],
    )  # fmt: skip
    return 0


def _read_arguments(parser: argparse.ArgumentParser) -> None:
    proposal_argument(parser)
    commons_argument(parser)


async def _show(call: Call) -> int:
    commons, proposal = await find_proposal(call)
    made = await call.verbs.proposal(commons, proposal)
    call.output.document(made)
    if call.output.json:
        return 0
    from p2pcommons.api.wire import rfc3339

    call.output.facts(
        [
            *_what(made),
            ("about", made.matter),
            ("by", _name(made.author)),
            ("decided by", _how(made)),
            ("may vote", f"{made.electorate}; {made.quorum} have to answer"),
            ("until", rfc3339(made.closes_at)[:10]),
            ("closers", "\n".join(map(_name, made.closers)) + f"\n{made.closers_needed} of them have to agree"),
            ("your ballot", "none" if made.yours is None else _choice(made.yours.choice, made.yours.grades)),
        ]
    )
    _tell_amendments(call, made)
    return 0


async def _outcome(call: Call) -> int:
    commons, proposal = await find_proposal(call)
    made = await call.verbs.proposal(commons, proposal)
    call.output.document(made)
    if call.output.json:
        return 0
    call.output.facts(_what(made))
    _tell_tally(call, made)
    call.output.say("")
    call.output.table(
        ("closed by", "ballots", "recounted here"),
        [
            (_name(one.closer), f"{one.count}", "signed twice, differently: neither counts" if one.equivocates else f"{one.recount}: {one.why}")
            for one in made.closings
        ],
    )  # fmt: skip
    if made.closed_at is None and made.fault is None:
        tell_not_closed(call, made)
    call.output.say("")
    call.output.table(
        ("ballot", "of", "says", "counts"),
        [
            (
                one.id.hex()[:8], "nobody who may vote" if one.person is None else _name(one.person),
                _choice(one.choice, one.grades), "late" if one.late else one.said.replace("_", " "),
            )
            for one in made.ballots
        ],
    )  # fmt: skip
    for one in made.ballots:
        if one.reason is not None:
            call.output.say(f"{one.id.hex()[:8]}: {one.reason}")
    _tell_amendments(call, made)
    return 0


def tell_not_closed(call: Call, made: ProposalInfo) -> None:
    """Say of a vote that is not closed what it waits for."""
    closed = {one.closer for one in made.closings if one.round == made.round}
    if made.round > 1 and not closed:
        call.output.say(
            "Its closers counted different ballots, so that none of their counts can stand any more. Each of them closes once "
            "more, over all ballots that are here by now: p2pcommons close PROPOSAL"
        )
    else:
        call.output.say(
            f"Not closed: {len(closed)} of {len(made.closers)} closers have closed, {made.closers_needed} must agree."
        )


def _what(made: ProposalInfo) -> list[tuple[str, str]]:
    """What both `proposal show` and `outcome` begin with."""
    text = made.text or "(not here, or erased)"
    return [("proposal", made.id.hex()), ("state", _state(made)), ("text", text), *_effects(made)]


def _tell_amendments(call: Call, made: ProposalInfo) -> None:
    for one in made.amendments:
        call.output.say("")
        call.output.say(f"amendment {one.id.hex()} ({one.state})")
        call.output.say(f"  {one.text or '(its text is not here)'}")


def _tell_tally(call: Call, made: ProposalInfo) -> None:
    tally = made.tally
    if tally is None:
        return
    call.output.say("")
    call.output.say("The count:" if tally.final else "So far, by the ballots that are here:")
    facts = [("answered", f"{tally.answered} of {tally.electorate}; {tally.quorum} have to")]
    facts += [(word, f"{number}") for word, number in tally.counts.items()]
    facts += [("abstain", f"{tally.abstained}")]
    if tally.needed is not None:
        facts.append(("for it needed", f"{tally.needed}"))
    facts.append(("passed" if tally.passed else "not passed", _REASONS.get(tally.reason, tally.reason)))
    call.output.facts(facts)
    if tally.options:
        call.output.table(
            ("rank", "option", "grade in the middle", "ballots by grade, from 0"),
            [(f"{o.rank}", o.name, f"{o.median}", " ".join(map(str, o.counts))) for o in tally.options],
        )
        for step in tally.steps:
            how = f"after {step.aside} set aside of each, {step.grade} against {step.other_grade}"
            if step.grade == step.other_grade:
                how = "the same in every grade"
            call.output.say(f"{step.better} before {step.other}: {how}.")


def _state(made: ProposalInfo) -> str:
    if made.applied == "revised":
        return f"revised: it held here, and was undone ({made.revised})"
    said = SAID[made.state] + (f" ({made.fault})" if made.fault else "")
    if made.state == "passed":
        return said + (", and in force" if made.applied == "yes" else ", and followed by another")
    return said


def _how(made: ProposalInfo) -> str:
    if made.mode == "qualified":
        return "qualified majority, {} of {}".format(*made.threshold)
    if made.mode == "judgment":
        return f"majority judgment, grades 0 to {(made.grades or 1) - 1}: {', '.join(made.options)}"
    return made.mode


def _effects(made: ProposalInfo) -> list[tuple[str, str]]:
    effect = made.effect
    found: list[tuple[str, str | None]] = [
        ("rule", effect.rule),
        ("would say", ", ".join(f"{n} {v}" for n, v in sorted((effect.params or {}).items())) or None),
        ("in words", effect.words),
        ("person", None if effect.person is None else _name(effect.person)),
        ("stewards", None if effect.stewards is None else "\n".join(map(_name, effect.stewards))),
        ("amendment", None if effect.amendment is None else effect.amendment.hex()),
        ("entry", None if effect.entry is None else effect.entry.hex()),
        ("criterion", effect.criterion),
    ]
    return [(name, value) for name, value in found if value is not None]


def _choice(word: str | None, grades: Mapping[str, int] | None) -> str:
    return word or ", ".join(f"{option} {grade}" for option, grade in (grades or {}).items())


def _name(key: PublicKey) -> str:
    from p2pcommons.core.identity import did_key

    return did_key(key)


COMMANDS = (
    Command("outcome", "how a vote came out: every ballot, the count, and its recount here", _outcome, _read_arguments),
    Command("proposal list", "what was ever proposed, and its state", _list, commons_argument),
    Command("proposal show", "one proposal: its text, who may vote, how it is decided", _show, _read_arguments),
)
