"""The first minute: choose a language, name a commons or join one; and what is public for ever."""

from __future__ import annotations

from p2pcommons.errors import FormError, Refused
from p2pcommons.web import labels
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address


async def welcome(visit: Visit) -> Answer:
    """`/welcome`: start alone or join."""
    return Page("welcome.html", {"followed": await visit.commons.list_commons()})


async def public(visit: Visit) -> Answer:
    """`/public`: what is public for ever, to be read at any time."""
    return Page("public.html")


async def join_form(visit: Visit) -> Answer:
    """`/join`: paste an invitation."""
    return _joining("", None)


async def join(visit: Visit) -> Answer:
    """Take an invitation."""
    line = "".join(visit.typed("invitation").split())  # mail programs break long lines
    try:
        joined = await visit.commons.join(line)
    except (FormError, Refused) as error:
        problem = labels.REFUSALS.get(error.code.replace("_", "-"), labels.REFUSALS["bad-invitation"])
        return _joining(visit.typed("invitation"), problem)
    return Redirect(address(f"/commons/{joined.id.hex()}", "joined"))


def _joining(typed: str, problem: str | None) -> Page:
    return Page("join.html", {"typed": typed, "problem": problem}, 422 if problem else 200)


VIEWS = (
    View("GET", "/welcome", welcome),
    View("GET", "/public", public),
    View("GET", "/join", join_form),
    View("POST", "/join", join, publishes=True),
)
