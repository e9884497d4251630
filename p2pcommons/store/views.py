"""The little that a store knows of views: whether one holds conflicts, and how many are kept."""

from __future__ import annotations

from typing import NamedTuple

from p2pcommons.core.encoding import unpack_ordered


def has_conflicts(view: bytes) -> bool:
    """Whether the canonical view's map has something under `conflicts`."""
    return b"conflicts" in view and bool(unpack_ordered(view).get("conflicts"))


class Counts(NamedTuple):
    """What is kept of a commons, counted out."""

    charter: int  # records of plane 0
    catalogue: int  # records of plane 1
    entries: int  # entries with at least one record, hidden ones too
    shown: int
    conflicts: int  # shown entries that hold one
