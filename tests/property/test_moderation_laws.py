"""Laws of moderation: order means nothing, nobody without a right changes anything, the members' vote stands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.moderation import (
    Act,
    Blocked,
    Decided,
    Moderation,
    Who,
    acts_of,
    blocked,
    hide_by,
    may_hide,
    moderate,
    moderation_value,
)
from p2pcommons.commons.moderation_bodies import (
    BLOCK,
    HIDE,
    REASONS,
    REPORT,
    REVIEW,
    SHOW,
    Block,
    Hide,
    Report,
    Review,
    Show,
    block,
    hide,
    read_moderation,
    report,
    review,
    show,
)
from p2pcommons.commons.rules import Rules
from p2pcommons.core.encoding import encode, encode_body
from p2pcommons.core.record import ZEROS, Record, build
from p2pcommons.errors import FormError


def name(number: int) -> bytes:
    return bytes([number]) * 32


ENTRIES = st.integers(200, 203).map(name)
PEOPLE = st.integers(100, 104).map(name)
IDS = st.integers(0, 12).map(name)
SOME = st.frozensets(IDS, min_size=1, max_size=4)
WORDS = st.sampled_from(REASONS)
FORMS = st.one_of(
    st.builds(Report, ENTRIES, WORDS, st.none()),
    st.builds(Hide, ENTRIES, WORDS, st.none(), st.frozensets(IDS, max_size=3)),
    st.builds(Show, ENTRIES, SOME),
    st.builds(Review, ENTRIES, SOME),
    st.builds(
        Block, st.dictionaries(PEOPLE, WORDS, max_size=3).map(lambda d: tuple(sorted(d.items()))), st.frozensets(PEOPLE)
    ),
)
RIGHTS = st.sampled_from([(True, True), (True, False), (False, False)])
BY = st.sampled_from(["stewards", "members", "vote"])


@st.composite
def histories(draw: Any) -> list[Act]:
    acts = []
    for number in range(draw(st.integers(0, 12))):
        member, steward = draw(RIGHTS)
        time = draw(st.integers(0, 3))
        acts.append(Act(name(number), draw(PEOPLE), time, draw(FORMS), member, steward, draw(BY)))
    return acts


DECIDED = st.dictionaries(ENTRIES, st.builds(Decided, IDS, st.booleans()), max_size=3)


@given(histories(), DECIDED, st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(acts: list[Act], decided: dict[bytes, Decided], dice: Any) -> None:
    mixed = acts + acts[:3]
    dice.shuffle(mixed)
    found = moderate(acts, decided)
    assert moderate(mixed, decided) == found
    assert encode(moderation_value(moderate(mixed, decided))) == encode(moderation_value(found))


@given(histories(), DECIDED)
def test_who_has_no_right_changes_nothing(acts: list[Act], decided: dict[bytes, Decided]) -> None:
    kept = [act for act in acts if act.member]
    assert moderate(acts, decided) == moderate(kept, decided)


@given(histories(), DECIDED)
def test_the_members_vote_stands_whatever_anybody_does(acts: list[Act], decided: dict[bytes, Decided]) -> None:
    found = moderate(acts, decided)
    for entry, outcome in decided.items():
        assert found.is_hidden(entry) == outcome.hidden
        if outcome.hidden:
            assert found.hidden[entry].proposal == outcome.proposal


@given(histories(), DECIDED)
def test_what_is_hidden_says_by_whom_and_why(acts: list[Act], decided: dict[bytes, Decided]) -> None:
    by_id = {act.id: act for act in acts}
    for entry, hidden in moderate(acts, decided).hidden.items():
        assert hidden.entry == entry
        assert hidden.proposal is not None or hidden.reasons
        for reason in hidden.reasons:
            act = by_id[reason.id]
            assert isinstance(act.form, Hide) and act.hides
            assert (act.form.entry, act.form.reason, act.person) == (entry, reason.reason, reason.person)


@given(histories(), ENTRIES)
def test_a_hiding_that_nobody_named_is_undone_by_nobody(acts: list[Act], entry: bytes) -> None:
    late = Act(name(99), name(100), 0, Hide(entry, "harm", None, frozenset()), True, True, "stewards")
    assert moderate([*acts, late]).is_hidden(entry)


@given(histories(), DECIDED)
def test_every_report_waits_is_answered_or_is_of_something_hidden(
    acts: list[Act], decided: dict[bytes, Decided]
) -> None:
    found = moderate(acts, decided)
    answers = [a for a in acts if isinstance(a.form, Hide | Review) and (a.hides or a.steward)]
    answered = {
        (act.form.entry, one)
        for act in answers
        if isinstance(act.form, Hide | Review) and (act.hides or isinstance(act.form, Review))
        for one in act.form.reports
    }
    waiting = {one for item in found.queue for one in item.reports}
    for act in acts:
        if isinstance(act.form, Report) and act.member:
            settled = found.is_hidden(act.form.entry) or (act.form.entry, act.id) in answered
            assert (act.id in waiting) == (not settled)
    assert len({item.entry for item in found.queue}) == len(found.queue)


@given(histories(), PEOPLE)
def test_reporting_again_moves_nothing_forward(acts: list[Act], person: bytes) -> None:
    more = [Act(name(90 + n), person, 9, Report(name(200), "harm", None), True, False, "vote") for n in range(2)]
    one, two = moderate([*acts, more[0]]), moderate([*acts, *more])
    assert [(w.entry, w.reporters) for w in one.queue] == [(w.entry, w.reporters) for w in two.queue]


@given(histories(), PEOPLE, PEOPLE)
def test_the_last_word_of_a_person_on_a_key_is_on_their_list(acts: list[Act], person: bytes, key: bytes) -> None:
    def last(form: Block) -> Moderation:
        return moderate([*acts, Act(name(99), person, 9, form, True, False, "vote")])

    added = last(Block(((key, "spam"),), frozenset())).lists[person]
    assert Blocked(key, "spam", 9, name(99)) in added
    removed = last(Block(((key, "spam"),), frozenset({key}))).lists.get(person, ())
    assert key not in {one.key for one in removed}


@given(histories(), st.frozensets(PEOPLE), st.frozensets(PEOPLE))
def test_a_list_binds_only_who_follows_it(acts: list[Act], followed: frozenset[bytes], kept: frozenset[bytes]) -> None:
    lists = moderate(acts).lists
    found = blocked(lists, followed, kept=kept)
    assert blocked(lists, ()) == {}
    assert not kept & found.keys()
    for key, persons in found.items():
        assert set(persons) <= followed
        assert all(key in {one.key for one in lists[person]} for person in persons)


# -- rights and bodies


@pytest.mark.parametrize(
    ("by", "member", "steward"),
    [("stewards", False, True), ("members", True, True), ("vote", False, False), ("king", False, False)],
)
def test_the_rule_says_who_may_hide(by: str, member: bool, steward: bool) -> None:
    assert may_hide(by, member=True, steward=False) is member
    assert may_hide(by, member=True, steward=True) is steward
    assert not may_hide(by, member=False, steward=False)


def test_the_rule_on_hiding_is_the_one_in_force() -> None:
    assert hide_by(Rules()) == "stewards"
    assert hide_by(Rules.founded({"rules": {"hide": {"by": "vote"}}}, name(1), 0)) == "vote"


MADE = [
    (REPORT, report(name(1), "spam", text=name(2)), Report(name(1), "spam", name(2))),
    (HIDE, hide(name(1), "harm", reports=[name(3)]), Hide(name(1), "harm", None, frozenset({name(3)}))),
    (HIDE, hide(name(1), "harm"), Hide(name(1), "harm", None, frozenset())),
    (SHOW, show(name(1), [name(4), name(3)]), Show(name(1), frozenset({name(3), name(4)}))),
    (REVIEW, review(name(1), [name(4)]), Review(name(1), frozenset({name(4)}))),
    (BLOCK, block({name(1): "spam"}, [name(2)]), Block(((name(1), "spam"),), frozenset({name(2)}))),
]


@pytest.mark.parametrize(("kind", "made", "form"), MADE, ids=[case[0] for case in MADE])
def test_what_is_made_is_read_as_it_was_meant(kind: str, made: Any, form: Any) -> None:
    assert made.kind == kind
    assert read_moderation(kind, encode_body(made.body)) == form


@pytest.mark.parametrize(
    "make",
    [
        lambda: report(name(1), "dull"),
        lambda: report(b"short", "spam"),
        lambda: hide(name(1), "spam", reports=[name(n) for n in range(33)]),
        lambda: show(name(1), []),
        lambda: review(name(1), [b"short"]),
        lambda: block({name(1): "dull"}),
    ],
)
def test_what_would_not_be_read_is_not_made(make: Any) -> None:
    with pytest.raises(FormError, match="bad_moderation"):
        make()


def test_acts_are_read_from_records_with_who_their_authors_were() -> None:
    def record(made: Made, body: bytes | None = None) -> Record:
        return build(
            commons=name(1), plane=0, author=name(7), after=ZEROS, time=5 << 16, subject=name(1), prev=[],
            kind=made.kind, body=made.body if body is None else body, salt=bytes(16),
        )  # fmt: skip

    good, unfit, other = record(hide(name(2), "spam")), record(hide(name(2), "spam"), b"\x80"), record(Made("a.b", {}))
    bare = good._replace(body=None)
    who = Who(name(9), True, True, "stewards")
    assert acts_of([unfit, other, bare, good], lambda _: who) == [
        Act(good.id, name(9), 5, Hide(name(2), "spam", None, frozenset()), True, True, "stewards")
    ]
    assert acts_of([good], lambda _: None) == []


ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | WORDS | IDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["entry", "reason", "text", "reports", "acts", "add", "remove"]), ANYTHING))
def test_reading_is_total(body: dict[str, Any]) -> None:
    for kind in (REPORT, HIDE, SHOW, REVIEW, BLOCK, "entry.edit"):
        read_moderation(kind, encode_body(body))


@given(st.binary(max_size=40))
def test_any_bytes_are_a_body_or_none(body: bytes) -> None:
    for kind in (REPORT, HIDE, SHOW, REVIEW, BLOCK):
        read_moderation(kind, body)
