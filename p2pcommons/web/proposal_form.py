"""What stands in the forms of proposals and amendments, what is wrong with it, and what it says of a rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from p2pcommons.core.identity import PublicKey, parse_did_key
from p2pcommons.core.limits import WRITTEN_CHARACTERS_MAX
from p2pcommons.errors import FormError
from p2pcommons.web.assembly_labels import FIELD_ERRORS
from p2pcommons.web.rule_form import PREFIX, params_of
from p2pcommons.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in a form, and what is wrong with it."""

    values: Mapping[str, str] = field(default_factory=dict)
    stewards: tuple[str, ...] = ()  # did:keys
    closers: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)

    def wrong(self, name: str, words: str) -> Typed:
        """The same, and what is wrong with one field more."""
        return replace(self, errors={**self.errors, name: words})


def typed_form(visit: Visit) -> Typed:
    """The form as it came."""
    names = ("text", "key", "succession", "options", "grades", "words", "amendment", "entry")
    values = {name: visit.typed(name).strip() for name in names}
    values |= {name: value for name, value in visit.form if name.startswith(PREFIX)}
    return Typed(values, tuple(visit.all_typed("steward")), tuple(visit.all_typed("closer")))


def check_text(typed: Typed) -> Typed:
    """The form, with what is wrong with its text."""
    fits = 0 < len(typed.values["text"]) <= WRITTEN_CHARACTERS_MAX
    return typed if fits else typed.wrong("text", FIELD_ERRORS["text"])


def rule_said(
    typed: Typed, rule: str, now: Mapping[str, Any], now_words: str | None
) -> tuple[Typed, dict[str, Any] | None, str | None]:
    """What a form says of a rule: the parameters that differ, and other words for it."""
    found, errors = params_of(rule, typed.values)
    for name, words in errors.items():
        typed = typed.wrong(name, words)
    said: str | None = typed.values["words"]
    if said is not None and len(said) > WRITTEN_CHARACTERS_MAX:
        typed = typed.wrong("words", FIELD_ERRORS["words"])
    if not said or (now_words is not None and said.split() == now_words.split()):
        said = None
    return typed, {name: value for name, value in found.items() if now.get(name) != value} or None, said


def key_of(text: str) -> PublicKey | None:
    """The key that a text names, if it is one."""
    try:
        return parse_did_key(text)
    except FormError:
        return None


def keys_of(texts: tuple[str, ...]) -> tuple[PublicKey, ...]:
    """The keys that these texts name, each once; what is no key is left out."""
    return tuple(key for key in map(key_of, dict.fromkeys(texts)) if key is not None)
