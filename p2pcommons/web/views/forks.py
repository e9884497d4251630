"""Forking a commons: what it means, asked for once more, and done."""

from __future__ import annotations

from p2pcommons.errors import FormError
from p2pcommons.web import labels
from p2pcommons.web.texts import N_
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address


async def ask(visit: Visit) -> Answer:
    """`/commons/ID/fork`: says what goes along and what does not, and asks for a name."""
    return await _asking(visit, "", None)


async def _asking(visit: Visit, typed: str, problem: str | None) -> Page:
    commons = visit.commons_id()
    await visit.commons.lineage(commons)  # refuses where nothing of it is here
    values = {"info": await visit.commons.get_commons(commons), "typed": typed, "problem": problem}
    return Page("fork.html", values, 422 if problem else 200)


async def fork(visit: Visit) -> Answer:
    """Found the fork and copy what the commons shows; once more goes on where it stopped."""
    typed = visit.typed("name").strip()
    if not typed:
        return await _asking(visit, "", N_("Give it a name."))
    try:
        made = await visit.commons.fork(visit.commons_id(), typed)
    except FormError as error:
        return await _asking(visit, typed, labels.REFUSALS.get(error.code.replace("_", "-"), labels.FIELD_ERROR))
    return Redirect(address(f"/commons/{made.commons.id.hex()}", "forked"))


VIEWS = (
    View("GET", "/commons/{commons}/fork", ask),
    View("POST", "/commons/{commons}/fork", fork, publishes=True),
)
