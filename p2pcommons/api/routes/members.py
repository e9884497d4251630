"""Members of a commons, and what stewards do: take keys out for good, close ways in, make and unmake stewards."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.forms import ID, KEY, Integer, Items
from p2pcommons.api.operation import Call, Operation, answer
from p2pcommons.api.routes.commons import COMMONS_ID
from p2pcommons.api.schema import Fields, Member
from p2pcommons.core.limits import STEWARDS_NAMED_MAX
from p2pcommons.node.values import ActInfo, MembersInfo

_KEYS: Final = Items(KEY, STEWARDS_NAMED_MAX)
_UNKNOWN: Final = "`unknown-commons`: not followed here"
_NOT_THERE: Final = (
    "`unknown-member`, `unknown-entrance`: named in the body, and not of this commons; `commons-waiting`"
)
_STEWARDS: Final = {403: "`not-a-steward`", 409: "`too-few-stewards`: nobody could act any more; `commons-waiting`"}


async def _list(call: Call) -> web.StreamResponse:
    return answer(await call.commons.members(call.arguments["id"]))


async def _purge(call: Call) -> web.StreamResponse:
    body = call.body
    return answer(
        await call.commons.purge(call.arguments["id"], keys=body["keys"], entrances=body["entrances"]), status=201
    )


async def _stewards(call: Call) -> web.StreamResponse:
    body = call.body
    made = await call.commons.name_stewards(
        call.arguments["id"], add=body["add"], end=body["end"], quorum=body["quorum"]
    )
    return answer(made, status=201)


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/commons/{id}/members", "listMembers", "Who is in, who are stewards, and by which ways one comes in",
        _list, answer=MembersInfo, parameters=(COMMONS_ID,), refusals={404: "`unknown-commons`: not followed here", 409: "`commons-waiting`"},
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/purge", "purgeMembers",
        "Stewards: take keys out for good, with all they wrote, and close ways in", _purge,
        answer=ActInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,),
        refusals={404: _UNKNOWN, 409: _NOT_THERE, **_STEWARDS},
        body=Fields((
            Member("keys", _KEYS, "keys that never come back; name all keys of a person to take the person out", default=()),
            Member("entrances", Items(ID, STEWARDS_NAMED_MAX), "ids of ways in that nobody else comes in by", default=()),
        ), some=True),
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/stewards", "nameStewards", "Stewards: make and unmake stewards", _stewards,
        answer=ActInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,), refusals={404: _UNKNOWN, 409: _NOT_THERE, **_STEWARDS},
        body=Fields((
            Member("add", _KEYS, "members to make stewards", default=()),
            Member("end", _KEYS, "members who shall be none", default=()),
            Member("quorum", Integer(1, STEWARDS_NAMED_MAX), "how many stewards must agree from then on"),
        ), some=True),
    ),
)  # fmt: skip
