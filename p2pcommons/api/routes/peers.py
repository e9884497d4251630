"""Peers: kept, met, connected."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.forms import KEY, Text
from p2pcommons.api.operation import Call, Listing, Operation, answer, answer_items, nothing, slice_of
from p2pcommons.api.schema import CURSOR, LIMIT, Fields, Member, Parameter
from p2pcommons.api.wire import to_json
from p2pcommons.core.limits import ADDRESS_CHARACTERS_MAX
from p2pcommons.node.values import PeerInfo

ADDRESS: Final = Text(ADDRESS_CHARACTERS_MAX, format="address")
_ADDRESS_MEANING: Final = "`[KEY@]HOST:PORT` or `[KEY@]wss://…`"


async def _list(call: Call) -> web.StreamResponse:
    items, following = slice_of(await call.commons.peers(), call)
    return answer_items(map(to_json, items), following)


async def _add(call: Call) -> web.StreamResponse:
    return answer(await call.commons.add_peer(call.body["address"]), status=201)


async def _remove(call: Call) -> web.StreamResponse:
    await call.commons.remove_peer(call.arguments["address"])
    return nothing()


async def _block(call: Call) -> web.StreamResponse:
    await call.commons.block_peer(call.body["key"])
    return nothing()


async def _unblock(call: Call) -> web.StreamResponse:
    await call.commons.unblock_peer(call.body["key"])
    return nothing()


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/peers", "listPeers", "Peers kept, met and connected, and how each commons stands with them",
        _list, answer=Listing(PeerInfo), parameters=(LIMIT, CURSOR),
    ),
    Operation(
        "POST", "/api/v1/peers", "addPeer", "Keep an address and dial it, now and at every start", _add,
        answer=PeerInfo, status=201, needs=Grant.OWN,
        body=Fields((Member("address", ADDRESS, _ADDRESS_MEANING, required=True),)),
    ),
    Operation(
        "DELETE", "/api/v1/peers", "removePeer", "Forget a kept address", _remove, status=204, needs=Grant.OWN,
        parameters=(Parameter("address", ADDRESS, _ADDRESS_MEANING, required=True),),
        refusals={404: "`unknown-peer`"},
    ),
    Operation(
        "POST", "/api/v1/peers/block", "blockPeer", "End the sessions of a node's key and refuse new ones", _block,
        status=204, needs=Grant.OWN, body=Fields((Member("key", KEY, "the node's `did:key`", required=True),)),
    ),
    Operation(
        "POST", "/api/v1/peers/unblock", "unblockPeer", "Meet a blocked node again", _unblock, status=204,
        needs=Grant.OWN, body=Fields((Member("key", KEY, "the node's `did:key`", required=True),)),
        refusals={404: "`unknown-peer`: not blocked"},
    ),
)  # fmt: skip
