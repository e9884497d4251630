"""A charter in words: templates, and each rule as a sentence made of its parameters (chapter 24, "Words").

A template says in each of its languages what every rule of the catalogue (`commons.rules`) means. In its texts
`{name}` stands for a parameter, `{name:one:many}` for a number with its word, and where the template has words for
a parameter (`by`, `mode`; `yes`/`no`, `none`/`some`) these stand in its place. `{quorum}` has words for `heads`
alone and for `both` heads and percent. What is unknown stays as it is. Knows no file: bytes come in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from p2pcommons.commons.languages import canonical
from p2pcommons.commons.licences import is_expression
from p2pcommons.commons.plain_json import read_json
from p2pcommons.commons.rules import RULES, Licence, Params, Rules, read_params
from p2pcommons.core.limits import CHARTER_FILE_BYTES_MAX, RECIPE_TEXT_CHARACTERS_MAX
from p2pcommons.errors import FormError

TEMPLATES: Final = ("association", "collection", "federation")
"""Templates of the package, `p2pcommons/data/charters/NAME.json`; the first is the default."""

Words = Mapping[str, str]
"""One text in several languages (BCP 47 tags)."""

Choices = Mapping[str, Mapping[str, Words]]
"""By parameter and by value: the words that stand for the value."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_PLACE: Final = re.compile(r"\{([a-z]+)(?::([^:{}]*):([^:{}]*))?\}")
_LANGUAGES_MAX: Final = 16  # of one charter


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule in words."""

    rule: str
    title: Words
    text: Words
    params: Params  # what the template proposes
    words: Choices = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Section:
    """Clauses that belong together, under a heading and some words that are no rule."""

    title: Words
    text: Words
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A charter to start from: every rule of the catalogue once, with proposed parameters and words."""

    name: str
    title: Words
    summary: Words
    sections: tuple[Section, ...]
    words: Choices = field(default_factory=dict)  # for all clauses that have no own

    def clauses(self) -> Iterator[Clause]:
        """All clauses, in the order in which people read them."""
        return (clause for section in self.sections for clause in section.clauses)

    def with_params(self, params: Mapping[str, Params]) -> Template:
        """This template, proposing other parameters for some rules."""
        sections = tuple(
            replace(s, clauses=tuple(replace(c, params=params.get(c.rule, c.params)) for c in s.clauses))
            for s in self.sections
        )
        return replace(self, sections=sections)

    def clause(self, rule_id: str) -> Clause:
        """The clause of one rule. KeyError: no such rule."""
        for clause in self.clauses():
            if clause.rule == rule_id:
                return clause
        raise KeyError(rule_id)


class Article(NamedTuple):
    """One rule as people read it."""

    rule: str
    title: str
    text: str
    version: bytes  # id of the record that set it; zeros: by default
    review_ms: int  # Unix ms
    promise: bool  # kept by people, not by the fold


class Part(NamedTuple):
    """A heading, some words, and the articles under it."""

    title: str
    text: str
    articles: tuple[Article, ...]


def charter_in_words(
    template: Template, rules: Rules, language: str, own: Mapping[str, Words] | None = None
) -> tuple[Part, ...]:
    """The charter in one language. `own`: words that people wrote, by rule; they have the same places."""
    return tuple(
        Part(
            spoken(section.title, language),
            spoken(section.text, language),
            tuple(_article(template, clause, rules, language, own or {}) for clause in section.clauses),
        )
        for section in template.sections
    )


def sentence(template: Template, rule_id: str, params: Params, language: str, own: Words | None = None) -> str:
    """What a rule with these parameters says: for a charter, and for a proposal to change it. KeyError: no rule."""
    clause = template.clause(rule_id)
    text, tongue = _chosen(own or clause.text, language)
    choices = {**template.words, **clause.words}

    def word(place: re.Match[str]) -> str:
        name = place[1]
        chosen = choices.get(name, {}).get(_value_key(rule_id, name, params))
        return place[0] if chosen is None else spoken(chosen, tongue)

    def number(place: re.Match[str]) -> str:
        name, one, many = place.groups()
        value = params.get(name)
        if value is None or isinstance(value, bool):
            return place[0]
        return f"{value}" if one is None else f"{value} {one if _is_one(tongue, value) else many}"

    return _PLACE.sub(number, _PLACE.sub(word, text))


def spoken(words: Words, language: str) -> str:
    """The words in this language; else in English, else in the first there is; empty where there are none."""
    return _chosen(words, language)[0]


def founding_rules(
    template: Template, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, dict[str, Any]]:
    """Parameters of every rule for a founding record: the template's, some changed. FormError `bad_rule`.

    `overrides`: by rule, the parameters that differ. What the record says in its own fields: `founding_fields`.
    """
    unknown = set(overrides or {}) - set(RULES)
    if unknown:
        raise FormError("bad_rule", f"there is no rule {min(unknown)!r}; there are {', '.join(RULES)}")
    found = {}
    for clause in template.clauses():
        given = {**clause.params, **(overrides or {}).get(clause.rule, {})}
        params = read_params(clause.rule, given)
        if params is None:
            raise FormError("bad_rule", f"these parameters do not fit the rule {clause.rule!r}: {given!r}"[:300])
        found[clause.rule] = params
    licence = str(found["licence"]["expression"])
    if licence and not is_expression(licence):
        raise FormError("bad_rule", f"{licence[:80]!r} is no SPDX licence expression: CC-BY-SA-4.0, for one, is")
    return found


def founding_fields(rules: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`join`, `announced` and `licence` of a founding record with these rules, so that both say the same."""
    fields = {"join": rules["join"]["policy"], "announced": rules["announcing"]["announced"]}
    licence = rules["licence"]["expression"]
    return {**fields, "licence": licence} if licence else fields


def read_template(data: bytes) -> Template:
    """A template from JSON. FormError `bad_template` says what is wrong with it."""
    return template_of(read_json(data, "the template", code="bad_template", bytes_max=CHARTER_FILE_BYTES_MAX))


def template_of(value: object) -> Template:
    """A template from the value of its JSON, which may be a stranger's. FormError `bad_template`."""
    top = _map(value, "the template", {"name", "title", "summary", "words", "sections"})
    if type(top["name"]) is not str or not _NAME.fullmatch(top["name"]):
        raise _bad("its name is not of small letters, digits and hyphens")
    sections = tuple(_section(item) for item in _items(top["sections"], "sections"))
    rules = [clause.rule for section in sections for clause in section.clauses]
    if sorted(rules) != sorted(RULES):
        wrong = sorted(set(rules) ^ set(RULES)) or ["one, twice"]
        raise _bad(f"it has not every rule once: {', '.join(wrong)}"[:300])
    title, summary = read_words(top["title"], "title"), read_words(top["summary"], "summary")
    return Template(top["name"], title, summary, sections, _choices(top["words"]))


def template_value(template: Template) -> dict[str, Any]:
    """The template as a value for JSON; `template_of` gives it back."""
    return {
        "name": template.name,
        "title": dict(template.title),
        "summary": dict(template.summary),
        "words": _choices_value(template.words),
        "sections": [
            {
                "title": dict(section.title),
                "text": dict(section.text),
                "rules": [_clause_value(clause) for clause in section.clauses],
            }
            for section in template.sections
        ],
    }


def _article(template: Template, clause: Clause, rules: Rules, language: str, own: Mapping[str, Words]) -> Article:
    version = rules[clause.rule]
    text = sentence(template, clause.rule, version.params, language, own.get(clause.rule))
    title = spoken(clause.title, language)
    promise = RULES[clause.rule].promise
    return Article(clause.rule, title, text, version.version, rules.review_ms(clause.rule), promise)


def _value_key(rule_id: str, name: str, params: Params) -> str:
    if name == "quorum":
        return "both" if params.get("percent") else "heads"
    value = params.get(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(RULES[rule_id].parameters.get(name), Licence):
        return "some" if value else "none"
    return str(value)


def _chosen(words: Words, language: str) -> tuple[str, str]:
    for tongue in (language, language.partition("-")[0], "en"):
        if tongue in words:
            return words[tongue], tongue
    return next(((text, tongue) for tongue, text in words.items()), ("", language))


def _is_one(language: str, value: int | str) -> bool:
    # CLDR: in French nothing is singular too; other languages that templates have yet are as English here.
    return value in ((0, 1) if language.partition("-")[0] == "fr" else (1,))


def _section(value: object) -> Section:
    section = _map(value, "a section", {"title", "text", "rules"})
    clauses = tuple(_clause(item) for item in _items(section["rules"], "rules"))
    return Section(read_words(section["title"], "title"), read_words(section["text"], "text"), clauses)


def _clause(value: object) -> Clause:
    rule = value.get("id") if isinstance(value, dict) else None
    clause = _map(value, f"the rule {rule!r}"[:80], {"id", "title", "text", "params", "words"}, {"words"})
    params = read_params(rule, clause["params"])
    if type(rule) is not str or params is None:
        raise _bad(f"the parameters of the rule {rule!r} do not fit"[:120])
    return Clause(
        rule, read_words(clause["title"], "title"), read_words(clause["text"], rule), params, _choices(clause["words"])
    )


def _choices(value: object) -> Choices:
    return {
        name: {key: read_words(words, f"{name}.{key}"[:80]) for key, words in _keyed(values, name).items()}
        for name, values in _keyed(value, "words").items()
    }


def read_words(value: object, what: str) -> Words:
    """One text in several languages, from the value of a stranger's JSON. FormError `bad_template`."""
    words = _keyed(value, what)
    if not 1 <= len(words) <= _LANGUAGES_MAX:
        raise _bad(f"{what} has no text, or more than {_LANGUAGES_MAX} languages")
    for language, text in words.items():
        if canonical(language) != language:
            raise _bad(f"{language[:40]!r} in {what} is no language tag")
        if type(text) is not str or len(text) > RECIPE_TEXT_CHARACTERS_MAX:
            raise _bad(f"{what} is no text of at most {RECIPE_TEXT_CHARACTERS_MAX} characters")
    return words


def _map(value: object, what: str, names: set[str], free: set[str] | None = None) -> dict[str, Any]:
    found = _keyed(value, what)
    if not names - (free or set()) <= found.keys() <= names:
        raise _bad(f"{what} holds {', '.join(sorted(names))}, and nothing else")
    return {**{name: {} for name in free or ()}, **found}


def _keyed(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or any(type(key) is not str for key in value):
        raise _bad(f"{what} is no object")
    return value


def _items(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _bad(f"{what} is no list")
    return value


def _bad(why: str) -> FormError:
    return FormError("bad_template", f"this is no template of a charter: {why}")


def _clause_value(clause: Clause) -> dict[str, Any]:
    value = {
        "id": clause.rule,
        "title": dict(clause.title),
        "params": dict(clause.params),
        "text": dict(clause.text),
    }
    return {**value, "words": _choices_value(clause.words)} if clause.words else value


def _choices_value(choices: Choices) -> dict[str, Any]:
    return {name: {key: dict(words) for key, words in values.items()} for name, values in choices.items()}
