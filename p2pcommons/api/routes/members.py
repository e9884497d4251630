"""Members of a commons: leaving and removing; stewards take keys out for good, close ways in, make other stewards."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.forms import ID, KEY, NO_ZERO, Choice, Integer, Items, Text
from p2pcommons.api.operation import Call, Operation, answer
from p2pcommons.api.routes.commons import COMMONS_ID
from p2pcommons.api.schema import Fields, Member
from p2pcommons.core.limits import KEPT_MAX, PERSON_NAME_CHARACTERS_MAX, STEWARDS_NAMED_MAX
from p2pcommons.node.values import REMOVAL_WORDS, ActInfo, MembersInfo

_NAME: Final = Text(PERSON_NAME_CHARACTERS_MAX, 0, NO_ZERO, "leave out the zero characters")
_KEYS: Final = Items(KEY, STEWARDS_NAMED_MAX)
_UNKNOWN: Final = "`unknown-commons`: not followed here"
_NOT_THERE: Final = (
    "`unknown-member`, `unknown-entrance`: named in the body, and not of this commons; `commons-waiting`"
)
_PARTING: Final = "`unknown-member`: named in the body, and none of this commons; `too-few-stewards`; `commons-waiting`"
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


async def _leave(call: Call) -> web.StreamResponse:
    return answer(await call.commons.leave(call.arguments["id"]), status=201)


async def _remove(call: Call) -> web.StreamResponse:
    body = call.body
    return answer(await call.commons.remove_member(call.arguments["id"], body["key"], words=body["words"]), status=201)


async def _keep(call: Call) -> web.StreamResponse:
    body = call.body
    return answer(await call.commons.keep_words(call.arguments["id"], body["key"], entries=body["entries"]), status=201)


async def _name(call: Call) -> web.StreamResponse:
    return answer(await call.commons.name_oneself(call.arguments["id"], call.body["name"]), status=201)


async def _admit(call: Call) -> web.StreamResponse:
    return answer(await call.commons.admit(call.arguments["id"], call.body["key"]), status=201)


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/commons/{id}/members", "listMembers", "Who is in, who are stewards, and by which ways one comes in",
        _list, answer=MembersInfo, parameters=(COMMONS_ID,), refusals={404: "`unknown-commons`: not followed here", 409: "`commons-waiting`"},
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/name", "nameOneself",
        "Say what one is called here, for all to read; an empty name takes it back. It tells nobody apart", _name,
        answer=MembersInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,),
        refusals={
            403: "`not-a-member`", 404: _UNKNOWN,
            409: "`bad-person-name`: a hidden character, or a space at an end; `commons-waiting`",
        },
        body=Fields((Member("name", _NAME, "at most 60 characters on one line", required=True),)),
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/admissions", "admitMember",
        "Let a key in, after a vote or where one may invite: its node joins by itself, with no line to send", _admit,
        answer=ActInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,),
        refusals={
            403: "`not-a-member`, `not-a-steward`", 404: _UNKNOWN,
            409: "`already-a-member`; `not-voted`: no vote lets this key in; `commons-waiting`",
        },
        body=Fields((Member("key", KEY, "theirs", required=True),)),
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
    Operation(
        "POST", "/api/v1/commons/{id}/leave", "leaveCommons", "Be a member no more; what one wrote goes on counting", _leave,
        answer=ActInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,),
        refusals={403: "`not-a-member`", 404: _UNKNOWN, 409: "`too-few-stewards`: nobody could act any more; `commons-waiting`"},
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/removals", "removeMember",
        "Stewards, or any member where that was voted: take a person off the members", _remove,
        answer=ActInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,),
        refusals={400: "`yourself`, `too-many`", 403: "`not-a-steward`, `not-a-member`", 404: _UNKNOWN, 409: _PARTING},
        body=Fields((
            Member("key", KEY, "any key of the member", required=True),
            Member("words", Choice(REMOVAL_WORDS), "what counts of what they wrote: what is here now, all and what they write yet, or nothing", default="seen"),
        )),
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/kept", "keepWords", "Stewards: let what a former member wrote count after all", _keep,
        answer=ActInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,),
        refusals={400: "`nothing-named`: all of it counts; `too-many`", 403: "`not-a-steward`", 404: _UNKNOWN, 409: _PARTING},
        body=Fields((
            Member("key", KEY, "any key of the former member", required=True),
            Member("entries", Items(ID, KEPT_MAX), "what they wrote about these entries alone", default=()),
        )),
    ),
)  # fmt: skip
