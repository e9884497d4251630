"""Commons: found, follow, invite, join, and what state they are in."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.forms import COMMONS, NOT_BLANK, TAG, Base64, Choice, Integer, Items, Text
from p2pcommons.api.operation import Call, Listing, Operation, answer, answer_items, nothing, slice_of
from p2pcommons.api.routes.peers import ADDRESS
from p2pcommons.api.schema import CURSOR, LIMIT, Fields, Member, in_path
from p2pcommons.api.wire import to_json
from p2pcommons.commons.charter_text import TEMPLATES
from p2pcommons.core.limits import INVITATION_CHARACTERS_MAX
from p2pcommons.node.values import CommonsInfo, DigestInfo, Invitation, NearbyCommons

COMMONS_ID: Final = in_path("id", COMMONS, "the commons")
JOIN: Final = ("invite", "open", "vote")
UNKNOWN: Final = {404: "`unknown-commons`: not followed here"}

_ADDRESSES_MAX: Final = 32  # addresses to try for one commons
_LANGUAGES_MAX: Final = 64
_TERRITORY: Final = "[A-Z]{2}(?:-[A-Z0-9]{1,3})?|[0-9][0-9AB]|[0-9]{3}|[0-9][0-9AB][0-9]{3}"
_NO_TERRITORY: Final = "give a code of INSEE, such as 29019 or 29, or of ISO 3166-2, such as FR-29"
_INVITATION: Final = Text(4 * INVITATION_CHARACTERS_MAX, format="invitation")  # with what mail puts in
_RECIPE_BYTES_MAX: Final = 512 * 1024  # as base64 it fits into one request; two languages take 60 KiB
_USES_MAX: Final = 10_000
_DAYS_MAX: Final = 3_650


async def _list(call: Call) -> web.StreamResponse:
    items, following = slice_of(await call.commons.list_commons(), call)
    return answer_items(map(to_json, items), following)


async def _nearby(call: Call) -> web.StreamResponse:
    items, following = slice_of(await call.commons.nearby(), call)
    return answer_items(map(to_json, items), following)


async def _create(call: Call) -> web.StreamResponse:
    body = call.body
    made = await call.commons.create_commons(
        body["name"],
        join=body["join"],
        languages=body["languages"],
        territory=body["territory"],
        charter=body["charter"],
        recipe=body["recipe"],
    )
    return answer(made, status=201, headers={"Location": f"/api/v1/commons/{made.id.hex()}"})


async def _get(call: Call) -> web.StreamResponse:
    return answer(await call.commons.get_commons(call.arguments["id"]))


async def _follow(call: Call) -> web.StreamResponse:
    return answer(await call.commons.follow(call.arguments["id"], call.body["addresses"]))


async def _unfollow(call: Call) -> web.StreamResponse:
    await call.commons.unfollow(call.arguments["id"])
    return nothing()


async def _invite(call: Call) -> web.StreamResponse:
    body = call.body
    return answer(await call.commons.invite(call.arguments["id"], uses=body["uses"], days=body["days"]), status=201)


async def _join(call: Call) -> web.StreamResponse:
    return answer(await call.commons.join(call.body["invitation"]))


async def _digest(call: Call) -> web.StreamResponse:
    return answer(await call.commons.digest(call.arguments["id"]))


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/commons", "listCommons", "The commons this node follows", _list, answer=Listing(CommonsInfo),
        parameters=(LIMIT, CURSOR),
    ),
    Operation(
        "GET", "/api/v1/commons/nearby", "listNearbyCommons",
        "Announced commons of nodes connected or on the local network: what these nodes say", _nearby,
        answer=Listing(NearbyCommons), parameters=(LIMIT, CURSOR),
    ),
    Operation(
        "POST", "/api/v1/commons", "createCommons", "Found a commons: the caller is founder, member and follower",
        _create, answer=CommonsInfo, status=201, needs=Grant.OWN, refusals={409: "`two-charters`: `charter` and `recipe`"},
        body=Fields((
            Member("name", Text(200, 1, NOT_BLANK, "give a name"), "what people call it", required=True),
            Member("join", Choice(JOIN), "how one becomes a member; else as `charter` says, else `invite`"),
            Member("languages", Items(Text(35, 1, TAG, "give a BCP 47 tag, such as fr or br"), _LANGUAGES_MAX), "BCP 47", default=()),
            Member("territory", Text(20, 1, _TERRITORY, _NO_TERRITORY), "INSEE or ISO 3166-2 code"),
            Member("charter", Choice(TEMPLATES), "the rules to begin with; else those of `association`, by default"),
            Member("recipe", Base64(_RECIPE_BYTES_MAX, "recipe"), "a recipe whose rules to begin with, instead of `charter`"),
        )),
    ),
    Operation(
        "GET", "/api/v1/commons/{id}", "getCommons", "One commons; `state` is `waiting` until something of it is here",
        _get, answer=CommonsInfo, parameters=(COMMONS_ID,), refusals=UNKNOWN,
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/follow", "followCommons", "Follow; one that is not here yet is no error", _follow,
        answer=CommonsInfo, needs=Grant.OWN, parameters=(COMMONS_ID,),
        body=Fields(
            (Member("addresses", Items(ADDRESS, _ADDRESSES_MAX), "nodes that have it, to keep and dial", default=()),),
            required=False,
        ),
    ),
    Operation(
        "DELETE", "/api/v1/commons/{id}/follow", "unfollowCommons", "Forget a commons and its records", _unfollow,
        status=204, needs=Grant.OWN, parameters=(COMMONS_ID,), refusals=UNKNOWN,
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/invitations", "inviteToCommons", "A new invitation: its line is shown once",
        _invite, answer=Invitation, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,), refusals=UNKNOWN,
        body=Fields((
            Member("uses", Integer(1, _USES_MAX), "how many may join by it", default=1),
            Member("days", Integer(1, _DAYS_MAX), "for how long", default=30),
        ), required=False),
    ),
    Operation(
        "POST", "/api/v1/commons/join", "joinCommons", "Follow and join the commons of an invitation", _join,
        answer=CommonsInfo, needs=Grant.OWN,
        body=Fields((Member("invitation", _INVITATION, "the pasted line", required=True),)),
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/digest", "getDigest",
        "Equal `fingerprint`: the same records; equal `state`: the same views; zeros while waiting", _digest,
        answer=DigestInfo, parameters=(COMMONS_ID,), refusals=UNKNOWN,
    ),
)  # fmt: skip
