"""Laws of compression: any frames, any bytes, any features; sessions end as they would without it (chapter 36)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from property.test_session_laws import choices, choose_by, shelf, shelf_contents, union
from simulation.world import End, Link

from p2pcommons.core.encoding import pack_ordered
from p2pcommons.core.limits import COMPRESSED_BYTES_MIN, FRAME_BYTES_MAX
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.compression import METHODS, Method, compressed, decompressed, message_of, opened
from p2pcommons.sync.events import SessionEnded
from p2pcommons.sync.message import Compressed, Packs, decode_message, encode_message, starts_like
from p2pcommons.sync.session import FEATURES

methods = st.sampled_from(METHODS)
names = st.sets(st.sampled_from(FEATURES)).map(lambda chosen: tuple(sorted(chosen)))
frames = st.lists(st.binary(max_size=600) | st.binary(max_size=9).map(lambda part: part * 300), max_size=12).map(
    lambda parts: pack_ordered([8, 0, 1, 0, None, [[part, 0, 0, 0, 0, 0, 0, 0] for part in parts]])
)


def pressed(frame: bytes, method: Method) -> bytes:
    """A compressed frame, however small."""
    return encode_message(Compressed(method.number, len(frame), method.compress(frame)))


def press(end: End) -> None:
    """Let this end compress all it may from now on."""

    def carry(frame: bytes) -> bytes:
        agreed = end.session.compression
        return pressed(frame, agreed[0]) if agreed and starts_like(frame, Packs) else frame

    end.carry = carry


@given(frames, methods)
def test_compressing_and_back_changes_nothing(frame: bytes, method: Method) -> None:
    assert opened(pressed(frame, method), METHODS) == frame
    sent = compressed(frame, [method])
    assert opened(sent, [method]) == frame
    assert len(sent) <= len(frame) and (sent == frame or len(frame) >= COMPRESSED_BYTES_MIN)
    assert message_of(sent, [method]) == message_of(pressed(frame, method), METHODS) == decode_message(frame)


@settings(max_examples=400)
@given(frames, methods, st.data())
def test_any_data_are_the_frame_they_say_or_a_protocol_error(frame: bytes, method: Method, data: st.DataObject) -> None:
    raw = bytearray(method.compress(frame))
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=3)):
        raw[at] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.just(len(raw)) | st.integers(0, len(raw)))] + data.draw(st.binary(max_size=2))
    size = data.draw(st.just(len(frame)) | st.integers(1, FRAME_BYTES_MAX))
    try:
        found = decompressed(Compressed(method.number, size, bytes(raw)), METHODS)
    except RemoteProtocolError as error:
        assert error.code == "bad_compression"
        return
    assert len(found) == size and starts_like(found, Packs)


@given(st.binary(max_size=300), methods, st.integers(1, FRAME_BYTES_MAX))
def test_any_bytes_are_refused_or_a_frame_of_packs(data: bytes, method: Method, size: int) -> None:
    try:
        found = decompressed(Compressed(method.number, size, data), METHODS)
    except RemoteProtocolError as error:
        assert error.code == "bad_compression"
        return
    assert len(found) == size and starts_like(found, Packs)


@settings(deadline=None, max_examples=60)
@given(shelf_contents, shelf_contents, choices, names, names)
def test_whatever_features_both_ends_name_their_sets_become_the_union(
    one: tuple[int, list[set[int]]],
    two: tuple[int, list[set[int]]],
    numbers: list[int],
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
) -> None:
    a, b = shelf(one), shelf(two)
    expected = union(a, b)
    link = Link(a, b, choose=choose_by(numbers), features=(ours, theirs))
    for end in link.ends:
        press(end)
    link.run()
    assert a.ids() == b.ids() == expected
    assert not any(end.told(SessionEnded) for end in link.ends)


@settings(deadline=None, max_examples=40)
@given(shelf_contents, shelf_contents, choices)
def test_compression_changes_nothing_that_a_session_tells(
    one: tuple[int, list[set[int]]], two: tuple[int, list[set[int]]], numbers: list[int]
) -> None:
    told = []
    for small in (False, True):
        link = Link(shelf(one), shelf(two), choose=choose_by(numbers))
        for end in link.ends if small else ():
            press(end)
        link.run()
        told.append(([end.events for end in link.ends], [end.frames for end in link.ends]))
    assert told[0] == told[1]


@settings(deadline=None, max_examples=60)
@given(shelf_contents, choices, st.data())
def test_a_damaged_compressed_frame_ends_the_session_or_gives_nothing_but_true_records(
    one: tuple[int, list[set[int]]], numbers: list[int], data: st.DataObject
) -> None:
    a, b = shelf(one), shelf((0, [set()] * 4))
    expected = union(a, b)
    link = Link(a, b, choose=choose_by(numbers))
    giver = link.dialler
    press(giver)
    honest = giver.carry

    def carry(frame: bytes) -> bytes:
        sent = bytearray(honest(frame))
        if bytes(sent) != frame:
            sent[data.draw(st.integers(0, len(sent) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        return bytes(sent)

    giver.carry = carry
    link.run()
    assert all(found <= wanted for found, wanted in zip(b.ids(), expected, strict=True))
    assert b.ids() == expected or any(end.told(SessionEnded) for end in link.ends)
