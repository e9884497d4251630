"""Commands about commons: make, list, show, follow, invite, join."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from p2pcommons.cli.command import Call, Command, Needs, count, entry_id, find_commons
from p2pcommons.cli.node import commons_table

if TYPE_CHECKING:
    from p2pcommons.node.values import CommonsInfo


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--join", choices=("invite", "open", "vote"), help="who may join (as its charter says, else by invitation)"
    )
    parser.add_argument(
        "--charter", choices=("association", "collection", "federation"),
        help="the rules to begin with: a group that knows each other, a collection open to all, groups that act together",
    )  # fmt: skip
    parser.add_argument(
        "--recipe",
        metavar="FILE",
        type=Path,
        help="begin with the rules of another commons: what `commons recipe` wrote",
    )
    parser.add_argument("--territory", metavar="CODE", help="INSEE or ISO 3166-2 code, such as 29019 or FR-29")
    parser.add_argument("--language", metavar="fr", action="append", default=[], help="may be given several times")


async def _create(call: Call) -> int:
    from p2pcommons.cli.beginnings import read_recipe_file, signed_by

    given = call.arguments
    content, recipe = (None, None) if given.recipe is None else read_recipe_file(given.recipe)
    made = await call.verbs.create_commons(
        given.name,
        join=given.join,
        languages=tuple(given.language),
        territory=given.territory,
        charter=given.charter,
        recipe=content,
    )
    call.output.document(made)
    call.output.say(made.id.hex())
    if not call.output.json:
        whose = "" if recipe is None else signed_by(recipe)
        call.output.warn(f"Made {made.name!r}{whose}. Invite somebody: p2pcommons commons invite {made.id.hex()}")
    return 0


async def _list(call: Call) -> int:
    followed = await call.verbs.list_commons()
    call.output.items(followed)
    commons_table(call, followed)
    return 0


async def _nearby(call: Call) -> int:
    found = await call.verbs.nearby()
    call.output.items(found)
    if not found:
        call.output.say("No neighbour announces a commons. `p2pcommons status` shows who is there.")
        return 0
    call.output.table(
        ("commons", "name", "neighbours", ""),
        [(each.id.hex(), each.name, str(each.neighbours), "followed here" if each.followed else "") for each in found],
    )
    if not call.output.json:
        call.output.say("Names are what neighbours say. Keep a copy of one: p2pcommons commons follow ID")
    return 0


def _one_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("commons", metavar="C", nargs="?", help="its id, the beginning of its id, or its name")


def _id_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("commons", metavar="ID", type=entry_id)
    parser.add_argument("--peer", metavar="ADDRESS", action="append", default=[], help="a node that follows it; kept")


async def _show(call: Call) -> int:
    commons = await find_commons(call.verbs, call.arguments.commons)
    shown = await call.verbs.get_commons(commons)
    digest = await call.verbs.digest(commons)
    if call.output.json:
        from p2pcommons.api.wire import to_json

        call.output.document({**to_json(shown), "digest": to_json(digest)})
    call.output.facts(
        [
            ("commons", shown.id.hex()),
            ("name", shown.name or "(not here yet)"),
            ("state", shown.state),
            ("joining", shown.join or ""),
            ("languages", ", ".join(shown.languages)),
            ("territory", shown.territory or ""),
            ("you", _standing(shown)),
            ("members", str(shown.members)),
            ("entries", str(shown.entries)),
            ("records", str(digest.records)),
            ("bodies missing", str(digest.bodies_missing)),
            ("fingerprint", digest.fingerprint.hex()),
            ("views", digest.state.hex()),
        ]
    )
    return 0


def _standing(commons: CommonsInfo) -> str:
    if commons.member:
        return "member"
    return "follower, may write" if commons.may_write else "follower"


async def _follow(call: Call) -> int:
    followed = await call.verbs.follow(call.arguments.commons, tuple(call.arguments.peer))
    call.output.document(followed)
    here = followed.name or "nothing of it is here yet; it comes when a peer has it"
    call.output.say(f"Following {followed.id.hex()}: {here}")
    _say_if_alone(call)
    return 0


async def _unfollow(call: Call) -> int:
    commons = await find_commons(call.verbs, call.arguments.commons)
    await call.verbs.unfollow(commons)
    call.output.document({"id": commons.hex(), "followed": False})
    call.output.say(f"No longer following {commons.hex()}; its records are gone from this folder.")
    return 0


def _unfollow_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("commons", metavar="ID", help="its id, the beginning of its id, or its name")


def _invite_arguments(parser: argparse.ArgumentParser) -> None:
    _one_argument(parser)
    parser.add_argument("--uses", metavar="N", type=count, default=1, help="how many may join by it (1)")
    parser.add_argument("--days", metavar="D", type=count, default=30, help="how long it holds (30)")


async def _invite(call: Call) -> int:
    from p2pcommons.cli.connection import typed
    from p2pcommons.commons.invitation import parse_invitation

    commons = await find_commons(call.verbs, call.arguments.commons)
    made = await call.verbs.invite(commons, uses=call.arguments.uses, days=call.arguments.days)
    call.output.document(made)
    call.output.say(made.invitation)
    if not call.output.json:
        call.output.warn(
            "Whoever holds this line can join: send it to the person only. They run: p2pcommons commons join LINE"
        )
    if not parse_invitation(made.invitation).addresses:
        call.output.warn(
            "It names no address, because no node runs here. Make another while one does, or tell them an address too: "
            f"{typed('up', call.data)}"
        )
    return 0


def _join_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("invitation", metavar="INVITATION", help="the line somebody sent you")


async def _join(call: Call) -> int:
    joined = await call.verbs.join(call.arguments.invitation)
    call.output.document(joined)
    if joined.member:
        call.output.say(f"You are a member of {joined.name or joined.id.hex()}.")
    else:
        call.output.say(f"Following {joined.id.hex()}; you join as soon as a peer has brought its charter.")
        _say_if_alone(call)
    return 0


async def _ask(call: Call) -> int:
    from p2pcommons.core.identity import did_key

    commons = await find_commons(call.verbs, call.arguments.commons)
    shown = await call.verbs.get_commons(commons)
    key = did_key((await call.verbs.identity()).person)
    call.output.document({"commons": commons.hex(), "join": shown.join, "key": key, "member": shown.member})
    if shown.member:
        call.output.say(f"You are a member of {shown.name or commons.hex()} already.")
    elif shown.join == "open":
        call.output.say("Joining is open: you become a member with the first thing that you write.")
    elif shown.join == "vote":
        call.output.say(
            "Its members vote on who comes in. Send one of them this line, and say who you are; they run it:"
        )
        call.output.say(f'p2pcommons propose "WHO YOU ARE" --admit {key} --commons {commons.hex()}')
        call.output.say("Keep following: your node joins by itself when the vote has passed.")
    else:
        call.output.say("Members invite here. Send one of them this line; they run it, or send you an invitation:")
        call.output.say(f"p2pcommons member admit {key} --commons {commons.hex()}")
    return 0


def _say_if_alone(call: Call) -> None:
    """With no node running nothing can come in: say how to start one."""
    from p2pcommons.cli.connection import typed
    from p2pcommons.node.folder import running_node

    if running_node(call.data) is None:
        call.output.say(f"No node runs here yet, and it is what fetches: {typed('up', call.data)}")


COMMANDS = (
    Command("commons create", "found a commons", _create, _create_arguments),
    Command("commons list", "the commons followed here", _list),
    Command("commons nearby", "the commons that neighbours announce", _nearby, needs=Needs.NODE),
    Command("commons show", "one commons: charter, counts, digest", _show, _one_argument),
    Command("commons follow", "keep a copy of a commons", _follow, _id_argument),
    Command("commons unfollow", "forget a commons and its records", _unfollow, _unfollow_arguments),
    Command("commons invite", "make an invitation: one line to send", _invite, _invite_arguments),
    Command("commons ask", "what to send a member so that they let you in", _ask, _one_argument),
    Command("commons join", "join by an invitation", _join, _join_arguments),
)
