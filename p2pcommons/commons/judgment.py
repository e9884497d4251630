"""Majority judgment: ranks from counts of grades, in integers, with every comparison shown (chapter 24, "Tallies").

An option's grades in a row, the lowest first: the *lower median* is its grade. Between equal medians one median
grade of each is set aside, and the medians of what is left are compared, and so on (Balinski and Laraki, *Majority
Judgment*, 2011: the majority value). Options are equal exactly where all their grades are. Counts may be of any
size: runs of equal grades are set aside at once. Knows no ballot and no word for a grade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import pairwise
from math import lcm
from typing import Literal, NamedTuple

Ungraded = int | Literal["median", "aside"]
"""What stands for a grade that a ballot did not give: a fixed grade, the median of the option's own grades, or
nothing (its grades are then weighed up to as many as the others have)."""


class Step(NamedTuple):
    """How two neighbours in the ranking compare."""

    better: str
    other: str
    aside: int  # median grades set aside of each before they differed; 0: the medians themselves differ
    grade: int  # of `better` there
    other_grade: int  # lower than `grade`; the same where the two are equal in every grade

    @property
    def equal(self) -> bool:
        """Whether the two have the same rank."""
        return self.grade == self.other_grade


class Judged(NamedTuple):
    """One option in the ranking."""

    name: str
    rank: int  # from 1; equal options share one, and the next ones are counted on (1, 1, 3)
    median: int  # the lower median grade; 0 where there is none
    counts: tuple[int, ...]  # how many gave each grade, lowest first, with what stands for grades not given
    given: tuple[int, ...]  # how many gave each grade, as they came


@dataclass(frozen=True, slots=True)
class Ranking:
    """Options from the best to the least; equal ones in order of name."""

    options: tuple[Judged, ...] = ()
    steps: tuple[Step, ...] = ()  # one for each two neighbours in `options`
    judges: int = 0  # ballots that gave grades
    weight: int = 1  # what each option's grades add up to: `judges`, but a common multiple where some were set aside

    def rank_of(self, name: str) -> int | None:
        """The rank of an option; None for one that does not stand here."""
        return next((option.rank for option in self.options if option.name == name), None)


def rank(tallies: Mapping[str, Sequence[int]], judges: int, *, ungraded: Ungraded = 0) -> Ranking:
    """Ranks options by how many of `judges` gave them each grade (lowest first). Total: counts below 0 are 0.

    `ungraded`: what stands where an option has fewer grades than there are judges. By default the lowest: who is
    not judged is not preferred.
    """
    width = max((len(counts) for counts in tallies.values()), default=0)
    given = {n: tuple(max(0, c) for c in counts) + (0,) * (width - len(counts)) for n, counts in tallies.items()}
    full = _filled(given, judges, ungraded)
    rows = {name: _Row.of(counts) for name, counts in full.items()}

    def ascending(one: str, other: str) -> int:
        _, a, b = _difference(rows[one], rows[other])
        return b - a if a != b else (one > other) - (one < other)

    order = sorted(full, key=cmp_to_key(ascending))
    steps = tuple(Step(a, b, *_difference(rows[a], rows[b])) for a, b in pairwise(order))
    options: list[Judged] = []
    for place, name in enumerate(order):
        equal = place > 0 and steps[place - 1].equal
        number = options[-1].rank if equal else place + 1
        options.append(Judged(name, number, rows[name].median, full[name], given[name]))
    weight = max((sum(counts) for counts in full.values()), default=0)
    return Ranking(tuple(options), steps, judges, weight)


def lower_median(counts: Sequence[int]) -> int:
    """The grade in the middle of these counts (lowest grade first); the lower of two middles; 0 without grades."""
    middle = (sum(counts) + 1) // 2
    below = 0
    for grade, count in enumerate(counts):
        below += count
        if count and below >= middle:
            return grade
    return 0


def _filled(given: Mapping[str, tuple[int, ...]], judges: int, ungraded: Ungraded) -> dict[str, tuple[int, ...]]:
    """Every option with as many grades as every other."""
    if ungraded == "aside":
        common = lcm(*(sum(counts) or 1 for counts in given.values())) if given else 1
        return {
            name: tuple(c * (common // sum(counts)) for c in counts) if any(counts) else (common, *counts[1:])
            for name, counts in given.items()
        }
    # More grades than judges cannot come from ballots; they still give one answer.
    each = max([judges, *(sum(counts) for counts in given.values())])
    full = {}
    for name, counts in given.items():
        grade = lower_median(counts) if ungraded == "median" else int(ungraded)
        place = min(max(grade, 0), len(counts) - 1)
        lacking = each - sum(counts)
        full[name] = tuple(count + lacking * (at == place) for at, count in enumerate(counts))
    return full


class _Run(NamedTuple):
    until: int  # places from the middle outwards, up to here (not included)
    grade: int


@dataclass(frozen=True, slots=True)
class _Row:
    """An option's grades in a row, cut in the middle: places are counted outwards from the lower median.

    Setting aside the lower median, again and again, takes places alternately from the two halves: with an odd
    number of grades the median first, which stands at place 0 of the upper half here; with an even number place 0
    of the lower half first.
    """

    odd: bool
    median: int
    lower: tuple[_Run, ...]
    upper: tuple[_Run, ...]

    @classmethod
    def of(cls, counts: Sequence[int]) -> _Row:
        total = sum(counts)
        half = total // 2
        upper_counts, lower_counts, left = [0] * len(counts), [0] * len(counts), half
        for grade, count in enumerate(counts):
            lower_counts[grade] = min(left, count)
            left -= lower_counts[grade]
            upper_counts[grade] = count - lower_counts[grade]
        ascending = [(g, c) for g, c in enumerate(upper_counts) if c]
        descending = [(g, c) for g, c in reversed(list(enumerate(lower_counts))) if c]
        return cls(total % 2 == 1, lower_median(counts), _runs(descending), _runs(ascending))


def _runs(counts: Sequence[tuple[int, int]]) -> tuple[_Run, ...]:
    runs, until = [], 0
    for grade, count in counts:
        until += count
        runs.append(_Run(until, grade))
    return tuple(runs)


def _difference(one: _Row, other: _Row) -> tuple[int, int, int]:
    """Where two rows of equal length first differ: (grades set aside before, grade of one, grade of the other).

    Equal rows: all grades set aside, and the same grade twice.
    """
    found = []
    for half, first in ((0, not one.odd), (1, one.odd)):
        met = _first_difference(one.upper if half else one.lower, other.upper if half else other.lower)
        if met is not None:
            place, a, b = met
            found.append((2 * place + (0 if first else 1), a, b))
    if found:
        return min(found)
    return (one.lower[-1].until if one.lower else 0) + (one.upper[-1].until if one.upper else 0), one.median, one.median


def _first_difference(one: Sequence[_Run], other: Sequence[_Run]) -> tuple[int, int, int] | None:
    at = a = b = 0
    while a < len(one) and b < len(other):
        if one[a].grade != other[b].grade:
            return at, one[a].grade, other[b].grade
        at = min(one[a].until, other[b].until)
        a += one[a].until == at
        b += other[b].until == at
    return None
