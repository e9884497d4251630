"""Counting ballots: four modes over plain values, in integers, with the working shown (chapter 24, "Tallies").

Knows no record, no clock and no member: who counts, and which ballot of whom, is settled before. Order of ballots
changes nothing. Nothing here raises: a choice that does not fit its mode is *void*, and shown.

- *majority*: passes with more votes for than against.
- *qualified*: passes with at least p/q of the votes for and against.
- *consent*: passes if somebody consents and no objection stands.
- *judgment*: each option gets grades; the lower median decides, then the standard tie-break (`commons.judgment`).

An abstention is an answer: it counts for the quorum and for nothing else. Nothing passes below its quorum, and
nothing passes that nobody is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from p2pcommons.commons.judgment import Ranking, Ungraded, rank
from p2pcommons.core.limits import (
    GRADES_MAX,
    OPTION_CHARACTERS_MAX,
    OPTIONS_MAX,
    THRESHOLD_PARTS_MAX,
)

MODES: Final = ("majority", "qualified", "consent", "judgment")
FOR: Final = "for"
AGAINST: Final = "against"
ABSTAIN: Final = "abstain"
CONSENT: Final = "consent"
OBJECT: Final = "object"

REASONS: Final = ("passed", "no_quorum", "nobody_for", "too_few", "objections", "tied")
"""Why a tally came out as it did: stable codes, said in words by pages."""

Choice = str | Mapping[str, int]
"""What one ballot says: a word, or for judgment a grade for each option (0 is the lowest)."""


@dataclass(frozen=True, slots=True)
class Majority:
    """More for than against."""


@dataclass(frozen=True, slots=True)
class Qualified:
    """At least `p`/`q` of the votes for and against."""

    p: int
    q: int


@dataclass(frozen=True, slots=True)
class Consent:
    """No objection stands, and somebody consents."""


@dataclass(frozen=True, slots=True)
class Judgment:
    """Grades from 0 (lowest) to `grades` - 1 for each option; what a ballot leaves out counts as `ungraded`."""

    options: tuple[str, ...]
    grades: int
    ungraded: Ungraded = 0


Method = Majority | Qualified | Consent | Judgment


@dataclass(frozen=True, slots=True)
class Tally:
    """A result and its working: what a page needs to print the sum by hand."""

    mode: str  # one of MODES
    passed: bool
    reason: str  # one of REASONS
    electorate: int  # persons who may vote
    quorum: int  # persons who have to answer
    answered: int  # ballots that fit, abstentions included
    abstained: int
    void: int  # ballots that do not fit the mode: they count for nothing
    counts: tuple[tuple[str, int], ...]  # per word, in the order for/against or consent/object; judgment: none
    needed: int | None = None  # votes for that pass, with the votes for and against as they are; consent: None
    threshold: tuple[int, int] | None = None  # qualified: p, q
    ranking: Ranking | None = None  # judgment: ranks, medians, counts of grades, steps of the tie-break

    @property
    def quorum_met(self) -> bool:
        """Whether enough persons answered."""
        return self.answered >= self.quorum

    @property
    def silent(self) -> int:
        """Persons who may vote and did not answer."""
        return max(0, self.electorate - self.answered)

    @property
    def winners(self) -> tuple[str, ...]:
        """Judgment: the options of rank 1 (several where they are equal in every grade)."""
        return () if self.ranking is None else tuple(o.name for o in self.ranking.options if o.rank == 1)

    def count(self, word: str) -> int:
        """How many ballots said this word."""
        return self.abstained if word == ABSTAIN else dict(self.counts).get(word, 0)


def tally(method: Method, ballots: Iterable[Choice], *, quorum: int = 0, electorate: int = 0) -> Tally:
    """Counts one ballot a person. `quorum`: persons who have to answer; `electorate`: persons who might.

    Never raises; the order of `ballots` means nothing.
    """
    if isinstance(method, Judgment):
        return _judged(method, ballots, quorum, electorate)
    if isinstance(method, Consent):
        return _consented(ballots, quorum, electorate)
    return _voted(method, ballots, quorum, electorate)


def read_method(mode: object, threshold: object = None, options: object = None, grades: object = None) -> Method | None:
    """The method that these values from a stranger ask for; None where they do not fit.

    `threshold`: `[p, q]` with 1/2 < p/q ≤ 1; `options`: 1 to 64 different names; `grades`: 2 to 10. What a mode
    does not need has to be None.
    """
    unneeded = {
        "majority": (threshold, options, grades),
        "consent": (threshold, options, grades),
        "qualified": (options, grades),
        "judgment": (threshold,),
    }
    if type(mode) is not str or any(value is not None for value in unneeded.get(mode, (0,))):
        return None
    if mode == "qualified":
        return _qualified(threshold)
    if mode == "judgment":
        return _judgment(options, grades)
    return Majority() if mode == "majority" else Consent()


def is_choice(method: Method, choice: object) -> bool:
    """Whether a choice fits the method; what does not fit is void."""
    if choice == ABSTAIN and type(choice) is str:
        return True
    if isinstance(method, Judgment):
        return isinstance(choice, Mapping) and _are_grades(choice, method.options, method.grades)
    words = (CONSENT, OBJECT) if isinstance(method, Consent) else (FOR, AGAINST)
    return type(choice) is str and choice in words


def _are_grades(choice: Mapping[Any, Any], options: Collection[str], grades: int) -> bool:
    return bool(choice) and all(
        type(option) is str and option in options and type(grade) is int and 0 <= grade < grades
        for option, grade in choice.items()
    )


def _voted(method: Majority | Qualified, ballots: Iterable[Choice], quorum: int, electorate: int) -> Tally:
    said, void = _words(method, ballots)
    agree, against = said[FOR], said[AGAINST]
    answered = agree + against + said[ABSTAIN]
    if isinstance(method, Majority):
        needed, enough = (agree + against) // 2 + 1, agree > against
    else:
        # p/q of the votes cast, rounded up; a threshold of nothing is met by anything but nobody.
        needed = max(1, -(-(agree + against) * method.p // method.q)) if method.q > 0 else 1
        enough = agree >= needed
    reason = "passed" if enough else "too_few" if agree else "nobody_for"
    if answered < quorum:
        reason = "no_quorum"
    return Tally(
        "majority" if isinstance(method, Majority) else "qualified",
        reason == "passed",
        reason,
        electorate,
        quorum,
        answered,
        said[ABSTAIN],
        void,
        ((FOR, agree), (AGAINST, against)),
        needed,
        None if isinstance(method, Majority) else (method.p, method.q),
    )


def _consented(ballots: Iterable[Choice], quorum: int, electorate: int) -> Tally:
    said, void = _words(Consent(), ballots)
    answered = said[CONSENT] + said[OBJECT] + said[ABSTAIN]
    reason = "objections" if said[OBJECT] else "passed" if said[CONSENT] else "nobody_for"
    if answered < quorum:
        reason = "no_quorum"
    counts = ((CONSENT, said[CONSENT]), (OBJECT, said[OBJECT]))
    return Tally("consent", reason == "passed", reason, electorate, quorum, answered, said[ABSTAIN], void, counts)


def _words(method: Method, ballots: Iterable[Choice]) -> tuple[Counter[str], int]:
    said: Counter[str] = Counter()
    void = 0
    for choice in ballots:
        if isinstance(choice, str) and is_choice(method, choice):
            said[choice] += 1
        else:
            void += 1
    return said, void


def _judged(method: Judgment, ballots: Iterable[Choice], quorum: int, electorate: int) -> Tally:
    grades = {option: [0] * max(0, method.grades) for option in method.options}
    judges = abstained = void = 0
    for choice in ballots:
        if isinstance(choice, Mapping) and _are_grades(choice, grades.keys(), method.grades):
            judges += 1
            for option, grade in choice.items():
                grades[option][grade] += 1
        elif is_choice(method, choice) and not isinstance(choice, Mapping):
            abstained += 1
        else:
            void += 1
    ranking = rank(grades, judges, ungraded=method.ungraded)
    reason = "tied" if sum(option.rank == 1 for option in ranking.options) > 1 else "passed"
    if not judges or not ranking.options:
        reason = "nobody_for"
    if judges + abstained < quorum:
        reason = "no_quorum"
    return Tally(
        "judgment",
        reason == "passed",
        reason,
        electorate,
        quorum,
        judges + abstained,
        abstained,
        void,
        (),
        ranking=ranking,
    )


def _qualified(threshold: object) -> Qualified | None:
    if not isinstance(threshold, list | tuple) or len(threshold) != 2:
        return None
    p, q = threshold
    return Qualified(p, q) if is_threshold(p, q) else None


def is_threshold(p: Any, q: Any) -> bool:
    """Whether p/q is more than a half and at most all, in small numbers."""
    # Half and less would let a vote pass with as many against as for.
    return type(p) is int and type(q) is int and 0 < p <= q <= THRESHOLD_PARTS_MAX and 2 * p > q


def _judgment(options: object, grades: object) -> Judgment | None:
    if not isinstance(options, list | tuple) or not 1 <= len(options) <= OPTIONS_MAX:
        return None
    if any(type(name) is not str or not 1 <= len(name) <= OPTION_CHARACTERS_MAX for name in options):
        return None
    if len(set(options)) != len(options) or type(grades) is not int or not 2 <= grades <= GRADES_MAX:
        return None
    return Judgment(tuple(options), grades)
