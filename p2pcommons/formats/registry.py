"""The formats there are, and which one a file is of."""

from __future__ import annotations

from typing import Any, BinaryIO, Final, Protocol

from p2pcommons.errors import Refused
from p2pcommons.formats import jsonl, tabular
from p2pcommons.formats.lines import Rows

AUTO: Final = "auto"


class Format(Protocol):
    """What a module of this package offers to be a format."""

    @property
    def NAME(self) -> str:
        """What people call it."""
        ...

    @property
    def MEDIA_TYPE(self) -> str:
        """What HTTP calls it."""
        ...

    @property
    def SUFFIXES(self) -> tuple[str, ...]:
        """How names of such files end; the first is given to files written."""
        ...

    def recognises(self, first: bytes) -> bool:
        """Whether a file that begins so may be of this format."""
        ...

    def rows(self, stream: BinaryIO) -> Rows:
        """Read, in constant memory. FormError for a file that cannot be read on."""
        ...

    def head(self) -> bytes:
        """What stands before the first entry written."""
        ...

    def encode(self, entry: dict[str, Any]) -> bytes:
        """One entry written."""
        ...


FORMATS: Final[dict[str, Format]] = {module.NAME: module for module in (jsonl, tabular)}
"""All formats by name, in the order in which they are tried on a file's first bytes."""


def find_format(name: str) -> Format:
    """The format of this name. Refused `unknown-format`."""
    found = FORMATS.get(name)
    if found is None:
        raise Refused("unknown-format", f"There is no format {name!r}; there are {', '.join(FORMATS)}.")
    return found


def detect(file_name: str, first: bytes) -> Format:
    """The format of a file, by how its name ends, else by its first bytes (decompressed). Refused `unknown-format`."""
    name = file_name.lower().removesuffix(".gz")
    for each in FORMATS.values():
        if name.endswith(each.SUFFIXES):
            return each
    for each in FORMATS.values():
        if each.recognises(first):
            return each
    raise Refused(
        "unknown-format",
        f"{file_name or 'This file'} is of no format known here; say which with --format ({', '.join(FORMATS)}).",
    )
