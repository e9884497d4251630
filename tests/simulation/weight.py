"""What a thing holds in memory, reckoned the same on every machine: the bytes of what is reachable from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any

from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.replica import Replica

_EACH = 64  # of a value and its place, beside its bytes
_SHARED = (Replica, RangeIndex, Enum, type)  # a node's, or persistent and shared with it


def weight(thing: Any) -> int:
    """Bytes that this holds beside what its node holds anyway; about what the interpreter takes."""
    seen: set[int] = set()
    rest = [thing]
    total = 0
    while rest:
        one = rest.pop()
        if one is None or isinstance(one, (int, float, *_SHARED)) or callable(one):
            total += 8
        elif isinstance(one, bytes | bytearray | str):
            total += _EACH + len(one)
        elif id(one) not in seen:
            seen.add(id(one))
            total += _EACH
            rest += _parts(one)
    return total


def _parts(one: Any) -> list[Any]:
    if isinstance(one, Mapping):
        return [*one.keys(), *one.values()]
    if isinstance(one, list | tuple | deque | AbstractSet):
        return list(one)
    slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
    found = [getattr(one, name) for name in slots if hasattr(one, name)]
    return [*found, *getattr(one, "__dict__", {}).values()]
