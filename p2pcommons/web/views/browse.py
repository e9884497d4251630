"""Search and what it finds, and the entries that wait for somebody to settle them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from p2pcommons.commons.query import FACETS, SORTS, Query
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import NotFound, Refused
from p2pcommons.node.values import CommonsInfo, EntryPage
from p2pcommons.web import labels
from p2pcommons.web.texts import Texts
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address
from p2pcommons.web.wording import language_name

PAGE_ITEMS: Final = 20
FACET_VALUES: Final = 12  # counted values shown at once; the others come by searching
TEXT_MAX: Final = 1000  # characters of a search
_PARAMETERS: Final = {"type": "type", "subjects": "tag", "licence": "licence", "language": "language"}


@dataclass(frozen=True, slots=True)
class Search:
    """A search as the page's address says it."""

    text: str = ""
    commons: tuple[CommonsId, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    sort: str | None = None
    cursor: str | None = None

    def address(self) -> str:
        """Where this search is."""
        named: dict[str, Any] = {}
        for field, value in self.filters:
            named.setdefault(_PARAMETERS[field], []).append(value)
        return address(
            "/", q=self.text, commons=[c.hex() for c in self.commons], **named, sort=self.sort, cursor=self.cursor
        )

    def with_filter(self, field: str, value: str) -> Search:
        """The same, narrowed."""
        return replace(self, filters=(*self.filters, (field, value)), cursor=None)

    def without(self, field: str, value: str) -> Search:
        """The same, widened."""
        return replace(self, filters=tuple(f for f in self.filters if f != (field, value)), cursor=None)

    @property
    def is_plain(self) -> bool:
        """Whether it asks for everything."""
        return not self.text and not self.filters


def search_of(visit: Visit) -> Search:
    """The search in the address. NotFound `unknown-commons`."""
    filters = [(field, value[:500]) for field in FACETS for value in visit.all_asked(_PARAMETERS[field])]
    sort = visit.asked("sort")
    return Search(
        text=visit.asked("q").strip()[:TEXT_MAX],
        commons=tuple(dict.fromkeys(visit.commons_id(text) for text in visit.all_asked("commons"))),
        filters=tuple(dict.fromkeys(filters)),
        sort=sort if sort in SORTS else None,
        cursor=visit.asked("cursor") or None,
    )


async def show(visit: Visit) -> Answer:
    """`/`: search, results, what they can be narrowed to."""
    status = await visit.commons.status()
    followed = status.commons
    if not followed:
        return Redirect("/welcome")
    search = search_of(visit)
    problem = None
    try:
        found = await visit.commons.search(
            Query(
                text=search.text,
                commons=search.commons,
                filters=search.filters,
                sort=search.sort,
                facets=FACETS,
                limit=PAGE_ITEMS,
                cursor=search.cursor,
            )
        )
    except NotFound:
        raise
    except Refused as error:
        problem = labels.REFUSALS.get(error.code)
        if problem is None:
            raise
        found = EntryPage((), 0, "relevance")
    conflicts = await visit.commons.conflicts(limit=1)
    return Page(
        "search.html",
        {
            "search": search,
            "found": found,
            "facets": _facets(visit.texts, search, found),
            "chips": [_chip(visit.texts, search, field, value) for field, value in search.filters],
            "followed": followed,
            "notices": status.notices,
            "names": {info.id.hex(): info for info in followed},
            "problem": problem,
            "more": replace(search, cursor=found.next).address() if found.next else None,
            "start": replace(search, cursor=None).address() if search.cursor else None,
            "sorts": SORTS,
            "parameters": _PARAMETERS,
            "may_add": _may_add(followed),
            "unsettled": bool(conflicts.items),
        },
    )


def _may_add(followed: tuple[CommonsInfo, ...]) -> bool:
    return any(info.may_write for info in followed)


def value_label(texts: Texts, field: str, value: str) -> tuple[str, str | None]:
    """A facet's value in words, and the `lang` of the text (None: the page's own)."""
    if field == "type" and value in labels.TYPES:
        return str(texts.text(labels.TYPES[value])), None
    if field == "language":
        return language_name(texts, value), None
    return value, ""


def _facets(texts: Texts, search: Search, found: EntryPage) -> list[dict[str, Any]]:
    out = []
    for field in FACETS:
        counts = [one for one in found.facets.get(field, ()) if (field, one.value) not in search.filters]
        values = []
        for counted in counts[:FACET_VALUES]:
            label, lang = value_label(texts, field, counted.value)
            href = search.with_filter(field, counted.value).address()
            values.append({"label": label, "lang": lang, "count": counted.count, "href": href})
        if values:
            out.append({"name": field, "values": values, "open": field == "type"})
    return out


def _chip(texts: Texts, search: Search, field: str, value: str) -> dict[str, Any]:
    label, lang = value_label(texts, field, value)
    return {"field": field, "label": label, "lang": lang, "href": search.without(field, value).address()}


async def conflicts(visit: Visit) -> Answer:
    """`/unsettled`: entries that two people changed at the same time."""
    found = await visit.commons.conflicts(limit=PAGE_ITEMS, cursor=visit.asked("cursor") or None)
    more = address("/unsettled", cursor=found.next) if found.next else None
    return Page("unsettled.html", {"found": found.items, "more": more})


VIEWS = (View("GET", "/", show), View("GET", "/unsettled", conflicts))
