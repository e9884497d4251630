"""JSON Lines: one Entry JSON object a line, the same that the API takes and gives.

It reads and writes objects and knows no field. A file that is one JSON array of objects over several lines is not
this format, and its first line says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from p2pcommons.formats.lines import NOT_UTF8, Lines, Refusal, Row, Rows

NAME: Final = "jsonl"
MEDIA_TYPE: Final = "application/x-ndjson"
SUFFIXES: Final = (".jsonl", ".ndjson", ".json")

_AGAIN: Final = '; each line must be one JSON object such as {"type": "place", "title": "…"}'


def recognises(first: bytes) -> bool:
    """Whether a file that begins with these bytes is of this format."""
    return first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def rows(stream: BinaryIO) -> Rows:
    """Read objects, one a line; empty lines are passed over."""
    return Rows(_rows(stream), None)


def _rows(stream: BinaryIO) -> Iterator[Row]:
    for number, line in Lines(stream):
        if isinstance(line, Refusal):
            yield number, line
        elif line.strip():
            yield number, _object(line)


def head() -> bytes:
    """What a file begins with: nothing."""
    return b""


def encode(entry: dict[str, Any]) -> bytes:
    """One entry as a line."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _object(line: bytes) -> dict[str, Any] | Refusal:
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return NOT_UTF8
    except json.JSONDecodeError as error:
        return Refusal("bad_json", f"not JSON at column {error.colno}: {error.msg}{_AGAIN}")
    except (RecursionError, ValueError):  # nested, or digits, beyond what the parser takes
        return Refusal("bad_json", f"too deeply nested, or a number too long{_AGAIN}")
    if not isinstance(value, dict):
        return Refusal("not_an_object", f"a JSON {_KINDS.get(type(value), 'value')}{_AGAIN}")
    return value


_KINDS: Final = {list: "array", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}
