"""What a search asks and what it answers, free of any store (used by every store, the API and the pages)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from p2pcommons.core.record import CommonsId, Subject

FACETS = ("type", "subjects", "licence", "language")
"""Fields that can be counted and filtered by."""

SORTS = ("relevance", "updated", "created", "title")


class Box(NamedTuple):
    """A box on the map, degrees; `west` may be greater than `east` (across the date line)."""

    west: float
    south: float
    east: float
    north: float


class Circle(NamedTuple):
    """A place and a distance: degrees and kilometres."""

    latitude: float
    longitude: float
    km: float


@dataclass(frozen=True, slots=True)
class Query:
    """A search. `text`: all words anywhere, the last one (or `word*`) by prefix, "…" a phrase."""

    text: str = ""
    commons: tuple[CommonsId, ...] = ()  # empty: all followed
    filters: tuple[tuple[str, str], ...] = ()  # (facet field, value), all must hold
    box: Box | None = None
    near: Circle | None = None
    sort: str | None = None  # None: relevance where there is text, else updated
    facets: tuple[str, ...] = ()
    limit: int = 50
    cursor: str | None = None


class Hit(NamedTuple):
    """One shown entry that a search found, as its canonical view (see `commons.entry.view_from_bytes`)."""

    commons: CommonsId
    subject: Subject
    view: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what was found."""

    hits: tuple[Hit, ...]
    total: int
    order: str  # "relevance", "updated" (also when there were too many to rank), "created" or "title"
    cursor: str | None = None
    facets: dict[str, list[tuple[str, int]]] = field(default_factory=dict)  # most frequent first, ties by value
