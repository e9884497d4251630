"""Value forms: what the value of a field is in a record, in JSON, and for search (chapter 20, "Value forms").

A form has two doors of different width. `fits` is the protocol's: few structural rules that every implementation
applies alike, because they decide what an edit writes. `read` is the form's door for people and imports: it also
asks for a well-formed licence, language or place, brings texts to NFC, and says in words what is wrong. Knows no
field and no record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from unicodedata import is_normalized, normalize

from p2pcommons.commons.languages import TAG_CHARACTERS_MAX, canonical
from p2pcommons.commons.licences import is_expression
from p2pcommons.core.limits import INTEGER_BODY_MAX


@dataclass(frozen=True, slots=True)
class Form:
    """One value form. `read` raises ValueError with the end of a sentence that starts with the field's name."""

    name: str
    fits: Callable[[Any], bool]
    """Whether a value of a record has this form."""
    read: Callable[[Any], Any]
    """JSON value → record value."""
    show: Callable[[Any], Any]
    """Record value → JSON value."""
    words: Callable[[Any], Iterator[str]]
    """The texts in a record value, for search."""


# -- texts


def is_text(value: Any) -> bool:
    """A string that is not empty."""
    return type(value) is str and value != ""


def read_text(value: Any) -> str:
    """A text in NFC, neither blank nor holding what records cannot."""
    if not isinstance(value, str):
        raise ValueError("is a text")
    if not value or value.isspace():
        raise ValueError("is empty")
    if "\0" in value:
        raise ValueError("holds a zero character")
    if value.isascii():
        return str(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a surrogate)") from None
    return str(value) if is_normalized("NFC", value) else normalize("NFC", value)


def read_texts(values: list[Any]) -> list[str]:
    """A list of texts without repeats, in the order given (hot path of imports: most are plain ASCII)."""
    try:
        joined = "".join(values)
    except TypeError:
        raise ValueError("holds texts") from None
    if not joined.isascii() or "\0" in joined or not all(map(str.strip, values)):
        values = [read_text(value) for value in values]
    return list(dict.fromkeys(values))


def same(value: Any) -> Any:
    """A value that JSON shows as it is."""
    return value


def one_word(value: Any) -> Iterator[str]:
    """A text, for search."""
    yield value


def no_words(value: Any) -> Iterator[str]:
    """Nothing for search."""
    return iter(())


def _text_form(name: str, read: Callable[[Any], Any], *, searched: bool = True) -> Form:
    return Form(name, is_text, read, same, one_word if searched else no_words)


def _read_licence(value: Any) -> str:
    text = read_text(value).strip()
    if not is_expression(text):
        raise ValueError(
            f"is an SPDX licence expression such as CC-BY-SA-4.0; for a licence that SPDX does not have, write"
            f" LicenseRef- and a name of letters, digits, dots and hyphens (not {text[:60]!r})"
        )
    return text


def _read_with_scheme(value: Any) -> str:
    text = read_text(value).strip()
    scheme, colon, rest = text.partition(":")
    if not (scheme and colon and rest):
        raise ValueError(f"says of which kind it is, like isbn:9782070360024 or https://…, not {text[:60]!r}")
    return text


def _read_reference(value: Any) -> str:
    text = read_text(value).strip()
    if len(text) == 64 and not text.strip("0123456789abcdefABCDEF"):
        return text.lower()
    if ":" not in text:
        raise ValueError(f"names an entry by its id (64 hexadecimal digits) or a thing by its URI, not {text[:60]!r}")
    return text


def one_of(name: str, words: tuple[str, ...]) -> Form:
    """A text that the door takes only if it is one of these; a record may hold later ones."""

    def read(value: Any) -> str:
        text = read_text(value)
        if text not in words:
            raise ValueError(f"is one of {', '.join(words)}, not {text[:60]!r}")
        return text

    return _text_form(name, read, searched=False)


TEXT: Final = _text_form("text", read_text)
DATE: Final = _text_form("date", read_text)
LICENCE: Final = _text_form("licence", _read_licence, searched=False)
URL: Final = _text_form("url", _read_with_scheme, searched=False)
IDENTIFIER: Final = _text_form("identifier", _read_with_scheme)
REFERENCE: Final = _text_form("reference", _read_reference, searched=False)


def is_list(value: Any, fits: Callable[[Any], bool]) -> bool:
    """A list that is not empty, of values that fit."""
    return type(value) is list and len(value) > 0 and all(fits(item) for item in value)


# -- languages


def read_tag(value: Any) -> str:
    """A BCP 47 tag in its customary spelling."""
    tag = canonical(value) if type(value) is str and len(value) <= TAG_CHARACTERS_MAX else None
    if tag is None:
        raise ValueError(f"is a BCP 47 language tag such as fr, br or pt-BR, not {str(value)[:40]!r}")
    return tag


def _is_languages(value: Any) -> bool:
    return is_text(value) or is_list(value, is_text)


def _read_languages(value: Any) -> Any:
    if type(value) is list:
        return list(dict.fromkeys(read_tag(tag) for tag in value))
    return read_tag(value)


LANGUAGES: Final = Form("languages", _is_languages, _read_languages, same, no_words)


# -- numbers


def is_count(value: Any) -> bool:
    """An integer from 0 to 2^53 - 1."""
    return type(value) is int and 0 <= value <= INTEGER_BODY_MAX


def read_count(value: Any) -> int:
    """A whole number; 12.0 is 12."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if not is_count(whole):
        raise ValueError("is a whole number, not negative")
    return int(whole)


COUNT: Final = Form("count", is_count, read_count, same, no_words)
