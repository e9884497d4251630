"""The four criteria: what numbers suggest, what people say, and the picture of both."""

from __future__ import annotations

import re
from itertools import permutations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.criteria import (
    CRITERIA,
    MEASURES,
    STATES,
    Assessment,
    Evidence,
    Facts,
    evidence,
    standings,
    suggested,
)
from p2pcommons.commons.rules import MONTH_MS
from p2pcommons.web import criteria_svg
from p2pcommons.web.texts import texts

NOW = 600 * MONTH_MS
WELL = Facts(
    NOW, users=30, voters=20, deciders=8, last_decision_ms=NOW - MONTH_MS, decisions=4, rules=23, rules_due=0,
    recipe_present=True, recipe_current=True, export_present=True, licence="CC-BY-SA-4.0", copies=3, maintainers=5,
)  # fmt: skip


def measure(name: str, **facts: Any) -> Evidence:
    return next(one for one in evidence(Facts(NOW, **facts)) if one.measure == name)


def test_every_criterion_has_evidence_and_every_measure_comes_once() -> None:
    found = evidence(WELL)
    assert [one.measure for one in found] == list(MEASURES)
    assert {one.criterion for one in found} == set(CRITERIA)
    assert {one.state for one in found} == {"met"}


def test_what_is_not_known_is_no_evidence() -> None:
    assert {one.state for one in evidence(Facts(NOW))} == {"unknown"}
    assert [standing.state for standing in standings(Facts(NOW))] == ["unknown"] * 4


@pytest.mark.parametrize(
    ("name", "facts", "state", "value"),
    [
        ("voters", {"users": 30, "voters": 15}, "met", 15),
        ("voters", {"users": 30, "voters": 14}, "partly", 14),
        ("voters", {"users": 30, "voters": 2}, "not_met", 2),
        ("voters", {"users": 0, "voters": 0}, "unknown", 0),
        ("deciders", {"voters": 100, "deciders": 33}, "met", 33),
        ("deciders", {"voters": 100, "deciders": 9}, "not_met", 9),
        ("last_decision", {"last_decision_ms": NOW - 11 * MONTH_MS}, "met", 11),
        ("last_decision", {"last_decision_ms": NOW - 12 * MONTH_MS}, "partly", 12),
        ("last_decision", {"last_decision_ms": NOW - 36 * MONTH_MS}, "not_met", 36),
        ("last_decision", {"last_decision_ms": NOW + MONTH_MS}, "met", 0),
        ("last_decision", {"decisions": 0}, "not_met", None),
        ("rules_reviewed", {"rules": 23, "rules_due": 3}, "partly", 20),
        ("rules_reviewed", {"rules": 23, "rules_due": 23}, "not_met", 0),
        ("recipe", {"recipe_present": True, "recipe_current": False}, "partly", 1),
        ("recipe", {"recipe_present": False}, "not_met", 0),
        ("export", {"export_present": True}, "met", 1),
        ("licence", {"licence": "CC0-1.0"}, "met", 1),
        ("licence", {"licence": "LicenseRef-PPL"}, "met", 1),
        ("licence", {"licence": "LicenseRef-all-rights-reserved"}, "partly", 1),
        ("licence", {"licence": ""}, "not_met", 0),
        ("copies", {"copies": 3}, "met", 3),
        ("copies", {"copies": 2}, "partly", 2),
        ("copies", {"copies": 1}, "not_met", 1),
        ("maintainers", {"maintainers": 2}, "met", 2),
        ("maintainers", {"maintainers": 0}, "not_met", 0),
    ],
)
def test_numbers_are_judged_by_plain_bounds(name: str, facts: dict[str, Any], state: str, value: int | None) -> None:
    one = measure(name, **facts)
    assert (one.state, one.value) == (state, value)


def test_a_criterion_is_met_where_all_that_is_known_is() -> None:
    def with_states(*states: str) -> str:
        return suggested(Evidence("rules", "recipe", state, None, None) for state in states)

    assert with_states("met", "unknown") == "met"
    assert with_states("met", "not_met") == "partly"
    assert with_states("not_met", "not_met") == "not_met"
    assert with_states("partly") == "partly"
    assert with_states() == with_states("unknown") == "unknown"


ALICE = Assessment("rules", "partly", 10, b"1" * 32, b"a" * 32)
BOB = Assessment("rules", "met", 20, b"2" * 32, b"b" * 32, contested_by=(b"a" * 32,))
ALL = Assessment("rules", "not_met", 15, b"3" * 32, b"c" * 32, decided=True)
STRANGE = (Assessment("beauty", "met", 30, b"4" * 32, b"a" * 32), Assessment("rules", "sure", 30, b"5" * 32, b"a" * 32))


def rules_standing(*said: Assessment) -> Any:
    return next(standing for standing in standings(WELL, said) if standing.criterion == "rules")


def test_what_somebody_says_is_shown_with_what_numbers_suggest_beside_it() -> None:
    standing = rules_standing(ALICE)
    assert (standing.state, standing.suggested, standing.assessment, standing.contested) == (
        "partly", "met", ALICE, False,
    )  # fmt: skip


def test_the_latest_assessment_is_shown_and_those_who_contest_it() -> None:
    standing = rules_standing(ALICE, BOB)
    assert (standing.assessment, standing.earlier, standing.contested) == (BOB, (ALICE,), True)


def test_a_vote_of_the_members_stands_before_what_one_of_them_says() -> None:
    assert rules_standing(ALICE, BOB, ALL).assessment == ALL


def test_the_order_and_repetition_of_assessments_change_nothing() -> None:
    expected = standings(WELL, (ALICE, BOB, ALL, *STRANGE))
    for some in permutations((ALICE, BOB, ALL, *STRANGE, ALICE)):
        assert standings(WELL, some) == expected


NUMBERS = st.none() | st.integers(-3, 40)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.none() | st.text(max_size=5), NUMBERS)
def test_evidence_is_total(a: int | None, b: int | None, c: int | None, d: int | None, e: Any, f: int | None) -> None:
    facts = Facts(NOW, a, b, c, d, f, a, b, None, None, None, e, c, d or 0, f)
    assert {one.state for one in evidence(facts)} <= set(STATES)


# -- the picture

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("language", "title", "first"),
    [
        ("en", "The four criteria of a commons", "Governed by all its users – it is so, by the numbers"),
        ("fr", "Les quatre critères d’un commun", "Gouverné par tous ses usagers – c’est le cas, d’après les nombres"),
    ],
)
def test_the_picture_says_in_words_what_it_shows(language: str, title: str, first: str) -> None:
    picture = ElementTree.fromstring(criteria_svg.criteria_picture(standings(WELL, [BOB]), texts(language)))
    told = {child.tag.removeprefix(SVG): child for child in picture}
    assert picture.get("role") == "img" and picture.get("lang") == language
    assert picture.get("aria-labelledby") == f"{told['title'].get('id')} {told['desc'].get('id')}"
    assert told["title"].text == title
    assert (told["desc"].text or "").startswith(first)
    rows = [[text.text for text in row.iter(f"{SVG}text")] for row in picture.iter(f"{SVG}g")]
    assert len(rows) == 4
    for row in rows:
        assert " – ".join(str(part) for part in row) in (told["desc"].text or "")
    assert picture.findall(f".//{SVG}g[@class='met']")


def test_each_state_is_drawn_in_its_own_form_and_without_colour_or_style() -> None:
    drawn = set()
    for state in STATES:
        said = [Assessment(criterion, state, 1, b"1" * 32, b"a" * 32) for criterion in CRITERIA]
        picture = str(criteria_svg.criteria_picture(standings(WELL, said), texts("en")))
        assert "style" not in picture and "#" not in picture
        drawn.add(re.sub(r"<text.*?</text>|<desc.*?</desc>|class=\"\w+\"", "", picture))
    assert len(drawn) == len(STATES)


def test_every_criterion_and_state_has_words() -> None:
    assert set(criteria_svg.CRITERIA) == set(CRITERIA)
    assert set(criteria_svg.STATES) == set(STATES)
