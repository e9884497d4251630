"""SPDX licence expressions: their form, and the three plain facets *free*, *reciprocal*, *restricted*.

Knows the grammar of expressions (SPDX 2.3, annex D) and no list of all licences: a name that has the form of an
SPDX short identifier is taken, anything else wants `LicenseRef-`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

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


@lru_cache(maxsize=256)  # licences repeat; a stranger can only turn the cache over
def is_expression(text: str) -> bool:
    """Whether the text has the form of an SPDX licence expression."""
    if not text or len(text) > _TEXT_MAX:
        return False
    tokens: list[str] = _TOKEN.findall(text)
    rest = _any_of(tokens, 0, 0)
    return rest == len(tokens)


def facet(text: str) -> str:
    """`free`, `reciprocal` or `restricted`: the best of alternatives, the worst of what holds together."""
    ranks = ("free", "reciprocal", "restricted")
    plain = text.replace("(", " ").replace(")", " ")
    return min(
        (max((_facet_of(part) for part in way.split(" AND ")), key=ranks.index) for way in plain.split(" OR ")),
        key=ranks.index,
    )


def _facet_of(part: str) -> str:
    name = part.split(" WITH ")[0].strip()
    if name.startswith(_RECIPROCAL):
        return "reciprocal"
    return "free" if name.startswith(_FREE_STARTS) else "restricted"


# Each reader takes the place it starts at and gives the place behind what it read, or -1.


def _any_of(tokens: list[str], at: int, depth: int) -> int:
    at = _one(tokens, at, depth)
    while 0 <= at < len(tokens) and tokens[at] in ("AND", "OR"):
        at = _one(tokens, at + 1, depth)
    return at


def _one(tokens: list[str], at: int, depth: int) -> int:
    if at >= len(tokens) or depth > _PARENTHESES_MAX:
        return -1
    if tokens[at] == "(":
        at = _any_of(tokens, at + 1, depth + 1)
        return at + 1 if 0 <= at < len(tokens) and tokens[at] == ")" else -1
    if not _is_name(tokens[at]):
        return -1
    if at + 1 < len(tokens) and tokens[at + 1] == "WITH":
        return at + 3 if at + 2 < len(tokens) and _is_name(tokens[at + 2]) else -1
    return at + 1


def _is_name(token: str) -> bool:
    return token not in _WORDS and _SHORT.fullmatch(token) is not None
