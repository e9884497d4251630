"""The proposals on one topic, and which of their outcomes is in force (chapter 22, "What applies").

Asked within a past, with what removals cut there. Knows neither rules nor removals, only who had seen what.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from p2pcommons.commons.closings import Case, Outcome
from p2pcommons.commons.cuts import Cut
from p2pcommons.commons.pasts import Pasts


@dataclass(slots=True, eq=False)
class Docket:
    """What was proposed on one topic, ancestors first."""

    pasts: Pasts
    cut_in: Callable[[int], Cut]
    large: Callable[[int], int]  # bits of what had seen so many persons
    cases: list[Case] = field(default_factory=list)
    bits: int = 0  # of closings
    least: int = 0  # the fewest persons that outgrow one of the proposals; 0: there is none
    _places: dict[bytes, int] = field(default_factory=dict)
    _found: dict[tuple[int, Cut], Outcome | None] = field(default_factory=dict)

    def add(self, case: Case) -> None:
        """Take a proposal that is in order; what it knows of the others is settled by its own past."""
        past = case.deed.past
        case.known = sum(1 << self._places[one.proposal] for one in self.decided(past, self.cut_in(past)))
        self._places[case.id] = len(self.cases)
        self.cases.append(case)
        self.least = min(self.least or case.outgrown.least, case.outgrown.least)
        self.note(case)

    def note(self, case: Case) -> None:
        """Take note of closings that came to a proposal here."""
        self.bits |= case.closing_bits

    def decided(self, within: int, cut: Cut) -> list[Outcome]:
        """The outcomes that were passed, and that no larger assembly has outgrown."""
        found = (self._passed(case, within, cut) for case in self.cases if case.closing_bits & within)
        return [outcome for outcome in found if outcome is not None]

    def in_force(self, within: int, cut: Cut) -> Outcome | None:
        """The outcome that holds (ASSEMBLY-20); None: what held before any."""
        key = (within & (self.bits | self.large(self.least)), cut)  # all that an answer depends on
        if key not in self._found:
            self._found[key] = self._in_force(within, cut)
        return self._found[key]

    def reopened(self, within: int, cut: Cut) -> list[Outcome]:
        """The outcomes that undo each other: each was closed without knowing of the others."""
        found = self.decided(within, cut)
        last = self._last(found) if found else []
        return last if len(last) > 1 else []

    def _passed(self, case: Case, past: int, cut: Cut) -> Outcome | None:
        if case.outgrown.bits & past:
            return None
        outcome = case.outcome(past, self.pasts, cut)
        return outcome if outcome is not None and outcome.tally.passed else None

    def _in_force(self, within: int, cut: Cut) -> Outcome | None:
        latest = self._unknown(within, cut)
        if len(latest) < 2:
            return latest[0] if latest else None
        found = self.decided(within, cut)
        while found:
            last = self._last(found)
            if len(last) == 1:
                return last[0]
            # Neither of several applies: what all of them had seen does.
            found = [one for one in found if one not in last and all(self._precedes(one, other) for other in last)]
        return None

    def _unknown(self, within: int, cut: Cut) -> list[Outcome]:
        """Those that no other's proposal knew: of a long line of changes, one is looked at."""
        left, found = (1 << len(self.cases)) - 1, []
        while left:
            at = left.bit_length() - 1  # a proposal knows earlier ones only
            left ^= 1 << at
            outcome = self._passed(self.cases[at], within, cut)
            if outcome is not None:
                found.append(outcome)
                left &= ~self.cases[at].known
        return found

    def _last(self, found: list[Outcome]) -> list[Outcome]:
        """Those that no other came after; all of them where each came after another."""
        known = 0
        for one in found:
            known |= self._case(one).known
        rest = [one for one in found if not known >> self._places[one.proposal] & 1]
        last = [
            one
            for one in rest
            if not any(self._precedes(one, other) and not self._precedes(other, one) for other in rest if other != one)
        ]
        return last or rest or found

    def _precedes(self, earlier: Outcome, later: Outcome) -> bool:
        """Whether `later` came after `earlier`: its proposal or k of its closers had seen it."""
        if self._knows(later, earlier) or self._knows(earlier, later):
            return self._knows(later, earlier)
        case = self._case(earlier)
        saw = {c.closer for c in later.closings if self._passed(case, c.past, self.cut_in(c.past)) is not None}
        return len(saw) >= self._case(later).form.k

    def _knows(self, one: Outcome, other: Outcome) -> bool:
        return bool(self._case(one).known >> self._places[other.proposal] & 1)

    def _case(self, outcome: Outcome) -> Case:
        return self.cases[self._places[outcome.proposal]]
