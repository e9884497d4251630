"""Whether a proposal, or another wording for one, keeps to the rules in force in its past (chapter 22, "Proposals")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from p2pcommons.commons.closings import Case
from p2pcommons.commons.matters import Effect
from p2pcommons.commons.rules import Rules, read_params
from p2pcommons.commons.succession import Silence

RULE: Final = "rule"
FAULTS: Final = (
    "no_member", "unapproved", "closers", "method", "not_silent", "quorum", "params", "version", "not_by_vote", "no_amendment",
)  # fmt: skip


def fault(
    case: Case, rules: Rules, approved: bool | None, silent: Callable[[], Silence], is_offered: Callable[[bytes], bool]
) -> str | None:  # ASSEMBLY-5
    """Why a proposal is out of order, one of FAULTS: the first that holds.

    `rules`: those in force in its past; `approved`: whether the people of the organisation that proposes approved of it,
    None where none does; `silent`: who went silent there; `is_offered`: whether an amendment is offered there.
    """
    form = case.form
    if case.deed.author not in case.electors:
        return "no_member"
    if approved is False:
        return "unapproved"
    if (len(case.closers), form.k) != rules.closing(case.electorate) or len(form.closers) != len(case.closers):
        return "closers"
    decision = rules.decision(form.matter)
    if not decision.is_method(form.method):
        return "method"
    quorum = decision.quorum(case.electorate)
    if form.matter == "steward" and is_succession(form.effect):
        found = silent()
        if not found.stewards:
            return "not_silent"
        quorum = found.active // 2 + 1
    if form.quorum != quorum:
        return "quorum"
    return effect_fault(form.matter, form.effect, rules, is_offered)


def effect_fault(matter: str, effect: Effect, rules: Rules, is_offered: Callable[[bytes], bool]) -> str | None:
    """Why an effect cannot be proposed: ASSEMBLY-6 to ASSEMBLY-8."""
    content = effect.content
    if matter == RULE:
        if read_params(content["rule"], content["params"]) is None:
            return "params"
        return None if effect.version == rules[content["rule"]].version else "version"
    if matter == "steward" and rules.params("stewards")["by"] != "vote":
        return None if is_succession(effect) else "not_by_vote"
    if matter == "amend":
        return None if is_offered(content["amendment"]) else "no_amendment"
    return None


def is_succession(effect: Effect) -> bool:
    """Whether stewards are to be chosen because those there were are gone."""
    return effect.content.get("succession") is True
