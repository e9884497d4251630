"""CSV: a heading and rows of text cells, as spreadsheets write them.

Comma, semicolon or tab, found from the heading; quotes doubled; UTF-8 with or without byte-order mark. A row gives
{column: text}; what the text means is `formats.mapping`'s. Entries are written with one column a field: a list is
joined by `|`, and what text alone cannot say (several languages, a list whose items hold `|`) is JSON in its cell,
which reading gives back equal. So is what a spreadsheet would take for a formula: entries are strangers' texts, and a
title that begins with `=` must not reckon, nor fetch, on the machine of who opens an export.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from p2pcommons.commons.vocabulary import FIELDS, SETS
from p2pcommons.core.limits import BATCH_LINE_BYTES_MAX
from p2pcommons.errors import FormError
from p2pcommons.formats.lines import NOT_UTF8, TOO_LONG, Lines, Refusal, Row, Rows

NAME: Final = "csv"
MEDIA_TYPE: Final = "text/csv; charset=utf-8"
SUFFIXES: Final = (".csv", ".tsv", ".txt")
SEPARATOR: Final = "|"  # between the items of a list, in what this project writes
COLUMNS: Final = ("id", "commons", "source", *FIELDS)
"""What a file of this project's has: known before the first entry, so that an export of any size is a stream."""

_DELIMITERS: Final = ",;\t"
csv.field_size_limit(BATCH_LINE_BYTES_MAX)  # in characters; a row is bounded in bytes below
_JSON_OPENERS: Final = ("{", "[", '"')
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""With these a spreadsheet begins a formula; the last four are the wide ones of East Asian keyboards."""
_CELL_WITHIN: Final = re.compile(r"([;\t\n][\s\"]*)([=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a cell with a formula would begin for who takes another delimiter than the comma, as spreadsheets do in many
countries: quotes within a row are then no quotes, and line ends in them end it."""


def recognises(first: bytes) -> bool:
    """Whether a file that begins with these bytes may be of this format: a line of text with a delimiter."""
    line = first.split(b"\n", 1)[0]
    return b"\0" not in line and any(delimiter.encode() in line for delimiter in _DELIMITERS)


def rows(stream: BinaryIO) -> Rows:
    """Read rows as {column: text}, empty cells left out, each with the number of its first line.

    FormError("bad_heading") where the first line is no heading.
    """
    source = _Text(Lines(stream))
    heading, delimiter = _heading(source)
    return Rows(_rows(source, heading, delimiter), tuple(heading))


def head(columns: tuple[str, ...] = COLUMNS) -> bytes:
    """The heading: one column a field of the vocabulary."""
    return _line(list(columns))


def encode(entry: dict[str, Any], columns: tuple[str, ...] = COLUMNS) -> bytes:
    """One entry as a row."""
    return _line([_cell(entry.get(column), column in SETS) for column in columns])


def _rows(source: _Text, heading: list[str], delimiter: str) -> Iterator[Row]:
    reader = csv.reader(source, delimiter=delimiter)
    while True:
        number = source.number + 1
        source.budget = BATCH_LINE_BYTES_MAX
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _Unreadable as error:
            yield source.number, error.refusal
            continue
        except csv.Error as error:
            yield number, Refusal("bad_row", f"not a CSV row: {error}; look for a quote that is never closed")
            continue
        if any(cells):
            yield number, _row(heading, cells)


class _Unreadable(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class _Text:
    """Lines as text for the csv module, which goes on after a line that raised."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.budget = BATCH_LINE_BYTES_MAX  # bytes one row may still take: a quote never closed must not eat the file

    @property
    def number(self) -> int:
        return self._lines.number

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        _, line = next(self._lines)
        if isinstance(line, Refusal):
            raise _Unreadable(line)
        self.budget -= len(line) + 1
        if self.budget < 0:
            raise _Unreadable(TOO_LONG)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            raise _Unreadable(NOT_UTF8) from None
        if "\0" in text:
            raise _Unreadable(Refusal("bad_row", "this line holds a zero byte; it is not text"))
        return text + "\n"


def _heading(source: _Text) -> tuple[list[str], str]:
    """The columns' names and the delimiter, of the first line."""
    try:
        line = next(source, "")
        delimiter = max(_DELIMITERS, key=_outside_quotes(line).count)
        names = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except _Unreadable as error:
        raise FormError("bad_heading", f"the file's first line must name the columns: {error.refusal.detail}") from None
    except csv.Error as error:
        raise FormError("bad_heading", f"the file's first line must name the columns: {error}") from None
    while names and not names[-1]:
        names.pop()
    if not names:
        raise FormError("bad_heading", "the file's first line is empty; it must name the columns")
    if not all(names):
        raise FormError("bad_heading", "a column has no name in the file's first line; give each a name of its own")
    for name in names:
        if names.count(name) > 1:
            raise FormError("bad_heading", f"two columns are called {name!r}; give each a name of its own")
    return names, delimiter


def _row(heading: list[str], cells: list[str]) -> dict[str, Any] | Refusal:
    if len(cells) > len(heading) and any(cells[len(heading) :]):
        return Refusal(
            "bad_row",
            f"{len(cells)} cells under {len(heading)} columns; a cell that holds the delimiter must stand in quotes",
        )
    return {name: cell for name, cell in zip(heading, cells, strict=False) if cell}


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _line(cells: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode()


def _cell(value: Any, elements: bool) -> str:
    match value:
        case None:
            return ""
        case str():
            return value if _plain(value) else _as_json(value)
        case list() if len(value) > (not elements) and all(map(_joins, value)):
            return SEPARATOR.join(value)
        case _:
            return _as_json(value)


def _as_json(value: Any) -> str:
    """JSON in which no formula begins, whatever it is cut at."""
    text = json.dumps(value, ensure_ascii=False)
    return _CELL_WITHIN.sub(lambda found: f"{found[1]}\\u{ord(found[2]):04x}", text)


def _plain(text: str) -> bool:
    if not text or text != text.strip() or "\r" in text or "\0" in text:
        return False
    return not text.startswith(_JSON_OPENERS + _FORMULA) and _CELL_WITHIN.search(text) is None


def _joins(item: Any) -> bool:
    return isinstance(item, str) and _plain(item) and SEPARATOR not in item
