"""Voting on a proposal, answering amendments, and closing a vote."""

from __future__ import annotations

from collections.abc import Mapping

from p2pcommons.api.wire import parse_hex32
from p2pcommons.core.record import RecordId
from p2pcommons.errors import Conflict, FormError
from p2pcommons.node.assembly_values import ProposalInfo
from p2pcommons.web import labels
from p2pcommons.web.assembly_labels import ASKED, FIELD_ERRORS
from p2pcommons.web.proposal_reading import parted
from p2pcommons.web.views.proposals import Voting, one, proposal_path
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address, now_ms


async def vote(visit: Visit) -> Answer:
    """Cast a vote, or change it."""
    commons, proposal = visit.commons_id(), visit.proposal_id()
    found = await visit.commons.proposal(commons, proposal)
    typed = Voting(
        visit.typed("choice"),
        {key: value for key, value in visit.form if key.startswith("grade.")},
        visit.typed("reason").strip(),
    )
    choice, errors = _choice(found, typed)
    if choice is None or errors:
        return await one(visit, found, typed, errors, 422)
    try:
        if not _said_already(found, choice, typed.reason):
            wording = _record(visit.typed("wording"))
            await visit.commons.vote(commons, proposal, choice, reason=typed.reason or None, wording=wording)
    except FormError:
        return await one(visit, found, typed, {"reason": FIELD_ERRORS["reason"]}, 422)
    except Conflict as error:
        now = await visit.commons.proposal(commons, proposal)
        words = labels.REFUSALS.get(error.code, labels.FIELD_ERROR)
        # What was chosen was chosen of another text: it is not chosen again unasked.
        return await one(visit, now, Voting(reason=typed.reason), {"": words}, 409)
    return Redirect(address(proposal_path(commons, proposal), "voted"))


def _choice(found: ProposalInfo, typed: Voting) -> tuple[str | Mapping[str, int] | None, dict[str, str]]:
    if found.mode == "judgment" and typed.choice != "abstain":
        grades = {}
        for place, name in enumerate(found.options):
            text = typed.grades.get(f"grade.{place}", "")
            if text.isascii() and text.isdecimal() and len(text) < 3 and int(text) < (found.grades or 0):
                grades[name] = int(text)
        return (grades, {}) if grades else (None, {"grade.0": FIELD_ERRORS["grades"]})
    if found.mode != "judgment" and typed.choice not in ASKED[found.mode]:
        return None, {"choice": FIELD_ERRORS["choice"]}
    if typed.choice == "object" and not typed.reason:
        return None, {"reason": FIELD_ERRORS["object"]}
    return typed.choice, {}


def _said_already(found: ProposalInfo, choice: str | Mapping[str, int], reason: str) -> bool:
    """Whether the vote that counts says just this: a form sent twice writes nothing twice."""
    yours = found.yours
    return (
        yours is not None and not yours.late and (yours.choice or yours.grades, yours.reason or "") == (choice, reason)
    )


def _record(text: str) -> RecordId:
    """The record that a form names; what is no id is that of none."""
    try:
        return RecordId(parse_hex32(text))
    except FormError:
        return RecordId(bytes(32))


# -- amendments


async def answer(visit: Visit) -> Answer:
    """Take what somebody offered, or refuse it."""
    commons, proposal, said = visit.commons_id(), visit.proposal_id(), visit.typed("answer")
    found = await visit.commons.proposal(commons, proposal)
    if said not in ("take", "refuse"):
        return await one(visit, found, Voting(), {"": FIELD_ERRORS["answer"]}, 422)
    made = await visit.commons.answer_amendment(commons, _record(visit.typed("amendment")), take=said == "take")
    return Redirect(address(proposal_path(commons, made.id), "taken" if said == "take" else "refused"))


# -- closing


async def close_form(visit: Visit) -> Answer:
    """`…/close`: says what is counted, who has not voted, and asks whether it is meant."""
    found = await visit.commons.proposal(visit.commons_id(), visit.proposal_id())
    return await _closing(visit, found, {})


async def close(visit: Visit) -> Answer:
    """Publish what one counts."""
    commons, proposal = visit.commons_id(), visit.proposal_id()
    found = await visit.commons.proposal(commons, proposal)
    early = visit.typed("early") == "yes"
    if _is_early(found) and not early:
        return await _closing(visit, found, {"early": FIELD_ERRORS["early"]})
    made = await visit.commons.close_vote(commons, proposal, early=early, afresh=visit.typed("count") == "afresh")
    return Redirect(address(proposal_path(commons, proposal), "closed" if made.closed_at else "counted"))


async def _closing(visit: Visit, found: ProposalInfo, errors: dict[str, str]) -> Page:
    answered = 0 if found.tally is None else found.tally.answered
    values = {
        "info": await visit.commons.get_commons(found.commons),
        "found": found,
        "title": parted(found.text)[0],
        "path": proposal_path(found.commons, found.id),
        "early": _is_early(found),
        "answered": answered,
        "others": [one for one in found.closings if not one.you and one.recount == "same" and not one.equivocates],
        "errors": errors,
    }
    return Page("close.html", values, 422 if errors else 200)


def _is_early(found: ProposalInfo) -> bool:
    answered = 0 if found.tally is None else found.tally.answered
    return found.closes_at > now_ms() and answered < found.electorate


VIEWS = (
    View("POST", "/commons/{commons}/proposals/{proposal}/vote", vote, publishes=True),
    View("POST", "/commons/{commons}/proposals/{proposal}/answer", answer, publishes=True),
    View("GET", "/commons/{commons}/proposals/{proposal}/close", close_form),
    View("POST", "/commons/{commons}/proposals/{proposal}/close", close, publishes=True),
)
