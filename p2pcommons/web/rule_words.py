"""Rules in words for pages: their sentences, and what their parameters say before and after a proposal.

Reads the words of the charters that come with the package (`commons.charter_text`). Knows no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from p2pcommons.commons.charter_text import TEMPLATES, Template, read_template, sentence, spoken
from p2pcommons.commons.rules import RULES, read_params
from p2pcommons.web.assembly_labels import PARAMETERS, VALUES
from p2pcommons.web.texts import Texts


class ParamRow(NamedTuple):
    """One parameter: what it is called, what it says now, and what it would say."""

    label: str
    before: str | None  # None: not known here
    after: str

    @property
    def changed(self) -> bool:
        """Whether the two differ, as far as is known."""
        return self.before != self.after


def rule_title(texts: Texts, template: str, rule: str) -> str:
    """What a rule is called; its id where it is of no catalogue known here."""
    return spoken(_template(template).clause(rule).title, texts.language) if rule in RULES else rule


def rule_sentence(texts: Texts, template: str, rule: str, params: object, words: str | None = None) -> str | None:
    """What a rule says with these parameters, a stranger's; None where they do not fit it. `words`: people's own."""
    fit = read_params(rule, params)
    if fit is None:
        return None
    own = None if words is None else {texts.language: words}
    return sentence(_template(template), rule, fit, texts.language, own)


def param_label(rule: str, name: str) -> str:
    """The message that names a parameter."""
    return PARAMETERS.get(f"{rule.partition('.')[0] if rule.startswith('decide.') else rule}.{name}", name)


def param_rows(texts: Texts, rule: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[ParamRow]:
    """The parameters of a rule in the order of the form. `before`: None where it is not known."""
    return [
        ParamRow(
            str(texts.text(param_label(rule, name))),
            None if before is None else shown_value(texts, before.get(name)),
            shown_value(texts, after[name]),
        )
        for name in param_order(after)
    ]


_FIRST = ("mode", "p", "q", "heads", "percent", "days", "by", "closers", "needed")


def param_order(params: Mapping[str, Any]) -> list[str]:
    """The names of parameters as people read them."""
    return sorted(params, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))


def shown_value(texts: Texts, value: object) -> str:
    """One value in words; a stranger's as it is."""
    if isinstance(value, bool):
        return str(texts.text(VALUES["yes" if value else "no"]))
    if isinstance(value, int):
        return texts.number(value)
    if isinstance(value, str):
        return str(texts.text(VALUES[value])) if value in VALUES else value
    return "" if value is None else str(value)[:200]


def _template(name: str) -> Template:
    return _read(name if name in TEMPLATES else TEMPLATES[0])


@cache
def _read(name: str) -> Template:
    return read_template((files("p2pcommons") / "data" / "charters" / f"{name}.json").read_bytes())
