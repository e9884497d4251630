"""What search counts, filters and sorts by, as bytes of one entry: `place` and `facets` in the database.

`store.mirror` holds the same of all shown entries in memory. Knows no SQL.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from struct import Struct
from typing import Final

import numpy as np

from p2pcommons.store.search import DEGREE, SORT_TITLE_CHARACTERS
from p2pcommons.sync.storage import Document

TITLE_KEY_BYTES: Final = 24  # most titles differ within them; ties are settled by the whole title
NOWHERE: Final = -(2**31)  # latitude of an entry that is in no place
PLACE: Final = np.dtype(
    [
        ("created", "<i8"),
        ("updated", "<i8"),
        ("latitude", "<i4"),
        ("longitude", "<i4"),
        ("title", f"S{TITLE_KEY_BYTES}"),
        ("conflicts", "u1"),
        ("spare", "V7"),
    ]
)
_PLACE: Final = Struct(f"<qqii{TITLE_KEY_BYTES}sB7x")


def place_bytes(document: Document, conflicts: bool) -> bytes:
    """One row of PLACE."""
    latitude, longitude = document.latitude, document.longitude
    if (
        latitude is None
        or longitude is None
        or not (-90 * DEGREE <= latitude <= 90 * DEGREE and -180 * DEGREE <= longitude <= 180 * DEGREE)
    ):
        latitude = longitude = NOWHERE
    title = sort_title(document).encode(errors="replace")[:TITLE_KEY_BYTES]
    return _PLACE.pack(document.created, document.updated, latitude, longitude, title, conflicts)


def sort_title(document: Document) -> str:
    """The title as far as it orders."""
    return document.sort_title[:SORT_TITLE_CHARACTERS]


def facet_bytes(numbers: Iterable[int]) -> bytes:
    """Facet numbers as u32 little-endian."""
    packed = array("I", numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


Row = tuple[int, int, bytes, bytes, bytes]
"""A shown entry, as it enters the columns: number, commons, subject, place, facets."""
