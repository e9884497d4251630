"""Laws of strong removal (chapter 21, "Removal"), and the histories it is there for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random

from assemblies import PEOPLE, STRANGERS, assembly_history
from histories import history
from hypothesis import given, settings
from hypothesis import strategies as st
from towns import Town, key_of, text_of, words_of

from p2pcommons.commons import charter_bodies as acts
from p2pcommons.commons import removal_bodies as removals
from p2pcommons.commons.assembly import Assembly, assemble
from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.minutes import minutes, minutes_hash
from p2pcommons.core.record import Record, build

HISTORIES = st.builds(assembly_history, st.integers(0, 2**32), st.integers(10, 60), st.just(True))
DICE = st.builds(Random, st.integers(0, 2**32))
EVERYBODY = (*PEOPLE, *STRANGERS)
NAMES = {key_of(name).public: name for name in EVERYBODY}


def members(assembly: Assembly) -> set[str]:
    return {NAMES[key] for key in assembly.pasts.members(assembly.pasts.all)}


def seen(assembly: Assembly) -> tuple[object, ...]:
    cut = assembly.removals.within(assembly.pasts.all)
    stewards = assembly.removals.stewards(assembly.pasts.all, cut)
    return (members(assembly), cut[:4], sorted(stewards), minutes_hash(minutes(assembly)))


def remove(town: Town, by: str, who: str, *, keep: bool = False) -> Record:
    return town.write(by, removals.remove(key_of(who).public, keep=keep))


def stewards_of(assembly: Assembly) -> set[str]:
    everything = assembly.pasts.all
    return {NAMES[key] for key in assembly.removals.stewards(everything, assembly.removals.within(everything))}


# -- laws


@given(HISTORIES, DICE)
@settings(max_examples=120, deadline=None)
def test_order_and_duplicates_never_change_who_is_a_member(town: Town, dice: Random) -> None:
    shuffled = list(town.records.values()) + dice.choices(list(town.records.values()), k=4)
    dice.shuffle(shuffled)
    assert seen(assemble(shuffled, town.commons)) == seen(town.assembly())


@given(HISTORIES, DICE)
@settings(max_examples=40, deadline=None)
def test_records_of_the_catalogue_never_change_who_is_a_member_or_what_was_decided(town: Town, dice: Random) -> None:
    records = list(town.records.values())
    for record in dice.sample(records, min(5, len(records))):
        header = record.header
        records.append(
            build(
                commons=town.commons, plane=1, author=header.author, after=header.after, time=header.time + 1,
                subject=header.subject, prev=header.prev, kind=header.kind, body=record.body or b"", salt=bytes(16),
            )
        )  # fmt: skip
    dice.shuffle(records)
    assert seen(assemble(records, town.commons)) == seen(town.assembly())
    assert judge(records, town.commons).digest == judge(town.records.values(), town.commons).digest


@given(HISTORIES)
@settings(max_examples=80, deadline=None)
def test_the_right_to_remove_is_judged_in_its_own_past_alone(town: Town) -> None:
    whole = town.assembly()
    for identifier in (*whole.removals.found, *whole.removals.refused):
        alone = assemble(town.back_to("", identifier).values(), town.commons)
        if identifier in {deed.id for deed in alone.pasts.deeds}:
            assert (identifier in alone.removals.found) == (identifier in whole.removals.found)


@given(HISTORIES)
@settings(max_examples=80, deadline=None)
def test_no_removal_leaves_a_commons_without_members(town: Town) -> None:
    assembly = town.assembly()
    everything = assembly.pasts.all
    cut = assembly.removals.within(everything)
    left = {one for one in cut.counting if isinstance(assembly.removals.found[one].form, removals.Leave)}
    if cut.counting - left:  # where everybody left or was purged, no removal counts
        assert assembly.pasts.members(everything)


@given(st.integers(0, 2**32), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_removed_key_comes_back_by_no_backdating_and_no_order_of_arrival(seed: int, other: int) -> None:
    town = Town("alice", "bob", "carol", "dave", seed=seed)
    town.decide(town.propose("bob", "rule", {"rule": "licence", "params": {"expression": "MIT"}}), PEOPLE[:4])
    before = dict(town.seen["bob"])
    remove(town, "alice", "bob")
    assert members(town.assembly()) == {"alice", "carol", "dave"}
    dice = Random(other)
    town.seen["bob"] = before
    for _ in range(12):  # bob, on any past in which he was a member, does all he can
        old = dice.choice([record for record in before.values() if not record.header.kind.startswith("ballot.")])
        past = town.heads("bob", town.back_to("bob", old.id))
        for name in ("bob", *STRANGERS):
            town.seen[name] = {**town.seen.get(name, {}), **town.back_to("bob", old.id)}
        what = dice.randrange(6)
        if what == 0:
            town.bring(dice.choice(STRANGERS), by="bob")
        elif what == 1:
            town.device("bob", dice.choice(STRANGERS))
        elif what == 2:
            town.rotate("bob", dice.choice(STRANGERS))
        elif what == 3:
            town.propose("bob", "rule", {"rule": "licence", "params": {"expression": "CC0-1.0"}}, prev=past)
        elif what == 4:
            town.write("bob", acts.invite(acts_token(), stamp_bits=0), prev=past)
        else:
            town.write("bob", removals.remove(key_of("alice").public, keep=False), prev=past)
    assembly = town.assembly()
    assert members(assembly) == {"alice", "carol", "dave"}
    assert assembly.rules().params("licence")["expression"] == "MIT"


def acts_token() -> bytes:
    return words_of("a token").public


def test_these_histories_reach_what_they_are_there_to_test() -> None:
    reached: Counter[str] = Counter()
    for seed in range(120):
        assembly = assembly_history(seed, 60, True).assembly()
        cut = assembly.removals.within(assembly.pasts.all)
        forms = [assembly.removals.found[one].form for one in cut.counting]
        reached["removals that count"] += sum(isinstance(form, removals.Remove) for form in forms)
        reached["leavings that count"] += sum(isinstance(form, removals.Leave) for form in forms)
        reached["rightful ones that do not"] += len(assembly.removals.found.keys() - cut.counting)
        reached["without a right"] += len(assembly.removals.refused)
        reached["deeds cut"] += sum(deed.id in cut.ids for deed in assembly.pasts.deeds)
        reached["let in by what is cut"] += len(cut.unseated)
        reached["several at once"] += len(cut.counting) > 1
    assert {name: count for name, count in reached.items() if count < 3} == {}, reached
    assert len(reached) == 7


# -- histories


def test_a_steward_removes_a_member_and_nobody_else_can() -> None:
    town = Town("alice", "bob", "carol")
    remove(town, "bob", "carol")
    assert members(town.assembly()) == {"alice", "bob", "carol"}
    remove(town, "alice", "carol")
    assert members(town.assembly()) == {"alice", "bob"}


def test_where_two_stewards_are_needed_one_alone_removes_nobody() -> None:
    town = Town("alice", "bob", "carol", stewards=[key_of("bob").public], quorum=2)
    made = removals.remove(key_of("carol").public, keep=True)
    town.write("alice", made)
    assert "carol" in members(town.assembly())
    town.meet("alice", "bob")
    town.write("bob", acts.approve(town.commons, made))
    town.meet("alice", "bob")
    town.write("alice", made)
    assert "carol" not in members(town.assembly())


def test_two_stewards_who_remove_each_other_are_both_out_and_the_rest_goes_on() -> None:
    town = Town("alice", "bob", "carol", "dave", stewards=[key_of("bob").public])
    remove(town, "alice", "bob")
    remove(town, "bob", "alice")
    assert members(town.assembly()) == {"carol", "dave"}
    town.meet("carol", "dave", "alice", "bob")
    town.decide(town.propose("carol", "steward", {"keys": [key_of("dave").public]}), ["carol", "dave"])
    assert stewards_of(town.assembly()) == {"dave"}


def test_two_who_are_all_there_is_cannot_leave_nobody() -> None:
    town = Town("alice", "bob", stewards=[key_of("bob").public])
    remove(town, "alice", "bob")
    remove(town, "bob", "alice")
    assert members(town.assembly()) == {"alice", "bob"}


def test_a_removed_stewards_friend_does_no_more_than_the_removed_could() -> None:
    town = Town("alice", "bob", "carol", "dave", stewards=[key_of("bob").public])
    remove(town, "alice", "bob")
    town.write("bob", acts.name_stewards(add=[key_of("carol").public]))  # not knowing of it, or saying so
    town.meet("bob", "carol")
    remove(town, "carol", "alice")  # as if bob had: each takes the other's right
    assert members(town.assembly()) == {"carol", "dave"}
    assert stewards_of(town.assembly()) == set()
    remove(town, "carol", "dave")  # what rests on what is cut is cut
    assert members(town.assembly()) == {"carol", "dave"}


def test_of_three_removals_in_a_row_the_second_does_not_count() -> None:
    town = Town("alice", "bob", "carol", "dave", stewards=[key_of("bob").public, key_of("carol").public])
    remove(town, "alice", "bob")
    remove(town, "bob", "carol")
    remove(town, "carol", "dave")
    assert members(town.assembly()) == {"alice", "carol"}


def test_who_was_removed_takes_those_with_them_whom_they_let_in_meanwhile() -> None:
    town = Town("alice", "bob", "carol")
    remove(town, "alice", "bob")
    town.bring("mallory", by="bob")
    town.bring("trudy", by="mallory")
    assert members(town.assembly()) == {"alice", "carol"}


def test_a_thief_and_the_owner_who_both_rotate_go_together() -> None:
    town = Town("alice", "bob", "carol")
    town.rotate("bob", "dave")
    town.rotate("bob", "mallory")
    assert members(town.assembly()) == {"alice", "bob", "carol", "dave", "mallory"}
    town.meet("alice", "dave", "mallory")
    remove(town, "alice", "dave")
    assert members(town.assembly()) == {"alice", "carol"}
    town.bring("erin", by="alice")
    assert members(town.assembly()) == {"alice", "carol", "erin"}


def test_who_left_comes_back_by_a_door_that_knew_of_it() -> None:
    town = Town("alice", "bob", "carol")
    town.write("bob", removals.leave(key_of("bob").public))
    assert members(town.assembly()) == {"alice", "carol"}
    town.meet("alice", "bob")
    town.bring("bob", by="alice")
    assert members(town.assembly()) == {"alice", "bob", "carol"}


def test_who_was_removed_comes_back_by_a_vote_alone() -> None:
    town = Town("alice", "bob", "carol", "dave")
    remove(town, "alice", "bob")
    town.meet("alice", "bob", "carol", "dave")
    town.bring("bob", by="carol")
    assert "bob" not in members(town.assembly())
    three = ["alice", "carol", "dave"]
    town.meet(*three)
    town.decide(town.propose("carol", "admit", {"person": key_of("bob").public}), three)
    assert "bob" in members(town.assembly())
    town.meet(*three, "bob")
    again = town.propose("bob")
    town.decide(again, ["bob", *three])
    outcome = town.assembly().outcome(again.id)
    assert outcome is not None and outcome.tally.answered == 4


def test_a_vote_to_remove_gives_every_member_the_right_to_write_it() -> None:
    town = Town("alice", "bob", "carol", "dave")
    everybody = ["alice", "bob", "carol", "dave"]
    town.decide(town.propose("carol", "remove", {"person": key_of("alice").public}), everybody, against=["alice"])
    assert "alice" in members(town.assembly())
    remove(town, "dave", "alice")
    assert members(town.assembly()) == {"bob", "carol", "dave"}


def test_a_backdated_removal_of_whoever_let_all_in_is_outgrown() -> None:
    town = Town("alice", "bob", "carol", "dave", "erin", stewards=[key_of("bob").public])
    town.propose("carol")  # somebody has seen them all
    early = town.back_to("bob", next(r.id for r in town.records.values() if r.header.author == key_of("bob").public))
    town.write("bob", removals.remove(key_of("alice").public, keep=False), prev=town.heads("bob", early))
    assert members(town.assembly()) == set(PEOPLE)


def test_a_removed_persons_votes_that_the_remover_had_not_seen_count_no_more() -> None:
    town = Town("alice", "bob", "carol", "dave")
    everybody = ["alice", "bob", "carol", "dave"]
    proposal = town.propose("alice")
    town.meet(*everybody)
    remove(town, "alice", "bob")
    for person, choice in (("bob", "for"), ("carol", "for"), ("dave", "against")):
        town.vote(person, proposal, choice)
    town.meet("bob", "carol", "dave")
    for person in ("bob", "carol", "dave"):
        if town.assembly(person).cases[proposal.id].electors[key_of(person).public] in closers(town, proposal):
            town.close(person, proposal)
    with_bob = assemble([r for r in town.records.values() if r.header.kind != removals.REMOVE], town.commons)
    counted = with_bob.outcome(proposal.id)
    assert counted is not None and counted.tally.passed
    outcome = town.assembly().outcome(proposal.id)
    assert outcome is None or not outcome.tally.passed


def closers(town: Town, proposal: Record) -> frozenset[bytes]:
    return town.assembly().cases[proposal.id].closers


def test_who_is_removed_keeps_nothing_of_their_own() -> None:
    town = Town("alice", "bob", "carol", "dave", stewards=[key_of("bob").public])
    before = dict(town.seen["bob"])
    remove(town, "alice", "bob")
    town.seen["bob"] = before
    proposal = town.propose("bob")
    town.write("bob", removals.keep([proposal.id]))
    assembly = town.assembly()
    assert assembly.removals.within(assembly.pasts.all).has(proposal.id, key_of("bob").public)


def test_what_is_kept_counts_again() -> None:
    town = Town("alice", "bob", "carol")
    before = dict(town.seen["bob"])
    remove(town, "alice", "bob")
    town.seen["bob"] = before
    proposal = town.propose("bob", text="kept")
    assert town.assembly().removals.within(town.assembly().pasts.all).has(proposal.id, key_of("bob").public)
    town.write("alice", removals.keep([proposal.id]))
    assert not town.assembly().removals.within(town.assembly().pasts.all).has(proposal.id, key_of("bob").public)
    assert text_of("kept") == proposal.content()["text"]


# -- what the charter says of it


@given(HISTORIES)
@settings(max_examples=80, deadline=None)
def test_the_charter_shows_the_members_that_the_fold_of_removals_leaves(town: Town) -> None:
    assembly, charter = town.assembly(), judge(town.records.values(), town.commons)
    shown = [frozenset(m.keys) & charter.admitted for m in charter.members]
    members = assembly.pasts.members(assembly.pasts.all)
    assert {NAMES[key] for keys in shown for key in keys} == {NAMES[key] for key in members}
    assert len(shown) == len(set(members.values()))
    admitted = {key for one in (*charter.members, *charter.former) for key in one.keys if key in charter.admitted}
    assert admitted == charter.admitted
    cut = assembly.removals.within(assembly.pasts.all)
    removed = {one for one in cut.counting if isinstance(assembly.removals.found[one].form, removals.Remove)}
    assert {act for one in charter.former for act in one.acts} <= cut.counting
    assert all((one.how == "removed") == bool(removed & set(one.acts)) for one in charter.former)
    assert charter.limits.keys() <= {key for one in charter.former for key in one.keys}


@given(HISTORIES, DICE)
@settings(max_examples=60, deadline=None)
def test_the_charter_is_that_of_the_set_alone_in_any_order(town: Town, dice: Random) -> None:
    charter = judge(town.records.values(), town.commons)
    left = [record for record in town.records.values() if record.id in charter.set_ids]
    dice.shuffle(left)
    assert judge(left, town.commons).digest == charter.digest


def grow(records: Iterable[Record], commons: bytes, dice: Random, met: Counter[str]) -> None:
    """Takes records one by one, as a node does, and compares the charter that grows with the one judged anew."""
    held: dict[bytes, Record] = {}
    charter = judge([], commons)
    for record in records:
        grown = charter.grown([record]) if charter.founded else None
        judged = judge([*held.values(), record], commons)
        if grown is not None:
            assert grown == judged
            met["grown"] += 1
        charter = judged if grown is None or dice.randrange(4) == 0 else grown
        met["judged"] += grown is None
        met["grown where somebody left"] += grown is not None and bool(charter.former)
        if record.id in charter.set_ids:
            held[record.id] = record
        held = {identifier: one for identifier, one in held.items() if identifier in charter.set_ids}


@given(HISTORIES, DICE)
@settings(max_examples=40, deadline=None)
def test_a_charter_that_grows_is_the_one_judged_anew(town: Town, dice: Random) -> None:
    records = list(town.records.values())
    for _ in range(dice.randrange(4)):  # some come late
        records.append(records.pop(dice.randrange(len(records))))
    grow(records, town.commons, dice, Counter())


@given(st.integers(0, 2**32), DICE)
@settings(max_examples=60, deadline=None)
def test_a_charter_that_grows_among_hostile_members_is_the_one_judged_anew(seed: int, dice: Random) -> None:
    made = history(seed, 50)
    grow(made.records, made.commons, dice, Counter())


def test_these_histories_grow_charters_where_somebody_left_and_where_nobody_did() -> None:
    met: Counter[str] = Counter()
    for seed in range(12):
        town = assembly_history(seed, 60, True)
        grow(town.records.values(), town.commons, Random(seed), met)
    assert min(met["judged"], met["grown"] - met["grown where somebody left"], met["grown where somebody left"]) > 50, (
        met
    )


def charter_of(town: Town) -> Charter:
    return judge(town.records.values(), town.commons)


def test_who_was_removed_is_shown_with_who_removed_them_and_their_later_words_do_not_count() -> None:
    town = Town("alice", "bob", "carol")
    bob, seen, later = key_of("bob").public, text_of("seen"), text_of("later")
    town.write("alice", removals.remove(bob, {(bob, 1): [seen]}, keep=False))
    charter = charter_of(town).reaching({bob: frozenset({seen})})
    assert [(one.key, one.how, one.by, one.keep) for one in charter.former] == [
        (bob, "removed", (key_of("alice").public,), False)
    ]
    assert bob in charter.admitted and not charter.is_member(bob) and charter.person(bob) is None
    assert charter.counts(seen, bob) and not charter.counts(later, bob)
    town.write("alice", removals.keep([later]))
    assert charter_of(town).counts(later, bob)


def test_what_a_leaver_wrote_counts() -> None:
    town = Town("alice", "bob")
    town.write("bob", removals.leave(key_of("bob").public))
    charter = charter_of(town)
    assert [(one.how, one.by, one.keep) for one in charter.former] == [("left", (), True)]
    assert charter.counts(text_of("any"), key_of("bob").public)


def test_ways_of_who_was_removed_are_closed_and_those_of_who_left_are_not() -> None:
    town = Town("alice", "bob", "carol")
    ways = {name: town.write(name, acts.invite(acts_token(), stamp_bits=0)).id for name in ("bob", "carol")}
    town.meet("alice", "bob", "carol")
    remove(town, "alice", "bob", keep=True)
    town.write("carol", removals.leave(key_of("carol").public))
    charter = charter_of(town)
    assert charter.entrance(ways["bob"]) is None and charter.entrance(ways["carol"]) is not None


def test_a_removed_steward_erases_nothing_but_their_own_words_any_more() -> None:
    town = Town("alice", "bob", "carol", stewards=[key_of("bob").public])
    one, other = text_of("one"), text_of("other")
    town.write("bob", acts.erase({one: []}))
    town.meet("alice", "bob")
    before = dict(town.seen["bob"])
    remove(town, "alice", "bob")
    town.seen["bob"] = before
    town.write("bob", acts.erase({other: []}))
    charter = charter_of(town)
    carol, bob = key_of("carol").public, key_of("bob").public
    assert charter.erased_fields(one, carol) is not None, "that was while they were a steward"
    assert charter.erased_fields(other, carol) is None and charter.erased_fields(other, bob) is not None


def test_who_was_let_in_by_a_removed_person_meanwhile_is_shown_and_nothing_of_theirs_counts() -> None:
    town = Town("alice", "bob")
    remove(town, "alice", "bob")
    town.bring("mallory", by="bob")
    charter = charter_of(town)
    mallory = key_of("mallory").public
    assert {one.key: one.how for one in charter.former}[mallory] == "unseated"
    assert mallory in charter.admitted and not charter.counts(text_of("any"), mallory)


def test_a_proposal_that_outgrows_a_removal_does_so_in_a_charter_that_grows() -> None:
    town = Town("alice", "bob", "carol", "dave", "erin", stewards=[key_of("bob").public])
    proposal = town.propose("carol")  # by somebody who has seen them all
    early = town.back_to("bob", next(r.id for r in town.records.values() if r.header.author == key_of("bob").public))
    town.write("bob", removals.remove(key_of("alice").public, keep=False), prev=town.heads("bob", early))
    before = judge([record for record in town.records.values() if record is not proposal], town.commons)
    after = charter_of(town)
    assert before.former and not after.former
    grown = before.grown([proposal])
    assert grown is None or grown == after
