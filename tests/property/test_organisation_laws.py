"""Laws of organisations (chapter 21, "Organisations"), and the histories they are there for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random
from unittest.mock import patch

import pytest
from assemblies import assembly_history
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_assembly import read_aloud
from towns import Town, key_of, text_of

from p2pcommons.commons import assembly_bodies as bodies
from p2pcommons.commons import charter_bodies as acts
from p2pcommons.commons import organisation_bodies as organisations
from p2pcommons.commons import pasts
from p2pcommons.commons import removal_bodies as removals
from p2pcommons.commons.assembly import Assembly, assemble
from p2pcommons.commons.ballots import COUNTED
from p2pcommons.commons.charter import judge
from p2pcommons.commons.minutes import minutes, minutes_hash, people_value
from p2pcommons.commons.moderation_bodies import hide
from p2pcommons.core.record import Record
from p2pcommons.errors import FormError

HISTORIES = st.builds(assembly_history, st.integers(0, 2**32), st.integers(20, 60), st.booleans(), st.just(True))
DICE = st.builds(Random, st.integers(0, 2**32))
ALL = ("alice", "bob", "carol", "dave", "erin")


def said(assembly: Assembly) -> tuple[object, ...]:
    return minutes_hash(minutes(assembly)), people_value(assembly)


def organised(town: Town) -> dict[bytes, int]:
    """The organisations, and how many approve."""
    assembly = town.assembly()
    return {person: one.needed for person, one in assembly.organisations.all(assembly.pasts.all).items()}


def codes(town: Town, proposal: Record) -> dict[bytes, str]:
    """What is said of each ballot."""
    minute = next(one for one in minutes(town.assembly()).proposals if one.id == proposal.id)
    return {verdict.id: verdict.code for verdict in minute.ballots}


def fault(town: Town, proposal: Record) -> str | None:
    return town.assembly().cases[proposal.id].fault


@pytest.fixture
def town() -> Town:
    """alice is a steward; dave is an organisation of alice, bob and carol, which acts by two of them."""
    made = Town(*ALL)
    made.declare("dave", ["alice", "bob", "carol"], 2)
    made.meet(*ALL)
    return made


def ballot(proposal: Record, choice: str = "for") -> acts.Made:
    return bodies.cast(proposal.id, text_of("a text"), choice, replaces=[])


def propose(town: Town, by: str, people: Iterable[str] = (), text: str = "a text") -> Record:
    """A proposal that these approve of."""
    assembly = town.assembly(by)
    members = assembly.pasts.members(assembly.pasts.all)
    size = len(set(members.values()))
    made = bodies.propose(
        "text", mode="majority", quorum=assembly.rules().decision("text").quorum(size), k=2, text=text_of(text),
        closers=sorted(set(members.values()))[:3],
    )  # fmt: skip
    return town.write_together(by, made, people)


# -- laws


@given(HISTORIES, DICE)
@settings(max_examples=100, deadline=None)
def test_order_and_duplicates_change_nothing(town: Town, dice: Random) -> None:
    shuffled = list(town.records.values()) + dice.choices(list(town.records.values()), k=4)
    dice.shuffle(shuffled)
    assert said(assemble(shuffled, town.commons)) == said(town.assembly())


@given(HISTORIES, DICE)
@settings(max_examples=80, deadline=None)
def test_taking_records_in_any_grouping_is_folding_anew(town: Town, dice: Random) -> None:
    judged = judge(town.records.values(), town.commons)
    kept = [record for record in town.records.values() if record.id in judged.set_ids]
    at = dice.randrange(len(kept))
    assembly = assemble(kept[:at], town.commons)
    for number, record in enumerate(kept[at:], at + 1):
        if dice.random() < 0.3:
            said(assembly)  # what was asked before changes nothing
        if not assembly.take(record):
            assembly = assemble(kept[:number], town.commons)
    assert said(assembly) == said(assemble(kept, town.commons))


@given(HISTORIES)
@settings(max_examples=60, deadline=None)
def test_a_node_that_knows_no_organisations_holds_the_same_sets(town: Town) -> None:
    judged = judge(town.records.values(), town.commons)
    with patch.object(pasts, "read_declaration", lambda kind, body: None):
        unknowing = judge(town.records.values(), town.commons)
    assert judged.set_ids == unknowing.set_ids
    assert (judged.admitted, judged.purged, judged.heads) == (unknowing.admitted, unknowing.purged, unknowing.heads)


@given(st.builds(assembly_history, st.integers(0, 2**32), st.integers(20, 60), st.just(False), st.just(True)))
@settings(max_examples=100, deadline=None)
def test_folding_is_what_the_rules_say(town: Town) -> None:
    in_set = judge(town.records.values(), town.commons).set_ids
    read, rules = read_aloud([record for record in town.records.values() if record.id in in_set], town.commons)
    assembly = town.assembly()
    assert assembly.rules() == rules
    assert {one: found.fault for one, found in read.items()} == {i: c.fault for i, c in assembly.cases.items()}
    for identifier, found in read.items():
        outcome = assembly.outcome(identifier)
        assert found.root == (None if outcome is None else outcome.root)
        assert found.passed == (outcome is not None and outcome.tally.passed)


@given(HISTORIES)
@settings(max_examples=60, deadline=None)
def test_a_deed_is_approved_by_its_own_past_alone(town: Town) -> None:
    whole = town.assembly()
    for deed in whole.pasts.deeds[-8:]:
        alone = assemble(town.back_to("", deed.id).values(), town.commons)
        if deed.id in {one.id for one in alone.pasts.deeds}:
            record = town.records[deed.id]
            assert whole.organisations.speaks(record, deed.past) == alone.organisations.speaks(
                record, alone.pasts.past(record) or 0
            )


def test_these_histories_reach_what_they_are_there_to_test() -> None:
    reached: Counter[str] = Counter()
    for seed in range(60):
        town = assembly_history(seed, 60, seed % 3 == 0, True)
        assembly = town.assembly()
        for one in minutes(assembly).proposals:
            reached.update([f"fault {one.fault}"])
            reached.update(ballot.code for ballot in one.ballots)
        for organisation in assembly.organisations.all(assembly.pasts.all).values():
            reached["several declarations"] += len(organisation.declared) > 1
            reached["organisations"] += 1
        for deed in assembly.pasts.deeds:
            spoken = assembly.organisations.speaks(town.records[deed.id], deed.past)
            found = assembly.organisations.of(deed.author, deed.past)
            reached["several declarations, approved"] += (
                spoken is True and found is not None and len(found.declared) > 1
            )
            reached[f"{deed.form.__class__.__name__} {spoken}"] += 1
        for ballot in assembly.pasts.ballots.values():
            reached[f"ballot {assembly.pasts.casts(ballot)}"] += 1
    wanted = [
        "fault unapproved", "unapproved", "several declarations", "organisations", "Open True", "Amend True", "Close False",
        "Amend False", "Declare True", "Declare False", "Remove False", "ballot True", "ballot False", "ballot None",
        "several declarations, approved",
    ]  # fmt: skip
    assert {name: reached[name] for name in wanted if reached[name] < 3} == {}, reached


# -- histories


def test_a_ballot_counts_when_as_many_approved_as_the_organisation_asks(town: Town) -> None:
    proposal = propose(town, "erin")
    town.meet(*ALL)
    made = ballot(proposal)
    alone = town.write("dave", made, prev=[proposal.id])
    once = town.write_together("dave", made, ["alice"], prev=[proposal.id])
    assert {codes(town, proposal)[one.id] for one in (alone, once)} == {"unapproved"}
    twice = town.write_together("dave", made, ["alice", "bob"], prev=[proposal.id])
    assert codes(town, proposal)[twice.id] == COUNTED
    assert codes(town, proposal)[once.id] == "unapproved"


def test_who_is_not_named_and_who_approves_of_something_else_help_nothing(town: Town) -> None:
    proposal = propose(town, "erin")
    town.meet(*ALL)
    made = ballot(proposal)
    others = town.write_together("dave", made, ["alice", "erin"], prev=[proposal.id])
    against = town.approve("bob", ballot(proposal, "against"), "dave")
    town.seen["dave"][against.id] = against
    first = town.approve("alice", made, "dave")
    mixed = town.write("dave", made, prev=[proposal.id, first.id, against.id])
    assert {codes(town, proposal)[one.id] for one in (others, mixed)} == {"unapproved"}


def test_an_approval_that_is_not_in_the_past_counts_for_nothing(town: Town) -> None:
    proposal = propose(town, "erin")
    town.meet(*ALL)
    written = town.write("dave", ballot(proposal), prev=[proposal.id])
    town.approve("alice", ballot(proposal), "dave"), town.approve("bob", ballot(proposal), "dave")
    assert codes(town, proposal)[written.id] == "unapproved"


def test_a_member_who_is_no_organisation_names_no_approvals_in_a_ballot(town: Town) -> None:
    proposal = propose(town, "erin")
    town.meet(*ALL)
    written = town.write_together("erin", ballot(proposal), ["alice"], prev=[proposal.id])
    assert codes(town, proposal)[written.id] == "unfit"


def test_a_yes_to_one_organisation_is_none_to_another(town: Town) -> None:
    town.declare("erin", ["alice", "bob"], 2)
    town.meet(*ALL)
    proposal = propose(town, "carol")
    town.meet(*ALL)
    one = town.write_together("dave", ballot(proposal), ["alice", "bob"], prev=[proposal.id])
    town.meet(*ALL)
    yes = [r.id for r in town.records.values() if r.header.kind == "charter.approve"]
    other = town.write("erin", ballot(proposal), prev=[proposal.id, *yes])
    assert (codes(town, proposal)[one.id], codes(town, proposal)[other.id]) == (COUNTED, "unapproved")


def test_one_person_with_two_devices_is_one_person(town: Town) -> None:
    town.device("bob", "mallory")
    town.meet(*ALL, "mallory")
    assert fault(town, propose(town, "dave", ["bob", "mallory"])) == "unapproved"
    assert fault(town, propose(town, "dave", ["mallory", "carol"])) is None


def test_who_rotated_their_key_is_named_still(town: Town) -> None:
    town.rotate("bob", "mallory")
    town.meet(*ALL, "mallory")
    assert fault(town, propose(town, "dave", ["mallory", "alice"])) is None


def test_who_was_removed_approves_no_more_and_the_quorum_stays(town: Town) -> None:
    town.write("alice", removals.remove(key_of("bob").public, keep=True))
    town.meet(*ALL)
    assert fault(town, propose(town, "dave", ["alice", "bob"])) == "unapproved"
    assert fault(town, propose(town, "dave", ["alice", "carol"])) is None


def test_a_proposal_an_amendment_and_an_answer_without_approval_do_nothing(town: Town) -> None:
    assert fault(town, propose(town, "dave")) == "unapproved"
    own = propose(town, "dave", ["alice", "bob"])
    words = bodies.amend(own.id, text=text_of("other"))
    town.write("dave", words)
    assert [one.id for one in town.assembly().cases[own.id].wordings.values()] == [own.id]
    town.meet(*ALL)
    offered = town.write("erin", bodies.amend(own.id, text=text_of("another")))
    town.meet(*ALL)
    town.write("dave", bodies.answer(offered.id, take=True))
    assert town.assembly().offers[offered.id].state == "open"
    town.write_together("dave", bodies.answer(offered.id, take=True), ["carol", "bob"])
    assert town.assembly().offers[offered.id].state == "taken"


def test_an_organisation_leaves_by_its_people(town: Town) -> None:
    dave, made = key_of("dave").public, removals.leave(key_of("dave").public)
    town.write("dave", made)
    assert dave in town.assembly().pasts.members(town.assembly().pasts.all)
    town.write_together("dave", made, ["alice", "bob"])
    assert dave not in town.assembly().pasts.members(town.assembly().pasts.all)


def test_a_steward_that_is_an_organisation_removes_by_its_people() -> None:
    town = Town(*ALL, stewards=[key_of("dave").public])
    town.declare("dave", ["alice", "bob", "carol"], 2)
    town.meet(*ALL)
    made, erin = removals.remove(key_of("erin").public, keep=True), key_of("erin").public
    town.write("dave", made)
    assert erin in town.assembly().pasts.members(town.assembly().pasts.all)
    town.write_together("dave", made, ["bob", "carol"])
    assert erin not in town.assembly().pasts.members(town.assembly().pasts.all)


def test_a_stewards_approval_is_an_organisations_when_its_people_approved_of_the_same() -> None:
    town = Town(*ALL, stewards=[key_of("dave").public], quorum=2)
    town.declare("dave", ["carol", "bob"], 2)
    town.meet(*ALL)
    made, erin = removals.remove(key_of("erin").public, keep=True), key_of("erin").public
    town.write("dave", acts.approve(town.commons, made))
    town.meet("alice", "dave")
    town.write("alice", made)
    assert erin in town.assembly().pasts.members(town.assembly().pasts.all)
    for name in ("bob", "carol"):
        town.approve(name, made, "dave")
    town.meet(*ALL[:4])
    town.write("alice", made)
    assert erin not in town.assembly().pasts.members(town.assembly().pasts.all)


def test_the_rule_says_how_many_at_least(town: Town) -> None:
    town.declare("dave", ["alice", "bob", "carol"], 1, by=["alice", "bob"])
    town.meet(*ALL)
    assert organised(town) == {key_of("dave").public: 2}
    assert fault(town, propose(town, "dave", ["alice"])) == "unapproved"
    change = town.propose("erin", "rule", {"rule": "organisations", "params": {"needed": 1}})
    town.decide(change, ["alice", "bob", "carol", "erin"])
    town.meet(*ALL)
    assert fault(town, propose(town, "dave", ["alice"])) is None


def test_the_people_change_by_the_word_of_those_before(town: Town) -> None:
    town.declare("dave", ["erin"], 1)
    town.declare("dave", ["erin"], 1, by=["alice", "erin"])
    assert organised(town) == {key_of("dave").public: 2}
    assert fault(town, propose(town, "dave", ["erin"])) == "unapproved"
    town.declare("dave", ["alice", "erin"], 2, by=["alice", "carol"])
    town.meet(*ALL)
    assert fault(town, propose(town, "dave", ["erin", "alice"])) is None
    assert fault(town, propose(town, "dave", ["bob", "alice"], text="another")) == "unapproved"


def test_of_two_declarations_that_did_not_know_of_each_other_each_is_satisfied() -> None:
    town = Town(*ALL)
    before = town.heads("dave")
    made = [
        organisations.declare([key_of(name).public for name in some], 2)
        for some in (["alice", "bob"], ["bob", "carol"])
    ]
    for one in made:
        town.write("dave", one, prev=before)
    town.meet(*ALL)
    assert fault(town, propose(town, "dave", ["alice", "bob"])) == "unapproved"
    assert fault(town, propose(town, "dave", ["alice", "bob", "carol"])) is None
    town.declare("dave", ["erin", "bob"], 2, by=["alice", "bob", "carol"])
    town.meet(*ALL)
    assert fault(town, propose(town, "dave", ["erin", "bob"])) is None


def test_of_too_many_declarations_nothing_is_approved() -> None:
    for number, wanted in ((4, None), (5, "unapproved")):
        town = Town(*ALL)
        before = town.heads("dave")
        for quorum in range(number):
            people = [key_of(name).public for name in ALL if name != "dave"]
            town.write("dave", organisations.declare([*people, bytes([quorum]) * 32], 2), prev=before)
        assert fault(town, propose(town, "dave", ["alice", "bob", "carol", "erin"])) == wanted


def test_organisations_speak_for_no_organisation() -> None:
    """Two that name each other, and one that names itself, act by who is left."""
    town = Town(*ALL)
    town.declare("dave", ["dave", "erin", "alice"], 2)
    town.meet(*ALL)
    town.declare("erin", ["dave", "bob", "carol"], 2)
    town.meet(*ALL)
    assert fault(town, propose(town, "dave", ["dave", "erin", "alice"])) == "unapproved"
    assert fault(town, propose(town, "erin", ["dave", "bob"])) == "unapproved"
    assert fault(town, propose(town, "erin", ["carol", "bob"])) is None


def test_who_leaves_and_comes_back_is_bound_by_what_they_declared(town: Town) -> None:
    town.write_together("dave", removals.leave(key_of("dave").public), ["alice", "bob"])
    town.meet(*ALL)
    town.bring("dave")
    town.meet(*ALL)
    assert fault(town, propose(town, "dave")) == "unapproved"
    assert fault(town, propose(town, "dave", ["alice", "bob"])) is None


def test_a_further_key_of_an_organisation_is_the_organisation(town: Town) -> None:
    town.device("dave", "mallory")
    town.meet(*ALL, "mallory")
    assert fault(town, propose(town, "mallory")) == "unapproved"
    assert fault(town, propose(town, "mallory", ["alice", "bob"])) is None


def test_an_organisation_hides_an_entry_by_its_people() -> None:
    town = Town(*ALL, rules={"hide": {"by": "members"}})
    town.declare("dave", ["alice", "bob", "carol"], 2)
    town.meet(*ALL)
    made, entry = hide(bytes([7]) * 32, "spam"), bytes([7]) * 32
    town.write("dave", made)
    assert judge(town.records.values(), town.commons).hidden == frozenset()
    town.write_together("dave", made, ["bob", "carol"])
    assert judge(town.records.values(), town.commons).hidden == {entry}


def test_a_closing_needs_nobodys_approval(town: Town) -> None:
    proposal = town.propose("erin", closers=["dave", "alice", "bob"])
    town.meet(*ALL)
    for name in ("alice", "bob", "carol"):
        town.vote(name, proposal)
    town.meet(*ALL)
    town.close("dave", proposal)
    town.close("alice", proposal)
    outcome = town.assembly().outcome(proposal.id)
    assert outcome is not None and outcome.tally.passed


def test_what_a_stranger_declares_counts_for_nothing(town: Town) -> None:
    town.seen["mallory"] = dict(town.seen["alice"])
    town.declare("mallory", ["alice"], 1)
    assert list(organised(town)) == [key_of("dave").public]


def test_what_cannot_be_declared_is_refused_before_it_is_signed() -> None:
    for people, quorum in (([], 1), ([bytes(32)], 0), ([bytes(32)], 2), ([bytes([at]) * 32 for at in range(25)], 1)):
        with pytest.raises(FormError, match="organisation"):
            organisations.declare(people, quorum)
