from hashlib import sha256
from math import ceil, log
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from p2pcommons.core.limits import RANGE_MESSAGE_BYTES_MAX, RANGE_MESSAGE_BYTES_MIN
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync import ranges
from p2pcommons.sync.range_index import RangeIndex

Places = set[tuple[int, bytes]]
SIZE = 4000


def place(number: int, sharing: int) -> tuple[int, bytes]:
    """`sharing` places have one time; times are as large as record times get."""
    return 2**63 - 1 - number // sharing * 65_537, sha256(number.to_bytes(8, "big")).digest()


class Lack(NamedTuple):
    """Places that one side lacks: every `step`-th of a run."""

    start: int
    length: int
    step: int


class Meeting(NamedTuple):
    """Two sets, in few words, so that a failure can be read."""

    count: int
    sharing: int
    client_lacks: list[Lack]
    server_lacks: list[Lack]

    def sets(self) -> tuple[Places, Places]:
        client, server = (
            set(range(self.count)).difference(
                *(range(lack.start, lack.start + lack.length, lack.step) for lack in side)
            )
            for side in (self.client_lacks, self.server_lacks)
        )
        return {place(i, self.sharing) for i in client}, {place(i, self.sharing) for i in server}


lacks = st.lists(
    st.builds(Lack, st.integers(0, SIZE), st.sampled_from([1, 2, 30, 700, SIZE]), st.sampled_from([1, 2, 17, 400])),
    max_size=3,
)
meetings = st.builds(
    Meeting, st.sampled_from([0, 1, 5, 40, 300, 1500, SIZE]), st.sampled_from([1, 2, 50, SIZE]), lacks, lacks
)
frames = st.sampled_from([RANGE_MESSAGE_BYTES_MIN, 10_000, RANGE_MESSAGE_BYTES_MAX])


def converse(
    client: Places, server: Places, ours: int, theirs: int, have_max: int = 65_536, lists_only: bool = False
) -> tuple[list[bytes], list[bytes], int]:
    index, answering = RangeIndex(client), RangeIndex(server)
    message: bytes | None = ranges.initiate(index, ours, lists_only=lists_only)
    have: list[bytes] = []
    need: list[bytes] = []
    rounds = 0
    while message is not None:
        assert len(message) <= ours
        answer = ranges.respond(answering, message, theirs)
        assert len(answer) <= theirs
        step = ranges.reconcile(index, answer, ours, lists_only=lists_only, have_max=have_max)
        message, have, need, rounds = step.message, have + step.have, need + step.need, rounds + 1
        assert rounds <= 1 + (len(client) + len(server)), "the conversation does not end"
    return have, need, rounds


def ids(places: Places) -> list[bytes]:
    return sorted(identifier for _, identifier in places)


@settings(deadline=None)
@given(meetings, frames, frames)
def test_after_the_rounds_the_client_knows_exactly_what_differs(meeting: Meeting, ours: int, theirs: int) -> None:
    client, server = meeting.sets()
    have, need, _ = converse(client, server, ours, theirs)
    assert sorted(set(have)) == ids(client - server)
    assert sorted(set(need)) == ids(server - client)


@settings(deadline=None)
@given(meetings)
def test_where_messages_are_not_cut_short_each_difference_is_told_once(meeting: Meeting) -> None:
    client, server = meeting.sets()
    have, need, _ = converse(client, server, RANGE_MESSAGE_BYTES_MAX, RANGE_MESSAGE_BYTES_MAX)
    assert sorted(have) == ids(client - server)
    assert sorted(need) == ids(server - client)


@settings(deadline=None)
@given(meetings)
def test_rounds_grow_with_the_logarithm_of_the_set(meeting: Meeting) -> None:
    client, server = meeting.sets()
    _, _, rounds = converse(client, server, RANGE_MESSAGE_BYTES_MAX, RANGE_MESSAGE_BYTES_MAX)
    levels = ceil(log(max(len(client), len(server), 16), 16))
    assert rounds <= levels + 2


@settings(deadline=None)
@given(meetings, frames, frames)
def test_small_messages_cost_rounds_in_proportion(meeting: Meeting, ours: int, theirs: int) -> None:
    client, server = meeting.sets()
    _, _, rounds = converse(client, server, ours, theirs)
    # Every id is listed at most once by the server; fingerprints are a smaller part of what is said.
    said = 64 * (len(client) + len(server))
    assert rounds <= 8 + 4 * (said // min(ours, theirs))


@settings(deadline=None)
@given(meetings, frames, st.sampled_from([4, 50, 1000]))
def test_a_bound_on_what_one_step_names_loses_nothing(meeting: Meeting, ours: int, have_max: int) -> None:
    client, server = meeting.sets()
    if have_max == 4:
        client = set(sorted(client)[:60])
    have, need, _ = converse(client, server, ours, RANGE_MESSAGE_BYTES_MAX, have_max)
    assert sorted(set(have)) == ids(client - server)
    assert sorted(set(need)) == ids(server - client)


@settings(deadline=None)
@given(meetings, frames, frames)
def test_lists_only_finds_everything_without_a_fingerprint(meeting: Meeting, ours: int, theirs: int) -> None:
    client, server = meeting.sets()
    have, need, _ = converse(client, server, ours, theirs, lists_only=True)
    assert sorted(set(have)) == ids(client - server)
    assert sorted(set(need)) == ids(server - client)


def test_lists_only_finds_sets_whose_fingerprints_are_equal() -> None:
    def with_sum(*lows: int) -> Places:
        return {(7, low.to_bytes(32, "little")) for low in lows}

    common = {place(number, 1) for number in range(100)}
    client, server = common | with_sum(1, 4), common | with_sum(2, 3)
    have, need, _ = converse(client, server, RANGE_MESSAGE_BYTES_MAX, RANGE_MESSAGE_BYTES_MAX)
    assert not have and not need
    have, need, _ = converse(client, server, RANGE_MESSAGE_BYTES_MAX, RANGE_MESSAGE_BYTES_MAX, lists_only=True)
    assert sorted(have) == ids(with_sum(1, 4))
    assert sorted(need) == ids(with_sum(2, 3))


OURS = RangeIndex(place(number, 3) for number in range(500))
SAID = [
    ranges.initiate(OURS),
    ranges.respond(RangeIndex(place(number, 3) for number in range(0, 600, 2)), ranges.initiate(OURS)),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    message = bytearray(draw(st.sampled_from(SAID)))
    for _ in range(draw(st.integers(min_value=1, max_value=4))):
        at = draw(st.integers(min_value=0, max_value=len(message) - 1))
        cut = draw(st.integers(min_value=0, max_value=3))
        message[at : at + cut] = draw(st.binary(max_size=12))
        message = message or bytearray(b"a")
    return bytes(message)


@settings(deadline=None, max_examples=400)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda data: b"\x61" + data), damaged()))
@example(b"")
@example(b"\x61")
@example(b"\x62")
def test_any_bytes_give_a_message_or_a_protocol_error(data: bytes) -> None:
    for answer in (ranges.respond, lambda *given: ranges.reconcile(*given).message or b""):
        try:
            assert len(answer(OURS, data, 4096)) <= 4096
        except RemoteProtocolError as error:
            assert error.code == "bad_ranges"


@pytest.mark.parametrize("unit", [b"\x01\x00\x00", b"\x01\x00\x01" + bytes(16), b"\x01\x00\x02\x00"])
def test_a_message_full_of_small_ranges_gets_a_small_answer(unit: bytes) -> None:
    data = b"\x61" + unit * ((RANGE_MESSAGE_BYTES_MAX - 1) // len(unit))
    assert len(ranges.respond(OURS, data, 4096)) <= 4096
    step = ranges.reconcile(OURS, data, 4096)
    assert len(step.message or b"") <= 4096
