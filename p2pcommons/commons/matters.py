"""What a proposal may be about, and what happens when it is passed (chapter 22, "Matters").

Readers are total: an effect fits its matter or it is None. Whether it may be proposed is `commons.assembly`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from p2pcommons.core.limits import STEWARDS_NAMED_MAX

Topic = tuple[str, bytes]
"""What an outcome decides on, so that outcomes on one topic are compared: its sort, and its key, id or name."""


class Effect(NamedTuple):
    """What happens when a wording is passed."""

    topic: Topic | None  # None: words alone
    version: bytes | None  # of a rule: which version it amends
    content: Mapping[str, Any]


def read_effect(matter: str, content: Mapping[str, Any]) -> Effect | None:
    """The effect of a matter, or None where it does not fit (ASSEMBLY-3)."""
    try:
        return _EFFECTS[matter](content)
    except (KeyError, _Unfit):
        return None


class _Unfit(Exception):
    pass


def _id(content: Mapping[str, Any], name: str) -> bytes:
    value = content.get(name)
    if type(value) is not bytes or len(value) != 32:
        raise _Unfit
    return value


def _name(content: Mapping[str, Any], name: str) -> bytes:
    value = content.get(name)
    if type(value) is not str or not value:
        raise _Unfit
    return value.encode()


def _words(content: Mapping[str, Any]) -> Effect:
    return Effect(None, None, content)


def _about_rule(content: Mapping[str, Any]) -> Effect:
    _id(content, "text")
    if type(content.get("params")) is not dict:
        raise _Unfit
    return Effect(("rule", _name(content, "rule")), _id(content, "version"), content)


def _about_person(content: Mapping[str, Any]) -> Effect:
    return Effect(("person", _id(content, "person")), None, content)


def _about_entry(content: Mapping[str, Any]) -> Effect:
    return Effect(("entry", _id(content, "entry")), None, content)


def _about_stewards(content: Mapping[str, Any]) -> Effect:
    keys = content.get("keys")
    if type(keys) is not list or len(keys) > STEWARDS_NAMED_MAX:
        raise _Unfit
    if any(type(key) is not bytes or len(key) != 32 for key in keys):
        raise _Unfit
    if type(content.get("succession", False)) is not bool:
        raise _Unfit
    return Effect(("stewards", b""), None, content)


def _about_amendment(content: Mapping[str, Any]) -> Effect:
    return Effect(("amendment", _id(content, "amendment")), None, content)


def _about_criterion(content: Mapping[str, Any]) -> Effect:
    return Effect(("criterion", _name(content, "criterion")), None, content)


_EFFECTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Effect]]] = {
    "admit": _about_person,
    "amend": _about_amendment,
    "assess": _about_criterion,
    "hide": _about_entry,
    "remove": _about_person,
    "restore": _about_entry,
    "rule": _about_rule,
    "steward": _about_stewards,
    "text": _words,
}
