"""Laws of moderation in its place: rights within each act's own past, one answer in any order, grown or folded at once."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from towns import LOWS, Town, key_of

from p2pcommons.commons import removal_bodies as removals
from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.charter_bodies import name_stewards, purge
from p2pcommons.commons.moderation import Act, Decided, Moderation, hide_by, moderate
from p2pcommons.commons.moderation_bodies import HIDE, block, hide, read_moderation, report, review, show
from p2pcommons.core.record import Record
from p2pcommons.node.assemblies import Folded, ancestors_first

PEOPLE = ("alice", "bob", "carol", "dave")
ENTRIES = [bytes([200 + n]) * 32 for n in range(3)]
DICE = st.randoms(use_true_random=False)


def history(seed: int, length: int) -> Town:
    """People who report, hide, show, vote and remove each other, seeing only some of what the others write."""
    dice = Random(seed)
    by = dice.choice(("stewards", "members", "vote"))
    town = Town(*PEOPLE, rules={"hide": {"by": by}, **LOWS}, seed=seed)
    for _ in range(length):
        act(town, dice, dice.choice(PEOPLE), dice.choice(ENTRIES))
    return town


def act(town: Town, dice: Random, who: str, entry: bytes) -> None:
    hidings = [r.id for r in town.seen[who].values() if r.header.kind == HIDE and r.content()["entry"] == entry]
    other = dice.choice(PEOPLE)
    what = dice.randrange(20)
    if what < 5:
        town.write(who, hide(entry, "spam", reports=[]))
    elif what < 8 and hidings:
        town.write(who, show(entry, dice.sample(hidings, min(2, len(hidings)))))
    elif what < 10:
        town.write(who, report(entry, dice.choice(("harm", "false"))))
    elif what == 10:
        town.write(who, block({key_of(other).public: "spam"}))
    elif what == 11:
        town.write("alice", name_stewards(add=[key_of(who).public]))
    elif what == 12 and other != who:
        town.write(who, removals.remove(key_of(other).public, keep=False))
    elif what == 13 and other not in ("alice", who):
        town.write("alice", purge([key_of(other).public]))
    elif what == 14:
        some = dice.choice(("hide", "restore"))
        town.decide(town.propose("alice", some, {"entry": entry}), PEOPLE)
    elif what == 15:
        rule = {"rule": "hide", "params": {"by": dice.choice(("stewards", "members"))}}
        town.decide(town.propose("alice", "rule", rule), PEOPLE)
    else:
        town.meet(*dice.sample(PEOPLE, dice.randint(2, 4)))


HISTORIES = st.builds(history, st.integers(0, 2**32), st.integers(5, 25))


def plainly(town: Town, charter: Charter) -> Moderation:
    """The same by asking, of each act, an assembly folded of that act's past and nothing else."""
    held = {one: record for one, record in town.records.items() if one in charter.set_ids}
    whole = Town.assembly(town)
    cut = whole.removals.within(whole.pasts.all)
    shown = {key: one.key for one in charter.members for key in one.keys}
    shown |= {key: one.key for one in charter.former for key in one.keys}
    acts = []
    for record in held.values():
        form = read_moderation(record.header.kind, record.body or b"")
        author = record.header.author
        if form is None or author not in charter.admitted or cut.has(record.id, author):
            continue
        past = dict(town.back_to("", record.id))
        del past[record.id]
        view = judge(past.values(), town.commons)
        own = Folded(past.values(), view).assembly
        everything = own.pasts.all
        stewards = own.removals.stewards(everything, own.removals.within(everything))
        acts.append(
            Act(
                record.id, shown.get(author, author), record.header.time >> 16, form,
                author in own.pasts.members(everything), author in stewards, hide_by(own.rules()),
            )
        )  # fmt: skip
    decided = {
        entry: Decided(outcome.proposal, whole.cases[outcome.proposal].form.matter == "hide")
        for entry, outcome in whole.applied("entry").items()
    }
    return moderate(acts, decided)


def told(found: Moderation) -> tuple[Any, ...]:
    return found.hidden, found.queue, found.lists


@given(HISTORIES)
@settings(max_examples=60, deadline=None)
def test_rights_are_those_of_each_acts_own_past(town: Town) -> None:
    charter = judge(town.records.values(), town.commons)
    wanted = plainly(town, charter)
    assert charter.hidden == wanted.hidden.keys()
    in_set = [record for record in town.records.values() if record.id in charter.set_ids]
    assert told(Folded(in_set, charter).moderation(charter)) == told(wanted)


@given(HISTORIES, DICE)
@settings(max_examples=60, deadline=None)
def test_the_charter_hides_the_same_in_any_order_and_of_the_set_alone(town: Town, dice: Random) -> None:
    charter = judge(town.records.values(), town.commons)
    left = [record for record in town.records.values() if record.id in charter.set_ids]
    dice.shuffle(left)
    again = judge(left, town.commons)
    assert (again.hidden, again.digest) == (charter.hidden, charter.digest)


def steps_of(town: Town) -> int:
    """Let a charter grow record by record, each time compared with one judged at once; how often it did, hiding some."""
    order: list[Record] = ancestors_first(dict(town.records))
    grown, steps = judge(order[:1], town.commons), 0
    for at in range(1, len(order)):
        wanted = judge(order[: at + 1], town.commons)
        made = grown.grown([order[at]]) if order[at].id in wanted.set_ids and grown.set_ids < wanted.set_ids else None
        if made is not None:
            assert (made.set_ids, made.hidden, made.digest) == (wanted.set_ids, wanted.hidden, wanted.digest)
            steps += bool(made.hidden)
        grown = wanted if made is None else made
    return steps


@given(HISTORIES)
@settings(max_examples=40, deadline=None)
def test_a_charter_that_grew_hides_what_one_judged_at_once_does(town: Town) -> None:
    steps_of(town)


@given(HISTORIES)
@settings(max_examples=40, deadline=None)
def test_what_one_wrote_into_no_set_after_all_is_forgotten(town: Town) -> None:
    """A write that failed leaves a fold behind that took it: the next one does not go by that."""
    charter = judge(town.records.values(), town.commons)
    lost = town.write("alice", hide(ENTRIES[0], "other"))
    charter.grown([lost])
    del town.records[lost.id]
    town.seen["alice"].pop(lost.id)
    kept = town.write("alice", report(ENTRIES[1], "harm"))
    made = charter.grown([kept])
    assert made is None or made.hidden == judge(town.records.values(), town.commons).hidden


@given(HISTORIES)
@settings(max_examples=40, deadline=None)
def test_what_strangers_say_hides_nothing(town: Town) -> None:
    before = judge(town.records.values(), town.commons)
    town.seen["eve"] = dict(town.seen["alice"])
    for entry in ENTRIES:
        town.write("eve", hide(entry, "harm"))
        town.write("eve", report(entry, "harm"))
    after = judge(town.records.values(), town.commons)
    assert (after.hidden, after.set_ids, after.digest) == (before.hidden, before.set_ids, before.digest)


def test_the_histories_reach_what_they_are_there_to_test() -> None:
    met: set[str] = set()
    for seed in range(60):
        town = history(seed, 20)
        charter = judge(town.records.values(), town.commons)
        in_set = [record for record in town.records.values() if record.id in charter.set_ids]
        found = Folded(in_set, charter).moderation(charter)
        met |= {"hidden by vote" if one.proposal else "hidden by persons" for one in found.hidden.values()}
        met |= {"waiting"} if found.queue else set()
        met |= {"listed"} if found.lists else set()
        met |= {"shown by vote"} if Town.assembly(town).applied("entry") and not found.hidden else set()
        met |= {"somebody out"} if charter.former or charter.purged else set()
    assert sum(steps_of(history(seed, 20)) for seed in range(5)) > 5
    assert met == {"hidden by vote", "hidden by persons", "waiting", "listed", "shown by vote", "somebody out"}


def test_a_review_and_a_hiding_answer_reports() -> None:
    town = Town("alice", "bob")
    first = town.write("bob", report(ENTRIES[0], "harm"))
    town.meet("alice", "bob")

    def queue() -> list[bytes]:
        charter = judge(town.records.values(), town.commons)
        return [one.entry for one in Folded(town.records.values(), charter).moderation(charter).queue]

    assert queue() == [ENTRIES[0]]
    town.write("bob", review(ENTRIES[0], [first.id]))
    assert queue() == [ENTRIES[0]], "bob is no steward"
    town.write("alice", review(ENTRIES[0], [first.id]))
    assert queue() == []
