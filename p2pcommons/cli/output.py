"""What commands print: tables for people, JSON for scripts, progress on a terminal and nothing of it in a pipe.

Texts come from strangers: control characters are shown, never sent to the terminal.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

# What JSON leaves as it is and a terminal may obey: control characters above ASCII, directions, line ends of Unicode.
_COMMANDING = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_PROGRESS_EVERY_S = 0.2  # a terminal need not be repainted more often than one can read


class Output:
    """Where a command prints. `json`: one document, or one per line for lists, and nothing else on `out`."""

    def __init__(self, *, json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.json = json
        self._out = out if out is not None else sys.stdout
        self._err = err if err is not None else sys.stderr
        self._ascii = not (self._out.encoding or "utf-8").lower().startswith("utf")  # what JSON must then be written in
        self._painted = 0
        self._painted_at = 0.0

    # -- results

    def document(self, value: Any) -> None:
        """One JSON document (only with `--json`)."""
        if self.json:
            self._print(self._json(value))

    def items(self, values: Sequence[Any]) -> None:
        """A list as JSON, one a line (only with `--json`)."""
        for value in values if self.json else ():
            self._print(self._json(value))

    def say(self, text: str = "") -> None:
        """A line for people (not with `--json`)."""
        if not self.json:
            self._print(printable(text))

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Names and values, one a line (not with `--json`)."""
        width = max((_width(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            first, *rest = value.split("\n")
            self.say(f"{_pad(name, width)}  {printable(first)}")
            for line in rest:
                self.say(f"{' ' * width}  {printable(line)}")

    def table(self, heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table (not with `--json`); on a terminal the last column is cut to fit."""
        if self.json:
            return
        cells = [[printable(cell) for cell in row] for row in (heading, *rows)]
        widths = [max(_width(row[n]) for row in cells) for n in range(len(heading))]
        room = shutil.get_terminal_size().columns if self._out.isatty() else None
        for row in cells:
            line = "  ".join(_pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
            if room is not None and _width(line) > room:
                line = line[: room - 1] + "…"
            self._print(line)

    # -- asides, on stderr

    @property
    def on_terminal(self) -> bool:
        """Whether a person looks on: asides go to a terminal and not to a file."""
        return self._err.isatty()

    def warn(self, text: str) -> None:
        """Something to know, whatever the form of the result."""
        self._wipe()
        print(printable(text), file=self._err)

    def progress(self, text: str) -> None:
        """How far a long work is; painted over, on a terminal only."""
        now = time.monotonic()
        if self._err.isatty() and now - self._painted_at >= _PROGRESS_EVERY_S:
            self._wipe()
            line = printable(text)[: shutil.get_terminal_size().columns - 1]
            self._err.write(line)
            self._err.flush()
            self._painted, self._painted_at = _width(line), now

    def done(self) -> None:
        """The long work is over."""
        self._wipe()
        self._painted_at = 0.0

    def _wipe(self) -> None:
        if self._painted:
            self._err.write("\r" + " " * self._painted + "\r")
            self._err.flush()
            self._painted = 0

    def _json(self, value: Any) -> str:
        text = json.dumps(plain(value), ensure_ascii=self._ascii)
        return _COMMANDING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

    def _print(self, line: str) -> None:
        self._wipe()
        print(line, file=self._out)


def printable(text: str) -> str:
    """Text that cannot command a terminal: control and direction-changing characters shown as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        character if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else _escaped(character)
        for character in text
    )


def plain(value: Any) -> Any:
    """A value of `p2pcommons.node.values`, or JSON already, as JSON."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (Mapping, list)) and not hasattr(value, "_fields"):
        return value
    from p2pcommons.api.wire import to_json

    return to_json(value)


def text_of(value: Any) -> str:
    """An Entry JSON text for a person: the one in several languages shows its first, French before others."""
    if isinstance(value, Mapping):
        return str(value.get("fr") or value.get("en") or next(iter(value.values()), ""))
    return "" if value is None else str(value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
