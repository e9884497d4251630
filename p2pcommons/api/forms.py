"""Forms: what one value of a request may be, as text (path and query) and as JSON (bodies).

Each form is both a check and a JSON Schema. What does not fit raises ValueError with a sentence for people;
who uses a form knows the name to say. Knows no HTTP library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Protocol

from p2pcommons.api.wire import HEX_SCHEMA, KEY_SCHEMA, Schema, parse_hex32
from p2pcommons.core.identity import parse_did_key
from p2pcommons.errors import FormError


class Form(Protocol):
    """What one value may be. `text` and `json` raise ValueError with a sentence for people."""

    def text(self, value: str) -> Any:
        """The value in a path or query."""
        ...

    def json(self, value: Any) -> Any:
        """The value in a body."""
        ...

    def schema(self) -> Schema:
        """Its JSON Schema."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A text of 1 to `length_max` characters (`length_min` 0 lets it be empty)."""

    length_max: int = 1000
    length_min: int = 1

    def text(self, value: str) -> str:
        """The text itself, within its length."""
        if not self.length_min <= len(value) <= self.length_max:
            raise ValueError(f"give {self.length_min} to {self.length_max} characters")
        return value

    def json(self, value: Any) -> str:
        """The same; other types are refused."""
        if not isinstance(value, str):
            raise ValueError("give a text")
        return self.text(value)

    def schema(self) -> Schema:
        """A string with its lengths."""
        return {"type": "string", "minLength": self.length_min, "maxLength": self.length_max}


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number within two bounds, ends included."""

    least: int
    most: int

    def text(self, value: str) -> int:
        """Decimal ASCII digits, with a sign if need be."""
        if len(value) > 20 or not value.isascii() or not value.removeprefix("-").isdigit():
            raise ValueError(f"give a whole number from {self.least} to {self.most}")
        return self.json(int(value))

    def json(self, value: Any) -> int:
        """A JSON number without a fraction."""
        if type(value) is not int or not self.least <= value <= self.most:
            raise ValueError(f"give a whole number from {self.least} to {self.most}")
        return value

    def schema(self) -> Schema:
        """An integer with its bounds."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def text(self, value: str) -> str:
        """The word itself."""
        if value not in self.words:
            raise ValueError(f"choose one of {', '.join(self.words)}")
        return value

    def json(self, value: Any) -> str:
        """The word itself."""
        return self.text(value if isinstance(value, str) else "")

    def schema(self) -> Schema:
        """An enumeration."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Words:
    """Several of a few words: separated by commas in a query, a list in a body. Order kept, doubles dropped."""

    words: tuple[str, ...]

    def text(self, value: str) -> tuple[str, ...]:
        """Words separated by commas."""
        return self.json([word.strip() for word in value.split(",") if word.strip()])

    def json(self, value: Any) -> tuple[str, ...]:
        """A list of words."""
        if not isinstance(value, list) or any(word not in self.words for word in value):
            raise ValueError(f"choose from {', '.join(self.words)}, separated by commas")
        return tuple(dict.fromkeys(value))

    def schema(self) -> Schema:
        """An array of an enumeration (`style: form, explode: false`)."""
        return {"type": "array", "items": {"type": "string", "enum": list(self.words)}}


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    def text(self, value: str) -> bool:
        """`true`, `1`, `yes` or nothing at all (`?available`) against `false`, `0`, `no`."""
        if value.lower() in ("true", "1", "yes", ""):
            return True
        if value.lower() in ("false", "0", "no"):
            return False
        raise ValueError("give true or false")

    def json(self, value: Any) -> bool:
        """A JSON boolean."""
        if not isinstance(value, bool):
            raise ValueError("give true or false")
        return value

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text with a parser of its own, which raises FormError or ValueError."""

    parse: Callable[[str], Any]
    described: Schema

    def text(self, value: str) -> Any:
        """What the parser makes of it."""
        try:
            return self.parse(value)
        except FormError as error:
            raise ValueError(error.detail) from None

    def json(self, value: Any) -> Any:
        """The same; other types are refused."""
        if not isinstance(value, str):
            raise ValueError("give a text")
        return self.text(value)

    def schema(self) -> Schema:
        """As given."""
        return self.described


@dataclass(frozen=True, slots=True)
class Items:
    """A list of up to `items_max` values of one form."""

    form: Form
    items_max: int

    def text(self, value: str) -> tuple[Any, ...]:
        """One value, as a list of one."""
        return (self.form.text(value),)

    def json(self, value: Any) -> tuple[Any, ...]:
        """A JSON list."""
        if not isinstance(value, list) or len(value) > self.items_max:
            raise ValueError(f"give a list of at most {self.items_max}")
        return tuple(self.form.json(item) for item in value)

    def schema(self) -> Schema:
        """An array."""
        return {"type": "array", "items": self.form.schema(), "maxItems": self.items_max}


def numbers(names: str) -> Callable[[str], tuple[float, ...]]:
    """A parser of as many finite numbers as `names` ("W,S,E,N") has, separated by commas."""
    wanted = len(names.split(","))

    def parse(text: str) -> tuple[float, ...]:
        try:
            found = tuple(float(part) for part in text.split(","))
        except ValueError:
            found = ()
        if len(found) != wanted or not all(isfinite(number) for number in found):
            raise ValueError(f"give {wanted} numbers, {names}")
        return found

    return parse


ID: Final = Parsed(parse_hex32, HEX_SCHEMA)
KEY: Final = Parsed(parse_did_key, KEY_SCHEMA)
