"""Definitions of parameters and bodies: each is both the check of a request and its part of the OpenAPI document.

What does not fit raises `BadRequest`, which names the parameter or field. Knows no HTTP library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from p2pcommons.api.forms import Flag, Form, Integer, Items, Text, Words
from p2pcommons.api.wire import Schema
from p2pcommons.core.limits import PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX
from p2pcommons.errors import P2PCommonsError


class BadRequest(P2PCommonsError):
    """A request that does not fit its definition. `members` go into the problem document."""

    def __init__(self, code: str, detail: str, members: Mapping[str, Any]) -> None:
        super().__init__(code, detail)
        self.members = dict(members)


def bad_parameter(name: str, detail: str) -> BadRequest:
    """A path, query or header parameter that is not what it must be."""
    return BadRequest("bad-parameter", f"{name}: {detail}", {"parameter": name})


def bad_field(name: str, detail: str) -> BadRequest:
    """A member of a body that is not what it must be."""
    return BadRequest("bad-field", f"{name}: {detail}", {"field": name})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the path or query."""

    name: str
    form: Form
    meaning: str
    where: str = "query"
    required: bool = False
    default: Any = None
    repeated: bool = False  # may be given several times, up to `REPEATED_MAX`: the value is a tuple

    def document(self) -> Schema:
        """Its Parameter Object. A flag may be given without a value (`?available`)."""
        schema = self.form.schema()
        if self.repeated:
            schema = {"type": "array", "items": schema, "maxItems": REPEATED_MAX}
        if self.default is not None:
            schema = schema | {"default": self.default}
        document: Schema = {"name": self.name, "in": self.where, "description": self.meaning, "schema": schema}
        if self.where == "path" or self.required:
            document["required"] = True
        if isinstance(self.form, Words):
            document |= {"style": "form", "explode": False}
        if isinstance(self.form, Flag):
            document["allowEmptyValue"] = True
        return document


REPEATED_MAX: Final = 16  # a search in more commons than that is one in all of them


def in_path(name: str, form: Form, meaning: str) -> Parameter:
    """A parameter in the path."""
    return Parameter(name, form, meaning, where="path", required=True)


LIMIT: Final = Parameter(
    "limit", Integer(1, PAGE_ITEMS_MAX), "at most so many items in one answer", default=PAGE_ITEMS_DEFAULT
)
_CURSOR_MEANING: Final = "where to go on: `next` of the answer before"
_NO_CURSOR: Final = "this is not a cursor of this list: start again without one"
CURSOR: Final = Parameter("cursor", Text(9, 1, "[0-9]{1,9}", _NO_CURSOR), _CURSOR_MEANING)
"""Of short lists: a place in the list. One behind its end finds nothing."""
SEARCH_CURSOR: Final = Parameter("cursor", Text(2731, 16, "[A-Za-z0-9_-]{16,2731}", _NO_CURSOR), _CURSOR_MEANING)
"""Of searches: base64url of up to 2,048 bytes, which hold a title's first characters. Another search's is not found."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a JSON body."""

    name: str
    form: Form
    meaning: str
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object of known members; an unknown one is refused by name."""

    members: tuple[Member, ...]
    required: bool = True  # False: no body at all is taken as an empty object
    media_types: tuple[str, ...] = ("application/json",)
    some: bool = False  # one member at least says something: the verb refuses what says nothing

    def check(self, value: Any) -> dict[str, Any]:
        """The members' values, defaults filled in. BadRequest."""
        if not isinstance(value, dict):
            raise BadRequest("bad-body", "the body must be a JSON object", {})
        known = {member.name for member in self.members}
        for name in value:
            if name not in known:
                raise bad_field(name, f"there is no such field here; there are {', '.join(sorted(known))}")
        return {member.name: _member(member, value) for member in self.members}

    def schema(self) -> Schema:
        """An object, closed."""
        schema: Schema = {
            "type": "object",
            "properties": {m.name: m.form.schema() | {"description": m.meaning} for m in self.members},
            "required": [m.name for m in self.members if m.required],
            "additionalProperties": False,
        }
        if self.some:
            lists = {m.name for m in self.members if isinstance(m.form, Items)}
            schema["anyOf"] = [
                {"required": [m.name], "properties": {m.name: {"minItems": 1}} if m.name in lists else {}}
                for m in self.members
            ]
        return schema


def _member(member: Member, value: Mapping[str, Any]) -> Any:
    if member.name not in value:
        if member.required:
            raise bad_field(member.name, f"is missing: {member.meaning}")
        return member.default
    try:
        return member.form.json(value[member.name])
    except ValueError as error:
        raise bad_field(member.name, str(error)) from None


@dataclass(frozen=True, slots=True)
class Free:
    """A JSON object whose members are judged by the verb that takes it (Entry JSON, merge patches)."""

    described: Schema
    media_types: tuple[str, ...] = ("application/json",)
    required: bool = True

    def check(self, value: Any) -> dict[str, Any]:
        """The object. BadRequest for anything else."""
        if not isinstance(value, dict):
            raise BadRequest("bad-body", "the body must be a JSON object", {})
        return value

    def schema(self) -> Schema:
        """As given."""
        return self.described


@dataclass(frozen=True, slots=True)
class Stream:
    """A body of any length that the route reads itself."""

    media_types: tuple[str, ...]
    meaning: str
    required: bool = True  # False: none at all is one of no bytes

    def schema(self) -> Schema:
        """Any bytes: OpenAPI 3.1 describes them by their media type alone."""
        return {}


Body = Fields | Free | Stream


def read_arguments(
    parameters: Sequence[Parameter], path: Mapping[str, str], query: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """All parameters' values by name, defaults filled in. BadRequest names the first that does not fit."""
    given: dict[str, list[str]] = {}
    known = {parameter.name for parameter in parameters if parameter.where == "query"}
    for name, text in query:
        if name not in known:
            raise bad_parameter(
                name, f"there is no such parameter here; there are {', '.join(sorted(known)) or 'none'}"
            )
        given.setdefault(name, []).append(text)
    return {
        parameter.name: _argument(
            parameter, [path[parameter.name]] if parameter.where == "path" else given.get(parameter.name, [])
        )
        for parameter in parameters
    }


def _argument(parameter: Parameter, texts: list[str]) -> Any:
    if not texts:
        if parameter.required:
            raise bad_parameter(parameter.name, f"is missing: {parameter.meaning}")
        return () if parameter.repeated else parameter.default
    if len(texts) > 1 and not parameter.repeated:
        raise bad_parameter(parameter.name, "is given more than once")
    if len(texts) > REPEATED_MAX:
        raise bad_parameter(parameter.name, f"is given more than {REPEATED_MAX} times")
    try:
        values = tuple(parameter.form.text(text) for text in texts)
    except ValueError as error:
        raise bad_parameter(parameter.name, str(error)) from None
    return values if parameter.repeated else values[0]
