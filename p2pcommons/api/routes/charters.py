"""The rules of a commons, in words and for programs."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from p2pcommons.api.forms import TAG, Named, Text
from p2pcommons.api.operation import Call, Listing, Operation, answer, answer_items
from p2pcommons.api.routes.commons import COMMONS_ID, UNKNOWN
from p2pcommons.api.schema import Parameter
from p2pcommons.api.wire import to_json
from p2pcommons.commons.rules import RULES
from p2pcommons.node.assembly_values import RuleChange
from p2pcommons.node.values import CharterInfo

_TAG: Final = Text(35, 1, TAG, "give a BCP 47 tag, such as fr or br")


async def _show(call: Call) -> web.StreamResponse:
    return answer(await call.commons.charter(call.arguments["id"], call.arguments["language"]))


async def _history(call: Call) -> web.StreamResponse:
    found = await call.commons.charter_history(call.arguments["id"], call.arguments["rule"])
    return answer_items(map(to_json, found), None)


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/commons/{id}/charter", "getCharter", "The rules in force, in words and with their parameters", _show,
        answer=CharterInfo, refusals={**UNKNOWN, 409: "`commons-waiting`"},
        parameters=(COMMONS_ID, Parameter("language", _TAG, "in which language, where its words have it", default="en")),
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/charter/history", "getCharterHistory",
        "The versions that one rule had, or all rules that were changed; the first ones first", _history,
        answer=Listing(RuleChange), refusals={**UNKNOWN, 409: "`commons-waiting`"},
        parameters=(COMMONS_ID, Parameter("rule", Named(tuple(RULES)), "of this one rule")),
    ),
)  # fmt: skip
