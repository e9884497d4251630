"""Reading a catalogue from outside: bytes in, Entry JSON out, one line at a time, with an account of what was left out.

Here a format meets a mapping. What an entry holds is not judged here (`commons.draft` does); no file is opened here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, BinaryIO, Final, NamedTuple

from p2pcommons.commons.entry_json import ENVELOPE
from p2pcommons.formats import tabular
from p2pcommons.formats.lines import Refusal, Row, opened
from p2pcommons.formats.mapping import FieldMapping, same_names
from p2pcommons.formats.registry import AUTO, Format, detect, find_format

_WHY_ENVELOPE: Final = "said by the commons it comes from; it is made anew here"


OWN: Final = Refusal("own_entry", "it comes from this very commons; change it with: p2pcommons entry edit ID")


class Dropped(NamedTuple):
    """A column that was left out, in how many lines it held something, and why."""

    name: str
    lines: int
    why: str


class Reading:
    """Iterates over (line number, Entry JSON or Refusal). `dropped()` grows as it goes. Driven by its caller.

    Every entry leaves with a `source`, so that reading a file twice gives no second copy: its own; else its id where
    it came from another commons; else one made of its content.
    """

    def __init__(self, rows: Iterator[Row], format: Format, mapping: FieldMapping | None, into: str) -> None:
        self.format = format
        self.given_sources = 0  # lines whose source was made of their content
        self._rows = rows
        self._mapping = mapping
        self._into = into
        self._dropped: dict[str, int] = {}

    def __iter__(self) -> Iterator[Row]:
        for number, row in self._rows:
            yield number, (row if isinstance(row, Refusal) else self._entry(row))

    def dropped(self) -> list[Dropped]:
        """What was left out so far, most first."""
        why = self._mapping.why_dropped if self._mapping else ""
        found = [
            Dropped(name, lines, _WHY_ENVELOPE if name in ENVELOPE else why) for name, lines in self._dropped.items()
        ]
        return sorted(found, key=lambda each: (-each.lines, each.name))

    def _entry(self, row: dict[str, Any]) -> dict[str, Any] | Refusal:
        mapping = self._mapping
        if mapping is None:
            entry: dict[str, Any] | Refusal = row
            unused = [name for name in row if name in ENVELOPE]
            if unused:
                entry = {name: value for name, value in row.items() if name not in ENVELOPE}
        else:
            entry = mapping.entry(row)
            unused = [name for name in row if mapping.leaves(row, name)]
        for name in unused:
            self._dropped[name] = self._dropped.get(name, 0) + 1
        if isinstance(entry, dict) and not entry.get("source"):
            if self._into and row.get("commons") == self._into and row.get("id"):
                return OWN
            entry["source"] = self._made_source(row, entry)
        return entry

    def _made_source(self, row: dict[str, Any], entry: dict[str, Any]) -> str:
        commons, identifier = row.get("commons"), row.get("id")
        if isinstance(commons, str) and isinstance(identifier, str) and len(identifier) == 64:
            return f"p2pcommons:{identifier}"
        self.given_sources += 1
        content = {name: value for name, value in entry.items() if name != "source"}
        return f"sha256:{sha256(json.dumps(content, sort_keys=True).encode('utf-8', 'replace')).hexdigest()}"


def read(
    stream: BinaryIO, *, name: str, format: str = AUTO, mapping: FieldMapping | None = None, into: str = ""
) -> Reading:
    """Read a catalogue, compressed by gzip or not. `name` serves to know the format and in messages; `into`: the id,
    in hex, of the commons it is for, whose own entries are then refused as `own_entry` where they have no source.

    Refused `unknown-format`; FormError `needs_mapping`, `bad_mapping`, `bad_heading`, `truncated`.
    """
    source = opened(stream)
    found = detect(name, source.first) if format == AUTO else find_format(format)
    rows, heading = found.rows(source.stream)
    if heading is not None and mapping is None:
        mapping = same_names(heading, tabular.SEPARATOR, name or "this file")
    elif heading is not None and mapping is not None:
        mapping.check_heading(heading)
    return Reading(rows, found, mapping, into)
