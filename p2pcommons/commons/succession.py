"""Whether the stewards of a commons have gone silent, and who has not (chapter 22, "Succession").

Measured by the record times of one past against the latest of them: no node's clock is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from p2pcommons.core.record import Record


class Silence(NamedTuple):
    """Who wrote in the last months of a past."""

    stewards: bool  # whether no steward did
    active: int  # persons of the electorate who did


def silence(
    past: Iterable[Record], electors: Mapping[bytes, bytes], stewards: Iterable[bytes], span_ms: int
) -> Silence:
    """Who wrote within `span_ms` before the latest record of `past`.

    `electors`: keys, each with one same key for all keys of a person; `stewards`: their keys.
    """
    last: dict[bytes, int] = {}
    for record in past:
        last[record.header.author] = max(record.header.time >> 16, last.get(record.header.author, 0))
    since = max(last.values(), default=0) - span_ms
    wrote = {author for author, time in last.items() if time > since}
    return Silence(wrote.isdisjoint(stewards), len({electors[author] for author in wrote if author in electors}))
