"""Makers of plane-0 bodies: each gives the kind and the body of one act (chapter 21).

Randomness, keys and times come in. What a record names in `prev`: a join exactly its way; everything else but a
ballot `Charter.prev_for(author)`. `subject` is the key let in for joins, rotations and devices, the commons' id
otherwise (the founding record: zeros).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from p2pcommons.commons.doors import (
    APPROVE,
    DEVICE,
    ERASE,
    FOUND,
    INVITE,
    JOIN,
    OPEN,
    PURGE,
    ROTATE,
    STEWARDS,
    act_hash,
    device_message,
    join_message,
    rotation_message,
)
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import STAMP_BITS_MAX, STEWARDS_NAMED_MAX
from p2pcommons.errors import FormError

NAME_CHARACTERS_MAX: Final = 200  # a line on a page


class Made(NamedTuple):
    """One act, ready for a record."""

    kind: str
    body: dict[str, Any]


def found(
    name: str,
    *,
    entropy: bytes,
    recovery: bytes,
    join: str = "invite",
    languages: Sequence[str] = (),
    territory: str | None = None,
    licence: str | None = None,
    announced: bool | None = None,
    stamp_bits: int | None = None,
    stewards: Iterable[bytes] = (),
    quorum: int = 1,
    template: str | None = None,
    rules: Mapping[str, Mapping[str, Any]] | None = None,
) -> Made:
    """A founding record. `entropy`: 32 random bytes; `recovery`: `recovery_hash` of the founder's recovery key.

    `stewards`: further keys that are stewards once they have joined; `quorum`: how many steward persons must agree
    on a purge and on who is steward. With 1, one stolen steward key can empty the commons. `template`, `rules`: the
    charter's words and parameters (chapter 24), which say the same as the fields beside them.
    """
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX:
        raise FormError("bad_name", f"a commons needs a name of 1 to {NAME_CHARACTERS_MAX} characters")
    if join not in ("invite", "open", "vote"):
        raise FormError("bad_join", f"joining is by invite, open or by vote, not {join!r}")
    keys = sorted(set(stewards))
    if len(keys) > STEWARDS_NAMED_MAX or not 1 <= quorum <= len(keys) + 1:
        raise FormError(
            "bad_stewards", f"at most {STEWARDS_NAMED_MAX} further stewards, and no larger quorum than stewards"
        )
    body: dict[str, Any] = {
        "entropy": _sized("entropy", entropy, 32),
        "join": join,
        "name": name,
        "recovery": _sized("recovery", recovery, 32),
    }
    if keys or quorum > 1:
        body["stewards"] = {"keys": keys, "quorum": quorum}
    _put(body, "languages", list(languages) or None)
    _put(body, "territory", territory)
    _put(body, "licence", licence)
    _put(body, "announced", announced)
    _put(body, "stamp", _bits(stamp_bits))
    _put(body, "template", template)
    _put(body, "rules", None if rules is None else {rule: dict(params) for rule, params in rules.items()})
    return Made(FOUND, body)


def open_joining(*, stamp_bits: int | None = None) -> Made:
    """Opens joining to anyone (by stewards)."""
    body: dict[str, Any] = {}
    _put(body, "stamp", _bits(stamp_bits))
    return Made(OPEN, body)


def invite(
    public: bytes, *, uses: int | None = 1, expires_ms: int | None = None, stamp_bits: int | None = None
) -> Made:
    """An invitation: `public` half of a fresh key. Uses and expiry are told to people and unmake nobody."""
    body: dict[str, Any] = {"public": _sized("public", public, 32)}
    _put(body, "uses", uses)
    _put(body, "expires", expires_ms)
    _put(body, "stamp", _bits(stamp_bits))
    return Made(INVITE, body)


def join_by_invitation(
    commons: bytes, invite_id: bytes, author: bytes, private: SigningKey, *, recovery: bytes, stamp: bytes
) -> Made:
    """A join through an invitation; `private`: the invitation's key, `stamp`: of `search_stamp`."""
    proof = private.sign(join_message(commons, invite_id, author))
    return Made(
        JOIN, {"proof": proof, "recovery": _sized("recovery", recovery, 32), "stamp": _sized("stamp", stamp, 8)}
    )


def join_open(*, recovery: bytes, stamp: bytes) -> Made:
    """A join through an opening (the founding record of an open commons, or `charter.open`)."""
    return Made(JOIN, {"recovery": _sized("recovery", recovery, 32), "stamp": _sized("stamp", stamp, 8)})


def rotate(
    commons: bytes,
    author: bytes,
    old: bytes,
    recovery_key: SigningKey,
    *,
    next_recovery: bytes,
    heads: Mapping[int, Sequence[bytes]],
) -> Made:
    """A new key (`author`) takes the place of `old`. `heads`: per plane the last records of `old` that were one's own.

    `next_recovery`: `recovery_hash` of the recovery key that goes with the new key.
    """
    body: dict[str, Any] = {
        "heads": [[plane, sorted(heads[plane])] for plane in sorted(heads)],
        "next": _sized("next", next_recovery, 32),
        "old": _sized("old", old, 32),
        "recovery_key": recovery_key.public,
    }
    return Made(ROTATE, {**body, "proof": recovery_key.sign(rotation_message(commons, author, body))})


def add_device(commons: bytes, author: bytes, device: SigningKey) -> Made:
    """A further key of the author's person, which agrees by its proof."""
    proof = device.sign(device_message(commons, author, device.public))
    return Made(DEVICE, {"key": device.public, "proof": proof})


def purge(keys: Iterable[bytes] = (), doors: Iterable[bytes] = ()) -> Made:
    """Keys that never return (name all keys of a person), and ways (invites, openings) nobody else comes in by."""
    return Made(PURGE, {"doors": sorted(set(doors)), "keys": sorted(set(keys))})


def name_stewards(*, add: Iterable[bytes] = (), end: Iterable[bytes] = (), quorum: int | None = None) -> Made:
    """Makes and unmakes stewards (name the keys that were made so); may set the quorum from here on."""
    body: dict[str, Any] = {"add": sorted(set(add)), "end": sorted(set(end))}
    _put(body, "quorum", quorum)
    if len(body["add"]) > STEWARDS_NAMED_MAX or len(body["end"]) > STEWARDS_NAMED_MAX:
        raise FormError("bad_stewards", f"at most {STEWARDS_NAMED_MAX} keys in one act")
    if quorum is not None and not 1 <= quorum <= STEWARDS_NAMED_MAX:
        raise FormError("bad_stewards", f"a quorum is a number from 1 to {STEWARDS_NAMED_MAX}")
    return Made(STEWARDS, body)


def approve(commons: bytes, act: Made) -> Made:
    """A steward's yes to exactly this act; the act's record must then have it in its past."""
    return Made(APPROVE, {"act": act_hash(commons, act.kind, encode_body(act.body))})


def erase(items: Mapping[bytes, Iterable[str]]) -> Made:
    """Erases records of planes above 0; for each the names of the register fields that its body had written."""
    return Made(ERASE, {"ids": [[identifier, sorted(set(items[identifier]))] for identifier in sorted(items)]})


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        body[name] = value


def _sized(name: str, value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise FormError("bad_size", f"{name} has {size} bytes")
    return value


def _bits(bits: int | None) -> int | None:
    if bits is not None and not 0 <= bits <= STAMP_BITS_MAX:
        raise FormError("bad_stamp", f"a stamp asks for 0 to {STAMP_BITS_MAX} zero bits")
    return bits
