"""The bodies of leaving and removing (chapter 21, "Removal"): readers and makers.

Readers are total: a body fits or it is None, and then its record does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from p2pcommons.commons.charter_bodies import Made
from p2pcommons.core.limits import KEPT_MAX, PLANE_MAX, PREV_MAX, REMOVAL_HEADS_MAX
from p2pcommons.core.record import decode_body
from p2pcommons.errors import FormError

LEAVE: Final = "member.leave"
REMOVE: Final = "member.remove"
KEEP: Final = "member.keep"

Head = tuple[bytes, int, tuple[bytes, ...]]
"""A key, a plane, and ids of that key's last records there that count."""


class Leave(NamedTuple):
    """A person goes, by one of their keys."""

    person: bytes


class Remove(NamedTuple):
    """A person is removed, by one of their keys."""

    person: bytes
    heads: tuple[Head, ...]
    keep: bool  # whether all that they wrote in the catalogue counts


class Keep(NamedTuple):
    """Records of removed persons that count none the less."""

    ids: frozenset[bytes]


RemovalForm = Leave | Remove | Keep


def read_removal(kind: str, body: bytes) -> RemovalForm | None:
    """What a body says; None for one that does not fit, and for every other kind."""
    if kind not in _READERS:
        return None
    try:
        return _READERS[kind](decode_body(body))
    except (FormError, _Unfit):
        return None


def leave(person: bytes) -> Made:
    """A person leaves: `person` is the author's key."""
    return Made(LEAVE, {"person": person})


def remove(person: bytes, heads: Mapping[tuple[bytes, int], Sequence[bytes]] | None = None, *, keep: bool) -> Made:
    """Removes a person. `heads`: by key and plane, their last records that shall count. FormError `bad_removal`."""
    listed = [[key, plane, sorted(set(ids))] for (key, plane), ids in sorted((heads or {}).items())]
    body = {"heads": listed, "keep": keep, "person": person}
    try:
        _remove(body)
    except _Unfit:
        raise FormError("bad_removal", f"a removal names at most {PREV_MAX} heads of a key and plane") from None
    return Made(REMOVE, body)


def keep(ids: Iterable[bytes]) -> Made:
    """Lets records of removed persons count. FormError `bad_removal`."""
    listed = sorted(set(ids))
    if len(listed) > KEPT_MAX:
        raise FormError("bad_removal", f"at most {KEPT_MAX} records in one act")
    return Made(KEEP, {"ids": listed})


class _Unfit(Exception):
    pass


def _id(value: Any) -> bytes:
    if type(value) is not bytes or len(value) != 32:
        raise _Unfit
    return value


def _list(value: Any, most: int) -> list[Any]:
    if type(value) is not list or len(value) > most:
        raise _Unfit
    return value


def _leave(body: Mapping[str, Any]) -> Leave:
    return Leave(_id(body.get("person")))


def _remove(body: Mapping[str, Any]) -> Remove:
    heads = []
    for item in _list(body.get("heads"), REMOVAL_HEADS_MAX):
        if len(_list(item, 3)) != 3 or type(item[1]) is not int or not 0 <= item[1] <= PLANE_MAX:
            raise _Unfit
        heads.append((_id(item[0]), item[1], tuple(sorted({_id(one) for one in _list(item[2], PREV_MAX)}))))
    kept = body.get("keep")
    if type(kept) is not bool:
        raise _Unfit
    return Remove(_id(body.get("person")), tuple(sorted(heads)), kept)


def _keep(body: Mapping[str, Any]) -> Keep:
    return Keep(frozenset(_id(one) for one in _list(body.get("ids"), KEPT_MAX)))


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], RemovalForm]]] = {
    LEAVE: _leave,
    REMOVE: _remove,
    KEEP: _keep,
}
