"""The parts that messages are made of, read with their bounds: each gives the value or `bad_message` (chapter 30)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NoReturn

from p2pcommons.core.limits import CODE_BYTES_MAX, SET_COUNT_MAX
from p2pcommons.errors import RemoteProtocolError

PLANES: Final = (0, 1)
"""The planes that version 1 keeps the same."""

COUNT_MAX: Final = 2**53 - 1
"""The largest count or time in milliseconds."""

_CODE: Final = re.compile(r"[a-z][a-z0-9_]*")


def bad(detail: str) -> NoReturn:
    """Refuse a message."""
    raise RemoteProtocolError("bad_message", detail)


def as_number(value: Any, most: int, least: int = 0) -> int:
    """An integer within bounds."""
    if type(value) is not int or not least <= value <= most:
        bad(f"a number from {least} to {most} was expected")
    return value


def as_bytes(value: Any, size: int) -> bytes:
    """So many bytes."""
    if type(value) is not bytes or len(value) != size:
        bad(f"{size} bytes were expected")
    return value


def as_text(value: Any, bytes_max: int) -> str:
    """A text of at most so many bytes."""
    if type(value) is not str or len(value.encode()) > bytes_max:
        bad(f"a text of at most {bytes_max} bytes was expected")
    return value


def as_code(value: Any) -> str:
    """A code of a refusal or an end."""
    text = as_text(value, CODE_BYTES_MAX)
    if not _CODE.fullmatch(text):
        bad("a code is lower-case letters, digits and underscores")
    return text


def as_list(value: Any, most: int, least: int = 0) -> list[Any]:
    """A list of so many values."""
    if type(value) is not list or not least <= len(value) <= most:
        bad(f"a list of {least} to {most} values was expected")
    return value


def check_ascending(values: Sequence[Any]) -> None:
    """Values in strictly ascending order."""
    if any(first >= second for first, second in pairwise(values)):
        bad("values are in ascending order, none twice")


def as_slot(value: Any) -> int:
    """The number of a commons in a session."""
    return as_number(value, SET_COUNT_MAX - 1)


def as_plane(value: Any) -> int:
    """A plane that version 1 keeps the same."""
    return as_number(value, PLANES[-1])
