"""Frames: what they look like on the wire, and what is refused of them."""

from dataclasses import fields, replace

import pytest

from p2pcommons.core.encoding import encode
from p2pcommons.core.limits import (
    FRAME_BYTES_MAX,
    HELLO_BYTES_MAX,
    IDS_PER_FRAME_MAX,
    LISTING_MAX,
    LISTING_NAME_BYTES_MAX,
    NEWS_IDS_MAX,
    PEER_STATEMENT_BYTES_MAX,
    PEERS_TOLD_MAX,
    REFUSALS_MAX,
)
from p2pcommons.errors import LocalProtocolError, RemoteProtocolError
from p2pcommons.sync import message as m
from p2pcommons.sync.storage import Key

ID = b"\x01" * 32
HELLO = m.Hello(key=ID, nonce=b"\x02" * 32, now_ms=1, versions=(1, 2), features=("a", "b"), agent="test", host="h")
OPENING = m.Opening(3, m.AFRESH, m.SetDigest(1, ID), m.SetDigest(2, ID))
MESSAGES = [
    HELLO,
    m.Proof(b"\x03" * 64),
    m.Names((ID,) * 8),
    m.Leave(0, "unfollowed"),
    m.Open((OPENING, replace(OPENING, slot=4))),
    m.Range(1, 0, b"\x61"),
    m.Ask(1, 1, None),
    m.Ask(1, 1, Key(5, ID)),
    m.Want(1, 1, (ID,)),
    m.Packs(1, 1, 2, Key(5, ID), [[0] * 8]),
    m.Packs(1, 1, 0, None, []),
    m.Packs(1, 1, 0, None, [], 3),
    m.Confirm(1, 0, ((ID, "later"),)),
    m.Refuse(1, 0, ((ID, "not_admitted"),)),
    m.Done(1, 0),
    m.End("idle", "nothing was heard"),
    m.Browse(),
    m.News(2, 1, (ID, b"\x02" * 32)),
    m.Eager(2, 3),
    m.Listing(((ID, "Lavoirs du Léon"), (b"\x02" * 32, ""))),
    m.Introduce(None, 1),
    m.Introduce((b"\x95", b"\x04" * 64), 3),
    m.Peers((((b"\x95", b"\x04" * 64), 255),)),
    m.Reached("2001:db8::1", 3, 1),
    m.Open((m.Echo(3, m.AFRESH), replace(OPENING, slot=4, hint=bytes(16)))),
    m.Want(1, 1, (ID[:8], ID)),
    m.Symbols(1, 1, 2047, bytes(22)),
    m.Symbols(1, 0, 0, b""),
    m.More(1, 1, 2048),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_from_its_frame(message: m.Message) -> None:
    frame = m.encode_message(message)
    again = m.decode_message(frame)
    assert type(again) is type(message)
    assert again == message
    assert m.encode_message(again) == frame


def test_there_is_an_example_of_every_message() -> None:
    assert {type(message) for message in MESSAGES} == set(m.Message.__args__)  # type: ignore[attr-defined]


def test_a_frame_is_one_canonical_array_that_starts_with_its_type() -> None:
    assert m.encode_message(m.Done(7, 1)) == b"\x93\x0b\x07\x01"
    assert m.encode_message(m.Range(0, 1, b"\x61")) == b"\x94\x05\x00\x01\xc4\x01\x61"


def test_a_hello_may_say_more_than_is_known() -> None:
    said = {**_said(), "zone": 1}
    assert m.decode_message(encode([0, said])) == HELLO


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", "bad_frame"),
        (b"\x93\x0b\x07\x01\x00", "bad_frame"),  # a byte too many
        (b"\x93\x0b\xcc\x07\x01", "bad_frame"),  # 7 in two bytes
        (b"\x07", "bad_frame"),
        (b"\x90", "bad_frame"),
        (b"\x91\xc3", "bad_frame"),
        (b"\x91\x7f", "unknown_message"),
        (b"\x91\xff", "unknown_message"),
        (b"\x92\x0b\x07", "bad_message"),  # a value too few
        (encode([11, 4096, 0]), "bad_message"),  # no slot
        (encode([11, -1, 0]), "bad_message"),
        (encode([11, True, 0]), "bad_message"),
        (encode([11, 0, 2]), "bad_message"),  # no plane of version 1
        (encode([1, bytes(63)]), "bad_message"),
        (encode([2, [bytes(31)]]), "bad_message"),
        (encode([3, 0, "Unfollowed"]), "bad_message"),
        (encode([3, 0, ""]), "bad_message"),
        (encode([3, 0, "a" * 49]), "bad_message"),
        (encode([4, []]), "bad_message"),
        (encode([4, [[1, 0, [0, ID], [0, ID], b""], [1, 0]]]), "bad_message"),  # one slot twice
        (encode([4, [[1, 16, [0, ID], [0, ID], b""]]]), "bad_message"),  # an unknown flag
        (encode([5, 0, 0, b""]), "bad_message"),
        (encode([6, 0, 0, [2**63, ID]]), "bad_message"),
        (encode([7, 0, 0, []]), "bad_message"),
        (encode([7, 0, 0, [ID] * (IDS_PER_FRAME_MAX + 1)]), "bad_message"),
        (encode([8, 0, 0, 0, None, [[0] * 7]]), "bad_message"),
        (encode([8, 0, 0, -1, None, []]), "bad_message"),
        (encode([9, 0, 0, [[ID, "later"]] * (REFUSALS_MAX + 1)]), "bad_message"),
        (encode([9, 0, 0, [[ID]]]), "bad_message"),
        (encode([12, "idle", "x" * 513]), "bad_message"),
        (encode([12, "idle", 3]), "bad_message"),
        (encode([13, 0]), "bad_message"),
        (encode([14, [[ID, "twice"], [ID, "twice"]]]), "bad_message"),
        (encode([14, [[ID, "n" * (LISTING_NAME_BYTES_MAX + 1)]]]), "bad_message"),
        (encode([14, [[bytes([i]) * 32, ""] for i in range(LISTING_MAX + 1)]]), "bad_message"),
        (encode([15, 0, 0, []]), "bad_message"),
        (encode([15, 0, 0, [ID] * (NEWS_IDS_MAX + 1)]), "bad_message"),
        (encode([15, 0, 2, [ID]]), "bad_message"),
        (encode([17, None, 4]), "bad_message"),
        (encode([17, [b"", bytes(64)], 0]), "bad_message"),
        (encode([17, [bytes(PEER_STATEMENT_BYTES_MAX + 1), bytes(64)], 0]), "bad_message"),
        (encode([17, [b"\x95", bytes(63)], 0]), "bad_message"),
        (encode([18, []]), "bad_message"),
        (encode([18, [[[b"\x95", bytes(64)], 0]]]), "bad_message"),
        (encode([18, [[[b"\x95", bytes(64)], 256]]]), "bad_message"),
        (encode([18, [[[b"\x95", bytes(64)], 1]] * (PEERS_TOLD_MAX + 1)]), "bad_message"),
        (encode([19, "x" * 46, 0, 0]), "bad_message"),
        (encode([19, "", 256, 0]), "bad_message"),
        (encode([4, [[1, 0, [0, ID]]]]), "bad_message"),
        (encode([4, [[1, 0, [0, ID], [0, ID]]]]), "bad_message"),  # no hint
        (encode([4, [[1, 0, [0, ID], [0, ID], bytes(15)]]]), "bad_message"),
        (encode([7, 0, 0, [bytes(9)]]), "bad_message"),
        (encode([20, 0, 0, 0, bytes(21)]), "bad_message"),
        (encode([20, 0, 0, 1, b""]), "bad_message"),
        (encode([20, 0, 0, 2047, bytes(44)]), "bad_message"),
        (encode([20, 0, 0, 2048, bytes(22)]), "bad_message"),
        (encode([21, 0, 0, 0]), "bad_message"),
        (encode([21, 0, 0, 2049]), "bad_message"),
        (encode([15, 0, 0, [b"short"]]), "bad_message"),
        (encode([16, 0, True]), "bad_message"),
        (encode([16, 0, 16]), "bad_message"),
        (encode([16, 4096, 1]), "bad_message"),
        (encode([8, 1, 1, 0, 16, []]), "bad_message"),
        (encode([8, 1, 1, 1, 0, []]), "bad_message"),
        (encode([0, {"a": bytes(HELLO_BYTES_MAX)}]), "bad_message"),
    ],
)
def test_what_is_no_message_is_refused_with_its_code(frame: bytes, code: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        m.decode_message(frame)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("versions", []),
        ("versions", [2, 1]),
        ("versions", [0]),
        ("records", [1] * 17),
        ("features", ["b", "a"]),
        ("features", ["a" * 33]),
        ("key", bytes(31)),
        ("nonce", None),
        ("now", -1),
        ("expected", b""),
        ("limits", {}),
        ("limits", {"window": FRAME_BYTES_MAX - 1}),
        ("host", "h" * 254),
        ("agent", 1),
    ],
)
def test_a_hello_outside_its_bounds_is_refused(key: str, value: object) -> None:
    with pytest.raises(RemoteProtocolError, match="bad_message"):
        m.decode_message(encode([0, {**_said(), key: value}]))


def test_a_hello_says_all_of_its_keys() -> None:
    for key in _said():
        said = _said()
        del said[key]
        with pytest.raises(RemoteProtocolError, match="bad_message"):
            m.decode_message(encode([0, said]))


def test_a_frame_too_large_is_neither_written_nor_read() -> None:
    with pytest.raises(LocalProtocolError, match="frame_too_large"):
        m.encode_message(m.Packs(0, 0, 0, None, [[bytes(FRAME_BYTES_MAX)] * 8]))
    with pytest.raises(RemoteProtocolError, match="bad_frame"):
        m.decode_message(bytes(FRAME_BYTES_MAX + 1))


def test_messages_are_values() -> None:
    for message in MESSAGES:
        for field in fields(message):
            with pytest.raises(AttributeError):
                setattr(message, field.name, 1)


def _said() -> dict[str, object]:
    return {
        "agent": "test", "expected": bytes(32), "features": ["a", "b"], "host": "h", "key": ID,
        "limits": {"window": FRAME_BYTES_MAX}, "nonce": b"\x02" * 32, "now": 1, "records": [1], "versions": [1, 2],
    }  # fmt: skip
