"""Bodies of plane-1 records about an entry: their form, and what they write (chapter 20, "Bodies").

A body that does not fit its kind writes nothing; what it says is never half taken. Knows one body at a time:
how writes of many records meet is `commons.entry`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from p2pcommons.commons.vocabulary import REGISTERS, SETS, register_field
from p2pcommons.core.encoding import pack_ordered

EDIT: Final = "entry.edit"
WITHDRAW: Final = "entry.withdraw"

_EDIT_KEYS: Final = frozenset(("add", "clear", "map", "origin", "remove", "set"))
_NOTHING: Final[Mapping[str, Any]] = {}
# Where any text fits, and most values are one: looked at without a call (hot path of imports).
_REGISTERS_OF_TEXT: Final = frozenset(name for name, field in REGISTERS.items() if field.form.fits("any"))
_SETS_OF_TEXT: Final = frozenset(name for name, field in SETS.items() if field.form.fits("any"))


class Edit(NamedTuple):
    """An edit whose body fits. `sets` and `removed` hold lists without repeats; nothing here is empty."""

    registers: Mapping[str, Any]
    cleared: tuple[str, ...]  # registers, those that the same body sets left out
    sets: Mapping[str, list[Any]]
    removed: Mapping[str, list[Any]]
    origin: str | None  # source URI of an import; None: written by a person


def read_edit(body: Mapping[str, Any]) -> Edit | None:
    """What an `entry.edit` body writes; None where it does not fit (MERGE-1 to MERGE-7)."""
    if not _EDIT_KEYS.issuperset(body):
        return None
    origin = None
    if "origin" in body or "map" in body:
        origin = body.get("origin")
        mapping = body.get("map")
        if type(origin) is not str or not origin or type(mapping) is not str or not mapping:
            return None
    registers = body.get("set", _NOTHING)
    if type(registers) is not dict and "set" in body:
        return None
    for key, value in registers.items():
        if key in _REGISTERS_OF_TEXT and type(value) is str and value:
            continue
        field = register_field(key)
        if field is None or not field.form.fits(value):
            return None
    sets = body.get("add", _NOTHING)
    if "add" in body and not _fits_sets(sets):
        return None
    if "remove" not in body and "clear" not in body:
        return Edit(registers, (), sets, _NOTHING, origin)
    removed = body.get("remove", _NOTHING)
    if "remove" in body and not _fits_sets(removed):
        return None
    cleared = body.get("clear", ())
    if "clear" in body:
        if type(cleared) is not list or any(type(key) is not str or register_field(key) is None for key in cleared):
            return None
        cleared = tuple(key for key in dict.fromkeys(cleared) if key not in registers)
    return Edit(registers, cleared, sets, removed, origin)


def read_withdraw(body: Mapping[str, Any]) -> tuple[str | None] | None:
    """The reason in an `entry.withdraw` body (None where it gives none), as a tuple of one; None: does not fit."""
    if not body:
        return (None,)
    reason = body.get("reason")
    if len(body) != 1 or type(reason) is not str or not reason:
        return None
    return (reason,)


def element_key(value: Any) -> str | bytes:
    """What makes two elements of a set one: their canonical bytes (MERGE-9). A text stands for its own."""
    return value if type(value) is str else pack_ordered(value)


def distinct(values: Iterable[Any]) -> list[Any]:
    """Values in their order, equal ones once."""
    found: dict[str | bytes, Any] = {}
    for value in values:
        found.setdefault(element_key(value), value)
    return list(found.values())


def _fits_sets(sets: Any) -> bool:
    if type(sets) is not dict:
        return False
    for name, values in sets.items():
        if type(values) is not list or not values:
            return False
        if name in _SETS_OF_TEXT and _are_texts(values):
            continue
        field = SETS.get(name)
        if field is None:
            return False
        if not all(map(field.form.fits, values)) or len(set(map(element_key, values))) < len(values):
            return False
    return True


def _are_texts(values: list[Any]) -> bool:
    """Whether all are texts, none empty, none twice."""
    try:
        "".join(values)
    except TypeError:
        return False
    found = set(values)
    return "" not in found and len(found) == len(values)
