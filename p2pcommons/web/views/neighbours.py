"""Neighbours: who is there, how each commons stands with them, and addresses to try."""

from __future__ import annotations

from typing import Any

from p2pcommons.core.identity import PublicKey, did_key, parse_did_key
from p2pcommons.errors import FormError, NotFound, Refused
from p2pcommons.node.values import PeerInfo
from p2pcommons.web import labels
from p2pcommons.web.views.commons import NEARBY_ITEMS
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address


async def show(visit: Visit) -> Answer:
    """`/neighbours`."""
    return await _show(visit, "", None)


async def _show(visit: Visit, typed: str, problem: str | None) -> Page:
    status = await visit.commons.status()
    names = {info.id: info.name for info in status.commons}
    return Page(
        "neighbours.html",
        {
            "neighbours": [_neighbour(peer) for peer in status.peers],
            "notices": status.notices,
            "nearby": [one for one in status.nearby if not one.followed][:NEARBY_ITEMS],
            "names": names,
            "addresses": status.addresses,
            "reachable": status.reachable,
            "typed": typed,
            "problem": problem,
        },
        422 if problem else 200,
    )


def _neighbour(peer: PeerInfo) -> dict[str, Any]:
    why = labels.WHYS.get(peer.code)
    return {
        "info": peer,
        "key": did_key(peer.key) if peer.key is not None else None,
        "why": why,
        "said": peer.why if peer.why and (why is None or peer.code == "ended") else None,
    }


async def add(visit: Visit) -> Answer:
    """Keep an address and try it."""
    typed = visit.typed("address").strip()
    try:
        await visit.commons.add_peer(typed)
    except (FormError, Refused) as error:
        problem = labels.REFUSALS.get(error.code.replace("_", "-"), labels.REFUSALS["bad-address"])
        return await _show(visit, typed, problem)
    return Redirect(address("/neighbours", "neighbour"))


async def forget(visit: Visit) -> Answer:
    """Forget a kept address."""
    try:
        await visit.commons.remove_peer(visit.typed("address"))
    except (FormError, NotFound):
        return await _show(visit, "", labels.REFUSALS["unknown-peer"])
    return Redirect(address("/neighbours", "forgotten"))


# -- blocking


def _key(text: str) -> PublicKey:
    """The key that a form or an address names. NotFound `bad-peer`."""
    try:
        return parse_did_key(text)
    except FormError:
        raise NotFound("bad-peer", f"{text[:80]!r} is no key of a node") from None


async def block_form(visit: Visit) -> Answer:
    """`/neighbours/block?key=…`: says what blocking does, or what the end of it does, and asks whether it is meant."""
    key = _key(visit.asked("key"))
    found = [peer for peer in await visit.commons.peers() if peer.key == key]
    if not found:
        raise NotFound("unknown-peer", "no such neighbour is known here")
    blocked = any(peer.blocked for peer in found)
    return Page("block.html", {"key": did_key(key), "address_of": found[0].address, "blocked": blocked})


async def block(visit: Visit) -> Answer:
    """End its visits, and refuse new ones."""
    await visit.commons.block_peer(_key(visit.typed("key")))
    return Redirect(address("/neighbours", "blocked"))


async def unblock(visit: Visit) -> Answer:
    """Meet it again."""
    await visit.commons.unblock_peer(_key(visit.typed("key")))
    return Redirect(address("/neighbours", "unblocked"))


VIEWS = (
    View("GET", "/neighbours", show),
    View("POST", "/neighbours", add),
    View("POST", "/neighbours/forget", forget),
    View("GET", "/neighbours/block", block_form),
    View("POST", "/neighbours/block", block),
    View("POST", "/neighbours/unblock", unblock),
)
