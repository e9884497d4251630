"""Laws of the sets of chapter 21, over random histories with hostile members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from random import Random

from histories import History, history, rules
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommons.commons.charter import Charter, judge
from p2pcommons.core.record import Record

HISTORIES = st.builds(history, st.integers(0, 2**32), st.integers(5, 60))
DICE = st.builds(Random, st.integers(0, 2**32))


def seen(charter: Charter) -> Charter:
    """All that a charter says but what it says of records still waiting."""
    return replace(charter, ungrounded=frozenset(), missing=frozenset())


@given(HISTORIES)
@settings(max_examples=300, deadline=None)
def test_judging_is_what_the_rules_say(made: History) -> None:
    judged, read = judge(made.records, made.commons), rules(made.records, made.commons)
    assert judged.set_ids == read.set_ids
    assert judged.admitted == read.admitted
    assert judged.ungrounded == read.ungrounded
    assert judged.missing == read.missing
    assert judged.stewards == read.stewards
    assert judged.quorum == read.quorum


@given(HISTORIES, DICE)
@settings(deadline=None)
def test_order_and_duplicates_never_matter(made: History, dice: Random) -> None:
    shuffled = made.records + dice.choices(made.records, k=5)
    dice.shuffle(shuffled)
    assert judge(shuffled, made.commons) == judge(made.records, made.commons)


@given(HISTORIES)
@settings(deadline=None)
def test_other_planes_and_other_commons_never_matter(made: History) -> None:
    own = [
        r for r in made.records if r.header.plane == 0 and (r.header.commons == made.commons or r.id == made.commons)
    ]
    assert judge(own, made.commons) == judge(made.records, made.commons) == judge(own)


@given(HISTORIES, DICE)
@settings(max_examples=200, deadline=None)
def test_what_is_dropped_never_changes_sets_or_views(made: History, dice: Random) -> None:
    judged = judge(made.records, made.commons)
    kept = [r for r in made.records if r.id in judged.set_ids]
    dropped = [r for r in made.records if r.id not in judged.set_ids]
    assert seen(judge(kept, made.commons)) == seen(judged)
    some = dice.sample(dropped, dice.randint(0, len(dropped)))
    assert seen(judge(kept + some, made.commons)) == seen(judged)


@given(HISTORIES, DICE)
@settings(deadline=None)
def test_a_record_is_grounded_as_soon_as_its_past_is_here_and_for_ever(made: History, dice: Random) -> None:
    grounded = rules(made.records, made.commons).grounded
    arriving = list(made.records)
    dice.shuffle(arriving)
    here: list[Record] = []
    past: dict[bytes, frozenset[bytes]] = {}
    for record in made.records:  # every one's whole past, by id, whether here or not
        past[record.id] = frozenset(record.header.prev).union(*(past.get(p, frozenset()) for p in record.header.prev))
    for record in arriving:
        here.append(record)
        ids = {r.id for r in here}
        whole = {i for i in ids & grounded if past[i] <= ids}
        assert rules(here, made.commons).grounded == whole
        assert not judge(here, made.commons).ungrounded & whole


class Replica:
    """Holds its set and, apart, what waits for its past; drops everything else. What a node does, on one page."""

    def __init__(self, commons: bytes) -> None:
        self.commons = commons
        self.charter = judge([], commons)
        self.held: dict[bytes, Record] = {}
        self.waiting: dict[bytes, Record] = {}

    def take(self, records: Iterable[Record]) -> None:
        known = {**self.held, **self.waiting, **{r.id: r for r in records}}
        self.charter = judge(known.values(), self.commons)
        self.held = {i: known[i] for i in self.charter.set_ids}
        self.waiting = {i: known[i] for i in self.charter.ungrounded}


def give(giver: Replica, taker: Replica, dice: Random) -> None:
    """One stream: what the other lacks, in any order, some twice, judged together or, harsher, in any grouping."""
    lacking = [record for i, record in giver.held.items() if i not in taker.held]
    lacking += dice.choices(lacking, k=2) if lacking else []
    dice.shuffle(lacking)
    while lacking:
        size = dice.choice([len(lacking), dice.randint(1, len(lacking))])
        taker.take(lacking[:size])
        lacking = lacking[size:]


def meet(one: Replica, other: Replica, dice: Random) -> int:
    """Sessions until nothing is left to say; how many it took."""
    for rounds in range(20):
        if one.held.keys() == other.held.keys():
            return rounds
        give(one, other, dice)
        give(other, one, dice)
    raise AssertionError("two nodes went on exchanging without coming to an end")


@given(HISTORIES, DICE, st.integers(2, 4))
@settings(max_examples=250, deadline=None)
def test_after_exchange_sets_keys_and_views_are_equal(made: History, dice: Random, count: int) -> None:
    replicas = [Replica(made.commons) for _ in range(count)]
    for record in made.records:
        for replica in dice.sample(replicas, dice.randint(1, count)):
            replica.take([record])
    for _ in range(10):
        dice.shuffle(replicas)
        for one, other in pairwise(replicas):
            meet(one, other, dice)
            assert seen(one.charter) == seen(other.charter)
        if len({frozenset(replica.held) for replica in replicas}) == 1:
            break
    assert len({replica.charter.digest for replica in replicas}) == 1
    assert len({replica.charter.admitted for replica in replicas}) == 1
    assert len({replica.charter.heads for replica in replicas}) == 1
    for replica in replicas:
        assert seen(judge(replica.held.values(), made.commons)) == seen(replica.charter)


def test_these_histories_reach_what_they_are_there_to_test() -> None:
    reached: Counter[str] = Counter()
    for seed in range(150):
        made = history(seed, 45)
        read, judged = rules(made.records, made.commons), judge(made.records, made.commons)
        kind = {r.id: r.header.kind for r in made.records}
        reached["out of the set though grounded"] += bool(read.grounded - read.set_ids)
        reached["in the set by a child only"] += any(
            r.id in read.set_ids - read.valid and r.header.author not in read.admitted for r in made.records
        )
        reached["waiting"] += bool(read.ungrounded)
        reached["cut doors"] += bool(read.cut)
        reached["valid purges"] += sum(kind[i] == "member.purge" for i in read.valid)
        reached["valid acts on stewards"] += sum(kind[i] == "charter.stewards" for i in read.valid)
        reached["acts without their right"] += sum(
            kind[i] in ("member.purge", "charter.stewards") for i in read.grounded - read.valid
        )
        reached["persons of several keys"] += any(len(member.keys) > 1 for member in judged.members)
        reached["erased by stewards"] += bool(judged.erased)
        reached["erased by others"] += bool(judged.erased_own)
        reached["a quorum of more than one"] += judged.quorum > 1
        reached["everybody gone"] += not judged.admitted
    assert {name for name, count in reached.items() if count < 5} == set(), reached
