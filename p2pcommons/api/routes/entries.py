"""Entries: search, read, add, change, withdraw, look back."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.forms import COMMONS, ENTRY, NO_ZERO, Flag, Text
from p2pcommons.api.operation import Call, Listing, Operation, answer, answer_items, answer_json, etags
from p2pcommons.api.schema import CURSOR, LIMIT, SEARCH_CURSOR, Free, Parameter, in_path
from p2pcommons.api.searching import SEARCH, query_of
from p2pcommons.api.wire import to_json
from p2pcommons.node.values import EntryAnswer, EntryPage, HistoryItem, RawRecord, Withdrawal

SHOWN: Final[dict[str, Any]] = {"$ref": "#/components/schemas/Entry"}
DRAFT: Final[dict[str, Any]] = {"$ref": "#/components/schemas/Draft"}
PATCH: Final[dict[str, Any]] = {"$ref": "#/components/schemas/Patch"}

ENTRY_ID: Final = in_path("id", ENTRY, "the entry")
TO_COMMONS: Final = Parameter("commons", COMMONS, "the commons to write to", required=True)
_OF_COMMONS: Final = Parameter("commons", COMMONS, "the commons it is in, where that is not clear")
_ONE: Final = (ENTRY_ID, _OF_COMMONS)
_NO_PLACE: Final = "`unknown-commons`; `bad-cursor`: the cursor is damaged or of another search"
_GONE: Final = {404: "`unknown-entry`", 410: "`withdrawn`, with `by`, `at` and `reason`"}
_STALE: Final = {412: "`entry-changed`: `If-Match` names an older state; the present entry is in `entry`"}
_TO: Final = {403: "`not-a-member`", 404: "`unknown-commons`", 409: "`commons-waiting`"}


async def _search(call: Call) -> web.StreamResponse:
    if call.arguments["available"]:
        # An entry is available when its custodian lends it and it is free; nothing can be lent yet.
        for commons in call.arguments["commons"]:
            await call.commons.get_commons(commons)
        return _page(EntryPage((), 0, call.arguments["sort"] or "updated"))
    return _page(await call.commons.search(query_of(call.arguments)))


def _page(page: EntryPage) -> web.Response:
    facets = {field: [to_json(count) for count in counts] for field, counts in page.facets.items()}
    return answer_items(page.items, page.next, {"total": page.total, "order": page.order, "facets": facets})


def _entry(found: EntryAnswer, status: int = 200, **headers: str) -> web.Response:
    return answer_json(found.entry, status=status, headers={"ETag": f'"{found.etag}"', **headers})


async def _add(call: Call) -> web.StreamResponse:
    added = await call.commons.add_entry(call.arguments["commons"], call.body)
    return _entry(added, 201, Location=f"/api/v1/entries/{added.entry['id']}")


async def _get(call: Call) -> web.StreamResponse:
    arguments = call.arguments
    found = await call.commons.get_entry(arguments["id"], arguments["commons"], hidden=arguments["hidden"])
    if found.etag in (etags(call.request, "If-None-Match") or ()):
        return web.Response(status=304, headers={"ETag": f'"{found.etag}"'})
    return _entry(found)


async def _change(call: Call) -> web.StreamResponse:
    changed = await call.commons.patch_entry(
        call.arguments["id"], call.body, commons=call.arguments["commons"], if_match=etags(call.request, "If-Match")
    )
    return _entry(changed)


async def _withdraw(call: Call) -> web.StreamResponse:
    arguments = call.arguments
    withdrawal = await call.commons.withdraw_entry(
        arguments["id"], arguments["reason"], commons=arguments["commons"], if_match=etags(call.request, "If-Match")
    )
    return answer(withdrawal)


async def _restore(call: Call) -> web.StreamResponse:
    return _entry(await call.commons.restore_entry(call.arguments["id"], commons=call.arguments["commons"]))


async def _history(call: Call) -> web.StreamResponse:
    arguments = call.arguments
    page = await call.commons.history(
        arguments["id"], commons=arguments["commons"], limit=arguments["limit"], cursor=arguments["cursor"]
    )
    return answer_items(map(to_json, page.items), page.next)


async def _records(call: Call) -> web.StreamResponse:
    arguments = call.arguments
    page = await call.commons.raw_records(
        arguments["id"], commons=arguments["commons"], limit=arguments["limit"], cursor=arguments["cursor"]
    )
    return answer_items(map(to_json, page.items), page.next)


async def _conflicts(call: Call) -> web.StreamResponse:
    arguments = call.arguments
    page = await call.commons.conflicts(arguments["commons"], limit=arguments["limit"], cursor=arguments["cursor"])
    return answer_items(page.items, page.next)


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/entries", "searchEntries", "Find entries; all of them with no parameter", _search,
        answer=Listing(SHOWN, {
            "total": {"type": "integer"},
            "order": {"type": "string", "enum": ["relevance", "updated", "created", "title"]},
            "facets": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"$ref": "#/components/schemas/FacetCount"}},
            },
        }),
        parameters=SEARCH, refusals={404: _NO_PLACE},
    ),
    Operation(
        "POST", "/api/v1/entries", "addEntry", "Add an entry; with `source` an import write", _add, answer=SHOWN,
        status=201, needs=Grant.CONTRIBUTE, parameters=(TO_COMMONS,), body=Free(DRAFT),
        refusals=_TO | {410: "`withdrawn`: its `source` names an entry that was withdrawn, and stays so"},
    ),
    Operation(
        "GET", "/api/v1/entries/{id}", "getEntry", "One entry, with its `ETag`", _get, answer=SHOWN,
        parameters=(*_ONE, Parameter("hidden", Flag(), "a hidden one as well", default=False)),
        refusals=_GONE | {
            403: "`entry-hidden`, with by whom, why, and how to see it all the same (`HiddenInfo`)",
            451: "`withheld`: its host was made to take it down here (`WithheldInfo`)",
        },
    ),
    Operation(
        "PATCH", "/api/v1/entries/{id}", "changeEntry",
        "JSON Merge Patch (RFC 7396): absent unchanged, null clears, a list replaces, languages merge", _change,
        answer=SHOWN, needs=Grant.CONTRIBUTE, parameters=_ONE,
        body=Free(PATCH, ("application/merge-patch+json", "application/json")), refusals=_GONE | _STALE | {403: "`not-a-member`"},
    ),
    Operation(
        "DELETE", "/api/v1/entries/{id}", "withdrawEntry", "Withdraw an entry", _withdraw, answer=Withdrawal,
        needs=Grant.CONTRIBUTE, parameters=(*_ONE, Parameter("reason", Text(1000, 1, NO_ZERO, "leave out the zero characters"), "why, for people")),
        refusals=_GONE | _STALE | {403: "`not-a-member`"},
    ),
    Operation(
        "POST", "/api/v1/entries/{id}/restore", "restoreEntry", "Show a withdrawn entry again", _restore,
        answer=SHOWN, needs=Grant.CONTRIBUTE, parameters=_ONE,
        refusals={403: "`not-a-member`", 404: "`unknown-entry`"},
    ),
    Operation(
        "GET", "/api/v1/entries/{id}/history", "getHistory", "What was written about it, newest first", _history,
        answer=Listing(HistoryItem), parameters=(*_ONE, LIMIT, CURSOR), refusals={404: "`unknown-entry`"},
    ),
    Operation(
        "GET", "/api/v1/entries/{id}/records", "getRecords", "The signed bytes themselves, oldest first", _records,
        answer=Listing(RawRecord), parameters=(*_ONE, LIMIT, CURSOR), refusals={404: "`unknown-entry`"},
    ),
    Operation(
        "GET", "/api/v1/conflicts", "listConflicts", "Entries of which concurrent writes disagree", _conflicts,
        answer=Listing(SHOWN),
        parameters=(Parameter("commons", COMMONS, "only of this commons"), LIMIT, SEARCH_CURSOR),
        refusals={404: _NO_PLACE},
    ),
)  # fmt: skip
