"""Search over entries in memory, one by one: what the control answers.

BM25 is reckoned here from the texts themselves, so that a slip in what the SQLite store keeps of them shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import asin, cos, log, radians, sin, sqrt
from typing import NamedTuple

from p2pcommons.commons.query import Box, Circle
from p2pcommons.core.limits import FACET_VALUES_MAX, RANKED_MATCHES_MAX
from p2pcommons.core.record import CommonsId
from p2pcommons.store.search import (
    COLUMN_WEIGHTS,
    DEGREE,
    EARTH_KM,
    SCORE_UNIT,
    SORT_TITLE_CHARACTERS,
    WEIGHTLESS_LEAST,
    WEIGHTLESS_SHARE,
    Phrase,
    Place,
    Plan,
    cursor,
    tokens,
)
from p2pcommons.store.views import has_conflicts
from p2pcommons.sync.storage import Document, EntryRow


class Entry(NamedTuple):
    """An entry with the number that the log of changes gave it."""

    number: int
    commons: CommonsId
    row: EntryRow

    @property
    def exists(self) -> bool:
        """Whether it has a record still."""
        return self.row.record is not None or self.row.view is not None

    @property
    def document(self) -> Document:
        """What search has of it; asked of shown entries only."""
        assert self.row.document is not None
        return self.row.document

    @property
    def in_conflict(self) -> bool:
        """Whether its view holds conflicts."""
        return self.row.view is not None and has_conflicts(self.row.view)


class Finds(NamedTuple):
    """A page of entries, with what goes with it."""

    page: list[Entry]
    total: int
    order: str
    cursor: str | None
    facets: dict[str, list[tuple[str, int]]]


def find(shown: Sequence[Entry], asked: Plan) -> Finds:
    """Carry out a checked query over these shown entries (of the commons asked for)."""
    query = asked.query
    scores = _scores(shown, asked.asked)
    if asked.order == "relevance" and asked.after is None and len(scores) > RANKED_MATCHES_MAX:
        asked = replace(asked, order="updated")
    matching = [entry for entry in shown if entry.number in scores and _fits(entry, asked)]
    places = {entry.number: _place(entry, asked.order, scores[entry.number]) for entry in matching}
    ordered = sorted(matching, key=lambda entry: places[entry.number][1:])
    if asked.after is not None:
        ordered = [entry for entry in ordered if places[entry.number][1:] > asked.after[1:]]
    page = ordered[: query.limit]
    more = len(ordered) > query.limit
    return Finds(
        page,
        len(matching),
        asked.order,
        cursor(query, places[page[-1].number], asked.conflicts_only) if more else None,
        {field: _facet_counts(matching, field) for field in query.facets},
    )


def _place(entry: Entry, order: str, score: int) -> Place:
    document = entry.document
    value: dict[str, Callable[[], int | str]] = {
        "relevance": lambda: score,
        "updated": lambda: -document.updated,
        "created": lambda: -document.created,
        "title": lambda: document.sort_title[:SORT_TITLE_CHARACTERS],
    }
    return Place(order, value[order](), entry.row.subject, entry.commons)


def _fits(entry: Entry, asked: Plan) -> bool:
    query, document = asked.query, entry.document
    return (
        all(pair in document.facets for pair in query.filters)
        and (query.box is None or _in_box(document, query.box))
        and (query.near is None or _near(document, query.near))
        and (not asked.conflicts_only or entry.in_conflict)
    )


def _position(document: Document) -> tuple[int, int] | None:
    latitude, longitude = document.latitude, document.longitude
    if latitude is None or longitude is None or abs(latitude) > 90 * DEGREE or abs(longitude) > 180 * DEGREE:
        return None
    return latitude, longitude


def _in_box(document: Document, box: Box) -> bool:
    position = _position(document)
    if position is None or not box.south * DEGREE <= position[0] <= box.north * DEGREE:
        return False
    west, east = position[1] >= box.west * DEGREE, position[1] <= box.east * DEGREE
    return (west or east) if box.west > box.east else (west and east)


def _near(document: Document, circle: Circle) -> bool:
    position = _position(document)
    if position is None:
        return False
    latitude, longitude = (radians(part / DEGREE) for part in position)
    here, there = radians(circle.latitude), radians(circle.longitude)
    half = sin((latitude - here) / 2) ** 2 + cos(latitude) * cos(here) * sin((longitude - there) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(min(half, 1.0))) <= circle.km


def _facet_counts(entries: Sequence[Entry], field: str) -> list[tuple[str, int]]:
    counted = Counter(value for entry in entries for name, value in entry.document.facets if name == field)
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:FACET_VALUES_MAX]


def _scores(shown: Sequence[Entry], asked: Sequence[Phrase]) -> dict[int, int]:
    """Entries (by number) that hold every phrase, with their scores (smaller is better): Okapi BM25, k1 1.2, b 0.75,
    over each commons by itself."""
    if not asked:
        return dict.fromkeys((entry.number for entry in shown), 0)
    scores: dict[int, int] = {}
    for commons in {entry.commons for entry in shown}:
        texts = {
            entry.number: [tokens(text) for text in entry.document[1:5]] for entry in shown if entry.commons == commons
        }
        sizes = {number: sum(map(len, columns)) for number, columns in texts.items()}
        average = sum(sizes.values()) / len(sizes)
        counts = [
            {number: [_occurrences(words, phrase) for words in columns] for number, columns in texts.items()}
            for phrase in asked
        ]
        holding = [sum(1 for columns in count.values() if any(columns)) for count in counts]
        most = max(WEIGHTLESS_LEAST, len(texts) // WEIGHTLESS_SHARE)
        weights = []
        for held in holding:
            weight = log((len(texts) - held + 0.5) / (held + 0.5))
            weights.append(0.0 if held > most >= min(holding) else weight if weight > 0 else 1e-6)
        for number in texts:
            if not all(any(count[number]) for count in counts):
                continue
            score = 0.0
            for weight, count in zip(weights, counts, strict=True):
                frequency = sum(n * w for n, w in zip(count[number], COLUMN_WEIGHTS, strict=True))
                score += weight * frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * sizes[number] / average))
            scores[number] = round(-score / SCORE_UNIT)
    return scores


def _occurrences(words: Sequence[str], phrase: Phrase) -> int:
    length = len(phrase.words)
    return sum(
        words[at + length - 1].startswith(phrase.words[-1])
        if phrase.prefix and tuple(words[at : at + length - 1]) == phrase.words[:-1]
        else tuple(words[at : at + length]) == phrase.words
        for at in range(len(words) - length + 1)
    )
