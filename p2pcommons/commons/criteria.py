"""The four criteria of a commons: evidence that is computed, assessments that people make (chapter 24, "Criteria").

The frame is that of the *Atlas des communs au Pays de Brest*: governed by all its users; rules that can be
questioned and changed; an open recipe; a resource protected by those who use it. Evidence is made of plain numbers
and decides nothing: a person, or the assembly, says in which state a criterion is, with a date, and others contest
it. Knows no record: numbers and assessments come in, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from p2pcommons.commons.licences import facet
from p2pcommons.commons.rules import MONTH_MS

CRITERIA: Final = ("governance", "rules", "recipe", "resource")
"""Governed by all its users; rules questioned and changed; open recipe; resource protected."""

STATES: Final = ("met", "partly", "not_met", "unknown")
"""In which a criterion, or one piece of evidence, can be."""

MEASURES: Final = (
    "voters", "deciders", "last_decision", "rules_reviewed", "recipe", "export", "licence", "copies", "maintainers",
)  # fmt: skip
"""Pieces of evidence, in the order in which people read them."""

_HALF_PERCENT: Final = 50  # of the users may vote: most of those concerned
_TENTH_PERCENT: Final = 10  # below, a few decide for all
_THIRD_PERCENT: Final = 33  # of those who may vote did so within a year: what assemblies of associations reach
_YEAR_MONTHS: Final = 12  # a commons that meets once a year decides once a year
_LONG_MONTHS: Final = 36  # after so long without a decision nobody governs


@dataclass(frozen=True, slots=True)
class Facts:
    """Plain numbers about a commons. None: not known here, and no evidence is made of it."""

    now_ms: int  # Unix ms
    users: int | None = None  # persons known to use it: members, contributors, hosts, borrowers
    voters: int | None = None  # of them, who may vote
    deciders: int | None = None  # of these, who voted within a year
    last_decision_ms: int | None = None  # Unix ms of the last outcome that stands; with `decisions` 0: none yet
    decisions: int | None = None  # outcomes that stand
    rules: int | None = None  # rules in force
    rules_due: int | None = None  # of them, whose review is overdue
    recipe_present: bool | None = None  # a recipe was published
    recipe_current: bool | None = None  # it has the rules in force
    export_present: bool | None = None  # all entries can be taken out in an open format
    licence: str | None = None  # SPDX expression of new entries; empty: none set
    copies: int | None = None  # full copies measured, by different persons
    floor: int = 3  # copies that the charter asks for
    maintainers: int | None = None  # persons who wrote, corrected or hosted within a year
    maintainers_least: int = 2  # below, one person's illness ends it


class Evidence(NamedTuple):
    """One measured thing. Printed as "`value` of `of`"; what the numbers count is the measure's."""

    criterion: str  # one of CRITERIA
    measure: str  # one of MEASURES
    state: str  # one of STATES
    value: int | None  # persons, months, rules, copies; presence as 0 or 1
    of: int | None  # what `value` is compared with: all of them, or how many it takes


class Assessment(NamedTuple):
    """What somebody, or the assembly, says of one criterion."""

    criterion: str
    state: str  # one of STATES
    time_ms: int  # Unix ms
    id: bytes  # of the record, or of the outcome
    author: bytes  # key
    decided: bool = False  # by a vote of the members
    contested_by: tuple[bytes, ...] = ()  # keys, ascending


class Standing(NamedTuple):
    """Where one criterion stands: what is shown, and what it rests on."""

    criterion: str
    state: str  # the assessment's, else what the evidence suggests
    suggested: str  # by the evidence alone
    evidence: tuple[Evidence, ...]
    assessment: Assessment | None  # the one shown
    earlier: tuple[Assessment, ...]  # the others, latest first

    @property
    def contested(self) -> bool:
        """Whether somebody contests the assessment shown."""
        return self.assessment is not None and bool(self.assessment.contested_by)


def evidence(facts: Facts) -> tuple[Evidence, ...]:
    """All that these numbers tell, in the order of MEASURES."""
    return (
        _share("governance", "voters", facts.voters, facts.users, _HALF_PERCENT, _TENTH_PERCENT),
        _share("governance", "deciders", facts.deciders, facts.voters, _THIRD_PERCENT, _TENTH_PERCENT),
        _last_decision(facts),
        _rules_reviewed(facts),
        _recipe(facts),
        _present("recipe", "export", facts.export_present),
        _licence(facts.licence),
        _enough("resource", "copies", facts.copies, facts.floor),
        _enough("resource", "maintainers", facts.maintainers, facts.maintainers_least),
    )


def suggested(found: Iterable[Evidence]) -> str:
    """The state that some evidence suggests: met if all of it is, not met if none is in part."""
    states = {one.state for one in found} - {"unknown"}
    if not states:
        return "unknown"
    return states.pop() if len(states) == 1 else "partly"


def standings(facts: Facts, assessments: Iterable[Assessment] = ()) -> tuple[Standing, ...]:
    """All four criteria. The order of assessments means nothing; what names no criterion or state is passed over.

    Of one criterion's assessments the latest vote of the members is shown; without one, the latest assessment. (*What
    all decided is not undone by the next who speaks; they contest it, or call another vote.*)
    """
    found = evidence(facts)
    known = sorted(
        {one for one in assessments if one.criterion in CRITERIA and one.state in STATES},
        key=lambda one: (one.decided, one.time_ms, one.id, one),
        reverse=True,
    )
    shown = []
    for criterion in CRITERIA:
        pieces = tuple(piece for piece in found if piece.criterion == criterion)
        said = [one for one in known if one.criterion == criterion]
        by_evidence = suggested(pieces)
        state = said[0].state if said else by_evidence
        shown.append(Standing(criterion, state, by_evidence, pieces, said[0] if said else None, tuple(said[1:])))
    return tuple(shown)


def _share(criterion: str, measure: str, value: int | None, of: int | None, most: int, some: int) -> Evidence:
    if value is None or of is None or of <= 0:
        return Evidence(criterion, measure, "unknown", value, of)
    percent = max(0, value) * 100 // of
    state = "met" if percent >= most else "partly" if percent >= some else "not_met"
    return Evidence(criterion, measure, state, value, of)


def _last_decision(facts: Facts) -> Evidence:
    """Months since the last decision, of how many there should be at most."""
    if facts.last_decision_ms is None:
        state = "not_met" if facts.decisions == 0 else "unknown"
        return Evidence("rules", "last_decision", state, None, _YEAR_MONTHS)
    # A decision said to be of tomorrow is one of today.
    months = max(0, facts.now_ms - facts.last_decision_ms) // MONTH_MS
    state = "met" if months < _YEAR_MONTHS else "partly" if months < _LONG_MONTHS else "not_met"
    return Evidence("rules", "last_decision", state, months, _YEAR_MONTHS)


def _rules_reviewed(facts: Facts) -> Evidence:
    """Rules whose review is not overdue, of all."""
    if facts.rules is None or facts.rules_due is None or facts.rules <= 0:
        return Evidence("rules", "rules_reviewed", "unknown", None, facts.rules)
    reviewed = min(max(0, facts.rules - facts.rules_due), facts.rules)
    state = "met" if reviewed == facts.rules else "partly" if reviewed else "not_met"
    return Evidence("rules", "rules_reviewed", state, reviewed, facts.rules)


def _recipe(facts: Facts) -> Evidence:
    found = _present("recipe", "recipe", facts.recipe_present)
    return found._replace(state="partly") if found.state == "met" and facts.recipe_current is False else found


def _present(criterion: str, measure: str, present: bool | None) -> Evidence:
    if present is None:
        return Evidence(criterion, measure, "unknown", None, 1)
    return Evidence(criterion, measure, "met" if present else "not_met", int(present), 1)


def _licence(licence: str | None) -> Evidence:
    if licence is None:
        return Evidence("recipe", "licence", "unknown", None, 1)
    kind = facet(licence)
    state = "not_met" if kind is None else "partly" if kind == "restricted" else "met"
    return Evidence("recipe", "licence", state, int(kind is not None), 1)


def _enough(criterion: str, measure: str, value: int | None, least: int) -> Evidence:
    if value is None:
        return Evidence(criterion, measure, "unknown", None, least)
    state = "met" if value >= least else "partly" if value > 1 else "not_met"
    return Evidence(criterion, measure, state, value, least)
