"""Where a value goes in an entry: a field, one language of it, or one part of its map; and text turned into numbers.

`title`, `title.fr`, `place.lat`, `subjects`: the names that mapping files, CSV headings and `--field` share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from p2pcommons.commons.forms import COUNT, LANGUAGES, read_tag
from p2pcommons.commons.structures import AGENT, MEDIA, PLACE, STOPS, TERMS
from p2pcommons.commons.vocabulary import FIELDS, UNDETERMINED, Field, Kind

_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    PLACE.name: ("name", "lat", "lon", "territory", "geometry"),
    AGENT.name: ("name", "role", "id"),
    TERMS.name: ("days", "deposit", "training", "note"),
}
_DEGREES: Final = ("lat", "lon")
_SHAPED: Final = frozenset({PLACE.name, AGENT.name, TERMS.name, MEDIA.name, STOPS.name, LANGUAGES.name})
"""Forms whose JSON values may be objects, lists or (coordinates) hold numbers: never made into text here."""


@dataclass(frozen=True, slots=True)
class Target:
    """A place in Entry JSON. `part`: a language, or a key of the field's map; empty: the whole field."""

    name: str
    field: Field
    part: str = ""

    @property
    def several(self) -> bool:
        """Whether it holds more than one value."""
        return not self.part and (self.field.kind is Kind.SET or self.field.form is LANGUAGES)

    def put(self, entry: dict[str, Any], values: list[Any]) -> None:
        """Put a row's values there; `values` is not empty. ValueError, the end of a sentence, for what has no shape."""
        name = self.field.name
        if self.several:
            held = entry.get(name)
            whole = [*held, *values] if isinstance(held, list) else values
            entry[name] = whole[0] if self.field.form is LANGUAGES and len(whole) == 1 else whole
            return
        value = self.value(values[0]) if len(values) == 1 else [self.value(each) for each in values]
        if not self.part:
            entry[name] = value
            return
        held = entry.get(name)
        if held is None:
            entry[name] = {self.part: value}
        else:
            parts = held if isinstance(held, dict) else {UNDETERMINED if self.field.multilingual else "name": held}
            entry[name] = {**parts, self.part: value}

    def value(self, value: Any) -> Any:
        """A cell's value in the JSON form that this place takes. ValueError, the end of a sentence."""
        if self.part in _DEGREES:
            return _number(value, "a number of degrees such as 48.3904")
        if self.field.form is COUNT or self.part == "days":
            number = _number(value, "a whole number")
            return int(number) if number.is_integer() else number
        if isinstance(value, (int, float)) and not isinstance(value, bool) and self.field.form.name not in _SHAPED:
            return str(value)
        return value


def parse_target(name: str) -> Target | str:
    """The target of this name, or the end of a sentence saying why there is none."""
    whole, dot, part = name.partition(".")
    field = FIELDS.get(whole)
    if field is None:
        return f"is no field; the fields are {', '.join(FIELDS)}"
    if not dot:
        return Target(name, field)
    if field.multilingual:
        try:
            return Target(name, field, read_tag(part))
        except ValueError as error:
            return f"has a part that {error}"
    if field.kind is Kind.REGISTER and part in _PARTS.get(field.form.name, ()):
        return Target(name, field, part)
    parts = _PARTS.get(field.form.name, ()) if field.kind is Kind.REGISTER else ()
    return f"has no part {part!r}; " + (f"it has {', '.join(parts)}" if parts else f"write {whole!r} alone")


def _number(value: Any, what: str) -> float:
    if isinstance(value, str):
        text = value.strip().replace("\u202f", "").replace("\xa0", "").replace(" ", "")
        try:
            value = float(text.replace(",", ".", 1) if "." not in text else text)
        except ValueError:
            raise ValueError(f"is {what}, not {value[:40]!r}") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) > 1e15:
        raise ValueError(f"is {what}, not {str(value)[:40]!r}")
    return float(value)
