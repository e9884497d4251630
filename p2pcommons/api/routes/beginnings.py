"""How commons begin and fare: recipes, forks, lineage, the four criteria."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.batch import NDJSON
from p2pcommons.api.forms import NOT_BLANK, Text
from p2pcommons.api.operation import Call, Operation, answer
from p2pcommons.api.routes.commons import COMMONS_ID, UNKNOWN
from p2pcommons.api.routes.upkeep import told
from p2pcommons.api.schema import Fields, Member
from p2pcommons.api.wire import to_json
from p2pcommons.node.values import CriteriaInfo, ForkInfo, LineageInfo, Progress, RecipeFile

_WAITING: Final = {**UNKNOWN, 409: "`commons-waiting`"}


async def _recipe(call: Call) -> web.StreamResponse:
    return answer(await call.commons.recipe(call.arguments["id"]))


async def _lineage(call: Call) -> web.StreamResponse:
    return answer(await call.commons.lineage(call.arguments["id"]))


async def _criteria(call: Call) -> web.StreamResponse:
    return answer(await call.commons.criteria(call.arguments["id"]))


async def _fork(call: Call) -> web.StreamResponse:
    async def work(progress: Progress | None) -> Any:
        return to_json(await call.commons.fork(call.arguments["id"], call.body["name"], progress))

    await call.commons.get_commons(call.arguments["id"])  # what it refuses is a status, not a line
    return await told(call, work)


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/commons/{id}/recipe", "getRecipe",
        "The rules in force as a file that another commons starts from, signed by this node's person", _recipe,
        answer=RecipeFile, needs=Grant.OWN, refusals=_WAITING, parameters=(COMMONS_ID,),
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/lineage", "getLineage",
        "Where a commons came from, and which of those followed here came from it", _lineage,
        answer=LineageInfo, refusals=_WAITING, parameters=(COMMONS_ID,),
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/criteria", "getCriteria",
        "The four criteria of a commons, as numbers of this node suggest", _criteria,
        answer=CriteriaInfo, refusals=_WAITING, parameters=(COMMONS_ID,),
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/fork", "forkCommons",
        "Found another commons from the state of this one, and copy what it shows; the same request goes on where one "
        "was interrupted", _fork,
        answer=ForkInfo, told_as=(NDJSON,), needs=Grant.OWN, refusals=_WAITING, parameters=(COMMONS_ID,),
        body=Fields((Member("name", Text(200, 1, NOT_BLANK, "give a name"), "of the fork", required=True),)),
    ),
)  # fmt: skip
