"""Forms: what one value of a request may be, as text (path and query) and as JSON (bodies).

Each form is both a check and a JSON Schema. What does not fit raises ValueError with a sentence for people;
who uses a form knows the name to say. Knows no HTTP library.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Protocol

from p2pcommons.api.wire import HEX_SCHEMA, Schema, parse_hex32
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
    """A text of 1 to `length_max` characters (`length_min` 0 lets it be empty).

    `pattern`: the whole of it must be this (a regular expression that Python and ECMA-262 read alike), else it is
    refused with `hint`. `format`: how OpenAPI calls what a verb reads in it; its lengths are the format's own.
    """

    length_max: int = 1000
    length_min: int = 1
    pattern: str = ""
    hint: str = ""
    format: str = ""

    def text(self, value: str) -> str:
        """The text itself, within its length."""
        if not self.length_min <= len(value) <= self.length_max:
            raise ValueError(f"give {self.length_min} to {self.length_max} characters")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise ValueError(self.hint)
        return value

    def json(self, value: Any) -> str:
        """The same; other types are refused."""
        if not isinstance(value, str):
            raise ValueError("give a text")
        return self.text(value)

    def schema(self) -> Schema:
        """A string with its lengths, or with its format."""
        if self.format:
            return {"type": "string", "format": self.format}
        schema: Schema = {"type": "string", "minLength": self.length_min, "maxLength": self.length_max}
        return schema | {"pattern": f"^(?:{self.pattern})$"} if self.pattern else schema


@dataclass(frozen=True, slots=True)
class Base64:
    """Bytes, at most `length_max` of them, in base64. `format`: how OpenAPI calls what a verb reads in them."""

    length_max: int
    format: str

    def text(self, value: str) -> bytes:
        """The bytes. What does not decode whole is refused."""
        if len(value) > -(-self.length_max // 3) * 4:
            raise ValueError(f"give at most {self.length_max} bytes")
        try:
            return b64decode(value, validate=True)
        except ValueError:  # of binascii, and for what is not ASCII
            raise ValueError("give base64") from None

    def json(self, value: Any) -> bytes:
        """The same; other types are refused."""
        if not isinstance(value, str):
            raise ValueError("give base64")
        return self.text(value)

    def schema(self) -> Schema:
        """A string of base64, with its format."""
        return {"type": "string", "contentEncoding": "base64", "format": self.format}


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
        """A JSON number without a fraction: 3.0 is 3."""
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if type(whole) is not int or not self.least <= whole <= self.most:
            raise ValueError(f"give a whole number from {self.least} to {self.most}")
        return whole

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
class Named:
    """A word that the verb itself knows or refuses, by a code of its own; `words` tells which there are."""

    words: tuple[str, ...]

    def text(self, value: str) -> str:
        """Any text."""
        return value

    def json(self, value: Any) -> str:
        """Any text; other types are refused."""
        if not isinstance(value, str):
            raise ValueError("give a text")
        return value

    def schema(self) -> Schema:
        """An enumeration."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Words:
    """Several of a few words: separated by commas in a query, a list in a body. Order kept, doubles dropped."""

    words: tuple[str, ...]

    def text(self, value: str) -> tuple[str, ...]:
        """Words separated by commas, one at least."""
        return self.json(value.split(","))

    def json(self, value: Any) -> tuple[str, ...]:
        """A list of words."""
        if not isinstance(value, list) or not value or any(word not in self.words for word in value):
            raise ValueError(f"choose from {', '.join(self.words)}, separated by commas")
        return tuple(dict.fromkeys(value))

    def schema(self) -> Schema:
        """An array of an enumeration (`style: form, explode: false`)."""
        return {"type": "array", "items": {"type": "string", "enum": list(self.words)}, "minItems": 1}


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
        parts = text.split(",")
        found = tuple(float(part) for part in parts if _NUMBER.fullmatch(part))
        if len(parts) != wanted or len(found) != wanted or not all(map(isfinite, found)):
            raise ValueError(f"give {wanted} numbers, {names}")
        return found

    return parse


_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

SPACES: Final = r"\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""White space, to stand between brackets in a pattern: what Python takes for it, in words that ECMA-262 reads alike."""
NOT_BLANK: Final = rf"[^\u0000]*[^\u0000{SPACES}][^\u0000]*"
"""The pattern of a text that is not blank and holds no zero character: records can hold none."""
NO_ZERO: Final = r"[^\u0000]*"
TAG: Final = (
    r"(?:[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(?:-[0-9A-WYZa-wyz](?:-[A-Za-z0-9]{2,8})+)*"
    r"(?:-[xX](?:-[A-Za-z0-9]{1,8})+)?|[xX](?:-[A-Za-z0-9]{1,8})+"
)
"""The pattern of a BCP 47 tag (`commons.languages`, in any case of letters)."""

ID: Final = Parsed(parse_hex32, HEX_SCHEMA)
COMMONS: Final = Parsed(parse_hex32, {"type": "string", "format": "commons-id"})
ENTRY: Final = Parsed(parse_hex32, {"type": "string", "format": "entry-id"})
KEY: Final = Parsed(parse_did_key, {"type": "string", "format": "did-key"})
