"""Openings: what one end says of its sets at one moment (chapter 30, "Rounds")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from p2pcommons.core.limits import SET_COUNT_MAX
from p2pcommons.sync.estimate import HINT_COUNTS
from p2pcommons.sync.fields import COUNT_MAX, as_bytes, as_list, as_number, as_slot, check_ascending

AFRESH: Final = 1  # flags of an opening (SESSION-24, SESSION-25, SESSION-34)
STREAM: Final = (2, 4)  # one for each plane
THOROUGH: Final = 8
_FLAGS_MAX: Final = 15


@dataclass(frozen=True, slots=True)
class SetDigest:
    """How many records a set has, and its published digest."""

    count: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Opening:
    """One commons at one moment, refused records taken off; see the flags above. `hint`: counts of the catalogue's
    sketch (chapter 32), or nothing."""

    slot: int
    flags: int
    charter: SetDigest
    catalogue: SetDigest
    hint: bytes = b""

    def of(self, plane: int) -> SetDigest:
        """The set of one plane."""
        return self.catalogue if plane else self.charter


@dataclass(frozen=True, slots=True)
class Echo:
    """An answer to an opening: here it is the same, both counts and both digests."""

    slot: int
    flags: int


@dataclass(frozen=True, slots=True)
class Open:
    """The openings of several commons at one moment."""

    openings: tuple[Opening | Echo, ...]


def opening_fields(one: Opening | Echo) -> list[Any]:
    """What of an opening goes into its frame."""
    if isinstance(one, Echo):
        return [one.slot, one.flags]
    sets = [[found.count, found.digest] for found in (one.charter, one.catalogue)]
    return [one.slot, one.flags, *sets, one.hint]


def _parse_opening(value: Any) -> Opening | Echo:
    slot, flags, *sets = as_list(value, 5, 2)
    slot, flags = as_slot(slot), as_number(flags, _FLAGS_MAX)
    if not sets:
        return Echo(slot, flags)
    charter, catalogue, hint = as_list(sets, 3, 3)
    return Opening(
        slot, flags, _set_digest(charter), _set_digest(catalogue), as_bytes(hint, HINT_COUNTS if hint else 0)
    )


def _set_digest(value: Any) -> SetDigest:
    count, digest = as_list(value, 2, 2)
    return SetDigest(as_number(count, COUNT_MAX), as_bytes(digest, 32))


def parse_open(fields: list[Any]) -> list[Any]:
    """The values of an open, from what its frame holds. RemoteProtocolError `bad_message`."""
    openings = tuple(_parse_opening(item) for item in as_list(fields[0], SET_COUNT_MAX, 1))
    check_ascending([one.slot for one in openings])
    return [openings]
