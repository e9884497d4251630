"""Commands about members: list them, leave, and what stewards do about them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from p2pcommons.cli.command import Call, Command, commons_argument, count, entry_id, find_commons
from p2pcommons.cli.people import People, find_keys, short_key
from p2pcommons.errors import Refused

if TYPE_CHECKING:
    from p2pcommons.node.values import ActInfo, EntranceInfo, FormerInfo, MemberInfo


async def _list(call: Call) -> int:
    from p2pcommons.core.identity import did_key

    shown = await call.verbs.members(await find_commons(call.verbs, call.arguments.commons))
    call.output.document(shown)
    if call.output.json:
        return 0
    people = People(shown)
    call.output.table(
        ("member", "", "let in by"),
        [
            (did_key(key), _role(each, people) if at == 0 else "also of the one above", "" if at or each.by is None else people.name(each.by))
            for each in shown.members
            for at, key in enumerate((each.key, *(key for key in each.keys if key != each.key)))
        ],
    )  # fmt: skip
    if shown.former:
        call.output.say("")
        call.output.table(
            ("no member any more", "", "by"),
            [
                (
                    did_key(one.key),
                    _how(one) if one.name is None else f"“{one.name}” {_how(one)}",
                    ", ".join(map(people.name, one.by)),
                )
                for one in shown.former
            ],
        )
    call.output.say("")
    call.output.table(("way in", "used", ""), [(each.id.hex(), _used(each), _kind(each)) for each in shown.entrances])
    if shown.quorum > 1:
        call.output.say(f"{shown.quorum} stewards must agree to take a key out and on who is steward.")
    return 0


def _role(member: MemberInfo, people: People) -> str:
    words = (("steward", member.steward), ("by vote", member.chosen), ("(you)", member.you))
    said = " ".join(word for word, holds in words if holds)
    said = said if member.name is None else f"“{member.name}” {said}".rstrip()
    if member.organisation is None:
        return said
    of = ", ".join(map(people.name, member.organisation.people))
    return f"organisation, by {member.organisation.needed} of {of} {said}".rstrip()


def _how(former: FormerInfo) -> str:
    from p2pcommons.api.wire import rfc3339

    since = "" if former.since is None else f" {rfc3339(former.since)[:10]}"
    words = "" if former.words else ", not all they wrote counts"
    how = {"left": "left", "removed": "removed", "unseated": "let in against the rules, or by who was removed"}[
        former.how
    ]
    return f"{how}{since}{words}{' (you)' if former.you else ''}"


def _used(entrance: EntranceInfo) -> str:
    return f"{entrance.used}" if entrance.uses is None else f"{entrance.used} of {entrance.uses}"


def _kind(entrance: EntranceInfo) -> str:
    from p2pcommons.api.wire import rfc3339

    if entrance.open:
        return "open to anyone"
    return "invitation" if entrance.expires_at is None else f"invitation until {rfc3339(entrance.expires_at)[:10]}"


def _name_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what you are called; '' takes it back")
    commons_argument(parser)


async def _name(call: Call) -> int:
    name = call.arguments.name
    call.output.document(await call.verbs.name_oneself(await find_commons(call.verbs, call.arguments.commons), name))
    call.output.say(
        f"You are called “{name}” in this commons." if name else "You have no name in this commons any more."
    )
    return 0


def _purge_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("keys", metavar="KEY", nargs="*", help="a key, or its beginning, as `member list` shows it")
    parser.add_argument(
        "--entrance", metavar="ID", type=entry_id, action="append", default=[], help="a way in to close, too"
    )
    parser.add_argument("--person", action="store_true", help="all other keys of these persons as well")
    parser.add_argument("--yes", action="store_true", help="it is meant: what is taken out never comes back")
    commons_argument(parser)


async def _purge(call: Call) -> int:
    from p2pcommons.core.identity import did_key

    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)
    shown = await call.verbs.members(commons)
    keys = list(map(People(shown).find, given.keys))
    others = {key for each in shown.members if set(each.keys) & set(keys) for key in each.keys} - set(keys)
    if given.person:
        keys += sorted(others)
        others = set()
    if not given.yes:
        raise Refused(
            "not-confirmed",
            f"This is for good: {len(keys)} keys, all that they wrote, and {len(given.entrance)} ways in. "
            "If it is meant, say it again with --yes.",
        )
    done = await call.verbs.purge(commons, keys=keys, entrances=given.entrance)
    _say(call, done, "Taken out for good.")
    if others and done.done and not call.output.json:
        call.output.warn(f"Their person stays in by: {', '.join(map(did_key, sorted(others)))}. --person names all.")
    return 0


def _steward_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "keys", metavar="KEY", nargs="*", help="members, by their keys or the beginnings, as `member list` shows them"
    )
    parser.add_argument("--end", action="store_true", help="they shall be stewards no more")
    parser.add_argument("--quorum", metavar="N", type=count, help="how many stewards must agree from then on")
    commons_argument(parser)


async def _steward(call: Call) -> int:
    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)
    keys = list(await find_keys(call.verbs, commons, given.keys))
    add, end = ([], keys) if given.end else (keys, [])
    _say(call, await call.verbs.name_stewards(commons, add=add, end=end, quorum=given.quorum), "Done.")
    return 0


def _leave_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="it is meant")
    commons_argument(parser)


async def _leave(call: Call) -> int:
    commons = await find_commons(call.verbs, call.arguments.commons)
    if not call.arguments.yes:
        raise Refused(
            "not-confirmed",
            "You will be a member no more, and what you wrote stays. Only an invitation of a member brings you back. "
            "If it is meant, say it again with --yes.",
        )
    _say(
        call,
        await call.verbs.leave(commons),
        "You are a member no more, but may still vote on what was proposed before. This node goes on following the commons.",
    )
    return 0


def _admit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="theirs, as `commons ask` shows it to them")
    commons_argument(parser)


async def _admit(call: Call) -> int:
    from p2pcommons.core.identity import parse_did_key

    commons = await find_commons(call.verbs, call.arguments.commons)
    _say(
        call,
        await call.verbs.admit(commons, parse_did_key(call.arguments.key)),
        "Let in: they are a member as soon as their node, which follows this commons, has heard of it. There is no line to send.",
    )
    return 0


def _remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "key", metavar="KEY", help="the member, by their key or its beginning, as `member list` shows it"
    )
    words = parser.add_mutually_exclusive_group()
    words.add_argument(
        "--keep-words", dest="words", action="store_const", const="all", default="seen",
        help="all that they wrote counts, and what they write yet; else what is here now counts",
    )  # fmt: skip
    words.add_argument(
        "--drop-words", dest="words", action="store_const", const="none", help="nothing that they wrote counts"
    )
    parser.add_argument("--yes", action="store_true", help="it is meant: only a vote brings them back")
    commons_argument(parser)


_WORDS = {
    "seen": "what they wrote and this node has goes on counting, and nothing that comes later",
    "all": "all that they wrote goes on counting, and what they write yet",
    "none": "nothing that they wrote counts any more",
}


async def _remove(call: Call) -> int:
    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)
    [key] = await find_keys(call.verbs, commons, [given.key])
    if not given.yes:
        raise Refused(
            "not-confirmed",
            f"{short_key(key)} will be a member no more: {_WORDS[given.words]}. Only a vote of the members brings them "
            "back. If it is meant, say it again with --yes.",
        )
    _say(call, await call.verbs.remove_member(commons, key, words=given.words), "They are a member no more.")
    return 0


def _keep_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "key", metavar="KEY", help="the former member, by their key or its beginning, as `member list` shows it"
    )
    parser.add_argument(
        "--entry",
        metavar="ID",
        type=entry_id,
        action="append",
        default=[],
        help="what they wrote about this entry alone",
    )
    commons_argument(parser)


async def _keep(call: Call) -> int:
    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)
    [key] = await find_keys(call.verbs, commons, [given.key])
    _say(call, await call.verbs.keep_words(commons, key, entries=given.entry), "It counts again.")
    return 0


def _say(call: Call, done: ActInfo, text: str) -> None:
    call.output.document(done)
    if done.done:
        call.output.say(text)
    else:
        call.output.say(
            f"You agree: {done.agreed} of {done.needed} stewards. It is done when another one gives the same command."
        )


COMMANDS = (
    Command(
        "member list", "who is in, who left or was removed, and by which ways one comes in", _list, commons_argument
    ),
    Command("member name", "say what you are called in a commons, for all to read", _name, _name_arguments),
    Command("member admit", "let a key in, after a vote or where you may invite", _admit, _admit_arguments),
    Command("member leave", "be a member no more; what you wrote stays", _leave, _leave_arguments),
    Command("member remove", "stewards, or after a vote: take a person off the members", _remove, _remove_arguments),
    Command("member keep", "stewards: let what a former member wrote count again", _keep, _keep_arguments),
    Command("member purge", "stewards: take keys out for good, close ways in", _purge, _purge_arguments),
    Command("member steward", "stewards: make or unmake stewards", _steward, _steward_arguments),
)
