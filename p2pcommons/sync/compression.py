"""Pack frames made smaller for the way: one compressed frame stands for one frame of packs (chapter 36).

Pure functions over bytes: who calls them chooses the thread, as both methods let other threads run meanwhile. What a
frame weighs in a window is what it weighs whole. Knows no session: which methods both ends speak is told to it.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple, NoReturn

from p2pcommons.core.limits import COMPRESSED_BYTES_MIN, COMPRESSION_WINDOW_MAX, FRAME_BYTES_MAX
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.message import Compressed, Message, Packs, decode_message, encode_message, starts_like

if sys.version_info >= (3, 14):
    from compression import zstd
else:  # the same module, as a package
    from backports import zstd

_ZSTD_LEVEL: Final = 3  # real catalogues: 16 % of header and body at 1.1 us a record; level 6: 15 % at 3.6 us
_DEFLATE_LEVEL: Final = 6  # 16 % at 7 us a record; level 1: 18 % at 2.8 us
_WORTH: Final = 0.9  # what remains of a frame must be less than so much of it, else it goes as it is
_ZSTD_OPTIONS: Final[dict[int, int]] = {
    zstd.DecompressionParameter.window_log_max: COMPRESSION_WINDOW_MAX.bit_length() - 1
}
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"


class Method(NamedTuple):
    """One way to compress: its number in a frame, the feature that hellos name, and both directions."""

    number: int
    feature: str
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes, int], bytes]
    """At most so many bytes of what the data stand for; `_bad` unless they are exactly one stream."""


def shared(ours: Collection[str], theirs: Collection[str]) -> tuple[Method, ...]:
    """The methods that both ends name among their features, the best first."""
    return tuple(method for method in METHODS if method.feature in ours and method.feature in theirs)


def compressed(frame: bytes, methods: Sequence[Method]) -> bytes:
    """The frame to send for this one: smaller if it holds packs, a method is shared and it pays; else itself."""
    if not methods or len(frame) < COMPRESSED_BYTES_MIN or not starts_like(frame, Packs):
        return frame
    data = methods[0].compress(frame)
    if len(data) > _WORTH * len(frame):
        return frame
    return encode_message(Compressed(methods[0].number, len(frame), data))


def decompressed(message: Compressed, methods: Sequence[Method]) -> bytes:
    """The frame of packs that a compressed one stands for, in memory of twice its size at most.

    RemoteProtocolError `unexpected_message` or `bad_compression`.
    """
    method = next((method for method in methods if method.number == message.method), None)
    if method is None:
        raise RemoteProtocolError("unexpected_message", "compressed in a way that the hellos do not both name")
    frame = method.decompress(message.data, message.size + 1)
    if len(frame) != message.size:
        _bad("not as many bytes as it says")
    if not starts_like(frame, Packs):
        _bad("something else than packs")
    return frame


def message_of(frame: bytes, methods: Sequence[Method]) -> Message:
    """The message of a frame, compressed or not. RemoteProtocolError as `decode_message` and `decompressed` say."""
    message = decode_message(frame)
    if isinstance(message, Compressed):
        message = decode_message(decompressed(message, methods))
        assert not isinstance(message, Compressed), "it starts as packs do"
    return message


def opened(frame: bytes, methods: Sequence[Method]) -> bytes:
    """`decompressed` of a frame that may be a compressed one; any other, or a bad one, as it came: a session judges it."""
    if not methods or not starts_like(frame, Compressed):
        return frame
    try:
        message = decode_message(frame)
        return decompressed(message, methods) if isinstance(message, Compressed) else frame
    except RemoteProtocolError:
        return frame


def _bad(detail: str) -> NoReturn:
    raise RemoteProtocolError("bad_compression", f"a compressed frame holds {detail}")


def _zstd_compress(data: bytes) -> bytes:
    return zstd.compress(data, _ZSTD_LEVEL)


def _zstd_decompress(data: bytes, bytes_max: int) -> bytes:
    _check_zstd_head(data)
    reader = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
    try:
        content = reader.decompress(data, bytes_max)
    except zstd.ZstdError:
        _bad("what is no zstd frame")
    if not reader.eof or reader.unused_data:
        _bad("less or more than one zstd frame")
    return content


def _check_zstd_head(data: bytes) -> None:
    # RFC 8878, 3.1.1.1. Libraries differ in what they ask of a window and in whether they read older magic numbers.
    if len(data) < 6 or data[:4] != _ZSTD_MAGIC:
        _bad("what is no zstd frame")
    descriptor, window = data[4], data[5]
    if descriptor & 0b0000_1011:
        _bad("a zstd frame that uses a dictionary or a reserved bit")
    if not descriptor & 0b0010_0000 and (1 << 10 + (window >> 3)) * (8 + (window & 7)) // 8 > COMPRESSION_WINDOW_MAX:
        _bad("a zstd frame with a larger window than is allowed")


def _deflate_compress(data: bytes) -> bytes:
    return zlib.compress(data, _DEFLATE_LEVEL)


def _deflate_decompress(data: bytes, bytes_max: int) -> bytes:
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(data, bytes_max)
    except zlib.error:
        _bad("what is no zlib stream")
    if not reader.eof or reader.unused_data:
        _bad("less or more than one zlib stream")
    return content


METHODS: Final = (
    Method(1, "zstd", _zstd_compress, _zstd_decompress),
    Method(2, "deflate", _deflate_compress, _deflate_decompress),
)
"""All methods, the best first."""

FEATURES: Final = tuple(method.feature for method in METHODS)
assert FRAME_BYTES_MAX <= COMPRESSION_WINDOW_MAX, "the window of a frame that holds its content in one piece"
