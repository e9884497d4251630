"""Letting a browser in that the node does not know by itself: with the key of the house, the token of the data folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from p2pcommons.web import labels
from p2pcommons.web.session import Denied, Sessions
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address


async def show(visit: Visit) -> Answer:
    """`/enter`."""
    return Page("enter.html", {"problem": None})


def opening(sessions: Sessions) -> Callable[[Visit], Awaitable[Answer]]:
    """The view that takes the token and opens a session."""

    async def enter(visit: Visit) -> Answer:
        try:
            session = sessions.enter(visit.typed("token"))
        except Denied:
            return Page("enter.html", {"problem": labels.REFUSALS["wrong-token"]}, 422)
        return Redirect(address("/", "entered"), session=session)

    return enter


VIEWS = (View("GET", "/enter", show),)
