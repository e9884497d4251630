"""Frames of a session: one canonical array each, and the frozen value it stands for (chapter 30).

Any bytes give a message or `RemoteProtocolError`: form and bounds are judged here, once. Whether a message may come
at this moment is asked elsewhere, and so is what is in a pack or in a message of ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from p2pcommons.core.encoding import decode, encode, pack_ordered
from p2pcommons.core.limits import (
    DETAIL_BYTES_MAX,
    FRAME_BYTES_MAX,
    HELLO_BYTES_MAX,
    HOPS_MAX,
    IDS_PER_FRAME_MAX,
    LISTING_MAX,
    LISTING_NAME_BYTES_MAX,
    NEWS_IDS_MAX,
    PACK_RECORDS_MAX,
    PEER_ADDRESSES_MAX,
    PEER_STATEMENT_BYTES_MAX,
    PEERS_TOLD_MAX,
    REFUSALS_MAX,
    SET_COUNT_MAX,
    TIME_MAX,
)
from p2pcommons.errors import FormError, LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.fields import (
    PLANES,
    as_bytes,
    as_code,
    as_list,
    as_number,
    as_plane,
    as_slot,
    as_text,
    bad,
    check_ascending,
)
from p2pcommons.sync.finding_message import More, Range, Symbols, parse_more, parse_range, parse_symbols
from p2pcommons.sync.hello import Hello, hello_fields, parse_hello
from p2pcommons.sync.opening import (
    AFRESH,
    STREAM,
    THOROUGH,
    Echo,
    Open,
    Opening,
    SetDigest,
    opening_fields,
    parse_open,
)
from p2pcommons.sync.storage import Key

__all__ = [  # and what is defined here
    "AFRESH", "PLANES", "STREAM", "THOROUGH", "Echo", "Hello", "More", "Open", "Opening", "Range", "SetDigest", "Symbols",
]  # fmt: skip

WANT_PREFIX_BYTES: Final = 8  # of an id: in a million records two share it once in 30 million sets

_SEEN_BYTES_MAX: Final = 45  # an IP address as text
_ADDRESS_BITS: Final = 2**PEER_ADDRESSES_MAX - 1
_METHOD_MAX: Final = 2  # zstd, deflate (chapter 36)
_WANTS_MAX: Final = 3  # others' records, a dial back (chapter 35)


@dataclass(frozen=True, slots=True)
class Proof:
    """The node key's signature over both hellos and the channel."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class Names:
    """Tags of commons: of those the dialler offers, among random ones, or of those the listener matched."""

    tags: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """This commons is no longer spoken of in this session."""

    slot: int
    code: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Asks for a whole set in order, behind a place."""

    slot: int
    plane: int
    after: Key | None


@dataclass(frozen=True, slots=True)
class Want:
    """Asks for records by id, or by the first 8 bytes of it (chapter 32)."""

    slot: int
    plane: int
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Packs:
    """Records. `answered`: how many wanted ids this settles, found or not. `cursor`: the place a stream came to.

    `hops`: new records, unasked; over so many links they were passed on to the sender (chapter 33).
    """

    slot: int
    plane: int
    answered: int
    cursor: Key | None
    packs: list[Any]
    hops: int | None = None


Refused: TypeAlias = tuple[tuple[bytes, str], ...]


@dataclass(frozen=True, slots=True)
class Confirm:
    """The oldest pack frame not confirmed is durable, but for what was refused of it."""

    slot: int
    plane: int
    refused: Refused


@dataclass(frozen=True, slots=True)
class Refuse:
    """Records judged after their frame was confirmed, and refused."""

    slot: int
    plane: int
    refused: Refused


@dataclass(frozen=True, slots=True)
class Done:
    """All that was found to be sent or asked for in this exchange is on its way."""

    slot: int
    plane: int


@dataclass(frozen=True, slots=True)
class End:
    """The session is over, and why."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Browse:
    """Asks which commons the peer follows that are announced."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Announced commons and their names, ascending by id."""

    commons: tuple[tuple[bytes, str], ...]


@dataclass(frozen=True, slots=True)
class News:
    """These records are new in the sender's set (chapter 33)."""

    slot: int
    plane: int
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Eager:
    """Asks for new records whole that were passed on to the peer over less than so many links (chapter 33)."""

    slot: int
    reach: int


SealedPeer: TypeAlias = tuple[bytes, bytes]
"""A peer record as it travels: a statement and its node's signature (chapter 35)."""


@dataclass(frozen=True, slots=True)
class Introduce:
    """The sender's own record, or none; whether it asks for those of others, and for a dial back (chapter 35)."""

    record: SealedPeer | None
    wants: int


@dataclass(frozen=True, slots=True)
class Peers:
    """Records of others, each with the addresses that proved themselves: bit n stands for address n (chapter 35)."""

    records: tuple[tuple[SealedPeer, int], ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """What dialling back showed: the asker's IP address as seen here, and addresses tried and reached, by bits."""

    seen: str
    tried: int
    reached: int


@dataclass(frozen=True, slots=True)
class Compressed:
    """Stands for a frame of packs: the number of a method, how many bytes the frame has, and what it became
    (chapter 36)."""

    method: int
    size: int
    data: bytes


Message: TypeAlias = (
    Hello
    | Proof
    | Names
    | Leave
    | Open
    | Range
    | Ask
    | Want
    | Packs
    | Confirm
    | Refuse
    | Done
    | End
    | Browse
    | Listing
    | News
    | Eager
    | Introduce
    | Peers
    | Reached
    | Symbols
    | More
)


def encode_message(message: Message | Compressed) -> bytes:
    """The frame of a message. LocalProtocolError if it is larger than a frame may be."""
    number, to_wire, _ = _BY_CLASS[type(message)]
    # Packs were made canonical by their writer and are by far the largest: they are not walked again.
    write = pack_ordered if type(message) is Packs else encode
    frame = write([number, *to_wire(message)])
    if len(frame) > FRAME_BYTES_MAX:
        raise LocalProtocolError("frame_too_large", f"a frame of {len(frame)} bytes; at most {FRAME_BYTES_MAX} fit")
    return frame


def decode_message(frame: bytes) -> Message | Compressed:
    """The message in a frame, or what stands for one. RemoteProtocolError bad_frame, unknown_message or bad_message."""
    try:
        value = decode(frame, bytes_max=FRAME_BYTES_MAX)
    except FormError as error:
        raise RemoteProtocolError("bad_frame", f"a frame is not canonical: {error.detail}") from error
    if type(value) is not list or not value or type(value[0]) is not int:
        raise RemoteProtocolError("bad_frame", "a frame is an array that starts with its type")
    known = _BY_NUMBER.get(value[0])
    if known is None:
        raise RemoteProtocolError("unknown_message", f"no message has the type {value[0]}")
    message, fields, parse = known
    if len(value) != fields + 1:
        bad(f"{message.__name__} has {fields} values")
    if message is Hello and len(frame) > HELLO_BYTES_MAX:
        bad(f"a hello has at most {HELLO_BYTES_MAX} bytes")
    made: Message | Compressed = message(*parse(value[1:]))
    return made


def starts_like(frame: bytes, kind: type[Message | Compressed]) -> bool:
    """Whether a frame, if it is one, is of this type."""
    number, _, fields = _BY_CLASS[kind]
    return frame[:2] == bytes((0x90 + fields + 1, number))


def _parse_names(fields: list[Any]) -> list[Any]:
    return [tuple(as_bytes(tag, 32) for tag in as_list(fields[0], SET_COUNT_MAX))]


def _key_field(key: Key | None) -> list[Any] | None:
    return None if key is None else [key.time, key.id]


def _key(value: Any) -> Key | None:
    if value is None:
        return None
    time, identifier = as_list(value, 2, 2)
    return Key(as_number(time, TIME_MAX), as_bytes(identifier, 32))


def _parse_want(fields: list[Any]) -> list[Any]:
    slot, plane, ids = fields
    return [as_slot(slot), as_plane(plane), tuple(_id_or_prefix(item) for item in as_list(ids, IDS_PER_FRAME_MAX, 1))]


def _id_or_prefix(value: Any) -> bytes:
    return as_bytes(value, WANT_PREFIX_BYTES if type(value) is bytes and len(value) == WANT_PREFIX_BYTES else 32)


def _packs_fields(message: Packs) -> list[Any]:
    place = _key_field(message.cursor) if message.hops is None else message.hops
    return [message.slot, message.plane, message.answered, place, message.packs]


def _parse_packs(fields: list[Any]) -> list[Any]:
    slot, plane, answered, cursor, packs = fields
    for item in as_list(packs, PACK_RECORDS_MAX):
        as_list(item, 8, 8)
    # A number in the place of a place: new records, unasked, that are at no place of a stream and answer nothing.
    hops = as_number(cursor, HOPS_MAX) if type(cursor) is int else None
    answered = as_number(answered, IDS_PER_FRAME_MAX if hops is None else 0)
    return [as_slot(slot), as_plane(plane), answered, _key(cursor) if hops is None else None, packs, hops]


def _refused_fields(message: Confirm | Refuse) -> list[Any]:
    return [message.slot, message.plane, message.refused]


def _parse_refused(fields: list[Any]) -> list[Any]:
    slot, plane, refused = fields
    pairs = [as_list(item, 2, 2) for item in as_list(refused, REFUSALS_MAX)]
    return [
        as_slot(slot),
        as_plane(plane),
        tuple((as_bytes(identifier, 32), as_code(code)) for identifier, code in pairs),
    ]


def _parse_news(fields: list[Any]) -> list[Any]:
    slot, plane, ids = fields
    return [as_slot(slot), as_plane(plane), tuple(as_bytes(item, 32) for item in as_list(ids, NEWS_IDS_MAX, 1))]


def _parse_eager(fields: list[Any]) -> list[Any]:
    slot, reach = fields
    return [as_slot(slot), as_number(reach, HOPS_MAX)]


def _parse_listing(fields: list[Any]) -> list[Any]:
    pairs = [as_list(item, 2, 2) for item in as_list(fields[0], LISTING_MAX)]
    listed = tuple((as_bytes(commons, 32), as_text(name, LISTING_NAME_BYTES_MAX)) for commons, name in pairs)
    check_ascending([commons for commons, _ in listed])
    return [listed]


def _sealed(value: Any) -> SealedPeer:
    statement, signature = as_list(value, 2, 2)
    if type(statement) is not bytes or not 1 <= len(statement) <= PEER_STATEMENT_BYTES_MAX:
        bad(f"the statement of a peer record has 1 to {PEER_STATEMENT_BYTES_MAX} bytes")
    return statement, as_bytes(signature, 64)


def _parse_introduce(fields: list[Any]) -> list[Any]:
    record, wants = fields
    return [None if record is None else _sealed(record), as_number(wants, _WANTS_MAX)]


def _parse_peers(fields: list[Any]) -> list[Any]:
    pairs = [as_list(item, 2, 2) for item in as_list(fields[0], PEERS_TOLD_MAX, 1)]
    return [tuple((_sealed(record), as_number(proved, _ADDRESS_BITS, 1)) for record, proved in pairs)]


def _parse_reached(fields: list[Any]) -> list[Any]:
    seen, tried, reached = fields
    return [as_text(seen, _SEEN_BYTES_MAX), as_number(tried, _ADDRESS_BITS), as_number(reached, _ADDRESS_BITS)]


def _parse_compressed(fields: list[Any]) -> list[Any]:
    method, size, data = fields
    if type(data) is not bytes or not data:
        bad("compressed data are bytes")
    return [as_number(method, _METHOD_MAX, 1), as_number(size, FRAME_BYTES_MAX, 1), data]


_Parse: TypeAlias = Callable[[list[Any]], list[Any]]
_TYPES: Final[tuple[tuple[type[Any], int, Callable[[Any], list[Any]], _Parse], ...]] = (
    (Hello, 1, hello_fields, parse_hello),
    (Proof, 1, lambda m: [m.signature], lambda f: [as_bytes(f[0], 64)]),
    (Names, 1, lambda m: [m.tags], _parse_names),
    (Leave, 2, lambda m: [m.slot, m.code], lambda f: [as_slot(f[0]), as_code(f[1])]),
    (Open, 1, lambda m: [[opening_fields(one) for one in m.openings]], parse_open),
    (Range, 3, lambda m: [m.slot, m.plane, m.body], parse_range),
    (Ask, 3, lambda m: [m.slot, m.plane, _key_field(m.after)], lambda f: [as_slot(f[0]), as_plane(f[1]), _key(f[2])]),
    (Want, 3, lambda m: [m.slot, m.plane, m.ids], _parse_want),
    (Packs, 5, _packs_fields, _parse_packs),
    (Confirm, 3, _refused_fields, _parse_refused),
    (Refuse, 3, _refused_fields, _parse_refused),
    (Done, 2, lambda m: [m.slot, m.plane], lambda f: [as_slot(f[0]), as_plane(f[1])]),
    (End, 2, lambda m: [m.code, m.detail], lambda f: [as_code(f[0]), as_text(f[1], DETAIL_BYTES_MAX)]),
    (Browse, 0, lambda m: [], lambda f: []),
    (Listing, 1, lambda m: [m.commons], _parse_listing),
    (News, 3, lambda m: [m.slot, m.plane, m.ids], _parse_news),
    (Eager, 2, lambda m: [m.slot, m.reach], _parse_eager),
    (Introduce, 2, lambda m: [m.record, m.wants], _parse_introduce),
    (Peers, 1, lambda m: [m.records], _parse_peers),
    (Reached, 3, lambda m: [m.seen, m.tried, m.reached], _parse_reached),
    (Symbols, 4, lambda m: [m.slot, m.plane, m.first, m.symbols], parse_symbols),
    (More, 3, lambda m: [m.slot, m.plane, m.up_to], parse_more),
    (Compressed, 3, lambda m: [m.method, m.size, m.data], _parse_compressed),
)
_BY_CLASS: Final = {kind: (number, to_wire, fields) for number, (kind, fields, to_wire, _) in enumerate(_TYPES)}
_BY_NUMBER: Final = {number: (kind, fields, parse) for number, (kind, fields, _, parse) in enumerate(_TYPES)}
