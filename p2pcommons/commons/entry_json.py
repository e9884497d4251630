"""Entry JSON out: views and the history of an entry as flat objects for programs and pages.

What comes out goes in again (`commons.draft`): a text given without language is a plain string, one given in
languages an object, degrees are degrees. Knows no page and no HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from p2pcommons.commons.edit import EDIT, read_edit
from p2pcommons.commons.entry import EntryView
from p2pcommons.commons.vocabulary import FIELDS, SETS, UNDETERMINED, Field, Kind, field_of, split_key
from p2pcommons.core.clock import to_ms
from p2pcommons.core.encoding import unpack_ordered
from p2pcommons.core.identity import did_key
from p2pcommons.core.record import Record

ENVELOPE: Final = frozenset(
    (
        "id",
        "commons",
        "created_at",
        "updated_at",
        "authors",
        "conflicts",
        "offered",
        "sources",
        "withdrawn",
        "hidden",
        "lists",
    )
)
"""Names that only answers hold; taken and left aside where an entry comes in."""

_DAY_MS: Final = 24 * 60 * 60 * 1000
_MARCH_0000: Final = 719_468  # days from 0000-03-01 to 1970-01-01: years that begin in March end with the leap day

_did: Final = lru_cache(maxsize=1024)(did_key)  # base58 takes 10 us; authors repeat


def entry_json(view: EntryView, commons: bytes) -> dict[str, Any]:
    """One entry as people's programs see it (`6-interfaces`, Entry JSON)."""
    out: dict[str, Any] = {"id": view.subject.hex(), "commons": commons.hex(), **fields_json(view)}
    if view.sources:
        out["source"] = view.sources[0]
        if len(view.sources) > 1:
            out["sources"] = list(view.sources)
    out["created_at"] = time_json(view.created)
    out["updated_at"] = time_json(view.updated)
    out["authors"] = [_did(author) for author in view.authors]
    if view.conflicts:
        out["conflicts"] = _others_json(view.conflicts)
    if view.offered:
        out["offered"] = _others_json(view.offered)
    if view.withdrawn is not None:
        by, time, reason = view.withdrawn
        out["withdrawn"] = {"by": _did(by), "at": time_json(time), "reason": reason}
    return out


def fields_json(view: EntryView) -> dict[str, Any]:
    """The shown fields of an entry, in the order of the vocabulary."""
    found: dict[str, Any] = {}
    in_languages: dict[str, dict[str, str]] = {}
    for key, value in view.registers.items():
        name, tag = split_key(key)
        if FIELDS[name].multilingual:
            in_languages.setdefault(name, {})[tag or UNDETERMINED] = value
        else:
            found[name] = FIELDS[name].form.show(value)
    for name, texts in in_languages.items():
        found[name] = texts[UNDETERMINED] if list(texts) == [UNDETERMINED] else texts
    for name, elements in view.sets.items():
        show = FIELDS[name].form.show
        found[name] = [show(element) for element in elements]
    return {name: found[name] for name in FIELDS if name in found}


def field_json(view: EntryView, field: Field) -> Any:
    """The shown value of one field, None where it has none."""
    if field.kind is Kind.SET:
        elements = view.sets.get(field.name)
        return None if elements is None else [field.form.show(element) for element in elements]
    if not field.multilingual:
        return field.form.show(view.registers[field.name]) if field.name in view.registers else None
    texts = {
        split_key(key)[1] or UNDETERMINED: value
        for key, value in view.registers.items()
        if split_key(key)[0] == field.name
    }
    return texts.get(UNDETERMINED) if set(texts) <= {UNDETERMINED} else texts


def history_body(record: Record) -> dict[str, Any] | None:
    """A record's body as JSON values, for the history of an entry; None where it is not here.

    An edit that fits shows each value as Entry JSON does, under the names of the protocol (`set`, `add`, `remove`,
    `clear`, `origin`, `map`); any other body as it is, bytes as hex.
    """
    if record.body is None:
        return None
    body = unpack_ordered(record.body)
    if record.header.kind != EDIT or read_edit(body) is None:
        plain: dict[str, Any] = _plain(body)
        return plain
    out: dict[str, Any] = dict(body)
    for part in ("set", "add", "remove"):
        if part in body:
            out[part] = {key: _value_json(key, value) for key, value in body[part].items()}
    return out


def time_json(time: int) -> str:
    """A record time in RFC 3339, to the millisecond, UTC."""
    days, ms = divmod(to_ms(time), _DAY_MS)
    era, day = divmod(days + _MARCH_0000, 146_097)  # days in 400 years
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153  # 0: March
    day -= (153 * month + 2) // 5
    year += 400 * era + (month >= 10)
    month += 3 if month < 10 else -9
    hours, minutes, seconds = ms // 3_600_000, ms // 60_000 % 60, ms // 1_000 % 60
    return f"{year:04}-{month:02}-{day + 1:02}T{hours:02}:{minutes:02}:{seconds:02}.{ms % 1_000:03}Z"


def _others_json(others: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Values beside the shown one, by field name; one of a language as `{tag: text}`."""
    out: dict[str, list[Any]] = {}
    for key, values in others.items():
        name, tag = split_key(key)
        show = FIELDS[name].form.show
        out.setdefault(name, []).extend({tag: value} if tag else show(value) for value in values)
    return out


def _value_json(key: str, value: Any) -> Any:
    field = field_of(key)
    if field is None:
        return _plain(value)
    return [field.form.show(element) for element in value] if key in SETS else field.form.show(value)


def _plain(value: Any) -> Any:
    if type(value) is bytes:
        return value.hex()
    if type(value) is list:
        return [_plain(item) for item in value]
    if type(value) is dict:
        return {key: _plain(item) for key, item in value.items()}
    return value
