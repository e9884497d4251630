"""Laws of the sketch: kept as made anew, and any two sets: exactly what differs, or nothing."""

from collections import Counter
from hashlib import sha256
from itertools import pairwise
from math import isqrt
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommons.core.limits import SKETCH_SYMBOLS_MAX
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync import peeling, sketch
from p2pcommons.sync.estimate import difference, estimate, first_symbols, next_symbols
from p2pcommons.sync.peeling import Peeling
from p2pcommons.sync.sketch import SYMBOL_BYTES, SYMBOLS, Sketch

numbers = st.sets(st.integers(0, 2000), max_size=120)
cuts = st.lists(st.integers(1, 300), min_size=1, max_size=6).map(lambda steps: sorted({*np.cumsum(steps).tolist()}))
# Few bytes and many alike: ids that share 16 of them, or everything.
tight_ids = st.sets(st.builds(lambda a, b: bytes([a]) * 16 + bytes([b]) * 16, st.integers(0, 5), st.integers(0, 3)))


def named(some: set[int]) -> list[bytes]:
    return [sha256(number.to_bytes(4, "big")).digest() for number in sorted(some)]


def read(ours: Sketch, theirs: Sketch, ends: list[int]) -> Peeling:
    peeling = Peeling(ours)
    for first, last in pairwise([0, *ends]):
        if peeling.take(theirs.symbols(first, last)):
            break
    return peeling


@given(numbers, st.randoms(use_true_random=False), cuts)
def test_order_and_grouping_do_not_matter(some: set[int], random: Random, groups: list[int]) -> None:
    ids = named(some)
    random.shuffle(ids)
    kept = Sketch()
    for first, last in pairwise([0, *groups, max(len(ids), *groups)]):
        kept.add(ids[first:last])
    assert kept == Sketch(named(some))


@given(numbers, numbers)
def test_what_is_removed_leaves_no_trace(kept: set[int], gone: set[int]) -> None:
    made = Sketch(named(kept | gone))
    made.discard(named(gone - kept))
    assert made == Sketch(named(kept))


@given(st.sets(st.integers(0, 5000), max_size=200))
def test_one_by_one_and_in_batches_give_the_same(some: set[int]) -> None:
    one_by_one = Sketch()
    for identifier in named(some):
        one_by_one.add([identifier])
    assert one_by_one == Sketch(named(some))


@given(numbers, numbers)
def test_a_copy_keeps_its_moment_and_the_original_too(before: set[int], more: set[int]) -> None:
    kept = Sketch(named(before))
    copy = kept.copy()
    kept.add(named(more - before))
    copy.discard(named(before))
    assert copy == Sketch() and kept == Sketch(named(before | more))


@given(numbers)
def test_a_sketch_comes_back_from_its_symbols(some: set[int]) -> None:
    made = Sketch(named(some))
    again = Sketch.from_bytes(made.symbols())
    assert again == made
    again.add([bytes(32)])
    made.add([bytes(32)])
    assert again == made


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1), st.lists(st.integers(0, 2**32 - 1), min_size=1))
def test_roots_are_exact(any_numbers: list[int], roots: list[int]) -> None:
    squares = [value for root in roots for value in (root * root, max(root * root - 1, 0), root * root + root)]
    values = [*any_numbers, *squares]
    assert sketch._roots(np.array(values, np.uint64)).tolist() == [isqrt(value) for value in values]


@settings(deadline=None)
@given(numbers, numbers, numbers, cuts)
def test_any_two_sets_give_exactly_what_differs_or_nothing(
    both: set[int], one: set[int], other: set[int], ends: list[int]
) -> None:
    ours, theirs = set(named(both | one)), set(named(both | other))
    found = read(Sketch(ours), Sketch(theirs), ends)
    if found.is_whole:
        assert sorted(found.ours) == sorted(identifier[:16] for identifier in ours - theirs)
        assert sorted(found.theirs) == sorted(identifier[:16] for identifier in theirs - ours)
    else:
        assert found.ours == found.theirs == []
        whole = read(Sketch(ours), Sketch(theirs), [SYMBOLS])
        assert whole.is_whole and found.received < 6 * (len(ours ^ theirs) + 2)  # it was only too few symbols


@settings(deadline=None)
@given(tight_ids, tight_ids, cuts)
def test_ids_that_share_their_beginnings_are_told_apart_or_nothing_is(
    ours: set[bytes], theirs: set[bytes], ends: list[int]
) -> None:
    found = read(Sketch(ours), Sketch(theirs), ends)
    surplus = Counter(identifier[:16] for identifier in theirs)
    surplus.subtract(Counter(identifier[:16] for identifier in ours))
    if found.is_whole:
        assert set(surplus.values()) <= {-1, 0, 1}
        assert set(found.theirs) == {item for item, count in surplus.items() if count == 1}
        assert set(found.ours) == {item for item, count in surplus.items() if count == -1}


@settings(deadline=None, max_examples=200)
@given(st.data(), numbers)
def test_what_is_read_from_any_symbols_explains_them_all_and_costs_bounded_work(
    data: st.DataObject, some: set[int]
) -> None:
    own = Sketch(named(some))
    rows = [own.symbols(at, at + 1) for at in range(40)]
    made_up = st.binary(min_size=SYMBOL_BYTES, max_size=SYMBOL_BYTES)
    items = st.integers(0, 3).map(lambda n: named({n + 5000})[0])
    counts = st.sampled_from([0, 1, 2, 255])

    def pure(identifier: bytes, count: int, row: bytes) -> bytes:
        cell = identifier[:16] + sketch.coded(identifier[:16]).check.to_bytes(5, "little")
        mixed = bytes(a ^ b for a, b in zip(cell, row, strict=False))
        return mixed + bytes([(row[-1] + count) % 256])

    given_rows = data.draw(
        st.lists(st.one_of(st.none(), made_up, st.tuples(items, counts)), min_size=1, max_size=len(rows))
    )
    symbols = b"".join(
        row if one is None else one if isinstance(one, bytes) else pure(*one, row)
        for one, row in zip(given_rows, rows, strict=False)
    )
    found = Peeling(own)
    whole = found.take(symbols)
    assert sum(found.balance()) <= len(given_rows)
    if whole:
        own.discard(found.ours)
        own.add(found.theirs)
        assert own.symbols(0, len(given_rows)) == symbols


@pytest.mark.parametrize("pattern", ["one item everywhere", "in turns", "noise"])
def test_a_whole_sketch_made_up_costs_no_more_work_than_an_honest_one(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    step = sketch.Walk.step

    def counted(self: sketch.Walk) -> int:
        nonlocal steps
        steps += 1
        return step(self)

    monkeypatch.setattr(sketch.Walk, "step", counted)
    items = [sha256(bytes([number])).digest()[:16] for number in range(64)]
    cells = [item + sketch.coded(item).check.to_bytes(5, "little") for item in items]
    rows = {
        "one item everywhere": lambda at: cells[0] + b"\x01",
        "in turns": lambda at: cells[at % 64] + bytes([1 if at % 2 else 255]),
        "noise": lambda at: (sha256(at.to_bytes(4, "big")).digest() * 2)[:21] + b"\x01",
    }[pattern]
    assert not Peeling(Sketch()).take(b"".join(rows(at) for at in range(SYMBOLS)))
    assert steps < SYMBOLS * 30


def test_items_chosen_to_lie_in_one_cell_tell_nothing_and_break_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    coded = sketch.coded
    for module in (peeling, sketch):
        monkeypatch.setattr(module, "coded", lambda item: coded(item)._replace(seed=0))
    found = read(Sketch(named({1})), Sketch(named({2, 3})), [SYMBOLS])
    assert not found.is_whole and found.ours == found.theirs == []


@pytest.mark.parametrize("size", [0, 1, 21, 23, SYMBOL_BYTES * (SYMBOLS + 1)])
def test_bytes_that_are_no_symbols_are_refused(size: int) -> None:
    with pytest.raises(RemoteProtocolError, match="bad_sketch"):
        Peeling(Sketch()).take(bytes(size))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 600), st.integers(0, 600), st.integers(0, 2**32))
def test_estimates_are_near_enough_for_a_few_questions(mine: int, theirs: int, seed: int) -> None:
    random = Random(seed)
    one, other = (Sketch([random.randbytes(32) for _ in range(count)]) for count in (mine, theirs))
    guessed = estimate(mine - theirs, difference(one.counts(1, 17), other.counts(1, 17)))
    assert guessed <= 4 * (mine + theirs) + 8
    found, asked = Peeling(one), 1
    up_to = first_symbols(guessed, mine - theirs)
    while not found.take(other.symbols(found.received, up_to)):
        got, gave = found.balance()
        rest = estimate(theirs - mine - got + gave, found.residue()[1:])
        up_to, asked = next_symbols(found.received, got + gave, rest), asked + 1
    assert asked <= 9 and len(found.ours) == mine and len(found.theirs) == theirs
    assert found.received <= min(6 * (mine + theirs) + 64, SKETCH_SYMBOLS_MAX)


@given(st.integers(1, 2048), st.integers(0, 5000), st.integers(0, 5000))
def test_a_question_always_asks_for_enough_more(received: int, found: int, rest: int) -> None:
    asked = next_symbols(received, found, rest)
    assert asked == SKETCH_SYMBOLS_MAX or asked >= received + received // 8 + 1
