"""BCP 47 language tags: their form, and the one spelling of each.

Knows the grammar (RFC 5646) and no registry. In records a tag is lower case, as part of a field's name; people
see the customary spelling (`pt-BR`, `zh-Hant`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Final

TAG_CHARACTERS_MAX: Final = 35  # what RFC 5646 asks implementations to support

_WELL_FORMED: Final = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+"
)


@lru_cache(maxsize=1024)  # tags met lately; a stranger can only turn the cache over
def canonical(tag: str) -> str | None:
    """The tag in its customary spelling, or None where it is no well-formed BCP 47 tag."""
    if len(tag) > TAG_CHARACTERS_MAX or not tag.isascii() or not _WELL_FORMED.fullmatch(tag.lower()):
        return None
    parts = tag.lower().split("-")
    spelled = parts[:1]
    for before, part in pairwise(parts):
        after_singleton = len(before) == 1 or any(len(p) == 1 for p in spelled)
        if len(part) == 2 and not after_singleton:
            part = part.upper()
        elif len(part) == 4 and part.isalpha() and not after_singleton:
            part = part.title()
        spelled.append(part)
    return "-".join(spelled)
