"""Assemblies as they might go, with people who cheat: honest nodes agree on the outcome and can name the reason."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from towns import TOKEN, Town, key_of, text_of

from p2pcommons.commons import assembly_bodies as bodies
from p2pcommons.commons import charter_bodies as acts
from p2pcommons.commons import removal_bodies as removals
from p2pcommons.commons.assembly import Assembly, assemble
from p2pcommons.commons.charter import judge
from p2pcommons.commons.matters import read_effect
from p2pcommons.commons.minutes import Minute, Revision, minutes, minutes_hash, revised
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.record import Record
from p2pcommons.errors import FormError

FREE = {"rule": "licence", "params": {"expression": "CC0-1.0"}}
YEAR_MINUTES = 366 * 24 * 60


def minute(town: Town, proposal: Record, person: str | None = None) -> Minute:
    return next(one for one in minutes(town.assembly(person)).proposals if one.id == proposal.id)


def codes(one: Minute) -> Counter[str]:
    return Counter(verdict.code for verdict in one.ballots)


def closers(town: Town, proposal: Record, people: list[str]) -> list[str]:
    case = town.assembly().cases[proposal.id]
    return [name for name in people if case.electors.get(key_of(name).public) in case.closers]


@pytest.mark.parametrize("cut", [5, 20, 30])
def test_fifty_people_cut_off_from_each_other_across_the_closing_agree(cut: int) -> None:
    people = ["alice", *(f"person {number}" for number in range(49))]
    town = Town(*people, rules={"decide.rule": {"heads": 1, "percent": 33}})
    proposal = town.propose("alice", "rule", FREE)
    town.meet(*people)
    closing = closers(town, proposal, people)
    here = [*closing, *(name for name in people if name not in closing)][:-cut]
    there = [name for name in people if name not in here]
    for number, person in enumerate(people):
        town.vote(person, proposal, "against" if number % 5 == 0 else "for")
    double = here[10]
    town.vote(double, proposal, "abstain")
    town.device(here[11], "second device")
    town.vote("second device", proposal, "against", prev=[town.records[town.last[key_of(here[11]).public]].id])
    stranger_prev = [proposal.id]
    town.seen["mallory"] = dict(town.seen["alice"])
    admitted_themselves = town.write(
        "mallory", bodies.cast(proposal.id, text_of("a text"), "against"), prev=stranger_prev
    )
    town.meet(*here, "second device")
    for name in closing:
        town.close(name, proposal)
    town.meet(*here)
    before = minute(town, proposal, here[0])
    assert before.state == "passed" and before.in_force
    town.meet(*people)
    found = [minutes_hash(minutes(town.assembly(person))) for person in (people[0], people[7], people[49])]
    assert len(set(found)) == 1
    after = minute(town, proposal, there[0])
    assert after.state == "passed" and after.tally == before.tally
    assert len(after.late) == len(there)
    assert codes(after)["double"] >= 2
    assert admitted_themselves.id not in {verdict.id for verdict in after.ballots}
    assert after.electorate == 50


def test_two_ballots_of_a_thief_and_an_owner_who_both_rotate_are_void_and_shown() -> None:
    town = Town("alice", "bob", "carol", "dave")
    proposal = town.propose("alice")
    everybody = ["alice", "bob", "carol", "dave"]
    town.meet(*everybody)
    own, stolen = town.rotate("bob", "bob's new key"), town.rotate("bob", "thief")
    town.vote("bob's new key", proposal, "for", prev=[own.id])
    town.vote("thief", proposal, "against", prev=[stolen.id])
    town.vote("carol", proposal, "for")
    town.meet(*everybody, "bob's new key", "thief")
    for name in closers(town, proposal, everybody):
        town.close(name, proposal)
    found = minute(town, proposal)
    assert codes(found) == {"counted": 1, "double": 2}
    assert found.state == "passed"


def test_a_backdated_ballot_counts_as_any_and_one_nobody_gathered_is_listed() -> None:
    town = Town("alice", "bob", "carol")
    proposal = town.propose("alice", closes_ms=1, opens_ms=0)
    town.meet("alice", "bob", "carol")
    town.minutes -= 1000
    early = town.vote("bob", proposal, "for")
    town.minutes += 10 * YEAR_MINUTES
    town.meet("alice", "bob")
    for name in closers(town, proposal, ["alice", "bob"]):
        town.close(name, proposal)
    late = town.vote("carol", proposal, "against")
    town.meet("alice", "bob", "carol")
    for name in closers(town, proposal, ["carol"]):
        town.close(name, proposal, without=[late.id])
    found = minute(town, proposal)
    assert found.state == "passed"
    assert early.id not in found.late
    assert found.late == (late.id,)


def test_a_closer_who_closes_twice_undoes_only_their_own_word_and_is_named() -> None:
    town = Town("alice", "bob", "carol", "dave")
    everybody = ["alice", "bob", "carol", "dave"]
    proposal = town.propose("alice", "rule", FREE)
    town.decide(proposal, everybody)
    assert minute(town, proposal).in_force
    names = closers(town, proposal, everybody)
    town.close(names[0], proposal, claim=lambda ids: ids[1:], prev=[proposal.id])  # on an old past, after the fact
    found = minute(town, proposal)
    assert found.state == "passed" and found.in_force
    assert found.equivocators == (key_of(names[0]).public,)
    before = minutes(town.assembly())
    town.close(names[1], proposal, claim=lambda ids: ids[1:], prev=[proposal.id])
    assert revised(before, minutes(town.assembly())) == [Revision(proposal.id, "equivocation")]
    found = minute(town, proposal)
    assert found.state == "open" and not found.in_force
    assert set(found.equivocators) == {key_of(name).public for name in names[:2]}
    assert town.assembly().rules().params("licence")["expression"] == ""


def apart(town: Town, proposal: Record, names: list[str]) -> None:
    """Each closes over their own ballot alone, and on a past without the others' closings."""
    own = {name: town.vote(name, proposal).id for name in names if proposal.id in town.seen[name]}
    for name in names:
        town.close(name, proposal, without=[ballot for other, ballot in own.items() if other != name])
    town.meet(*names)


def test_closers_who_closed_apart_close_once_more_together_and_nobody_is_blamed() -> None:
    town = Town("alice", "bob", "carol")
    everybody = ["alice", "bob", "carol"]
    proposal = town.propose("alice", "rule", FREE)
    town.meet(*everybody)
    apart(town, proposal, everybody)
    found = minute(town, proposal)
    assert (found.state, found.round, found.equivocators) == ("open", 2, ())
    for name in everybody:  # cut off once more
        town.close(
            name, proposal, without=[ballot.id for ballot in found.ballots if ballot.elector != key_of(name).public]
        )
    town.meet(*everybody)
    found = minute(town, proposal)
    assert (found.state, found.round, found.equivocators) == ("open", 3, ())
    for name in ("alice", "carol"):
        town.close(name, proposal)
        town.meet(*everybody)
    found = minute(town, proposal)
    assert found.state == "passed" and found.in_force and found.equivocators == ()
    assert found.outcome is not None and {closing.round for closing in found.outcome.closings} == {3}


def test_a_round_in_which_somebody_may_still_agree_is_not_stuck_and_a_second_word_in_it_is_double() -> None:
    town = Town("alice", "bob", "carol")
    proposal = town.propose("alice")
    town.meet("alice", "bob", "carol")
    apart(town, proposal, ["alice", "bob"])
    assert minute(town, proposal).round == 1
    town.close("bob", proposal)
    found = minute(town, proposal)
    assert found.equivocators == (key_of("bob").public,) and found.round == 1
    town.meet("alice", "bob", "carol")
    town.close("carol", proposal)  # over both ballots: with bob's void, neither alice nor carol finds a second
    found = minute(town, proposal)
    assert (found.state, found.round) == ("open", 2)
    town.meet("alice", "bob", "carol")
    for name in ("bob", "alice"):
        town.close(name, proposal)
        town.meet("alice", "bob")
    assert minute(town, proposal).state == "passed"


def test_no_stuck_round_is_reopened_and_no_outcome_undone_by_whoever_closes_later() -> None:
    town = Town("alice", "bob", "carol")
    everybody = ["alice", "bob", "carol"]
    proposal = town.propose("alice")
    town.meet(*everybody)
    apart(town, proposal, everybody)
    ids = town.assembly().cases[proposal.id].closings
    town.close("bob", proposal, wording=proposal.id, prev=[proposal.id], claim=lambda some: some[:1])  # on an old past
    assert minute(town, proposal).round == 2 and len(ids) == 3
    for name in ("alice", "carol"):
        town.close(name, proposal)
        town.meet("alice", "carol")
    before = minutes(town.assembly("carol"))
    town.close("alice", proposal, prev=[ids[0].id], claim=lambda some: some[:1])
    assert revised(before, minutes(town.assembly())) == []
    assert minute(town, proposal).state == "passed"


def test_a_founder_who_votes_alone_on_the_time_before_the_others_joined_decides_nothing() -> None:
    town = Town("alice", "bob", "carol", "dave")
    founding = next(iter(town.records))
    forged = town.propose("alice", "rule", FREE, prev=[founding])
    town.vote("alice", forged, prev=[])
    town.close("alice", forged, prev=[forged.id])
    town.propose("bob")  # somebody has seen them all
    found = minute(town, forged)
    assert found.electorate == 1 and found.tally is not None and found.tally.passed
    assert found.state == "outgrown"
    assert town.assembly().rules().params("licence")["expression"] == ""


def test_one_who_admits_themselves_has_no_voice() -> None:
    town = Town("alice", "bob", "carol")
    town.seen["mallory"] = dict(town.seen["alice"])
    proposal = town.propose("mallory", closers=["alice", "bob", "carol"])
    assert proposal.id not in town.assembly().cases
    town.meet("alice", "mallory")
    assert proposal.id not in town.seen["alice"]


def test_ballots_lapse_when_the_text_changes_and_their_authors_can_be_told() -> None:
    town = Town("alice", "bob", "carol")
    everybody = ["alice", "bob", "carol"]
    proposal = town.propose("alice")
    town.meet(*everybody)
    town.vote("bob", proposal)
    town.meet(*everybody)
    newer = town.write("alice", bodies.amend(proposal.id, text=text_of("newer")))
    found = minute(town, proposal)
    assert found.wordings == (newer.id,) and codes(found) == {"lapsed": 1}
    assert {verdict.elector for verdict in found.ballots} == {key_of("bob").public}


def test_two_amendments_of_one_version_both_reopen_and_a_third_settles_it() -> None:
    town = Town("alice", "bob", "carol", "dave")
    everybody = ["alice", "bob", "carol", "dave"]
    first = town.propose("bob", "rule", {"rule": "replicas", "params": {"floor": 2}})
    town.decide(first, everybody)
    both = [town.propose("bob", "rule", FREE), town.propose("carol", "rule", {"rule": "licence", "params": {}})]
    town.meet(*everybody)
    for proposal in both:
        for person in everybody:
            town.vote(person, proposal)
    town.meet(*everybody)
    pasts = {name: town.heads(name) for name in closers(town, both[0], everybody)}
    for name, past in pasts.items():
        town.close(name, both[0], prev=past)
    before = minutes(town.assembly())
    assert minute(town, both[0]).in_force
    for name, past in pasts.items():
        town.close(name, both[1], prev=past)
    town.meet(*everybody)
    assert revised(before, minutes(town.assembly())) == [Revision(both[0].id, "reopened")]
    assert [minute(town, proposal).state for proposal in both] == ["reopened", "reopened"]
    assert town.assembly().rules()["licence"].version == bytes(32)
    third = town.propose("dave", "rule", FREE)
    town.decide(third, everybody)
    assert town.assembly().rules()["licence"].version == third.id
    before = minutes(town.assembly())
    town.decide(town.propose("dave", "rule", {"rule": "licence", "params": {}}), everybody)
    assert revised(before, minutes(town.assembly())) == []


def test_members_choose_stewards_when_those_they_had_are_silent_for_a_year() -> None:
    town = Town("alice", "bob", "carol", "dave", rules={"stewards": {"by": "stewards"}})
    three = ["bob", "carol", "dave"]
    effect = {"keys": [key_of("carol").public], "succession": True}
    early = town.propose("bob", "steward", effect, quorum=2)
    assert town.assembly().cases[early.id].fault == "not_silent"
    town.minutes += YEAR_MINUTES
    town.meet(*three)
    for person in three[:2]:
        town.propose(person)  # they go on
    town.meet(*three)
    wanted = town.propose("dave", "steward", effect, quorum=2)
    case = town.assembly().cases[wanted.id]
    assert case.fault is None and case.form.quorum == 2
    town.decide(wanted, three)
    assembly = town.assembly()
    everything = assembly.pasts.all
    stewards = assembly.removals.stewards(everything, assembly.removals.within(everything))
    assert key_of("carol").public in stewards
    ordinary = town.propose("dave", "steward", {"keys": []})
    assert town.assembly().cases[ordinary.id].fault == "not_by_vote"


def test_who_is_removed_before_a_proposal_does_not_vote_on_it() -> None:
    town = Town("alice", "bob", "carol", "dave")
    town.write("alice", removals.remove(key_of("bob").public, keep=True))
    town.meet("alice", "bob", "carol", "dave")
    proposal = town.propose("carol")
    town.meet("alice", "bob", "carol", "dave")
    town.vote("bob", proposal)
    found = minute(town, proposal)
    assert found.electorate == 3
    assert codes(found) == {"no_elector": 1}


VOTE = {"rule": "join", "params": {"policy": "vote"}}


def names(town: Town, person: str | None = None) -> set[bytes]:
    """The keys that are members."""
    assembly = town.assembly(person)
    return set(assembly.pasts.members(assembly.pasts.all))


def welcome(town: Town, who: str, by: str = "alice") -> None:
    """An invite of this very key, and a join by it."""
    invite = town.write(by, acts.invite(key_of(who).public, stamp_bits=0))
    town.seen.setdefault(who, {}).update(town.seen[by])
    joining = acts.join_by_invitation(
        town.commons, invite.id, key_of(who).public, key_of(who), recovery=bytes(32), stamp=bytes(8)
    )
    town.write(who, joining, prev=[invite.id])
    town.meet(by, who)


def test_where_members_vote_on_who_comes_in_no_one_person_lets_anybody_in() -> None:
    town = Town("alice", join="vote")
    town.bring("eve")
    town.meet("alice", "eve")
    charter = judge(town.records.values(), town.commons)
    assert key_of("eve").public in charter.admitted, "the sets take her"
    assert not charter.is_member(key_of("eve").public) and [one.how for one in charter.former] == ["unseated"]
    assert charter.join == "vote" and [e.public for e in charter.entrances if e.public] == []
    forged = town.propose("eve", "admit", {"person": key_of("mallory").public}, closers=["alice"], k=1, quorum=1)
    assert town.assembly().cases[forged.id].fault == "no_member"
    town.decide(town.propose("alice", "admit", {"person": key_of("bob").public}), ["alice"])
    welcome(town, "bob")
    assert names(town) == {key_of(name).public for name in ("alice", "bob")}
    town.decide(town.propose("bob", "admit", {"person": key_of("eve").public}), ["alice", "bob"])
    assert key_of("eve").public not in names(town), "she came in before the vote: by another door she is in"
    welcome(town, "eve", "bob")
    charter = judge(town.records.values(), town.commons)
    assert charter.is_member(key_of("eve").public) and charter.former == ()


def test_no_invite_from_before_a_vote_and_none_dated_back_gets_past_it_and_who_was_in_stays() -> None:
    town = Town("alice", "bob", "carol")
    everybody = ["alice", "bob", "carol"]
    old = town.write("bob", acts.invite(TOKEN.public, stamp_bits=0))
    town.meet(*everybody)
    town.decide(town.propose("alice", "rule", VOTE), everybody)
    assert names(town) == {key_of(name).public for name in everybody}
    back = town.write("bob", acts.invite(TOKEN.public, stamp_bits=0), prev=[old.id])
    for who, invite in (("eve", old), ("mallory", back)):
        town.join(who, invite.id)
    charter = judge(town.records.values(), town.commons)
    assert names(town) == {key_of(name).public for name in everybody} == {member.key for member in charter.members}
    assert charter.join == "vote" and {one.how for one in charter.former} == {"unseated"}
    assert {key for key, some in charter.limits.items() if some == (frozenset(),)} == {
        key_of("eve").public, key_of("mallory").public
    }  # fmt: skip


def test_strangers_whom_no_vote_let_in_are_no_larger_assembly() -> None:
    town = Town("alice", "bob", join="vote", rules={"closing": {"closers": 1, "needed": 1}})
    proposal = town.propose("alice", "rule", FREE)
    town.decide(proposal, ["alice"])
    assert town.assembly().rules().params("licence")["expression"] == "CC0-1.0"
    for number in range(5):
        town.bring(f"sybil {number}", by="bob")
    town.write("bob", bodies.seen())
    town.propose("alice")
    assert town.assembly().rules().params("licence")["expression"] == "CC0-1.0"


def test_where_stewards_invite_an_invite_of_somebody_else_seats_nobody() -> None:
    town = Town("alice", rules={"invite": {"by": "stewards"}})
    town.bring("bob")
    town.meet("alice", "bob")
    town.bring("eve", by="bob")
    town.meet("alice", "bob", "eve")
    charter = judge(town.records.values(), town.commons)
    assert names(town) == {key_of(name).public for name in ("alice", "bob")} == {one.key for one in charter.members}
    assert charter.inviting == "stewards" and {e.author for e in charter.entrances if e.public} == {
        key_of("alice").public
    }


def test_an_invite_that_is_in_no_set_is_no_entrance_and_stops_nobody() -> None:
    town = Town("alice", "bob", rules={"invite": {"by": "stewards"}})
    town.write("alice", acts.purge([key_of("bob").public]))
    town.bring("eve", by="bob")  # who has not heard of it
    town.write("eve", acts.invite(TOKEN.public, stamp_bits=0))
    charter = judge(town.records.values(), town.commons)
    assert {e.author for e in charter.entrances} == {key_of("alice").public}


def test_members_open_what_was_closed_and_close_what_was_open() -> None:
    town = Town("alice", "bob")
    town.decide(town.propose("alice", "rule", {"rule": "join", "params": {"policy": "open"}}), ["alice", "bob"])
    opening = town.write("bob", acts.open_joining(stamp_bits=0))
    town.meet("alice", "bob")
    charter = judge(town.records.values(), town.commons)
    assert charter.join == "open" and [e.author for e in charter.entrances if e.public is None] == [
        key_of("bob").public
    ]
    town.write("carol", acts.join_open(recovery=bytes(32), stamp=bytes(8)), prev=[opening.id])
    town.meet("alice", "bob", "carol")
    town.decide(town.propose("carol", "rule", VOTE), ["alice", "bob", "carol"])
    town.write("eve", acts.join_open(recovery=bytes(32), stamp=bytes(8)), prev=[opening.id])
    charter = judge(town.records.values(), town.commons)
    assert {one.key for one in charter.members} == {key_of(name).public for name in ("alice", "bob", "carol")}
    assert charter.join == "vote" and charter.open_entrance() is None


def test_what_members_vote_of_licence_and_announcing_is_what_the_charter_shows() -> None:
    town = Town("alice", "bob")
    town.decide(town.propose("alice", "rule", FREE), ["alice", "bob"])
    town.decide(town.propose("bob", "rule", {"rule": "announcing", "params": {"announced": True}}), ["alice", "bob"])
    charter = judge(town.records.values(), town.commons)
    assert (charter.licence, charter.announced) == ("CC0-1.0", True)
    grown = None
    for record in town.records.values():
        grown = judge([record], town.commons) if grown is None else grown.grown([record]) or judge(
            [r for r in town.records.values() if r.header.time <= record.header.time], town.commons
        )  # fmt: skip
    assert grown is not None and (grown.digest, grown.heads) == (charter.digest, charter.heads)


def test_many_ballots_are_gathered_on_sheets_and_none_counts_twice() -> None:
    people = ["alice", *(f"person {number}" for number in range(39))]
    town = Town(*people)
    proposal = town.propose("alice")
    town.decide(proposal, people)
    found = minute(town, proposal)
    assert found.state == "passed" and codes(found) == {"counted": 40}
    assert sum(record.header.kind == bodies.SHEET for record in town.records.values()) >= 3


@given(st.integers(0, 5000), st.integers(1, 32))
def test_sheets_name_every_ballot_once_and_a_closing_has_room(count: int, room: int) -> None:
    *sheets, last = bodies.sheets_for(count, room)
    named = [place for some in [*sheets, last] for place in some]
    assert sorted(named) == list(range(count + len(sheets)))
    assert all(0 < len(sheet) <= 32 for sheet in sheets)
    assert len(last) <= room
    assert all(place < count + number for number, sheet in enumerate(sheets) for place in sheet)


TEXTS = st.sampled_from(["", "for", "majority", "judgment", "late", "text", "rule", "é"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**40) | TEXTS | st.sampled_from([bytes(32), b"x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
NAMES = st.sampled_from(
    ["closers", "closes", "opens", "effect", "k", "matter", "mode", "quorum", "text", "threshold", "options", "grades",
     "amendment", "proposal", "take", "choice", "replaces", "count", "excluded", "root", "wording", "person", "heads",
     "keep", "ids"]
)  # fmt: skip


@given(st.dictionaries(NAMES, VALUES, max_size=12), st.sampled_from(["text", "rule", "hide", "steward", "odd"]))
@settings(max_examples=200, deadline=None)
def test_no_body_is_too_odd_to_be_read(body: dict[str, object], matter: str) -> None:
    encoded = encode_body(body)
    for kind in (bodies.PROPOSE, bodies.AMEND, bodies.ANSWER, bodies.CAST, bodies.SHEET, bodies.CLOSE, "x.y"):
        bodies.read_assembly(kind, encoded)
    for kind in (removals.LEAVE, removals.REMOVE, removals.KEEP):
        removals.read_removal(kind, encoded)
    read_effect(matter, body)


def test_makers_refuse_what_would_do_nothing() -> None:
    key = bytes(32)
    for make in (
        lambda: bodies.propose("text", mode="majority", quorum=1, closers=[], k=0, text=key),
        lambda: bodies.propose("rule", mode="majority", quorum=1, closers=[key], k=1, text=key),
        lambda: bodies.amend(b"short", text=key),
        lambda: bodies.answer(b"short", take=True),
        lambda: bodies.cast(key, key, ""),
        lambda: bodies.close(key, key, [], excluded=[(key, "ugly")]),
        lambda: removals.remove(key, {(key, 1): [key[:3]]}, keep=True),
        lambda: removals.keep([bytes([n % 256, n // 256]) * 16 for n in range(513)]),
    ):
        with pytest.raises(FormError):
            make()


def test_an_assembly_of_nothing_has_no_rules_but_the_default_ones() -> None:
    empty: Assembly = assemble([], bytes(32))
    assert minutes(empty).proposals == ()
    assert empty.rules()["licence"].version == bytes(32)
