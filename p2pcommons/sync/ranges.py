"""Finding what differs, range by range: Negentropy protocol v1 over (time, id) (chapter 31).

Both sides answer statelessly from a `RangeIndex`: the client learns which ids only it has and which only the
other has, the server only answers. Fingerprints of ranges find differences and do not judge sameness: the digest
does (chapter 30). Knows no session: who speaks and how often is chapter 30's.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from p2pcommons.core.limits import RANGE_HAVE_MAX, RANGE_MESSAGE_BYTES_MAX
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.range_index import ITEM_BYTES, RangeIndex
from p2pcommons.sync.range_message import (
    FINGERPRINT_BYTES,
    ID_BYTES,
    INFINITY,
    VERSION,
    MessageWriter,
    Mode,
    RangeClaim,
    read_claims,
    varint,
)

# How ranges are split is each side's own business (chapter 31, "Choices").
_BRANCHES: Final = 16
_LIST_SERVER: Final = 24  # the server lists what it has (32 bytes each) below this; 16 fingerprints cost as much as 12
_LIST_CLIENT: Final = 3  # a client's list is answered by a list, so it asks by fingerprints where it can
_GROUP_CLIENT: Final = 4  # items per fingerprint, where both sides hold little
_LIST_FIRST: Final = 32  # a first message of so few ids saves a round


class Step(NamedTuple):
    """What a client learnt from one message, and what to send next (None: nothing is left to ask)."""

    message: bytes | None
    have: list[bytes]  # ids only we have
    need: list[bytes]  # ids only they have; theirs to prove: some may be known elsewhere in the set


def initiate(index: RangeIndex, frame_bytes_max: int = RANGE_MESSAGE_BYTES_MAX, *, lists_only: bool = False) -> bytes:
    """The client's first message. `lists_only` asks for every id and trusts no fingerprint (see `reconcile`)."""
    writer = MessageWriter(frame_bytes_max)
    size = len(index)
    if lists_only:
        ranges = [_ids_range(INFINITY, [])]
    elif size < _LIST_FIRST:
        ranges = [_ids_range(INFINITY, list(index.ids(0, size)))]
    else:
        ranges = _fingerprints(index, 0, size, INFINITY, _BRANCHES)
    writer.put(ranges)
    return writer.message()


def respond(index: RangeIndex, message: bytes, frame_bytes_max: int = RANGE_MESSAGE_BYTES_MAX) -> bytes:
    """The server's answer. RemoteProtocolError `bad_ranges` for what is no message.

    A message of a version that is not known is answered by one byte, the version that is.
    """
    if len(message) == 0 or message[0] >> 4 != VERSION >> 4:
        raise RemoteProtocolError("bad_ranges", "this is no message of ranges")
    if message[0] != VERSION:
        return bytes([VERSION])
    writer = MessageWriter(frame_bytes_max)
    lower = 0
    for bound, mode, payload in read_claims(message):
        upper = _position(index, bound)
        if mode == Mode.IDS:
            listed = _list_what_fits(index, lower, upper, bound, writer)
            if listed < upper:
                writer.close(range_fingerprint(index, listed, len(index)))
                break
        elif mode == Mode.FINGERPRINT and payload != range_fingerprint(index, lower, upper):
            if upper - lower < _LIST_SERVER:
                answer = [_ids_range(bound, list(index.ids(lower, upper)))]
            else:
                answer = _fingerprints(index, lower, upper, bound, _BRANCHES)
            if not writer.put(answer):
                writer.close(range_fingerprint(index, lower, len(index)))
                break
        else:
            writer.skip(bound)
        lower = upper
    return writer.message()


def reconcile(
    index: RangeIndex,
    message: bytes,
    frame_bytes_max: int = RANGE_MESSAGE_BYTES_MAX,
    *,
    lists_only: bool = False,
    have_max: int = RANGE_HAVE_MAX,
) -> Step:
    """The client reads an answer of the server. RemoteProtocolError `bad_ranges` for what is no message.

    `index` is the same moment as at `initiate`. Each difference is told once; where a message was cut short for its
    size, some may be told again in a later one.
    What would name more than `have_max` (at least 4) ids of ours in one step is asked for again in the next.
    With `lists_only` no fingerprint is believed: what is not listed is asked for as a list (for sets whose digests
    differ although ranges found nothing).
    """
    if message == b"" or message[0] != VERSION:
        raise RemoteProtocolError("bad_ranges", f"this is no message of ranges of version {VERSION & 15}")
    writer = MessageWriter(frame_bytes_max)
    have: list[bytes] = []
    need: list[bytes] = []
    lower = 0
    for bound, mode, payload in read_claims(message):
        upper = _position(index, bound)
        again: list[RangeClaim] = []
        if mode == Mode.IDS:
            if len(have) + upper - lower <= have_max:
                ours, theirs = set(index.ids(lower, upper)), _unpack(payload)
                have += [identifier for identifier in index.ids(lower, upper) if identifier not in theirs]
                need += [identifier for identifier in theirs if identifier not in ours]
            elif upper - lower <= have_max:  # too much for one step: ask again
                again = _ask(index, lower, upper, bound, lists_only, whole=True)
            else:  # too much for any step: ask for parts
                again = _ask(index, lower, upper, bound, lists_only)
        elif mode == Mode.FINGERPRINT and (lists_only or payload != range_fingerprint(index, lower, upper)):
            again = _ask(index, lower, upper, bound, lists_only, whole=lists_only)
        if not again:
            writer.skip(bound)
        elif not writer.put(again):
            if lists_only:
                writer.put([_ids_range(INFINITY, [])])
            else:
                writer.close(range_fingerprint(index, lower, len(index)))
            break
        lower = upper
    return Step(writer.message() if writer.asks else None, have, need)


def _ask(
    index: RangeIndex, lower: int, upper: int, bound: bytes, lists_only: bool, *, whole: bool = False
) -> list[RangeClaim]:
    """What a client asks about a range that differs."""
    size = upper - lower
    branches = 1 if whole else min(_BRANCHES, -(-size // _GROUP_CLIENT))
    if lists_only:
        return [_ids_range(end, []) for _, _, end in _parts(index, lower, upper, bound, max(branches, 1))]
    if size <= _LIST_CLIENT:
        return [_ids_range(bound, list(index.ids(lower, upper)))]
    return _fingerprints(index, lower, upper, bound, branches)


def _list_what_fits(index: RangeIndex, lower: int, upper: int, bound: bytes, writer: MessageWriter) -> int:
    """Answer a list by our list, as far as there is room; the position it reaches."""
    room = max(writer.room - 64, 0) // ID_BYTES
    reached = min(upper, lower + room)
    if reached < upper:
        if reached == lower:
            return lower
        bound = bound_between(index, reached)
    writer.put([_ids_range(bound, list(index.ids(lower, reached)))])
    return reached


def _fingerprints(index: RangeIndex, lower: int, upper: int, bound: bytes, branches: int) -> list[RangeClaim]:
    return [
        RangeClaim(end, Mode.FINGERPRINT, range_fingerprint(index, first, last))
        for first, last, end in _parts(index, lower, upper, bound, branches)
    ]


def _parts(index: RangeIndex, lower: int, upper: int, bound: bytes, branches: int) -> Iterator[tuple[int, int, bytes]]:
    """Cut positions into parts as equal as can be: first, last, upper bound of each."""
    size = upper - lower
    for branch in range(branches):
        first, last = lower + size * branch // branches, lower + size * (branch + 1) // branches
        yield first, last, bound if branch == branches - 1 else bound_between(index, last)


def _ids_range(bound: bytes, ids: list[bytes]) -> RangeClaim:
    return RangeClaim(bound, Mode.IDS, b"".join(ids))


def range_fingerprint(index: RangeIndex, lower: int, upper: int) -> bytes:
    """16 bytes over the ids at positions from `lower` up to `upper` (RANGE-6)."""
    total = index.sum(lower, upper).to_bytes(ID_BYTES, "little")
    return sha256(total + varint(max(upper - lower, 0))).digest()[:FINGERPRINT_BYTES]


def _position(index: RangeIndex, bound: bytes) -> int:
    return len(index) if bound == INFINITY else index.index_of(bound)


def bound_between(index: RangeIndex, position: int) -> bytes:
    """The shortest bound that has the items before `position` below it and the item at it above."""
    before, item = index.item(position - 1), index.item(position)
    if before[:8] != item[:8]:
        return item[:8]
    same = next(at for at in range(8, ITEM_BYTES) if before[at] != item[at])
    return item[: same + 1]


def _unpack(payload: bytes) -> dict[bytes, None]:
    return dict.fromkeys(payload[at : at + ID_BYTES] for at in range(0, len(payload), ID_BYTES))
