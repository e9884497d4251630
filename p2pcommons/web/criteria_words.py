"""What the evidence for the four criteria counts, in words for pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from p2pcommons.commons.criteria import Standing
from p2pcommons.node.values import CriterionInfo, EvidenceInfo
from p2pcommons.web.criteria_svg import CRITERIA, STATES, criteria_picture
from p2pcommons.web.texts import N_, Texts

MEASURES: Final[Mapping[str, str]] = {
    "voters": N_("{value} of the {of} people known to use it may vote"),
    "deciders": N_("{value} of the {of} people who may vote did so within a year"),
    "last_decision": N_("months since the last decision: {value} (at most {of} is good)"),
    "rules_reviewed": N_("{value} of {of} rules are not overdue to be looked at again"),
    "recipe": N_("a recipe was written on this machine"),
    "export": N_("all entries can be taken out in an open format"),
    "licence": N_("new entries have a licence"),
    "copies": N_("full copies known now: {value} ({of} asked for)"),
    "maintainers": N_("people who wrote within a year: {value} (at least {of} is good)"),
}
"""By name of the measure, where its number is known."""

MISSING: Final[Mapping[str, str]] = {
    "voters": N_("who uses it is not known"),
    "deciders": N_("nobody may vote yet"),
    "last_decision": N_("nothing was decided yet"),
    "rules_reviewed": N_("no rule was set: all are by default"),
    "recipe": N_("no recipe was written on this machine"),
    "export": N_("whether entries can be taken out is not known"),
    "licence": N_("new entries have no licence"),
    "copies": N_("other copies are not known"),
    "maintainers": N_("who wrote is not known"),
}
"""The same where there is none, or it says that the thing is not there."""

_PRESENT: Final = ("recipe", "export", "licence")  # there or not: no number to read


def told_evidence(piece: EvidenceInfo, texts: Texts) -> Markup:
    """One piece of evidence as a sentence."""
    absent = piece.value is None or (piece.measure in _PRESENT and not piece.value)
    words = (MISSING if absent else MEASURES).get(piece.measure, piece.measure)
    return texts.text(words, value=piece.value, of=piece.of)


def told_criteria(found: Sequence[CriterionInfo], texts: Texts) -> dict[str, Any]:
    """The picture, and under each criterion what it rests on: (criterion, state, [(state, sentence)…])."""
    standings = [Standing(one.criterion, one.state, one.state, (), None, ()) for one in found]
    rows = [
        (
            texts.text(CRITERIA[one.criterion]),
            texts.text(STATES[one.state]),
            [(texts.text(STATES[piece.state]), told_evidence(piece, texts)) for piece in one.evidence],
        )
        for one in found
    ]
    return {"picture": criteria_picture(standings, texts), "rows": rows}
