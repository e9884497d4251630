"""Finding what differs in one plane, within one exchange: by coded symbols, by ranges, or by the one and then the
other (chapters 30 to 32).

The dialler learns, the listener answers. Driven by its exchange, which gives it messages and room, and takes from it
what to send and what was found. Knows no rounds, no refusals and no records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from p2pcommons.core.limits import RANGE_ROUNDS_MAX, SKETCH_SYMBOLS_MAX
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.choice import Choice, Method, Reason
from p2pcommons.sync.estimate import estimate, first_symbols, next_symbols
from p2pcommons.sync.handshake import Role
from p2pcommons.sync.message import WANT_PREFIX_BYTES, Message, More, Range, Symbols
from p2pcommons.sync.peeling import Peeling
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.ranges import initiate, reconcile, respond
from p2pcommons.sync.sketch import SYMBOL_BYTES, Sketch


class Found(NamedTuple):
    """What an answer taught the dialler."""

    have: list[bytes]  # what only we have
    need: list[bytes]  # what only they have; theirs to prove
    are_prefixes: bool = False  # of ids: 16 bytes of what we have, 8 of what is to be asked for


def check_more(sent: int, up_to: int) -> None:
    """Whether a dialler may ask for the symbols up to one, where so many were sent. RemoteProtocolError `bad_sketch`."""
    # SKETCH-7: from 1 to 2,048 that is 60 questions at most.
    if sent == SKETCH_SYMBOLS_MAX or up_to < min(sent + sent // 8 + 1, SKETCH_SYMBOLS_MAX):
        raise RemoteProtocolError("bad_sketch", "too few more symbols are asked for")


class Finding:
    """One plane of one commons."""

    def __init__(
        self, role: Role, slot: int, plane: int, choice: Choice, *,
        own: Sketch | None, due: bool, more: int, estimated: int, ranges: Callable[[], RangeIndex],
    ) -> None:  # fmt: skip
        """`own`: this end's sketch at its opening; `due`: whether the listener begins, with symbols or none; `more`:
        how many records the dialler has more; `ranges`: the places of the set, asked for when they are needed.
        """
        self.choices: list[Choice] = []  # what was tried, as it becomes known
        self.outbox: list[Message] = []
        self._role = role
        self._slot = slot
        self._plane = plane
        self._own = own
        self._ranges = ranges
        self._index: RangeIndex | None = None
        self._more = more
        self._peeling: Peeling | None = None
        self._symbols_sent = 0
        self._symbols_due = 0  # up to which one they are on their way to us; 0: none are
        self._may_ask = False
        self._range_waiting: bytes | None = None  # our next message of ranges, held until there is room for its answer
        self._range_asked = False
        self._range_rounds = 0
        if due and role is Role.DIALLER and own is not None:
            self._peeling, self._symbols_due = Peeling(own), SKETCH_SYMBOLS_MAX
            return
        self.choices.append(choice)
        if role is Role.DIALLER:
            self._begin_ranges()
        elif due:
            self._may_ask = choice.method is Method.SKETCH
            self._send_symbols(first_symbols(estimated, more) if self._may_ask else 0)

    @property
    def methods(self) -> frozenset[Method]:
        """What was tried."""
        return frozenset(choice.method for choice in self.choices)

    @property
    def is_going_on(self) -> bool:
        """Whether the dialler waits for an answer, or has more to ask."""
        return bool(self._symbols_due) or self._range_waiting is not None or self._range_asked

    def go_on(self) -> None:
        """There is room for what the next answer may tell."""
        if self._range_waiting is not None:
            self.outbox.append(Range(self._slot, self._plane, self._range_waiting))
            self._range_waiting, self._range_asked = None, True

    def take(self, message: Range | Symbols | More) -> Found | None:
        """A message about what differs; what it taught. RemoteProtocolError if it is not due, or false in itself."""
        match message:
            case Range():
                return self._take_range(message)
            case Symbols():
                return self._take_symbols(message)
            case More():
                self._take_more(message)
        return None

    # -- symbols

    def _take_symbols(self, message: Symbols) -> Found | None:
        """The listener's symbols, or none: then ranges follow."""
        if self._peeling is None or not self._symbols_due:
            raise RemoteProtocolError("unexpected_message", "symbols that were not asked for")
        received, due = self._peeling.received, self._symbols_due
        given = len(message.symbols) // SYMBOL_BYTES
        if message.first != received or (received and received + given != due):
            raise RemoteProtocolError("bad_sketch", "other symbols than those that are due")
        self._symbols_due = 0
        if not given:
            self._fall_back(Reason.TOO_MANY)
            return None
        if not received:
            self.choices.append(Choice(Method.SKETCH, Reason.USUAL))
        if self._peeling.take(message.symbols):
            ours, theirs = self._peeling.ours, self._peeling.theirs
            if ours or theirs:
                return Found(ours, [item[:WANT_PREFIX_BYTES] for item in theirs], are_prefixes=True)
        elif self._peeling.received < SKETCH_SYMBOLS_MAX:
            self._ask_for_symbols(self._peeling)
            return None
        self._fall_back(Reason.NOT_READ)
        return None

    def _ask_for_symbols(self, peeling: Peeling) -> None:
        theirs, ours = peeling.balance()
        rest = estimate(-self._more - theirs + ours, peeling.residue()[1:])
        self._symbols_due = next_symbols(peeling.received, theirs + ours, rest)
        self.outbox.append(More(self._slot, self._plane, self._symbols_due))

    def _take_more(self, message: More) -> None:
        """The dialler asks for more symbols."""
        if not self._may_ask:
            raise RemoteProtocolError("unexpected_message", "symbols are asked for where there are none")
        check_more(self._symbols_sent, message.up_to)
        self._send_symbols(message.up_to)

    def _send_symbols(self, up_to: int) -> None:
        first, self._symbols_sent = self._symbols_sent, up_to
        symbols = self._own.symbols(first, up_to) if self._own is not None else b""
        self.outbox.append(Symbols(self._slot, self._plane, first, symbols))

    def _fall_back(self, reason: Reason) -> None:
        self._peeling = None
        self.choices.append(Choice(Method.RANGES, reason))
        self._begin_ranges()

    # -- ranges

    def _begin_ranges(self) -> None:
        self._range_waiting = initiate(self._places(), lists_only=self._lists_only)

    @property
    def _lists_only(self) -> bool:
        return self.choices[-1].method is Method.LISTS

    def _places(self) -> RangeIndex:
        if self._index is None:
            self._index = self._ranges().copy()
        return self._index

    def _take_range(self, message: Range) -> Found | None:
        """A message of ranges: the listener answers it, the dialler learns from it."""
        self._range_rounds += 1
        if self._range_rounds > RANGE_ROUNDS_MAX:
            raise RemoteProtocolError("unexpected_message", "too many messages of ranges")
        if self._role is Role.LISTENER:
            self._answer_range(message)
            return None
        if not self._range_asked:
            raise RemoteProtocolError("unexpected_message", "an answer of ranges that was not asked for")
        self._range_asked = False
        step = reconcile(self._places(), message.body, lists_only=self._lists_only)
        self._range_waiting = step.message
        return Found(step.have, step.need)

    def _answer_range(self, message: Range) -> None:
        if self._may_ask:  # the dialler could make nothing of the symbols
            self._may_ask = False
            self.choices.append(Choice(Method.RANGES, Reason.NOT_READ))
        self.outbox.append(Range(self._slot, self._plane, respond(self._places(), message.body)))
