"""Frames of a session: one canonical array each, and the frozen value it stands for (chapter 30).

Any bytes give a message or `RemoteProtocolError`: form and bounds are judged here, once. Whether a message may come
at this moment is asked elsewhere, and so is what is in a pack or in a message of ranges.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NoReturn, TypeAlias

from p2pcommons.core.encoding import decode, encode, pack_ordered
from p2pcommons.core.limits import (
    CODE_BYTES_MAX,
    DETAIL_BYTES_MAX,
    FRAME_BYTES_MAX,
    HELLO_BYTES_MAX,
    IDS_PER_FRAME_MAX,
    LISTING_MAX,
    LISTING_NAME_BYTES_MAX,
    NEWS_IDS_MAX,
    PACK_RECORDS_MAX,
    RANGE_MESSAGE_BYTES_MAX,
    REFUSALS_MAX,
    SET_COUNT_MAX,
    TIME_MAX,
)
from p2pcommons.errors import FormError, LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.storage import Key

PLANES: Final = (0, 1)
"""The planes that version 1 keeps the same."""

AFRESH: Final = 1  # flags of an opening (SESSION-24, SESSION-25, SESSION-34)
STREAM: Final = (2, 4)  # one for each plane
THOROUGH: Final = 8
_FLAGS_MAX: Final = 15

_COUNT_MAX: Final = 2**53 - 1
_VERSIONS_MAX: Final = 16
_VERSION_MAX: Final = 65_535
_FEATURES_MAX: Final = 32
_WORD_BYTES_MAX: Final = 32
_AGENT_BYTES_MAX: Final = 64
_HOST_BYTES_MAX: Final = 253  # RFC 1035
_CODE: Final = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks and what they know. `expected` is zeros where any listener will do; `host` is empty on direct
    links."""

    key: bytes
    nonce: bytes
    now_ms: int
    expected: bytes = bytes(32)
    versions: tuple[int, ...] = (1,)
    records: tuple[int, ...] = (1,)  # record versions known
    features: tuple[str, ...] = ()
    window: int = FRAME_BYTES_MAX  # bytes of packs it lets be under way unconfirmed
    host: str = ""
    agent: str = ""


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
class SetDigest:
    """How many records a set has, and its published digest."""

    count: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Opening:
    """One commons at one moment, refused records taken off; see the flags above."""

    slot: int
    flags: int
    charter: SetDigest
    catalogue: SetDigest

    def of(self, plane: int) -> SetDigest:
        """The set of one plane."""
        return self.catalogue if plane else self.charter


@dataclass(frozen=True, slots=True)
class Open:
    """The openings of several commons at one moment."""

    openings: tuple[Opening, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A message of ranges (chapter 31)."""

    slot: int
    plane: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """Asks for a whole set in order, behind a place."""

    slot: int
    plane: int
    after: Key | None


@dataclass(frozen=True, slots=True)
class Want:
    """Asks for records by id."""

    slot: int
    plane: int
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Packs:
    """Records. `answered`: how many wanted ids this settles, found or not. `cursor`: the place a stream came to."""

    slot: int
    plane: int
    answered: int
    cursor: Key | None
    packs: list[Any]


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
    """Asks for new records whole, or no longer (chapter 33)."""

    slot: int
    on: bool


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
)


def encode_message(message: Message) -> bytes:
    """The frame of a message. LocalProtocolError if it is larger than a frame may be."""
    number, to_wire, _ = _BY_CLASS[type(message)]
    # Packs were made canonical by their writer and are by far the largest: they are not walked again.
    write = pack_ordered if type(message) is Packs else encode
    frame = write([number, *to_wire(message)])
    if len(frame) > FRAME_BYTES_MAX:
        raise LocalProtocolError("frame_too_large", f"a frame of {len(frame)} bytes; at most {FRAME_BYTES_MAX} fit")
    return frame


def decode_message(frame: bytes) -> Message:
    """The message in a frame. RemoteProtocolError bad_frame, unknown_message or bad_message."""
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
        _bad(f"{message.__name__} has {fields} values")
    if message is Hello and len(frame) > HELLO_BYTES_MAX:
        _bad(f"a hello has at most {HELLO_BYTES_MAX} bytes")
    made: Message = message(*parse(value[1:]))
    return made


def _bad(detail: str) -> NoReturn:
    raise RemoteProtocolError("bad_message", detail)


def _number(value: Any, most: int, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= most:
        _bad(f"a number from {least} to {most} was expected")
    return value


def _bytes(value: Any, size: int) -> bytes:
    if type(value) is not bytes or len(value) != size:
        _bad(f"{size} bytes were expected")
    return value


def _text(value: Any, bytes_max: int) -> str:
    if type(value) is not str or len(value.encode()) > bytes_max:
        _bad(f"a text of at most {bytes_max} bytes was expected")
    return value


def _code(value: Any) -> str:
    text = _text(value, CODE_BYTES_MAX)
    if not _CODE.fullmatch(text):
        _bad("a code is lower-case letters, digits and underscores")
    return text


def _list(value: Any, most: int, least: int = 0) -> list[Any]:
    if type(value) is not list or not least <= len(value) <= most:
        _bad(f"a list of {least} to {most} values was expected")
    return value


def _slot(value: Any) -> int:
    return _number(value, SET_COUNT_MAX - 1)


def _plane(value: Any) -> int:
    return _number(value, PLANES[-1])


def _ascending(values: Sequence[Any]) -> None:
    if any(first >= second for first, second in pairwise(values)):
        _bad("values are in ascending order, none twice")


def _hello_fields(message: Hello) -> list[Any]:
    return [
        {
            "agent": message.agent, "expected": message.expected, "features": message.features, "host": message.host,
            "key": message.key, "limits": {"window": message.window}, "nonce": message.nonce, "now": message.now_ms,
            "records": message.records, "versions": message.versions,
        }
    ]  # fmt: skip


_HELLO_KEYS: Final = frozenset(_hello_fields(Hello(b"", b"", 0))[0])


def _parse_hello(fields: list[Any]) -> list[Any]:
    said = fields[0]
    if type(said) is not dict or not said.keys() >= _HELLO_KEYS:
        _bad("a hello is a map with " + ", ".join(sorted(_HELLO_KEYS)))
    limits = said["limits"]
    if type(limits) is not dict:
        _bad("the limits of a hello are a map")
    return [
        _bytes(said["key"], 32),
        _bytes(said["nonce"], 32),
        _number(said["now"], _COUNT_MAX),
        _bytes(said["expected"], 32),
        _versions(said["versions"]),
        _versions(said["records"]),
        _features(said["features"]),
        _number(limits.get("window"), _COUNT_MAX, FRAME_BYTES_MAX),
        _text(said["host"], _HOST_BYTES_MAX),
        _text(said["agent"], _AGENT_BYTES_MAX),
    ]


def _versions(value: Any) -> tuple[int, ...]:
    versions = tuple(_number(item, _VERSION_MAX, 1) for item in _list(value, _VERSIONS_MAX, 1))
    _ascending(versions)
    return versions


def _features(value: Any) -> tuple[str, ...]:
    features = tuple(_text(item, _WORD_BYTES_MAX) for item in _list(value, _FEATURES_MAX))
    _ascending(features)
    return features


def _opening_fields(one: Opening) -> list[Any]:
    sets = [[found.count, found.digest] for found in (one.charter, one.catalogue)]
    return [one.slot, one.flags, *sets]


def _parse_opening(value: Any) -> Opening:
    slot, flags, charter, catalogue = _list(value, 4, 4)
    return Opening(_slot(slot), _number(flags, _FLAGS_MAX), _set_digest(charter), _set_digest(catalogue))


def _set_digest(value: Any) -> SetDigest:
    count, digest = _list(value, 2, 2)
    return SetDigest(_number(count, _COUNT_MAX), _bytes(digest, 32))


def _parse_open(fields: list[Any]) -> list[Any]:
    openings = tuple(_parse_opening(item) for item in _list(fields[0], SET_COUNT_MAX, 1))
    _ascending([one.slot for one in openings])
    return [openings]


def _parse_names(fields: list[Any]) -> list[Any]:
    return [tuple(_bytes(tag, 32) for tag in _list(fields[0], SET_COUNT_MAX))]


def _key_field(key: Key | None) -> list[Any] | None:
    return None if key is None else [key.time, key.id]


def _key(value: Any) -> Key | None:
    if value is None:
        return None
    time, identifier = _list(value, 2, 2)
    return Key(_number(time, TIME_MAX), _bytes(identifier, 32))


def _parse_range(fields: list[Any]) -> list[Any]:
    slot, plane, body = fields
    if type(body) is not bytes or not 1 <= len(body) <= RANGE_MESSAGE_BYTES_MAX:
        _bad(f"a message of ranges has 1 to {RANGE_MESSAGE_BYTES_MAX} bytes")
    return [_slot(slot), _plane(plane), body]


def _parse_want(fields: list[Any]) -> list[Any]:
    slot, plane, ids = fields
    return [_slot(slot), _plane(plane), tuple(_bytes(item, 32) for item in _list(ids, IDS_PER_FRAME_MAX, 1))]


def _parse_packs(fields: list[Any]) -> list[Any]:
    slot, plane, answered, cursor, packs = fields
    for item in _list(packs, PACK_RECORDS_MAX):
        _list(item, 8, 8)
    return [_slot(slot), _plane(plane), _number(answered, IDS_PER_FRAME_MAX), _key(cursor), packs]


def _refused_fields(message: Confirm | Refuse) -> list[Any]:
    return [message.slot, message.plane, message.refused]


def _parse_refused(fields: list[Any]) -> list[Any]:
    slot, plane, refused = fields
    pairs = [_list(item, 2, 2) for item in _list(refused, REFUSALS_MAX)]
    return [_slot(slot), _plane(plane), tuple((_bytes(identifier, 32), _code(code)) for identifier, code in pairs)]


def _parse_news(fields: list[Any]) -> list[Any]:
    slot, plane, ids = fields
    return [_slot(slot), _plane(plane), tuple(_bytes(item, 32) for item in _list(ids, NEWS_IDS_MAX, 1))]


def _parse_eager(fields: list[Any]) -> list[Any]:
    slot, on = fields
    if type(on) is not bool:
        _bad("true or false was expected")
    return [_slot(slot), on]


def _parse_listing(fields: list[Any]) -> list[Any]:
    pairs = [_list(item, 2, 2) for item in _list(fields[0], LISTING_MAX)]
    listed = tuple((_bytes(commons, 32), _text(name, LISTING_NAME_BYTES_MAX)) for commons, name in pairs)
    _ascending([commons for commons, _ in listed])
    return [listed]


_Parse: TypeAlias = Callable[[list[Any]], list[Any]]
_TYPES: Final[tuple[tuple[type[Any], int, Callable[[Any], list[Any]], _Parse], ...]] = (
    (Hello, 1, _hello_fields, _parse_hello),
    (Proof, 1, lambda m: [m.signature], lambda f: [_bytes(f[0], 64)]),
    (Names, 1, lambda m: [m.tags], _parse_names),
    (Leave, 2, lambda m: [m.slot, m.code], lambda f: [_slot(f[0]), _code(f[1])]),
    (Open, 1, lambda m: [[_opening_fields(one) for one in m.openings]], _parse_open),
    (Range, 3, lambda m: [m.slot, m.plane, m.body], _parse_range),
    (Ask, 3, lambda m: [m.slot, m.plane, _key_field(m.after)], lambda f: [_slot(f[0]), _plane(f[1]), _key(f[2])]),
    (Want, 3, lambda m: [m.slot, m.plane, m.ids], _parse_want),
    (Packs, 5, lambda m: [m.slot, m.plane, m.answered, _key_field(m.cursor), m.packs], _parse_packs),
    (Confirm, 3, _refused_fields, _parse_refused),
    (Refuse, 3, _refused_fields, _parse_refused),
    (Done, 2, lambda m: [m.slot, m.plane], lambda f: [_slot(f[0]), _plane(f[1])]),
    (End, 2, lambda m: [m.code, m.detail], lambda f: [_code(f[0]), _text(f[1], DETAIL_BYTES_MAX)]),
    (Browse, 0, lambda m: [], lambda f: []),
    (Listing, 1, lambda m: [m.commons], _parse_listing),
    (News, 3, lambda m: [m.slot, m.plane, m.ids], _parse_news),
    (Eager, 2, lambda m: [m.slot, m.on], _parse_eager),
)
_BY_CLASS: Final = {kind: (number, to_wire, fields) for number, (kind, fields, to_wire, _) in enumerate(_TYPES)}
_BY_NUMBER: Final = {number: (kind, fields, parse) for number, (kind, fields, _, parse) in enumerate(_TYPES)}
