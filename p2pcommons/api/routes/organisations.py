"""Organisations in a commons: who speaks for one, what it asks them, and approving."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.forms import ID, KEY, Integer, Items
from p2pcommons.api.operation import Call, Listing, Operation, answer, answer_items, slice_of
from p2pcommons.api.routes.commons import COMMONS_ID
from p2pcommons.api.schema import CURSOR, LIMIT, Fields, Member, in_path
from p2pcommons.api.wire import to_json
from p2pcommons.core.limits import ORGANISATION_PEOPLE_MAX
from p2pcommons.node.organisation_values import AskedInfo
from p2pcommons.node.values import ActInfo

_ACT_ID: Final = in_path("act", ID, "what an organisation asks: the id of its record")


async def _declare(call: Call) -> web.StreamResponse:
    body = call.body
    made = await call.commons.declare_organisation(call.arguments["id"], body["people"], needed=body["needed"])
    return answer(made, status=201)


async def _asked(call: Call) -> web.StreamResponse:
    items, following = slice_of(await call.commons.asked_acts(call.arguments["id"]), call)
    return answer_items(map(to_json, items), following)


async def _approve(call: Call) -> web.StreamResponse:
    return answer(await call.commons.approve_act(call.arguments["id"], call.arguments["act"]), status=201)


OPERATIONS: Final = (
    Operation(
        "POST", "/api/v1/commons/{id}/organisation", "declareOrganisation",
        "Be an organisation that acts by so many of these people; once one is, those who speak for it approve of a change first",
        _declare, answer=ActInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,),
        refusals={
            403: "`not-a-member`", 404: "`unknown-commons`: not followed here",
            409: "`unknown-member`; `bad-organisation`: itself, another organisation, one person twice, more to approve than named; "
            "`commons-waiting`",
        },
        body=Fields((
            Member("people", Items(KEY, ORGANISATION_PEOPLE_MAX), "members who speak for it, by any key of each", required=True),
            Member("needed", Integer(1, ORGANISATION_PEOPLE_MAX), "how many of them have to approve of what it does", required=True),
        )),
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/asked", "listAsked", "What organisations ask those who speak for them, the latest first",
        _asked, answer=Listing(AskedInfo), parameters=(COMMONS_ID, LIMIT, CURSOR),
        refusals={404: "`unknown-commons`: not followed here", 409: "`commons-waiting`"},
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/asked/{act}/approvals", "approveAsked",
        "Approve of it: when enough have, the organisation's own node does it", _approve,
        answer=AskedInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID, _ACT_ID),
        refusals={403: "`not-asked`", 404: "`unknown-commons`: not followed here; `unknown-act`", 409: "`commons-waiting`"},
    ),
)  # fmt: skip
