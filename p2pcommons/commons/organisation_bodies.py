"""The bodies of organisations (chapter 21, "Organisations"): who speaks for one, and what it asks them.

Readers are total: a body fits or it is None, and then its record does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.doors import APPROVE, act_hash
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.limits import ORGANISATION_PEOPLE_MAX
from p2pcommons.core.record import decode_body
from p2pcommons.errors import FormError

DECLARE: Final = "member.organisation"
ASK: Final = "member.ask"


class Declare(NamedTuple):
    """A member says that they are an organisation, and whose approvals it acts by."""

    people: frozenset[bytes]
    quorum: int


class Ask(NamedTuple):
    """An act that an organisation asks its people to approve. For people: nothing is computed from it."""

    kind: str
    body: bytes  # canonical


def read_declaration(kind: str, body: bytes) -> Declare | None:
    """What a declaration says; None for one that does not fit, and for every other kind."""
    content = _content(body) if kind == DECLARE else None
    if content is None:
        return None
    people, quorum = content.get("people"), content.get("quorum")
    if type(people) is not list or len(people) > ORGANISATION_PEOPLE_MAX:
        return None
    if any(type(key) is not bytes or len(key) != 32 for key in people):
        return None
    if type(quorum) is not int or not 1 <= quorum <= len(set(people)):
        return None
    return Declare(frozenset(people), quorum)


def read_ask(kind: str, body: bytes) -> Ask | None:
    """What an organisation asks; None for what does not fit, and for every other kind."""
    content = _content(body) if kind == ASK else None
    if content is None:
        return None
    asked, wanted = content.get("kind"), content.get("body")
    if type(asked) is not str or type(wanted) is not bytes or _content(wanted) is None:
        return None
    return Ask(asked, wanted)


def declare(people: Iterable[bytes], quorum: int) -> Made:
    """Declares an organisation, or changes its people. FormError `bad_organisation`."""
    keys = sorted(set(people))
    if not 1 <= len(keys) <= ORGANISATION_PEOPLE_MAX or not 1 <= quorum <= len(keys):
        raise FormError(
            "bad_organisation",
            f"an organisation names 1 to {ORGANISATION_PEOPLE_MAX} people, and acts by at most as many as it names",
        )
    return Made(DECLARE, {"people": keys, "quorum": quorum})


def spoken_hash(commons: bytes, organisation: bytes, kind: str, body: bytes) -> bytes:
    """What people approve of when they speak for an organisation: an act of this very key of it (CHARTER-41)."""
    return act_hash(commons, f"for {kind}", organisation + body)


def approve_for(commons: bytes, organisation: bytes, act: Made) -> Made:
    """The yes of one of its people to an act that an organisation writes, or approves of, with this key."""
    return Made(APPROVE, {"act": spoken_hash(commons, organisation, act.kind, encode_body(act.body))})


def ask(act: Made) -> Made:
    """Asks the people of an organisation to approve of an act."""
    return Made(ASK, {"body": encode_body(act.body), "kind": act.kind})


def _content(body: bytes) -> Mapping[str, Any] | None:
    try:
        content: Mapping[str, Any] = decode_body(body)
    except FormError:
        return None
    return content
