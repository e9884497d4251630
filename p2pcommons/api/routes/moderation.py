"""Moderation: reports, hiding with a reason, reviewing, block lists, and erasing one's own words."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.forms import COMMONS, KEY, NOT_BLANK, Choice, Flag, Items, Text
from p2pcommons.api.operation import Call, Listing, Operation, answer, answer_items, nothing, slice_of
from p2pcommons.api.routes.commons import COMMONS_ID
from p2pcommons.api.routes.entries import ENTRY_ID
from p2pcommons.api.schema import CURSOR, LIMIT, Fields, Member, Parameter
from p2pcommons.api.wire import to_json
from p2pcommons.commons.moderation_bodies import REASONS
from p2pcommons.core.limits import MODERATION_IDS_MAX, WRITTEN_CHARACTERS_MAX
from p2pcommons.node.moderation_values import (
    BY,
    BlockListInfo,
    ErasedInfo,
    HiddenInfo,
    QueueItem,
    ReportInfo,
    ReviewInfo,
    ShownInfo,
    WithheldInfo,
)

_ONE: Final = (ENTRY_ID, Parameter("commons", COMMONS, "the commons it is in, where that is not clear"))
_REASON: Final = Choice(REASONS)
_SAID: Final = Fields((
    Member("reason", _REASON, "why", required=True),
    Member("text", Text(WRITTEN_CHARACTERS_MAX, 1, NOT_BLANK, "write some words"), "why, in words that can be erased"),
))  # fmt: skip
_KEYS: Final = Items(KEY, MODERATION_IDS_MAX)
_NO_ENTRY: Final = "`unknown-entry`; `unknown-commons`: not followed here"
_HERE: Final = "`unknown-commons`: not followed here"
_WAITING: Final = "`commons-waiting`"


async def _report(call: Call) -> web.StreamResponse:
    entry, commons = call.arguments["id"], call.arguments["commons"]
    made = await call.commons.report_entry(entry, call.body["reason"], call.body["text"], commons=commons)
    return answer(made, status=201)


async def _hide(call: Call) -> web.StreamResponse:
    entry, commons = call.arguments["id"], call.arguments["commons"]
    made = await call.commons.hide_entry(entry, call.body["reason"], call.body["text"], commons=commons)
    return answer(made, status=201)


async def _unhide(call: Call) -> web.StreamResponse:
    done = await call.commons.unhide_entry(call.arguments["id"], commons=call.arguments["commons"])
    return answer(done, status=201)


async def _review(call: Call) -> web.StreamResponse:
    done = await call.commons.review_reports(call.arguments["id"], commons=call.arguments["commons"])
    return answer(done, status=201)


async def _erase(call: Call) -> web.StreamResponse:
    done = await call.commons.erase_words(call.arguments["id"], commons=call.arguments["commons"])
    return answer(done, status=201)


async def _queue(call: Call) -> web.StreamResponse:
    found = await call.commons.moderation_queue(call.arguments["id"])
    items, following = slice_of(found.items, call)
    more = {"by": found.by, "may_hide": found.may_hide, "may_review": found.may_review}
    return answer_items(map(to_json, items), following, more)


async def _hidden(call: Call) -> web.StreamResponse:
    items, following = slice_of(await call.commons.hidden_entries(call.arguments["id"]), call)
    return answer_items(map(to_json, items), following)


async def _lists(call: Call) -> web.StreamResponse:
    items, following = slice_of(await call.commons.block_lists(call.arguments["id"]), call)
    return answer_items(map(to_json, items), following)


async def _change_list(call: Call) -> web.StreamResponse:
    body = call.body
    made = await call.commons.change_block_list(
        call.arguments["id"], add=body["add"], remove=body["remove"], reason=body["reason"]
    )
    return answer(made, status=201)


async def _follow_list(call: Call) -> web.StreamResponse:
    body = call.body
    return answer(await call.commons.follow_block_list(call.arguments["id"], body["person"], follow=body["follow"]))


async def _take_down(call: Call) -> web.StreamResponse:
    arguments = call.arguments
    made = await call.commons.take_down(arguments["id"], call.body["reason"], commons=arguments["commons"])
    return answer(made, status=201)


async def _release(call: Call) -> web.StreamResponse:
    await call.commons.release(call.arguments["id"], commons=call.arguments["commons"])
    return nothing()


async def _withheld(call: Call) -> web.StreamResponse:
    items, following = slice_of(await call.commons.withheld(call.arguments["id"]), call)
    return answer_items(map(to_json, items), following)


OPERATIONS: Final = (
    Operation(
        "POST", "/api/v1/entries/{id}/reports", "reportEntry", "Ask those who may to look at an entry", _report,
        answer=ReportInfo, status=201, needs=Grant.OWN, parameters=_ONE, body=_SAID,
        refusals={403: "`not-a-member`", 404: _NO_ENTRY, 409: _WAITING},
    ),
    Operation(
        "POST", "/api/v1/entries/{id}/hide", "hideEntry",
        "Who may, by the rule `hide`: not to show an entry but to who asks; reports on it are answered", _hide,
        answer=HiddenInfo, status=201, needs=Grant.OWN, parameters=_ONE, body=_SAID,
        refusals={
            403: "`not-a-member`, `not-allowed`", 404: _NO_ENTRY,
            409: f"`by-vote`: only a vote hides here; `shown-by-vote`: only another vote does; {_WAITING}",
        },
    ),
    Operation(
        "POST", "/api/v1/entries/{id}/unhide", "unhideEntry", "Undo the hidings of an entry that one may undo", _unhide,
        answer=ShownInfo, status=201, needs=Grant.OWN, parameters=_ONE,
        refusals={403: "`not-allowed`", 404: _NO_ENTRY, 409: f"`not-hidden`; `hidden-by-vote`: only another vote shows it; {_WAITING}"},
    ),
    Operation(
        "POST", "/api/v1/entries/{id}/review", "reviewReports", "Who may: answer the reports on an entry, it stays", _review,
        answer=ReviewInfo, status=201, needs=Grant.OWN, parameters=_ONE,
        refusals={403: "`not-a-member`, `not-allowed`", 404: _NO_ENTRY, 409: f"`nothing-reported`; {_WAITING}"},
    ),
    Operation(
        "POST", "/api/v1/entries/{id}/erase", "eraseWords",
        "Erase all that one wrote about an entry: bodies go, and hosts that obey say so", _erase,
        answer=ErasedInfo, status=201, needs=Grant.OWN, parameters=_ONE,
        refusals={404: _NO_ENTRY, 409: f"`nothing-of-yours`; {_WAITING}"},
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/reports", "listReports",
        "The review queue: entries that were reported and not answered for, those first that most persons reported", _queue,
        answer=Listing(QueueItem, {
            "by": {"type": "string", "enum": list(BY)},
            "may_hide": {"type": "boolean"},
            "may_review": {"type": "boolean"},
        }),
        parameters=(COMMONS_ID, LIMIT, CURSOR), refusals={404: _HERE, 409: _WAITING},
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/hidden", "listHidden", "What is hidden: by whom or which vote, and why", _hidden,
        answer=Listing(HiddenInfo), parameters=(COMMONS_ID, LIMIT, CURSOR), refusals={404: _HERE, 409: _WAITING},
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/block-lists", "listBlockLists", "Block lists, one's own first", _lists,
        answer=Listing(BlockListInfo), parameters=(COMMONS_ID, LIMIT, CURSOR), refusals={404: _HERE, 409: _WAITING},
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/block-lists", "changeBlockList",
        "Put keys on one's own block list, which all can read, and take others off", _change_list,
        answer=BlockListInfo, status=201, needs=Grant.OWN, parameters=(COMMONS_ID,),
        refusals={403: "`not-a-member`", 404: _HERE, 409: f"`yourself`, `nothing-named`, `too-many`, {_WAITING}"},
        body=Fields((
            Member("add", _KEYS, "keys not to show", default=()),
            Member("remove", _KEYS, "keys to take off", default=()),
            Member("reason", _REASON, "why those that are added are on it", default="other"),
        ), some=True),
    ),
    Operation(
        "POST", "/api/v1/commons/{id}/block-lists/follow", "followBlockList",
        "Not to show on this node what keys on somebody's list write, or to show it again; told to nobody", _follow_list,
        answer=BlockListInfo, needs=Grant.OWN, parameters=(COMMONS_ID,),
        refusals={404: _HERE, 409: f"`too-many`, {_WAITING}"},
        body=Fields((
            Member("person", KEY, "whose list", required=True),
            Member("follow", Flag(), "false: no more", default=True),
        )),
    ),
    Operation(
        "POST", "/api/v1/entries/{id}/takedown", "takeDown",
        "A host is made to: keep no text of an entry on this machine alone, and say so to who asks", _take_down,
        answer=WithheldInfo, status=201, needs=Grant.OWN, parameters=_ONE, refusals={404: _NO_ENTRY},
        body=Fields((Member("reason", Text(1000, 1, NOT_BLANK, "say why"), "told to who asks", required=True),)),
    ),
    Operation(
        "DELETE", "/api/v1/entries/{id}/takedown", "release", "Ask others again for what was taken down here", _release,
        status=204, needs=Grant.OWN, parameters=_ONE, refusals={404: _NO_ENTRY, 409: "`not-withheld`"},
    ),
    Operation(
        "GET", "/api/v1/commons/{id}/withheld", "listWithheld", "What was taken down on this machine", _withheld,
        answer=Listing(WithheldInfo), parameters=(COMMONS_ID, LIMIT, CURSOR), refusals={404: _HERE},
    ),
)  # fmt: skip
