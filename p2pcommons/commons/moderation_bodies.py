"""The bodies of moderation: readers that are total, and makers (chapter 23). Knows no right and no person.

What people write, their reasons in words, stands in plane 1 and is named here by its hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from p2pcommons.commons.charter_bodies import Made
from p2pcommons.core.limits import MODERATION_IDS_MAX
from p2pcommons.core.record import decode_body
from p2pcommons.errors import FormError

REPORT: Final = "entry.report"
HIDE: Final = "entry.hide"
SHOW: Final = "entry.show"
REVIEW: Final = "entry.review"
BLOCK: Final = "key.block"

REASONS: Final = ("spam", "harm", "personal", "rights", "false", "duplicate", "other")
"""Advertising; threats and insults; what is private; somebody's rights; untrue; twice; else, in words."""


class Report(NamedTuple):
    """Somebody asks those who may to look at an entry."""

    entry: bytes
    reason: str  # one of REASONS
    text: bytes | None  # hash of what they wrote


class Hide(NamedTuple):
    """An entry is not to be shown, but for who asks."""

    entry: bytes
    reason: str
    text: bytes | None
    reports: frozenset[bytes]  # that this answers


class Show(NamedTuple):
    """Hidings that are undone."""

    entry: bytes
    acts: frozenset[bytes]


class Review(NamedTuple):
    """Somebody looked, and the entry stays."""

    entry: bytes
    reports: frozenset[bytes]


class Block(NamedTuple):
    """Changes of the author's block list."""

    add: tuple[tuple[bytes, str], ...]  # key, reason; ascending
    remove: frozenset[bytes]


ModerationForm = Report | Hide | Show | Review | Block


def read_moderation(kind: str, body: bytes) -> ModerationForm | None:
    """What a body of this chapter says; None for one that does not fit, and for every other kind."""
    if kind not in _READERS:
        return None
    try:
        return _READERS[kind](decode_body(body))
    except (FormError, _Unfit):
        return None


def report(entry: bytes, reason: str, *, text: bytes | None = None) -> Made:
    """A report. `text`: hash of what one wrote. FormError `bad_moderation`, as of all makers here."""
    return _made(REPORT, {"entry": entry, "reason": reason, "text": text})


def hide(entry: bytes, reason: str, *, reports: Iterable[bytes] = (), text: bytes | None = None) -> Made:
    """Hides an entry, and answers reports on it."""
    return _made(HIDE, {"entry": entry, "reason": reason, "reports": sorted(set(reports)) or None, "text": text})


def show(entry: bytes, acts: Iterable[bytes]) -> Made:
    """Undoes hidings of an entry."""
    return _made(SHOW, {"acts": sorted(set(acts)), "entry": entry})


def review(entry: bytes, reports: Iterable[bytes]) -> Made:
    """Says that one looked at these reports, and the entry stays."""
    return _made(REVIEW, {"entry": entry, "reports": sorted(set(reports))})


def block(add: Mapping[bytes, str] | None = None, remove: Iterable[bytes] = ()) -> Made:
    """Puts keys on one's block list, and takes others off."""
    listed = [[key, reason] for key, reason in sorted((add or {}).items())]
    return _made(BLOCK, {"add": listed, "remove": sorted(set(remove))})


def _made(kind: str, content: Mapping[str, Any]) -> Made:
    body = {name: value for name, value in content.items() if value is not None}
    try:
        _READERS[kind](body)
    except _Unfit:
        raise FormError(
            "bad_moderation",
            f"a reason is one of {', '.join(REASONS)}; ids have 32 bytes, and at most {MODERATION_IDS_MAX} go together",
        ) from None
    return Made(kind, body)


class _Unfit(Exception):
    pass


def _id(value: object) -> bytes:
    if type(value) is not bytes or len(value) != 32:
        raise _Unfit
    return value


def _ids(value: object, least: int) -> frozenset[bytes]:
    if type(value) is not list or not least <= len(value) <= MODERATION_IDS_MAX:
        raise _Unfit
    return frozenset(_id(item) for item in value)


def _reason(value: object) -> str:
    if type(value) is not str or value not in REASONS:
        raise _Unfit
    return value


def _text(body: Mapping[str, Any]) -> bytes | None:
    return _id(body["text"]) if "text" in body else None


def _report(body: Mapping[str, Any]) -> Report:
    return Report(_id(body.get("entry")), _reason(body.get("reason")), _text(body))


def _hide(body: Mapping[str, Any]) -> Hide:
    reports = _ids(body["reports"], 0) if "reports" in body else frozenset[bytes]()
    return Hide(_id(body.get("entry")), _reason(body.get("reason")), _text(body), reports)


def _show(body: Mapping[str, Any]) -> Show:
    return Show(_id(body.get("entry")), _ids(body.get("acts"), 1))


def _review(body: Mapping[str, Any]) -> Review:
    return Review(_id(body.get("entry")), _ids(body.get("reports"), 1))


def _block(body: Mapping[str, Any]) -> Block:
    listed = body.get("add")
    if type(listed) is not list or len(listed) > MODERATION_IDS_MAX:
        raise _Unfit
    add: dict[bytes, str] = {}
    for item in listed:
        if type(item) is not list or len(item) != 2 or _id(item[0]) in add:
            raise _Unfit
        add[item[0]] = _reason(item[1])
    return Block(tuple(sorted(add.items())), _ids(body.get("remove"), 0))


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], ModerationForm]]] = {
    REPORT: _report,
    HIDE: _hide,
    SHOW: _show,
    REVIEW: _review,
    BLOCK: _block,
}
