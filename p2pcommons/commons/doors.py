"""The bodies that decide who is in a commons, read from their bytes, with their proofs (chapter 21).

What is read here never changes: another reading would let other nodes hold other sets. A body that does not fit
is None: the record is no door, no way, no purge. Keys of a body that this module does not name are the views'.
Knows no graph: what lies in a record's past is `membership`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import TAG_ACT, TAG_DEVICE, TAG_JOIN, TAG_RECOVERY_KEY, TAG_ROTATE, verify
from p2pcommons.core.limits import (
    DOOR_BODY_REMEMBERED_MAX,
    DOORS_REMEMBERED_MAX,
    PROOFS_REMEMBERED_MAX,
    STAMP_BITS_INVITED,
    STAMP_BITS_MAX,
    STAMP_BITS_OPEN,
    STEWARDS_NAMED_MAX,
)
from p2pcommons.core.record import decode_body
from p2pcommons.errors import FormError

FOUND: Final = "commons.found"
OPEN: Final = "charter.open"
STEWARDS: Final = "charter.stewards"
APPROVE: Final = "charter.approve"
INVITE: Final = "member.invite"
JOIN: Final = "member.join"
PURGE: Final = "member.purge"
ROTATE: Final = "key.rotate"
DEVICE: Final = "device.add"
ERASE: Final = "record.erase"
BALLOT_PREFIX: Final = "ballot."

_STAMP_BYTES: Final = 8

_good_proofs: set[bytes] = set()


def remembered_verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """`verify`, remembering what was good: a charter is judged anew whenever a record of plane 0 comes.

    Not the latest ones, as a cache would: all are asked for, in turn, at each judgement.
    """
    name = sha256(public + signature + message).digest()
    if name in _good_proofs:
        return True
    if not verify(public, signature, message):
        return False
    if len(_good_proofs) >= PROOFS_REMEMBERED_MAX:
        _good_proofs.clear()
    _good_proofs.add(name)
    return True


class Founding(NamedTuple):
    """A founding record: the first door, and the first way in where joining is open."""

    open: bool
    stamp_bits: int
    recovery: bytes  # hash of the founder's recovery key
    stewards: frozenset[bytes]  # besides the founder
    quorum: int  # steward persons that a purge or an act on stewards needs


class Opening(NamedTuple):
    """A record that opens joining to anyone."""

    stamp_bits: int


class Invite(NamedTuple):
    """An invitation: who proves to hold the private half of `public` may join."""

    public: bytes
    stamp_bits: int


class Join(NamedTuple):
    """A key lets itself in by an invitation (with `proof`) or an opening."""

    recovery: bytes
    stamp: bytes
    proof: bytes | None


class Rotation(NamedTuple):
    """A new key takes the place of `old`, by its recovery key."""

    old: bytes
    recovery_key: bytes
    next: bytes  # hash of the next recovery key
    proof: bytes
    signed: bytes  # the canonical body without the proof


class Device(NamedTuple):
    """A further key of the author's person."""

    key: bytes
    proof: bytes


class Purge(NamedTuple):
    """Keys that never return, and ways by which nobody else comes in."""

    keys: frozenset[bytes]
    doors: frozenset[bytes]


class Stewards(NamedTuple):
    """Keys that become or are no longer stewards; a new quorum or None."""

    add: frozenset[bytes]
    end: frozenset[bytes]
    quorum: int | None


class Approval(NamedTuple):
    """A steward's yes to an act, named by `act_hash`."""

    act: bytes


Form = Founding | Opening | Invite | Join | Rotation | Device | Purge | Stewards | Approval


def read_form(kind: str, body: bytes) -> Form | None:
    """What a body of plane 0 is to the sets; None for one that does not fit, and for every other kind."""
    if kind not in _READERS:
        return None
    return _remembered_form(kind, body) if len(body) <= DOOR_BODY_REMEMBERED_MAX else _form(kind, body)


@lru_cache(maxsize=DOORS_REMEMBERED_MAX)
def _remembered_form(kind: str, body: bytes) -> Form | None:
    return _form(kind, body)


def _form(kind: str, body: bytes) -> Form | None:
    read = _READERS.get(kind)
    if read is None:
        return None
    try:
        return read(decode_body(body))
    except (FormError, _Unfit):
        return None


def recovery_hash(public: bytes) -> bytes:
    """What founding records, joins and rotations hold of a recovery key: 32 bytes."""
    return sha256(TAG_RECOVERY_KEY + public).digest()


def act_hash(commons: bytes, kind: str, body: bytes) -> bytes:
    """The name of an act that approvals speak of, made of its kind and canonical body: 32 bytes."""
    return sha256(TAG_ACT + commons + kind.encode() + b"\0" + body).digest()


def join_message(commons: bytes, invite: bytes, author: bytes) -> bytes:
    """What the invitation's private key signs."""
    return TAG_JOIN + commons + invite + author


def device_message(commons: bytes, author: bytes, key: bytes) -> bytes:
    """What the new key signs; `author` is the key that takes it in."""
    return TAG_DEVICE + commons + author + key


def rotation_message(commons: bytes, author: bytes, body: Mapping[str, Any]) -> bytes:
    """What the recovery key signs: the body, its `proof` left out; `author` is the new key."""
    return TAG_ROTATE + commons + author + encode_body({key: body[key] for key in body if key != "proof"})


class _Unfit(Exception):
    pass


def _bin(body: Mapping[str, Any], name: str, size: int) -> bytes:
    value = body.get(name)
    if type(value) is not bytes or len(value) != size:
        raise _Unfit
    return value


def _bins(body: Mapping[str, Any], name: str, most: int | None = None) -> frozenset[bytes]:
    values = body.get(name)
    if type(values) is not list or (most is not None and len(values) > most):
        raise _Unfit
    if any(type(value) is not bytes or len(value) != 32 for value in values):
        raise _Unfit
    return frozenset(values)


def _number(body: Mapping[str, Any], name: str, low: int, high: int, default: int) -> int:
    value = body.get(name, default)
    if type(value) is not int or not low <= value <= high:
        raise _Unfit
    return value


def _founding(body: Mapping[str, Any]) -> Founding:
    _bin(body, "entropy", 32)
    council = body.get("stewards", {"keys": [], "quorum": 1})
    if type(council) is not dict:
        raise _Unfit
    keys = _bins(council, "keys", STEWARDS_NAMED_MAX)
    return Founding(
        open=body.get("join") == "open",
        stamp_bits=_number(body, "stamp", 0, STAMP_BITS_MAX, STAMP_BITS_OPEN),
        recovery=_bin(body, "recovery", 32),
        stewards=keys,
        quorum=_number(council, "quorum", 1, STEWARDS_NAMED_MAX + 1, 0),
    )


def _opening(body: Mapping[str, Any]) -> Opening:
    return Opening(_number(body, "stamp", 0, STAMP_BITS_MAX, STAMP_BITS_OPEN))


def _invite(body: Mapping[str, Any]) -> Invite:
    return Invite(_bin(body, "public", 32), _number(body, "stamp", 0, STAMP_BITS_MAX, STAMP_BITS_INVITED))


def _join(body: Mapping[str, Any]) -> Join:
    proof = _bin(body, "proof", 64) if "proof" in body else None
    return Join(_bin(body, "recovery", 32), _bin(body, "stamp", _STAMP_BYTES), proof)


def _rotation(body: Mapping[str, Any]) -> Rotation:
    signed = encode_body({key: value for key, value in body.items() if key != "proof"})
    old, key, following = _bin(body, "old", 32), _bin(body, "recovery_key", 32), _bin(body, "next", 32)
    return Rotation(old, key, following, _bin(body, "proof", 64), signed)


def _device(body: Mapping[str, Any]) -> Device:
    return Device(_bin(body, "key", 32), _bin(body, "proof", 64))


def _purge(body: Mapping[str, Any]) -> Purge:
    return Purge(_bins(body, "keys"), _bins(body, "doors"))


def _stewards(body: Mapping[str, Any]) -> Stewards:
    add, end = _bins(body, "add", STEWARDS_NAMED_MAX), _bins(body, "end", STEWARDS_NAMED_MAX)
    quorum = _number(body, "quorum", 1, STEWARDS_NAMED_MAX, 1) if "quorum" in body else None
    return Stewards(add, end, quorum)


def _approval(body: Mapping[str, Any]) -> Approval:
    return Approval(_bin(body, "act", 32))


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Form]]] = {
    FOUND: _founding,
    OPEN: _opening,
    STEWARDS: _stewards,
    APPROVE: _approval,
    INVITE: _invite,
    JOIN: _join,
    PURGE: _purge,
    ROTATE: _rotation,
    DEVICE: _device,
}
