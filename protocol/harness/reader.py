"""A second reading of chapters 10 to 13, made from their text alone: decodes and judges records, seals and packs.

Shares nothing with the reference implementation, needs Python 3.11 and nothing else. Slow on purpose: plain
integers, byte by byte.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

ZEROS = bytes(32)


class Refused(Exception):
    """Bytes that break a rule; its argument is the code."""


def need(condition: bool, code: str) -> None:
    """Refuse with this code unless the condition holds."""
    if not condition:
        raise Refused(code)


def sha256(*parts: bytes) -> bytes:
    """SHA-256 of the parts joined."""
    return hashlib.sha256(b"".join(parts)).digest()


# -- chapter 10


FORMS = {  # head: (what, bytes of the number, least number of this form)
    0xC4: ("bytes", 1, 0), 0xC5: ("bytes", 2, 1 << 8), 0xC6: ("bytes", 4, 1 << 16),
    0xD9: ("text", 1, 32), 0xDA: ("text", 2, 1 << 8), 0xDB: ("text", 4, 1 << 16),
    0xDC: ("array", 2, 16), 0xDD: ("array", 4, 1 << 16), 0xDE: ("map", 2, 16), 0xDF: ("map", 4, 1 << 16),
    0xCC: ("uint", 1, 1 << 7), 0xCD: ("uint", 2, 1 << 8), 0xCE: ("uint", 4, 1 << 16), 0xCF: ("uint", 8, 1 << 32),
    0xD0: ("int", 1, 1 << 5), 0xD1: ("int", 2, 1 << 7), 0xD2: ("int", 4, 1 << 15), 0xD3: ("int", 8, 1 << 31),
}  # fmt: skip


class Decoder:
    """Reads one value from left to right; the first fault gives the code."""

    def __init__(self, data: bytes, body: bool) -> None:
        self.data, self.at, self.body = data, 0, body

    def _take(self, size: int) -> bytes:
        need(self.at + size <= len(self.data), "truncated")
        self.at += size
        return self.data[self.at - size : self.at]

    def _integer(self, number: int) -> int:
        need(not self.body or abs(number) < 1 << 53, "integer_range")
        return number

    def value(self, depth: int = 0, key: bool = False) -> Any:
        """The next value; `depth`: how many containers it is in."""
        head = self._take(1)[0]
        need(not key or 0xA0 <= head < 0xC0 or 0xD9 <= head <= 0xDB, "forbidden_type")
        if head < 0x80 or head >= 0xE0:
            return head if head < 0x80 else head - 256
        if head in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[head]
        if head < 0xC0:
            what, number = (
                ("map", head & 15) if head < 0x90 else ("array", head & 15) if head < 0xA0 else ("text", head & 31)
            )
        else:
            need(head in FORMS, "forbidden_type")
            what, size, least = FORMS[head]
            number = int.from_bytes(self._take(size), "big", signed=what == "int")
            need(number < -least if what == "int" else number >= least, "not_canonical")
        if what in ("int", "uint"):
            return self._integer(number)
        if what in ("bytes", "text"):
            raw = self._take(number)
            return raw if what == "bytes" else self._text(raw)
        need(depth < 16, "too_deep")
        need(number * (2 if what == "map" else 1) <= len(self.data) - self.at, "truncated")
        if what == "array":
            return [self.value(depth + 1) for _ in range(number)]
        found: dict[str, Any] = {}
        last: bytes | None = None
        for _ in range(number):
            name = self.value(depth + 1, key=True)
            need(last is None or name.encode() > last, "key_order")
            last = name.encode()
            found[name] = self.value(depth + 1)
        return found

    def _text(self, raw: bytes) -> str:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("bad_text") from None
        need("\0" not in text, "bad_text")
        return text


def decode(data: bytes, most: int, body: bool = False) -> Any:
    """The value whose canonical bytes these are."""
    need(len(data) <= most, "too_large")
    decoder = Decoder(data, body)
    value = decoder.value()
    need(decoder.at == len(data), "trailing_bytes")
    return value


# -- chapter 11

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]  # X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z


def plus(a: Point, b: Point) -> Point:
    """The sum of two points."""
    p, q = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    r, s = 2 * D * a[3] * b[3] % P, 2 * a[2] * b[2] % P
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, point: Point) -> Point:
    """A multiple of a point."""
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = plus(total, point)
        point, scalar = plus(point, point), scalar >> 1
    return total


def compress(point: Point) -> bytes:
    """The one encoding of a point."""
    x, y = (value * pow(point[2], -1, P) % P for value in point[:2])
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompress(data: bytes) -> Point | None:
    """The point of a canonical encoding, or None (ID-2)."""
    y, odd = int.from_bytes(data, "little") & (1 << 255) - 1, data[31] >> 7
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and odd):
        return None
    x = P - x if x & 1 != odd else x
    return x, y, 1, x * y % P


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or (0, 1, 1, 0)


def large(point: Point | None) -> bool:
    """Whether this is a point whose order is not 1, 2, 4 or 8 (ID-3)."""
    return point is not None and compress(times(8, point)) != compress((0, 1, 1, 0))


def key_may_sign(data: bytes) -> bool:
    """ID-2 and ID-3, without asking whether the curve has a point with that y."""
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    on_curve = y < P and pow((y * y - 1) * pow(D * y * y + 1, -1, P), (P - 1) // 2, P) in (0, 1)
    return y < P and (not on_curve or large(decompress(data)))


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """ID-1 to ID-4."""
    if len(public) != 32 or len(signature) != 64:
        return False
    first, s = signature[:32], int.from_bytes(signature[32:], "little")
    a, r = decompress(public), decompress(first)
    if a is None or not large(a) or not large(r) or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(first + public + message).digest(), "little") % L
    minus_a = (P - a[0], a[1], 1, P - a[3])
    return compress(plus(times(s, BASE), times(k, minus_a))) == first


# -- chapter 12


def header(data: bytes) -> list[Any]:
    """The eleven values of a header."""
    value: list[Any] = decode(data, 4096)
    need(type(value) is list and len(value) > 0 and type(value[0]) is int, "bad_header")
    need(value[0] == 1, "unknown_version")
    need(len(value) == 11 and all(is_bytes(value[place], 32) for place in (1, 3, 4, 6, 9)), "bad_header")
    _, commons, plane, _, after, time, subject, prev, kind, _, size = value
    need(is_int(plane, 0, 127), "bad_plane")
    need(is_int(time, 0, 2**63 - 1), "bad_time")
    need(is_int(size, 1, 65536), "bad_size")
    need(
        type(kind) is str and len(kind) <= 48 and bool(re.fullmatch(r"[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+", kind)),
        "bad_kind",
    )
    need(type(prev) is list and len(prev) <= 32 and all(is_bytes(item, 32) for item in prev), "bad_prev")
    need(all(prev[place] < prev[place + 1] for place in range(len(prev) - 1)), "bad_prev")
    need(commons != ZEROS or (plane == 0 and subject == after == ZEROS and not prev), "bad_founding")
    return value


def is_bytes(value: Any, size: int) -> bool:
    """Whether this is a byte string of that size."""
    return type(value) is bytes and len(value) == size


def is_int(value: Any, least: int, most: int) -> bool:
    """Whether this is an integer of that range."""
    return type(value) is int and least <= value <= most


def check_body(values: list[Any], salt: bytes, body: bytes) -> None:
    """Salt and body of a good header."""
    need(len(salt) == 16, "bad_salt")
    need(len(body) == values[10], "bad_body_size")
    need(sha256(b"p2pcommons body v1\0", salt, body) == values[9], "bad_body_hash")
    need(type(decode(body, 65536, body=True)) is dict, "bad_body")


# -- chapter 13


def root(leaves: list[bytes]) -> bytes:
    """The root of a tree."""
    need(len(leaves) > 0, "bad_tree")
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", root(leaves[:k]), root(leaves[k:]))


def gaps(start: int, stop: int, listed: set[int]) -> list[tuple[int, int]]:
    """The maximal subtrees without a listed leaf, left to right (SEAL-6)."""
    if not any(start <= leaf < stop for leaf in listed):
        return [(start, stop)]
    if stop - start == 1:
        return []
    middle = start + (1 << (stop - start - 1).bit_length() - 1)
    return gaps(start, middle, listed) + gaps(middle, stop, listed)


def fold(start: int, stop: int, known: dict[tuple[int, int], bytes]) -> bytes:
    """The root of a subtree from its parts."""
    if (start, stop) in known:
        return known[start, stop]
    middle = start + (1 << (stop - start - 1).bit_length() - 1)
    return sha256(b"\x01", fold(start, middle, known), fold(middle, stop, known))


def pack(value: Any) -> dict[str, Any]:
    """A pack judged: what is in it, and the records lost by their bodies."""
    need(type(value) is list and len(value) == 8, "bad_pack")
    author, commons, plane, size, signature, indexes, nodes, records = value
    need(is_bytes(author, 32) and is_bytes(commons, 32) and is_bytes(signature, 64), "bad_pack")
    need(key_may_sign(author), "bad_seal")
    need(is_int(plane, 0, 127), "bad_plane")
    need(is_int(size, 1, 1 if commons == ZEROS else 4096), "bad_tree")
    need(type(indexes) is list and 1 <= len(indexes) <= size, "bad_pack")
    need(all(is_int(index, 0, size - 1) for index in indexes), "bad_pack")
    need(all(indexes[place] < indexes[place + 1] for place in range(len(indexes) - 1)), "bad_pack")
    need(type(nodes) is list and all(is_bytes(node, 32) for node in nodes), "bad_nodes")
    need(type(records) is list and len(records) == len(indexes), "bad_pack")
    headers, last = list[bytes](), b""
    for item in records:
        need(type(item) is list and 1 <= len(item) <= 4 and all(type(part) is bytes for part in item), "bad_pack")
        named = len(item) in (2, 4)
        need(len(item[0]) == 32 and item[0] != last if named else last != b"", "bad_pack")
        tail = item[-1]
        if len(item) > 2:
            stem, salt, body = item[-3:]
            number = len(body).to_bytes(3, "big").lstrip(b"\0") or b"\0"
            head = b"" if len(body) < 128 else (b"\xcc", b"\xcd", b"\xce\0")[len(number) - 1]
            tail = stem + b"\xc4\x20" + sha256(b"p2pcommons body v1\0", salt, body) + head + number
        start = b"\x9b\x01\xc4\x20" + commons + bytes([plane]) + b"\xc4\x20" + author
        headers.append(start + b"\xc4\x20" + (item[0] if named else last) + tail)
        last = sha256(b"\x00", headers[-1])
    ids = [sha256(b"\x00", data) for data in headers]
    places = gaps(0, size, set(indexes))
    need(len(places) == len(nodes), "bad_nodes")
    known = dict(zip(places, nodes, strict=True)) | {(at, at + 1): leaf for at, leaf in zip(indexes, ids, strict=True)}
    top = fold(0, size, known)
    need(verify(author, signature, b"p2pcommons seal v1\0" + commons + size.to_bytes(8, "big") + top), "bad_seal")
    values = [header(data) for data in headers]
    good, faults = list[Any](), list[Any]()
    for at, leaf, parsed, item in zip(indexes, ids, values, records, strict=True):
        try:
            if len(item) > 2:
                check_body(parsed, item[-2], item[-1])
            good.append([at, leaf.hex(), len(item) > 2])
        except Refused as refused:
            faults.append([leaf.hex(), refused.args[0]])
    return {"author": author.hex(), "commons": commons.hex(), "plane": plane, "tree_size": size, "root": top.hex(),
            "records": good, "faults": faults}  # fmt: skip
