"""Entry JSON as JSON Schema, for the OpenAPI document: written from the vocabulary, never by hand.

It describes and does not judge: whether an entry is taken is for `p2pcommons.commons` to say.
"""

from __future__ import annotations

from typing import Any, Final

from p2pcommons.api.wire import HEX_SCHEMA, KEY_SCHEMA, TIME_SCHEMA, Schema
from p2pcommons.commons.vocabulary import FIELDS, REQUIRED, SUBTYPES, TYPES, Field, Kind

_TEXT: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": _TEXT, "description": "{language: text}"}
_OBJECT: Final[Schema] = {"type": "object"}

# Value forms that are not simply a text, by name.
_FORMS: Final[dict[str, Schema]] = {
    "type": {"type": "string", "enum": list(TYPES)},
    "subtype": {"type": "string", "enum": sorted(sum(SUBTYPES.values(), ()))},
    "access": {"type": "string", "enum": ["public", "members"]},
    "count": {"type": "integer", "minimum": 0},
    "languages": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]},
    "agent": {
        "anyOf": [
            _TEXT,
            {"type": "object", "properties": {"name": _TEXT, "role": _TEXT, "id": _TEXT}, "required": ["name"]},
        ]
    },
    "place": {
        "anyOf": [
            _TEXT,
            {"type": "object", "properties": {"name": _TEXT, "lat": {"type": "number"}, "lon": {"type": "number"}}},
        ]
    },
    "media": _OBJECT,
    "terms": _OBJECT,
    "stops": {"type": "array", "items": _OBJECT},
}


def _field(field: Field) -> Schema:
    value = _FORMS.get(field.form.name, _TEXT)
    if field.multilingual:
        value = {"anyOf": [value, _TEXTS]}
    if field.kind is Kind.SET:
        value = {"type": "array", "items": value}
    return value | {"description": field.meaning}


def _object(properties: Schema, required: tuple[str, ...], description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_FIELDS: Final = {name: _field(field) for name, field in FIELDS.items()}
_SOURCE: Final[Schema] = {"source": {"type": "string", "description": "URI it was imported from, e.g. `tate:A00001`"}}
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
}
_ENVELOPE_ALWAYS: Final = ("id", "commons", "created_at", "updated_at", "authors")


def _or_null(schema: Any) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


ENTRY_SCHEMAS: Final[dict[str, Schema]] = {
    "Entry": _object(_ENVELOPE | _SOURCE | _FIELDS, _ENVELOPE_ALWAYS, "An entry, as it is shown"),
    "Draft": _object(
        _FIELDS | _SOURCE | {name: {"description": "left aside"} for name in _ENVELOPE},
        REQUIRED,
        "An entry to add; a `source` makes its id, so that a second one is an edit of the first",
    ),
    "Patch": _object(
        {name: _or_null(schema) for name, schema in _FIELDS.items()},
        (),
        "JSON Merge Patch: absent unchanged, null clears, a list replaces, languages merge",
    ),
}
