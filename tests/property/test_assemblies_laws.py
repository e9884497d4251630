"""What a node keeps of an assembly between two looks is what it would fold anew."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from assembly_speed import Large
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.charter import judge
from p2pcommons.commons.minutes import minutes_hash
from p2pcommons.core.record import Record
from p2pcommons.node.assemblies import Folded, ancestors_first
from p2pcommons.store.reading import SqliteReader


class Sealed(NamedTuple):
    record: Record


class Shelf:
    """The one thing that a folded assembly asks of a reader."""

    def __init__(self, records: list[Record]) -> None:
        self._records = {record.id: record for record in records}

    def sealed(self, ids: Any) -> list[Sealed]:
        return [Sealed(self._records[one]) for one in ids]


def _history() -> list[Record]:
    large = Large(5)
    for number in range(3):
        large.change(number, 4)
    return large.records


HISTORY = _history()
COMMONS = HISTORY[0].id


@given(st.sets(st.integers(1, len(HISTORY)), min_size=2, max_size=6))
def test_an_assembly_that_grew_by_steps_is_the_one_folded_at_once(steps: set[int]) -> None:
    first, *later = sorted(steps)
    reader = cast("SqliteReader", Shelf(HISTORY))
    grown = Folded(HISTORY[:first], judge(HISTORY[:first], COMMONS))
    for step in later:
        charter = judge(HISTORY[:step], COMMONS)
        fresh = Folded(HISTORY[:step], charter)
        if not grown.come_to(reader, charter.set_ids):
            grown = fresh  # somebody was let in: the node folds anew as well
        assert minutes_hash(grown.minutes) == minutes_hash(fresh.minutes)
        assert grown.come_to(reader, charter.set_ids), "nothing new"


@given(st.randoms(use_true_random=False))
def test_ancestors_come_first_whatever_the_order(random: Any) -> None:
    shuffled = list(HISTORY)
    random.shuffle(shuffled)
    placed: set[bytes] = set()
    for record in ancestors_first({record.id: record for record in shuffled}):
        assert placed.issuperset(record.header.prev)
        placed.add(record.id)
    assert len(placed) == len(HISTORY)
