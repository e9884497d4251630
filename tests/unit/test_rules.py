"""The catalogue of rules, versions in force, and the charters that come with the package."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.commons.charter import judge
from p2pcommons.commons.charter_text import (
    TEMPLATES,
    Template,
    charter_in_words,
    founding_fields,
    founding_rules,
    read_template,
    sentence,
    spoken,
    template_of,
    template_value,
)
from p2pcommons.commons.roles import MAY, ROLE_WORDS, ROLES, roles
from p2pcommons.commons.rules import (
    DAY_MS,
    MATTERS,
    MONTH_MS,
    RULES,
    Flag,
    Licence,
    Rules,
    RuleVersion,
    Whole,
    Word,
    read_params,
)
from p2pcommons.commons.tally import Consent, Judgment, Majority, Qualified
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.record import ZEROS, build
from p2pcommons.errors import FormError
from p2pcommons.node.charters import template

FOUNDING = b"f" * 32
OUTCOME = b"o" * 32
CHAPTER = Path(__file__).resolve().parents[2] / "protocol" / "24-rules.md"

ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


# -- the catalogue


def test_every_matter_has_a_rule_and_every_default_fits() -> None:
    assert {f"decide.{matter}" for matter in MATTERS} <= set(RULES)
    for rule in RULES.values():
        assert read_params(rule.id, {}) == rule.defaults
        assert read_params(rule.id, rule.defaults) == rule.defaults


def test_the_chapter_lists_the_catalogue() -> None:
    rows = re.findall(r"^\| `([a-z.]+)` \| (.+?) \| .+ \|$", CHAPTER.read_text("utf-8"), re.MULTILINE)
    told = {rule: parameters for rule, parameters in rows if rule in RULES}
    assert list(told) == list(RULES)
    for rule in RULES.values():
        said = []
        for name, parameter in sorted(rule.parameters.items()):
            if isinstance(parameter, Whole):
                said.append(f"`{name}`: {parameter.low}..{parameter.high}, {parameter.default}")
            elif isinstance(parameter, Word):
                said.append(f"`{name}`: {' '.join(f'`{word}`' for word in parameter.words)}, `{parameter.default}`")
            elif isinstance(parameter, Flag):
                said.append(f"`{name}`: bool, {str(parameter.default).lower()}")
            else:
                said.append(f"`{name}`: text of at most 512 code points, empty")
        assert told[rule.id] == "; ".join(said), rule.id


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("join", {"policy": "lottery"}),
        ("join", {"policy": 1}),
        ("join", {"policy": "open", "colour": "red"}),
        ("join", ["open"]),
        ("join", None),
        ("announcing", {"announced": 1}),
        ("replicas", {"floor": 0}),
        ("replicas", {"floor": 33}),
        ("replicas", {"floor": True}),
        ("licence", {"expression": "x" * 513}),
        ("licence", {"expression": b"MIT"}),
        ("decide.rule", {"mode": "judgment"}),
        ("decide.text", {"p": 1, "q": 2}),
        ("decide.text", {"p": 4}),
        ("decide.text", {"p": 4, "q": 3}),
        ("decide.text", {"percent": 101}),
        ("closing", {"closers": 4, "needed": 2}),
        ("closing", {"closers": 2, "needed": 3}),
        ("no.rule", {}),
        (None, {}),
        (["join"], {}),
    ],
)
def test_what_does_not_fit_a_rule_is_none(rule: object, value: object) -> None:
    assert read_params(rule, value) is None


@given(st.sampled_from([*RULES, "no.rule"]), st.dictionaries(st.sampled_from(["by", "p", "q", "days"]), ANYTHING))
def test_reading_parameters_is_total_and_what_fits_stays_itself(rule: str, value: dict[str, Any]) -> None:
    params = read_params(rule, value)
    if params is not None:
        assert read_params(rule, params) == params
        assert set(params) == set(RULES[rule].parameters)


# -- versions in force


def test_rules_that_nothing_set_hold_by_default() -> None:
    rules = Rules()
    assert rules["join"] == RuleVersion("join", ZEROS, {"policy": "invite"})
    assert rules.value() == []
    with pytest.raises(KeyError):
        _ = rules["no.rule"]


def test_a_founding_record_sets_what_fits_and_nothing_else() -> None:
    content = {
        "rules": {"replicas": {"floor": 5}, "hide": {"by": "king"}, "no.rule": {}, "edit": 7},
        "join": "open",
        "announced": True,
        "licence": 3,
        "template": "collection",
        "texts": {"edit": b"t" * 32, "hide": b"short", "no.rule": b"t" * 32},
    }
    rules = Rules.founded(content, FOUNDING, 1000)
    assert rules.template == "collection"
    assert set(rules.versions) == {"announcing", "join", "replicas", "edit"}
    assert rules["replicas"] == RuleVersion("replicas", FOUNDING, {"floor": 5}, None, 1000)
    assert rules["edit"] == RuleVersion("edit", FOUNDING, {"by": "members"}, b"t" * 32, 1000)
    assert rules.params("hide") == {"by": "stewards"}


@pytest.mark.parametrize(
    ("fields", "join", "announced", "licence"),
    [
        ({}, "invite", False, ""),
        ({"join": "open", "licence": "CC0-1.0"}, "open", True, "CC0-1.0"),
        ({"join": "open", "announced": False}, "open", False, ""),
        ({"join": "vote", "announced": 1, "licence": 7}, "vote", False, ""),
        ({"join": "whoever", "announced": True}, "invite", True, ""),
    ],
)
def test_the_founding_records_own_fields_decide_on_their_rules_as_in_the_charters_view(
    fields: dict[str, Any], join: str, announced: bool, licence: str
) -> None:
    said = {"join": {"policy": "vote"}, "licence": {"expression": "MIT"}, "announcing": {"announced": True}}
    for content in (fields, {"rules": said, **fields}):
        rules = Rules.founded(content, FOUNDING, 0)
        assert rules.params("join") == {"policy": join}
        assert rules.params("announcing") == {"announced": announced}
        assert rules.params("licence") == {"expression": licence}


def test_rules_at_the_founding_are_what_the_charters_view_says() -> None:
    for fields in ({"join": "open"}, {"join": "vote", "announced": True}, {"licence": "CC0-1.0"}, {"join": "?"}):
        body = {"entropy": b"e" * 32, "recovery": b"r" * 32, "name": "Commons", **fields}
        record = build(
            commons=ZEROS, plane=0, author=SigningKey(b"a" * 32).public, after=ZEROS, time=1 << 16, subject=ZEROS,
            prev=[], kind="commons.found", body=body, salt=bytes(16),
        )  # fmt: skip
        charter = judge([record])
        rules = Rules.founded(body, record.id, 0)
        assert charter.founded
        assert (charter.join, charter.announced) == (
            rules.params("join")["policy"], rules.params("announcing")["announced"],
        )  # fmt: skip
        assert (charter.licence or "") == rules.params("licence")["expression"]


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_any_founding_record_gives_rules(rules: Any, texts: Any, name: Any, join: Any) -> None:
    found = Rules.founded({"rules": rules, "texts": texts, "template": name, "join": join}, FOUNDING, 0)
    for rule in RULES:
        assert read_params(rule, found.params(rule)) == found.params(rule)


def test_an_amended_rule_has_its_new_version_and_the_others_theirs() -> None:
    before = Rules.founded({"rules": {"review": {"months": 6}}}, FOUNDING, 0)
    after = before.amended("replicas", {"floor": 4}, OUTCOME, 5 * DAY_MS, text=b"t" * 32)
    assert after is not None
    assert after["replicas"] == RuleVersion("replicas", OUTCOME, {"floor": 4}, b"t" * 32, 5 * DAY_MS)
    assert after["review"] == before["review"]
    assert after.review_ms("replicas") == 5 * DAY_MS + 6 * MONTH_MS
    assert before.amended("replicas", {"floor": 0}, OUTCOME, 0) is None
    assert before.amended("no.rule", {}, OUTCOME, 0) is None
    assert [item[:2] for item in after.value()] == [["replicas", OUTCOME], ["review", FOUNDING]]


def test_the_order_of_amendments_to_different_rules_changes_nothing() -> None:
    def change(rules: Rules, rule: str, params: dict[str, Any]) -> Rules:
        changed = rules.amended(rule, params, OUTCOME, 9)
        assert changed is not None
        return changed

    one = change(change(Rules(), "replicas", {"floor": 4}), "join", {"policy": "open"})
    other = change(change(Rules(), "join", {"policy": "open"}), "replicas", {"floor": 4})
    assert one == other
    assert list(one.versions) == list(other.versions)


def test_the_rule_for_changing_rules_changes_itself() -> None:
    rules = Rules()
    assert rules.decision("rule").threshold == (2, 3)
    changed = rules.amended("decide.rule", {"mode": "qualified", "p": 3, "q": 4}, OUTCOME, 0)
    assert changed is not None
    assert changed.decision("rule").threshold == (3, 4)


@given(st.integers(1, 10_000), st.integers(0, 100), st.integers(1, 5_000))
def test_a_quorum_can_always_be_met_and_is_never_nothing(heads: int, percent: int, electorate: int) -> None:
    rules = Rules().amended("decide.text", {"heads": heads, "percent": percent}, OUTCOME, 0)
    assert rules is not None
    quorum = rules.decision("text").quorum(electorate)
    assert 1 <= quorum <= electorate
    assert quorum == electorate or (quorum >= heads and 100 * quorum >= percent * electorate)


@given(st.integers(1, 31), st.integers(1, 31), st.integers(0, 100))
def test_closers_that_agree_are_always_more_than_half(closers: int, needed: int, electorate: int) -> None:
    rules = Rules().amended("closing", {"closers": closers, "needed": needed}, OUTCOME, 0)
    if rules is None:
        assert not closers < 2 * needed <= 2 * closers
        return
    several, agreeing = rules.closing(electorate)
    assert several < 2 * agreeing <= 2 * several
    assert 1 <= several <= max(1, electorate)


def test_a_proposal_keeps_to_the_rule_of_its_matter() -> None:
    rules = Rules.founded({"rules": {"decide.text": {"mode": "judgment"}}}, FOUNDING, 0)
    assert rules.decision("rule").method() == Qualified(2, 3)
    assert rules.decision("rule").is_method(Qualified(2, 3))
    assert not rules.decision("rule").is_method(Qualified(3, 4))
    assert not rules.decision("rule").is_method(Majority())
    assert rules.decision("admit").is_method(Majority())
    assert not rules.decision("admit").is_method(Consent())
    assert rules.decision("text").method(["a", "b"], 5) == Judgment(("a", "b"), 5)
    assert rules.decision("text").method() is None


# -- charters in words


def charters() -> list[Template]:
    return [template(name) for name in TEMPLATES]


def values(rule: str) -> list[dict[str, Any]]:
    """Parameters of a rule: every word and truth, and the ends of every number."""
    rows = []
    for name, parameter in RULES[rule].parameters.items():
        if isinstance(parameter, Word):
            rows.append([(name, word) for word in parameter.words])
        elif isinstance(parameter, Flag):
            rows.append([(name, truth) for truth in (False, True)])
        elif isinstance(parameter, Licence):
            rows.append([(name, licence) for licence in ("", "CC0-1.0")])
        elif name in ("p", "q"):
            rows.append([(name, parameter.default)])
        else:
            rows.append([(name, number) for number in (parameter.low, parameter.default)])
    found = [params for row in product(*rows) if (params := read_params(rule, dict(row))) is not None]
    assert found
    return found


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_rule_is_one_or_two_plain_sentences_in_each_language(name: str, rule: str, language: str) -> None:
    told = set()
    for params in values(rule):
        text = sentence(template(name), rule, params, language)
        assert not re.search(r"[{}]|  ", text), text
        assert text[0].isupper() and text[-1] == "." and len(text) < 320, text
        assert 1 <= len(re.findall(r"\.(?: |$)", text)) <= 2, text
        told.add(text)
    # The share of votes is said where it counts, so that some parameters read alike.
    assert len(told) > 1


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_charter_says_all_its_places_and_words_in_french_and_english(name: str) -> None:
    value = json.loads((files("p2pcommons") / "data" / "charters" / f"{name}.json").read_bytes())
    assert value["name"] == name

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if "en" in part or "fr" in part:
                assert set(part) == {"en", "fr"} and all(part.values())
                places = [re.findall(r"\{([a-z]+)", part[language]) for language in ("en", "fr")]
                assert sorted(places[0]) == sorted(places[1]), part
            else:
                for item in part.values():
                    look(item)
        elif isinstance(part, list):
            for item in part:
                look(item)

    look(value)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_village_association_can_keep_its_charter_as_it_is(language: str) -> None:
    charter = template()
    said = founding_rules(charter)
    rules = Rules.founded({"rules": said, "template": charter.name, **founding_fields(said)}, FOUNDING, 0)
    parts = charter_in_words(charter, rules, language)
    articles = [article for part in parts for article in part.articles]
    assert [article.rule for article in articles] == [clause.rule for clause in charter.clauses()]
    assert {article.rule for article in articles} == set(RULES)
    assert all(article.version == FOUNDING and article.review_ms == 12 * MONTH_MS for article in articles)
    assert {article.rule for article in articles if article.promise} == {r.id for r in RULES.values() if r.promise}
    assert all(part.title and part.text for part in parts)


def test_numbers_go_with_their_words() -> None:
    charter = template()
    one = sentence(charter, "replicas", {"floor": 1}, "fr")
    many = sentence(charter, "replicas", {"floor": 2}, "fr")
    assert "1 copie entière " in one and "2 copies entières " in many
    nobody = {**RULES["decide.text"].defaults, "percent": 0, "heads": 1}
    assert sentence(charter, "decide.text", nobody, "en").endswith("at least 1 member has to answer.")


def test_words_that_people_wrote_stand_instead_and_have_the_same_places() -> None:
    charter = template()
    own = {"replicas": {"fr": "Chez nous, {floor} copies au moins, {rien}, {floor:copie}."}}
    parts = charter_in_words(charter, Rules(), "fr", own)
    told = {article.rule: article.text for part in parts for article in part.articles}
    assert told["replicas"] == "Chez nous, 3 copies au moins, {rien}, {floor:copie}."


def test_a_language_that_is_not_there_falls_back() -> None:
    assert spoken({"fr": "oui", "en": "yes"}, "fr-CA") == "oui"
    assert spoken({"fr": "oui", "en": "yes"}, "br") == "yes"
    assert spoken({"fr": "oui"}, "br") == "oui"
    assert spoken({}, "br") == ""


def test_founding_rules_are_the_templates_with_what_differs() -> None:
    charter = template("collection")
    rules = founding_rules(charter, {"replicas": {"floor": 9}, "decide.text": {"days": 3}})
    assert set(rules) == set(RULES)
    assert rules["replicas"] == {"floor": 9}
    assert (rules["decide.text"]["days"], rules["decide.text"]["heads"]) == (3, 5)
    assert founding_fields(rules) == {"join": "open", "announced": True, "licence": "CC-BY-SA-4.0"}
    assert "licence" not in founding_fields(founding_rules(charter, {"licence": {"expression": ""}}))
    for overrides in ({"no.rule": {}}, {"join": {"policy": "x"}}, {"licence": {"expression": "as you like"}}):
        with pytest.raises(FormError, match="bad_rule"):
            founding_rules(charter, overrides)


def test_a_federation_acts_by_several_of_its_people_and_the_collection_is_open() -> None:
    federation, collection = founding_rules(template("federation")), founding_rules(template("collection"))
    assert federation["organisations"]["needed"] == 2
    assert federation["join"]["policy"] == "vote"
    assert (collection["join"]["policy"], collection["announcing"]["announced"]) == ("open", True)
    assert template("no such") is template()


def test_a_template_comes_back_from_its_value() -> None:
    for charter in charters():
        assert template_of(template_value(charter)) == charter
        assert charter.with_params({}) == charter


def spoiled(change: Any) -> bytes:
    value = template_value(template())
    change(value)
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'"\\ud800"',
        b"[" * 100_000,
        b"1" * 10_000,
        b" " * (256 * 1024 + 1),
        spoiled(lambda v: v.pop("name")),
        spoiled(lambda v: v.update(more=1)),
        spoiled(lambda v: v.update(name="../association")),
        spoiled(lambda v: v.update(title={})),
        spoiled(lambda v: v.update(title={"fr_FR": "x"})),
        spoiled(lambda v: v.update(title={"fr": 1})),
        spoiled(lambda v: v.update(title={"fr": "x" * 20_000})),
        spoiled(lambda v: v.update(title={"fr": "\0"})),
        spoiled(lambda v: v.update(title={f"x-{n:03}": "x" for n in range(17)})),
        spoiled(lambda v: v.update(sections={})),
        spoiled(lambda v: v["sections"].pop()),
        spoiled(lambda v: v["sections"].append(v["sections"][0])),
        spoiled(lambda v: v["sections"][0]["rules"][0].update(id=["x"])),
        spoiled(lambda v: v["sections"][0]["rules"][0].update(params={"x": 1})),
        spoiled(lambda v: v["sections"][0]["rules"].__setitem__(0, 7)),
        spoiled(lambda v: v["words"].update(mode=7)),
    ],
)
def test_a_template_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(FormError, match="bad_template"):
        read_template(data)


@given(ANYTHING)
def test_any_value_is_a_template_or_refused(value: Any) -> None:
    try:
        template_of(value)
    except FormError as error:
        assert error.code == "bad_template"


# -- roles


def test_what_a_role_may_do_follows_from_the_rules() -> None:
    usual = roles({})
    assert set(usual) == set(ROLES) == set(ROLE_WORDS)
    assert "hide" in usual["steward"] and "hide" not in usual["member"]
    assert usual["host"] == ("keep_copies",)
    assert set(usual["member"]) < set(usual["steward"]) <= set(MAY)
    changed = roles({"hide": {"by": "vote"}, "invite": {"by": "stewards"}, "stewards": {"by": "stewards"}})
    assert "hide" not in changed["steward"]
    assert "invite" not in changed["member"]
    assert {"invite", "appoint"} <= set(changed["steward"])
