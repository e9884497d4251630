import pytest

from p2pcommons.errors import LocalProtocolError
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.storage import Key

ONE, TWO = b"\1" + bytes(31), b"\2" + bytes(31)


def test_places_are_ordered_by_time_then_id() -> None:
    index = RangeIndex([(5, TWO), (256, ONE), (5, ONE)])
    assert list(index) == [Key(5, ONE), Key(5, TWO), Key(256, ONE)]
    assert index.key(1) == Key(5, TWO)


def test_ids_are_summed_little_endian() -> None:
    assert RangeIndex([(5, ONE), (6, TWO)]).sum(0, 2) == 3


def test_sums_wrap_at_256_bits() -> None:
    assert RangeIndex([(5, ONE), (6, b"\xff" * 32)]).sum(0, 2) == 0


def test_putting_a_record_twice_changes_nothing() -> None:
    index = RangeIndex([(5, ONE), (5, ONE)])
    index.add([(5, ONE)])
    assert len(index) == 1


def test_taking_what_is_not_there_changes_nothing() -> None:
    index = RangeIndex([(5, ONE)])
    index.discard([(4, ONE), (5, TWO), (9, ONE)])
    assert list(index) == [Key(5, ONE)]


def test_the_empty_index_answers() -> None:
    index = RangeIndex()
    assert (len(index), index.sum(0, 0), index.index_of(b"\xff" * 8), list(index.ids(0, 0))) == (0, 0, 0, [])


@pytest.mark.parametrize("position", [-1, 1])
def test_a_position_outside_is_our_own_fault(position: int) -> None:
    with pytest.raises(LocalProtocolError):
        RangeIndex([(5, ONE)]).item(position)


@pytest.mark.parametrize("key", [(5, b"short"), (-1, ONE), (2**64, ONE)])
def test_what_is_no_place_is_refused(key: tuple[int, bytes]) -> None:
    index = RangeIndex()
    with pytest.raises(LocalProtocolError):
        index.add([key])
    assert len(index) == 0
