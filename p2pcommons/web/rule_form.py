"""The form of a rule: a field for each of its parameters, and the parameters that a form means.

A field of the form is called as its parameter with `p.` in front. Knows no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from p2pcommons.commons.licences import is_expression
from p2pcommons.commons.rules import RULES, Flag, Licence, Parameter, Value, Whole, Word, read_params
from p2pcommons.web import labels
from p2pcommons.web.assembly_labels import FIELD_ERRORS, VALUES
from p2pcommons.web.rule_words import param_label, param_order

PREFIX: Final = "p."
_YES, _NO = "yes", "no"
_DIGITS_MAX: Final = 9  # no parameter has more


class ParamField(NamedTuple):
    """One field of the form."""

    name: str
    label: str  # a message
    choices: tuple[tuple[str, str], ...]  # value and message; empty: it is typed
    low: int | None = None  # of a number
    high: int | None = None


def rule_fields(rule: str) -> list[ParamField]:
    """The fields of a rule of the catalogue, in the order in which people read them."""
    parameters = RULES[rule].parameters
    return [_field(rule, name, parameters[name]) for name in param_order(parameters)]


def typed_of(params: Mapping[str, Any]) -> dict[str, str]:
    """What stands in the form for these parameters."""
    return {PREFIX + name: _typed(value) for name, value in params.items()}


def params_of(rule: str, typed: Mapping[str, str]) -> tuple[dict[str, Value], dict[str, str]]:
    """The parameters that a form means, and what is wrong with them, by field."""
    found: dict[str, Value] = {}
    errors: dict[str, str] = {}
    for name, parameter in RULES[rule].parameters.items():
        value = _value(parameter, typed.get(PREFIX + name, "").strip())
        if value is None or not parameter.fits(value):
            errors[PREFIX + name] = _wrong(parameter)
        else:
            found[name] = value
    if not errors and read_params(rule, found) is None:
        errors[PREFIX + param_order(found)[0]] = FIELD_ERRORS["agree"]
    return found, errors


def _field(rule: str, name: str, parameter: Parameter) -> ParamField:
    label = param_label(rule, name)
    if isinstance(parameter, Word):
        return ParamField(PREFIX + name, label, tuple((word, VALUES[word]) for word in parameter.words))
    if isinstance(parameter, Flag):
        return ParamField(PREFIX + name, label, tuple((word, VALUES[word]) for word in (_YES, _NO)))
    if isinstance(parameter, Whole):
        return ParamField(PREFIX + name, label, (), parameter.low, parameter.high)
    return ParamField(PREFIX + name, label, ())


def _typed(value: object) -> str:
    if isinstance(value, bool):
        return _YES if value else _NO
    return str(value)


def _value(parameter: Parameter, text: str) -> Value | None:
    if isinstance(parameter, Whole):
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX else None
    if isinstance(parameter, Flag):
        return {_YES: True, _NO: False}.get(text)
    if isinstance(parameter, Licence) and text and not is_expression(text):
        return None
    return text


def _wrong(parameter: Parameter) -> str:
    if isinstance(parameter, Licence):
        return labels.FIELD_ERRORS["licence"]
    return FIELD_ERRORS["number"] if isinstance(parameter, Whole) else FIELD_ERRORS["value"]
