"""Neighbours: who is there, how each commons stands with them, and addresses to try."""

from __future__ import annotations

from typing import Any

from p2pcommons.core.identity import did_key
from p2pcommons.errors import FormError, NotFound, Refused
from p2pcommons.node.values import PeerInfo
from p2pcommons.web import labels
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
            "names": names,
            "addresses": status.addresses,
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
        "said": peer.why if peer.why and why is None else None,
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


VIEWS = (
    View("GET", "/neighbours", show),
    View("POST", "/neighbours", add),
    View("POST", "/neighbours/forget", forget),
)
