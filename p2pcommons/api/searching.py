"""The parameters of a search, shared by lists and exports, and the `Query` they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from p2pcommons.api.forms import COMMONS, Choice, Flag, Parsed, Text, Words, numbers
from p2pcommons.api.schema import LIMIT, SEARCH_CURSOR, Parameter
from p2pcommons.commons.query import FACETS, SORTS, Box, Circle, Query
from p2pcommons.core.limits import PAGE_ITEMS_DEFAULT

NEAR_KM_MAX: Final = 20_016.0  # half of the earth's girth: farther is everywhere

_box_numbers = numbers("W,S,E,N")
_circle_numbers = numbers("LAT,LON,KM")


def parse_box(text: str) -> Box:
    """`W,S,E,N` in degrees; west may be greater than east. ValueError."""
    west, south, east, north = _box_numbers(text)
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError("give W,S,E,N in degrees, south below north")
    return Box(west, south, east, north)


def parse_circle(text: str) -> Circle:
    """`LAT,LON,KM`. ValueError."""
    latitude, longitude, km = _circle_numbers(text)
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and 0 < km <= NEAR_KM_MAX):
        raise ValueError("give LAT,LON in degrees and KM above 0")
    return Circle(latitude, longitude, km)


# Parameter name: field of the entry it filters by.
FILTERS: Final = {"type": "type", "tag": "subjects", "licence": "licence", "language": "language"}

WHERE: Final = (
    Parameter("commons", COMMONS, "only of this commons; all followed ones by default", repeated=True),
    Parameter(
        "q",
        Text(1000, 0),
        "all words, anywhere in title, creators, contributors, subjects, place, description and transcripts; accents "
        'and case folded; the last word, or `word*`, by its beginning; `"…"` a phrase',
    ),
    *(
        Parameter(name, Text(500), f"only entries whose {field} holds this value; all given must hold", repeated=True)
        for name, field in FILTERS.items()
    ),
    Parameter("bbox", Parsed(parse_box, {"type": "string", "format": "box"}), "only in this box: `W,S,E,N`, degrees"),
    Parameter("near", Parsed(parse_circle, {"type": "string", "format": "circle"}), "only around here: `LAT,LON,KM`"),
    Parameter("available", Flag(), "only what is there to be lent now"),
)

SEARCH: Final = (
    *WHERE,
    Parameter("sort", Choice(SORTS), "relevance where there is a `q`, else updated"),
    Parameter("facets", Words(FACETS), "fields whose values are to be counted", default=()),
    LIMIT,
    SEARCH_CURSOR,
)


def query_of(arguments: Mapping[str, Any]) -> Query:
    """The query that these arguments (of `WHERE` or `SEARCH`) ask."""
    filters = [(field, value) for name, field in FILTERS.items() for value in arguments[name]]
    return Query(
        text=arguments["q"] or "",
        commons=tuple(dict.fromkeys(arguments["commons"])),
        filters=tuple(dict.fromkeys(filters)),
        box=arguments["bbox"],
        near=arguments["near"],
        sort=arguments.get("sort"),
        facets=arguments.get("facets") or (),
        limit=arguments.get("limit") or PAGE_ITEMS_DEFAULT,
        cursor=arguments.get("cursor"),
    )


def query_parameters(query: Query) -> list[tuple[str, str]]:
    """The parameters that make this query again (`query_of` turned round)."""
    names = {field: name for name, field in FILTERS.items()}
    found = [("commons", commons.hex()) for commons in query.commons]
    found += [(names[field], value) for field, value in query.filters]
    found.append(("limit", str(query.limit)))
    if query.text:
        found.append(("q", query.text))
    if query.box is not None:
        found.append(("bbox", ",".join(map(repr, query.box))))
    if query.near is not None:
        found.append(("near", ",".join(map(repr, query.near))))
    if query.sort is not None:
        found.append(("sort", query.sort))
    if query.facets:
        found.append(("facets", ",".join(query.facets)))
    if query.cursor is not None:
        found.append(("cursor", query.cursor))
    return found
