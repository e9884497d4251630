"""Laws of counting: order means nothing, support never harms, and ranks are those of the majority value."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.judgment import Ungraded, rank
from p2pcommons.commons.tally import (
    REASONS,
    Choice,
    Consent,
    Judgment,
    Majority,
    Method,
    Qualified,
    is_choice,
    read_method,
    tally,
)

OPTIONS = ("a", "b", "c")
GRADES = 4
WORDS = st.sampled_from(["for", "against", "abstain", "consent", "object", ""])
JUDGED = st.dictionaries(st.sampled_from((*OPTIONS, "z")), st.integers(-1, GRADES), max_size=4)
WHOLE = st.fixed_dictionaries({option: st.integers(0, GRADES - 1) for option in OPTIONS})
METHODS = st.one_of(
    st.just(Majority()),
    st.just(Consent()),
    st.builds(Qualified, st.integers(-2, 5), st.integers(-2, 5)),
    st.builds(Judgment, st.just(OPTIONS), st.integers(-1, GRADES), st.sampled_from([0, 2, 9, "median", "aside"])),
)
BALLOTS = st.lists(st.one_of(WORDS, JUDGED), max_size=12)
ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(METHODS, BALLOTS, st.integers(-1, 9), st.randoms(use_true_random=False))
def test_the_order_of_ballots_changes_nothing(method: Method, ballots: list[Choice], quorum: int, dice: Any) -> None:
    mixed = list(ballots)
    dice.shuffle(mixed)
    assert tally(method, mixed, quorum=quorum) == tally(method, ballots, quorum=quorum)


@given(METHODS, BALLOTS, st.integers(-1, 9), st.integers(-1, 20))
def test_every_ballot_is_counted_once_and_the_reason_agrees(
    method: Method, ballots: list[Choice], quorum: int, electorate: int
) -> None:
    result = tally(method, ballots, quorum=quorum, electorate=electorate)
    assert result.answered + result.void == len(ballots)
    assert result.void == sum(not is_choice(method, choice) for choice in ballots)
    assert result.reason in REASONS
    assert result.passed == (result.reason == "passed")
    assert result.quorum_met == (result.reason != "no_quorum")
    assert result.silent >= 0


@given(METHODS, st.lists(ANYTHING, max_size=6))
def test_a_tally_is_total(method: Method, choices: Any) -> None:
    tally(method, choices)


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_reading_a_method_is_total(mode: object, threshold: object, options: object, grades: object) -> None:
    for name in (mode, "majority", "qualified", "consent", "judgment"):
        read_method(name, threshold, options, grades)


@given(
    st.sampled_from([Majority(), Consent(), Qualified(2, 3), Qualified(1, 1)]),
    st.lists(WORDS, max_size=12),
    st.integers(0, 9),
)
def test_one_more_voice_for_it_or_one_more_abstention_never_undoes_what_passed(
    method: Method, ballots: list[Choice], quorum: int
) -> None:
    if tally(method, ballots, quorum=quorum).passed:
        for more in ("consent" if isinstance(method, Consent) else "for", "abstain"):
            assert tally(method, [*ballots, more], quorum=quorum).passed


@given(st.lists(WHOLE, min_size=1, max_size=8), st.sampled_from(OPTIONS), st.data())
def test_raising_an_options_grade_on_one_ballot_never_costs_it_rank(
    ballots: list[dict[str, int]], option: str, data: Any
) -> None:
    at = data.draw(st.integers(0, len(ballots) - 1))
    grade = data.draw(st.integers(ballots[at][option], GRADES - 1))
    raised = [*ballots[:at], {**ballots[at], option: grade}, *ballots[at + 1 :]]
    assert place(raised, option) <= place(ballots, option)


@given(st.lists(WHOLE, max_size=8), st.sampled_from(OPTIONS))
def test_one_more_ballot_all_for_one_option_never_costs_it_rank(ballots: list[dict[str, int]], option: str) -> None:
    more = {other: GRADES - 1 if other == option else 0 for other in OPTIONS}
    assert place([*ballots, more], option) <= place(ballots, option)


def place(ballots: list[dict[str, int]], option: str) -> int:
    ranking = tally(Judgment(OPTIONS, GRADES), ballots).ranking
    assert ranking is not None
    found = ranking.rank_of(option)
    assert found is not None
    return found


COUNTS = st.lists(st.integers(0, 5), min_size=GRADES, max_size=GRADES)


@given(st.lists(COUNTS, max_size=5))
def test_ranks_are_those_of_medians_taken_out_one_by_one(rows: list[list[int]]) -> None:
    judges = max((sum(row) for row in rows), default=0)
    filled = [[row[0] + judges - sum(row), *row[1:]] for row in rows]
    values = [majority_value(row) for row in filled]
    ranking = rank({str(n): row for n, row in enumerate(rows)}, judges)
    for n, value in enumerate(values):
        assert ranking.rank_of(str(n)) == 1 + sum(other > value for other in values)
    for step in ranking.steps:
        better, other = values[int(step.better)], values[int(step.other)]
        if step.equal:
            assert better == other
        else:
            assert better[: step.aside] == other[: step.aside]
            assert (better[step.aside], other[step.aside]) == (step.grade, step.other_grade)


def majority_value(counts: list[int]) -> list[int]:
    """The plain definition: take the lower median out, again and again."""
    grades = [grade for grade, count in enumerate(counts) for _ in range(count)]
    return [grades.pop((len(grades) - 1) // 2) for _ in range(len(grades))]


@given(st.lists(COUNTS, max_size=4), st.integers(1, 10**9), st.sampled_from([0, "median", "aside"]))
def test_ranks_do_not_change_with_the_scale(rows: list[list[int]], scale: int, ungraded: Ungraded) -> None:
    # An even scale: of an odd and an even number of equal grades, the halves are not alike.
    one = rank({str(n): [2 * c for c in row] for n, row in enumerate(rows)}, 0, ungraded=ungraded)
    other = rank({str(n): [2 * scale * c for c in row] for n, row in enumerate(rows)}, 0, ungraded=ungraded)
    assert [(o.name, o.rank, o.median) for o in one.options] == [(o.name, o.rank, o.median) for o in other.options]


@given(st.dictionaries(st.text(max_size=2), st.lists(st.integers(-3, 5), max_size=4), max_size=4), st.integers(-2, 9))
def test_ranking_is_total(tallies: dict[str, list[int]], judges: int) -> None:
    for ungraded in (0, -1, 99, "median", "aside"):
        ranking = rank(tallies, judges, ungraded=ungraded)  # type: ignore[arg-type]
        assert {option.name for option in ranking.options} == set(tallies)
