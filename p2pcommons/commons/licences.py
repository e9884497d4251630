"""SPDX licence expressions: their form, and the three plain facets *free*, *reciprocal*, *restricted*.

Knows the grammar of expressions (SPDX 2.3, annex D) and no list of all licences: a name that has the form of an
SPDX short identifier is taken, anything else wants `LicenseRef-`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

FACETS: Final = ("free", "reciprocal", "restricted")
"""From the widest permission to the narrowest."""

_TOKEN: Final = re.compile(r"\(|\)|[^\s()]+")
_SHORT: Final = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\+?")
_WORDS: Final = ("AND", "OR", "WITH")
_PARENTHESES_MAX: Final = 8  # nesting; real expressions have one or two
_TEXT_MAX: Final = 512  # characters

_FREE_STARTS: Final = (
    "0BSD", "AFL", "AGPL", "Apache", "Artistic", "Beerware", "BSD", "BSL", "CC0", "CC-BY-1", "CC-BY-2", "CC-BY-3",
    "CC-BY-4", "CC-BY-SA", "CC-PDDC", "CDDL", "CECILL", "ECL", "EPL", "etalab", "EUPL", "FDL", "GFDL", "GPL", "ISC",
    "LAL", "LGPL", "MIT", "MPL", "ODbL", "ODC-By", "OFL", "OGL", "PDDL", "PSF", "Python", "Unlicense", "WTFPL", "Zlib",
)  # fmt: skip
_RECIPROCAL: Final = ("PPL", "LicenseRef-PPL", "LicenseRef-Peer-Production", "LicenseRef-CoopyLeft", "LicenseRef-CSL")


def is_expression(text: str) -> bool:
    """Whether the text has the form of an SPDX licence expression."""
    return _rank(text) is not None


def facet(text: str) -> str | None:
    """`free`, `reciprocal` or `restricted`: the best of alternatives, the worst of what holds together.

    None where the text is no expression.
    """
    rank = _rank(text)
    return None if rank is None else FACETS[rank]


@lru_cache(maxsize=256)  # licences repeat; a stranger can only turn the cache over
def _rank(text: str) -> int | None:
    if not text or len(text) > _TEXT_MAX:
        return None
    tokens: list[str] = _TOKEN.findall(text)
    read = _any_of(tokens, 0, 0)
    return None if read is None or read.end != len(tokens) else read.rank


class _Read(NamedTuple):
    """A part of an expression: the place behind it, and its facet as a place in FACETS."""

    end: int
    rank: int


def _any_of(tokens: list[str], at: int, depth: int) -> _Read | None:
    read = _all_of(tokens, at, depth)
    while read is not None and read.end < len(tokens) and tokens[read.end] == "OR":
        more = _all_of(tokens, read.end + 1, depth)
        read = None if more is None else _Read(more.end, min(read.rank, more.rank))
    return read


def _all_of(tokens: list[str], at: int, depth: int) -> _Read | None:
    read = _one(tokens, at, depth)
    while read is not None and read.end < len(tokens) and tokens[read.end] == "AND":
        more = _one(tokens, read.end + 1, depth)
        read = None if more is None else _Read(more.end, max(read.rank, more.rank))
    return read


def _one(tokens: list[str], at: int, depth: int) -> _Read | None:
    if at >= len(tokens) or depth > _PARENTHESES_MAX:
        return None
    if tokens[at] == "(":
        read = _any_of(tokens, at + 1, depth + 1)
        closed = read is not None and read.end < len(tokens) and tokens[read.end] == ")"
        return _Read(read.end + 1, read.rank) if read is not None and closed else None
    if not _is_name(tokens[at]):
        return None
    rank = _rank_of(tokens[at])
    if at + 1 < len(tokens) and tokens[at + 1] == "WITH":
        return _Read(at + 3, rank) if at + 2 < len(tokens) and _is_name(tokens[at + 2]) else None
    return _Read(at + 1, rank)


def _rank_of(name: str) -> int:
    if name.startswith(_RECIPROCAL):
        return FACETS.index("reciprocal")
    return FACETS.index("free" if name.startswith(_FREE_STARTS) else "restricted")


def _is_name(token: str) -> bool:
    return token not in _WORDS and _SHORT.fullmatch(token) is not None
