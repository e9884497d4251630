"""The rules of a commons, in words and for programs."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from p2pcommons.api.forms import TAG, Text
from p2pcommons.api.operation import Call, Operation, answer
from p2pcommons.api.routes.commons import COMMONS_ID, UNKNOWN
from p2pcommons.api.schema import Parameter
from p2pcommons.node.values import CharterInfo

_TAG: Final = Text(35, 1, TAG, "give a BCP 47 tag, such as fr or br")


async def _show(call: Call) -> web.StreamResponse:
    return answer(await call.commons.charter(call.arguments["id"], call.arguments["language"]))


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/commons/{id}/charter", "getCharter", "The rules in force, in words and with their parameters", _show,
        answer=CharterInfo, refusals={**UNKNOWN, 409: "`commons-waiting`"},
        parameters=(COMMONS_ID, Parameter("language", _TAG, "in which language, where its words have it", default="en")),
    ),
)  # fmt: skip
