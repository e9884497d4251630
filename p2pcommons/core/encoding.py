"""Canonical MessagePack: one value, one string of bytes (chapter 10).

Knows nothing of what the values mean. `encode` refuses what has no canonical form, `decode` refuses every
byte string that `encode` would not have made. Both raise `FormError`.

`decode` exists twice: `_fast` lets the C library read and asks whether the result is canonical, `plain`
reads byte by byte as the chapter is written. What the fast one does not accept, the plain one judges: so an
error code is that of the first fault from the left, whatever the library would have said.
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
_CLAIMS_BYTES_FREE: Final = 1024


def encode(value: Any, *, integer_max: int = INTEGER_WIRE_MAX) -> bytes:
    """The canonical bytes of `value`; map keys are put in order. FormError if it has none."""
    try:
        _check([value], 0, integer_max, False)
        packed: bytes = _packb(value)
    except (_NotFast, OverflowError):  # not in order, or made of other types than plain ones, or without a form
        value = _ordered(value, 0, -integer_max if integer_max <= INTEGER_BODY_MAX else INTEGER_WIRE_MIN, integer_max)
        packed = pack_ordered(value)
    except UnicodeEncodeError as error:
        raise FormError("bad_text", "a string holds a surrogate") from error
    if 0 in packed:
        _refuse_nul(value)
    return packed


def encode_body(value: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a record body: a map whose integers fit in 53 bits."""
    return encode(value, integer_max=INTEGER_BODY_MAX)


def pack_ordered(value: Any) -> bytes:
    """MessagePack of a value known to be well formed and in order already (hot path)."""
    try:
        packed: bytes = _packb(value)
    except UnicodeEncodeError as error:
        raise FormError("bad_text", "a string holds a surrogate") from error
    return packed


def unpack_ordered(data: bytes) -> Any:
    """The value of bytes known to be canonical already: checked when they came, or our own (hot path)."""
    return msgpack.unpackb(data, raw=False)


def decode(data: bytes, *, bytes_max: int, integer_max: int = INTEGER_WIRE_MAX) -> Any:
    """The value whose canonical bytes are `data`, or FormError.

    Codes: too_large, truncated, not_canonical, forbidden_type, too_deep, bad_text, key_order, integer_range,
    trailing_bytes.
    """
    if len(data) > bytes_max:
        raise FormError("too_large", f"{len(data)} bytes where at most {bytes_max} are allowed")
    try:
        return _fast(data, integer_max)
    except (_NotFast, ValueError, TypeError, msgpack.UnpackException):  # ValueError covers bad UTF-8 and lengths
        return plain(data, integer_max)


class _NotFast(Exception):
    """The fast path does not vouch for these bytes."""


def _fast(data: bytes, integer_max: int) -> Any:
    if len(data) > _CLAIMS_BYTES_FREE:
        _walk(data)
    value = msgpack.unpackb(data, raw=False, strict_map_key=True, ext_hook=_refuse_extension)
    if type(value) is dict or type(value) is list:
        _check(value, 1, integer_max, 0 in data)
    else:
        _check([value], 0, integer_max, True)
    if _packb(value) != data:
        raise _NotFast
    return value


def _walk(data: bytes) -> None:
    # The library sets lists aside at their claimed length, one inside the other: 1 MiB of nested claims would
    # ask 8 GiB (1 KiB: 3 MiB). One pass that builds nothing shows whether the claims are kept.
    walker = msgpack.Unpacker(max_buffer_size=len(data))
    walker.feed(data)
    walker.skip()


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    raise _NotFast


def _check(value: dict[Any, Any] | list[Any], depth: int, integer_max: int, nul: bool) -> None:
    """One container, `depth` deep, and those in it. `nul`: whether the bytes hold a 0 at all."""
    if depth > NESTING_MAX:
        raise _NotFast
    items: Any = value
    if type(value) is dict:
        last = None
        for key in value:
            # Code-point order of str is byte order of UTF-8.
            if type(key) is not str or (last is not None and key <= last) or (nul and "\0" in key):
                raise _NotFast
            last = key
        items = value.values()
    for item in items:
        kind = type(item)
        if kind is str:
            if nul and "\0" in item:
                raise _NotFast
        elif kind is dict or kind is list:
            _check(item, depth + 1, integer_max, nul)
        elif kind is int:
            if integer_max <= INTEGER_BODY_MAX and not -integer_max <= item <= integer_max:
                raise _NotFast
        elif kind is not bytes and kind is not bool and item is not None:
            raise _NotFast


def plain(data: bytes, integer_max: int = INTEGER_WIRE_MAX) -> Any:
    """`decode` as chapter 10 is written, byte by byte: its code is that of the first fault from the left."""
    value, at = _read(data, 0, 0, integer_max)
    if at != len(data):
        raise FormError("trailing_bytes", "bytes after the end of the value")
    return value


_LENGTH_BYTES: Final = {  # head byte → (what follows, bytes of the number, smallest number of that form)
    0xC4: ("bin", 1, 0), 0xC5: ("bin", 2, 2**8), 0xC6: ("bin", 4, 2**16),
    0xD9: ("str", 1, 32), 0xDA: ("str", 2, 2**8), 0xDB: ("str", 4, 2**16),
    0xDC: ("array", 2, 16), 0xDD: ("array", 4, 2**16),
    0xDE: ("map", 2, 16), 0xDF: ("map", 4, 2**16),
    0xCC: ("int", 1, 2**7), 0xCD: ("int", 2, 2**8), 0xCE: ("int", 4, 2**16), 0xCF: ("int", 8, 2**32),
}  # fmt: skip
_NEGATIVE_BYTES: Final = {0xD0: (1, -33), 0xD1: (2, -(2**7) - 1), 0xD2: (4, -(2**15) - 1), 0xD3: (8, -(2**31) - 1)}
_SINGLE: Final = {0xC0: None, 0xC2: False, 0xC3: True}


def _read(data: bytes, at: int, depth: int, integer_max: int) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends. Recursion ends at NESTING_MAX."""
    head = _take(data, at, 1)[0]
    at += 1
    if head in _SINGLE:
        return _SINGLE[head], at
    if head < 0x80 or head >= 0xE0:
        return (head if head < 0x80 else head - 256), at
    if head in _NEGATIVE_BYTES:
        size, most = _NEGATIVE_BYTES[head]
        number = int.from_bytes(_take(data, at, size), "big", signed=True)
        if number > most:
            raise FormError("not_canonical", "an integer is not in its one shortest form")
        return _in_range(number, integer_max), at + size
    if head < 0x90:
        what, number = "map", head & 15
    elif head < 0xA0:
        what, number = "array", head & 15
    elif head < 0xC0:
        what, number = "str", head & 31
    elif head in _LENGTH_BYTES:
        what, size, least = _LENGTH_BYTES[head]
        number = int.from_bytes(_take(data, at, size), "big")
        at += size
        if number < least:
            raise FormError("not_canonical", f"a length or number ({what}) is not in its one shortest form")
    else:
        raise FormError("forbidden_type", f"the encoding has no type {head:#x} (floats and extensions are not in it)")
    if what == "int":
        return _in_range(number, integer_max), at
    if what in ("bin", "str"):
        raw = _take(data, at, number)
        return (raw if what == "bin" else _text(raw)), at + number
    if depth >= NESTING_MAX:
        raise FormError("too_deep", f"nesting deeper than {NESTING_MAX}")
    if number * (2 if what == "map" else 1) > len(data) - at:
        raise FormError("truncated", "more items are claimed than bytes are there")
    return (_read_array if what == "array" else _read_map)(data, at, number, depth + 1, integer_max)


def _read_array(data: bytes, at: int, number: int, depth: int, integer_max: int) -> tuple[Any, int]:
    items = []
    for _ in range(number):
        item, at = _read(data, at, depth, integer_max)
        items.append(item)
    return items, at


def _read_map(data: bytes, at: int, number: int, depth: int, integer_max: int) -> tuple[Any, int]:
    items: dict[str, Any] = {}
    last = None
    for _ in range(number):
        head = _take(data, at, 1)[0]
        if not (0xA0 <= head < 0xC0 or 0xD9 <= head <= 0xDB):
            raise FormError("forbidden_type", "a map key is not a string")
        key, at = _read(data, at, depth, integer_max)
        if last is not None and key <= last:
            raise FormError("key_order", "map keys are not in strictly ascending order")
        items[key], at = _read(data, at, depth, integer_max)
        last = key
    return items, at


def _take(data: bytes, at: int, size: int) -> bytes:
    if size > len(data) - at:
        raise FormError("truncated", "the bytes end, or claim a length, beyond what is there")
    return data[at : at + size]


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise FormError("bad_text", "a string is not valid UTF-8") from error
    if "\0" in text:
        raise FormError("bad_text", "a string holds U+0000")
    return text


def _in_range(number: int, integer_max: int) -> int:
    if integer_max <= INTEGER_BODY_MAX and not -integer_max <= number <= integer_max:
        raise FormError("integer_range", "an integer beyond 53 bits")
    return number


def _ordered(value: Any, depth: int, low: int, high: int) -> Any:
    """`value` as plain dicts, lists and scalars, keys in order. Exact types first: they are nearly all."""
    kind = type(value)
    if kind is str or kind is bytes or kind is bool or value is None:
        return value
    if isinstance(value, int):
        if not low <= value <= high:
            raise FormError("integer_range", "an integer beyond its range")
        return int(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    mapping = kind is dict or isinstance(value, Mapping)
    if not mapping and kind is not list and kind is not tuple and not isinstance(value, Sequence):
        raise FormError("forbidden_type", f"{kind.__name__} has no canonical form")
    if depth >= NESTING_MAX:
        raise FormError("too_deep", f"nesting deeper than {NESTING_MAX}")
    depth += 1
    if not mapping:
        return [item if type(item) is str else _ordered(item, depth, low, high) for item in value]
    ordered = {}
    for key in _sorted_keys(value):
        item = value[key]
        ordered[str.__str__(key)] = item if type(item) is str else _ordered(item, depth, low, high)
    return ordered


def _sorted_keys(value: Mapping[Any, Any]) -> list[str]:
    for key in value:
        if not isinstance(key, str):
            raise FormError("forbidden_type", "a map key is not a string")
    return sorted(value)


def _refuse_nul(value: Any) -> None:
    try:
        _check([value], 0, INTEGER_WIRE_MAX, True)
    except _NotFast:  # it went through without looking for U+0000
        raise FormError("bad_text", "a string holds U+0000") from None
