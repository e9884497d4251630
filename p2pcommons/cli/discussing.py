"""Commands about what members say of a proposal before they vote."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from p2pcommons.cli.command import Call, Command, commons_argument
from p2pcommons.cli.finding import find_proposal, proposal_argument
from p2pcommons.cli.people import people_of
from p2pcommons.errors import NotFound, Refused

if TYPE_CHECKING:
    from p2pcommons.core.record import CommonsId, RecordId
    from p2pcommons.node.assembly_values import CommentInfo


def _arguments(parser: argparse.ArgumentParser) -> None:
    proposal_argument(parser)
    commons_argument(parser)


async def _discuss(call: Call) -> int:
    from p2pcommons.api.wire import rfc3339

    commons, proposal = await find_proposal(call)
    said = await call.verbs.comments(commons, proposal)
    call.output.items(said)
    if call.output.json:
        return 0
    if not said:
        call.output.say(f'Nobody said anything yet. Begin: p2pcommons proposal comment {proposal.hex()[:8]} "TEXT"')
    people = await people_of(call.verbs, commons)
    for one in said:
        who = people.name(one.author) + ("" if one.member else ", a former member")
        answers = "" if one.on is None else f", to {one.on.hex()[:8]}"
        call.output.say(f"{one.id.hex()[:8]}  {rfc3339(one.at)[:10]}  {who}{answers}")
        for line in one.text.splitlines():
            call.output.say(f"  {line}")
    return 0


def _comment_arguments(parser: argparse.ArgumentParser) -> None:
    proposal_argument(parser)
    parser.add_argument("text", metavar="TEXT", help="what you say; all members can read it")
    parser.add_argument("--on", metavar="COMMENT", help="the comment that you answer, as `proposal discuss` shows it")
    commons_argument(parser)


async def _comment(call: Call) -> int:
    commons, proposal = await find_proposal(call)
    named: str | None = call.arguments.on
    on = None if named is None else await _find_comment(call, commons, proposal, named.lower())
    said = await call.verbs.comment(commons, proposal, call.arguments.text, on=on)
    call.output.document(said)
    if not call.output.json:
        call.output.say(said.id.hex())
    return 0


async def _find_comment(call: Call, commons: CommonsId, proposal: RecordId, named: str) -> RecordId:
    said: tuple[CommentInfo, ...] = await call.verbs.comments(commons, proposal)
    found = [one.id for one in said if len(named) >= 4 and one.id.hex().startswith(named)]
    if len(found) > 1:
        raise Refused("which-comment", f"Several comments begin with {named}: give more of the id.")
    if not found:
        raise NotFound(
            "unknown-comment",
            f"No comment on this begins with {named[:64]!r}. See: p2pcommons proposal discuss {proposal.hex()[:8]}",
        )
    return found[0]


COMMANDS = (
    Command("proposal discuss", "what members say of a proposal", _discuss, _arguments),
    Command("proposal comment", "say something of a proposal, or answer", _comment, _comment_arguments),
)
