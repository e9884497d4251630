"""What governing costs where somebody writes as much as they can: steps are counted, no time is measured."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from assemblies import assembly_history
from assembly_speed import Large
from towns import Town, key_of, text_of

from p2pcommons.commons import assembly_bodies as bodies
from p2pcommons.commons import charter_bodies as acts
from p2pcommons.commons import organisation_bodies as organisations
from p2pcommons.commons import removal_bodies as removals
from p2pcommons.commons.assembly import assemble
from p2pcommons.commons.charter import judge
from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.closings import Wording
from p2pcommons.commons.minutes import minutes
from p2pcommons.core.record import Record

GROWTH = 2.5  # of steps where there are twice as many records


def steps(work: Callable[[], object]) -> int:
    """How many lines and calls of the folds of commons a piece of work passes through."""
    count = 0

    def trace(frame: Any, event: str, _argument: object) -> Any:
        nonlocal count
        if "p2pcommons/commons" not in frame.f_code.co_filename:
            return None
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def growth(make: Callable[[int], Large], fold: Callable[[Large], object], size: int) -> float:
    """Steps for twice as many, by steps for this many."""
    small, large = make(size), make(2 * size)
    fold(small), fold(large)  # bodies are read once
    return steps(lambda: fold(large)) / steps(lambda: fold(small))


def whole(town: Large) -> object:
    return minutes(assemble(town.records, town.commons))


def judged(town: Large) -> object:
    return judge(town.records, town.commons)


def proposed_on_a_past_of_few(size: int) -> Large:
    """Half of them on a past in which two had joined, half on one that is large enough to outgrow each of those."""
    town = Large(9)
    early = next(record.id for record in town.records if record.header.kind == "member.join")
    few = [key_of(name).public for name in town.names[:2]]
    for number in range(size):
        closers, prev = (few, [early]) if number < size // 2 else (town.keys, town.heads)
        made = bodies.propose("text", mode="majority", quorum=1, closers=closers, k=2, text=text_of("a"))
        town.write(town.names[1], made, prev, head=False)
    return town


def amended(size: int) -> Large:
    town = Large(5)
    made = bodies.propose("text", mode="majority", quorum=1, closers=town.keys, k=2, text=text_of("a"))
    proposal = town.write(town.names[1], made, town.heads)
    for number in range(size):
        town.write(town.names[1], bodies.amend(proposal.id, text=text_of(str(number))), town.heads)
    return town


def removed(size: int) -> Large:
    """One person, again and again, by a steward who says to know of nothing."""
    town = Large(5)
    heads = list(town.heads)
    for _ in range(size):
        town.write(town.names[0], removals.remove(key_of(town.names[1]).public, keep=True), heads, head=False)
    return town


def removed_each_other(size: int) -> Large:
    """Two stewards, each the other, again and again."""
    town = Large(5)
    town.write(town.names[0], acts.name_stewards(add=[key_of(town.names[1]).public]), town.heads)
    heads = list(town.heads)
    for number in range(size):
        one, other = town.names[number % 2], town.names[1 - number % 2]
        town.write(one, removals.remove(key_of(other).public, keep=True), heads, head=False)
    return town


def kept(size: int) -> Large:
    """A steward lets one record after another of a former member count."""
    town = Large(5)
    town.write(town.names[0], removals.remove(key_of(town.names[1]).public, keep=False), town.heads)
    for number in range(size):
        town.write(town.names[0], removals.keep([text_of(str(number))]), town.heads)
    return town


def left(size: int) -> Large:
    """One person, again and again."""
    town = Large(5)
    heads = list(town.heads)
    for _ in range(size):
        town.write(town.names[2], removals.leave(key_of(town.names[2]).public), heads, head=False)
    return town


def declared_in_a_row(size: int) -> Large:
    """One organisation, each time with the approval of its one person, and a proposal of which nobody approves."""
    town = Large(5)
    for number in range(size):
        made = organisations.declare([key_of(town.names[2]).public, text_of(str(number))], 1)
        town.write(
            town.names[2], organisations.approve_for(town.commons, key_of(town.names[1]).public, made), town.heads
        )
        town.write(town.names[1], made, town.heads)
        town.write(town.names[1], _question(town), town.heads)
    return town


def declared_apart(size: int) -> Large:
    """One organisation, by a member who says to know of nothing, and what it proposes on top of all of that."""
    town = Large(5)
    heads, said = list(town.heads), []
    for number in range(size):
        made = organisations.declare([key_of(town.names[2]).public, text_of(str(number))], 1)
        said.append(town.write(town.names[1], made, heads, head=False).id)
        if len(said) == 31:
            town.heads = [town.write(town.names[2], bodies.seen(), [*said, *town.heads]).id]
            said.clear()
        town.write(town.names[1], _question(town), town.heads, head=False)
    return town


def approved_again_and_again(size: int) -> Large:
    """One act, as often approved of by one person as it is written by an organisation that needs two."""
    town = Large(5)
    people = [key_of(name).public for name in town.names[2:4]]
    town.write(town.names[1], organisations.declare(people, 2), town.heads)
    made = _question(town)
    for _ in range(size):
        town.write(
            town.names[2], organisations.approve_for(town.commons, key_of(town.names[1]).public, made), town.heads
        )
        town.write(town.names[1], made, town.heads)
    return town


def voted_by_organisations(size: int) -> Large:
    """Ballots of one organisation, each with an approval of its own."""
    town = Large(5)
    people = [key_of(name).public for name in town.names[2:4]]
    town.write(town.names[1], organisations.declare(people, 2), town.heads)
    proposal = town.write(town.names[2], _question(town), town.heads)
    for number in range(size):
        made = bodies.cast(proposal.id, text_of("a"), "for", replaces=[text_of(str(number))])
        approval = town.write(
            town.names[2], organisations.approve_for(town.commons, key_of(town.names[1]).public, made), town.heads
        )
        town.write(town.names[1], made, [proposal.id, approval.id], head=False)
    return town


def _question(town: Large) -> Made:
    return bodies.propose("text", mode="majority", quorum=1, closers=town.keys, k=2, text=text_of("a"))


@pytest.mark.parametrize(
    ("make", "fold", "size"),
    [
        (proposed_on_a_past_of_few, whole, 60), (amended, whole, 300), (removed, judged, 60),
        (removed_each_other, judged, 60), (kept, judged, 300), (left, judged, 60),
        (declared_in_a_row, whole, 100), (declared_apart, whole, 250), (approved_again_and_again, whole, 100),
        (voted_by_organisations, whole, 100),
    ],
)  # fmt: skip
def test_twice_as_many_records_of_one_member_take_about_twice_the_steps(
    make: Callable[[int], Large], fold: Callable[[Large], object], size: int
) -> None:
    assert growth(make, fold, size) < GROWTH


def test_the_current_wordings_are_those_that_no_other_came_after() -> None:
    town = Town("alice", "bob")
    proposal = town.propose("alice")
    first = town.write("alice", bodies.amend(proposal.id, text=text_of("one")))
    second = town.write("alice", bodies.amend(proposal.id, text=text_of("two")), prev=[proposal.id])
    case = town.assembly().cases[proposal.id]
    assert {one.id for one in case.current(town.assembly().pasts.all)} == {first.id, second.id}
    assert all(isinstance(one, Wording) for one in case.wordings.values())


# -- going round


def test_a_readmitted_persons_records_are_asked_for_within_the_past_in_question_alone() -> None:
    """What was written since a vote had closings in its past that asked for that past again, without an end."""
    town = assembly_history(1139, 60, True)
    found = judge(town.records.values(), town.commons)
    assert found.digest == judge(reversed(town.records.values()), town.commons).digest


def test_votes_on_one_person_that_rest_on_each_other_in_a_long_row_are_no_deeper_than_a_few() -> None:
    town = _voted_in_a_row(36)
    folded = assemble(town.records.values(), town.commons)
    last = town.write("alice", removals.leave(key_of("carol").public))
    with _room_for(220):
        folded.take(last)
        folded.removals.within(folded.pasts.all)
        judge(town.records.values(), town.commons)


def test_removals_by_a_steward_that_is_an_organisation_in_a_long_row_are_no_deeper_than_a_few() -> None:
    """Whether its people approved is asked once, when each removal is settled, and not of one for the sake of another."""
    names = ["alice", "bob", "carol", "dave", "erin"]
    town = Town(*names, stewards=[key_of("dave").public], quorum=2)
    town.declare("dave", ["bob", "carol"], 2)
    town.meet(*names)
    for number in range(60):
        made = removals.remove(key_of("erin").public, {(text_of(str(number)), 1): []}, keep=True)
        for name in ("bob", "carol"):
            town.approve(name, made, "dave")
        town.write("dave", acts.approve(town.commons, made))
        town.meet(*names[:4])
        town.write("alice", made)
        town.meet(*names[:4])
    folded = assemble(town.records.values(), town.commons)
    last = town.write("alice", removals.leave(key_of("alice").public))
    with _room_for(220):
        folded.take(last)
        folded.removals.within(folded.pasts.all)
        folded.organisations.all(folded.pasts.all)
        judge(town.records.values(), town.commons)


def _voted_in_a_row(count: int) -> Town:
    """Proposals to admit somebody again, none knowing of the others, each closed on top of the one before."""
    names = ["alice", "bob", "carol"]
    town = Town(*names, "dave")
    town.write("alice", removals.remove(key_of("dave").public, keep=True))
    past = town.heads("alice")
    proposals: list[Record] = [
        town.propose("alice", "admit", {"person": key_of("dave").public}, prev=past) for _ in range(count)
    ]
    town.meet(*names)
    for proposal in proposals:
        for name in names:
            town.vote(name, proposal)
    town.meet(*names)
    for proposal in proposals:
        for name in names:
            town.close(name, proposal)
        town.meet(*names)
    return town


@contextmanager
def _room_for(calls: int) -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + calls)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
