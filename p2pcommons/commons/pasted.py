"""Lines that people paste: a prefix, then base64url of a checksum and one canonical value (chapter 21, invitations).

What mail and word processors do to a line is undone; what they lost is told. Knows nothing of what a line says.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any, Final, NamedTuple

from p2pcommons.core.encoding import decode, encode
from p2pcommons.errors import FormError

_CHECK_BYTES: Final = 4
_BROKEN: Final = re.compile(r"[\s\u200b\u00ad\ufeff<>\"'«»“”‘’`]+")  # what mail and word processors put in and around
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")


class Pasted(NamedTuple):
    """One kind of line. `name` (a word for people) is in its error codes: `bad_invitation`."""

    prefix: str  # letters, digits and hyphens, then a colon
    tag: bytes
    characters_max: int
    name: str


def pasted(form: Pasted, value: Any) -> str:
    """The line that says this value. FormError `bad_…` where it is too long."""
    payload = encode(value)
    text = form.prefix + _base64url(_checksum(form, payload) + payload)
    if len(text) > form.characters_max:
        raise FormError(f"bad_{form.name}", "these addresses are too long for one line: name fewer")
    return text


def unpasted(form: Pasted, text: str) -> Any:
    """The value in a pasted text. FormError `bad_…`, or `incomplete_…` where something of the line was lost."""
    name, word = form.name, form.name.replace("_", " ")
    if len(text) > 4 * form.characters_max:
        raise FormError(f"bad_{name}", f"this is too long: copy only the line with {form.prefix}")
    broken_prefix = re.compile(form.prefix.removesuffix(":") + r"\s*:", re.IGNORECASE)
    _, prefix, rest = broken_prefix.sub(form.prefix, text).partition(form.prefix)
    if not prefix:
        raise FormError(f"bad_{name}", f"this is no {word}, which starts with {form.prefix} — copy the whole line")
    # Mail breaks a long line in pieces; people paste the words around it too. The checksum tells which it was.
    pieces = [piece for piece in _BROKEN.split(rest) if piece]
    payload = _payload(form, "".join(pieces)) or _payload(form, pieces[0] if pieces else "")
    if payload is None:
        raise FormError(
            f"incomplete_{name}", f"part of this {word} was lost or changed on its way: copy it again, whole"
        )
    try:
        return decode(payload, bytes_max=form.characters_max)
    except FormError as error:
        raise FormError(f"bad_{name}", f"this is no {word} of p2pcommons") from error


def _payload(form: Pasted, coded: str) -> bytes | None:
    coded = coded.rstrip("=.,;:!?)]")
    if not _BASE64URL.fullmatch(coded) or len(coded) > form.characters_max or len(coded) % 4 == 1:
        return None
    data = urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
    payload = data[_CHECK_BYTES:]
    whole = data[:_CHECK_BYTES] == _checksum(form, payload) and _base64url(data) == coded
    return payload if whole else None


def _checksum(form: Pasted, payload: bytes) -> bytes:
    return sha256(form.tag + payload).digest()[:_CHECK_BYTES]


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
