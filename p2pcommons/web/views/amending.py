"""Another text for a proposal: set by who proposed it, offered by anybody else."""

from __future__ import annotations

from p2pcommons.commons.rules import RULES
from p2pcommons.core.identity import did_key
from p2pcommons.errors import Conflict, FormError, Refused
from p2pcommons.node.assembly_values import ProposalInfo
from p2pcommons.web import labels
from p2pcommons.web.assembly_labels import FIELD_ERRORS
from p2pcommons.web.proposal_form import Typed, check_text, keys_of, rule_said, typed_form
from p2pcommons.web.proposal_reading import parted
from p2pcommons.web.rule_form import rule_fields, typed_of
from p2pcommons.web.views.proposals import own_keys, proposal_path
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address


async def amend_form(visit: Visit) -> Answer:
    """`/commons/ID/proposals/ID/amend`: the text as it is now."""
    found = await visit.commons.proposal(visit.commons_id(), visit.proposal_id())
    effect = found.effect
    values = {"text": found.text or "", "words": effect.words or "", **typed_of(effect.params or {})}
    return await _amending(visit, found, Typed(values, tuple(map(did_key, effect.stewards or ()))))


async def amend(visit: Visit) -> Answer:
    """Set another text, or offer it."""
    commons, proposal = visit.commons_id(), visit.proposal_id()
    found = await visit.commons.proposal(commons, proposal)
    typed, effect = check_text(typed_form(visit)), found.effect
    params, words = None, None
    if effect.rule in RULES:
        typed, params, words = rule_said(typed, str(effect.rule), effect.params or {}, effect.words)
    stewards = keys_of(typed.stewards) if effect.stewards is not None else ()
    if effect.stewards is not None and not stewards:
        typed = typed.wrong("steward", FIELD_ERRORS["stewards"])
    if typed.errors:
        return await _amending(visit, found, typed)
    try:
        made = await visit.commons.amend_proposal(
            commons, proposal, text=typed.values["text"], params=params, words=words, stewards=stewards
        )
    except Refused as error:
        if error.code not in ("bad-params", "bad-proposal") and not isinstance(error, Conflict):
            raise
        return await _amending(visit, found, typed.wrong("", labels.REFUSALS.get(error.code, labels.FIELD_ERROR)))
    except FormError:
        return await _amending(visit, found, typed.wrong("text", FIELD_ERRORS["text"]))
    set_now = len(made.amendments) == len(found.amendments)
    return Redirect(address(proposal_path(commons, proposal), "amended" if set_now else "offered"))


async def _amending(visit: Visit, found: ProposalInfo, typed: Typed) -> Page:
    members = await visit.commons.members(found.commons)
    mine = await own_keys(visit, members)
    rule = found.effect.rule
    values = {
        "info": await visit.commons.get_commons(found.commons),
        "found": found,
        "title": parted(found.text)[0],
        "path": proposal_path(found.commons, found.id),
        "own": did_key(found.author) in mine,
        "answered": 0 if found.tally is None else found.tally.answered,
        "fields": rule_fields(rule) if rule is not None and rule in RULES else [],
        "members": [(did_key(each.key), each.steward) for each in members.members],
        "mine": mine,
        "typed": typed,
    }
    return Page("amend.html", values, 422 if typed.errors else 200)


VIEWS = (
    View("GET", "/commons/{commons}/proposals/{proposal}/amend", amend_form),
    View("POST", "/commons/{commons}/proposals/{proposal}/amend", amend, publishes=True),
)
