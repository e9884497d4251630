"""Mapping files: which column of a foreign catalogue goes into which field of an entry.

    {"fields": {"title": "Title", "place.lat": "Latitude", "identifiers": ["wikidata:{QID}", "ulan:{ULAN}"]},
     "constants": {"type": "image", "licence": "CC0-1.0"},
     "source": "moma:{ConstituentID}",
     "separators": {"subjects": ";"},
     "empty": {"EndDate": ["0"], "*": ["NULL"]}}

A field's value is a column's name, a text with `{column}` in it, or a list of these: all of them for a field that
holds several, the first that is there for the others. `field.part` names a language (`title.fr`) or a part of a map
(`place.lat`). `separators` cut a cell into several, `empty` says which cells mean nothing (`*`: in any column).
Pure: rows in, Entry JSON out; it opens no file and checks values only as far as shaping needs (`commons.draft` does).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from p2pcommons.commons.vocabulary import FIELDS, REQUIRED, Field, Kind
from p2pcommons.errors import FormError
from p2pcommons.formats.lines import Refusal
from p2pcommons.formats.targets import Target, parse_target

KEYS: Final = ("fields", "constants", "source", "separators", "empty")
"""What a mapping file may hold; `fields` must be there."""

Row = Mapping[str, Any]
_Cells = Callable[[Row], list[Any]]  # what a row holds for one target
_HOLE: Final = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """A mapping, ready for rows. Make one with `parse_mapping` or `same_names`."""

    targets: tuple[tuple[Target, _Cells], ...]
    constants: Mapping[str, Any]
    source: Callable[[Row], str | Refusal | None]
    columns: frozenset[str]  # every column it reads
    pick: Callable[[Row, str], list[Any]]  # what a row holds in a column, without what means nothing
    named: tuple[tuple[str, str], ...] = ()  # (key in the mapping file, column), for messages
    name: str = "the mapping"  # what to call it in messages
    why_dropped: str = "the mapping gives it no field"

    def entry(self, row: Row) -> dict[str, Any] | Refusal:
        """The Entry JSON of one row, or why there is none."""
        made = dict(self.constants)
        source = self.source(row)
        if isinstance(source, Refusal):
            return source
        if source is not None:
            made["source"] = source
        for target, cells in self.targets:
            values = cells(row)
            if not values:
                continue
            try:
                target.put(made, values)
            except ValueError as error:
                return Refusal("bad_value", f"{target.name} {error}")
        return made

    def leaves(self, row: Row, column: str) -> bool:
        """Whether this row holds something in a column that no field takes, as a whole or by a path into it."""
        if column in self.columns or not self.pick(row, column):
            return False
        return not any(each.startswith(f"{column}.") for each in self.columns)

    def check_heading(self, heading: Iterable[str]) -> None:
        """FormError("bad_mapping") where the mapping reads a column that the file has not."""
        have = set(heading)
        for key, column in self.named:
            if column not in have:
                raise _bad(self.name, key, f"reads the column {column!r}, which the file has not; it has {_list(have)}")


def parse_mapping(text: str | bytes, name: str) -> FieldMapping:
    """Read a mapping file. `name`: what to call it in messages.

    FormError("bad_mapping") names the file, the key, and what to do.
    """
    value = _object(text, name)
    for key in value:
        if key not in KEYS:
            raise _bad(name, key, f"is no key of a mapping; it may hold {', '.join(KEYS)}")
    fields = _section(value, "fields", name)
    if not fields:
        raise _bad(name, "fields", 'is empty; write for example "fields": {"title": "Title"}')
    separators = _separators(_section(value, "separators", name), fields, name)
    pick = _Picker(_empty(_section(value, "empty", name), name))
    named: list[tuple[str, str]] = []
    targets = []
    for key, wanted in fields.items():
        target = _target(key, name)
        parts = _wanted(wanted, key, name)
        named += [(f"fields.{key}", column) for part in parts for column in _columns(part)]
        cut = separators.get(key)
        several = target.several
        read = [_reader(part, separators.get(part) or cut, pick) for part in parts]
        targets.append((target, _all_of(read) if several else _first_of(read)))
    constants = _constants(_section(value, "constants", name), name)
    source = _source(value.get("source"), pick, name, named)
    for needed in REQUIRED:
        if needed not in constants and not any(target.field.name == needed for target, _ in targets):
            hint = 'such as "constants": {"type": "image"}' if needed == "type" else 'such as "title": "Title"'
            raise _bad(name, "fields", f"gives no {needed!r}, which every entry needs; add it, {hint}")
    return FieldMapping(tuple(targets), constants, source, frozenset(c for _, c in named), pick, tuple(named), name)


def same_names(heading: Sequence[str], separator: str, name: str) -> FieldMapping:
    """The mapping of a file whose columns are called like fields, as this project writes them.

    FormError("needs_mapping") where no column is called `title`.
    """
    targets: list[tuple[Target, _Cells]] = []
    for column in heading:
        target = parse_target(column)
        if not isinstance(target, str):
            targets.append((target, _own_cell(column, target, separator)))
    found = {target.field.name for target, _ in targets}
    for needed in REQUIRED:
        if needed not in found:
            raise FormError(
                "needs_mapping",
                f"{name} has no column called {needed!r} (it has {_list(heading)}); "
                "say which column is which field: --map FILE (see the examples)",
            )
    return FieldMapping(
        tuple(targets),
        {},
        _own_source,
        frozenset(column for column in heading if column == "source" or not isinstance(parse_target(column), str)),
        _Picker({}),
        why_dropped="no field has this name; say with --map which field it is",
    )


# -- reading the file's own parts


def _bad(name: str, key: str, what: str) -> FormError:
    return FormError("bad_mapping", f"{name}: {key!r} {what}")


def _list(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:20]) + (", …" if len(shown) > 20 else "") or "none"


def _object(text: str | bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text)
    except UnicodeDecodeError:
        raise FormError("bad_mapping", f"{name} is not UTF-8; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise FormError(
            "bad_mapping", f"{name}, line {error.lineno}: not JSON: {error.msg}; correct it there"
        ) from None
    except (RecursionError, ValueError):
        raise FormError("bad_mapping", f"{name} is nested too deep to be a mapping") from None
    if not isinstance(value, dict):
        raise FormError("bad_mapping", f'{name} is not a JSON object; write {{"fields": {{"title": "Title"}}, …}}')
    return value


def _section(value: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    found = value.get(key, {})
    if not isinstance(found, dict):
        raise _bad(name, key, "is not an object; write {…} with a name and a value for each")
    return found


def _target(key: str, name: str) -> Target:
    target = parse_target(key)
    if isinstance(target, str):
        raise _bad(name, f"fields.{key}", target)
    return target


def _wanted(wanted: Any, key: str, name: str) -> list[str]:
    parts = wanted if isinstance(wanted, list) else [wanted]
    if not parts or not all(isinstance(part, str) and part for part in parts):
        raise _bad(
            name, f"fields.{key}", 'is not the name of a column, a text such as "wikidata:{QID}", or a list of these'
        )
    return parts


def _separators(found: dict[str, Any], fields: dict[str, Any], name: str) -> dict[str, str]:
    columns = {part for key, wanted in fields.items() for part in _wanted(wanted, key, name)}
    for key, separator in found.items():
        if not isinstance(separator, str) or not separator:
            raise _bad(name, f"separators.{key}", 'is not a text to cut at, such as ";"')
        if key not in fields and key not in columns:
            raise _bad(name, f"separators.{key}", "is neither a field nor a column that `fields` names")
        if key in fields and not _target(key, name).several:
            raise _bad(name, f"separators.{key}", "cuts a field that holds one value; take the separator away")
    return found


def _empty(found: dict[str, Any], name: str) -> dict[str, frozenset[str]]:
    for key, texts in found.items():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _bad(name, f"empty.{key}", 'is not a list of texts that mean nothing, such as ["0"]')
    return {key: frozenset(texts) for key, texts in found.items()}


def _constants(found: dict[str, Any], name: str) -> dict[str, Any]:
    for key, value in found.items():
        known = FIELDS.get(key)
        if known is None:
            raise _bad(name, f"constants.{key}", f"is no field; the fields are {', '.join(FIELDS)}")
        if value is None:
            raise _bad(name, f"constants.{key}", "has no value; give one or take it away")
        try:
            _check_constant(known, value)
        except (ValueError, TypeError) as error:
            raise _bad(name, f"constants.{key}", str(error)) from None
    return found


def _check_constant(known: Field, value: Any) -> None:
    if known.kind is Kind.SET:
        if not isinstance(value, list):
            raise ValueError("is a list, in square brackets")
        for item in value:
            known.form.read(item)
    elif known.multilingual and isinstance(value, dict):
        for text in value.values():
            known.form.read(text)
    else:
        known.form.read(value)


def _source(
    pattern: Any, pick: _Picker, name: str, named: list[tuple[str, str]]
) -> Callable[[Row], str | Refusal | None]:
    if pattern is None:
        return lambda row: None
    if not isinstance(pattern, str) or not _HOLE.search(pattern):
        raise _bad(
            name, "source", 'names no column; write a text that differs for each row, such as "moma:{ConstituentID}"'
        )
    columns = _columns(pattern)
    named += [("source", column) for column in columns]

    def of(row: Row) -> str | Refusal:
        for column in columns:
            if not pick(row, column):
                return Refusal("no_source", f"no value in {column!r}, of which the source {pattern!r} is made")
        return _HOLE.sub(lambda hole: _text(pick(row, hole[1])[0]), pattern)

    return of


# -- from a row to the values of one target


class _Picker:
    """The values a row holds in a column, without those that mean nothing."""

    def __init__(self, empty: dict[str, frozenset[str]]) -> None:
        self._empty = empty
        self._everywhere = empty.get("*", frozenset())

    def __call__(self, row: Row, column: str) -> list[Any]:
        value = row.get(column)
        if value is None and "." in column:
            value = _deep(row, column)
        if isinstance(value, str):
            value = value.strip()
        if value is None or value in ("", [], {}):
            return []
        if isinstance(value, (str, int, float)) and (self._everywhere or column in self._empty):
            text = _text(value)
            if text in self._everywhere or text in self._empty.get(column, ()):
                return []
        return [each for each in value if each not in (None, "")] if isinstance(value, list) else [value]


def _deep(row: Row, path: str) -> Any:
    value: Any = row
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _columns(part: str) -> list[str]:
    return _HOLE.findall(part) or [part]


def _reader(part: str, separator: str | None, pick: _Picker) -> _Cells:
    columns = _columns(part)
    if columns != [part]:

        def filled(row: Row) -> list[Any]:
            cells = {column: pick(row, column) for column in columns}
            if not all(cells.values()):
                return []
            if len(columns) == 1:
                return [_fill(part, value) for value in _cut(cells[columns[0]], separator)]
            return [_HOLE.sub(lambda hole: _text(cells[hole[1]][0]), part)]

        return filled
    if separator is None:
        return lambda row: pick(row, part)
    return lambda row: _cut(pick(row, part), separator)


def _fill(part: str, value: Any) -> str:
    return _HOLE.sub(lambda _: _text(value), part)


def _cut(values: list[Any], separator: str | None) -> list[Any]:
    if separator is None:
        return values
    cut: list[Any] = []
    for value in values:
        if isinstance(value, str):
            cut += filter(None, map(str.strip, value.split(separator)))
        else:
            cut.append(value)
    return cut


def _all_of(readers: list[_Cells]) -> _Cells:
    if len(readers) == 1:
        return readers[0]
    return lambda row: [value for read in readers for value in read(row)]


def _first_of(readers: list[_Cells]) -> _Cells:
    if len(readers) == 1:
        return readers[0]
    return lambda row: next((values for read in readers if (values := read(row))), [])


def _own_cell(column: str, target: Target, separator: str) -> _Cells:
    elements = target.several and target.field.kind is Kind.SET

    def read(row: Row) -> list[Any]:
        value = _own_value(row.get(column))
        if isinstance(value, str) and target.several:
            return _cut([value], separator) if value == row[column].strip() else [value]
        if value is None:
            return []
        return value if isinstance(value, list) and elements else [value]

    return read


def _own_value(cell: Any) -> Any:
    """What a cell says as this project writes it: JSON where text alone would not do (see `formats.tabular`)."""
    text = cell.strip() if isinstance(cell, str) else ""
    if text[:1] in ("{", "[", '"'):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    return text or None


def _own_source(row: Row) -> str | None:
    value = _own_value(row.get("source"))
    return value if isinstance(value, str) else None
