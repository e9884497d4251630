from bisect import bisect_left
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommons.sync.range_index import RangeIndex, item_of

SIZE = 1500


def key(number: int) -> tuple[int, bytes]:
    """A place whose order is not the order of numbers, four to a time."""
    return number * 7919 % SIZE // 4, sha256(number.to_bytes(8, "big")).digest()


numbers = st.integers(min_value=0, max_value=SIZE - 1)
runs = st.tuples(numbers, st.integers(min_value=0, max_value=600), st.integers(min_value=1, max_value=9)).map(
    lambda run: [key(number) for number in range(run[0], min(run[0] + run[1], SIZE), run[2])]
)
changes = st.lists(st.tuples(st.booleans(), runs), max_size=8)


def play(changes: list[tuple[bool, list[tuple[int, bytes]]]]) -> tuple[RangeIndex, list[bytes]]:
    index, model = RangeIndex(), set()
    for adds, keys in changes:
        items = {item_of(*place) for place in keys}
        if adds:
            index.add(keys)
            model |= items
        else:
            index.discard(keys)
            model -= items
    return index, sorted(model)


@given(changes)
def test_any_changes_give_what_a_rebuild_gives(done: list[tuple[bool, list[tuple[int, bytes]]]]) -> None:
    index, model = play(done)
    assert len(index) == len(model)
    assert [item_of(*place) for place in index] == model
    assert [index.item(position) for position in range(len(model))] == model
    rebuilt = RangeIndex(index)
    assert list(rebuilt) == list(index)
    assert rebuilt.sum(0, len(model)) == index.sum(0, len(model))


@given(changes, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12))
def test_sums_and_ids_of_any_stretch_are_those_of_a_plain_list(
    done: list[tuple[bool, list[tuple[int, bytes]]]], stretches: list[tuple[float, float]]
) -> None:
    index, model = play(done)
    for start, end in stretches:
        lower, upper = int(start * len(model)), int(end * len(model))
        ids = [item[8:] for item in model[lower:upper]]
        assert list(index.ids(lower, upper)) == ids
        assert index.sum(lower, upper) == sum(int.from_bytes(i, "little") for i in ids) % 2**256


@given(changes, st.lists(st.tuples(numbers, st.integers(min_value=0, max_value=32)), min_size=1, max_size=12))
def test_a_bound_lies_behind_all_that_is_smaller(
    done: list[tuple[bool, list[tuple[int, bytes]]]], bounds: list[tuple[int, int]]
) -> None:
    index, model = play(done)
    for number, length in bounds:
        bound = item_of(*key(number))[: 8 + length]
        assert index.index_of(bound) == bisect_left(model, bound.ljust(40, b"\0"))
    assert index.index_of(bytes(8)) == 0
    assert index.index_of(b"\xff" * 8) == len(model)


@given(changes, runs)
def test_a_copy_keeps_its_moment(
    done: list[tuple[bool, list[tuple[int, bytes]]]], more: list[tuple[int, bytes]]
) -> None:
    index, model = play(done)
    kept = index.copy()
    index.add(more)
    index.discard(more[::2])
    assert [item_of(*place) for place in kept] == model
    kept.discard(kept.key(position) for position in range(len(model)))
    assert len(kept) == 0
    assert len(index) >= len(more[1::2])


@settings(max_examples=20)
@given(st.integers(min_value=1, max_value=300))
def test_appending_in_any_batches_is_appending_at_once(batch: int) -> None:
    keys = sorted(key(number) for number in range(SIZE))
    index = RangeIndex()
    for start in range(0, SIZE, batch):
        index.add(keys[start : start + batch])
        if start % 3 == 0:
            len(index)  # asking in between changes nothing
    assert list(index) == keys
    assert index.sum(0, SIZE) == RangeIndex(keys).sum(0, SIZE)
