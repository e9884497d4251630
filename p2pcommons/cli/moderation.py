"""Commands that protect what members share: report, hide, show again, review, block lists."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from p2pcommons.cli.command import Call, Command, commons_argument, entry_id, find_commons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2pcommons.core.identity import PublicKey
    from p2pcommons.core.record import CommonsId, Subject
    from p2pcommons.node.moderation_values import BlockListInfo, HiddenInfo

REASONS = ("spam", "harm", "personal", "rights", "false", "duplicate", "other")
"""As `commons.moderation_bodies` has them, which is not imported for `--help`."""


def _entry_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("entry", metavar="ENTRY", type=entry_id, help="the id of the entry")
    commons_argument(parser)


def _said_arguments(parser: argparse.ArgumentParser) -> None:
    _entry_argument(parser)
    parser.add_argument("--reason", choices=REASONS, required=True, help=f"one of {', '.join(REASONS)}")
    parser.add_argument("--text", metavar="TEXT", help="why, for all to read; it can be erased")


async def _place(call: Call) -> tuple[Subject, CommonsId | None]:
    from p2pcommons.core.record import Subject

    given = call.arguments
    commons = await find_commons(call.verbs, given.commons) if given.commons else None
    return Subject(given.entry), commons


async def _report(call: Call) -> int:
    entry, commons = await _place(call)
    made = await call.verbs.report_entry(entry, call.arguments.reason, call.arguments.text, commons=commons)
    call.output.document(made)
    call.output.say("Reported. It waits for those who may hide: p2pcommons moderation queue")
    return 0


async def _hide(call: Call) -> int:
    entry, commons = await _place(call)
    made = await call.verbs.hide_entry(entry, call.arguments.reason, call.arguments.text, commons=commons)
    call.output.document(made)
    call.output.say("Hidden. Whoever asks sees by whom and why; `p2pcommons unhide` undoes it.")
    return 0


async def _unhide(call: Call) -> int:
    entry, commons = await _place(call)
    done = await call.verbs.unhide_entry(entry, commons=commons)
    call.output.document(done)
    if done.hidden is None:
        call.output.say("Shown again.")
    else:
        call.output.say(f"{len(done.undone)} undone. It stays hidden:")
        _say_why(call, done.hidden)
    return 0


async def _review(call: Call) -> int:
    entry, commons = await _place(call)
    done = await call.verbs.review_reports(entry, commons=commons)
    call.output.document(done)
    call.output.say(f"Answered: {done.answered} report{'' if done.answered == 1 else 's'}. The entry stays.")
    if done.left:
        call.output.say(f"{done.left:,} more wait: say it again.")
    return 0


async def _queue(call: Call) -> int:
    from p2pcommons.api.wire import rfc3339
    from p2pcommons.core.identity import did_key

    found = await call.verbs.moderation_queue(await find_commons(call.verbs, call.arguments.commons))
    call.output.document(found)
    if call.output.json:
        return 0
    if not found.items:
        call.output.say("Nothing waits.")
        return 0
    for item in found.items:
        call.output.say(f"{item.entry.hex()}  {item.title or '(nothing of it is shown here)'}")
        call.output.say(f"    reported by {item.persons}: {_counted(item.reasons)}")
        for report in item.reports:
            words = f": {report.text}" if report.text else ""
            call.output.say(f"    {rfc3339(report.at)[:10]} {did_key(report.person)} {report.reason}{words}")
    if found.may_hide:
        call.output.say("Answer with: p2pcommons hide ENTRY --reason …, or p2pcommons review ENTRY (it stays).")
    elif found.may_review:
        call.output.say("Answer with: p2pcommons review ENTRY (it stays), or propose to hide it.")
    return 0


async def _hidden(call: Call) -> int:
    found = await call.verbs.hidden_entries(await find_commons(call.verbs, call.arguments.commons))
    call.output.items(found)
    if call.output.json:
        return 0
    for one in found:
        call.output.say(one.entry.hex())
        _say_why(call, one)
    if not found:
        call.output.say("Nothing is hidden.")
    return 0


def _say_why(call: Call, hidden: HiddenInfo) -> None:
    from p2pcommons.api.wire import rfc3339
    from p2pcommons.core.identity import did_key

    if hidden.proposal is not None:
        call.output.say(f"    by a vote of the members: p2pcommons outcome {hidden.proposal.hex()[:8]}")
    for one in hidden.hidings:
        words = f": {one.text}" if one.text else ""
        call.output.say(f"    {rfc3339(one.at)[:10]} {did_key(one.person)} {one.reason}{words}")
    for appeal in hidden.appeals:
        call.output.say(f"    an appeal is open: p2pcommons proposal show {appeal.hex()[:8]}")


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in reasons.items())


# -- block lists


def _key_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="did:key:z6Mk…, as `member list` and `entry history` show it")
    commons_argument(parser)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    _key_argument(parser)
    parser.add_argument("--reason", choices=REASONS, default="other", help=f"one of {', '.join(REASONS)}")


def _person_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("person", metavar="PERSON", help="whose list: their did:key")
    commons_argument(parser)


async def _lists(call: Call) -> int:
    from p2pcommons.api.wire import rfc3339
    from p2pcommons.core.identity import did_key

    found = await call.verbs.block_lists(await find_commons(call.verbs, call.arguments.commons))
    call.output.items(found)
    if call.output.json:
        return 0
    for each in found:
        whose = "Your list" if each.you else did_key(each.person)
        call.output.say(f"{whose} ({'followed here' if each.followed else 'not followed here'})")
        for one in each.keys:
            call.output.say(f"    {did_key(one.key)}  {one.reason}  {rfc3339(one.at)[:10]}")
        if not each.keys:
            call.output.say("    nobody")
    return 0


async def _add(call: Call) -> int:
    made = await call.verbs.change_block_list(
        await find_commons(call.verbs, call.arguments.commons), add=[_key(call)], reason=call.arguments.reason
    )
    return _say_list(call, made, "On your list: this node shows nothing more that they alone wrote.")


async def _remove(call: Call) -> int:
    made = await call.verbs.change_block_list(
        await find_commons(call.verbs, call.arguments.commons), remove=[_key(call)]
    )
    return _say_list(call, made, "Off your list.")


async def _follow(call: Call) -> int:
    return await _following(call, True, "This node goes by that list now, and tells nobody.")


async def _unfollow(call: Call) -> int:
    return await _following(call, False, "This node goes by that list no more.")


async def _following(call: Call, follow: bool, text: str) -> int:
    from p2pcommons.core.identity import parse_did_key

    person = parse_did_key(call.arguments.person)
    commons = await find_commons(call.verbs, call.arguments.commons)
    return _say_list(call, await call.verbs.follow_block_list(commons, person, follow=follow), text)


def _key(call: Call) -> PublicKey:
    from p2pcommons.core.identity import parse_did_key

    return parse_did_key(call.arguments.key)


def _say_list(call: Call, made: BlockListInfo, text: str) -> int:
    call.output.document(made)
    call.output.say(text)
    return 0


COMMANDS = (
    Command("report", "ask those who may to look at an entry", _report, _said_arguments),
    Command("hide", "who may: hide an entry, with a reason", _hide, _said_arguments),
    Command("unhide", "undo the hidings of an entry that you may undo", _unhide, _entry_argument),
    Command("review", "who may: answer the reports on an entry, it stays", _review, _entry_argument),
    Command("moderation queue", "reports that wait", _queue, commons_argument),
    Command("moderation hidden", "what is hidden, by whom and why", _hidden, commons_argument),
    Command("block-list show", "your block list, and those of others", _lists, commons_argument),
    Command("block-list add", "put a key on your block list, which all can read", _add, _add_arguments),
    Command("block-list remove", "take a key off your block list", _remove, _key_argument),
    Command(
        "block-list follow",
        "do not show here what keys on somebody's list write; told to nobody",
        _follow,
        _person_argument,
    ),
    Command("block-list unfollow", "show it again", _unfollow, _person_argument),
)
