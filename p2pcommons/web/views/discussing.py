"""Talking a proposal over: what was said, an answer behind what it answers, and saying something."""

from __future__ import annotations

from typing import Final

from p2pcommons.api.wire import parse_hex32
from p2pcommons.core.record import RecordId
from p2pcommons.errors import FormError, NotFound
from p2pcommons.web.assembly_labels import FIELD_ERRORS
from p2pcommons.web.naming import names_of
from p2pcommons.web.proposal_reading import parted
from p2pcommons.web.views.proposals import own_keys, proposal_path
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address

PAGE_ITEMS: Final = 50  # each of six pages at most


async def show(visit: Visit) -> Answer:
    """`…/discussion`; `?on=`: with a form that answers that comment."""
    return await _show(visit, visit.asked("on"), "", {})


async def say(visit: Visit) -> Answer:
    """Say something of a proposal, or answer a comment."""
    commons, proposal = visit.commons_id(), visit.proposal_id()
    text, on = visit.typed("text").strip(), visit.typed("on")
    try:
        await visit.commons.comment(commons, proposal, text, on=_comment(on) if on else None)
    except FormError:
        return await _show(visit, on, text, {"text": FIELD_ERRORS["comment"]})
    return Redirect(address(f"{proposal_path(commons, proposal)}/discussion", "said"))


async def _show(visit: Visit, on: str, text: str, errors: dict[str, str]) -> Page:
    commons, proposal = visit.commons_id(), visit.proposal_id()
    found = await visit.commons.proposal(commons, proposal)
    comments = await visit.commons.comments(commons, proposal)
    path, at = proposal_path(commons, proposal), visit.start()
    members = await visit.commons.members(commons)
    values = {
        "info": await visit.commons.get_commons(commons),
        "title": parted(found.text)[0],
        "path": path,
        "mine": await own_keys(visit, members),
        "called": names_of(members),
        "comments": comments[at : at + PAGE_ITEMS],
        "answered": next((one for one in comments if one.id.hex() == on), None),
        "authors": {one.id: one.author for one in comments},
        "text": text,
        "errors": errors,
        "start": f"{path}/discussion" if at else None,
        "more": address(f"{path}/discussion", **{"from": at + PAGE_ITEMS}) if at + PAGE_ITEMS < len(comments) else None,
    }
    return Page("discussion.html", values, 422 if errors else 200)


def _comment(text: str) -> RecordId:
    try:
        return RecordId(parse_hex32(text))
    except FormError:
        raise NotFound("unknown-comment", "nobody said this here, or it was erased") from None


VIEWS = (
    View("GET", "/commons/{commons}/proposals/{proposal}/discussion", show),
    View("POST", "/commons/{commons}/proposals/{proposal}/discussion", say, publishes=True),
)
