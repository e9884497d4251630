from hashlib import sha256, shake_128

import pytest

from p2pcommons.errors import LocalProtocolError
from p2pcommons.sync import digest
from p2pcommons.sync.storage import SetState

ALICE, BOB = bytes(32), b"\xff" * 32


def lanes_by_hand(*ids: bytes) -> list[int]:
    lanes = [0] * 1024
    for identifier in ids:
        expanded = shake_128(b"p2pcommons set v1\0" + identifier).digest(2048)
        for lane in range(1024):
            lanes[lane] = (lanes[lane] + expanded[2 * lane] + 256 * expanded[2 * lane + 1]) % 65536
    return lanes


def test_the_lanes_are_what_chapter_30_says() -> None:
    state = digest.add(digest.EMPTY, [ALICE, BOB])
    assert state.count == 2
    assert state.lanes == b"".join(lane.to_bytes(2, "little") for lane in lanes_by_hand(ALICE, BOB))


def test_the_empty_set_has_a_digest() -> None:
    assert digest.published(digest.EMPTY) == sha256(bytes(8) + bytes(2048)).digest()


def test_the_published_digest_holds_the_count() -> None:
    state = digest.add(digest.EMPTY, [ALICE])
    assert digest.published(state) == sha256((1).to_bytes(8, "big") + state.lanes).digest()
    assert digest.published(state) != digest.published(SetState(2, state.lanes))


def test_a_batch_boundary_changes_nothing() -> None:
    ids = [sha256(bytes([i])).digest() for i in range(130)]
    state = digest.add(digest.EMPTY, ids)
    one_by_one = digest.EMPTY
    for identifier in ids:
        one_by_one = digest.add(one_by_one, [identifier])
    assert state == one_by_one
    assert state.lanes == b"".join(lane.to_bytes(2, "little") for lane in lanes_by_hand(*ids))


def test_the_fingerprint_tells_the_planes_apart() -> None:
    one, two = digest.published(digest.EMPTY), digest.published(digest.add(digest.EMPTY, [ALICE]))
    assert digest.fingerprint(one, two) == sha256(b"p2pcommons both v1\0" + one + two).digest()
    assert digest.fingerprint(one, two) != digest.fingerprint(two, one)


def test_the_state_check_is_over_vocabulary_charter_and_views() -> None:
    assert digest.state(3, ALICE, 5) == sha256(b"\0\0\0\3" + ALICE + bytes(31) + b"\5").digest()


def test_more_cannot_be_taken_than_is_there() -> None:
    with pytest.raises(LocalProtocolError) as raised:
        digest.remove(digest.EMPTY, [ALICE])
    assert raised.value.code == "bad_count"


def test_a_state_of_another_size_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        digest.add(SetState(0, b"\0\0"), [ALICE])
