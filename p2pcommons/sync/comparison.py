"""The two openings of a round: what each end said of its sets, and what follows from that (chapter 30, "Rounds").

Both ends compare the same two openings by the same rule, and remember alike what was tried from such before; so they
agree on what comes next without a word. Knows no records and no refusals: sums and sketches of sets come in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from p2pcommons.errors import LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.choice import Choice, Method, Situation, choose
from p2pcommons.sync.estimate import HINT_COUNTS, difference, estimate
from p2pcommons.sync.finding import Finding
from p2pcommons.sync.handshake import Role
from p2pcommons.sync.message import PLANES, STREAM, THOROUGH, Echo, Opening, SetDigest
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.sketch import Sketch

_CHARTER, _CATALOGUE = PLANES
_Pair = tuple[SetDigest, SetDigest, int, int]
"""What an exchange of one plane begins with: both digests, and both ends' flags that matter to it."""


class Next(NamedTuple):
    """The plane to bring together, and how."""

    plane: int
    choice: Choice
    is_sketch_due: bool
    more: int  # how many records the dialler has more
    estimated: int  # how many differ, perhaps
    is_new: bool  # the sets are not as they were when this plane was tried last
    is_streaming_in: bool  # we asked for all of it
    is_streaming_out: bool  # they did


class Comparison:
    """Of one commons within a session. `sketches`: both ends know the sketch."""

    def __init__(self, role: Role, slot: int, *, sketches: bool) -> None:
        self._role = role
        self._slot = slot
        self._sketches = sketches
        self._own: Opening | None = None
        self._theirs: Opening | None = None
        self._own_sketches: tuple[Sketch, ...] = ()  # of the moment of our opening
        self._tried: dict[int, tuple[_Pair, frozenset[Method]]] = {}

    @property
    def is_complete(self) -> bool:
        """Whether both openings are known."""
        return self._own is not None and self._theirs is not None

    @property
    def own(self) -> Opening:
        """Our opening of this round."""
        if self._own is None:
            raise LocalProtocolError("unexpected_message", "nothing was opened yet")
        return self._own

    @property
    def theirs(self) -> Opening:
        """The peer's."""
        if self._theirs is None:
            raise LocalProtocolError("unexpected_message", "nothing was opened yet")
        return self._theirs

    def open(
        self, flags: int, charter: SetDigest, catalogue: SetDigest, sketch: Callable[[int], Sketch], *, answers: bool
    ) -> Opening | Echo:
        """Our opening, in its short form where it `answers` one that says the same. `sketch`: of a plane, now."""
        self._own_sketches = ()
        self._own = Opening(self._slot, flags, charter, catalogue)
        if answers and (self.theirs.charter, self.theirs.catalogue) == (charter, catalogue):
            return Echo(self._slot, flags)
        if self._sketches:
            self._own_sketches = tuple(map(sketch, PLANES))
            self._own = replace(self._own, hint=self._own_sketches[_CATALOGUE].counts(1, HINT_COUNTS + 1))
        return self._own

    def take(self, told: Opening | Echo, *, answers: bool) -> Opening:
        """The peer's opening, which `answers` ours or comes first. RemoteProtocolError for an echo of nothing."""
        if isinstance(told, Echo):
            if not answers:
                raise RemoteProtocolError("unexpected_message", "an echo of no opening")
            told = Opening(self._slot, told.flags, self.own.charter, self.own.catalogue)
        self._theirs = told
        return told

    def differing(self) -> list[int]:
        """The planes in which both differ."""
        return [plane for plane in PLANES if self.own.of(plane) != self.theirs.of(plane)]

    def next(self) -> Next | None:
        """What to do about the first plane that differs and that not all was tried for; None: nothing."""
        for plane in self.differing():
            own, theirs, mask = self.own, self.theirs, STREAM[plane] | THOROUGH
            pair = (own.of(plane), theirs.of(plane), own.flags & mask, theirs.flags & mask)
            before, tried = self._tried.get(plane, (None, frozenset[Method]()))
            if before != pair:
                tried = frozenset()
            more, estimated = self._judge(plane)
            thorough = bool((own if self._role is Role.DIALLER else theirs).flags & THOROUGH)
            situation = Situation(
                streams=bool((own.flags | theirs.flags) & STREAM[plane]), thorough=thorough, sketches=self._sketches,
                tried=tried, estimated=None if self._role is Role.DIALLER else estimated,
            )  # fmt: skip
            choice = choose(situation)
            if choice is not None:
                self._tried[plane] = (pair, tried)
                return Next(
                    plane, choice, situation.is_sketch_due, more, estimated,
                    is_new=before is None or before[:2] != pair[:2],
                    is_streaming_in=bool(own.flags & STREAM[plane]), is_streaming_out=bool(theirs.flags & STREAM[plane]),
                )  # fmt: skip
        return None

    def _judge(self, plane: int) -> tuple[int, int]:
        """How many records the dialler has more, and in how many the sets may differ."""
        dialler, listener = self.own, self.theirs
        if self._role is Role.LISTENER:
            dialler, listener = listener, dialler
        more = dialler.of(plane).count - listener.of(plane).count
        if plane == _CATALOGUE and dialler.hint and listener.hint:
            return more, estimate(more, difference(dialler.hint, listener.hint))
        return more, abs(more)

    def finding(self, found: Next, ranges: Callable[[], RangeIndex]) -> Finding:
        """Find what differs, from the sets as they were when we opened."""
        own = self._own_sketches[found.plane] if self._own_sketches else None
        return Finding(
            self._role, self._slot, found.plane, found.choice, own=own, due=found.is_sketch_due,
            more=found.more, estimated=found.estimated, ranges=ranges,
        )  # fmt: skip

    def ended(self, plane: int, methods: frozenset[Method]) -> None:
        """The exchange of a plane is over: so it was tried."""
        pair, tried = self._tried[plane]
        self._tried[plane] = (pair, tried | methods)
        self._own_sketches = ()

    def rest(self) -> None:
        """Nothing is to be done now."""
        self._own_sketches = ()
        if not self.differing():
            self._tried.clear()
