"""Commands about the node itself: `up`, `status`, `identity`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from p2pcommons.cli.command import Call, Command, Needs
from p2pcommons.cli.logs import LEVELS
from p2pcommons.cli.output import text_of
from p2pcommons.config import API_PORT_DEFAULT, LISTEN_PORT_DEFAULT, NO_LAN, NODES_PATH, Endpoint

if TYPE_CHECKING:
    from p2pcommons.core.identity import PublicKey
    from p2pcommons.core.record import CommonsId
    from p2pcommons.node.values import CommonsInfo, DiskInfo, PeerInfo, Reachable, Status


def endpoint(text: str) -> Endpoint:
    """`HOST:PORT`, IPv6 in brackets."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not bare or (":" in bare) != host.startswith("["):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT (IPv6 in brackets: [::1]:7420)")
    if not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{port!r} is not a port (0 to 65535; 0: any free one)")
    return Endpoint(bare, int(port), asked_for=True)


def size(text: str) -> int:
    """A number of bytes: `500M`, `1.5G`, `20000000`; units of 1,024."""
    number, unit = (text[:-1], text[-1].upper()) if text and not text[-1].isdigit() else (text, "")
    try:
        found = float(number) * 1024 ** ("", "K", "M", "G", "T").index(unit)
    except ValueError:
        found = -1.0
    if not 0 <= found < 2**60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size, as in 500M or 20G")
    return int(found)


def _up_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--api",
        metavar="HOST:PORT",
        type=endpoint,
        help=f"where the page and the API answer (127.0.0.1:{API_PORT_DEFAULT})",
    )
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=endpoint,
        help=f"where other nodes come in (0.0.0.0:{LISTEN_PORT_DEFAULT})",
    )
    parser.add_argument("--no-lan", action="store_true", help="do not look for neighbours, nor answer them")
    parser.add_argument(
        "--introductions",
        action=argparse.BooleanOptionalAction,
        help="tell nodes that follow the same commons of each other, and dial those that others tell of (yes; with --no-lan: no)",
    )
    parser.add_argument(
        "--interface",
        metavar="NAME",
        action="append",
        default=[],
        help="look for neighbours on this network interface, instead of those that lead to people (* stands for any letters)",
    )
    parser.add_argument("--peer", metavar="ADDRESS", action="append", default=[], help="dial this node in this run")
    parser.add_argument("--follow", metavar="COMMONS", action="append", default=[], help="follow this commons")
    parser.add_argument(
        "--public-name",
        metavar="HOST[:PORT]",
        action="append",
        default=[],
        help=f"a name under which a proxy passes other nodes on, wss://HOST{NODES_PATH} (none)",
    )
    parser.add_argument("--trust-clock", action="store_true", help="this machine's clock is right, whatever it seems")
    parser.add_argument(
        "--keep-free",
        metavar="SIZE",
        type=size,
        help="pause while less of the disk is free, as in 500M or 20G (5%% of it and 1G; a tenth of small disks)",
    )
    parser.add_argument("--log-json", action="store_true", help="write the log, on stderr, as one JSON object per line")
    parser.add_argument(
        "--log-level", choices=LEVELS, help="write what is at least so important (warning; with --log-json: info)"
    )


async def _up(call: Call) -> int:
    from p2pcommons.cli.daemon import run
    from p2pcommons.cli.logs import set_up
    from p2pcommons.config import Settings

    given = call.arguments
    settings = Settings(
        data=call.data,
        lan=not given.no_lan and not os.environ.get(NO_LAN),
        introductions=given.introductions,
        interfaces=tuple(given.interface),
        peers=tuple(given.peer),
        follow=tuple(given.follow),
        names=tuple(given.public_name),
        keep_free=given.keep_free,
        trust_clock=given.trust_clock,
    )
    secrets = set_up(as_json=given.log_json, level=given.log_level)
    return await run(settings, api=given.api, listen=given.listen, secrets=secrets, for_programs=given.log_json)


async def _status(call: Call) -> int:
    from dataclasses import replace

    from p2pcommons.cli import connection
    from p2pcommons.node.folder import DATABASE, running_node

    running = running_node(call.data) is not None
    if running or (call.data / DATABASE).exists():
        async with connection.connected(call.data) as verbs:
            status = await verbs.status()
        _show_status(call, status if running else replace(status, ready=False), running)
    if running:
        return 0
    raise connection.no_node(call.data)


def _show_status(call: Call, status: Status, running: bool) -> None:
    from p2pcommons.core.identity import did_key

    call.output.document(status)
    call.output.facts(
        [
            ("node", did_key(status.node)),
            ("person", did_key(status.person)),
            ("data", status.data),
            ("page", f"http://{status.api}/" if running and status.api else "no node runs"),
            ("peers come in at", (status.listen or "nowhere") if running else "nowhere"),
            *(("address", f"{each.address}  ({_reach(each.reach)}{_because(each.why)})") for each in status.addresses),
            *((("from outside", reached_line(status.reachable)),) if running else ()),
            *((("local network", ", ".join(status.lan) or "no neighbours are looked for"),) if running else ()),
            *((("disk", _disk(status.disk)),) if status.disk is not None else ()),
        ]
    )
    for notice in status.notices:
        call.output.say(f"!!  {notice.text}")
    call.output.say()
    commons_table(call, status.commons)
    for each in status.commons:
        if each.why and running:
            call.output.say(f"{text_of(each.name) or each.id.hex()[:8]}: {each.why}")
    if running:
        call.output.say()
        peers_table(call, status)
        others = [each for each in status.nearby if not each.followed]
        if others:
            call.output.say()
            call.output.say(f"Neighbours announce {len(others)} more: p2pcommons commons nearby")


def _disk(disk: DiskInfo) -> str:
    from p2pcommons.node.disk import told

    paused = ": PAUSED, nothing is taken from other nodes, and no import, until there is room"
    return told(disk) + (paused if disk.low else "")


def _reach(reach: str) -> str:
    told = {
        "outside": "reached from outside",
        "local": "this network only",
        "nowhere": "others tried it in vain",
    }
    return told.get(reach, "not known if reachable")


def reached_line(found: Reachable) -> str:
    """Whether this node is reached from outside, in words."""
    if found.state == "unknown" or found.at is None:
        return "not known: no other node was asked, or could tell"
    nodes = f"{found.told_by} node{'s' if found.told_by > 1 else ''}"
    when = datetime.fromtimestamp(found.at / 1000).strftime("%H:%M")
    if found.state == "yes":
        return f"reached by {nodes} at {found.address}, last at {when}"
    return f"not reached: {nodes} tried {found.address} in vain, last at {when}"


def _because(why: str) -> str:
    return f": {why}" if why else ""


def commons_table(call: Call, commons: tuple[CommonsInfo, ...]) -> None:
    """A table of commons."""
    if not commons:
        call.output.say('No commons is followed. Make one: p2pcommons commons create "NAME"')
        return
    call.output.table(
        ("commons", "name", "state", "entries", "records", "members", "neighbours"),
        [
            (
                each.id.hex(),
                text_of(each.name) or "(not here yet)",
                each.state,
                str(each.entries),
                str(each.records),
                str(each.members),
                str(each.neighbours),
            )
            for each in commons
        ],
    )


def peers_table(call: Call, status: Status) -> None:
    """A table of peers, with the state of each commons and why."""
    names = {each.id: each.name or each.id.hex()[:8] for each in status.commons}
    if not status.peers:
        call.output.say("No peers. Add one: p2pcommons peer add ADDRESS")
        return
    call.output.table(
        ("peer", "key", "by", "state", "why"),
        [row for peer in status.peers for row in _peer_rows(peer, names)],
    )


def _peer_rows(peer: PeerInfo, names: Mapping[CommonsId, str]) -> list[tuple[str, str, str, str, str]]:
    rows = [(peer.address or "(dialled us)", _short(peer.key), peer.origin, peer.state, peer.why)]
    for each in peer.commons:
        name = names.get(each.commons, each.commons.hex()[:8])
        rows.append(("", "", "", f"{name}: {each.state}", each.why))
    return rows


def _short(key: PublicKey | None) -> str:
    from p2pcommons.core.identity import did_key

    return did_key(key)[:24] + "…" if key is not None else "(never reached)"


async def _identity_show(call: Call) -> int:
    from p2pcommons.core.identity import did_key

    identity = await call.verbs.identity()
    call.output.document(identity)
    call.output.facts(
        [
            ("person", did_key(identity.person)),
            ("node", did_key(identity.node)),
            ("data", identity.data),
            ("words", "seen" if identity.words_seen else "not seen yet: p2pcommons identity words"),
        ]
    )
    return 0


def _words_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--language", metavar="fr", default="en", help="language of the words: en or fr (en)")


async def _identity_words(call: Call) -> int:
    words = await call.verbs.recovery_words(call.arguments.language)
    call.output.document(list(words))
    call.output.say(" ".join(words))
    if not call.output.json:
        call.output.warn("Write these 12 words on paper. Who has them can take this identity back, and so can a thief.")
    return 0


def _restore_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", metavar="WORD", nargs="*", help="the 12 words (asked for where none is given)")


async def _identity_restore(call: Call) -> int:
    from p2pcommons.cli.connection import typed
    from p2pcommons.cli.input import ask
    from p2pcommons.core.identity import did_key
    from p2pcommons.node.local import restore_identity

    words = " ".join(call.arguments.words)
    if not words:
        words = await ask("The 12 recovery words: ")
    identity = await restore_identity(call.data, words)
    call.output.document(identity)
    call.output.say(f"Restored into {call.data}: {did_key(identity.person)}")
    call.output.say("The key of the lost machine counts on until stewards remove it: `p2pcommons status` will name it.")
    call.output.say(f"Start it: {typed('up', call.data)}")
    return 0


async def _identity_device(call: Call) -> int:
    line = await call.verbs.add_device()
    call.output.document({"line": line})
    call.output.say(line)
    if not call.output.json:
        call.output.warn(
            "Paste it on your other device: p2pcommons identity adopt LINE. Who has this line is you: let nobody see it."
        )
    return 0


def _adopt_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("line", metavar="LINE", nargs="?", help="the line (asked for where it is not given)")


async def _identity_adopt(call: Call) -> int:
    from p2pcommons.cli.connection import typed
    from p2pcommons.cli.input import ask
    from p2pcommons.core.identity import did_key
    from p2pcommons.node.local import adopt

    line = call.arguments.line
    if line is None:
        line = await ask("The line of your other device: ")
    identity = await adopt(call.data, line)
    call.output.document(identity)
    call.output.say(f"This device is yours now, as {did_key(identity.person)}, in {call.data}")
    call.output.say(f"Start it: {typed('up', call.data)}")
    return 0


async def _trust_clock(call: Call) -> int:
    await call.verbs.trust_clock()
    call.output.document({"trusted": True})
    call.output.say("Noted: the clock of this machine is right as it is now. What you sign has its time.")
    return 0


COMMANDS = (
    Command("up", "start a node and say where its page is", _up, _up_arguments, Needs.NOTHING),
    Command("status", "what this node is, follows, and sees", _status, needs=Needs.NOTHING),
    Command("trust-clock", "say that this machine's clock is right, so that writing goes on", _trust_clock),
    Command("identity show", "who writes here", _identity_show),
    Command("identity words", "the 12 recovery words", _identity_words, _words_arguments),
    Command("identity device", "let another device of yours in: one line to paste there", _identity_device),
    Command(
        "identity adopt",
        "be a further device of somebody, in an empty folder",
        _identity_adopt,
        _adopt_arguments,
        Needs.NOTHING,
    ),
    Command(
        "identity restore",
        "start from recovery words, in an empty folder",
        _identity_restore,
        _restore_arguments,
        Needs.NOTHING,
    ),
)
