"""Tallies of the four modes, and majority judgment against tallies whose ranks are known."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from p2pcommons.commons.judgment import Step, Ungraded, lower_median, rank
from p2pcommons.commons.tally import (
    Choice,
    Consent,
    Judgment,
    Majority,
    Qualified,
    Tally,
    read_method,
    tally,
)

DATASETS = os.environ.get("P2PCOMMONS_DATASETS")
ASSERTIONS = "majority-judgment-assertions.json"  # of MieuxVoter's majority-judgment-library-java, MIT


def votes(agree: int = 0, against: int = 0, abstain: int = 0) -> list[Choice]:
    return ["for"] * agree + ["against"] * against + ["abstain"] * abstain


def outcome(result: Tally) -> tuple[bool, str]:
    return result.passed, result.reason


@pytest.mark.parametrize(
    ("ballots", "expected"),
    [
        (votes(2, 1), (True, "passed")),
        (votes(2, 2), (False, "too_few")),
        (votes(1, 0, 9), (True, "passed")),
        (votes(0, 0, 9), (False, "nobody_for")),
        (votes(0, 3), (False, "nobody_for")),
        (votes(2, 0), (False, "no_quorum")),
        ([], (False, "no_quorum")),
    ],
)
def test_a_majority_is_more_for_than_against_once_enough_have_answered(
    ballots: list[Choice], expected: tuple[bool, str]
) -> None:
    assert outcome(tally(Majority(), ballots, quorum=3, electorate=10)) == expected


@pytest.mark.parametrize(
    ("agree", "against", "passes"), [(2, 1, True), (3, 2, False), (4, 2, True), (1, 0, True), (0, 0, False)]
)
def test_two_thirds_are_met_exactly_and_in_integers(agree: int, against: int, passes: bool) -> None:
    assert tally(Qualified(2, 3), votes(agree, against)).passed is passes


def test_the_working_of_a_vote_is_shown() -> None:
    result = tally(Qualified(2, 3), [*votes(5, 2, 1), "perhaps", {"a": 1}], quorum=4, electorate=12)
    assert result == Tally(
        "qualified", True, "passed", 12, 4, 8, 1, 2, (("for", 5), ("against", 2)), needed=5, threshold=(2, 3)
    )
    assert (result.quorum_met, result.silent, result.count("for"), result.count("abstain")) == (True, 4, 5, 1)


def test_one_more_vote_than_needed_is_not_needed() -> None:
    for agree in range(8):
        for against in range(8):
            for method in (Majority(), Qualified(2, 3), Qualified(3, 4), Qualified(1, 1)):
                result = tally(method, votes(agree, against))
                assert result.needed is not None
                assert result.passed == (agree >= result.needed), (agree, against, method)


@pytest.mark.parametrize(
    ("ballots", "expected"),
    [
        (["consent", "abstain"], (True, "passed")),
        (["consent", "consent", "object"], (False, "objections")),
        (["abstain", "abstain"], (False, "nobody_for")),
        (["consent"], (False, "no_quorum")),
        (["for", "for"], (False, "no_quorum")),
    ],
)
def test_consent_passes_where_somebody_consents_and_nobody_objects(
    ballots: list[Choice], expected: tuple[bool, str]
) -> None:
    assert outcome(tally(Consent(), ballots, quorum=2, electorate=5)) == expected


def test_a_judgment_chooses_the_option_with_the_best_lower_median_and_shows_its_steps() -> None:
    method = Judgment(("hall", "barn", "tent"), 4)
    ballots: list[Choice] = [
        {"hall": 3, "barn": 3, "tent": 0},
        {"hall": 2, "barn": 2, "tent": 1},
        {"hall": 2, "barn": 2, "tent": 3},
        {"hall": 0, "barn": 1, "tent": 0},
        "abstain",
        {"cellar": 1},
        {"hall": 4},
        {},
    ]
    result = tally(method, ballots, quorum=3, electorate=9)
    assert (result.passed, result.answered, result.abstained, result.void) == (True, 5, 1, 3)
    assert result.winners == ("barn",)
    assert result.ranking is not None
    assert [(o.name, o.rank, o.median, o.counts) for o in result.ranking.options] == [
        ("barn", 1, 2, (0, 1, 2, 1)),
        ("hall", 2, 2, (1, 0, 2, 1)),
        ("tent", 3, 0, (2, 1, 0, 1)),
    ]
    assert result.ranking.steps == (Step("barn", "hall", 2, 1, 0), Step("hall", "tent", 0, 2, 0))


def test_a_grade_that_a_ballot_leaves_out_is_the_lowest() -> None:
    result = tally(Judgment(("a", "b"), 3), [{"a": 2}, {"a": 1, "b": 1}])
    assert result.ranking is not None
    assert [(o.name, o.counts, o.given) for o in result.ranking.options] == [
        ("a", (0, 1, 1), (0, 1, 1)),
        ("b", (1, 1, 0), (0, 1, 0)),
    ]


def test_equal_options_share_the_first_rank_and_none_is_chosen() -> None:
    result = tally(Judgment(("b", "a", "c"), 2), [{"a": 1, "b": 1}])
    assert outcome(result) == (False, "tied")
    assert result.winners == ("a", "b")
    assert result.ranking is not None
    assert [o.rank for o in result.ranking.options] == [1, 1, 3]
    assert result.ranking.steps[0].equal
    assert result.ranking.rank_of("nobody") is None


def test_a_judgment_that_nobody_makes_chooses_nothing() -> None:
    assert outcome(tally(Judgment(("a",), 2), ["abstain"])) == (False, "nobody_for")
    assert outcome(tally(Judgment((), 2), ["abstain"])) == (False, "nobody_for")


def test_of_two_middles_the_lower_one_is_the_median() -> None:
    assert [lower_median(counts) for counts in ([1, 0, 1], [1, 1, 1], [0, 0, 3], [2, 1, 1], [], [0, 0])] == [
        0, 1, 2, 0, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        ("majority", [2, 3], None, None),
        ("consent", None, ["a"], 3),
        ("qualified", None, None, None),
        ("qualified", [1, 2], None, None),
        ("qualified", [4, 3], None, None),
        ("qualified", [True, 1], None, None),
        ("qualified", [2, 3, 4], None, None),
        ("qualified", [2001, 2002], None, None),
        ("qualified", "23", None, None),
        ("judgment", None, [], 3),
        ("judgment", None, ["a", "a"], 3),
        ("judgment", None, ["a", ""], 3),
        ("judgment", None, ["a", 1], 3),
        ("judgment", None, ["a"], 1),
        ("judgment", None, ["a"], 11),
        ("judgment", None, ["a"], True),
        ("judgment", None, [str(n) for n in range(65)], 3),
        ("judgment", None, ["x" * 201], 3),
        ("judgment", [2, 3], ["a"], 3),
        ("lot", None, None, None),
        (["majority"], None, None, None),
        (None, None, None, None),
    ],
)
def test_what_does_not_fit_a_mode_is_no_method(given: tuple[object, ...]) -> None:
    assert read_method(*given) is None


def test_what_fits_a_mode_is_its_method() -> None:
    assert read_method("majority") == Majority()
    assert read_method("consent") == Consent()
    assert read_method("qualified", [2, 3]) == Qualified(2, 3)
    assert read_method("judgment", None, ["a", "b"], 7) == Judgment(("a", "b"), 7)


# Tallies with their ranks by hand: (name, counts by option, lowest grade first, ranks).
BY_HAND = [
    ("the median decides", [[2, 0, 1], [0, 2, 1]], [2, 1]),
    ("the first to lose its median loses", [[1, 2, 2], [2, 2, 1]], [1, 2]),
    ("an even number begins with the lower middle", [[1, 1, 2], [2, 0, 2]], [1, 2]),
    ("equal ranks stay equal", [[1, 1, 1], [1, 1, 1], [3, 0, 0]], [1, 1, 3]),
    ("the last grade alone may decide", [[1, 3, 1, 0], [1, 3, 0, 1]], [2, 1]),
]


@pytest.mark.parametrize(("name", "counts", "ranks"), BY_HAND, ids=[case[0] for case in BY_HAND])
def test_small_tallies_have_the_ranks_counted_by_hand(name: str, counts: list[list[int]], ranks: list[int]) -> None:
    ranking = rank({str(n): row for n, row in enumerate(counts)}, sum(counts[0]))
    assert [ranking.rank_of(str(n)) for n in range(len(counts))] == ranks


@pytest.mark.data
def test_published_tallies_have_their_published_ranks() -> None:
    if DATASETS is None or not (Path(DATASETS) / ASSERTIONS).exists():
        pytest.skip(f"P2PCOMMONS_DATASETS names no folder with {ASSERTIONS}")
    cases = json.loads((Path(DATASETS) / ASSERTIONS).read_text())
    assert len(cases) == 9
    modes: dict[str, Ungraded] = {"MedianDefault": "median", "Normalized": "aside"}
    for case in cases:
        ungraded = modes.get(case.get("mode", ""), case.get("default", 0))
        tallies = {str(n): counts for n, counts in enumerate(case["tallies"])}
        ranking = rank(tallies, case["participants"] if ungraded != "aside" else 0, ungraded=ungraded)
        assert [ranking.rank_of(name) for name in tallies] == case["ranks"], case["title"]
        assert len(ranking.steps) == len(tallies) - 1
