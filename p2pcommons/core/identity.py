"""Ed25519 keys, the one signature predicate, tags, `did:key` text and recovery keys (chapter 11).

Validity decides what is in a set, so all implementations must agree on it to the bit: `verify` is the
predicate of chapter 11, and not merely what a library happens to accept (Chalkias et al., "Taming the many
EdDSAs", 2020). Knows no file: where keys are kept is the node's business.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NewType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from p2pcommons.errors import FormError

PublicKey = NewType("PublicKey", bytes)
"""32 bytes: a person's or a node's Ed25519 public key."""

# Every tag of the protocol, each ending in one NUL (chapter 11, table of tags).
TAG_SEAL: Final = b"p2pcommons seal v1\0"
TAG_BODY: Final = b"p2pcommons body v1\0"
TAG_ENTRY: Final = b"p2pcommons entry v1\0"
TAG_STAMP: Final = b"p2pcommons stamp v1\0"
TAG_JOIN: Final = b"p2pcommons join v1\0"
TAG_RECOVERY: Final = b"p2pcommons recovery v1\0"
TAG_RECOVERY_KEY: Final = b"p2pcommons recovery key v1\0"
TAG_ROTATE: Final = b"p2pcommons rotate v1\0"
TAG_DEVICE: Final = b"p2pcommons device v1\0"
TAG_SET: Final = b"p2pcommons set v1\0"
TAG_BOTH: Final = b"p2pcommons both v1\0"
TAG_SKETCH: Final = b"p2pcommons sketch v1\0"
TAG_VIEW: Final = b"p2pcommons view v1\0"
TAG_CHARTER: Final = b"p2pcommons charter v1\0"
TAG_ACT: Final = b"p2pcommons act v1\0"
TAG_ASSEMBLY: Final = b"p2pcommons assembly v1\0"
TAG_INVITATION: Final = b"p2pcommons invitation v1\0"
TAG_DEVICE_LINE: Final = b"p2pcommons device line v1\0"
TAG_HELLO: Final = b"p2pcommons hello v1\0"
TAG_FOLLOW: Final = b"p2pcommons follow v1\0"
TAG_PEER: Final = b"p2pcommons peer v1\0"
TAG_RECIPE: Final = b"p2pcommons recipe v1\0"
TAG_TEXT: Final = b"p2pcommons text v1\0"

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_SIGN_BIT: Final = 1 << 255
# Every canonical encoding of a point of order 1, 2, 4 or 8, and the two encodings of "minus zero".
_SMALL_ORDER_Y: Final = (
    0,
    1,
    _P - 1,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
)
_REFUSED_POINTS: Final = frozenset((y | sign).to_bytes(32, "little") for y in _SMALL_ORDER_Y for sign in (0, _SIGN_BIT))


class SigningKey:
    """An Ed25519 private key. Its `repr` tells only the public half."""

    __slots__ = ("_private", "public")

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """64 bytes; the message starts with its tag."""
        return self._private.sign(message)

    def seed(self) -> bytes:
        """The 32 secret bytes, for the key file and for invitations."""
        return self._private.private_bytes_raw()

    def __repr__(self) -> str:
        return f"SigningKey({did_key(self.public)})"


def is_point(encoded: bytes) -> bool:
    """Whether 32 bytes are a canonical encoding (y < p, no minus zero) and not of small order.

    Whether a point of the curve has that y is told by the signature check itself.
    """
    y = int.from_bytes(encoded, "little") & (_SIGN_BIT - 1)
    return len(encoded) == 32 and y < _P and encoded not in _REFUSED_POINTS


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """The one predicate: canonical A and R not of small order, S < L, encode([S]B - [k]A) = R."""
    if len(public) != 32 or len(signature) != 64:
        return False
    if not is_point(signature[:32]) or int.from_bytes(signature[32:], "little") >= _L:
        return False
    key = _public_key(public)
    if key is None:
        return False
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=1024)  # parsed keys of authors met lately; a stranger can only turn the cache over
def _public_key(public: bytes) -> Ed25519PublicKey | None:
    if not is_point(public):
        return None
    try:
        return Ed25519PublicKey.from_public_bytes(public)
    except ValueError:
        return None


_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_MULTICODEC_ED25519: Final = b"\xed\x01"


def did_key(public: bytes) -> str:
    """`did:key:z6Mk…`: multicodec ed25519-pub in base58btc (W3C did:key)."""
    number = int.from_bytes(_MULTICODEC_ED25519 + public, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_BASE58[digit])
    return "did:key:z" + "".join(reversed(digits))


def parse_did_key(text: str) -> PublicKey:
    """The public key in `did:key:z6Mk…` (the `did:key:` may be left out). FormError `bad_key`."""
    bare = text.removeprefix("did:key:")
    number = 0
    for character in bare[1:64]:
        digit = _BASE58.find(character)
        if digit < 0:
            raise _bad_key(text)
        number = number * 58 + digit
    raw = number.to_bytes(48, "big").lstrip(b"\0")
    if len(raw) != 34 or raw[:2] != _MULTICODEC_ED25519 or did_key(raw[2:]) != "did:key:" + bare:
        raise _bad_key(text)
    if not is_point(raw[2:]):
        raise _bad_key(text)
    return PublicKey(raw[2:])


def _bad_key(text: str) -> FormError:
    return FormError("bad_key", f"{text[:80]!r} is not a did:key of an Ed25519 key (did:key:z6Mk…)")


def recovery_key(entropy: bytes) -> SigningKey:
    """The recovery key of 16 bytes of entropy (12 words): HKDF-SHA-256, no salt (RFC 5869)."""
    if len(entropy) != 16:
        raise FormError("bad_words", "recovery words hold 16 bytes")
    return SigningKey(HKDF(algorithm=SHA256(), length=32, salt=None, info=TAG_RECOVERY).derive(entropy))
