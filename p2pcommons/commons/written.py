"""What people write beside an act of plane 0, and may erase: proposals, reasons (chapter 22, "Texts").

Plane 0 holds the hash of a text; the text itself is a record of plane 1 about that hash, salted, so that what was
erased cannot be guessed back.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, NamedTuple

from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import TAG_TEXT
from p2pcommons.core.limits import SALT_BYTES, WRITTEN_CHARACTERS_MAX
from p2pcommons.core.record import Record, decode_body
from p2pcommons.errors import FormError

WRITE: Final = "text.write"


class Written(NamedTuple):
    """A text ready for a record of plane 1, whose subject is `hash`."""

    hash: bytes
    body: bytes  # canonical


def write(text: str, salt: bytes) -> Written:
    """A text as it is kept. `salt`: 16 random bytes. FormError `bad_text` for a blank one, or one that is too long."""
    if not _fits(text, salt):
        raise FormError(
            "bad_text", f"Write 1 to {WRITTEN_CHARACTERS_MAX:,} characters, not all of them blank, and none of code 0."
        )
    body = encode_body({"salt": salt, "text": text})
    return Written(text_hash(body), body)


def text_hash(body: bytes) -> bytes:
    """The hash that plane 0 names: 32 bytes (ASSEMBLY-24)."""
    return sha256(TAG_TEXT + body).digest()


def read_text(records: Iterable[Record], named: bytes) -> str | None:
    """The text of this hash, among the records about it; None where it is not here, or was erased."""
    for record in records:
        if record.header.kind == WRITE and record.body is not None and text_hash(record.body) == named:
            text = body_text(record.body)
            if text is not None:
                return text
    return None


def body_text(body: bytes) -> str | None:
    """The text in a body; None for one that does not fit (ASSEMBLY-24)."""
    try:
        said = decode_body(body)
    except FormError:
        return None
    text = said.get("text")
    return str(text) if _fits(text, said.get("salt")) else None


def _fits(text: object, salt: object) -> bool:
    if type(salt) is not bytes or len(salt) != SALT_BYTES or type(text) is not str:
        return False
    return bool(text.strip()) and len(text) <= WRITTEN_CHARACTERS_MAX and "\0" not in text
