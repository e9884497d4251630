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

DEGREE: Final = 10_000_000
"""Record units in one degree."""


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
    if type(value) is not str:
        raise ValueError("is a text")
    if not value or value.isspace():
        raise ValueError("is empty")
    if "\0" in value:
        raise ValueError("holds a zero character")
    if not value.isascii():
        if not is_normalized("NFC", value):
            value = normalize("NFC", value)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("holds half a character (a surrogate)") from None
    return value


def read_texts(values: list[Any]) -> list[str]:
    """A list of texts without repeats, in the order given (hot path of imports: most are plain ASCII)."""
    try:
        joined = "".join(values)
    except TypeError:
        raise ValueError("holds texts") from None
    if not joined.isascii() or "\0" in joined or not all(map(str.strip, values)):
        values = [read_text(value) for value in values]
    return list(dict.fromkeys(values))


def _same(value: Any) -> Any:
    return value


def _one_word(value: Any) -> Iterator[str]:
    yield value


def _no_words(value: Any) -> Iterator[str]:
    return iter(())


def _text_form(name: str, read: Callable[[Any], Any], *, searched: bool = True) -> Form:
    return Form(name, is_text, read, _same, _one_word if searched else _no_words)


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


# -- languages


def read_tag(value: Any) -> str:
    """A BCP 47 tag in its customary spelling."""
    tag = canonical(value) if type(value) is str and len(value) <= TAG_CHARACTERS_MAX else None
    if tag is None:
        raise ValueError(f"is a BCP 47 language tag such as fr, br or pt-BR, not {str(value)[:40]!r}")
    return tag


def _is_languages(value: Any) -> bool:
    return is_text(value) or _is_list(value, is_text)


def _read_languages(value: Any) -> Any:
    if type(value) is list:
        return list(dict.fromkeys(read_tag(tag) for tag in value))
    return read_tag(value)


LANGUAGES: Final = Form("languages", _is_languages, _read_languages, _same, _no_words)


# -- numbers


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= INTEGER_BODY_MAX


def _read_count(value: Any) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if not _is_count(value):
        raise ValueError("is a whole number, not negative")
    return int(value)


COUNT: Final = Form("count", _is_count, _read_count, _same, _no_words)


# -- maps


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of a map: how its value is checked, read and shown, and whether search looks into it."""

    fits: Callable[[Any], bool]
    read: Callable[[Any], Any]
    show: Callable[[Any], Any] = _same
    words: Callable[[Any], Iterator[str]] = _no_words


_WORDS: Final = _Key(is_text, read_text, words=_one_word)
_SILENT: Final = _Key(is_text, read_text)
_NUMBER: Final = _Key(_is_count, _read_count)


def _degrees(limit: int) -> _Key:
    units = limit * DEGREE

    def fits(value: Any) -> bool:
        return type(value) is int and -units <= value <= units

    def read(value: Any) -> int:
        if type(value) not in (int, float) or not -limit <= value <= limit:  # a NaN fails here too
            raise ValueError(f"is a number of degrees from -{limit} to {limit}")
        return round(value * DEGREE)

    return _Key(fits, read, lambda value: value / DEGREE)


def _hash_key() -> _Key:
    def read(value: Any) -> bytes:
        if type(value) is not str or len(value) != 64 or value.strip("0123456789abcdefABCDEF"):
            raise ValueError("is 64 hexadecimal digits")
        return bytes.fromhex(value)

    return _Key(lambda value: type(value) is bytes and len(value) == 32, read, bytes.hex)


def _map(
    name: str, keys: dict[str, _Key], *, needs: tuple[str, ...] = (), together: tuple[str, ...] = (), text: bool = False
) -> Form:
    """A map with at least one of `keys`, all of `needs`, all or none of `together`; `text`: or a plain text."""
    known = frozenset(keys)

    def fits(value: Any) -> bool:
        if type(value) is not dict:
            return text and is_text(value)
        if not value or not known.issuperset(value) or not all(need in value for need in needs):
            return False
        if together and sum(key in value for key in together) not in (0, len(together)):
            return False
        return all(keys[key].fits(item) for key, item in value.items())

    def read(value: Any) -> Any:
        if type(value) is not dict:
            if not text:
                raise ValueError(f"is an object with {', '.join(keys)}")
            return read_text(value)
        made: dict[str, Any] = {}
        for key in sorted(value):
            if key not in keys:
                raise ValueError(f"has no {key!r}; it may hold {', '.join(keys)}")
            if value[key] is None or value[key] == "":
                continue
            try:
                made[key] = keys[key].read(value[key])
            except ValueError as error:
                raise ValueError(f"has a {key!r} that {error}") from None
        for need in needs:
            if need not in made:
                raise ValueError(f"needs a {need!r}")
        if together and sum(key in made for key in together) not in (0, len(together)):
            raise ValueError(f"needs {' and '.join(together)} together")
        if not made:
            raise ValueError("is empty")
        return made

    def show(value: Any) -> Any:
        return value if type(value) is str else {key: keys[key].show(item) for key, item in value.items()}

    def words(value: Any) -> Iterator[str]:
        if type(value) is str:
            yield value
        else:
            for key, item in value.items():
                yield from keys[key].words(item)

    return Form(name, fits, read, show, words)


def _is_list(value: Any, fits: Callable[[Any], bool]) -> bool:
    return type(value) is list and len(value) > 0 and all(fits(item) for item in value)


# -- texts in several languages inside a map (alt texts)


def _is_texts_by_language(value: Any) -> bool:
    if type(value) is not dict:
        return is_text(value)
    return bool(value) and all(is_text(text) for text in value.values())


def _read_texts_by_language(value: Any) -> Any:
    if type(value) is not dict:
        return read_text(value)
    made = {read_tag(tag): read_text(text) for tag, text in value.items()}
    if not made:
        raise ValueError("is empty")
    return dict(sorted(made.items()))


def _words_by_language(value: Any) -> Iterator[str]:
    return iter((value,) if type(value) is str else value.values())


_BY_LANGUAGE: Final = _Key(_is_texts_by_language, _read_texts_by_language, words=_words_by_language)


# -- places and geometry

_DEPTHS: Final = {
    "Point": 1, "MultiPoint": 2, "LineString": 2, "MultiLineString": 3, "Polygon": 3, "MultiPolygon": 4,
}  # fmt: skip
_LONGITUDE: Final = _degrees(180)
_LATITUDE: Final = _degrees(90)
_CENTIMETRES: Final = 100  # heights are integers of 1 cm in records, metres in JSON
_HEIGHT_M_MAX: Final = 100_000  # above every trail and below every ocean


def _is_height(value: Any) -> bool:
    return type(value) is int and abs(value) <= _HEIGHT_M_MAX * _CENTIMETRES


def _read_height(value: Any) -> int:
    if type(value) not in (int, float) or not abs(value) <= _HEIGHT_M_MAX:
        raise ValueError("has a height that is no number of metres")
    return round(value * _CENTIMETRES)


_POSITION: Final = (_LONGITUDE, _LATITUDE, _Key(_is_height, _read_height, lambda value: value / _CENTIMETRES))


def _is_coordinates(value: Any, depth: int) -> bool:
    if type(value) is not list or not value:
        return False
    if depth > 1:
        return all(_is_coordinates(item, depth - 1) for item in value)
    return len(value) in (2, 3) and all(key.fits(item) for key, item in zip(_POSITION, value, strict=False))


def _read_coordinates(value: Any, depth: int) -> Any:
    if type(value) is not list or not value:
        raise ValueError("has coordinates that are not as deep as its type asks")
    if depth > 1:
        return [_read_coordinates(item, depth - 1) for item in value]
    if len(value) not in (2, 3):
        raise ValueError("has a position that is not [longitude, latitude] or [longitude, latitude, height]")
    return [key.read(item) for key, item in zip(_POSITION, value, strict=False)]


def _show_coordinates(value: Any, depth: int) -> Any:
    if depth > 1:
        return [_show_coordinates(item, depth - 1) for item in value]
    return [key.show(item) for key, item in zip(_POSITION, value, strict=False)]


def _is_geometry(value: Any) -> bool:
    if type(value) is not dict or value.keys() != {"type", "coordinates"} or type(value["type"]) is not str:
        return False
    depth = _DEPTHS.get(value["type"])
    return depth is not None and _is_coordinates(value["coordinates"], depth)


def _read_geometry(value: Any) -> dict[str, Any]:
    kind = value.get("type") if type(value) is dict else None
    if type(kind) is not str or kind not in _DEPTHS or set(value) - {"type", "coordinates", "bbox"}:
        raise ValueError(f"is a GeoJSON geometry of type {', '.join(_DEPTHS)}")
    return {"coordinates": _read_coordinates(value.get("coordinates"), _DEPTHS[kind]), "type": kind}


def _show_geometry(value: Any) -> dict[str, Any]:
    kind = value["type"]
    return {"type": kind, "coordinates": _show_coordinates(value["coordinates"], _DEPTHS[kind])}


PLACE: Final = _map(
    "place",
    {
        "name": _WORDS,
        "lat": _LATITUDE,
        "lon": _LONGITUDE,
        "geometry": _Key(_is_geometry, _read_geometry, _show_geometry),
        "territory": _SILENT,
    },
    together=("lat", "lon"),
    text=True,
)
AGENT: Final = _map("agent", {"name": _WORDS, "role": _SILENT, "id": _SILENT}, needs=("name",), text=True)
MEDIA: Final = _map(
    "media",
    {
        "id": _hash_key(),
        "root": _hash_key(),
        "size": _NUMBER,
        "type": _SILENT,
        "name": _SILENT,
        "role": _SILENT,
        "alt": _BY_LANGUAGE,
        "transcript": _BY_LANGUAGE,
        "url": _SILENT,
    },
)
TERMS: Final = _map("terms", {"days": _NUMBER, "deposit": _SILENT, "training": _WORDS, "note": _WORDS})
_STOP: Final = _map(
    "stop", {"name": _WORDS, "lat": _LATITUDE, "lon": _LONGITUDE, "text": _WORDS}, needs=("name",), together=("lat", "lon")
)


def _read_stops(value: Any) -> list[Any]:
    if type(value) is not list or not value:
        raise ValueError("is a list of stops")
    return [_STOP.read(stop) for stop in value]


STOPS: Final = Form(
    "stops",
    lambda value: _is_list(value, _STOP.fits),
    _read_stops,
    lambda value: [_STOP.show(stop) for stop in value],
    lambda value: (word for stop in value for word in _STOP.words(stop)),
)
