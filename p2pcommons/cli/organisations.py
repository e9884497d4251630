"""Commands about organisations: who speaks for one, what it asks them, approving."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from p2pcommons.cli.command import Call, Command, commons_argument, count, find_commons
from p2pcommons.cli.people import find_keys, people_of

if TYPE_CHECKING:
    from p2pcommons.cli.people import People
    from p2pcommons.node.organisation_values import AskedInfo

DONE_WORDS = {
    "ballot.cast": "vote", "proposal.open": "propose", "proposal.amend": "amend", "proposal.answer": "answer an amendment",
    "member.leave": "leave", "member.remove": "remove a member", "member.keep": "let a former member's words count",
    "member.organisation": "change who speaks for it", "entry.hide": "hide an entry", "entry.show": "show an entry again",
}  # fmt: skip
"""What an organisation would do, by the kind of the act."""


def _declare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "people", metavar="KEY", nargs="+", help="members who speak for it, by their keys or the beginnings"
    )
    parser.add_argument(
        "--needed", metavar="N", type=count, default=2, help="how many of them have to approve of what it does (2)"
    )
    commons_argument(parser)


async def _declare(call: Call) -> int:
    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)
    people = await find_keys(call.verbs, commons, given.people)
    done = await call.verbs.declare_organisation(commons, people, needed=given.needed)
    call.output.document(done)
    if done.done:
        call.output.say(
            f"You are an organisation of {len(people)} people now: what you propose or vote counts when {given.needed} of them "
            "have approved, each on their own node."
        )
    else:
        call.output.say(f"Those who speak for you are asked. It is done when {done.needed} of them have approved.")
    return 0


async def _list(call: Call) -> int:
    commons = await find_commons(call.verbs, call.arguments.commons)
    asked = await call.verbs.asked_acts(commons)
    call.output.items(asked)
    if call.output.json:
        return 0
    people = await people_of(call.verbs, commons)
    call.output.table(
        ("act", "organisation", "would", "approved", ""),
        [
            (
                one.id.hex()[:8],
                people.name(one.organisation),
                _told(one, people),
                f"{len(one.approved)} of {one.needed}",
                "done" if one.done else "you have approved" if one.yours else "asks you" if one.asked else "",
            )
            for one in asked
        ],
    )
    if any(one.asked and not one.yours and not one.done for one in asked):
        call.output.say("To approve of one: p2pcommons organisation approve ACT")
    return 0


def _told(one: AskedInfo, people: People) -> str:
    said = one.choice or ("" if one.grades is None else ", ".join(f"{name} {at}" for name, at in one.grades.items()))
    words = [DONE_WORDS.get(one.act, one.act), said]
    words += [] if one.proposal is None else [f"on {one.proposal.hex()[:8]}"]
    words += [] if one.person is None else [people.name(one.person)]
    words += [] if one.entry is None else [one.entry.hex()[:8]]
    words += [", ".join(map(people.name, one.people))]
    words += [] if one.text is None else [f"“{one.text.strip().splitlines()[0][:60]}”"]
    return " ".join(word for word in words if word)


def _approve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", metavar="ACT", help="its id, or the beginning, as `organisation list` shows it")
    commons_argument(parser)


async def _approve(call: Call) -> int:
    from p2pcommons.errors import NotFound, Refused

    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)
    named = given.act.rstrip("…").lower()
    found = [one.id for one in await call.verbs.asked_acts(commons) if one.id.hex().startswith(named)]
    if not found or not named:
        raise NotFound("unknown-act", "No organisation asks this: `p2pcommons organisation list` shows what waits.")
    if len(found) > 1:
        raise Refused("which-act", f"Several ids begin with {named}: give more of it.")
    done = await call.verbs.approve_act(commons, found[0])
    call.output.document(done)
    left = max(0, done.needed - len(done.approved))
    call.output.say(
        "You have approved. "
        + (f"{left} more to go." if left else "That is enough: its own node does it as soon as it hears of it.")
    )
    return 0


COMMANDS = (
    Command("organisation declare", "be an organisation that acts by some of its people", _declare, _declare_arguments),
    Command("organisation list", "what organisations ask those who speak for them", _list, commons_argument),
    Command("organisation approve", "approve of it, as one of them", _approve, _approve_arguments),
)
