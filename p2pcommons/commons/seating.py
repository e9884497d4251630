"""Which joins seat nobody, by the rules on joining and inviting (chapter 21, "Letting in").

Sets take whoever a door lets in; whether that makes a member is asked here, within a past, from the joins of that past and
the outcomes on two rules. Knows no ballot and no removal: what is in force comes in as `Decisions`.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from p2pcommons.commons.closings import Outcome
from p2pcommons.commons.cuts import NOTHING, Cut
from p2pcommons.commons.matters import Topic
from p2pcommons.commons.pasts import Arrival
from p2pcommons.commons.rules import Params, Rules, RuleVersion

JOIN: Final = ("rule", b"join")
INVITE: Final = ("rule", b"invite")
SEATING: Final = (JOIN, INVITE)
"""Topics of the rules that say who is seated."""


class Decisions(Protocol):
    """What is asked of the assembly."""

    founded: Rules

    def in_force(self, topic: Topic, within: int | None = None, cut: Cut | None = None) -> Outcome | None:
        """The outcome that holds on a topic in a past."""

    def version(self, outcome: Outcome) -> RuleVersion:
        """What an outcome on a rule makes of it."""

    def admits(self, key: bytes, within: int) -> bool:
        """Whether what is in force on a key in a past, with nothing cut, lets it in."""

    def is_steward(self, key: bytes, within: int) -> bool:
        """Whether a key acts as a steward in a past."""


class _Joins(NamedTuple):
    """Joins by what may be asked of them, as bits."""

    every: int = 0
    openings: int = 0  # came by no invite
    voted: int = 0  # whom the members let in
    by_stewards: int = 0  # whom a steward invited

    def refused(self, topic: Topic, params: Params, *, voted: bool) -> int:
        """Those that a version of a rule refuses. `voted`: whether an outcome set it.

        What the founding record says of openings is the sets' own: it opened them.
        """
        if topic == JOIN:
            if params["policy"] == "vote":
                return self.every & ~self.voted
            return self.openings & ~self.voted if voted and params["policy"] == "invite" else 0
        if params["by"] != "stewards":
            return 0
        return self.every & ~self.openings & ~self.voted & ~self.by_stewards

    def __or__(self, other: object) -> _Joins:
        assert isinstance(other, _Joins)
        return _Joins(*(one | more for one, more in zip(self, other, strict=True)))


class Seats:
    """The joins of one set, filled ancestors first."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._waiting: list[Arrival] = []  # not asked about yet: as long as no rule asks
        self._joins = _Joins()
        self._bits = 0  # all that an answer depends on
        self._strict = any(_Joins(1).refused(topic, self._founded(topic), voted=False) for topic in SEATING)
        self._found: dict[int, int] = {}

    def arrive(self, one: Arrival) -> None:
        """Take a join; what it rests on is settled."""
        self._bits |= one.bit
        self._waiting.append(one)

    def watch(self, bits: int) -> None:
        """Take note of closings on these rules, and of what outgrows them."""
        self._bits |= bits
        self._strict = True

    def settle(self) -> None:
        """Judge what came, in its own past; before anything that may have it in its past is."""
        if self._strict and self._waiting:
            some, self._waiting = self._waiting, []
            for one in some:  # ancestors first: what it asks was asked before
                self._joins |= self._judged(one)

    def unseated(self, within: int) -> int:
        """Bits of the joins that seat nobody in this past (CHARTER-36)."""
        if not self._strict:
            return 0
        within &= self._bits
        found = self._found.get(within)
        if found is None:
            found = self._found[within] = self._unseated(JOIN, within) | self._unseated(INVITE, within)
        return found

    def seats(self, one: Arrival, within: int) -> bool:
        """Whether a join that came only now would seat its author."""
        if not self._strict:
            return True
        joins = self._judged(one)
        for topic in SEATING:
            outcome = self._decisions.in_force(topic, within, NOTHING)
            if joins.refused(topic, self._params(topic, outcome), voted=outcome is not None):
                return False
        return True

    def _unseated(self, topic: Topic, within: int) -> int:
        """What each version of a rule refuses, of what it had not seen."""
        found = 0
        while True:
            outcome = self._decisions.in_force(topic, within, NOTHING)
            refused = self._joins.refused(topic, self._params(topic, outcome), voted=outcome is not None) & within
            if outcome is None:
                return found | refused
            seen = outcome.closings[0].past
            found |= refused & ~seen
            within &= seen  # which that closing is not in itself: there is an end

    def _judged(self, one: Arrival) -> _Joins:
        decisions, bit = self._decisions, one.bit
        return _Joins(
            bit,
            0 if one.invited else bit,
            bit if decisions.admits(one.key, one.past) else 0,
            bit if one.invited and decisions.is_steward(one.way, one.past) else 0,
        )

    def _params(self, topic: Topic, outcome: Outcome | None) -> Params:
        return self._founded(topic) if outcome is None else self._decisions.version(outcome).params

    def _founded(self, topic: Topic) -> Params:
        return self._decisions.founded.params(topic[1].decode())
