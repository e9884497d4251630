"""Where a commons came from, what came of it, and its rules as a file that another one starts from."""

from __future__ import annotations

from typing import Final

from p2pcommons.web.visit import Answer, Download, Page, View, Visit

CHILDREN: Final = 100  # of those followed here
_NAMED: Final = 8  # digits of an id in the name of a file


async def show(visit: Visit) -> Answer:
    """`/commons/ID/lineage`."""
    commons = visit.commons_id()
    found = await visit.commons.lineage(commons)
    values = {
        "info": await visit.commons.get_commons(commons),
        "lineage": found,
        "children": found.children[:CHILDREN],
    }
    return Page("lineage.html", values)


async def recipe(visit: Visit) -> Answer:
    """Its rules as a file signed by this person, and nothing else of it; asked for by a form, as it is signed."""
    commons = visit.commons_id()
    made = await visit.commons.recipe(commons)
    return Download(f"rules-{commons.hex()[:_NAMED]}.zip", "application/zip", made.content)


VIEWS = (
    View("GET", "/commons/{commons}/lineage", show),
    View("POST", "/commons/{commons}/recipe", recipe),
)
