"""The charter of a commons: its rules in words."""

from __future__ import annotations

from p2pcommons.web.visit import Answer, Page, View, Visit


async def show(visit: Visit) -> Answer:
    """`/commons/ID/charter`."""
    commons = visit.commons_id()
    found = await visit.commons.charter(commons, visit.texts.language)
    return Page("charter.html", {"info": await visit.commons.get_commons(commons), "charter": found})


VIEWS = (View("GET", "/commons/{commons}/charter", show),)
