"""Entry JSON in: what people and imports say of an entry, checked and made into bodies (chapter 20, "Writing").

The door is narrower than the protocol: an unknown field is refused by name, a licence must be one. Knows no store
and no key: the records or the view that a change is compared with come in.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, Final, NamedTuple

from p2pcommons.commons.edit import EDIT, Edit, distinct, element_key
from p2pcommons.commons.entry import EntryView, entry_record, fold
from p2pcommons.commons.entry_json import ENVELOPE, field_json
from p2pcommons.commons.forms import DATE, TEXT, read_tag, read_text, read_texts
from p2pcommons.commons.vocabulary import FIELDS, REQUIRED, Field, Kind, register_key, split_key
from p2pcommons.core.encoding import pack_ordered
from p2pcommons.core.limits import BODY_BYTES_MAX
from p2pcommons.core.record import Record, normalise_source
from p2pcommons.errors import FormError

MAPPING: Final = "entry-json-1"
"""The mapping version of imports that come as Entry JSON."""

_TEXTS: Final = frozenset(
    name for name, field in FIELDS.items() if field.form in (TEXT, DATE) and field.kind is not Kind.SET
)

FieldValue = tuple[dict[str, Any], list[Any] | None]
"""What one field says: registers by key, and the elements of a set (None for a register)."""


class FieldError(FormError):
    """A field that is not what it must be; `field` names it. Codes: unknown_field, bad_field, missing_field."""

    def __init__(self, code: str, field: str, detail: str) -> None:
        super().__init__(code, detail)
        self.field = field


class Draft(NamedTuple):
    """All that somebody says of an entry. Keys are in order; nothing in it is empty."""

    fields: dict[str, Any]
    """Registers by key (`title`, `title.fr`)."""
    sets: dict[str, list[Any]]
    source: str | None
    """Normalised source URI: the draft is an import. None: written by a person."""
    mapping: str


def draft_from_json(obj: Any, *, mapping: str = MAPPING) -> Draft:
    """Check Entry JSON. What only answers hold (`id`, `authors`…) is left aside; null, "" and [] say nothing.

    FieldError unknown_field, bad_field, missing_field; FormError bad_entry, bad_source.
    """
    if type(obj) is not dict:
        raise FormError("bad_entry", 'an entry is a JSON object of fields, such as {"type": …, "title": …}')
    registers: dict[str, Any] = {}
    sets: dict[str, list[Any]] = {}
    source = None
    for name in sorted(obj):
        value = obj[name]
        # Most values are a text in ASCII: taken without a call (hot path of imports).
        if name in _TEXTS and type(value) is str and value.isascii() and value.strip() and "\0" not in value:
            registers[name] = value
            continue
        field = FIELDS.get(name)
        if field is None:
            if name == "source":
                source = _source(value)
            elif name not in ENVELOPE:
                raise _unknown(name)
        elif value is not None and value != "" and value != []:
            if field.kind is Kind.SET:
                sets[name] = _elements(field, value)
            elif type(value) is dict and field.multilingual:
                registers.update(_languages(field, value))
            else:
                try:
                    registers[name] = field.form.read(value)
                except ValueError as error:
                    raise _bad(name, error) from None
    if "title" not in registers or "type" not in registers:
        _check_required(registers)
    return Draft(registers, sets, source, mapping)


def edit_body_new(draft: Draft) -> bytes:
    """The canonical body of an entry's first edit: an import where the draft has a source. FormError body_too_large."""
    body: dict[str, Any] = {}
    if draft.sets:
        body["add"] = draft.sets
    if draft.source is not None:
        body["map"] = draft.mapping
        body["origin"] = draft.source
    body["set"] = draft.fields
    return _packed(body)


def edit_new(draft: Draft) -> Edit:
    """What that body writes: equal to reading it, for a draft holds only what fits (hot path of imports)."""
    return Edit(draft.fields, (), draft.sets, {}, draft.source)


def edit_body_change(
    records: Sequence[Record], draft: Draft, importers: Container[bytes], erased: Container[bytes] = ()
) -> bytes | None:
    """The body by which a re-import says what its source changed; None where nothing did.

    `records`: all about the subject. Compared is what the importer (any of the keys `importers`) itself imported
    last from this source, never what people made of it. `erased`: ids of records that an erasure names.
    """
    whole = edit_body_new(draft)
    if draft.source is None:
        return whole
    if len(records) == 1 and records[0].body == whole and records[0].header.author in importers:
        return None if records[0].id not in erased else whole
    given = []
    for record in records:
        ready = entry_record(record)
        own = (
            record.header.author in importers
            and record.id not in erased
            and record.header.kind == EDIT
            and ready.body is not None
            and ready.body.get("origin") == draft.source
        )
        given.append(ready._replace(counts=own))
    before = fold(b"", given)
    if not before.exists:
        return whole
    body = _difference(before.registers, before.sets, draft.fields, draft.sets)
    if body is None:
        return None
    return _packed({**body, "map": draft.mapping, "origin": draft.source})


def merge_patch(view: EntryView, patch: Any) -> bytes | None:
    """The body of the human edit that a JSON Merge Patch (RFC 7396) over the shown entry means; None: no change.

    A field that has a conflict or an offer is written even with its shown value: who names it has decided.
    FieldError unknown_field, bad_field; FormError bad_entry.
    """
    if type(patch) is not dict:
        raise FormError("bad_entry", "a patch is a JSON object of the fields to change; null clears one")
    body: dict[str, Any] = {}
    for name in sorted(patch):
        field = FIELDS.get(name)
        if field is not None:
            _join(body, _field_change(view, field, patch[name]))
        elif name == "source":
            if patch[name] is not None and _source(patch[name]) not in view.sources:
                raise FieldError("bad_field", name, "the source of an entry cannot be changed; add a new entry for it")
        elif name not in ENVELOPE:
            raise _unknown(name)
    if not body:
        return None
    if "clear" in body:
        body["clear"].sort()
    return _packed(body)


def withdraw_body(reason: str | None = None) -> bytes:
    """The body of an `entry.withdraw` record."""
    if reason is None or not reason.strip():
        return pack_ordered({})
    try:
        return _packed({"reason": read_text(reason)})
    except ValueError as error:
        raise FieldError("bad_field", "reason", f"the reason {error}") from None


# -- reading fields


def _check_required(registers: Mapping[str, Any]) -> None:
    present = {split_key(key)[0] for key in registers}
    for name in REQUIRED:
        if name not in present:
            raise FieldError("missing_field", name, f'an entry needs a {name}; add "{name}": …')


def _unknown(name: str) -> FieldError:
    return FieldError(
        "unknown_field", name, f"{name[:60]!r} is no field of an entry; known are {', '.join(FIELDS)} and source"
    )


def _source(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if type(value) is not str or "\0" in value:
        raise FormError("bad_source", "a source is a URI like tate:A00001")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FormError("bad_source", "a source holds half a character (a surrogate)") from None
    return normalise_source(value)


def _bad(name: str, error: ValueError) -> FieldError:
    return FieldError("bad_field", name, f"{name} {error}")


def _register(field: Field, value: Any) -> Any:
    try:
        return field.form.read(value)
    except ValueError as error:
        raise _bad(field.name, error) from None


def _elements(field: Field, value: Any) -> list[Any]:
    if type(value) is not list:
        raise FieldError("bad_field", field.name, f"{field.name} is a list, such as [{_example(value)}]")
    try:
        if field.form is TEXT:
            return read_texts(value)
        read = field.form.read
        elements = [read(element) for element in value]
    except ValueError as error:
        raise FieldError("bad_field", field.name, f"an element of {field.name} {error}") from None
    return elements if len(elements) == 1 else distinct(elements)


def _example(value: Any) -> str:
    return f'"{value[:60]}"' if type(value) is str else "…"


def _languages(field: Field, value: Mapping[str, Any]) -> dict[str, Any]:
    """Registers of a text in several languages, in order of their keys."""
    made: dict[str, Any] = {}
    for tag, text in value.items():
        key = _language_key(field, tag)
        if text is not None and text != "":
            made[key] = _register(field, text)
    return dict(sorted(made.items())) if len(made) > 1 else made


def _language_key(field: Field, tag: str) -> str:
    try:
        return register_key(field.name, read_tag(tag))
    except ValueError as error:
        raise FieldError("bad_field", field.name, f"a key of {field.name} {error}") from None


def _field(field: Field, value: Any) -> FieldValue:
    """What the JSON value of one field says."""
    if field.kind is Kind.SET:
        return {}, [] if value in (None, "", []) else _elements(field, value)
    if value is None or value == "" or value == []:
        return {}, None
    if type(value) is dict and field.multilingual:
        return _languages(field, value), None
    return {field.name: _register(field, value)}, None


# -- comparing


def _field_change(view: EntryView, field: Field, patch: Any) -> dict[str, Any] | None:
    name = field.name
    named = {_language_key(field, tag) for tag in patch} if field.multilingual and type(patch) is dict else set()
    registers, elements = _field(field, _merged(field_json(view, field), patch))
    if elements is not None:
        shown = view.sets.get(name, [])
        seen = {name: shown + view.offered.get(name, [])}
        added = (_difference({}, {name: shown}, {}, {name: elements}) or {}).get("add")
        removed = (_difference({}, seen, {}, {name: elements}) or {}).get("remove")
        if field.ordered:
            added = _in_order(name, shown, elements) or added
        body = {"add": added, "remove": removed}
        return {part: content for part, content in body.items() if content}
    standing = {key: value for key, value in view.registers.items() if split_key(key)[0] == name}
    undecided = {key for key in (*view.conflicts, *view.offered) if split_key(key)[0] == name}
    of_languages = field.multilingual and type(patch) is dict
    decided = undecided & named if of_languages else undecided  # of several languages, those that the patch names
    for key in decided:
        standing[key] = None  # differs from every value: written even if it is the shown one
    return _difference(standing, {}, registers, {})


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if type(patch) is not dict:
        return patch
    result = dict(target) if type(target) is dict else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _difference(
    registers: Mapping[str, Any],
    sets: Mapping[str, list[Any]],
    wanted_registers: Mapping[str, Any],
    wanted_sets: Mapping[str, list[Any]],
) -> dict[str, Any] | None:
    """The edit that leads from one state to another; None where they are equal."""
    body: dict[str, Any] = {}
    written = {
        key: value
        for key, value in wanted_registers.items()
        if key not in registers or element_key(registers[key]) != element_key(value)
    }
    cleared = sorted(key for key in registers if key not in wanted_registers)
    added: dict[str, list[Any]] = {}
    removed: dict[str, list[Any]] = {}
    for name in sorted({*sets, *wanted_sets}):
        have = {element_key(element): element for element in sets.get(name, ())}
        want = {element_key(element): element for element in wanted_sets.get(name, ())}
        if more := [element for key, element in want.items() if key not in have]:
            added[name] = more
        if less := [element for key, element in have.items() if key not in want]:
            removed[name] = less
    for part, content in (("add", added), ("clear", cleared), ("remove", removed), ("set", written)):
        if content:
            body[part] = content
    return body or None


def _in_order(name: str, shown: Sequence[Any], wanted: Sequence[Any]) -> dict[str, list[Any]] | None:
    """The adds that make the order of a list hold: those from the first element out of place on. None: in order."""
    keys = [element_key(element) for element in wanted]
    kept = [key for key in map(element_key, shown) if key in set(keys)]
    same = 0
    while same < len(kept) and kept[same] == keys[same]:
        same += 1
    return None if same == len(kept) else {name: list(wanted[same:])}


def _join(body: dict[str, Any], more: dict[str, Any] | None) -> None:
    for part, content in (more or {}).items():
        if part == "clear":
            body.setdefault(part, []).extend(content)
        else:
            body.setdefault(part, {}).update(content)


def _packed(body: dict[str, Any]) -> bytes:
    packed = pack_ordered({part: body[part] for part in sorted(body)})
    if len(packed) > BODY_BYTES_MAX:
        raise FormError(
            "body_too_large",
            f"this entry takes {len(packed)} bytes and at most {BODY_BYTES_MAX} fit; give long texts as media",
        )
    return packed
