"""The bodies of an assembly: proposals, amendments, answers, ballots, sheets, closings (chapter 22).

Readers are total: a body fits or it is None, and then its record does nothing. Makers give the kind and the body of one
record, and what a ballot and a closing name in `prev`. Knows no graph, no rule and no person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.matters import Effect, read_effect
from p2pcommons.commons.tally import Method, read_method
from p2pcommons.core.limits import (
    BALLOT_REPLACES_MAX,
    BALLOTS_REMEMBERED_MAX,
    CLOSERS_MAX,
    DOOR_BODY_REMEMBERED_MAX,
    EXCLUDED_MAX,
    OPTIONS_MAX,
    PREV_MAX,
)
from p2pcommons.core.merkle import root
from p2pcommons.core.record import ZEROS, decode_body
from p2pcommons.errors import FormError

PROPOSE: Final = "proposal.open"
AMEND: Final = "proposal.amend"
ANSWER: Final = "proposal.answer"
CAST: Final = "ballot.cast"
SHEET: Final = "ballot.sheet"
CLOSE: Final = "closing.publish"
SEEN: Final = "charter.seen"  # does nothing but name heads

EXCLUSIONS: Final = ("double", "lapsed", "late", "no_elector", "replaced")

Choice = str | tuple[tuple[str, int], ...]
"""One word, or the grade of each option, options ascending."""


class Open(NamedTuple):
    """A proposal and its first wording."""

    matter: str
    method: Method
    quorum: int  # persons who have to answer
    opens: int  # Unix ms, for forms only
    closes: int
    closers: tuple[bytes, ...]  # ascending
    k: int
    text: bytes  # hash of the text, which is a record of plane 1
    effect: Effect
    amendment: bytes | None  # the suggestion that this proposal makes its own


class Amend(NamedTuple):
    """Another wording: of the proposer's, it holds; of somebody else's, it is offered."""

    proposal: bytes
    text: bytes
    content: Mapping[str, Any]


class Answer(NamedTuple):
    """What becomes of an offered wording."""

    amendment: bytes
    take: bool


class Cast(NamedTuple):
    """A ballot."""

    proposal: bytes
    text: bytes
    choice: Choice
    replaces: frozenset[bytes]
    reason: bytes | None = None  # hash of a text: for people


class Sheet(NamedTuple):
    """Ballots gathered for a closing: those that its `prev` names."""


class Close(NamedTuple):
    """What one closer counted."""

    proposal: bytes
    wording: bytes  # the record whose text and effect were voted on
    number: int  # of ballots counted
    root: bytes
    excluded: tuple[tuple[bytes, str], ...]  # for people: ids and why


AssemblyForm = Open | Amend | Answer | Cast | Sheet | Close


def read_assembly(kind: str, body: bytes) -> AssemblyForm | None:
    """What a body of this chapter says; None for one that does not fit, and for every other kind."""
    if kind not in _READERS:
        return None
    return _remembered(kind, body) if len(body) <= DOOR_BODY_REMEMBERED_MAX else _form(kind, body)


def ballots_root(ids: Iterable[bytes]) -> bytes:
    """The RFC 9162 root over ballot ids, ascending; zeros where there are none."""
    ordered = sorted(set(ids))
    return root(ordered) if ordered else ZEROS


# -- makers


def propose(
    matter: str,
    *,
    mode: str,
    quorum: int,
    closers: Iterable[bytes],
    k: int,
    text: bytes,
    effect: Mapping[str, Any] | None = None,
    threshold: tuple[int, int] | None = None,
    options: Sequence[str] | None = None,
    grades: int | None = None,
    opens_ms: int = 0,
    closes_ms: int = 0,
    amendment: bytes | None = None,
) -> Made:
    """Opens a proposal. `text`: hash of its text; `effect`: as its matter asks. FormError `bad_proposal`.

    `mode`, `threshold`, `options` and `grades` are those of `tally.read_method`; `closes_ms` at or after `opens_ms`.
    """
    body: dict[str, Any] = {
        "closers": sorted(set(closers)), "closes": closes_ms, "effect": dict(effect or {}), "k": k, "matter": matter,
        "mode": mode, "opens": opens_ms, "quorum": quorum, "text": text,
    }  # fmt: skip
    further = {
        "amendment": amendment,
        "grades": grades,
        "options": None if options is None else list(options),
        "threshold": None if threshold is None else list(threshold),
    }
    body.update({name: value for name, value in further.items() if value is not None})
    return _made(PROPOSE, body, "bad_proposal", "the matter, mode, closers or effect of this proposal do not fit")


def amend(proposal: bytes, *, text: bytes, effect: Mapping[str, Any] | None = None) -> Made:
    """Another wording for a proposal. FormError `bad_amendment`."""
    body = {"effect": dict(effect or {}), "proposal": proposal, "text": text}
    return _made(AMEND, body, "bad_amendment", "this wording does not fit")


def answer(amendment: bytes, *, take: bool) -> Made:
    """Takes an offered wording, or refuses it. FormError `bad_answer`."""
    return _made(ANSWER, {"amendment": amendment, "take": take}, "bad_answer", "an answer names an amendment")


def cast(
    proposal: bytes,
    text: bytes,
    choice: str | Mapping[str, int],
    *,
    replaces: Iterable[bytes] = (),
    reason: bytes | None = None,
) -> Made:
    """A ballot. `text`: hash of the wording; `replaces`: the person's earlier ballots; `reason`: hash of a text.

    FormError `bad_ballot`.

    Its `prev` is exactly the wording's record; for a key that was let in later also the record that let it in.
    """
    said = choice if isinstance(choice, str) else dict(choice)
    body: dict[str, Any] = {"choice": said, "proposal": proposal, "replaces": sorted(set(replaces)), "text": text}
    if reason is not None:
        body["reason"] = reason
    return _made(CAST, body, "bad_ballot", "a choice is a word, or a grade for each option")


def sheets_for(count: int, room: int = PREV_MAX) -> list[list[int]]:
    """How many ballots are gathered for one closing: lists of places, each at most PREV_MAX long.

    Place n below `count` is ballot n; place `count + m` is the m-th sheet made. What is left, at most `room`, a closing
    names itself, last of the lists. Empty sheets are never made.
    """
    layer: list[int] = list(range(count))
    made: list[list[int]] = []
    while len(layer) > room:
        groups = [layer[at : at + PREV_MAX] for at in range(0, len(layer), PREV_MAX)]
        layer = [count + len(made) + number for number in range(len(groups))]
        made.extend(groups)
    return [*made, layer]


def sheet() -> Made:
    """A sheet; its `prev` names up to 32 ballots or sheets, nothing else."""
    return Made(SHEET, {})


def seen() -> Made:
    """Names up to 32 heads in `prev`, so that what follows can have more of them in its past (ASSEMBLY-23)."""
    return Made(SEEN, {})


def close(
    proposal: bytes, wording: bytes, counted: Iterable[bytes], *, excluded: Sequence[tuple[bytes, str]] = ()
) -> Made:
    """A closing over these counted ballots. FormError `bad_closing`.

    Its `prev` names, besides heads, the ballots it gathers or sheets that name them.
    """
    ids = set(counted)
    body = {
        "count": len(ids), "excluded": [[identifier, code] for identifier, code in sorted(excluded)],
        "proposal": proposal, "root": ballots_root(ids), "wording": wording,
    }  # fmt: skip
    return _made(CLOSE, body, "bad_closing", f"a closing lists at most {EXCLUDED_MAX} excluded ballots")


def _made(kind: str, body: dict[str, Any], code: str, text: str) -> Made:
    if _read(kind, body) is None:
        raise FormError(code, text)
    return Made(kind, body)


# -- readers


class _Unfit(Exception):
    pass


@lru_cache(maxsize=BALLOTS_REMEMBERED_MAX)
def _remembered(kind: str, body: bytes) -> AssemblyForm | None:
    return _form(kind, body)


def _form(kind: str, body: bytes) -> AssemblyForm | None:
    try:
        return _read(kind, decode_body(body))
    except FormError:
        return None


def _read(kind: str, body: Mapping[str, Any]) -> AssemblyForm | None:
    try:
        return _READERS[kind](body)
    except _Unfit:
        return None


def _need(fits: bool) -> None:
    if not fits:
        raise _Unfit


def _id(body: Mapping[str, Any], name: str) -> bytes:
    value = body.get(name)
    if type(value) is not bytes or len(value) != 32:
        raise _Unfit
    return value


def _ids(body: Mapping[str, Any], name: str, most: int) -> tuple[bytes, ...]:
    values = body.get(name)
    if type(values) is not list or len(values) > most:
        raise _Unfit
    _need(all(type(value) is bytes and len(value) == 32 for value in values))
    return tuple(sorted(set(values)))


def _number(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int or value < 0:
        raise _Unfit
    return value


def _word(body: Mapping[str, Any], name: str, known: Sequence[str] = ()) -> str:
    value = body.get(name)
    if type(value) is not str or not value or (known and value not in known):
        raise _Unfit
    return value


def _map(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if type(value) is not dict:
        raise _Unfit
    return value


def _open(body: Mapping[str, Any]) -> Open:
    matter = _word(body, "matter")
    effect = read_effect(matter, _map(body, "effect"))
    method = read_method(body.get("mode"), body.get("threshold"), body.get("options"), body.get("grades"))
    closers = _ids(body, "closers", CLOSERS_MAX)
    k, opens, closes = _number(body, "k"), _number(body, "opens"), _number(body, "closes")
    if effect is None or method is None or not opens <= closes or not len(closers) < 2 * k <= 2 * len(closers):
        raise _Unfit
    return Open(
        matter=matter, method=method, quorum=_number(body, "quorum"), opens=opens, closes=closes, closers=closers, k=k,
        text=_id(body, "text"), effect=effect, amendment=_id(body, "amendment") if "amendment" in body else None,
    )  # fmt: skip


def _amend(body: Mapping[str, Any]) -> Amend:
    return Amend(_id(body, "proposal"), _id(body, "text"), _map(body, "effect"))


def _answer(body: Mapping[str, Any]) -> Answer:
    take = body.get("take")
    if type(take) is not bool:
        raise _Unfit
    return Answer(_id(body, "amendment"), take)


def _cast(body: Mapping[str, Any]) -> Cast:
    said = body.get("choice")
    choice: Choice
    if type(said) is dict:
        _need(0 < len(said) <= OPTIONS_MAX)
        _need(all(type(grade) is int and grade >= 0 for grade in said.values()))
        choice = tuple(sorted(said.items()))
    else:
        choice = _word(body, "choice")
    replaces = frozenset(_ids(body, "replaces", BALLOT_REPLACES_MAX))
    reason = body.get("reason")
    if type(reason) is not bytes or len(reason) != 32:
        reason = None  # it counts for nothing: a ballot is not lost by it
    return Cast(_id(body, "proposal"), _id(body, "text"), choice, replaces, reason)


def _sheet(body: Mapping[str, Any]) -> Sheet:
    return Sheet()


def _close(body: Mapping[str, Any]) -> Close:
    listed = body.get("excluded")
    if type(listed) is not list or len(listed) > EXCLUDED_MAX:
        raise _Unfit
    excluded = []
    for item in listed:
        if type(item) is not list or len(item) != 2:
            raise _Unfit
        named = {"id": item[0], "code": item[1]}
        excluded.append((_id(named, "id"), _word(named, "code", EXCLUSIONS)))
    return Close(
        _id(body, "proposal"), _id(body, "wording"), _number(body, "count"), _id(body, "root"), tuple(sorted(excluded))
    )


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], AssemblyForm]]] = {
    PROPOSE: _open,
    AMEND: _amend,
    ANSWER: _answer,
    CAST: _cast,
    SHEET: _sheet,
    CLOSE: _close,
}
