"""Canonical MessagePack: one value, one string of bytes (chapter 10).

Knows nothing of what the values mean. `encode` refuses what has no canonical form, `decode` refuses every
byte string that `encode` would not have made. Both raise `FormError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import msgpack

from p2pcommons.core.limits import INTEGER_BODY_MAX, NESTING_MAX
from p2pcommons.errors import FormError

INTEGER_WIRE_MAX: Final = 2**64 - 1
INTEGER_WIRE_MIN: Final = -(2**63)

_packb = msgpack.Packer(use_bin_type=True, autoreset=True, strict_types=True).pack


def encode(value: Any, *, integer_max: int = INTEGER_WIRE_MAX) -> bytes:
    """The canonical bytes of `value`; map keys are put in order. FormError if it has none."""
    return pack_ordered(_ordered(value, 0, integer_max))


def encode_body(value: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a record body: a map whose integers fit in 53 bits."""
    return encode(dict(value), integer_max=INTEGER_BODY_MAX)


def pack_ordered(value: Any) -> bytes:
    """MessagePack of a value known to be well formed and in order already (hot path)."""
    packed: bytes = _packb(value)
    return packed


def decode(data: bytes, *, bytes_max: int, integer_max: int = INTEGER_WIRE_MAX) -> Any:
    """The value whose canonical bytes are `data`, or FormError.

    Codes: too_large, truncated, trailing_bytes, bad_text, forbidden_type, too_deep, key_order,
    integer_range, not_canonical.
    """
    if len(data) > bytes_max:
        raise FormError("too_large", f"{len(data)} bytes where at most {bytes_max} are allowed")
    value = _unpack(data)
    _check(value, 0, integer_max, 0 in data)
    if _packb(value) != data:
        raise FormError("not_canonical", "a value is not in its one shortest form")
    return value


def _unpack(data: bytes) -> Any:
    # Lengths are bounded by the data itself, so a claimed 2^32 elements cost nothing.
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False, ext_hook=_refuse_extension)
    except msgpack.ExtraData as error:
        raise FormError("trailing_bytes", "bytes after the end of the value") from error
    except UnicodeDecodeError as error:
        raise FormError("bad_text", "a string is not valid UTF-8") from error
    except msgpack.StackError as error:
        raise FormError("too_deep", f"nesting deeper than {NESTING_MAX}") from error
    except (msgpack.FormatError, TypeError) as error:  # 0xc1, unhashable map keys
        raise FormError("forbidden_type", "a type that the encoding does not have") from error
    except (msgpack.OutOfData, ValueError) as error:
        raise FormError("truncated", "the bytes end, or claim a length, beyond what is there") from error


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    raise FormError("forbidden_type", f"extension type {code}")


def _check(value: Any, depth: int, integer_max: int, nul: bool) -> None:
    kind = type(value)
    if kind is str:
        if nul and "\0" in value:
            raise FormError("bad_text", "a string holds U+0000")
    elif kind is list:
        if depth >= NESTING_MAX:
            raise FormError("too_deep", f"nesting deeper than {NESTING_MAX}")
        for item in value:
            _check(item, depth + 1, integer_max, nul)
    elif kind is dict:
        if depth >= NESTING_MAX:
            raise FormError("too_deep", f"nesting deeper than {NESTING_MAX}")
        last = None
        for key, item in value.items():
            if type(key) is not str:
                raise FormError("forbidden_type", "a map key is not a string")
            # Code-point order of str is byte order of UTF-8.
            if last is not None and key <= last:
                raise FormError("key_order", "map keys are not in ascending order")
            if nul and "\0" in key:
                raise FormError("bad_text", "a string holds U+0000")
            last = key
            _check(item, depth + 1, integer_max, nul)
    elif kind is int:
        if integer_max == INTEGER_BODY_MAX and not -integer_max <= value <= integer_max:
            raise FormError("integer_range", "an integer beyond 53 bits")
    elif kind is not bytes and kind is not bool and value is not None:
        raise FormError("forbidden_type", f"{kind.__name__} has no canonical form")


def _ordered(value: Any, depth: int, integer_max: int) -> Any:
    if isinstance(value, str):
        if "\0" in value:
            raise FormError("bad_text", "a string holds U+0000")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise FormError("bad_text", "a string holds a surrogate") from error
        return str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        low = -integer_max if integer_max == INTEGER_BODY_MAX else INTEGER_WIRE_MIN
        if not low <= value <= integer_max:
            raise FormError("integer_range", "an integer beyond its range")
        return int(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Mapping | Sequence) and depth >= NESTING_MAX:
        raise FormError("too_deep", f"nesting deeper than {NESTING_MAX}")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise FormError("forbidden_type", "a map key is not a string")
        return {
            _ordered(key, depth, integer_max): _ordered(value[key], depth + 1, integer_max) for key in sorted(value)
        }
    if isinstance(value, Sequence):
        return [_ordered(item, depth + 1, integer_max) for item in value]
    raise FormError("forbidden_type", f"{type(value).__name__} has no canonical form")
