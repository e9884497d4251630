"""What flows between two ends about one commons: a supply of records to give, a demand for records to get.

Both are bounded: a supply makes frames one by one as the peer's window allows, a demand has so many ids under way
and no more. Knows no rounds and no sets (chapter 30, "Wants and packs", "Windows").
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from p2pcommons.core.limits import IDS_PER_FRAME_MAX, PACK_BYTES_AIM, PACK_RECORDS_MAX, WANTS_MAX
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.library import Library
from p2pcommons.sync.message import PLANES, WANT_PREFIX_BYTES, Packs, Want, encode_message
from p2pcommons.sync.storage import Key

_ID_KEPT_BYTES: Final = 100  # of memory for an id kept until its frame is confirmed: it counts as if it were sent


class Supply:
    """What the peer is to get: answers to its wants first, what is new, what was found it lacks, then its stream."""

    def __init__(self, library: Library, slot: int, commons: CommonsId) -> None:
        self._library = library
        self._slot = slot
        self._commons = commons
        self._wanted: tuple[list[bytes], ...] = tuple([] for _ in PLANES)
        self._beside: tuple[list[bytes], ...] = tuple([] for _ in PLANES)  # go with wanted ids, and settle no want
        self._pushed: tuple[list[bytes], ...] = tuple([] for _ in PLANES)
        self._new: deque[tuple[int, int, list[bytes]]] = deque()  # plane, hops, ids
        self._stream: tuple[int, Key | None] | None = None
        self._made: deque[Packs] = deque()  # parts of a frame that came out too large
        self._under_way: deque[tuple[int, list[bytes]]] = deque()  # size, ids asked for or pushed in a frame
        self._giving: list[bytes] = []  # ids that the frame being made is about
        self.bytes_under_way = 0
        self.records_given = 0  # in all frames made so far

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to send."""
        found = any(self._beside) or any(self._wanted) or any(self._pushed)
        return not (found or self._made or self._new or self._stream)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to send and all that was sent is confirmed."""
        return self.is_empty and not self._under_way

    @property
    def ids_waiting(self) -> int:
        """How many ids found to be lacking wait for their turn."""
        return sum(map(len, self._pushed))

    @property
    def new_waiting(self) -> int:
        """How many new ids wait for their turn."""
        return sum(len(ids) for _, _, ids in self._new)

    def want(self, plane: int, ids: Iterable[bytes]) -> None:
        """The peer asked for these ids, or for all that begin so. RemoteProtocolError `too_many_wants`."""
        asked = list(ids)
        if sum(map(len, self._wanted)) + len(asked) > WANTS_MAX:
            raise RemoteProtocolError("too_many_wants", f"more than {WANTS_MAX} ids are asked for at once")
        prefixes = [one for one in asked if len(one) == WANT_PREFIX_BYTES]
        if prefixes:
            named = dict(zip(prefixes, self._library.named(self._commons, plane, prefixes), strict=True))
            self._beside[plane].extend(dict.fromkeys(more for found in named.values() for more in found[1:]))
            # What is not here, or not any more, settles its want like an id that nobody has.
            asked = [named[one][0] if named.get(one) else one for one in asked]
        self._wanted[plane].extend(asked)

    def push(self, plane: int, ids: Iterable[bytes]) -> None:
        """The peer was found to lack these."""
        self._pushed[plane].extend(ids)

    def give_new(self, plane: int, hops: int, ids: Iterable[bytes]) -> None:
        """The peer asked to have these, new here after so many hops, whole."""
        self._new.append((plane, hops, list(ids)))

    def stream(self, plane: int, after: Key | None) -> None:
        """The peer asked for the whole set, behind a place."""
        self._stream = (plane, after)

    def next_frame(self) -> bytes | None:
        """The next pack frame, under way from now on; None if there is none."""
        while not self.is_empty:
            packs = self._made.popleft() if self._made else self._next_packs()
            if packs is None:
                continue
            frame = self._fitting(packs)
            given, self._giving = ([], self._giving) if self._made else (self._giving, [])  # with its last part
            size = len(frame) + _ID_KEPT_BYTES * len(given)  # else answers that hold nothing would have no bound
            self._under_way.append((size, given))
            self.bytes_under_way += size
            return frame
        return None

    def confirm(self) -> list[bytes]:
        """The peer confirmed the oldest frame under way; what it asked for or was pushed in it. RemoteProtocolError
        `bad_confirm`."""
        if not self._under_way:
            raise RemoteProtocolError("bad_confirm", "a pack frame was confirmed that is not under way")
        size, given = self._under_way.popleft()
        self.bytes_under_way -= size
        return given

    def _next_packs(self) -> Packs | None:
        for plane in PLANES:
            if self._beside[plane]:
                packs, _ = self._chosen(plane, self._beside[plane])
                return Packs(self._slot, plane, 0, None, packs) if packs else None
            if self._wanted[plane]:
                packs, answered = self._chosen(plane, self._wanted[plane])
                return Packs(self._slot, plane, answered, None, packs)
        if self._new:
            plane, hops, ids = self._new[0]
            packs, _ = self._chosen(plane, ids)
            if not ids:
                self._new.popleft()
            return Packs(self._slot, plane, 0, None, packs, hops) if packs else None
        for plane in PLANES:
            if self._pushed[plane]:
                packs, _ = self._chosen(plane, self._pushed[plane])
                return Packs(self._slot, plane, 0, None, packs) if packs else None
        return self._next_of_stream()

    def _chosen(self, plane: int, waiting: list[bytes]) -> tuple[list[Any], int]:
        ids = waiting[:PACK_RECORDS_MAX]
        packs, left = self._library.packs(self._commons, plane, ids, PACK_BYTES_AIM)
        told = max(len(ids) - len(left), 1)  # whatever a library does, each call gets on
        self._giving += waiting[:told]
        del waiting[:told]
        return packs, told

    def _next_of_stream(self) -> Packs | None:
        if self._stream is None:
            return None
        plane, after = self._stream
        packs, last, more = self._library.page(self._commons, plane, after, PACK_BYTES_AIM)
        self._stream = (plane, last) if more else None
        return Packs(self._slot, plane, 0, last, packs) if packs else None

    def _fitting(self, packs: Packs) -> bytes:
        try:
            frame = encode_message(packs)
        except LocalProtocolError:
            # Few records of many trees bring more hashes than a writer reckons with: such a frame goes in halves.
            half = len(packs.packs) // 2
            if not half:
                raise
            self._made.appendleft(replace(packs, packs=packs.packs[half:]))
            return self._fitting(replace(packs, answered=0, cursor=None, packs=packs.packs[:half]))
        self.records_given += sum(len(pack[5]) for pack in packs.packs)
        return frame


class Demand:
    """What the peer is asked for: at most so many ids at a time."""

    def __init__(self, slot: int) -> None:
        self._slot = slot
        self._waiting: tuple[deque[bytes], ...] = tuple(deque() for _ in PLANES)
        self._under_way = [0 for _ in PLANES]
        self._asked_once: set[tuple[int, bytes]] = set()

    @property
    def ids_waiting(self) -> int:
        """How many ids wait for their turn."""
        return sum(map(len, self._waiting))

    def want(self, plane: int, ids: Iterable[bytes]) -> None:
        """Ask for these as soon as there is room."""
        self._waiting[plane].extend(ids)

    def want_once(self, plane: int, ids: Iterable[bytes]) -> None:
        """Ask for these, unless they were asked for this way before; few at a time."""
        new = [identifier for identifier in ids if (plane, identifier) not in self._asked_once]
        new = new[: max(WANTS_MAX - len(self._asked_once), 0)]
        self._asked_once.update((plane, identifier) for identifier in new)
        self.want(plane, new)

    def next_wants(self) -> list[Want]:
        """What to ask for now."""
        wants: list[Want] = []
        for plane, waiting in enumerate(self._waiting):
            while waiting and (room := min(WANTS_MAX - sum(self._under_way), IDS_PER_FRAME_MAX)) > 0:
                ids = tuple(waiting.popleft() for _ in range(min(room, len(waiting))))
                self._under_way[plane] += len(ids)
                wants.append(Want(self._slot, plane, ids))
        return wants

    def is_open(self, plane: int) -> bool:
        """Whether wanted ids are not settled yet."""
        return self._under_way[plane] > 0

    def answer(self, plane: int, answered: int) -> None:
        """The peer settled so many wanted ids. RemoteProtocolError `bad_answer`."""
        if answered > self._under_way[plane]:
            raise RemoteProtocolError("bad_answer", "more ids were answered than asked for")
        self._under_way[plane] -= answered
