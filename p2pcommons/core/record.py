"""Records: immutable, content-addressed, authored (chapter 12).

A record is a header (a canonical array of eleven values), a body (a canonical map) and a salt. Its id is the
Merkle leaf hash of the header. Form, hash and size are judged here, and nothing that a body means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from hashlib import sha256
from operator import ge
from typing import Any, Final, NamedTuple, NewType
from unicodedata import normalize

from p2pcommons.core.encoding import decode, encode_body, pack_ordered
from p2pcommons.core.identity import TAG_BODY, TAG_ENTRY, PublicKey
from p2pcommons.core.limits import (
    BODY_BYTES_MAX,
    HEADER_BYTES_MAX,
    INTEGER_BODY_MAX,
    KIND_BYTES_MAX,
    PLANE_MAX,
    PREV_MAX,
    SALT_BYTES,
    TIME_MAX,
)
from p2pcommons.errors import FormError

RecordId = NewType("RecordId", bytes)
CommonsId = NewType("CommonsId", bytes)
Subject = NewType("Subject", bytes)

VERSION: Final = 1
_TIME_IN_8_BYTES_MIN: Final = 2**32
ZEROS: Final = bytes(32)
_KIND: Final = re.compile(r"[a-z][a-z0-9]*(?:\.[a-z][a-z0-9_]*)+")
# The shape that nearly all headers have, read in one go: version 1, a time from 1970-01-01T00:01 on, at most 15
# predecessors, a body below 64 KiB. Groups: commons, plane, author, after, time, subject, head of prev, prev, head
# of kind, kind, body_hash, size in one, one or two bytes. Every head byte has one meaning: nothing is tried twice.
_COMMON_HEADER: Final = re.compile(
    rb"\x9b\x01\xc4\x20(.{32})([\x00-\x7f])\xc4\x20(.{32})\xc4\x20(.{32})\xcf(.{8})\xc4\x20(.{32})"
    rb"([\x90-\x9f])((?:\xc4\x20.{32})*)([\xa3-\xbf]|\xd9.)([a-z][a-z0-9]*(?:\.[a-z][a-z0-9_]*)+)"
    rb"\xc4\x20(.{32})(?:([\x01-\x7f])|\xcc([\x80-\xff])|\xcd(..))",
    re.DOTALL,
)


class Plane(IntEnum):
    """The three planes of a commons; higher ones are sets a node may ignore."""

    CHARTER = 0
    CATALOGUE = 1
    POST = 2


class Header(NamedTuple):
    """The eleven values of a record's header, without the version."""

    commons: CommonsId
    plane: int
    author: PublicKey
    after: RecordId
    time: int
    subject: Subject
    prev: tuple[RecordId, ...]
    kind: str
    body_hash: bytes
    body_size: int


class Record(NamedTuple):
    """A record with its bytes. `body` is None only where an erasure took it."""

    id: RecordId
    header: Header
    header_bytes: bytes
    salt: bytes | None
    body: bytes | None

    def content(self) -> dict[str, Any]:
        """The decoded body; FormError `no_body` where it was erased."""
        if self.body is None:
            raise FormError("no_body", "this record's body was erased")
        value: dict[str, Any] = decode_body(self.body)
        return value


def record_id(header_bytes: bytes) -> RecordId:
    """`SHA-256(0x00 || header)`: the RFC 9162 leaf hash of the header."""
    return RecordId(sha256(b"\0" + header_bytes).digest())


def body_hash(salt: bytes, body: bytes) -> bytes:
    """`SHA-256(tag || salt || body)`."""
    return sha256(TAG_BODY + salt + body).digest()


def decode_body(body: bytes) -> Any:
    """A body's value: a canonical map within its limits. FormError otherwise."""
    value = decode(body, bytes_max=BODY_BYTES_MAX, integer_max=INTEGER_BODY_MAX)
    if type(value) is not dict:
        raise FormError("bad_body", "a body is a map")
    return value


def build(
    *,
    commons: bytes,
    plane: int,
    author: bytes,
    after: bytes,
    time: int,
    subject: bytes,
    prev: Sequence[bytes],
    kind: str,
    body: Mapping[str, Any] | bytes,
    salt: bytes,
) -> Record:
    """A new record, unsealed. `body` may be given already canonical (hot path of imports)."""
    encoded = body if isinstance(body, bytes) else encode_body(body)
    if len(encoded) > BODY_BYTES_MAX:
        raise FormError("too_large", f"a body of {len(encoded)} bytes; at most {BODY_BYTES_MAX} fit")
    if len(salt) != SALT_BYTES:
        raise FormError("bad_salt", f"a salt has {SALT_BYTES} bytes")
    hashed = body_hash(salt, encoded)
    # Packed without a walk over the values: `parse_header` refuses whatever is not as it must be.
    header_bytes = pack_ordered(
        [VERSION, commons, int(plane), author, after, time, subject, sorted(prev), kind, hashed, len(encoded)]
    )
    return Record(record_id(header_bytes), parse_header(header_bytes), header_bytes, salt, encoded)


def parse_header(data: bytes) -> Header:
    """The header in canonical bytes. FormError with the rule broken (REC-1 to REC-5)."""
    return _parse_common(data) or parse_header_plain(data)


def _parse_common(data: bytes) -> Header | None:
    """A header of the common shape; None leaves it to the plain form (always equal, which tests hold to)."""
    found = _COMMON_HEADER.fullmatch(data)
    if found is None:
        return None
    (commons, plane, author, after, time_bytes, subject, count, chained, kind_head, kind,
     hashed, size1, size1b, size2) = found.groups()  # fmt: skip
    time = int.from_bytes(time_bytes, "big")
    length = len(kind)
    if kind_head != (bytes((0xA0 + length,)) if length < 32 else bytes((0xD9, length & 0xFF))):
        return None
    size = size1[0] if size1 else size1b[0] if size1b else size2[0] << 8 | size2[1]
    if not _TIME_IN_8_BYTES_MIN <= time <= TIME_MAX or length > KIND_BYTES_MAX or (size2 and size < 256):
        return None
    prev: tuple[bytes, ...] = ()
    if chained or count != b"\x90":
        prev = tuple(chained[at + 2 : at + 34] for at in range(0, len(chained), 34))
        if count[0] - 0x90 != len(prev) or any(map(ge, prev, prev[1:])):
            return None
    if commons == ZEROS:
        return None
    return Header(commons, plane[0], author, after, time, subject, prev, kind.decode(), hashed, size)  # type: ignore[arg-type]


def parse_header_plain(data: bytes) -> Header:
    """`parse_header` as chapter 12 is written, value by value."""
    value = decode(data, bytes_max=HEADER_BYTES_MAX)
    if type(value) is not list or not value or type(value[0]) is not int:
        raise FormError("bad_header", "a header is an array that starts with its version")
    if value[0] != VERSION:
        raise FormError("unknown_version", f"record version {value[0]!r}; this node knows {VERSION}")
    if len(value) != 11:
        raise FormError("bad_header", "a header has eleven values")
    _, commons, plane, author, after, time, subject, prev, kind, hashed, size = value
    for name, field in (
        ("commons", commons), ("author", author), ("after", after), ("subject", subject), ("body_hash", hashed),
    ):  # fmt: skip
        if type(field) is not bytes or len(field) != 32:
            raise FormError("bad_header", f"{name} is not 32 bytes")
    if type(plane) is not int or not 0 <= plane <= PLANE_MAX:
        raise FormError("bad_plane", f"a plane is a number from 0 to {PLANE_MAX}")
    if type(time) is not int or not 0 <= time <= TIME_MAX:
        raise FormError("bad_time", "a time is a number below 2^63")
    if type(size) is not int or not 1 <= size <= BODY_BYTES_MAX:
        raise FormError("bad_size", f"a body has 1 to {BODY_BYTES_MAX} bytes")
    if type(kind) is not str or len(kind) > KIND_BYTES_MAX or not _KIND.fullmatch(kind):
        raise FormError("bad_kind", "a kind is dotted lower-case words of at most 48 bytes")
    _check_prev(prev)
    if commons == ZEROS and (plane != Plane.CHARTER or subject != ZEROS or after != ZEROS or prev):
        raise FormError("bad_founding", "a founding record has zeros for subject and after, and no past")
    return Header(commons, plane, author, after, time, subject, tuple(prev), kind, hashed, size)


def _check_prev(prev: Any) -> None:
    if type(prev) is not list or len(prev) > PREV_MAX:
        raise FormError("bad_prev", f"prev is a list of at most {PREV_MAX} ids")
    last = b""
    for item in prev:
        if type(item) is not bytes or len(item) != 32 or item <= last:
            raise FormError("bad_prev", "prev holds ids of 32 bytes in strictly ascending order")
        last = item


def parse(header_bytes: bytes, salt: bytes, body: bytes) -> Record:
    """A whole record from a stranger's bytes: form, hash and size of both strings. FormError otherwise."""
    header = parse_header(header_bytes)
    check_body(header, salt, body)
    return Record(record_id(header_bytes), header, header_bytes, salt, body)


def check_body(header: Header, salt: bytes, body: bytes) -> None:
    """Whether this salt and body are the ones the header names; FormError `bad_body…` otherwise."""
    _check_salt(salt)
    if type(body) is not bytes or len(body) != header.body_size:
        raise FormError("bad_body_size", "the body is not of the size that the header says")
    if body_hash(salt, body) != header.body_hash:
        raise FormError("bad_body_hash", "the body is not the one that the header names")
    decode_body(body)


def check_content(salt: bytes, body: bytes) -> dict[str, Any]:
    """`check_body` where size and hash of the header were computed from these two (chapter 13); what the body holds."""
    _check_salt(salt)
    content: dict[str, Any] = decode_body(body)
    return content


def _check_salt(salt: bytes) -> None:
    if type(salt) is not bytes or len(salt) != SALT_BYTES:
        raise FormError("bad_salt", f"a salt has {SALT_BYTES} bytes")


def is_whole(record: Record) -> bool:
    """Whether the record has its body, and the one that its header names."""
    salt, body = record.salt, record.body
    return salt is not None and body is not None and body_hash(salt, body) == record.header.body_hash


def commons_of(record: Record) -> CommonsId:
    """The commons a record belongs to: a founding record founds the one named by its own id."""
    return CommonsId(record.id) if record.header.commons == ZEROS else record.header.commons


def is_founding(record: Record) -> bool:
    """Whether this record founds a commons."""
    return record.header.commons == ZEROS


_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_NOT_TEXT: Final = re.compile("[\0\ud800-\udfff]")
_AUTHORITY: Final = re.compile(r"//([^/?]*)(.*)", re.DOTALL)


def normalise_source(uri: str) -> str:
    """A source URI in the form whose hash names an entry (REC-12). FormError `bad_source`.

    NFC; outer ASCII white space cut; scheme in lower case; for http and https the host in lower case, the default
    port and the fragment cut; nothing else. Lower case is that of A to Z alone: no table of any Unicode version.
    """
    text = normalize("NFC", uri).strip("\t\n\v\f\r ")
    scheme, _, rest = text.partition(":")
    if not scheme or not rest or _NOT_TEXT.search(text):
        raise FormError("bad_source", f"a source is a URI like tate:A00001, not {uri[:80]!r}")
    scheme = scheme.translate(_ASCII_LOWER)
    if scheme in _DEFAULT_PORTS and rest.startswith("//"):
        authority, path = _AUTHORITY.match(rest.partition("#")[0]).groups()  # type: ignore[union-attr]  # matches all
        user, at, host = authority.rpartition("@")
        host = host.translate(_ASCII_LOWER).removesuffix(_DEFAULT_PORTS[scheme])
        rest = f"//{user}{at}{host}{path}"
    return f"{scheme}:{rest}"


def entry_id(commons: bytes, source: str) -> Subject:
    """The id of an imported entry: the same wherever the same thing is imported into one commons."""
    return entry_id_normalised(commons, normalise_source(source))


def entry_id_normalised(commons: bytes, source: str) -> Subject:
    """`entry_id` of a source that `normalise_source` made (hot path of imports)."""
    return Subject(sha256(TAG_ENTRY + commons + source.encode()).digest())
