"""Frames of packs made smaller: which, by which method, and what is refused (chapter 36)."""

from __future__ import annotations

import tracemalloc
import zlib
from typing import Any

import pytest

from p2pcommons.core.encoding import encode
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import COMPRESSED_BYTES_MIN, FRAME_BYTES_MAX
from p2pcommons.core.record import ZEROS, build
from p2pcommons.core.seal import pack_value, seal
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.compression import (
    FEATURES,
    METHODS,
    Method,
    compressed,
    decompressed,
    message_of,
    opened,
    shared,
    zstd,
)
from p2pcommons.sync.message import Compressed, Packs, Range, decode_message, encode_message

ALICE, COMMONS = SigningKey(b"\x01" * 32), b"\xc0" * 32
BOMB_BYTES = 1024**3
MEMORY_MAX = 4 * FRAME_BYTES_MAX


def frame_of(count: int, text: str = "Presented by the Friends of the Museum in 19") -> bytes:
    records = [
        build(
            commons=COMMONS, plane=1, author=ALICE.public, after=ZEROS, time=(1 << 40) + n, subject=ALICE.public,
            prev=[], kind="entry.edit", body={"set": {"credit": f"{text}{n}"}}, salt=bytes(16),
        )
        for n in range(count)
    ]  # fmt: skip
    made, _ = seal(ALICE, records)
    return encode_message(Packs(0, 1, 0, None, [pack_value(made, {}, list(enumerate(records)))]))


LARGE = frame_of(200)


def zeros(method: Method) -> bytes:
    """Data that stand for a gigabyte of zeros, in a megabyte at most."""
    if method.feature == "zstd":
        block = (2**17 << 3 | 2).to_bytes(3, "little") + b"\0"
        return b"\x28\xb5\x2f\xfd\0" + bytes([7 << 3]) + block * (BOMB_BYTES >> 17) + b"\1\0\0"
    writer = zlib.compressobj(9)
    part = bytes(FRAME_BYTES_MAX)
    return (b"".join(writer.compress(part) for _ in range(BOMB_BYTES // len(part))) + writer.flush())[: 1000 * 1000]


def refusal(message: Compressed) -> str:
    with pytest.raises(RemoteProtocolError) as caught:
        decompressed(message, METHODS)
    return caught.value.code


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.feature)
def test_what_is_compressed_comes_back_as_it_was(method: Method) -> None:
    sent = compressed(LARGE, [method])
    assert len(sent) < len(LARGE) / 4
    assert opened(sent, METHODS) == LARGE
    assert message_of(sent, METHODS) == decode_message(LARGE)


def test_both_ends_choose_the_best_method_that_both_name() -> None:
    def chosen(ours: Any, theirs: Any) -> list[str]:
        return [method.feature for method in shared(ours, theirs)]

    assert chosen(FEATURES, FEATURES) == ["zstd", "deflate"]
    assert chosen(FEATURES, ("live", "deflate")) == chosen(("deflate",), FEATURES) == ["deflate"]
    assert chosen(("zstd",), ("deflate",)) == chosen((), FEATURES) == []


def test_nothing_is_compressed_unless_it_was_agreed() -> None:
    assert compressed(LARGE, ()) is LARGE


def test_what_is_small_goes_as_it_is() -> None:
    few = next(frame for n in range(1, 100) if len(frame := frame_of(n)) >= COMPRESSED_BYTES_MIN)
    assert compressed(few, METHODS) != few
    fewer = frame_of(1)
    assert len(fewer) < COMPRESSED_BYTES_MIN and compressed(fewer, METHODS) is fewer


def test_what_would_hardly_be_smaller_goes_as_it_is() -> None:
    noise = b"".join(ALICE.sign(bytes([n])) for n in range(200))
    frame = encode_message(Packs(0, 1, 0, None, [[noise, *range(7)]]))
    assert compressed(frame, METHODS) is frame


def test_only_packs_are_compressed() -> None:
    frame = encode_message(Range(0, 1, bytes(COMPRESSED_BYTES_MIN * 2)))
    assert compressed(frame, METHODS) is frame


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.feature)
def test_what_the_hellos_do_not_both_name_is_refused(method: Method) -> None:
    sent = compressed(LARGE, [method])
    others = [other for other in METHODS if other is not method]
    with pytest.raises(RemoteProtocolError, match="unexpected_message"):
        message_of(sent, others)
    assert opened(sent, others) is sent, "the session judges it"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.feature)
@pytest.mark.parametrize("size", [1, FRAME_BYTES_MAX])
def test_a_gigabyte_of_zeros_is_refused_in_little_memory(method: Method, size: int) -> None:
    message = Compressed(method.number, size, zeros(method))
    assert len(message.data) <= FRAME_BYTES_MAX
    tracemalloc.start()
    try:
        assert refusal(message) == "bad_compression"
        assert tracemalloc.get_traced_memory()[1] < MEMORY_MAX
    finally:
        tracemalloc.stop()


def test_a_zstd_frame_with_a_large_window_is_refused_however_small_it_is() -> None:
    wide = zstd.compress(
        LARGE, options={zstd.CompressionParameter.window_log: 24, zstd.CompressionParameter.content_size_flag: 0}
    )
    writer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 24})
    streamed = writer.compress(LARGE) + writer.flush()
    assert zstd.decompress(streamed) == zstd.decompress(wide) == LARGE
    assert refusal(Compressed(1, len(LARGE), streamed)) == "bad_compression"


def test_a_dictionary_is_refused_even_if_it_could_be_guessed() -> None:
    known = zstd.ZstdDict(LARGE[:1000], is_raw=True)
    assert refusal(Compressed(1, len(LARGE), zstd.compress(LARGE, zstd_dict=known))) == "bad_compression"


def test_one_compressed_frame_within_another_is_refused() -> None:
    inner = compressed(LARGE, METHODS)
    for method in METHODS:
        assert refusal(Compressed(method.number, len(inner), method.compress(inner))) == "bad_compression"


def test_a_bad_frame_within_is_judged_like_a_bad_frame() -> None:
    for inner, code in ((LARGE + b"\0", "bad_frame"), (encode([8, 0, 1, 0, None, 7]), "bad_message")):
        sent = encode_message(Compressed(1, len(inner), zstd.compress(inner)))
        with pytest.raises(RemoteProtocolError) as caught:
            message_of(sent, METHODS)
        assert caught.value.code == code
