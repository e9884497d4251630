"""The curve of Ed25519 in plain integers, to construct signatures that no library would make (RFC 8032).

For vectors only: slow, and not in constant time.
"""

from __future__ import annotations

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int]  # x, y
IDENTITY: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    cross = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + cross, P - 2, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - cross, P - 2, P) % P


def multiply(scalar: int, point: Point) -> Point:
    """Double and add, with fractions put off to the end (x = X/Z, y = Y/Z, T = XY/Z)."""
    x, y = point
    addend, total = (x, y, 1, x * y % P), (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, addend)
        addend = _add(addend, addend)
        scalar >>= 1
    inverse = pow(total[2], P - 2, P)
    return total[0] * inverse % P, total[1] * inverse % P


def _add(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    p, q = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    r, s = 2 * D * t1 * t2 % P, 2 * z1 * z2 % P
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % P, g * h % P, f * g % P, e * h % P


def encode(point: Point) -> bytes:
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def x_of(y: int, odd: int) -> int | None:
    """The x with this parity that has that y; None if the curve has no such point."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != odd and x else x


def _base() -> Point:
    y = 4 * pow(5, P - 2, P) % P
    return x_of(y, 0) or 0, y


BASE = _base()


def _order_8() -> Point:
    """A point of order 8: L times any point whose small part has order 8."""
    y = 2
    while True:
        x = x_of(y, 0)
        if x is not None and multiply(4, found := multiply(L, (x, y))) != IDENTITY:
            return found
        y += 1


ORDER_8 = _order_8()


def hash_integer(r: bytes, a: bytes, message: bytes) -> int:
    """k of the signature equation before its reduction."""
    return int.from_bytes(sha512(r + a + message).digest(), "little")


def hash_scalar(r: bytes, a: bytes, message: bytes) -> int:
    """k of the signature equation, reduced modulo L."""
    return hash_integer(r, a, message) % L


def signature(r: bytes, s: int) -> bytes:
    return r + s.to_bytes(32, "little")


def equation(public: Point, public_bytes: bytes, r: Point, r_bytes: bytes, s: int, message: bytes) -> tuple[bool, bool]:
    """Whether [S]B = R + [k]A holds as it stands, and after multiplication by the cofactor 8."""
    right = add(r, multiply(hash_scalar(r_bytes, public_bytes, message), public))
    left = multiply(s, BASE)
    return left == right, multiply(8, left) == multiply(8, right)
