from collections.abc import Sequence
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.sync import digest

ids = st.lists(st.binary(min_size=32, max_size=32), unique=True, max_size=140)
sums = st.lists(st.binary(min_size=32, max_size=32), max_size=12)


@given(ids, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(given_ids: list[bytes], random: Random) -> None:
    shuffled = list(given_ids)
    random.shuffle(shuffled)
    assert digest.add(digest.EMPTY, given_ids) == digest.add(digest.EMPTY, shuffled)


@given(ids, st.lists(st.integers(min_value=0, max_value=140), max_size=5))
def test_grouping_does_not_matter(given_ids: list[bytes], cuts: Sequence[int]) -> None:
    state, places = digest.EMPTY, [0, *sorted(cuts), len(given_ids)]
    for start, end in pairwise(places):
        state = digest.add(state, given_ids[start:end])
    assert state == digest.add(digest.EMPTY, given_ids)


@given(ids, ids)
def test_what_is_removed_leaves_no_trace(kept: list[bytes], gone: list[bytes]) -> None:
    gone = [identifier for identifier in gone if identifier not in set(kept)]
    state = digest.add(digest.EMPTY, kept)
    assert digest.remove(digest.add(state, gone), gone) == state


@given(ids, ids)
def test_different_sets_have_different_digests(one: list[bytes], other: list[bytes]) -> None:
    states = [digest.published(digest.add(digest.EMPTY, given_ids)) for given_ids in (one, other)]
    assert (states[0] == states[1]) == (set(one) == set(other))


@given(sums, sums)
def test_the_sum_of_views_forgets_what_is_replaced(kept: list[bytes], replaced: list[bytes]) -> None:
    total = digest.add_views(0, added=kept)
    assert digest.add_views(digest.add_views(total, added=replaced), removed=replaced) == total
    assert 0 <= total < 2**256
