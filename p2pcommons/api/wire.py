"""Values to JSON, JSON to values, and the JSON Schema of both: one reading of a dataclass' types.

Used by the routes (out), by the client (in) and by the OpenAPI document. Knows the types that
`p2pcommons.node.values` is made of and no others: a new one must be given a form here.
"""

from __future__ import annotations

import json
import re
import types
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from math import isfinite
from typing import Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from p2pcommons.core.identity import PublicKey, did_key, parse_did_key
from p2pcommons.core.record import CommonsId, RecordId, Subject
from p2pcommons.errors import FormError
from p2pcommons.node.values import Blob, Hash, Instant

T = TypeVar("T")
Schema = dict[str, Any]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999  # RFC 3339 knows years of four digits
_HEX32: Final = re.compile(r"[0-9a-f]{64}")


def dump(value: Any) -> bytes:
    """Compact UTF-8 JSON of JSON values. A lone surrogate, which UTF-8 has no bytes for, becomes `?`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def load(data: bytes | str) -> Any:
    """JSON values, with finite numbers only. FormError `bad_json`."""
    try:
        return json.loads(data, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise FormError("bad_json", "this JSON is nested too deep") from None
    except UnicodeDecodeError:
        raise FormError("bad_json", "this JSON is not UTF-8") from None
    except ValueError as error:
        raise FormError("bad_json", f"this is not JSON: {error}") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def rfc3339(instant: int) -> str:
    """Unix milliseconds as `2026-01-31T12:00:00.000Z`; what lies beyond the year 9999, as a stranger may write it, as its
    last moment."""
    moment = _EPOCH + timedelta(milliseconds=min(max(instant, 0), _LAST_MS))
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def parse_rfc3339(text: str) -> Instant:
    """The instant in an RFC 3339 text. FormError `bad_time`."""
    try:
        moment = datetime.fromisoformat(text)
        return Instant((moment - _EPOCH) // timedelta(milliseconds=1))
    except (ValueError, TypeError):
        raise FormError("bad_time", f"{text!r} is not an RFC 3339 time like 2026-01-31T12:00:00Z") from None


def parse_hex32(text: str) -> bytes:
    """The 32 bytes in 64 lower-case hex digits. FormError `bad_id`."""
    if not _HEX32.fullmatch(text):
        raise FormError("bad_id", f"{text[:80]!r} is not an id: 64 lower-case hex digits")
    return bytes.fromhex(text)


def _parse_base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError, TypeError):
        raise FormError("bad_base64", "this is not base64") from None


class Codec(NamedTuple):
    """How one type is written, read and described."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    schema: Schema


def to_json(value: Any) -> Any:
    """The JSON values of a dataclass or NamedTuple of `node.values`."""
    kind: Any = type(value)
    return codec(kind).write(value)


def from_json(kind: type[T], value: Any) -> T:
    """A value of this type from what `to_json` made; members not known are passed over. FormError otherwise."""
    hashable: Any = kind
    result: T = codec(hashable).read(value)
    return result


def _plain(value: Any) -> Any:
    return value


def _of(kind: type, name: str, schema: Schema) -> Codec:
    def read(value: Any) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise FormError("bad_answer", f"{value!r:.80} where {name} was expected")
        return value

    return Codec(_plain, read, schema)


def _text_of(write: Callable[[Any], str], parse: Callable[[str], Any], schema: Schema) -> Codec:
    def read(value: Any) -> Any:
        if not isinstance(value, str):
            raise FormError("bad_answer", f"{value!r:.80} where a text was expected")
        return parse(value)

    return Codec(write, read, schema)


HEX_SCHEMA: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
KEY_SCHEMA: Final[Schema] = {"type": "string", "pattern": "^did:key:z6Mk"}
TIME_SCHEMA: Final[Schema] = {"type": "string", "format": "date-time"}

_HEX: Final = _text_of(bytes.hex, parse_hex32, HEX_SCHEMA)
_SCALARS: Final[dict[Any, Codec]] = {
    str: _of(str, "a text", {"type": "string"}),
    int: _of(int, "a whole number", {"type": "integer"}),
    bool: _of(bool, "true or false", {"type": "boolean"}),
    Any: Codec(_plain, _plain, {}),
    CommonsId: _HEX,
    Subject: _HEX,
    RecordId: _HEX,
    Hash: _HEX,
    PublicKey: _text_of(did_key, parse_did_key, KEY_SCHEMA),
    Instant: _text_of(rfc3339, parse_rfc3339, TIME_SCHEMA),
    Blob: _text_of(
        lambda value: b64encode(value).decode(), _parse_base64, {"type": "string", "contentEncoding": "base64"}
    ),
}


@cache
def codec(kind: Any) -> Codec:
    """How this type is written, read and described. TypeError for a type that has no form here."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType) and type(None) in arguments:
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _optional(codec(inner))
    if origin is tuple and arguments[1:] == (...,):
        return _array(codec(arguments[0]))
    if origin is dict or origin is Mapping:
        return _object(codec(arguments[1]))
    if _is_structure(kind):
        return _structure(kind)
    raise TypeError(f"{kind!r} has no JSON form: give it one in p2pcommons.api.wire")


def _optional(inner: Codec) -> Codec:
    schema = {"anyOf": [inner.schema, {"type": "null"}]}
    return Codec(
        lambda value: None if value is None else inner.write(value),
        lambda value: None if value is None else inner.read(value),
        schema if inner.schema else {},
    )


def _array(inner: Codec) -> Codec:
    def read(value: Any) -> Any:
        if not isinstance(value, list):
            raise FormError("bad_answer", f"{value!r:.80} where a list was expected")
        return tuple(inner.read(item) for item in value)

    return Codec(lambda value: [inner.write(item) for item in value], read, {"type": "array", "items": inner.schema})


def _object(inner: Codec) -> Codec:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise FormError("bad_answer", f"{value!r:.80} where an object was expected")
        return {str(key): inner.read(item) for key, item in value.items()}

    return Codec(
        lambda value: {key: inner.write(item) for key, item in value.items()},
        read,
        {"type": "object", "additionalProperties": inner.schema},
    )


def _is_structure(kind: Any) -> bool:
    return isinstance(kind, type) and (is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields")))


def _structure(kind: Any) -> Codec:
    members = _members(kind)
    required = members.keys() - _defaulted(kind)

    def write(value: Any) -> Any:
        return {name: member.write(getattr(value, name)) for name, member in members.items()}

    def read(value: Any) -> Any:
        if not isinstance(value, dict) or not required <= value.keys():
            raise FormError("bad_answer", f"{value!r:.80} where {kind.__name__} was expected")
        return kind(**{name: member.read(value[name]) for name, member in members.items() if name in value})

    return Codec(write, read, {"$ref": f"#/components/schemas/{kind.__name__}"})


def _defaulted(kind: Any) -> set[str]:
    if is_dataclass(kind):
        return {f.name for f in fields(kind) if f.default is not MISSING or f.default_factory is not MISSING}
    return set(kind._field_defaults)


def _members(kind: Any) -> dict[str, Codec]:
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else kind._fields
    hints = get_type_hints(kind)
    return {name: codec(hints[name]) for name in names}


def component(kind: Any) -> Schema:
    """The schema of a structure itself, for `#/components/schemas/NAME`."""
    members = _members(kind)
    return {
        "type": "object",
        "description": (kind.__doc__ or "").strip(),
        "properties": {name: member.schema for name, member in members.items()},
        "required": list(members),
    }


def parts(kind: Any) -> set[type]:
    """The structures that a type is made of, itself included."""
    found: set[type] = set()
    waiting: list[Any] = [kind]
    while waiting:
        one = waiting.pop()
        if _is_structure(one) and one not in found:
            found.add(one)
            waiting.extend(get_type_hints(one).values())
        waiting.extend(get_args(one))
    return found
