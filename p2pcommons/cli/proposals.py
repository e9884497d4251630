"""Commands about deciding together: propose, amend, vote, close."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from p2pcommons.cli.command import Call, Command, commons_argument, count, entry_id, find_commons
from p2pcommons.cli.finding import find_amendment, find_proposal, proposal_argument
from p2pcommons.cli.outcomes import state_of, tell_not_closed
from p2pcommons.cli.people import find_keys
from p2pcommons.cli.questions import how_decided, how_to_vote
from p2pcommons.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2pcommons.node.assembly_values import ProposalInfo

GRADES_DEFAULT: Final = 5  # from 0, the lowest: enough to tell apart, few enough to agree on what each means


def params_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--set` and `--words`, of a rule."""
    parser.add_argument(
        "--set", metavar="NAME=VALUE", dest="params", type=_param, action="append", default=[],
        help="a parameter of the rule as it shall be: percent=50, mode=consent (`charter show --exact` names them)",
    )  # fmt: skip
    parser.add_argument("--words", metavar="TEXT", help="how the rule shall read, in your own words")


def _param(text: str) -> tuple[str, int | str | bool]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    if value in ("true", "false"):
        return name, value == "true"
    return name, int(value) if value.isascii() and value.isdecimal() and len(value) < 16 else value


def _grade(text: str) -> tuple[str, int]:
    option, equals, value = text.rpartition("=")
    if not option or not equals or not value.isascii() or not value.isdecimal() or len(value) > 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not OPTION=GRADE, with a grade from 0")
    return option, int(value)


# -- proposing


def _propose_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help="what you propose, and why; its first line is the title")
    about = parser.add_mutually_exclusive_group()
    about.add_argument("--rule", metavar="ID", help="change a rule: with --set, --words, or both")
    about.add_argument(
        "--remove", metavar="KEY", help="remove a member; who is removed is out once `member remove` was said"
    )
    about.add_argument(
        "--admit",
        metavar="KEY",
        help="let somebody in, by the key that `commons ask` shows them, or again who was removed",
    )
    about.add_argument("--hide", metavar="ENTRY", type=entry_id, help="hide an entry")
    about.add_argument(
        "--restore", metavar="ENTRY", type=entry_id, help="show an entry again that is hidden: an appeal"
    )
    about.add_argument(
        "--steward", metavar="KEY", action="append", default=[], help="who are to be stewards; repeat it"
    )
    about.add_argument(
        "--amendment", metavar="ID", help="take an amendment that its proposer did not take; `proposal show` names it"
    )
    params_argument(parser)
    parser.add_argument("--succession", action="store_true", help="with --steward: the stewards there were are gone")
    parser.add_argument(
        "--option", metavar="NAME", action="append", default=[], help="majority judgment: what is judged; repeat it"
    )
    parser.add_argument(
        "--grades",
        metavar="N",
        type=count,
        help=f"majority judgment: how many grades there are, 2 to 10 ({GRADES_DEFAULT})",
    )
    parser.add_argument(
        "--closer", metavar="KEY", action="append", default=[],
        help="who close the vote, as many as the rule `closing` says (else you, stewards, and the eldest members)",
    )  # fmt: skip
    commons_argument(parser)


async def _propose(call: Call) -> int:
    from p2pcommons.core.record import Subject
    from p2pcommons.node.assembly_values import Question

    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)
    said = {
        "rule": given.rule,
        "remove": given.remove,
        "admit": given.admit,
        "hide": given.hide,
        "restore": given.restore,
        "steward": given.steward,
        "amend": given.amendment,
    }
    person, entry = given.remove or given.admit, given.hide or given.restore
    made = await call.verbs.propose(
        commons,
        Question(
            given.text,
            matter=next((matter for matter, value in said.items() if value), "text"),
            rule=given.rule,
            params=dict(given.params) or None,
            words=given.words,
            person=None if person is None else (await find_keys(call.verbs, commons, [person]))[0],
            entry=None if entry is None else Subject(entry),
            stewards=await find_keys(call.verbs, commons, given.steward),
            succession=given.succession,
            amendment=None if given.amendment is None else await find_amendment(call, commons, given.amendment),
            options=tuple(given.option),
            grades=GRADES_DEFAULT if given.option and given.grades is None else given.grades,
            closers=await find_keys(call.verbs, commons, given.closer),
        ),
    )
    tell_opened(call, made, same_rule=made.matter == "rule" and not given.params and given.words is None)
    return 0


def tell_opened(call: Call, made: ProposalInfo, *, same_rule: bool = False) -> None:
    """Say of a proposal just made how to go on. `same_rule`: it is on a rule, and changes nothing of it."""
    from p2pcommons.api.wire import rfc3339

    call.output.document(made)
    call.output.say(made.id.hex())
    if call.output.json:
        return
    members = "1 member" if made.electorate == 1 else f"{made.electorate} members"
    call.output.warn(
        ("It keeps the rule as it is, as neither --set nor --words was given. " if same_rule else "")
        + f"{members} may vote until {rfc3339(made.closes_at)[:10]}, and {made.quorum} have to answer; "
        f"{how_decided(made)}. To vote: {how_to_vote(made)}"
    )


def _amend_arguments(parser: argparse.ArgumentParser) -> None:
    proposal_argument(parser)
    parser.add_argument("text", metavar="TEXT", help="the whole new text")
    params_argument(parser)
    parser.add_argument(
        "--steward", metavar="KEY", action="append", default=[], help="who are to be stewards; repeat it"
    )
    commons_argument(parser)


async def _amend(call: Call) -> int:
    given = call.arguments
    commons, proposal = await find_proposal(call)
    made = await call.verbs.amend_proposal(
        commons,
        proposal,
        text=given.text,
        params=dict(given.params) or None,
        words=given.words,
        stewards=await find_keys(call.verbs, commons, given.steward),
    )
    call.output.document(made)
    offered = next((one for one in made.amendments if one.text == given.text and one.state == "open"), None)
    if offered is None:
        call.output.say("This text is up to vote now. Ballots on the text before have lapsed.")
        return 0
    call.output.say(offered.id.hex())
    if not call.output.json:
        short = offered.id.hex()[:8]
        call.output.warn(
            f"Offered. Who proposed takes it, or refuses it: p2pcommons proposal answer {short} take. A vote can take it too: "
            f'p2pcommons propose "TEXT" --amendment {short}'
        )
    return 0


def _answer_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("amendment", metavar="AMENDMENT", help="its id, or the beginning, as `proposal show` shows it")
    parser.add_argument("answer", choices=("take", "refuse"), help="whether its text is up to vote from now on")
    commons_argument(parser)


async def _answer(call: Call) -> int:
    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)
    amendment = await find_amendment(call, commons, given.amendment)
    made = await call.verbs.answer_amendment(commons, amendment, take=given.answer == "take")
    call.output.document(made)
    taken = "Taken: its text is up to vote now. Ballots on the text before have lapsed."
    call.output.say(taken if given.answer == "take" else "Refused: the text stays.")
    return 0


# -- voting and closing


def _vote_arguments(parser: argparse.ArgumentParser) -> None:
    proposal_argument(parser)
    words = ("for", "against", "abstain", "consent", "object")
    parser.add_argument("choice", metavar="CHOICE", nargs="?", choices=words, help=f"one of {', '.join(words)}")
    parser.add_argument(
        "--grade", metavar="OPTION=GRADE", type=_grade, action="append", default=[],
        help="majority judgment: a grade for each option, 0 being the lowest; repeat it",
    )  # fmt: skip
    parser.add_argument("--reason", metavar="TEXT", help="why, for all to read; an objection should have one")
    parser.add_argument(
        "--text",
        metavar="ID",
        type=entry_id,
        help="the text you read, as --json shows in `wordings`: no other is voted on",
    )
    commons_argument(parser)


async def _vote(call: Call) -> int:
    from p2pcommons.core.record import RecordId

    given = call.arguments
    if (given.choice is None) == (not given.grade):
        raise Refused(
            "bad-choice",
            "Say a choice, or grades with --grade, and not both. How one votes on it: p2pcommons proposal show "
            f"{given.proposal[:8]}",
        )
    choice: str | Mapping[str, int] = dict(given.grade) if given.choice is None else given.choice
    commons, proposal = await find_proposal(call)
    read = None if given.text is None else RecordId(given.text)
    made = await call.verbs.vote(commons, proposal, choice, reason=given.reason, wording=read)
    call.output.document(made)
    answered = 0 if made.tally is None else made.tally.answered
    call.output.say(f"Your ballot is cast. {answered} of {made.electorate} have answered, as far as is known here.")
    if answered == made.electorate:
        call.output.say(f"Everybody has: its closers close it now, by: p2pcommons close {made.id.hex()[:8]}")
    return 0


def _close_arguments(parser: argparse.ArgumentParser) -> None:
    proposal_argument(parser)
    parser.add_argument("--early", action="store_true", help="although there is time to vote still")
    parser.add_argument("--afresh", action="store_true", help="over all ballots here, whatever other closers counted")
    commons_argument(parser)


async def _close(call: Call) -> int:
    commons, proposal = await find_proposal(call)
    made = await call.verbs.close_vote(commons, proposal, early=call.arguments.early, afresh=call.arguments.afresh)
    call.output.document(made)
    own = max((one for one in made.closings if one.you), key=lambda one: one.round)
    call.output.say(f"You counted {own.count} ballot{'' if own.count == 1 else 's'}.")
    if made.closed_at is None:
        alike = {one.closer for one in made.closings if (one.count, one.root) == (own.count, own.root)}
        if made.round > own.round:
            tell_not_closed(call, made)
        else:
            call.output.say(f"It stands when {made.closers_needed} closers have counted the same: so far {len(alike)}.")
    else:
        call.output.say(f"Closed: {state_of(made)}.")
    return 0


COMMANDS = (
    Command(
        "propose",
        "propose a text, a change of a rule, or what is to become of a member or an entry",
        _propose,
        _propose_arguments,
    ),
    Command("vote", "vote on a proposal, or change your vote", _vote, _vote_arguments),
    Command("close", "closers: publish what you count of a vote", _close, _close_arguments),
    Command(
        "proposal amend",
        "another text: yours for your proposal, or offered to somebody else's",
        _amend,
        _amend_arguments,
    ),
    Command("proposal answer", "who proposed: take an amendment, or refuse it", _answer, _answer_arguments),
)
