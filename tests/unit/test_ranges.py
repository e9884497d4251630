from hashlib import sha256

import pytest

from p2pcommons.core.limits import RANGE_MESSAGE_BYTES_MAX
from p2pcommons.errors import LocalProtocolError, RemoteProtocolError
from p2pcommons.sync import ranges
from p2pcommons.sync.range_index import RangeIndex

ONE, TWO = b"\1" + bytes(31), b"\2" + bytes(31)


def test_a_small_set_is_told_as_a_list() -> None:
    assert ranges.initiate(RangeIndex([(5, ONE), (6, TWO)])) == b"\x61\x00\x00\x02\x02" + ONE + TWO


def test_the_empty_set_asks_for_everything() -> None:
    assert ranges.initiate(RangeIndex()) == b"\x61\x00\x00\x02\x00"


def test_a_fingerprint_is_over_sum_and_count() -> None:
    index = RangeIndex([(5, ONE), (6, TWO)])
    equal = sha256(b"\3" + bytes(31) + b"\2").digest()[:16]
    assert ranges.respond(index, b"\x61\x00\x00\x01" + equal) == b"\x61"
    assert ranges.respond(index, b"\x61\x00\x00\x01" + bytes(16)) == b"\x61\x00\x00\x02\x02" + ONE + TWO


def test_a_bound_takes_only_the_bytes_that_tell_two_ids_apart() -> None:
    same_time = RangeIndex((9, bytes([7, i]) + bytes(30)) for i in range(32))
    first_range = ranges.initiate(same_time)[1:]
    assert first_range[:5] == b"\x0a\x02\x07\x02\x01"  # time 9, two bytes, 07 02, a fingerprint


def test_times_in_a_message_are_told_as_differences() -> None:
    index = RangeIndex((1000 + i, bytes([i]) * 32) for i in range(32))
    message = ranges.initiate(index)
    assert message[1:5] == b"\x87\x6b\x00\x01"  # 1 + 1002
    assert message[21:24] == b"\x03\x00\x01"  # 1 + 2


def test_an_unknown_version_is_answered_by_the_known_one() -> None:
    assert ranges.respond(RangeIndex(), b"\x62anything") == b"\x61"
    with pytest.raises(RemoteProtocolError):
        ranges.reconcile(RangeIndex(), b"\x60")


def test_equal_sets_have_nothing_left_to_ask() -> None:
    index = RangeIndex((i, bytes([i]) * 32) for i in range(200))
    assert ranges.reconcile(index, ranges.respond(index, ranges.initiate(index))) == (None, [], [])


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x51", id="no negentropy"),
        pytest.param(b"\x61\x00", id="bound cut off"),
        pytest.param(b"\x61\x00\x00", id="no mode"),
        pytest.param(b"\x61\x00\x00\x03", id="unknown mode"),
        pytest.param(b"\x61\x00\x00\x01" + bytes(15), id="fingerprint cut off"),
        pytest.param(b"\x61\x00\x00\x02\x02" + bytes(63), id="list cut off"),
        pytest.param(b"\x61\x00\x00\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x7f", id="list of 2^64"),
        pytest.param(b"\x61\x80\x01\x00\x00", id="number not shortest"),
        pytest.param(b"\x61\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00", id="number beyond 64 bits"),
        pytest.param(b"\x61" + b"\x81" * 11 + b"\x00\x00", id="number too long"),
        pytest.param(b"\x61\x05\x21" + bytes(33) + b"\x00", id="bound longer than an id"),
        pytest.param(b"\x61\x05\x01\x09\x00\x01\x01\x08\x00", id="bounds descend"),
        pytest.param(b"\x61\x00\x00\x00\x01\x00\x00", id="range behind the end"),
        pytest.param(b"\x61\x81\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x02\x00\x00", id="time beyond the last"),
        pytest.param(b"\x61" + bytes(RANGE_MESSAGE_BYTES_MAX), id="too large"),
    ],
)
def test_what_is_no_message_ends_the_session(message: bytes) -> None:
    index = RangeIndex([(5, ONE)])
    for read in (ranges.respond, ranges.reconcile):
        with pytest.raises(RemoteProtocolError) as raised:
            read(index, message)
        assert raised.value.code == "bad_ranges"


def test_bounds_may_stand_still() -> None:
    message = b"\x61\x05\x00\x02\x00\x01\x00\x02\x00"
    assert ranges.respond(RangeIndex([(5, ONE)]), message) == b"\x61\x05\x00\x02\x00\x01\x00\x02\x00"


def test_an_id_behind_infinity_means_nothing() -> None:
    index = RangeIndex([(5, ONE)])
    assert ranges.reconcile(index, b"\x61\x00\x20" + bytes(32) + b"\x02\x01" + TWO) == (None, [ONE], [TWO])


def test_a_record_at_the_last_possible_time_is_found() -> None:
    late = RangeIndex([(2**63 - 1, ONE)])
    assert ranges.reconcile(RangeIndex(), ranges.respond(late, ranges.initiate(RangeIndex()))).need == [ONE]


def test_a_message_too_small_to_get_on_is_our_own_fault() -> None:
    with pytest.raises(LocalProtocolError):
        ranges.initiate(RangeIndex(), 4095)
