"""Charters of the commons followed here in words, and the templates that come with the package (chapter 24)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from p2pcommons.commons.charter_text import (
    TEMPLATES,
    Template,
    charter_in_words,
    founding_rules,
    read_template,
    spoken,
)
from p2pcommons.commons.rules import Rules
from p2pcommons.core.clock import to_ms
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError, Refused
from p2pcommons.node.assemblies import Moment
from p2pcommons.node.values import ArticleInfo, CharterInfo, CharterPart, Hash, Instant
from p2pcommons.store.reading import SqliteReader


def template(name: str = "") -> Template:
    """A template by its name; where there is none of that name, the default one. Read at the first use."""
    return _template(name if name in TEMPLATES else TEMPLATES[0])


@cache  # of the names of the package alone: a founding record may hold any
def _template(name: str) -> Template:
    return read_template((files("p2pcommons") / "data" / "charters" / f"{name}.json").read_bytes())


def chosen_rules(charter: str, join: str | None) -> dict[str, dict[str, Any]]:
    """The rules that a template proposes, with another way of joining if one is named. Refused `unknown-charter`."""
    if charter not in TEMPLATES:
        raise Refused("unknown-charter", f"There is no charter {charter[:40]!r}: there are {', '.join(TEMPLATES)}.")
    try:
        return founding_rules(template(charter), {} if join is None else {"join": {"policy": join}})
    except FormError as error:
        raise Refused("bad-join", f"{error.detail[:1].upper()}{error.detail[1:]}.") from error


def rules_of(reader: SqliteReader, commons: CommonsId) -> tuple[str, Rules]:
    """The name of a commons, and its rules as its founding record sets them."""
    for record in reader.charter(commons):
        if bytes(record.id) == commons:
            try:
                content = record.content()
            except FormError:
                break
            name = content.get("name")
            return name if isinstance(name, str) else "", Rules.founded(content, commons, to_ms(record.header.time))
    return "", Rules()


def charter_info(moment: Moment, language: str, now_ms: int) -> CharterInfo:
    """The rules in force in one language (BCP 47), as far as its template speaks it; where people gave a rule other
    words, as they wrote them."""
    rules = moment.rules
    words = template(rules.template)
    texts = moment.texts(version.text for version in rules.versions.values() if version.text is not None)
    own = {
        rule: {language: texts[v.text]} for rule, v in rules.versions.items() if v.text is not None and v.text in texts
    }
    return CharterInfo(
        moment.charter.commons,
        moment.charter.name,
        words.name,
        spoken(words.title, language),
        spoken(words.summary, language),
        tuple(
            CharterPart(
                part.title,
                part.text,
                tuple(
                    ArticleInfo(
                        article.rule,
                        article.title,
                        article.text,
                        dict(rules.params(article.rule)),
                        Hash(article.version),
                        Instant(article.review_ms) if any(article.version) else None,
                        article.promise,
                        Instant(rules[article.rule].since_ms) if any(article.version) else None,
                        any(article.version) and article.review_ms <= now_ms,
                    )
                    for article in part.articles
                ),
            )
            for part in charter_in_words(words, rules, language, own)
        ),
    )
