"""Forks: what a commons that was founded from another one says of it, and what it copies (chapter 24, "Forks").

The founding record of a fork names its base: the commons it came from, with count and digest of both its sets as the
founder held them. Nothing of the base is in the fork's sets: its records keep their own signatures and commons. What
the base showed is written anew, each entry under a source by which everybody finds the entry it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from p2pcommons.commons.entry_json import ENVELOPE
from p2pcommons.core.record import Plane, entry_id_normalised

SCHEME: Final = "p2pcommons-entry"
"""Of the source that names an entry of a base: `p2pcommons-entry:COMMONS/ENTRY`, both in hex."""

PLANES: Final = (Plane.CHARTER, Plane.CATALOGUE)

_COUNT_MAX: Final = 2**53 - 1  # the greatest number of a body


class BaseSet(NamedTuple):
    """One set of the base as it was."""

    plane: int
    records: int
    digest: bytes  # 32 bytes: as told when sessions open (chapter 30)


class Base(NamedTuple):
    """The commons that a fork came from, as its founder held it."""

    commons: bytes
    sets: tuple[BaseSet, BaseSet]  # of planes 0 and 1

    @property
    def records(self) -> int:
        """How many records it had."""
        return sum(one.records for one in self.sets)

    def value(self) -> dict[str, Any]:
        """What a founding record holds as `base`."""
        return {"commons": self.commons, "planes": [[int(one.plane), one.records, one.digest] for one in self.sets]}


def read_base(value: object) -> Base | None:
    """The `base` of a founding record, whatever it holds; None where it does not fit (FORK-1)."""
    if not isinstance(value, Mapping) or set(value) != {"commons", "planes"}:
        return None
    commons, planes = value["commons"], value["planes"]
    if not _is_hash(commons) or not any(commons) or not isinstance(planes, list | tuple) or len(planes) != len(PLANES):
        return None
    charter, catalogue = (_read_set(item, plane) for item, plane in zip(planes, PLANES, strict=True))
    return None if charter is None or catalogue is None else Base(commons, (charter, catalogue))


def source_of_copy(base: bytes, entry: bytes, sources: Iterable[str]) -> str:
    """The source under which an entry of the base stands in the fork (FORK-3).

    `sources`: those of the entry, normalised. The one that its own id was made of names it already, and keeps meeting
    what is imported from there; else its id does.
    """
    for source in sources:
        if entry_id_normalised(base, source) == entry:
            return source
    return f"{SCHEME}:{base.hex()}/{entry.hex()}"


def copy_of(entry: Mapping[str, Any], base: bytes) -> dict[str, Any]:
    """An entry of the base, as Entry JSON, as the Entry JSON that the fork takes."""
    sources = entry.get("sources") or ([entry["source"]] if "source" in entry else [])
    kept = {name: value for name, value in entry.items() if name not in ENVELOPE}
    return {**kept, "source": source_of_copy(base, bytes.fromhex(entry["id"]), sources)}


def _read_set(value: object, plane: int) -> BaseSet | None:
    if not isinstance(value, list | tuple) or len(value) != 3:
        return None
    named, count, digest = value
    fits = type(named) is int and named == plane and type(count) is int and 0 <= count <= _COUNT_MAX
    return BaseSet(named, count, digest) if fits and _is_hash(digest) else None


def _is_hash(value: object) -> bool:
    return type(value) is bytes and len(value) == 32
