"""Which commons both ends follow, found without naming one that only one end knows (chapter 30).

A commons is told by a tag that nobody can make without its id; the dialler's tags lie among random ones. Each tag
of the listener gives its commons the next *slot*, the number by which messages speak of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from hmac import digest
from itertools import pairwise

from p2pcommons.core.identity import TAG_FOLLOW
from p2pcommons.core.limits import NAMES_MIN, SET_COUNT_MAX
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.handshake import Role


def tag(commons: bytes, role: Role, transcript_hash: bytes) -> bytes:
    """HMAC-SHA-256 keyed by the commons' id: 32 bytes, of one session and role."""
    return digest(commons, TAG_FOLLOW + role.to_byte() + transcript_hash, "sha256")


class Naming:
    """One session's naming: driven by its session, from the moment the transcript is known."""

    def __init__(self, role: Role, transcript_hash: bytes, random: Callable[[int], bytes]) -> None:
        self._role = role
        self._transcript = transcript_hash
        self._random = random
        self._offered: set[CommonsId] = set()  # by us, as dialler
        self._answers: dict[bytes, CommonsId] = {}  # the listener's tag of each commons ever offered
        self._seen: set[bytes] = set()  # tags of the dialler, kept for commons followed later
        self._told = 0  # tags sent by the dialler, padding included
        self._live: set[CommonsId] = set()
        self.slots: list[CommonsId | None] = []
        """The commons of each slot; None where there is none any more."""

    def offer(self, followed: Iterable[CommonsId]) -> tuple[bytes, ...]:
        """The dialler's tags for what was not offered yet, padded with random ones, in ascending order.

        Empty where nothing is new, or where no more fit into this session.
        """
        new = [commons for commons in followed if commons not in self._offered]
        new = new[: SET_COUNT_MAX - self._told]
        size = max(NAMES_MIN, 1 << max(len(new) - 1, 0).bit_length())
        if (self._told and not new) or self._told + size > SET_COUNT_MAX:
            return ()
        self._offered.update(new)
        self._answers.update((tag(commons, Role.LISTENER, self._transcript), commons) for commons in new)
        self._told += size
        tags = [tag(commons, Role.DIALLER, self._transcript) for commons in new]
        padding = self._random(32 * (size - len(new)))
        tags += [padding[at : at + 32] for at in range(0, len(padding), 32)]
        return tuple(sorted(tags))

    def take_offer(self, tags: tuple[bytes, ...]) -> None:
        """The listener learns the dialler's tags. RemoteProtocolError `bad_names`."""
        size = len(tags)
        self._told += size
        if size < NAMES_MIN or size & (size - 1) or self._told > SET_COUNT_MAX:
            raise RemoteProtocolError("bad_names", "the number of tags is a power of two within the limits")
        if any(first >= second for first, second in pairwise(tags)):
            raise RemoteProtocolError("bad_names", "tags are in ascending order, none twice")
        self._seen.update(tags)

    def match(self, followed: Iterable[CommonsId]) -> tuple[tuple[bytes, ...], list[int]]:
        """The listener's tags for commons that the dialler offered too and that have no slot yet, and their slots."""
        tags: list[bytes] = []
        slots: list[int] = []
        for commons in followed:
            if commons in self._live or len(self.slots) >= SET_COUNT_MAX:
                continue
            if tag(commons, Role.DIALLER, self._transcript) in self._seen:
                tags.append(tag(commons, Role.LISTENER, self._transcript))
                slots.append(self._add(commons))
        return tuple(tags), slots

    def take_match(self, tags: tuple[bytes, ...], followed: Iterable[CommonsId]) -> tuple[list[int], list[int]]:
        """The dialler learns what matched: the slots it knows, and those of commons left meanwhile.

        RemoteProtocolError `bad_names` for a tag that no offered commons gives: the listener knows none of it.
        """
        still = set(followed)
        live: list[int] = []
        left: list[int] = []
        for one in tags:
            commons = self._answers.get(one)
            if commons is None or commons in self._live or len(self.slots) >= SET_COUNT_MAX:
                raise RemoteProtocolError("bad_names", "the listener named a commons that it was not offered")
            slot = self._add(commons)
            if commons in still:
                live.append(slot)
            else:
                left.append(slot)
                self.leave(slot)
        return live, left

    def keep(self, followed: Collection[CommonsId]) -> None:
        """What this node follows now: a commons that it left is offered again when it comes back."""
        self._offered.intersection_update(followed)

    def leave(self, slot: int) -> None:
        """This node left the commons of a slot: the slot is never used again, the commons may be offered again."""
        commons = self._free(slot)
        if commons is not None:
            self._offered.discard(commons)

    def take_leave(self, slot: int) -> None:
        """The peer left the commons of a slot. RemoteProtocolError for a slot never given."""
        commons = self._free(slot)
        if commons is not None:
            self._seen.discard(tag(commons, Role.DIALLER, self._transcript))

    def commons(self, slot: int) -> CommonsId | None:
        """The commons of a slot, None if it was left. RemoteProtocolError `bad_slot`."""
        if slot >= len(self.slots):
            raise RemoteProtocolError("bad_slot", "a message speaks of a slot that was never given")
        return self.slots[slot]

    def _free(self, slot: int) -> CommonsId | None:
        commons = self.commons(slot)
        if commons is not None:
            self.slots[slot] = None
            self._live.discard(commons)
        return commons

    def _add(self, commons: CommonsId) -> int:
        self.slots.append(commons)
        self._live.add(commons)
        return len(self.slots) - 1
