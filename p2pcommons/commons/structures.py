"""Value forms that are maps: agents, places with their geometry, media, terms and stops (chapter 20, "Value forms").

Degrees are integers of 10^-7 degree in records, numbers in JSON; heights are integers of 1 cm and metres; hashes are
32 bytes and hex. Knows no field and no record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from p2pcommons.commons.forms import (
    Form,
    is_count,
    is_list,
    is_text,
    no_words,
    one_word,
    read_count,
    read_tag,
    read_text,
    same,
)

DEGREE: Final = 10_000_000
"""Record units in one degree."""


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of a map: how its value is checked, read and shown, and whether search looks into it."""

    fits: Callable[[Any], bool]
    read: Callable[[Any], Any]
    show: Callable[[Any], Any] = same
    words: Callable[[Any], Iterator[str]] = no_words


_WORDS: Final = _Key(is_text, read_text, words=one_word)
_SILENT: Final = _Key(is_text, read_text)
_NUMBER: Final = _Key(is_count, read_count)


def _degrees(limit: int) -> _Key:
    units = limit * DEGREE

    def fits(value: Any) -> bool:
        return type(value) is int and -units <= value <= units

    def read(value: Any) -> int:
        if type(value) not in (int, float) or not -limit <= value <= limit:  # a NaN fails here too
            raise ValueError(f"is a number of degrees from -{limit} to {limit}")
        units: int = round(value * DEGREE)
        return units

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

DEPTHS: Final = {
    "Point": 1, "MultiPoint": 2, "LineString": 2, "MultiLineString": 3, "Polygon": 3, "MultiPolygon": 4,
}  # fmt: skip
_LONGITUDE: Final = _degrees(180)
_LATITUDE: Final = _degrees(90)
_CENTIMETRES: Final = 100  # heights are integers of 1 cm in records, metres in JSON
HEIGHT_M_MAX: Final = 100_000  # above every trail and below every ocean


def _is_height(value: Any) -> bool:
    return type(value) is int and abs(value) <= HEIGHT_M_MAX * _CENTIMETRES


def _read_height(value: Any) -> int:
    if type(value) not in (int, float) or not abs(value) <= HEIGHT_M_MAX:
        raise ValueError("has a height that is no number of metres")
    centimetres: int = round(value * _CENTIMETRES)
    return centimetres


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
    depth = DEPTHS.get(value["type"])
    return depth is not None and _is_coordinates(value["coordinates"], depth)


def _read_geometry(value: Any) -> dict[str, Any]:
    kind = value.get("type") if type(value) is dict else None
    if type(kind) is not str or kind not in DEPTHS or set(value) - {"type", "coordinates", "bbox"}:
        raise ValueError(f"is a GeoJSON geometry of type {', '.join(DEPTHS)}")
    return {"coordinates": _read_coordinates(value.get("coordinates"), DEPTHS[kind]), "type": kind}


def _show_geometry(value: Any) -> dict[str, Any]:
    kind = value["type"]
    return {"type": kind, "coordinates": _show_coordinates(value["coordinates"], DEPTHS[kind])}


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
    "stop",
    {"name": _WORDS, "lat": _LATITUDE, "lon": _LONGITUDE, "text": _WORDS},
    needs=("name",),
    together=("lat", "lon"),
)


def _read_stops(value: Any) -> list[Any]:
    if type(value) is not list or not value:
        raise ValueError("is a list of stops")
    return [_STOP.read(stop) for stop in value]


STOPS: Final = Form(
    "stops",
    lambda value: is_list(value, _STOP.fits),
    _read_stops,
    lambda value: [_STOP.show(stop) for stop in value],
    lambda value: (word for stop in value for word in _STOP.words(stop)),
)
