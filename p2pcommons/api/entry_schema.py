"""Entry JSON as JSON Schema, for the OpenAPI document: written from the vocabulary, never by hand.

It describes and does not judge: whether an entry is taken is for `p2pcommons.commons` to say. What is described here
of entries to add and of patches is taken there, and what is not is refused; shown entries may hold what other
versions wrote, so that less is promised of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from p2pcommons.api.forms import NOT_BLANK, SPACES, TAG
from p2pcommons.api.wire import HEX_SCHEMA, KEY_SCHEMA, TIME_SCHEMA, Schema
from p2pcommons.commons.languages import TAG_CHARACTERS_MAX
from p2pcommons.commons.structures import DEPTHS, HEIGHT_M_MAX
from p2pcommons.commons.vocabulary import FIELDS, REQUIRED, SUBTYPES, TYPES, Field, Kind
from p2pcommons.core.limits import INTEGER_BODY_MAX


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _any_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object", "properties": properties, "required": list(required), "additionalProperties": False,
    }  # fmt: skip


# -- what is taken

_NOTHING: Final[Schema] = {"enum": [None, "", []]}  # says nothing, wherever a field stands
_NO_MEMBER: Final[Schema] = {"enum": [None, ""]}  # the same within an object
_WORDS: Final = _named("Words")
_ONE_TAG: Final = _text(TAG) | {"maxLength": TAG_CHARACTERS_MAX}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": INTEGER_BODY_MAX}
_LATITUDE: Final[Schema] = {"type": "number", "minimum": -90, "maximum": 90}
_LONGITUDE: Final[Schema] = {"type": "number", "minimum": -180, "maximum": 180}
_HEIGHT: Final[Schema] = {"type": "number", "minimum": -HEIGHT_M_MAX, "maximum": HEIGHT_M_MAX}
_HASH: Final = _text("[0-9A-Fa-f]{64}")
_BY_LANGUAGE: Final = _any_of(
    _WORDS, {"type": "object", "propertyNames": _ONE_TAG, "additionalProperties": _WORDS, "minProperties": 1}
)
_TOGETHER: Final = ("lat", "lon")


def _map(members: dict[str, Schema], need: str = "") -> Iterator[Schema]:
    """Objects of these members, of which `need`, or else one of all, says something; degrees come in pairs."""
    single = {name: schema for name, schema in members.items() if name not in _TOGETHER}
    pair = {name: schema for name, schema in members.items() if name in _TOGETHER}
    loose = {name: _any_of(schema, _NO_MEMBER) for name, schema in single.items()}
    for name in (need,) if need else single:
        yield _object(loose | {name: single[name]} | dict.fromkeys(pair, _NO_MEMBER), (name,))
    if pair:
        needed = {need: single[need]} if need else {}
        yield _object(loose | needed | pair, (*_TOGETHER, *needed))


def _coordinates(depth: int) -> Schema:
    if depth == 1:
        return {
            "type": "array", "prefixItems": [_LONGITUDE, _LATITUDE, _HEIGHT], "items": False, "minItems": 2,
            "maxItems": 3,
        }  # fmt: skip
    return {"type": "array", "items": _coordinates(depth - 1), "minItems": 1}


_GEOMETRY: Final = _any_of(
    *(
        _object({"type": {"const": kind}, "coordinates": _coordinates(depth), "bbox": {}}, ("type", "coordinates"))
        for kind, depth in DEPTHS.items()
    )
)
_PLACE: Final = {
    "name": _WORDS, "lat": _LATITUDE, "lon": _LONGITUDE, "geometry": _named("Geometry"), "territory": _WORDS,
}  # fmt: skip
_AGENT: Final = {"name": _WORDS, "role": _WORDS, "id": _WORDS}
_MEDIA: Final = {
    "id": _HASH, "root": _HASH, "size": _COUNT, "type": _WORDS, "name": _WORDS, "role": _WORDS, "alt": _BY_LANGUAGE,
    "transcript": _BY_LANGUAGE, "url": _WORDS,
}  # fmt: skip
_TERMS: Final = {"days": _COUNT, "deposit": _WORDS, "training": _WORDS, "note": _WORDS}
_STOP: Final = {"name": _WORDS, "lat": _LATITUDE, "lon": _LONGITUDE, "text": _WORDS}
_PARTS_TAKEN: Final[dict[str, Schema]] = {
    "Words": _text(NOT_BLANK) | {"description": "A text that is not blank"},
    "Geometry": _GEOMETRY | {"description": "A GeoJSON geometry"},
    "Agent": _any_of(_WORDS, *_map(_AGENT, "name")),
    "Place": _any_of(_WORDS, *_map(_PLACE)),
    "Media": _any_of(*_map(_MEDIA)),
    "Terms": _any_of(*_map(_TERMS)),
    "Stop": _any_of(*_map(_STOP, "name")),
}
_WITH_SCHEME: Final = _text(rf"[{SPACES}]*[^\u0000:{SPACES}][^\u0000:]*:[^\u0000]*[^\u0000{SPACES}][^\u0000]*")
_ASCII_SPACES: Final = r"\u0009-\u000d\u0020"
_SOURCE: Final = _any_of(
    _text(rf"[{_ASCII_SPACES}]*[^\u0000:{_ASCII_SPACES}][^\u0000:]*:[^\u0000]*[^\u0000{_ASCII_SPACES}][^\u0000]*"),
    _NO_MEMBER,
) | {"description": "URI it was imported from, e.g. `tate:A00001`"}

# Value forms that are not simply a text, by name.
_FORMS: Final[dict[str, Schema]] = {
    "type": {"type": "string", "enum": list(TYPES)},
    "subtype": {"type": "string", "enum": sorted(sum(SUBTYPES.values(), ()))},
    "access": {"type": "string", "enum": ["public", "members"]},
    "count": _COUNT,
    "languages": _any_of(_ONE_TAG, {"type": "array", "items": _ONE_TAG, "minItems": 1}),
    "licence": {"type": "string", "format": "spdx-expression"},
    "url": _WITH_SCHEME,
    "identifier": _WITH_SCHEME,
    "reference": _any_of(_text(r"[^\u0000]*:[^\u0000]*"), _text(f"[{SPACES}]*[0-9A-Fa-f]{{64}}[{SPACES}]*")),
    "agent": _named("Agent"),
    "place": _named("Place"),
    "media": _named("Media"),
    "terms": _named("Terms"),
    "stops": {"type": "array", "items": _named("Stop"), "minItems": 1},
}
_LANGUAGES: Final[Schema] = {
    "type": "object", "propertyNames": _ONE_TAG, "additionalProperties": _any_of(_WORDS, _NO_MEMBER),
}  # fmt: skip
# Of all its languages one at least says something.
_SOME_LANGUAGE: Final[Schema] = _LANGUAGES | {"not": {"additionalProperties": _NO_MEMBER}}


def _taken(field: Field, needed: bool = False) -> Schema:
    value = _FORMS.get(field.form.name, _WORDS)
    if field.kind is Kind.SET:
        value = {"type": "array", "items": value}
    choices = [value]
    if field.multilingual:
        choices.append(_SOME_LANGUAGE if needed else _LANGUAGES)
    if not needed:
        choices.append(_NOTHING)
    return (_any_of(*choices) if len(choices) > 1 else value) | {"description": field.meaning}


# -- what is shown

_TEXT: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": _TEXT, "description": "{language: text}"}
_ANY_OBJECT: Final[Schema] = {"type": "object"}
_SHOWN: Final[dict[str, Schema]] = {
    "count": {"type": "integer", "minimum": 0},
    "languages": _any_of(_TEXT, {"type": "array", "items": _TEXT}),
    "agent": _any_of(
        _TEXT, {"type": "object", "properties": {"name": _TEXT, "role": _TEXT, "id": _TEXT}, "required": ["name"]}
    ),
    "place": _any_of(
        _TEXT,
        {"type": "object", "properties": {"name": _TEXT, "lat": {"type": "number"}, "lon": {"type": "number"}}},
    ),
    "media": _ANY_OBJECT,
    "terms": _ANY_OBJECT,
    "stops": {"type": "array", "items": _ANY_OBJECT},
}


def _shown(field: Field) -> Schema:
    value = _SHOWN.get(field.form.name, _TEXT)
    if field.multilingual:
        value = _any_of(value, _TEXTS)
    if field.kind is Kind.SET:
        value = {"type": "array", "items": value}
    return value | {"description": field.meaning}


_OTHERS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "array", "items": {}}}
_ENVELOPE: Final[Schema] = {
    "id": HEX_SCHEMA,
    "commons": HEX_SCHEMA,
    "created_at": TIME_SCHEMA,
    "updated_at": TIME_SCHEMA,
    "authors": {"type": "array", "items": KEY_SCHEMA},
    "conflicts": _OTHERS | {"description": "other values of concurrent writes, by field"},
    "offered": _OTHERS | {"description": "imported values that differ from what people wrote, by field"},
    "sources": {"type": "array", "items": _TEXT},
    "hidden": {"type": "boolean", "description": "it is not shown but to who asks for what is hidden, as you did"},
    "lists": {
        "type": "array",
        "items": KEY_SCHEMA,
        "description": "whose block lists, which this node follows, name all its authors: the rest is left out of lists",
    },
}
_ENVELOPE_ALWAYS: Final = ("id", "commons", "created_at", "updated_at", "authors")
_LEFT_ASIDE: Final[Schema] = {name: {"description": "left aside"} for name in _ENVELOPE}

ENTRY_SCHEMAS: Final[dict[str, Schema]] = {
    **_PARTS_TAKEN,
    "Entry": _object(
        _ENVELOPE | {"source": _TEXT} | {name: _shown(field) for name, field in FIELDS.items()}, _ENVELOPE_ALWAYS
    )
    | {"description": "An entry, as it is shown"},
    "Draft": _object(
        {name: _taken(field, name in REQUIRED) for name, field in FIELDS.items()} | {"source": _SOURCE} | _LEFT_ASIDE,
        REQUIRED,
    )
    | {"description": "An entry to add; a `source` makes its id, so that a second one is an edit of the first"},
    "Patch": _object(
        {name: _taken(field) for name, field in FIELDS.items()} | {"source": {"enum": [None]}} | _LEFT_ASIDE
    )
    | {"description": "JSON Merge Patch: absent unchanged, null clears, a list replaces, languages merge"},
}
