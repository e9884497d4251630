"""What every store does alike in a search: its words, its checks, its order and its cursor.

Words are cut by SQLite's unicode61 tokenizer, for queries and documents alike, so nothing that a person types
is syntax. Knows no table and no row.
"""

from __future__ import annotations

import re
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple, cast

import apsw

from p2pcommons.commons.projection import unligated
from p2pcommons.commons.query import FACETS, SORTS, Query
from p2pcommons.core.encoding import decode, pack_ordered
from p2pcommons.core.limits import SEARCH_PHRASES_MAX
from p2pcommons.errors import FormError, Refused

TOKENIZER: Final = ("unicode61", ["remove_diacritics", "2"])  # as in schema/words.sql
COLUMN_WEIGHTS: Final = (4.0, 3.0, 2.0, 1.0)  # title, creators, subjects, text: what is named in the title comes first
SORT_TITLE_CHARACTERS: Final = 200  # of a title, for its order: what follows would only make cursors long
SCORE_UNIT: Final = 1e-9  # scores are whole numbers of it, so that the last bit of a float orders nothing
WEIGHTLESS_LEAST: Final = 5000  # a word that more entries hold, and a quarter of all, orders nothing beside rarer ones:
WEIGHTLESS_SHARE: Final = 4  # it would weigh an eighth of a rare one, and counting it out costs more than all the rest
CURSOR_BYTES_MAX: Final = 2048
EARTH_KM: Final = 6371.0088  # mean radius (IUGG)
DEGREE: Final = 10_000_000  # documents hold degrees times this

_ITEMS: Final = re.compile(r'"([^"]*)("?)(\*?)|([^\s"]+)')
_local = threading.local()


def tokens(text: str) -> list[str]:
    """The words of a text: case, accents and ligatures folded."""
    text = unligated(text)
    tokenizer: apsw.FTS5Tokenizer | None = getattr(_local, "tokenizer", None)
    if tokenizer is None:  # a connection serves one thread at a time
        tokenizer = _local.tokenizer = apsw.Connection("").fts5_tokenizer(*TOKENIZER)
    found = tokenizer(
        text.encode(errors="replace"), apsw.FTS5_TOKENIZE_QUERY, None, include_offsets=False, include_colocated=False
    )
    return cast("list[str]", found)


class Phrase(NamedTuple):
    """Words that follow each other in one field; `prefix`: the last one may go on."""

    words: tuple[str, ...]
    prefix: bool


def phrases(text: str) -> tuple[Phrase, ...]:
    """What a query text asks for: all of these. The last word, `word*` and a quote not closed yet are prefixes.

    A text without a letter or digit asks for nothing, and so finds everything.
    """
    found: list[Phrase] = []
    last_is_word = False
    for quoted, closed, star, word in _ITEMS.findall(text):
        words = tuple(tokens(quoted or word))
        if not words:
            continue
        last_is_word = bool(word)
        found.append(Phrase(words, word.endswith("*") if word else bool(star) or not closed))
        if len(found) > SEARCH_PHRASES_MAX:
            raise Refused("too-many-words", f"a search takes at most {SEARCH_PHRASES_MAX} words: leave some out")
    if last_is_word:
        found[-1] = found[-1]._replace(prefix=True)
    return tuple(found)


def expression(asked: Sequence[Phrase]) -> str:
    """The FTS5 expression of phrases (their words are letters and digits only)."""
    return " AND ".join(f'"{" ".join(phrase.words)}"' + (" *" if phrase.prefix else "") for phrase in asked)


class Place(NamedTuple):
    """Where a page ended: its order, and the last hit's key in it."""

    order: str
    value: int | str
    subject: bytes
    commons: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked query. `order` is what was wished for; too many matches may change relevance to updated."""

    query: Query
    asked: tuple[Phrase, ...]
    order: str
    after: Place | None
    conflicts_only: bool


def plan(query: Query, conflicts_only: bool = False) -> Plan:
    """Check a query. Refused with unknown-sort, unknown-facet, bad-limit, bad-cursor or too-many-words."""
    if query.sort is not None and query.sort not in SORTS:
        raise Refused("unknown-sort", f"cannot sort by {query.sort[:40]!r}: choose one of {', '.join(SORTS)}")
    for name in (*query.facets, *(field for field, _ in query.filters)):
        if name not in FACETS:
            raise Refused("unknown-facet", f"there is no facet {name[:40]!r}: choose from {', '.join(FACETS)}")
    if query.limit < 1:
        raise Refused("bad-limit", "a page holds at least one entry")
    asked = phrases(query.text)
    order = query.sort or "relevance"
    if order == "relevance" and not asked:
        order = "updated"
    after = None if query.cursor is None else _read_cursor(query, conflicts_only)
    if after is not None and after.order != order:
        if (after.order, order) != ("updated", "relevance"):
            raise _bad_cursor()
        order = "updated"  # its first page had too many matches to rank: go on as it began
    return Plan(query, asked, order, after, conflicts_only)


def cursor(query: Query, place: Place, conflicts_only: bool = False) -> str:
    """The opaque text that continues a query behind a place."""
    packed = pack_ordered([*place, _fingerprint(query, conflicts_only)])
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def _read_cursor(query: Query, conflicts_only: bool) -> Place:
    try:
        packed = urlsafe_b64decode((query.cursor or "").encode("ascii") + b"==")
        value = decode(packed, bytes_max=CURSOR_BYTES_MAX)
    except (Base64Error, ValueError, FormError) as error:
        raise _bad_cursor() from error
    if type(value) is not list or len(value) != 5 or value[4] != _fingerprint(query, conflicts_only):
        raise _bad_cursor()
    place = Place(*value[:4])
    kinds = (str, str if place.order == "title" else int, bytes, bytes)
    if any(type(part) is not kind for part, kind in zip(place, kinds, strict=True)):
        raise _bad_cursor()
    return place


def _fingerprint(query: Query, conflicts_only: bool) -> bytes:
    """8 bytes that tie a cursor to its search (a slip of the caller's, not an attack, is what it finds)."""
    asked = (query.text, query.commons, query.filters, query.box, query.near, query.sort, conflicts_only)
    return sha256(repr(asked).encode(errors="replace")).digest()[:8]


def _bad_cursor() -> Refused:
    return Refused("bad-cursor", "this cursor is damaged or of another search: ask again without it")
