"""Seeds that once failed, as lines that people read: kept in `seeds.txt`, and made smaller before they are kept.

    SEED [hosts N] [hostile N] [assembly N] [deeds PLACES]  # what it showed

assembly: a world of so many hosts that decides (`fate.assembly`), of which no number is changed.
PLACES: those of a fate's deeds that are left, as `3,7-9`; without, all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from simulation.fate import Fate, assembly, drawn

FILE = Path(__file__).with_name("seeds.txt")
_SHRINK_S = 120.0


class Kept(NamedTuple):
    """One line."""

    seed: int
    hosts: int | None = None
    hostile: int | None = None
    deeds: tuple[int, ...] | None = None
    showed: str = ""
    assembly: int | None = None

    @property
    def fate(self) -> Fate:
        """The world that it stands for."""
        if self.assembly is not None:
            whole = assembly(self.seed, self.assembly)
        else:
            whole = drawn(self.seed, hosts=self.hosts, hostile=self.hostile)
        return whole if self.deeds is None else whole.only(self.deeds)

    def __str__(self) -> str:
        said = [str(self.seed)]
        said += [f"hosts {self.hosts}"] if self.hosts is not None else []
        said += [f"hostile {self.hostile}"] if self.hostile is not None else []
        said += [f"assembly {self.assembly}"] if self.assembly is not None else []
        said += [f"deeds {_spans(self.deeds)}"] if self.deeds is not None else []
        return " ".join(said) + (f"  # {self.showed}" if self.showed else "")


def kept(text: str) -> Iterator[Kept]:
    """The lines of a file of seeds."""
    for line in text.splitlines():
        said, _, showed = line.partition("#")
        words = said.split()
        if not words:
            continue
        given = dict(zip(words[1::2], words[2::2], strict=True))
        numbers = {name: int(given[name]) for name in ("hosts", "hostile", "assembly") if name in given}
        deeds = tuple(_places(given["deeds"])) if "deeds" in given else None
        yield Kept(int(words[0]), deeds=deeds, showed=showed.strip(), **numbers)


def shrunk(seed: int, fails: Callable[[Fate], bool], seconds: float = _SHRINK_S) -> Kept:
    """The smallest world found in so many seconds that fails still: fewer hosts first, then fewer deeds."""
    until = time.monotonic() + seconds
    found = Kept(seed)
    for hosts in (5, 6, 8, 12, 16):
        if hosts >= found.fate.hosts or time.monotonic() > until:
            break
        for hostile in (0, found.fate.hostile * hosts // found.fate.hosts, hosts // 3):
            small = Kept(seed, hosts, hostile)
            if fails(small.fate):
                found = small
                break
        if found.hosts == hosts:
            break
    left = list(range(len(found.fate.deeds)))
    size = max(len(left) // 2, 1)
    while size and time.monotonic() < until:
        for at in range(0, len(left), size):
            fewer = left[:at] + left[at + size :]
            if time.monotonic() < until and fails(found.fate.only(fewer)):
                left = fewer
                break
        else:
            size //= 2
    return found._replace(deeds=tuple(left))


def _spans(places: Sequence[int]) -> str:
    spans: list[list[int]] = []
    for place in places:
        if spans and spans[-1][1] == place - 1:
            spans[-1][1] = place
        else:
            spans.append([place, place])
    return ",".join(f"{first}-{last}" if first < last else f"{first}" for first, last in spans) or "none"


def _places(text: str) -> Iterable[int]:
    for span in text.split(",") if text != "none" else ():
        first, _, last = span.partition("-")
        yield from range(int(first), int(last or first) + 1)
