"""Commands about other nodes. They need a running node: peers are what it talks to."""

from __future__ import annotations

import argparse

from p2pcommons.cli.command import Call, Command, Needs
from p2pcommons.cli.node import peers_table


def _address_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", metavar="ADDRESS", help="[KEY@]HOST:PORT or [KEY@]wss://…")


async def _add(call: Call) -> int:
    peer = await call.verbs.add_peer(call.arguments.address)
    call.output.document(peer)
    call.output.say(f"{peer.address}: {peer.state}. It is dialled at every start.")
    return 0


async def _list(call: Call) -> int:
    if call.output.json:
        call.output.items(await call.verbs.peers())
    else:
        peers_table(call, await call.verbs.status())
    return 0


async def _remove(call: Call) -> int:
    await call.verbs.remove_peer(call.arguments.address)
    call.output.document({"address": call.arguments.address, "kept": False})
    call.output.say(f"{call.arguments.address} is no longer dialled.")
    return 0


def _block_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the node's key, did:key:z6Mk…, as `peer list --json` shows it")


async def _block(call: Call) -> int:
    from p2pcommons.core.identity import parse_did_key

    await call.verbs.block_peer(parse_did_key(call.arguments.key))
    call.output.document({"key": call.arguments.key, "state": "blocked"})
    call.output.say("Blocked: its sessions are ended and new ones refused.")
    return 0


async def _unblock(call: Call) -> int:
    from p2pcommons.core.identity import parse_did_key

    await call.verbs.unblock_peer(parse_did_key(call.arguments.key))
    call.output.document({"key": call.arguments.key, "state": "waiting"})
    call.output.say("It is met again, when one of you calls the other.")
    return 0


COMMANDS = (
    Command("peer add", "keep and dial a node", _add, _address_argument, Needs.NODE),
    Command("peer list", "the nodes kept, met and connected", _list, needs=Needs.NODE),
    Command("peer remove", "forget a kept address", _remove, _address_argument, Needs.NODE),
    Command("peer block", "refuse a node by its key", _block, _block_arguments, Needs.NODE),
    Command("peer unblock", "meet a blocked node again", _unblock, _block_arguments, Needs.NODE),
)
