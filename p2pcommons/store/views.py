"""The one thing a store must know of a canonical view: whether it holds conflicts."""

from __future__ import annotations

import msgpack


def has_conflicts(view: bytes) -> bool:
    """Whether the canonical view's map has something under `conflicts`."""
    return b"conflicts" in view and bool(msgpack.unpackb(view).get("conflicts"))
